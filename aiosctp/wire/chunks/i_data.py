"""I-DATA (RFC 8260 §2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from aiosctp.wire.chunks.common import check_size
from aiosctp.wire.chunks.data import UserDataBase, encode_user_data
from aiosctp.wire.chunks.data_format import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    I_DATA_FORMAT,
)
from aiosctp.wire.codepoints import ChunkType


# Not frozen, for the reason that DATA is not.
@dataclass(slots=True)
class IData(UserDataBase):
    """User data, whole or a fragment, that may come between the fragments of other messages (RFC 8260 §2.1).

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |   Type = 64   |  Res  |I|U|B|E|       Length = Variable       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                              TSN                              |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |        Stream Identifier      |           Reserved            |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                      Message Identifier                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |    Payload Protocol Identifier / Fragment Sequence Number     |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        /                           User Data                           /
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    The last field is the PPID "If the B bit is set", and the FSN is then 0; in other fragments it is the FSN, and the
    PPID, which they do not carry, is 0 here. An empty payload decodes, as that of DATA does.
    """

    type: ClassVar[ChunkType] = ChunkType.I_DATA
    tsn: int
    stream: int
    mid: int
    ppid: int
    fsn: int
    payload: bytes
    unordered: bool = False
    beginning: bool = True
    ending: bool = True
    immediate: bool = False

    @property
    def number(self) -> int:
        """What counts the messages of its stream (`DataFormat`)."""
        return self.mid

    def encode(self) -> bytes:
        """The whole chunk: header, value and padding."""
        last = self.ppid if self.beginning else self.fsn
        return encode_user_data(I_DATA_FORMAT, self.flags, self.tsn, self.stream, self.mid, last, self.payload)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        fields = I_DATA_FORMAT.fields
        check_size(value, fields.size)
        tsn, stream, mid, last = fields.unpack_from(value)
        beginning = bool(flags & DATA_BEGINNING)
        return cls(
            tsn,
            stream,
            mid,
            last if beginning else 0,
            0 if beginning else last,
            value[fields.size :],
            unordered=bool(flags & DATA_UNORDERED),
            beginning=beginning,
            ending=bool(flags & DATA_ENDING),
            immediate=bool(flags & DATA_IMMEDIATE),
        )

    def __str__(self) -> str:
        last = f"ppid={self.ppid}" if self.beginning else f"fsn={self.fsn}"
        return (
            f"I_DATA {self.flag_letters()} tsn={self.tsn} stream={self.stream} mid={self.mid} {last}"
            f" payload={len(self.payload)}B"
        )
