"""Messages held back until a reset is answered (RFC 6525 §5.1.2 A1, §5.1.4 C2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import filterfalse
from typing import Final, Generic, TypeVar

from aiosctp.core.messages import Outgoing, Part, Terms, is_abandoned

Owner = TypeVar("Owner")

# Messages that are abandoned keep their places while these take no more than what waits, and this.
MAX_DROPPED_BYTES: Final = 0x10000


class Line(Generic[Owner]):
    """One stream that is to be reset: who resets it, and what was given to it since."""

    __slots__ = ("_after_record", "_waiting", "held_bytes", "owner")

    def __init__(self, owner: Owner) -> None:
        self.owner: Owner = owner
        self.held_bytes: int = 0
        self._after_record: deque[Outgoing | _Mark[Owner]] | None = None
        """Marks that come after the record that is open at the end of `_waiting`, when its last part is given."""
        self._waiting: deque[Outgoing | _Mark[Owner]] | None = None

    def add(self, message: Outgoing) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(message)
        self.held_bytes += len(message[0])
        if self._after_record is not None and not _leaves_open(message):
            self._waiting += self._after_record
            self._after_record = None

    def reset_again(self, owner: Owner) -> None:
        """What comes from now on waits for this one too; not the rest of a record that is open."""
        if self._waiting is None:
            self._waiting = deque()
        waiting = self._waiting
        if waiting and not isinstance(waiting[-1], _Mark) and _leaves_open(waiting[-1]):
            if self._after_record is None:
                self._after_record = deque()
            waiting = self._after_record
        waiting.append(_Mark(owner))

    def messages(self) -> Iterator[Outgoing]:
        return (item for item in self._waiting or () if not isinstance(item, _Mark) and not is_abandoned(item))

    def sweep(self) -> None:
        """Let go of what is abandoned."""
        if self._waiting is not None:
            self._waiting = deque(item for item in self._waiting if isinstance(item, _Mark) or not is_abandoned(item))

    def release(self) -> tuple[list[Outgoing], bool]:
        """Its owner is done: the messages that may go, and whether another owner follows, for whom the rest waits."""
        ready: list[Outgoing] = []
        waiting = self._waiting
        while waiting:
            item = waiting.popleft()
            if isinstance(item, _Mark):
                self.owner = item.owner
                return ready, True
            if not is_abandoned(item):
                ready.append(item)
                self.held_bytes -= len(item[0])
        if self._after_record is None:
            return ready, False
        # The rest of the record goes before.
        self._waiting, self._after_record = self._after_record, None
        mark = self._waiting.popleft()
        assert isinstance(mark, _Mark)
        self.owner = mark.owner
        return ready, True


def _leaves_open(message: Outgoing) -> bool:
    """Whether it is a part of a record that goes on."""
    part = message[6]
    return isinstance(part, Part) and not part.is_last


class _Mark(Generic[Owner]):
    __slots__ = ("owner",)

    def __init__(self, owner: Owner) -> None:
        self.owner = owner


class HeldMessages(Generic[Owner]):
    """What the send queue does not take yet: what is for streams that are to be reset and, while TSNs are, all."""

    __slots__ = ("_dropped_bytes", "_limited", "lines", "suspended")

    def __init__(self) -> None:
        self.lines: dict[int, Line[Owner]] = {}
        """By stream."""
        self.suspended: deque[Outgoing] | None = None
        """Of all other streams, while no new message may begin."""
        self._limited: dict[Terms, Line[Owner] | None] = {}
        """The terms of those in here that have some, and in which line each stands, if in one."""
        self._dropped_bytes = 0

    @property
    def is_idle(self) -> bool:
        return not self.lines and self.suspended is None

    def take(self, message: Outgoing) -> bool:
        """Whether it has to wait here."""
        line = self.lines.get(message[1])
        is_suspended = line is None and self.suspended is not None
        part = message[6]
        if isinstance(part, Part) and part.record.size_bytes:
            # It goes where those before it are.
            place = part.record.held_in
            line, is_suspended = place if isinstance(place, Line) else None, place is self
        if line is not None:
            line.add(message)
        elif is_suspended:
            assert self.suspended is not None
            self.suspended.append(message)
        else:
            return False
        self._note(message, line)
        return True

    def _note(self, message: Outgoing, line: Line[Owner] | None) -> None:
        terms = message[6]
        if isinstance(terms, Part):
            terms.record.held_in = self if line is None else line
        elif terms is not None:
            self._limited[terms] = line

    def suspend(self, messages: Iterable[Outgoing]) -> None:
        """No new message may begin; these were given to `send` before."""
        self.suspended = deque(messages)
        for message in self.suspended:
            self._note(message, None)

    def move_to_suspended(self, message: Outgoing) -> None:
        """It stood in a line, and waits on."""
        assert self.suspended is not None
        self.suspended.append(message)
        self._note(message, None)

    def let_go(self, message: Outgoing) -> None:
        """It is here no more."""
        terms = message[6]
        if isinstance(terms, Part):
            terms.record.held_in = None
        elif terms is not None:
            del self._limited[terms]

    def drop(self, message: Outgoing, held_bytes: int) -> bool:
        """It is abandoned. Whether it was here, among so many bytes."""
        terms = message[6]
        if terms is None or terms not in self._limited:
            return False
        line = self._limited.pop(terms)
        if line is not None:
            line.held_bytes -= len(message[0])
        self._dropped_bytes += len(message[0])
        if self._dropped_bytes > held_bytes + MAX_DROPPED_BYTES:
            self._sweep()
        return True

    def _sweep(self) -> None:
        """Linear in what is held."""
        self._dropped_bytes = 0
        if self.suspended is not None:
            self.suspended = deque(message for message in self.suspended if not is_abandoned(message))
        for line in self.lines.values():
            line.sweep()

    def __iter__(self) -> Iterator[Outgoing]:
        """In any order but that of each stream."""
        yield from filterfalse(is_abandoned, self.suspended or ())
        for line in self.lines.values():
            yield from line.messages()
