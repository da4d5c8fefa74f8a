"""Which chunks measure the round trip (§6.3.1 C4, C5)."""

from __future__ import annotations

from collections.abc import Container
from typing import TypeAlias

from aiosctp.core.nothing import NO_DICT
from aiosctp.core.paths import Path
from aiosctp.core.tx.outstanding import Outstanding

Timed: TypeAlias = tuple[int, float]
"""A chunk whose round trip is measured: its number, and when it was sent."""


class RoundTrips:
    """At most one chunk a path is timed. §6.3.1 C4: a measurement "each round trip", and "no more than once"."""

    __slots__ = ("_timed",)

    def __init__(self) -> None:
        self._timed: dict[Path, Timed] = NO_DICT

    def sent(self, number: int, path: Path, now: float) -> None:
        """For the first time."""
        if path not in self._timed:
            if self._timed is NO_DICT:
                self._timed = {}
            self._timed[path] = (number, now)

    def retransmitted(self, number: int) -> None:
        """C5: never a chunk that was retransmitted, nor TSN r "if [a] DATA chunk with TSN less than or equal to r was
        retransmitted since the DATA chunk with TSN r was sent first"."""
        if self._timed:
            self._timed = {path: timed for path, timed in self._timed.items() if timed[0] < number}

    def measure(self, outstanding: Outstanding, now: float) -> None:
        """After a SACK: take the times of what it acknowledged."""
        for path, (number, sent_at_s) in list(self._timed.items()) if self._timed else ():
            if outstanding.is_acknowledged(number):
                path.rto.measured(now - sent_at_s)
                del self._timed[path]

    def measure_single(self, path: Path, now: float) -> None:
        """The same, when one chunk was outstanding, on this path, and is acknowledged: no other can be timed."""
        if self._timed:
            _, sent_at_s = self._timed.pop(path)
            path.rto.measured(now - sent_at_s)

    def abandoned(self, numbers: Container[int]) -> None:
        """These chunks were: when the peer is beyond them, that is not the answer to them."""
        if self._timed:
            self._timed = {path: timed for path, timed in self._timed.items() if timed[0] not in numbers}

    def give_back(self) -> None:
        """Nothing is outstanding, and so nothing timed."""
        self._timed = NO_DICT

    def forget(self) -> None:
        self._timed.clear()
