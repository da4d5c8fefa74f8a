"""FORWARD TSN (RFC 3758 §3.2) and I-FORWARD-TSN (RFC 8260 §2.3.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from aiosctp.wire.chunks.common import ChunkBase, check_size
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.errors import DecodeError

_TSN: Final = struct.Struct("!L")
_SKIPPED: Final = struct.Struct("!HH")  # stream, SSN
_I_SKIPPED: Final = struct.Struct("!HHL")  # stream, reserved and the U bit, MID
_UNORDERED: Final = 0x0001  # of the 16 bits that are else reserved


@dataclass(frozen=True, slots=True)
class ForwardTsn(ChunkBase):
    """Moves the receiver past abandoned DATA (RFC 3758 §3.2).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 192  |  Flags = 0x00 |        Length = Variable      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      New Cumulative TSN                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |         Stream-1              |       Stream Sequence-1       |
    /                              ...                              /
    |         Stream-N              |       Stream Sequence-N       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    skipped: (stream, SSN) pairs; of a stream, "the largest stream sequence number in this stream being skipped". What
    is listed twice, or of no stream that there is, is for the core to see.
    """

    type: ClassVar[ChunkType] = ChunkType.FORWARD_TSN
    new_cumulative_tsn: int
    skipped: tuple[tuple[int, int], ...] = ()

    @property
    def value(self) -> bytes:
        return _TSN.pack(self.new_cumulative_tsn) + b"".join(_SKIPPED.pack(*each) for each in self.skipped)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        new_cumulative_tsn, entries = _decode(value, _SKIPPED.size)
        return cls(new_cumulative_tsn, tuple(_SKIPPED.iter_unpack(entries)))

    def __str__(self) -> str:
        skipped = ",".join(f"{stream}:{ssn}" for stream, ssn in self.skipped) or "-"
        return f"FORWARD_TSN cum={self.new_cumulative_tsn} skipped={skipped}"


@dataclass(frozen=True, slots=True)
class IForwardTsn(ChunkBase):
    """Moves the receiver past abandoned I-DATA (RFC 8260 §2.3.1).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   Type = 194  | Flags = 0x00  |      Length = Variable        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       New Cumulative TSN                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |       Stream Identifier       |          Reserved           |U|
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       Message Identifier                      |
    /                              ...                              /
    |       Stream Identifier       |          Reserved           |U|
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       Message Identifier                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    skipped: (stream, unordered, MID) triples: "the largest Message Identifier for ordered or unordered messages
    indicated by the U bit that was skipped for the stream".
    """

    type: ClassVar[ChunkType] = ChunkType.I_FORWARD_TSN
    new_cumulative_tsn: int
    skipped: tuple[tuple[int, bool, int], ...] = ()

    @property
    def value(self) -> bytes:
        entries = (_I_SKIPPED.pack(stream, unordered * _UNORDERED, mid) for stream, unordered, mid in self.skipped)
        return _TSN.pack(self.new_cumulative_tsn) + b"".join(entries)

    @classmethod
    def decode(cls, flags: int, value: bytes) -> Self:
        new_cumulative_tsn, entries = _decode(value, _I_SKIPPED.size)
        skipped = ((stream, bool(bits & _UNORDERED), mid) for stream, bits, mid in _I_SKIPPED.iter_unpack(entries))
        return cls(new_cumulative_tsn, tuple(skipped))

    def __str__(self) -> str:
        skipped = ",".join(f"{stream}{'U' * unordered}:{mid}" for stream, unordered, mid in self.skipped) or "-"
        return f"I_FORWARD_TSN cum={self.new_cumulative_tsn} skipped={skipped}"


def _decode(value: bytes, entry_bytes: int) -> tuple[int, bytes]:
    """The New Cumulative TSN, and the entries behind it, each whole."""
    check_size(value, _TSN.size)
    (new_cumulative_tsn,) = _TSN.unpack_from(value)
    if (len(value) - _TSN.size) % entry_bytes:
        raise DecodeError(f"{len(value) - _TSN.size} bytes of skipped messages, which take {entry_bytes} each")
    return new_cumulative_tsn, value[_TSN.size :]
