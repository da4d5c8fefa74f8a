"""A message that is not delivered yet, or not all of it, and which of the chunks that are held has the highest TSN."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Run:
    """Consecutive chunks that were received and belong to one message: the whole of it, or what has come so far.

    Consecutive by TSN with DATA, by FSN with I-DATA: as whole numbers that never wrap. The payloads stay in
    `Reassembly` or `Interleaved`.
    """

    stream: int
    ssn: int
    """With I-DATA the MID."""
    unordered: bool
    start: int
    """The first that is held. Once parts are delivered: the first not delivered, maybe still to come."""
    end: int
    """The last; before `start` if there are none."""
    begun: bool
    ended: bool
    """The last is the last of the message."""
    held_bytes: int
    charged_bytes: int
    first: int = 0
    """The TSN of the chunk with the B bit, once that has come."""
    ppid: int = 0
    is_partial: bool = False
    """Parts of it have been delivered."""

    @property
    def is_complete(self) -> bool:
        return self.begun and self.ended

    @property
    def is_unfinished(self) -> bool:
        """Whether it could begin to be delivered in parts, were it its turn."""
        return self.begun and not self.ended and not self.is_partial

    def goes_on_with(self, stream: int, unordered: bool, ssn: int) -> bool:
        """§6.9: the fragments of a message have its stream, its U bit and, unless that is set, its SSN."""
        return self.stream == stream and self.unordered == unordered and (unordered or self.ssn == ssn)


class TsnHeap:
    """Finds the highest of the TSNs that are held, which are the keys of a dict."""

    __slots__ = ("_heap",)

    _heap: list[int] | None
    """The TSNs held, negated, once the highest had to be found, None before; with some that are held no longer."""

    def __init__(self) -> None:
        self._heap = None

    def highest_of(self, held: Mapping[int, object]) -> int | None:
        if self._heap is None:
            self._heap = [-tsn for tsn in held]
            heapq.heapify(self._heap)
        heap = self._heap
        while heap and -heap[0] not in held:
            heapq.heappop(heap)
        return -heap[0] if heap else None

    def push(self, tsn: int, held: Mapping[int, object]) -> None:
        """One more is held."""
        if self._heap is None:
            return
        heapq.heappush(self._heap, -tsn)
        if len(self._heap) > 2 * len(held) + 64:
            # Mostly TSNs that were delivered since: made anew when it is wanted, at a cost they have paid for.
            self._heap = None
