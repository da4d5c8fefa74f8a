"""I-DATA and I-FORWARD-TSN (RFC 8260) between aiosctp and usrsctp: messages that interleave, both ways."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from itertools import groupby

import pytest

import aiosctp
from aiosctp.events import PartialDelivery
from tests.interop.extended import PEER_STREAMS, QUICK, SPEAKING_ALL, bytes_of_peer, done, next_of, tapped
from tests.interop.pairs import CONNECTORS, associated
from tests.interop.tally import Tally
from tests.interop.tap import Chunk
from tests.interop.usrsctp import Usrsctp

GRANT_ALL = 7
LARGE = 60_000
WINDOW_BYTES = 128 * 1024
# Of itself usrsctp begins when half of its window, 64 KB, is one message; and when several fill the window before, it
# never begins, and nothing goes on.
PEER_DELIVERS_FROM = 2_000
ROUND_ROBIN = SPEAKING_ALL.replace(scheduler="rr")


def are_mixed(chunks: list[Chunk], one: int, other: int) -> bool:
    """Whether there are chunks of each of the two streams between chunks of one message of the other's."""
    runs = [stream for stream, _ in groupby(chunk.stream for chunk in chunks if chunk.stream in (one, other))]
    return len(runs) > 4


def assert_numbered(chunks: list[Chunk]) -> None:
    """RFC 8260 §2.1: FSNs of a message count from 0, MIDs of a stream too, ordered and unordered ones apart."""
    messages: dict[tuple[int, bool], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    seen: set[int] = set()
    for chunk in chunks:
        if chunk.tsn not in seen:
            seen.add(chunk.tsn)
            messages[chunk.stream, chunk.unordered][chunk.number].append(chunk.fsn or 0)
    for by_mid in messages.values():
        assert list(by_mid) == list(range(len(by_mid)))
        for fsns in by_mid.values():
            assert fsns == list(range(len(fsns)))


# ---- What is negotiated ----


@pytest.mark.parametrize("we_speak", [True, False])
@pytest.mark.parametrize("usrsctp_speaks", [True, False])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_user_messages_go_in_i_data_where_both_speak_it(
    usrsctp: Usrsctp, connector: str, usrsctp_speaks: bool, we_speak: bool
) -> None:
    config = SPEAKING_ALL.replace(interleaving=we_speak)
    async with tapped(usrsctp, connector, config=config, interleaving=usrsctp_speaks) as (association, peer, tap):
        both = we_speak and usrsctp_speaks
        assert ("idata" in association.negotiated) == both
        await association.send(bytes(LARGE), stream=1, ppid=51)
        assert (await peer.event("message"))["size"] == LARGE
        await peer.command("send", 1, LARGE, 52)
        message = await association.receive()
        assert (message.data, message.ppid) == (bytes_of_peer(LARGE), 52)
    for sender in ("first", "second"):
        names = {chunk.name for chunk in tap.chunks if chunk.sender == sender}
        assert {"DATA", "I-DATA"} & names == {"I-DATA" if both else "DATA"}
        assert not names & {"ABORT", "ERROR"}
    [ours] = tap.of("first", "INIT", "INIT ACK")
    assert (64 in ours.extensions) == (194 in ours.extensions) == we_speak
    assert 192 in ours.extensions
    assert ours.knows_forward_tsn


# ---- Messages mixed ----


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_our_large_messages_go_side_by_side_and_small_ones_do_not_wait(
    usrsctp: Usrsctp, connector: str, order: str
) -> None:
    unordered = order == "unordered"
    async with tapped(usrsctp, connector, config=ROUND_ROBIN, interleaving=True) as (association, peer, tap):
        for stream in (1, 2):
            association.send_nowait(bytes([stream]) * LARGE, stream=stream, unordered=unordered)
        for number in range(5):
            association.send_nowait(bytes(10 + number), stream=3, unordered=unordered)
        events = [await peer.event("message") for _ in range(7)]
        assert [event["size"] for event in events] == [10, 11, 12, 13, 14, LARGE, LARGE]
        assert {event["unordered"] for event in events} == {unordered}
        assert [event["ssn"] for event in events[:5]] == [0, 1, 2, 3, 4]
    sent = tap.user_data("first")
    assert are_mixed(sent, 1, 2)
    assert_numbered(sent)


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_usrsctps_large_messages_go_side_by_side_and_small_ones_do_not_wait(
    usrsctp: Usrsctp, connector: str, order: str
) -> None:
    async with tapped(usrsctp, connector, interleaving=True, scheduler="rr") as (association, peer, tap):
        # Until it has all of them, it gets no answer to what it sends.
        tap.lose(lambda chunk: chunk.sender == "first" and chunk.name == "SACK")
        for stream in (1, 2):
            await peer.command("send", stream, LARGE, stream, order)
        for number in range(5):
            await peer.command("send", 3, 10 + number, 3, order)
        await done(peer)
        tap.lose_nothing()
        messages = [await association.receive() for _ in range(7)]
        assert [message.data for message in messages[:5]] == [bytes_of_peer(10 + number) for number in range(5)]
        assert [message.data for message in messages[5:]] == [bytes_of_peer(LARGE)] * 2
        assert {message.stream for message in messages[5:]} == {1, 2}
        assert {message.unordered for message in messages} == {order == "unordered"}
        assert [message.ssn for message in messages[:5]] == [0, 1, 2, 3, 4]
    sent = tap.user_data("second")
    assert are_mixed(sent, 1, 2)
    assert_numbered(sent)


async def test_several_messages_of_usrsctp_are_delivered_in_parts_at_once(usrsctp: Usrsctp) -> None:
    config = SPEAKING_ALL.replace(partial_delivery_point_bytes=4_000)
    async with tapped(usrsctp, "aiosctp", config=config, interleaving=True, scheduler="rr") as (association, peer, tap):
        tap.lose(lambda chunk: chunk.sender == "first" and chunk.name == "SACK")
        for stream in (1, 2, 3):
            await peer.command("send", stream, LARGE, stream)
        await done(peer)
        tap.lose_nothing()
        parts: dict[int, list[aiosctp.Message]] = defaultdict(list)
        order = []
        while sum(messages[-1].end_of_record for messages in parts.values()) < 3:
            part = await association.receive(partial=True)
            parts[part.stream].append(part)
            order.append(part.stream)
        for stream, messages in parts.items():
            assert b"".join(part.data for part in messages) == bytes_of_peer(LARGE)
            assert [part.end_of_record for part in messages[:-1]] == [False] * (len(messages) - 1)
            assert {(part.ppid, part.ssn, part.tsn) for part in messages} == {(stream, 0, messages[0].tsn)}
        assert len(list(groupby(order))) > 3, "a part of one comes between parts of another"


async def test_several_messages_of_ours_are_delivered_in_parts_by_usrsctp_at_once(usrsctp: Usrsctp) -> None:
    async with tapped(
        usrsctp, "aiosctp", config=ROUND_ROBIN, interleaving=True, partial_delivery_point=PEER_DELIVERS_FROM, parts=True
    ) as (association, peer, _):
        for stream in (1, 2, 3):
            association.send_nowait(bytes([stream]) * LARGE, stream=stream)
        for _ in range(3):
            assert (await peer.event("message"))["size"] == LARGE
        order = []
        while peer.seen("part"):
            order.append((await peer.event("part"))["stream"])
        assert len(list(groupby(order))) > 3


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_many_half_received_messages_do_not_wedge_a_full_window(usrsctp: Usrsctp, connector: str) -> None:
    """8 messages that together are more than the window, which fills before any of them is complete."""
    config = SPEAKING_ALL.replace(receive_window_bytes=WINDOW_BYTES)
    async with tapped(usrsctp, connector, config=config, interleaving=True, scheduler="rr") as (association, peer, tap):
        tap.lose(lambda chunk: chunk.sender == "first" and chunk.name == "SACK")
        for stream in range(8):
            await peer.command("send", stream, 20_000, stream)
        await done(peer)
        tap.lose_nothing()
        messages = [await association.receive() for _ in range(8)]
        assert {message.stream for message in messages} == set(range(8))
        assert {message.data for message in messages} == {bytes_of_peer(20_000)}
    bytes_before_an_end = 0
    for chunk in tap.user_data("second"):
        if chunk.ends:
            break
        bytes_before_an_end += len(chunk.data)
    assert bytes_before_an_end > WINDOW_BYTES - 8 * 1_500


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_more_half_received_bytes_than_the_window_come_through(usrsctp: Usrsctp, connector: str) -> None:
    config = SPEAKING_ALL.replace(receive_window_bytes=32 * 1024)
    async with tapped(usrsctp, connector, config=config, interleaving=True, scheduler="rr") as (association, peer, tap):
        for stream in range(8):
            await peer.command("send", stream, 50_000, stream)
        messages = [await association.receive() for _ in range(8)]
        assert {message.stream for message in messages} == set(range(8))
        assert {message.data for message in messages} == {bytes_of_peer(50_000)}
    assert are_mixed(tap.user_data("second"), 6, 7)


# ---- All sizes, and losses ----

SIZES = (1, 2, 3, 4, 5, 1000, 1439, 1440, 1441, 2880, 65_536, 262_143, 262_145)


@pytest.mark.parametrize("unordered", [False, True], ids=["ordered", "unordered"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_echo_returns_messages_of_all_sizes(usrsctp: Usrsctp, connector: str, unordered: bool) -> None:
    messages = [random.Random(size).randbytes(size) for size in SIZES]
    async with tapped(
        usrsctp, connector, config=ROUND_ROBIN, interleaving=True, echo=True, partial_delivery_point=PEER_DELIVERS_FROM
    ) as (association, _, tap):

        async def send_all() -> None:
            for number, data in enumerate(messages):
                for stream in range(4):
                    await association.send(data, stream=stream, ppid=0xA0B0_0000 + number, unordered=unordered)

        sending = asyncio.create_task(send_all())
        received: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for _ in range(4 * len(SIZES)):
            message = await association.receive()
            assert message.unordered == unordered
            received[message.stream].append((message.ppid, message.data))
        await sending
    expected = [(0xA0B0_0000 + number, data) for number, data in enumerate(messages)]
    for stream in range(4):
        if unordered:
            assert Counter(received[stream]) == Counter(expected)
        else:
            assert received[stream] == expected
    assert_numbered(tap.user_data("first"))


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_both_send_large_messages_over_a_lossy_path(usrsctp: Usrsctp, connector: str) -> None:
    pairing = associated(
        usrsctp,
        connector,
        config=ROUND_ROBIN,
        loss=0.03,
        streams=PEER_STREAMS,
        interleaving=True,
        partial_delivery_point=PEER_DELIVERS_FROM,
        sysctl=QUICK,
    )
    async with asyncio.timeout(50.0), pairing as (association, peer, relay):
        await peer.event("assoc_change", state="COMM_UP")
        await peer.command("source", 600_000, 30_000, 4)

        async def send_all() -> Tally:
            tally = Tally()
            for number in range(20):
                data = random.Random(number).randbytes(30_000)
                await association.send(data, stream=number % 4)
                tally.add(number % 4, data)
            return tally

        sending = asyncio.create_task(send_all())
        received = Tally()
        while received.bytes < 600_000:
            message = await association.receive()
            received.add(message.stream, message.data)
        assert received.event("sent")["ordered"] == (await peer.event("sent"))["ordered"]
        sent = await sending
        assert (await peer.received(sent.bytes))["ordered"] == sent.event("sent")["ordered"]
        assert relay is not None
        assert relay.lost


# ---- What is abandoned ----


async def test_an_i_forward_tsn_names_what_it_skips_of_several_streams(usrsctp: Usrsctp) -> None:
    """RFC 8260 §2.3.1: ordered and unordered, of messages whose fragments are mixed."""
    async with tapped(usrsctp, "aiosctp", config=ROUND_ROBIN, interleaving=True) as (association, peer, tap):
        for stream in (1, 2, 3):
            await association.send(b"x", stream=stream, unordered=stream == 2)
            await peer.event("message")
        tap.lose(lambda chunk: chunk.sender == "first" and chunk.is_user_data and chunk.stream in (1, 2))
        for stream in (1, 2):
            association.send_nowait(bytes(LARGE), stream=stream, unordered=stream == 2, max_retransmits=0)
        association.send_nowait(bytes(LARGE), stream=3)
        assert (await peer.event("message"))["stream"] == 3
        await association.wait_acknowledged()
        tap.lose_nothing()
        for stream in (1, 2):
            await association.send(b"xx", stream=stream, unordered=stream == 2)
            event = await peer.event("message")
            assert (event["stream"], event["size"]) == (stream, 2)
    skipped = {skip for chunk in tap.of("first", "I-FORWARD-TSN") for skip in chunk.skipped}
    assert skipped == {(1, False, 1), (2, True, 1)}


async def test_usrsctp_abandons_one_of_several_messages_in_parts(usrsctp: Usrsctp) -> None:
    """It names the reliable one too, whose chunks lie between, and goes on sending it. We are bound to skip what is
    named, tell of it, and go on with what comes next."""
    config = SPEAKING_ALL.replace(partial_delivery_point_bytes=4_000)
    async with tapped(usrsctp, "aiosctp", config=config, interleaving=True, scheduler="rr") as (association, peer, tap):
        ended = association.events(PartialDelivery)
        tap.lose(lambda chunk: chunk.sender == "second" and chunk.stream == 2 and (chunk.fsn or 0) > 4)
        await peer.command("send", 2, LARGE, 2, "rtx 0")
        await peer.command("send", 1, LARGE, 1)
        for stream in (1, 2):
            await peer.command("send", stream, 99, 99)
        begun: dict[int, bytes] = defaultdict(bytes)
        told: set[int] = set()
        arrived: list[int] = []
        while len(arrived) < 2:
            part = await association.receive(partial=True)
            if part.ppid == 99:
                assert part.data == bytes_of_peer(99)
                arrived.append(part.stream)
            else:
                begun[part.stream] += part.data
                assert part.ssn == 0
                assert part.end_of_record == (begun[part.stream] == bytes_of_peer(LARGE))
        unfinished = {stream for stream, data in begun.items() if data != bytes_of_peer(LARGE)}
        for _ in unfinished:
            event = await next_of(ended, PartialDelivery)
            assert event.ssn == 0
            told.add(event.stream)
        assert told == unfinished
        assert 2 in told
        assert sorted(arrived) == [1, 2]
    named = {skip for chunk in tap.of("second", "I-FORWARD-TSN") for skip in chunk.skipped}
    # It may name the one on stream 1 when we have all of it: then there is nothing to tell.
    assert {(stream, False, 0) for stream in told} <= named


# ---- Resets and byte streams ----


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_resets_begin_mids_anew(usrsctp: Usrsctp, connector: str) -> None:
    """RFC 8260 §2.3.2: ordered and unordered ones."""
    async with tapped(usrsctp, connector, interleaving=True, grant=GRANT_ALL) as (association, peer, tap):

        async def both_send(mid: int) -> None:
            for order in ("ordered", "unordered"):
                await association.send(bytes(5_000), stream=1, unordered=order == "unordered")
                await peer.event("message", stream=1, unordered=order == "unordered", ssn=mid)
                await peer.command("send", 1, 5_000, 1, order)
                message = await association.receive()
                assert (message.stream, message.ssn, message.unordered) == (1, mid, order == "unordered")

        await both_send(0)
        await both_send(1)
        await association.reset_streams(outgoing=[1], incoming=[1])
        await both_send(0)
        await peer.command("reset", "outgoing", 1)
        await peer.event("stream_reset", outgoing=True)
        await association.reset_streams(outgoing=[1])
        await both_send(0)
        await both_send(1)
    assert "DATA" not in tap.names("first") | tap.names("second")


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_byte_streams_over_i_data_end_and_begin_anew(usrsctp: Usrsctp, connector: str) -> None:
    async with tapped(
        usrsctp,
        connector,
        config=ROUND_ROBIN,
        interleaving=True,
        partial_delivery_point=PEER_DELIVERS_FROM,
        grant=GRANT_ALL,
        echo=True,
    ) as (association, peer, tap):

        async def talk(size: int) -> None:
            reader, writer = await association.open_stream()
            data = random.Random(size).randbytes(size)
            writer.write(data)
            assert await reader.readexactly(size) == data
            writer.close()
            await writer.wait_closed()

        # Half of the ten streams are ours: numbers are used again.
        for size in (1, 5_000, 100_000):
            await asyncio.gather(*(talk(size + number) for number in range(5)))
        reader, writer = await association.open_stream()
        number = writer.get_extra_info("stream_id")
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.readexactly(5) == b"hello"
        await peer.command("reset", "outgoing", number)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert "DATA" not in tap.names("first") | tap.names("second")
    assert are_mixed(tap.user_data("first"), *sorted({chunk.stream for chunk in tap.user_data("first")})[:2])
