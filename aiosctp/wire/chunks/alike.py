"""DATA or I-DATA chunks of a packet that differ in TSN, message number, PPID and user data alone: small messages of one
stream.

They are read column by column, each in one call.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, overload

from aiosctp.wire.chunks.data_format import DataFields, DataFormat

# What reads the columns takes 192 bytes a chunk, and is kept: peers whose packets are all of other sizes make us keep
# 3 MiB at most. A packet of 64 KiB has fewer chunks than this if they have 64 bytes of data.
_MOST_CHUNKS: Final = 1024
_KEPT: Final = 16


class AlikeChunks(Sequence[DataFields]):
    """What is the same in all of them, and a column of each of the rest."""

    __slots__ = ("flags", "length", "numbers", "payloads", "ppids", "stream", "tsns", "type")

    def __init__(self, type: int, flags: int, length: int, stream: int, fields: tuple[Any, ...]) -> None:
        self.type: int = type
        self.flags: int = flags
        self.length: int = length
        self.stream: int = stream
        self.tsns: tuple[int, ...] = fields[1::6]
        self.numbers: tuple[int, ...] = fields[3::6]
        self.ppids: tuple[int, ...] = fields[4::6]
        """FSNs, if they are I-DATA that begin no message."""
        self.payloads: tuple[bytes, ...] = fields[5::6]

    def __len__(self) -> int:
        return len(self.tsns)

    def __iter__(self) -> Iterator[DataFields]:
        for tsn, number, ppid, payload in zip(self.tsns, self.numbers, self.ppids, self.payloads, strict=True):
            yield self.type, self.flags, self.length, tsn, self.stream, number, ppid, payload

    @overload
    def __getitem__(self, index: int) -> DataFields: ...
    @overload
    def __getitem__(self, index: slice) -> list[DataFields]: ...
    def __getitem__(self, index: int | slice) -> DataFields | list[DataFields]:
        if isinstance(index, slice):
            return list(self)[index]
        # Alone: who takes fragments asks for one after the other.
        fields = self.tsns[index], self.stream, self.numbers[index], self.ppids[index], self.payloads[index]
        return self.type, self.flags, self.length, *fields


def decode_alike(datagrams: bytes, at: int, end: int, first: tuple[int, ...], format: DataFormat) -> AlikeChunks | None:
    """The chunks from here to the end, each of the first one's size with its padding; None unless all are alike, and
    not too many.

    first: its header's values.
    """
    type, flags, length, _, stream, _, _ = first
    size = length + 3 & ~3
    count = (end - at) // size
    if count > _MOST_CHUNKS:
        return None
    if datagrams[at + size + 8 : at + size + 10] != datagrams[at + 8 : at + 10]:
        return None  # on another stream, as the second tells at once where streams take turns
    fields = _fields(format, length, count).unpack_from(datagrams, at)
    starts, streams = fields[0::6], fields[2::6]
    if starts.count(starts[0]) != count or streams.count(stream) != count:
        return None
    return AlikeChunks(type, flags, length, stream, fields)


@lru_cache(maxsize=_KEPT)
def _fields(format: DataFormat, length: int, count: int) -> struct.Struct:
    """So many chunks of this length. Of each, type, flags and length are one number."""
    fields = format.fields.format.removeprefix("!")
    return struct.Struct("!" + f"L{fields}{length - format.header_bytes}s{-length & 3}x" * count)
