"""What the chunks share."""

from __future__ import annotations

from typing import Final, Protocol

from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import encode_chunk

# ABORT and SHUTDOWN COMPLETE: the verification tag is the one received, not the one expected (§8.5.1).
TAG_REFLECTED: Final = 0x01


class _HasTypeFlagsAndValue(Protocol):
    @property
    def type(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def value(self) -> bytes: ...


class ChunkBase:
    """Flags zero and no value, unless a chunk says otherwise."""

    __slots__ = ()

    @property
    def flags(self) -> int:
        return 0

    @property
    def value(self) -> bytes:
        return b""

    def encode(self: _HasTypeFlagsAndValue) -> bytes:
        """The whole chunk: header, value and padding."""
        return encode_chunk(self.type, self.flags, self.value)


def check_size(value: bytes, size: int) -> None:
    """Raise DecodeError unless value holds the size bytes about to be read; surplus is ignored."""
    if len(value) < size:
        raise DecodeError(f"value of {len(value)} bytes where {size} are wanted")
