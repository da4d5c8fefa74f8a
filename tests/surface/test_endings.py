"""Whoever waits learns of the end; ends against ends, cancelled waits, restarts and closed stacks."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aiosctp
from aiosctp.core.datagram import Received
from aiosctp.testing import Packet
from aiosctp.wire.chunks import CookieEcho, Init
from aiosctp.wire.packet import encode_packet
from tests.surface.two_hosts import PORT, TwoHosts, associated, chunk_type
from tests.surface.virtual_time import virtual_time

Call = Callable[[], object]


# -- whoever waits learns of the end --


async def peer_shuts_down(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    await theirs.shutdown()


async def peer_aborts(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    theirs.abort()


async def we_close(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    ours.close()


async def we_abort(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    ours.abort()


async def we_shut_down(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    await ours.shutdown()


async def stack_closes(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    hosts.client.close()


async def peer_goes_dark(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    hosts.drop = lambda packet: True
    ours.send_nowait(b"into the dark")


ENDINGS = [peer_shuts_down, peer_aborts, we_close, we_abort, we_shut_down, stack_closes, peer_goes_dark]
Ending = Callable[[TwoHosts, aiosctp.Association, aiosctp.Association], Awaitable[None]]


@pytest.mark.parametrize("ending", ENDINGS)
def test_nobody_waits_after_the_end_and_nothing_is_left_running(ending: Ending) -> None:
    """X48, X28: readers, writers, watchers and iterations all end, however the association does."""

    @virtual_time
    async def run() -> None:
        small = aiosctp.Config(stream_send_buffer_bytes=1000, send_buffer_bytes=10**6, receive_window_bytes=1500)
        async with associated(config=small) as (hosts, ours, theirs):
            stream = ours.stream(7)
            subscription = ours.events()

            async def iterate(over: Any) -> None:
                async for _ in over:
                    pass

            if ending in (we_close, we_shut_down, peer_shuts_down):
                # A graceful end waits for what was queued: somebody reads.
                reader = asyncio.create_task(iterate(theirs))
            else:
                reader = asyncio.create_task(asyncio.sleep(0))
            await ours.send(b"x" * 20_000, stream=3)
            waiting = [
                asyncio.create_task(work)
                for work in (
                    ours.receive(),
                    stream.receive(),
                    ours.send(b"x", stream=3),
                    ours.wait_acknowledged(),
                    ours.wait_closed(),
                    ours.primary_path.heartbeat(),
                    iterate(subscription),
                )
            ]
            await asyncio.sleep(0)
            await ending(hosts, ours, theirs)
            done, pending = await asyncio.wait(waiting, timeout=2000)
            assert not pending
            allowed = (type(None), aiosctp.SCTPError, TimeoutError, float)
            for task in done:
                assert isinstance(task.exception(), allowed), task
            assert not ours._reception._waiting
            assert not ours._life.changes
            assert not ours._backpressure.waiting
            reader.cancel()
            await asyncio.wait([reader])
        gc.collect()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left

    run()


@virtual_time
async def test_close_against_close_and_send_against_close() -> None:
    """X28: all ends asked for in one turn, with senders that wait: one ending, and nobody hangs."""
    config = aiosctp.Config(stream_send_buffer_bytes=1000, receive_window_bytes=1500)
    async with associated(config=config) as (_, ours, theirs):
        await ours.send(b"x" * 20_000)
        senders = [asyncio.create_task(ours.send(b"late", stream=n % 2)) for n in range(10)]
        await asyncio.sleep(0)
        shutdowns = [asyncio.create_task(ours.shutdown()) for _ in range(3)]
        await asyncio.sleep(0)
        ours.close()
        ours.close()
        shutdowns[0].cancel()
        ours.abort()
        ours.abort(b"again")
        theirs.abort()
        ours.close()
        results = await asyncio.gather(*shutdowns, *senders, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert all(isinstance(result, aiosctp.AssociationAborted) for result in results[1:3])
        assert all(result is None or isinstance(result, aiosctp.SCTPError) for result in results[3:])
        assert ours.engine.sender.is_drained


class CancelsOnWaking:
    """Told of a change in an association's place: cancels the tasks that were woken before they have run."""

    def __init__(self, association: aiosctp.Association, tasks: list[asyncio.Task[Any]]) -> None:
        self.association = association
        self.tasks = tasks

    def engine_changed(self) -> None:
        self.association.engine_changed()
        for task in self.tasks:
            task.cancel()


@virtual_time
async def test_cancelling_each_wait_leaves_no_trace() -> None:
    """X28: cancelled while it waits, and in the very turn in which it is woken."""
    config = aiosctp.Config(stream_send_buffer_bytes=1000)
    async with associated(config=config) as (hosts, ours, theirs):
        for wakes_first in (False, True):
            stream = ours.stream(7)
            await ours.send(b"x" * 2000, stream=3)
            waiting = [
                asyncio.create_task(work)
                for work in (
                    ours.receive(),
                    stream.receive(),
                    ours.send(b"never", stream=3),
                    ours.wait_acknowledged(),
                    ours.wait_closed(),
                    ours.primary_path.heartbeat(),
                )
            ]
            await asyncio.sleep(0)
            if wakes_first:
                await theirs.send(b"kept")
                await theirs.send(b"kept too", stream=7)
                hosts.client.own(ours.engine, CancelsOnWaking(ours, waiting))
            else:
                for task in waiting:
                    task.cancel()
            await asyncio.wait(waiting)
            hosts.client.own(ours.engine, ours)
            assert all(task.cancelled() for task in waiting)
            assert not ours._reception._waiting
            assert not ours._life.changes
            assert not ours._backpressure.waiting
            await ours.wait_acknowledged()
        await asyncio.sleep(1)
        assert [ours.receive_nowait().data, stream.receive_nowait().data] == [b"kept", b"kept too"]
        await ours.send(b"alive")
        assert [(await theirs.receive()).data for _ in range(3)] == [b"x" * 2000, b"x" * 2000, b"alive"]


@virtual_time
async def test_a_send_that_waits_through_a_restart_to_fewer_streams_is_refused() -> None:
    """R04: §5.2.4 A: the stream it waited for may be gone."""
    config = aiosctp.Config(stream_send_buffer_bytes=1000)
    async with TwoHosts(config=config) as hosts:
        await hosts.serve()
        _, theirs = await hosts.pair(local_port=5000)
        hosts.drop = lambda packet: packet.source == "192.0.2.2"
        await theirs.send(b"x" * 2000, stream=200)
        waiting = asyncio.create_task(theirs.send(b"y", stream=200))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        # The client's host forgets everything and comes back with one stream.
        for port in list(hosts.client._ports.values()):
            port.close()
        hosts.drop = lambda packet: False
        few = aiosctp.Config(max_inbound_streams=1)
        async with aiosctp.Stack(network=hosts.client_host, config=few) as reborn:
            again = await aiosctp.connect("192.0.2.2", PORT, local_port=5000, stack=reborn)
            with pytest.raises(aiosctp.InvalidStream):
                await waiting
            assert theirs.outbound_streams == 1
            await theirs.send(b"on the one that is left")
            assert (await again.receive()).data == b"on the one that is left"


# -- the stack --


@virtual_time
async def test_closing_the_stack_in_a_forked_child_raises_and_harms_the_parent_in_nothing() -> None:
    """The child has the parent's sockets and epoll: it must send no ABORT through them and unregister nothing."""
    async with associated() as (hosts, ours, theirs):
        sent = len(hosts.log)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("aiosctp.stack._ThisProcess.forks", -1)
            calls: tuple[Call, ...] = (hosts.client.close, hosts.client.open)
            for call in calls:
                with pytest.raises(RuntimeError, match="forked"):
                    call()
            with pytest.raises(RuntimeError, match="forked"):
                async with hosts.client:
                    pass
        await ours.send(b"the parent goes on")
        assert (await theirs.receive()).data == b"the parent goes on"
        assert not hosts.client.is_closed
        assert len(hosts.log) > sent


@virtual_time
async def test_closing_the_stack_aborts_what_was_accepted_in_the_same_turn() -> None:
    """Leaving it ABORTs what still lives, also what no handler has been started for yet."""
    async with TwoHosts() as hosts:

        def close_then_accept(peer: tuple[str, int]) -> bool:
            if hosts.server._engine is not None and hosts.server._engine.endpoints[PORT].accepted:
                hosts.server.close()
            return True

        await hosts.serve(admit=close_then_accept)
        first = await hosts.connect(local_port=5000)
        cookies: list[Packet] = []

        def hold_cookie(packet: Packet) -> bool:
            if chunk_type(packet) == CookieEcho.type:
                cookies.append(packet)
            return chunk_type(packet) == CookieEcho.type

        hosts.drop = hold_cookie
        connecting = asyncio.create_task(hosts.connect(local_port=5001, timeout=5))
        await asyncio.sleep(0.1)
        hosts.drop = lambda packet: False
        init = next(packet for packet in hosts.log if chunk_type(packet) == Init.type)
        # One batch: a COOKIE ECHO, and an INIT whose admission closes the stack.
        another = encode_packet(5002, PORT, 0, (init.data[12:],))
        batch = [Received(data, init.source, init.source_port) for data in (cookies[0].data, another)]
        hosts.server.datagrams_received(batch, "192.0.2.2")
        assert hosts.server.is_closed
        with pytest.raises(aiosctp.SCTPError):
            await connecting
        with pytest.raises(aiosctp.AssociationAborted):
            await first.receive()
        assert not hosts.client.owners
        assert not hosts.server.owners


@virtual_time
async def test_what_follows_in_the_batch_finds_nobody_once_admit_has_closed_the_stack() -> None:
    """X13: else a handler would be started for an association that nobody can end any more."""
    started: list[aiosctp.Association] = []

    async def handler(association: aiosctp.Association) -> None:
        started.append(association)

    async with TwoHosts() as hosts:
        closes = False

        def admit(peer: tuple[str, int]) -> bool:
            if closes:
                hosts.server.close()
            return True

        await aiosctp.serve(handler, None, PORT, stack=hosts.server, admit=admit)
        hosts.drop = lambda packet: chunk_type(packet) == CookieEcho.type
        connecting = asyncio.create_task(hosts.connect(timeout=1))
        await asyncio.sleep(0.1)
        closes = True
        init, cookie = (next(f for f in hosts.log if chunk_type(f) == kind.type) for kind in (Init, CookieEcho))
        another = encode_packet(5002, PORT, 0, (init.data[12:],))
        batch = [Received(data, init.source, init.source_port) for data in (another, cookie.data)]
        hosts.server.datagrams_received(batch, "192.0.2.2")
        with pytest.raises(aiosctp.ConnectTimeout):
            await connecting
        assert not started
        assert not hosts.server.owners
        assert hosts.server._timer is None


@virtual_time
async def test_who_was_let_in_before_admit_closed_the_server_still_gets_a_handler() -> None:
    """X13: the server stops accepting, its associations go on: also one of the same batch."""
    async with TwoHosts() as hosts:
        closes = False

        def admit(peer: tuple[str, int]) -> bool:
            if closes:
                server.close()
            return True

        server = await hosts.serve(admit=admit)
        hosts.drop = lambda packet: chunk_type(packet) == CookieEcho.type
        connecting = asyncio.create_task(hosts.connect(timeout=1))
        await asyncio.sleep(0.1)
        hosts.drop = lambda packet: False
        closes = True
        init, cookie = (next(f for f in hosts.log if chunk_type(f) == kind.type) for kind in (Init, CookieEcho))
        another = encode_packet(5002, PORT, 0, (init.data[12:],))
        batch = [Received(data, init.source, init.source_port) for data in (cookie.data, another)]
        hosts.server.datagrams_received(batch, "192.0.2.2")
        ours = await connecting
        theirs = await hosts.accepted.get()
        await ours.send(b"let in")
        assert (await theirs.receive()).data == b"let in"
        assert server.associations == {theirs}
        assert not server.is_serving()


@virtual_time
async def test_a_server_whose_stack_is_closed_is_closed() -> None:
    """X48: who waits for the server learns that there is none."""
    async with TwoHosts() as hosts:
        server = await hosts.serve()
        ours, _ = await hosts.pair()
        waiting = [asyncio.create_task(server.serve_forever()), asyncio.create_task(server.wait_closed())]
        await asyncio.sleep(1)
        hosts.server.close()
        assert not server.is_serving()
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting)
        assert not server.associations
        with pytest.raises(aiosctp.AssociationAborted):
            await ours.receive()


@virtual_time
async def test_a_path_that_a_restart_took_away_is_refused() -> None:
    async with TwoHosts() as hosts:
        await hosts.serve()
        _, theirs = await hosts.pair(local_port=5000)
        old = theirs.primary_path
        for port in list(hosts.client._ports.values()):
            port.close()
        async with aiosctp.Stack(network=hosts.client_host) as reborn:
            await aiosctp.connect("192.0.2.2", PORT, local_port=5000, stack=reborn)
            await asyncio.sleep(1)
            new = theirs.primary_path
            assert old != new
            with pytest.raises(ValueError, match="path"):
                await old.heartbeat()
            with pytest.raises(ValueError, match="path"):
                old.configure(hb_interval_s=1.0)
            assert await new.heartbeat() == pytest.approx(0.02)
