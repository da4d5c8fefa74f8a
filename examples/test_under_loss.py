"""A small program, and its tests over a network that loses packets, falls apart, and ends.

    pytest examples/test_under_loss.py

The program is a key-value store that asks and answers over SCTP. Its tests run it unchanged on a simulated network, on
virtual time: minutes of it take milliseconds, and a seed gives the same run every time. All it takes is one line in the
conftest.py at the top of the project:

    pytest_plugins = ["aiosctp.testing.pytest"]

When a test fails, the report shows the seed and its packets. `--network-seed=N` chooses another network.
"""

from __future__ import annotations

import asyncio

import pytest

import aiosctp
from aiosctp.testing import Host, Link, Network, RandomLoss

PORT = 7777

# -- the program --


class Store:
    """The server's side: `set KEY VALUE` and `get KEY`, each answered on the stream that it came on."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def handle(self, association: aiosctp.Association) -> None:
        async for message in association:
            await association.send(self.answer(message.data.decode()).encode(), stream=message.stream)

    def answer(self, request: str) -> str:
        match request.split(" ", 2):
            case ["set", key, value]:
                self.values[key] = value
                return "ok"
            case ["get", key]:
                return self.values.get(key, "(nothing)")
        return "what?"


class Client:
    """The client's side. Each stream carries one question at a time; a lost answer holds up its own stream only."""

    def __init__(self, association: aiosctp.Association) -> None:
        self._association = association

    async def ask(self, request: str, *, stream: int = 0) -> str:
        await self._association.send(request.encode(), stream=stream)
        return (await self._association.stream(stream).receive()).data.decode()


# -- its tests --


@pytest.fixture
def server(network: Network) -> Host:
    return network.host("server", "192.0.2.1", "198.51.100.1")


@pytest.fixture
def client(network: Network) -> Host:
    return network.host("client", "192.0.2.2", "198.51.100.2")


async def start(server: Host, client: Host) -> Client:
    """The program on both hosts. What still runs at the end of a test is cancelled."""
    with server:
        await aiosctp.serve(Store().handle, port=PORT)
    with client:
        return Client(await aiosctp.connect("server", PORT))


@pytest.mark.network(link=Link(delay_s=0.02, jitter_s=0.01, loss=RandomLoss(0.1), duplication=0.05, reordering=0.05))
@pytest.mark.parametrize("network", range(10), indirect=True)
async def test_every_answer_comes_although_packets_do_not(network: Network, server: Host, client: Host) -> None:
    store = await start(server, client)
    for number in range(50):
        assert await store.ask(f"set {number} {number * number}") == "ok"
    assert [await store.ask(f"get {number}") for number in range(50)] == [str(number**2) for number in range(50)]
    assert network.counters["lost"] > 5


async def test_a_question_waits_out_a_network_that_is_gone_for_a_while(
    network: Network, server: Host, client: Host
) -> None:
    store = await start(server, client)
    loop = asyncio.get_running_loop()
    network.partition(server, client)
    loop.call_later(30, network.heal)
    began = loop.time()
    assert await store.ask("set colour blue") == "ok"
    assert loop.time() - began > 30


async def test_the_second_path_takes_over_when_the_first_is_cut(network: Network, server: Host, client: Host) -> None:
    store = await start(server, client)
    network.partition("192.0.2.1")
    assert await store.ask("set colour blue") == "ok"
    assert await store.ask("get colour") == "blue"


async def test_questions_on_other_streams_overtake_one_that_was_lost(
    network: Network, server: Host, client: Host
) -> None:
    store = await start(server, client)
    network.set_link(client, server, Link(loss=RandomLoss(1.0)), one_way=True)
    first = asyncio.create_task(store.ask("get first", stream=1))
    await asyncio.sleep(0.001)  # it was sent, and lost
    network.set_link(client, server, Link(), one_way=True)
    assert await store.ask("get second", stream=2) == "(nothing)"
    assert not first.done()
    assert await first == "(nothing)"


async def test_a_server_that_lost_its_power_is_noticed(network: Network, server: Host, client: Host) -> None:
    store = await start(server, client)
    server.crash()
    with pytest.raises(aiosctp.AssociationLost):
        await store.ask("set colour blue")
