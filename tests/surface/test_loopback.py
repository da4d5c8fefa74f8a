"""Many associations, mixed families and simultaneous opens over real sockets, on the stock loop and on uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

import aiosctp
from aiosctp.stack import Stack
from tests.surface.two_hosts import PORT

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
LOOPS: list[LoopFactory] = [asyncio.SelectorEventLoop, uvloop.new_event_loop]


async def echo(association: aiosctp.Association) -> None:
    async for message in association:
        await association.send(message.data, stream=message.stream, ppid=message.ppid)


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_five_hundred_associations_at_once_on_one_loop(loop_factory: LoopFactory) -> None:
    """A39: all open, echo and shut down together, and nothing of them is left."""

    async def run() -> None:
        async with Stack(udp_port=0, local_addresses=["127.0.0.1"]) as far, Stack(udp_port=0) as near:
            async with await aiosctp.serve(echo, None, PORT, stack=far):

                async def one(number: int) -> bytes:
                    async with aiosctp.connect(
                        "127.0.0.1", PORT, remote_udp_port=far.udp_port, stack=near, timeout=60
                    ) as association:
                        await association.send(b"%d" % number)
                        return (await association.receive()).data

                async with asyncio.timeout(60):
                    answers = await asyncio.gather(*(one(number) for number in range(500)))
                assert answers == [b"%d" % number for number in range(500)]
            assert not near.owners
            assert not far.owners
        assert len(asyncio.all_tasks()) == 1

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run())


@pytest.mark.parametrize("loop_factory", LOOPS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", ["127.0.0.1", "::1"], "::ffff:127.0.0.1"])
def test_an_association_may_have_addresses_of_both_families(loop_factory: LoopFactory, host: str | list[str]) -> None:
    """A30, A31: each side tells the other what it offers, whichever address the first packet went to."""

    async def run() -> None:
        both = ["127.0.0.1", "::1"]
        async with (
            Stack(udp_port=0, local_addresses=both) as far,
            Stack(udp_port=0, local_addresses=both) as near,
            await aiosctp.serve(echo, None, PORT, stack=far),
            aiosctp.connect(host, PORT, remote_udp_port=far.udp_port, stack=near, timeout=10) as association,
        ):
            assert set(association.peer_addresses) == {(one, PORT) for one in both}
            assert {one for one, _ in association.local_addresses} == set(both)
            for address in both:
                path = next(path for path in association.paths if path.address[0] == address)
                assert await path.heartbeat() < 5
                association.set_primary(address)
                assert association.get_extra_info("peername") == (address, PORT)
                await association.send(address.encode())
                assert (await association.receive()).data == address.encode()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run())


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_two_servers_and_simultaneous_opens_on_one_stack(loop_factory: LoopFactory) -> None:
    """R03: even with itself, and with both ends behind one UDP port."""

    async def run() -> None:
        async with Stack(udp_port=0, local_addresses=["127.0.0.1"]) as stack:

            async def open_one(port: int, local_port: int = 0) -> aiosctp.Association:
                return await aiosctp.connect(
                    "127.0.0.1", port, local_port=local_port, remote_udp_port=stack.udp_port, stack=stack, timeout=10
                )

            async with (
                await aiosctp.serve(echo, None, 1001, stack=stack) as one,
                await aiosctp.serve(echo, None, 1002, stack=stack) as two,
            ):
                with pytest.raises(OSError, match="in use"):
                    await aiosctp.serve(echo, None, 1002, stack=stack)
                to_one, to_two = await asyncio.gather(open_one(1001), open_one(1002))
                assert (len(one.associations), len(two.associations)) == (1, 1)
                near, far = await asyncio.gather(open_one(2002, 2001), open_one(2001, 2002))
                itself = await open_one(3001, 3001)
                for sender, receiver in ((to_one, to_one), (to_two, to_two), (near, far), (itself, itself)):
                    await sender.send(b"hello")
                    assert (await receiver.receive()).data == b"hello"
                for association in (near, itself, to_one, to_two):
                    await association.shutdown()
            assert not stack.associations()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run())
