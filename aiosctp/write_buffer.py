"""What was written to a byte stream and is not yet with the engine: bytes in, messages out."""

from __future__ import annotations

from collections import deque
from typing import Final

MESSAGE_BYTES: Final = 64 * 1024
"""The largest message that bytes are sent in: small beside the window and the send buffers, which all streams share,
and so large that the cost of a message is lost in that of its packets."""


class WriteBuffer:
    """Small pieces are joined into one message, large ones are cut; no byte is copied more than once.

    Unbounded, as the buffer of every asyncio transport is: `pause_writing` tells the program to stop.
    """

    __slots__ = ("_pieces", "_taken_of_first", "size_bytes")

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._taken_of_first = 0
        self.size_bytes: int = 0

    def append(self, data: bytes) -> None:
        self._pieces.append(data)
        self.size_bytes += len(data)

    def take(self, most_bytes: int) -> bytes:
        """The next message; there must be something."""
        pieces = self._pieces
        if self._taken_of_first or len(pieces[0]) > most_bytes:
            message = self._cut(most_bytes)
        else:
            message = pieces.popleft()
            if pieces and len(message) + len(pieces[0]) <= most_bytes:
                message = self._joined_to(message, most_bytes)
        self.size_bytes -= len(message)
        return message

    def _cut(self, most_bytes: int) -> bytes:
        first, start = self._pieces[0], self._taken_of_first
        end = start + most_bytes
        if end < len(first):
            self._taken_of_first = end
        else:
            self._taken_of_first = 0
            self._pieces.popleft()
        return first[start:end]

    def _joined_to(self, first: bytes, most_bytes: int) -> bytes:
        joined, size = [first], len(first)
        while self._pieces and size + len(self._pieces[0]) <= most_bytes:
            joined.append(self._pieces.popleft())
            size += len(joined[-1])
        return b"".join(joined)

    def clear(self) -> None:
        self._pieces.clear()
        self._taken_of_first = self.size_bytes = 0
