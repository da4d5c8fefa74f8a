"""A run of packets in one piece, as one call gives it to a socket with GSO."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from aiosctp.wire.checksum import checksum, seed
from aiosctp.wire.packet import CHECKSUM, HEADER_BYTES, PORTS_AND_TAG

# Joining the chunks costs less than a checksum carried on from part to part, until there is much to copy.
_LARGE_BYTES: Final = 4096

# What the kernel takes in one piece (UDP_MAX_SEGMENTS), and what a UDP datagram over IPv4 may carry.
MAX_PACKETS: Final = 64
MAX_BYTES: Final = 65507


def encode_packets(
    source_port: int, destination_port: int, verification_tag: int, packets: Iterable[Sequence[bytes | memoryview]]
) -> list[tuple[bytes, int]]:
    """The packets with these chunks, joined as far as they go in one piece, and the size of each in it; of the last one
    of a piece it may be smaller. The size is 0 where a piece is one packet."""
    ports_and_tag = PORTS_AND_TAG.pack(source_port, destination_port, verification_tag)
    header_crc = seed(ports_and_tag)
    pieces: list[tuple[bytes, int]] = []
    piece: list[bytes | memoryview] = []
    count = packet_bytes = last_bytes = 0
    for chunks in packets:
        # Of a packet with one large chunk that is the second part, or the third behind a SACK.
        if len(chunks[1]) < _LARGE_BYTES:
            chunks = (b"".join(chunks),)
        size, crc = HEADER_BYTES, header_crc
        for part in chunks:
            size += len(part)
            crc = checksum(crc, part)
        if count and (
            size > packet_bytes
            or last_bytes < packet_bytes
            or count == MAX_PACKETS
            or (count + 1) * packet_bytes > MAX_BYTES
        ):
            pieces.append((b"".join(piece), packet_bytes if count > 1 else 0))
            piece.clear()
            count = 0
        if not count:
            packet_bytes = size
        piece.append(ports_and_tag)
        piece.append(CHECKSUM.pack(crc))
        piece += chunks
        last_bytes = size
        count += 1
    if count:
        pieces.append((b"".join(piece), packet_bytes if count > 1 else 0))
    return pieces
