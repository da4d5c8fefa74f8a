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
        self.number: int = number
        self.message: Outgoing = message
        self.stream: OutgoingStream = stream
        self.header: bytes = header
        self.payload: bytes | memoryview = payload
        self.path: Path = path
        """Where it was last sent."""
        self.sent_at_s: float = now
        """When it was."""
        self.is_ending: bool = is_ending
        self.size: int = len(header) + len(payload) + 3 & ~3
        """With header and padding, as cwnd and flightsize count it (§7.2)."""
        self.state: ChunkState = IN_FLIGHT
        self.retransmissions: int = 0
        """While the peer had room for it."""
        self.misses: int = 0
        self.misses_from: int = number
        """Only what was sent after it can tell that it is missing: chunks with greater numbers than this."""
        self.was_fast_retransmitted: bool = False
        """§7.2.4, 5: "ineligible for a subsequent Fast Retransmit"."""
        self.is_timed_out: bool = False
        """Marked by T3, so that it goes to another path (§6.4); else by a Fast Retransmit."""

    @property
    def is_unordered(self) -> bool:
        return self.header[1] & DATA_UNORDERED != 0
