"""DATA and I-DATA as two formats of one chunk (§3.3.1; RFC 8260 §2.1): what takes user messages apart, and puts them
together, is told which of them the association speaks."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.serial import MID_MASK, SSN_MASK

DATA_ENDING: Final = 0x01
DATA_BEGINNING: Final = 0x02
DATA_UNORDERED: Final = 0x04
DATA_IMMEDIATE: Final = 0x08

DATA_HEADER_START: Final = struct.Struct("!BBH")  # type, flags, length: what chunks of one kind have in common

DataFields: TypeAlias = tuple[int, int, int, int, int, int, int, bytes]
"""A chunk of either format as a plain tuple: type, flags, length, TSN, stream, message number (SSN or MID), PPID (in an
I-DATA that is not the beginning of its message: FSN), and the user data, at least one byte."""


@dataclass(frozen=True, slots=True, eq=False)
class DataFormat:
    """The chunk that all user messages of an association go in.

    Both headers have the same seven values: type, flags, length, TSN, stream, message number, and the PPID, in whose
    place an I-DATA that is not the beginning of its message has its FSN. I-DATA's two reserved bytes are a pad.
    """

    chunk_type: int
    header: struct.Struct
    header_after_start: struct.Struct
    """The first four bytes as one piece (`DATA_HEADER_START`), then the fields."""
    fields: struct.Struct
    """Without type, flags and length: what a chunk's value starts with."""
    header_bytes: int
    number_mask: int
    """Of the message number: 16 bits of SSN, 32 of MID."""
    counts_fragments: bool
    """Whether fragments have numbers of their own (FSN), and those of several messages may be mixed."""


def _format(chunk_type: ChunkType, fields: str, number_mask: int, *, counts_fragments: bool) -> DataFormat:
    header = struct.Struct(f"!BBH{fields}")
    return DataFormat(
        chunk_type=chunk_type.value,
        header=header,
        header_after_start=struct.Struct(f"!4s{fields}"),
        fields=struct.Struct(f"!{fields}"),
        header_bytes=header.size,
        number_mask=number_mask,
        counts_fragments=counts_fragments,
    )


DATA_FORMAT: Final = _format(ChunkType.DATA, "LHHL", SSN_MASK, counts_fragments=False)
I_DATA_FORMAT: Final = _format(ChunkType.I_DATA, "LHxxLL", MID_MASK, counts_fragments=True)


def encode_data_header(
    format: DataFormat, flags: int, payload_length: int, tsn: int, stream: int, number: int, ppid: int
) -> bytes:
    """What stands before the payload; after it comes PADDING[payload_length & 3].

    number: SSN or MID. ppid: of an I-DATA that is not the beginning, the FSN.
    """
    length = format.header_bytes + payload_length
    return format.header.pack(format.chunk_type, flags, length, tsn, stream, number, ppid)
