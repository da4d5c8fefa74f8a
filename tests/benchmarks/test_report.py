"""The tables."""

from __future__ import annotations

import pytest

from benchmarks.model import Bar, Case
from benchmarks.report import bars_table, relay_line, workload_table
from benchmarks.results import Results
from benchmarks.runner import Sample
from benchmarks.workloads import lossy
from tests.benchmarks.runs import Made, reading, samples


def test_a_case_shows_medians_our_ratio_to_each_peer_and_who_is_not_there() -> None:
    workload = Made("made", [Case("one", ("aiosctp", "b", "c", "d")), Case("two", ("b",))], lambda peer, turn: 0)
    results = Results(samples("aiosctp", 2000, 4000, 3000) + samples("b", 1000, 1000, 1000) + samples("c", None))
    title, *rows, end = workload_table(results, workload)
    assert title == "made: one"
    assert [row.split() for row in rows] == [
        ["k/s", "aiosctp", "to", "it"],
        ["aiosctp", "3", "(2", "to", "4)"],
        ["b", "1", "(1", "to", "1)", "3", "(2", "to", "4)x"],
        ["c", "it", "fell", "silent"],
    ]
    assert end == ""


def test_the_table_of_bars_says_what_was_measured_and_what_is_missed() -> None:
    passed = Bar("more", reading("a"), reading("b"), 2.0, 4.0)
    missed = Bar("less", reading("a"), reading("b"), 1.5, 1.2, less_is_better=True)
    alone = Bar("alone", reading("a"), None, 10, 5, less_is_better=True, unit="KB", scale=1000)
    absent = Bar("absent", reading("a"), reading("c"), 1.0, 2.0)
    results = Results(samples("a", 3000.0, 3000.0) + samples("b", 1000.0, 1500.0) + samples("c", None))
    assert bars_table(results, [passed, missed, alone, absent])[2:] == [
        "| more | 2.5 (2 to 3)x | >= 2x | >= 4x | passed |",
        "| less | 2.5 (2 to 3)x | <= 1.5x | <= 1.2x | MISSED |",
        "| alone | 3 (3 to 3) KB | <= 10 KB | <= 5 KB | beyond |",
        "| absent | it fell silent | >= 1x | >= 2x | not measured |",
    ]


def test_rounds_that_failed_are_told_with_the_figures_of_the_others() -> None:
    workload = Made("made", [Case("one", ("a",))], lambda peer, turn: 0)
    results = Results(samples("a", 3000.0, None, 3000.0))
    assert workload_table(results, workload)[2].endswith("3 (3 to 3)  (2 of 3 rounds: it fell silent)")
    bar = Bar("alone", reading("a"), None, 1000, 5000)
    assert "| 3000 (3000 to 3000)x (2 of 3 rounds: it fell silent) |" in bars_table(results, [bar])[2]


@pytest.mark.parametrize(("rate", "said"), [(199.0, "carries 1.99x"), (200.0, "carries 2x")])
def test_the_relay_alone_has_to_carry_twice_the_fastest_through_it(rate: float, said: str) -> None:
    case = lossy.case_name("requests", 0.01)
    rates = {(case, lossy.OURS): 50.0, (case, lossy.THEIRS): 100.0, (lossy.ALONE.case, lossy.ALONE.peer): rate}
    results = Results(
        Sample(lossy.NAME, case, peer, 0, {lossy.ALONE.figure: value}) for (case, peer), value in rates.items()
    )
    line, _ = relay_line(results)
    assert said in line
    assert f"({lossy.THEIRS}, {case})" in line
    assert ("TOO LITTLE" in line) is (rate < 200)
    assert relay_line(Results(())) == []
