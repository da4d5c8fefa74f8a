from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire.checksum import checksum, seed


def crc32c_by_division(data: bytes) -> int:
    """Appendix A to the letter: the polynomial 0x1EDC6F41 with the bits of each byte reflected."""
    remainder = 0xFFFF_FFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x82F6_3B78 if remainder & 1 else 0)
    return remainder ^ 0xFFFF_FFFF


def test_the_reference_division_knows_the_check_value() -> None:
    assert crc32c_by_division(b"123456789") == 0xE306_9283


@given(st.binary(min_size=8, max_size=8), st.binary(max_size=100))
def test_checksum_is_the_crc32c_of_the_packet_with_a_zero_field(first_eight: bytes, body: bytes) -> None:
    """E10, R22: the CRC-32C of §6.8 and Appendix A, against a division bit by bit."""
    expected = crc32c_by_division(first_eight + bytes(4) + body)
    assert checksum(seed(first_eight), body) == expected
    assert checksum(seed(first_eight), memoryview(b"x" + body)[1:]) == expected
