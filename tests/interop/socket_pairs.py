"""aiosctp's sockets (RFC 6458) in this process, and a usrsctp peer, whichever of the two connects."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, TypeVar

import aiosctp
from aiosctp.socket import (
    AF_INET,
    IPPROTO_SCTP,
    MSG_NOTIFICATION,
    SCTP_EVENT,
    SCTP_RECVRCVINFO,
    SCTP_REMOTE_UDP_ENCAPS_PORT,
    SO_LINGER,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    Received,
    SCTPSocket,
    linger,
    sctp_event,
    sctp_udpencaps,
)
from tests.interop.pairs import CONNECT_TIMEOUT_S
from tests.interop.processes import Peer
from tests.interop.relay import Gate, Relay
from tests.interop.usrsctp import SCTP_PORT, Usrsctp, free_udp_port

HOST = "127.0.0.1"
READ_TIMEOUT_S = 10.0
Notification = TypeVar("Notification")


class SocketPair(NamedTuple):
    sock: SCTPSocket
    peer: Peer


def set_up(sock: SCTPSocket, *event_types: int) -> None:
    """Tell of each message how it came, and of these events."""
    sock.setsockopt(IPPROTO_SCTP, SCTP_RECVRCVINFO, 1)
    for event_type in event_types:
        sock.setsockopt(IPPROTO_SCTP, SCTP_EVENT, sctp_event(se_type=event_type, se_on=1))
    sock.setsockopt(SOL_SOCKET, SO_LINGER, linger(l_onoff=1, l_linger=10))


def peer_is_at(sock: SCTPSocket, udp_port: int) -> None:
    """For the associations to come."""
    sock.setsockopt(IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, sctp_udpencaps(sue_port=udp_port))


@contextlib.asynccontextmanager
async def one_to_many(family: int = AF_INET, *hosts: str) -> AsyncIterator[tuple[SCTPSocket, int]]:
    """A socket of its own stack on loopback, and its UDP port."""
    udp_port = free_udp_port()
    async with (
        aiosctp.Stack(udp_port=udp_port, local_addresses=hosts or [HOST]) as stack,
        SCTPSocket(family, SOCK_SEQPACKET, IPPROTO_SCTP, stack=stack) as sock,
    ):
        yield sock, udp_port


@contextlib.asynccontextmanager
async def connected(
    usrsctp: Usrsctp,
    connector: str,
    *,
    prepare: Callable[[SCTPSocket], None] = set_up,
    gate: Gate | None = None,
    **peer_options: object,
) -> AsyncIterator[SocketPair]:
    """A one-to-one socket with an association: that which connected, or that which was accepted.

    prepare: sets the options of the socket that connects or listens. gate: asked of every packet; there aiosctp is the
    first peer. The end of the block closes the socket, gracefully.
    """
    our_udp_port, peer_udp_port = free_udp_port(), free_udp_port()
    async with contextlib.AsyncExitStack() as stack:
        port_for_us, port_for_peer = peer_udp_port, our_udp_port
        if gate is not None:
            relay = await stack.enter_async_context(Relay(our_udp_port, peer_udp_port, gate=gate))
            port_for_us, port_for_peer = relay.port_for_first, relay.port_for_second
        ours = await stack.enter_async_context(aiosctp.Stack(udp_port=our_udp_port, local_addresses=[HOST]))
        sock = await stack.enter_async_context(SCTPSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, stack=ours))
        prepare(sock)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if connector == "aiosctp":
                peer = await usrsctp.server(udp_port=peer_udp_port, **peer_options)
                peer_is_at(sock, port_for_us)
                await sock.connect((HOST, SCTP_PORT))
            else:
                sock.bind((HOST, SCTP_PORT))
                sock.listen(1)
                peer = await usrsctp.client(udp_port=peer_udp_port, remote_udp_port=port_for_peer, **peer_options)
                sock, _ = await sock.accept()
                await stack.enter_async_context(sock)
        yield SocketPair(sock, peer)


async def message(sock: SCTPSocket) -> Received:
    """The next message; notifications before it are passed over."""
    async with asyncio.timeout(READ_TIMEOUT_S):
        while (received := await sock.recvv(2**20)).msg_flags & MSG_NOTIFICATION:
            pass
    return received


async def notification(sock: SCTPSocket, kind: type[Notification]) -> Notification:
    """The next notification of this kind; what is before it is passed over."""
    async with asyncio.timeout(READ_TIMEOUT_S):
        while True:
            received = await sock.recvv(2**20)
            if received.msg_flags & MSG_NOTIFICATION and isinstance(received.data, kind):
                return received.data
            assert received.data, f"the association ended without {kind.__name__}"
