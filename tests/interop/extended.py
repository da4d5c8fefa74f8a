"""Associations with usrsctp that speak the extensions of the data transfer, the wire watched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, TypeVar

import aiosctp
from aiosctp.subscriptions import EventSubscription
from tests.interop.pairs import associated
from tests.interop.processes import Peer
from tests.interop.tap import Tap
from tests.interop.usrsctp import Usrsctp

E = TypeVar("E")

PEER_STREAMS = 10
SPEAKING_ALL = aiosctp.Config(
    partial_reliability=True,
    interleaving=True,
    path_mtu=1500,
    # What is lost is not to take long.
    rto_initial_s=0.2,
    rto_min_s=0.1,
    rto_max_s=0.4,
    sack_delay_s=0.02,
    shutdown_timeout_s=10.0,
)
NR_SACK_TOO = SPEAKING_ALL.replace(nrsack=True)
QUICK = [
    "sctp_rto_initial_default=200",
    "sctp_rto_min_default=100",
    "sctp_rto_max_default=400",
    "sctp_delayed_sack_time_default=20",
]
# With I-DATA and without; it is usrsctp that is told.
FORMATS = ("DATA", "I-DATA")
MASK = 2**64 - 1


class Tapped(NamedTuple):
    association: aiosctp.Association
    peer: Peer
    tap: Tap


@contextlib.asynccontextmanager
async def tapped(
    usrsctp: Usrsctp,
    connector: str,
    *,
    config: aiosctp.Config = SPEAKING_ALL,
    interleaving: bool = False,
    sysctl: tuple[str, ...] = (),
    timeout_s: float = 30.0,
    **peer_options: Any,
) -> AsyncIterator[Tapped]:
    """An association through a tap, in which aiosctp is the first peer, for a test bounded in time."""
    tap = Tap()
    pairing = associated(
        usrsctp,
        connector,
        config=config,
        gate=tap,
        streams=PEER_STREAMS,
        messages=True,
        interleaving=interleaving,
        sysctl=[*QUICK, *sysctl],
        **peer_options,
    )
    async with asyncio.timeout(timeout_s), pairing as (association, peer, _):
        await peer.event("assoc_change", state="COMM_UP")
        yield Tapped(association, peer, tap)


async def next_of(events: EventSubscription, kind: type[E]) -> E:
    event = await anext(events)
    assert isinstance(event, kind)
    return event


async def done(peer: Peer) -> None:
    """Wait until the peer has done all the commands it was given."""
    await peer.command("status")
    await peer.event("status")


def bytes_of_peer(size: int) -> bytes:
    """What the peer sends when it is told to send so much (`fill` of usrsctp_peer.c)."""
    state = size + 1
    words = bytearray()
    while len(words) < size:
        state ^= state >> 12
        state ^= state << 25 & MASK
        state ^= state >> 27
        words += (state * 0x2545F4914F6CDD1D & MASK).to_bytes(8, "little")
    return bytes(words[:size])
