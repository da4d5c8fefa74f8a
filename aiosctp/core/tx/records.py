"""Messages that are given to `send` part by part (RFC 6458 §8.1.26), until the last part of each is sent."""

from __future__ import annotations

from collections.abc import Iterable

from aiosctp.core.messages import Outgoing, Part, Record


class Records:
    """Those of one association: of each stream at most one is open, and one, which may be another, begun.

    With DATA the fragments of a message have consecutive TSNs (§6.9), and nothing may go between: so a record stands in
    the scheduler's order as one message that is not whole before its last part is, whatever the scheduler, and its
    parts stand here. With I-DATA each part stands there itself.
    """

    __slots__ = ("begun", "lost", "open", "surplus", "unsent")

    def __init__(self) -> None:
        self.open: dict[int, Record] = {}
        """By stream, those whose last part has not been given."""
        self.begun: dict[int, Record] = {}
        """By stream, those of which some is sent, and not all. With DATA there is one at most."""
        self.lost: set[int] = set()
        """Streams whose record was open when the peer restarted: what follows belongs to what the peer will not get."""
        self.surplus: int = 0
        """How many more parts stand here than things in the scheduler for them."""
        self.unsent: int = 0
        """Parts that were given, and not sent whole."""

    def given(self, message: Outgoing) -> None:
        """A part was given to `send`."""
        data, stream, ppid, unordered, _, _, part = message
        assert isinstance(part, Part)
        record = part.record
        assert self.open.get(stream) is (record if record.size_bytes else None), "a stream has one open record"
        assert (record.ppid, record.unordered) == (ppid, unordered)
        record.size_bytes += len(data)
        self.unsent += 1
        if not part.is_last:
            self.open[stream] = record
        else:
            self.open.pop(stream, None)

    # -- in the place of many messages, one --

    def place(self, message: Outgoing) -> Outgoing | None:
        """With DATA: a part waits. Returns what the scheduler is given for its record, if that has nothing there."""
        part = message[6]
        assert isinstance(part, Part)
        record = part.record
        record.waiting.append(message)
        self.surplus += 1
        if record.is_placed:
            return None
        record.is_placed = True
        self.surplus -= 1
        return b"", message[1], record.ppid, record.unordered, 0, False, Part(record, is_last=False)

    def displace(self, messages: Iterable[Outgoing]) -> list[Outgoing]:
        """The scheduler has let go of these. Returns the same, and the parts of records in the place of what stood for
        them."""
        displaced: list[Outgoing] = []
        for message in messages:
            if message[0]:
                displaced.append(message)
                continue
            record = _record_of(message)
            displaced += record.waiting
            self.surplus -= len(record.waiting) - 1
            record.waiting.clear()
            record.is_placed = False
        return displaced

    def withdraw(self, messages: Iterable[Outgoing]) -> list[Outgoing]:
        """`displace` of what is not to be sent at all: no more is taken of these records."""
        withdrawn = self.displace(messages)
        for message in withdrawn:
            if isinstance(message[6], Part):
                self.unsent -= 1
                self.open.pop(message[1], None)
        return withdrawn

    # -- sending --

    def cut(self, message: Outgoing, *, is_whole: bool, is_placed: bool) -> bool:
        """Some of the part is in a chunk, now all of it or not. Returns whether what the scheduler has `first` is whole
        by that."""
        part = message[6]
        assert isinstance(part, Part)
        record = part.record
        self.begun[message[1]] = record
        self.unsent -= is_whole
        ends = is_whole and part.is_last
        if ends:
            del self.begun[message[1]]
        if not is_placed:
            return is_whole
        if is_whole:
            record.waiting.popleft()
            self.surplus -= 1
        if ends:
            record.is_placed = False
            self.surplus += 1
        return ends

    def clear(self) -> None:
        """None of it is sent any more."""
        self.lost.update(self.open)
        self.open.clear()
        self.begun.clear()
        self.surplus = self.unsent = 0


def _record_of(message: Outgoing) -> Record:
    part = message[6]
    assert isinstance(part, Part)
    return part.record


def parts_of(message: Outgoing) -> Iterable[Outgoing]:
    """The message, or the parts it stands for that wait."""
    return (message,) if message[0] else _record_of(message).waiting


def next_part(message: Outgoing) -> Outgoing | None:
    """The message, or the first part that it stands for, if one waits."""
    if message[0]:
        return message
    waiting = _record_of(message).waiting
    return waiting[0] if waiting else None


def is_part_of(message: Outgoing, record: Record | None) -> bool:
    part = message[6]
    return record is not None and isinstance(part, Part) and part.record is record
