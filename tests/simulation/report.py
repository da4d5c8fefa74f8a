"""What a run of many seeds came to: medians, sums, and how often each fault and mark was hit."""

from __future__ import annotations

from collections import Counter
from statistics import fmean, median

from tests.simulation.both_ways import MARKS as MARKS_OF_RUNS
from tests.simulation.data_laws import DATA_MARKS
from tests.simulation.marks import MARKS
from tests.simulation.reconfig_laws import WIRE_MARKS as MARKS_OF_RECONFIG
from tests.simulation.scene import Outcome
from tests.simulation.scheduler_laws import SCHEDULER_MARKS

LEAST_VIRTUAL_S = 20.0
LEAST_MESSAGES = 200
SEEDS_FOR_A_MEDIAN = 100
"""Of fewer a median says little."""
WIRE_MARKS = ("sent with DF off", *MARKS_OF_RUNS, *MARKS_OF_RECONFIG, *DATA_MARKS, *SCHEDULER_MARKS)
"""Marks that are seen on the wire, not in the engine."""


class Report:
    """Gathers outcomes; keeps no more of each than it needs."""

    def __init__(self) -> None:
        self.seeds = 0
        self.broken: list[Outcome] = []
        self.marks: Counter[str] = Counter()
        self.marked_seeds: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.struck_seeds: Counter[str] = Counter()
        self._virtual_s: list[float] = []
        self._messages: list[int] = []
        self._packets: list[int] = []
        self._cpu_s: list[float] = []
        self._bytes = 0

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        if outcome.broken is not None:
            self.broken.append(outcome)
        self.marks += outcome.marks
        self.marked_seeds.update(set(outcome.marks))
        self.faults += outcome.faults
        self.struck_seeds.update(set(outcome.faults))
        self._virtual_s.append(outcome.virtual_s)
        self._messages.append(outcome.messages)
        self._packets.append(outcome.packets)
        self._cpu_s.append(outcome.cpu_s)
        self._bytes += outcome.bytes

    def missing(self, least: int) -> list[str]:
        """Marks that were hit less often."""
        return [mark for mark in (*MARKS, *WIRE_MARKS) if self.marks[mark] < least]

    def is_slight(self) -> bool:
        """Whether its seeds, by their medians, did too little to prove anything."""
        if self.seeds < SEEDS_FOR_A_MEDIAN:
            return False
        return median(self._virtual_s) < LEAST_VIRTUAL_S or median(self._messages) < LEAST_MESSAGES

    def lines(self) -> list[str]:
        if not self.seeds:
            return ["no seeds"]
        return [
            *_table("what happened", self.faults, self.struck_seeds, sorted(self.faults)),
            "",
            *_table("mark", self.marks, self.marked_seeds, [*MARKS, *WIRE_MARKS]),
            "",
            *self.summary(),
        ]

    def summary(self) -> list[str]:
        return [
            f"{self.seeds} seeds, {len(self.broken)} broken",
            f"a seed: {median(self._virtual_s):.1f} virtual seconds, {median(self._messages):.0f} messages,"
            f" {median(self._packets):.0f} packets (medians), {fmean(self._cpu_s):.3f} s of CPU (mean)",
            f"in all: {sum(self._virtual_s) / 3600:.1f} virtual hours, {sum(self._messages)} messages of"
            f" {self._bytes / 1e6:.1f} MB, {sum(self._packets)} packets, {sum(self._cpu_s):.0f} s of CPU",
        ]


def _table(title: str, counts: Counter[str], seeds: Counter[str], names: list[str]) -> list[str]:
    lines = [f"{title:<34}{'times':>10}{'seeds':>8}"]
    lines += [f"{name:<34}{counts[name]:>10}{seeds[name]:>8}" for name in names]
    return lines


def verdict(outcome: Outcome, *, packets: int) -> list[str]:
    """What to say of a seed that broke a law: how to see it again, and its last packets if they were kept."""
    both_ways = " --both-ways" if outcome.has_both_ways else ""
    return [
        f"seed {outcome.seed} ({outcome.character}): {outcome.broken}",
        f"  python -m tests.simulation --seeds {outcome.seed}-{outcome.seed}{both_ways} --trace",
        *(f"    {line}" for line in outcome.last_packets[-packets:]),
    ]
