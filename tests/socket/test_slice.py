"""One message through each style of the sockets API, and back."""

from __future__ import annotations

import errno

import pytest

from aiosctp.socket import SHUT_WR, SOCK_SEQPACKET, SOCK_STREAM, SCTPSocket
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time


@virtual_time
async def test_one_to_one() -> None:
    """A01: bind, listen, accept, connect, send, recv, shutdown and close, as with TCP."""
    async with (
        TwoHosts() as hosts,
        SCTPSocket(stack=hosts.server) as listener,
        SCTPSocket(stack=hosts.client) as client,
    ):
        listener.bind(("", 7777))
        listener.listen(5)
        await client.connect((hosts.server_host.addresses[0], 7777))
        accepted, address = await listener.accept()
        assert address == (hosts.client_host.addresses[0], client.getsockname()[1])
        async with accepted:
            assert await client.send(b"hello") == 5
            assert await accepted.recv(3) == b"hel"
            assert await accepted.recv(100) == b"lo"
            await accepted.send(b"world")
            client.shutdown(SHUT_WR)
            assert await client.recv(100) == b"world"
            assert await client.recv(100) == b""
            assert await accepted.recv(100) == b""


@virtual_time
async def test_one_to_many() -> None:
    """A02: one socket, implicit set-up, no accept; an association has its own socket after peel-off."""
    async with TwoHosts() as hosts:
        address = hosts.server_host.addresses[0], 7777
        async with (
            SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.server) as server,
            SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.client) as client,
        ):
            server.bind(address)
            server.listen(1)
            await client.sendto(b"hello", 0, address)
            data, peer = await server.recvfrom(100)
            assert data == b"hello"
            await server.sendto(b"world", 0, peer)
            assert await client.recvfrom(100) == (b"world", address)
            (assoc_id,) = client.associations
            async with client.peeloff(assoc_id) as branch:
                assert branch.type == SOCK_STREAM
                await server.sendto(b"again", 0, peer)
                assert await branch.recv(100) == b"again"


@virtual_time
async def test_refused() -> None:
    """I03: nobody listens."""
    async with TwoHosts() as hosts, SCTPSocket(stack=hosts.client) as client:
        with pytest.raises(ConnectionRefusedError) as raised:
            await client.connect((hosts.server_host.addresses[0], 7777))
        assert raised.value.errno == errno.ECONNREFUSED
