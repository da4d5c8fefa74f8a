"""What a run says, as pictures: PNGs by matplotlib (extra `bench`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.model import Bar, Case, Reading, Unavailable, Workload
from benchmarks.results import Results, Spread, Verdict, judge
from benchmarks.workloads import bulk

DPI = 120


def require() -> None:
    """Raise Unavailable, before anything is measured, when there is nothing to draw with."""
    if importlib.util.find_spec("matplotlib") is None:
        raise Unavailable("matplotlib is not installed: pip install 'aiosctp[bench]'")


def draw(results: Results, workloads: Iterable[Workload], caption: str, directory: Path) -> list[Path]:
    """Draw what the run has figures for; the files, in a directory that is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    workloads = list(workloads)
    drawn = []
    if any(sample.workload == bulk.NAME and sample.figures for sample in results.samples):
        drawn.append(_save(_goodput(results), caption, directory / "goodput.png"))
    for workload in workloads:
        curves = [case for case in workload.cases() if _is_curve(case) and _points(results, workload, case)]
        if curves:
            drawn.append(_save(_growth(results, workload, curves), caption, directory / f"{workload.name}.png"))
    verdicts = [judge(results, bar) for workload in workloads for bar in workload.bars]
    measured = [verdict for verdict in verdicts if verdict.is_measured]
    if measured:
        drawn.append(_save(_bars(measured), caption, directory / "bars.png"))
    return drawn


def _figure(width: float, height: float, panels: int = 1) -> tuple[Any, Sequence[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def _save(figure: Any, caption: str, path: Path) -> Path:
    figure.supxlabel(caption, fontsize=7)
    figure.savefig(path, dpi=DPI)
    return path


def _goodput(results: Results) -> Any:
    """Goodput over the size of messages: at path MTU 1500, and at the one found."""
    figure, panels = _figure(12, 5, 2)
    for axes, path_mtu, peers in ((panels[0], 1500, bulk.AT_1500), (panels[1], 0, bulk.AS_FOUND)):
        for peer in peers:
            _line(axes, results, peer, path_mtu)
        axes.set(
            title=f"path MTU {path_mtu}" if path_mtu else "the path MTU found, loopback",
            xlabel="bytes of a message",
            ylabel="Gbit/s of messages received",
            xscale="log",
            yscale="log",
            xticks=bulk.SIZES,
            xticklabels=bulk.SIZES,
        )
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    return figure


def _line(axes: Any, results: Results, peer: str, path_mtu: int) -> None:
    points: list[tuple[int, Spread]] = []
    for size in bulk.SIZES:
        case = bulk.case_name(size, path_mtu=path_mtu)
        spread = results.spread(Reading(bulk.NAME, case, peer, "goodput_bits_per_s"))
        if spread is not None:
            points.append((size, spread))
    if not points:
        return
    middle = [spread.median / 1e9 for _, spread in points]
    below = [(spread.median - spread.low) / 1e9 for _, spread in points]
    above = [(spread.high - spread.median) / 1e9 for _, spread in points]
    axes.errorbar([size for size, _ in points], middle, [below, above], label=peer, marker="o", capsize=3)


def _is_curve(case: Case) -> bool:
    """Where sizes stand in the place of peers."""
    return all(peer.isdecimal() for peer in case.peers)


def _points(results: Results, workload: Workload, case: Case) -> list[tuple[int, Spread]]:
    """The first figure of the workload at each size."""
    figure = workload.figures[0].name
    sizes = {int(peer): results.spread(Reading(workload.name, case.name, peer, figure)) for peer in case.peers}
    return [(size, spread) for size, spread in sizes.items() if spread is not None]


def _growth(results: Results, workload: Workload, cases: Sequence[Case]) -> Any:
    """The first figure as something grows, as a multiple of what it is at the smallest size."""
    figure, (axes,) = _figure(8, 5)
    for case in cases:
        points = _points(results, workload, case)
        smallest = points[0][1].median
        multiples = [spread.median / smallest for _, spread in points]
        axes.plot([size for size, _ in points], multiples, label=case.name, marker="o")
    shown = workload.figures[0]
    axes.set(xscale="log", yscale="log", xlabel="how many", ylabel=f"{shown.unit}, as a multiple of the first")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _bars(verdicts: Sequence[Verdict]) -> Any:
    """Every bar's ratio as a part of the bar, so that 1 passes; the upright strokes are where `beyond` begins."""
    figure, (axes,) = _figure(10, 1 + 0.5 * len(verdicts))
    for position, verdict in enumerate(reversed(verdicts)):
        assert verdict.measured is not None
        part = _part(verdict.bar, verdict.measured.median)
        axes.barh(position, part, color="tab:green" if part >= 1 else "tab:red", alpha=0.7)
        axes.plot(_part(verdict.bar, verdict.bar.beyond), position, "k|", markersize=16)
        axes.text(part, position, f" {verdict.measured.median:.3g}", va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set(
        xscale="log",
        xlabel="measured, as a part of the bar (1 passes; | is beyond)",
        yticks=range(len(verdicts)),
        yticklabels=[verdict.bar.text for verdict in reversed(verdicts)],
    )
    axes.tick_params(axis="y", labelsize=7)
    return figure


def _part(bar: Bar, value: float) -> float:
    return bar.bar / value if bar.less_is_better else value / bar.bar
