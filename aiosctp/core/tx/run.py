"""The short way: a run of packets filled with chunks that are sent for the first time.

What it makes is what `Transmission.fill` makes of one packet after another while nothing is out of the ordinary. That
way asks its questions anew for each chunk; here what can't change within a run is asked once, and the rest is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiosctp.core.charge import MIN_CHARGE_BYTES, charge_of
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path
from aiosctp.core.tx import fragmenter
from aiosctp.core.tx.fragmenter import HEADER_BYTES, SMALLEST_PIECE, with_immediate
from aiosctp.core.tx.sent_run import Parts, SentRun
from aiosctp.wire.chunks import DATA_BEGINNING, DATA_ENDING, DATA_HEADER, DATA_IMMEDIATE, DATA_UNORDERED, PADDING
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import HEADER_BYTES as PACKET_HEADER_BYTES
from aiosctp.wire.packet_run import MAX_BYTES, MAX_PACKETS
from aiosctp.wire.serial import SSN_MASK, TSN_MASK

if TYPE_CHECKING:
    from aiosctp.core.messages import OutgoingMessage
    from aiosctp.core.tx.transmission import Transmission

_DATA: Final = ChunkType.DATA.value
_PACK: Final = DATA_HEADER.pack


def may_run(transmission: Transmission, path: Path, now: float) -> bool:
    """Whether nothing is out of the ordinary, on the path that `path_to_send_on` named."""
    window = transmission.window
    largest_charge = max(transmission.fragmenter.chunk_payload_bytes, MIN_CHARGE_BYTES)
    return (
        transmission.is_established
        and not transmission.is_shutting_down
        and transmission.queue.in_order is not None
        and transmission.retransmissions.first() is None
        and not path.awaits_ack_after_timeout
        and not transmission.is_after_idle_time(path, now)
        and not window.is_watched
        and transmission.peer_rwnd_bytes >= MIN_CHARGE_BYTES
        # So that what does not fit the window waits until all of it does (§6.1 A, `PeerWindow.largest_chunk`).
        and 2 * largest_charge <= window.largest_a_rwnd
        and transmission.has_tsns_for(MAX_BYTES)
    )


class Run:
    """Packets for one path, filled at one moment."""

    __slots__ = (
        "_cwnd_room",
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
        self._record = SentRun(transmission.outstanding.highest + 1, path, now)
        self._tsn = self._record.first & TSN_MASK
        self._cwnd_room = path.congestion.cwnd - path.flight_bytes
        self._window_room = transmission.peer_rwnd_bytes
        self._payload_bytes = 0
        self._unordered = 0
        self._viewed: OutgoingMessage | None = None
        """The message that is being cut, of which `_view` is."""
        self._view = memoryview(b"")

    def fill(self, packet: OutgoingPacket) -> list[Parts]:
        """This packet, in which other chunks may lead, and those after it; none when no chunk fits this one."""
        record, transmission, burst = self._record, self._transmission, self._transmission.burst
        packets: list[Parts] = []
        messages = transmission.queue.in_order
        parts, room = packet.chunks, packet.room & ~3
        packet_bytes = record.path.packet_bytes
        left_bytes = MAX_BYTES
        while data_bytes := self._fill_packet(parts, room):
            packets.append(parts)
            self._cwnd_room -= data_bytes
            burst.packet_sent(data_bytes)
            if self._cwnd_room <= 0 or self._window_is_full():
                # §6.1: "The sending of a DATA chunk fills the congestion or receiver window".
                _ask_for_sack(parts)
                break
            left_bytes -= packet_bytes
            if not (messages and burst.allows_packet) or len(packets) == MAX_PACKETS or left_bytes < packet_bytes:
                break
            parts, room = [], packet_bytes - PACKET_HEADER_BYTES & ~3
        if packets:
            self._sent()
        return packets

    def _fill_packet(self, parts: Parts, room: int) -> int:
        """Add what fits, and return how much that is, headers and padding included."""
        queue, record = self._transmission.queue, self._record
        messages, owners = queue.in_order, record.messages
        assert messages is not None
        largest_payload = self._transmission.fragmenter.chunk_payload_bytes
        tsn, window_room = self._tsn, self._window_room
        packet_room = room
        unordered_chunks = 0
        is_full = False
        while messages and not is_full:
            # A stretch: chunks of one stream.
            stream_number = messages[0].stream
            stream = queue.stream(stream_number)
            ssn, may_begin = stream.next_ssn, fragmenter.MAX_ORDERED_IN_WINDOW - stream.ordered_in_window
            stretch_first, stretch_room, stretch_window_room = len(owners), room, window_room
            stretch_bytes = begun = ended = 0
            position = len(parts)
            while messages:
                message = messages[0]
                if message.stream != stream_number:
                    break
                start, unordered = message.sent_bytes, message.unordered
                left = len(message.data) - start
                payload_bytes = left if left < largest_payload else largest_payload
                charge_bytes = payload_bytes if payload_bytes > MIN_CHARGE_BYTES else MIN_CHARGE_BYTES
                is_full = charge_bytes > window_room or (start == 0 and not unordered and begun == may_begin)
                if is_full:
                    break
                if payload_bytes > room - HEADER_BYTES:
                    # As `Fragmenter.fits` has it.
                    is_whole = start == 0 and payload_bytes == left
                    is_full = is_whole or room - HEADER_BYTES < largest_payload // SMALLEST_PIECE
                    if is_full:
                        break
                    payload_bytes = room - HEADER_BYTES
                    charge_bytes = charge_of(payload_bytes)
                # §6.9, 2: "the same Stream Sequence Number to each", and the U flag on each; §6.6: with it, none.
                flags = 0
                if unordered:
                    flags = DATA_UNORDERED
                    unordered_chunks += 1
                elif start == 0:
                    message.ssn = ssn
                    ssn = ssn + 1 & SSN_MASK
                    begun += 1
                # §6.9, 3: B/E "10" on the first, "01" on the last, "00" between.
                if start == 0:
                    flags |= DATA_BEGINNING
                payload: bytes | memoryview = message.data
                message.sent_bytes = start + payload_bytes
                if payload_bytes < len(payload):
                    if message is not self._viewed:
                        self._viewed, self._view = message, memoryview(payload)
                    payload = self._view[start : start + payload_bytes]
                if payload_bytes == left:
                    flags |= DATA_ENDING
                    if message.sack_immediately:
                        flags |= DATA_IMMEDIATE
                    if not unordered:
                        ended += 1
                    messages.popleft()
                length = HEADER_BYTES + payload_bytes
                parts.append(_PACK(_DATA, flags, length, tsn, stream_number, message.ssn, message.ppid))
                parts.append(payload)
                if length & 3:
                    parts.append(PADDING[length & 3])
                owners.append(message)
                tsn = tsn + 1 & TSN_MASK
                room -= length + 3 & ~3
                window_room -= charge_bytes
                stretch_bytes += payload_bytes
            if stretch_bytes:
                stream.next_ssn = ssn
                stream.ordered_in_window += begun
                stream.queued_bytes -= stretch_bytes
                self._payload_bytes += stretch_bytes
                count, size = len(owners) - stretch_first, stretch_room - room
                charge = stretch_window_room - window_room
                record.stretches.append((count, size, charge, stretch_bytes, stream, ended, parts, position))
        self._tsn, self._window_room = tsn, window_room
        self._unordered += unordered_chunks
        return packet_room - room

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
            charge_bytes=transmission.peer_rwnd_bytes - self._window_room,
            payload_bytes=self._payload_bytes,
        )
        transmission.queue.queued_bytes -= self._payload_bytes
        transmission.counters.ouodchunks += self._unordered
        transmission.counters.oodchunks += len(record.messages) - self._unordered
        transmission.round_trips.sent(record.first, path, now)
        transmission.t3.sent(path, now)
        path.last_data_sent_at_s = now


def _ask_for_sack(parts: Parts) -> None:
    """On the last chunk of the packet: its header stands before the payload and the padding."""
    index = -3 if len(parts[-1]) & 3 else -2
    parts[index] = with_immediate(parts[index])
