from __future__ import annotations

import pytest

from aiosctp.wire.chunks import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_FORMAT,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    PADDING,
    Data,
    encode_data_header,
)
from aiosctp.wire.errors import DecodeError

FIELDS = "fffffffe 0003 ffff 0000002e"


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (0x03, "BE"),
        (0x02, "B"),
        (0x00, "-"),
        (0x01, "E"),
        (0x07, "UBE"),
        (0x0B, "IBE"),
        (0x0F, "IUBE"),
    ],
)
def test_data_is_as_the_rfc_draws_it(flags: int, name: str) -> None:
    encoded = bytes.fromhex(f"00 {flags:02x} 0013 {FIELDS} 616263 00")
    chunk = Data.decode(flags, encoded[4:-1])
    assert chunk == Data(
        tsn=0xFFFF_FFFE,
        stream=3,
        ssn=0xFFFF,
        ppid=46,
        payload=b"abc",
        unordered="U" in name,
        beginning="B" in name,
        ending="E" in name,
        immediate="I" in name,
    )
    assert chunk.encode() == encoded
    assert str(chunk) == f"DATA {name} tsn=4294967294 stream=3 ssn=65535 ppid=46 payload=3B"


def test_one_byte_of_user_data_makes_a_length_of_17() -> None:
    assert Data(1, 0, 0, 0, b"x").encode()[2:4] == (17).to_bytes(2)


def test_reserved_flags_are_ignored() -> None:
    value = bytes.fromhex(FIELDS + "61")
    assert Data.decode(0xF3, value) == Data.decode(0x03, value)


def test_data_without_user_data_decodes_so_that_it_can_be_answered() -> None:
    assert Data.decode(0x03, bytes.fromhex(FIELDS)) == Data(0xFFFF_FFFE, 3, 0xFFFF, 46, b"")


@pytest.mark.parametrize("size", range(12))
def test_data_without_all_its_fields_is_an_error(size: int) -> None:
    """X45: the fields are not read before there are enough bytes."""
    with pytest.raises(DecodeError, match=f"value of {size} bytes"):
        Data.decode(0x03, bytes(size))


@pytest.mark.parametrize("payload", [b"a", b"ab", b"abc", b"abcd"])
def test_the_path_without_an_object_writes_the_same_bytes(payload: bytes) -> None:
    flags = DATA_BEGINNING | DATA_ENDING | DATA_UNORDERED | DATA_IMMEDIATE
    header = encode_data_header(DATA_FORMAT, flags, len(payload), 0xFFFF_FFFF, 7, 0xFFFE, 99)
    chunk = Data(0xFFFF_FFFF, 7, 0xFFFE, 99, payload, unordered=True, immediate=True)
    assert header + payload + PADDING[len(payload) & 3] == chunk.encode()
    assert DATA_FORMAT.header.unpack(header) == (0, flags, 16 + len(payload), 0xFFFF_FFFF, 7, 0xFFFE, 99)
    assert DATA_FORMAT.fields.unpack_from(header, 4) == (0xFFFF_FFFF, 7, 0xFFFE, 99)


def test_a_payload_too_long_for_the_length_field_is_refused() -> None:
    assert Data(1, 0, 0, 0, bytes(65519)).encode()[2:4] == b"\xff\xff"
    with pytest.raises(ValueError, match="65520 bytes"):
        Data(1, 0, 0, 0, bytes(65520)).encode()
