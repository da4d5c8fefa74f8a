"""The two engines that the guard counts, and what grows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.config import Config
from aiosctp.core.datagram import Datagram
from benchmarks import growing
from benchmarks.engines import Engines
from benchmarks.workloads import growth


def _units(work: Callable[[], object]) -> int:
    """As a measure: every call of the engine is one."""
    work()
    return 1


def test_what_is_sent_is_delivered_whole_and_once() -> None:
    engines = Engines(_units)
    ((ours, _),) = engines.connect()
    payloads = [bytes([n]) * 5000 for n in range(100)]
    engines.send(engines.a, ours, payloads)
    engines.deliver(100)
    assert [message.data for message in engines.z.received] == payloads


def test_what_is_lost_is_sent_again() -> None:
    engines = Engines(_units, Config(path_mtu=1500))
    ((ours, _),) = engines.connect()
    seen = 0

    def is_third(datagram: Datagram) -> bool:
        nonlocal seen
        seen += 1
        return seen % 3 == 0

    engines.is_lost = is_third
    engines.send(engines.a, ours, [bytes(3000)] * 20)
    engines.deliver(20)
    assert ours.counters.rtxchunks > 0


def test_the_work_of_either_side_is_measured_and_forgotten() -> None:
    engines = Engines(_units)
    pairs = engines.connect(5)
    assert len({id(ours) for ours, _ in pairs}) == len({id(theirs) for _, theirs in pairs}) == 5
    assert engines.a.spent > 0
    assert engines.z.spent > 0
    engines.forget_cost()
    assert (engines.a.spent, engines.z.spent) == (0, 0)


@pytest.mark.parametrize("kind", growing.ENGINES)
def test_an_engine_that_grows_has_a_cost(kind: str) -> None:
    assert growing.cost_us(growing.ENGINES[kind], 4, 0.0) > 0


@pytest.mark.parametrize("kind", growing.STACKS)
async def test_stacks_that_grow_have_a_cost(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "MESSAGES_PER_ROUND", 50)
    assert await growing.STACKS[kind](3, 0.0) > 0


def test_all_that_grows_is_a_case() -> None:
    kinds = {case.parameters["kind"] for case in growth.WORKLOAD.cases()}
    assert kinds == growing.ENGINES.keys() | growing.STACKS.keys()


def test_packets_come_backwards_in_blocks_and_none_is_missing() -> None:
    for size in (1, 10, 1000):
        assert len(growing.reordering(size)) == growing.REORDERED_PACKETS
