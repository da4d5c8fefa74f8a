"""`aiosctp demo`: the library's main job, seen from the outside.

The client is this process, the server another (`demo_server`), and between them is real UDP on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import aiosctp
from aiosctp.association import Association
from aiosctp.tools.console import MIB, Meter, say
from aiosctp.tools.demo_server import MAX_STREAMS, PPID_END, READY, loopback_hosts
from aiosctp.tools.notifications import watch
from aiosctp.tools.options import Commands, add_command, add_number, whole
from aiosctp.tools.runner import deadline
from aiosctp.tools.runner import run as run_loop

FAILED = 1
START_TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 10.0
END_TIMEOUT_S = 10.0
# Nobody wants to wait for a transfer slower than this.
SLOWEST_BYTES_PER_S = MIB
POOL_BYTES = MIB

DESCRIPTION = """\
Send data between two processes of this machine, over real UDP on loopback.

What you see, in this order:

  server        a second process, which listens on free UDP ports of 127.0.0.1
                and, where the system has it, 127.0.0.2
  client        this process, which connects to it and then knows both addresses
  COMM_UP       the association is up, with its streams; this and other words
                in capitals are the notifications of RFC 6458 (6.1)
  CONFIRMED     a HEARTBEAT was answered: the address may be used (RFC 9260 5.4)
  the bar       data going out on all streams at once; without a terminal, a
                line for each quarter
  stream N      what the server counted and hashed; the client compares its own
                SHA-256 of what it sent
  goodput       user data over time, from the first byte to the last digest
  SHUTDOWN_COMP the graceful shutdown is complete: nothing was lost

exit status: 0 when every SHA-256 is the same at both ends; 1 otherwise"""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: so many bytes in all, spread over the streams, in messages of this size."""

    total_bytes: int
    streams: int
    message_bytes: int

    def of_stream(self, stream: int) -> int:
        """How many bytes this stream carries; the first ones take what does not divide evenly."""
        return self.total_bytes // self.streams + (stream < self.total_bytes % self.streams)


def add_parser(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(commands, "demo", run, help="see it work: two processes on loopback", description=DESCRIPTION)
    add_number(parser, "--megabytes", type=whole(1, 65536), default=64, help="MiB to send in all", metavar="N")
    add_number(
        parser, "--streams", type=whole(1, MAX_STREAMS), default=4, help="streams to spread it over", metavar="N"
    )
    add_number(
        parser,
        "--message-bytes",
        type=whole(1, 16 * MIB),
        default=64 * 1024,
        help="size of a message; a large one travels in many packets",
        metavar="N",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run server and client; 0 when all that was sent is what was received."""
    return run_loop(_demo(Load(arguments.megabytes * MIB, arguments.streams, arguments.message_bytes)))


async def _demo(load: Load) -> int:
    async with ServerProcess() as server, aiosctp.Stack(udp_port=0, local_addresses=loopback_hosts()) as stack:
        hosts = " and ".join(server.hosts)
        say("server", f"process {server.pid} listens on {hosts}, SCTP port {server.port}, UDP port {server.udp_port}")
        connecting = aiosctp.connect(
            server.hosts[0],
            server.port,
            remote_udp_port=server.udp_port,
            outbound_streams=load.streams,
            timeout=CONNECT_TIMEOUT_S,
            config=aiosctp.Config(shutdown_timeout_s=END_TIMEOUT_S),
            stack=stack,
        )
        say("client", f"process {os.getpid()} connects to {server.hosts[0]} from UDP port {stack.udp_port}")
        async with connecting as association:
            addresses = " and ".join(host for host, _ in association.peer_addresses)
            streams = f"{association.outbound_streams} streams out, {association.inbound_streams} in"
            say("client", f"connected: {streams}; the peer has {addresses}")
            notifications = watch(association, partial(say, "client"))
            async with deadline(START_TIMEOUT_S + load.total_bytes / SLOWEST_BYTES_PER_S, "the transfer"):
                equal = await _transfer(association, load)
        await notifications
        await server.end()
    return 0 if equal else FAILED


async def _transfer(association: Association, load: Load) -> bool:
    """Send the load and compare what the server made of it; whether all of it is the same."""
    pool = os.urandom(POOL_BYTES + load.message_bytes)
    start = time.monotonic()
    with Meter(load.total_bytes) as meter:
        sending = [_send_stream(association, stream, load, pool, meter) for stream in range(load.streams)]
        theirs, ours = await asyncio.gather(_receive_digests(association, load.streams), asyncio.gather(*sending))
    took_s = time.monotonic() - start
    equal = [theirs[stream] == digest for stream, digest in enumerate(ours)]
    for stream, same in enumerate(equal):
        say("client", f"stream {stream}: SHA-256 {ours[stream][:16]}... {'the same' if same else 'DIFFERS'}")
    megabits = load.total_bytes * 8 / took_s / 1e6
    say(
        "goodput",
        f"{load.total_bytes / MIB:.0f} MiB on {load.streams} streams in {took_s:.2f} s: {megabits:.0f} Mbit/s",
    )
    say("result", f"{sum(equal)} of {load.streams} streams have the same SHA-256 at both ends")
    return all(equal)


async def _send_stream(association: Association, stream: int, load: Load, pool: bytes, meter: Meter) -> str:
    """Send one stream's share of the load, then its end; the SHA-256 of what was sent."""
    digest = hashlib.sha256()
    left = load.of_stream(stream)
    offset = stream * 7919
    while left:
        # A window that moves over random bytes by a prime: no two messages are alike, so a swap would show.
        data = pool[offset % POOL_BYTES :][: min(left, load.message_bytes)]
        offset += 4093
        digest.update(data)
        await association.send(data, stream=stream)
        left -= len(data)
        meter.advance(len(data))
    await association.send(b"end", stream=stream, ppid=PPID_END)
    return digest.hexdigest()


async def _receive_digests(association: Association, streams: int) -> dict[int, str]:
    digests: dict[int, str] = {}
    while len(digests) < streams:
        message = await association.receive()
        digests[message.stream] = message.data.decode("ascii", "replace")
    return digests


class ServerProcess:
    """The server's process, as an async context manager; its lines are shown as they come."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.port: int = 0
        self.udp_port: int = 0
        self._process: asyncio.subprocess.Process
        self._relay: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> Self:
        # A session of its own: Ctrl-C is this process's to answer, and the end of its standard input ends the server.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "aiosctp.tools.demo_server",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with deadline(START_TIMEOUT_S, "the start of the server process"):
                await self._read_where_it_listens()
        except BaseException:
            await self._kill()
            raise
        self._relay = asyncio.create_task(self._show_lines())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._kill()

    async def end(self) -> None:
        """Wait until the server has ended by itself and all it said has been shown."""
        assert self._relay is not None
        async with deadline(END_TIMEOUT_S, "the end of the server process"):
            await self._relay
            await self._process.wait()

    async def _read_where_it_listens(self) -> None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        words = line.decode().split()
        if words[:1] != [READY]:
            raise ConnectionError(f"the server process did not start: {line.decode().strip() or 'see above'}")
        self.port, self.udp_port, self.hosts = int(words[1]), int(words[2]), words[3:]

    async def _show_lines(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            say("server", line.decode().rstrip())

    async def _kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._relay is not None:
            await self._relay
