"""A process on the other side of an association, told what to do and telling what happens, line by line."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

REPOSITORY = Path(__file__).parents[2]
LINE_LIMIT_BYTES = 2**20

Event = dict[str, Any]


class Peer:
    """A running peer. Lines of its output that are JSON objects are events, others the event "line"."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._unseen: list[Event] = []
        self._log: list[str] = []
        self._changed = asyncio.Condition()
        self._ended = False
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, *argv: str | Path) -> Self:
        """Start a program with its standard streams connected to us."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *map(str, argv),
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_LIMIT_BYTES,
            cwd=REPOSITORY,
        )
        return cls(process)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.kill()

    async def command(self, *words: object) -> None:
        """Write one line to the peer's standard input."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write((" ".join(map(str, words)) + "\n").encode())
        await stdin.drain()

    async def event(self, name: str, *, timeout_s: float = 10.0, **fields: object) -> Event:
        """Wait for the first event of this name and with these fields that no call has returned yet."""
        return await self._first(lambda event: _matches(event, name, fields), f"{name} {fields}", timeout_s)

    async def _first(self, rule: Callable[[Event], bool], wanted: str, timeout_s: float) -> Event:
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while True:
                    for position, event in enumerate(self._unseen):
                        if rule(event):
                            return self._unseen.pop(position)
                    assert not self._ended, f"the peer ended without {wanted}\n{self.transcript}"
                    await self._changed.wait()
        except TimeoutError:
            message = f"no {wanted} within {timeout_s} s; the peer said:\n{self.transcript}"
            raise AssertionError(message) from None

    async def line(self, pattern: str, *, timeout_s: float = 10.0) -> Event:
        """Wait for the first line, of those that are no events, that matches this and that no call has returned yet."""
        return await self._first(
            lambda event: event["event"] == "line" and re.search(pattern, event["text"]) is not None,
            f"line {pattern!r}",
            timeout_s,
        )

    async def received(self, total_bytes: int, *, timeout_s: float = 20.0) -> Event:
        """Wait until the peer has received this many bytes; its tally of them."""
        async with asyncio.timeout(timeout_s):
            while True:
                await self.command("report")
                report = await self.event("received")
                if report["bytes"] >= total_bytes:
                    return report
                await asyncio.sleep(0.05)

    def seen(self, name: str, **fields: object) -> bool:
        """Whether such an event has come that no call has returned yet."""
        return any(_matches(event, name, fields) for event in self._unseen)

    @property
    def transcript(self) -> str:
        """The last lines the peer wrote, standard error included."""
        return "".join(self._log[-40:])

    async def close_input(self) -> None:
        """End the peer's standard input, and wait until the process has ended by itself."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.close()
        await self._process.wait()

    async def kill(self) -> None:
        """End the process at once: to the other side of its associations it falls silent."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        while line := (await stdout.readline()).decode(errors="replace"):
            async with self._changed:
                self._log.append(line[:400].rstrip("\n") + "\n")
                self._unseen.append(_parse(line))
                self._changed.notify_all()
        async with self._changed:
            self._ended = True
            self._changed.notify_all()


def _parse(line: str) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return event if isinstance(event, dict) else {"event": "line", "text": line.rstrip("\n")}


def _matches(event: Event, name: str, fields: dict[str, object]) -> bool:
    return event["event"] == name and all(event.get(key) == value for key, value in fields.items())


def options(values: dict[str, object]) -> Sequence[str]:
    """Keyword arguments as a peer's command line: `udp_port=9899` is `--udp-port=9899`, a list repeats it."""
    arguments = []
    for key, value in values.items():
        flag = "--" + key.replace("_", "-")
        if value is True:
            arguments.append(flag)
        elif value is not False:
            several = value if isinstance(value, list) else [value]
            arguments += [f"{flag}={one}" for one in several]
    return arguments
