"""Explicit EOR (RFC 6458 §8.1.26) of usrsctp: messages that their sender gives away piece by piece; and the I bit."""

from __future__ import annotations

import errno

import pytest

import aiosctp
from tests.interop.extended import FORMATS, SPEAKING_ALL, bytes_of_peer, tapped
from tests.interop.pairs import CONNECTORS
from tests.interop.processes import Peer
from tests.interop.usrsctp import Usrsctp

PIECES = (1_000, 5_000, 20_000, 30)
WHOLE = b"".join(map(bytes_of_peer, PIECES))


async def let_send_in_pieces(peer: Peer, stream: int, order: str = "ordered") -> None:
    for size in PIECES[:-1]:
        await peer.command("send", stream, size, stream, order)
    await peer.command("send", stream, PIECES[-1], stream, order, "eor")


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_pieces_of_usrsctp_are_one_message(
    usrsctp: Usrsctp, connector: str, data_format: str, order: str
) -> None:
    async with tapped(usrsctp, connector, interleaving=data_format == "I-DATA", explicit_eor=True) as (
        association,
        peer,
        tap,
    ):
        for _ in range(2):
            await let_send_in_pieces(peer, 2, order)
            message = await association.receive()
            assert message.data == WHOLE
            assert (message.stream, message.ppid, message.unordered) == (2, 2, order == "unordered")
            assert message.end_of_record
        assert not peer.seen("error")
    assert [chunk.begins for chunk in tap.user_data("second")].count(True) == 2
    assert "ABORT" not in tap.names("first") | tap.names("second")


@pytest.mark.parametrize("data_format", FORMATS)
async def test_a_piece_is_read_before_the_next_is_sent(usrsctp: Usrsctp, data_format: str) -> None:
    config = SPEAKING_ALL.replace(partial_delivery_point_bytes=500)
    async with tapped(usrsctp, "aiosctp", config=config, interleaving=data_format == "I-DATA", explicit_eor=True) as (
        association,
        peer,
        _,
    ):
        parts: list[aiosctp.Message] = []
        for size in PIECES:
            await peer.command("send", 2, size, 2, *(["eor"] if size == PIECES[-1] else []))
            received = 0
            while received < size:
                parts.append(await association.receive(partial=True))
                received += len(parts[-1].data)
            assert received == size
        assert b"".join(part.data for part in parts) == WHOLE
        assert [part.end_of_record for part in parts] == [False] * (len(parts) - 1) + [True]
        assert not peer.seen("error")


async def test_pieces_of_two_messages_interleave(usrsctp: Usrsctp) -> None:
    """Which takes I-DATA: with DATA the second would wait until the first has ended."""
    async with tapped(usrsctp, "aiosctp", interleaving=True, explicit_eor=True) as (association, peer, tap):
        for size in PIECES[:-1]:
            for stream in (1, 2):
                await peer.command("send", stream, size, stream)
        for stream in (2, 1):
            await peer.command("send", stream, PIECES[-1], stream, "eor")
            message = await association.receive()
            assert (message.stream, message.data) == (stream, WHOLE)
        assert not peer.seen("error")
    assert "DATA" not in tap.names("second")


async def test_without_interleaving_usrsctp_takes_no_other_message_until_the_one_has_ended(usrsctp: Usrsctp) -> None:
    async with tapped(usrsctp, "aiosctp", explicit_eor=True) as (association, peer, _):
        await peer.command("send", 1, 5_000, 1)
        await peer.command("send", 2, 100, 2, "eor")
        await peer.event("error", call="sendv", errno=errno.EINVAL)
        await peer.command("send", 1, 30, 1, "eor")
        await peer.command("send", 2, 100, 2, "eor")
        messages = [(await association.receive()).data for _ in range(2)]
        assert messages == [bytes_of_peer(5_000) + bytes_of_peer(30), bytes_of_peer(100)]


# ---- The I bit (RFC 7053) ----

SLOW_SACKS = ("sctp_delayed_sack_time_default=20000",)


@pytest.mark.parametrize("data_format", FORMATS)
async def test_the_i_bit_of_usrsctp_has_our_sack_at_once(usrsctp: Usrsctp, data_format: str) -> None:
    config = SPEAKING_ALL.replace(sack_frequency=1000, sack_delay_s=0.5)
    async with tapped(usrsctp, "aiosctp", config=config, interleaving=data_format == "I-DATA") as (
        association,
        peer,
        tap,
    ):
        for number in range(4):
            is_immediate = number % 2 == 1
            before = association.statistics().osacks
            await peer.command("send", 1, 100 + number, 1, *(["sack_immediately"] if is_immediate else []))
            assert len((await association.receive()).data) == 100 + number
            if is_immediate:
                assert association.statistics().osacks > before
    flags = {len(chunk.data): chunk.immediate for chunk in tap.user_data("second")}
    assert flags[101]
    assert flags[103]


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_our_i_bit_has_the_sack_of_usrsctp_at_once(usrsctp: Usrsctp, connector: str, data_format: str) -> None:
    """Its SACKs, and our retransmissions, would else take longer than the test may."""
    config = SPEAKING_ALL.replace(rto_initial_s=20.0, rto_min_s=20.0, rto_max_s=40.0)
    async with tapped(
        usrsctp, connector, config=config, sysctl=SLOW_SACKS, interleaving=data_format == "I-DATA", timeout_s=15.0
    ) as (association, _, tap):
        for size in (100, 101, 102):
            await association.send(bytes(size), stream=1, sack_immediately=True)
            await association.wait_acknowledged()
    lasts = [chunk for chunk in tap.user_data("first") if chunk.ends]
    assert len(lasts) == 3
    assert all(chunk.immediate for chunk in lasts)
