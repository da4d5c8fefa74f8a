"""Waiting in line for what goes to one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class WaitingLine:
    """First come, first served: whoever comes while others wait stands behind them, and who was woken in vain keeps its
    place."""

    __slots__ = ("_line", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._line: deque[_Place] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._line)

    async def wait(self, find: Callable[[], T | None]) -> T:
        """What `find` finds, once it finds something; the caller takes it at once. Raises what `find` raises.
        Cancelling takes nothing."""
        found = None if self._line else find()
        if found is not None:
            return found
        place = _Place(self._loop)
        self._line.append(place)
        try:
            while True:
                await place.future
                found = find()
                if found is not None:
                    return found
                place.future = self._loop.create_future()
        finally:
            self._line.remove(place)
            self.wake()

    def wake(self) -> None:
        """There may be something: the first looks, and wakes the next on leaving."""
        if self._line:
            self._line[0].wake()

    def wake_all(self) -> None:
        for place in self._line:
            place.wake()


class _Place:
    """Kept while it waits again."""

    __slots__ = ("future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[None] = loop.create_future()

    def wake(self) -> None:
        if not self.future.done():
            self.future.set_result(None)
