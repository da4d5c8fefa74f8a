"""Cancelling the coroutines of a socket, wherever they wait: nothing is lost, nothing is left (X28)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from tests.socket.hosts import CLIENT_HOST, ENOUGH, SERVER, brings, fill
from tests.surface.cancelling import SMALL, Trial, cancel_everywhere
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time

LAST = b"last"


@asynccontextmanager
async def a_listener(
    trial: Trial, type: int = sctp.SOCK_STREAM, **options: Any
) -> AsyncIterator[tuple[TwoHosts, SCTPSocket]]:
    async with trial.hosts(**options) as hosts, SCTPSocket(sctp.AF_INET, type, stack=hosts.server) as listener:
        listener.bind(SERVER)
        listener.listen(5)
        yield hosts, listener


@asynccontextmanager
async def connected(trial: Trial, **options: Any) -> AsyncIterator[tuple[SCTPSocket, SCTPSocket]]:
    """A client's one-to-one socket and the server's."""
    async with (
        a_listener(trial, **options) as (hosts, listener),
        SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=hosts.client) as client,
    ):
        await client.connect(SERVER)
        server, _ = await listener.accept()
        async with server:
            yield client, server
            await client.close()
            await server.close()
            await asyncio.sleep(10)


async def read_until_last(socket: SCTPSocket) -> list[bytes]:
    messages: list[bytes] = []
    while (data := await socket.recv(ENOUGH)) != LAST:
        assert data
        messages.append(data)
    return messages


# -- opening --


@pytest.mark.parametrize("name", ["connect", "connectx"])
def test_a_cancelled_connect_can_be_tried_again(name: str) -> None:
    """X28: on the same socket, unless it had come through just then."""

    async def scenario(trial: Trial) -> None:
        async with (
            a_listener(trial) as (hosts, listener),
            SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=hosts.client) as client,
        ):
            client.bind((CLIENT_HOST, 5555))
            outcome = await trial.cancel(client.connect(SERVER) if name == "connect" else client.connectx([SERVER]))
            if outcome.was_cancelled:
                with suppress(OSError):  # EISCONN
                    await client.connect(SERVER)
            await client.send(LAST)
            while True:
                server, _ = await listener.accept()
                async with server:
                    with suppress(ConnectionResetError):
                        if await server.recv(100) == LAST:
                            break
            await client.close()
            await asyncio.sleep(10)

    assert cancel_everywhere(scenario) >= 1


def test_a_cancelled_accept_loses_no_association() -> None:
    """X28, A08: the next accept gets it."""

    async def scenario(trial: Trial) -> None:
        async with (
            a_listener(trial) as (hosts, listener),
            SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=hosts.client) as client,
        ):
            connecting = asyncio.create_task(client.connect(SERVER))
            outcome = await trial.cancel(listener.accept())
            await connecting
            server, _ = await listener.accept() if outcome.was_cancelled else outcome.value
            async with server:
                await client.send(b"x")
                assert await server.recv(10) == b"x"
                await client.close()
                assert await server.recv(10) == b""
            await asyncio.sleep(10)

    cancel_everywhere(scenario)


# -- reading --


@pytest.mark.parametrize("name", ["recv", "recvfrom", "recvmsg", "recvv", "sctp_recvmsg"])
def test_a_cancelled_read_loses_no_message(name: str) -> None:
    """X28: it is there for the next read, unless the cancelled one had returned it."""

    async def scenario(trial: Trial) -> None:
        async with connected(trial) as (client, server):
            asyncio.get_running_loop().call_later(1, lambda: asyncio.ensure_future(client.send(b"precious")))
            outcome = await trial.cancel(getattr(server, name)(100))
            got = []
            if not outcome.was_cancelled:
                assert outcome.error is None
                value = outcome.value
                got.append(value if isinstance(value, bytes) else value[0])
            await asyncio.sleep(2)
            await client.send(LAST)
            assert got + await read_until_last(server) == [b"precious"]

    cancel_everywhere(scenario)


def test_a_cancelled_read_of_a_part_loses_no_bytes() -> None:
    """X28, A41: reading a long message in parts goes on where it was."""
    long = bytes(range(256)) * 200

    async def scenario(trial: Trial) -> None:
        async with connected(trial, server_config=SMALL) as (client, server):
            read: list[bytes] = []

            async def read_in_parts() -> None:
                while sum(map(len, read)) < len(long):
                    read.append(await server.recv(3000))

            sending = asyncio.create_task(client.send(long))
            await trial.cancel(read_in_parts())
            while sum(map(len, read)) < len(long):
                read.append(await server.recv(3000))
            await sending
            assert b"".join(read) == long

    cancel_everywhere(scenario)


# -- sending --

SENDS: dict[str, Callable[[SCTPSocket, bytes], Coroutine[Any, Any, int]]] = {
    "send": lambda socket, data: socket.send(data),
    "sendto": lambda socket, data: socket.sendto(data, 0, SERVER),
    "sendmsg": lambda socket, data: socket.sendmsg([data]),
    "sendv": lambda socket, data: socket.sendv(data),
    "sctp_sendmsg": lambda socket, data: socket.sctp_sendmsg(data, SERVER, 0, 0, 0, 0, 0),
    "sctp_send": lambda socket, data: socket.sctp_send(data, sctp.sctp_sndrcvinfo(), 0),
    "sctp_sendx": lambda socket, data: socket.sctp_sendx(data, [SERVER], sctp.sctp_sndrcvinfo(), 0),
}


@pytest.mark.parametrize("name", SENDS)
def test_a_cancelled_send_queued_its_message_whole_or_not_at_all(name: str) -> None:
    """X28: it waits for room; cancelled, its message does not arrive, and others do."""

    async def scenario(trial: Trial) -> None:
        async with connected(trial, config=SMALL) as (client, server):
            filled = await fill(client, SERVER)
            reading = asyncio.create_task(read_later(server))
            outcome = await trial.cancel(SENDS[name](client, b"mine"))
            await client.send(LAST)
            messages = await reading
            assert messages[:filled] == [bytes(1000)] * filled
            assert messages[filled:] == ([] if outcome.was_cancelled else [b"mine"])

    cancel_everywhere(scenario)


async def read_later(socket: SCTPSocket) -> list[bytes]:
    await asyncio.sleep(5)
    return await read_until_last(socket)


def test_a_cancelled_implicit_set_up_sends_whole_or_not_at_all() -> None:
    """X28, A13: and the socket can send again."""

    async def scenario(trial: Trial) -> None:
        async with (
            a_listener(trial, sctp.SOCK_SEQPACKET) as (hosts, listener),
            SCTPSocket(sctp.AF_INET, sctp.SOCK_SEQPACKET, stack=hosts.client) as client,
        ):
            outcome = await trial.cancel(client.sendto(b"first", 0, SERVER))
            await client.sendto(LAST, 0, SERVER)
            got = []
            async with asyncio.timeout(500):
                while (data := (await listener.recvv(ENOUGH)).data) != LAST:
                    got.append(data)
            assert got == [b"first"] if not outcome.was_cancelled else got in ([], [b"first"])
            await client.close()
            await asyncio.sleep(10)

    cancel_everywhere(scenario, waits=False)


# -- closing --


def test_a_cancelled_close_closes_all_the_same() -> None:
    """X28, A20: lingering is cut short, the shutdown goes on, and nothing of the socket is left."""

    async def scenario(trial: Trial) -> None:
        async with connected(trial) as (client, server):
            client.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 30))
            await client.send(b"on its way")
            await trial.cancel(client.close())
            if trial.was_cancelled_before_it_began:
                await client.close()
            with pytest.raises(OSError, match=r"."):
                await client.send(b"x")
            assert await server.recv(100) == b"on its way"
            assert await server.recv(100) == b""

    cancel_everywhere(scenario)


def test_every_coroutine_of_a_socket_is_cancelled_by_some_test() -> None:
    """X28: who adds one must say in this file what cancelling it leaves."""
    found = {
        name for name, _ in inspect.getmembers(SCTPSocket, inspect.iscoroutinefunction) if not name.startswith("_")
    }
    tried = {"connect", "connectx", "accept", "recv", "recvfrom", "recvmsg", "recvv", "sctp_recvmsg", "close", *SENDS}
    assert found == tried


@virtual_time
async def test_a_cancelled_lingering_close_says_nothing_untrue() -> None:
    """X28, A20: cancelled while the peer does not answer, the association still ends within its own time."""
    async with TwoHosts() as hosts, SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=hosts.server) as listener:
        listener.bind(("0.0.0.0", PORT))
        listener.listen(1)
        client = SCTPSocket(sctp.AF_INET, sctp.SOCK_STREAM, stack=hosts.client)
        await client.connect(SERVER)
        client.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 100))
        hosts.drop = lambda packet: brings(packet, object)
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(1)
        assert not closing.done()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        hosts.drop = lambda packet: False
        await asyncio.sleep(30)
        assert not hosts.client.associations()
