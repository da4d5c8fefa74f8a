"""`Stack`: conflicts, closing, driving the engine."""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import aiosctp
from aiosctp.core.datagram import Received
from aiosctp.exceptions import AssociationAborted
from aiosctp.stack import TIMER_REST_S
from aiosctp.testing import Network, Packet
from aiosctp.testing.loop import VirtualTimeLoop
from aiosctp.wire.chunks import Heartbeat
from tests.core.bugs import replace_method
from tests.surface.two_hosts import DELAY_S, PORT, TwoHosts, associated, chunk_type, has_user_data
from tests.surface.virtual_time import virtual_time


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"udp_port": "9899"}, TypeError, "udp_port"),
        ({"udp_port": 65536}, ValueError, "udp_port"),
        ({"local_addresses": []}, ValueError, "local_addresses"),
        ({"local_addresses": [1]}, TypeError, "local_addresses"),
        ({"local_addresses": "localhost"}, ValueError, "local_addresses"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named):
        aiosctp.Stack(**options)


@virtual_time
async def test_a_stack_binds_all_or_the_named_addresses() -> None:
    """A05: a wildcard bind takes all addresses, an explicit one only those named."""
    host = Network().host("a", "192.0.2.1", "192.0.2.3", "2001:db8::1")
    unused = aiosctp.Stack(network=host)
    assert (unused.local_addresses, unused.udp_port, unused.associations()) == ((), 9899, frozenset())
    assert unused.statistics().datagrams_received == 0
    unused.close()
    async with aiosctp.Stack(network=host) as everything:
        assert everything.local_addresses == host.addresses
    async with aiosctp.Stack(local_addresses=["2001:0db8::1"], network=host) as one:
        assert one.local_addresses == ("2001:db8::1",)


@virtual_time
async def test_an_endpoint_that_is_held_outlives_its_associations_and_no_server_takes_its_port() -> None:
    """A05: what a socket is bound to stays its own, between one association and the next."""
    async with TwoHosts() as hosts, await hosts.serve():
        endpoint = hosts.client.open_endpoint(5000, hosts.client.local_addresses, aiosctp.Config())
        endpoint.holders += 1
        ours, _ = await hosts.pair(local_port=5000)
        await ours.shutdown()
        with pytest.raises(OSError, match="5000") as caught:
            await aiosctp.serve(hosts.keep, None, 5000, stack=hosts.client)
        assert caught.value.errno == errno.EADDRINUSE
        assert hosts.client.open().endpoints == {5000: endpoint}
        endpoint.holders -= 1
        hosts.client.close_if_unused(endpoint)
        async with await aiosctp.serve(hosts.keep, None, 5000, stack=hosts.client):
            assert hosts.client.open().endpoints[5000] is not endpoint


@virtual_time
async def test_another_config_holds_for_what_comes_after() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        before, _ = await hosts.pair()
        hosts.client.config = hosts.client.config.replace(outbound_streams=3)
        after, _ = await hosts.pair()
        assert [association.outbound_streams for association in (before, after)] == [256, 3]
        # The engine's own.
        hosts.server.config = aiosctp.Config(error_answers_per_s=0)
        with pytest.raises(aiosctp.ConnectTimeout):
            await aiosctp.connect(hosts.server_host.addresses[0], PORT + 1, stack=hosts.client, timeout=1)
        wrong: Any = {"outbound_streams": 3}
        with pytest.raises(TypeError, match="config"):
            hosts.client.config = wrong
        assert hosts.client.config.outbound_streams == 3


@virtual_time
async def test_leaving_the_block_aborts_what_lives() -> None:
    async with TwoHosts() as hosts:
        await hosts.serve()
        ours, theirs = await hosts.pair()
        await hosts.client.__aexit__(None, None, None)
        with pytest.raises(AssociationAborted):
            await ours.receive()
        with pytest.raises(AssociationAborted) as caught:
            await theirs.receive()
        assert caught.value.causes[0].data == b"the stack was closed"
        with pytest.raises(RuntimeError, match="closed"):
            await hosts.connect()
        hosts.client.close()


@virtual_time
async def test_closing_the_stack_ends_a_connect_that_waits() -> None:
    async with TwoHosts() as hosts:
        hosts.drop = lambda packet: True
        connecting = asyncio.create_task(hosts.connect())
        await asyncio.sleep(1)
        hosts.client.close()
        with pytest.raises(AssociationAborted):
            await connecting


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.parametrize("a_flush_is_due", [False, True])
@virtual_time
async def test_use_after_a_fork_raises(a_flush_is_due: bool) -> None:
    async with associated() as (hosts, ours, _):
        if a_flush_is_due:
            ours.send_nowait(b"a moment before")
        child = os.fork()
        if child == 0:
            os._exit(_uses_in_a_fork(hosts, ours))
        _, status = os.waitpid(child, 0)  # noqa: ASYNC222 - the child awaits nothing that the loop would have to do
        assert os.waitstatus_to_exitcode(status) == 0
        await ours.send(b"the parent goes on")


def _uses_in_a_fork(hosts: TwoHosts, ours: aiosctp.Association) -> int:
    """How many uses of the parent's stack raise no RuntimeError. Nothing else may leave a test run that was forked."""
    allowed = 0
    uses: list[Callable[[], object]] = [hosts.client.open, lambda: ours.send_nowait(b"x"), hosts.client.close]
    for use in uses:
        try:
            use()
            allowed += 1
        except RuntimeError as error:
            allowed += "fork" not in str(error)
        except BaseException:
            return 99
    return allowed


def test_use_on_another_loop_raises() -> None:
    stack = aiosctp.Stack(network=Network().host("a", "192.0.2.1"))

    async def use() -> None:
        stack.open()

    async def close() -> None:
        stack.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(use())
        with (
            asyncio.Runner(loop_factory=VirtualTimeLoop) as other,
            pytest.raises(RuntimeError, match="another event loop"),
        ):
            other.run(use())
        runner.run(close())


@virtual_time
async def test_dropping_the_reference_closes_nothing() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        await hosts.connect()
        theirs = await hosts.accepted.get()
        gc.collect()
        await asyncio.sleep(100)
        assert theirs.state is aiosctp.AssociationState.ESTABLISHED
        (forgotten,) = hosts.client.associations()
        await forgotten.shutdown()
        assert not hosts.client.associations()


@virtual_time
async def test_many_calls_in_one_turn_make_one_flush() -> None:
    async with associated() as (hosts, ours, _):
        hosts.log.clear()
        for number in range(20):
            ours.send_nowait(b"%d" % number)
        assert not hosts.log
        await asyncio.sleep(0)
        assert [has_user_data(packet) for packet in hosts.log] == [True]


@virtual_time
async def test_what_a_woken_task_sends_goes_out_in_its_turn() -> None:
    """A reply waits for no turn of the loop more than the program needs."""
    async with associated() as (hosts, ours, theirs):
        turns: list[bool] = []

        async def answer() -> None:
            await theirs.receive()
            hosts.log.clear()
            # Looks at the beginning of the next turn, before any flush that is asked for after it.
            asyncio.get_running_loop().call_soon(lambda: turns.append(bool(hosts.log)))
            theirs.send_nowait(b"reply")

        answering = asyncio.ensure_future(answer())
        await asyncio.sleep(0)
        await ours.send(b"request")
        await answering
        await asyncio.sleep(0)
        assert turns == [True]


@virtual_time
async def test_a_request_and_its_answer_take_one_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is to send when a request comes, there is after its answer as well."""
    async with associated() as (hosts, ours, theirs):
        # The first DATA of an association is acknowledged at once (§5.1).
        await ours.send(b"first")
        await theirs.receive()
        await asyncio.sleep(1)
        flushes: list[float] = []
        flush = hosts.server.flush

        def counted(now: float) -> None:
            flushes.append(now)
            flush(now)

        async def answer() -> None:
            await theirs.receive()
            theirs.send_nowait(b"answer")

        answering = asyncio.ensure_future(answer())
        monkeypatch.setattr(hosts.server, "flush", counted)
        await ours.send(b"request")
        assert (await ours.receive()).data == b"answer"
        await answering
        assert len(flushes) == 1


@virtual_time
async def test_a_sack_lets_data_go_in_the_turn_it_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the window waits for no task."""
    async with associated() as (hosts, ours, _):
        for _ in range(50):
            ours.send_nowait(bytes(1000))
        await asyncio.sleep(0)
        assert ours.engine.sender.queued_bytes, "more than cwnd allows"
        receive = hosts.client.datagrams_received
        went: list[int] = []

        def received(datagrams: Iterable[Received], local_host: str) -> None:
            hosts.log.clear()
            receive(datagrams, local_host)
            went.append(len(hosts.log))

        monkeypatch.setattr(hosts.client, "datagrams_received", received)
        await ours.wait_acknowledged()
        assert went[0] > 0


@virtual_time
async def test_a_flush_with_nothing_to_do_touches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with associated() as (hosts, ours, theirs):
        await ours.send(b"x")
        await theirs.receive()
        await asyncio.sleep(1)
        flushes: list[float] = []
        monkeypatch.setattr(hosts.server, "flush", flushes.append)
        hosts.server.datagrams_received([], "192.0.2.2")
        await asyncio.sleep(0)
        assert not flushes


def test_a_bug_in_the_engine_ends_its_association_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A39: what happens to one association leaves the others alone."""

    async def run() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        async with TwoHosts() as hosts:
            server = await hosts.serve()
            broken, _ = await hosts.pair()
            sound, theirs = await hosts.pair()

            def explode(*args: object) -> None:
                raise ZeroDivisionError("a bug")

            replace_method(monkeypatch, broken.engine.sender, "sack_received", explode)
            await broken.send(b"x")
            with pytest.raises(AssociationAborted) as caught:
                await broken.receive()
            assert caught.value.local
            await sound.send(b"y")
            assert (await theirs.receive()).data == b"y"
            server.close()
        return told

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        told = runner.run(run())
    assert [str(context["exception"]) for context in told] == ["a bug"]


@pytest.mark.parametrize("where", ["transmit", "handle_timeout"])
def test_a_bug_in_output_or_timer_ends_its_association(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        async with TwoHosts() as hosts:
            server = await hosts.serve()
            broken, _ = await hosts.pair()

            def explode(*args: object) -> None:
                raise ZeroDivisionError("a bug")

            replace_method(monkeypatch, broken.engine, where, explode)
            hosts.drop = lambda packet: True
            await broken.send(b"x")
            with pytest.raises(AssociationAborted):
                await broken.receive()
            server.close()
        return told

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        told = runner.run(run())
    assert {str(context["exception"]) for context in told} == {"a bug"}


@pytest.mark.parametrize("where", ["before the flush", "in what an owner is told"])
def test_a_bug_of_the_surface_is_told_and_the_stack_goes_on(where: str) -> None:
    """Or nothing would be sent any more, nor any timer be set, for any association."""

    async def run() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        async with TwoHosts(config=aiosctp.Config(heartbeat=False)) as hosts:
            server = await hosts.serve()
            broken, _ = await hosts.pair()
            sound, theirs = await hosts.pair()

            def explode() -> None:
                broken.engine_changed = changed  # type: ignore[method-assign]  # the bug is over
                raise ZeroDivisionError("a bug")

            await asyncio.sleep(100)  # until no timer is due
            changed = broken.engine_changed
            hosts.drop = lambda packet: True
            if where == "before the flush":
                hosts.client.call_before_flush(explode)
                hosts.client.call_before_flush(lambda: sound.send_nowait(b"x"))
            else:
                broken.engine_changed = explode  # type: ignore[method-assign]  # the bug
                hosts.client.touch(broken.engine)
                sound.send_nowait(b"x")
            await asyncio.sleep(0.5)
            hosts.drop = lambda packet: False
            async with asyncio.timeout(5):
                # Lost, and sent again when the timer fires.
                assert (await theirs.receive()).data == b"x"
            await broken.shutdown()
            server.close()
        return told

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        told = runner.run(run())
    assert [str(context["exception"]) for context in told] == ["a bug"]


@virtual_time
async def test_what_is_called_before_a_flush_may_ask_to_be_called_again() -> None:
    async with associated() as (hosts, ours, theirs):
        await asyncio.sleep(1)

        def ask() -> None:
            hosts.client.call_before_flush(lambda: ours.send_nowait(b"x"))

        hosts.client.call_before_flush(ask)
        async with asyncio.timeout(5 * DELAY_S):
            assert (await theirs.receive()).data == b"x"


def test_a_bug_outside_every_association_is_told_and_costs_one_datagram() -> None:
    async def run() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        async with TwoHosts() as hosts:
            receive = hosts.client.open().receive

            def explode(*args: Any) -> None:
                hosts.client.open().receive = receive  # type: ignore[method-assign]  # the bug
                raise ZeroDivisionError("a bug")

            hosts.client.open().receive = explode  # type: ignore[assignment,method-assign]  # the bug
            async with await hosts.serve():
                await (await hosts.connect()).shutdown()
        return told

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        told = runner.run(run())
    assert [str(context["exception"]) for context in told] == ["a bug"]


@virtual_time
async def test_what_arrives_at_a_closed_stack_is_dropped() -> None:
    async with associated() as (hosts, ours, theirs):
        await theirs.send(b"under way")
        await asyncio.sleep(0)
        hosts.client.close()
        hosts.client.datagrams_received([Received(hosts.log[-1].data, "192.0.2.2", 9899)], "192.0.2.1")
        hosts.client.touch(ours.engine)
        await asyncio.sleep(1)
        with pytest.raises(AssociationAborted):
            await ours.receive()


@virtual_time
async def test_a_stack_and_a_subscription_say_what_they_are() -> None:
    async with associated() as (hosts, ours, _):
        assert repr(hosts.client) == "<Stack on UDP port 9899, 192.0.2.1, 1 associations>"
        assert repr(ours.events()) == "<EventSubscription to all events, 0 queued>"
        changes = ours.events(aiosctp.events.AssociationChange)
        ours.abort()
        assert repr(changes) == "<EventSubscription to AssociationChange, 1 queued, over>"
    assert repr(hosts.client) == "<Stack on UDP port 9899, closed>"
    assert repr(aiosctp.Stack(udp_port=0)) == "<Stack on UDP port 0, not open yet, 0 associations>"


@virtual_time
async def test_an_association_that_is_being_opened_is_not_listed() -> None:
    async with TwoHosts() as hosts:
        hosts.drop = lambda packet: True
        opening = asyncio.create_task(hosts.connect(timeout=1))
        await asyncio.sleep(0.5)
        assert len(hosts.client.owners) == 1
        assert not hosts.client.associations()
        with pytest.raises(aiosctp.ConnectTimeout):
            await opening


@virtual_time
async def test_statistics_are_a_snapshot() -> None:
    async with associated() as (hosts, ours, _):
        before = hosts.server.statistics()
        await ours.send(b"x")
        await ours.wait_acknowledged()
        after = hosts.server.statistics()
        assert after.datagrams_received == before.datagrams_received + 1
        assert (after.init_received, after.associations_established) == (1, 1)


@virtual_time
async def test_both_sides_count_how_associations_began_and_ended() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        await (await hosts.connect()).shutdown()
        (await hosts.connect()).abort()
        with pytest.raises(aiosctp.AssociationRefused):
            await aiosctp.connect("192.0.2.2", PORT + 1, stack=hosts.client)
        await asyncio.sleep(1)
        for statistics in (hosts.client.statistics(), hosts.server.statistics()):
            assert statistics.associations_established == 2
            assert statistics.associations_shut_down == 1
            assert statistics.associations_aborted == 1


@virtual_time
async def test_deadlines_that_follow_one_another_share_a_wake_up() -> None:
    """Those of many associations that beat: each HEARTBEAT goes when it is due, or at the next wake-up."""
    config = aiosctp.Config(hb_interval_s=1.0)
    async with TwoHosts(config=config) as hosts:
        await hosts.serve()
        engines = [(await hosts.pair())[0].engine for _ in range(100)]
        due = {engine.local_port: engine.next_deadline() for engine in engines}
        fired_at: list[float] = []
        sent_at: dict[int, float] = {}
        whole = hosts.client._timer_fired

        def timer_fired() -> None:
            fired_at.append(hosts.client.now())
            whole()

        def look(packet: Packet) -> None:
            if chunk_type(packet) == Heartbeat.type and packet.source == "192.0.2.1":
                sent_at.setdefault(int.from_bytes(packet.data[:2]), hosts.client.now())

        hosts.client._timer_fired = timer_fired  # type: ignore[method-assign]  # it is observed
        hosts.network.observers.append(look)
        await asyncio.sleep(3.0)
        assert all(later - earlier > TIMER_REST_S * 0.99 for earlier, later in itertools.pairwise(fired_at))
        assert sent_at.keys() == due.keys()
        late_s = [sent_at[port] - at for port, at in due.items() if at is not None]
        assert len(late_s) == len(engines)
        assert all(-1e-6 <= late <= TIMER_REST_S + 1e-6 for late in late_s)
        assert any(late == 0 for late in late_s)
