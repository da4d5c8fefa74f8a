"""Who is told of a broken law: the first one stops the seed."""

from __future__ import annotations

import asyncio
from typing import Any


class LawBroken(AssertionError):
    """What may not happen, happened."""


class Judge:
    """Remembers the first law broken. Laws are checked in the midst of the engine's and the loop's calls, where an
    exception would be taken for something else; so it is noted, and whoever runs the seed waits for it."""

    def __init__(self) -> None:
        self.broken: BaseException | None = None
        self._stop: asyncio.Future[None] | None = None

    def accuse(self, error: BaseException) -> None:
        if self.broken is None:
            self.broken = error
            if self._stop is not None and not self._stop.done():
                self._stop.set_result(None)

    async def watch(self, work: asyncio.Future[Any]) -> None:
        """Until the work is done or a law is broken; then raises it."""
        self._stop = asyncio.get_running_loop().create_future()
        if self.broken is None:
            await asyncio.wait([work, self._stop], return_when=asyncio.FIRST_COMPLETED)
        if self.broken is not None:
            raise self.broken

    def unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: what it would have logged is a bug, of the engine's or of ours."""
        error = context.get("exception")
        if error is None:
            error = LawBroken(context["message"])
        self.accuse(error)
