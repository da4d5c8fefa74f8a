"""Serial numbers on plain ints (RFC 1982): TSNs modulo 2^32, SSNs modulo 2^16 (§1.6).

A number is after another when the distance to it is more than 0 and less than half the space. The order is not
transitive: never sort or bisect by it without an anchor. Of two numbers exactly half the space apart RFC 1982 leaves
the order undefined; here such a one is behind, so what a peer places there is never taken for new.
"""

from __future__ import annotations

from typing import Final

TSN_MASK: Final = 0xFFFF_FFFF
TSN_HALF: Final = 0x8000_0000
SSN_MASK: Final = 0xFFFF
SSN_HALF: Final = 0x8000
MID_MASK: Final = 0xFFFF_FFFF  # RFC 8260 §2.1
MID_HALF: Final = 0x8000_0000
FSN_MASK: Final = 0xFFFF_FFFF


def tsn_add(tsn: int, n: int) -> int:
    """The TSN n places after tsn (before it if n is negative)."""
    return (tsn + n) & TSN_MASK


def tsn_distance(start: int, end: int) -> int:
    """How many steps of one lead from start to end: 0 to 2^32 - 1."""
    return (end - start) & TSN_MASK


def ssn_add(ssn: int, n: int) -> int:
    """The SSN n places after ssn (before it if n is negative)."""
    return (ssn + n) & SSN_MASK


def ssn_distance(start: int, end: int) -> int:
    """How many steps of one lead from start to end: 0 to 65535."""
    return (end - start) & SSN_MASK


def mid_distance(start: int, end: int) -> int:
    """How many steps of one lead from start to end: 0 to 2^32 - 1."""
    return (end - start) & MID_MASK
