"""`serve` and `Server`: who is let in, how handlers end, and the ways to close."""

from __future__ import annotations

import asyncio
import errno
import logging
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

import aiosctp
from aiosctp.exceptions import AssociationAborted, AssociationShutdown
from aiosctp.server import HANDLER_GRACE_S
from aiosctp.testing import Packet
from aiosctp.wire.chunks import Abort, Shutdown
from tests.surface.two_hosts import PORT, TwoHosts, chunk_type
from tests.surface.virtual_time import virtual_time

Handler = Callable[[aiosctp.Association], Awaitable[None]]


def out_of_resource(packet: Packet) -> bytes:
    """The ABORT chunk's first cause: code 4 (§3.3.10.4)."""
    return packet.data[16:18]


async def serve(hosts: TwoHosts, handler: Handler, **options: object) -> aiosctp.Server:
    return await aiosctp.serve(handler, None, PORT, stack=hosts.server, **options)  # type: ignore[arg-type]  # any option


# -- listening --


@virtual_time
async def test_the_server_says_where_it_listens() -> None:
    """A07: listen() makes an endpoint take associations, closing it makes INIT draw an ABORT."""
    async with TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts:
        server = await hosts.serve()
        assert isinstance(server, asyncio.AbstractServer)
        assert server.addresses == (("192.0.2.2", PORT), ("192.0.2.3", PORT))
        assert (server.port, server.udp_port) == (PORT, 9899)
        assert server.is_serving()
        assert server.get_loop() is asyncio.get_running_loop()
        assert server.sockets == ()
        await server.start_serving()
        await (await hosts.connect()).shutdown()
        server.close()
        server.close()
        assert not server.is_serving()
        with pytest.raises(RuntimeError):
            await server.start_serving()
        with pytest.raises(aiosctp.AssociationRefused):
            await hosts.connect()
        await server.wait_closed()
        assert str(PORT) in repr(server)


@virtual_time
async def test_a_taken_sctp_port_is_eaddrinuse_and_free_again_after_close() -> None:
    """A05, I04: a second bind of a port fails with EADDRINUSE."""
    async with TwoHosts() as hosts:
        server = await hosts.serve()
        with pytest.raises(OSError, match="in use") as caught:
            await hosts.serve()
        assert caught.value.errno == errno.EADDRINUSE
        server.close()
        await server.wait_closed()
        async with await hosts.serve():
            pass


@virtual_time
async def test_port_zero_takes_a_free_one() -> None:
    async with TwoHosts() as hosts, await aiosctp.serve(hosts.keep, port=0, stack=hosts.server) as server:
        assert server.port >= 49152
        async with aiosctp.connect("192.0.2.2", server.port, stack=hosts.client):
            pass


@virtual_time
async def test_an_init_to_an_address_that_is_not_offered_is_refused() -> None:
    async with (
        TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts,
        await aiosctp.serve(hosts.keep, "192.0.2.3", PORT, stack=hosts.server) as server,
    ):
        assert server.addresses == (("192.0.2.3", PORT),)
        with pytest.raises(aiosctp.AssociationRefused):
            await aiosctp.connect("192.0.2.2", PORT, stack=hosts.client)
        async with aiosctp.connect("192.0.2.3", PORT, stack=hosts.client) as ours:
            assert ours.peer_addresses == (("192.0.2.3", PORT),)


@virtual_time
async def test_hosts_may_be_names_wildcards_and_lists() -> None:
    """A06: the wildcard means every bound address of its family."""
    addresses = ("192.0.2.2", "192.0.2.3", "2001:db8::2")
    async with TwoHosts(server_addresses=addresses) as hosts:
        hosts.network.names["me.example"] = ["192.0.2.3", "198.51.100.9"]
        for host, offered in (
            ("0.0.0.0", addresses[:2]),
            ("::", addresses[2:]),
            ("me.example", addresses[1:2]),
            (["192.0.2.2", "2001:db8:0::2"], (addresses[0], addresses[2])),
        ):
            async with await aiosctp.serve(hosts.keep, host, PORT, stack=hosts.server) as server:
                assert server.addresses == tuple((address, PORT) for address in offered)
        with pytest.raises(OSError, match=r"not bound to 192\.0\.2\.99.*Stack\(local_addresses=") as caught:
            await aiosctp.serve(hosts.keep, "192.0.2.99", PORT, stack=hosts.server)
        assert caught.value.errno == errno.EADDRNOTAVAIL


@virtual_time
async def test_admit_is_asked_with_the_peers_address_before_there_is_state(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[tuple[str, int]] = []

    def admit(peer: tuple[str, int]) -> bool:
        asked.append(peer)
        if len(asked) == 1:
            raise ZeroDivisionError
        return len(asked) == 3

    async with TwoHosts() as hosts, await hosts.serve(admit=admit) as server:
        for _ in range(2):
            with pytest.raises(aiosctp.AssociationRefused):
                await hosts.connect(local_port=5000)
            assert out_of_resource(hosts.log[-1]) == b"\x00\x04"
            assert not server.associations
        async with aiosctp.connect("192.0.2.2", PORT, local_port=5000, stack=hosts.client):
            assert len(server.associations) == 1
        assert asked == [("192.0.2.1", 5000)] * 3
    assert "admit" in caplog.text


@virtual_time
async def test_max_associations_refuses_with_out_of_resource() -> None:
    async with TwoHosts() as hosts, await hosts.serve(max_associations=1) as server:
        first, theirs = await hosts.pair()
        with pytest.raises(aiosctp.AssociationRefused, match="out of resource") as caught:
            await hosts.connect()
        assert caught.value.causes == (aiosctp.Cause(4, b""),)
        assert chunk_type(hosts.log[-1]) == Abort.type
        assert out_of_resource(hosts.log[-1]) == b"\x00\x04"
        await first.shutdown()
        await theirs.wait_closed()
        assert not server.associations
        await (await hosts.connect()).shutdown()


@virtual_time
async def test_backlog_zero_accepts_nobody() -> None:
    """A07: a backlog of 0 stops accepting."""
    async with TwoHosts() as hosts, await hosts.serve(backlog=0):
        with pytest.raises(aiosctp.AssociationRefused):
            await hosts.connect()


@virtual_time
async def test_the_handler_gets_an_established_association() -> None:
    """A08: what is accepted is established, with the peer's primary address."""
    async with TwoHosts() as hosts, await hosts.serve(config=aiosctp.Config(max_inbound_streams=4)) as server:
        ours, theirs = await hosts.pair()
        assert server.associations == {theirs} == hosts.server.associations()
        assert theirs.state is aiosctp.AssociationState.ESTABLISHED
        assert theirs.primary_path.address == ours.local_addresses[0]
        assert ours.outbound_streams == 4
        await ours.shutdown()
        await theirs.wait_closed()
        assert not server.associations


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"handle_association": 7}, TypeError, "handle_association"),
        ({"port": None}, TypeError, "port"),
        ({"port": "7777"}, TypeError, "port"),
        ({"port": 65536}, ValueError, "port"),
        ({"host": []}, ValueError, "host"),
        ({"host": [b"x"]}, TypeError, "host"),
        ({"backlog": -1}, ValueError, "backlog"),
        ({"backlog": 1.0}, TypeError, "backlog"),
        ({"max_associations": -1}, ValueError, "max_associations"),
        ({"admit": True}, TypeError, "admit"),
        ({"outbound_streams": 65536}, ValueError, "outbound_streams"),
        ({"udp_port": 9900}, ValueError, "udp_port"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], error: type[Exception], named: str) -> None:
    @virtual_time
    async def run() -> None:
        async with TwoHosts() as hosts:
            defaults = {"handle_association": hosts.keep, "port": PORT, "stack": hosts.server}
            with pytest.raises(error, match=named):
                await aiosctp.serve(**defaults | arguments)  # type: ignore[arg-type]  # wrong on purpose
            assert not hosts.server.open().endpoints

    run()


# -- handlers --


@virtual_time
async def test_returning_shuts_down_gracefully() -> None:
    async def handler(association: aiosctp.Association) -> None:
        await association.send(b"that is all")

    async with TwoHosts() as hosts, await serve(hosts, handler):
        ours = await hosts.connect()
        assert [message.data async for message in ours] == [b"that is all"]
        assert all(chunk_type(packet) != Abort.type for packet in hosts.log)


@virtual_time
async def test_raising_is_logged_and_aborts(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(association: aiosctp.Association) -> None:
        raise ZeroDivisionError("a bug of the program")

    async with TwoHosts() as hosts, await serve(hosts, handler):
        ours = await hosts.connect()
        with pytest.raises(AssociationAborted):
            await ours.receive()
    assert "a bug of the program" in caplog.text
    assert {record.name for record in caplog.records} == {"aiosctp.server"}


@virtual_time
async def test_raising_the_associations_own_ending_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def plain(association: aiosctp.Association) -> None:
        while True:
            await association.receive()

    async def grouped(association: aiosctp.Association) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(plain(association))
            group.create_task(association.stream(1).receive())

    caplog.set_level(logging.DEBUG, logger="aiosctp")
    for handler in (plain, grouped):
        async with TwoHosts() as hosts, await serve(hosts, handler):
            (await hosts.connect()).abort()
            await (await hosts.connect()).shutdown()
    assert not caplog.records


@virtual_time
async def test_raising_another_associations_ending_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async with TwoHosts() as hosts:
        other: aiosctp.Association | None = None

        async def handler(association: aiosctp.Association) -> None:
            assert other is not None
            await other.receive()

        async with await serve(hosts, hosts.keep) as first:
            other = await hosts.connect()
            other.abort()
            first.close()
        async with await serve(hosts, handler):
            with pytest.raises(AssociationAborted):
                await (await hosts.connect()).receive()
    assert "failed" in caplog.text


@virtual_time
async def test_a_handler_that_is_cancelled_aborts() -> None:
    async def handler(association: aiosctp.Association) -> None:
        raise asyncio.CancelledError

    async with TwoHosts() as hosts, await serve(hosts, handler):
        ours = await hosts.connect()
        with pytest.raises(AssociationAborted):
            await ours.receive()


@virtual_time
async def test_a_handlers_first_subscription_still_gets_comm_up() -> None:
    """C03: COMM_UP is told to a handler that could not have subscribed before."""
    changes: list[str] = []

    async def handler(association: aiosctp.Association) -> None:
        async for event in association.events(aiosctp.events.AssociationChange):
            assert isinstance(event, aiosctp.events.AssociationChange)
            changes.append(event.change)

    async with TwoHosts() as hosts, await serve(hosts, handler):
        await (await hosts.connect()).shutdown()
    assert changes == ["COMM_UP", "SHUTDOWN_COMP"]


@virtual_time
async def test_a_subscription_made_later_replays_nothing() -> None:
    async with TwoHosts() as hosts, await hosts.serve():
        ours, theirs = await hosts.pair()
        events = theirs.events(aiosctp.events.AssociationChange)
        await ours.shutdown()
        assert [event.change async for event in events] == ["SHUTDOWN_COMP"]  # type: ignore[union-attr]  # as subscribed


def test_what_escapes_a_handler_is_seen_in_a_program_without_logging() -> None:
    code = """
        import aiosctp
        from tests.surface.two_hosts import PORT, TwoHosts
        from tests.surface.virtual_time import virtual_time

        async def handler(association):
            raise ZeroDivisionError("a bug of the program")

        @virtual_time
        async def main():
            async with TwoHosts() as hosts, await aiosctp.serve(handler, None, PORT, stack=hosts.server):
                await (await hosts.connect()).wait_closed()

        main()
    """
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=root)
    assert done.stderr.count("ZeroDivisionError: a bug of the program") == 1
    assert "Traceback" in done.stderr


@virtual_time
async def test_a_handler_that_returns_nothing_to_await_is_logged_and_aborts(caplog: pytest.LogCaptureFixture) -> None:
    async with TwoHosts() as hosts:
        async with await serve(hosts, lambda association: None):  # type: ignore[arg-type,return-value]  # the mistake
            with pytest.raises(AssociationAborted):
                await (await hosts.connect()).receive()
        assert "handle_association must return an awaitable, not NoneType" in caplog.text

        async def generator(association: aiosctp.Association) -> AsyncIterator[None]:
            yield

        with pytest.raises(TypeError, match="handle_association must be a coroutine function, not one that yields"):
            await serve(hosts, generator)  # type: ignore[arg-type]  # wrong on purpose


async def test_a_handler_that_is_no_function_is_refused() -> None:
    """As when it was forgotten, and the host is the first argument."""
    with pytest.raises(TypeError, match="handle_association must be a coroutine function, not str"):
        await aiosctp.serve("127.0.0.1", port=PORT)  # type: ignore[arg-type]  # wrong on purpose


@virtual_time
async def test_a_handler_may_be_any_function_that_returns_an_awaitable() -> None:
    def handler(association: aiosctp.Association) -> Awaitable[None]:
        return asyncio.ensure_future(association.wait_closed())

    async with TwoHosts() as hosts, await serve(hosts, handler):
        await (await hosts.connect()).shutdown()


# -- closing --


@virtual_time
async def test_close_leaves_the_associations_alone() -> None:
    async with TwoHosts() as hosts:
        server = await hosts.serve()
        ours, theirs = await hosts.pair()
        server.close()
        await ours.send(b"still here")
        assert (await theirs.receive()).data == b"still here"
        waiting = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(10)
        assert not waiting.done()
        await ours.shutdown()
        await waiting


@virtual_time
async def test_close_clients_shuts_each_down_and_an_idle_handler_ends() -> None:
    ended: list[type[Exception]] = []

    async def handler(association: aiosctp.Association) -> None:
        try:
            await association.receive()
        except AssociationShutdown as error:
            ended.append(type(error))
            raise

    async with TwoHosts() as hosts:
        server = await serve(hosts, handler)
        clients = [await hosts.connect() for _ in range(3)]
        server.close_clients()
        for client in clients:
            with pytest.raises(AssociationShutdown):
                await client.receive()
        assert server.is_serving()
        server.close()
        await server.wait_closed()
        assert ended == [AssociationShutdown] * 3


@virtual_time
async def test_abort_clients_aborts_each() -> None:
    async with TwoHosts() as hosts:
        server = await hosts.serve()
        clients = [await hosts.connect() for _ in range(3)]
        server.close()
        server.abort_clients()
        await server.wait_closed()
        for client in clients:
            with pytest.raises(AssociationAborted):
                await client.receive()


@virtual_time
async def test_leaving_the_block_closes_gracefully_and_waits_for_the_handlers() -> None:
    finished = False

    async def handler(association: aiosctp.Association) -> None:
        nonlocal finished
        async for _ in association:
            pass
        await asyncio.sleep(5)
        finished = True

    async with TwoHosts() as hosts:
        async with await serve(hosts, handler):
            ours = await hosts.connect()
        assert finished
        with pytest.raises(AssociationShutdown):
            await ours.receive()


@virtual_time
async def test_leaving_the_block_is_bounded() -> None:
    cancelled = False

    async def handler(association: aiosctp.Association) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise

    async with TwoHosts() as hosts:
        began = hosts.server.now()
        async with await serve(hosts, handler, config=aiosctp.Config(shutdown_timeout_s=3)):
            await hosts.connect()
            hosts.drop = lambda packet: chunk_type(packet) == Shutdown.type
        assert hosts.server.now() - began == pytest.approx(3, abs=0.2)
        assert cancelled


@virtual_time
async def test_a_handler_that_goes_on_after_the_end_gets_a_short_grace() -> None:
    """Not `shutdown_timeout_s`, which is five minutes."""

    async def handler(association: aiosctp.Association) -> None:
        await asyncio.sleep(1000)

    async with TwoHosts() as hosts:
        began = hosts.server.now()
        async with await serve(hosts, handler):
            await (await hosts.connect()).shutdown()
        assert hosts.server.now() - began == pytest.approx(HANDLER_GRACE_S, abs=0.2)


@virtual_time
async def test_a_handler_that_swallows_its_cancellation_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    released = asyncio.Event()

    async def handler(association: aiosctp.Association) -> None:
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()

    async with TwoHosts() as hosts:
        began = hosts.server.now()
        async with await serve(hosts, handler) as server:
            await (await hosts.connect()).shutdown()
        assert hosts.server.now() - began == pytest.approx(2 * HANDLER_GRACE_S, abs=0.2)
        assert "goes on although it was cancelled" in caplog.text
        released.set()
        await server.wait_closed()


@virtual_time
async def test_leaving_by_an_exception_aborts_at_once() -> None:
    async with TwoHosts() as hosts:

        async def run() -> None:
            async with await hosts.serve() as server:
                await hosts.connect()
                await asyncio.wait_for(server.serve_forever(), 1)

        began = hosts.server.now()
        with pytest.raises(TimeoutError):
            await run()
        assert hosts.server.now() - began == pytest.approx(1, abs=0.1)
        assert chunk_type(hosts.log[-1]) == Abort.type
        assert not hosts.server.associations()


@virtual_time
async def test_serve_forever_ends_when_the_server_is_closed() -> None:
    async with TwoHosts() as hosts, await hosts.serve() as server:
        serving = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(1)
        assert not serving.done()
        server.close()
        await serving
