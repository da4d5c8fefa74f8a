"""`send(..., address=...)`: to one address of the peer, whichever is primary (RFC 9260 §6.4; RFC 6458 §5.3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import aiosctp
from aiosctp.events import PeerAddressChange, PeerAddressChangeKind, SendFailed
from aiosctp.exceptions import AssociationShutdown
from tests.surface.test_restart_of_streams import restart
from tests.surface.two_hosts import PORT, TwoHosts, associated, has_user_data
from tests.surface.virtual_time import virtual_time

FIRST, SECOND = "192.0.2.2", "192.0.2.3"


@asynccontextmanager
async def two_ways(**options: Any) -> AsyncIterator[tuple[TwoHosts, aiosctp.Association, aiosctp.Association]]:
    """The server has two addresses, and both are confirmed."""
    async with associated(server_addresses=(FIRST, SECOND), **options) as (hosts, ours, theirs):
        await asyncio.sleep(10)
        assert all(path.state is aiosctp.PathState.ACTIVE for path in ours.paths)
        hosts.log.clear()
        yield hosts, ours, theirs


def went_to(hosts: TwoHosts) -> list[str]:
    """Where each packet with user data went."""
    return [packet.destination for packet in hosts.log if has_user_data(packet)]


@virtual_time
async def test_a_message_goes_to_the_address_that_is_named() -> None:
    """D12: SCTP_ADDR_OVER; by a host, or as `peer_addresses` has it; all that send can."""
    async with two_ways() as (hosts, ours, theirs):
        assert ours.primary_path.address == (FIRST, PORT)
        stream = ours.stream(1)
        await ours.send(b"1")
        await ours.send(b"2", address=SECOND)
        ours.send_nowait(b"3", address=(SECOND, PORT))
        await stream.send(b"4", address=ours.peer_addresses[1])
        await ours.send(b"5", address=FIRST)
        await ours.wait_acknowledged()
        assert went_to(hosts) == [FIRST, SECOND, FIRST]
        hosts.log.clear()
        ours.set_primary(SECOND)
        await ours.send(b"6", address=FIRST)
        await ours.send(b"7")
        await ours.wait_acknowledged()
        assert went_to(hosts) == [FIRST, SECOND]
        assert {(await theirs.receive()).data for _ in range(7)} == {b"%d" % n for n in range(1, 8)}


@virtual_time
async def test_an_address_that_is_not_the_peers_is_refused_and_nothing_queued() -> None:
    async with two_ways() as (hosts, ours, _):
        wrong: list[tuple[Any, type[Exception], str]] = [
            ("192.0.2.9", ValueError, "address must be one of the peer's"),
            ((SECOND, PORT + 1), ValueError, "address must have the peer's port"),
            ("nonsense", ValueError, "address"),
            (7, TypeError, "address"),
            ((SECOND,), TypeError, "address"),
        ]
        for address, error, named in wrong:
            for send in (ours.send, ours.stream(2).send):
                with pytest.raises(error, match=named):
                    await send(b"x", address=address)
            with pytest.raises(error, match=named):
                ours.send_nowait(b"x", address=address)
        assert ours.engine.sender.is_drained
        assert went_to(hosts) == []


@virtual_time
async def test_an_address_is_named_once_it_is_confirmed() -> None:
    """§5.4: "MUST NOT send any chunks to an UNCONFIRMED address"."""
    async with associated(server_addresses=(FIRST, SECOND)) as (hosts, ours, _):
        with pytest.raises(ValueError, match="not confirmed"):
            await ours.send(b"x", address=SECOND)
        await asyncio.sleep(10)
        await ours.send(b"x", address=SECOND)
        await ours.wait_acknowledged()
        assert went_to(hosts) == [SECOND]


@virtual_time
async def test_an_address_that_does_not_answer_loses_no_message() -> None:
    """§6.4: what is lost goes elsewhere; once the path is INACTIVE, all of it does."""
    config = aiosctp.Config(path_max_retrans=1, hb_interval_s=2)
    async with two_ways(config=config) as (hosts, ours, theirs):
        changes = ours.events(PeerAddressChange)
        hosts.drop = lambda packet: packet.destination == SECOND
        await ours.send(b"lost", address=SECOND)
        await ours.wait_acknowledged()
        assert went_to(hosts) == [SECOND, FIRST]
        change = await anext(changes)
        assert isinstance(change, PeerAddressChange)
        assert change.change is PeerAddressChangeKind.UNREACHABLE
        hosts.log.clear()
        await ours.send(b"not even tried", address=SECOND)
        await ours.wait_acknowledged()
        assert went_to(hosts) == [FIRST]
        assert [(await theirs.receive()).data for _ in range(2)] == [b"lost", b"not even tried"]


@virtual_time
async def test_who_waited_for_room_is_sent_there_too() -> None:
    small = aiosctp.Config(send_buffer_bytes=1000, stream_send_buffer_bytes=1000)
    async with two_ways(config=small) as (hosts, ours, _):
        await ours.send(bytes(1000))
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", address=SECOND)
        waiting = asyncio.create_task(ours.send(b"x", address=SECOND))
        await asyncio.sleep(0)
        assert not waiting.done()
        await waiting
        await ours.wait_acknowledged()
        assert went_to(hosts) == [FIRST, SECOND]


@virtual_time
async def test_it_keeps_the_policy_it_has() -> None:
    """Named with it, or by default."""
    async with two_ways() as (hosts, ours, theirs):
        events = ours.events(SendFailed)
        hosts.drop = lambda packet: packet.destination in (FIRST, SECOND)
        ours.configure_stream(4, lifetime=0.1)
        await ours.send(b"named", address=SECOND, max_retransmits=0)
        await ours.send(b"by default", stream=4, address=SECOND)
        await asyncio.sleep(5)
        hosts.drop = lambda packet: False
        await ours.send(b"reliable")
        assert (await theirs.receive()).data == b"reliable"
        failed = [await anext(events), await anext(events)]
        assert {event.data for event in failed if isinstance(event, SendFailed)} == {b"named", b"by default"}
        assert went_to(hosts)[:2] in ([SECOND, SECOND], [SECOND, FIRST])


@virtual_time
async def test_a_record_is_sent_there_part_by_part() -> None:
    async with two_ways() as (hosts, ours, theirs):
        await ours.send(b"one ", end_of_record=False, address=SECOND)
        await asyncio.sleep(1)
        await ours.send(b"two", address=SECOND)
        assert (await theirs.receive()).data == b"one two"
        assert went_to(hosts) == [SECOND, SECOND]


@virtual_time
async def test_who_waits_while_the_peer_restarts_is_sent_where_it_can_be() -> None:
    """§5.2.4 A: the path that was named is gone; what was for that address goes there again once it is confirmed."""
    small = aiosctp.Config(send_buffer_bytes=1000, stream_send_buffer_bytes=1000)
    both = ("192.0.2.1", "192.0.2.11")
    async with associated(client_addresses=both, config=small) as (hosts, ours, theirs):
        await asyncio.sleep(10)
        hosts.drop = has_user_data
        await theirs.send(bytes(1000))
        waiting = asyncio.create_task(theirs.send(b"x", address=both[1]))
        await asyncio.sleep(0)
        assert not waiting.done()
        hosts.drop = lambda packet: False
        again = await restart(hosts, ours, theirs)
        hosts.log.clear()
        await waiting
        await asyncio.sleep(1)
        assert again.take_counters().iodchunks == 1
        assert set(went_to(hosts)) <= set(both)


@virtual_time
async def test_after_the_end_the_address_is_not_what_is_wrong() -> None:
    async with two_ways() as (_, ours, _):
        await ours.shutdown()
        with pytest.raises(AssociationShutdown):
            await ours.send(b"x", address=SECOND)
