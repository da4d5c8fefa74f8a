"""The sentences of the public contract that no other file here tests: what is refused, and what never changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

import aiosctp
from aiosctp.events import AssociationChange
from aiosctp.stack import Stack
from aiosctp.testing import Packet
from aiosctp.wire.chunks import CookieEcho, Init
from aiosctp.wire.packet import encode_packet
from tests.surface.two_hosts import PORT, TwoHosts, associated, chunk_type
from tests.surface.virtual_time import virtual_time


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
        ({"stack": 3}, TypeError, "stack"),
        ({"local_addresses": 3}, TypeError, "local_addresses"),
        ({"local_addresses": ["224.0.0.1"]}, ValueError, "local_addresses"),
        ({"local_addresses": ["0.0.0.0"]}, ValueError, "local_addresses"),
        ({"host": b"127.0.0.1"}, TypeError, "host"),
    ],
)
def test_wrong_arguments_of_connect_are_named(options: dict[str, Any], error: type[Exception], named: str) -> None:
    """I05: before there is a coroutine to await."""
    host = options.pop("host", "192.0.2.2")
    with pytest.raises(error, match=f"^{named}"):
        aiosctp.connect(host, PORT, **options)


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"config": 5}, TypeError, "config"),
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
        assert not hosts.network.ports

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
    """A43: SCTP speaks to unicast addresses only, whatever a name says."""
    async with TwoHosts() as hosts:
        hosts.network.names["group.example"] = ["224.0.0.1"]
        with pytest.raises(OSError, match="no unicast address"):
            await aiosctp.connect("group.example", PORT, stack=hosts.client)
        assert not hosts.log


# -- connect --


@virtual_time
async def test_of_several_failures_the_peers_answer_is_raised() -> None:
    """I03: an address of a family we lack says less than the peer's ABORT, whichever comes first."""
    async with TwoHosts() as hosts:
        for addresses in (["2001:db8::1", "192.0.2.2"], ["192.0.2.2", "2001:db8::1"]):
            hosts.network.names["peer.example"] = addresses
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

        def inject(packet: Packet) -> bool:
            if packet.source == "192.0.2.1" and chunk_type(packet) in (Init.type, CookieEcho.type):
                (engine,) = hosts.client.owners
                told.append(chunk_type(packet))
                # ERROR with a cause nobody has defined, then a chunk that asks to be reported.
                for chunk in (bytes.fromhex("0900 0008 beef 0004"), bytes.fromhex("fe00 0004")):
                    data = encode_packet(PORT, engine.local_port, engine.tcb.local_tag, (chunk,))
                    hosts.network.send(Packet("192.0.2.2", 9899, "192.0.2.1", packet.source_port, data))
            return False

        hosts.drop = inject
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


# -- logging --


def test_the_loggers_have_a_null_handler(capfd: pytest.CaptureFixture[str]) -> None:
    handlers = logging.getLogger("aiosctp").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
    assert logging.getLogger("aiosctp.server").parent is logging.getLogger("aiosctp")
