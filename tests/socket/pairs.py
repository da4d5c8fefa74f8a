"""Sockets that are associated, on the simulated network: one-to-one, and one-to-many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from tests.surface.two_hosts import PORT, TwoHosts

SERVER = ("192.0.2.2", PORT)
TWO_ADDRESSES = ("192.0.2.2", "192.0.2.3")
CLIENT_PORT = 5000
LONG = 1 << 20
"""A buffer that holds every message of the tests."""

Prepare = Callable[[SCTPSocket], object]


def as_it_is(sock: SCTPSocket) -> None:
    """No preparation."""


def one_to_one(hosts: TwoHosts, prepare: Prepare = as_it_is, *, family: int = sctp.AF_INET) -> SCTPSocket:
    """A client's socket that is not connected."""
    sock = SCTPSocket(family, sctp.SOCK_STREAM, stack=hosts.client)
    prepare(sock)
    return sock


def one_to_many(hosts: TwoHosts, prepare: Prepare = as_it_is, *, family: int = sctp.AF_INET) -> SCTPSocket:
    """A client's socket without associations."""
    sock = SCTPSocket(family, sctp.SOCK_SEQPACKET, stack=hosts.client)
    prepare(sock)
    return sock


def listener(hosts: TwoHosts, prepare: Prepare = as_it_is, *, type: int = sctp.SOCK_STREAM) -> SCTPSocket:
    """A socket of the server that listens on `PORT`; prepared before that."""
    sock = SCTPSocket(sctp.AF_INET, type, stack=hosts.server)
    prepare(sock)
    sock.bind(("0.0.0.0", PORT))
    sock.listen(5)
    return sock


@asynccontextmanager
async def connected(
    *, client: Prepare = as_it_is, server: Prepare = as_it_is, **options: Any
) -> AsyncIterator[tuple[TwoHosts, SCTPSocket, SCTPSocket]]:
    """A one-to-one association: the client's socket, and the one that the server accepted.

    client: prepares the one before it connects; server: the one that listens.
    """
    async with TwoHosts(**options) as hosts, listener(hosts, server) as listening, one_to_one(hosts, client) as ours:
        await ours.connect(SERVER)
        theirs, _ = await listening.accept()
        async with theirs:
            yield hosts, ours, theirs


@asynccontextmanager
async def many(
    *, client: Prepare = as_it_is, server: Prepare = as_it_is, **options: Any
) -> AsyncIterator[tuple[TwoHosts, SCTPSocket, SCTPSocket, int]]:
    """One-to-many sockets of the client and the server with one association, and its id at the client.

    client, server: prepare them before that.
    """
    async with TwoHosts(**options) as hosts, AsyncExitStack() as stack:
        theirs = await stack.enter_async_context(listener(hosts, server, type=sctp.SOCK_SEQPACKET))
        ours = await stack.enter_async_context(one_to_many(hosts, client))
        assoc_id = await ours.connectx([SERVER])
        yield hosts, ours, theirs, assoc_id


def ids(sock: SCTPSocket) -> list[int]:
    """Of the associations that a one-to-many socket has (RFC 6458 §8.2.6)."""
    return list(sock.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_GET_ASSOC_ID_LIST).gaids_assoc_id)


def setting(option: int, value: object, level: int = sctp.IPPROTO_SCTP) -> Prepare:
    """A preparation: this option, set to this value."""
    return lambda sock: sock.setsockopt(level, option, value)


def several(*preparations: Prepare) -> Prepare:
    """One preparation after the other."""

    def prepare(sock: SCTPSocket) -> None:
        for each in preparations:
            each(sock)

    return prepare


def subscribed(*types: int) -> Prepare:
    """A preparation: these notifications, of associations to come."""
    return several(
        *(
            setting(sctp.SCTP_EVENT, sctp.sctp_event(se_assoc_id=sctp.SCTP_FUTURE_ASSOC, se_type=type, se_on=1))
            for type in types
        )
    )


async def notification(sock: SCTPSocket) -> Any:
    """What is read next, which must be a notification, whole."""
    received = await sock.recvv(LONG)
    assert received.msg_flags == sctp.MSG_NOTIFICATION | sctp.MSG_EOR, received
    return received.data


async def data(sock: SCTPSocket) -> bytes:
    """What is read next, which must be a whole message."""
    received = await sock.recvv(LONG)
    assert received.msg_flags == sctp.MSG_EOR, received
    assert isinstance(received.data, bytes)
    return received.data
