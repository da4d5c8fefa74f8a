"""PR-SCTP (RFC 3758, RFC 7496) between aiosctp and usrsctp: each abandons, the other skips, on paths that lose.

A message has a size of its own, by which it is known.
"""

from __future__ import annotations

import asyncio
import random

import pytest

import aiosctp
from aiosctp.events import PartialDelivery, SendFailed
from tests.interop.extended import FORMATS, QUICK, SPEAKING_ALL, bytes_of_peer, done, next_of, tapped
from tests.interop.pairs import CONNECTORS, associated
from tests.interop.processes import Peer
from tests.interop.tap import Chunk, Tap
from tests.interop.usrsctp import Usrsctp

SMALL, LARGE = 1_000, 20_000
OUR_POLICIES: dict[str, dict[str, float]] = {
    "rtx 0": {"max_retransmits": 0},
    "rtx 1": {"max_retransmits": 1},
    "ttl 150": {"lifetime": 0.15},
}


def forward_tsns(tap: Tap, sender: str) -> list[Chunk]:
    return [chunk for chunk in tap.chunks if chunk.sender == sender and chunk.name.endswith("FORWARD-TSN")]


def assert_chunks_fit(tap: Tap, data_format: str) -> None:
    """Nothing of the other format, and no ABORT, on the wire. (An ERROR may tell of the parameter 0xC000.)"""
    other = {"I-DATA", "I-FORWARD-TSN"} if data_format == "DATA" else {"DATA", "FORWARD-TSN"}
    for sender in ("first", "second"):
        names = {chunk.name for chunk in tap.chunks if chunk.sender == sender}
        assert not names & (other | {"ABORT"})


async def peer_receives(peer: Peer, size: int) -> None:
    """Wait for the next message, which is of this size."""
    assert (await peer.event("message"))["size"] == size


# ---- We abandon ----


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("policy", OUR_POLICIES)
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_what_we_abandon_usrsctp_skips(
    usrsctp: Usrsctp, connector: str, data_format: str, policy: str, order: str
) -> None:
    unordered = order == "unordered"
    async with tapped(usrsctp, connector, interleaving=data_format == "I-DATA") as (association, peer, tap):
        failures = association.events(SendFailed)
        await association.send(b"x", stream=2)
        await peer_receives(peer, 1)
        for size in (SMALL, LARGE):
            tap.lose_all_of("first", 2)
            data = random.Random(size).randbytes(size)
            await association.send(
                data,
                stream=2,
                ppid=size,
                context=7,
                unordered=unordered,
                **OUR_POLICIES[policy],  # type: ignore[arg-type]  # each value is its name's
            )
            failure = await next_of(failures, SendFailed)
            assert failure == SendFailed(data, 2, size, 7, unordered, True, 0)
            await association.wait_acknowledged()
            tap.lose_nothing()
            await association.send(bytes(size + 1), stream=2, unordered=unordered)
            await peer_receives(peer, size + 1)
            await association.wait_acknowledged()
        statistics = association.statistics()
        assert (statistics.abandoned_sent, statistics.abandoned_unsent) == (2, 0)
        assert list(statistics.abandoned_by_stream) == [2]
        assert association.negotiated >= {"pr"}
    assert_chunks_fit(tap, data_format)
    forwarded = forward_tsns(tap, "first")
    assert forwarded
    numbered = data_format == "I-DATA" or not unordered
    assert all({skip[:2] for skip in chunk.skipped} <= {(2, unordered)} for chunk in forwarded)
    assert any(chunk.skipped for chunk in forwarded) == numbered
    assert not forward_tsns(tap, "second")
    if policy == "rtx 0":
        tsns = [chunk.tsn for chunk in tap.lost]
        assert len(set(tsns)) == len(tsns), "none of it was sent again"
    # X07: what a FORWARD-TSN skips ends with the message, though less of it was ever sent.
    large = [chunk for chunk in tap.lost if not (chunk.begins and chunk.ends)]
    assert large
    assert not any(chunk.ends for chunk in large)
    assert forwarded[-1].tsn > max(chunk.tsn for chunk in large)


@pytest.mark.parametrize("data_format", FORMATS)
async def test_a_message_usrsctp_has_begun_to_deliver_ends_when_we_abandon_it(
    usrsctp: Usrsctp, data_format: str
) -> None:
    interleaving = data_format == "I-DATA"
    async with tapped(usrsctp, "aiosctp", interleaving=interleaving, partial_delivery_point=2000, parts=True) as (
        association,
        peer,
        tap,
    ):
        failures = association.events(SendFailed)
        await association.send(b"x", stream=2)
        await peer_receives(peer, 1)
        # The first packets of it arrive.
        tap.lose(lambda chunk: chunk.sender == "first" and chunk.is_user_data and chunk.tsn > 3)
        await association.send(bytes(LARGE), stream=2, max_retransmits=0)
        await peer.event("part", stream=2)
        assert (await next_of(failures, SendFailed)).was_sent
        aborted = await peer.event("partial_delivery")
        assert aborted["indication"] == 1
        tap.lose_nothing()
        await association.send(bytes(SMALL), stream=2)
        await peer_receives(peer, SMALL)
    assert_chunks_fit(tap, data_format)


@pytest.mark.parametrize("data_format", FORMATS)
async def test_a_lost_forward_tsn_of_ours_goes_again(usrsctp: Usrsctp, data_format: str) -> None:
    async with tapped(usrsctp, "aiosctp", interleaving=data_format == "I-DATA") as (association, peer, tap):
        tap.lose_all_of("first", 2)
        lost: list[Chunk] = []

        def first_two(chunk: Chunk) -> bool:
            if chunk.name.endswith("FORWARD-TSN") and len(lost) < 2:
                lost.append(chunk)
                return True
            return False

        tap.lose(first_two)
        await association.send(bytes(SMALL), stream=2, max_retransmits=0)
        await association.wait_acknowledged()
        assert len(lost) == 2
        assert len(forward_tsns(tap, "first")) >= 3
        tap.lose_nothing()
        await association.send(b"xx", stream=2)
        await peer_receives(peer, 2)
    assert_chunks_fit(tap, data_format)


@pytest.mark.parametrize("data_format", FORMATS)
async def test_what_makes_room_for_a_message_is_abandoned(usrsctp: Usrsctp, data_format: str) -> None:
    """RFC 7496 §3.2: of what waits and of what was sent, the least important goes first."""
    config = SPEAKING_ALL.replace(send_buffer_bytes=3 * LARGE, stream_send_buffer_bytes=3 * LARGE)
    async with tapped(usrsctp, "aiosctp", config=config, interleaving=data_format == "I-DATA") as (
        association,
        peer,
        tap,
    ):
        failures = association.events(SendFailed)
        tap.lose(lambda chunk: chunk.sender == "first" and chunk.is_user_data)
        for number, priority in enumerate((9, 7, 5)):
            await association.send(bytes(LARGE), stream=number, ppid=priority, buffer_priority=priority)
        await tap.until(lambda: tap.user_data("first"))
        await association.send(bytes(SMALL), stream=4, buffer_priority=6)
        gone = await next_of(failures, SendFailed)
        assert (gone.ppid, gone.error, gone.was_sent) == (9, 0, True)
        for number in (1, 2):
            await association.send(bytes(LARGE - number), stream=5)
        gone = await next_of(failures, SendFailed)
        assert (gone.ppid, gone.error) == (7, 0)
        tap.lose_nothing()
        await association.wait_acknowledged()
        sizes = sorted([(await peer.event("message"))["size"] for _ in range(4)])
        assert sizes == [SMALL, LARGE - 2, LARGE - 1, LARGE]
        await done(peer)
        assert not peer.seen("message")
    assert_chunks_fit(tap, data_format)


@pytest.mark.parametrize("data_format", FORMATS)
async def test_a_message_that_was_never_sent_takes_no_forward_tsn(usrsctp: Usrsctp, data_format: str) -> None:
    async with tapped(usrsctp, "aiosctp", interleaving=data_format == "I-DATA") as (association, peer, tap):
        failures = association.events(SendFailed)
        tap.lose(lambda chunk: chunk.sender == "first" and chunk.is_user_data)
        await association.send(bytes(LARGE), stream=1)
        await association.send(bytes(SMALL), stream=2, lifetime=0.05)
        failure = await next_of(failures, SendFailed)
        assert (failure.stream, failure.was_sent, failure.error) == (2, False, 0)
        tap.lose_nothing()
        await association.send(b"xx", stream=2)
        await association.wait_acknowledged()
        assert {(await peer.event("message"))["size"] for _ in range(2)} == {LARGE, 2}
        assert association.statistics().abandoned_unsent == 1
    assert not forward_tsns(tap, "first")
    assert_chunks_fit(tap, data_format)


# ---- usrsctp abandons ----


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("policy", OUR_POLICIES)
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_what_usrsctp_abandons_we_skip(
    usrsctp: Usrsctp, connector: str, data_format: str, policy: str, order: str
) -> None:
    async with tapped(usrsctp, connector, interleaving=data_format == "I-DATA") as (association, peer, tap):
        ended = association.events(PartialDelivery)
        for size in (SMALL, LARGE):
            tap.lose_all_of("second", 2)
            await peer.command("send", 2, size, size, order, policy)
            # It looks at what a message has left only when it has something else to do.
            await tap.until(lambda: tap.user_data("second"))
            failed = await peer.event("send_failed", ppid=size)
            assert (failed["error"], failed["was_sent"]) == (0, True)
            tap.lose_nothing()
            await peer.command("send", 2, size + 1, 51, order)
            message = await association.receive()
            assert message.data == bytes_of_peer(size + 1)
            assert (message.stream, message.ppid, message.unordered) == (2, 51, order == "unordered")
        await peer.command("pr_status")
        assert (await peer.event("pr_status"))["abandoned_sent"] == 2
        association.send_nowait(b"end")
        await peer_receives(peer, 3)
        with pytest.raises(BlockingIOError):
            association.receive_nowait()
    assert [event async for event in ended] == []
    assert_chunks_fit(tap, data_format)
    assert forward_tsns(tap, "second")
    assert not forward_tsns(tap, "first")


@pytest.mark.parametrize("data_format", FORMATS)
async def test_a_message_we_have_begun_to_deliver_ends_when_usrsctp_abandons_it(
    usrsctp: Usrsctp, data_format: str
) -> None:
    config = SPEAKING_ALL.replace(partial_delivery_point_bytes=2000)
    async with tapped(usrsctp, "aiosctp", config=config, interleaving=data_format == "I-DATA") as (
        association,
        peer,
        tap,
    ):
        ended = association.events(PartialDelivery)
        lost: list[Chunk] = []

        def beyond_the_second(chunk: Chunk) -> bool:
            is_lost = chunk.sender == "second" and chunk.is_user_data and chunk.tsn > 2
            lost.extend([chunk] * is_lost)
            return is_lost

        tap.lose(beyond_the_second)
        await peer.command("send", 2, LARGE, 1, "rtx 0")
        part = await association.receive(partial=True)
        assert (part.stream, part.end_of_record) == (2, False)
        assert bytes_of_peer(LARGE).startswith(part.data)
        await tap.until(lambda: lost)
        tap.lose_nothing()
        for _ in range(4):  # fills a hole in its sequence, so that it sees the loss
            await peer.command("send", 3, SMALL, 1)
        while (message := await association.receive(partial=True)).stream == 2:
            assert not message.end_of_record
        event = await next_of(ended, PartialDelivery)
        assert (event.stream, event.ssn) == (2, part.ssn)
        await peer.command("send", 2, SMALL + 1, 1)
        while (message := await association.receive()).stream != 2:
            assert message.data == bytes_of_peer(SMALL)
        assert message.data == bytes_of_peer(SMALL + 1)
    assert_chunks_fit(tap, data_format)


@pytest.mark.parametrize("data_format", FORMATS)
async def test_a_lost_forward_tsn_of_usrsctp_is_awaited(usrsctp: Usrsctp, data_format: str) -> None:
    async with tapped(usrsctp, "aiosctp", interleaving=data_format == "I-DATA") as (association, peer, tap):
        tap.lose_all_of("second", 2)
        lost: list[Chunk] = []

        def first_two(chunk: Chunk) -> bool:
            if chunk.name.endswith("FORWARD-TSN") and len(lost) < 2:
                lost.append(chunk)
                return True
            return False

        tap.lose(first_two)
        await peer.command("send", 2, SMALL, 1, "rtx 0")
        await peer.event("send_failed")
        await tap.until(lambda: len(lost) == 2)
        tap.lose_nothing()
        await peer.command("send", 2, SMALL + 1, 1)
        assert (await association.receive()).data == bytes_of_peer(SMALL + 1)
    assert_chunks_fit(tap, data_format)


@pytest.mark.parametrize("data_format", FORMATS)
async def test_by_priority_usrsctp_abandons_nothing_while_there_is_room(usrsctp: Usrsctp, data_format: str) -> None:
    """RFC 7496 §3.2. Where there is none, `usrsctp_sendv` of 0.9.5 waits, and abandons nothing either."""
    async with tapped(usrsctp, "aiosctp", interleaving=data_format == "I-DATA") as (association, peer, tap):
        tap.lose_once("second", lambda chunk: chunk.stream == 1)
        for number in range(5):
            await peer.command("send", 1 + number % 2, LARGE + number, number, "buf", 9 - number)
        received = {len((await association.receive()).data) for _ in range(5)}
        assert received == set(range(LARGE, LARGE + 5))
        assert tap.lost
        assert not peer.seen("send_failed")
    assert_chunks_fit(tap, data_format)
    assert not forward_tsns(tap, "second")


# ---- A path that loses by chance ----


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_each_message_arrives_whole_or_is_told_of_as_abandoned(
    usrsctp: Usrsctp, connector: str, data_format: str
) -> None:
    pairing = associated(
        usrsctp,
        connector,
        config=SPEAKING_ALL,
        loss=0.05,
        streams=10,
        messages=True,
        interleaving=data_format == "I-DATA",
        sysctl=QUICK,
    )
    async with asyncio.timeout(50.0), pairing as (association, peer, relay):
        await peer.event("assoc_change", state="COMM_UP")
        failures = association.events(SendFailed)
        await asyncio.gather(send_mixed(association, count=150), let_send_mixed(peer, count=150))
        await association.wait_acknowledged()
        # usrsctp resets its streams when it has no more of what was sent on them.
        await peer.command("reset", "outgoing")
        await peer.event("stream_reset", outgoing=True, denied=False, failed=False)
        # So what comes now comes after all before it.
        for stream in range(5):
            await association.send(b"end", stream=stream, ppid=9999)
            await peer.event("message", stream=stream, ppid=9999)
            await peer.command("send", stream, 3, 9999)
        received = []
        ends = 0
        while ends < 5:
            message = await association.receive()
            if message.ppid == 9999:
                ends += 1
            else:
                received.append(message.ppid)
                assert message.data == bytes_of_peer(size_of(message.ppid))
        assert relay is not None
        assert relay.lost
        abandoned = set()
        for _ in range(association.statistics().abandoned_sent + association.statistics().abandoned_unsent):
            failure = await next_of(failures, SendFailed)
            assert failure.ppid not in abandoned
            abandoned.add(failure.ppid)
        arrived = set()
        while peer.seen("message"):
            event = await peer.event("message")
            assert event["size"] == size_of(event["ppid"])
            assert event["ppid"] not in arrived
            arrived.add(event["ppid"])
        assert arrived | abandoned == set(range(150))
        assert len(received) == len(set(received))
        failed_there = set()
        while peer.seen("send_failed"):
            failed_there.add((await peer.event("send_failed"))["ppid"])
        # It tells so also of messages that have arrived, even of reliable ones, when they lie next to one it abandoned.
        assert set(range(150)) <= set(received) | failed_there


def size_of(number: int) -> int:
    """Of the message with this PPID."""
    return 5_000 + number if number % 5 == 0 else 300 + number


async def send_mixed(association: aiosctp.Association, *, count: int) -> None:
    policies: list[dict[str, float]] = [{}, {"max_retransmits": 0}, {"lifetime": 0.1}, {"max_retransmits": 1}]
    for number in range(count):
        await association.send(
            bytes(size_of(number)),
            stream=number % 5,
            ppid=number,
            unordered=number % 3 == 0,
            **policies[number % 4],  # type: ignore[arg-type]  # as `send` has them
        )
        await asyncio.sleep(0)


async def let_send_mixed(peer: Peer, *, count: int) -> None:
    policies = ["", "rtx 0", "ttl 100", "rtx 1"]
    for number in range(count):
        order = "unordered" if number % 3 == 0 else "ordered"
        await peer.command("send", number % 5, size_of(number), number, order, policies[number % 4])
    await done(peer)


# ---- One side does not know it ----


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("who", ["we", "usrsctp"])
async def test_without_it_on_one_side_nothing_that_was_sent_is_abandoned(
    usrsctp: Usrsctp, who: str, data_format: str
) -> None:
    """RFC 9260 §11.1.5: a lifetime is honoured until the first transmission."""
    config = SPEAKING_ALL.replace(partial_reliability=who != "we")
    sysctl = ("sctp_pr_enable=0",) if who == "usrsctp" else ()
    async with tapped(usrsctp, "aiosctp", config=config, sysctl=sysctl, interleaving=data_format == "I-DATA") as (
        association,
        peer,
        tap,
    ):
        assert "pr" not in association.negotiated
        failures = association.events(SendFailed)
        tap.lose_once("first", lambda chunk: True)
        tap.lose_once("second", lambda chunk: True)
        await association.send(bytes(LARGE), stream=1, max_retransmits=0)
        await association.send(bytes(SMALL), stream=2, lifetime=0.05)
        assert (await next_of(failures, SendFailed)).was_sent is False
        await association.send(bytes(SMALL + 1), stream=2, max_retransmits=0)
        await association.wait_acknowledged()
        assert {(await peer.event("message"))["size"] for _ in range(2)} == {LARGE, SMALL + 1}
        await peer.command("send", 2, SMALL, 1, "rtx 0")
        assert (await association.receive()).data == bytes_of_peer(SMALL)
    assert not forward_tsns(tap, "first")
    assert not forward_tsns(tap, "second")
    assert_chunks_fit(tap, data_format)
