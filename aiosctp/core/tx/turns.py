"""Whose turn it is, among the streams that have something to send (RFC 8260 §3)."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol


class Turns(Protocol):
    """Streams join when they have something to send, and leave when they have no more."""

    def join(self, stream: int) -> None:
        """It has something to send, and had not."""

    def rejoin(self, stream: int) -> None:
        """It has joined, and counts otherwise from now on."""

    def first(self) -> int:
        """The one whose turn it is now. One has joined at least."""

    def over(self, stream: int, sent_bytes: int, *, has_more: bool) -> None:
        """Its turn is, in which so much was sent. Without more, it leaves."""


class RoundRobin:
    """RFC 8260 §3.2, §3.3: "by cycling around non-empty stream queues"."""

    __slots__ = ("_ring",)

    def __init__(self) -> None:
        self._ring: OrderedDict[int, None] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._ring)

    def join(self, stream: int) -> None:
        self._ring[stream] = None

    def rejoin(self, stream: int) -> None:
        pass

    def leave(self, stream: int) -> None:
        del self._ring[stream]

    def first(self) -> int:
        return next(iter(self._ring))

    def over(self, stream: int, sent_bytes: int, *, has_more: bool) -> None:
        self.leave(stream)
        if has_more:
            self.join(stream)


class ByPriority:
    """RFC 8260 §3.4: strict priorities, the lower number first; streams of one priority take turns."""

    __slots__ = ("_joined", "_priorities", "_priority_of", "_rings")

    def __init__(self, priority_of: Callable[[int], int]) -> None:
        self._priority_of = priority_of
        self._rings: dict[int, RoundRobin] = {}
        self._priorities: list[int] = []
        """Of `_rings`, in order."""
        self._joined: dict[int, int] = {}
        """The priority with which each has."""

    def join(self, stream: int) -> None:
        priority = self._joined[stream] = self._priority_of(stream)
        ring = self._rings.get(priority)
        if ring is None:
            ring = self._rings[priority] = RoundRobin()
            insort(self._priorities, priority)
        ring.join(stream)

    def rejoin(self, stream: int) -> None:
        self._leave(stream)
        self.join(stream)

    def _leave(self, stream: int) -> None:
        priority = self._joined.pop(stream)
        ring = self._rings[priority]
        ring.leave(stream)
        if not ring:
            del self._rings[priority]
            self._priorities.remove(priority)

    def first(self) -> int:
        return self._rings[self._priorities[0]].first()

    def over(self, stream: int, sent_bytes: int, *, has_more: bool) -> None:
        self._leave(stream)
        if has_more:
            self.join(stream)


class ByShare:
    """RFC 8260 §3.5, §3.6: each stream has its share of the capacity.

    A clock runs in bytes of a stream of weight 1. What a stream sends puts its next turn off, the more the smaller its
    weight is; whose turn comes earliest is next. A stream that had nothing to send joins at the present: it does not
    make up for that; nor does one that has just sent come sooner because it left.
    """

    __slots__ = ("_due", "_entries", "_heap", "_joins", "_now", "_weight_of")

    def __init__(self, weight_of: Callable[[int], int]) -> None:
        self._weight_of = weight_of
        self._now = 0.0
        self._due: dict[int, float] = {}
        """When it is the turn of each that has joined, or was put off when it left."""
        self._entries: dict[int, tuple[float, int, int]] = {}
        """Of those that have joined: when, in which order they joined, which."""
        self._heap: list[tuple[float, int, int]] = []
        """Those, and some that count no more."""
        self._joins = 0

    def join(self, stream: int) -> None:
        # While a turn lasts, the present is when it was due: the earliest of all.
        present = self._entries[self.first()][0] if self._entries else self._now
        self._enter(stream, max(present, self._due.get(stream, 0.0)))

    def _enter(self, stream: int, due: float) -> None:
        self._joins += 1
        self._due[stream] = due
        entry = self._entries[stream] = due, self._joins, stream
        heapq.heappush(self._heap, entry)

    def rejoin(self, stream: int) -> None:
        pass

    def first(self) -> int:
        heap = self._heap
        while (entry := heap[0]) is not self._entries.get(entry[2]):
            heapq.heappop(heap)
        return entry[2]

    def over(self, stream: int, sent_bytes: int, *, has_more: bool) -> None:
        self._now, _, _ = self._entries.pop(stream)
        due = self._due[stream] = self._now + sent_bytes / self._weight_of(stream)
        if has_more:
            self._enter(stream, due)
        elif not self._entries:
            self._now = 0.0
            self._due.clear()
            self._heap.clear()
