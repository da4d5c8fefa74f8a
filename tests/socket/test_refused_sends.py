"""Sends that are refused leave nothing behind; and those that look as if they should be, and are not."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.wire.chunks import Init
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    brings,
    ids,
    notification,
    one_to_one_pair,
    receive,
    refused,
    subscribe,
    switch_on,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

TOO_FAR = sctp.sctp_sndinfo(snd_sid=65000)


# -- the message that would open an association --


@pytest.mark.parametrize("type", [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET])
@virtual_time
async def test_a_first_message_that_is_refused_opens_nothing(type: int) -> None:
    """A13, I11: no INIT, no notification, no pending error; the next one opens the association."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.socket(type)
        subscribe(client, sctp.SCTP_ASSOC_CHANGE)
        with refused(errno.EINVAL):
            await client.sendv(b"x", [SERVER], sndinfo=TOO_FAR)
        await asyncio.sleep(5)
        assert not hosts.said(Init)
        assert not hosts.server.associations()
        assert client.getsockopt(sctp.SOL_SOCKET, sctp.SO_ERROR) == 0
        if type == sctp.SOCK_SEQPACKET:
            assert ids(client) == ()
        await client.sendv(b"y", [SERVER])
        assert await receive(server) == b"y"
        assert (await notification(client, sctp.sctp_assoc_change)).sac_state == sctp.SCTP_COMM_UP


@virtual_time
async def test_a_first_message_that_reached_nobody_can_be_followed_by_another() -> None:
    """A13, I03: ECONNREFUSED is told once, and the socket opens another association."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_one()
        listener = hosts.listening()
        await client.sendto(b"nobody", 0, (SERVER_HOST, PORT + 1))
        with refused(errno.ECONNREFUSED):
            await client.recv(ENOUGH)
        await client.sendto(b"somebody", 0, SERVER)
        server = await hosts.accept(listener)
        assert await server.recv(ENOUGH) == b"somebody"


# -- to all --


@virtual_time
async def test_sendall_leaves_out_an_association_that_is_being_opened() -> None:
    """D15: "all associations that are currently established on this socket"."""
    async with SocketHosts() as hosts:
        here = hosts.listening(sctp.SOCK_SEQPACKET)
        later = hosts.listening(sctp.SOCK_SEQPACKET, port=PORT + 1)
        client = hosts.one_to_many()
        await client.connectx([SERVER])
        hosts.drop = lambda packet: brings(packet, Init)
        client.setblocking(False)
        await client.connectx([(SERVER_HOST, PORT + 1)])
        await client.sendv(b"to all", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_SENDALL))
        hosts.drop = lambda packet: False
        assert await receive(here) == b"to all"
        await asyncio.sleep(20)
        assert len(ids(later)) == 1
        later.setblocking(False)
        with refused(errno.EAGAIN):
            await later.recvv(ENOUGH)


# -- records in parts --


@virtual_time
async def test_a_part_may_be_said_to_be_reliable() -> None:
    """B32, D03: a record in parts is reliable, and SCTP_PR_SCTP_NONE says no more."""
    async with one_to_one_pair() as pair:
        switch_on(pair.client, sctp.SCTP_EXPLICIT_EOR)
        reliable = sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_NONE)
        await pair.client.sendv(b"one ", prinfo=reliable)
        await pair.client.sendv(b"two", prinfo=reliable, sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOR))
        assert await receive(pair.server) == b"one two"


@virtual_time
async def test_msg_eor_of_one_call_says_nothing_of_the_next() -> None:
    """B32, D16: the flag of a call leaves the defaults of the socket as they are."""
    async with one_to_one_pair() as pair:
        switch_on(pair.client, sctp.SCTP_EXPLICIT_EOR)
        await pair.client.send(b"whole", sctp.MSG_EOR)
        await pair.client.send(b"half ")
        await asyncio.sleep(1)
        await pair.client.send(b"and half", sctp.MSG_EOR)
        assert await receive(pair.server) == b"whole"
        assert await receive(pair.server) == b"half and half"
        assert pair.client.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_DEFAULT_SNDINFO).snd_flags == 0


# -- ports and addresses --


@virtual_time
async def test_what_one_listener_left_unaccepted_does_not_count_for_the_next() -> None:
    """A07: on a port where accepted sockets live on."""
    async with SocketHosts() as hosts:
        first = hosts.listening(backlog=2)
        clients = [hosts.one_to_one() for _ in range(3)]
        await clients[0].connect(SERVER)
        kept = await hosts.accept(first)
        for client in clients[1:]:
            await client.connect(SERVER)
        await asyncio.sleep(1)
        await first.close()
        second = hosts.listening(backlog=1)
        await hosts.one_to_one().connect(SERVER)
        await hosts.accept(second)
        await clients[0].send(b"still here")
        assert await kept.recv(ENOUGH) == b"still here"


@virtual_time
async def test_an_ipv6_address_may_have_flow_information_and_scope() -> None:
    """A09: as in the standard library."""
    addresses = {"client_addresses": ("2001:db8::1",), "server_addresses": ("2001:db8::2",)}
    async with SocketHosts(**addresses) as hosts:
        server = hosts.socket(sctp.SOCK_SEQPACKET, hosts.server, sctp.AF_INET6)
        server.bind(("2001:db8::2", PORT, 0, 0))  # type: ignore[arg-type]  # wider than Address
        server.listen()
        client = hosts.socket(sctp.SOCK_STREAM, hosts.client, sctp.AF_INET6)
        await client.connect(("2001:db8::2", PORT, 0, 0))  # type: ignore[arg-type]  # as above
        await client.send(b"x")
        assert await receive(server) == b"x"


@virtual_time
async def test_a_port_is_shared_only_if_all_say_so() -> None:
    """I04: SCTP_REUSE_PORT of the second socket alone is not enough."""
    async with SocketHosts() as hosts:
        alone, wants_to_share = hosts.one_to_one(), hosts.one_to_one()
        alone.bind((CLIENT_HOST, 5555))
        switch_on(wants_to_share, sctp.SCTP_REUSE_PORT)
        with refused(errno.EADDRINUSE):
            wants_to_share.bind((CLIENT_HOST, 5555))


@virtual_time
async def test_localhost_can_be_bound() -> None:
    """A05: the one name that is no look-up."""
    async with SocketHosts(server_addresses=("127.0.0.1", SERVER_HOST)) as hosts:
        server = hosts.one_to_one(hosts.server)
        server.bind(("localhost", PORT))
        assert server.getsockname() == ("127.0.0.1", PORT)


# -- reliable, whatever the defaults --


@pytest.mark.parametrize("policy", [sctp.SCTP_PR_SCTP_NONE, sctp.SCTP_PR_SCTP_TTL])
@virtual_time
async def test_no_policy_and_no_time_override_any_default(policy: int) -> None:
    """D08, B14: of the config, which a stack's sockets begin with, and of the socket."""
    async with one_to_one_pair(config=aiosctp.Config(lifetime_s=0.1)) as pair:
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        await pair.client.sendv(b"kept", prinfo=sctp.sctp_prinfo(pr_policy=policy, pr_value=0))
        await pair.client.sendv(b"given up")
        await asyncio.sleep(10)
        pair.hosts.drop = lambda packet: False
        assert await receive(pair.server) == b"kept"
        pair.server.setblocking(False)
        await asyncio.sleep(10)
        with refused(errno.EAGAIN):
            await pair.server.recv(ENOUGH)
