"""DATA chunks of a packet that differ in TSN, SSN, PPID and user data alone: small messages of one stream.

They are read column by column, each in one call.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias, overload

from aiosctp.wire.chunks.data import DATA_HEADER
from aiosctp.wire.codepoints import ChunkType

DataFields: TypeAlias = tuple[int, int, int, int, int, int, int, bytes]
"""A DATA chunk as a plain tuple: type, flags, length, TSN, stream, SSN, PPID, and the user data, at least one byte."""

_DATA: Final = ChunkType.DATA.value

# What reads the columns takes 192 bytes a chunk, and is kept: peers whose packets are all of other sizes make us keep
# 3 MiB at most. A packet of 64 KiB has fewer chunks than this if they have 64 bytes of data.
_MOST_CHUNKS: Final = 1024
_KEPT: Final = 16


class AlikeChunks(Sequence[DataFields]):
    """What is the same in all of them, and a column of each of the rest."""

    __slots__ = ("flags", "length", "payloads", "ppids", "ssns", "stream", "tsns")

    def __init__(self, flags: int, length: int, stream: int, fields: tuple[Any, ...]) -> None:
        self.flags = flags
        self.length = length
        self.stream = stream
        self.tsns: tuple[int, ...] = fields[1::6]
        self.ssns: tuple[int, ...] = fields[3::6]
        self.ppids: tuple[int, ...] = fields[4::6]
        self.payloads: tuple[bytes, ...] = fields[5::6]

    def __len__(self) -> int:
        return len(self.tsns)

    def __iter__(self) -> Iterator[DataFields]:
        for tsn, ssn, ppid, payload in zip(self.tsns, self.ssns, self.ppids, self.payloads, strict=True):
            yield _DATA, self.flags, self.length, tsn, self.stream, ssn, ppid, payload

    @overload
    def __getitem__(self, index: int) -> DataFields: ...
    @overload
    def __getitem__(self, index: slice) -> list[DataFields]: ...
    def __getitem__(self, index: int | slice) -> DataFields | list[DataFields]:
        if isinstance(index, slice):
            return list(self)[index]
        # Alone: who takes fragments asks for one after the other.
        fields = self.tsns[index], self.stream, self.ssns[index], self.ppids[index], self.payloads[index]
        return _DATA, self.flags, self.length, *fields


def decode_alike(datagrams: bytes, at: int, end: int, size: int) -> AlikeChunks | None:
    """The chunks from here to the end, each of this size with its padding; None unless all are alike, and not
    too many."""
    count = (end - at) // size
    if count > _MOST_CHUNKS:
        return None
    _, flags, length, _, stream, _, _ = DATA_HEADER.unpack_from(datagrams, at)
    if datagrams[at + size + 8 : at + size + 10] != datagrams[at + 8 : at + 10]:
        return None  # on another stream, as the second tells at once where streams take turns
    fields = _fields(length, count).unpack_from(datagrams, at)
    starts, streams = fields[0::6], fields[2::6]
    if starts.count(starts[0]) != count or streams.count(stream) != count:
        return None
    return AlikeChunks(flags, length, stream, fields)


@lru_cache(maxsize=_KEPT)
def _fields(length: int, count: int) -> struct.Struct:
    """So many chunks of this length. Of each, type, flags and length are one number."""
    payload_bytes = length - DATA_HEADER.size
    return struct.Struct("!" + f"LLHHL{payload_bytes}s{-length & 3}x" * count)
