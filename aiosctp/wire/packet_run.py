"""A run of packets in one piece, as one call gives it to a socket with GSO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Final, TypeAlias

from crc32c import crc32c

from aiosctp.wire.checksum import seed
from aiosctp.wire.chunks.fragments import Fragments
from aiosctp.wire.packet import CHECKSUM, HEADER_BYTES, PORTS_AND_TAG

# Joining the chunks costs less than a checksum carried on from part to part, until there is much to copy.
_LARGE_BYTES: Final = 4096

# What the kernel takes in one piece (UDP_MAX_SEGMENTS), and what a UDP datagram over IPv4 may carry.
MAX_PACKETS: Final = 64
MAX_BYTES: Final = 65507

Packets: TypeAlias = Sequence[bytes | memoryview] | Fragments
"""The chunks of one packet, whole or in parts; or fragments, of which each has a packet."""


def encode_packets(
    source_port: int,
    destination_port: int,
    verification_tag: int,
    packets: Sequence[Packets],
    largest_bytes: int,
) -> Iterator[tuple[bytes, int]]:
    """The packets with these chunks, joined as far as they go in one piece, and the size of each in it; of the last one
    of a piece it may be smaller. The size is 0 where a piece is one packet.

    largest_bytes: none of the packets is larger.
    """
    ports_and_tag = PORTS_AND_TAG.pack(source_port, destination_port, verification_tag)
    encode = _encode_many if len(packets) > 1 and largest_bytes < _LARGE_BYTES else _encode_any
    return encode(ports_and_tag, packets)


def _encode_many(ports_and_tag: bytes, packets: Sequence[Packets]) -> Iterator[tuple[bytes, int]]:
    """Small packets, many to a piece: what each one of a piece needs is done for all of them in one call."""
    header_crc = seed(ports_and_tag)
    rest = chain.from_iterable(map(_join, packets))
    bodies: list[bytes] = []
    sizes: list[int] = []
    # No more than a piece at a time, so that the caches hold what is gone through three times.
    while True:
        more = list(islice(rest, MAX_PACKETS - len(bodies)))
        bodies += more
        sizes += map(len, more)
        if not bodies:
            return
        count = _count_in_piece(sizes)
        piece = [ports_and_tag] * (3 * count)
        piece[1::3] = map(CHECKSUM.pack, map(crc32c, bodies[:count], repeat(header_crc)))
        piece[2::3] = bodies[:count]
        yield b"".join(piece), HEADER_BYTES + len(bodies[0]) if count > 1 else 0
        del bodies[:count], sizes[:count]


def _count_in_piece(sizes: Sequence[int]) -> int:
    """How many of the packets whose chunks have these sizes go in one piece, from the first on."""
    first = sizes[0]
    if len(sizes) > 1 and sizes[1] != first:
        # Mostly all are alike, or none.
        return 2 if sizes[1] < first else 1
    most = min(MAX_PACKETS, MAX_BYTES // (HEADER_BYTES + first), len(sizes))
    if sizes[:most].count(first) == most:
        return most
    for index, size in enumerate(sizes):
        if size != first:
            # Only the last one of a piece may be smaller.
            return index + 1 if size < first else index
    raise AssertionError("one of them is of another size")


def _join(packets: Packets) -> Sequence[bytes]:
    return packets.encode() if isinstance(packets, Fragments) else (b"".join(packets),)


def _encode_any(ports_and_tag: bytes, packets: Iterable[Packets]) -> Iterator[tuple[bytes, int]]:
    header_crc = seed(ports_and_tag)
    piece: list[bytes | memoryview] = []
    packet_bytes = room_packets = count = 0
    for chunks in chain.from_iterable(map(_parts, packets)):
        # Of a packet with one large chunk the second part is the large one; behind a SACK it is the third, and joined.
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


def _parts(packets: Packets) -> Iterable[Sequence[bytes | memoryview]]:
    return packets.chunks() if isinstance(packets, Fragments) else (packets,)
