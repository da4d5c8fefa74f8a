"""A command in a process of its own, of which a test waits for lines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl

REPOSITORY = Path(__file__).parents[2]
TIMEOUT_S = 30.0
# The ports of examples are fixed, as a reader's would be; a neighbour that has one for a moment is waited for.
ATTEMPTS = 20
AIOSCTP = ("-m", "aiosctp.tools.main")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: int
    output: str
    errors: str

    @property
    def found_its_port_taken(self) -> bool:
        """As the system tells it of TCP's, or we of UDP's."""
        return self.status != 0 and bool(re.search(r"[Aa]ddress already in use|port \d+ .*is in use", self.errors))


class Command:
    """A Python process with its standard streams connected to the test."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line of standard output in which the pattern is found."""
        assert self.process.stdout is not None
        async with asyncio.timeout(TIMEOUT_S):
            async for line in self.process.stdout:
                self.lines.append(line.decode())
                if found := re.search(pattern, self.lines[-1]):
                    return found
        raise AssertionError(f"ended without {pattern!r}; it said:\n{''.join(self.lines)}")

    async def outcome(self, data: bytes = b"") -> Outcome:
        """Give it the rest of its input, wait for its end."""
        async with asyncio.timeout(TIMEOUT_S):
            output, errors = await self.process.communicate(data)
        assert self.process.returncode is not None
        return Outcome(self.process.returncode, "".join(self.lines) + output.decode(), errors.decode())


def _hear_ctrl_c() -> None:
    """What runs in the background of a shell ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.asynccontextmanager
async def python(*arguments: str | Path) -> AsyncIterator[Command]:
    """A running Python process, killed at the end if it still runs."""
    pipe = asyncio.subprocess.PIPE
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, arguments),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"},
        preexec_fn=_hear_ctrl_c if os.name == "posix" else None,
    )
    try:
        yield Command(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def aiosctp(*arguments: str, data: bytes = b"") -> Outcome:
    """The command `aiosctp`, from its start to its end."""
    async with python(*AIOSCTP, *arguments) as command:
        return await command.outcome(data)


@contextlib.asynccontextmanager
async def echo_server(*arguments: str) -> AsyncIterator[tuple[Command, str]]:
    """A running `aiosctp echo` on a free UDP port, and that port."""
    listen: Sequence[str] = ("echo", "--udp-port", "0", "--host", "127.0.0.1", *arguments)
    async with python(*AIOSCTP, *listen) as command:
        found = await command.line(r"^listening .* UDP port (\d+)")
        yield command, found[1]


@contextlib.contextmanager
def _in_turn() -> Iterator[None]:
    """Tests that run beside this one and want the same ports wait here, instead of trying again and again."""
    with (Path(tempfile.gettempdir()) / "aiosctp-examples.lock").open("w") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def run_when_its_port_is_free(*arguments: str | Path) -> Outcome:
    """A Python program from its start to its end, again where its port was taken."""
    with _in_turn():
        for _ in range(ATTEMPTS):
            async with python(*arguments) as command:
                outcome = await command.outcome()
            if not outcome.found_its_port_taken:
                break
    return outcome


@contextlib.asynccontextmanager
async def serving(line: str, *arguments: str | Path) -> AsyncIterator[Command]:
    """A server that has said this line, ended by Ctrl-C."""
    with _in_turn():
        for _ in range(ATTEMPTS):
            async with python(*arguments) as server:
                try:
                    await server.line(f"^{line}$")
                except AssertionError:
                    assert (await server.outcome()).found_its_port_taken
                    continue
                yield server
                server.process.send_signal(signal.SIGINT)
                outcome = await server.outcome()
                assert (outcome.status, outcome.errors) == (130, "")
                return
        raise AssertionError("its port was taken")
