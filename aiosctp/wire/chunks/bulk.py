"""The short way beside `decode_chunks`: a packet of DATA chunks alone, of a SACK without gaps, or of that and DATA;
where I-DATA was negotiated, of I-DATA.

That is what nearly every packet of an established association is (§6.1, §6.10). It is read out of a run of packets
where it lies, and no more is copied than the user data.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from aiosctp.wire.chunks.alike import decode_alike
from aiosctp.wire.chunks.data import Data
from aiosctp.wire.chunks.data_format import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    DataFields,
    DataFormat,
)
from aiosctp.wire.chunks.i_data import IData
from aiosctp.wire.chunks.sack import Sack
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import HEADER_BYTES, is_intact

Bulk: TypeAlias = tuple[Sack | None, Sequence[DataFields]]

_DATA: Final = ChunkType.DATA.value
_SACK: Final = ChunkType.SACK.value
_SACK_BYTES: Final = 16  # without gaps and duplicates
_PLAIN_SACK: Final = struct.Struct("!BxHLLL")  # type, length, Cumulative TSN Ack, a_rwnd, both counts
LEAST_BULK_BYTES: Final = HEADER_BYTES + _SACK_BYTES


def decode_bulk(datagrams: bytes, view: memoryview, start: int, end: int, seed: int, format: DataFormat) -> Bulk | None:
    """The packet that lies between `start` and `end`, decoded; None unless it is intact and has nothing else in it.

    view: of `datagrams`. seed: that of its first eight header bytes, in which the caller has found no fault. format:
    that of the association, in which user messages come.
    """
    at = start + HEADER_BYTES
    if end - start < LEAST_BULK_BYTES:
        return None
    leads = datagrams[at]
    if leads != _SACK and leads != format.chunk_type:
        return None
    if not is_intact(datagrams, view, start, end, seed):
        return None
    if leads != _SACK:
        chunks = decode_data(datagrams, at, end, format)
        return None if chunks is None else (None, chunks)
    _, length, cumulative_tsn_ack, a_rwnd, counts = _PLAIN_SACK.unpack_from(datagrams, at)
    if length != _SACK_BYTES or counts:
        return None
    sack = Sack(cumulative_tsn_ack, a_rwnd)
    at += _SACK_BYTES
    if at == end:
        return sack, []
    chunks = decode_data(datagrams, at, end, format)
    return None if chunks is None else (sack, chunks)


def data_of(fields: DataFields) -> Data | IData:
    """The chunk as the value that `decode_chunks` makes of it."""
    type, flags, _, tsn, stream, number, last, payload = fields
    unordered = flags & DATA_UNORDERED != 0
    beginning = flags & DATA_BEGINNING != 0
    ending = flags & DATA_ENDING != 0
    immediate = flags & DATA_IMMEDIATE != 0
    if type == _DATA:
        return Data(tsn, stream, number, last, payload, unordered, beginning, ending, immediate)
    ppid, fsn = (last, 0) if beginning else (0, last)
    return IData(tsn, stream, number, ppid, fsn, payload, unordered, beginning, ending, immediate)


def decode_data(datagrams: bytes, at: int, end: int, format: DataFormat) -> Sequence[DataFields] | None:
    """All the chunks from here to the end, if all are of this format, with user data."""
    header_bytes = format.header_bytes
    if end - at <= header_bytes:
        return None
    first = format.header.unpack_from(datagrams, at)
    length = first[2]
    if first[0] != format.chunk_type or length <= header_bytes:
        return None
    stop = at + length
    size = length + 3 & ~3
    if stop <= end <= at + size:
        # The only one, of which the padding may be missing.
        return [(*first, datagrams[at + header_bytes : stop])]
    if (end - at) % size == 0:
        alike = decode_alike(datagrams, at, end, first, format)
        chunks = alike if alike is not None else _decode_sizes_alike(datagrams, at, end, length, format)
        if chunks is not None:
            return chunks
    return _decode_one_by_one(datagrams, at, end, format)


def _decode_sizes_alike(
    datagrams: bytes, at: int, end: int, length: int, format: DataFormat
) -> list[DataFields] | None:
    chunks = list(_of_length(format, length).iter_unpack(datagrams[at:end]))
    chunk_type = format.chunk_type
    for chunk in chunks:
        if chunk[0] != chunk_type or chunk[2] != length:
            return None
    return chunks


def _decode_one_by_one(datagrams: bytes, at: int, end: int, format: DataFormat) -> list[DataFields] | None:
    chunk_type, header_bytes, unpack_from = format.chunk_type, format.header_bytes, format.header.unpack_from
    chunks: list[DataFields] = []
    while end - at > header_bytes:
        type, flags, length, tsn, stream, number, ppid = unpack_from(datagrams, at)
        stop = at + length
        if type != chunk_type or length <= header_bytes or stop > end:
            return None
        chunks.append((type, flags, length, tsn, stream, number, ppid, datagrams[at + header_bytes : stop]))
        at += length + 3 & ~3
    return chunks if at >= end else None


@lru_cache(maxsize=64)
def _of_length(format: DataFormat, length: int) -> struct.Struct:
    """A chunk of this length with its padding: many of one size are cut apart in one call."""
    return struct.Struct(f"{format.header.format}{length - format.header_bytes}s{-length & 3}x")
