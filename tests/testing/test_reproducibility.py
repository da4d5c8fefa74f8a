"""One seed is one run: every packet, at every instant, byte for byte."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys

import pytest

import aiosctp
from aiosctp.testing import BurstLoss, Link, Network, Packet, RandomLoss, run
from aiosctp.testing.loop import VirtualTimeLoop
from aiosctp.wire.chunks import Abort, CookieAck, Shutdown

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


# -- nothing follows the order of objects in memory --

MANY = 20
"""So many of anything that a set of them, by their places in memory, hardly has them in order."""


async def many_associations(network: Network) -> tuple[aiosctp.Server, list[aiosctp.Association]]:
    with network.host("server"):
        server = await aiosctp.serve(echo, None, PORT)
    with network.host("client"):
        return server, [await aiosctp.connect("server", PORT) for _ in range(MANY)]


def ports_of(sent: list[Packet], chunk_type: int) -> list[bytes]:
    """The SCTP ports of packets that begin with such a chunk."""
    return [packet.data[:4] for packet in sent if packet.data[12] == chunk_type]


def test_a_server_ends_its_associations_in_the_order_in_which_they_began() -> None:
    async def main() -> None:
        network = Network()
        sent: list[Packet] = []
        network.observers.append(sent.append)
        server, _ = await many_associations(network)
        began = ports_of(sent, CookieAck.type)
        assert len(began) == MANY
        server.close_clients()
        await asyncio.sleep(1)
        assert ports_of(sent, Shutdown.type) == began

    run(main())


def test_a_stack_aborts_its_associations_in_the_order_in_which_they_began() -> None:
    async def main() -> None:
        network = Network()
        sent: list[Packet] = []
        network.observers.append(sent.append)
        server, _ = await many_associations(network)
        began = ports_of(sent, CookieAck.type)
        next(iter(server.associations)).stack.close()
        assert ports_of(sent, Abort.type) == began

    run(main())


def test_who_waits_longest_for_the_end_hears_of_it_first() -> None:
    async def main() -> None:
        network = Network()
        server, associations = await many_associations(network)
        heard: list[tuple[str, int]] = []
        events = [associations[0].events() for _ in range(MANY)]

        async def wait_for_the_end(number: int) -> None:
            await associations[0].wait_closed()
            heard.append(("association", number))

        async def wait_for_the_event(number: int) -> None:
            async for _ in events[number]:
                heard.append(("event", number))

        async def wait_for_the_server(number: int) -> None:
            await server.wait_closed()
            heard.append(("server", number))

        server.close()
        async with asyncio.TaskGroup() as group:
            for number in range(MANY):
                for wait in (wait_for_the_end, wait_for_the_event, wait_for_the_server):
                    group.create_task(wait(number))
            await asyncio.sleep(1)
            for association in associations:
                association.close()
        for kind in ("association", "event", "server"):
            assert [number for who, number in heard if who == kind] == list(range(MANY))

    run(main())


def test_a_set_of_associations_has_the_same_order_in_every_run() -> None:
    """What programs keep them in, to tell all of them something."""

    async def main() -> tuple[list[int], set[aiosctp.Association]]:
        server, associations = await many_associations(Network())
        assert set(server.associations) == server.associations
        return [associations.index(each) for each in set(associations)], set(associations)

    order, alive = run(main())
    for _ in range(3):
        again, others = run(main())
        assert again == order
        alive |= others
