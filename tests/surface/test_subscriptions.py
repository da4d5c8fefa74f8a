"""`events()`: what is told, in which order, and how a subscription ends."""

from __future__ import annotations

import asyncio
import gc
from weakref import WeakSet

import pytest

import aiosctp
from aiosctp.core.association import AssociationEngine
from aiosctp.events import (
    AdaptationIndication,
    AssociationChange,
    Event,
    NotificationsStopped,
    PeerAddressChange,
    RemoteError,
    SenderDry,
    SendFailed,
    ShutdownEvent,
)
from aiosctp.exceptions import AssociationAborted
from aiosctp.wire.causes import InvalidStreamIdentifier
from aiosctp.wire.chunks import Error
from tests.core.bugs import replace_method
from tests.surface.two_hosts import TwoHosts, associated
from tests.surface.virtual_time import virtual_time


@virtual_time
async def test_a_graceful_end_is_told_in_order() -> None:
    """C02, C06, C13: SHUTDOWN's arrival is told, then that the shutdown is complete, and nothing after."""
    async with associated() as (_, ours, theirs):
        theirs_told = theirs.events()
        ours_told = ours.events()
        await ours.shutdown()
        assert [event async for event in theirs_told] == [ShutdownEvent(), AssociationChange("SHUTDOWN_COMP")]  # type: ignore[arg-type]  # a StrEnum's value
        assert [event async for event in ours_told] == [AssociationChange("SHUTDOWN_COMP")]  # type: ignore[arg-type]  # as above


@virtual_time
async def test_the_shutdown_event_comes_before_what_is_queued_has_been_read() -> None:
    """C13: SHUTDOWN_EVENT is told when SHUTDOWN arrives, with messages still unread."""
    async with associated() as (_, ours, theirs):
        told = theirs.events(ShutdownEvent)
        await ours.send(b"unread")
        await ours.shutdown()
        assert [event async for event in told] == [ShutdownEvent()]
        assert theirs.receive_nowait().data == b"unread"


@virtual_time
async def test_loss_is_told_with_what_was_not_delivered() -> None:
    """C04: COMM_LOST, followed by one SendFailed for each message that was not acknowledged."""
    config = aiosctp.Config(association_max_retrans=1, path_max_retrans=1)
    async with associated(config=config) as (hosts, ours, _):
        told = ours.events(AssociationChange, SendFailed)
        hosts.drop = lambda packet: True
        await ours.send(b"one", stream=1, ppid=5, context=11)
        await ours.send(b"two", stream=2, context=12, unordered=True)
        events = [event async for event in told]
        assert isinstance(events[0], AssociationChange)
        assert events[0].change == "COMM_LOST"
        assert events[1:] == [
            SendFailed(b"one", 1, 5, 11, False, True, 0),
            SendFailed(b"two", 2, 0, 12, True, True, 0),
        ]


@virtual_time
async def test_an_abort_is_told_with_its_cause_and_chunk() -> None:
    """C02: AssociationChange carries the cause code and the ABORT chunk as it stood on the wire."""
    async with associated() as (_, ours, theirs):
        told = theirs.events(AssociationChange)
        ours.abort(b"why")
        (event,) = [event async for event in told]
        assert isinstance(event, AssociationChange)
        assert (event.change, event.error) == ("COMM_LOST", 12)
        assert event.info.endswith(b"why\x00")


@virtual_time
async def test_a_restart_is_told_and_messages_go_on() -> None:
    """C05: RESTART is told when the peer came anew, and the association goes on."""
    async with TwoHosts() as hosts, await hosts.serve() as server:
        _, theirs = await hosts.pair(local_port=5000)
        taken_over = theirs.stream(3)
        told = theirs.events(AssociationChange)
        # The client's host loses its memory: no ABORT is sent.
        hosts.drop = lambda packet: packet.source == "192.0.2.1"
        hosts.client.close()
        hosts.drop = lambda packet: False
        async with aiosctp.Stack(network=hosts.client_host) as reborn:
            again = await aiosctp.connect("192.0.2.2", 7777, local_port=5000, stack=reborn)
            assert server.associations == {theirs}
            assert (await anext(told)).change == "RESTART"  # type: ignore[union-attr]  # as subscribed
            await again.send(b"general")
            await again.send(b"own", stream=3)
            assert (await theirs.receive()).data == b"general"
            assert (await taken_over.receive()).data == b"own"
            await again.shutdown()


@virtual_time
async def test_setup_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """C07: CANT_STR_ASSOC is the change of an association that never came up."""
    async with TwoHosts() as hosts:
        hosts.drop = lambda packet: True
        changes: list[Event] = []
        connecting = asyncio.create_task(hosts.connect(timeout=1))
        await asyncio.sleep(0.5)
        ((engine, owner),) = hosts.client.owners.items()
        polled = AssociationEngine.poll_events

        def watched(engine: AssociationEngine) -> list[Event]:
            events = polled(engine)
            changes.extend(events)
            return events

        # To see what nobody can subscribe to.
        replace_method(monkeypatch, engine, "poll_events", watched)
        with pytest.raises(aiosctp.ConnectTimeout):
            await connecting
        assert [event.change for event in changes if isinstance(event, AssociationChange)] == ["CANT_STR_ASSOC"]
        assert owner is not None


@virtual_time
async def test_sender_dry_address_changes_and_adaptation_are_told() -> None:
    """C14: the peer's adaptation layer is told when the association comes up."""
    told: list[Event] = []

    async def handler(association: aiosctp.Association) -> None:
        told.extend([event async for event in association.events(AdaptationIndication)])

    async with (
        TwoHosts(config=aiosctp.Config(adaptation_layer=0x0A0B0C0D)) as hosts,
        await aiosctp.serve(handler, None, 7777, stack=hosts.server),
    ):
        ours = await hosts.connect()
        dry = ours.events(SenderDry)
        await ours.send(b"x")
        assert await anext(dry) == SenderDry()
        await ours.shutdown()
    assert told == [AdaptationIndication(0x0A0B0C0D)]


@virtual_time
async def test_a_path_that_fails_is_told_with_its_address() -> None:
    async with associated(server_addresses=("192.0.2.2", "192.0.2.3")) as (hosts, ours, _):
        told = ours.events(PeerAddressChange)
        event = await anext(told)
        assert isinstance(event, PeerAddressChange)
        assert (event.address, event.change) == (("192.0.2.3", 7777), "CONFIRMED")
        hosts.drop = lambda packet: packet.destination == "192.0.2.3"
        ours.configure(path_max_retrans=0, hb_interval_s=1)
        async for event in told:
            if isinstance(event, PeerAddressChange) and event.change == "UNREACHABLE":
                break
        assert event.address == ("192.0.2.3", 7777)  # type: ignore[union-attr]  # as subscribed


@virtual_time
async def test_a_remote_error_is_told_with_the_whole_chunk() -> None:
    """C10: REMOTE_ERROR carries the code of the first cause and the ERROR chunk."""
    async with associated() as (_, ours, theirs):
        told = theirs.events(RemoteError)
        chunk = Error((InvalidStreamIdentifier(77),)).encode()
        ours.engine.output.send_control(ours.engine.paths.primary, chunk)
        ours.stack.touch(ours.engine)
        assert await anext(told) == RemoteError(1, chunk)


@virtual_time
async def test_each_call_is_a_subscription_of_its_own_from_then_on() -> None:
    async with associated() as (_, ours, _):
        first = ours.events(SenderDry)
        await ours.send(b"x")
        await ours.wait_acknowledged()
        second = ours.events(SenderDry, AssociationChange)
        ours.abort()
        assert [event async for event in first] == [SenderDry()]
        assert [type(event) async for event in second] == [AssociationChange]
        assert [event async for event in ours.events()] == []


@virtual_time
async def test_beyond_its_bound_a_subscription_stops_and_says_so() -> None:
    async with associated(config=aiosctp.Config(event_queue_limit=2)) as (_, ours, _):
        told = ours.events(SenderDry)
        for _ in range(5):
            await ours.send(b"x")
            await ours.wait_acknowledged()
        assert [event async for event in told] == [SenderDry(), SenderDry(), NotificationsStopped()]
        fresh = ours.events(SenderDry)
        await ours.send(b"x")
        assert await anext(fresh) == SenderDry()


@virtual_time
async def test_the_bound_counts_the_bytes_of_failed_messages() -> None:
    config = aiosctp.Config(send_buffer_bytes=2**30, stream_send_buffer_bytes=2**30)
    async with associated(config=config) as (hosts, ours, _):
        told = ours.events(SendFailed)
        hosts.drop = lambda packet: True
        for _ in range(6):
            await ours.send(bytes(2**20))
        ours.abort()
        events = [type(event) async for event in told]
        assert events == [SendFailed] * 4 + [NotificationsStopped]


@virtual_time
async def test_cancelling_the_iteration_loses_no_event() -> None:
    async with associated() as (_, ours, _):
        told = ours.events(SenderDry)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(told)
        reader = asyncio.create_task(anext(told))
        await asyncio.sleep(0)
        told.deliver(SenderDry())  # wakes the reader, which is cancelled before it runs
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert await anext(told) == SenderDry()


@virtual_time
async def test_one_task_at_a_time_iterates_a_subscription() -> None:
    async with associated() as (_, ours, _):
        told = ours.events()
        reader = asyncio.create_task(anext(told))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(told)
        ours.abort()
        await reader


@virtual_time
async def test_what_is_no_type_of_event_is_a_typeerror() -> None:
    async with associated() as (_, ours, _):
        for wrong in (int, "AssociationChange", AssociationAborted):
            with pytest.raises(TypeError, match="types"):
                ours.events(wrong)  # type: ignore[arg-type]  # wrong on purpose


@virtual_time
async def test_a_dropped_subscription_costs_nothing() -> None:
    async with associated() as (_, ours, _):
        dropped = WeakSet(ours.events() for _ in range(100))
        gc.collect()
        assert not dropped
