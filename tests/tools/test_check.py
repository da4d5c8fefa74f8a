"""`aiosctp check` against our own echo server, Debian's, scripted peers, and nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import pytest

from aiosctp.tools.check import describe
from aiosctp.tools.extensions import ExtensionChunk, ExtensionParameter
from aiosctp.wire.causes import OutOfResource
from aiosctp.wire.chunks import Abort, Chunk, Init, InitAck, decode_chunks
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import CommonHeader, decode_header, encode_packet
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    ForwardTsnSupported,
    IPv4AddressParameter,
    IPv6AddressParameter,
    StateCookie,
    SupportedExtensions,
    UnknownParameter,
    UnrecognizedParameter,
)
from tests.tools.command import aiosctp, echo_server

USRSCTP_ECHO_SERVER = Path("/usr/lib/usrsctp/echo_server")
PEER_TAG = 0xFFFF_FFFE


class Peer(asyncio.DatagramProtocol):
    """A peer that answers each packet by a script, and keeps what came."""

    def __init__(self, answer: Callable[[CommonHeader, Chunk], list[bytes]]) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport
        self.received: asyncio.Queue[tuple[CommonHeader, Chunk]] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own is no instance of it

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        (chunk,) = decode_chunks(data)
        assert not isinstance(chunk, Exception)
        header = decode_header(data)
        self.received.put_nowait((header, chunk))
        for datagram in self._answer(header, chunk):
            self._transport.sendto(datagram, address)


@contextlib.asynccontextmanager
async def peer(answer: Callable[[CommonHeader, Chunk], list[bytes]]) -> AsyncIterator[tuple[Peer, str]]:
    """A running peer, and its UDP port."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Peer(answer), ("127.0.0.1", 0))
    try:
        yield protocol, str(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
        await asyncio.sleep(0)


def init_ack(tag: int = PEER_TAG) -> InitAck:
    return InitAck(tag, 65536, 10, 20, 1, (StateCookie(bytes(100)),))


def packet(header: CommonHeader, tag: int, chunk: Abort | InitAck) -> bytes:
    return encode_packet(header.destination_port, header.source_port, tag, [chunk.encode()])


def free_udp_port() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


async def test_our_own_server_tells_its_streams_and_window() -> None:
    """J02: `aiosctp check HOST` prints what the peer supports."""
    async with echo_server() as (_, udp_port):
        outcome = await aiosctp("check", "127.0.0.1:7", "--udp-port", udp_port)
    assert outcome.status == 0, outcome.errors
    assert f"127.0.0.1 answers on SCTP port 7 over UDP port {udp_port}" in outcome.output
    assert "65535 from it, at most 65535 to it" in outcome.output
    assert "1048576 bytes" in outcome.output
    assert "none listed" in outcome.output


async def test_a_port_where_nobody_listens_is_refused_by_abort() -> None:
    async with echo_server() as (_, udp_port):
        outcome = await aiosctp("check", "127.0.0.1:8", "--udp-port", udp_port)
    assert outcome.status == 1
    assert "SCTP is there and refuses port 8 (ABORT" in outcome.output


async def test_a_udp_port_that_nobody_serves_is_refused() -> None:
    outcome = await aiosctp("check", "127.0.0.1", "--udp-port", free_udp_port())
    assert outcome.status == 1
    assert "nobody serves UDP port" in outcome.output


async def test_silence_is_told_from_refusal() -> None:
    async with peer(lambda header, chunk: []) as (silent, udp_port):
        outcome = await aiosctp("check", "127.0.0.1", "--udp-port", udp_port, "--timeout", "0.3")
        assert silent.received.qsize() == 1
    assert outcome.status == 2
    assert "no answer within 0.3 s" in outcome.output


async def test_the_init_offers_everything_and_is_ended_with_an_abort_under_the_peers_tag() -> None:
    def answer(header: CommonHeader, chunk: Chunk) -> list[bytes]:
        return [packet(header, chunk.initiate_tag, init_ack())] if isinstance(chunk, Init) else []

    async with peer(answer) as (server, udp_port):
        outcome = await aiosctp("check", "127.0.0.1", "--udp-port", udp_port)
        async with asyncio.timeout(10):
            header, init = await server.received.get()
            assert header.verification_tag == 0
            assert isinstance(init, Init)
            assert (init.outbound_streams, init.inbound_streams) == (65535, 65535)
            assert SupportedExtensions((*ExtensionChunk, ChunkType.PAD)) in init.parameters
            (random,) = [p.body for p in init.parameters if p.type == ExtensionParameter.RANDOM]
            assert len(random) == 32
            header, abort = await server.received.get()
    assert isinstance(abort, Abort)
    assert not abort.tag_reflected
    assert header.verification_tag == PEER_TAG
    assert outcome.status == 0
    assert "10 from it, at most 20 to it" in outcome.output


async def test_an_init_without_answer_is_sent_again() -> None:
    inits: list[Chunk] = []

    def answer(header: CommonHeader, chunk: Chunk) -> list[bytes]:
        if not isinstance(chunk, Init):
            return []
        inits.append(chunk)
        return [packet(header, chunk.initiate_tag, init_ack())] if len(inits) == 2 else []

    async with peer(answer) as (_, udp_port):
        outcome = await aiosctp("check", "127.0.0.1", "--udp-port", udp_port)
    assert outcome.status == 0
    assert inits[0] == inits[1]


async def test_answers_under_another_tag_or_with_a_bad_checksum_are_not_believed() -> None:
    def answer(header: CommonHeader, chunk: Chunk) -> list[bytes]:
        assert isinstance(chunk, Init)
        right = packet(header, chunk.initiate_tag, init_ack())
        return [
            packet(header, chunk.initiate_tag ^ 1, init_ack()),
            packet(header, chunk.initiate_tag ^ 1, Abort()),
            right[:-1] + b"\xff",
            b"no packet",
        ]

    async with peer(answer) as (_, udp_port):
        outcome = await aiosctp("check", "127.0.0.1", "--udp-port", udp_port, "--timeout", "0.5")
    assert outcome.status == 2
    assert "4 datagrams came that are no answer to our INIT within 0.5 s" in outcome.output


@pytest.mark.parametrize("is_reflected", [False, True])
async def test_the_reason_of_an_abort_is_told(is_reflected: bool) -> None:
    def answer(header: CommonHeader, chunk: Chunk) -> list[bytes]:
        assert isinstance(chunk, Init)
        tag = 0 if is_reflected else chunk.initiate_tag
        return [packet(header, tag, Abort((OutOfResource(),), is_reflected))]

    async with peer(answer) as (_, udp_port):
        outcome = await aiosctp("check", "127.0.0.1:9", "--udp-port", udp_port)
    assert outcome.status == 1
    assert "refuses port 9 (ABORT, out of resource)" in outcome.output


def test_an_init_ack_is_described_by_the_names_of_what_it_holds() -> None:
    answer = InitAck(
        PEER_TAG,
        131072,
        10,
        2048,
        0xFFFF_FFFE,
        (
            IPv4AddressParameter("192.0.2.1"),
            IPv6AddressParameter("2001:db8::1"),
            StateCookie(bytes(300)),
            ForwardTsnSupported(),
            UnknownParameter(ExtensionParameter.REQUESTED_HMAC_ALGORITHMS, b"\0\3\0\1\0\7"),
            UnknownParameter(ExtensionParameter.CHUNK_LIST, b"\xc1\x00"),
            UnknownParameter(0xBFFF, b"odd"),
            SupportedExtensions((0x82, 0x40, 0xFE)),
            UnrecognizedParameter(b"\x80\x00\x00\x04"),
            UnrecognizedParameter(b""),
            AdaptationLayerIndication(7),
        ),
    )
    assert list(describe(answer)) == [
        ("streams", "10 from it, at most 2048 to it"),
        ("a_rwnd", "131072 bytes"),
        ("addresses", "192.0.2.1, 2001:db8::1"),
        (
            "extensions",
            "FORWARD-TSN-SUPPORTED, REQUESTED-HMAC-ALGORITHMS (SHA-256, SHA-1, HMAC 7), CHUNK-LIST (ASCONF, DATA), "
            "parameter 0xbfff, SUPPORTED-EXTENSIONS (RE-CONFIG, I-DATA, chunk type 0xfe)",
        ),
        ("cookie", "300 bytes"),
        ("unrecognized", "ECN-CAPABLE of our INIT"),
        ("unrecognized", "parameter 0x0000 of our INIT"),
        ("adaptation", "0x00000007"),
    ]


@pytest.mark.skipif(not USRSCTP_ECHO_SERVER.exists(), reason="libusrsctp-examples is not installed")
async def test_usrsctp_tells_its_extensions() -> None:
    udp_port = free_udp_port()
    devnull = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(
        USRSCTP_ECHO_SERVER, udp_port, free_udp_port(), stdout=devnull, stderr=devnull
    )
    try:
        # It says nothing when it listens; before that, its UDP port is closed or answers with ABORT.
        async with asyncio.timeout(10):
            while (outcome := await aiosctp("check", "127.0.0.1:7", "--udp-port", udp_port)).status != 0:
                assert server.returncode is None
    finally:
        server.kill()
        await server.wait()
    assert "10 from it, at most 2048 to it" in outcome.output
    assert "SUPPORTED-EXTENSIONS (FORWARD-TSN, AUTH, ASCONF, ASCONF-ACK, RE-CONFIG)" in outcome.output
    assert "REQUESTED-HMAC-ALGORITHMS (SHA-1)" in outcome.output
