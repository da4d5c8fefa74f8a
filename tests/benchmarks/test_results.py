"""What follows from samples: medians, ratios, and whether a bar is passed."""

from __future__ import annotations

import pytest

from benchmarks.model import Bar
from benchmarks.results import Results, Rounds, Spread, judge
from tests.benchmarks.runs import reading, samples


def _bar(*, less_is_better: bool = False, alone: bool = False) -> Bar:
    bar, beyond = (2.0, 1.0) if less_is_better else (1.0, 2.0)
    return Bar("ours to theirs", reading("a"), None if alone else reading("b"), bar, beyond, less_is_better)


def test_a_spread_is_the_median_with_the_least_and_the_greatest() -> None:
    results = Results(samples("a", 3.0, 100.0, 2.0) + samples("b", 50.0))
    assert results.spread(reading("a")) == Spread(3.0, 2.0, 100.0, 3)
    assert results.spread(reading("c")) is None


def test_a_ratio_is_the_median_of_those_of_each_round() -> None:
    # The medians are 20 and 4, but each round says otherwise.
    results = Results(samples("a", 10.0, 20.0, 40.0) + samples("b", 4.0, 2.0, 40.0))
    assert results.ratio(reading("a"), reading("b")) == Spread(2.5, 1.0, 10.0, 3)


def test_a_round_that_lacks_one_side_has_no_ratio() -> None:
    results = Results(samples("a", None, 20.0, 30.0) + samples("b", 1.0, None, 10.0))
    assert results.ratio(reading("a"), reading("b")) == Spread(3.0, 3.0, 3.0, 1)
    assert Results(samples("a", 1.0)).ratio(reading("a"), reading("b")) is None


def test_there_is_a_reason_only_where_no_round_has_figures() -> None:
    results = Results(samples("a", None, 1.0) + samples("b", None, None))
    assert results.reason("made", "one", "a") == ""
    assert results.reason("made", "one", "b") == "it fell silent"
    assert results.reason("made", "one", "c") == ""


@pytest.mark.parametrize(
    ("ours", "less_is_better", "word"),
    [
        (9.9, False, "missed"),
        (10.0, False, "passed"),
        (20.0, False, "beyond"),
        (20.1, True, "missed"),
        (20.0, True, "passed"),
        (10.0, True, "beyond"),
    ],
)
def test_a_bar_is_missed_passed_or_left_behind(ours: float, less_is_better: bool, word: str) -> None:
    results = Results(samples("a", ours) + samples("b", 10.0))
    assert judge(results, _bar(less_is_better=less_is_better)).word == word


def test_a_bar_without_theirs_is_about_the_reading_itself() -> None:
    assert judge(Results(samples("a", 1.5, 1.0, 7.0)), _bar(alone=True)).measured == Spread(1.5, 1.0, 7.0, 3)


def test_a_bar_whose_peer_failed_is_not_measured_and_says_why() -> None:
    verdict = judge(Results(samples("a", 1.0) + samples("b", None)), _bar())
    assert (verdict.word, verdict.reason) == ("not measured", "it fell silent")


@pytest.mark.parametrize(
    ("ours", "word"), [((4.0, 4.0, None, None), "beyond"), ((4.0, None, None, None), "not measured")]
)
def test_a_bar_needs_half_of_its_rounds(ours: tuple[float | None, ...], word: str) -> None:
    verdict = judge(Results(samples("a", *ours) + samples("b", 1.0, 1.0, 1.0, 1.0)), _bar())
    assert verdict.word == word
    assert verdict.rounds.shortfall == f"({ours.count(4.0)} of 4 rounds: it fell silent)"


def test_a_round_counts_for_a_ratio_when_both_have_it() -> None:
    results = Results(samples("a", None, 2.0, 3.0) + samples("b", 1.0, None, 1.0))
    assert results.rounds(reading("a"), reading("b")) == Rounds(3, 1, "it fell silent")
    assert Results(samples("a", 1.0)).rounds(reading("a")).shortfall == ""
