"""The chunks outstanding: sent, and not covered by the Cumulative TSN Ack Point (§6.1, §6.2.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from aiosctp.core.charge import MIN_CHARGE_BYTES, charge_of
from aiosctp.core.messages import Outgoing, without_data
from aiosctp.core.nothing import NO_DEQUE, NO_DICT, NO_LIST
from aiosctp.core.paths import Path
from aiosctp.core.tx.chunk import ABANDONED, ACKNOWLEDGED, IN_FLIGHT, MARKED, OutstandingChunk
from aiosctp.core.tx.gaps import Range, union, without
from aiosctp.core.tx.sent_run import SentRun
from aiosctp.wire.chunks import DATA_UNORDERED
from aiosctp.wire.serial import TSN_HALF, TSN_MASK, tsn_distance

# How many chunks a peer may take back beyond those it has acknowledged for good: as many as Gap Ack Blocks can name
# (§3.3.4), so that a whole window is believed to be lost once. Work is linear in what a SACK takes back; without a
# limit, small SACKs that give and take in turn would each cost a walk through all that is outstanding, for ever.
MAX_TAKEN_BACK = 0xFFFF
# How many stretches of chunks that the peer can't take back are kept apart, as each SACK is joined with them: as many
# as a large one names itself. What goes beyond them is acknowledged as by a Gap Ack Block.
MAX_FINAL_RANGES = 0x400


@dataclass(slots=True)
class Acknowledged:
    """What one SACK newly acknowledged, and took back."""

    bytes_by_path: dict[Path, int] = field(default_factory=dict)
    """Whole chunks, by the path each was last sent on."""
    lowest_by_path: dict[Path, int] = field(default_factory=dict)
    highest: int | None = None
    """HTNA, the Highest TSN Newly Acknowledged (§7.2.4)."""
    charge_bytes: int = 0
    """What they take of the peer's window."""
    advanced: bool = False
    """Whether the Cumulative TSN Ack Point advanced."""
    reneged: Sequence[OutstandingChunk] = ()

    def add(self, chunk: OutstandingChunk) -> None:
        """In increasing order of numbers."""
        path = chunk.path
        self.bytes_by_path[path] = self.bytes_by_path.get(path, 0) + chunk.size
        self.lowest_by_path.setdefault(path, chunk.number)
        self.charge_bytes += charge_of(len(chunk.payload))
        self.highest = chunk.number

    def add_run(self, path: Path, lowest: int, highest: int, size: int, charge_bytes: int) -> None:
        self.bytes_by_path[path] = self.bytes_by_path.get(path, 0) + size
        self.lowest_by_path.setdefault(path, lowest)
        self.charge_bytes += charge_bytes
        self.highest = highest


class Outstanding:
    """Chunks by number, what of them is in flight, and what Gap Ack Blocks cover.

    The lower numbers are chunks singled out, each an object with a state of its own; what follows are records as they
    were sent, most of them runs of chunks that nothing has befallen. A gap or a timeout singles out what it touches,
    each chunk once. `Path.flight_bytes` and `flight_charge_bytes` follow every change of a chunk's state made here.
    """

    __slots__ = (
        "_chunks",
        "_first_by_path",
        "_may_be_taken_back",
        "_records",
        "buffered_bytes",
        "cumulative",
        "final",
        "flight_charge_bytes",
        "gaps",
        "highest",
        "skipped_from",
    )

    def __init__(self, cumulative: int) -> None:
        self.cumulative: int = cumulative
        """The Cumulative TSN Ack Point, as a number."""
        self.highest: int = cumulative
        """The highest number ever sent."""
        self.skipped_from: int | None = None
        """The TSN before those that `skip_to` left out."""
        self._chunks: deque[OutstandingChunk] = NO_DEQUE
        """Those singled out: from the Cumulative TSN Ack Point on, one for each number."""
        self._records: deque[SentRun | OutstandingChunk] = NO_DEQUE
        """What was sent after those."""
        self.gaps: list[Range] = NO_LIST
        """Above the Cumulative TSN Ack Point, acknowledged by the last SACK: sorted, disjoint. All singled out."""
        self.final: list[Range] = NO_LIST
        """What of `gaps` a NR-SACK said the peer will never drop: it holds no user data any more."""
        self.flight_charge_bytes: int = 0
        """What the peer's window has still to take of what is in flight (§6.2.1)."""
        self.buffered_bytes: int = 0
        """User data of all these chunks."""
        self._may_be_taken_back = MAX_TAKEN_BACK
        self._first_by_path: dict[Path, int] = NO_DICT
        """No chunk below this that was last sent there is unacknowledged: where to look for the earliest from."""

    def __len__(self) -> int:
        return self.highest - self.cumulative

    def __iter__(self) -> Iterator[OutstandingChunk]:
        """All of them, to look at: what befalls one of a run needs `single_out` first."""
        yield from self._chunks
        number = self.cumulative + len(self._chunks) + 1
        for record in self._records:
            for chunks in _parts_of(record, number):
                yield from chunks
                number += len(chunks)

    def find(self, number: int) -> OutstandingChunk | None:
        """None when it is acknowledged for good."""
        if number <= self.cumulative:
            return None
        self.single_out(number)
        return self._chunks[number - self.cumulative - 1]

    def is_acknowledged(self, number: int) -> bool:
        """By a Gap Ack Block, or for good."""
        index = number - self.cumulative - 1
        return index < 0 or (index < len(self._chunks) and self._chunks[index].state is ACKNOWLEDGED)

    def is_earliest_on_its_path(self, chunk: OutstandingChunk) -> bool:
        """Whether it is the lowest TSN last sent where it was that is not acknowledged (§6.1)."""
        return self.earliest_on(chunk.path) is chunk

    def earliest_on(self, path: Path) -> OutstandingChunk:
        """The lowest TSN last sent there that is neither acknowledged nor abandoned. There is one."""
        number = max(self._first_by_path[path], self.cumulative + 1)
        while True:
            self.single_out(number)
            chunk = self._chunks[number - self.cumulative - 1]
            if chunk.path is path and chunk.state is not ACKNOWLEDGED and chunk.state is not ABANDONED:
                break
            number += 1
        # The next look begins here: those behind it on other paths are not passed over once for each chunk of this one.
        self._first_by_path[path] = number
        return chunk

    def single_out(self, number: int) -> None:
        """Make a chunk of its own of each up to this number."""
        if self._chunks is NO_DEQUE:
            self._chunks = deque()
        cumulative, chunks, records = self.cumulative, self._chunks, self._records
        while (following := cumulative + len(chunks) + 1) <= number:
            record = records[0]
            if isinstance(record, SentRun):
                chunks.extend(record.chunks(record.take(number - following + 1), following))
            else:
                chunks.append(record)
            if not (isinstance(record, SentRun) and record.stretches):
                records.popleft()

    def check_invariants(self) -> None:
        """For tests and simulations: what runs have counted is what their chunks say."""
        number = self.cumulative + len(self._chunks) + 1
        for record in self._records:
            if isinstance(record, SentRun):
                record.check_invariants(number)
                number = record.first + len(record.messages)
            else:
                assert record.number == number
                number += 1
        assert number == self.highest + 1

    # -- a chunk's life --

    def append(self, chunk: OutstandingChunk) -> None:
        """Sent for the first time."""
        assert chunk.number == self.highest + 1
        self.highest = chunk.number
        if self._chunks is NO_DEQUE:
            self._chunks = deque()
        (self._records if self._records else self._chunks).append(chunk)
        path, payload_bytes = chunk.path, len(chunk.payload)
        self.buffered_bytes += payload_bytes
        self.flight_charge_bytes += payload_bytes if payload_bytes > MIN_CHARGE_BYTES else MIN_CHARGE_BYTES
        path.flight_bytes += chunk.size
        if self._first_by_path is NO_DICT:
            self._first_by_path = {}
        self._first_by_path.setdefault(path, chunk.number)

    def append_run(self, run: SentRun, size: int, charge_bytes: int, payload_bytes: int) -> None:
        """Sent for the first time: this many bytes with headers and padding, of the peer's window, of user data."""
        assert run.first == self.highest + 1
        self.highest += len(run.messages)
        if self._records is NO_DEQUE:
            self._records = deque()
        self._records.append(run)
        self.buffered_bytes += payload_bytes
        self.flight_charge_bytes += charge_bytes
        run.path.flight_bytes += size
        if self._first_by_path is NO_DICT:
            self._first_by_path = {}
        self._first_by_path.setdefault(run.path, run.first)

    def mark(self, chunk: OutstandingChunk) -> None:
        """For retransmission: it is in flight no more."""
        self._leave_flight(chunk)
        chunk.state = MARKED

    def resent(self, chunk: OutstandingChunk, path: Path, now: float) -> None:
        chunk.path = path
        chunk.sent_at_s = now
        chunk.misses = 0
        chunk.misses_from = self.highest
        self._enter_flight(chunk)

    def _enter_flight(self, chunk: OutstandingChunk) -> None:
        chunk.state = IN_FLIGHT
        path = chunk.path
        path.flight_bytes += chunk.size
        if self._first_by_path is NO_DICT:
            self._first_by_path = {}
        if chunk.number < self._first_by_path.setdefault(path, chunk.number):
            self._first_by_path[path] = chunk.number
        self.flight_charge_bytes += charge_of(len(chunk.payload))

    def _leave_flight(self, chunk: OutstandingChunk) -> None:
        chunk.path.flight_bytes -= chunk.size
        self.flight_charge_bytes -= charge_of(len(chunk.payload))

    # -- chunks that hold no user data any more --

    def abandon(self, chunk: OutstandingChunk) -> None:
        """It is not covered by the Cumulative TSN Ack Point."""
        if chunk.state is IN_FLIGHT:
            self._leave_flight(chunk)
        chunk.state = ABANDONED
        self._empty(chunk)

    def append_abandoned(self, chunk: OutstandingChunk) -> None:
        """A TSN for what is never sent."""
        assert chunk.number == self.highest + 1
        self.highest = chunk.number
        if self._chunks is NO_DEQUE:
            self._chunks = deque()
        (self._records if self._records else self._chunks).append(chunk)
        chunk.stream.emptied_chunks += 1

    def _empty(self, chunk: OutstandingChunk) -> None:
        payload_bytes = len(chunk.payload)
        if not payload_bytes:
            return
        chunk.payload = b""
        chunk.message = without_data(chunk.message)
        self.buffered_bytes -= payload_bytes
        stream = chunk.stream
        stream.emptied_chunks += 1
        stream.buffered_bytes -= payload_bytes
        if stream.above_mark_of is not None:
            stream.above_mark_of.released(stream, payload_bytes)

    def abandoned_from(self, number: int) -> Iterator[OutstandingChunk]:
        """The abandoned chunks that follow one another from this one on. Those before are abandoned too."""
        # By index, for this is asked with each message that is abandoned: a deque takes great steps over those before.
        index = number - self.cumulative - 1
        chunks, records = self._chunks, self._records
        while index < len(chunks) + len(records):
            chunk = chunks[index] if index < len(chunks) else records[index - len(chunks)]
            if isinstance(chunk, SentRun) or chunk.state is not ABANDONED:
                return
            yield chunk
            index += 1

    # -- acknowledgement --

    def acknowledge_finally(self, cumulative: int, gaps: list[Range], final: list[Range]) -> Acknowledged:
        """As `acknowledge`, when some chunks are acknowledged so that the peer can't take them back
        (draft-natarajan-tsvwg-sctp-nrsack): now, or before, whatever it says now."""
        before = clip(self.final, cumulative + 1)
        known = union(before, final)
        if len(known) > MAX_FINAL_RANGES:
            gaps, known = union(gaps, final), before
        if known and known[0][0] == cumulative + 1:
            # A peer that has them can't miss them: else nothing would be left for T3 to watch.
            cumulative = known.pop(0)[1]
        self.final = known
        acked = self.acknowledge(cumulative, [gap for gap in union(gaps, known) if gap[0] > cumulative + 1])
        for first, last in without(known, before):
            for number in range(first, last + 1):
                self._empty(self._chunks[number - cumulative - 1])
        return acked

    def acknowledge(self, cumulative: int, gaps: list[Range]) -> Acknowledged:
        """Take a SACK in. Work is linear in the chunks that change and in the ranges, not in what is outstanding.

        The gaps of a peer that has taken back too much are not believed until it acknowledges for good.
        """
        acked = Acknowledged(advanced=cumulative > self.cumulative)
        if self._may_be_taken_back < MAX_TAKEN_BACK:
            self._may_be_taken_back = min(MAX_TAKEN_BACK, self._may_be_taken_back + cumulative - self.cumulative)
        while self.cumulative < cumulative:
            if not self._chunks:
                self._acknowledge_in_order(cumulative, acked)
            else:
                self._acknowledge_first(acked)
        if self._may_be_taken_back <= 0:
            gaps = list(self.final)
        if gaps or self.gaps:
            self._acknowledge_by_gaps(gaps, acked)
        return acked

    def acknowledge_single(self, tsn: int) -> OutstandingChunk | None:
        """The short way of `acknowledge`, when one chunk is outstanding, which then no gap covers: the chunk, if it has
        this TSN. None, and nothing is changed, when `acknowledge` has to be asked."""
        chunks = self._chunks
        if (
            self.highest & TSN_MASK != tsn
            or not chunks
            or chunks[0].state is ABANDONED
            # What is acknowledged for good is set off against it.
            or self._may_be_taken_back < MAX_TAKEN_BACK
        ):
            return None
        chunk = chunks.popleft()
        chunk.state = ACKNOWLEDGED
        self.cumulative = self.highest
        path, stream, payload_bytes = chunk.path, chunk.stream, len(chunk.payload)
        path.flight_bytes = self.flight_charge_bytes = self.buffered_bytes = 0
        stream.buffered_bytes -= payload_bytes
        if stream.above_mark_of is not None:
            stream.above_mark_of.released(stream, payload_bytes)
        if chunk.is_ending and not chunk.header[1] & DATA_UNORDERED:
            stream.ordered_in_window -= 1
        return chunk

    def _acknowledge_by_gaps(self, gaps: list[Range], acked: Acknowledged) -> None:
        cumulative = self.cumulative
        if gaps:
            self.single_out(gaps[-1][1])
        before = clip(self.gaps, cumulative + 1)
        self.gaps = gaps
        for first, last in without(gaps, before):
            for number in range(first, last + 1):
                self._newly_acknowledged(self._chunks[number - cumulative - 1], acked)
        reneged: list[OutstandingChunk] = []
        for first, last in without(before, gaps):
            for number in range(first, last + 1):
                chunk = self._chunks[number - cumulative - 1]
                if chunk.state is not ABANDONED:
                    self._enter_flight(chunk)
                    reneged.append(chunk)
        acked.reneged = reneged
        self._may_be_taken_back -= len(reneged)

    def _acknowledge_in_order(self, cumulative: int, acked: Acknowledged) -> None:
        """The first record is acknowledged, as far as this number. A chunk that was sent alone is left singled out."""
        run = self._records[0]
        if not isinstance(run, SentRun):
            self.single_out(self.cumulative + 1)
            return
        number = self.cumulative
        size = charge_bytes = payload_bytes = 0
        while run.stretches and number < cumulative:
            count, (each_size, each_charge, each_payload, stream, ends_ordered) = run.take(cumulative - number)
            number += count
            size += count * each_size
            charge_bytes += count * each_charge
            payload_bytes += count * each_payload
            stream.buffered_bytes -= count * each_payload
            if stream.above_mark_of is not None:
                stream.above_mark_of.released(stream, count * each_payload)
            if ends_ordered:
                stream.ordered_in_window -= count
        acked.add_run(run.path, self.cumulative + 1, number, size, charge_bytes)
        self.cumulative = number
        self.buffered_bytes -= payload_bytes
        self.flight_charge_bytes -= charge_bytes
        run.path.flight_bytes -= size
        if not run.stretches:
            self._records.popleft()

    def _acknowledge_first(self, acked: Acknowledged) -> None:
        """The first chunk is acknowledged for good; with its last chunk, the message is."""
        chunk = self._chunks.popleft()
        self.cumulative += 1
        if chunk.state is not ACKNOWLEDGED:
            self._newly_acknowledged(chunk, acked)
        payload_bytes = len(chunk.payload)
        self.buffered_bytes -= payload_bytes
        stream = chunk.stream
        stream.buffered_bytes -= payload_bytes
        if not payload_bytes:
            stream.emptied_chunks -= 1
        if stream.above_mark_of is not None:
            stream.above_mark_of.released(stream, payload_bytes)
        if chunk.is_ending and not chunk.is_unordered:
            stream.ordered_in_window -= 1

    def _newly_acknowledged(self, chunk: OutstandingChunk, acked: Acknowledged) -> None:
        if chunk.state is IN_FLIGHT:
            self._leave_flight(chunk)
        elif chunk.state is ABANDONED:
            return  # RFC 3758 §3.5 A2: it was acknowledged when it was abandoned, without a word of the peer's
        chunk.state = ACKNOWLEDGED
        acked.add(chunk)

    def missing_up_to(self, limit: int) -> Iterator[OutstandingChunk]:
        """The chunks below this number that the last SACK did not acknowledge, in order. Such a number is singled out,
        or acknowledged for good."""
        first = self.cumulative + 1
        for start, end in (*self.gaps, (limit, limit)):
            for number in range(first, min(start, limit)):
                yield self._chunks[number - self.cumulative - 1]
            first = end + 1

    def give_back(self) -> None:
        """Let go of the room, while it is empty."""
        assert not self
        self._chunks = self._records = NO_DEQUE
        self._first_by_path = NO_DICT

    def skip_to(self, tsn: int) -> None:
        """RFC 6525 §5.2.7 H5: the next chunk has this TSN. Nothing is outstanding."""
        assert not self
        self.skipped_from = self.cumulative & TSN_MASK
        self.cumulative += tsn_distance(self.cumulative + 1, tsn)
        self.highest = self.cumulative
        self.give_back()

    def is_before_skip(self, tsn: int) -> bool:
        """Whether a Cumulative TSN Ack was sent before the TSNs were reset, and has come late."""
        return self.skipped_from is not None and tsn_distance(tsn, self.skipped_from) < TSN_HALF // 2

    def first_on(self, path: Path) -> int:
        """Below this number nothing last sent on the path is unacknowledged."""
        return self._first_by_path.get(path, self.highest + 1)

    def take_all(self) -> list[Outgoing]:
        """Empty it: the messages, each once, in order. What is abandoned, or can't be taken back, is done with."""
        messages: dict[int, Outgoing] = {}
        for chunk in self:
            if chunk.state is IN_FLIGHT:
                self._leave_flight(chunk)
            if chunk.message[0]:
                messages.setdefault(id(chunk.message), chunk.message)
        self.highest = self.cumulative
        self._chunks.clear()
        self._records.clear()
        self._first_by_path.clear()
        self.gaps = self.final = NO_LIST
        self.buffered_bytes = 0
        return list(messages.values())


def clip(ranges: Sequence[Range], first: int) -> list[Range]:
    """What of these sorted ranges is not below `first`."""
    below = 0
    while below < len(ranges) and ranges[below][1] < first:
        below += 1
    kept = list(islice(ranges, below, None))
    if kept and kept[0][0] < first:
        kept[0] = (first, kept[0][1])
    return kept


def _parts_of(record: SentRun | OutstandingChunk, number: int) -> Iterator[list[OutstandingChunk]]:
    """What `single_out` makes of it, part by part, from this number on."""
    if not isinstance(record, SentRun):
        yield [record]
        return
    for stretch in record.stretches:
        yield list(record.chunks(stretch, number))
        number += stretch[0]
