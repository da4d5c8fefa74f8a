"""Parameters that a program sets while an association lives, and what becomes of it and of its paths."""

from __future__ import annotations

import asyncio

import pytest

import aiosctp
from aiosctp.testing import Link
from tests.surface.two_hosts import associated
from tests.surface.virtual_time import virtual_time


@virtual_time
async def test_an_idle_association_ends_as_by_a_shutdown_at_both_ends() -> None:
    """B08: RFC 6458 §8.1.8: what has come is read, then both know that it is over."""
    async with associated(config=aiosctp.Config(autoclose_s=5), server_config=aiosctp.Config()) as (
        hosts,
        ours,
        theirs,
    ):
        await theirs.send(b"last words")
        began_s = hosts.client.now()
        await theirs.wait_closed()
        assert hosts.client.now() - began_s == pytest.approx(5, abs=0.1)
        assert (await ours.receive()).data == b"last words"
        for end in (ours, theirs):
            with pytest.raises(aiosctp.AssociationShutdown):
                await end.receive()
            with pytest.raises(aiosctp.AssociationShutdown):
                await end.send(b"too late")


@virtual_time
async def test_autoclose_is_changed_in_life() -> None:
    """B08: from the last user data on, whenever it was set."""
    async with associated() as (hosts, ours, theirs):
        await asyncio.sleep(3)
        ours.configure(autoclose_s=4)
        began_s = hosts.client.now()
        await theirs.wait_closed()
        assert hosts.client.now() - began_s == pytest.approx(1, abs=0.1)


@virtual_time
async def test_the_udp_port_of_a_path_holds_until_another_is_learnt() -> None:
    """S01: RFC 6951 §6.1, §5.4: what goes to this address goes to this port, and to no other of the peer's."""
    async with associated(server_addresses=("192.0.2.2", "192.0.2.3")) as (hosts, ours, theirs):
        await asyncio.sleep(1)
        first, second = ours.paths
        port = hosts.server.udp_port
        first.configure(udp_port=40000)
        hosts.log.clear()
        await ours.send(b"to nobody")
        with pytest.raises(TimeoutError):
            await first.heartbeat()
        assert second.udp_port == port
        assert {packet.destination_port for packet in hosts.log if packet.destination == "192.0.2.2"} == {40000}
        # The peer says something from where it is: so does it learn what was meant for it.
        hosts.log.clear()
        await theirs.send(b"here I am")
        assert (await ours.receive()).data == b"here I am"
        assert first.udp_port == port
        assert (await theirs.receive()).data == b"to nobody"


@pytest.mark.parametrize(("path_mtu", "expected"), [(1508, 1508), (1280, 1280), (None, 1500)])
@virtual_time
async def test_a_path_mtu_is_fixed_and_freed_in_life(path_mtu: int | None, expected: int) -> None:
    """B13: SPP_PMTUD_DISABLE with spp_pathmtu, and SPP_PMTUD_ENABLE: exact on the wire, and for this end alone."""
    async with associated(config=aiosctp.Config(path_mtu=1000)) as (hosts, ours, theirs):
        hosts.network.set_link(hosts.client_host, hosts.server_host, Link(mtu=9000))
        ours.primary_path.configure(path_mtu=path_mtu, path_mtu_discovery=False)
        hosts.log.clear()
        await ours.send(bytes(100_000))
        await theirs.receive()
        largest = max(packet.ip_bytes for packet in hosts.log if packet.source == "192.0.2.1")
        assert largest == ours.primary_path.mtu == expected
        assert theirs.primary_path.mtu == 1000


@virtual_time
async def test_the_receive_window_grows_in_life_and_the_peer_is_told() -> None:
    """B06: SO_RCVBUF of a socket that is connected. §3.3.2: it "SHOULD NOT be reduced"."""
    async with associated(config=aiosctp.Config(receive_window_bytes=10_000)) as (_, ours, theirs):
        await theirs.send(bytes(5_000))
        await asyncio.sleep(1)
        assert theirs.status().rwnd_bytes <= 5_000
        ours.configure(receive_window_bytes=100_000)
        await asyncio.sleep(1)
        assert 90_000 < theirs.status().rwnd_bytes <= 95_000
        with pytest.raises(ValueError, match="receive_window_bytes must not be reduced"):
            ours.configure(receive_window_bytes=99_999)


@virtual_time
async def test_what_the_peer_may_ask_for_is_changed_in_life() -> None:
    """RFC 6525 §6.3.1: SCTP_ENABLE_STREAM_RESET of an association."""
    async with associated(config=aiosctp.Config(outbound_streams=2)) as (_, ours, theirs):
        theirs.configure(peer_may_reset_streams=False, peer_may_add_streams=False)
        with pytest.raises(aiosctp.RequestDenied):
            await ours.reset_streams(incoming=[0])
        with pytest.raises(aiosctp.RequestDenied):
            await ours.add_streams(outgoing=1)
        with pytest.raises(aiosctp.RequestDenied):
            await ours.reset_association()
        theirs.configure(peer_may_reset_streams=True, peer_may_reset_association=True, peer_may_add_streams=True)
        await ours.reset_streams(incoming=[0])
        await ours.add_streams(outgoing=1)
        await ours.reset_association()
        assert ours.outbound_streams == 3
