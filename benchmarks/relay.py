"""The relay between two peers, relay.c: it holds packets back and loses some, by a seed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.c_programs import compiled
from benchmarks.processes import RECEIVER_CORE, Event, Process, running

SOURCE = Path(__file__).with_suffix(".c")
SPARED = 8
"""Packets of each direction, from the first on, that are never lost: the handshake, which is measured elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a relay does to packets: delay_s each way, loss as a ratio, in each direction, by the seed."""

    loss: float
    seed: int
    delay_s: float = 0.020
    spared: int = SPARED

    def words(self) -> list[str]:
        return [
            f"delay_us={self.delay_s * 1e6:.0f}",
            f"loss_ppm={self.loss * 1e6:.0f}",
            f"seed={self.seed}",
            f"spared={self.spared}",
        ]

    def loses(self, direction: int, packet: int) -> bool:
        """What relay.c decides of the packet with this number, from 0, in direction 0, from the first peer to the
        second, or 1."""
        drawn = _mix(_mix(_mix(self.seed) + direction) + packet)
        return packet >= self.spared and drawn % 1_000_000 < round(self.loss * 1e6)


def _mix(value: int) -> int:
    """splitmix64's finalizer."""
    value &= _MASK
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31


_MASK = 2**64 - 1


class Relay:
    """A running relay."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def carried(self) -> Event:
        """Packets, of both directions: those that `came`, were `lost` by the seed, `overflowed`, were `sent`."""
        os.kill(self._process.pid, signal.SIGUSR1)
        return await self._process.event("carried")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """For so long it reads nothing."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def relaying(weather: Weather, *words: str, life_s: float = 120.0) -> AsyncIterator[Relay]:
    """A relay at work, killed on leaving. words: where it stands, as relay.c has them. Raises Unavailable."""
    program = compiled(SOURCE)
    argv: list[str | Path] = [program, *words, *weather.words(), f"life_s={life_s:.0f}"]
    async with running(argv, RECEIVER_CORE) as process:
        await process.event("relaying")
        yield Relay(process)


def between_ports(*, first: int, second: int, for_first: int, for_second: int) -> tuple[str, ...]:
    """A relay of UDP: what `first` sends to `for_first` comes to `second` from `for_second`, and the other way
    round."""
    return (f"first={first}", f"second={second}", f"for_first={for_first}", f"for_second={for_second}")


def between_namespaces(first: str, second: str) -> tuple[str, ...]:
    """A relay of IP packets between the interfaces tun0 of two network namespaces."""
    return (f"first_net=/var/run/netns/{first}", f"second_net=/var/run/netns/{second}")
