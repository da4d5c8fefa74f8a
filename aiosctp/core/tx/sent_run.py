"""Chunks first sent together: what is kept of them while nothing befalls one alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from aiosctp.core.charge import charge_of
from aiosctp.core.messages import Outgoing
from aiosctp.core.paths import Path
from aiosctp.core.tx.chunk import OutstandingChunk
from aiosctp.core.tx.queue import OutgoingStream
from aiosctp.wire.chunks import DATA_ENDING, Fragments
from aiosctp.wire.serial import TSN_MASK

Parts: TypeAlias = list[bytes | memoryview]
"""The chunks of one packet: of each DATA chunk its header, its user data, and its padding if it needs any."""

Kind: TypeAlias = tuple[int, int, int, OutgoingStream, bool]
"""What chunks have in common: the bytes of each with header and padding; what it takes of the peer's window; its user
data; the stream; whether it ends an ordered message."""

Stretch: TypeAlias = tuple[int, Kind]
"""So many consecutive chunks of a kind."""


class SentRun:
    """Consecutive TSNs first sent at one moment on one path, all of them in flight.

    Nearly all chunks are acknowledged in order, and never need a state, a count of misses or a path of their own. So
    each is kept as what it was made of, and what an acknowledgement has to subtract is counted stretch by stretch.
    """

    __slots__ = ("first", "headers", "messages", "path", "payloads", "sent_at_s", "stretches")

    def __init__(self, first: int, path: Path, now: float) -> None:
        self.first: int = first
        """The lowest number sent."""
        self.path: Path = path
        self.sent_at_s: float = now
        self.headers: list[bytes | Fragments] = []
        self.payloads: list[bytes | memoryview] = []
        self.messages: list[Outgoing] = []
        """These three of each chunk, from `first` on, until all are acknowledged: a run is no more than 256 KiB. One of
        `Fragments` has those in the place of its header, and all the user data of its message."""
        self.stretches: deque[Stretch] = deque()
        """What is not acknowledged."""

    def add(self, count: int, kind: Kind) -> None:
        """So many more were sent."""
        stretches = self.stretches
        if stretches and stretches[-1][1] == kind:
            count += stretches.pop()[0]
        stretches.append((count, kind))

    def take(self, most: int) -> Stretch:
        """The first of what is not acknowledged, so many chunks of a kind at most; it is no more in here."""
        count, kind = self.stretches[0]
        if count <= most:
            return self.stretches.popleft()
        self.stretches[0] = (count - most, kind)
        return most, kind

    def chunks(self, stretch: Stretch, number: int) -> Iterator[OutstandingChunk]:
        """The chunks of one of the stretches, of which this is the lowest number."""
        count, (_, _, _, stream, _) = stretch
        for index in range(number - self.first, number - self.first + count):
            header, payload = self.headers[index], self.payloads[index]
            if isinstance(header, Fragments):
                header, payload = header.chunk(self.first + index & TSN_MASK)
            yield OutstandingChunk(
                self.first + index,
                self.messages[index],
                stream,
                header,
                payload,
                self.path,
                self.sent_at_s,
                is_ending=bool(header[1] & DATA_ENDING),
            )

    def check_invariants(self, number: int) -> None:
        """For tests and simulations: each chunk, of which this is the lowest number, is what its stretch says."""
        for stretch in self.stretches:
            count, (size, charge_bytes, payload_bytes, stream, ends_ordered) = stretch
            for chunk in self.chunks(stretch, number):
                assert chunk.size == size
                assert charge_of(len(chunk.payload)) == charge_bytes
                assert len(chunk.payload) == payload_bytes
                _, number_of_stream, _, unordered, _, _, _ = chunk.message
                assert stream.number == number_of_stream
                assert ends_ordered == (chunk.is_ending and not unordered)
            number += count
        assert number == self.first + len(self.messages)
