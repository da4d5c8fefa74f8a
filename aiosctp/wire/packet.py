"""The packet: its common header (§3.1), its checksum (§6.8), its cutting into chunks (§3.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from aiosctp.wire.checksum import checksum, seed
from aiosctp.wire.errors import ChecksumError, DecodeError
from aiosctp.wire.tlv import MAX_LENGTH, PADDING

HEADER_BYTES: Final = 12
CHUNK_HEADER_BYTES: Final = 4

PORTS_AND_TAG: Final = struct.Struct("!HHL")
CHECKSUM: Final = struct.Struct("<L")
_CHUNK_HEADER: Final = struct.Struct("!BBH")


class CommonHeader(NamedTuple):
    """The common header without its checksum (§3.1).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |      Source Port Number       |    Destination Port Number    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       Verification Tag                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                           Checksum                            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    source_port: int
    destination_port: int
    verification_tag: int


class RawChunk(NamedTuple):
    """A chunk cut out of its packet: type, flags, and the value without header and padding (§3.2)."""

    type: int
    flags: int
    value: bytes


def decode_header(datagram: bytes) -> CommonHeader:
    """The common header of a packet worth looking into.

    Raises DecodeError when the packet is too short for a header and one chunk, as ChecksumError when its checksum is
    wrong ("MUST first check the CRC32c checksum", §6.8), or when a port is 0, which MUST NOT be used (§3.1).
    """
    if len(datagram) < HEADER_BYTES + CHUNK_HEADER_BYTES:
        raise DecodeError(f"packet of {len(datagram)} bytes")
    (received,) = CHECKSUM.unpack_from(datagram, PORTS_AND_TAG.size)
    calculated = checksum(seed(datagram[: PORTS_AND_TAG.size]), memoryview(datagram)[HEADER_BYTES:])
    if received != calculated:
        raise ChecksumError(f"checksum {received:#010x} where {calculated:#010x} is right")
    header = CommonHeader._make(PORTS_AND_TAG.unpack_from(datagram))
    if not (header.source_port and header.destination_port):
        raise DecodeError("port 0 in the common header")
    return header


def is_intact(datagrams: bytes, view: memoryview, start: int, end: int, seed: int) -> bool:
    """Whether the checksum is right (§6.8) of the packet that lies between `start` and `end`.

    view: of `datagrams`. seed: of its first eight header bytes. The packet has a whole common header.
    """
    (received,) = CHECKSUM.unpack_from(datagrams, start + PORTS_AND_TAG.size)
    return bool(received == checksum(seed, view[start + HEADER_BYTES : end]))


def encode_packet(
    source_port: int, destination_port: int, verification_tag: int, chunks: Iterable[bytes | memoryview]
) -> bytes:
    """A packet with its checksum, of chunks already encoded and padded, whole or in parts."""
    ports_and_tag = PORTS_AND_TAG.pack(source_port, destination_port, verification_tag)
    body = b"".join(chunks)
    return ports_and_tag + CHECKSUM.pack(checksum(seed(ports_and_tag), body)) + body


def encode_chunk(type: int, flags: int, value: bytes) -> bytes:
    """A whole chunk: header, value, and the padding its length does not count (§3.2)."""
    length = CHUNK_HEADER_BYTES + len(value)
    if length > MAX_LENGTH:
        raise ValueError(f"chunk {type} of {length} bytes does not fit its 16-bit length")
    return _CHUNK_HEADER.pack(type, flags, length) + value + PADDING[length & 3]


def iter_raw_chunks(datagram: bytes) -> Iterator[RawChunk | DecodeError]:
    """The chunks of a packet in order, of which decode_header has read the common header.

    Where a chunk is not whole, one DecodeError is the last thing yielded: what follows cannot be found, what
    came before stands. "An endpoint MUST process received chunks in their order in the packet ... If the
    receiver detects a partial chunk, it MUST drop the chunk" (§6.10). The padding of the last chunk may be
    missing.
    """
    position = HEADER_BYTES
    end = len(datagram)
    while position < end:
        if end - position < CHUNK_HEADER_BYTES:
            yield DecodeError(f"{end - position} bytes left where a chunk header needs {CHUNK_HEADER_BYTES}")
            return
        type, flags, length = _CHUNK_HEADER.unpack_from(datagram, position)
        if length < CHUNK_HEADER_BYTES:
            yield DecodeError(f"chunk of type {type} has length {length}")
            return
        if length > end - position:
            yield DecodeError(f"chunk of type {type} has length {length}, {end - position} bytes are left")
            return
        yield RawChunk(type, flags, datagram[position + CHUNK_HEADER_BYTES : position + length])
        position += length + 3 & ~3
