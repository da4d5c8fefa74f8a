"""Workloads that measure nothing, and samples made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Reading, Turn
from benchmarks.runner import Sample

RATE = Figure("rate_per_s", "k/s", 1e3)


class Made:
    """A workload whose samples come from a function."""

    summary = "made up"
    figures: Sequence[Figure] = (RATE,)

    def __init__(self, name: str, cases: Sequence[Case], give: Callable[[str, Turn], float]) -> None:
        self.name = name
        self.bars: Sequence[Bar] = ()
        self._cases = cases
        self._give = give

    def cases(self) -> Sequence[Case]:
        return self._cases

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        return {RATE.name: self._give(peer, turn)}


def samples(peer: str, *rates: float | None, workload: str = "made", case: str = "one") -> list[Sample]:
    """One sample a round; None is one that failed."""
    return [
        Sample(workload, case, peer, number, None, "it fell silent")
        if rate is None
        else Sample(workload, case, peer, number, {RATE.name: rate})
        for number, rate in enumerate(rates)
    ]


def reading(peer: str) -> Reading:
    """The rate of a peer in what `samples` makes by default."""
    return Reading("made", "one", peer, RATE.name)
