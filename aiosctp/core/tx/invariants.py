"""What always holds between the parts of the sending side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiosctp.core.charge import charge_of
from aiosctp.core.messages import Outgoing, Part, Record
from aiosctp.core.paths import Path, largest_packet, least_mtu
from aiosctp.core.tx.chunk import ABANDONED, ACKNOWLEDGED, IN_FLIGHT, MARKED
from aiosctp.core.tx.gaps import without
from aiosctp.core.tx.outstanding import clip
from aiosctp.wire.packet import HEADER_BYTES

if TYPE_CHECKING:
    from aiosctp.core.tx.sender import Sender


def check_invariants(sender: Sender, paths: Iterable[Path]) -> None:
    """Raises AssertionError where the bookkeeping does not add up."""
    _check_flight(sender, paths)
    _check_chunks(sender)
    _check_buffers(sender)
    _check_records(sender)
    _check_abandoned(sender)


def _check_flight(sender: Sender, paths: Iterable[Path]) -> None:
    flight: Counter[Path] = Counter()
    awaited_on = None if sender.queue.limits is None else sender.queue.limits.point.awaited_on
    for chunk in sender.outstanding:
        if chunk.state is IN_FLIGHT:
            flight[chunk.path] += chunk.size
    for path in {*paths, *flight}:
        assert path.flight_bytes == flight[path], f"{path}: {path.flight_bytes} in flight, chunks say {flight[path]}"
        # Not `path.pmdcs`: RFC 8899 §3, 7: a larger path MTU "MUST NOT increase the congestion window".
        least = min(path.pmdcs, largest_packet(path.address, least_mtu(path.address)) - HEADER_BYTES)
        assert path.congestion.cwnd >= least, f"{path}: cwnd {path.congestion.cwnd}"
        assert not path.abandoned_bytes or path.abandoned_until > sender.outstanding.cumulative
        # Data in flight and no timer is silence for ever.
        has_timer = sender.t3.is_running(path)
        awaits = path.flight_bytes > 0 or path is awaited_on
        assert has_timer == (sender.is_established and awaits), f"{path}: T3 running is {has_timer}"
    in_flight = sum(charge_of(len(chunk.payload)) for chunk in sender.outstanding if chunk.state is IN_FLIGHT)
    assert sender.outstanding.flight_charge_bytes == in_flight
    assert sender.peer_rwnd_bytes >= 0


def _check_chunks(sender: Sender) -> None:
    sender.outstanding.check_invariants()
    number = sender.outstanding.cumulative
    acknowledged, abandoned = [], set()
    for chunk in sender.outstanding:
        number += 1
        assert chunk.number == number, "TSNs are consecutive"
        if chunk.state is ACKNOWLEDGED:
            acknowledged.append(number)
        elif chunk.state is ABANDONED:
            assert not chunk.payload
            abandoned.add(number)
        else:
            assert number >= sender.outstanding.first_on(chunk.path), "the earliest of a path is found"
        if chunk.state is MARKED:
            assert number in sender.retransmissions, "what is marked waits to be retransmitted"
    covered = [number for first, last in sender.outstanding.gaps for number in range(first, last + 1)]
    assert acknowledged == [number for number in covered if number not in abandoned]
    final = clip(sender.outstanding.final, sender.outstanding.cumulative + 1)
    assert not list(without(final, sender.outstanding.gaps)), "what can't be taken back is acknowledged"


def _check_buffers(sender: Sender) -> None:
    queued: Counter[int] = Counter()
    buffered: Counter[int] = Counter()
    ordered: Counter[int] = Counter()
    emptied: Counter[int] = Counter()
    for chunk in sender.outstanding:
        _, number, _, unordered, *_ = chunk.message
        buffered[number] += len(chunk.payload)
        emptied[number] += not chunk.payload
        if chunk.is_ending and not unordered:
            ordered[number] += 1
    assert sender.outstanding_bytes == buffered.total()
    for data, number, *_ in sender.queue:
        queued[number] += len(data)
    urgent = sum(sack_immediately for _, _, _, _, _, sack_immediately, _ in sender.queue)
    assert sender.queue.urgent_messages == urgent
    for data, number, _, unordered, _, _, terms in sender.queue.begun:
        cut_bytes = sender.queue.by_number[number].cut_bytes
        assert 0 < cut_bytes < len(data)
        queued[number] -= cut_bytes
        ordered[number] += not unordered and not isinstance(terms, Part)
    records = sender.queue.records
    for number, record in records.begun.items() if records is not None else ():
        ordered[number] += not record.unordered
    excess = 0
    held: Counter[int] = Counter()
    for data, number, *_ in sender.queue.held or ():
        held[number] += len(data)
    assert sender.queue.held_bytes == held.total()
    for stream in sender.queue.streams():
        assert stream.ordered_in_window == ordered[stream.number]
        assert stream.queued_bytes == queued[stream.number]
        assert stream.emptied_chunks == emptied[stream.number]
        assert stream.buffered_bytes == stream.queued_bytes + buffered[stream.number] + held[stream.number]
        above = stream.buffered_bytes - sender.queue.stream_mark_bytes
        assert stream.above_mark_of is (sender.queue if above > 0 else None)
        excess += max(0, above)
    assert sender.queue.excess_bytes == excess
    assert sender.queued_bytes == queued.total()
    assert sender.buffered_bytes == sum(stream.buffered_bytes for stream in sender.queue.streams())


def _check_records(sender: Sender) -> None:
    queue, records = sender.queue, sender.queue.records
    assert queue.messages == len(list(queue))
    if records is None:
        return
    assert records.unsent == sum(isinstance(message[6], Part) for message in [*queue, *(queue.held or ())])
    parts: dict[Record, list[Outgoing]] = {}
    held = list(queue.held or ())
    for message in [*queue, *held]:
        if isinstance(message[6], Part):
            parts.setdefault(message[6].record, []).append(message)
    for record, messages in parts.items():
        stream = messages[0][1]
        is_held = messages[0] in held
        assert all((message in held) is is_held for message in messages), "the parts of a record wait in one place"
        assert is_held == (record.held_in is not None)
        is_last = [isinstance(message[6], Part) and message[6].is_last for message in messages]
        assert not any(is_last[:-1])
        assert is_last[-1] is (records.open.get(stream) is not record), "an open record is at the end of its stream"
        assert list(record.waiting) == ([] if is_held or queue.format.counts_fragments else messages)
    for stream, record in records.open.items():
        assert record in parts or records.begun.get(stream) is record
    if queue.format.counts_fragments:
        assert not records.surplus
        assert not any(record.is_placed for record in {*parts, *records.open.values(), *records.begun.values()})
        return
    # §6.9: the fragments of a message have consecutive TSNs.
    assert len(records.begun) <= 1
    for stream, record in records.begun.items():
        assert record.is_placed
        assert queue.peek() is (record.waiting[0] if record.waiting else None)
        if not record.waiting:
            assert stream in records.open, "who ended a record has no more to wait for"


def _check_abandoned(sender: Sender) -> None:
    limits, outstanding = sender.queue.limits, sender.outstanding
    states = {chunk.number: chunk.state for chunk in outstanding}
    if limits is None:
        assert ABANDONED not in states.values()
        return
    point = max(limits.point.number, outstanding.cumulative)
    assert all(states[number] is ABANDONED for number in range(outstanding.cumulative + 1, point + 1))
    if sender.is_established and sender.peer_takes_forward_tsn and point > outstanding.cumulative:
        # RFC 3758 §3.5 C3, C5: else the peer would never hear of it.
        assert limits.point.awaited_on is not None or limits.point.is_due(outstanding.cumulative)
    if point == outstanding.cumulative:
        assert limits.point.awaited_on is None
    for terms, limited in limits.live.items():
        assert limited.terms is terms
        assert not terms.is_abandoned
        assert all(chunk.state is not ABANDONED for chunk in limited.chunks if chunk.number > outstanding.cumulative)
