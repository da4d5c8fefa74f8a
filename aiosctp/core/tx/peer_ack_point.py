"""The Advanced.Peer.Ack.Point, and the FORWARD TSN that tells the peer of it (RFC 3758 §3.5; RFC 8260 §2.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiosctp.core.paths import Path
from aiosctp.wire.chunks import DATA_UNORDERED, DataFormat, ForwardTsn, IForwardTsn
from aiosctp.wire.serial import TSN_MASK

if TYPE_CHECKING:
    from aiosctp.core.tx.chunk import OutstandingChunk
    from aiosctp.core.tx.outstanding import Outstanding

_FIXED_BYTES: Final = 8  # the chunk header, and the New Cumulative TSN
_SKIPPED_BYTES: Final = 4  # a stream and a SSN
_I_SKIPPED_BYTES: Final = 8  # a stream, the U bit and a MID


class PeerAckPoint:
    """Where the peer's Cumulative TSN would be, had it heard of all that was abandoned."""

    __slots__ = (
        "_is_timed_out",
        "_repeat_is_due",
        "_sent_number",
        "_sent_on",
        "_skipped",
        "awaited_on",
        "awaited_since_s",
        "number",
        "sent_at_s",
    )

    def __init__(self) -> None:
        self.number: int = -1
        """The Advanced.Peer.Ack.Point, where it is beyond the Cumulative TSN Ack Point."""
        self._skipped: dict[tuple[int, bool], tuple[int, int]] = {}
        """Of each stream, and U bit: the largest SSN or MID abandoned, and in which chunk."""
        self._sent_number = -1
        self._sent_on: Path | None = None
        """Where the last FORWARD TSN went, until it is acknowledged."""
        self.awaited_on: Path | None = None
        """The same, while T3 runs for it there (C5)."""
        self.awaited_since_s: float = 0.0
        """When the first was sent there for which it does."""
        self.sent_at_s: float = 0.0
        self._repeat_is_due = False
        self._is_timed_out = False

    def is_due(self, cumulative: int) -> bool:
        """C3: whether a FORWARD TSN has to be sent."""
        return self.number > cumulative and (self.number > self._sent_number or self._repeat_is_due)

    def advance(self, outstanding: Outstanding, format: DataFormat, room: int) -> None:
        """C1, C2: "move "Advanced.Peer.Ack.Point" up as long as the chunk next in the out-queue space is marked as
        "abandoned"".

        C4: "If the total size of the FORWARD TSN does NOT fit in a single MTU, then [it] SHOULD lower the
        Advanced.Peer.Ack.Point to the last TSN that will fit": it gets no further than this room lets it. A message's
        chunks have one entry, and with DATA consecutive TSNs: what does not fit is the first chunk of one, so a FORWARD
        TSN ends with a message.
        """
        self.number = max(self.number, outstanding.cumulative)
        entry_bytes = _I_SKIPPED_BYTES if format.counts_fragments else _SKIPPED_BYTES
        most = (room - _FIXED_BYTES) // entry_bytes
        for chunk in outstanding.abandoned_from(self.number + 1):
            if not self._skip(chunk, format, outstanding.cumulative, most):
                break
            self.number = chunk.number

    def _skip(self, chunk: OutstandingChunk, format: DataFormat, cumulative: int, most: int) -> bool:
        """C4: "MUST include the stream and sequence number"; "only the highest abandoned ... is reported". False when
        there is no more room."""
        _, flags, _, _, stream, message_number, _ = format.header.unpack(chunk.header)
        is_unordered = bool(flags & DATA_UNORDERED)
        if is_unordered and not format.counts_fragments:
            return True
        key = stream, is_unordered
        if key not in self._skipped and len(self._skipped) >= most:
            self._forget_covered(cumulative)
            if len(self._skipped) >= most:
                return False
        self._skipped[key] = message_number, chunk.number
        return True

    def _forget_covered(self, cumulative: int) -> None:
        self._skipped = {key: skipped for key, skipped in self._skipped.items() if skipped[1] > cumulative}

    def take(self, cumulative: int, format: DataFormat, path: Path, now: float) -> bytes:
        """The chunk, sent now."""
        self._repeat_is_due = self._is_timed_out = False
        self._sent_number, self._sent_on, self.sent_at_s = self.number, path, now
        if path is not self.awaited_on:
            self.awaited_on, self.awaited_since_s = path, now
        self._forget_covered(cumulative)
        skipped = sorted((stream, unordered, number) for (stream, unordered), (number, _) in self._skipped.items())
        tsn = self.number & TSN_MASK
        if format.counts_fragments:
            return IForwardTsn(tsn, tuple(skipped)).encode()
        return ForwardTsn(tsn, tuple((stream, number) for stream, _, number in skipped)).encode()

    def path_to_repeat_from(self) -> Path | None:
        """Where it was lost, if T3 says so (§6.4)."""
        return self._sent_on if self._is_timed_out else None

    def repeat(self) -> None:
        self._repeat_is_due = True

    def stop(self) -> Path | None:
        """No more is sent. Returns the path on which T3 may run for the last one."""
        path, self.awaited_on = self.awaited_on, None
        return path

    def timed_out(self, path: Path) -> None:
        """T3 of this path has expired, or is stopped for another reason. A5: what was sent there goes again."""
        if path is self.awaited_on:
            self.awaited_on = None
            self._repeat_is_due = self._is_timed_out = True

    def acknowledged(self, cumulative: int) -> Path | None:
        """The path on which the FORWARD TSN went that this acknowledges, if it does."""
        if self._sent_number > cumulative or self._sent_on is None:
            return None
        path, self._sent_on, self.awaited_on = self._sent_on, None, None
        self._repeat_is_due = self._is_timed_out = False
        return path
