"""SACK (§3.3.4)."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, Final, NamedTuple, Self

from aiosctp.wire.chunks.common import check_size
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.errors import DecodeError

_FIELDS: Final = struct.Struct("!LLHH")  # Cumulative TSN Ack, a_rwnd, number of gaps, number of duplicates
_CHUNK_HEADER_BYTES: Final = 4
_PLAIN: Final = struct.Struct("!BBHLLHH")  # of a whole chunk without gaps and duplicates
_SACK: Final = ChunkType.SACK.value


class SackFields(NamedTuple):
    """The fields of a SACK as a plain tuple, for where no object is wanted."""

    cumulative_tsn_ack: int
    a_rwnd: int
    gap_ack_blocks: tuple[tuple[int, int], ...]
    duplicate_tsns: tuple[int, ...]


def encode_sack(
    cumulative_tsn_ack: int,
    a_rwnd: int,
    gap_ack_blocks: Collection[tuple[int, int]],
    duplicate_tsns: Collection[int],
) -> bytes:
    """A whole SACK chunk, which never needs padding. Gap offsets are from the Cumulative TSN Ack."""
    if not (gap_ack_blocks or duplicate_tsns):
        return _PLAIN.pack(_SACK, 0, _PLAIN.size, cumulative_tsn_ack, a_rwnd, 0, 0)
    gaps = len(gap_ack_blocks)
    duplicates = len(duplicate_tsns)
    return struct.pack(
        f"!BBHLLHH{2 * gaps}H{duplicates}L",
        ChunkType.SACK,
        0,
        _CHUNK_HEADER_BYTES + _FIELDS.size + 4 * (gaps + duplicates),
        cumulative_tsn_ack,
        a_rwnd,
        gaps,
        duplicates,
        *chain.from_iterable(gap_ack_blocks),
        *duplicate_tsns,
    )


def decode_sack(value: bytes) -> SackFields:
    """The fields of a SACK chunk's value.

    Raises DecodeError when it announces more gaps and duplicates than it holds. Gaps that are inverted,
    overlap or acknowledge what was never sent are for the core to see.
    """
    check_size(value, _FIELDS.size)
    cumulative_tsn_ack, a_rwnd, gaps, duplicates = _FIELDS.unpack_from(value)
    if not gaps and not duplicates:
        return SackFields(cumulative_tsn_ack, a_rwnd, (), ())
    if _FIELDS.size + 4 * (gaps + duplicates) > len(value):
        raise DecodeError(f"{gaps} gaps and {duplicates} duplicates announced in {len(value)} bytes")
    offsets = struct.unpack_from(f"!{2 * gaps}H", value, _FIELDS.size)
    duplicate_tsns = struct.unpack_from(f"!{duplicates}L", value, _FIELDS.size + 4 * gaps)
    gap_ack_blocks = tuple(zip(offsets[::2], offsets[1::2], strict=True))
    return SackFields(cumulative_tsn_ack, a_rwnd, gap_ack_blocks, duplicate_tsns)


# Not frozen, for the reason that DATA is not.
@dataclass(slots=True)
class Sack:
    """Selective acknowledgement (§3.3.4).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 3    |  Chunk Flags  |         Chunk Length          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Cumulative TSN Ack                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          Advertised Receiver Window Credit (a_rwnd)           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | Number of Gap Ack Blocks = N  |  Number of Duplicate TSNs = M |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |
    /                              ...                              /
    |    Gap Ack Block #N Start     |     Gap Ack Block #N End      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                        Duplicate TSN 1                        |
    /                              ...                              /
    |                        Duplicate TSN M                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.SACK
    cumulative_tsn_ack: int
    a_rwnd: int
    gap_ack_blocks: tuple[tuple[int, int], ...] = ()
    duplicate_tsns: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The whole chunk: header and value."""
        return encode_sack(self.cumulative_tsn_ack, self.a_rwnd, self.gap_ack_blocks, self.duplicate_tsns)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls(*decode_sack(value))

    def __str__(self) -> str:
        gaps = ",".join(f"{start}-{end}" for start, end in self.gap_ack_blocks) or "-"
        duplicates = ",".join(map(str, self.duplicate_tsns)) or "-"
        return f"SACK cum={self.cumulative_tsn_ack} a_rwnd={self.a_rwnd} gaps={gaps} duplicates={duplicates}"
