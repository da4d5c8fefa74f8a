"""The sentences of the public contract, each as a test: what is refused, what ends whom, and what never happens."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aiosctp
from aiosctp.core.congestion import CONGESTION_CONTROLS
from aiosctp.core.datagram import Datagram
from aiosctp.events import AssociationChange
from aiosctp.stack import Stack
from aiosctp.wire.chunks import CookieEcho, Init
from aiosctp.wire.packet import encode_packet
from tests.surface.memory_network import Flight
from tests.surface.two_hosts import PORT, TwoHosts, associated
from tests.surface.virtual_time import virtual_time

Call = Callable[[], object]


async def nobody(association: aiosctp.Association) -> None:
    await association.wait_closed()


async def async_admit(peer: tuple[str, int]) -> bool:
    return False


# -- wrong arguments: ValueError or TypeError that names the argument, and nothing has changed --


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"timeout": "1"}, TypeError, "timeout"),
        ({"timeout": True}, TypeError, "timeout"),
        ({"timeout": float("nan")}, ValueError, "timeout"),
        ({"config": {}}, TypeError, "config"),
        ({"config": aiosctp.Config(congestion_control="none such")}, ValueError, "congestion_control"),
        ({"stack": 3}, TypeError, "stack"),
        ({"local_addresses": 3}, TypeError, "local_addresses"),
        ({"local_addresses": ["224.0.0.1"]}, ValueError, "local_addresses"),
        ({"local_addresses": ["0.0.0.0"]}, ValueError, "local_addresses"),
        ({"host": b"127.0.0.1"}, TypeError, "host"),
    ],
)
def test_wrong_arguments_of_connect_are_named(options: dict[str, Any], error: type[Exception], named: str) -> None:
    """I05."""
    host = options.pop("host", "192.0.2.2")
    with pytest.raises(error, match=f"^{named}"):
        aiosctp.connect(host, PORT, **options)


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"config": 5}, TypeError, "config"),
        ({"config": aiosctp.Config(congestion_control="none such")}, ValueError, "congestion_control"),
        ({"local_addresses": 5}, TypeError, "local_addresses"),
        ({"local_addresses": ["::"]}, ValueError, "local_addresses"),
    ],
)
def test_wrong_arguments_of_a_stack_are_named(options: dict[str, Any], error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=f"^{named}"):
        Stack(**options)


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"host": 5}, TypeError, "host"),
        ({"host": ""}, ValueError, "host"),
        ({"host": []}, ValueError, "host"),
        ({"host": [""]}, ValueError, "host"),
        ({"config": 5}, TypeError, "config"),
        ({"outbound_streams": 0}, ValueError, "outbound_streams"),
        ({"stack": 5}, TypeError, "stack"),
        ({"udp_port": "9899"}, TypeError, "udp_port"),
        ({"admit": async_admit}, TypeError, "admit"),
    ],
)
def test_wrong_arguments_of_serve_are_named_before_anything_is_bound(
    options: dict[str, Any], error: type[Exception], named: str
) -> None:
    @virtual_time
    async def run() -> None:
        hosts = TwoHosts()
        host = options.pop("host", None)
        with pytest.raises(error, match=f"^{named}"):
            await aiosctp.serve(nobody, host, PORT, **{"stack": hosts.server, **options})
        assert not hosts.wire.ports

    run()


@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        (lambda a: a.set_primary(5), TypeError, "address"),
        (lambda a: a.set_primary(("192.0.2.2",)), TypeError, "address"),
        (lambda a: a.set_primary((5, PORT)), TypeError, "address"),
        (lambda a: a.set_primary("no address"), ValueError, "address"),
        (lambda a: a.set_primary(("no address", PORT)), ValueError, "address"),
        (lambda a: a.set_primary("192.0.2.99"), ValueError, "address"),
        (lambda a: a.abort("text"), TypeError, "reason"),
        (lambda a: a.abort(b"x" * 70000), ValueError, "reason"),
        (lambda a: a.configure(receive_window_bytes=10_000), ValueError, "receive_window_bytes"),
        (lambda a: a.configure(sack_delay_s="x"), TypeError, "sack_delay_s"),
    ],
)
def test_wrong_arguments_of_an_association_change_nothing(
    call: Callable[[aiosctp.Association], object], error: type[Exception], named: str
) -> None:
    @virtual_time
    async def run() -> None:
        async with associated() as (_, ours, theirs):
            config = ours.engine.config
            with pytest.raises(error, match=f"^{named}"):
                call(ours)
            assert ours.engine.config == config
            await ours.send(b"still here")
            assert (await theirs.receive()).data == b"still here"

    run()


@virtual_time
async def test_wrong_timeouts_do_not_begin_a_shutdown() -> None:
    async with associated() as (_, ours, _theirs):
        wrong: tuple[Any, ...] = ("1", True, -1, float("nan"))
        for timeout in wrong:
            with pytest.raises((TypeError, ValueError), match=r"^timeout"):
                await ours.shutdown(timeout)
        assert ours.state is aiosctp.AssociationState.ESTABLISHED


@virtual_time
async def test_the_longest_reason_of_an_abort_arrives_whole() -> None:
    async with associated() as (_, ours, theirs):
        with pytest.raises(ValueError, match=r"^reason must fit one packet, [0-9]+ bytes") as refused:
            ours.abort(b"x" * 2000)
        room = int(str(refused.value).split(", ")[1].split()[0])
        ours.abort(b"x" * room)
        with pytest.raises(aiosctp.AssociationAborted) as told:
            await theirs.receive()
        assert told.value.causes == (aiosctp.Cause(12, b"x" * room),)


@virtual_time
async def test_a_name_with_multicast_addresses_only_is_no_peer() -> None:
    """A43."""
    async with TwoHosts() as hosts:
        hosts.wire.names["group.example"] = ["224.0.0.1"]
        with pytest.raises(OSError, match="no unicast address"):
            await aiosctp.connect("group.example", PORT, stack=hosts.client)
        assert not hosts.wire.log


def test_the_congestion_control_of_the_default_config_is_registered() -> None:
    assert aiosctp.Config().congestion_control in CONGESTION_CONTROLS


# -- connect --


@virtual_time
async def test_of_several_failures_the_peers_answer_is_raised() -> None:
    """I03: an address of a family we lack says less than the peer's ABORT, whichever comes first."""
    async with TwoHosts() as hosts:
        for addresses in (["2001:db8::1", "192.0.2.2"], ["192.0.2.2", "2001:db8::1"]):
            hosts.wire.names["peer.example"] = addresses
            with pytest.raises(aiosctp.AssociationRefused):
                await aiosctp.connect("peer.example", PORT, stack=hosts.client)
        assert not hosts.client.owners


@virtual_time
async def test_a_client_may_use_the_port_of_a_server_that_offers_fewer_addresses() -> None:
    async with TwoHosts(client_addresses=("192.0.2.1", "192.0.2.3")) as hosts:
        await hosts.serve()
        await aiosctp.serve(nobody, "192.0.2.3", 5000, stack=hosts.client)
        association = await hosts.connect(local_port=5000)
        assert association.local_addresses == (("192.0.2.3", 5000),)


@virtual_time
async def test_awaiting_a_coroutine_that_ran_opens_no_second_association() -> None:
    async with TwoHosts() as hosts:
        await hosts.serve()
        connecting = aiosctp.connect("192.0.2.2", PORT, stack=hosts.client)
        await asyncio.create_task(connecting)
        with pytest.raises(RuntimeError):
            await asyncio.create_task(connecting)
        with pytest.raises(RuntimeError):
            await connecting
        assert len(hosts.client.associations()) == 1


@virtual_time
async def test_an_error_chunk_during_the_handshake_fails_nothing() -> None:
    """X31: neither an ERROR of unknown cause nor an unknown chunk ends a connect."""
    told = []
    async with TwoHosts() as hosts:
        await hosts.serve()

        def inject(flight: Flight) -> bool:
            if flight.source == "192.0.2.1" and flight.chunk_type in (Init.type, CookieEcho.type):
                (engine,) = hosts.client.owners
                told.append(flight.chunk_type)
                # ERROR with a cause nobody has defined, then a chunk that asks to be reported.
                for chunk in (bytes.fromhex("0900 0008 beef 0004"), bytes.fromhex("fe00 0004")):
                    packet = encode_packet(PORT, engine.local_port, engine.tcb.local_tag, (chunk,))
                    server_port = hosts.wire.ports["192.0.2.2", 9899]
                    hosts.wire.send(server_port, Datagram(packet, "192.0.2.2", "192.0.2.1", flight.source_port))
            return False

        hosts.wire.drop = inject
        association = await hosts.connect()
        assert told == [Init.type, CookieEcho.type]
        assert association.state is aiosctp.AssociationState.ESTABLISHED


# -- identity --


@virtual_time
async def test_an_association_that_ended_never_becomes_another() -> None:
    """A40: who holds one that ended never hears, reads or sends on a later one with the same peer and ports."""
    async with TwoHosts() as hosts:
        await hosts.serve()
        first, first_theirs = await hosts.pair(local_port=5000)
        stream, path, subscription = first.stream(1), first.primary_path, first.events()
        await first_theirs.send(b"for the first")
        await asyncio.sleep(1)
        await first.shutdown()
        second, second_theirs = await hosts.pair(local_port=5000)
        assert (first.local_addresses, first.peer_addresses) == (second.local_addresses, second.peer_addresses)
        assert first != second
        assert len({first, second}) == 2
        assert first.engine.tcb.local_tag != second.engine.tcb.local_tag
        assert path != second.primary_path
        assert hosts.client.associations() == {second}

        await second_theirs.send(b"for the second")
        await second_theirs.send(b"for the second's stream", stream=1)
        assert (await first.receive()).data == b"for the first"
        with pytest.raises(aiosctp.AssociationShutdown):
            await first.receive()
        with pytest.raises(aiosctp.AssociationShutdown):
            await stream.receive()
        with pytest.raises(aiosctp.AssociationShutdown):
            await first.send(b"into the wrong one")
        changes = [event.change async for event in subscription if isinstance(event, AssociationChange)]
        assert changes == ["SHUTDOWN_COMP"]
        first.abort()
        first.close()
        assert second.state is aiosctp.AssociationState.ESTABLISHED
        assert [(await second.receive()).data, (await second.receive()).data] == [
            b"for the second",
            b"for the second's stream",
        ]


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
    hosts.wire.drop = lambda flight: True
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
            assert not ours.reception._waiting
            assert not ours._watchers
            assert not ours._backpressure._waiting
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
            assert not ours.reception._waiting
            assert not ours._watchers
            assert not ours._backpressure._waiting
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
        hosts.wire.drop = lambda flight: flight.source == "192.0.2.2"
        await theirs.send(b"x" * 2000, stream=200)
        waiting = asyncio.create_task(theirs.send(b"y", stream=200))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        # The client's host forgets everything and comes back with one stream.
        for port in list(hosts.client._ports.values()):
            port.close()
        hosts.wire.drop = lambda flight: False
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
        sent = len(hosts.wire.log)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.getpid", lambda: -1)
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
        assert len(hosts.wire.log) > sent


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
        cookies: list[Flight] = []

        def hold_cookie(flight: Flight) -> bool:
            if flight.chunk_type == CookieEcho.type:
                cookies.append(flight)
            return flight.chunk_type == CookieEcho.type

        hosts.wire.drop = hold_cookie
        connecting = asyncio.create_task(hosts.connect(local_port=5001, timeout=5))
        await asyncio.sleep(0.1)
        hosts.wire.drop = lambda flight: False
        init = next(flight for flight in hosts.wire.log if flight.chunk_type == Init.type)
        # One batch: a COOKIE ECHO, and an INIT whose admission closes the stack.
        another = encode_packet(5002, PORT, 0, (init.datagram.data[12:],))
        batch = [(data, init.source, init.source_port) for data in (cookies[0].datagram.data, another)]
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
        hosts.wire.drop = lambda flight: flight.chunk_type == CookieEcho.type
        connecting = asyncio.create_task(hosts.connect(timeout=1))
        await asyncio.sleep(0.1)
        closes = True
        init, cookie = (next(f for f in hosts.wire.log if f.chunk_type == kind.type) for kind in (Init, CookieEcho))
        another = encode_packet(5002, PORT, 0, (init.datagram.data[12:],))
        batch = [(data, init.source, init.source_port) for data in (another, cookie.datagram.data)]
        hosts.server.datagrams_received(batch, "192.0.2.2")
        with pytest.raises(aiosctp.ConnectTimeout):
            await connecting
        assert not started
        assert not hosts.server.owners
        assert hosts.server._timer is None


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


# -- the program's own code inside the engine --


@pytest.mark.parametrize("what", ["close the server", "abort the other", "close the stack", "send", "connect back"])
def test_admit_may_call_anything(what: str) -> None:
    """X13: the one function of the program that is called from within the engine may come back into it."""

    @virtual_time
    async def run() -> None:
        async with TwoHosts() as hosts:
            tasks: list[asyncio.Task[Any]] = []
            others: list[aiosctp.Association] = []

            def admit(peer: tuple[str, int]) -> bool:
                if not others:
                    return True
                match what:
                    case "close the server":
                        server.close()
                    case "abort the other":
                        others[0].abort()
                    case "close the stack":
                        hosts.server.close()
                    case "send":
                        others[0].send_nowait(b"from within")
                    case "connect back":
                        connecting = aiosctp.connect("192.0.2.1", 6000, stack=hosts.server, timeout=1)
                        tasks.append(asyncio.create_task(connecting))
                return True

            server = await hosts.serve(admit=admit)
            ours, theirs = await hosts.pair()
            others.append(theirs)
            second = await asyncio.gather(hosts.connect(timeout=5), return_exceptions=True)
            match what:
                case "close the server" | "close the stack":
                    assert isinstance(second[0], aiosctp.SCTPError)
                case _:
                    assert isinstance(second[0], aiosctp.Association)
            if what in ("abort the other", "close the stack"):
                with pytest.raises(aiosctp.AssociationAborted):
                    await ours.receive()
            if what == "send":
                assert (await ours.receive()).data == b"from within"
            await asyncio.gather(*tasks, return_exceptions=True)
            server.close()
            server.abort_clients()
            await server.wait_closed()
            assert hosts.server._timer is None or not hosts.server.is_closed

    run()


def test_the_stack_drives_every_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """X56: whenever the engine has a deadline, the loop has a timer for it, no later."""
    flushes = 0
    flush = Stack.flush

    def checked(stack: Stack, now: float) -> None:
        nonlocal flushes
        flush(stack, now)
        flushes += 1
        assert stack._engine is not None
        deadline = stack._engine.next_deadline()
        if deadline is not None:
            assert stack._timer is not None
            assert not stack._timer.cancelled()
            assert stack._timer_at <= deadline

    monkeypatch.setattr(Stack, "flush", checked)

    @virtual_time
    async def run() -> None:
        async with associated() as (hosts, ours, theirs):
            seen: set[bytes] = set()

            def first_copy(flight: Flight) -> bool:
                is_first = flight.datagram.data not in seen
                seen.add(flight.datagram.data)
                return is_first and hosts.wire.random.random() < 0.5

            hosts.wire.drop = first_copy
            for number in range(20):
                await ours.send(b"%d" % number)
            # From here on nobody calls: what is lost is sent again by timers alone.
            assert [(await theirs.receive()).data for _ in range(20)] == [b"%d" % number for number in range(20)]
            assert ours.statistics().rtxchunks
            await ours.shutdown()

    run()
    assert flushes


# -- logging --


def test_the_loggers_have_a_null_handler(capfd: pytest.CaptureFixture[str]) -> None:
    handlers = logging.getLogger("aiosctp").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
    assert logging.getLogger("aiosctp.server").parent is logging.getLogger("aiosctp")
