"""The chunks marked for retransmission, lowest TSN first (§6.1 C, §6.3.3, §6.10)."""

from __future__ import annotations

import heapq

from aiosctp.core.nothing import NO_LIST
from aiosctp.core.tx.chunk import MARKED, OutstandingChunk
from aiosctp.core.tx.outstanding import Outstanding


class Retransmissions:
    """A heap of numbers. A chunk acknowledged in the meantime stays in it until it comes to the top."""

    __slots__ = ("_outstanding", "numbers")

    def __init__(self, outstanding: Outstanding) -> None:
        self._outstanding = outstanding
        self.numbers: list[int] = NO_LIST
        """The heap. When it is empty nothing is marked, and `first` need not be asked."""

    def __contains__(self, number: int) -> bool:
        return number in self.numbers

    def mark(self, chunk: OutstandingChunk) -> None:
        self._outstanding.mark(chunk)
        if self.numbers is NO_LIST:
            self.numbers = []
        heapq.heappush(self.numbers, chunk.number)

    def rebuild(self) -> None:
        """After many were marked at once: what is marked, and nothing stale. A sorted list is a heap."""
        self.numbers = [chunk.number for chunk in self._outstanding if chunk.state is MARKED]

    def first(self) -> OutstandingChunk | None:
        """The lowest TSN marked."""
        while self.numbers:
            chunk = self._outstanding.find(self.numbers[0])
            if chunk is not None and chunk.state is MARKED:
                return chunk
            heapq.heappop(self.numbers)
        return None

    def clear(self) -> None:
        self.numbers.clear()
