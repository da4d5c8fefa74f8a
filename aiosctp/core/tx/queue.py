"""The send queue: messages accepted and not yet cut into chunks, by stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, filterfalse
from typing import Any

from aiosctp.core.messages import Outgoing, Part, is_abandoned
from aiosctp.core.nothing import NO_DICT
from aiosctp.core.tx.held import MAX_DROPPED_BYTES, HeldMessages, Line
from aiosctp.core.tx.limits import Limits
from aiosctp.core.tx.records import Records, is_part_of, next_part, parts_of
from aiosctp.core.tx.schedulers import NOTHING_WAITS, SCHEDULERS, Scheduler, StreamValues
from aiosctp.wire.chunks import DATA_FORMAT, DataFormat


class OutgoingStream:
    """What a stream keeps while the association lives."""

    __slots__ = (
        "above_mark_of",
        "buffered_bytes",
        "cut_bytes",
        "emptied_chunks",
        "next_fsn",
        "next_ssn",
        "next_unordered_mid",
        "number",
        "ordered_in_window",
        "queued_bytes",
        "ssn",
    )

    def __init__(self, number: int) -> None:
        self.number: int = number
        self.next_ssn: int = 0
        """§6.5: "MUST start from 0 when the association is established". With I-DATA it is the next MID, of an ordered
        message (RFC 8260 §2.1)."""
        self.next_unordered_mid: int = 0
        self.cut_bytes: int = 0
        """How much of its first message has been cut into chunks, and sent."""
        self.ssn: int = 0
        """The SSN, or MID, of that message, assigned when its first fragment is made."""
        self.next_fsn: int = 0
        """With I-DATA: of its next fragment, counted on where the FSN wraps (RFC 8260 §2.1)."""
        self.ordered_in_window: int = 0
        """Ordered messages begun and not fully acknowledged (§6.1)."""
        self.queued_bytes: int = 0
        """User data accepted and not yet sent."""
        self.buffered_bytes: int = 0
        """User data accepted and not cumulatively acknowledged, nor let go of before."""
        self.emptied_chunks: int = 0
        """Chunks not cumulatively acknowledged that hold no user data any more."""
        self.above_mark_of: SendQueue | None = None
        """The queue, while `excess_bytes` there counts what this stream holds above its mark."""

    def begin(self, format: DataFormat, unordered: bool) -> int:
        """The SSN or MID of the message that is begun: §6.9, 2: "the same Stream Sequence Number to each" of its
        fragments."""
        return self.begin_unordered(format) if unordered else self.begin_ordered(format)

    def begin_ordered(self, format: DataFormat) -> int:
        ssn = self.next_ssn
        self.next_ssn = ssn + 1 & format.number_mask
        self.ordered_in_window += 1
        return ssn

    def begin_unordered(self, format: DataFormat, messages: int = 1) -> int:
        """§6.6: it takes no SSN. RFC 8260 §2.1: it takes a MID, and these are apart from those of ordered ones."""
        if not format.counts_fragments:
            return 0
        mid = self.next_unordered_mid
        self.next_unordered_mid = mid + messages & format.number_mask
        return mid

    def begin_anew(self) -> None:
        """RFC 6525 §5.1.2; RFC 8260 §2.3.2 has the MIDs of unordered messages begin anew too."""
        self.next_ssn = self.next_unordered_mid = 0


class SendQueue:
    """Messages that wait. How much may wait is the caller's to bound: `Sender.buffered_bytes`."""

    __slots__ = (
        "_dropped",
        "_dropped_bytes",
        "_scheduler",
        "_scheduler_name",
        "_values",
        "by_number",
        "excess_bytes",
        "format",
        "held",
        "held_bytes",
        "in_order",
        "limits",
        "names_addresses",
        "queued_bytes",
        "records",
        "stream_mark_bytes",
        "urgent_messages",
    )

    def __init__(self, stream_mark_bytes: int, scheduler: str = "fcfs") -> None:
        self.format: DataFormat = DATA_FORMAT
        self._scheduler_name = scheduler
        self._values: StreamValues | None = None
        self._scheduler: Scheduler = NOTHING_WAITS
        """Made with the first stream, as `by_number` is: what holds nothing is the same for every association."""
        self.by_number: dict[int, OutgoingStream] = NO_DICT
        """The streams ever used."""
        self.in_order = self._scheduler.in_order
        """For who cuts many messages in a row: whole, they are taken from the left; of the rest see `cut`. None when
        each has to be asked for."""
        self.queued_bytes: int = 0
        self.urgent_messages: int = 0
        """Those that ask to be acknowledged at once."""
        self.held: HeldMessages[Any] | None = None
        """What a reset holds back (RFC 6525), while one does."""
        self.held_bytes: int = 0
        self.limits: Limits | None = None
        """What is known of messages with terms, from the first one on."""
        self.records: Records | None = None
        """Messages that are given part by part, from the first one on."""
        self.names_addresses: bool = False
        """Whether any message had terms that name one."""
        self._dropped = 0
        """Messages abandoned that the scheduler has not let go of."""
        self._dropped_bytes = 0
        self.stream_mark_bytes: int = stream_mark_bytes
        self.excess_bytes: int = 0
        """What streams hold above this mark, in sum: a running number, for it is asked with each message, and all
        streams may be above a low mark."""

    def __bool__(self) -> bool:
        # A message waits while some of it is not sent, and has at least one byte.
        return self.queued_bytes > 0

    def __iter__(self) -> Iterator[Outgoing]:
        """Those that wait, the one begun included, in any order."""
        entries = self._entries()
        return entries if self.records is None else chain.from_iterable(map(parts_of, entries))

    def _entries(self) -> Iterator[Outgoing]:
        """What the scheduler holds: with DATA, one for all parts of a record."""
        return filterfalse(is_abandoned, self._scheduler) if self._dropped else iter(self._scheduler)

    @property
    def messages(self) -> int:
        """A part of a record counts as one."""
        surplus = 0 if self.records is None else self.records.surplus
        return len(self._scheduler) - self._dropped + surplus

    @property
    def has_plain_messages(self) -> bool:
        """Whether those that wait are all of `in_order`, and none has terms, or had and is abandoned, or is of a
        record."""
        limits, records = self.limits, self.records
        return (
            bool(self.in_order)
            and not self._dropped
            and (limits is None or not limits.live)
            and (records is None or not (records.unsent or records.surplus))
        )

    @property
    def begun(self) -> list[Outgoing]:
        """The messages that have been cut in part. Linear in the streams ever used, and in what waits."""
        numbers = {stream.number for stream in self.by_number.values() if stream.cut_bytes}
        begun: list[Outgoing] = []
        for message in self if numbers else ():
            if message[1] in numbers:
                numbers.remove(message[1])
                begun.append(message)
            if not numbers:
                break
        return begun

    @property
    def is_begun(self) -> bool:
        """Whether any message, or record, is: its last fragment has not been sent."""
        return bool(self.begun) or (self.records is not None and bool(self.records.begun))

    def stream(self, number: int) -> OutgoingStream:
        stream = self.by_number.get(number)
        if stream is None:
            if self._scheduler is NOTHING_WAITS:
                self.by_number = {}
                self._make_scheduler()
            stream = self.by_number[number] = OutgoingStream(number)
        return stream

    def streams(self) -> list[OutgoingStream]:
        """Those ever used."""
        return list(self.by_number.values())

    def find_stream(self, number: int) -> OutgoingStream | None:
        """The stream, if it was ever used."""
        return self.by_number.get(number)

    def append(self, message: Outgoing) -> None:
        """One more message waits."""
        if self.held is not None and self._hold(self.held, message):
            return
        data, number, _, _, _, sack_immediately, terms = message
        size = len(data)
        assert size, "a message without data can't be sent (§3.3.1)"
        stream = self.by_number.get(number) or self.stream(number)
        stream.queued_bytes += size
        stream.buffered_bytes += size
        self.queued_bytes += size
        if terms is None:
            self._scheduler.add(message)
        else:
            self._note(message)
            self._schedule(message)
        if sack_immediately:
            self.urgent_messages += 1
        above = stream.buffered_bytes - self.stream_mark_bytes
        if above > 0:
            self.excess_bytes += min(size, above)
            stream.above_mark_of = self

    def _note(self, message: Outgoing) -> None:
        """It has terms, or is a part of a record."""
        terms = message[6]
        assert terms is not None
        self.names_addresses |= terms.address is not None
        if isinstance(terms, Part):
            if self.records is None:
                self.records = Records()
            self.records.given(message)
            return
        if self.limits is None:
            self.limits = Limits()
        self.limits.add(message)

    def _schedule(self, message: Outgoing) -> None:
        entry: Outgoing | None = message
        if self.records is not None and isinstance(message[6], Part) and not self.format.counts_fragments:
            entry = self.records.place(message)
        if entry is not None:
            self._scheduler.add(entry)

    # -- records (RFC 6458 §8.1.26) --

    def is_awaited(self, stream: int) -> bool:
        """Whether the stream's open record has to go on before anything else does: with DATA, what waits (§6.9); or
        what is held until a reset is answered, for that waits for the end of the record. So its next part waits for no
        room but the stream's own."""
        records = self.records
        if records is None or stream not in records.open:
            return False
        record = records.open[stream]
        is_begun = records.begun.get(stream) is record
        return record.held_in is None and (self.held is not None or (is_begun and not self.format.counts_fragments))

    def awaited_streams(self) -> list[int]:
        """Linear in those with an open record, while anything is held."""
        records = self.records
        if records is None:
            return []
        return [stream for stream in (records.begun if self.held is None else records.open) if self.is_awaited(stream)]

    def has_open_record_before(self, number: int) -> bool:
        """Whether the stream has one that what its reset holds back comes after."""
        assert self.held is not None
        record = None if self.records is None else self.records.open.get(number)
        return record is not None and record.held_in is not self.held.lines[number]

    # -- partial reliability (RFC 3758) --

    def abandon(self, message: Outgoing, *, is_begun: bool) -> None:
        """It waits no more, or what is left of it to send. Its place in the scheduler's order, or among the messages
        that are held, goes when its turn comes, or when such places take more than what waits: never is it searched
        for, so that each costs a few steps."""
        data, number, _, _, _, sack_immediately, terms = message
        assert terms is not None
        assert terms.is_abandoned
        stream, size = self.by_number[number], len(data)
        if self.held is not None and self.held.drop(message, self.held_bytes):
            self.held_bytes -= size
        else:
            self._dropped += 1
            self._dropped_bytes += size
            if is_begun:
                size -= stream.cut_bytes
                stream.cut_bytes = 0
            stream.queued_bytes -= size
            self.queued_bytes -= size
            self.urgent_messages -= sack_immediately
            if 2 * self._dropped > len(self._scheduler) or self._dropped_bytes > self.queued_bytes + MAX_DROPPED_BYTES:
                self._sweep()
        stream.buffered_bytes -= size
        if stream.above_mark_of is not None:
            self.released(stream, size)

    def _pass_dropped(self) -> None:
        """What comes first is not abandoned."""
        while (first := self._scheduler.first()) is not None and is_abandoned(first):
            self._scheduler.drop()
            self._dropped -= 1
            self._dropped_bytes -= len(first[0])

    def _sweep(self) -> None:
        """Let go of what is abandoned, at once. Linear in what waits; the turns of streams begin anew."""
        self._make_scheduler(*self._begun_and_waiting())

    # -- RFC 8260 --

    def use_format(self, format: DataFormat) -> None:
        """What the handshake has settled. Nothing has been sent in another."""
        if format is self.format:
            return
        assert not self.is_begun
        self.format = format
        if self._values is not None:
            self._values.interleaves = format.counts_fragments
        if self.records is not None:
            messages = self.records.displace(self._entries())
            if messages:
                self._make_scheduler()
            for message in messages:
                self._schedule(message)

    @property
    def values(self) -> StreamValues:
        if self._values is None:
            self._values = StreamValues(self.format.counts_fragments)
        return self._values

    @values.setter
    def values(self, values: StreamValues) -> None:
        """Those of the association before a restart."""
        values.interleaves = self.format.counts_fragments
        self._values = values

    def set_scheduler(self, name: str) -> None:
        """What waits is sent in another order from now on. Linear in it."""
        before, self._scheduler_name = self._scheduler_name, name
        if name == before or self._scheduler is NOTHING_WAITS:
            return
        try:
            self._sweep()
        except BaseException:
            # A program's own may fail: then it is as if it had not been asked for.
            self._scheduler_name = before
            raise

    def set_stream_values(self, stream: int, *, priority: int | None = None, weight: int | None = None) -> None:
        """RFC 8260 §4.3.3. None leaves a value as it is."""
        if priority is not None:
            self.values.priorities[stream] = priority
        if weight is not None:
            self.values.weights[stream] = weight
        self._scheduler.values_changed(stream)

    def _make_scheduler(self, begun: Iterable[Outgoing] = (), waiting: Iterable[Outgoing] = ()) -> None:
        scheduler = SCHEDULERS[self._scheduler_name](self.values)
        in_order = scheduler.in_order
        for message in begun:
            scheduler.add_begun(message)
        for message in waiting:
            scheduler.add(message)
        self._scheduler, self.in_order = scheduler, in_order
        self._dropped = self._dropped_bytes = 0

    def _begun_and_waiting(self) -> tuple[list[Outgoing], list[Outgoing]]:
        """What the scheduler holds."""
        are_begun = set(map(id, self.begun))
        records = {} if self.records is None else self.records.begun
        begun: list[Outgoing] = []
        waiting: list[Outgoing] = []
        for entry in self._entries():
            is_begun = id(entry) in are_begun or is_part_of(entry, records.get(entry[1]))
            (begun if is_begun else waiting).append(entry)
        return begun, waiting

    # -- what a reset holds back --

    def _hold(self, held: HeldMessages[Any], message: Outgoing) -> bool:
        """It counts for its stream as any that is accepted."""
        if not held.take(message):
            return False
        data, number, *_ = message
        size = len(data)
        stream = self.stream(number)
        stream.buffered_bytes += size
        self.held_bytes += size
        above = stream.buffered_bytes - self.stream_mark_bytes
        if above > 0:
            self.excess_bytes += min(size, above)
            stream.above_mark_of = self
        if message[6] is not None:
            self._note(message)
        return True

    def _let_go(self, message: Outgoing) -> None:
        """What was held waits to be sent."""
        if is_abandoned(message):
            return
        if self.held is not None:
            self.held.let_go(message)
        data, number, _, _, _, sack_immediately, _ = message
        size = len(data)
        self.held_bytes -= size
        self.stream(number).queued_bytes += size
        self.queued_bytes += size
        self._schedule(message)
        if sack_immediately:
            self.urgent_messages += 1

    def _make_held(self) -> HeldMessages[Any]:
        if self.held is None:
            self.held = HeldMessages()
        return self.held

    def hold_stream(self, number: int, owner: object) -> bool:
        """From now on what is given to the stream waits for this owner. False when it waits for another before."""
        held = self._make_held()
        line = held.lines.get(number)
        if line is None:
            held.lines[number] = Line(owner)
            return True
        line.reset_again(owner)
        return False

    def release_stream(self, number: int) -> Any | None:
        """Its owner is done with it. Returns the one who is next."""
        assert self.held is not None
        ready, has_next = self.held.lines[number].release()
        following = self.held.lines[number].owner if has_next else None
        if not has_next:
            del self.held.lines[number]
        for message in ready:
            if self.held.suspended is not None:
                self.held.move_to_suspended(message)
            else:
                self._let_go(message)
        self._drop_held()
        return following

    def suspend(self) -> None:
        """No new message begins from now on; those that were begun go on, also with parts that are given later."""
        held = self._make_held()
        if held.suspended is not None:
            return
        begun, waiting = self._begun_and_waiting()
        if waiting or self._dropped:
            self._make_scheduler(begun)
        if self.records is not None:
            waiting = self.records.displace(waiting)
        for data, number, _, _, _, sack_immediately, _ in waiting:
            self.by_number[number].queued_bytes -= len(data)
            self.queued_bytes -= len(data)
            self.held_bytes += len(data)
            self.urgent_messages -= sack_immediately
        held.suspend(waiting)

    def resume(self) -> None:
        if self.held is None or self.held.suspended is None:
            return
        waiting, self.held.suspended = self.held.suspended, None
        for message in waiting:
            self._let_go(message)
        self._drop_held()

    def _drop_held(self) -> None:
        if self.held is not None and self.held.is_idle:
            self.held = None

    def forget_stream(self, number: int) -> bool:
        """Let go of a stream that was reset, if it holds nothing. False when that is to be asked again later."""
        stream = self.by_number.get(number)
        if stream is None or stream.next_ssn or stream.next_unordered_mid:
            return True
        if stream.buffered_bytes or stream.emptied_chunks:
            return False
        if self.records is not None and number in self.records.begun:
            return False
        del self.by_number[number]
        return True

    def begin_ssns_anew(self) -> None:
        """RFC 6525 §5.2.4 G5, §5.2.7 H5: for all streams. Nothing is outstanding."""
        for number, stream in list(self.by_number.items()):
            stream.begin_anew()
            self.forget_stream(number)

    def released(self, stream: OutgoingStream, payload_bytes: int) -> None:
        """A stream that was above its mark holds so much less now."""
        above = stream.buffered_bytes - self.stream_mark_bytes
        if above > 0:
            self.excess_bytes -= payload_bytes
        else:
            self.excess_bytes -= payload_bytes + above
            stream.above_mark_of = None

    def set_stream_mark(self, mark_bytes: int) -> None:
        """Linear in the streams."""
        self.stream_mark_bytes = mark_bytes
        self.excess_bytes = 0
        for stream in self.by_number.values():
            above = stream.buffered_bytes - mark_bytes
            self.excess_bytes += max(0, above)
            stream.above_mark_of = self if above > 0 else None

    def peek(self) -> Outgoing | None:
        """The message that the next chunk is cut from. With DATA, none while a record that is begun awaits its next
        part."""
        if self._dropped:
            self._pass_dropped()
        first = self.in_order[0] if self.in_order else self._scheduler.first()
        return first if first is None or self.records is None else next_part(first)

    def cut(self, message: Outgoing, stream: OutgoingStream, payload_bytes: int) -> None:
        """So much more of the message `peek` named is in a chunk; whole, it leaves the queue."""
        stream.cut_bytes += payload_bytes
        stream.queued_bytes -= payload_bytes
        self.queued_bytes -= payload_bytes
        data, _, _, _, _, sack_immediately, terms = message
        is_whole = leaves = stream.cut_bytes == len(data)
        if self.records is not None and isinstance(terms, Part):
            leaves = self.records.cut(message, is_whole=is_whole, is_placed=not self.format.counts_fragments)
        self._scheduler.sent(payload_bytes, is_whole=leaves)
        if is_whole:
            stream.cut_bytes = 0
            if sack_immediately:
                self.urgent_messages -= 1

    def packet_ended(self) -> None:
        """What is cut next goes in another packet."""
        self._scheduler.packet_ended()

    def take_above(self, streams: int) -> list[Outgoing]:
        """What waits on streams beyond so many, in order, and waits no more. Linear in what waits, if there is any.

        It is during the handshake: nothing is held, and nothing of it is begun.
        """
        if all(number < streams for number in self.by_number):
            return []
        begun, waiting = self._begun_and_waiting()
        self._make_scheduler(begun, [entry for entry in waiting if entry[1] < streams])
        taken = [entry for entry in waiting if entry[1] >= streams]
        if self.records is not None:
            taken = self.records.withdraw(taken)
        for message in taken:
            data, number, _, _, _, sack_immediately, terms = message
            stream, size = self.by_number[number], len(data)
            stream.queued_bytes -= size
            stream.buffered_bytes -= size
            self.queued_bytes -= size
            self.urgent_messages -= sack_immediately
            if self.limits is not None and terms is not None:
                self.limits.live.pop(terms, None)
        self.set_stream_mark(self.stream_mark_bytes)
        return taken

    def take_all(self) -> list[Outgoing]:
        """Empty the queue: those begun first, then the others, each stream in its order."""
        taken = self.begun
        are_begun = set(map(id, taken))
        taken += [message for message in self if id(message) not in are_begun]
        if len(self._scheduler):
            self._make_scheduler()
        if self.records is not None:
            self.records.clear()
        if self.held is not None:
            taken += self.held
            self.held, self.held_bytes = None, 0
        for stream in self.by_number.values():
            stream.queued_bytes = stream.buffered_bytes = stream.ordered_in_window = stream.cut_bytes = 0
            stream.emptied_chunks = 0
            stream.above_mark_of = None
        self.queued_bytes = self.excess_bytes = self.urgent_messages = 0
        return taken
