"""HEARTBEAT (§3.3.5) and HEARTBEAT ACK (§3.3.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from aiosctp.wire.chunks.common import ChunkBase
from aiosctp.wire.codepoints import ChunkType, ParameterType
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.parameters import HeartbeatInfo
from aiosctp.wire.tlv import PADDING, TLV_HEADER_BYTES, iter_tlvs


@dataclass(frozen=True, slots=True)
class _HeartbeatFields(ChunkBase):
    info: bytes
    other_parameters: bytes = b""
    """What follows the Heartbeat Info, raw: §8.3 wants it copied back with it."""

    @property
    def value(self) -> bytes:
        info = HeartbeatInfo(self.info).encode()
        if not self.other_parameters:
            return info
        return info + PADDING[len(info) & 3] + self.other_parameters

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        type, info = next(iter_tlvs(value), (None, b""))
        if type != ParameterType.HEARTBEAT_INFO:
            raise DecodeError("no Heartbeat Info", parameter_type=type)
        return cls(info, value[(TLV_HEADER_BYTES + len(info) + 3) & ~3 :])


@dataclass(frozen=True, slots=True)
class Heartbeat(_HeartbeatFields):
    """Probes a path; `info` is the value of its Heartbeat Info parameter (§3.3.5).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 4    |  Chunk Flags  |       Heartbeat Length        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |    Heartbeat Info Type = 1    |        HB Info Length         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /                Sender-Specific Heartbeat Info                 /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.HEARTBEAT

    def __str__(self) -> str:
        return f"HEARTBEAT info={len(self.info)}B"


@dataclass(frozen=True, slots=True)
class HeartbeatAck(_HeartbeatFields):
    """Returns the `info` of a HEARTBEAT as it came (§3.3.6).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 5    |  Chunk Flags  |     Heartbeat Ack Length      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /          Heartbeat Information TLV (Variable-Length)          /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.HEARTBEAT_ACK

    def __str__(self) -> str:
        return f"HEARTBEAT_ACK info={len(self.info)}B"
