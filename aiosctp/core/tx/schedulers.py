"""Stream schedulers: which stream's message goes next. RFC 8260 §3 names others than the one here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from aiosctp.core.messages import Outgoing


class Scheduler(Protocol):
    """Holds the messages that wait, and says which goes next."""

    add: Callable[[Outgoing], None]
    """One more message waits."""
    in_order: deque[Outgoing] | None
    """The messages in the order they will go, if that is settled when they come: who takes some from the left needs ask
    nothing else. None where what comes later may go before."""

    def __len__(self) -> int:
        """How many wait, the one begun included."""

    def __iter__(self) -> Iterator[Outgoing]:
        """Those that wait, in any order."""

    def first(self) -> Outgoing | None:
        """The message that goes next: one that was begun (`SendQueue.is_begun`) until it is taken, for its fragments
        have consecutive TSNs (§6.9). None when none waits. Asking changes nothing."""

    def taken(self) -> None:
        """The message that `first` names has been cut whole, and waits no more."""


class FirstComeFirstServed:
    """RFC 8260 §3.1: "in the order in which they have been delivered by the application"."""

    __slots__ = ("_messages", "add", "in_order")

    def __init__(self) -> None:
        self._messages: deque[Outgoing] = deque()
        self.in_order: deque[Outgoing] | None = self._messages
        self.add = self._messages.append

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Outgoing]:
        return iter(self._messages)

    def first(self) -> Outgoing | None:
        return self._messages[0] if self._messages else None

    def taken(self) -> None:
        self._messages.popleft()


class _NothingWaits:
    """What stands for a scheduler before the first message."""

    __slots__ = ("add", "in_order")

    def __init__(self) -> None:
        self.in_order: deque[Outgoing] | None = None
        self.add: Callable[[Outgoing], None] = self._refuse

    def _refuse(self, message: Outgoing) -> None:
        raise AssertionError("a scheduler is made before the first message")

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Outgoing]:
        return iter(())

    def first(self) -> Outgoing | None:
        return None

    def taken(self) -> None:
        raise AssertionError("nothing waits")


NOTHING_WAITS: Final[Scheduler] = _NothingWaits()
SCHEDULERS: dict[str, Callable[[], Scheduler]] = {"fcfs": FirstComeFirstServed}
