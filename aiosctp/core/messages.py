"""User messages on their way in and out."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, TypeAlias


class Message(NamedTuple):
    """A message received, or a part of one (RFC 6458 §5.3.5).

    data: the bytes the peer sent. Empty where the stream was reset (RFC 6525): no message is.
    stream: the number of its stream. ppid: 32 bits of the peer's application, in which SCTP sees nothing.
    unordered: whether it was sent to be delivered at once.
    ssn: its Stream Sequence Number, modulo 2^16; of an unordered one it means nothing. Where the peer sends I-DATA, its
      Message Identifier, modulo 2^32: ordered and unordered ones of a stream are counted apart (RFC 8260 §2.1).
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


class Terms:
    """Until when a message is worth sending (RFC 3758, RFC 7496), with at most one of three, and where it is to go. A
    message without terms is reliable, and goes where any data goes, as nearly every one does. Each message has terms of
    its own."""

    __slots__ = ("address", "buffer_priority", "expires_at_s", "is_abandoned", "max_retransmits")

    def __init__(
        self,
        *,
        expires_at_s: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
        address: str | None = None,
    ) -> None:
        self.expires_at_s: float | None = expires_at_s
        """RFC 3758 §4.1: after this it is not sent, or sent again."""
        self.max_retransmits: int | None = max_retransmits
        """RFC 7496 §3.1: no chunk of it is sent again more often."""
        self.buffer_priority: int | None = buffer_priority
        """RFC 7496 §3.2: who needs its room, and has a lower number, takes it."""
        self.address: str | None = address
        """Of the peer, for the first transmission, whichever is primary, while it is ACTIVE (§6.4)."""
        self.is_abandoned: bool = False
        """It is not sent, nor any more of it, and no longer kept."""


class Record:
    """A message that is given to `send` part by part (RFC 6458 §8.1.26). Only the last part ends it; it is reliable."""

    __slots__ = ("held_in", "is_placed", "ppid", "size_bytes", "unordered", "waiting")

    def __init__(self, ppid: int = 0, unordered: bool = False) -> None:
        self.ppid: int = ppid
        self.unordered: bool = unordered
        self.size_bytes: int = 0
        """Of all parts given so far."""
        self.held_in: object | None = None
        """What holds its parts back until a reset is answered (RFC 6525), as it does those to come."""
        self.waiting: deque[Outgoing] = deque()
        """With DATA: its parts that are not sent whole."""
        self.is_placed: bool = False
        """With DATA: the scheduler holds something that stands for them."""


class Part(Terms):
    """What a message has in the place of its terms that is a part of a record. Each part has one of its own."""

    __slots__ = ("is_last", "record")

    def __init__(self, record: Record, *, is_last: bool, address: str | None = None) -> None:
        super().__init__(address=address)
        self.record: Record = record
        self.is_last: bool = is_last


class OutgoingMessage(NamedTuple):
    """A message the user gave us, or a part of one."""

    data: bytes
    stream: int
    ppid: int = 0
    unordered: bool = False
    context: int = 0
    """Comes back in SendFailed."""
    sack_immediately: bool = False
    """§6.1: set the I bit on the last chunk."""
    terms: Terms | None = None


Outgoing: TypeAlias = tuple[bytes, int, int, bool, int, bool, Terms | None]
"""An `OutgoingMessage` as the sending side keeps it: without its names it is made ten times as fast, and taken apart at
once. How far the one is that is being cut, the queue knows."""


def without_data(message: Outgoing) -> Outgoing:
    """What is left of a message that nobody needs any more."""
    _, stream, ppid, unordered, context, sack_immediately, _ = message
    return b"", stream, ppid, unordered, context, sack_immediately, None


def is_abandoned(message: Outgoing) -> bool:
    terms = message[6]
    return terms is not None and terms.is_abandoned
