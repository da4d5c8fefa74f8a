"""Takes the samples: in each case the peers in turn, A B C A B C, so that a slow minute hits all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.model import Case, Figures, SampleFailed, Turn, Unavailable, Workload


@dataclass(frozen=True, slots=True)
class Sample:
    """What one peer's turn gave: figures, or the reason why there are none."""

    workload: str
    case: str
    peer: str
    round: int
    figures: Figures | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A sample still to be taken."""

    workload: Workload
    case: Case
    peer: str
    turn: Turn


def plan(
    workloads: Iterable[Workload],
    *,
    rounds: int,
    seconds: float,
    patterns: int | None = None,
    wanted: Callable[[Workload, Case, str], bool] = lambda workload, case, peer: True,
) -> list[Step]:
    """The samples in the order in which they are taken, of those peers in those cases that are wanted."""
    return [
        Step(workload, case, peer, Turn(number, seconds))
        for workload in workloads
        for case in workload.cases()
        for number in range(_rounds(case, rounds, patterns))
        for peer in case.peers
        if wanted(workload, case, peer)
    ]


def _rounds(case: Case, rounds: int, patterns: int | None) -> int:
    return (patterns if case.is_by_pattern else None) or case.rounds or rounds


async def run(steps: Sequence[Step], before: Callable[[Step], None], after: Callable[[Sample], None]) -> list[Sample]:
    """Take them. What is not available is asked for once a workload; what fails is tried again in the next round."""
    missing: dict[tuple[str, str], str] = {}
    samples = []
    for step in steps:
        before(step)
        sample = await _take(step, missing)
        samples.append(sample)
        after(sample)
    return samples


async def _take(step: Step, missing: dict[tuple[str, str], str]) -> Sample:
    name = (step.workload.name, step.case.name, step.peer, step.turn.number)
    reason = missing.get((step.workload.name, step.peer), "")
    if reason:
        return Sample(*name, None, reason)
    try:
        return Sample(*name, await step.workload.measure(step.case, step.peer, step.turn))
    except Unavailable as error:
        missing[step.workload.name, step.peer] = reason = f"not available: {error}"
    except SampleFailed as error:
        reason = str(error)
    return Sample(*name, None, reason)
