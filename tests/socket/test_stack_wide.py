"""What a stack says for all of its sockets: its policy of ports, its variables."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

import aiosctp
from aiosctp.socket import SCTP_BINDX_ADD_ADDR, SCTP_SENDALL, SOCK_SEQPACKET, SCTPSocket, sctp_sndinfo
from aiosctp.wire.chunks import Init, decode_chunks
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

SERVER = "192.0.2.2"


def by_bind(sock: SCTPSocket, port: int) -> None:
    sock.bind(("", port))


def by_bindx(sock: SCTPSocket, port: int) -> None:
    sock.bindx([(SERVER, port)], SCTP_BINDX_ADD_ADDR)


@pytest.mark.parametrize("bind", [by_bind, by_bindx])
@virtual_time
async def test_a_reserved_port_is_for_the_superuser_where_the_policy_says_so(
    bind: Callable[[SCTPSocket, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A44, I06: EPERM, and the socket is as it was: it may have another port."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    async with TwoHosts() as hosts, SCTPSocket(stack=hosts.server) as sock:
        hosts.server.port_policy = aiosctp.privileged_ports
        with pytest.raises(PermissionError) as caught:
            bind(sock, 1023)
        assert caught.value.errno == errno.EPERM
        bind(sock, 1024)
        sock.listen()
        async with SCTPSocket(stack=hosts.client) as client:
            await client.connect((SERVER, 1024))


@virtual_time
async def test_a_socket_that_was_inherited_accepts_on_its_port_and_opens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A44: "accepting new associations might be permitted, but opening new associations should not be permitted"."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    async with (
        TwoHosts() as hosts,
        SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.server) as server,
        SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.client) as client,
    ):
        hosts.server.port_policy = aiosctp.privileged_ports
        server.bind(("", 7))
        server.listen()
        client.bind(("", 5000))
        client.listen()
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        await client.sendto(b"opened by the client", 0, (SERVER, 7))
        data, peer = await server.recvfrom(100)
        assert data == b"opened by the client"
        await server.sendto(b"an association that is there", 0, peer)
        assert (await client.recvfrom(100))[0] == b"an association that is there"
        for open_another in (server.connect((peer[0], 5001)), server.sendto(b"x", 0, (peer[0], 5001))):
            with pytest.raises(PermissionError) as caught:
                await open_another
            assert caught.value.errno == errno.EPERM


@virtual_time
async def test_a_port_that_the_stack_chooses_is_asked_for_by_nobody() -> None:
    """A44: also when the socket that has it opens its association later."""
    async with TwoHosts() as hosts, await hosts.serve():
        hosts.client.port_policy = lambda port: False
        for bound in (False, True):
            async with SCTPSocket(stack=hosts.client) as sock:
                if bound:
                    sock.bind(("", 0))
                await sock.connect((SERVER, PORT))
        with pytest.raises(PermissionError):
            await hosts.connect(local_port=5000)


@virtual_time
async def test_a_socket_begins_with_what_its_stack_has_then() -> None:
    """G23, G37: the level of interleaving, and what its INIT asks for; one that was made before keeps its own."""
    async with TwoHosts() as hosts, await hosts.serve():
        before = SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.client)
        hosts.client.sysctl["net.inet.sctp.default_frag_interleave"] = 2
        hosts.client.sysctl["net.inet.sctp.outgoing_streams"] = 4
        after = SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.client)
        assert [before.fragment_interleave, after.fragment_interleave] == [1, 2]
        for sock in (before, after):
            async with sock:
                await sock.connect((SERVER, PORT))
        chunks = [chunk for packet in hosts.log for chunk in decode_chunks(packet.data)]
        first, second = (chunk.outbound_streams for chunk in chunks if isinstance(chunk, Init))
        assert first != second == 4


@virtual_time
async def test_a_message_for_all_may_be_limited() -> None:
    """G15: EMSGSIZE, and none has it; a message for one is not meant."""
    async with TwoHosts() as hosts, SCTPSocket(type=SOCK_SEQPACKET, stack=hosts.client) as sock:
        for port in (7001, 7002):
            await aiosctp.serve(hosts.keep, None, port, stack=hosts.server)
            await sock.connect((SERVER, port))
        theirs = [await hosts.accepted.get() for _ in range(2)]
        to_all = sctp_sndinfo(snd_flags=SCTP_SENDALL)
        await sock.sendv(bytes(5000), sndinfo=to_all)
        hosts.client.sysctl["net.inet.sctp.sendall_limit"] = 100
        with pytest.raises(OSError, match="sendall_limit") as caught:
            await sock.sendv(bytes(101), sndinfo=to_all)
        assert caught.value.errno == errno.EMSGSIZE
        await sock.sendv(bytes(100), sndinfo=to_all)
        first_id = min(sock.associations)
        await sock.sendv(bytes(101), sndinfo=sctp_sndinfo(snd_assoc_id=first_id))
        for association, sizes in zip(theirs, ([5000, 100, 101], [5000, 100]), strict=True):
            assert [len((await association.receive()).data) for _ in sizes] == sizes


@virtual_time
async def test_a_one_to_one_socket_may_open_its_association_by_sending() -> None:
    """F08: which `aiosctp.features()` says."""
    async with TwoHosts() as hosts, await hosts.serve(), SCTPSocket(stack=hosts.client) as sock:
        await sock.sendto(b"without connect", 0, (SERVER, PORT))
        theirs = await hosts.accepted.get()
        assert (await theirs.receive()).data == b"without connect"
        assert (aiosctp.Feature.HAVE_SCTP_NOCONNECT in aiosctp.features()) is True
