"""User messages on their way in and out."""

from __future__ import annotations

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


class OutgoingMessage(NamedTuple):
    """A message the user gave us."""

    data: bytes
    stream: int
    ppid: int = 0
    unordered: bool = False
    context: int = 0
    """Comes back in SendFailed."""
    sack_immediately: bool = False
    """§6.1: set the I bit on the last chunk."""


Outgoing: TypeAlias = tuple[bytes, int, int, bool, int, bool]
"""An `OutgoingMessage` as the sending side keeps it: without its names it is made ten times as fast, and taken apart at
once. How far the one is that is being cut, the queue knows."""
