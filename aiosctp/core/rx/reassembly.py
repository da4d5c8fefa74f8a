"""Fragments on their way to being a message again (§6.9)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from aiosctp.core.charge import charge_of
from aiosctp.core.nothing import NO_DICT
from aiosctp.core.rx.run import Run, TsnHeap
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import DATA_UNORDERED, DataFields, UserData
from aiosctp.wire.serial import SSN_HALF, ssn_distance


class Reassembly(TsnHeap):
    """Every DATA chunk that is held: fragments, and whole messages that wait for their turn."""

    __slots__ = ("_by_end", "_by_start", "_payloads", "_skipped_end")

    def __init__(self) -> None:
        self._heap = None
        self._payloads: dict[int, bytes] = NO_DICT
        self._by_end: dict[int, Run] = NO_DICT
        self._by_start: dict[int, Run] = NO_DICT
        """Runs that lack their beginning: those that a chunk may still be put before."""
        self._skipped_end: int | None = None
        """The last TSN of a message that FORWARD TSN skipped the beginning of, as far as is known: while the next is no
        beginning, it is of that message too."""

    def __len__(self) -> int:
        return len(self._payloads)

    @property
    def is_empty(self) -> bool:
        """No chunk is held, and no message is under way."""
        return not self._by_end

    def _begin_to_hold(self) -> None:
        self._payloads, self._by_end, self._by_start = {}, {}, {}

    def go_on(self, begun: DataFields, end: int, payloads: list[bytes], held_bytes: int, charged_bytes: int) -> Run:
        """Hold the beginning of a message, while nothing is held: one that `InOrder` took, on TSNs up to `end`."""
        _, flags, _, _, stream, ssn, ppid, _ = begun
        start = end - len(payloads) + 1
        if self._payloads is NO_DICT:
            self._begin_to_hold()
        self._payloads.update(zip(range(start, end + 1), payloads, strict=True))
        run = Run(stream, ssn, flags & DATA_UNORDERED != 0, start, end, True, False, held_bytes, charged_bytes)
        run.first, run.ppid = start, ppid
        self._by_end[end] = run
        return run

    def add(
        self, tsn: int, chunk: UserData, *, previous_received: bool, following_received: bool
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
        stream, unordered, ssn = chunk.stream, chunk.unordered, chunk.number
        if (left is not None and not left.goes_on_with(stream, unordered, ssn)) or (
            right is not None and not right.goes_on_with(stream, unordered, ssn)
        ):
            return ProtocolViolation(b"the fragments of a message differ in stream, SSN or U bit")
        if self._payloads is NO_DICT:
            self._begin_to_hold()
        size = len(chunk.payload)
        self._payloads[tsn] = chunk.payload
        if self._heap is not None:
            self.push(tsn, self._payloads)
        if left is not None and right is None:
            return self._extend(left, chunk.ending, size)
        run = Run(stream, ssn, unordered, tsn, tsn, chunk.beginning, chunk.ending, size, charge_of(size))
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

    def tsns_of(self, run: Run) -> Iterable[int]:
        """What `take` will take."""
        return range(run.start, run.end + 1)

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

    def is_held(self, tsn: int) -> bool:
        return tsn in self._payloads

    def highest(self) -> int | None:
        """The highest TSN that is held."""
        return self.highest_of(self._payloads)

    def run_of(self, tsn: int) -> Run:
        """What the highest TSN held belongs to."""
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

    # -- FORWARD TSN (RFC 3758 §3.6) --

    def skip(self, tsn: int, skipped: Mapping[tuple[int, bool], int], *, was_received: bool) -> list[Run]:
        """Let go of each message that is not complete and of which a TSN up to this one is missing. Returns them; what
        was charged for them is theirs.

        So also the one that ends with this TSN so far: the peer forwards to nothing but what it has given up, of which
        it gives up the whole. And the one that goes on behind it, if the peer names its SSN among those skipped.
        """
        lost = [run for run in self._by_end.values() if not run.is_complete and _is_lost(run, tsn, skipped)]
        self._skipped_end = None if was_received else tsn
        for run in lost:
            self._drop(run)
            if run.end >= tsn:
                self._skipped_end = None if run.ended else run.end
        return lost

    def skip_messages(self, tsn: int, skipped: Mapping[tuple[int, bool], int]) -> list[Run]:
        """`skip` by no more than the numbers that were named: of DATA the TSNs have told."""
        return []

    def tsns_dropped(self, run: Run) -> Iterable[int]:
        """Of a message that was let go of."""
        return range(run.start, run.end + 1)

    def _drop(self, run: Run) -> None:
        del self._by_end[run.end]
        if not run.begun:
            del self._by_start[run.start]
        for tsn in range(run.start, run.end + 1):
            del self._payloads[tsn]
        if not self._payloads:
            self._heap = None

    def discards(self, tsn: int, chunk: UserData) -> bool:
        """Whether the chunk is the rest of a message that was skipped. If so, what is held behind it may be too: see
        `discard_following`."""
        return self._skipped_end is not None and tsn == self._skipped_end + 1 and not chunk.beginning

    def discard_following(self, tsn: int, chunk: UserData) -> Run | None:
        """The chunk was discarded, and with it goes what is held behind it that can't begin any more."""
        self._skipped_end = None if chunk.ending else tsn
        run = self._by_start.get(tsn + 1)
        if run is not None:
            self._drop(run)
            self._skipped_end = None if run.ended else run.end
        return run

    # -- RFC 6525 --

    def drop_unfinished(self, streams: Collection[int] | None, before: int) -> list[Run]:
        """Let go of what began before this TSN, of these streams or of all, and is not complete. Returns as `skip`."""
        lost = [
            run
            for run in self._by_end.values()
            if not run.is_complete
            and (streams is None or run.stream in streams)
            and (run.first if run.begun else run.start) < before
        ]
        for run in lost:
            self._drop(run)
        return lost

    def begin_anew(self, streams: Iterable[int] | None) -> None:
        """RFC 6525: messages of these streams, or of all, count from 0 again: nothing here goes by their numbers."""

    def clear(self) -> int:
        """Let go of everything. Returns what was charged for it."""
        charged = sum(run.charged_bytes for run in self._by_end.values())
        self._payloads = self._by_end = self._by_start = NO_DICT
        self._heap = self._skipped_end = None
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


def _is_lost(run: Run, tsn: int, skipped: Mapping[tuple[int, bool], int]) -> bool:
    if not run.begun:
        return run.start <= tsn + 1
    if run.end <= tsn:
        return True
    last = None if run.unordered else skipped.get((run.stream, False))
    return run.first <= tsn and last is not None and ssn_distance(run.ssn, last) < SSN_HALF
