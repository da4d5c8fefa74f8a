"""The counters of SCTP_GET_ASSOC_STATS against what was on the wire, where packets are lost and overtake each other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Link, RandomLoss
from aiosctp.wire.chunks import Sack, decode_chunks
from tests.socket.on_the_wire import USER_DATA
from tests.socket.pairs import LONG, connected
from tests.surface.two_hosts import TwoHosts
from tests.surface.virtual_time import virtual_time


def chunks(hosts: TwoHosts, source: str, *, arrived: bool) -> Iterator[Any]:
    """What was sent from this address; or of that what arrived, in the order of that."""
    passages = [each for each in hosts.network.trace if each.packet.source == source]
    if arrived:
        passages = sorted(
            (each for each in passages if each.fate == "delivered"), key=lambda each: each.arrives_at_s or 0
        )
    for each in passages:
        yield from decode_chunks(each.packet.data)


def counted(hosts: TwoHosts, ours: str, theirs: str) -> dict[str, int]:
    """What the counters of the host `ours` should be by its packets and those of `theirs`."""
    out = list(chunks(hosts, ours, arrived=False))
    came = list(chunks(hosts, theirs, arrived=True))
    first: dict[int, Any] = {}
    for chunk in out:
        if isinstance(chunk, USER_DATA):
            first.setdefault(chunk.tsn, chunk)
    data = [chunk for chunk in came if isinstance(chunk, USER_DATA)]
    taken = {chunk.tsn: chunk for chunk in data}
    sacks = [chunk for chunk in came if isinstance(chunk, Sack)]
    return {
        "oodchunks": sum(not chunk.unordered for chunk in first.values()),
        "ouodchunks": sum(chunk.unordered for chunk in first.values()),
        "rtxchunks": sum(isinstance(chunk, USER_DATA) for chunk in out) - len(first),
        "iodchunks": sum(not chunk.unordered for chunk in taken.values()),
        "iuodchunks": sum(chunk.unordered for chunk in taken.values()),
        "idupchunks": len(data) - len(taken),
        "osacks": sum(isinstance(chunk, Sack) for chunk in out),
        "isacks": len(sacks),
        "gapcnt": sum(len(sack.gap_ack_blocks) for sack in sacks),
        "outseqtsns": above_the_next_expected(data),
    }


def above_the_next_expected(data: list[Any]) -> int:
    """How many were, each once; the first TSN of a peer is the least."""
    expected = min((chunk.tsn for chunk in data), default=0)
    taken: set[int] = set()
    count = 0
    for chunk in data:
        count += chunk.tsn > expected and chunk.tsn not in taken
        taken.add(chunk.tsn)
        while expected in taken:
            expected += 1
    return count


@pytest.mark.parametrize("seed", range(6))
@virtual_time
async def test_the_counters_are_those_of_the_wire(seed: int) -> None:
    """H01, H02, H04-H06, H09-H13: each way, of messages of any size, ordered and not."""
    dice = random.Random(seed)
    async with connected(seed=seed) as (hosts, ours, theirs):
        hosts.network.set_link(
            hosts.client_host, hosts.server_host, Link(delay_s=0.01, reordering=0.2, loss=RandomLoss(0.1))
        )

        async def talk(sender: SCTPSocket) -> None:
            for _ in range(40):
                flags = dice.choice((0, sctp.SCTP_UNORDERED))
                await sender.sendv(bytes(dice.choice((10, 3000))), sndinfo=sctp.sctp_sndinfo(snd_flags=flags))
                await asyncio.sleep(dice.choice((0, 0.05)))

        async def listen(reader: SCTPSocket) -> None:
            for _ in range(40):
                while not (await reader.recvv(LONG)).msg_flags & sctp.MSG_EOR:
                    pass

        async with asyncio.TaskGroup() as group:
            for each in (ours, theirs):
                group.create_task(talk(each))
                group.create_task(listen(each))
        await asyncio.sleep(120)
        addresses = hosts.client_host.addresses[0], hosts.server_host.addresses[0]
        for sock, (near, far) in ((ours, addresses), (theirs, addresses[::-1])):
            stats = sock.getsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_GET_ASSOC_STATS)
            expected = counted(hosts, near, far)
            assert {name: getattr(stats, f"sas_{name}") for name in expected} == expected
            assert min(expected["rtxchunks"], expected["outseqtsns"], expected["gapcnt"]) > 0
