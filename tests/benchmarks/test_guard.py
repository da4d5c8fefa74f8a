"""The guard notices what costs more, and what costs less; what it counts is the same every time."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from aiosctp.core.rx import Receiver
from benchmarks import guard
from benchmarks.guard import WORKLOADS, Counts, changes, count_all, read_baselines, report, write_baseline

BASELINE = {"a message": 1000, "a SACK": 500}


def test_a_count_that_doubled_is_worse() -> None:
    assert changes(BASELINE, {"a message": 2000, "a SACK": 500}) == {"a message": 1.0}
    assert "WORSE" in report(BASELINE, {"a message": 2000, "a SACK": 500})[0]


def test_a_count_that_halved_is_better() -> None:
    assert changes(BASELINE, {"a message": 500, "a SACK": 500}) == {"a message": -0.5}
    assert "better" in report(BASELINE, {"a message": 500, "a SACK": 500})[0]


def test_a_count_within_the_tolerance_has_not_changed() -> None:
    assert changes(BASELINE, {"a message": 1020, "a SACK": 490}) == {}
    assert set(changes(BASELINE, {"a message": 1021, "a SACK": 489})) == {"a message", "a SACK"}


def test_a_count_that_is_new_or_gone_has_changed() -> None:
    assert set(changes(BASELINE, {"a message": 1000, "a packet": 1})) == {"a SACK", "a packet"}
    lines = report(BASELINE, {"a message": 1000, "a packet": 1})
    assert [line.split("  ")[-1] for line in lines] == ["+0.0%", "not in the baseline", "no longer counted"]


def test_the_baseline_of_another_python_stays_when_ours_is_written(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps({"2.7": BASELINE, guard.PYTHON: {"a message": 1}}))
    write_baseline({"a message": 2}, path)
    assert read_baselines(path) == {"2.7": BASELINE, guard.PYTHON: {"a message": 2}}


@pytest.mark.parametrize(("now", "status"), [(1000, 0), (500, 0), (2000, guard.WORSE)])
def test_only_what_is_worse_fails(
    now: int, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, {guard.PYTHON: {"a message": 1000}}, now) == status
    assert ("--update" in capsys.readouterr().out) is (now != 1000)


def test_a_python_without_a_baseline_fails_rather_than_pass_unseen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, {"2.7": {"a message": 1000}}, 1000) == guard.NO_BASELINE
    assert "there is no baseline" in capsys.readouterr().out


def _run(monkeypatch: pytest.MonkeyPatch, baselines: dict[str, Counts], now: int) -> int:
    monkeypatch.setattr(guard, "count_all", lambda: {"a message": now})
    monkeypatch.setattr(guard, "read_baselines", lambda: baselines)
    return guard.run(argparse.Namespace(update=False))


def test_the_same_program_counts_the_same() -> None:
    assert count_all([guard.ping_pong]) == count_all([guard.ping_pong])


def test_work_that_is_done_twice_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = count_all([guard.bulk])
    read = Receiver.has_message
    # The cost of a look at the queues, with each packet.
    done = Receiver.packet_done

    def slower(receiver: Receiver, now: float) -> None:
        for _ in range(100):
            read(receiver, None)
        done(receiver, now)

    monkeypatch.setattr(Receiver, "packet_done", slower)
    assert set(changes(before, count_all([guard.bulk]))) == {"a 16 KiB message: receiver"}


def test_the_baseline_names_what_is_counted() -> None:
    """`python -m benchmarks guard --update` was run when a workload came or went; it was not made by hand."""
    names = {name for workload in WORKLOADS for name in workload()}
    assert all(baseline.keys() == names for baseline in read_baselines().values())
