"""How messages are cut: `Config.max_segment_bytes` (RFC 6458 §8.1.16), `Config.fragmentation` (RFC 6458 §8.1.11)."""

from __future__ import annotations

import asyncio

import pytest

import aiosctp
from aiosctp.testing import Packet
from aiosctp.wire.chunks import Data, IData, decode_chunks
from tests.surface.two_hosts import TwoHosts, associated
from tests.surface.virtual_time import virtual_time

both_formats = pytest.mark.parametrize("idata", [False, True], ids=["DATA", "I-DATA"])


def segments(log: list[Packet]) -> list[int]:
    """How much user data each chunk in these packets has."""
    chunks = [chunk for packet in log for chunk in decode_chunks(packet.data)]
    return [len(chunk.payload) for chunk in chunks if isinstance(chunk, Data | IData)]


async def sent(hosts: TwoHosts, ours: aiosctp.Association, size: int) -> list[int]:
    """The segments of one message."""
    hosts.log.clear()
    await ours.send(bytes(size))
    await ours.wait_acknowledged()
    return segments(hosts.log)


@both_formats
@virtual_time
async def test_a_message_is_cut_into_segments_of_the_size_that_is_set(idata: bool) -> None:
    """B17: SCTP_MAXSEG counts user data, without the header; in life too, and None is as much as the paths take."""
    async with associated(config=aiosctp.Config(max_segment_bytes=100, interleaving=idata)) as (hosts, ours, theirs):
        assert ours.status().fragmentation_point_bytes == 100
        assert await sent(hosts, ours, 100) == [100]
        assert await sent(hosts, ours, 250) == [100, 100, 50]
        ours.configure(max_segment_bytes=200)
        assert await sent(hosts, ours, 250) == [200, 50]
        ours.configure(max_segment_bytes=None)
        assert await sent(hosts, ours, 250) == [250]
        point_bytes = ours.status().fragmentation_point_bytes
        assert point_bytes > 1000
        ours.configure(max_segment_bytes=1 << 20)
        assert ours.status().fragmentation_point_bytes == point_bytes
        assert await sent(hosts, ours, point_bytes + 1) == [point_bytes, 1]
        assert [len((await theirs.receive()).data) for _ in range(5)] == [100, 250, 250, 250, point_bytes + 1]


@virtual_time
async def test_the_peer_cuts_as_it_likes() -> None:
    async with associated(config=aiosctp.Config(max_segment_bytes=100), server_config=aiosctp.Config()) as (
        hosts,
        _,
        theirs,
    ):
        assert await sent(hosts, theirs, 300) == [300]


@both_formats
@virtual_time
async def test_without_fragmentation_a_message_goes_in_one_chunk_or_not_at_all(idata: bool) -> None:
    """B12: SCTP_DISABLE_FRAGMENTS: beyond the fragmentation point MessageTooLarge, and nothing is queued."""
    config = aiosctp.Config(fragmentation=False, interleaving=idata, path_mtu=1400)
    async with associated(config=config) as (hosts, ours, _):
        most = ours.status().fragmentation_point_bytes
        assert await sent(hosts, ours, most) == [most]
        for whole in (True, False):
            with pytest.raises(aiosctp.exceptions.MessageTooLarge, match=f"{most} bytes, and has {most + 1}:"):
                await ours.send(bytes(most + 1), end_of_record=whole)
            with pytest.raises(aiosctp.exceptions.MessageTooLarge):
                ours.send_nowait(bytes(most + 1), end_of_record=whole)
        assert ours.engine.sender.is_drained
        ours.configure(max_segment_bytes=50)
        with pytest.raises(aiosctp.exceptions.MessageTooLarge):
            await ours.send(bytes(51))
        ours.configure(fragmentation=True)
        assert await sent(hosts, ours, 51) == [50, 1]
        ours.configure(fragmentation=False, max_segment_bytes=None)
        with pytest.raises(aiosctp.exceptions.MessageTooLarge):
            await ours.send(bytes(most + 1))


@virtual_time
async def test_without_fragmentation_the_parts_of_a_record_go_in_a_chunk_each() -> None:
    async with associated(config=aiosctp.Config(fragmentation=False)) as (hosts, ours, theirs):
        hosts.log.clear()
        await ours.send(bytes(1000), end_of_record=False)
        await ours.send(bytes(900))
        assert len((await theirs.receive()).data) == 1900
        assert segments(hosts.log) == [1000, 900]


@virtual_time
async def test_a_message_that_waits_is_measured_when_its_turn_comes() -> None:
    """The path MTU falls meanwhile."""
    config = aiosctp.Config(
        fragmentation=False, send_buffer_bytes=1000, stream_send_buffer_bytes=1000, path_mtu_discovery=False
    )
    async with associated(config=config) as (hosts, ours, _):
        hosts.drop = lambda packet: True
        await ours.send(bytes(1000))
        waiting = asyncio.create_task(ours.send(bytes(1000)))
        small = asyncio.create_task(ours.send(bytes(500)))
        await asyncio.sleep(0)
        ours.primary_path.configure(path_mtu=600)
        hosts.drop = lambda packet: False
        with pytest.raises(aiosctp.exceptions.MessageTooLarge):
            await waiting
        await small


@virtual_time
async def test_without_fragmentation_what_a_byte_stream_is_given_goes_in_whole_messages() -> None:
    async with associated(config=aiosctp.Config(fragmentation=False, interleaving=False)) as (hosts, ours, theirs):
        _, writer = await ours.open_stream()
        hosts.log.clear()
        writer.write(bytes(10_000))
        reader, _ = await theirs.accept_stream()
        assert await reader.readexactly(10_000) == bytes(10_000)
        chunks = [chunk for packet in hosts.log for chunk in decode_chunks(packet.data) if isinstance(chunk, Data)]
        assert len(chunks) > 5
        assert all(chunk.beginning and chunk.ending for chunk in chunks)
