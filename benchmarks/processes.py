"""The processes of a sample: each on a core of its own, telling what happens as JSON objects, one a line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.model import SampleFailed

REPOSITORY = Path(__file__).parents[1]
SENDER_CORE, RECEIVER_CORE = 0, 1
# What a process may take to start: aiortc imports for a second, on a busy machine for several.
START_TIMEOUT_S = 20.0

Event = dict[str, Any]


def cores() -> list[int]:
    """The cores that we may use, or none where the system has no affinity."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


@contextlib.contextmanager
def _pinned(core: int) -> Any:
    """What is started in this block runs on one core: a child inherits the affinity of who starts it."""
    usable = cores()
    if len(usable) < 2:
        yield
        return
    os.sched_setaffinity(0, {usable[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


class Process:
    """A running process, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    async def event(self, name: str, timeout_s: float = START_TIMEOUT_S) -> Event:
        """The next event of this name; others before it are passed over. Raises SampleFailed when it does not come."""
        try:
            async with asyncio.timeout(timeout_s):
                while line := await self._read_line():
                    event = _parse(line)
                    if event.get("event") == name:
                        return event
        except TimeoutError:
            raise SampleFailed(f"no {name} within {timeout_s:.0f} s; it said: {self._transcript}") from None
        raise SampleFailed(f"a process ended without {name}; it said: {self._transcript}")

    async def kill(self) -> None:
        """End it at once, and wait until it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _read_line(self) -> str:
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode(errors="replace")
        self._said.append(line)
        del self._said[:-20]
        return line

    @property
    def _transcript(self) -> str:
        return "".join(self._said).strip() or "nothing"


@contextlib.asynccontextmanager
async def running(argv: Sequence[str | Path], core: int) -> AsyncIterator[Process]:
    """A process on a core (SENDER_CORE, RECEIVER_CORE), which is killed on leaving. Raises SampleFailed."""
    with _pinned(core):
        try:
            child = await asyncio.create_subprocess_exec(
                *map(str, argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=2**22,
                cwd=REPOSITORY,
            )
        except OSError as error:
            raise SampleFailed(f"{argv[0]} does not start: {error}") from None
    process = Process(child)
    try:
        yield process
    finally:
        await process.kill()


def free_udp_ports(count: int) -> list[int]:
    """UDP ports that nobody uses at this moment, all different; TCP and SCTP ports of the same number may serve too."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _parse(line: str) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
