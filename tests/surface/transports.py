"""Where the contract of asyncio's transports is tested, TCP, our streams over UDP on loopback, ours in simulation; and
a protocol that watches over the contract."""

from __future__ import annotations

import asyncio
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

import aiosctp
from aiosctp.testing import Network, VirtualTimeLoop

PORT = 7777
LIMIT_S = 20

Factory = Callable[[], asyncio.BaseProtocol]
Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


class World(ABC):
    """Somewhere to make connections. `unhandled` is what only the loop's exception handler was told."""

    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop
    is_ours = True
    limit_s: float = LIMIT_S

    def __init__(self) -> None:
        self.recorders: list[Recorder] = []
        self.servers: list[asyncio.AbstractServer] = []
        self.unhandled: list[dict[str, Any]] = []

    def run(self, test: Callable[[World], Awaitable[None]]) -> None:
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            runner.get_loop().set_exception_handler(lambda loop, context: self.unhandled.append(context))
            runner.run(self._run(test))
        for recorder in self.recorders:
            assert not recorder.violations, recorder.calls
        assert not self.unhandled, self.unhandled

    async def _run(self, test: Callable[[World], Awaitable[None]]) -> None:
        async with asyncio.timeout(self.limit_s), self.open():
            try:
                await test(self)
            finally:
                for server in self.servers:
                    server.close()
                for recorder in self.recorders:
                    await recorder.end()

    def take_unhandled(self) -> list[dict[str, Any]]:
        found, self.unhandled = self.unhandled, []
        return found

    def recorder(self, **options: Any) -> Recorder:
        made = Recorder(**options)
        self.recorders.append(made)
        return made

    async def pair(self, ours: Recorder, theirs: Recorder) -> None:
        """Connect two recorders; the second is the server's."""
        self.server = await self.create_server(lambda: theirs)
        await self.create_connection(lambda: ours)
        await theirs.until(lambda: "made" in theirs.calls)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        yield

    @abstractmethod
    async def create_server(self, factory: Factory, **options: Any) -> asyncio.AbstractServer: ...

    @abstractmethod
    async def create_connection(self, factory: Factory) -> tuple[asyncio.Transport, asyncio.BaseProtocol]: ...

    @abstractmethod
    async def start_server(self, connected: Connected, **options: Any) -> asyncio.AbstractServer: ...

    @abstractmethod
    async def open_connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...

    @abstractmethod
    def reset(self, transport: asyncio.BaseTransport) -> None:
        """End the connection so that the other side gets an error."""


class Tcp(World):
    """asyncio's own: the tests are true to it, or they are wrong."""

    is_ours = False

    async def create_server(self, factory: Factory, **options: Any) -> asyncio.AbstractServer:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, "127.0.0.1", 0, **options)
        self.port = server.sockets[0].getsockname()[1]
        self.servers.append(server)
        return server

    async def create_connection(self, factory: Factory) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        return await asyncio.get_running_loop().create_connection(factory, "127.0.0.1", self.port)

    async def start_server(self, connected: Connected, **options: Any) -> asyncio.AbstractServer:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, **options)
        self.port = server.sockets[0].getsockname()[1]
        self.servers.append(server)
        return server

    async def open_connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def reset(self, transport: asyncio.BaseTransport) -> None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class Ours(World):
    client: aiosctp.Stack
    server_stack: aiosctp.Stack
    host = "127.0.0.1"

    async def create_server(self, factory: Factory, **options: Any) -> asyncio.AbstractServer:
        return await aiosctp.create_server(factory, None, PORT, stack=self.server_stack, **options)

    async def create_connection(self, factory: Factory) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        return await aiosctp.create_connection(factory, self.host, PORT, **self.to_server)

    async def start_server(self, connected: Connected, **options: Any) -> asyncio.AbstractServer:
        return await aiosctp.start_server(connected, None, PORT, stack=self.server_stack, **options)

    async def open_connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await aiosctp.open_connection(self.host, PORT, **self.to_server)

    @property
    def to_server(self) -> dict[str, Any]:
        return {"stack": self.client, "remote_udp_port": self.server_stack.udp_port}

    def reset(self, transport: asyncio.BaseTransport) -> None:
        association = transport.get_extra_info("association")
        assert isinstance(association, aiosctp.Association)
        association.abort()


class OverUdp(Ours):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with (
            aiosctp.Stack(udp_port=0, local_addresses=[self.host]) as self.client,
            aiosctp.Stack(udp_port=0, local_addresses=[self.host]) as self.server_stack,
        ):
            yield


class OverUdpOnUvloop(OverUdp):
    loop_factory = staticmethod(uvloop.new_event_loop)


class Simulated(Ours):
    loop_factory = VirtualTimeLoop
    host = "192.0.2.2"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        network = Network(seed=1, trace_packets=0)
        async with (
            aiosctp.Stack(network=network.host("client", "192.0.2.1")) as self.client,
            aiosctp.Stack(network=network.host("server", self.host)) as self.server_stack,
        ):
            yield


WORLDS = [
    pytest.param(Tcp, id="tcp"),
    pytest.param(OverUdp, id="udp"),
    pytest.param(OverUdpOnUvloop, id="udp-uvloop"),
    pytest.param(Simulated, id="simulated"),
]


class Recorder(asyncio.Protocol):
    """Keeps what it is called with, in `calls` and `received`, and what the contract forbids, in `violations`.

    While `is_calling`, the test is within a call of the transport's, which may call `pause_writing` only.
    """

    def __init__(self, *, keep_open: bool = False, is_paused: bool = False) -> None:
        self.keep_open = keep_open
        self.is_paused = is_paused
        self.calls: list[str] = []
        self.received = bytearray()
        self.violations: list[str] = []
        self.error: Exception | None = None
        self.is_calling = False
        self.fails_in: dict[str, Exception] = {}
        self._changed = asyncio.Event()

    # -- for the test --

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """A method of the transport's, from which nothing of the end may be called."""
        self.is_calling = True
        try:
            return method(*arguments)
        finally:
            self.is_calling = False

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def until_lost(self) -> None:
        await self.until(lambda: "lost" in self.calls)

    async def until_received(self, count: int) -> None:
        await self.until(lambda: len(self.received) >= count)

    async def until_writable(self) -> None:
        await self.until(lambda: not self.may_not_write)

    @property
    def may_not_write(self) -> bool:
        flow = [call for call in self.calls if call in ("pause", "resume")]
        return bool(flow) and flow[-1] == "pause"

    async def end(self) -> None:
        """Whatever the test has left open."""
        if self.calls:
            self.transport.abort()
            await self.until_lost()

    # -- what the transport calls --

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if (name == "made") != (len(self.calls) == 1):
            self.violations.append(f"{name} is not where connection_made belongs")
        if "lost" in self.calls[:-1]:
            self.violations.append(f"{name} after connection_lost")
        if self.is_calling and name != "pause":
            self.violations.append(f"{name} within a call")
        flow = [call for call in self.calls if call in ("pause", "resume")]
        if name in ("pause", "resume") and (name == "pause") != (len(flow) % 2 == 1):
            self.violations.append(f"{name} twice in a row")
        if name in ("data", "eof") and "eof" in self.calls[:-1]:
            self.violations.append(f"{name} after eof_received")
        if name in ("data", "eof") and not self._transport.is_reading():
            self.violations.append(f"{name} while reading is paused")
        self._changed.set()
        if name in self.fails_in:
            raise self.fails_in[name]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.is_paused:
            transport.pause_reading()
        self._called("made")

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._called("data")

    def eof_received(self) -> bool:
        self._called("eof")
        return self.keep_open

    def pause_writing(self) -> None:
        self._called("pause")

    def resume_writing(self) -> None:
        self._called("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self._called("lost")
