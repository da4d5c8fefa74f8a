"""NR-SACK (draft-natarajan-tsvwg-sctp-nrsack) between aiosctp and usrsctp, in place of SACK where both speak it."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.interop.extended import FORMATS, NR_SACK_TOO, PEER_STREAMS, QUICK, SPEAKING_ALL, bytes_of_peer, tapped
from tests.interop.pairs import CONNECTORS, associated
from tests.interop.tally import Tally
from tests.interop.tap import Tap
from tests.interop.usrsctp import Usrsctp

ENABLED = "sctp_nrsack_enable=1"
SIZE = 1_000


def acknowledging(tap: Tap) -> dict[str, set[str]]:
    """What each side acknowledged with."""
    return {sender: tap.names(sender) & {"SACK", "NR-SACK"} for sender in ("first", "second")}


@pytest.mark.parametrize("usrsctp_speaks", [True, False])
@pytest.mark.parametrize("we_speak", [True, False])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_nr_sack_takes_the_place_of_sack_where_both_speak_it(
    usrsctp: Usrsctp, connector: str, we_speak: bool, usrsctp_speaks: bool
) -> None:
    config = SPEAKING_ALL.replace(nrsack=we_speak)
    sysctl = (ENABLED,) if usrsctp_speaks else ()
    async with tapped(usrsctp, connector, config=config, sysctl=sysctl) as (association, peer, tap):
        both = we_speak and usrsctp_speaks
        assert ("nrsack" in association.negotiated) == both
        await association.send(bytes(20_000), stream=1)
        assert (await peer.event("message"))["size"] == 20_000
        await peer.command("send", 1, 20_000, 1)
        assert (await association.receive()).data == bytes_of_peer(20_000)
        await association.wait_acknowledged()
    name = "NR-SACK" if both else "SACK"
    assert acknowledging(tap) == {"first": {name}, "second": {name}}
    [ours] = tap.of("first", "INIT", "INIT ACK")
    assert (16 in ours.extensions) == we_speak
    assert "ABORT" not in tap.names("first") | tap.names("second")


@pytest.mark.parametrize("data_format", FORMATS)
async def test_what_we_have_delivered_beyond_a_hole_we_will_not_drop(usrsctp: Usrsctp, data_format: str) -> None:
    async with tapped(
        usrsctp, "aiosctp", config=NR_SACK_TOO, sysctl=(ENABLED,), interleaving=data_format == "I-DATA"
    ) as (association, peer, tap):
        tap.lose_all_of("second", 1)
        await peer.command("send", 1, SIZE, 1)
        for _ in range(3):
            await peer.command("send", 2, SIZE, 2)
        for _ in range(3):
            assert (await association.receive()).stream == 2
        await tap.until(lambda: any(chunk.nr_gaps for chunk in tap.of("first", "NR-SACK")))
        tap.lose_nothing()
        message = await association.receive()
        assert (message.stream, message.data) == (1, bytes_of_peer(SIZE))
        # usrsctp has freed what it need not send again, and goes on.
        await peer.command("send", 1, SIZE, 1)
        assert (await association.receive()).stream == 1
    assert acknowledging(tap)["first"] == {"NR-SACK"}
    sent_again = [chunk for chunk in tap.user_data("second") if chunk.stream == 2]
    assert len(sent_again) == 3


@pytest.mark.parametrize("data_format", FORMATS)
async def test_what_usrsctp_will_not_drop_counts_as_acknowledged(usrsctp: Usrsctp, data_format: str) -> None:
    async with tapped(
        usrsctp, "aiosctp", config=NR_SACK_TOO, sysctl=(ENABLED,), interleaving=data_format == "I-DATA"
    ) as (association, peer, tap):
        tap.lose_all_of("first", 1)
        await association.send(bytes(SIZE), stream=1)
        for _ in range(3):
            await association.send(bytes(SIZE), stream=2)
        for _ in range(3):
            assert (await peer.event("message"))["stream"] == 2
        await tap.until(lambda: any(chunk.nr_gaps for chunk in tap.of("second", "NR-SACK")))
        tap.lose_nothing()
        await association.wait_acknowledged()
        assert (await peer.event("message"))["stream"] == 1
    assert acknowledging(tap)["second"] == {"NR-SACK"}
    assert len([chunk for chunk in tap.user_data("first") if chunk.stream == 2]) == 3


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_bulk_both_ways_over_a_lossy_path(usrsctp: Usrsctp, connector: str, data_format: str) -> None:
    pairing = associated(
        usrsctp,
        connector,
        config=NR_SACK_TOO,
        loss=0.03,
        streams=PEER_STREAMS,
        interleaving=data_format == "I-DATA",
        sysctl=[*QUICK, ENABLED],
    )
    async with asyncio.timeout(50.0), pairing as (association, peer, relay):
        await peer.event("assoc_change", state="COMM_UP")
        assert "nrsack" in association.negotiated
        await peer.command("source", 400_000, 5_000, 4)

        async def send_all() -> Tally:
            tally = Tally()
            for number in range(80):
                data = random.Random(number).randbytes(5_000)
                await association.send(data, stream=number % 4)
                tally.add(number % 4, data)
            return tally

        sending = asyncio.create_task(send_all())
        received = Tally()
        while received.bytes < 400_000:
            message = await association.receive()
            received.add(message.stream, message.data)
        assert received.event("sent")["ordered"] == (await peer.event("sent"))["ordered"]
        sent = await sending
        assert (await peer.received(sent.bytes))["ordered"] == sent.event("sent")["ordered"]
        await association.wait_acknowledged()
        assert relay is not None
        assert relay.lost


@pytest.mark.parametrize("data_format", FORMATS)
async def test_abandoned_messages_among_what_is_not_dropped(usrsctp: Usrsctp, data_format: str) -> None:
    """A FORWARD-TSN moves the cumulative TSN past what NR-SACKs have told of, both ways."""
    async with tapped(
        usrsctp, "aiosctp", config=NR_SACK_TOO, sysctl=(ENABLED,), interleaving=data_format == "I-DATA"
    ) as (association, peer, tap):
        tap.lose_all_of("first", 1)
        tap.lose_all_of("second", 1)
        await association.send(bytes(20_000), stream=1, max_retransmits=0)
        await peer.command("send", 1, 20_000, 1, "rtx 0")
        for number in range(3):
            await association.send(bytes(SIZE + number), stream=2)
            await peer.command("send", 2, SIZE + number, 2)
        for number in range(3):
            assert (await association.receive()).data == bytes_of_peer(SIZE + number)
            assert (await peer.event("message"))["size"] == SIZE + number
        await association.wait_acknowledged()
        tap.lose_nothing()
        await association.send(b"xx", stream=1)
        assert (await peer.event("message"))["size"] == 2
        await peer.command("send", 1, 99, 1)
        assert (await association.receive()).data == bytes_of_peer(99)
    assert acknowledging(tap) == {"first": {"NR-SACK"}, "second": {"NR-SACK"}}
    for sender in ("first", "second"):
        assert tap.names(sender) & {"FORWARD-TSN", "I-FORWARD-TSN"}
        assert "ABORT" not in tap.names(sender)
