"""The workloads that hold, lose and queue: what they make of what they see. A tiny sample of each, and no timing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks import namespaces
from benchmarks.model import Case, Figures, SampleFailed, Turn, Unavailable
from benchmarks.pairs import pair
from benchmarks.relay import Weather
from benchmarks.runner import plan
from benchmarks.workloads import byte_streams, head_of_line, lossy, memory
from tests.interop.toolchain import unavailable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and the relay are Linux's")

TURN = Turn(0, 0.1)


async def _measure(workload: lossy.Lossy | memory.Memory | head_of_line.HeadOfLine, case: Case, peer: str) -> Figures:
    try:
        return await workload.measure(case, peer, TURN)
    except Unavailable as error:
        unavailable(str(error))


async def test_associations_are_held_on_both_sides() -> None:
    async with pair("aiosctp", TURN, task="hold", associations=20, at_a_time=7, warm_up_s=memory.SET_UP_S) as sides:
        held = [await side.event("held") for side in sides]
    assert [each["associations"] for each in held] == [20, 20]


async def test_memory_is_what_each_side_has_grown_by_and_the_dearer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    resident = {0: [1_000_000, 2_000_000], 20: [1_100_000, 2_300_000]}

    async def read(peer: str, turn: Turn, count: int, idle_s: float = 0.0) -> tuple[list[int], Figures]:
        return resident[count], {"client_cpu": 0.25} if idle_s else {}

    monkeypatch.setattr(memory, "_resident", read)
    figures = await _measure(memory.WORKLOAD, Case("x", (), {"associations": 20, "idle_s": 1.0}), "aiosctp")
    assert figures == {
        "client_bytes": 5000,
        "server_bytes": 15000,
        "bytes_per_association": 15000,
        "client_cpu": 0.25,
    }


def test_the_memory_and_the_time_of_a_process_are_read() -> None:
    assert memory._resident_bytes(os.getpid()) > 2**20
    assert memory._cpu_s(os.getpid()) == pytest.approx(sum(os.times()[:2]), abs=0.5)


@pytest.mark.parametrize("task", [{"task": "requests", **lossy.REQUEST}, {"task": "bulk", **lossy.BULK}])
async def test_packets_go_through_the_relay(task: dict[str, object]) -> None:
    figures = await _measure(lossy.WORKLOAD, Case("x", (), {"loss": 0.0, **task}), "aiosctp-uvloop")
    assert figures["bytes_per_s"] > 0
    assert figures["packets"] > 100


@pytest.mark.parametrize("peer", ["aiosctp", "aiosctp-uvloop", "tcp", "tcp-uvloop"])
async def test_bytes_go_through_every_stream(peer: str) -> None:
    case = byte_streams.WORKLOAD.cases()[0]
    figures = await byte_streams.WORKLOAD.measure(Case("x", (), {**case.parameters, "streams": 3}), peer, TURN)
    assert figures["goodput_bits_per_s"] > 0
    assert figures["bytes"] == figures["messages"] * byte_streams.WRITE_BYTES


async def test_every_peer_meets_the_same_patterns_and_each_round_another(monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[Weather] = []

    def relaying(weather: Weather, *where: str) -> None:
        met.append(weather)
        raise SampleFailed("that is all")

    monkeypatch.setattr(lossy, "relaying", relaying)
    (case,) = (case for case in lossy.WORKLOAD.cases() if case.name == lossy.case_name("requests", 0.01))
    by_peer: dict[str, list[Weather]] = {}
    for step in plan([lossy.WORKLOAD], rounds=1, seconds=1, wanted=lambda workload, each, peer: each == case):
        with pytest.raises(SampleFailed):
            await lossy.WORKLOAD.measure(step.case, step.peer, step.turn)
        by_peer.setdefault(step.peer, []).append(met[-1])
    ours, theirs = by_peer[lossy.OURS], by_peer[lossy.THEIRS]
    assert ours == theirs
    assert {weather.loss for weather in ours} == {0.01}
    assert len({weather.seed for weather in ours}) == len(ours) >= 10


def test_namespaces_of_runs_that_are_gone_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = 2**22 + 1  # beyond the largest pid
    names = [f"aiosctp-benchmarks-{pid}-{side}" for pid in (gone, os.getpid()) for side in ("first", "second")]
    for name in [*names, "aiosctp-benchmarks-mine", "other"]:
        (tmp_path / name).touch()
    removed: list[str] = []
    monkeypatch.setattr(namespaces, "NAMESPACES", tmp_path)
    monkeypatch.setattr(namespaces, "_ip", lambda *words: removed.append(words[-1]))
    namespaces.remove_left_behind()
    assert sorted(removed) == names[:2]


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
