"""Waiting for something to change that has no event of its own."""

from __future__ import annotations

import asyncio


class Changes:
    """Any number of tasks wait for the next change and look for themselves what it was, in the order they came."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[asyncio.Future[None], None] | None = None
        """None until somebody has waited, which at most associations nobody does."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiters or ())

    async def wait(self) -> None:
        """Until the next change. Cancelling changes nothing."""
        if self._waiters is None:
            self._waiters = {}
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        try:
            await waiter
        finally:
            del self._waiters[waiter]

    def tell(self) -> None:
        for waiter in self._waiters or ():
            if not waiter.done():
                waiter.set_result(None)
