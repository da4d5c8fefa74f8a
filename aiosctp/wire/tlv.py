"""Type, length, value: the shape of parameters (§3.2.1) and of error causes (§3.3.10)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from aiosctp.wire.errors import DecodeError

# "The sender MUST pad the chunk with all zero bytes ... MUST NOT pad with more than 3 bytes" (§3.2).
PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")  # indexed by length & 3

MAX_LENGTH: Final = 0xFFFF

_HEADER: Final = struct.Struct("!HH")
TLV_HEADER_BYTES: Final = _HEADER.size


class Encodable(Protocol):
    def encode(self) -> bytes: ...


def encode_tlv(type: int, value: bytes) -> bytes:
    """One TLV, without padding."""
    length = _HEADER.size + len(value)
    if length > MAX_LENGTH:
        raise ValueError(f"TLV {type} of {length} bytes does not fit its 16-bit length")
    return _HEADER.pack(type, length) + value


def join_tlvs(items: Iterable[Encodable]) -> bytes:
    """TLVs one after the other, each padded but the last.

    "The Chunk Length field does not count any chunk padding. However, it does include any padding of
    variable-length parameters other than the last parameter in the chunk" (§3.2).
    """
    pieces: list[bytes] = []
    for item in items:
        encoded = item.encode()
        pieces += (encoded, PADDING[len(encoded) & 3])
    return b"".join(pieces[:-1])


def iter_tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The types and values in data; raises DecodeError where a TLV is not whole, after those before it.

    The padding of the last one may be missing or present: "a robust implementation is expected to accept the
    chunk whether or not the final padding has been included" (§3.2).
    """
    position = 0
    end = len(data)
    while position < end:
        if end - position < _HEADER.size:
            raise DecodeError(f"{end - position} bytes left where a TLV header needs {_HEADER.size}")
        type, length = _HEADER.unpack_from(data, position)
        if length < _HEADER.size:
            raise DecodeError(f"TLV {type} has length {length}", parameter_type=type)
        if length > end - position:
            reason = f"TLV {type} has length {length}, {end - position} bytes are left"
            raise DecodeError(reason, parameter_type=type)
        yield type, data[position + _HEADER.size : position + length]
        position += length + 3 & ~3
