"""What a run says, in words and tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.model import Bar, Case, Reading, Workload
from benchmarks.results import Results, Spread, Verdict, judge
from benchmarks.workloads import lossy

# What the others are compared with: ours at its best.
OURS = ("aiosctp-uvloop", "aiosctp")

PACKET_FIGURES = ("longest_packet_bytes", "mean_packet_bytes", "packets_per_frame")


def heading(machine: Mapping[str, Any]) -> list[str]:
    """The machine, in a few lines."""
    buffers = f"rmem_max {machine['rmem_max']}, wmem_max {machine['wmem_max']}"
    lines = [
        f"{machine['date']}, commit {machine['commit'] or 'unknown'}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['system']}",
        f"{machine['interpreter']}; {machine['pinned']}; {buffers}",
    ]
    return lines + [f"  {name:20} {version}" for name, version in machine["peers"].items()]


def neighbours(machine: Mapping[str, Any]) -> list[str]:
    """How far the figures are the machine's own."""
    used = machine["cores_used"]
    return [
        f"while it ran, other programs used {used['others']:.2f} of {machine['cores']} cores, "
        f"and the hypervisor took {used['stolen']:.2f}"
    ]


def workload_table(results: Results, workload: Workload) -> list[str]:
    """Every case of a workload that was run: medians with the least and greatest, and our ratio to each peer."""
    lines = []
    for case in workload.cases():
        asked = [peer for peer in case.peers if results.was_asked(workload.name, case.name, peer)]
        if asked:
            rows = [_row(results, workload, case, peer, _ours(asked)) for peer in asked]
            lines += [f"{workload.name}: {case.name}", *_aligned([_header(workload, _ours(asked)), *rows]), ""]
    return lines


def _ours(asked: Sequence[str]) -> str | None:
    return next((name for name in OURS if name in asked), None)


def _header(workload: Workload, ours: str | None) -> Sequence[str]:
    ratio = f"{ours} to it" if ours else ""
    return ("", *(figure.unit for figure in workload.figures), ratio, "IP packets: longest, mean, in a frame", "")


def _row(results: Results, workload: Workload, case: Case, peer: str, ours: str | None) -> Sequence[str]:
    reason = results.reason(workload.name, case.name, peer)
    if reason:
        return (peer, reason.splitlines()[-1])
    readings = [Reading(workload.name, case.name, peer, figure.name) for figure in workload.figures]
    cells = [
        _spread(results.spread(each), figure.scale) for each, figure in zip(readings, workload.figures, strict=True)
    ]
    shortfall = results.rounds(readings[0]).shortfall
    ratio = None
    if ours is not None and ours != peer:
        ratio = results.ratio(replace(readings[0], peer=ours), readings[0])
    return (peer, *cells, f"{_spread(ratio)}x" if ratio else "", _packets(results, workload, case, peer), shortfall)


def _packets(results: Results, workload: Workload, case: Case, peer: str) -> str:
    """The packets that were captured, with their IP headers."""
    spreads = [results.spread(Reading(workload.name, case.name, peer, figure)) for figure in PACKET_FIGURES]
    return ", ".join(f"{spread.median:.0f}" for spread in spreads if spread)


def bars_table(results: Results, bars: Iterable[Bar]) -> list[str]:
    """The bars, with what was measured: a Markdown table."""
    lines = ["| workload | measured (min to max) | bar | beyond | |", "|---|---|---|---|---|"]
    for bar in bars:
        verdict = judge(results, bar)
        measured = verdict.reason or "-"
        if verdict.measured:
            measured = f"{_spread(verdict.measured)}{_unit(bar)} {verdict.rounds.shortfall}".rstrip()
        lines.append(
            f"| {bar.text} | {measured} | {_mark(bar, bar.bar)} | {_mark(bar, bar.beyond)} | {_word(verdict)} |"
        )
    return lines


def relay_line(results: Results) -> list[str]:
    """Whether the relay of the workload `lossy` was the limit of anything that went through it; nothing when it was not
    measured alone."""
    alone = results.spread(lossy.ALONE)
    through = {
        f"{peer}, {case.name}": results.spread(Reading(lossy.NAME, case.name, peer, lossy.ALONE.figure))
        for case in lossy.WORKLOAD.cases()
        for peer in case.peers
        if case.name != lossy.ALONE.case
    }
    fastest = max(((spread.median, name) for name, spread in through.items() if spread), default=None)
    if alone is None or fastest is None:
        return []
    rate, name = fastest
    times = alone.median / rate
    verdict = "as it has to" if times >= lossy.MARGIN else "TOO LITTLE"
    return [
        f"the relay alone carries {_number(times)}x the fastest result through it ({name}), "
        f">= {lossy.MARGIN}x: {verdict}; {_number(alone.median * 8 / 1e6)} Mbit/s",
        "",
    ]


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
    """In columns, but for a row of one cell and a reason; columns with nothing in them are left out."""
    whole = [row for row in rows if len(row) > 2]
    filled = [i for i in range(len(rows[0])) if any(row[i] for row in whole[1:])]
    widths = [max(len(row[i]) for row in [*whole, *([row[0]] for row in rows)] if len(row) > i) for i in filled]
    lines = []
    for row in rows:
        cells = [row[i] for i in filled] if len(row) > 2 else row
        lines.append("  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip())
    return lines
