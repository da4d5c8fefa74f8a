"""One DATA chunk outstanding, with all that may befall it."""

from __future__ import annotations

from enum import Enum, auto

from aiosctp.core.messages import Outgoing
from aiosctp.core.paths import Path
from aiosctp.core.tx.queue import OutgoingStream
from aiosctp.wire.chunks import DATA_UNORDERED


class ChunkState(Enum):
    IN_FLIGHT = auto()
    MARKED = auto()
    """Marked for retransmission."""
    ACKNOWLEDGED = auto()
    """By a Gap Ack Block, which the peer may take back (§6.2.1 D iii), or for good."""
    ABANDONED = auto()
    """With its message, for good (RFC 3758 §3.5)."""


IN_FLIGHT = ChunkState.IN_FLIGHT
MARKED = ChunkState.MARKED
ACKNOWLEDGED = ChunkState.ACKNOWLEDGED
ABANDONED = ChunkState.ABANDONED


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
        "retransmissions",
        "sent_at_s",
        "size",
        "state",
        "stream",
        "was_fast_retransmitted",
    )

    def __init__(
        self,
        number: int,
        message: Outgoing,
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
        """When it was."""
        self.is_ending = is_ending
        self.size = len(header) + len(payload) + 3 & ~3
        """With header and padding, as cwnd and flightsize count it (§7.2)."""
        self.state = IN_FLIGHT
        self.retransmissions = 0
        """While the peer had room for it."""
        self.misses = 0
        self.misses_from = number
        """Only what was sent after it can tell that it is missing: chunks with greater numbers than this."""
        self.was_fast_retransmitted = False
        """§7.2.4, 5: "ineligible for a subsequent Fast Retransmit"."""
        self.is_timed_out = False
        """Marked by T3, so that it goes to another path (§6.4); else by a Fast Retransmit."""

    @property
    def is_unordered(self) -> bool:
        return self.header[1] & DATA_UNORDERED != 0
