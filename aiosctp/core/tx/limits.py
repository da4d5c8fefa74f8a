"""The messages with terms: what is known of each until it is acknowledged or abandoned."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container
from enum import Enum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aiosctp.core.messages import Outgoing, Part, Terms, without_data
from aiosctp.core.nothing import NO_LIST
from aiosctp.core.tx.peer_ack_point import PeerAckPoint

if TYPE_CHECKING:
    from aiosctp.core.tx.chunk import OutstandingChunk

_Key = TypeVar("_Key", int, float)

# A heap keeps so many entries of messages that are done with, and as many as it has of others. There may be a heap for
# each of 65 535 streams.
_STALE_ENTRIES: Final = 8


class Policy(Enum):
    """Why a message is abandoned (RFC 7496 §4.2)."""

    TTL = "ttl"
    """RFC 3758 §4.1: its lifetime is over."""
    RTX = "rtx"
    """RFC 7496 §3.1: it would be retransmitted too often."""
    PRIO = "prio"
    """RFC 7496 §3.2: another needed its room."""


class Limited:
    """A message with terms."""

    __slots__ = ("awaits_expiry", "chunks", "is_whole", "message", "retransmissions", "serial", "terms", "was_lost")

    def __init__(self, message: Outgoing, terms: Terms, serial: int) -> None:
        self.message: Outgoing = message
        self.terms: Terms = terms
        self.serial: int = serial
        """Greater than that of any given before."""
        self.chunks: list[OutstandingChunk] = []
        """All that was sent of it."""
        self.is_whole: bool = False
        """All of it was sent."""
        self.retransmissions: dict[int, int] | None = None
        """How often each chunk was retransmitted, by number, of those that were."""
        self.awaits_expiry: bool = False
        """It stands in `Limits.expiries`."""
        self.was_lost: bool = False
        """Some of it was, at least once."""

    def let_go(self) -> None:
        """A heap may know of it a little longer."""
        self.message = without_data(self.message)
        self.chunks = []

    @property
    def last_number(self) -> int:
        return self.chunks[-1].number


class LimitedHeap(Generic[_Key]):
    """Messages that are not reliable, the first to go first; and some that count no more."""

    __slots__ = ("_most", "entries")

    def __init__(self) -> None:
        self.entries: list[tuple[_Key, int, Limited]] = []
        self._most = _STALE_ENTRIES

    def push(self, entry: tuple[_Key, int, Limited], live: Container[Terms]) -> None:
        """What counts no more goes when the heap has doubled since that went last: a few steps for each entry."""
        if len(self.entries) >= self._most:
            self.entries = sorted(each for each in self.entries if each[2].terms in live)
            self._most = 2 * len(self.entries) + _STALE_ENTRIES
        heapq.heappush(self.entries, entry)


class Limits:
    """Of one association. As many messages as the send buffer takes."""

    __slots__ = ("_serial", "_whole", "counts", "expiries", "live", "point", "priorities", "reports")

    def __init__(self) -> None:
        self._serial = 0
        self.live: dict[Terms, Limited] = {}
        """Those neither abandoned nor known to be acknowledged for good."""
        self._whole: deque[Limited] = deque()
        """Those sent whole, in the order of their last TSNs."""
        self.expiries: LimitedHeap[float] = LimitedHeap()
        """When the lifetimes end of what has still to be sent, or sent again."""
        self.priorities: dict[int | None, LimitedHeap[int]] = {}
        """Of each stream and, under None, of all: who gives its room first."""
        self.reports: list[tuple[Outgoing, bool]] = NO_LIST
        """Those abandoned since this was last taken, and whether any of each was sent."""
        self.counts: dict[tuple[int, Policy], tuple[int, int]] = {}
        """RFC 7496 §4.3: by stream and policy, how many were abandoned unsent, and sent."""
        self.point: PeerAckPoint = PeerAckPoint()

    def add(self, message: Outgoing) -> None:
        """It was given to `send`."""
        terms = message[6]
        assert terms is not None
        assert terms not in self.live, "each message has terms of its own"
        self._serial += 1
        limited = self.live[terms] = Limited(message, terms, self._serial)
        if terms.expires_at_s is not None:
            self.await_expiry(limited, terms.expires_at_s)
        if terms.buffer_priority is not None:
            # RFC 7496 §3.2 leaves open who goes. The least important; among equals the one given last: it has waited
            # the shortest time, and most likely nothing of it is sent, so that nothing was sent for nothing.
            entry = -terms.buffer_priority, -self._serial, limited
            for stream in (None, message[1]):
                heap = self.priorities.get(stream)
                if heap is None:
                    heap = self.priorities[stream] = LimitedHeap()
                heap.push(entry, self.live)

    def await_expiry(self, limited: Limited, expires_at_s: float) -> None:
        if not limited.awaits_expiry:
            limited.awaits_expiry = True
            self.expiries.push((expires_at_s, limited.serial, limited), self.live)

    def is_live(self, limited: Limited) -> bool:
        return limited.terms in self.live

    def sent(self, chunk: OutstandingChunk) -> None:
        """For the first time."""
        terms = chunk.message[6]
        if terms is None or isinstance(terms, Part):
            return
        limited = self.live[terms]
        limited.chunks.append(chunk)
        if chunk.is_ending:
            limited.is_whole = True
            self._whole.append(limited)

    def resent(self, chunk: OutstandingChunk) -> None:
        terms = chunk.message[6]
        if terms is not None and terms.max_retransmits is not None:
            limited = self.live[terms]
            if limited.retransmissions is None:
                limited.retransmissions = {}
            limited.retransmissions[chunk.number] = limited.retransmissions.get(chunk.number, 0) + 1

    def forget_acknowledged(self, cumulative: int) -> None:
        """Those of which every chunk is covered by the Cumulative TSN Ack Point."""
        whole = self._whole
        while whole and (not self.is_live(whole[0]) or whole[0].last_number <= cumulative):
            limited = whole.popleft()
            if self.live.pop(limited.terms, None) is not None:
                limited.let_go()
        if not self.live:
            self.expiries = LimitedHeap()
            self.priorities.clear()

    def abandoned(self, limited: Limited, policy: Policy) -> None:
        was_sent = bool(limited.chunks)
        del self.live[limited.terms]
        limited.terms.is_abandoned = True
        if self.reports is NO_LIST:
            self.reports = []
        self.reports.append((limited.message, was_sent))
        key = limited.message[1], policy
        unsent, sent = self.counts.get(key, (0, 0))
        self.counts[key] = unsent + (not was_sent), sent + was_sent
        limited.let_go()

    def take_reports(self) -> list[tuple[Outgoing, bool]]:
        reports, self.reports = self.reports, NO_LIST
        return reports

    def clear(self) -> None:
        """All that is not acknowledged has been taken back. What was abandoned before stays, and was counted."""
        self.live.clear()
        self._whole.clear()
        self.expiries = LimitedHeap()
        self.priorities.clear()
        self.point = PeerAckPoint()
