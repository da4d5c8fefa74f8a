"""DATA (§3.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Protocol, Self

from aiosctp.wire.chunks.common import check_size
from aiosctp.wire.chunks.data_format import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_FORMAT,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    DataFormat,
    encode_data_header,
)
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.tlv import MAX_LENGTH, PADDING

_FIELDS: Final = DATA_FORMAT.fields


class _HasBits(Protocol):
    unordered: bool
    beginning: bool
    ending: bool
    immediate: bool


class UserDataBase:
    """What DATA and I-DATA share: the four flags."""

    __slots__ = ()

    @property
    def flags(self: _HasBits) -> int:
        return (
            self.ending * DATA_ENDING
            | self.beginning * DATA_BEGINNING
            | self.unordered * DATA_UNORDERED
            | self.immediate * DATA_IMMEDIATE
        )

    def flag_letters(self: _HasBits) -> str:
        letters = zip("IUBE", (self.immediate, self.unordered, self.beginning, self.ending), strict=True)
        return "".join(letter for letter, is_set in letters if is_set) or "-"


def encode_user_data(
    format: DataFormat, flags: int, tsn: int, stream: int, number: int, ppid: int, payload: bytes
) -> bytes:
    """The whole chunk: header, value and padding."""
    length = len(payload)
    if format.header_bytes + length > MAX_LENGTH:
        name = ChunkType(format.chunk_type).name
        raise ValueError(f"{name} with {length} bytes of payload does not fit its 16-bit length")
    return encode_data_header(format, flags, length, tsn, stream, number, ppid) + payload + PADDING[length & 3]


# Not frozen, as nearly every packet makes one: frozen, it takes three times as long to make.
@dataclass(slots=True)
class Data(UserDataBase):
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
    def number(self) -> int:
        """What counts the messages of its stream (`DataFormat`)."""
        return self.ssn

    def encode(self) -> bytes:
        """The whole chunk: header, value and padding."""
        return encode_user_data(DATA_FORMAT, self.flags, self.tsn, self.stream, self.ssn, self.ppid, self.payload)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        check_size(value, _FIELDS.size)
        tsn, stream, ssn, ppid = _FIELDS.unpack_from(value)
        return cls(
            tsn,
            stream,
            ssn,
            ppid,
            value[_FIELDS.size :],
            unordered=bool(flags & DATA_UNORDERED),
            beginning=bool(flags & DATA_BEGINNING),
            ending=bool(flags & DATA_ENDING),
            immediate=bool(flags & DATA_IMMEDIATE),
        )

    def __str__(self) -> str:
        return (
            f"DATA {self.flag_letters()} tsn={self.tsn} stream={self.stream} ssn={self.ssn} ppid={self.ppid}"
            f" payload={len(self.payload)}B"
        )
