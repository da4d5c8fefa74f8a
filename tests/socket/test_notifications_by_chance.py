"""What becomes of each message when the peer is lost at any moment: it was delivered, or it is told as failed."""

from __future__ import annotations

import asyncio
import errno
import random
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Link, RandomLoss
from tests.socket.on_the_wire import USER_DATA, sent
from tests.socket.pairs import LONG, connected, setting, several, subscribed
from tests.surface.virtual_time import virtual_time

MESSAGES = 60


async def read_all(sock: SCTPSocket) -> list[bytes]:
    """The messages that come within a minute."""
    messages = []
    try:
        async with asyncio.timeout(60):
            while True:
                messages.append(await sock.recv(LONG))
    except TimeoutError:
        return messages


async def all_that_waits(sock: SCTPSocket) -> list[Any]:
    """Notifications, until the loss of the association is what there is to tell."""
    told = []
    while True:
        try:
            told.append((await sock.recvv(LONG)).data)
        except OSError as lost:
            if lost.errno != errno.ETIMEDOUT:
                raise
            return told


@pytest.mark.parametrize("seed", range(8))
@virtual_time
async def test_each_message_was_delivered_or_is_told_as_failed(seed: int) -> None:
    """C04, C11, C12: SCTP_COMM_LOST first, then what was on the wire, then what was not, with what it was sent with."""
    dice = random.Random(seed)
    client = several(
        subscribed(sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SEND_FAILED_EVENT),
        setting(sctp.SCTP_ASSOCINFO, sctp.sctp_assocparams(sasoc_asocmaxrxt=2)),
    )
    async with connected(client=client, seed=seed) as (hosts, ours, theirs):
        assert (await ours.recvv(LONG)).data.sac_state == sctp.SCTP_COMM_UP
        hosts.network.set_link(
            hosts.client_host, hosts.server_host, Link(delay_s=0.01, bandwidth_bps=2e6, loss=RandomLoss(0.05))
        )
        reading = asyncio.create_task(read_all(theirs))
        asyncio.get_running_loop().call_later(dice.uniform(0, 0.4), hosts.network.partition, hosts.client_host)
        given: dict[int, tuple[bytes, int, int]] = {}
        for number in range(1, MESSAGES + 1):
            data = number.to_bytes(2, "big") * dice.choice((1, 500, 3000))
            stream, flags = dice.randrange(3), dice.choice((0, 0, sctp.SCTP_UNORDERED))
            given[number] = data, stream, flags
            await ours.sendv(data, sndinfo=sctp.sctp_sndinfo(stream, flags, number, number))
            await asyncio.sleep(dice.choice((0, 0, 0.02)))
        delivered = {int.from_bytes(message[:2], "big") for message in await reading}
        lost, *failures = await all_that_waits(ours)
        assert failures
        assert lost.sac_state == sctp.SCTP_COMM_LOST
        for failed in failures:
            info = failed.ssfe_info
            data, stream, flags = given[info.snd_context]
            assert (failed.ssfe_data, info.snd_sid, info.snd_ppid) == (data, stream, info.snd_context)
            assert info.snd_flags == flags | sctp.SCTP_DATA_NOT_FRAG
        on_the_wire = {each.chunk.ppid for each in sent(hosts, "client", *USER_DATA)}
        told = [failed.ssfe_info.snd_context for failed in failures]
        was_sent = [failed.ssfe_flags == sctp.SCTP_DATA_SENT for failed in failures]
        assert [number in on_the_wire for number in told] == was_sent == sorted(was_sent, reverse=True)
        assert len(told) == len(set(told))
        assert set(told) | delivered == set(given)
