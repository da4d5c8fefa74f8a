"""Decisions taken off bytes, so that a fuzzer that changes bytes changes decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Reader:
    """Reads front to back: what comes first is changed least by what comes later. Past the end every byte is 0."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_empty(self) -> bool:
        return self._position >= len(self._data)

    def byte(self) -> int:
        position = self._position
        self._position = position + 1
        return self._data[position] if position < len(self._data) else 0

    def uint16(self) -> int:
        return self.byte() << 8 | self.byte()

    def uint32(self) -> int:
        return self.uint16() << 16 | self.uint16()

    def offset(self) -> int:
        """-128 to 127."""
        value = self.byte()
        return value - 256 if value >= 128 else value

    def flag(self) -> bool:
        return bool(self.byte() & 1)

    def choose(self, options: Sequence[T]) -> T:
        """At most 256 options; to weight one, name it more than once."""
        return options[self.byte() % len(options)]

    def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        start = self._position
        self._position = start + size
        return self._data[start : start + size]

    def rest(self) -> bytes:
        return self.take(len(self._data))
