"""Whole programs: one for TCP, those of the source documents, and what streams are used for."""

from __future__ import annotations

import asyncio
import socket as standard
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Packet
from aiosctp.wire.chunks import Abort, Shutdown
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    both_ends_quiet,
    notification,
    one_to_one_pair,
    receive,
    subscribe,
    switch_on,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

# -- in the place of TCP --


class Stream(Protocol):
    """What the program below asks of a socket, TCP's or ours."""

    async def send(self, data: bytes) -> int: ...
    async def recv(self, bufsize: int) -> bytes: ...
    async def close(self) -> None: ...


async def echo(connection: Stream) -> None:
    while data := await connection.recv(100):
        await connection.send(data)
    await connection.close()


async def ask(connection: Stream) -> list[bytes]:
    answers = []
    for question in (b"one", b"two", b"three"):
        await connection.send(question)
        answers.append(await connection.recv(100))
    await connection.close()
    return answers


class Tcp:
    """The standard library's socket as coroutines."""

    def __init__(self, socket: standard.socket) -> None:
        socket.setblocking(False)
        self.socket = socket

    async def send(self, data: bytes) -> int:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)
        return len(data)

    async def recv(self, bufsize: int) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.socket, bufsize)

    async def close(self) -> None:
        self.socket.close()


@asynccontextmanager
async def tcp_pair() -> AsyncIterator[tuple[Stream, Stream]]:
    with standard.create_server(("127.0.0.1", 0)) as listener:
        client = standard.create_connection(listener.getsockname())
        server, _ = listener.accept()
    yield Tcp(client), Tcp(server)


@asynccontextmanager
async def sctp_pair() -> AsyncIterator[tuple[Stream, Stream]]:
    async with (
        aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"]) as far,
        aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"]) as near,
        SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=far) as listener,
        SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=near) as client,
    ):
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        encaps = sctp.sctp_udpencaps(sue_port=far.udp_port)
        client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_REMOTE_UDP_ENCAPS_PORT, encaps)
        await client.connect(listener.getsockname())
        server, _ = await listener.accept()
        async with server:
            yield client, server


@pytest.mark.parametrize("connected", [tcp_pair, sctp_pair])
async def test_a_program_for_tcp_needs_only_another_socket(
    connected: Callable[[], AbstractAsyncContextManager[tuple[Stream, Stream]]],
) -> None:
    """A46: the same echo server and client run over TCP and over SCTP, here on real sockets."""
    async with asyncio.timeout(20), connected() as (client, server):
        serving = asyncio.create_task(echo(server))
        assert await ask(client) == [b"one", b"two", b"three"]
        await serving


# -- one UDP port --


@virtual_time
async def test_everything_goes_over_one_udp_port() -> None:
    """A47: a firewall that does not know SCTP needs one rule: UDP 9899, whatever SCTP ports the sockets have."""
    async with SocketHosts() as hosts:
        listeners = [hosts.listening(port=PORT + number) for number in range(3)]
        for number, listener in enumerate(listeners):
            client = hosts.one_to_one()
            await client.connect((SERVER_HOST, PORT + number))
            server = await hosts.accept(listener)
            await client.send(b"x")
            assert await server.recv(10) == b"x"
            await client.close()
        await asyncio.sleep(1)
        assert {(packet.source_port, packet.destination_port) for packet in hosts.log} == {(9899, 9899)}


# -- what streams are for --


@virtual_time
async def test_objects_on_streams_of_their_own_do_not_wait_for_each_other() -> None:
    """A48: as HTTP on streams: an object whose packet is lost keeps the other objects not waiting."""
    async with one_to_one_pair() as pair:
        switch_on(pair.client, sctp.SCTP_RECVRCVINFO)
        for stream, path in enumerate((b"/index", b"/picture", b"/style")):
            await pair.client.sendv(b"GET " + path, sndinfo=sctp.sctp_sndinfo(snd_sid=stream))
        lost: list[Packet] = []

        def lose_one(packet: Packet) -> bool:
            if b"contents of /index" in packet.data and not lost:
                lost.append(packet)
                return True
            return False

        pair.hosts.drop = lose_one
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        for _ in range(3):
            received = await pair.server.recvv(ENOUGH)
            assert received.rcvinfo is not None
            assert isinstance(received.data, bytes)
            answer = b"contents of " + received.data.removeprefix(b"GET ")
            await pair.server.sendv(answer, sndinfo=sctp.sctp_sndinfo(snd_sid=received.rcvinfo.rcv_sid))
            await asyncio.sleep(0.001)  # a packet each
        answers = {}
        for _ in range(3):
            received = await pair.client.recvv(ENOUGH)
            assert received.rcvinfo is not None
            answers[received.rcvinfo.rcv_sid] = received.data
        assert list(answers) == [1, 2, 0]
        assert answers[0] == b"contents of /index"


@virtual_time
async def test_control_and_data_share_an_association() -> None:
    """A48: as FTP on streams: a command is answered while a file of many packets is under way, and none is lost."""
    async with one_to_one_pair() as pair:
        switch_on(pair.client, sctp.SCTP_RECVRCVINFO)
        await pair.server.sendv(bytes(500_000), sndinfo=sctp.sctp_sndinfo(snd_sid=1))
        await pair.client.send(b"STAT")
        assert await receive(pair.server) == b"STAT"
        await pair.server.sendv(b"211 under way", sndinfo=sctp.sctp_sndinfo(snd_sid=0))
        streams = []
        file_bytes = 0
        while file_bytes < 500_000 or 0 not in streams:
            received = await pair.client.recvv(ENOUGH)
            assert received.rcvinfo is not None
            streams.append(received.rcvinfo.rcv_sid)
            if received.rcvinfo.rcv_sid == 1:
                file_bytes += len(received.data) if isinstance(received.data, bytes) else 0
        assert file_bytes == 500_000
        assert streams.count(0) == 1


@virtual_time
async def test_some_frames_are_more_reliable_than_others() -> None:
    """A48: as MPEG on streams: in bad times late P-frames are given up, I-frames all arrive."""
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        late = sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=100)
        for number in range(6):
            if number % 3 == 0:
                await pair.client.sendv(b"I%d" % number, sndinfo=sctp.sctp_sndinfo(snd_sid=0))
            else:
                await pair.client.sendv(b"P%d" % number, sndinfo=sctp.sctp_sndinfo(snd_sid=1), prinfo=late)
        await asyncio.sleep(3)
        pair.hosts.drop = lambda packet: False
        await asyncio.sleep(20)
        await pair.client.sendv(b"P6", sndinfo=sctp.sctp_sndinfo(snd_sid=1), prinfo=late)
        got = [(await pair.server.recvv(ENOUGH)).data for _ in range(3)]
        assert got == [b"I0", b"I3", b"P6"]


# -- the programs of the appendices --


@virtual_time
async def test_the_one_to_one_echo_server_of_the_appendix() -> None:
    """A49: draft appendix A: every event on, data io events on, echo with the stream and ppid it came with."""

    async def serve(listener: SCTPSocket, log: list[str]) -> None:
        socket, _ = await listener.accept()
        async with socket:
            while True:
                data, address, sinfo, flags = await socket.sctp_recvmsg(ENOUGH)
                if flags & sctp.MSG_NOTIFICATION:
                    log.append(type(data).__name__)
                elif not flags & sctp.MSG_EOR:
                    return
                else:
                    assert isinstance(data, bytes)
                    assert sinfo is not None
                    await socket.sctp_sendmsg(data, address, sinfo.sinfo_ppid, 0, sinfo.sinfo_stream, 0, 0)

    async with SocketHosts() as hosts:
        listener = hosts.listening(backlog=1)
        events = sctp.sctp_event_subscribe(
            sctp_data_io_event=1,
            sctp_association_event=1,
            sctp_address_event=1,
            sctp_send_failure_event=1,
            sctp_peer_error_event=1,
            sctp_shutdown_event=1,
        )
        listener.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EVENTS, events)
        log: list[str] = []
        serving = asyncio.create_task(serve(listener, log))
        client = hosts.one_to_one()
        await client.connect(SERVER)
        switch_on(client, sctp.SCTP_RECVRCVINFO)
        for number in range(5):
            await client.sendv(b"%d" % number, sndinfo=sctp.sctp_sndinfo(snd_sid=number, snd_ppid=number * 10))
            received = await client.recvv(ENOUGH)
            assert received.rcvinfo is not None
            assert (received.data, received.rcvinfo.rcv_sid, received.rcvinfo.rcv_ppid) == (
                b"%d" % number,
                number,
                number * 10,
            )
        await client.close()
        await serving
        assert log[0] == "sctp_assoc_change"
        assert log[-2:] == ["sctp_shutdown_event", "sctp_assoc_change"]


@virtual_time
async def test_the_one_to_many_echo_server_of_the_appendix() -> None:
    """A49, A19: draft appendix B: all events on, autoclose after 2 idle seconds, by association id."""

    async def serve(socket: SCTPSocket, log: list[tuple[int, int]]) -> None:
        while True:
            received = await socket.recvv(ENOUGH)
            if isinstance(received.data, sctp.sctp_assoc_change):
                log.append((received.data.sac_state, received.data.sac_assoc_id))
            elif not received.msg_flags & sctp.MSG_NOTIFICATION:
                assert received.rcvinfo is not None
                info = sctp.sctp_sndinfo(snd_sid=received.rcvinfo.rcv_sid, snd_assoc_id=received.rcvinfo.rcv_assoc_id)
                await socket.sendv(received.data, sndinfo=info)

    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        subscribe(server, sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_PEER_ADDR_CHANGE, sctp.SCTP_SHUTDOWN_EVENT)
        switch_on(server, sctp.SCTP_RECVRCVINFO)
        server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_AUTOCLOSE, 2)
        log: list[tuple[int, int]] = []
        serving = asyncio.create_task(serve(server, log))
        client = hosts.one_to_many()
        subscribe(client, sctp.SCTP_SHUTDOWN_EVENT)
        for number in range(4):
            await client.sendto(b"%d" % number, 0, SERVER)
            assert await receive(client) == b"%d" % number
            await asyncio.sleep(1.5)  # not idle for long enough
        assert not hosts.said(Shutdown)
        await notification(client, sctp.sctp_shutdown_event)
        await asyncio.sleep(1)
        assert both_ends_quiet(hosts)
        assert hosts.said(Shutdown, SERVER_HOST)
        assert not hosts.said(Abort)
        assert log == [(sctp.SCTP_COMM_UP, 3), (sctp.SCTP_SHUTDOWN_COMP, 3)]
        serving.cancel()


@virtual_time
async def test_the_discard_server_and_client_of_the_rfc() -> None:
    """A49: RFC 6458, appendices A and B: the client sends to an IPv6 one-to-many server on stream 0 with a ppid."""
    both = {"client_addresses": (CLIENT_HOST, "2001:db8::1"), "server_addresses": (SERVER_HOST, "2001:db8::2")}
    async with SocketHosts(**both) as hosts:
        server = hosts.socket(sctp.SOCK_SEQPACKET, hosts.server, sctp.AF_INET6)
        subscribe(
            server,
            sctp.SCTP_ASSOC_CHANGE,
            sctp.SCTP_PEER_ADDR_CHANGE,
            sctp.SCTP_SHUTDOWN_EVENT,
            sctp.SCTP_ADAPTATION_INDICATION,
        )
        server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_AUTOCLOSE, 5)
        switch_on(server, sctp.SCTP_RECVRCVINFO)
        server.bind(("::", 9))
        server.listen(1)
        client = hosts.one_to_one()
        client.setsockopt(
            sctp.IPPROTO_SCTP, sctp.SCTP_ADAPTATION_LAYER, sctp.sctp_setadaptation(ssb_adaptation_ind=0xADA)
        )
        await client.connect((SERVER_HOST, 9))
        for number in range(10):
            info = sctp.sctp_sndinfo(snd_ppid=number, snd_flags=sctp.SCTP_UNORDERED)
            await client.sendv(bytes(100), sndinfo=info)
        await client.close()
        seen = set()
        messages = 0
        while sctp.SCTP_SHUTDOWN_EVENT not in seen:
            received = await server.recvv(1 << 16)
            if isinstance(received.data, bytes):
                assert received.rcvinfo is not None
                assert (len(received.data), received.rcvinfo.rcv_ppid) == (100, messages)
                assert received.rcvinfo.rcv_flags == sctp.SCTP_UNORDERED
                messages += 1
            elif isinstance(received.data, sctp.sctp_adaptation_event):
                assert received.data.sai_adaptation_ind == 0xADA
                seen.add(received.data.sai_type)
            elif isinstance(received.data, sctp.sctp_shutdown_event):
                seen.add(received.data.sse_type)
        assert messages == 10
        assert sctp.SCTP_ADAPTATION_INDICATION in seen
