"""Default stacks: whose they are, and how long they live."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

import aiosctp
from aiosctp.default_stacks import default_stack
from aiosctp.testing import Network, Packet
from aiosctp.testing.loop import VirtualTimeLoop
from aiosctp.wire.chunks import Abort
from tests.surface.two_hosts import PORT, TwoHosts, chunk_type
from tests.surface.virtual_time import virtual_time


def test_default_stacks_are_the_loops_own_and_end_with_it() -> None:
    network = Network()
    log: list[Packet] = []
    network.observers.append(log.append)

    async def run() -> list[aiosctp.Stack]:
        server = await aiosctp.serve(forever, None, PORT)
        assert server.udp_port == 9899
        first = await aiosctp.connect("192.0.2.1", PORT)
        second = await aiosctp.connect("192.0.2.1", PORT)
        assert first.stack is second.stack is default_stack(0)
        assert first.stack.udp_port not in (0, 9899)
        assert default_stack(first.stack.udp_port) is first.stack
        assert default_stack(9899) is not first.stack
        assert len(network.ports) == 2
        return [default_stack(0), default_stack(9899)]

    async def forever(association: aiosctp.Association) -> None:
        await association.wait_closed()

    with network.host("a", "192.0.2.1"):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            stacks = runner.run(run())
            assert len(network.ports) == 2
        assert all(stack.is_closed for stack in stacks)
        assert not network.ports
        assert chunk_type(log[-1]) == Abort.type
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            assert not set(runner.run(run())) & set(stacks)


def test_default_stacks_do_not_keep_their_loop_alive() -> None:
    async def use() -> None:
        with Network().host("a", "192.0.2.1"):
            default_stack(0)
            default_stack(9899)

    runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
    with runner:
        runner.run(use())
        loop = weakref.ref(runner.get_loop())
    del runner
    gc.collect()
    assert loop() is None


@virtual_time
async def test_a_default_stack_that_was_closed_is_made_anew() -> None:
    with Network().host("a", "192.0.2.1"):
        stack = default_stack(0)
        stack.close()
        assert default_stack(0) is not stack


@virtual_time
async def test_a_default_stack_outlives_the_garbage_of_the_one_before() -> None:
    with Network().host("a", "192.0.2.1"):
        for udp_port in (0, 9899):
            default_stack(udp_port).close()
            stack = default_stack(udp_port)
            for _ in range(3):
                gc.collect()
                await asyncio.sleep(1.0)
            assert default_stack(udp_port) is stack
            assert not stack.is_closed


@virtual_time
async def test_each_simulated_host_has_default_stacks_of_its_own() -> None:
    network = Network()

    def stack_on(name: str, address: str) -> aiosctp.Stack:
        with network.host(name, address):
            return default_stack(9899)

    one, other = stack_on("a", "192.0.2.1"), stack_on("z", "192.0.2.2")
    assert one is not other
    assert (one.local_addresses, other.local_addresses) == (("192.0.2.1",), ("192.0.2.2",))


@virtual_time
async def test_a_udp_port_beside_a_stack_is_a_conflict() -> None:
    async with TwoHosts() as hosts:
        with pytest.raises(ValueError, match="udp_port"):
            await aiosctp.serve(hosts.keep, None, PORT, udp_port=1, stack=hosts.server)


@virtual_time
async def test_a_failed_default_stack_leaves_nothing_in_the_way() -> None:
    with Network().host("a", "192.0.2.1"):
        async with aiosctp.Stack(udp_port=9899):
            with pytest.raises(OSError, match="in use"):
                default_stack(9899)
        assert default_stack(9899).udp_port == 9899
