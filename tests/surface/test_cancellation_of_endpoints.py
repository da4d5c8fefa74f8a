"""Every wait of `connect`, `serve`, servers, their handlers and stacks, cancelled wherever it can be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

import aiosctp
from aiosctp.batching import batching_carrier
from aiosctp.core.datagram import Datagram
from aiosctp.network import DatagramPort
from aiosctp.sockets import IS_LINUX
from aiosctp.testing import Host, VirtualTimeLoop
from aiosctp.udp import Carrier, DatagramReceiver, endpoint_carrier
from tests.surface.cancelling import Trial, cancel_everywhere, cancels, echo, talk
from tests.surface.two_hosts import PORT, TwoHosts
from tests.surface.virtual_time import virtual_time


class SlowPort:
    """Its socket takes a while to close, as real ones do."""

    def __init__(self, port: DatagramPort) -> None:
        self._port = port

    @property
    def local_host(self) -> str:
        return self._port.local_host

    @property
    def udp_port(self) -> int:
        return self._port.udp_port

    def send(self, datagram: Datagram) -> None:
        self._port.send(datagram)

    def close(self) -> None:
        self._port.close()

    async def wait_closed(self) -> None:
        await asyncio.sleep(0.01)


class SlowNetwork:
    """What a host's stack needs, names and closing sockets taking their time."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def now(self) -> float:
        return self.host.now()

    def entropy(self, count: int) -> bytes:
        return self.host.entropy(count)

    def local_addresses(self) -> list[str]:
        return self.host.local_addresses()

    def route_mtu(self, local_host: str | None, host: str) -> int | None:
        return self.host.route_mtu(local_host, host)

    async def resolve(self, host: str) -> list[str]:
        await asyncio.sleep(0.03)
        return await self.host.resolve(host)

    def open_ports(self, hosts: Sequence[str] | None, udp_port: int, receiver: DatagramReceiver) -> list[SlowPort]:
        return [SlowPort(port) for port in self.host.open_ports(hosts, udp_port, receiver)]


@asynccontextmanager
async def slow_stack(host: Host, udp_port: int = 9900) -> AsyncIterator[aiosctp.Stack]:
    async with aiosctp.Stack(network=SlowNetwork(host), udp_port=udp_port) as stack:
        yield stack


# -- connect --

NAMES: list[str | list[str]] = ["server", ["server", "192.0.2.3"], "two.example"]


@cancels("connect", "addresses_of")
@pytest.mark.parametrize("timeout", [None, 60.0])
@pytest.mark.parametrize("host", NAMES)
def test_a_cancelled_connect_leaves_nothing_behind(host: str | list[str], timeout: float | None) -> None:
    """No association here, none that lives on there, and the port may be used again at once."""

    async def scenario(trial: Trial) -> None:
        async with trial.hosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts:
            # Of one name the first address answers too late: there is a second attempt.
            hosts.network.names["two.example"] = ["192.0.2.99", "192.0.2.2"]
            server = await hosts.serve()
            async with slow_stack(hosts.client_host) as stack:
                outcome = await trial.cancel(
                    aiosctp.connect(host, PORT, stack=stack, local_port=5000, timeout=timeout),
                    *([] if timeout else [aiosctp.connect(host, PORT, stack=stack, local_port=5001)]),
                )
                assert outcome.error is None
                if outcome.was_cancelled:
                    assert not [engine for engine in stack.owners if engine.local_port == 5000]
                else:
                    await outcome.value.shutdown()
                again = await aiosctp.connect("192.0.2.2", PORT, stack=stack, local_port=5000)
                await asyncio.sleep(0.1)
                (theirs,) = (each for each in server.associations if each.peer_addresses[0][1] == 5000)
                assert await talk(again, theirs) == ([], [])
                assert len(stack.owners) == len(server.associations) <= 2
            server.close()
            await server.wait_closed()

    assert cancel_everywhere(scenario) >= 2


@virtual_time
async def test_a_connect_that_is_cancelled_before_it_begins_never_does() -> None:
    async with TwoHosts() as hosts:
        coroutine = aiosctp.connect("server", PORT, stack=hosts.client)
        connecting = asyncio.create_task(coroutine)
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        with pytest.raises(RuntimeError):
            await coroutine
        assert not hosts.log
        assert not hosts.client.owners


@cancels("connect.__aenter__", "connect.__aexit__")
def test_a_cancelled_client_block_aborts() -> None:
    """Entering, the block itself and leaving: a peer that got as far as an association is told of its end."""

    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            server = await aiosctp.serve(echo, None, PORT, stack=hosts.server)
            echoed: list[bytes] = []

            async def client() -> None:
                async with aiosctp.connect("server", PORT, stack=hosts.client) as association:
                    for number in range(3):
                        await association.send(b"%d" % number)
                        echoed.append((await association.receive()).data)

            outcome = await trial.cancel(client())
            assert outcome.error is None
            assert outcome.was_cancelled or echoed == [b"0", b"1", b"2"]
            await asyncio.sleep(0)
            assert not hosts.client.owners
            await asyncio.sleep(0.1)
            assert not server.associations
            server.close()
            await server.wait_closed()

    assert cancel_everywhere(scenario) >= 6


def test_a_connect_that_the_peer_refuses_is_cancelled_or_refused() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            outcome = await trial.cancel(hosts.connect(), hosts.connect(timeout=0.02))
            assert outcome.was_cancelled or isinstance(outcome.error, aiosctp.AssociationRefused)
            assert not hosts.client.owners

    cancel_everywhere(scenario)


@pytest.mark.parametrize("closes_at_s", [0.015, 0.045, 0.285])
@pytest.mark.parametrize("host", NAMES)
def test_a_connect_is_cancelled_against_the_close_of_its_stack(host: str | list[str], closes_at_s: float) -> None:
    """While it resolves, between its attempts, and in the handshake: nothing is sent, set or kept afterwards."""

    async def scenario(trial: Trial) -> None:
        async with trial.hosts(server_addresses=("192.0.2.2", "192.0.2.3")) as hosts:
            hosts.network.names["two.example"] = ["192.0.2.99", "192.0.2.2"]
            await hosts.serve()
            async with slow_stack(hosts.client_host) as stack:
                asyncio.get_running_loop().call_later(closes_at_s, stack.close)
                outcome = await trial.cancel(
                    aiosctp.connect(host, PORT, stack=stack), aiosctp.connect("192.0.2.2", PORT, stack=stack)
                )
                for each in (outcome, *outcome.companions):
                    assert isinstance(each.error, aiosctp.AssociationAborted | RuntimeError | None)
                await asyncio.sleep(closes_at_s)
                assert stack.is_closed
                assert not stack.owners

    cancel_everywhere(scenario)


# -- serve, and servers --


@cancels("serve")
def test_a_cancelled_serve_does_not_listen() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts, slow_stack(hosts.server_host) as stack:
            hosts.network.names["alias"] = ["192.0.2.2"]
            outcome = await trial.cancel(aiosctp.serve(echo, ["server", "alias"], PORT, stack=stack))
            if outcome.was_cancelled:
                with pytest.raises(aiosctp.AssociationRefused):
                    await hosts.connect(remote_udp_port=9900)
                server = await aiosctp.serve(echo, None, PORT, stack=stack)
            else:
                server = outcome.value
            async with hosts_connected(hosts) as association:
                await association.send(b"x")
                assert (await association.receive()).data == b"x"
            server.close()
            await server.wait_closed()

    assert cancel_everywhere(scenario) == 2


def hosts_connected(hosts: TwoHosts) -> aiosctp.connect:
    return aiosctp.connect("192.0.2.2", PORT, remote_udp_port=9900, stack=hosts.client)


@cancels("Server.serve_forever", "Server.wait_closed")
@pytest.mark.parametrize("begin", ["serve_forever", "wait_closed"])
def test_waiting_for_a_server_is_cancelled(begin: str) -> None:
    """`serve_forever` closes it, `wait_closed` changes nothing; what it has accepted goes on."""

    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            server = await hosts.serve()
            ours, theirs = await hosts.pair()
            asyncio.get_running_loop().call_later(0.1, server.close)
            asyncio.get_running_loop().call_later(0.2, ours.abort)
            waits = {"serve_forever": server.serve_forever, "wait_closed": server.wait_closed}[begin]
            companion = server.wait_closed()
            outcome = await trial.cancel(waits(), companion)
            if outcome.was_cancelled and begin == "serve_forever" and not trial.was_cancelled_before_it_began:
                assert not server.is_serving()
            if begin == "wait_closed" and trial.was_cancelled_before_it_began:
                assert server.is_serving()
                await hosts.connect()
            if ours.state is aiosctp.AssociationState.ESTABLISHED:
                assert await talk(ours, theirs) == ([], [])
            server.close()
            server.abort_clients()
            await server.wait_closed()

    cancel_everywhere(scenario)


@cancels("Server.__aexit__")
@pytest.mark.parametrize("stubborn", [False, True])
@pytest.mark.parametrize("idle", [False, True])
def test_a_server_that_is_left_cancelled_aborts_its_clients_and_ends_its_handlers(idle: bool, stubborn: bool) -> None:
    """In the block, while it waits for the graceful ends, and, cancelled again, while it waits for its handlers."""

    async def handle(association: aiosctp.Association) -> None:
        try:
            if idle:
                await association.receive()
            await asyncio.sleep(30)
        finally:
            if stubborn:
                await asyncio.sleep(3)

    async def scenario(trial: Trial) -> None:
        config = aiosctp.Config(shutdown_timeout_s=5.0)
        async with trial.hosts(server_config=config) as hosts:
            server = await aiosctp.serve(handle, None, PORT, stack=hosts.server)
            clients = [await hosts.connect() for _ in range(3)]
            for client in clients:
                if client is not clients[0]:
                    client.send_nowait(b"x")

            async def run() -> None:
                async with server:
                    await asyncio.sleep(1)

            outcome = await trial.cancel(run())
            assert outcome.error is None
            if trial.was_cancelled_before_it_began:
                async with server:
                    pass
            assert not server.is_serving()
            assert not server.associations
            async with asyncio.timeout(3.001):
                await server.wait_closed()
            await asyncio.sleep(0.1)
            assert not hosts.client.owners

    assert cancel_everywhere(scenario) >= 2


@cancels("Server.start_serving", "Server.__aenter__")
def test_a_server_never_waits_to_begin() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            server = await hosts.serve()
            await trial.cancel(server.start_serving(), server.__aenter__())
            assert server.is_serving()
            server.close()
            await server.wait_closed()

    cancel_everywhere(scenario, waits=False)


def test_a_cancelled_handler_aborts_its_association_and_no_other() -> None:
    came_too_late: set[int] = set()

    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            outcomes: list[bool] = []

            async def handle(association: aiosctp.Association) -> None:
                if not hosts.accepted.empty():
                    await echo(association)
                    return
                hosts.accepted.put_nowait(association)
                try:
                    await trial.watch(some_work(association))
                except asyncio.CancelledError:
                    outcomes.append(True)
                    raise

            server = await aiosctp.serve(handle, None, PORT, stack=hosts.server)
            first = await hosts.connect()
            error = await said_until_the_end(first)
            if outcomes and isinstance(error, aiosctp.AssociationShutdown):
                came_too_late.add(trial.suspension)
            else:
                assert isinstance(error, aiosctp.AssociationAborted) is bool(outcomes)
            async with aiosctp.connect("server", PORT, stack=hosts.client) as second:
                await second.send(b"x")
                assert (await second.receive()).data == b"x"
            server.close()
            await server.wait_closed()

    count = cancel_everywhere(scenario)
    assert count >= 8
    assert came_too_late <= {count - 1}


async def said_until_the_end(association: aiosctp.Association) -> aiosctp.SCTPError:
    try:
        for number in range(4):
            await association.send(b"%d" % number)
            await asyncio.sleep(0.05)
        while True:
            await association.receive()
    except aiosctp.SCTPError as error:
        return error


async def some_work(association: aiosctp.Association) -> None:
    for _ in range(4):
        message = await association.receive()
        await association.send(message.data)
        await association.wait_acknowledged()
    await association.shutdown()


# -- stacks and networks --


@cancels("Stack.__aexit__")
def test_a_stack_that_is_left_cancelled_is_closed_all_the_same() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            server = await aiosctp.serve(echo, None, PORT, stack=hosts.server)
            stack = aiosctp.Stack(network=SlowNetwork(hosts.client_host), udp_port=9900)

            async def run() -> None:
                async with stack:
                    association = await aiosctp.connect("server", PORT, stack=stack)
                    await association.send(b"x")
                    await association.receive()

            outcome = await trial.cancel(run())
            assert outcome.error is None
            if not trial.was_cancelled_before_it_began:
                assert stack.is_closed
                assert not stack.owners
            await asyncio.sleep(0.1)
            assert not server.associations
            server.close()
            await server.wait_closed()

    assert cancel_everywhere(scenario) >= 3


@cancels("Stack.__aenter__")
def test_entering_a_stack_never_waits() -> None:
    async def scenario(trial: Trial) -> None:
        async with trial.hosts() as hosts:
            await trial.cancel(hosts.client.__aenter__())
            assert not hosts.client.is_closed

    cancel_everywhere(scenario, waits=False)


async def answered(*answers: str) -> list[tuple[Any, ...]]:
    await asyncio.sleep(0.01)
    return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (answer, 0)) for answer in answers]


@cancels("SystemNetwork.resolve")
def test_a_cancelled_resolution_leaves_the_loop_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own resolver: here one that takes its time and no thread."""

    def resolver(loop: VirtualTimeLoop, host: str, *args: object, **options: object) -> Coroutine[Any, Any, Any]:
        return answered("192.0.2.7", "192.0.2.8")

    monkeypatch.setattr(VirtualTimeLoop, "getaddrinfo", resolver)

    async def scenario(trial: Trial) -> None:
        outcome = await trial.cancel(aiosctp.SystemNetwork().resolve("name"))
        assert outcome.was_cancelled or outcome.value == ["192.0.2.7", "192.0.2.8"]

    cancel_everywhere(scenario)


@pytest.mark.parametrize("carrier", [batching_carrier, endpoint_carrier] if IS_LINUX else [endpoint_carrier])
@pytest.mark.parametrize("turns", range(6))
async def test_a_stack_on_real_sockets_that_is_left_cancelled_has_closed_them(carrier: Carrier, turns: int) -> None:
    """On whichever turn of the loop the cancellation falls; also before the sockets have a transport."""
    stack = aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"], network=aiosctp.SystemNetwork(carrier))

    async def run() -> None:
        async with stack:
            pass

    running = asyncio.create_task(run())
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    udp_port = stack.udp_port
    assert stack.is_closed is bool(turns)
    if turns:
        async with asyncio.timeout(5):
            while True:
                try:
                    async with aiosctp.Stack(udp_port=udp_port, local_addresses=["127.0.0.1"]):
                        return
                except OSError:
                    await asyncio.sleep(0.01)
