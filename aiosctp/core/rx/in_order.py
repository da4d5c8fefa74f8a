"""The short way: DATA or I-DATA that comes in order while nothing else is held.

It takes whole messages whose turn it is, and the fragments of one message after the other. What it leaves goes the
general way (`Receiver.data_received`), which gives the same messages, charges and counts: only slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, repeat
from typing import Final

from aiosctp.core.charge import MIN_CHARGE_BYTES, charge_of
from aiosctp.core.messages import Message
from aiosctp.core.nothing import NO_DICT, NO_LIST
from aiosctp.core.rx.interleaved import Interleaved
from aiosctp.core.rx.queues import ReadQueues
from aiosctp.core.rx.reassembly import Reassembly
from aiosctp.core.rx.run import Run
from aiosctp.core.rx.streams import InboundStreams
from aiosctp.core.rx.tsns import TsnTracker
from aiosctp.core.rx.window import ReceiveWindow
from aiosctp.core.statistics import AssociationCounters
from aiosctp.wire.chunks import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    AlikeChunks,
    DataFields,
    DataFormat,
)
from aiosctp.wire.serial import TSN_MASK

_WHOLE: Final = DATA_BEGINNING | DATA_ENDING

# `Message(...)` without the call of a function written in Python: half of what taking a small message costs.
_tuple_new = tuple.__new__


class InOrder:
    """Holds the fragments of the message that is coming in.

    While it holds any, nothing else is held: no gap is open, and `Reassembly` is empty.
    """

    __slots__ = (
        "_begun",
        "_counters",
        "_counts_fragments",
        "_inbound_streams",
        "_number_mask",
        "_parts",
        "_queues",
        "_streams",
        "_tsns",
        "_window",
        "charged_bytes",
        "held_bytes",
        "partial_delivery_point_bytes",
        "sack_was_asked_for",
    )

    def __init__(
        self,
        *,
        tsns: TsnTracker,
        window: ReceiveWindow,
        streams: InboundStreams,
        queues: ReadQueues,
        counters: AssociationCounters,
        inbound_streams: int,
        partial_delivery_point_bytes: int,
        format: DataFormat,
    ) -> None:
        self._number_mask = format.number_mask
        self._counts_fragments = format.counts_fragments
        self._tsns = tsns
        self._window = window
        self._streams = streams
        self._queues = queues
        self._counters = counters
        self._inbound_streams = inbound_streams
        self.partial_delivery_point_bytes: int = partial_delivery_point_bytes
        self._begun: DataFields | None = None
        """The first fragment."""
        self._parts: list[bytes] = NO_LIST
        self.held_bytes: int = 0
        self.charged_bytes: int = 0
        self.sack_was_asked_for: bool = False
        """A chunk had the I bit. Who acts upon it resets this."""

    @property
    def begun(self) -> DataFields | None:
        """The first fragment of the message that is coming in."""
        return self._begun

    def take(self, chunks: Sequence[DataFields]) -> int:
        """Take chunks of one packet, from the first on. Returns how many; the others are for the general way."""
        if type(chunks) is AlikeChunks and self._take_alike(chunks):
            return len(chunks)
        taken, total = 0, len(chunks)
        while taken < total:
            chunk = chunks[taken]
            count = self._take_whole(chunks, taken) if chunk[1] & _WHOLE == _WHOLE else self._take_fragment(chunk)
            if not count:
                break
            taken += count
        return taken

    def _take_alike(self, chunks: AlikeChunks) -> bool:
        """Whole messages of one stream and one size: all of them, or none. Less than all is for `_take_whole`."""
        flags, stream, tsns, ssns = chunks.flags, chunks.stream, chunks.tsns, chunks.numbers
        if flags & _WHOLE != _WHOLE or self._begun is not None or stream >= self._inbound_streams:
            return False
        window, count = self._window, len(tsns)
        charge_bytes = charge_of(len(chunks.payloads[0]))
        first = self._tsns.cumulative + 1 & TSN_MASK
        if window.held_bytes + (count - 1) * charge_bytes > window.brink_bytes:
            return False
        if tsns != tuple(range(first, first + count)):
            return False
        is_unordered = flags & DATA_UNORDERED != 0
        if is_unordered:
            self._counters.iuodchunks += count
        else:
            expected_ssn = self._streams.expected_ssns.get(stream, 0)
            if ssns != tuple(range(expected_ssn, expected_ssn + count)):
                return False
            self._streams.expect(stream, expected_ssn + count & self._number_mask)
            self._counters.iodchunks += count
        if flags & DATA_IMMEDIATE:
            self.sack_was_asked_for = True
        self._tsns.cumulative += count
        window.charge(count * charge_bytes)
        fields = zip(
            chunks.payloads, repeat(stream), chunks.ppids, repeat(is_unordered), ssns, tsns, tsns, repeat(True)
        )
        self._queues.put_all(list(map(_tuple_new, repeat(Message), fields)))
        return True

    def _take_whole(self, chunks: Sequence[DataFields], start: int) -> int:
        """Whole messages, as many as come one after the other."""
        if self._begun is not None:
            return 0
        window, expected_ssns, inbound_streams = self._window, self._streams.expected_ssns, self._inbound_streams
        if expected_ssns is NO_DICT:
            expected_ssns = self._streams.expected_ssns = {}
        messages: list[Message] = []
        held_bytes, brink_bytes = window.held_bytes, window.brink_bytes
        next_tsn = self._tsns.cumulative + 1 & TSN_MASK
        unordered_count, number_mask = 0, self._number_mask
        last_stream, expected_ssn = -1, 0
        for _, flags, _, tsn, stream, ssn, ppid, payload in islice(chunks, start, None) if start else chunks:
            if tsn != next_tsn or flags & _WHOLE != _WHOLE or held_bytes > brink_bytes or stream >= inbound_streams:
                break
            is_unordered = flags & DATA_UNORDERED != 0
            if is_unordered:
                unordered_count += 1
            else:
                if stream != last_stream:
                    last_stream, expected_ssn = stream, expected_ssns.get(stream, 0)
                if ssn != expected_ssn:
                    break
                expected_ssn = expected_ssns[stream] = ssn + 1 & number_mask
            if flags & DATA_IMMEDIATE:
                self.sack_was_asked_for = True
            messages.append(_tuple_new(Message, (payload, stream, ppid, is_unordered, ssn, tsn, tsn, True)))
            next_tsn = tsn + 1 & TSN_MASK
            size = len(payload)
            held_bytes += size if size > MIN_CHARGE_BYTES else MIN_CHARGE_BYTES
        count = len(messages)
        if count:
            self._tsns.cumulative += count
            window.charge(held_bytes - window.held_bytes)
            self._counters.iodchunks += count - unordered_count
            self._counters.iuodchunks += unordered_count
            self._queues.put_all(messages)
        return count

    def _take_fragment(self, chunk: DataFields) -> int:
        """One fragment: 1 if it is the next of the message that is coming in, or begins one whose turn it is."""
        _, flags, _, tsn, stream, ssn, fsn, payload = chunk
        window, begun = self._window, self._begun
        size = len(payload)
        charge_bytes = size if size > MIN_CHARGE_BYTES else MIN_CHARGE_BYTES
        if tsn != self._tsns.cumulative + 1 & TSN_MASK or window.held_bytes > window.brink_bytes:
            return 0
        if begun is None:
            if not flags & DATA_BEGINNING or not self._may_begin(flags, stream, ssn):
                return 0
        elif flags & DATA_BEGINNING or stream != begun[4] or (flags ^ begun[1]) & DATA_UNORDERED:
            return 0
        elif self._counts_fragments:
            # RFC 8260 §2.2.3: those of a message have its MID, and FSNs that count those before them.
            if ssn != begun[5] or fsn != len(self._parts):
                return 0
        elif ssn != begun[5] and not flags & DATA_UNORDERED:
            return 0  # §6.9, and §6.6: of unordered ones "the receiver MUST ignore the field"
        if not flags & DATA_ENDING and (
            self.held_bytes + size >= self.partial_delivery_point_bytes
            or window.held_bytes + charge_bytes > window.brink_bytes
        ):
            return 0  # from here on it is delivered in parts
        if begun is None:
            self._begun = chunk
            self._parts = []
        self._parts.append(payload)
        self.held_bytes += size
        self.charged_bytes += charge_bytes
        self._tsns.cumulative += 1
        window.charge(charge_bytes)
        if flags & DATA_UNORDERED:
            self._counters.iuodchunks += 1
        else:
            self._counters.iodchunks += 1
        if flags & DATA_IMMEDIATE:
            self.sack_was_asked_for = True
        if flags & DATA_ENDING:
            self._deliver(tsn)
        return 1

    def most_fragments(self, payload_bytes: int) -> int:
        """How many more fragments of this size the message may bring before it is delivered in parts."""
        if self._begun is None:
            return 0
        window = self._window
        before_parts = (self.partial_delivery_point_bytes - self.held_bytes - 1) // payload_bytes
        before_brink = (window.brink_bytes - window.held_bytes) // charge_of(payload_bytes)
        return max(0, min(before_parts, before_brink))

    def take_fragments(self, payloads: Sequence[bytes]) -> None:
        """The next of the message that is coming in, of one size, no more than `most_fragments` and not the last."""
        count, payload_bytes = len(payloads), len(payloads[0])
        charge_bytes = count * charge_of(payload_bytes)
        self._parts += payloads
        self.held_bytes += count * payload_bytes
        self.charged_bytes += charge_bytes
        self._tsns.cumulative += count
        self._window.charge(charge_bytes)
        assert self._begun is not None
        if self._begun[1] & DATA_UNORDERED:
            self._counters.iuodchunks += count
        else:
            self._counters.iodchunks += count

    def _may_begin(self, flags: int, stream: int, ssn: int) -> bool:
        """Whether the message is one that would be delivered as soon as it is whole."""
        return stream < self._inbound_streams and (
            flags & DATA_UNORDERED != 0 or self._streams.expected_ssns.get(stream, 0) == ssn
        )

    def _deliver(self, tsn: int) -> None:
        begun = self._begun
        assert begun is not None
        _, flags, _, first_tsn, stream, ssn, ppid, _ = begun
        data = b"".join(self._parts)
        self._counters.messages_reassembled += 1
        # One object is left of many: the overhead of the others is free again.
        self._window.release(self.charged_bytes - charge_of(len(data)))
        self.clear()
        is_unordered = flags & DATA_UNORDERED != 0
        if not is_unordered:
            self._streams.expect(stream, ssn + 1 & self._number_mask)
        self._queues.put(Message(data, stream, ppid, is_unordered, ssn, first_tsn, tsn))

    def hand_over(self, reassembly: Reassembly | Interleaved) -> Run:
        """The rest of the message that is coming in goes the general way, with what is held of it."""
        begun = self._begun
        assert begun is not None
        run = reassembly.go_on(begun, self._tsns.cumulative, self._parts, self.held_bytes, self.charged_bytes)
        self.clear()
        return run

    def accept_streams(self, inbound_streams: int) -> None:
        """There are so many from now on."""
        self._inbound_streams = inbound_streams

    def clear(self) -> int:
        """Let go of the fragments. Returns what was charged for them."""
        charged_bytes = self.charged_bytes
        self._begun = None
        self._parts = NO_LIST
        self.held_bytes = self.charged_bytes = 0
        return charged_bytes

    def check_invariants(self) -> None:
        assert (self._begun is None) == (not self._parts)
        assert self.held_bytes == sum(map(len, self._parts))
        assert self.charged_bytes == sum(charge_of(len(part)) for part in self._parts)
        if self._begun is not None:
            assert self._begun[3] == self._tsns.cumulative - len(self._parts) + 1 & TSN_MASK
            assert self._may_begin(self._begun[1], self._begun[4], self._begun[5]), "it is its turn"
