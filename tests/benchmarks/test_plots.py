"""The pictures: that there is one of each kind of figure that a run has."""

from __future__ import annotations

from pathlib import Path

from benchmarks.model import Bar, Case, Reading
from benchmarks.plots import draw
from benchmarks.results import Results
from benchmarks.runner import Sample
from benchmarks.workloads import bulk
from tests.benchmarks.runs import RATE, Made, reading, samples

PNG = b"\x89PNG\r\n"


def test_a_run_is_drawn_as_far_as_it_has_figures(tmp_path: Path) -> None:
    made = Made("made", [Case("one", ("1", "10"))], lambda peer, turn: 0)
    made.bars = [Bar("ours to theirs", reading("10"), reading("1"), 1.0, 2.0), Bar("none", reading("2"), None, 1, 2)]
    goodput = [
        Sample("bulk", bulk.case_name(size, path_mtu=mtu), peer, 0, {"goodput_bits_per_s": 1e9})
        for size in (64, 1024)
        for mtu, peer in ((1500, "usrsctp"), (0, "tcp"))
    ]
    results = Results(samples("1", 10.0, 11.0) + samples("10", 30.0, None) + goodput)
    drawn = draw(results, [made], "here and now", tmp_path / "plots")
    assert [path.name for path in drawn] == ["goodput.png", "made.png", "bars.png"]
    assert all(path.read_bytes().startswith(PNG) for path in drawn)


def test_a_run_without_figures_is_not_drawn(tmp_path: Path) -> None:
    made = Made("made", [Case("one", ("1", "10")), Case("two", ("a",))], lambda peer, turn: 0)
    made.bars = [Bar("alone", Reading("made", "one", "1", RATE.name), None, 1, 2)]
    assert draw(Results(samples("1", None)), [made], "here and now", tmp_path) == []
