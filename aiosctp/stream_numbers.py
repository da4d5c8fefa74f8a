"""The numbers of byte streams: which are in use, and which side takes which when it opens one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from aiosctp.exceptions import InvalidStream

if TYPE_CHECKING:
    from aiosctp.association import Association
    from aiosctp.lifetime import Lifetime


class StreamNumbers:
    """The side that sent the INIT opens even numbers, the other one odd ones, so that both may open at once. Where both
    sent one (§5.2.1), the side with the larger Verification Tag opens odd ones.

    A byte stream needs the number in both directions. One that was freed is taken again before one that was never used,
    so that what is kept by number stays small.
    """

    def __init__(self, association: Association, life: Lifetime, *, opens_even: bool) -> None:
        self._association = association
        self._life = life
        self._first = 0 if opens_even else 1
        self._in_use: set[int] = set()
        self._retired: set[int] = set()
        """Closed without a reset: what the peer may still send there belongs to nobody."""
        self._waiting: deque[_Waiter] = deque()
        self._begin()

    def _begin(self) -> None:
        self._never_used = self._first
        """Of ours, from this one on."""
        self._retired_of_ours = 0
        self._freed: OrderedDict[int, None] = OrderedDict()

    def is_free(self, number: int) -> bool:
        return number not in self._in_use and number not in self._retired

    def is_ours(self, number: int) -> bool:
        """Whether it is for us to open, and to open again."""
        return number % 2 == self._first

    def is_retired(self, number: int) -> bool:
        return number in self._retired

    def take(self, number: int) -> None:
        self._in_use.add(number)
        self._freed.pop(number, None)

    def free(self, number: int) -> None:
        self._in_use.discard(number)
        if number % 2 == self._first and number < self._never_used and number not in self._retired:
            self._freed[number] = None
            self.wake()

    def retire(self, number: int) -> None:
        if number not in self._retired:
            self._retired.add(number)
            self._retired_of_ours += self.is_ours(number)
            self.wake()

    def restarted(self) -> None:
        """The peer knows nothing of what was: all are free. It has sent the INIT, whoever had before."""
        self._first = 1
        self._in_use.clear()
        self._retired.clear()
        self._begin()
        self.wake()

    async def next(self) -> int:
        """A free number of ours, after waiting for one; the caller takes it at once. Cancelling takes none. Raises
        InvalidStream when none will ever be free."""
        number = None if self._waiting else self._find()
        if number is not None:
            return number
        waiter = _Waiter(self._life.stack.loop)
        self._waiting.append(waiter)
        try:
            while True:
                await waiter.future
                self._life.check_may_send()
                number = self._find()
                if number is not None:
                    return number
                waiter.future = self._life.stack.loop.create_future()
        finally:
            self._waiting.remove(waiter)
            self.wake()

    def _find(self) -> int | None:
        count = min(self._association.inbound_streams, self._association.outbound_streams)
        if 0 < self._retired_of_ours == len(range(self._first, count, 2)):
            raise InvalidStream("all streams that are ours to open were used, and the peer does not reset them")
        for number in self._freed:
            if number < count:
                return number
        while self._never_used < count:
            if self.is_free(self._never_used):
                return self._never_used
            self._never_used += 2
        return None

    def wake(self) -> None:
        """There may be one: the first who waits looks, and wakes the next on leaving."""
        if self._waiting:
            self._waiting[0].wake()

    def wake_all(self) -> None:
        for waiter in self._waiting:
            waiter.wake()


class _Waiter:
    """Keeps its place while it waits again."""

    __slots__ = ("future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[None] = loop.create_future()

    def wake(self) -> None:
        if not self.future.done():
            self.future.set_result(None)
