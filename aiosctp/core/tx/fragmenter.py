"""Messages cut into DATA chunks as they are sent (§6.9)."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.messages import Outgoing, Part
from aiosctp.core.paths import Path
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.tx.chunk import OutstandingChunk
from aiosctp.core.tx.queue import SendQueue
from aiosctp.core.tx.records import is_part_of
from aiosctp.wire.chunks import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    encode_data_header,
)
from aiosctp.wire.serial import FSN_MASK, SSN_MASK, TSN_MASK

# §6.1: "For each stream, the data sender MUST NOT have more than 2^16 - 1 ordered user messages in the current send
# window."
MAX_ORDERED_IN_WINDOW = SSN_MASK
# A piece of a message smaller than this part of the largest is not cut just to fill a packet. Nearly all packets are
# filled, for only those of one size go out in one piece (`wire/packet_run.py`).
SMALLEST_PIECE = 16


class Fragmenter:
    """Takes chunks off the send queue."""

    __slots__ = ("_counters", "_cuts_parts", "_queue", "chunk_payload_bytes", "smallest_piece_bytes")

    def __init__(self, queue: SendQueue, counters: AssociationCounters) -> None:
        self._queue = queue
        self._counters = counters
        self.chunk_payload_bytes: int = 0
        """The most user data a chunk may carry at this moment: what the AMDCS leaves (§7.3, 2), or the user allows."""
        self.smallest_piece_bytes: int = 0
        """Less is not cut off just to fill a packet."""
        self._cuts_parts = True
        """A part of a record, of which more is to come, may be cut where a message may not."""

    def limit(self, largest_bytes: int, config: Config) -> None:
        """What a chunk may carry from now on; the former by the AMDCS and the peer's window."""
        self._cuts_parts = config.fragmentation
        self.chunk_payload_bytes = largest_bytes
        self.smallest_piece_bytes = largest_bytes // SMALLEST_PIECE
        most = config.max_segment_bytes
        if most is not None and most < largest_bytes:
            # RFC 6458 §8.1.16: "fragmented by SCTP into the specified size": only the last piece has another.
            self.chunk_payload_bytes = self.smallest_piece_bytes = most

    def wanted(self) -> int:
        """How much user data the next chunk carries if the packet and the window take it; 0 when none may be cut."""
        message = self._queue.peek()
        if message is None:
            return 0
        data, number, _, unordered, _, _, terms = message
        stream = self._queue.by_number[number]
        cut_bytes = stream.cut_bytes
        if (
            cut_bytes == 0
            and not unordered
            and stream.ordered_in_window >= MAX_ORDERED_IN_WINDOW
            and (terms is None or not self._continues(message))
        ):
            return 0
        remaining = len(data) - cut_bytes
        return remaining if remaining < self.chunk_payload_bytes else self.chunk_payload_bytes

    def fits(self, payload_bytes: int, room: int) -> int:
        """How much of that goes into this much room of a packet: all, a piece worth it, or 0; all in an empty one.

        A message that one packet can carry is not cut to fill the last one: losing either would lose it. One that has
        to be cut anyway fills it.
        """
        fitting = (room & ~3) - self._queue.format.header_bytes
        if payload_bytes <= fitting:
            return payload_bytes
        return fitting if fitting >= self.smallest_piece_bytes and self.is_cut_anyway else 0

    @property
    def is_cut_anyway(self) -> bool:
        """Whether the message that is next is more than one chunk. There is one."""
        message = self._queue.peek()
        assert message is not None
        data, number, _, _, _, _, terms = message
        return (
            self._queue.by_number[number].cut_bytes > 0
            or len(data) > self.chunk_payload_bytes
            or (terms is not None and self._cuts_parts and isinstance(terms, Part))
        )

    def cut(self, payload_bytes: int, number: int, path: Path, now: float) -> OutstandingChunk:
        """The next chunk, with this much user data. The data itself is not copied."""
        message = self._queue.peek()
        assert message is not None
        data, stream_number, ppid, unordered, _, sack_immediately, terms = message
        stream, format = self._queue.by_number[stream_number], self._queue.format
        start = stream.cut_bytes
        end = start + payload_bytes
        is_beginning, is_ending = start == 0, end == len(data)
        payload = data if is_beginning and is_ending else memoryview(data)[start:end]
        flags = DATA_IMMEDIATE if is_ending and sack_immediately else 0
        if isinstance(terms, Part):
            is_beginning = is_beginning and not self._continues(message)
            is_ending = is_ending and terms.is_last
        if is_beginning:
            stream.ssn, stream.next_fsn = stream.begin(format, unordered), 0
        # §6.9, 3: B/E "10" on the first, "01" on the last, "00" between; 2: the U flag on each.
        if is_beginning:
            flags |= DATA_BEGINNING
            if not is_ending:
                self._counters.messages_fragmented += 1
        if is_ending:
            flags |= DATA_ENDING
        if unordered:
            flags |= DATA_UNORDERED
        if not is_beginning and format.counts_fragments:
            ppid = stream.next_fsn & FSN_MASK
        stream.next_fsn += 1
        header = encode_data_header(format, flags, payload_bytes, number & TSN_MASK, stream_number, stream.ssn, ppid)
        self._queue.cut(message, stream, payload_bytes)
        return OutstandingChunk(number, message, stream, header, payload, path, now, is_ending=is_ending)

    def _continues(self, message: Outgoing) -> bool:
        """Whether it is a part of a record of which some was sent before."""
        records = self._queue.records
        return records is not None and is_part_of(message, records.begun.get(message[1]))


def with_immediate(header: bytes | memoryview) -> bytes:
    """The same DATA header with the I bit set (§3.3.1)."""
    return bytes((header[0], header[1] | DATA_IMMEDIATE)) + header[2:]
