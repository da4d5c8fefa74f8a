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
from benchmarks.processes import RECEIVER_CORE, SENDER_CORE, Process, free_udp_ports, running

WARM_UP_S = 0.7
# A sample is over when its seconds are, after the start of a process and, on a busy machine, some waiting.
GRACE_S = 20.0
# Within the warm-up: the congestion window has opened, and nothing is measured yet.
CAPTURE_AFTER_S, CAPTURE_S = 0.3, 0.2

SENDER_CPU, RECEIVER_CPU = Figure("sender_cpu", "sender's CPU"), Figure("receiver_cpu", "receiver's CPU")


@contextlib.asynccontextmanager
async def pair(
    name: str,
    turn: Turn,
    *,
    ports: tuple[int, int] | None = None,
    by_way_of: tuple[int, int] | None = None,
    **job: Any,
) -> AsyncIterator[tuple[Process, Process]]:
    """Sender and receiver of this peer at work on a job, killed on leaving. Raises Unavailable or SampleFailed.

    ports: the sender's and the receiver's UDP port, else free ones. by_way_of: of something that stands between, the
    ports that the sender takes for the receiver's, and the receiver for the sender's. job: fields of `Job`.
    """
    found = peer(name)
    sender_port, receiver_port = ports or free_udp_ports(2)
    for_sender, for_receiver = by_way_of or (receiver_port, sender_port)
    common = {"warm_up_s": WARM_UP_S, "seconds": turn.seconds} | job
    receiving = Job(side="receiver", udp_port=receiver_port, remote_udp_port=for_receiver, **common)
    sending = Job(side="sender", udp_port=sender_port, remote_udp_port=for_sender, **common)
    async with running(found.command(receiving), RECEIVER_CORE) as receiver:
        await receiver.event("ready")
        async with running(found.command(sending), SENDER_CORE) as sender:
            yield sender, receiver


async def told_by_receiver(name: str, turn: Turn, **job: Any) -> Figures:
    """Run a job whose result the receiver tells: that, the CPU of both, and in the first round the packets."""
    sender_port, receiver_port = free_udp_ports(2)
    packets: Figures = {}
    async with pair(name, turn, ports=(sender_port, receiver_port), **job) as (sender, receiver):
        if turn.number == 0:
            await receiver.event("first")
            await asyncio.sleep(CAPTURE_AFTER_S)
            packets = capture.packets_to(receiver_port, CAPTURE_S)
        result, sender_cpu = await _result(receiver, sender, turn)
    return {**result, "receiver_cpu": result["cpu"], "sender_cpu": sender_cpu, **packets}


async def told_by_sender(name: str, turn: Turn, **job: Any) -> Figures:
    """Run a job whose result the sender tells: that, and the CPU of both."""
    async with pair(name, turn, **job) as (sender, receiver):
        result, receiver_cpu = await _result(sender, receiver, turn)
    return {**result, "receiver_cpu": receiver_cpu, "sender_cpu": result["cpu"]}


async def _result(teller: Process, other: Process, turn: Turn) -> tuple[Figures, float]:
    """What one process tells in the end, and how much of a core the other took from beginning to end."""
    await teller.event("begun", WARM_UP_S + GRACE_S)
    before_s = other.cpu_s()
    result = await teller.event("result", turn.seconds + GRACE_S)
    del result["event"]
    return result, (other.cpu_s() - before_s) / result["seconds"]


async def goodput(name: str, turn: Turn, task: str = "bulk", **job: Any) -> Figures:
    """Run a job that goes one way: what the receiver got, and what it cost."""
    told = await told_by_receiver(name, turn, task=task, **job)
    bits, messages, seconds = told["bytes"] * 8, told["messages"], told["seconds"]
    # What is left of a rate when other programs took the cores.
    busier_cpu_s = max(told["sender_cpu"], told["receiver_cpu"]) * seconds
    return {
        **told,
        "goodput_bits_per_s": bits / seconds,
        "messages_per_s": messages / seconds,
        "bits_per_busier_cpu_s": bits / busier_cpu_s,
        "messages_per_busier_cpu_s": messages / busier_cpu_s,
    }
