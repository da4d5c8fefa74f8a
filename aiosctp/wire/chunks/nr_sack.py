"""NR-SACK (draft-natarajan-tsvwg-sctp-nrsack)."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, Final, Self

from aiosctp.wire.chunks.common import check_size
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.errors import DecodeError

# Cumulative TSN Ack, a_rwnd, number of gaps, number of non-renegable gaps, number of duplicates, reserved
_FIELDS: Final = struct.Struct("!LLHHHxx")
_CHUNK_HEADER_BYTES: Final = 4


def encode_nr_sack(
    cumulative_tsn_ack: int,
    a_rwnd: int,
    gap_ack_blocks: Collection[tuple[int, int]],
    nr_gap_ack_blocks: Collection[tuple[int, int]],
    duplicate_tsns: Collection[int],
) -> bytes:
    """A whole NR-SACK chunk, which never needs padding. Gap offsets are from the Cumulative TSN Ack."""
    gaps, nr_gaps, duplicates = len(gap_ack_blocks), len(nr_gap_ack_blocks), len(duplicate_tsns)
    return struct.pack(
        f"!BBHLLHHHxx{2 * (gaps + nr_gaps)}H{duplicates}L",
        ChunkType.NR_SACK,
        0,
        _CHUNK_HEADER_BYTES + _FIELDS.size + 4 * (gaps + nr_gaps + duplicates),
        cumulative_tsn_ack,
        a_rwnd,
        gaps,
        nr_gaps,
        duplicates,
        *chain.from_iterable(gap_ack_blocks),
        *chain.from_iterable(nr_gap_ack_blocks),
        *duplicate_tsns,
    )


@dataclass(frozen=True, slots=True)
class NrSack:
    """Selective acknowledgement that says what the receiver will not drop again (draft-natarajan-tsvwg-sctp-nrsack).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  Type = 0x10  |  Chunk Flags  |         Chunk Length          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Cumulative TSN Ack                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          Advertised Receiver Window Credit (a_rwnd)           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | Number of Gap Ack Blocks = N  |Number of NR Gap Ack Blocks = M|
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  Number of Duplicate TSNs = X |           Reserved            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |
    /                              ...                              /
    |    Gap Ack Block #N Start     |     Gap Ack Block #N End      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   NR Gap Ack Block #1 Start   |    NR Gap Ack Block #1 End    |
    /                              ...                              /
    |   NR Gap Ack Block #M Start   |    NR Gap Ack Block #M End    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                        Duplicate TSN 1                        |
    /                              ...                              /
    |                        Duplicate TSN X                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    Blocks that are inverted, overlap, or acknowledge what was never sent are for the core to see, as those of SACK.
    """

    type: ClassVar[ChunkType] = ChunkType.NR_SACK
    cumulative_tsn_ack: int
    a_rwnd: int
    gap_ack_blocks: tuple[tuple[int, int], ...] = ()
    nr_gap_ack_blocks: tuple[tuple[int, int], ...] = ()
    duplicate_tsns: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The whole chunk: header and value."""
        return encode_nr_sack(
            self.cumulative_tsn_ack, self.a_rwnd, self.gap_ack_blocks, self.nr_gap_ack_blocks, self.duplicate_tsns
        )

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        """Raises DecodeError when it announces more blocks and duplicates than it holds."""
        check_size(value, _FIELDS.size)
        cumulative_tsn_ack, a_rwnd, gaps, nr_gaps, duplicates = _FIELDS.unpack_from(value)
        if _FIELDS.size + 4 * (gaps + nr_gaps + duplicates) > len(value):
            raise DecodeError(
                f"{gaps} gaps, {nr_gaps} non-renegable ones and {duplicates} duplicates announced in {len(value)} bytes"
            )
        offsets = struct.unpack_from(f"!{2 * (gaps + nr_gaps)}H", value, _FIELDS.size)
        blocks = tuple(zip(offsets[::2], offsets[1::2], strict=True))
        duplicate_tsns = struct.unpack_from(f"!{duplicates}L", value, _FIELDS.size + 4 * (gaps + nr_gaps))
        return cls(cumulative_tsn_ack, a_rwnd, blocks[:gaps], blocks[gaps:], duplicate_tsns)

    def __str__(self) -> str:
        duplicates = ",".join(map(str, self.duplicate_tsns)) or "-"
        return (
            f"NR_SACK cum={self.cumulative_tsn_ack} a_rwnd={self.a_rwnd} gaps={_blocks(self.gap_ack_blocks)}"
            f" nr_gaps={_blocks(self.nr_gap_ack_blocks)} duplicates={duplicates}"
        )


def _blocks(blocks: tuple[tuple[int, int], ...]) -> str:
    return ",".join(f"{start}-{end}" for start, end in blocks) or "-"
