"""Sockets on two simulated hosts, and what they said on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Packet
from aiosctp.wire.chunks import Chunk, Data, IData, decode_chunks
from aiosctp.wire.errors import DecodeError
from tests.surface.two_hosts import PORT, TwoHosts

CLIENT_HOST = "192.0.2.1"
SERVER_HOST = "192.0.2.2"
SERVER = (SERVER_HOST, PORT)
ENOUGH = 2**20
"""A buffer that holds any message of these tests."""

LIMIT_S = 3000.0
"""No test takes as long: one that waits for what never comes ends."""

T = TypeVar("T")
C = TypeVar("C", bound=Chunk)


class SocketHosts(TwoHosts):
    """Sockets are made on the stacks `client` and `server`; those that a test leaves open are closed at the end."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._open: list[SCTPSocket] = []
        self._limit = asyncio.timeout(LIMIT_S)

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        await super().__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        error = exc[1] if isinstance(exc[1], BaseException) else None
        for each in self._open:
            await each.close()
        await super().__aexit__(*exc)
        await self._limit.__aexit__(None if error is None else type(error), error, None)

    def own(self, socket: SCTPSocket) -> SCTPSocket:
        self._open.append(socket)
        return socket

    # -- sockets --

    def socket(self, type: int, stack: aiosctp.Stack | None = None, family: int = sctp.AF_INET) -> SCTPSocket:
        """On the client's stack unless told otherwise."""
        return self.own(SCTPSocket(family, type, sctp.IPPROTO_SCTP, stack=self.client if stack is None else stack))

    def one_to_one(self, stack: aiosctp.Stack | None = None) -> SCTPSocket:
        return self.socket(sctp.SOCK_STREAM, stack)

    def one_to_many(self, stack: aiosctp.Stack | None = None) -> SCTPSocket:
        return self.socket(sctp.SOCK_SEQPACKET, stack)

    def listening(self, type: int = sctp.SOCK_STREAM, *, port: int = PORT, backlog: int = 16) -> SCTPSocket:
        """On the server's stack."""
        socket = self.socket(type, self.server)
        socket.bind(("0.0.0.0", port))
        socket.listen(backlog)
        return socket

    async def clients(self, number: int) -> list[SCTPSocket]:
        """So many one-to-one sockets, each connected to `SERVER`, in this order."""
        clients = [self.one_to_one() for _ in range(number)]
        for client in clients:
            await client.connect(SERVER)
        return clients

    async def accept(self, listener: SCTPSocket) -> SCTPSocket:
        socket, _ = await listener.accept()
        return self.own(socket)

    # -- the wire --

    def said(self, kind: type[C], source: str | None = None) -> list[C]:
        """The chunks of a kind that were sent, by anybody or from this address."""
        return [
            chunk
            for packet in self.log
            if source in (None, packet.source)
            for chunk in chunks_of(packet)
            if isinstance(chunk, kind)
        ]

    def user_data(self, source: str | None = None) -> list[Data | IData]:
        return [
            chunk
            for packet in self.log
            if source in (None, packet.source)
            for chunk in chunks_of(packet)
            if isinstance(chunk, Data | IData)
        ]


def chunks_of(packet: Packet) -> list[Chunk]:
    return [chunk for chunk in decode_chunks(packet.data) if not isinstance(chunk, DecodeError)]


def brings(packet: Packet, *kinds: type) -> bool:
    """Whether a chunk of one of these kinds is in it."""
    return any(isinstance(chunk, kinds) for chunk in chunks_of(packet))


@dataclass
class Pair:
    """A client's socket, and the server's for the same association."""

    hosts: SocketHosts
    client: SCTPSocket
    server: SCTPSocket
    listener: SCTPSocket


@asynccontextmanager
async def one_to_one_pair(**options: Any) -> AsyncIterator[Pair]:
    """Two one-to-one sockets, connected."""
    async with SocketHosts(**options) as hosts:
        listener = hosts.listening()
        client = hosts.one_to_one()
        await client.connect(SERVER)
        yield Pair(hosts, client, await hosts.accept(listener), listener)


@dataclass
class ManyPair:
    """Two one-to-many sockets with an association between them, and what each calls it."""

    hosts: SocketHosts
    client: SCTPSocket
    server: SCTPSocket
    client_id: int
    server_id: int


@asynccontextmanager
async def one_to_many_pair(**options: Any) -> AsyncIterator[ManyPair]:
    async with SocketHosts(**options) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        client_id = await client.connectx([SERVER])
        await asyncio.sleep(1)
        (server_id,) = ids(server)
        yield ManyPair(hosts, client, server, client_id, server_id)


def ids(socket: SCTPSocket) -> tuple[int, ...]:
    """Of the associations that a one-to-many socket has."""
    return tuple(socket.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_GET_ASSOC_ID_LIST).gaids_assoc_id)


def switch_on(socket: SCTPSocket, *options: int) -> None:
    """Options that are an int: 1."""
    for option in options:
        socket.setsockopt(sctp.IPPROTO_SCTP, option, 1)


def subscribe(socket: SCTPSocket, *types: int) -> None:
    """To these notifications, of associations that live and of those to come."""
    for type in types:
        event = sctp.sctp_event(se_assoc_id=sctp.SCTP_ALL_ASSOC, se_type=type, se_on=1)
        socket.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EVENT, event)


async def receive(socket: SCTPSocket, bufsize: int = ENOUGH) -> bytes:
    """The next thing to read, which must be a whole message."""
    received = await socket.recvv(bufsize)
    assert received.msg_flags == sctp.MSG_EOR, received
    assert isinstance(received.data, bytes)
    return received.data


async def notification(socket: SCTPSocket, kind: type[T]) -> T:
    """The next thing to read, which must be a notification of this kind."""
    received = await socket.recvv(ENOUGH)
    assert received.msg_flags == sctp.MSG_NOTIFICATION | sctp.MSG_EOR, received
    assert isinstance(received.data, kind), received
    return received.data


async def fill(socket: SCTPSocket, address: tuple[str, int]) -> int:
    """Send messages of 1000 bytes until no room comes any more, as when the peer does not read; how many were taken."""
    taken = 0
    socket.setblocking(False)
    while True:
        before = taken
        with suppress(BlockingIOError):
            while taken < 1000:
                await socket.sendto(bytes(1000), 0, address)
                taken += 1
        if taken == before:
            socket.setblocking(True)
            return taken
        await asyncio.sleep(5)


@contextmanager
def refused(number: int) -> Iterator[None]:
    """What is inside must raise OSError with this errno, and with words."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the errno is what is asked
        yield
    assert caught.value.errno == number, repr(caught.value)
    assert caught.value.strerror


async def never_ends(task: asyncio.Task[Any], seconds: float = 20) -> None:
    """The task waits, and goes on waiting."""
    await asyncio.sleep(seconds)
    assert not task.done(), task


def both_ends_quiet(hosts: SocketHosts) -> bool:
    """Whether neither stack has an association left."""
    return not hosts.client.associations() and not hosts.server.associations()
