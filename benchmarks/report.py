"""What a run says, in words and tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.model import Bar, Case, Figure, Reading, Workload
from benchmarks.results import Results, Spread, Verdict, judge

# What the others are compared with: ours at its best.
OURS = ("aiosctp-uvloop", "aiosctp")


def heading(machine: Mapping[str, Any]) -> list[str]:
    """The machine, in a few lines."""
    buffers = f"rmem_max {machine['rmem_max']}, wmem_max {machine['wmem_max']}"
    lines = [
        f"{machine['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['system']}",
        f"{machine['interpreter']}; {machine['pinned']}; {buffers}",
    ]
    return lines + [f"  {name:16} {version}" for name, version in machine["peers"].items()]


def workload_table(results: Results, workload: Workload) -> list[str]:
    """Every case of a workload that was run: medians with the least and greatest, and our ratio to each peer."""
    lines = []
    for case in workload.cases():
        rows = list(_rows(results, workload, case))
        if rows:
            lines += [f"{workload.name}: {case.name}", *_aligned(rows), ""]
    return lines


def _rows(results: Results, workload: Workload, case: Case) -> Iterator[Sequence[str]]:
    asked = {s.peer for s in results.samples if (s.workload, s.case) == (workload.name, case.name)}
    for peer in case.peers:
        if peer not in asked:
            continue
        reason = results.reason(workload.name, case.name, peer)
        if reason:
            yield ("  " + peer, reason.splitlines()[-1])
            continue
        cells = ["  " + peer]
        for figure in workload.figures:
            spread = results.spread(Reading(workload.name, case.name, peer, figure.name))
            cells.append(f"{_spread(spread, figure.scale)} {figure.unit}" if spread else "-")
        yield (*cells, _our_ratio(results, workload, case, peer, asked))


def _our_ratio(results: Results, workload: Workload, case: Case, peer: str, asked: set[str]) -> str:
    """How ours stands to this peer in the first figure, by rounds."""
    ours = next((name for name in OURS if name in asked), None)
    if ours is None or peer == ours:
        return ""
    figure: Figure = workload.figures[0]
    of = [Reading(workload.name, case.name, name, figure.name) for name in (ours, peer)]
    ratio = results.ratio(*of)
    return f"{ours} is {_spread(ratio)}x" if ratio else ""


def bars_table(results: Results, bars: Iterable[Bar]) -> list[str]:
    """The bars, with what was measured: a Markdown table."""
    lines = ["| workload | measured (min to max) | bar | beyond | |", "|---|---|---|---|---|"]
    for bar in bars:
        verdict = judge(results, bar)
        measured = f"{_spread(verdict.measured)}{_unit(bar)}" if verdict.measured else verdict.reason or "-"
        lines.append(
            f"| {bar.text} | {measured} | {_mark(bar, bar.bar)} | {_mark(bar, bar.beyond)} | {_word(verdict)} |"
        )
    return lines


def _word(verdict: Verdict) -> str:
    return verdict.word.upper() if verdict.word == "missed" else verdict.word


def _mark(bar: Bar, value: float) -> str:
    return f"{'<=' if bar.less_is_better else '>='} {value:g}{_unit(bar)}"


def _unit(bar: Bar) -> str:
    return "x" if bar.unit == "x" else f" {bar.unit}"


def _spread(spread: Spread | None, scale: float = 1.0) -> str:
    if spread is None:
        return "-"
    middle, low, high = (_number(value / scale) for value in (spread.median, spread.low, spread.high))
    return middle if spread.count == 1 else f"{middle} ({low} to {high})"


def _number(value: float) -> str:
    """Three digits are more than such measurements are good for."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths: dict[int, int] = {}
    for row in rows:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths.get(column, 0), len(cell))
    return ["  ".join(cell.ljust(widths.get(column, 0)) for column, cell in enumerate(row)).rstrip() for row in rows]
