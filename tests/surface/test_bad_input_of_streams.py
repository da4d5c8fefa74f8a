"""What a program passes wrongly to byte streams is refused by the argument's name, and changes nothing."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aiosctp
from aiosctp.testing import Packet
from tests.surface.test_byte_streams import number_of
from tests.surface.two_hosts import PORT, TwoHosts, associated
from tests.surface.virtual_time import virtual_time

Call = Callable[[TwoHosts, aiosctp.Association, Any], Any]


async def refused(error: type[Exception], name: str, call: Callable[..., Any], /, *args: Any, **options: Any) -> None:
    async def use() -> None:
        result = call(*args, **options)
        if isinstance(result, Awaitable):
            async with asyncio.timeout(1):
                await result

    with pytest.raises(error, match=name):
        await use()


def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    raise AssertionError("nobody has connected")


LIMITED: dict[str, Call] = {
    "open_stream": lambda hosts, ours, limit: ours.open_stream(limit=limit),
    "open_stream(n)": lambda hosts, ours, limit: ours.open_stream(4, limit=limit),
    "accept_stream": lambda hosts, ours, limit: ours.accept_stream(limit=limit),
    "accept_streams": lambda hosts, ours, limit: ours.accept_streams(limit=limit),
    "open_connection": lambda hosts, ours, limit: aiosctp.open_connection(
        "server", PORT, limit=limit, stack=hosts.client
    ),
    "start_server": lambda hosts, ours, limit: aiosctp.start_server(
        ignore, None, 5000, limit=limit, stack=hosts.client
    ),
}


@pytest.mark.parametrize("call", LIMITED)
@virtual_time
async def test_a_limit_is_positive(call: str) -> None:
    async with associated() as (hosts, ours, theirs):
        for limit in (0, -1):
            await refused(ValueError, "limit", LIMITED[call], hosts, ours, limit)
        for nonsense in (None, "1", 1.5, True):
            await refused(TypeError, "limit", LIMITED[call], hosts, ours, nonsense)
        await still_in_message_mode(hosts, ours, theirs)


async def still_in_message_mode(hosts: TwoHosts, ours: aiosctp.Association, theirs: aiosctp.Association) -> None:
    await theirs.send(b"a message")
    assert (await ours.receive()).data == b"a message"
    assert len(hosts.client.associations()) == 1


@virtual_time
async def test_a_number_that_cannot_be_opened_leaves_message_mode_as_it_is() -> None:
    async with associated() as (hosts, ours, theirs):
        messages = ours.stream(9)
        for number in (-1, 256, 65536, 9):
            await refused(aiosctp.InvalidStream, str(number), ours.open_stream, number)
        for nonsense in ("0", 1.0, True):
            await refused(TypeError, "number", ours.open_stream, nonsense)
        await theirs.send(b"x", stream=9)
        assert (await messages.receive()).data == b"x"
        await still_in_message_mode(hosts, ours, theirs)


@virtual_time
async def test_messages_do_not_get_in_among_the_bytes_of_a_stream() -> None:
    """Nor from `send`s that were let through before it was opened, or that waited meanwhile."""
    config = aiosctp.Config(stream_send_buffer_bytes=2000)
    async with associated(config=config) as (_, ours, theirs):
        await ours.send(b"m" * 3000, stream=2)
        waiting = asyncio.create_task(ours.send(b"late", stream=2))
        ours.send_nowait(b"credit is given", stream=0)
        _, writer = await ours.open_stream(0)
        await refused(aiosctp.InvalidStream, "stream 0", ours.send, b"message", stream=0)
        await refused(aiosctp.InvalidStream, "stream 0", ours.send_nowait, b"message", stream=0)
        await refused(aiosctp.InvalidStream, "stream 0", ours.stream, 0)
        await ours.open_stream(2)
        with pytest.raises(aiosctp.InvalidStream, match="stream 2"):
            await waiting
        writer.write(b"bytes")
        accepted = [await theirs.accept_stream() for _ in range(2)]
        (reader,) = (reader for reader, writer in accepted if not number_of(writer))
        assert await reader.readexactly(20) == b"credit is givenbytes"
        for read in (theirs.receive, theirs.receive_nowait, aiter(theirs).__anext__):
            await refused(RuntimeError, "stream mode", read)


WRONG_SERVER: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (ValueError, "ssl", {"ssl": True}),
    (ValueError, "ssl", {"ssl": False}),
    (ValueError, "family", {"family": 99}),
    (TypeError, "family", {"family": "x"}),
    (TypeError, "family", {"family": None}),
    (TypeError, "config", {"config": 5}),
    (TypeError, "stack", {"stack": 5}),
    (TypeError, "udp_port", {"stack": None, "udp_port": "x"}),
    (ValueError, "udp_port", {"stack": None, "udp_port": 70000}),
    (ValueError, "port", {"port": -1}),
    (ValueError, "port", {"port": 65536}),
    (TypeError, "port", {"port": "7"}),
    (TypeError, "host", {"host": 5}),
    (ValueError, "host", {"host": []}),
    (ValueError, "sock", {"sock": object()}),
    (ValueError, "proto", {"proto": 6}),
    (ValueError, "flags", {"flags": socket.AI_NUMERICHOST}),
    (ValueError, "ssl_handshake_timeout", {"ssl_handshake_timeout": 5.0}),
    (ValueError, "ssl_shutdown_timeout", {"ssl_shutdown_timeout": 5.0}),
    (TypeError, "no_such_thing", {"no_such_thing": None}),
]
ONLY_SERVER: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (ValueError, "reuse_port", {"reuse_port": True}),
    (TypeError, "backlog", {"backlog": "x"}),
    (ValueError, "backlog", {"backlog": -1}),
    (ValueError, "keep_alive", {"keep_alive": True}),
]
ONLY_CLIENT: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (TypeError, "local_addr", {"local_addr": 5}),
    (TypeError, "local_addr", {"local_addr": "ab"}),
    (TypeError, "local_addr", {"local_addr": ("192.0.2.1",)}),
    (TypeError, "local_port", {"local_addr": ("192.0.2.1", "x")}),
    (TypeError, "remote_udp_port", {"remote_udp_port": "x"}),
    (ValueError, "remote_udp_port", {"remote_udp_port": 70000}),
    (TypeError, "host", {"host": None}),
    (ValueError, "interleave", {"interleave": 1}),
    (ValueError, "all_errors", {"all_errors": True}),
    (ValueError, "server_hostname", {"server_hostname": "server"}),
    (ValueError, "happy_eyeballs_delay", {"happy_eyeballs_delay": -1}),
    (TypeError, "happy_eyeballs_delay", {"happy_eyeballs_delay": "x"}),
]


def parameters_of(*functions: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return {name: each for function in functions for name, each in inspect.signature(function).parameters.items()}


@virtual_time
async def test_every_option_of_asyncio_is_taken_at_its_default() -> None:
    """Those that can't be had here too: a program may pass on what it was not given."""
    loop = asyncio.BaseEventLoop
    named = {"self", "protocol_factory", "host", "port", "limit"}
    async with TwoHosts() as hosts:
        defaults = {name: each.default for name, each in parameters_of(loop.create_server).items() if name not in named}
        async with await aiosctp.create_server(asyncio.Protocol, None, PORT, stack=hosts.server, **defaults):
            defaults = {
                name: each.default for name, each in parameters_of(loop.create_connection).items() if name not in named
            }
            reader, writer = await aiosctp.open_connection("server", PORT, stack=hosts.client, **defaults)
            writer.close()
            await writer.wait_closed()
            assert await reader.read() == b""


@pytest.mark.parametrize(("delay_s", "options"), [(0.25, {}), (2.0, {"happy_eyeballs_delay": 2.0})])
@virtual_time
async def test_attempts_at_a_names_addresses_are_so_far_apart(delay_s: float, options: dict[str, Any]) -> None:
    async with TwoHosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts:
        at_s: dict[str, float] = {}
        loop = asyncio.get_running_loop()

        def note(packet: Packet) -> None:
            at_s.setdefault(packet.destination, loop.time())

        hosts.network.observers.append(note)
        hosts.drop = lambda packet: True
        calling = asyncio.create_task(aiosctp.open_connection("server", PORT, stack=hosts.client, **options))
        await asyncio.sleep(3)
        calling.cancel()
        first, second = at_s.values()
        assert second - first == pytest.approx(delay_s, abs=0.01)


@pytest.mark.parametrize(("error", "name", "options"), [*WRONG_SERVER, *ONLY_SERVER])
@virtual_time
async def test_a_server_is_not_made_with_wrong_arguments(
    error: type[Exception], name: str, options: dict[str, Any]
) -> None:
    async with TwoHosts() as hosts:
        kwargs = {"host": None, "port": 5000, "stack": hosts.server} | options
        await refused(error, name, aiosctp.create_server, asyncio.Protocol, **kwargs)
        await refused(error, name, aiosctp.start_server, ignore, **kwargs)
        for nonsense in (None, 5):
            await refused(
                TypeError, "protocol_factory", aiosctp.create_server, nonsense, None, 5000, stack=hosts.server
            )
            await refused(
                TypeError, "client_connected_cb", aiosctp.start_server, nonsense, None, 5000, stack=hosts.server
            )
        server = await aiosctp.create_server(asyncio.Protocol, None, 5000, stack=hosts.server)
        server.close()


@pytest.mark.parametrize(("error", "name", "options"), [*WRONG_SERVER, *ONLY_CLIENT])
@virtual_time
async def test_a_connection_is_not_begun_with_wrong_arguments(
    error: type[Exception], name: str, options: dict[str, Any]
) -> None:
    async with TwoHosts() as hosts:
        kwargs = {"host": "server", "port": 5000, "stack": hosts.client} | options
        await refused(error, name, aiosctp.create_connection, asyncio.Protocol, **kwargs)
        await refused(error, name, aiosctp.open_connection, **kwargs)
        assert not hosts.log
        assert not hosts.client.owners


@virtual_time
async def test_changes_of_streams_name_what_is_wrong_and_ask_for_nothing() -> None:
    async with associated() as (hosts, ours, _):
        await asyncio.sleep(1)
        hosts.log.clear()
        for name in ("outgoing", "incoming"):
            for wrong in (3, None, "ab", b"a", [1.0], [True], ["1"]):
                await refused(TypeError, name, ours.reset_streams, **{name: wrong})
            for numbers in ([-1], [0, 256]):
                await refused(aiosctp.InvalidStream, name, ours.reset_streams, **{name: numbers})
            for count in ("1", True, 1.0, None):
                await refused(TypeError, name, ours.add_streams, **{name: count})
            for number in (-1, 70000):
                await refused(ValueError, name, ours.add_streams, **{name: number})
        await asyncio.sleep(1)
        assert not hosts.log
        assert ours.engine.reconfig is None


@virtual_time
async def test_streams_that_are_asked_for_count_among_those_that_there_may_be() -> None:
    async with associated() as (_, ours, _):
        asking = asyncio.create_task(ours.add_streams(outgoing=65535 - 256 - 10))
        await asyncio.sleep(0)
        await refused(ValueError, "outgoing must be between 0 and 10", ours.add_streams, outgoing=11)
        await asyncio.gather(asking, ours.add_streams(outgoing=10))
        assert ours.outbound_streams == 65535


@virtual_time
async def test_a_transport_takes_nothing_of_what_is_wrong() -> None:
    async with associated() as (_, ours, _):
        transport: Any = (await ours.open_stream())[1].transport
        for data in ("x", None, 5, [1]):
            await refused(TypeError, "data", transport.write, data)
        for pieces in ([b"a", "b"], [b"a", 5], None, 5):
            await refused(TypeError, "data", transport.writelines, pieces)
        for limits in ({"high": -1}, {"low": -1}, {"high": 1, "low": 2}):
            await refused(ValueError, "high", transport.set_write_buffer_limits, **limits)
        for name in ("high", "low"):
            for limit in ("x", 1.5, True):
                await refused(TypeError, name, transport.set_write_buffer_limits, **{name: limit})
        assert transport.get_write_buffer_size() == 0
        assert transport.get_write_buffer_limits() == (2**14, 2**16)


@virtual_time
async def test_a_stream_that_is_taken_over_for_messages_is_not_accepted_too() -> None:
    async with associated() as (_, ours, theirs):
        theirs.accept_streams()
        await ours.send(b"message", stream=7)
        await ours.send(b"bytes", stream=8)
        await asyncio.sleep(1)
        messages = theirs.stream(7)
        _, writer = await theirs.accept_stream()
        assert number_of(writer) == 8
        assert (await messages.receive()).data == b"message"
