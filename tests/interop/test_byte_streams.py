"""Byte streams over SCTP streams with usrsctp at the other end, which knows only messages and resets (RFC 6525)."""

from __future__ import annotations

import asyncio

import pytest

from tests.interop.pairs import CONFIG, CONNECTORS, associated
from tests.interop.processes import Peer
from tests.interop.relay import Sender
from tests.interop.usrsctp import Usrsctp

GRANT_ALL = 7
PEER_STREAMS = 10
OUR_STREAMS = PEER_STREAMS // 2  # half of the numbers are the peer's to open
# So that it is not retransmissions that take long.
QUICK_CONFIG = CONFIG.replace(rto_initial_s=0.2, rto_min_s=0.1, rto_max_s=0.5)
QUICK_PEER = ["sctp_rto_initial_default=200", "sctp_rto_min_default=100", "sctp_rto_max_default=500"]
TIMEOUT_S = 30.0


async def ends(peer: Peer, stream: int, direction: str) -> None:
    """Wait until the peer has told that this stream was reset this way."""
    await peer.event("stream_reset", **{direction: True}, streams=[stream], denied=False, failed=False)


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_eof_is_a_reset_both_ways(usrsctp: Usrsctp, connector: str) -> None:
    pairing = associated(usrsctp, connector, config=CONFIG, grant=GRANT_ALL, streams=PEER_STREAMS, echo=True)
    async with asyncio.timeout(TIMEOUT_S), pairing as (association, peer, _):
        reader, writer = await association.open_stream()
        number = writer.get_extra_info("stream_id")
        writer.write(b"hello" * 20_000)
        assert await reader.readexactly(100_000) == b"hello" * 20_000
        writer.write_eof()
        await ends(peer, number, "incoming")
        await peer.command("reset", "outgoing", number)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_close_resets_both_ways_and_the_number_is_used_again(usrsctp: Usrsctp, connector: str) -> None:
    pairing = associated(usrsctp, connector, config=CONFIG, grant=GRANT_ALL, streams=PEER_STREAMS, echo=True)
    async with asyncio.timeout(TIMEOUT_S), pairing as (association, peer, _):
        # One side has five numbers of ten.
        for turn in range(12):
            reader, writer = await association.open_stream()
            number = writer.get_extra_info("stream_id")
            writer.write(b"turn %2d" % turn)
            assert await reader.readexactly(7) == b"turn %2d" % turn
            writer.close()
            await writer.wait_closed()
            await ends(peer, number, "incoming")
            await ends(peer, number, "outgoing")


async def test_what_usrsctp_begins_is_accepted(usrsctp: Usrsctp) -> None:
    pairing = associated(usrsctp, "aiosctp", config=CONFIG, grant=GRANT_ALL, streams=PEER_STREAMS, messages=True)
    async with asyncio.timeout(TIMEOUT_S), pairing as (association, peer, _):
        for _ in range(3):
            accepting = asyncio.create_task(association.accept_stream())
            await peer.command("send", 5, 1000, 51)
            reader, writer = await accepting
            assert writer.get_extra_info("stream_id") == 5
            assert len(await reader.readexactly(1000)) == 1000
            writer.write(b"answer")
            assert (await peer.event("message", stream=5))["size"] == 6
            await peer.command("reset", "outgoing", 5)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            await ends(peer, 5, "outgoing")
            await ends(peer, 5, "incoming")


async def test_where_usrsctp_denies_resets_there_is_no_eof_and_close_ends(usrsctp: Usrsctp) -> None:
    pairing = associated(usrsctp, "aiosctp", config=CONFIG, grant=0, streams=PEER_STREAMS, echo=True)
    async with asyncio.timeout(TIMEOUT_S), pairing as (association, peer, _):
        reader, writer = await association.open_stream()
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await writer.wait_closed()
        # The number is not used again, the others are.
        other_reader, other_writer = await association.open_stream()
        assert other_writer.get_extra_info("stream_id") != writer.get_extra_info("stream_id")
        assert not other_writer.can_write_eof()
        other_writer.write(b"again")
        assert await other_reader.readexactly(5) == b"again"
        assert peer.seen("assoc_change", state="COMM_UP")


async def test_without_reconfig_there_is_no_eof_and_close_ends(usrsctp: Usrsctp) -> None:
    pairing = associated(
        usrsctp, "aiosctp", config=CONFIG, streams=PEER_STREAMS, echo=True, sysctl="sctp_reconfig_enable=0"
    )
    async with asyncio.timeout(TIMEOUT_S), pairing as (association, _, _):
        reader, writer = await association.open_stream()
        assert not writer.can_write_eof()
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_a_reset_behind_lost_data_is_performed_though_no_more_comes(usrsctp: Usrsctp, ending: str) -> None:
    """usrsctp performs a reset that it had to defer only when new data comes after the hole was filled."""
    large: list[bytes] = []

    def loses_the_first_of_the_data(sender: Sender, packet: bytes) -> bool:
        if sender == "first" and len(packet) > 1000:
            large.append(packet)
            return len(large) > 1
        return True

    config = QUICK_CONFIG.replace(path_mtu=1500)
    pairing = associated(
        usrsctp,
        "aiosctp",
        config=config,
        gate=loses_the_first_of_the_data,
        grant=GRANT_ALL,
        streams=PEER_STREAMS,
        sysctl=QUICK_PEER,
    )
    async with asyncio.timeout(TIMEOUT_S), pairing as (association, peer, _):
        if ending == "close":
            _, writer = await association.open_stream()
            writer.write(bytes(3_000))
            writer.close()
            await writer.wait_closed()
        else:
            await association.send(bytes(3_000), stream=0)
            await association.stream(0).reset()
        await ends(peer, 0, "incoming")
        assert len(large) > 2, "it was retransmitted"


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_closes_end_on_a_lossy_path(usrsctp: Usrsctp, connector: str) -> None:
    """usrsctp performs a reset that had to wait for lost data only when more data comes, and here none does."""
    pairing = associated(
        usrsctp,
        connector,
        config=QUICK_CONFIG,
        loss=0.02,
        grant=GRANT_ALL,
        streams=PEER_STREAMS,
        sysctl=QUICK_PEER,
    )

    async def close(writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    async with asyncio.timeout(TIMEOUT_S), pairing as (association, _, relay):
        for _ in range(12):
            writers = [(await association.open_stream())[1] for _ in range(OUR_STREAMS)]
            for writer in writers:
                writer.write(bytes(30_000))
            await asyncio.gather(*map(close, writers))
            for stream in range(OUR_STREAMS):
                for _ in range(30):
                    await association.send(bytes(1000), stream=stream)
            await asyncio.gather(*(association.reset_streams(outgoing=[stream]) for stream in range(OUR_STREAMS)))
        assert relay is not None
        assert relay.lost
