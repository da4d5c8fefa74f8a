"""Fragments on their way to being a message again (§6.9)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from aiosctp.core.charge import charge_of
from aiosctp.core.nothing import NO_DICT
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import Data


@dataclass(slots=True, eq=False)
class Run:
    """Consecutive TSNs that were received and belong to one message: the whole of it, or what has come so far.

    Only the bounds are here; the payloads stay in `Reassembly` by TSN, so that two runs meet in constant time.
    """

    stream: int
    ssn: int
    unordered: bool
    start: int
    """The first TSN that is held. Once parts are delivered: the first not delivered, maybe still to come."""
    end: int
    begun: bool
    ended: bool
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

    def continues_with(self, other: Run | Data) -> bool:
        return (
            self.stream == other.stream
            and self.unordered == other.unordered
            and (self.unordered or self.ssn == other.ssn)
        )


class Reassembly:
    """Every chunk that is held: fragments, and whole messages that wait for their turn."""

    __slots__ = ("_by_end", "_by_start", "_heap", "_payloads")

    def __init__(self) -> None:
        self._payloads: dict[int, bytes] = NO_DICT
        self._by_end: dict[int, Run] = NO_DICT
        self._by_start: dict[int, Run] = NO_DICT
        """Runs that lack their beginning: those that a chunk may still be put before."""
        self._heap: list[int] | None = None
        """The TSNs held, negated, once the highest had to be found; with some that are held no longer."""

    def __len__(self) -> int:
        return len(self._payloads)

    @property
    def is_empty(self) -> bool:
        """No chunk is held, and no message is under way."""
        return not self._by_end

    def _begin_to_hold(self) -> None:
        self._payloads, self._by_end, self._by_start = {}, {}, {}

    def put(self, run: Run, payloads: list[bytes]) -> None:
        """Hold the beginning of a message, while nothing is held: one that `InOrder` took."""
        if self._payloads is NO_DICT:
            self._begin_to_hold()
        self._payloads.update(zip(range(run.start, run.end + 1), payloads, strict=True))
        self._by_end[run.end] = run

    def add(
        self, tsn: int, chunk: Data, *, previous_received: bool, following_received: bool
    ) -> Run | ProtocolViolation:
        """Hold a chunk. Returns the run it is part of now, or how the peer broke §6.9.

        The bits B and E are 10, then 00, then 01, on consecutive TSNs: each chunk is held against those beside it.
        """
        left = self._open_before(tsn)
        right = self._by_start.get(tsn + 1)
        if chunk.beginning:
            if left is not None:
                return ProtocolViolation(b"a message begins inside another one")
        elif left is None and previous_received:
            return ProtocolViolation(b"a fragment follows no beginning of its message")
        if chunk.ending:
            if right is not None:
                return ProtocolViolation(b"a message ends inside another one")
        elif right is None and following_received:
            return ProtocolViolation(b"a message is not ended where the next one begins")
        if (left is not None and not left.continues_with(chunk)) or (
            right is not None and not right.continues_with(chunk)
        ):
            return ProtocolViolation(b"the fragments of a message differ in stream, SSN or U bit")
        if self._payloads is NO_DICT:
            self._begin_to_hold()
        size = len(chunk.payload)
        self._payloads[tsn] = chunk.payload
        if self._heap is not None:
            self._push(tsn)
        if left is not None and right is None:
            return self._extend(left, chunk.ending, size)
        run = Run(
            chunk.stream, chunk.ssn, chunk.unordered, tsn, tsn, chunk.beginning, chunk.ending, size, charge_of(size)
        )
        if chunk.beginning:
            run.first, run.ppid = tsn, chunk.ppid
        return self._join(left, run, right)

    def _open_before(self, tsn: int) -> Run | None:
        run = self._by_end.get(tsn - 1)
        return None if run is None or run.ended else run

    def _extend(self, run: Run, ending: bool, size: int) -> Run:
        """By the chunk that follows it: the usual case, for which no run is made only to be absorbed."""
        del self._by_end[run.end]
        run.end += 1
        run.ended = ending
        run.held_bytes += size
        run.charged_bytes += charge_of(size)
        self._by_end[run.end] = run
        return run

    def _join(self, left: Run | None, run: Run, right: Run | None) -> Run:
        if left is not None:
            del self._by_end[left.end]
            self._absorb(left, run)
            run = left
        elif not run.begun:
            self._by_start[run.start] = run
        if right is not None:
            del self._by_start[right.start]
            self._absorb(run, right)
        self._by_end[run.end] = run
        return run

    @staticmethod
    def _absorb(run: Run, following: Run) -> None:
        run.end = following.end
        run.ended = following.ended
        run.held_bytes += following.held_bytes
        run.charged_bytes += following.charged_bytes

    def interrupts(self, tsn: int) -> bool:
        """Whether a message under way can't be completed if this TSN is not of it."""
        return self._open_before(tsn) is not None or tsn + 1 in self._by_start

    def in_progress_at(self, tsn: int) -> Run | None:
        """The message whose latest chunk without a gap is this, if it has not ended."""
        return self._open_before(tsn + 1)

    def take(self, run: Run) -> bytes:
        """What is held of a run, joined; the run goes on where it is if it has not ended."""
        payloads = self._payloads
        if run.start == run.end:
            data = payloads.pop(run.end)
        else:
            data = b"".join([payloads.pop(tsn) for tsn in range(run.start, run.end + 1)])
        if run.ended:
            del self._by_end[run.end]
        run.start = run.end + 1
        run.held_bytes = run.charged_bytes = 0
        if not payloads:
            self._heap = None
        return data

    # -- reneging (§6.2) --

    def highest(self) -> int | None:
        """The highest TSN that is held."""
        payloads = self._payloads
        if self._heap is None:
            self._heap = [-tsn for tsn in payloads]
            heapq.heapify(self._heap)
        heap = self._heap
        while heap and -heap[0] not in payloads:
            heapq.heappop(heap)
        return -heap[0] if heap else None

    def _push(self, tsn: int) -> None:
        assert self._heap is not None
        heapq.heappush(self._heap, -tsn)
        if len(self._heap) > 2 * len(self._payloads) + 64:
            # Mostly TSNs that were delivered since: made anew when it is wanted, at a cost they have paid for.
            self._heap = None

    def run_ending_at(self, tsn: int) -> Run:
        return self._by_end[tsn]

    def drop_highest(self, tsn: int) -> int:
        """Let go of the highest chunk held, which is the last of its run. Returns what it was charged."""
        run = self._by_end.pop(tsn)
        size = len(self._payloads.pop(tsn))
        charged = charge_of(size)
        run.end -= 1
        run.ended = False
        run.held_bytes -= size
        run.charged_bytes -= charged
        if run.is_partial or run.start <= run.end:
            self._by_end[run.end] = run
        elif not run.begun:
            del self._by_start[run.start]
        return charged

    def clear(self) -> int:
        """Let go of everything. Returns what was charged for it."""
        charged = sum(run.charged_bytes for run in self._by_end.values())
        self._payloads = self._by_end = self._by_start = NO_DICT
        self._heap = None
        return charged

    def give_back(self) -> None:
        """Let go of the room, if it is empty."""
        if self.is_empty:
            self._payloads = self._by_end = self._by_start = NO_DICT

    def check_invariants(self) -> int:
        """Returns what is charged for all that is held."""
        held: set[int] = set()
        for end, run in self._by_end.items():
            assert end == run.end, "runs are found by their end"
            tsns = range(run.start, run.end + 1)
            assert not held.intersection(tsns), "runs are apart"
            held.update(tsns)
            assert run.held_bytes == sum(len(self._payloads[tsn]) for tsn in tsns)
            assert run.charged_bytes == sum(charge_of(len(self._payloads[tsn])) for tsn in tsns)
            assert run.begun or self._by_start.get(run.start) is run, "what lacks its beginning is found by its start"
        assert held == self._payloads.keys(), "every payload is in a run"
        assert all(not run.begun and self._by_end.get(run.end) is run for run in self._by_start.values())
        return sum(run.charged_bytes for run in self._by_end.values())
