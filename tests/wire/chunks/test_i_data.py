from __future__ import annotations

import pytest

from aiosctp.wire.chunks import I_DATA_FORMAT, PADDING, IData, encode_data_header
from aiosctp.wire.errors import DecodeError

FIELDS = "fffffffe 0003 0000 fffffffd 0000002e"


@pytest.mark.parametrize(
    ("flags", "name"),
    [(0x03, "BE"), (0x02, "B"), (0x00, "-"), (0x01, "E"), (0x07, "UBE"), (0x0B, "IBE"), (0x0F, "IUBE")],
)
def test_i_data_is_as_the_rfc_draws_it(flags: int, name: str) -> None:
    """M12: RFC 8260 §2.1: the last field is the PPID "If the B bit is set", and else the FSN."""
    encoded = bytes.fromhex(f"40 {flags:02x} 0017 {FIELDS} 616263 00")
    chunk = IData.decode(flags, encoded[4:-1])
    assert chunk == IData(
        tsn=0xFFFF_FFFE,
        stream=3,
        mid=0xFFFF_FFFD,
        ppid=46 if "B" in name else 0,
        fsn=0 if "B" in name else 46,
        payload=b"abc",
        unordered="U" in name,
        beginning="B" in name,
        ending="E" in name,
        immediate="I" in name,
    )
    assert chunk.encode() == encoded
    last = "ppid=46" if "B" in name else "fsn=46"
    assert str(chunk) == f"I_DATA {name} tsn=4294967294 stream=3 mid=4294967293 {last} payload=3B"


def test_what_is_reserved_is_ignored() -> None:
    """RFC 8260 §2.1: "It MUST be ... ignored by the receiver"."""
    value = bytes.fromhex(FIELDS + "61")
    assert IData.decode(0xF3, value[:6] + b"\xff\xff" + value[8:]) == IData.decode(0x03, value)


def test_i_data_without_user_data_decodes_so_that_it_can_be_answered() -> None:
    assert IData.decode(0x03, bytes.fromhex(FIELDS)) == IData(0xFFFF_FFFE, 3, 0xFFFF_FFFD, 46, 0, b"")


@pytest.mark.parametrize("size", range(16))
def test_i_data_without_all_its_fields_is_an_error(size: int) -> None:
    """X45: the fields are not read before there are enough bytes."""
    with pytest.raises(DecodeError, match=f"value of {size} bytes"):
        IData.decode(0x03, bytes(size))


@pytest.mark.parametrize("payload", [b"a", b"ab", b"abc", b"abcd"])
def test_the_path_without_an_object_writes_the_same_bytes(payload: bytes) -> None:
    header = encode_data_header(I_DATA_FORMAT, 0x05, len(payload), 0xFFFF_FFFF, 7, 0xFFFF_FFFE, 99)
    chunk = IData(0xFFFF_FFFF, 7, 0xFFFF_FFFE, 0, 99, payload, unordered=True, beginning=False)
    assert header + payload + PADDING[len(payload) & 3] == chunk.encode()
    assert I_DATA_FORMAT.header.unpack(header) == (64, 5, 20 + len(payload), 0xFFFF_FFFF, 7, 0xFFFF_FFFE, 99)


def test_a_payload_too_long_for_the_length_field_is_refused() -> None:
    assert IData(1, 0, 0, 0, 0, bytes(65515)).encode()[2:4] == b"\xff\xff"
    with pytest.raises(ValueError, match="I_DATA with 65516 bytes"):
        IData(1, 0, 0, 0, 0, bytes(65516)).encode()
