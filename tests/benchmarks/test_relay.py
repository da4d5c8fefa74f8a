"""The relay loses what its seed says and nothing else, and carries the rest in order."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from benchmarks.model import Unavailable
from benchmarks.processes import Event, free_udp_ports
from benchmarks.relay import Relay, Weather, between_ports, relaying
from tests.interop.toolchain import unavailable

HOST = "127.0.0.1"
PACKETS = 400


@contextlib.asynccontextmanager
async def _between(weather: Weather) -> AsyncIterator[tuple[Relay, socket.socket, socket.socket]]:
    """A relay, and the socket of either peer, connected to it."""
    first, second, for_first, for_second = free_udp_ports(4)
    where = between_ports(first=first, second=second, for_first=for_first, for_second=for_second)
    with contextlib.ExitStack() as stack:
        peers = []
        for port, relay_port in ((first, for_first), (second, for_second)):
            peer = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            peer.settimeout(10)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
            peer.bind((HOST, port))
            peer.connect((HOST, relay_port))
            peers.append(peer)
        try:
            async with relaying(weather, *where, life_s=30) as relay:
                yield relay, peers[0], peers[1]
        except Unavailable as error:
            unavailable(str(error))


def _carry(sender: socket.socket, receiver: socket.socket) -> list[int]:
    """Send numbered packets, and one more that is not lost: the numbers that arrive before it."""
    for number in range(PACKETS):
        sender.send(number.to_bytes(2))
    arrived = []
    while (number := int.from_bytes(receiver.recv(16))) < PACKETS - 1:
        arrived.append(number)
    return [*arrived, number]


def _seed_that_spares_the_last(loss: float) -> int:
    """The last packet tells the test that all have come."""
    return next(
        seed
        for seed in range(1000)
        if not any(Weather(loss=loss, seed=seed).loses(direction, PACKETS - 1) for direction in (0, 1))
    )


@pytest.mark.parametrize("loss", [0.0, 0.001, 0.05, 0.3])
async def test_it_loses_in_either_direction_what_the_seed_says(loss: float) -> None:
    weather = Weather(loss=loss, seed=_seed_that_spares_the_last(loss), delay_s=0.002)
    async with _between(weather) as (relay, first, second):
        for direction, (sender, receiver) in enumerate(((first, second), (second, first))):
            expected = [n for n in range(PACKETS) if not weather.loses(direction, n)]
            assert _carry(sender, receiver) == expected
        carried: Event = await relay.carried()
    assert carried["came"] == 2 * PACKETS
    assert carried["sent"] == carried["came"] - carried["lost"]
    assert carried["overflowed"] == 0


def test_a_pattern_loses_as_many_as_it_says_and_each_direction_others() -> None:
    weather = Weather(loss=0.05, seed=3, spared=0)
    lost = [{n for n in range(20_000) if weather.loses(direction, n)} for direction in (0, 1)]
    assert all(900 < len(each) < 1100 for each in lost)
    assert len(lost[0] & lost[1]) < 100
    assert lost[0] != {n for n in range(20_000) if Weather(loss=0.05, seed=4, spared=0).loses(0, n)}


def test_more_loss_loses_the_same_and_others() -> None:
    """One seed at two losses: a peer that meets both meets the first pattern again."""
    little, much = (Weather(loss=loss, seed=1) for loss in (0.01, 0.05))
    assert {n for n in range(5000) if little.loses(0, n)} < {n for n in range(5000) if much.loses(0, n)}


def test_the_first_packets_are_spared() -> None:
    weather = Weather(loss=1.0, seed=1, spared=8)
    assert [weather.loses(0, n) for n in range(10)] == [False] * 8 + [True] * 2


async def test_what_it_does_not_read_in_time_is_counted() -> None:
    """It is stopped while more comes than its buffer holds."""
    async with _between(Weather(loss=0.0, seed=1, delay_s=0.002)) as (relay, first, _):
        with relay.stopped():
            for _ in range(8000):
                first.send(bytes(1400))
        assert (await relay.carried())["overflowed"] > 0
