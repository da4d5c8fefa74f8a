"""Messages of all sizes, on several streams, ordered and unordered, to usrsctp and back."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter, defaultdict

import pytest

import aiosctp
from tests.interop.pairs import CONFIG, CONNECTORS, associated
from tests.interop.usrsctp import Usrsctp

STREAMS = 5
# Around one byte, one padded word, one packet and one read of the peer; up to 1 MiB.
SIZES = (1, 2, 3, 4, 5, 1000, 1443, 1444, 1445, 2888, 65_536, 262_143, 262_145, 2**20)
MESSAGES = [random.Random(size).randbytes(size) for size in SIZES]


def ppid_of(stream: int, number: int) -> int:
    """A payload protocol identifier that uses all four bytes and tells messages apart."""
    return 0xA0B0_0000 + 256 * stream + number


async def send_all(association: aiosctp.Association, *, unordered: bool) -> None:
    for number, data in enumerate(MESSAGES):
        for stream in range(STREAMS):
            await association.send(data, stream=stream, ppid=ppid_of(stream, number), unordered=unordered)


@pytest.mark.parametrize("interleaving", [False, True], ids=["plain", "interleaving"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_ordered_echo_returns_every_stream_in_order(usrsctp: Usrsctp, connector: str, interleaving: bool) -> None:
    # usrsctp's bursts overrun a buffer now and then, and a second's wait for T3 each time would be most of this.
    pairing = associated(
        usrsctp,
        connector,
        echo=True,
        interleaving=interleaving,
        config=CONFIG.replace(rto_initial_s=0.2, rto_min_s=0.1),
        sysctl=["sctp_rto_initial_default=200", "sctp_rto_min_default=100"],
    )
    async with pairing as (association, _, _):
        sending = asyncio.create_task(send_all(association, unordered=False))
        received = defaultdict(list)
        for _ in range(STREAMS * len(SIZES)):
            message = await association.receive()
            assert not message.unordered
            received[message.stream].append((message.ppid, message.data))
        await sending
    for stream in range(STREAMS):
        expected = [(ppid_of(stream, number), data) for number, data in enumerate(MESSAGES)]
        assert received[stream] == expected


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_unordered_echo_returns_every_message_once(usrsctp: Usrsctp, connector: str) -> None:
    async with associated(usrsctp, connector, echo=True) as (association, _, _):
        sending = asyncio.create_task(send_all(association, unordered=True))
        received: Counter[tuple[int, int, bytes]] = Counter()
        for _ in range(STREAMS * len(SIZES)):
            message = await association.receive()
            assert message.unordered
            received[message.stream, message.ppid, message.data] += 1
        await sending
    assert received == Counter(
        (stream, ppid_of(stream, number), data) for stream in range(STREAMS) for number, data in enumerate(MESSAGES)
    )


@pytest.mark.parametrize("order", ["ordered", "unordered"])
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_we_echo_what_usrsctp_sends(usrsctp: Usrsctp, connector: str, order: str) -> None:
    async with associated(usrsctp, connector, messages=True) as (association, peer, _):
        await peer.event("assoc_change", state="COMM_UP")
        for number, size in enumerate(SIZES):
            await peer.command("send", number % STREAMS, size, 1000 + number, order)
        received = {}
        for _ in SIZES:
            message = await association.receive()
            received[message.ppid] = (message.stream, len(message.data))
            await association.send(message.data, stream=message.stream, ppid=message.ppid, unordered=message.unordered)
            echoed = await peer.event("message", ppid=message.ppid, timeout_s=20)
            assert echoed["sha256"] == hashlib.sha256(message.data).hexdigest()
            assert echoed["unordered"] == message.unordered == (order == "unordered")
        assert received == {1000 + number: (number % STREAMS, size) for number, size in enumerate(SIZES)}


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_ssn_as_usrsctp_counts_it(usrsctp: Usrsctp, connector: str) -> None:
    """§6.5: an ordered message takes the stream's next number, an unordered one none."""
    async with associated(usrsctp, connector, messages=True) as (association, peer, _):
        for unordered in (False, True, False):
            await association.send(b"x", stream=2, unordered=unordered)
        numbers = [
            event["ssn"]
            for event in [await peer.event("message", stream=2) for _ in range(3)]
            if not event["unordered"]
        ]
    assert numbers == [0, 1]
