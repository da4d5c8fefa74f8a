"""The chunks of setup, errors and shutdown (§3.3.7 to §3.3.13), and those of unknown type."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from aiosctp.wire.causes import Cause, decode_causes
from aiosctp.wire.chunks.common import TAG_REFLECTED, ChunkBase, check_size
from aiosctp.wire.codepoints import CauseCode, ChunkType, report_unrecognized, stop_processing
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.tlv import join_tlvs

_TSN: Final = struct.Struct("!L")


@dataclass(frozen=True, slots=True)
class Abort(ChunkBase):
    """Closes the association at once (§3.3.7).

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |   Type = 6    |  Reserved   |T|            Length             |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        /                   zero or more Error Causes                   /
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    "An ABORT chunk with a format error" is discarded (§3.3.7); read here as a chunk that is not whole. One
    that is whole is meant, even where its causes are not (`decode_causes`).
    """

    type: ClassVar[ChunkType] = ChunkType.ABORT
    causes: tuple[Cause, ...] = ()
    tag_reflected: bool = False

    @property
    def flags(self) -> int:
        return self.tag_reflected * TAG_REFLECTED

    @property
    def value(self) -> bytes:
        return join_tlvs(self.causes)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls(decode_causes(value), bool(flags & TAG_REFLECTED))

    def __str__(self) -> str:
        return f"ABORT {'T ' if self.tag_reflected else ''}causes={_names(self.causes)}"


@dataclass(frozen=True, slots=True)
class Shutdown(ChunkBase):
    """Opens the graceful close (§3.3.8).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 7    |  Chunk Flags  |          Length = 8           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Cumulative TSN Ack                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.SHUTDOWN
    cumulative_tsn_ack: int

    @property
    def value(self) -> bytes:
        return _TSN.pack(self.cumulative_tsn_ack)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        check_size(value, _TSN.size)
        return cls(*_TSN.unpack_from(value))

    def __str__(self) -> str:
        return f"SHUTDOWN cum={self.cumulative_tsn_ack}"


@dataclass(frozen=True, slots=True)
class ShutdownAck(ChunkBase):
    """Acknowledges a SHUTDOWN (§3.3.9).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 8    |  Chunk Flags  |          Length = 4           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.SHUTDOWN_ACK

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls()

    def __str__(self) -> str:
        return "SHUTDOWN_ACK"


@dataclass(frozen=True, slots=True)
class Error(ChunkBase):
    """Tells of errors that are not fatal in themselves (§3.3.10).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 9    |  Chunk Flags  |            Length             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /                   one or more Error Causes                    /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.ERROR
    causes: tuple[Cause, ...]

    @property
    def value(self) -> bytes:
        return join_tlvs(self.causes)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls(decode_causes(value))

    def __str__(self) -> str:
        return f"ERROR causes={_names(self.causes)}"


@dataclass(frozen=True, slots=True)
class CookieEcho(ChunkBase):
    """Returns the State Cookie of the INIT ACK exactly as it came (§3.3.11).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 10   |  Chunk Flags  |            Length             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /                            Cookie                             /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.COOKIE_ECHO
    cookie: bytes

    @property
    def value(self) -> bytes:
        return self.cookie

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls(value)

    def __str__(self) -> str:
        return f"COOKIE_ECHO cookie={len(self.cookie)}B"


@dataclass(frozen=True, slots=True)
class CookieAck(ChunkBase):
    """Acknowledges a COOKIE ECHO (§3.3.12).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 11   |  Chunk Flags  |          Length = 4           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.COOKIE_ACK

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls()

    def __str__(self) -> str:
        return "COOKIE_ACK"


@dataclass(frozen=True, slots=True)
class ShutdownComplete(ChunkBase):
    """Acknowledges a SHUTDOWN ACK; alone in its packet (§3.3.13).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 14   |  Reserved   |T|          Length = 4           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    type: ClassVar[ChunkType] = ChunkType.SHUTDOWN_COMPLETE
    tag_reflected: bool = False

    @property
    def flags(self) -> int:
        return self.tag_reflected * TAG_REFLECTED

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        return cls(bool(flags & TAG_REFLECTED))

    def __str__(self) -> str:
        return "SHUTDOWN_COMPLETE T" if self.tag_reflected else "SHUTDOWN_COMPLETE"


@dataclass(frozen=True, slots=True)
class UnknownChunk:
    """A chunk of a type not known here, raw; its two high bits say what to do (§3.2, Table 2)."""

    type: int
    flags: int
    value: bytes

    @property
    def stop_processing(self) -> bool:
        """Whether the chunks after this one are discarded with it."""
        return stop_processing(self.type)

    @property
    def report(self) -> bool:
        """Whether this chunk is reported in an ERROR, cause "Unrecognized Chunk Type"."""
        return report_unrecognized(self.type)

    def encode(self) -> bytes:
        """The whole chunk: header, value and padding."""
        return encode_chunk(self.type, self.flags, self.value)

    def __str__(self) -> str:
        return f"UNKNOWN type={self.type} flags={self.flags:#04x} value={len(self.value)}B"


def _names(causes: tuple[Cause, ...]) -> str:
    known = {int(code): code.name for code in CauseCode}
    return ",".join(known.get(cause.code, str(cause.code)) for cause in causes) or "-"
