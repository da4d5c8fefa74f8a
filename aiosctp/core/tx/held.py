"""Messages held back until a reset is answered (RFC 6525 §5.1.2 A1, §5.1.4 C2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from aiosctp.core.messages import Outgoing

Owner = TypeVar("Owner")


class Line(Generic[Owner]):
    """One stream that is to be reset: who resets it, and what was given to it since."""

    __slots__ = ("_waiting", "held_bytes", "owner")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.held_bytes = 0
        self._waiting: deque[Outgoing | _Mark[Owner]] | None = None

    def add(self, message: Outgoing) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(message)
        self.held_bytes += len(message[0])

    def reset_again(self, owner: Owner) -> None:
        """What comes from now on waits for this one too."""
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(_Mark(owner))

    def messages(self) -> Iterator[Outgoing]:
        return (item for item in self._waiting or () if not isinstance(item, _Mark))

    def release(self) -> tuple[list[Outgoing], bool]:
        """Its owner is done: the messages that may go, and whether another owner follows, for whom the rest waits."""
        ready: list[Outgoing] = []
        waiting = self._waiting
        while waiting:
            item = waiting.popleft()
            if isinstance(item, _Mark):
                self.owner = item.owner
                return ready, True
            ready.append(item)
            self.held_bytes -= len(item[0])
        return ready, False


class _Mark(Generic[Owner]):
    __slots__ = ("owner",)

    def __init__(self, owner: Owner) -> None:
        self.owner = owner


class HeldMessages(Generic[Owner]):
    """What the send queue does not take yet: what is for streams that are to be reset and, while TSNs are, all."""

    __slots__ = ("lines", "suspended")

    def __init__(self) -> None:
        self.lines: dict[int, Line[Owner]] = {}
        """By stream."""
        self.suspended: deque[Outgoing] | None = None
        """Of all other streams, while no new message may begin."""

    @property
    def is_idle(self) -> bool:
        return not self.lines and self.suspended is None

    def take(self, message: Outgoing) -> bool:
        """Whether it has to wait here."""
        line = self.lines.get(message[1])
        if line is not None:
            line.add(message)
        elif self.suspended is not None:
            self.suspended.append(message)
        else:
            return False
        return True

    def __iter__(self) -> Iterator[Outgoing]:
        """In any order but that of each stream."""
        yield from self.suspended or ()
        for line in self.lines.values():
            yield from line.messages()
