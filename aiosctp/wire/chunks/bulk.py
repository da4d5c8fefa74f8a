"""The short way beside `decode_chunks`: a packet of DATA chunks alone, of a SACK without gaps, or of that and DATA.

That is what nearly every packet of an established association is (§6.1, §6.10). It is read out of a run of packets
where it lies, and no more is copied than the user data.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from aiosctp.wire.chunks.alike import DataFields, decode_alike
from aiosctp.wire.chunks.data import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_HEADER,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    Data,
)
from aiosctp.wire.chunks.sack import Sack
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import HEADER_BYTES, is_intact

Bulk: TypeAlias = tuple[Sack | None, Sequence[DataFields]]

_DATA: Final = ChunkType.DATA.value
_SACK: Final = ChunkType.SACK.value
_DATA_HEADER_BYTES: Final = DATA_HEADER.size
_SACK_BYTES: Final = 16  # without gaps and duplicates
_PLAIN_SACK: Final = struct.Struct("!BxHLLL")  # type, length, Cumulative TSN Ack, a_rwnd, both counts
LEAST_BULK_BYTES: Final = HEADER_BYTES + _SACK_BYTES


def decode_bulk(datagrams: bytes, view: memoryview, start: int, end: int, seed: int) -> Bulk | None:
    """The packet that lies between `start` and `end`, decoded; None unless it is intact and has nothing else in it.

    view: of `datagrams`. seed: that of its first eight header bytes, in which the caller has found no fault.
    """
    at = start + HEADER_BYTES
    if end - start < LEAST_BULK_BYTES or datagrams[at] not in (_DATA, _SACK):
        return None
    if not is_intact(datagrams, view, start, end, seed):
        return None
    if datagrams[at] == _DATA:
        chunks = decode_data(datagrams, at, end)
        return None if chunks is None else (None, chunks)
    _, length, cumulative_tsn_ack, a_rwnd, counts = _PLAIN_SACK.unpack_from(datagrams, at)
    if length != _SACK_BYTES or counts:
        return None
    sack = Sack(cumulative_tsn_ack, a_rwnd)
    at += _SACK_BYTES
    if at == end:
        return sack, []
    chunks = decode_data(datagrams, at, end)
    return None if chunks is None else (sack, chunks)


def data_of(fields: DataFields) -> Data:
    """The chunk as the value that `decode_chunks` makes of it."""
    _, flags, _, tsn, stream, ssn, ppid, payload = fields
    return Data(
        tsn,
        stream,
        ssn,
        ppid,
        payload,
        unordered=flags & DATA_UNORDERED != 0,
        beginning=flags & DATA_BEGINNING != 0,
        ending=flags & DATA_ENDING != 0,
        immediate=flags & DATA_IMMEDIATE != 0,
    )


def decode_data(datagrams: bytes, at: int, end: int) -> Sequence[DataFields] | None:
    """All the chunks from here to the end, if all are DATA with user data."""
    if end - at <= _DATA_HEADER_BYTES:
        return None
    type, flags, length, tsn, stream, ssn, ppid = DATA_HEADER.unpack_from(datagrams, at)
    if type != _DATA or length <= _DATA_HEADER_BYTES:
        return None
    stop = at + length
    if stop <= end <= at + _padded(length):
        # The only one, of which the padding may be missing.
        return [(type, flags, length, tsn, stream, ssn, ppid, datagrams[at + _DATA_HEADER_BYTES : stop])]
    if (end - at) % _padded(length) == 0:
        alike = decode_alike(datagrams, at, end, _padded(length))
        chunks = alike if alike is not None else _decode_sizes_alike(datagrams, at, end, length)
        if chunks is not None:
            return chunks
    return _decode_one_by_one(datagrams, at, end)


def _decode_sizes_alike(datagrams: bytes, at: int, end: int, length: int) -> list[DataFields] | None:
    chunks = list(_of_length(length).iter_unpack(datagrams[at:end]))
    for chunk in chunks:
        if chunk[0] != _DATA or chunk[2] != length:
            return None
    return chunks


def _decode_one_by_one(datagrams: bytes, at: int, end: int) -> list[DataFields] | None:
    chunks: list[DataFields] = []
    while end - at > _DATA_HEADER_BYTES:
        type, flags, length, tsn, stream, ssn, ppid = DATA_HEADER.unpack_from(datagrams, at)
        stop = at + length
        if type != _DATA or length <= _DATA_HEADER_BYTES or stop > end:
            return None
        payload = datagrams[at + _DATA_HEADER_BYTES : stop]
        chunks.append((type, flags, length, tsn, stream, ssn, ppid, payload))
        at += _padded(length)
    return chunks if at >= end else None


def _padded(length: int) -> int:
    return length + 3 & ~3


@lru_cache(maxsize=64)
def _of_length(length: int) -> struct.Struct:
    """A chunk of this length with its padding: many of one size are cut apart in one call."""
    return struct.Struct(f"{DATA_HEADER.format}{length - _DATA_HEADER_BYTES}s{_padded(length) - length}x")
