"""`aiosctp.features()`: what it says is so."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

import aiosctp
from aiosctp import Feature
from aiosctp.wire.chunks import Init, decode_chunks
from aiosctp.wire.parameters import ForwardTsnSupported, SupportedExtensions
from tests.surface.two_hosts import TwoHosts, associated
from tests.surface.virtual_time import virtual_time

ASCONF = 0xC1
PKTDROP = 0x81


def test_every_constant_of_the_draft_has_its_name() -> None:
    """F01-F08: as `#ifdef` asks for them: what is not there is not in the set, and a misspelt one is no member."""
    assert set(Feature) == {
        "HAVE_SCTP",
        "HAVE_KERNEL_SCTP",
        "HAVE_SCTP_PRSCTP",
        "HAVE_SCTP_ADDIP",
        "HAVE_SCTP_CANSET_PRIMARY",
        "HAVE_SCTP_SAT_NETWORK_CAPABILITY",
        "HAVE_SCTP_MULTIBUF",
        "HAVE_SCTP_NOCONNECT",
    }
    assert "HAVE_SCTP" in aiosctp.features()
    assert aiosctp.features() <= set(Feature)
    with pytest.raises(AttributeError):
        Feature.HAVE_SCTP_PRSCPT  # type: ignore[attr-defined]  # noqa: B018 - the misspelling is the point


async def test_there_is_an_sctp_and_it_is_not_the_kernels() -> None:
    """F01, F02: an association comes to be over sockets of UDP alone."""

    async def echo(association: aiosctp.Association) -> None:
        await association.send((await association.receive()).data)

    async with aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"]) as stack:
        (udp_socket,) = stack.sockets
        assert udp_socket.type == socket.SOCK_DGRAM
        async with (
            await aiosctp.serve(echo, None, 7777, stack=stack),
            aiosctp.connect("127.0.0.1", 7777, stack=stack, remote_udp_port=stack.udp_port) as association,
        ):
            await association.send(b"over it")
            assert (await association.receive()).data == b"over it"
    assert Feature.HAVE_SCTP in aiosctp.features()
    assert Feature.HAVE_KERNEL_SCTP not in aiosctp.features()


@virtual_time
async def test_the_extensions_that_are_told_are_the_features() -> None:
    """F03-F06: those that the INIT announces, and no others."""
    async with associated() as (hosts, ours, _):
        (init,) = decode_chunks(hosts.log[0].data)
        assert isinstance(init, Init)
        (extensions,) = (one for one in init.parameters if isinstance(one, SupportedExtensions))
        is_there = {
            Feature.HAVE_SCTP_PRSCTP: ForwardTsnSupported() in init.parameters,
            Feature.HAVE_SCTP_ADDIP: ASCONF in extensions.chunk_types,
            Feature.HAVE_SCTP_CANSET_PRIMARY: ASCONF in extensions.chunk_types,
            Feature.HAVE_SCTP_SAT_NETWORK_CAPABILITY: PKTDROP in extensions.chunk_types,
        }
        assert {feature: feature in aiosctp.features() for feature in is_there} == is_there
        assert ("pr" in ours.negotiated) is (Feature.HAVE_SCTP_PRSCTP in aiosctp.features())
        assert ("asconf" in ours.negotiated) is (Feature.HAVE_SCTP_ADDIP in aiosctp.features())


@virtual_time
async def test_each_association_has_buffers_of_its_own() -> None:
    """F07, G16: where one can take no more, either way, another of the same stacks goes on."""
    config = aiosctp.Config(send_buffer_bytes=4096, receive_window_bytes=4096)
    async with TwoHosts(config=config) as hosts, await hosts.serve():
        stuck, _ = await hosts.pair()
        free, theirs = await hosts.pair()
        # Until the window of who does not read is full, and what waits for it.
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                while True:
                    await stuck.send(bytes(1000))
        for _ in range(20):
            await free.send(bytes(1000))
            assert len((await theirs.receive()).data) == 1000
        with pytest.raises(BlockingIOError):
            stuck.send_nowait(bytes(1000))
    assert Feature.HAVE_SCTP_MULTIBUF in aiosctp.features()
