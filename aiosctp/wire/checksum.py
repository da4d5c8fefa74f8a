"""CRC-32C (§6.8, Appendix A).

The checksum covers the packet with its own field zero. The CRC of the twelve header bytes is the seed of that of the
chunks, which are not copied to zero the field. It is the same for every packet of an association in one direction; a
run of packets computes it once. To look it up would take longer than to compute it, unless the associations are few.
"""

from __future__ import annotations

from typing import Final

from crc32c import crc32c

_ZERO_FIELD: Final = bytes(4)


def seed(first_eight_header_bytes: bytes) -> int:
    """The CRC of a common header: its ports and verification tag, and a zero checksum field."""
    return crc32c(first_eight_header_bytes + _ZERO_FIELD)


def checksum(seed: int, body: bytes | memoryview) -> int:
    """The checksum of a packet: its header's seed carried on over its chunks.

    It stands in the header in little-endian byte order, unlike every other field (Appendix A).
    """
    return crc32c(body, seed)
