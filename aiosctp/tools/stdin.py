"""Standard input as lines, whether it is a terminal, a pipe or a file.

No event loop can wait for all three on every system, so a thread reads. It is a daemon, because a thread that
waits for a terminal cannot be interrupted; and it reads the descriptor, because the interpreter dies at its end
over a `sys.stdin` that a daemon has locked.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator

DESCRIPTOR = 0
READ_BYTES = 64 * 1024
# What is read ahead of the line being worked on; with the next bound, what a fast input can fill.
READ_AHEAD_LINES = 64
# A longer line comes in pieces.
MAX_LINE_BYTES = 1024 * 1024
END = b""


async def lines() -> AsyncIterator[bytes]:
    """The lines of standard input, each with its line end, until the end of the input."""
    reader = _Reader(asyncio.get_running_loop())
    threading.Thread(target=reader.run, name="stdin", daemon=True).start()
    while (line := await reader.queue.get()) != END:
        reader.room.release()
        yield line


async def wait_for_end() -> None:
    """Wait for the end of standard input, as a child does that ends with its parent."""
    async for _ in lines():
        pass


class _Reader:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.room = threading.Semaphore(READ_AHEAD_LINES)

    def run(self) -> None:
        for line in _split():
            self.room.acquire()
            try:
                self._loop.call_soon_threadsafe(self.queue.put_nowait, line)
            except RuntimeError:  # the loop is closed: nobody wants the rest
                return


def _split() -> Iterator[bytes]:
    rest = b""
    while data := os.read(DESCRIPTOR, READ_BYTES):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) >= MAX_LINE_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest
    yield END
