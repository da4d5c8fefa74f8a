"""The order in which samples are taken, and what becomes of those that can't be."""

from __future__ import annotations

from benchmarks.model import Case, SampleFailed, Turn, Unavailable
from benchmarks.runner import Sample, Step, plan, run
from tests.benchmarks.runs import RATE, Made


def _turns(steps: list[Step]) -> list[tuple[str, str, int]]:
    return [(step.case.name, step.peer, step.turn.number) for step in steps]


def _nothing(_: Step | Sample) -> None: ...


def test_within_a_case_the_peers_take_turns() -> None:
    workload = Made("made", [Case("one", ("a", "b")), Case("two", ("b", "c"))], lambda peer, turn: 0)
    assert _turns(plan([workload], rounds=2, seconds=1)) == [
        ("one", "a", 0),
        ("one", "b", 0),
        ("one", "a", 1),
        ("one", "b", 1),
        ("two", "b", 0),
        ("two", "c", 0),
        ("two", "b", 1),
        ("two", "c", 1),
    ]


def test_a_case_may_have_rounds_of_its_own_and_peers_may_be_left_out() -> None:
    workload = Made("made", [Case("one", ("a", "b"), rounds=3)], lambda peer, turn: 0)
    steps = plan([workload], rounds=1, seconds=1, wanted=lambda workload, case, peer: peer == "b")
    assert _turns(steps) == [("one", "b", 0), ("one", "b", 1), ("one", "b", 2)]


def test_of_patterns_there_are_as_many_as_the_run_wants() -> None:
    cases = [Case("patterns", ("a",), rounds=10, is_by_pattern=True), Case("own", ("a",), rounds=2)]
    workload = Made("made", cases, lambda peer, turn: 0)
    for patterns, expected in ((None, 12), (3, 5)):
        assert len(plan([workload], rounds=1, seconds=1, patterns=patterns)) == expected


async def test_samples_carry_what_was_measured_and_are_told_as_they_come() -> None:
    workload = Made("made", [Case("one", ("a", "b"))], lambda peer, turn: 10.0 * turn.number + ord(peer))
    before: list[Step] = []
    after: list[Sample] = []
    steps = plan([workload], rounds=2, seconds=1)
    samples = await run(steps, before.append, after.append)
    assert before == steps
    assert after == samples
    assert samples == [
        Sample("made", "one", "a", 0, {RATE.name: 97.0}),
        Sample("made", "one", "b", 0, {RATE.name: 98.0}),
        Sample("made", "one", "a", 1, {RATE.name: 107.0}),
        Sample("made", "one", "b", 1, {RATE.name: 108.0}),
    ]


async def test_a_peer_that_is_not_installed_is_asked_once_a_workload_and_the_run_goes_on() -> None:
    asked: list[tuple[str, int]] = []

    def give(peer: str, turn: Turn) -> float:
        asked.append((peer, turn.number))
        if peer == "b":
            raise Unavailable("no b here")
        return 1.0

    workloads = [Made(name, [Case("one", ("a", "b"))], give) for name in ("first", "second")]
    samples = await run(plan(workloads, rounds=2, seconds=1), _nothing, _nothing)
    assert asked == [("a", 0), ("b", 0), ("a", 1)] * 2
    assert [sample.reason for sample in samples] == ["", "not available: no b here"] * 4


async def test_a_sample_that_fails_is_tried_again_in_the_next_round() -> None:
    def give(peer: str, turn: Turn) -> float:
        if turn.number == 0:
            raise SampleFailed("it fell silent")
        return 1.0

    steps = plan([Made("made", [Case("one", ("a",))], give)], rounds=2, seconds=1)
    failed, taken = await run(steps, _nothing, _nothing)
    assert (failed.figures, failed.reason) == (None, "it fell silent")
    assert taken.figures == {RATE.name: 1.0}
