"""The short way: a run of packets filled with chunks that are sent for the first time.

What it makes is what `Transmission.fill` makes of one packet after another while nothing is out of the ordinary. That
way asks its questions anew for each chunk; here what can't change within a run is asked once, and the rest is counted.
"""

from __future__ import annotations

from itertools import islice, repeat
from typing import TYPE_CHECKING, Final

from aiosctp.core.charge import MIN_CHARGE_BYTES, charge_of
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path
from aiosctp.core.tx import fragmenter
from aiosctp.core.tx.fragmenter import with_immediate
from aiosctp.core.tx.sent_run import Kind, Parts, SentRun
from aiosctp.wire.chunks import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_HEADER_START,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    PADDING,
    Fragments,
)
from aiosctp.wire.packet import HEADER_BYTES as PACKET_HEADER_BYTES
from aiosctp.wire.packet_run import MAX_BYTES, MAX_PACKETS
from aiosctp.wire.serial import FSN_MASK, TSN_MASK

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable

    from aiosctp.core.messages import Outgoing
    from aiosctp.core.tx.queue import OutgoingStream
    from aiosctp.core.tx.transmission import Transmission

# How many pieces as a socket with GSO takes them: the more, the fewer runs there are to acknowledge; but what a run was
# made of is kept until all of it is.
_PIECES: Final = 4


def may_run(transmission: Transmission, path: Path, now: float) -> bool:
    """Whether nothing is out of the ordinary, on the path that `path_to_send_on` named."""
    window, outstanding = transmission.window, transmission.outstanding
    largest_charge = max(transmission.fragmenter.chunk_payload_bytes, MIN_CHARGE_BYTES)
    return (
        transmission.is_established
        and transmission.config.nodelay
        and transmission.queue.has_plain_messages
        and not transmission.retransmissions.numbers
        and not path.awaits_ack_after_timeout
        and not path.abandoned_bytes
        # Else cwnd has to decay first (§7.2.1).
        and not path.idle_rtos(now)
        and not window.is_watched
        and window.room(outstanding.flight_charge_bytes) >= MIN_CHARGE_BYTES
        # So that what does not fit the window waits until all of it does (§6.1 A, `PeerWindow.largest_chunk`).
        and 2 * largest_charge <= window.largest_a_rwnd
        and transmission.has_tsns_for(_PIECES * MAX_BYTES)
    )


class Run:
    """Packets for one path, filled at one moment."""

    __slots__ = (
        "_charge_bytes",
        "_cwnd_room",
        "_format",
        "_packets_left",
        "_payload_bytes",
        "_record",
        "_transmission",
        "_tsn",
        "_unordered",
        "_view",
        "_viewed",
        "_window_room",
    )

    def __init__(self, transmission: Transmission, path: Path, now: float) -> None:
        self._transmission = transmission
        self._format = transmission.queue.format
        self._record = SentRun(transmission.outstanding.highest + 1, path, now)
        self._tsn = self._record.first & TSN_MASK
        self._cwnd_room = path.congestion.cwnd - path.flight_bytes
        self._window_room = transmission.window.room(transmission.outstanding.flight_charge_bytes)
        self._packets_left = _PIECES * min(MAX_PACKETS, MAX_BYTES // path.packet_bytes)
        self._charge_bytes = 0
        self._payload_bytes = 0
        self._unordered = 0
        self._viewed: Outgoing | None = None
        """The message that is being cut, of which `_view` is."""
        self._view = memoryview(b"")

    def fill(self, packet: OutgoingPacket) -> list[Parts | Fragments]:
        """This packet, in which other chunks may lead, and those after it; none when no chunk fits this one."""
        transmission, packet_bytes = self._transmission, self._record.path.packet_bytes
        messages = transmission.queue.in_order
        packets: list[Parts | Fragments] = []
        parts, room = packet.chunks, packet.room & ~3
        while data_bytes := self._fill_packet(parts, room):
            packets.append(parts)
            self._count_packets(1, data_bytes)
            room = packet_bytes - PACKET_HEADER_BYTES & ~3
            if messages:
                self._fill_with_fragments(packets, self._packets_left, room)
                self._fill_with_messages(packets, self._packets_left, room)
            is_last = not messages and transmission.awaits_the_last
            if is_last or self._cwnd_room <= 0 or self._window_is_full():
                # §6.1: "The sender is in the SHUTDOWN-PENDING state"; "The sending of a DATA chunk fills the congestion
                # or receiver window".
                if transmission.config.sack_immediately:
                    self._ask_for_sack(packets)
                break
            if not (messages and transmission.burst.allows_packet) or not self._packets_left:
                break
            parts = []
        if packets:
            self._sent()
        return packets

    def _count_packets(self, count: int, data_bytes: int) -> None:
        self._packets_left -= count
        self._cwnd_room -= count * data_bytes
        self._transmission.burst.packets_sent(count, data_bytes)

    def _fill_packet(self, parts: Parts, room: int) -> int:
        """Add what fits, and return how much that is, headers and padding included."""
        queue, packet_room = self._transmission.queue, room
        messages = queue.in_order
        assert messages is not None
        header_bytes = self._format.header_bytes
        largest_payload = self._transmission.fragmenter.chunk_payload_bytes
        smallest_piece = self._transmission.fragmenter.smallest_piece_bytes
        while messages:
            message = messages[0]
            data, number, _, unordered, _, _, _ = message
            stream = queue.by_number[number]
            start = stream.cut_bytes
            left = len(data) - start
            if start == 0 and room - header_bytes < left <= largest_payload:
                # Whole, or not in this packet (`Fragmenter.fits`).
                break
            payload_bytes = left if left < largest_payload else largest_payload
            charge_bytes = payload_bytes if payload_bytes > MIN_CHARGE_BYTES else MIN_CHARGE_BYTES
            may_begin = fragmenter.MAX_ORDERED_IN_WINDOW - stream.ordered_in_window
            if charge_bytes > self._window_room or (start == 0 and not unordered and not may_begin):
                break
            size = payload_bytes + header_bytes + 3 & ~3
            if start == 0 and payload_bytes == left:
                count = min(room // size, self._window_room // charge_bytes)
                count = _count_alike(messages, count if unordered else min(count, may_begin))
                if count > 1:
                    parts += self._take_alike(stream, count)
                    self._add_stretch(count, (size, charge_bytes, payload_bytes, stream, not unordered))
                    room -= count * size
                    continue
            if size > room:
                payload_bytes = room - header_bytes
                if payload_bytes < smallest_piece:
                    break
                size, charge_bytes = room, charge_of(payload_bytes)
            is_ending = payload_bytes == left
            self._add_chunk(parts, stream, message, payload_bytes)
            self._add_stretch(1, (size, charge_bytes, payload_bytes, stream, is_ending and not unordered))
            room -= size
        return packet_room - room

    def _add_stretch(self, count: int, kind: Kind) -> None:
        _, charge_bytes, payload_bytes, stream, _ = kind
        self._record.add(count, kind)
        self._window_room -= count * charge_bytes
        self._charge_bytes += count * charge_bytes
        self._payload_bytes += count * payload_bytes
        stream.queued_bytes -= count * payload_bytes

    def _take_alike(self, stream: OutgoingStream, count: int) -> Parts:
        """The chunks of the first messages, each whole: so many as `_count_alike` has found alike."""
        queue, record, tsn, format = self._transmission.queue, self._record, self._tsn, self._format
        messages = queue.in_order
        assert messages is not None
        taken = [messages.popleft() for _ in range(count)]
        payloads = [message[0] for message in taken]
        data, number, _, unordered, _, immediate, _ = taken[0]
        flags = DATA_BEGINNING | DATA_ENDING
        if immediate:
            flags |= DATA_IMMEDIATE
            queue.urgent_messages -= count
        ssns: Iterable[int]
        if unordered:
            flags |= DATA_UNORDERED
            first = stream.begin_unordered(format, count)
            ssns = _numbers(first, count, format.number_mask) if format.counts_fragments else repeat(first)
            self._unordered += count
        else:
            ssns = _numbers(stream.next_ssn, count, format.number_mask)
            stream.next_ssn = stream.next_ssn + count & format.number_mask
            stream.ordered_in_window += count
        length = format.header_bytes + len(data)
        start = DATA_HEADER_START.pack(format.chunk_type, flags, length)
        ppids = [message[2] for message in taken]
        tsns = _numbers(tsn, count, TSN_MASK)
        headers = list(map(format.header_after_start.pack, repeat(start), tsns, repeat(number), ssns, ppids))
        self._tsn = tsn + count & TSN_MASK
        record.headers += headers
        record.payloads += payloads
        record.messages += taken
        return _chunks(headers, payloads, PADDING[length & 3])

    def _fill_with_messages(self, packets: list[Parts | Fragments], most: int, room: int) -> None:
        """Packets full of messages that are alike, each whole, when they end because another does not fit; so many at
        most."""
        queue = self._transmission.queue
        messages = queue.in_order
        if not messages or self._cwnd_room <= 0:
            return
        data, number, _, unordered, _, _, _ = messages[0]
        stream = queue.by_number[number]
        if stream.cut_bytes:
            return
        payload_bytes = len(data)
        size = payload_bytes + self._format.header_bytes + 3 & ~3
        if size > room or payload_bytes > self._transmission.fragmenter.chunk_payload_bytes:
            return
        per_packet = room // size
        charge_bytes = charge_of(payload_bytes)
        count = min(self._packets_allowed(most, per_packet * size), self._window_room // (per_packet * charge_bytes))
        if not unordered:
            count = min(count, (fragmenter.MAX_ORDERED_IN_WINDOW - stream.ordered_in_window) // per_packet)
        # One that is not like the last of a packet may still fit beside it.
        count = min(count, (_count_alike(messages, count * per_packet + 1) - 1) // per_packet)
        if count > 0:
            chunks = self._take_alike(stream, count * per_packet)
            width = len(chunks) // count
            packets += [chunks[at : at + width] for at in range(0, len(chunks), width)]
            self._add_stretch(count * per_packet, (size, charge_bytes, payload_bytes, stream, not unordered))
            self._count_packets(count, per_packet * size)

    def _packets_allowed(self, most: int, data_bytes: int) -> int:
        """How many packets may follow with so much data each; so many at most."""
        return min(most, -(-self._cwnd_room // data_bytes), self._transmission.burst.packets_of(data_bytes))

    def _add_chunk(self, parts: Parts, stream: OutgoingStream, message: Outgoing, payload_bytes: int) -> None:
        """The next fragment of this message, or all of it."""
        record, queue, format = self._record, self._transmission.queue, self._format
        data, number, ppid, unordered, _, immediate, _ = message
        start = stream.cut_bytes
        end = start + payload_bytes
        # §6.9, 3: B/E "10" on the first, "01" on the last, "00" between; 2: the U flag on each.
        flags = 0
        if unordered:
            flags = DATA_UNORDERED
            self._unordered += 1
        if start == 0:
            flags |= DATA_BEGINNING
            stream.ssn, stream.next_fsn = stream.begin(format, unordered), 0
        elif format.counts_fragments:
            ppid = stream.next_fsn & FSN_MASK
        stream.next_fsn += 1
        if end == len(data):
            flags |= DATA_ENDING
            if immediate:
                flags |= DATA_IMMEDIATE
                queue.urgent_messages -= 1
            assert queue.in_order is not None
            queue.in_order.popleft()
            end = 0
        elif start == 0:
            self._transmission.counters.messages_fragmented += 1
        stream.cut_bytes = end
        length = format.header_bytes + payload_bytes
        header = format.header.pack(format.chunk_type, flags, length, self._tsn, number, stream.ssn, ppid)
        payload = data if payload_bytes == len(data) else self._view_of(message)[start : start + payload_bytes]
        record.headers.append(header)
        record.payloads.append(payload)
        record.messages.append(message)
        parts.append(header)
        parts.append(payload)
        if length & 3:
            parts.append(PADDING[length & 3])
        self._tsn = self._tsn + 1 & TSN_MASK

    def _view_of(self, message: Outgoing) -> memoryview:
        if message is not self._viewed:
            self._viewed, self._view = message, memoryview(message[0])
        return self._view

    def _fill_with_fragments(self, packets: list[Parts | Fragments], most: int, room: int) -> None:
        """Packets that each hold one fragment out of the middle of a message, as many as may go, so many at most."""
        transmission, record = self._transmission, self._record
        queue = transmission.queue
        messages = queue.in_order
        payload_bytes = transmission.fragmenter.chunk_payload_bytes
        format = self._format
        length = format.header_bytes + payload_bytes
        if not messages or length != room or self._cwnd_room <= 0:
            return
        message = messages[0]
        data, number, ppid, unordered, _, _, _ = message
        stream = queue.by_number[number]
        start, charge_bytes = stream.cut_bytes, charge_of(payload_bytes)
        if start == 0:
            return
        count = min(
            self._packets_allowed(most, length),
            (len(data) - start - 1) // payload_bytes,
            self._window_room // charge_bytes,
        )
        if count <= 0:
            return
        flags = DATA_UNORDERED if unordered else 0
        tail = number, stream.ssn, stream.next_fsn if format.counts_fragments else ppid
        stream.next_fsn += count
        fragments = Fragments(format, data, start, count, payload_bytes, flags, self._tsn, tail)
        packets.append(fragments)
        record.headers += [fragments] * count
        record.payloads += [data] * count
        record.messages += [message] * count
        self._tsn = self._tsn + count & TSN_MASK
        stream.cut_bytes = start + count * payload_bytes
        if unordered:
            self._unordered += count
        self._add_stretch(count, (length, charge_bytes, payload_bytes, stream, False))
        self._count_packets(count, length)

    def _window_is_full(self) -> bool:
        """Whether the peer's window does not take the next chunk, or any, as `PeerWindow.largest_chunk` has it."""
        transmission = self._transmission
        if self._window_room >= max(transmission.fragmenter.chunk_payload_bytes, MIN_CHARGE_BYTES):
            return False
        return charge_of(transmission.fragmenter.wanted() or 1) > self._window_room

    def _sent(self) -> None:
        """What all the packets change together."""
        record, transmission = self._record, self._transmission
        outstanding, path, now = transmission.outstanding, record.path, record.sent_at_s
        outstanding.append_run(
            record,
            size=path.congestion.cwnd - path.flight_bytes - self._cwnd_room,
            charge_bytes=self._charge_bytes,
            payload_bytes=self._payload_bytes,
        )
        transmission.queue.queued_bytes -= self._payload_bytes
        transmission.counters.ouodchunks += self._unordered
        transmission.counters.oodchunks += len(record.messages) - self._unordered
        transmission.round_trips.sent(record.first, path, now)
        transmission.t3.sent(path, now)
        path.last_data_sent_at_s = now

    def _ask_for_sack(self, packets: list[Parts | Fragments]) -> None:
        """With the last chunk of the last packet: its header stands before the payload and the padding."""
        headers, payloads = self._record.headers, self._record.payloads
        parts = packets[-1]
        if isinstance(parts, Fragments):
            # It has another header than the others.
            parts = list(parts.take_last())
            packets.append(parts)
            payloads[-1] = parts[1]
        at = -3 if len(parts[-1]) & 3 else -2
        headers[-1] = parts[at] = with_immediate(parts[at])


def _count_alike(messages: deque[Outgoing], most: int) -> int:
    """How many are of the size, the stream and the flags of the first, one after the other; so many at most."""
    first, number, _, unordered, _, immediate, _ = messages[0]
    payload_bytes, count = len(first), 0
    for data, its_number, _, is_unordered, _, is_immediate, _ in islice(messages, most):
        if (
            len(data) != payload_bytes
            or its_number != number
            or is_unordered is not unordered
            or is_immediate is not immediate
        ):
            break
        count += 1
    return count


def _numbers(first: int, count: int, mask: int) -> Iterable[int]:
    """So many from this one on, as they are counted in a field with this mask."""
    if first + count <= mask:
        return range(first, first + count)
    return [number & mask for number in range(first, first + count)]


def _chunks(headers: list[bytes], payloads: list[bytes], padding: bytes) -> Parts:
    step = 3 if padding else 2
    parts: Parts = [padding] * (step * len(headers))
    parts[0::step] = headers
    parts[1::step] = payloads
    return parts
