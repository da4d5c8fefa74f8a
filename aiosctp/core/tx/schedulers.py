"""Stream schedulers: which stream's message goes next. RFC 8260 §3 names others than the one here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from aiosctp.core.messages import OutgoingMessage


class Scheduler(Protocol):
    """Holds the messages that wait, and says which goes next."""

    add: Callable[[OutgoingMessage], None]
    """One more message waits."""
    in_order: deque[OutgoingMessage] | None
    """The messages in the order they will go, if that is settled when they come: who takes some from the left needs ask
    nothing else. None where what comes later may go before."""

    def __len__(self) -> int:
        """How many wait, the one begun included."""

    def __iter__(self) -> Iterator[OutgoingMessage]:
        """Those that wait, in any order."""

    def first(self) -> OutgoingMessage | None:
        """The message that goes next: one that was begun (`was_sent`) until it is taken, for its fragments have
        consecutive TSNs (§6.9). None when none waits. Asking changes nothing."""

    def taken(self) -> None:
        """The message that `first` names has been cut whole, and waits no more."""


class FirstComeFirstServed:
    """RFC 8260 §3.1: "in the order in which they have been delivered by the application"."""

    __slots__ = ("_messages", "add", "in_order")

    def __init__(self) -> None:
        self._messages: deque[OutgoingMessage] = deque()
        self.in_order: deque[OutgoingMessage] | None = self._messages
        self.add = self._messages.append

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[OutgoingMessage]:
        return iter(self._messages)

    def first(self) -> OutgoingMessage | None:
        return self._messages[0] if self._messages else None

    def taken(self) -> None:
        self._messages.popleft()


SCHEDULERS: dict[str, Callable[[], Scheduler]] = {"fcfs": FirstComeFirstServed}
