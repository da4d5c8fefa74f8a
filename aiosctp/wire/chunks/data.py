"""DATA (§3.3.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from aiosctp.wire.chunks.common import check_size
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.tlv import MAX_LENGTH, PADDING

DATA_ENDING: Final = 0x01
DATA_BEGINNING: Final = 0x02
DATA_UNORDERED: Final = 0x04
DATA_IMMEDIATE: Final = 0x08

DATA_HEADER: Final = struct.Struct("!BBHLHHL")  # the chunk header, then the fields
DATA_HEADER_START: Final = struct.Struct("!BBH")  # type, flags, length: what chunks of one kind have in common
DATA_HEADER_AFTER_START: Final = struct.Struct("!4sLHHL")  # that, and the fields
DATA_FIELDS: Final = struct.Struct("!LHHL")  # TSN, stream, SSN, PPID: what a chunk's value starts with


def encode_data_header(flags: int, payload_length: int, tsn: int, stream: int, ssn: int, ppid: int) -> bytes:
    """The 16 bytes before the payload; after it comes PADDING[payload_length & 3]."""
    return DATA_HEADER.pack(ChunkType.DATA, flags, DATA_HEADER.size + payload_length, tsn, stream, ssn, ppid)


# Not frozen, as nearly every packet makes one: frozen, it takes three times as long to make.
@dataclass(slots=True)
class Data:
    """User data, whole or a fragment (§3.3.1).

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |   Type = 0    |  Res  |I|U|B|E|            Length             |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                              TSN                              |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |      Stream Identifier S      |   Stream Sequence Number n    |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                  Payload Protocol Identifier                  |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        /                 User Data (seq n of Stream S)                 /
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    An empty payload decodes: §6.2 answers it with a cause that needs the TSN (`NoUserData`).
    """

    type: ClassVar[ChunkType] = ChunkType.DATA
    tsn: int
    stream: int
    ssn: int
    ppid: int
    payload: bytes
    unordered: bool = False
    beginning: bool = True
    ending: bool = True
    immediate: bool = False

    @property
    def flags(self) -> int:
        return (
            self.ending * DATA_ENDING
            | self.beginning * DATA_BEGINNING
            | self.unordered * DATA_UNORDERED
            | self.immediate * DATA_IMMEDIATE
        )

    def encode(self) -> bytes:
        """The whole chunk: header, value and padding."""
        length = len(self.payload)
        if DATA_HEADER.size + length > MAX_LENGTH:
            raise ValueError(f"DATA with {length} bytes of payload does not fit its 16-bit length")
        header = encode_data_header(self.flags, length, self.tsn, self.stream, self.ssn, self.ppid)
        return header + self.payload + PADDING[length & 3]

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        check_size(value, DATA_FIELDS.size)
        tsn, stream, ssn, ppid = DATA_FIELDS.unpack_from(value)
        return cls(
            tsn,
            stream,
            ssn,
            ppid,
            value[DATA_FIELDS.size :],
            unordered=bool(flags & DATA_UNORDERED),
            beginning=bool(flags & DATA_BEGINNING),
            ending=bool(flags & DATA_ENDING),
            immediate=bool(flags & DATA_IMMEDIATE),
        )

    def __str__(self) -> str:
        letters = zip("IUBE", (self.immediate, self.unordered, self.beginning, self.ending), strict=True)
        flags = "".join(letter for letter, is_set in letters if is_set) or "-"
        return (
            f"DATA {flags} tsn={self.tsn} stream={self.stream} ssn={self.ssn} ppid={self.ppid}"
            f" payload={len(self.payload)}B"
        )
