"""The workloads that hold, lose and queue: what they make of what they see. A tiny sample of each, and no timing."""

from __future__ import annotations

import os
import sys

import pytest

from benchmarks.model import Case, Figures, Turn, Unavailable
from benchmarks.workloads import head_of_line, lossy, memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and the relay are Linux's")

TURN = Turn(0, 0.1)


async def _measure(workload: lossy.Lossy | memory.Memory | head_of_line.HeadOfLine, case: Case, peer: str) -> Figures:
    try:
        return await workload.measure(case, peer, TURN)
    except Unavailable as error:
        pytest.skip(str(error))


async def test_associations_are_held_on_both_sides() -> None:
    figures = await _measure(memory.WORKLOAD, Case("20", (), {"associations": 20}), "aiosctp")
    assert figures["bytes_per_association"] == max(figures["client_bytes"], figures["server_bytes"])


def test_the_memory_and_the_time_of_a_process_are_read() -> None:
    assert memory._resident_bytes(os.getpid()) > 2**20
    assert memory._cpu_s(os.getpid()) == pytest.approx(sum(os.times()[:2]), abs=0.5)


@pytest.mark.parametrize("task", [{"task": "requests", **lossy.REQUEST}, {"task": "bulk", **lossy.BULK}])
async def test_packets_go_through_the_relay(task: dict[str, object]) -> None:
    figures = await _measure(lossy.WORKLOAD, Case("x", (), {"loss": 0.0, **task}), "aiosctp-uvloop")
    assert figures["bytes_per_s"] > 0
    assert figures["packets"] > 100


def test_every_peer_meets_the_same_patterns_and_each_round_another() -> None:
    (case,) = (case for case in lossy.WORKLOAD.cases() if case.name == lossy.case_name("requests", 0.01))
    assert case.rounds is not None
    assert case.rounds >= 10
    assert set(case.peers) == {lossy.OURS, lossy.THEIRS}


@pytest.mark.parametrize("peer", ["aiosctp", "tcp-reno"])
async def test_every_object_comes_through_the_lossy_network(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_of_line, "OBJECTS", 5)
    figures = await _measure(head_of_line.WORKLOAD, Case("x", (), {"loss": 0.0}), peer)
    # Request and answer each take 20 ms.
    assert 0.040 <= figures["mean_s"] <= figures["last_s"]


def test_what_is_said_of_the_times_of_objects() -> None:
    assert head_of_line.figures_of([1.0, 2.0, 5.0, 6.0]) == {
        "mean_s": 3.5,
        "median_s": 5.0,
        "last_s": 6.0,
        "longest_gap_s": 3.0,
    }
