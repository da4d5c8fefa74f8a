"""Chunks first sent together: what is kept of them while nothing befalls one alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.paths import Path
from aiosctp.core.tx.chunk import OutstandingChunk
from aiosctp.core.tx.queue import OutgoingStream
from aiosctp.wire.chunks import DATA_ENDING

Parts: TypeAlias = list[bytes | memoryview]
"""The chunks of one packet: of each DATA chunk its header, its user data, and its padding if it needs any."""

Stretch: TypeAlias = tuple[int, int, int, int, OutgoingStream, int, Parts, int]
"""Consecutive chunks of one packet and one stream: how many; their bytes with headers and padding; what they take of
the peer's window; their user data; the stream; how many of them end an ordered message; their packet; where in it."""


class SentRun:
    """Consecutive TSNs first sent at one moment on one path, all of them in flight.

    Nearly all chunks are acknowledged in order, by the packet, and never need a state, a count of misses or a path of
    their own. So what is kept of one is what its packet was made of, and what an acknowledgement has to subtract is
    added up stretch by stretch.
    """

    __slots__ = ("first", "messages", "path", "sent_at_s", "stretches")

    def __init__(self, first: int, path: Path, now: float) -> None:
        self.first = first
        """The lowest number sent."""
        self.path = path
        self.sent_at_s = now
        self.messages: list[OutgoingMessage] = []
        """Of each chunk, from `first` on."""
        self.stretches: deque[Stretch] = deque()
        """What is not acknowledged."""

    def chunks(self, stretch: Stretch, number: int) -> Iterator[OutstandingChunk]:
        """The chunks of one of the stretches, of which this is the lowest number."""
        count, _, _, _, stream, _, packet, position = stretch
        for index in range(number - self.first, number - self.first + count):
            header, payload = bytes(packet[position]), packet[position + 1]
            position += 3 if len(payload) & 3 else 2
            is_ending = bool(header[1] & DATA_ENDING)
            number, message = self.first + index, self.messages[index]
            yield OutstandingChunk(
                number, message, stream, header, payload, self.path, self.sent_at_s, is_ending=is_ending
            )
