"""How long a message is worth sending: the policies of `send`, their defaults, and what a program hears of it."""

from __future__ import annotations

import asyncio
import math
import pickle
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import aiosctp
from aiosctp.core.messages import Terms
from aiosctp.events import PartialDelivery, SenderDry, SendFailed
from aiosctp.wire.chunks import Data, ForwardTsn, IData, IForwardTsn, ReConfig
from tests.core.work import instructions
from tests.surface.test_restart_of_streams import restart
from tests.surface.two_hosts import DELAY_S, TwoHosts, associated, chunk_type
from tests.surface.virtual_time import virtual_time

SPEAKS = aiosctp.Config(
    partial_reliability=True, interleaving=False, send_buffer_bytes=4000, stream_send_buffer_bytes=1000
)
USER_DATA = (Data.type, IData.type)
SKIPS = (ForwardTsn.type, IForwardTsn.type)
IGNORES = SPEAKS.replace(partial_reliability=False)


@asynccontextmanager
async def stalled(
    config: aiosctp.Config = SPEAKS, **options: Any
) -> AsyncIterator[tuple[TwoHosts, aiosctp.Association, aiosctp.Association]]:
    """An association whose DATA does not arrive until the test lets it."""
    async with associated(config=config, **options) as (hosts, ours, theirs):
        hosts.drop = lambda packet: chunk_type(packet) in USER_DATA
        yield hosts, ours, theirs


def let_go(hosts: TwoHosts) -> None:
    hosts.drop = lambda packet: False


def failures(association: aiosctp.Association) -> Callable[[], list[SendFailed]]:
    """Those until now, and since this was last called."""
    told = association.events(SendFailed)

    def take() -> list[SendFailed]:
        found = []
        while True:
            coroutine = told.__anext__()
            try:
                coroutine.send(None)
            except StopIteration as stop:
                found.append(stop.value)
            except StopAsyncIteration:
                return found
            else:
                coroutine.close()
                return found

    return take


def queued_terms(association: aiosctp.Association) -> Terms | None:
    """Of the message that was given to `send` last, before it is sent."""
    *_, message = association.engine.sender.queue
    terms: Terms | None = message[6]
    return terms


def named(terms: Terms | None) -> tuple[float | None, int | None, int | None] | None:
    return None if terms is None else (terms.expires_at_s, terms.max_retransmits, terms.buffer_priority)


# -- arguments --


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"lifetime": 0}, ValueError, "^lifetime must be positive"),
        ({"lifetime": -1.5}, ValueError, "^lifetime must be positive"),
        ({"lifetime": math.nan}, ValueError, "^lifetime must be positive"),
        ({"lifetime": -math.inf}, ValueError, "^lifetime must be positive"),
        ({"lifetime": 10**400}, ValueError, "^lifetime must be positive, and 1000000000 or math.inf at most"),
        ({"lifetime": "1"}, TypeError, "^lifetime must be a number"),
        ({"lifetime": True}, TypeError, "^lifetime must be a number"),
        ({"max_retransmits": -1}, ValueError, "^max_retransmits must be between 0 and 65535"),
        ({"max_retransmits": 65536}, ValueError, "^max_retransmits must be between 0 and 65535"),
        ({"max_retransmits": 1.0}, TypeError, "^max_retransmits must be an int"),
        ({"max_retransmits": False}, TypeError, "^max_retransmits must be an int"),
        ({"buffer_priority": -1}, ValueError, "^buffer_priority must be between 0 and 4294967295"),
        ({"buffer_priority": 2**32}, ValueError, "^buffer_priority must be between 0 and 4294967295"),
        ({"buffer_priority": b"1"}, TypeError, "^buffer_priority must be an int"),
        ({"lifetime": 1, "max_retransmits": 0}, ValueError, "^lifetime and max_retransmits exclude"),
        ({"lifetime": math.inf, "buffer_priority": 0}, ValueError, "^lifetime and buffer_priority exclude"),
        ({"max_retransmits": 0, "buffer_priority": 0}, ValueError, "^max_retransmits and buffer_priority exclude"),
    ],
)
def test_a_wrong_policy_is_refused_by_name_and_changes_nothing(
    options: dict[str, Any], error: type[Exception], name: str
) -> None:
    @virtual_time
    async def run() -> None:
        async with associated(config=SPEAKS) as (_, ours, _):
            stream = ours.stream(1)
            for send in (ours.send, stream.send):
                with pytest.raises(error, match=name):
                    await send(b"x", **options)
            with pytest.raises(error, match=name):
                ours.send_nowait(b"x", **options)
            with pytest.raises(error, match=name):
                stream.configure(**options, priority=7)
            with pytest.raises(error, match=name):
                ours.configure_stream(1, **options, weight=7)
            assert ours.engine.sender.is_drained
            assert ours.engine.sender.queue.values.priority(1) == 0
            assert ours.engine.sender.queue.values.weight(1) == 1
            ours.send_nowait(b"x", stream=1)
            assert queued_terms(ours) is None

    run()


def test_a_config_has_one_default_policy() -> None:
    with pytest.raises(ValueError, match="lifetime_s and max_retransmits exclude each other"):
        aiosctp.Config(lifetime_s=1, max_retransmits=0)
    with pytest.raises(ValueError, match="max_retransmits and buffer_priority exclude each other"):
        aiosctp.Config(max_retransmits=0, buffer_priority=0)


@virtual_time
async def test_a_stream_is_configured_within_the_outgoing_ones() -> None:
    """X16: a number that was not checked would go into the scheduler."""
    few = aiosctp.Config(outbound_streams=3)
    async with associated(config=few, server_config=aiosctp.Config(outbound_streams=9)) as (_, ours, _):
        for number in (-1, 3):
            with pytest.raises(aiosctp.InvalidStream, match="number must be between 0 and 2"):
                ours.configure_stream(number, priority=1)
        with pytest.raises(aiosctp.InvalidStream, match="number"):
            ours.stream(8).configure(priority=1)  # an incoming one alone
        with pytest.raises(TypeError, match="number must be an int"):
            ours.configure_stream("1", priority=1)  # type: ignore[arg-type]  # that is the point
        ours.abort()
        with pytest.raises(aiosctp.AssociationAborted):
            ours.configure_stream(1, priority=1)


# -- defaults --


@virtual_time
async def test_what_the_call_names_wins_over_the_stream_and_that_over_the_association() -> None:
    async with stalled(SPEAKS.replace(max_retransmits=3)) as (_, ours, _):
        ours.configure_stream(1, buffer_priority=9)
        ours.configure_stream(2, lifetime=math.inf)
        ours.send_nowait(b"x")
        assert named(queued_terms(ours)) == (None, 3, None)
        ours.send_nowait(b"x", stream=1)
        assert named(queued_terms(ours)) == (None, None, 9)
        ours.send_nowait(b"x", stream=2)
        assert queued_terms(ours) is None
        now = asyncio.get_running_loop().time()
        for stream in range(3):
            ours.send_nowait(b"x", stream=stream, lifetime=2.5)
            assert named(queued_terms(ours)) == (now + 2.5, None, None)
            ours.send_nowait(b"x", stream=stream, lifetime=math.inf, ppid=7)
            assert queued_terms(ours) is None
            ours.send_nowait(b"x", stream=stream, max_retransmits=0, unordered=True)
            assert named(queued_terms(ours)) == (None, 0, None)


@virtual_time
async def test_a_default_changes_for_what_is_sent_from_then_on() -> None:
    async with stalled(SPEAKS) as (_, ours, _):
        ours.send_nowait(b"x")
        first = queued_terms(ours)
        ours.configure(max_retransmits=3)
        ours.send_nowait(b"x")
        assert first is None
        assert named(queued_terms(ours)) == (None, 3, None)
        ours.stream(5).configure(buffer_priority=1)
        ours.stream(5).configure(priority=4)
        ours.configure(max_retransmits=None)
        ours.send_nowait(b"x")
        assert queued_terms(ours) is None
        ours.send_nowait(b"x", stream=5)
        assert named(queued_terms(ours)) == (None, None, 1)
        ours.stream(5).configure(max_retransmits=2)
        ours.send_nowait(b"x", stream=5)
        assert named(queued_terms(ours)) == (None, 2, None)


@virtual_time
async def test_the_first_default_there_is_may_be_a_streams() -> None:
    async with stalled(SPEAKS) as (_, ours, _):
        ours.configure_stream(2, max_retransmits=1)
        ours.send_nowait(b"x", stream=2)
        assert named(queued_terms(ours)) == (None, 1, None)
        ours.send_nowait(b"x")
        assert queued_terms(ours) is None


@virtual_time
async def test_a_second_default_beside_the_first_is_refused() -> None:
    async with associated(config=SPEAKS.replace(lifetime_s=1)) as (_, ours, _):
        with pytest.raises(ValueError, match="lifetime_s and max_retransmits exclude each other"):
            ours.configure(max_retransmits=1)
        ours.configure(lifetime_s=None, max_retransmits=1)


@virtual_time
async def test_a_stream_that_is_configured_is_read_where_it_was() -> None:
    async with associated() as (_, ours, theirs):
        theirs.configure_stream(4, priority=1, weight=2, lifetime=3)
        await ours.send(b"x", stream=4)
        assert (await theirs.receive()).stream == 4


@virtual_time
async def test_defaults_outlive_a_restart_of_the_peer() -> None:
    async with associated(config=SPEAKS) as (hosts, ours, theirs):
        theirs.configure_stream(1, buffer_priority=4)
        theirs.configure(max_retransmits=6)
        await restart(hosts, ours, theirs)
        theirs.send_nowait(b"x", stream=1)
        assert named(queued_terms(theirs)) == (None, None, 4)
        theirs.send_nowait(b"x")
        assert named(queued_terms(theirs)) == (None, 6, None)


@virtual_time
async def test_bytes_of_a_stream_are_never_abandoned() -> None:
    """A hole among them would be no stream of bytes."""
    config = SPEAKS.replace(lifetime_s=0.5)
    async with stalled(config) as (hosts, ours, theirs):
        take = failures(ours)
        _, writer = await ours.open_stream(2)
        with pytest.raises(aiosctp.InvalidStream, match="byte stream"):
            ours.configure_stream(2, max_retransmits=0)
        ours.configure_stream(2, priority=1)
        ours.configure_stream(4, max_retransmits=0)
        _, other = await ours.open_stream(4)
        writer.write(b"bytes")
        other.write(b"of 4")
        await asyncio.sleep(10)
        let_go(hosts)
        await asyncio.sleep(60)
        read = sorted([await (await theirs.accept_stream())[0].read(10) for _ in range(2)])
        assert read == [b"bytes", b"of 4"]
        assert not take()


def test_a_default_policy_costs_who_has_one_alone() -> None:
    """A default costs those of its association alone."""

    def cost(config: aiosctp.Config) -> int:
        counted = 0

        @virtual_time
        async def run() -> None:
            nonlocal counted
            async with associated(config=config) as (_, ours, _):
                ours.send_nowait(b"x")
                counted = instructions(lambda: ours.send_nowait(b"x"))

        run()
        return counted

    assert cost(aiosctp.Config()) < cost(aiosctp.Config(max_retransmits=1))


# -- lifetime --


@virtual_time
async def test_a_message_whose_lifetime_ends_while_send_waits_is_abandoned_and_send_returns() -> None:
    async with stalled() as (hosts, ours, theirs):
        take = failures(ours)
        started = asyncio.get_running_loop().time()
        await ours.send(bytes(1000), stream=1)
        sending = asyncio.create_task(ours.send(b"late", stream=1, ppid=5, context=6, lifetime=0.5))
        await asyncio.sleep(0.49)
        assert not sending.done()
        await sending
        assert asyncio.get_running_loop().time() == pytest.approx(started + 0.5)
        await asyncio.sleep(0)
        assert take() == [SendFailed(b"late", 1, 5, 6, False, False, 0)]
        assert ours.statistics().abandoned_by_stream == {1: aiosctp.Abandoned(unsent=1, sent=0)}
        let_go(hosts)
        await ours.send(b"after", stream=1)
        assert [len((await theirs.receive()).data) for _ in range(2)] == [1000, 5]
        assert not take()


@virtual_time
async def test_a_timer_that_is_early_by_the_clocks_resolution_sends_nothing_and_none_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stalled() as (hosts, ours, _):
        take = failures(ours)
        loop = asyncio.get_running_loop()
        call_later, expiries = loop.call_later, []

        def early(delay: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
            handle = call_later(delay - 1e-6 if delay == pytest.approx(0.5) else delay, *args, **options)
            expiries.append(handle)
            return handle

        monkeypatch.setattr(loop, "call_later", early)
        await ours.send(bytes(1000), stream=1)
        before = len(hosts.log)
        sending = asyncio.create_task(ours.send(b"late", stream=1, lifetime=0.5))
        cancelled = asyncio.create_task(ours.send(b"late", stream=1, lifetime=1000))
        await asyncio.sleep(0)
        first, second = expiries
        cancelled.cancel()
        await sending
        await asyncio.sleep(0)
        assert [failed.was_sent for failed in take()] == [False]
        assert [len(packet.data) > 1000 for packet in hosts.log[before:]] == [True]
        assert second.cancelled()
        assert first.when() < loop.time() + 1


@virtual_time
async def test_a_lifetime_that_does_not_end_in_the_line_ends_as_of_the_call() -> None:
    async with stalled() as (hosts, ours, theirs):
        take = failures(ours)
        await ours.send(bytes(1000), stream=1)
        sending = asyncio.create_task(ours.send(b"waited", stream=1, lifetime=8))
        await asyncio.sleep(5)
        ours.configure(stream_send_buffer_bytes=2000)
        await sending
        assert not take()
        await asyncio.sleep(20)  # it is sent, and decided upon when it is found to be lost
        (failed,) = take()
        assert (failed.data, failed.was_sent, failed.error) == (b"waited", True, 0)
        let_go(hosts)
        assert len((await theirs.receive()).data) == 1000


@virtual_time
async def test_who_waits_behind_an_expired_message_gets_its_turn() -> None:
    async with stalled() as (_, ours, _):
        await ours.send(bytes(1000), stream=1)
        first = asyncio.create_task(ours.send(b"first", stream=1, lifetime=0.5))
        second = asyncio.create_task(ours.send(b"second", stream=1))
        third = asyncio.create_task(ours.send(b"third", stream=1, lifetime=0.7))
        await asyncio.sleep(0.6)
        assert (first.done(), second.done()) == (True, False)
        await third
        assert not second.done()
        ours.configure(stream_send_buffer_bytes=1001)
        await second
        assert ours.statistics().abandoned_unsent == 2


@virtual_time
async def test_a_cancelled_send_with_a_lifetime_leaves_nothing() -> None:
    async with stalled() as (_, ours, _):
        take = failures(ours)
        await ours.send(bytes(1000), stream=1)
        sending = asyncio.create_task(ours.send(b"never", stream=1, lifetime=0.5))
        await asyncio.sleep(0.1)
        sending.cancel()
        await asyncio.sleep(1)
        assert sending.cancelled()
        assert not take()
        assert ours.statistics().abandoned_unsent == 0
        assert ours.engine.sender.stream_buffered_bytes(1) == 1000


@virtual_time
async def test_the_end_of_the_association_is_told_to_who_waits_with_a_lifetime() -> None:
    async with stalled() as (_, ours, _):
        await ours.send(bytes(1000), stream=1)
        sending = asyncio.create_task(ours.send(b"never", stream=1, lifetime=0.5))
        await asyncio.sleep(0.1)
        ours.abort()
        with pytest.raises(aiosctp.AssociationAborted):
            await sending


@virtual_time
async def test_a_lifetime_is_kept_before_the_first_transmission_to_a_peer_without_partial_reliability() -> None:
    """RFC 9260 §11.1.5: a message not sent within its lifetime is dropped; once sent, such a peer has to get it."""
    async with stalled(server_config=IGNORES) as (hosts, ours, theirs):
        take = failures(ours)
        assert "pr" not in ours.negotiated
        await ours.send(bytes(1000), stream=1, lifetime=0.5)
        await ours.send(b"never sent", stream=1, lifetime=0.5)
        await asyncio.sleep(1)
        assert [(failed.data, failed.was_sent) for failed in take()] == [(b"never sent", False)]
        let_go(hosts)
        assert len((await theirs.receive()).data) == 1000
        await ours.wait_acknowledged()
        assert not take()
        assert all(chunk_type(packet) != ForwardTsn.type for packet in hosts.log)


# -- abandoned --


@pytest.mark.parametrize("interleaving", [False, True])
@virtual_time
async def test_an_abandoned_message_is_told_once_and_is_done_when_its_forward_tsn_is_acknowledged(
    interleaving: bool,
) -> None:
    async with stalled(SPEAKS.replace(interleaving=interleaving)) as (hosts, ours, theirs):
        take = failures(ours)
        await ours.send(b"gone", stream=3, max_retransmits=0)
        hosts.drop = lambda packet: chunk_type(packet) in (*USER_DATA, *SKIPS)
        waiting = asyncio.create_task(ours.wait_acknowledged())
        await asyncio.sleep(5)
        assert take() == [SendFailed(b"gone", 3, 0, 0, False, True, 0)]
        assert any(chunk_type(packet) == SKIPS[interleaving] for packet in hosts.log)
        assert not waiting.done()
        dry = ours.events(SenderDry)
        let_go(hosts)
        await waiting
        await anext(dry)
        await ours.send(b"after", stream=3)
        assert (await theirs.receive()).data == b"after"
        assert not take()
        statistics = ours.statistics()
        assert (statistics.abandoned_unsent, statistics.abandoned_sent) == (0, 1)
        assert statistics.abandoned_by_stream == {3: (0, 1)}
        assert pickle.loads(pickle.dumps(statistics)) == statistics


@pytest.mark.parametrize("interleaving", [False, True])
@virtual_time
async def test_a_message_abandoned_half_sent_is_never_read_as_if_it_were_whole(interleaving: bool) -> None:
    """Who reads it in parts hears that it will not be completed; who reads whole messages does not see it."""
    config = SPEAKS.replace(interleaving=interleaving, partial_delivery_point_bytes=1000)
    async with associated(config=config) as (hosts, ours, theirs):
        take = failures(ours)
        told = theirs.events(PartialDelivery)
        for stream in (1, 2):
            before = len(hosts.log)
            hosts.drop = lambda packet, before=before: (  # type: ignore[misc]  # an inferred lambda
                chunk_type(packet) in USER_DATA and len(hosts.log) > before + 3
            )
            await ours.send(bytes(50_000), stream=stream, lifetime=0.2)
            if stream == 1:
                part = await theirs.receive(partial=True)
                assert (part.stream, part.end_of_record) == (1, False)
            await asyncio.sleep(10)
            assert [(failed.stream, failed.was_sent) for failed in take()] == [(stream, True)]
            let_go(hosts)
            await ours.send(b"after", stream=stream)
            if stream == 1:
                event = await anext(told)
                assert isinstance(event, PartialDelivery)
                assert (event.stream, event.ssn) == (1, part.ssn)
                while not part.end_of_record:
                    part = await theirs.receive(partial=True)
                assert part.data == b"after"
            else:
                assert (await theirs.receive()).data == b"after"


@virtual_time
async def test_what_was_abandoned_outlives_a_restart_of_the_peer_in_the_counters() -> None:
    async with associated(config=SPEAKS) as (hosts, ours, theirs):
        hosts.drop = lambda packet: chunk_type(packet) == Data.type
        await theirs.send(b"gone", stream=3, max_retransmits=0)
        await asyncio.sleep(5)
        let_go(hosts)
        await restart(hosts, ours, theirs)
        assert theirs.statistics().abandoned_by_stream == {3: (0, 1)}
        await theirs.send(b"x", stream=3, lifetime=1)
        await theirs.wait_acknowledged()
        assert theirs.statistics().abandoned_by_stream == {3: (0, 1)}


@virtual_time
async def test_leaving_raises_nothing_for_what_was_abandoned() -> None:
    """It is not undelivered: that it may be is what the program said of it."""
    async with TwoHosts(config=SPEAKS) as hosts, await hosts.serve():
        async with await hosts.connect() as ours:
            take = failures(ours)
            hosts.drop = lambda packet: chunk_type(packet) == Data.type
            await ours.send(b"gone", lifetime=0.2)
        assert [(failed.data, failed.error) for failed in take()] == [(b"gone", 0)]
        assert ours.state is aiosctp.AssociationState.CLOSED


@virtual_time
async def test_what_is_abandoned_just_before_the_end_is_not_undelivered() -> None:
    async with TwoHosts(config=SPEAKS) as hosts, await hosts.serve():
        async with await hosts.connect() as ours:
            take = failures(ours)
            hosts.drop = lambda packet: chunk_type(packet) == Data.type
            await ours.send(b"gone", buffer_priority=1)
            await asyncio.sleep(0.1)

            def end() -> None:
                assert ours.engine.sender.make_room(1, None)
                ours.abort()

            asyncio.get_running_loop().call_later(0.1, end)
        assert [failed.data for failed in take()] == [b"gone"]


@virtual_time
async def test_what_waits_behind_a_reset_may_expire_and_the_reset_waits_for_what_was_sent() -> None:
    async with stalled() as (hosts, ours, theirs):
        take = failures(ours)
        await ours.send(bytes(100), stream=1)
        await asyncio.sleep(0.1)
        resetting = asyncio.create_task(ours.reset_streams(outgoing=(1,)))
        await asyncio.sleep(0)
        await ours.send(bytes(200), stream=1, lifetime=0.3)
        await asyncio.sleep(0.6)
        assert [(len(failed.data), failed.was_sent) for failed in take()] == [(200, False)]
        assert all(chunk_type(packet) != ReConfig.type for packet in hosts.log)
        let_go(hosts)
        await resetting
        assert len((await theirs.receive()).data) == 100


# -- priority in the buffer --


@virtual_time
async def test_a_message_takes_the_room_of_those_that_matter_less_instead_of_waiting() -> None:
    async with stalled() as (_, ours, _):
        take = failures(ours)
        await ours.send(bytes(500), stream=1, buffer_priority=5)
        await ours.send(bytes(400), stream=1, buffer_priority=7)
        await ours.send(bytes(100), stream=1, buffer_priority=6)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=1, buffer_priority=7)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=1, buffer_priority=8)
        await asyncio.sleep(0)
        assert not take()
        ours.send_nowait(b"x", stream=1, buffer_priority=6)
        await asyncio.sleep(0)
        assert [len(failed.data) for failed in take()] == [400]
        assert ours.engine.sender.stream_buffered_bytes(1) == 601


@virtual_time
async def test_a_reliable_message_takes_the_room_of_any_with_a_number() -> None:
    """RFC 7496 §3.2: "User messages sent reliably are considered to have a priority higher than all"."""
    async with stalled() as (_, ours, _):
        take = failures(ours)
        await ours.send(bytes(1000), stream=1, buffer_priority=0)
        await ours.send(b"reliable", stream=1)
        await asyncio.sleep(0)
        assert [len(failed.data) for failed in take()] == [1000]
        assert not ours.engine.sender.is_drained


@virtual_time
async def test_room_of_the_association_is_taken_from_other_streams() -> None:
    async with stalled() as (_, ours, _):
        take = failures(ours)
        for stream in (1, 2, 3, 4):
            await ours.send(bytes(3000), stream=stream, buffer_priority=stream)
        ours.send_nowait(b"x", stream=5, buffer_priority=2)
        await asyncio.sleep(0)
        assert [failed.stream for failed in take()] == [4]
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"x", stream=1, buffer_priority=1)


@virtual_time
async def test_room_of_the_stream_is_taken_from_the_stream() -> None:
    """What another one holds, though it matters less, is no room of this one's."""
    async with stalled() as (_, ours, _):
        take = failures(ours)
        await ours.send(bytes(500), stream=2, buffer_priority=9)
        await ours.send(bytes(1000), stream=1, buffer_priority=5)
        await ours.send(b"x", stream=1, buffer_priority=4)
        await asyncio.sleep(0)
        assert [failed.stream for failed in take()] == [1]


@virtual_time
async def test_room_that_is_too_little_is_told_of_and_the_message_waits_for_the_rest() -> None:
    async with stalled() as (hosts, ours, _):
        take = failures(ours)
        await ours.send(bytes(1000), stream=1, max_retransmits=9)
        await ours.send(bytes(2900), stream=2)
        await ours.send(bytes(900), stream=3)
        await ours.send(bytes(900), stream=4, buffer_priority=1)
        await asyncio.sleep(0.5)
        await ours.send(bytes(2000), stream=5, buffer_priority=1)
        ours.configure(send_buffer_bytes=1000)
        waiting = asyncio.create_task(ours.send(b"x", stream=6))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sorted(failed.stream for failed in take()) == [4, 5]
        assert not waiting.done()
        let_go(hosts)
        await waiting


@virtual_time
async def test_who_waits_on_the_stream_is_not_overtaken_by_what_matters_more() -> None:
    """Messages of one stream are queued in the order of the calls."""
    async with stalled() as (hosts, ours, theirs):
        await ours.send(bytes(999), stream=1)
        await ours.send(b"1", stream=1, buffer_priority=4)
        waiting = asyncio.create_task(ours.send(b"2", stream=1, buffer_priority=4))
        await asyncio.sleep(0)
        with pytest.raises(BlockingIOError):
            ours.send_nowait(b"3", stream=1)
        let_go(hosts)
        await waiting
        assert [len((await theirs.receive()).data) for _ in range(3)] == [999, 1, 1]


@virtual_time
async def test_a_stream_of_live_data_through_a_dead_link_ends_in_bounded_room() -> None:
    """A live source never waits long, and what was abandoned is all told."""
    async with stalled() as (hosts, ours, theirs):
        take = failures(ours)
        for number in range(200):
            await ours.send(b"%04d" % number + bytes(96), stream=1, lifetime=0.3)
            assert ours.engine.sender.stream_buffered_bytes(1) <= 1100
            await asyncio.sleep(DELAY_S)
        await asyncio.sleep(30)
        told = [int(failed.data[:4]) for failed in take()]
        assert sorted(told) == list(range(200))
        let_go(hosts)
        await ours.wait_acknowledged()
        await ours.send(b"live", stream=1)
        assert (await theirs.receive()).data == b"live"
