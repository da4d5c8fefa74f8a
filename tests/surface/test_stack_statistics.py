"""`Stack.statistics()`: the scalars of RFC 3873, counted where the packets are seen."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

import aiosctp
from aiosctp.testing import Packet
from aiosctp.wire.chunks import decode_chunks
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.errors import DecodeError
from tests.surface.two_hosts import TwoHosts, associated, chunk_type
from tests.surface.virtual_time import virtual_time

WHOLE = bytes(100)
IN_PARTS = bytes(5000)


def chunks_from(log: list[Packet], host: str) -> Counter[int]:
    """How many chunks of each type a host has sent."""
    packets = (packet.data for packet in log if packet.source == host)
    chunks = (chunk for data in packets for chunk in decode_chunks(data))
    return Counter(chunk.type for chunk in chunks if not isinstance(chunk, DecodeError))


@pytest.mark.parametrize("interleaving", [False, True])
@virtual_time
async def test_what_the_associations_did_is_counted_beyond_their_end(interleaving: bool) -> None:
    """G12: each counter against the packets; of a life from INIT to SHUTDOWN COMPLETE."""
    async with associated(config=aiosctp.Config(interleaving=interleaving)) as (hosts, ours, theirs):
        for data, unordered in ((WHOLE, False), (IN_PARTS, False), (IN_PARTS, False), (IN_PARTS, True)):
            await ours.send(data, unordered=unordered)
            await theirs.receive()
        living = hosts.client.statistics(), hosts.server.statistics()
        await ours.shutdown()
        await theirs.wait_closed()
        client, server = hosts.client.statistics(), hosts.server.statistics()
    assert [each.associations_current for each in living] == [1, 1]
    assert [each.associations_current for each in (client, server)] == [0, 0]
    assert (client.associations_established, client.associations_accepted) == (1, 0)
    assert (server.associations_established, server.associations_accepted) == (1, 1)
    assert (client.associations_shut_down, server.associations_shut_down) == (1, 1)
    assert (client.messages_fragmented, client.messages_reassembled) == (3, 0)
    assert (server.messages_fragmented, server.messages_reassembled) == (0, 3)
    from_client = chunks_from(hosts.log, "192.0.2.1")
    from_server = chunks_from(hosts.log, "192.0.2.2")
    data_type = ChunkType.I_DATA if interleaving else ChunkType.DATA
    per_message = (client.ordered_chunks_sent - 1) // 2
    assert (client.ordered_chunks_sent, client.unordered_chunks_sent) == (1 + 2 * per_message, per_message)
    assert client.ordered_chunks_sent + client.unordered_chunks_sent == from_client[data_type] > 4
    assert server.ordered_chunks_received == living[1].ordered_chunks_received == client.ordered_chunks_sent
    assert server.unordered_chunks_received == client.unordered_chunks_sent
    assert client.control_chunks_sent == server.control_chunks_received == from_client.total() - from_client[data_type]
    assert server.control_chunks_sent == client.control_chunks_received == from_server.total()
    assert client.datagrams_sent == server.datagrams_received
    assert client.datagrams_sent + server.datagrams_sent == len(hosts.log)


@virtual_time
async def test_strangers_and_what_is_garbled_are_counted() -> None:
    """G12: OutOfBlues, ChecksumErrors, and the chunks that no association sent."""
    async with TwoHosts() as hosts:
        with pytest.raises(aiosctp.AssociationRefused):
            await hosts.connect()
        (init, abort) = hosts.log
        before = hosts.server.statistics()
        assert (before.control_chunks_received, before.control_chunks_sent, before.answers_sent) == (1, 1, 1)
        engine, now = hosts.server.open(), hosts.server.now()
        engine.receive(abort.data[:-1] + b"!", "192.0.2.1", 9899, "192.0.2.2", now)
        engine.receive(init.data[:15], "192.0.2.1", 9899, "192.0.2.2", now)
        engine.receive(abort.data, "192.0.2.1", 9899, "192.0.2.2", now)
        after = hosts.server.statistics()
        assert after.malformed_packets - before.malformed_packets == 2
        assert after.checksum_errors - before.checksum_errors == 1
        assert after.out_of_the_blue - before.out_of_the_blue == 1


@virtual_time
async def test_aborted_ones_are_counted_and_the_others_go_on() -> None:
    """G12: Aborteds, and CurrEstab of those that are left."""
    async with TwoHosts() as hosts, await hosts.serve():
        first, _ = await hosts.pair()
        second, theirs = await hosts.pair()
        first.abort()
        await asyncio.sleep(1)
        statistics = hosts.client.statistics(), hosts.server.statistics()
        assert [each.associations_current for each in statistics] == [1, 1]
        assert [each.associations_aborted for each in statistics] == [1, 1]
        # SHUTDOWN-PENDING is counted as established, SHUTDOWN-SENT is not.
        hosts.drop = lambda packet: packet.source == "192.0.2.2"
        second.send_nowait(WHOLE)
        second.close()
        await asyncio.sleep(0.1)
        pending = second.state, hosts.client.statistics().associations_current
        assert pending == (aiosctp.AssociationState.SHUTDOWN_PENDING, 1)
        hosts.drop = lambda packet: chunk_type(packet) == ChunkType.SHUTDOWN_ACK
        await asyncio.sleep(5)
        sent = second.state, hosts.client.statistics().associations_current
        assert sent == (aiosctp.AssociationState.SHUTDOWN_SENT, 0)
        hosts.drop = lambda packet: False
        await theirs.wait_closed()


@virtual_time
async def test_counting_may_begin_anew() -> None:
    """G12: and says since when (DiscontinuityTime); the associations' own counters go on."""
    async with TwoHosts() as hosts, await hosts.serve():
        assert hosts.client.statistics().counting_since_s == asyncio.get_running_loop().time()
        ours, theirs = await hosts.pair()
        await ours.send(WHOLE)
        await theirs.receive()
        await asyncio.sleep(5)
        hosts.client.reset_statistics()
        statistics = hosts.client.statistics()
        assert statistics.counting_since_s == asyncio.get_running_loop().time()
        # A gauge is no count.
        assert statistics.associations_current == 1
        assert (statistics.ordered_chunks_sent, statistics.control_chunks_sent, statistics.datagrams_sent) == (0, 0, 0)
        await ours.send(WHOLE)
        await theirs.receive()
        assert hosts.client.statistics().ordered_chunks_sent == 1
        assert ours.statistics().oodchunks == 2
        await ours.shutdown()
        assert hosts.client.statistics().ordered_chunks_sent == 1
        unopened = aiosctp.Stack(network=hosts.network.host("other", "192.0.2.9"))
        unopened.reset_statistics()
        assert set(vars_of(unopened.statistics())) == {0}


def vars_of(statistics: aiosctp.StackStatistics) -> list[float]:
    return [getattr(statistics, name) for name in type(statistics).__slots__]
