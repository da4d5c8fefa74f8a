"""PAD (RFC 4820 §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from aiosctp.wire.chunks.common import ChunkBase
from aiosctp.wire.codepoints import ChunkType


@dataclass(frozen=True, slots=True)
class Pad(ChunkBase):
    """Makes a packet larger, and says nothing (RFC 4820 §3).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | Type = 0x84   |   Flags = 0   |            Length             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    \\                         Padding Data                          /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.PAD
    data: bytes

    @property
    def value(self) -> bytes:
        return self.data

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls(value)

    def __str__(self) -> str:
        return f"PAD {len(self.data)}B"
