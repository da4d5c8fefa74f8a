"""The tables."""

from __future__ import annotations

from benchmarks.model import Bar, Case
from benchmarks.report import bars_table, workload_table
from benchmarks.results import Results
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
