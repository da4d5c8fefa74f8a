"""The chunks outstanding: sent, and not covered by the Cumulative TSN Ack Point (§6.1, §6.2.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice

from aiosctp.core.charge import charge_of
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.paths import Path
from aiosctp.core.tx.gaps import Range, without
from aiosctp.core.tx.queue import OutgoingStream

# How many chunks a peer may take back beyond those it has acknowledged for good: as many as Gap Ack Blocks can name
# (§3.3.4), so that a whole window is believed to be lost once. Work is linear in what a SACK takes back; without a
# limit, small SACKs that give and take in turn would each cost a walk through all that is outstanding, for ever.
MAX_TAKEN_BACK = 0xFFFF


class ChunkState(Enum):
    IN_FLIGHT = auto()
    MARKED = auto()
    """Marked for retransmission."""
    ACKNOWLEDGED = auto()
    """By a Gap Ack Block, which the peer may take back (§6.2.1 D iii), or for good."""


IN_FLIGHT = ChunkState.IN_FLIGHT
MARKED = ChunkState.MARKED
ACKNOWLEDGED = ChunkState.ACKNOWLEDGED


class OutstandingChunk:
    """One DATA chunk. `number` is its TSN counted on beyond 2^32, so that plain comparison orders chunks."""

    __slots__ = (
        "header",
        "is_ending",
        "is_timed_out",
        "message",
        "misses",
        "misses_from",
        "number",
        "path",
        "payload",
        "sent_at_s",
        "size",
        "state",
        "stream",
        "was_fast_retransmitted",
    )

    def __init__(
        self,
        number: int,
        message: OutgoingMessage,
        stream: OutgoingStream,
        header: bytes,
        payload: bytes | memoryview,
        path: Path,
        now: float,
        *,
        is_ending: bool,
    ) -> None:
        self.number = number
        self.message = message
        self.stream = stream
        self.header = header
        self.payload = payload
        self.path = path
        """Where it was last sent."""
        self.sent_at_s = now
        self.is_ending = is_ending
        self.size = len(header) + len(payload) + 3 & ~3
        """With header and padding, as cwnd and flightsize count it (§7.2)."""
        self.state = IN_FLIGHT
        self.misses = 0
        self.misses_from = number
        """Only what was sent after it can tell that it is missing: chunks with greater numbers than this."""
        self.was_fast_retransmitted = False
        """§7.2.4, 5: "ineligible for a subsequent Fast Retransmit"."""
        self.is_timed_out = False
        """Marked by T3, so that it goes to another path (§6.4); else by a Fast Retransmit."""


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
    reneged: list[OutstandingChunk] = field(default_factory=list)

    def add(self, chunk: OutstandingChunk) -> None:
        """In increasing order of numbers."""
        path = chunk.path
        self.bytes_by_path[path] = self.bytes_by_path.get(path, 0) + chunk.size
        self.lowest_by_path.setdefault(path, chunk.number)
        self.charge_bytes += charge_of(len(chunk.payload))
        self.highest = chunk.number


class Outstanding:
    """Chunks by number, what of them is in flight, and what Gap Ack Blocks cover.

    `Path.flight_bytes` and `flight_charge_bytes` follow every change of a chunk's state made here.
    """

    __slots__ = (
        "_chunks",
        "_first_by_path",
        "_may_be_taken_back",
        "buffered_bytes",
        "cumulative",
        "flight_charge_bytes",
        "gaps",
    )

    def __init__(self, cumulative: int) -> None:
        self.cumulative = cumulative
        """The Cumulative TSN Ack Point, as a number."""
        self._chunks: deque[OutstandingChunk] = deque()
        self.gaps: list[Range] = []
        """Above the Cumulative TSN Ack Point, acknowledged by the last SACK: sorted, disjoint."""
        self.flight_charge_bytes = 0
        """What the peer's window has still to take of what is in flight (§6.2.1)."""
        self.buffered_bytes = 0
        """User data of all these chunks."""
        self._may_be_taken_back = MAX_TAKEN_BACK
        self._first_by_path: dict[Path, int] = {}
        """No chunk below this that was last sent there is unacknowledged: where to look for the earliest from."""

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[OutstandingChunk]:
        return iter(self._chunks)

    @property
    def highest(self) -> int:
        """The highest number ever sent."""
        return self.cumulative + len(self._chunks)

    def find(self, number: int) -> OutstandingChunk | None:
        """None when it is acknowledged for good."""
        index = number - self.cumulative - 1
        return self._chunks[index] if index >= 0 else None

    def is_earliest_on_its_path(self, chunk: OutstandingChunk) -> bool:
        """Whether it is the lowest TSN last sent where it was that is not acknowledged (§6.1)."""
        path = chunk.path
        number = max(self._first_by_path[path], self.cumulative + 1)
        while (other := self._chunks[number - self.cumulative - 1]).path is not path or other.state is ACKNOWLEDGED:
            number += 1
        # The next look begins here: those behind it on other paths are not passed over once for each chunk of this one.
        self._first_by_path[path] = number
        return other is chunk

    # -- a chunk's life --

    def append(self, chunk: OutstandingChunk) -> None:
        """Sent for the first time."""
        assert chunk.number == self.highest + 1
        self._chunks.append(chunk)
        self.buffered_bytes += len(chunk.payload)
        self._enter_flight(chunk)

    def mark(self, chunk: OutstandingChunk) -> None:
        """For retransmission: it is in flight no more."""
        self._leave_flight(chunk)
        chunk.state = MARKED

    def resent(self, chunk: OutstandingChunk, path: Path) -> None:
        chunk.path = path
        chunk.misses = 0
        chunk.misses_from = self.highest
        self._enter_flight(chunk)

    def _enter_flight(self, chunk: OutstandingChunk) -> None:
        chunk.state = IN_FLIGHT
        path = chunk.path
        path.flight_bytes += chunk.size
        if chunk.number < self._first_by_path.setdefault(path, chunk.number):
            self._first_by_path[path] = chunk.number
        self.flight_charge_bytes += charge_of(len(chunk.payload))

    def _leave_flight(self, chunk: OutstandingChunk) -> None:
        chunk.path.flight_bytes -= chunk.size
        self.flight_charge_bytes -= charge_of(len(chunk.payload))

    # -- acknowledgement --

    def acknowledge(self, cumulative: int, gaps: list[Range]) -> Acknowledged:
        """Take a SACK in. Work is linear in the chunks that change and in the ranges, not in what is outstanding.

        The gaps of a peer that has taken back too much are not believed until it acknowledges for good.
        """
        acked = Acknowledged(advanced=cumulative > self.cumulative)
        self._may_be_taken_back = min(MAX_TAKEN_BACK, self._may_be_taken_back + cumulative - self.cumulative)
        while self.cumulative < cumulative:
            self._acknowledge_first(acked)
        if self._may_be_taken_back <= 0:
            gaps = []
        before = clip(self.gaps, cumulative + 1)
        self.gaps = gaps
        for first, last in without(gaps, before):
            for number in range(first, last + 1):
                self._newly_acknowledged(self._chunks[number - cumulative - 1], acked)
        for first, last in without(before, gaps):
            for number in range(first, last + 1):
                chunk = self._chunks[number - cumulative - 1]
                self._enter_flight(chunk)
                acked.reneged.append(chunk)
        self._may_be_taken_back -= len(acked.reneged)
        return acked

    def _acknowledge_first(self, acked: Acknowledged) -> None:
        """The first chunk is acknowledged for good; with its last chunk, the message is."""
        chunk = self._chunks.popleft()
        self.cumulative += 1
        if chunk.state is not ACKNOWLEDGED:
            self._newly_acknowledged(chunk, acked)
        payload_bytes = len(chunk.payload)
        self.buffered_bytes -= payload_bytes
        chunk.stream.buffered_bytes -= payload_bytes
        if chunk.is_ending and not chunk.message.unordered:
            chunk.stream.ordered_in_window -= 1

    def _newly_acknowledged(self, chunk: OutstandingChunk, acked: Acknowledged) -> None:
        if chunk.state is IN_FLIGHT:
            self._leave_flight(chunk)
        chunk.state = ACKNOWLEDGED
        acked.add(chunk)

    def missing_up_to(self, limit: int) -> Iterator[OutstandingChunk]:
        """The chunks below this number that the last SACK did not acknowledge, in order."""
        first = self.cumulative + 1
        for start, end in (*self.gaps, (limit, limit)):
            for number in range(first, min(start, limit)):
                yield self._chunks[number - self.cumulative - 1]
            first = end + 1

    def first_on(self, path: Path) -> int:
        """Below this number nothing last sent on the path is unacknowledged."""
        return self._first_by_path.get(path, self.highest + 1)

    def take_all(self) -> list[OutgoingMessage]:
        """Empty it: the messages, each once, in order."""
        messages: list[OutgoingMessage] = []
        for chunk in self._chunks:
            if chunk.state is IN_FLIGHT:
                self._leave_flight(chunk)
            if not messages or messages[-1] is not chunk.message:
                messages.append(chunk.message)
        self._chunks.clear()
        self._first_by_path.clear()
        self.gaps = []
        self.buffered_bytes = 0
        return messages


def clip(ranges: Sequence[Range], first: int) -> list[Range]:
    """What of these sorted ranges is not below `first`."""
    below = 0
    while below < len(ranges) and ranges[below][1] < first:
        below += 1
    kept = list(islice(ranges, below, None))
    if kept and kept[0][0] < first:
        kept[0] = (first, kept[0][1])
    return kept
