"""Explicit EOR (RFC 6458 §8.1.26): a message given to `send` in parts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import aiosctp
from aiosctp.events import SendFailed
from tests.surface.test_restart_of_streams import restart
from tests.surface.two_hosts import TwoHosts, associated
from tests.surface.virtual_time import virtual_time

SMALL = aiosctp.Config(send_buffer_bytes=4000, stream_send_buffer_bytes=1000, receive_window_bytes=1 << 20)
both_formats = pytest.mark.parametrize("idata", [False, True], ids=["DATA", "I-DATA"])


@asynccontextmanager
async def hosts_with(
    *, idata: bool, config: aiosctp.Config = SMALL
) -> AsyncIterator[tuple[TwoHosts, aiosctp.Association, aiosctp.Association]]:
    async with associated(config=config.replace(interleaving=idata)) as (hosts, ours, theirs):
        yield hosts, ours, theirs


@both_formats
@pytest.mark.parametrize("unordered", [False, True])
@virtual_time
async def test_parts_arrive_as_one_message(idata: bool, unordered: bool) -> None:
    """B32: RFC 6458 §8.1.26."""
    async with hosts_with(idata=idata) as (_, ours, theirs):
        for _ in range(2):
            await ours.send(b"one ", ppid=5, unordered=unordered, end_of_record=False)
            await ours.send(b"and ", ppid=5, unordered=unordered, end_of_record=False)
            await ours.send(b"another", ppid=5, unordered=unordered)
            await ours.send(b"whole")
            message = await theirs.receive()
            assert (message.data, message.ppid, message.unordered) == (b"one and another", 5, unordered)
            assert (await theirs.receive()).data == b"whole"


@both_formats
@virtual_time
async def test_a_message_is_larger_than_both_buffers(idata: bool) -> None:
    """What is acknowledged makes room for what comes; what is read in parts does at the peer."""
    config = SMALL.replace(receive_window_bytes=5000, partial_delivery_point_bytes=1000)
    async with hosts_with(idata=idata, config=config) as (_, ours, theirs):
        stream = ours.stream(3)

        async def send() -> None:
            for n in range(100):
                await stream.send(bytes([n]) * 700, end_of_record=n == 99)

        sending = asyncio.create_task(send())
        data = b""
        ends: list[bool] = []
        while not (ends and ends[-1]):
            part = await theirs.receive(partial=True)
            data += part.data
            ends.append(part.end_of_record)
        await sending
        assert data == b"".join(bytes([n]) * 700 for n in range(100))
        assert len(ends) > 10


@virtual_time
async def test_an_open_record_holds_up_all_other_streams_where_the_peer_has_no_i_data() -> None:
    """RFC 9260 §6.9; its own next part never waits for what it holds up."""
    async with hosts_with(idata=False) as (_, ours, theirs):
        await ours.send(b"1", end_of_record=False)
        await asyncio.sleep(1)
        sends = [asyncio.create_task(ours.send(bytes(900), stream=stream)) for stream in range(1, 9)]
        await asyncio.sleep(100)
        assert not all(each.done() for each in sends), "the association's buffer is full"
        with pytest.raises(BlockingIOError):
            theirs.receive_nowait()
        await ours.send(b"2" * 1500, end_of_record=False)
        waiting = asyncio.create_task(ours.send(b"3" * 10, end_of_record=False))
        await asyncio.sleep(0)
        assert not waiting.done(), "the stream's own mark counts"
        await waiting
        await asyncio.sleep(1)
        assert not all(each.done() for each in sends)
        await ours.send(b"4")
        assert (await theirs.receive()).data == b"1" + b"2" * 1500 + b"3" * 10 + b"4"
        await asyncio.gather(*sends)
        assert sorted([(await theirs.receive()).stream for _ in range(8)]) == list(range(1, 9))


@virtual_time
async def test_a_record_goes_on_while_what_its_reset_holds_back_fills_the_buffer() -> None:
    async with hosts_with(idata=True) as (_, ours, theirs):
        await ours.send(b"1", end_of_record=False)
        resetting = asyncio.create_task(ours.reset_streams(outgoing=range(10)))
        await asyncio.sleep(1)
        sends = [asyncio.create_task(ours.send(bytes(900), stream=stream)) for stream in range(1, 9)]
        await asyncio.sleep(1)
        assert not resetting.done()
        assert not all(each.done() for each in sends)
        await ours.send(b"2")
        await resetting
        await asyncio.gather(*sends)
        assert (await theirs.receive()).data == b"12"


@both_formats
@virtual_time
async def test_each_stream_has_an_open_record_of_its_own(idata: bool) -> None:
    async with hosts_with(idata=idata) as (_, ours, theirs):
        for part in range(3):
            for stream in range(3):
                ours.send_nowait(bytes([stream, part]), stream=stream, end_of_record=part == 2)
        got = {(message := await theirs.receive()).stream: message.data for _ in range(3)}
        assert got == {stream: bytes([stream, 0, stream, 1, stream, 2]) for stream in range(3)}


@pytest.mark.parametrize(
    ("bad", "names"),
    [
        ({"ppid": 8}, "ppid"),
        ({"unordered": True, "ppid": 7}, "unordered"),
        ({"ppid": 7, "lifetime": 1}, "lifetime"),
        ({"ppid": 7, "max_retransmits": 1, "end_of_record": False}, "max_retransmits"),
        ({"ppid": 7, "buffer_priority": 1}, "buffer_priority"),
    ],
)
@virtual_time
async def test_a_part_that_does_not_fit_its_record_is_refused_and_the_record_goes_on(
    bad: dict[str, Any], names: str
) -> None:
    """B32: what may not change in between."""
    async with hosts_with(idata=False) as (_, ours, theirs):
        await ours.send(b"1", ppid=7, end_of_record=False)
        with pytest.raises(ValueError, match=names):
            await ours.send(b"x", **bad)
        with pytest.raises(ValueError, match=names):
            ours.send_nowait(b"x", **bad)
        await ours.send(b"2", ppid=7)
        assert (await theirs.receive()).data == b"12"


@virtual_time
async def test_a_policy_named_where_a_record_begins_is_refused() -> None:
    async with hosts_with(idata=False) as (_, ours, theirs):
        with pytest.raises(ValueError, match="lifetime"):
            await ours.send(b"1", lifetime=1, end_of_record=False)
        await ours.send(b"whole")
        assert (await theirs.receive()).data == b"whole"


@virtual_time
async def test_defaults_do_not_apply_to_a_record() -> None:
    config = SMALL.replace(lifetime_s=0.5, partial_reliability=True)
    async with hosts_with(idata=False, config=config) as (_, ours, theirs):
        failed = ours.events(SendFailed)
        await ours.send(b"1", end_of_record=False)
        await asyncio.sleep(1)
        await ours.send(b"held up, and late", stream=1)
        await asyncio.sleep(1)
        event = await anext(failed)
        assert isinstance(event, SendFailed)
        assert event.data == b"held up, and late"
        await ours.send(b"2")
        assert (await theirs.receive()).data == b"12"


@virtual_time
async def test_the_first_part_of_a_record_waits_for_room_beyond_the_default_lifetime() -> None:
    """A default says nothing of a record: its first part is not let by the high-water mark when a lifetime is over."""
    config = SMALL.replace(lifetime_s=0.5)
    async with hosts_with(idata=False, config=config) as (hosts, ours, theirs):
        hosts.drop = lambda packet: True
        await ours.send(bytes(1000), lifetime=math.inf)
        waiting = asyncio.create_task(ours.send(b"1", end_of_record=False))
        await asyncio.sleep(1)
        assert not waiting.done()
        hosts.drop = lambda packet: False
        await waiting
        await ours.send(b"2")
        assert [(await theirs.receive()).data for _ in range(2)] == [bytes(1000), b"12"]


@virtual_time
async def test_all_parts_together_are_at_most_a_message() -> None:
    async with hosts_with(idata=False, config=SMALL.replace(max_message_bytes=10)) as (_, ours, theirs):
        await ours.send(bytes(8), end_of_record=False)
        with pytest.raises(aiosctp.MessageTooLarge):
            await ours.send(bytes(3))
        await ours.send(bytes(2))
        assert (await theirs.receive()).data == bytes(10)
        await ours.send(bytes(10))


@both_formats
@virtual_time
async def test_a_part_cancelled_before_it_was_queued_leaves_the_record_open(idata: bool) -> None:
    async with hosts_with(idata=idata) as (hosts, ours, theirs):
        hosts.drop = lambda packet: True
        await ours.send(bytes(1000), end_of_record=False)
        waiting = asyncio.create_task(ours.send(b"cancelled", end_of_record=False))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        hosts.drop = lambda packet: False
        await ours.send(b"end")
        assert (await theirs.receive()).data == bytes(1000) + b"end"


@both_formats
@virtual_time
async def test_those_who_wait_are_parts_in_the_order_of_the_calls(idata: bool) -> None:
    """Also what is a message of its own behind the end of a record, with its own policy."""
    async with hosts_with(idata=idata) as (hosts, ours, theirs):
        hosts.drop = lambda packet: True
        await ours.send(bytes(1000))
        calls: list[tuple[bytes, dict[str, Any]]] = [
            (b"1", {"end_of_record": False}),
            (b"2", {"end_of_record": False}),
            (b"3", {}),
            (b"alone", {"lifetime": 1000}),
            (b"4", {"end_of_record": False, "ppid": 3}),
            (b"refused", {"end_of_record": False}),
            (b"5", {"ppid": 3}),
        ]
        sends = [asyncio.create_task(ours.send(data, **how)) for data, how in calls]
        await asyncio.sleep(0.1)
        assert not any(each.done() for each in sends)
        hosts.drop = lambda packet: False
        results = await asyncio.gather(*sends, return_exceptions=True)
        assert [type(each) for each in results] == [type(None)] * 5 + [ValueError] + [type(None)]
        assert [(await theirs.receive()).data for _ in range(4)] == [bytes(1000), b"123", b"alone", b"45"]


@both_formats
@virtual_time
async def test_shutdown_amid_a_record_raises_and_the_peer_gets_nothing_of_it(idata: bool) -> None:
    async with hosts_with(idata=idata) as (_, ours, theirs):
        failed = ours.events(SendFailed)
        await ours.send(b"whole")
        await ours.send(b"half", end_of_record=False)
        with pytest.raises(aiosctp.AssociationAborted):
            await ours.shutdown()
        assert [event async for event in failed] == [], "each part was acknowledged"
        await theirs.wait_closed()
        with pytest.raises(aiosctp.AssociationAborted):
            await theirs.receive()


@virtual_time
async def test_a_block_left_amid_a_record_raises() -> None:
    async with hosts_with(idata=True) as (_, ours, theirs):
        with pytest.raises(aiosctp.AssociationLost):
            async with ours:
                await ours.send(b"half", end_of_record=False)
        with pytest.raises(aiosctp.AssociationAborted):
            await theirs.receive()


@both_formats
@virtual_time
async def test_of_what_failed_a_part_is_told_from_a_whole_message(idata: bool) -> None:
    """RFC 6458 §6.1.11."""
    async with hosts_with(idata=idata) as (hosts, ours, _):
        failed = ours.events(SendFailed)
        hosts.drop = lambda packet: packet.data[12] in (0, 64)
        await ours.send(b"whole")
        await ours.send(b"1", end_of_record=False)
        await ours.send(b"2")
        ours.abort()
        told = [event async for event in failed]
        assert [(event.data, event.is_whole) for event in told if isinstance(event, SendFailed)] == [
            (b"whole", True),
            (b"1", False),
            (b"2", False),
        ]


@both_formats
@virtual_time
async def test_after_a_restart_no_rest_of_a_record_is_taken_for_a_message(idata: bool) -> None:
    async with hosts_with(idata=idata) as (hosts, theirs, ours):
        failed = ours.events(SendFailed)
        await ours.send(b"1", end_of_record=False)
        await asyncio.sleep(1)
        hosts.drop = lambda packet: packet.data[12] in (0, 64)
        await ours.send(b"2", context=2, end_of_record=False)
        hosts.drop = lambda packet: False
        again = await restart(hosts, theirs, ours)
        event = await anext(failed)
        assert isinstance(event, SendFailed)
        assert (event.data, event.context, event.was_sent) == (b"2", 2, True)
        with pytest.raises(aiosctp.RecordLost):
            await ours.send(b"3")
        await ours.send(b"new")
        await asyncio.sleep(1)
        message = again.receiver.read()
        assert message is not None
        assert message.data == b"new"


@virtual_time
async def test_bytes_never_get_in_among_the_parts_of_a_record() -> None:
    async with hosts_with(idata=True) as (_, ours, theirs):
        await ours.send(b"1", stream=2, end_of_record=False)
        with pytest.raises(aiosctp.InvalidStream):
            await ours.open_stream(2)
        await ours.send(b"3", stream=4, end_of_record=False)
        with pytest.raises(aiosctp.InvalidStream):
            await ours.open_stream(4)
        _, writer = await ours.open_stream(6)
        with pytest.raises(aiosctp.InvalidStream):
            await ours.send(b"x", stream=6, end_of_record=False)
        writer.write(b"bytes")
        await ours.send(b"2", stream=2)
        await ours.send(b"4", stream=4)
        got = {(message := await theirs.receive()).stream: message.data for _ in range(3)}
        assert got == {2: b"12", 4: b"34", 6: b"bytes"}
