"""A run of packets in one piece, as one call gives it to a socket with GSO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from crc32c import crc32c

from aiosctp.wire.checksum import seed
from aiosctp.wire.packet import CHECKSUM, HEADER_BYTES, PORTS_AND_TAG

# Joining the chunks costs less than a checksum carried on from part to part, until there is much to copy.
_LARGE_BYTES: Final = 4096

# What the kernel takes in one piece (UDP_MAX_SEGMENTS), and what a UDP datagram over IPv4 may carry.
MAX_PACKETS: Final = 64
MAX_BYTES: Final = 65507


def encode_packets(
    source_port: int, destination_port: int, verification_tag: int, packets: Iterable[Sequence[bytes | memoryview]]
) -> Iterator[tuple[bytes, int]]:
    """The packets with these chunks, joined as far as they go in one piece, and the size of each in it; of the last one
    of a piece it may be smaller. The size is 0 where a piece is one packet."""
    ports_and_tag = PORTS_AND_TAG.pack(source_port, destination_port, verification_tag)
    header_crc = seed(ports_and_tag)
    piece: list[bytes | memoryview] = []
    packet_bytes = room_packets = count = 0
    for chunks in packets:
        # Of a packet with one large chunk that is the second part, or the third behind a SACK.
        if len(chunks[1]) < _LARGE_BYTES:
            chunks = (b"".join(chunks),)
            size = HEADER_BYTES + len(chunks[0])
            crc = crc32c(chunks[0], header_crc)
        else:
            size, crc = HEADER_BYTES, header_crc
            for part in chunks:
                size += len(part)
                crc = crc32c(part, crc)
        if not room_packets or size > packet_bytes:
            if count:
                yield b"".join(piece), packet_bytes if count > 1 else 0
                piece.clear()
            packet_bytes, room_packets, count = size, min(MAX_PACKETS, MAX_BYTES // size), 0
        piece += (ports_and_tag, CHECKSUM.pack(crc), *chunks)
        count += 1
        # Only the last one of a piece may be smaller.
        room_packets = room_packets - 1 if size == packet_bytes else 0
    if count:
        yield b"".join(piece), packet_bytes if count > 1 else 0
