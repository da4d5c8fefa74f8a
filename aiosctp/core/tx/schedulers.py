"""Stream schedulers: which stream's message goes next. RFC 8260 §3 names others than the one here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol


class Scheduler(Protocol):
    """Told of every message that waits; asked for a stream between messages, never within one."""

    def added(self, stream: int) -> None:
        """One more message waits on this stream."""

    def choose(self) -> int | None:
        """The stream whose first message goes next; None when none waits. Asking changes nothing."""

    def taken(self, stream: int) -> None:
        """The first message of this stream has been cut whole."""


class FirstComeFirstServed:
    """RFC 8260 §3.1: "in the order in which they have been delivered by the application"."""

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: deque[int] = deque()

    def added(self, stream: int) -> None:
        self._streams.append(stream)

    def choose(self) -> int | None:
        return self._streams[0] if self._streams else None

    def taken(self, stream: int) -> None:
        self._streams.popleft()


SCHEDULERS: dict[str, Callable[[], Scheduler]] = {"fcfs": FirstComeFirstServed}
