"""Cancellation against ends, other cancellations, task groups and timeouts; and that no wait is forgotten."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest

import aiosctp
from aiosctp.udp import UDPEncapsulation
from tests.surface.cancelling import (
    COVERED,
    LAST,
    SMALL,
    Trial,
    cancel_everywhere,
    cancels,
    echo,
    received_until_last,
    talk,
)
from tests.surface.two_hosts import PORT, TwoHosts, associated
from tests.surface.virtual_time import virtual_time

CONFIG = SMALL.replace(shutdown_timeout_s=2.0)
Work = Callable[[aiosctp.Association], Coroutine[Any, Any, Any]]


# -- no wait is forgotten --


def coroutines_of_the_surface() -> Iterator[str]:
    """Whatever can be awaited of the modules above the engine, but for what is private there and for protocols."""
    for module_info in pkgutil.iter_modules(aiosctp.__path__, "aiosctp."):
        if module_info.ispkg:
            continue
        module = importlib.import_module(module_info.name)
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.iscoroutinefunction(value):
                yield name
            elif inspect.isclass(value) and not getattr(value, "_is_protocol", False):
                yield from coroutines_of(value)


def coroutines_of(kind: type) -> Iterator[str]:
    if issubclass(kind, Coroutine):
        yield kind.__name__
    for name, member in inspect.getmembers(kind, inspect.iscoroutinefunction):
        if member.__module__.startswith("aiosctp") and (not name.startswith("_") or name.startswith("__")):
            yield f"{kind.__name__}.{name}"


def test_every_coroutine_of_the_surface_is_cancelled_by_some_test() -> None:
    """X28: who adds one must say here what cancelling it leaves: mark its test with `cancels`."""
    for module in ("test_cancellation", "test_cancellation_of_endpoints", "test_cancellation_of_streams"):
        importlib.import_module(f"tests.surface.{module}")
    found = set(coroutines_of_the_surface())
    assert {"connect", "serve", "Association.send", "EventSubscription.__anext__", "Server.__aexit__"} <= found
    assert found - COVERED == set()
    assert COVERED - found == set()


@cancels("UDPEncapsulation.wait_closed")
def test_waiting_for_a_socket_to_close_changes_nothing() -> None:
    async def scenario(trial: Trial) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp_socket:
            port = UDPEncapsulation(aiosctp.Stack(), "127.0.0.1", udp_socket)
            asyncio.get_running_loop().call_later(0.1, port.connection_lost, None)
            await trial.cancel(port.wait_closed(), port.wait_closed())
            await port.wait_closed()

    cancel_everywhere(scenario)


# -- against ends --


def ours_closes(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    ours.close()
    ours.close()


def ours_aborts(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    ours.abort()


def theirs_aborts(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    theirs.abort()


def theirs_closes(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    theirs.close()


def both_close(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    ours.close()
    theirs.close()


def stack_closes(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    hosts.client.close()


async def leave(association: aiosctp.Association) -> None:
    async with association:
        pass


async def iterate(association: aiosctp.Association) -> None:
    async for _ in association.events():
        pass


WORK: dict[str, Work] = {
    "send": lambda association: association.send(b"x", stream=1),
    "receive": lambda association: association.receive(),
    "shutdown": lambda association: association.shutdown(),
    "shutdown in time": lambda association: association.shutdown(0.3),
    "leaving": leave,
    "wait_acknowledged": lambda association: association.wait_acknowledged(),
    "heartbeat": lambda association: association.primary_path.heartbeat(),
    "events": iterate,
}
ENDS = [ours_closes, ours_aborts, theirs_aborts, theirs_closes, both_close, stack_closes]


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
@pytest.mark.parametrize("end", ENDS)
def test_cancelled_against_an_end_there_is_one_end_and_nobody_hangs(
    end: Callable[[TwoHosts, aiosctp.Association, aiosctp.Association], None], work: Work
) -> None:
    """X28: waiting sender versus close, close versus close: of each wait, alone and with all others beside it."""

    async def scenario(trial: Trial) -> None:
        async with trial.hosts(config=CONFIG) as hosts:
            server = await hosts.serve()
            ours, theirs = await hosts.pair()
            events = [ours.events(), theirs.events()]
            ours.send_nowait(b"a" * 20_000, stream=1)
            others = [asyncio.create_task(other(ours)) for name, other in WORK.items() if name in ("send", "events")]
            asyncio.get_running_loop().call_later(0.025, end, hosts, ours, theirs)
            outcome = await trial.cancel(work(ours), ours.send(b"y", stream=1))
            for each in (outcome, *outcome.companions):
                # A block may be left, and a shutdown end, without an error; the rest tells of the end.
                assert isinstance(each.error, aiosctp.SCTPError | TimeoutError | None)
            for association in (ours, theirs):
                async with asyncio.timeout(100):
                    await association.wait_closed()
            results = await asyncio.gather(*others, return_exceptions=True)
            assert all(result is None or isinstance(result, aiosctp.SCTPError) for result in results)
            for subscription in events:
                changes = [each async for each in subscription if isinstance(each, aiosctp.events.AssociationChange)]
                assert len(changes) == 1
            server.close()
            await server.wait_closed()

    # With the end already begun, an abort or the stack's close lets it wait no more than once.
    cancel_everywhere(scenario)


# -- task groups --


class Client:
    """A client block with a task group in it that sends and receives. The sender may fail."""

    def __init__(self, stack: aiosctp.Stack, fails_at: int | None = None) -> None:
        self.stack = stack
        self.fails_at = fails_at
        self.sent: list[bytes] = []
        self.received: list[bytes] = []

    async def run(self) -> None:
        async with aiosctp.connect("server", PORT, stack=self.stack) as association, asyncio.TaskGroup() as group:
            group.create_task(self.send(association))
            group.create_task(self.receive(association))

    async def send(self, association: aiosctp.Association) -> None:
        for number in range(30):
            if number == self.fails_at:
                raise ZeroDivisionError
            data = b"%d" % number * 300
            await association.send(data)
            self.sent.append(data)

    async def receive(self, association: aiosctp.Association) -> None:
        while len(self.received) < 30:
            self.received.append((await association.receive()).data)


def test_a_task_group_in_a_client_block_is_cancelled() -> None:
    """All of its tasks are cancelled, and the block is left by ABORT."""

    async def scenario(trial: Trial) -> None:
        async with trial.hosts(config=CONFIG) as hosts:
            server = await aiosctp.serve(echo, None, PORT, stack=hosts.server)
            client = Client(hosts.client)
            outcome = await trial.cancel(client.run())
            assert outcome.error is None
            assert client.received == client.sent[: len(client.received)]
            assert outcome.was_cancelled or len(client.received) == 30
            await asyncio.sleep(0.1)
            assert not hosts.client.owners
            assert not server.associations
            server.close()
            await server.wait_closed()

    assert cancel_everywhere(scenario) >= 3


@virtual_time
async def test_a_task_that_fails_in_a_client_block_cancels_its_siblings_and_aborts() -> None:
    async with TwoHosts(config=CONFIG) as hosts:
        server = await aiosctp.serve(echo, None, PORT, stack=hosts.server)
        client = Client(hosts.client, fails_at=20)
        with pytest.raises(ExceptionGroup) as failed:
            await client.run()
        assert [type(error) for error in failed.value.exceptions] == [ZeroDivisionError]
        await asyncio.sleep(0.1)
        assert client.received == client.sent[: len(client.received)]
        assert hosts.client.statistics().associations_aborted == 1
        assert not server.associations


# -- timeouts --


@virtual_time
async def test_receiving_with_ever_shorter_timeouts_gets_each_message_once() -> None:
    """`asyncio.timeout` around `receive`, at instants that fall on, before and after each arrival."""
    async with associated() as (_, ours, theirs):

        async def send() -> None:
            for number in range(200):
                await theirs.send(b"%d" % number)
                await asyncio.sleep(0.001 * (number % 7))

        sending = asyncio.create_task(send())
        received: list[bytes] = []
        missed = 0
        while len(received) < 200:
            try:
                async with asyncio.timeout(0.001 * (missed % 5)):
                    received.append((await ours.receive()).data)
            except TimeoutError:
                missed += 1
        await sending
        assert received == [b"%d" % number for number in range(200)]
        assert missed > 50


@virtual_time
async def test_sends_with_timeouts_that_expired_were_never_sent() -> None:
    async with associated(config=CONFIG) as (_, ours, theirs):
        reading = asyncio.create_task(received_until_last(theirs))
        sent: list[bytes] = []
        for number in range(300):
            data = b"%d" % number * 300
            with suppress(TimeoutError):
                async with asyncio.timeout(0.001 * (number % 30)):
                    await ours.send(data)
                    sent.append(data)
        await ours.send(LAST)
        assert await reading == sent
        assert 50 < len(sent) < 280


# -- all at once --


class Storm:
    """Senders and readers at both ends, cancelled at random moments, on a network that loses packets."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.sent: dict[tuple[aiosctp.Association, int], list[bytes]] = {}
        self.received: dict[tuple[aiosctp.Association, int], list[bytes]] = {}
        self.cancelled = 0

    async def send(self, association: aiosctp.Association, number: int) -> None:
        stream = self.random.randrange(4)
        data = b"%d " % number * self.random.choice((1, 100, 1000))
        await association.send(data, stream=stream)
        self.sent.setdefault((association, stream), []).append(data)

    async def read(self, reader: aiosctp.Association | aiosctp.Stream, association: aiosctp.Association) -> None:
        while True:
            message = await reader.receive()
            self.received.setdefault((association, message.stream), []).append(message.data)

    async def cancel_later(self, task: asyncio.Task[None]) -> None:
        await asyncio.sleep(self.random.random() * 0.2)
        self.cancelled += task.cancel()
        await asyncio.wait([task])

    async def read_in_pieces(
        self, reader: aiosctp.Association | aiosctp.Stream, association: aiosctp.Association
    ) -> None:
        """A reader that is cancelled again and again, until it is itself."""
        while True:
            task = asyncio.create_task(self.read(reader, association))
            try:
                await self.cancel_later(task)
            finally:
                task.cancel()
                await asyncio.wait([task])

    async def send_and_cancel(self, association: aiosctp.Association) -> None:
        for number in range(60):
            task = asyncio.create_task(self.send(association, number))
            if self.random.random() < 0.5:
                cancelling = asyncio.create_task(self.cancel_later(task))
                if self.random.random() < 0.5:
                    await asyncio.wait([cancelling])
            await asyncio.sleep(self.random.choice((0, 0, 0.01)))
        await asyncio.sleep(60)  # whoever still waits gets its turn


@pytest.mark.parametrize("seed", range(10))
def test_in_a_storm_of_cancellations_each_stream_carries_exactly_what_was_sent(seed: int) -> None:
    @virtual_time
    async def run() -> None:
        storm = Storm(seed)
        async with associated(config=CONFIG) as (hosts, ours, theirs):
            weather = Random(seed)
            hosts.drop = lambda packet: weather.random() < 0.05
            readers = [
                asyncio.create_task(storm.read_in_pieces(reader, association))
                for association in (ours, theirs)
                for reader in (association, association.stream(1))
            ]
            await asyncio.gather(storm.send_and_cancel(ours), storm.send_and_cancel(theirs))
            await asyncio.gather(ours.wait_acknowledged(), theirs.wait_acknowledged())
            await asyncio.sleep(1)
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)
            for stream in range(4):
                assert storm.received[ours, stream] == storm.sent[theirs, stream]
                assert storm.received[theirs, stream] == storm.sent[ours, stream]
            assert storm.cancelled > 20
            hosts.drop = lambda packet: False
            assert await talk(ours, theirs) == ([], [])

    run()
