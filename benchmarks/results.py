"""The samples of a run, and what follows from them: medians, and ratios between peers of the same run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

from benchmarks.model import Bar, Reading
from benchmarks.runner import Sample


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the greatest."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(median(values), min(values), max(values), len(values))


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds that were asked for, those taken, and the first reason why one was not."""

    asked: int
    taken: int
    reason: str = ""

    @property
    def shortfall(self) -> str:
        """In words; empty when all have been taken."""
        if self.taken == self.asked:
            return ""
        reason = self.reason.splitlines()[-1] if self.reason else "no such figure"
        return f"({self.taken} of {self.asked} rounds: {reason})"


class Results:
    """All samples of one run, by what they are of."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples = list(samples)

    def by_round(self, reading: Reading) -> dict[int, float]:
        """This figure in each round that has it."""
        return {
            sample.round: sample.figures[reading.figure]
            for sample in self.samples
            if (sample.workload, sample.case, sample.peer) == (reading.workload, reading.case, reading.peer)
            and sample.figures is not None
            and reading.figure in sample.figures
        }

    def spread(self, reading: Reading) -> Spread | None:
        """The figure over the rounds; None when no round has it."""
        values = list(self.by_round(reading).values())
        return Spread.of(values) if values else None

    def ratio(self, ours: Reading, theirs: Reading) -> Spread | None:
        """The median of the ratios of each round, whose samples were taken one after the other."""
        above, below = self.by_round(ours), self.by_round(theirs)
        ratios = [above[number] / below[number] for number in above if below.get(number)]
        return Spread.of(ratios) if ratios else None

    def was_asked(self, workload: str, case: str, peer: str) -> bool:
        """Whether it was this peer's turn at all."""
        return any((s.workload, s.case, s.peer) == (workload, case, peer) for s in self.samples)

    def reason(self, workload: str, case: str, peer: str) -> str:
        """Why a peer has no figures there; empty when it has, or was not asked."""
        of_peer = [s for s in self.samples if (s.workload, s.case, s.peer) == (workload, case, peer)]
        if any(sample.figures for sample in of_peer):
            return ""
        return next((sample.reason for sample in of_peer), "")

    def rounds(self, *readings: Reading) -> Rounds:
        """How many rounds have what all these readings name, of those that were to."""
        of = {(each.workload, each.case, each.peer) for each in readings}
        samples = [s for s in self.samples if (s.workload, s.case, s.peer) in of]
        asked = {sample.round for sample in samples}
        taken = asked.intersection(*(self.by_round(each) for each in readings))
        return Rounds(len(asked), len(taken), next((s.reason for s in samples if s.figures is None), ""))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar, and what was measured against it."""

    bar: Bar
    measured: Spread | None
    rounds: Rounds
    reason: str = ""

    @property
    def is_measured(self) -> bool:
        """Half of the rounds have to have it: what remains of fewer may be those that went well."""
        return self.measured is not None and 2 * self.rounds.taken >= self.rounds.asked

    @property
    def word(self) -> str:
        if not self.is_measured:
            return "not measured"
        if self._reaches(self.bar.beyond):
            return "beyond"
        return "passed" if self._reaches(self.bar.bar) else "missed"

    def _reaches(self, mark: float) -> bool:
        assert self.measured is not None
        if self.bar.less_is_better:
            return self.measured.median <= mark
        return self.measured.median >= mark


def judge(results: Results, bar: Bar) -> Verdict:
    """What the run says of a bar."""
    if bar.theirs is None:
        spread = results.spread(bar.ours)
        if spread is not None:
            scale = bar.scale
            spread = Spread(spread.median / scale, spread.low / scale, spread.high / scale, spread.count)
    else:
        spread = results.ratio(bar.ours, bar.theirs)
    sides = [bar.ours] if bar.theirs is None else [bar.ours, bar.theirs]
    reasons = (results.reason(side.workload, side.case, side.peer) for side in sides)
    return Verdict(bar, spread, results.rounds(*sides), next(filter(None, reasons), ""))
