"""Chunks out of the middle of one message, as what they have in common.

Hundreds are in flight, and hardly one of them is ever looked at again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from itertools import repeat
from operator import add

from aiosctp.wire.chunks.data_format import DATA_HEADER_START, DataFormat
from aiosctp.wire.serial import FSN_MASK, TSN_MASK


class Fragments:
    """Consecutive fragments of one size, neither the first nor the last of their message, each alone in its packet.

    The size is a multiple of four: none needs padding.
    """

    __slots__ = ("_data", "_format", "_payload_bytes", "_start", "_tail", "_tsn", "count", "flags")

    def __init__(
        self,
        format: DataFormat,
        data: bytes,
        start: int,
        count: int,
        payload_bytes: int,
        flags: int,
        tsn: int,
        tail: tuple[int, int, int],
    ) -> None:
        """data: of the message, where the first fragment begins at `start`, with this TSN. tail: stream, message
        number, and the PPID or, where the format counts fragments, the FSN of the first."""
        self._format = format
        self._data = data
        self._start = start
        self.count: int = count
        self._payload_bytes = payload_bytes
        self.flags: int = flags
        self._tsn = tsn
        self._tail = tail

    def chunk(self, tsn: int) -> tuple[bytes, memoryview]:
        """The header and the user data of the one with this TSN."""
        index = tsn - self._tsn & TSN_MASK
        start = self._start + index * self._payload_bytes
        return self._header(tsn, index), memoryview(self._data)[start : start + self._payload_bytes]

    def chunks(self) -> list[tuple[bytes, memoryview]]:
        """Of each the header and the user data."""
        return [self.chunk(tsn & TSN_MASK) for tsn in range(self._tsn, self._tsn + self.count)]

    def encode(self) -> list[bytes]:
        """Each in one piece."""
        format, count = self._format, self.count
        stream, number, last = self._tail
        start = DATA_HEADER_START.pack(format.chunk_type, self.flags, format.header_bytes + self._payload_bytes)
        tsns: Iterable[int] = range(self._tsn, self._tsn + count)
        if self._tsn + count > TSN_MASK:
            tsns = [tsn & TSN_MASK for tsn in tsns]
        lasts: Iterable[int] = repeat(last)
        if format.counts_fragments:
            lasts = range(last, last + count)
            # RFC 8260 §2.1: "the FSN MAY wrap completely multiple times".
            if last + count > FSN_MASK:
                lasts = [fsn & FSN_MASK for fsn in lasts]
        headers = map(format.header_after_start.pack, repeat(start), tsns, repeat(stream), repeat(number), lasts)
        return list(map(add, headers, _cut(self._payload_bytes, count).unpack_from(self._data, self._start)))

    def take_last(self) -> tuple[bytes, memoryview]:
        """The header and the user data of the last one, which is no more one of these."""
        self.count -= 1
        return self.chunk(self._tsn + self.count & TSN_MASK)

    def _header(self, tsn: int, index: int) -> bytes:
        format = self._format
        stream, number, last = self._tail
        if format.counts_fragments:
            last = last + index & FSN_MASK
        length = format.header_bytes + self._payload_bytes
        return format.header.pack(format.chunk_type, self.flags, length, tsn, stream, number, last)


@lru_cache(maxsize=256)
def _cut(payload_bytes: int, count: int) -> struct.Struct:
    """What cuts so many equal parts in one call."""
    return struct.Struct(f"{payload_bytes}s" * count)
