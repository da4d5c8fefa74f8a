"""One seed is one run: every packet, at every instant, byte for byte."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys

import pytest

import aiosctp
from aiosctp.testing import BurstLoss, Link, Network, Packet, RandomLoss
from aiosctp.testing.loop import VirtualTimeLoop

PORT = 7777


async def echo(association: aiosctp.Association) -> None:
    async for message in association:
        await association.send(message.data, stream=message.stream)


async def life(network: Network) -> None:
    """An association on several paths and behind a NAT, with everything going wrong that may."""
    a, z = network.host("a", "192.0.2.1", "192.0.2.11"), network.host("z", "192.0.2.2", "2001:db8::2")
    b = network.host("b", "10.0.0.1")
    nat = network.nat("203.0.113.1", inside=[b])
    network.set_link("192.0.2.11", z, Link(loss=BurstLoss(begins=0.05, ends=0.3)))
    with z:
        server = await aiosctp.serve(echo, None, PORT)
    associations = []
    for host in (a, b):
        with host:
            associations.append(await aiosctp.connect("192.0.2.2", PORT, timeout=300.0))
    for number in range(40):
        for association in associations:
            await association.send(bytes([number]) * (number * 97 % 4000 + 1), stream=number % 7)
        if number == 20:
            nat.forget()
            network.partition("192.0.2.1", one_way=True)
        await asyncio.sleep(0.05)
    network.heal()
    for association in associations:
        for _ in range(40):
            await association.receive()
        await association.shutdown()
    server.close()
    await server.wait_closed()


def wire_of(seed: int) -> str:
    """A hash of every packet that was sent, of what came of it, and of the times."""
    link = Link(
        jitter_s=0.02,
        bandwidth_bps=1e6,
        queue_bytes=3000,
        loss=RandomLoss(0.05),
        duplication=0.05,
        reordering=0.05,
        corruption=0.02,
    )
    network = Network(seed=seed, link=link, trace_packets=100_000)
    sent: list[Packet] = []
    network.observers.append(sent.append)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(life(network))
    digest = hashlib.sha256(repr(sent).encode())
    for passage in network.passages:
        digest.update(
            repr((passage.sent_at_s, passage.arrives_at_s, passage.fate, passage.faults, passage.arriving)).encode()
        )
    assert len(sent) > 300
    assert {"lost", "duplicated", "reordered", "corrupted", "queue full", "partitioned"} <= set(network.counters)
    return digest.hexdigest()


def test_a_seed_is_a_run_and_another_seed_another() -> None:
    assert wire_of(1) == wire_of(1) != wire_of(2)


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_a_run_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from tests.testing.test_reproducibility import wire_of; print(wire_of(1))"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == wire_of(1)
