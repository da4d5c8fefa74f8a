"""Every wait of an association, its streams, paths and events, cancelled wherever it can be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import aiosctp
from aiosctp.events import AssociationChange, Event
from tests.surface.cancelling import SMALL, Trial, cancel_everywhere, cancels, received_until_last, talk


async def after(delay_s: float, call: Callable[[], Any]) -> None:
    await asyncio.sleep(delay_s)
    found = call()
    if asyncio.iscoroutine(found):
        await found


@asynccontextmanager
async def meanwhile(*calls: tuple[float, Callable[[], Any]]) -> AsyncIterator[None]:
    """Each call, so many seconds from now; leaving waits for them."""
    async with asyncio.TaskGroup() as group:
        for delay_s, call in calls:
            group.create_task(after(delay_s, call))
        yield


# -- sending --


def sends_on(
    stream: int,
) -> list[Callable[[aiosctp.Association, bytes], Awaitable[None]]]:
    return [
        lambda association, data: association.send(data, stream=stream),
        lambda association, data: association.stream(stream).send(data),
    ]


@cancels("Association.send", "Stream.send", "Sending.queue_in_turn")
@pytest.mark.parametrize("size", [1, 30_000])
@pytest.mark.parametrize("send", sends_on(1))
def test_a_send_that_waits_for_its_stream_queues_its_message_or_nothing(
    send: Callable[[aiosctp.Association, bytes], Any], size: int
) -> None:
    """X28: the whole message in its place, or none of it; those behind it in the line go on."""
    work = b"w" * size

    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=SMALL) as (ours, theirs):
            ours.send_nowait(b"a" * 4000, stream=1)
            reading = asyncio.create_task(received_until_last(theirs))
            first = asyncio.create_task(ours.send(b"b" * 2500, stream=1))
            await asyncio.sleep(0)
            behind: list[asyncio.Task[None]] = []

            async def begin_behind() -> None:
                behind.extend(asyncio.create_task(ours.send(data, stream=1)) for data in (b"x", b"y"))

            async with meanwhile((0.0, begin_behind)):
                outcome = await trial.cancel(send(ours, work))
            await asyncio.gather(first, *behind)
            await ours.send(b"last", stream=1)
            received = await reading
            kept = [] if outcome.was_cancelled else [work]
            # Cancelled before it had begun, it stood nowhere in the line.
            assert [data for data in received if data != work] == [b"a" * 4000, b"b" * 2500, b"x", b"y"]
            assert received[2:-2] == kept
            assert await talk(ours, theirs) == ([], [])

    cancel_everywhere(scenario)


def test_the_turn_of_a_send_goes_to_the_next_though_nothing_else_happens() -> None:
    """What wakes the first that waits is the last acknowledgement: nothing after it would wake the second."""

    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=SMALL) as (ours, theirs):
            ours.send_nowait(b"a" * 2000, stream=1)
            behind: list[asyncio.Task[None]] = []

            def begin_behind() -> None:
                behind.append(asyncio.create_task(ours.send(b"behind", stream=1)))

            async with meanwhile((0.0, begin_behind)):
                outcome = await trial.cancel(ours.send(b"victim", stream=1))
            async with asyncio.timeout(0.1):
                await asyncio.gather(*behind)
            received = [(await theirs.receive()).data for _ in range(2 if outcome.was_cancelled else 3)]
            assert set(received[1:]) == ({b"behind"} if outcome.was_cancelled else {b"victim", b"behind"})
            assert await talk(ours, theirs) == ([], [])

    assert cancel_everywhere(scenario) == 1


def test_sends_that_wait_for_the_association_pass_their_turn_on() -> None:
    """X28: the association's mark; two on one stream and one on another cancelled together."""

    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=SMALL) as (ours, theirs):
            reading = asyncio.create_task(received_until_last(theirs))
            for stream in range(4):
                ours.send_nowait(b"%d" % stream * 1000, stream=stream)
            others = [asyncio.create_task(ours.send(b"%d" % n, stream=n % 6)) for n in range(12)]
            await asyncio.sleep(0)
            outcome = await trial.cancel(
                ours.send(b"victim", stream=1), ours.send(b"companion", stream=1), ours.send(b"companion", stream=5)
            )
            await asyncio.gather(*others)
            await ours.send(b"last")
            received = await reading
            assert sorted(int(data) for data in received if len(data) < 3) == list(range(12))
            assert received.count(b"victim") == (not outcome.was_cancelled)
            assert await talk(ours, theirs) == ([], [])

    cancel_everywhere(scenario)


def test_a_producer_has_sent_exactly_what_its_calls_returned_for() -> None:
    """Neither lost, nor twice, nor half, nor out of order, whichever of many sends is cancelled."""

    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=SMALL) as (ours, theirs):
            sent: list[bytes] = []

            async def produce() -> None:
                for number in range(40):
                    data = b"%d" % number * 500
                    await ours.send(data, stream=number % 2)
                    sent.append(data)
                await ours.wait_acknowledged()

            reading = asyncio.create_task(received_until_last(theirs))
            await trial.cancel(produce())
            await ours.send(b"last")
            received = await reading
            assert received == sent
            assert await talk(ours, theirs) == ([], [])

    assert cancel_everywhere(scenario) >= 5


@cancels("Association.wait_acknowledged")
def test_waiting_for_acknowledgement_changes_nothing() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=SMALL) as (ours, theirs):
            ours.send_nowait(b"a" * 20_000)
            reading = asyncio.create_task(received_until_last(theirs))
            outcome = await trial.cancel(ours.wait_acknowledged(), ours.wait_acknowledged())
            assert outcome.was_cancelled or ours.status().unacknowledged_chunks == 0
            await ours.send(b"last")
            assert await reading == [b"a" * 20_000]
            assert await talk(ours, theirs) == ([], [])

    cancel_everywhere(scenario)


# -- receiving --

MESSAGES = [b"%d" % number for number in range(6)]


async def one_after_another(association: aiosctp.Association, stream: int) -> None:
    """Some alone, some together in one packet."""
    for number, data in enumerate(MESSAGES):
        association.send_nowait(data, stream=stream)
        if number % 3:
            await asyncio.sleep(0.05)


def whole_readers() -> list[Callable[[aiosctp.Association], aiosctp.Association | aiosctp.Stream]]:
    return [lambda association: association, lambda association: association.stream(7)]


@cancels("Association.receive", "Association.__anext__", "Stream.receive", "Stream.__anext__", "Reception.wait")
@pytest.mark.parametrize("reader_of", whole_readers())
def test_a_receive_that_is_cancelled_takes_no_message(
    reader_of: Callable[[aiosctp.Association], aiosctp.Association | aiosctp.Stream],
) -> None:
    """The next receive gets it, in order; alone and by iteration."""

    async def scenario(trial: Trial, *, iterates: bool) -> None:
        async with trial.associated() as (ours, theirs):
            reader = reader_of(ours)
            taken: list[bytes] = []

            async def consume() -> None:
                if iterates:
                    async for message in reader:
                        taken.append(message.data)
                        if len(taken) == len(MESSAGES):
                            return
                for _ in MESSAGES:
                    taken.append((await reader.receive()).data)

            async with meanwhile((0.02, lambda: one_after_another(theirs, 7))):
                await trial.cancel(consume())
            while len(taken) < len(MESSAGES):
                taken.append((await reader.receive()).data)
            assert taken == MESSAGES
            assert await talk(ours, theirs) == ([], [])

    assert cancel_everywhere(lambda trial: scenario(trial, iterates=False)) >= 3
    assert cancel_everywhere(lambda trial: scenario(trial, iterates=True)) >= 3


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("then_partial", [False, True])
@pytest.mark.parametrize("reader_of", whole_readers())
def test_a_large_message_is_read_on_where_a_cancelled_receive_left_it(
    reader_of: Callable[[aiosctp.Association], aiosctp.Association | aiosctp.Stream], then_partial: bool, partial: bool
) -> None:
    """No part of it lost or twice, though it is larger than the window, whichever way it is read before and after."""
    large = b"".join(b"%06d" % number for number in range(5000))

    async def scenario(trial: Trial) -> None:
        async with trial.associated(config=SMALL) as (ours, theirs):
            reader = reader_of(ours)
            taken: list[bytes] = []
            ends: list[bool] = []

            async def read(partial: bool) -> None:
                while not any(ends):
                    message = await reader.receive(partial=partial)
                    taken.append(message.data)
                    ends.append(message.end_of_record)

            theirs.send_nowait(large, stream=7)
            await trial.cancel(read(partial))
            async with asyncio.timeout(100):
                await read(then_partial)
            assert b"".join(taken) == large
            assert await talk(ours, theirs) == ([], [])

    assert cancel_everywhere(scenario) >= 3


def test_readers_of_two_streams_and_of_the_rest_are_cancelled_together() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            one, two = ours.stream(1), ours.stream(2)
            async with meanwhile(
                (0.02, lambda: theirs.send_nowait(b"1", stream=1)),
                (0.02, lambda: theirs.send_nowait(b"2", stream=2)),
                (0.02, lambda: theirs.send_nowait(b"3", stream=3)),
            ):
                outcome = await trial.cancel(one.receive(), two.receive(), ours.receive())
            await theirs.wait_acknowledged()
            taken = [each.value.data for each in (outcome, *outcome.companions) if not each.was_cancelled]
            left = []
            for reader in (one, two, ours):
                with suppress(BlockingIOError):
                    left.append(reader.receive_nowait().data)
            assert sorted(taken + left) == [b"1", b"2", b"3"]
            assert await talk(ours, theirs) == ([], [])

    cancel_everywhere(scenario)


# -- events --


@cancels("EventSubscription.__anext__")
def test_a_cancelled_iteration_loses_no_event() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            control, subscription = ours.events(), ours.events()
            taken: list[Event] = []

            async def consume() -> None:
                async for event in subscription:
                    taken.append(event)

            async with meanwhile((0.02, lambda: theirs.send_nowait(b"x")), (0.1, theirs.shutdown)):
                await trial.cancel(consume())
            taken += [event async for event in subscription]
            assert taken == [event async for event in control]
            assert len(taken) >= 2
            assert isinstance(taken[-1], AssociationChange)

    assert cancel_everywhere(scenario) >= 2


# -- paths --


@cancels("Path.heartbeat")
def test_a_cancelled_heartbeat_is_on_its_way_and_harms_no_other() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            path = ours.primary_path
            outcome = await trial.cancel(path.heartbeat(), path.heartbeat())
            assert outcome.was_cancelled or outcome.value == pytest.approx(0.02)
            assert await path.heartbeat() == pytest.approx(0.02)
            assert path.state is aiosctp.PathState.ACTIVE
            assert await talk(ours, theirs) == ([], [])

    cancel_everywhere(scenario)


# -- ending --


@cancels("Association.shutdown")
def test_a_shutdown_goes_on_though_nobody_waits_for_it() -> None:
    """What was queued on both sides arrives, the peer sees a graceful end, and what came stays readable."""

    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            for number in range(20):
                ours.send_nowait(b"%d" % number * 1000)
                theirs.send_nowait(b"%d" % number)
            outcome = await trial.cancel(ours.shutdown(), ours.shutdown(60), ours.wait_closed())
            if trial.was_cancelled_before_it_began:
                return
            assert [message.data async for message in theirs] == [b"%d" % number * 1000 for number in range(20)]
            assert [message.data async for message in ours] == [b"%d" % number for number in range(20)]
            await ours.wait_closed()
            await theirs.wait_closed()
            assert outcome.was_cancelled or outcome.error is None

    cancel_everywhere(scenario)


def test_a_shutdown_that_is_cancelled_stays_under_its_guard() -> None:
    """§9.2: with a peer that reads nothing it ends by ABORT, no later than the config's timeout."""

    async def scenario(trial: Trial) -> None:
        config = SMALL.replace(shutdown_timeout_s=5.0)
        async with trial.associated(config=config) as (ours, theirs):
            ours.send_nowait(b"x" * 50_000)
            begun_at = asyncio.get_running_loop().time()
            outcome = await trial.cancel(ours.shutdown(timeout=0.5))
            if trial.was_cancelled_before_it_began:
                return
            assert outcome.was_cancelled or isinstance(outcome.error, aiosctp.AssociationAborted)
            await ours.wait_closed()
            lasted = asyncio.get_running_loop().time() - begun_at
            assert lasted <= (5.001 if outcome.was_cancelled else 0.501)
            _, error = await received_until_the_end(theirs, reads=True)
            assert isinstance(error, aiosctp.AssociationAborted)

    cancel_everywhere(scenario)


@cancels("Association.wait_closed", "Changes.wait")
def test_waiting_for_the_end_changes_nothing() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            async with meanwhile((0.02, lambda: theirs.send_nowait(b"x")), (0.1, theirs.shutdown)):
                outcome = await trial.cancel(ours.wait_closed(), ours.wait_closed())
                if trial.was_cancelled_before_it_began:
                    await asyncio.sleep(0.05)
                    assert (await ours.receive()).data == b"x"
            assert outcome.was_cancelled or ours.state is aiosctp.AssociationState.CLOSED
            await ours.wait_closed()

    cancel_everywhere(scenario)


@cancels("Association.__aexit__")
@pytest.mark.parametrize("peer_reads", [True, False])
def test_leaving_the_block_cancelled_aborts(peer_reads: bool) -> None:
    """Whoever is cancelled while the association shuts down leaves none, and the peer learns of it; unless in that turn
    it had ended already."""
    came_too_late: set[int] = set()

    async def scenario(trial: Trial) -> None:
        config = SMALL.replace(shutdown_timeout_s=2.0)
        async with trial.associated(config=config) as (ours, theirs):

            async def leave() -> None:
                async with ours:
                    ours.send_nowait(b"x" * 20_000)

            reading = asyncio.create_task(received_until_the_end(theirs, peer_reads))
            outcome = await trial.cancel(leave())
            if trial.was_cancelled_before_it_began:
                ours.abort()
            assert ours.state is aiosctp.AssociationState.CLOSED
            received, error = await reading
            if outcome.was_cancelled and isinstance(error, aiosctp.AssociationShutdown):
                came_too_late.add(trial.suspension)
            elif outcome.was_cancelled or not peer_reads:
                assert isinstance(error, aiosctp.AssociationAborted)
            if isinstance(error, aiosctp.AssociationShutdown):
                assert received == [b"x" * 20_000]
            elif not outcome.was_cancelled:
                assert isinstance(outcome.error, aiosctp.AssociationLost)

    count = cancel_everywhere(scenario)
    assert came_too_late <= {count - 1}


async def received_until_the_end(
    association: aiosctp.Association, reads: bool
) -> tuple[list[bytes], aiosctp.SCTPError]:
    received: list[bytes] = []
    if not reads:
        await association.wait_closed()
    try:
        while True:
            received.append((await association.receive()).data)
    except aiosctp.SCTPError as error:
        return received, error


def test_a_block_that_is_cancelled_aborts() -> None:
    """CancelledError is an exception as any other: it leaves the block by ABORT, unless the end had come already."""
    came_too_late: set[int] = set()

    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):

            async def work() -> None:
                async with ours:
                    for number in range(5):
                        await ours.send(b"%d" % number)
                        await ours.receive()

            async def echo() -> aiosctp.SCTPError:
                try:
                    while True:
                        await theirs.send((await theirs.receive()).data)
                except aiosctp.SCTPError as error:
                    return error

            echoing = asyncio.create_task(echo())
            outcome = await trial.cancel(work())
            if trial.was_cancelled_before_it_began:
                ours.abort()
            error = await echoing
            if outcome.was_cancelled and isinstance(error, aiosctp.AssociationShutdown):
                came_too_late.add(trial.suspension)
            else:
                assert isinstance(error, aiosctp.AssociationAborted) is outcome.was_cancelled
            assert ours.state is aiosctp.AssociationState.CLOSED

    count = cancel_everywhere(scenario)
    assert count >= 5
    assert came_too_late <= {count - 1}


@cancels("Association.__aenter__")
def test_entering_an_association_never_waits() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.associated() as (ours, theirs):
            await trial.cancel(ours.__aenter__())
            assert await talk(ours, theirs) == ([], [])

    cancel_everywhere(scenario, waits=False)
