"""Fragments that come mixed with those of other messages, on their way to being a message again (RFC 8260 §2.2.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from aiosctp.core.charge import charge_of
from aiosctp.core.nothing import NO_DICT
from aiosctp.core.rx.run import Run, TsnHeap
from aiosctp.core.rx.tsns import MAX_OFFSET
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import DATA_UNORDERED, Data, DataFields, UserData
from aiosctp.wire.serial import MID_HALF, MID_MASK, mid_distance

_Key = tuple[int, bool, int]
"""Stream, U bit, MID."""


@dataclass(slots=True, eq=False)
class _MixedRun(Run):
    """By FSN, `start` to `end` are what can be delivered in its turn: nothing while the beginning is missing."""

    tsns: dict[int, int] = field(default_factory=dict)
    """The TSN of each chunk that is held, by FSN."""
    highest: int = -1
    """The highest FSN that has come."""
    highest_is_last: bool = False
    """That one had the E bit."""

    @property
    def key(self) -> _Key:
        return self.stream, self.unordered, self.ssn


class Interleaved(TsnHeap):
    """Every I-DATA chunk that is held: fragments, and whole messages that wait for their turn.

    What `Reassembly` is for DATA, and asked the same.
    """

    __slots__ = ("_held", "_runs", "_skipped", "_unordered")

    def __init__(self) -> None:
        self._heap = None
        self._runs: dict[_Key, _MixedRun] = NO_DICT
        self._held: dict[int, tuple[_MixedRun, int, bytes]] = NO_DICT
        """By TSN: its message, FSN and payload."""
        self._unordered: dict[int, dict[int, _MixedRun]] = NO_DICT
        """By stream and MID, the unordered messages that could begin to be delivered in parts."""
        self._skipped: dict[tuple[int, bool], tuple[int, int]] = NO_DICT
        """By stream and U bit, the last MID that an I-FORWARD-TSN named, and the TSN it moved to. Two entries a stream
        at most."""

    def __len__(self) -> int:
        return len(self._held)

    @property
    def is_empty(self) -> bool:
        """No chunk is held, and no message is under way."""
        return not self._runs

    def _begin_to_hold(self) -> None:
        self._runs, self._held, self._unordered = {}, {}, {}

    def go_on(self, begun: DataFields, end: int, payloads: list[bytes], held_bytes: int, charged_bytes: int) -> Run:
        """Hold the beginning of a message, while nothing is held: one that `InOrder` took, on TSNs up to `end`."""
        _, flags, _, _, stream, mid, ppid, _ = begun
        first, last = end - len(payloads) + 1, len(payloads) - 1
        if self._runs is NO_DICT:
            self._begin_to_hold()
        run = _MixedRun(stream, mid, flags & DATA_UNORDERED != 0, 0, last, True, False, held_bytes, charged_bytes)
        run.first, run.ppid, run.highest = first, ppid, last
        for fsn, payload in enumerate(payloads):
            run.tsns[fsn] = first + fsn
            self._held[first + fsn] = run, fsn, payload
        self._runs[run.key] = run
        self._sort(run)
        return run

    def add(
        self, tsn: int, chunk: UserData, *, previous_received: bool, following_received: bool
    ) -> Run | ProtocolViolation:
        """Hold a chunk. Returns the message it is of, or how the peer broke RFC 8260 §2.2. Where its TSN lies says
        nothing: "The receiver MUST NOT make any assumption about the TSN assignments of the sender"."""
        assert not isinstance(chunk, Data), "only I-DATA comes here"
        key = chunk.stream, chunk.unordered, chunk.mid
        run = self._runs.get(key)
        is_new = run is None
        if run is None:
            run = _MixedRun(chunk.stream, chunk.mid, chunk.unordered, 0, -1, False, False, 0, 0)
        # RFC 8260 §2.1: "the FSN MAY wrap completely multiple times": counted from what was delivered last.
        ahead = chunk.fsn - run.start & MID_MASK
        fsn = run.start + ahead
        violation = _violation(run, chunk, fsn, is_behind=ahead >= MID_HALF)
        if violation is not None:
            return ProtocolViolation(violation)
        if self._runs is NO_DICT:
            self._begin_to_hold()
        if is_new:
            self._runs[key] = run
        run.tsns[fsn] = tsn
        self._held[tsn] = run, fsn, chunk.payload
        if self._heap is not None:
            self.push(tsn, self._held)
        if fsn >= run.highest:
            run.highest, run.highest_is_last = fsn, chunk.ending
        if chunk.beginning:
            run.begun, run.first, run.ppid = True, tsn, chunk.ppid
        if fsn == run.end + 1:
            self._extend(run, len(chunk.payload))
        if run.unordered:
            self._sort(run)
        return run

    def _extend(self, run: _MixedRun, size: int) -> None:
        """By the chunk that follows, of this size, and what was waiting for it."""
        tsns = run.tsns
        while True:
            run.end += 1
            run.held_bytes += size
            run.charged_bytes += charge_of(size)
            tsn = tsns.get(run.end + 1)
            if tsn is None:
                break
            size = len(self._held[tsn][2])
        run.ended = run.highest_is_last and run.end == run.highest

    def interrupts(self, tsn: int) -> bool:
        """Whether a message under way can't be completed if this TSN is not of it: none needs any certain TSN."""
        return False

    def _sort(self, run: _MixedRun) -> None:
        if not run.unordered:
            return
        of_stream = self._unordered.get(run.stream, NO_DICT)
        if run.is_unfinished and self._runs.get(run.key) is run:
            if of_stream is NO_DICT:
                of_stream = self._unordered[run.stream] = {}
            of_stream[run.ssn] = run
        elif of_stream.pop(run.ssn, None) is not None and not of_stream:
            del self._unordered[run.stream]

    def holds(self, run: Run) -> bool:
        """Whether the message is still under way here."""
        return self._runs.get((run.stream, run.unordered, run.ssn)) is run

    def unfinished(self) -> list[Run]:
        """The messages that could begin to be delivered in parts, were it their turn."""
        return [run for run in self._runs.values() if run.is_unfinished]

    def unfinished_of(self, stream: int, expected_mid: int) -> list[Run]:
        """Those of this stream whose turn it is, as the next ordered message has this MID: of unordered ones, one."""
        run = self._runs.get((stream, False, expected_mid))
        found: list[Run] = [run] if run is not None and run.is_unfinished else []
        found += islice(self._unordered.get(stream, NO_DICT).values(), 1)
        return found

    def tsns_of(self, run: Run) -> Iterable[int]:
        """What `take` will take."""
        assert isinstance(run, _MixedRun)
        return map(run.tsns.__getitem__, range(run.start, run.end + 1))

    def take(self, run: Run) -> bytes:
        """What is held of a message up to the first gap, joined; the message goes on if that is not the whole of it."""
        assert isinstance(run, _MixedRun)
        held, tsns = self._held, run.tsns
        data = b"".join([held.pop(tsns.pop(fsn))[2] for fsn in range(run.start, run.end + 1)])
        if run.ended:
            del self._runs[run.key]
        run.start = run.end + 1
        run.held_bytes = run.charged_bytes = 0
        self._sort(run)
        if not held:
            self._heap = None
        return data

    # -- reneging (§6.2) --

    def is_held(self, tsn: int) -> bool:
        return tsn in self._held

    def highest(self) -> int | None:
        """The highest TSN that is held."""
        return self.highest_of(self._held)

    def run_of(self, tsn: int) -> Run:
        """The message of a TSN that is held."""
        return self._held[tsn][0]

    def drop_highest(self, tsn: int) -> int:
        """Let go of a chunk. Returns what it was charged."""
        run, dropped, payload = self._held.pop(tsn)
        del run.tsns[dropped]
        if dropped <= run.end:
            # Of what followed it nothing can be delivered any more.
            sizes = [len(payload), *(len(self._held[run.tsns[fsn]][2]) for fsn in range(dropped + 1, run.end + 1))]
            run.held_bytes -= sum(sizes)
            run.charged_bytes -= sum(map(charge_of, sizes))
            run.end = dropped - 1
            run.ended = False
        if dropped == 0:
            run.begun = False
        if not run.tsns and not run.is_partial:
            del self._runs[run.key]
        self._sort(run)
        return charge_of(len(payload))

    # -- I-FORWARD-TSN (RFC 8260 §2.3.1) --

    def skip(self, tsn: int, skipped: Mapping[tuple[int, bool], int], *, was_received: bool) -> list[Run]:
        """Let go of each message that is not complete and has a MID up to the one skipped of its kind on its stream.
        Returns them; what was charged for them is theirs."""
        return self.skip_messages(tsn, skipped)

    def skip_messages(self, tsn: int, skipped: Mapping[tuple[int, bool], int]) -> list[Run]:
        """`skip` by no more than the numbers that were named: as it always is."""
        lost: list[Run] = [run for run in self._runs.values() if not run.is_complete and _is_skipped(run, skipped)]
        for run in lost:
            assert isinstance(run, _MixedRun)
            self._drop(run)
        if skipped and self._skipped is NO_DICT:
            self._skipped = {}
        for kind, mid in skipped.items():
            self._skipped[kind] = mid, tsn
        return lost

    def tsns_dropped(self, run: Run) -> Iterable[int]:
        """Of a message that was let go of."""
        assert isinstance(run, _MixedRun)
        return run.tsns.values()

    def _drop(self, run: _MixedRun) -> None:
        run.charged_bytes = sum(charge_of(len(self._held.pop(tsn)[2])) for tsn in run.tsns.values())
        del self._runs[run.key]
        self._sort(run)
        if not self._held:
            self._heap = None

    def discards(self, tsn: int, chunk: UserData) -> bool:
        """Whether the chunk is the rest of a message that was skipped, on a TSN that the I-FORWARD-TSN did not reach:
        a TSN of another message lay between."""
        named = self._skipped.get((chunk.stream, chunk.unordered))
        if named is None or chunk.beginning or (chunk.stream, chunk.unordered, chunk.number) in self._runs:
            # What was skipped is not held: it is of one whose MID has come again, since all MIDs have begun anew.
            return False
        mid, reached = named
        # Further on it is of a message whose MID has come round again.
        is_near = 0 < tsn - reached <= MAX_OFFSET
        return is_near and mid_distance(chunk.number, mid) < MID_HALF

    def discard_following(self, tsn: int, chunk: UserData) -> Run | None:
        """Nothing that is held is of a message that was skipped."""
        return None

    # -- RFC 6525 --

    def drop_unfinished(self, streams: Collection[int] | None, before: int) -> list[Run]:
        """Let go of what began before this TSN, of these streams or of all, and is not complete. Returns as `skip`."""
        lost = [
            run
            for run in self._runs.values()
            if not run.is_complete
            and (streams is None or run.stream in streams)
            and (run.first if run.begun else min(run.tsns.values())) < before
        ]
        for run in lost:
            self._drop(run)
        return list(lost)

    def begin_anew(self, streams: Iterable[int] | None) -> None:
        """RFC 8260 §2.3.2: the MIDs of these streams, or of all, count from 0 again."""
        if streams is None:
            self._skipped = NO_DICT
            return
        for stream in streams if self._skipped else ():
            self._skipped.pop((stream, False), None)
            self._skipped.pop((stream, True), None)

    def clear(self) -> int:
        """Let go of everything. Returns what was charged for it."""
        charged = sum(charge_of(len(payload)) for _, _, payload in self._held.values())
        self._runs = self._held = self._unordered = self._skipped = NO_DICT
        self._heap = None
        return charged

    def give_back(self) -> None:
        """Let go of the room, if it is empty."""
        if self.is_empty:
            self._runs = self._held = self._unordered = NO_DICT

    def check_invariants(self) -> int:
        """Returns what is charged for all that is held."""
        count = 0
        for key, run in self._runs.items():
            assert key == run.key
            assert run.tsns or run.is_partial, "of every message something is held, or was delivered"
            assert all(self._held[tsn][:2] == (run, fsn) for fsn, tsn in run.tsns.items())
            count += len(run.tsns)
            fsns = range(run.start, run.end + 1)
            assert run.end + 1 not in run.tsns
            assert run.begun or not fsns
            sizes = [len(self._held[run.tsns[fsn]][2]) for fsn in fsns]
            assert run.held_bytes == sum(sizes)
            assert run.charged_bytes == sum(map(charge_of, sizes))
            assert run.ended == (run.highest_is_last and run.end == run.highest)
            assert not (run.ended and run.is_partial), "the last part is delivered as soon as it can be"
        assert count == len(self._held), "every chunk is of a message"
        unordered = {run for run in self._runs.values() if run.unordered and run.is_unfinished}
        assert {run for of_stream in self._unordered.values() for run in of_stream.values()} == unordered
        assert all(self._unordered.values())
        return sum(charge_of(len(payload)) for _, _, payload in self._held.values())


def _violation(run: _MixedRun, chunk: UserData, fsn: int, *, is_behind: bool) -> bytes | None:
    """RFC 8260 §2.2.2: "The first fragment MUST have the B bit set. The last fragment MUST have the E bit set. All
    other fragments MUST NOT have the B or E bit set"; §2.1: FSNs count from 0."""
    if chunk.beginning:
        if run.begun:
            return b"a message begins twice"
    elif fsn == 0:
        return b"a message begins with a fragment that is none of its beginning"
    if is_behind or fsn in run.tsns:
        return b"two fragments of a message have one FSN"
    if run.highest_is_last:
        if fsn > run.highest or chunk.ending != (fsn == run.highest):
            return b"a message goes on behind its end"
    elif chunk.ending and fsn < run.highest:
        return b"a message ends before another fragment of it"
    return None


def _is_skipped(run: _MixedRun, skipped: Mapping[tuple[int, bool], int]) -> bool:
    last = skipped.get((run.stream, run.unordered))
    return last is not None and mid_distance(run.ssn, last) < MID_HALF
