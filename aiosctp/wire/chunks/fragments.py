"""DATA chunks out of the middle of one message, as what they have in common.

Hundreds are in flight, and hardly one of them is ever looked at again.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from aiosctp.wire.chunks.data import DATA_HEADER
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.serial import TSN_MASK

_DATA: Final = ChunkType.DATA.value
_PACK: Final = DATA_HEADER.pack


class Fragments:
    """Consecutive fragments of one size, neither the first nor the last of their message, each alone in its packet.

    The size is a multiple of four: none needs padding.
    """

    __slots__ = ("_data", "_payload_bytes", "_start", "_tail", "_tsn", "count", "flags")

    def __init__(
        self, data: bytes, start: int, count: int, payload_bytes: int, flags: int, tsn: int, tail: tuple[int, int, int]
    ) -> None:
        """data: of the message, where the first fragment begins at `start`, with this TSN. tail: stream, SSN, PPID."""
        self._data = data
        self._start = start
        self.count = count
        self._payload_bytes = payload_bytes
        self.flags = flags
        self._tsn = tsn
        self._tail = tail

    def chunk(self, tsn: int) -> tuple[bytes, memoryview]:
        """The header and the user data of the one with this TSN."""
        start = self._start + (tsn - self._tsn & TSN_MASK) * self._payload_bytes
        return self._header(tsn), memoryview(self._data)[start : start + self._payload_bytes]

    def chunks(self) -> list[tuple[bytes, memoryview]]:
        """Of each the header and the user data."""
        return [self.chunk(tsn & TSN_MASK) for tsn in range(self._tsn, self._tsn + self.count)]

    def encode(self) -> list[bytes]:
        """Each in one piece."""
        flags, length = self.flags, DATA_HEADER.size + self._payload_bytes
        stream, ssn, ppid = self._tail
        payloads = _cut(self._payload_bytes, self.count).unpack_from(self._data, self._start)
        return [
            _PACK(_DATA, flags, length, tsn & TSN_MASK, stream, ssn, ppid) + payload
            for tsn, payload in enumerate(payloads, self._tsn)
        ]

    def take_last(self) -> tuple[bytes, memoryview]:
        """The header and the user data of the last one, which is no more one of these."""
        self.count -= 1
        return self.chunk(self._tsn + self.count & TSN_MASK)

    def _header(self, tsn: int) -> bytes:
        return _PACK(_DATA, self.flags, DATA_HEADER.size + self._payload_bytes, tsn, *self._tail)


@lru_cache(maxsize=256)
def _cut(payload_bytes: int, count: int) -> struct.Struct:
    """What cuts so many equal parts in one call."""
    return struct.Struct(f"{payload_bytes}s" * count)
