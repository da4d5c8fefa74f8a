"""CRC-32C (§6.8, Appendix A).

The checksum covers the packet with its own field zero. The twelve header bytes are the same for every packet
of an association in one direction, so their CRC is kept as the seed, and a packet costs one call over its
chunks, without copying it to zero the field.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from crc32c import crc32c

# One seed per association and direction. A flood of strange headers turns hits into misses: one call more.
SEEDS_KEPT: Final = 2048

_ZERO_FIELD: Final = bytes(4)


@lru_cache(maxsize=SEEDS_KEPT)
def seed(first_eight_header_bytes: bytes) -> int:
    """The CRC of a common header: its ports and verification tag, and a zero checksum field."""
    return crc32c(first_eight_header_bytes + _ZERO_FIELD)


def checksum(seed: int, body: bytes | memoryview) -> int:
    """The checksum of a packet: its header's seed carried on over its chunks.

    It stands in the header in little-endian byte order, unlike every other field (Appendix A).
    """
    return crc32c(body, seed)
