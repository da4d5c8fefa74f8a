"""RE-CONFIG (RFC 6525 §3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from aiosctp.wire.chunks.common import ChunkBase
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.parameters import UnknownParameter
from aiosctp.wire.reconfig import ReconfigurationParameter, decode_reconfiguration
from aiosctp.wire.tlv import join_tlvs


@dataclass(frozen=True, slots=True)
class ReConfig(ChunkBase):
    """Asks for a change of the streams, or says what became of it (RFC 6525 §3.1).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | Type = 130    |  Chunk Flags  |      Chunk Length             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /                  Re-configuration Parameter                   /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /             Re-configuration Parameter (optional)             /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    Which parameters go together, and that there are one or two, is for the core.
    """

    type: ClassVar[ChunkType] = ChunkType.RE_CONFIG
    parameters: tuple[ReconfigurationParameter | UnknownParameter, ...]

    @property
    def value(self) -> bytes:
        return join_tlvs(self.parameters)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls(decode_reconfiguration(value))

    def __str__(self) -> str:
        return f"RE_CONFIG {'; '.join(map(str, self.parameters)) or '-'}"
