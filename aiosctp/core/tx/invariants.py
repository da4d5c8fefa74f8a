"""What always holds between the parts of the sending side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiosctp.core.charge import charge_of
from aiosctp.core.paths import Path
from aiosctp.core.tx.chunk import ACKNOWLEDGED, IN_FLIGHT, MARKED

if TYPE_CHECKING:
    from aiosctp.core.tx.sender import Sender


def check_invariants(sender: Sender, paths: Iterable[Path]) -> None:
    """Raises AssertionError where the bookkeeping does not add up."""
    _check_flight(sender, paths)
    _check_chunks(sender)
    _check_buffers(sender)


def _check_flight(sender: Sender, paths: Iterable[Path]) -> None:
    flight: Counter[Path] = Counter()
    for chunk in sender.outstanding:
        if chunk.state is IN_FLIGHT:
            flight[chunk.path] += chunk.size
    for path in {*paths, *flight}:
        assert path.flight_bytes == flight[path], f"{path}: {path.flight_bytes} in flight, chunks say {flight[path]}"
        assert path.congestion.cwnd >= path.pmdcs, f"{path}: cwnd {path.congestion.cwnd}"
        # Data in flight and no timer is silence for ever.
        has_timer = sender.t3.is_running(path)
        assert has_timer == (sender.is_established and path.flight_bytes > 0), f"{path}: T3 running is {has_timer}"
    in_flight = sum(charge_of(len(chunk.payload)) for chunk in sender.outstanding if chunk.state is IN_FLIGHT)
    assert sender.outstanding.flight_charge_bytes == in_flight
    assert sender.peer_rwnd_bytes >= 0


def _check_chunks(sender: Sender) -> None:
    sender.outstanding.check_invariants()
    number = sender.outstanding.cumulative
    acknowledged = []
    for chunk in sender.outstanding:
        number += 1
        assert chunk.number == number, "TSNs are consecutive"
        if chunk.state is ACKNOWLEDGED:
            acknowledged.append(number)
        else:
            assert number >= sender.outstanding.first_on(chunk.path), "the earliest of a path is found"
        if chunk.state is MARKED:
            assert number in sender.retransmissions, "what is marked waits to be retransmitted"
    covered = [number for first, last in sender.outstanding.gaps for number in range(first, last + 1)]
    assert acknowledged == covered


def _check_buffers(sender: Sender) -> None:
    buffered: Counter[int] = Counter()
    ordered: Counter[int] = Counter()
    for chunk in sender.outstanding:
        buffered[chunk.message.stream] += len(chunk.payload)
        if chunk.is_ending and not chunk.message.unordered:
            ordered[chunk.message.stream] += 1
    assert sender.outstanding_bytes == buffered.total()
    begun = sender.queue.peek()
    if begun is not None and begun.was_sent and not begun.unordered:
        ordered[begun.stream] += 1
    for stream in sender.queue.streams():
        assert stream.ordered_in_window == ordered[stream.number]
        assert stream.buffered_bytes == stream.queued_bytes + buffered[stream.number]
    assert sender.queued_bytes == sum(stream.queued_bytes for stream in sender.queue.streams())
    assert sender.buffered_bytes == sum(stream.buffered_bytes for stream in sender.queue.streams())
