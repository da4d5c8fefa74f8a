"""A sender against a receiver that does what §6.2 asks, over a wire that loses, delays and reorders: all arrives."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.wire.chunks import Data, Sack
from tests.core.tx.bench import FIRST_TSN, PAYLOAD, PMDCS, Bench, Packet

Loses = Callable[[Data, int], bool]
"""Whether a chunk is lost, told how often it was sent before."""


class Wire:
    """Virtual time, a one-way delay, and a receiver with an endless buffer that acknowledges every packet."""

    def __init__(self, bench: Bench, *, delay_s: float = 0.05, jitter_s: float = 0.0, seed: int = 1) -> None:
        self.bench = bench
        self.delay_s = delay_s
        self.jitter_s = jitter_s
        self.random = random.Random(seed)
        self.loses: Loses = lambda chunk, times: False
        self.loses_sack: Callable[[], bool] = lambda: False
        self.times_sent: dict[int, int] = {}
        self.received: dict[int, Data] = {}
        self.cumulative = -1
        self._above: set[int] = set()
        self.t3_expiries = 0
        self._events: list[tuple[float, int, Packet | Sack]] = []
        self._order = count()

    def run(self, *, limit_s: float = 600.0) -> None:
        """Until everything is acknowledged."""
        bench = self.bench
        end = bench.now + limit_s
        self._send()
        while not bench.sender.is_drained:
            assert bench.now < end, "it never arrived"
            deadline = bench.timers.next_deadline()
            if self._events and (deadline is None or self._events[0][0] <= deadline):
                at, _, event = heapq.heappop(self._events)
                bench.now = max(bench.now, at)
                self._arrive(event)
            else:
                path = min(
                    (path for path in bench.paths if bench.deadline(path) is not None),
                    key=lambda path: bench.deadline(path) or 0.0,
                )
                self.t3_expiries += 1
                bench.expire(path)
            self._send()

    def _send(self) -> None:
        for packet in self.bench.flush():
            lost = False
            for chunk, number in zip(packet.chunks, packet.numbers, strict=True):
                times = self.times_sent.get(number, 0)
                self.times_sent[number] = times + 1
                lost |= self.loses(chunk, times)
            if not lost:
                self._put(packet)

    def _put(self, event: Packet | Sack) -> None:
        at = self.bench.now + self.delay_s + self.random.random() * self.jitter_s
        heapq.heappush(self._events, (at, next(self._order), event))

    def _arrive(self, event: Packet | Sack) -> None:
        if isinstance(event, Sack):
            assert self.bench.sender.sack_received(event, self.bench.now) is None
            self.bench.check()
            return
        for number, chunk in zip(event.numbers, event.chunks, strict=True):
            self.received[number] = chunk
            if number > self.cumulative:
                self._above.add(number)
        while self.cumulative + 1 in self._above:
            self.cumulative += 1
            self._above.remove(self.cumulative)
        if not self.loses_sack():
            self._put(self._sack())

    def _sack(self) -> Sack:
        blocks: list[tuple[int, int]] = []
        for number in sorted(self._above):
            offset = number - self.cumulative
            if blocks and blocks[-1][1] == offset - 1:
                blocks[-1] = (blocks[-1][0], offset)
            else:
                blocks.append((offset, offset))
        return Sack((FIRST_TSN + self.cumulative) & 0xFFFF_FFFF, self.bench.rwnd, tuple(blocks))

    def messages(self) -> list[tuple[int, int, bytes]]:
        """What was put together: (stream, SSN, data), in order of TSN."""
        found = []
        parts: list[bytes] = []
        for number in sorted(self.received):
            chunk = self.received[number]
            assert chunk.beginning is not bool(parts)
            parts.append(chunk.payload)
            if chunk.ending:
                found.append((chunk.stream, chunk.ssn, b"".join(parts)))
                parts.clear()
        assert not parts
        return found


def transfer(wire: Wire, sizes: list[int], *, streams: int = 1, limit_s: float = 600.0) -> None:
    """Send messages of these sizes and see that each arrives, whole and in order."""
    expected = []
    for n, size in enumerate(sizes):
        data = wire.random.randbytes(size)
        wire.bench.sender.queue.append(OutgoingMessage(data, n % streams))
        expected.append((n % streams, n // streams, data))
    wire.run(limit_s=limit_s)
    assert wire.messages() == expected


def once(*lost: int) -> Loses:
    return lambda chunk, times: times == 0 and (chunk.tsn - FIRST_TSN) & 0xFFFF_FFFF in lost


@pytest.mark.parametrize("lost", [0, 5, 9])
def test_a_lost_fragment_is_recovered(lost: int) -> None:
    """E12: the first, one in the middle, the last of a message."""
    wire = Wire(Bench())
    wire.loses = once(lost)
    transfer(wire, [10 * PAYLOAD])
    assert wire.times_sent[lost] == 2
    assert sum(wire.times_sent.values()) == 11


def test_a_loss_amid_many_is_recovered_without_a_timeout() -> None:
    """E12: §7.2.4."""
    wire = Wire(Bench())
    wire.loses = once(20)
    transfer(wire, [PAYLOAD] * 100)
    assert wire.t3_expiries == 0
    assert wire.bench.counters.rtxchunks == 1


def test_a_lost_retransmission_is_recovered_by_t3() -> None:
    wire = Wire(Bench())
    wire.loses = lambda chunk, times: (chunk.tsn - FIRST_TSN) & 0xFFFF_FFFF == 20 and times < 3
    transfer(wire, [PAYLOAD] * 100)
    assert wire.times_sent[20] == 4


def test_a_lost_tail_is_recovered_by_t3() -> None:
    """R18: nothing comes after it that could tell."""
    wire = Wire(Bench())
    wire.loses = once(8, 9)
    transfer(wire, [PAYLOAD] * 10)
    assert wire.t3_expiries > 0


def test_a_while_without_sacks_is_survived() -> None:
    bench = Bench()
    wire = Wire(bench)
    silent_until = bench.now + 5
    wire.loses_sack = lambda: bench.now < silent_until
    transfer(wire, [PAYLOAD] * 50)


def test_slight_reordering_retransmits_nothing() -> None:
    """§7.2.4: that is what three miss indications are for."""
    bench = Bench()
    wire = Wire(bench)
    slots = count()
    free_at = 0.0

    def put(event: Packet | Sack) -> None:
        nonlocal free_at
        slot = next(wire._order)
        at = bench.now + wire.delay_s
        if isinstance(event, Packet):
            free_at = max(at, free_at) + 0.001  # one packet a millisecond, and every second one overtakes
            at = free_at if next(slots) % 2 else free_at + 0.0015
        heapq.heappush(wire._events, (at, slot, event))

    wire._put = put  # type: ignore[method-assign]  # another order of arrival
    transfer(wire, [PAYLOAD] * 100)
    assert bench.counters.gapcnt > 40
    assert bench.counters.rtxchunks == 0


@pytest.mark.parametrize("seed", range(12))
def test_everything_arrives_through_loss_and_reordering(seed: int) -> None:
    """E12, X09: invariants hold after every packet: whatever is in flight has its timer."""
    generator = random.Random(seed)
    bench = Bench(paths=1 + seed % 2)
    wire = Wire(bench, jitter_s=generator.choice([0.0, 0.02, 0.2]), seed=seed)
    rate = generator.choice([0.01, 0.1, 0.3])
    wire.loses = lambda chunk, times: generator.random() < rate
    wire.loses_sack = lambda: generator.random() < rate
    sizes = [generator.choice([1, 3, 100, PAYLOAD, 5000, 40000]) for _ in range(60)]
    transfer(wire, sizes, streams=5, limit_s=20000)


def test_a_path_that_dies_is_left_for_the_other() -> None:
    """§6.4: what times out goes the other way; the primary still gets the new."""
    bench = Bench(paths=2)
    wire = Wire(bench)
    dead = bench.paths[0]
    original = bench.flush

    def flush() -> list[Packet]:
        return [packet for packet in original() if packet.path is not dead]

    bench.flush = flush  # type: ignore[method-assign]  # what is sent on the dead path is gone
    bench.sender.queue.append(OutgoingMessage(bytes(20 * PAYLOAD), 0))
    wire.run(limit_s=3600)
    assert len(wire.received) == 20


def test_a_thousand_streams_on_a_fast_link_never_stall() -> None:
    """X11: lossless, so no timer may ever expire, and time is round trips, not seconds of waiting."""
    bench = Bench()
    bench.checks = False
    wire = Wire(bench, delay_s=0.001)
    begin = bench.now
    transfer(wire, [1000] * 3000, streams=1000)
    assert (wire.t3_expiries, bench.counters.rtxchunks) == (0, 0)
    assert bench.now - begin < 0.1


def test_ssns_wrap_in_a_long_stream() -> None:
    """X42: more messages than there are SSNs, each next to the one before."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=1000))
    bench.path.set_mtu(65535)
    bench.cwnd = 100 * PMDCS
    wire = Wire(bench)
    bench.sender.queue.stream(0).next_ssn = 0xFFFF - 1000
    for _ in range(2000):
        bench.enqueue(4)
    bench.checks = False
    wire.run()
    ssns = [wire.received[number].ssn for number in sorted(wire.received)]
    assert ssns == [(0xFFFF - 1000 + n) & 0xFFFF for n in range(2000)]
