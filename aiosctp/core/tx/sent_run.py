"""Chunks first sent together: what is kept of them while nothing befalls one alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.paths import Path
from aiosctp.core.tx.chunk import OutstandingChunk
from aiosctp.core.tx.queue import OutgoingStream
from aiosctp.wire.chunks import DATA_ENDING

Stretch: TypeAlias = tuple[int, int, int, int, OutgoingStream, int]
"""Consecutive chunks of one packet and one stream: how many; their bytes with headers and padding; what they take of
the peer's window; their user data; the stream; how many of them end an ordered message."""


class SentRun:
    """Consecutive TSNs first sent at one moment on one path, all of them in flight.

    Most chunks are acknowledged in order by the packet, and never need a state, a count of misses or a path of their
    own. So each is three entries in lists, and what an acknowledgement has to subtract is added up stretch by stretch.
    """

    __slots__ = ("first", "headers", "messages", "path", "payloads", "sent_at_s", "stretches", "taken")

    def __init__(self, first: int, path: Path, now: float) -> None:
        self.first = first
        """The lowest number in the lists."""
        self.path = path
        self.sent_at_s = now
        self.headers: list[bytes] = []
        self.payloads: list[bytes | memoryview] = []
        self.messages: list[OutgoingMessage] = []
        self.stretches: list[Stretch] = []
        self.taken = 0
        """How many of the stretches are acknowledged."""

    def chunks(self) -> Iterator[OutstandingChunk]:
        """Those not acknowledged, each as an object."""
        index = sum(stretch[0] for stretch in self.stretches[: self.taken])
        for count, _, _, _, stream, _ in self.stretches[self.taken :]:
            for _ in range(count):
                header = self.headers[index]
                yield OutstandingChunk(
                    self.first + index,
                    self.messages[index],
                    stream,
                    header,
                    self.payloads[index],
                    self.path,
                    self.sent_at_s,
                    is_ending=bool(header[1] & DATA_ENDING),
                )
                index += 1
