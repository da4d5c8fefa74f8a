"""`close` and `shutdown` (RFC 6458 §4.1.6, §4.1.7): SCTP has no half-closed state."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.chunks import Abort, Shutdown
from tests.socket.hosts import (
    CLIENT_HOST,
    SERVER,
    SocketHosts,
    both_ends_quiet,
    notification,
    one_to_one_pair,
    receive,
    refused,
    subscribe,
)
from tests.surface.virtual_time import virtual_time

# -- close and shutdown --


@virtual_time
async def test_close_shuts_down_gracefully_and_the_rest_arrives() -> None:
    """A20: what was sent is delivered, then the peer reads b"", and nobody aborts."""
    async with one_to_one_pair() as pair:
        for number in range(50):
            await pair.client.send(b"%d" % number)
        await pair.client.close()
        assert [await pair.server.recv(100) for _ in range(52)] == [b"%d" % number for number in range(50)] + [b"", b""]
        await asyncio.sleep(1)
        assert pair.hosts.said(Shutdown, CLIENT_HOST)
        assert not pair.hosts.said(Abort)
        assert both_ends_quiet(pair.hosts)


@virtual_time
async def test_close_returns_at_once() -> None:
    """A20: the shutdown goes on in the background, also with a peer that does not answer."""
    async with one_to_one_pair() as pair:
        loop = asyncio.get_running_loop()
        pair.hosts.drop = lambda packet: True
        await pair.client.send(b"on its way")
        began = loop.time()
        await pair.client.close()
        assert loop.time() == began
        pair.hosts.drop = lambda packet: False
        assert await pair.server.recv(100) == b"on its way"
        assert await pair.server.recv(100) == b""


CALLS: dict[str, Callable[[SCTPSocket], Any]] = {
    "bind": lambda s: s.bind(("0.0.0.0", 0)),
    "bindx": lambda s: s.bindx([("0.0.0.0", 0)], sctp.SCTP_BINDX_ADD_ADDR),
    "listen": lambda s: s.listen(1),
    "accept": lambda s: s.accept(),
    "connect": lambda s: s.connect(SERVER),
    "connectx": lambda s: s.connectx([SERVER]),
    "send": lambda s: s.send(b"x"),
    "sendto": lambda s: s.sendto(b"x", 0, SERVER),
    "sendmsg": lambda s: s.sendmsg([b"x"]),
    "sendv": lambda s: s.sendv(b"x"),
    "sctp_sendmsg": lambda s: s.sctp_sendmsg(b"x", None, 0, 0, 0, 0, 0),
    "sctp_send": lambda s: s.sctp_send(b"x", sctp.sctp_sndrcvinfo(), 0),
    "sctp_sendx": lambda s: s.sctp_sendx(b"x", [SERVER], sctp.sctp_sndrcvinfo(), 0),
    "recv": lambda s: s.recv(10),
    "recvfrom": lambda s: s.recvfrom(10),
    "recvmsg": lambda s: s.recvmsg(10),
    "recvv": lambda s: s.recvv(10),
    "sctp_recvmsg": lambda s: s.sctp_recvmsg(10),
    "shutdown": lambda s: s.shutdown(sctp.SHUT_RDWR),
    "setsockopt": lambda s: s.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_NODELAY, 1),
    "getsockopt": lambda s: s.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_NODELAY),
    "opt_info": lambda s: s.opt_info(0, sctp.SCTP_RTOINFO, sctp.sctp_rtoinfo()),
    "getpaddrs": lambda s: s.getpaddrs(),
    "getladdrs": lambda s: s.getladdrs(),
    "getpeername": lambda s: s.getpeername(),
    "getsockname": lambda s: s.getsockname(),
    "peeloff": lambda s: s.peeloff(3),
    "setblocking": lambda s: s.setblocking(False),
}


@pytest.mark.parametrize("type", [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET])
@pytest.mark.parametrize("name", CALLS)
@virtual_time
async def test_no_call_works_on_a_closed_socket(name: str, type: int) -> None:
    """A20: "no further socket operations will succeed on that descriptor": EBADF, and nothing is sent."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        socket = hosts.socket(type)
        await socket.connect(SERVER)
        await socket.close()
        await asyncio.sleep(1)
        hosts.log.clear()
        with refused(errno.EBADF):
            result = CALLS[name](socket)
            if result is not None:
                await result
        await socket.close()
        assert not hosts.log


@virtual_time
async def test_shut_wr_shuts_the_association_down_and_leaves_the_socket_readable() -> None:
    """A21: no half close: the SHUTDOWN goes out, send is refused, and what was received can be read with the events."""
    async with one_to_one_pair() as pair:
        subscribe(pair.client, sctp.SCTP_ASSOC_CHANGE)
        await pair.server.send(b"undelivered")
        await asyncio.sleep(1)
        pair.client.shutdown(sctp.SHUT_WR)
        with refused(errno.ESHUTDOWN):
            await pair.client.send(b"too late")
        await asyncio.sleep(1)
        assert pair.hosts.said(Shutdown, CLIENT_HOST)
        assert both_ends_quiet(pair.hosts)
        assert await receive(pair.client) == b"undelivered"
        change = await notification(pair.client, sctp.sctp_assoc_change)
        assert change.sac_state == sctp.SCTP_SHUTDOWN_COMP
        assert await pair.client.recv(100) == b""
        assert await pair.server.recv(100) == b""


@virtual_time
async def test_shut_wr_delivers_what_was_queued_before() -> None:
    """A21: a graceful shutdown: the peer has read everything when the association ends."""
    async with one_to_one_pair() as pair:
        for number in range(20):
            await pair.client.send(b"%d" % number)
        pair.client.shutdown(sctp.SHUT_WR)
        assert [await pair.server.recv(100) for _ in range(21)] == [b"%d" % number for number in range(20)] + [b""]


@virtual_time
async def test_shut_rd_ends_reading_and_says_nothing_to_the_peer() -> None:
    """A21: "Disables further receive operations. No SCTP protocol action is taken." """
    async with one_to_one_pair() as pair:
        reading = asyncio.create_task(pair.client.recv(100))
        await asyncio.sleep(1)
        pair.hosts.log.clear()
        pair.client.shutdown(sctp.SHUT_RD)
        assert await reading == b""
        assert await pair.client.recv(100) == b""
        await asyncio.sleep(1)
        assert not pair.hosts.log
        await pair.client.send(b"writing goes on")
        assert await pair.server.recv(100) == b"writing goes on"


@virtual_time
async def test_shut_rdwr_ends_both() -> None:
    """A21: no reading, no writing, and the association is shut down."""
    async with one_to_one_pair() as pair:
        await pair.server.send(b"unwanted")
        await asyncio.sleep(1)
        pair.client.shutdown(sctp.SHUT_RDWR)
        assert await pair.client.recv(100) == b""
        with refused(errno.ESHUTDOWN):
            await pair.client.send(b"x")
        assert await pair.server.recv(100) == b""
        await asyncio.sleep(1)
        assert both_ends_quiet(pair.hosts)
        assert not pair.hosts.said(Abort)


@virtual_time
async def test_an_unknown_way_to_shut_down_is_einval() -> None:
    """A21, I05: and nothing is shut."""
    async with one_to_one_pair() as pair:
        for how in (3, -1, "SHUT_WR"):
            with refused(errno.EINVAL):
                pair.client.shutdown(how)  # type: ignore[arg-type]  # wrong on purpose
        await pair.client.send(b"open")
        assert await pair.server.recv(10) == b"open"
