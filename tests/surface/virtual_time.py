"""A decorator that runs a test on virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from aiosctp.testing.loop import VirtualTimeLoop

P = ParamSpec("P")

MOST_S = 86_400
"""How much virtual time a test may take: what waits for ever would go on as long as there are HEARTBEATs."""


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run the test coroutine on virtual time, a day of it at most. What the loop would only have logged fails it."""

    async def bounded(*args: P.args, **kwargs: P.kwargs) -> None:
        async with asyncio.timeout(MOST_S):
            await test(*args, **kwargs)

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        unhandled: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.get_loop().set_exception_handler(lambda loop, context: unhandled.append(context))
            runner.run(bounded(*args, **kwargs))
        assert not unhandled, unhandled

    return run
