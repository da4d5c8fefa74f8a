"""Path MTU discovery as a program sees it: `Path.mtu`, `Config.path_mtu_discovery`, and what it does to a transfer."""

from __future__ import annotations

import asyncio

import pytest

import aiosctp
from aiosctp.testing import Link
from tests.surface.two_hosts import associated
from tests.surface.virtual_time import virtual_time

MESSAGE = bytes(100_000)


async def transfer(sender: aiosctp.Association, receiver: aiosctp.Association, count: int = 3) -> None:
    """Send messages, and read them at the other end."""

    async def send() -> None:
        for _ in range(count):
            await sender.send(MESSAGE)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(send())
        for _ in range(count):
            assert (await receiver.receive()).data == MESSAGE


@virtual_time
async def test_a_path_shows_the_mtu_that_was_found() -> None:
    """S13: a link that carries more than most is used whole once there is enough to send."""
    async with associated() as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=9000))
        assert ours.primary_path.mtu == 1500
        await transfer(ours, theirs)
        assert ours.primary_path.mtu == 9000
        # Who only receives finds out nothing.
        assert theirs.primary_path.mtu == 1500
        assert max(packet.ip_bytes for packet in hosts.log) == 9000


@virtual_time
async def test_a_transfer_goes_on_when_the_link_silently_becomes_narrower() -> None:
    """S13, X57: within seconds, and nobody is told of an error."""
    async with associated() as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=9000))
        await transfer(ours, theirs)
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=1400, icmp=False))
        began = asyncio.get_running_loop().time()
        await transfer(ours, theirs)
        assert asyncio.get_running_loop().time() - began < 6
        # The search goes on while nothing is sent.
        await asyncio.sleep(10)
        assert ours.primary_path.mtu == 1400


@pytest.mark.parametrize("config", [aiosctp.Config(path_mtu=1500), aiosctp.Config(path_mtu_discovery=False)])
@virtual_time
async def test_discovery_can_be_switched_off(config: aiosctp.Config) -> None:
    """S13: by itself, or by a path MTU that is fixed."""
    async with associated(config=config) as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=9000))
        await transfer(ours, theirs)
        assert ours.primary_path.mtu == 1500
        assert max(packet.ip_bytes for packet in hosts.log) <= 1500


@virtual_time
async def test_a_path_mtu_set_for_one_path_stays() -> None:
    async with associated() as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=9000))
        ours.primary_path.configure(path_mtu=1280)
        await transfer(ours, theirs)
        assert ours.primary_path.mtu == 1280


def test_a_loopback_interface_is_used_whole() -> None:
    """On sockets of this machine: 64 KiB packets after a round trip, where the interface takes as much."""

    async def main() -> int:
        async with (
            aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"]) as one,
            aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"]) as other,
        ):
            accepted: asyncio.Queue[aiosctp.Association] = asyncio.Queue()

            async def handle(association: aiosctp.Association) -> None:
                accepted.put_nowait(association)
                await association.wait_closed()

            server = await aiosctp.serve(handle, None, 7777, stack=other)
            async with aiosctp.connect("127.0.0.1", 7777, stack=one, remote_udp_port=other.udp_port) as ours:
                await transfer(ours, await accepted.get(), count=20)
                found = ours.primary_path.mtu
                expected = one.network.route_mtu("127.0.0.1", "127.0.0.1") or 1500
            server.close()
            await server.wait_closed()
            return found - min(expected, 65535)

    assert asyncio.run(main()) == 0
