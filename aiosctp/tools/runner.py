"""Running a subcommand: uvloop where it is installed, asyncio's own loop elsewhere; and waiting with a bound."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a subcommand to its exit status. Ctrl-C cancels it and is raised again as KeyboardInterrupt."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def stop_signal() -> None:
    """Wait for SIGINT or SIGTERM. A second one acts as it always does, so that an ending that hangs can be ended.

    Where a loop takes no signal handlers (Windows), waits for ever, and Ctrl-C cancels.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    with contextlib.suppress(NotImplementedError):
        for number in signals:
            loop.add_signal_handler(number, told.set)
    try:
        await told.wait()
    finally:
        with contextlib.suppress(NotImplementedError):
            for number in signals:
                loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def deadline(seconds: float, what: str) -> AsyncIterator[None]:
    """Bound what is awaited inside; raises a TimeoutError that names it."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TimeoutError(errno.ETIMEDOUT, f"{what} took more than {seconds:.3g} s") from None
