"""§8.4: what to answer to a packet that belongs to no association. Pure: it decides, the stack sends."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import Abort, Chunk, CookieAck, Error, ShutdownAck, ShutdownComplete
from aiosctp.wire.errors import DecodeError


class Answer(Enum):
    NOTHING = auto()
    SHUTDOWN_COMPLETE = auto()
    """With the tag reflected (5)."""
    ABORT = auto()
    """With the tag reflected (8)."""


def classify(chunks: Iterable[Chunk | DecodeError]) -> Answer:
    """Rules 2 and 5 to 8, in the RFC's order, over the whole chunks of the packet.

    Rules 1, 3 and 4 (addresses, INIT, COOKIE ECHO) have been applied before. A packet of which no chunk is whole is
    not "correctly formed" and gets no answer.
    """
    whole = [chunk for chunk in chunks if not isinstance(chunk, DecodeError)]
    if not whole or any(isinstance(chunk, Abort) for chunk in whole):
        return Answer.NOTHING
    if any(isinstance(chunk, ShutdownAck) for chunk in whole):
        return Answer.SHUTDOWN_COMPLETE
    if any(isinstance(chunk, ShutdownComplete | CookieAck) for chunk in whole):
        return Answer.NOTHING
    if any(isinstance(chunk, Error) and _is_stale_cookie(chunk) for chunk in whole):
        return Answer.NOTHING
    return Answer.ABORT


def _is_stale_cookie(chunk: Error) -> bool:
    return any(isinstance(cause, StaleCookie) for cause in chunk.causes)
