"""User messages on their way in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Message(NamedTuple):
    """A message received, or a part of one (RFC 6458 §5.3.5).

    data: the bytes the peer sent.
    stream: the number of its stream. ppid: 32 bits of the peer's application, in which SCTP sees nothing.
    unordered: whether it was sent to be delivered at once.
    ssn: its Stream Sequence Number, modulo 2^16; of an unordered one it means nothing.
    tsn: the TSN of the first chunk of the message, in all its parts.
    cumulative_tsn: the association's when this was delivered.
    end_of_record: False on every part but the last.
    """

    data: bytes
    stream: int
    ppid: int
    unordered: bool
    ssn: int
    tsn: int
    cumulative_tsn: int
    end_of_record: bool = True


@dataclass(slots=True, eq=False)
class OutgoingMessage:
    """A message the user gave us, until all of it is acknowledged."""

    data: bytes
    stream: int
    ppid: int = 0
    unordered: bool = False
    context: int = 0
    """Comes back in SendFailed."""
    sack_immediately: bool = False
    """§6.1: set the I bit on the last chunk."""
    ssn: int = 0
    """Assigned when the first fragment is made."""
    sent_bytes: int = 0
    """How much of it has been cut into chunks and sent at least once."""

    @property
    def was_sent(self) -> bool:
        return self.sent_bytes > 0
