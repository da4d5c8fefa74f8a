"""INIT (§3.3.2) and INIT ACK (§3.3.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from aiosctp.wire.chunks.common import ChunkBase, check_size
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.parameters import Parameter, decode_parameters
from aiosctp.wire.tlv import join_tlvs

_FIELDS: Final = struct.Struct("!LLHHL")


@dataclass(frozen=True, slots=True)
class _InitFields(ChunkBase):
    initiate_tag: int
    a_rwnd: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    parameters: tuple[Parameter, ...] = ()

    @property
    def value(self) -> bytes:
        fields = _FIELDS.pack(
            self.initiate_tag, self.a_rwnd, self.outbound_streams, self.inbound_streams, self.initial_tsn
        )
        return fields + join_tlvs(self.parameters)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        check_size(value, _FIELDS.size)
        initiate_tag, a_rwnd, outbound_streams, inbound_streams, initial_tsn = _FIELDS.unpack_from(value)
        parameters = decode_parameters(value[_FIELDS.size :])
        return cls(initiate_tag, a_rwnd, outbound_streams, inbound_streams, initial_tsn, parameters)

    def _describe(self) -> str:
        parameters = ",".join(getattr(p.type, "name", f"{p.type:#06x}") for p in self.parameters) or "-"
        return (
            f"tag={self.initiate_tag:#010x} a_rwnd={self.a_rwnd} outbound={self.outbound_streams}"
            f" inbound={self.inbound_streams} tsn={self.initial_tsn} parameters={parameters}"
        )


@dataclass(frozen=True, slots=True)
class Init(_InitFields):
    """Opens an association; alone in its packet, under verification tag 0 (§3.3.2).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 1    |  Chunk Flags  |      Chunk Length             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Initiate Tag                          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          Advertised Receiver Window Credit (a_rwnd)           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  Number of Outbound Streams   |   Number of Inbound Streams   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                          Initial TSN                          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /              Optional/Variable-Length Parameters              /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.INIT

    def __str__(self) -> str:
        return f"INIT {self._describe()}"


@dataclass(frozen=True, slots=True)
class InitAck(_InitFields):
    """Answers an INIT, with a State Cookie among its parameters; alone in its packet (§3.3.3).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 2    |  Chunk Flags  |         Chunk Length          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Initiate Tag                          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |               Advertised Receiver Window Credit               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  Number of Outbound Streams   |   Number of Inbound Streams   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                          Initial TSN                          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /              Optional/Variable-Length Parameters              /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.INIT_ACK

    def __str__(self) -> str:
        return f"INIT_ACK {self._describe()}"
