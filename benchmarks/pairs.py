"""Two processes of one peer, a receiver on its core and a sender on another, at one job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from benchmarks import capture
from benchmarks.model import Figure, Figures, Turn
from benchmarks.peers import peer
from benchmarks.peers.job import Job
from benchmarks.processes import RECEIVER_CORE, SENDER_CORE, Event, Process, free_udp_ports, running

WARM_UP_S = 0.7
# A sample is over when its seconds are, after the start of a process and, on a busy machine, some waiting.
GRACE_S = 20.0
# Within the warm-up: the congestion window has opened, and nothing is measured yet.
CAPTURE_AFTER_S, CAPTURE_S = 0.3, 0.2

LOAD = (
    Figure("sender_cpu", "sender's CPU"),
    Figure("receiver_cpu", "receiver's CPU"),
    Figure("bits_per_busier_cpu_s", "Gbit/CPU s of the busier", 1e9),
)
"""The figures of `goodput` that tell who is the limit."""


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


async def goodput(name: str, turn: Turn, **job: Any) -> Figures:
    """Run a bulk job: the figures of the result that its receiver tells, and in the first round of the packets."""
    sender_port, receiver_port = free_udp_ports(2)
    packets: Figures = {}
    async with pair(name, turn, ports=(sender_port, receiver_port), task="bulk", **job) as (sender, receiver):
        if turn.number == 0:
            await receiver.event("first")
            await asyncio.sleep(CAPTURE_AFTER_S)
            packets = capture.packets_to(receiver_port, CAPTURE_S)
        await receiver.event("begun", WARM_UP_S + GRACE_S)
        senders_cpu_s = sender.cpu_s()
        result = await receiver.event("result", turn.seconds + GRACE_S)
        senders_cpu_s = sender.cpu_s() - senders_cpu_s
    return _goodput(result, senders_cpu_s) | packets


def _goodput(result: Event, senders_cpu_s: float) -> Figures:
    seconds = result["seconds"]
    sender_cpu, receiver_cpu = senders_cpu_s / seconds, result["receiver_cpu"]
    goodput_bits_per_s = result["bytes"] * 8 / seconds
    return {
        "goodput_bits_per_s": goodput_bits_per_s,
        "messages_per_s": result["messages"] / seconds,
        "sender_cpu": sender_cpu,
        "receiver_cpu": receiver_cpu,
        # Per CPU second of the side that used more: what is left of a figure when other programs took the cores.
        "bits_per_busier_cpu_s": goodput_bits_per_s / max(sender_cpu, receiver_cpu),
    }


async def senders_result(name: str, turn: Turn, **job: Any) -> Event:
    """Run a job to the result that its sender tells."""
    async with pair(name, turn, **job) as (sender, _):
        return await sender.event("result", WARM_UP_S + turn.seconds + GRACE_S)
