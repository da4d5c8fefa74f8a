"""Two processes of one peer, a receiver on its core and a sender on another, at one job."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from benchmarks.model import Turn
from benchmarks.peers import peer
from benchmarks.peers.job import Job
from benchmarks.processes import RECEIVER_CORE, SENDER_CORE, Event, Process, free_udp_ports, running

WARM_UP_S = 0.7
# A sample is over when its seconds are, after the start of a process and, on a busy machine, some waiting.
GRACE_S = 20.0


@contextlib.asynccontextmanager
async def pair(
    name: str, turn: Turn, *, ports: tuple[int, int] | None = None, sends_to: int | None = None, **job: Any
) -> AsyncIterator[tuple[Process, Process]]:
    """Sender and receiver of this peer at work on a job, killed on leaving. Raises Unavailable or SampleFailed.

    ports: the sender's and the receiver's UDP port, else free ones. sends_to: where the sender thinks the receiver is,
    when something stands between. job: fields of `Job`.
    """
    found = peer(name)
    sender_port, receiver_port = ports or free_udp_ports(2)
    common = {"warm_up_s": WARM_UP_S, "seconds": turn.seconds} | job
    receiving = Job(side="receiver", udp_port=receiver_port, remote_udp_port=sender_port, **common)
    sending = Job(side="sender", udp_port=sender_port, remote_udp_port=sends_to or receiver_port, **common)
    async with running(found.command(receiving), RECEIVER_CORE) as receiver:
        await receiver.event("ready")
        async with running(found.command(sending), SENDER_CORE) as sender:
            yield sender, receiver


async def receivers_result(name: str, turn: Turn, **job: Any) -> Event:
    """Run a job to the result that its receiver tells."""
    async with pair(name, turn, **job) as (_, receiver):
        return await receiver.event("result", WARM_UP_S + turn.seconds + GRACE_S)


async def senders_result(name: str, turn: Turn, **job: Any) -> Event:
    """Run a job to the result that its sender tells."""
    async with pair(name, turn, **job) as (sender, _):
        return await sender.event("result", WARM_UP_S + turn.seconds + GRACE_S)
