from __future__ import annotations

import pytest

from aiosctp.wire.chunks import Init, InitAck, decode_chunk
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import RawChunk
from aiosctp.wire.parameters import IPv4AddressParameter, StateCookie, SupportedExtensions, UnknownParameter

FIELDS = "fffffffe 00020000 000a 0800 ffffffff"

both = pytest.mark.parametrize("chunk_class", [Init, InitAck])


def test_init_is_as_the_rfc_draws_it() -> None:
    encoded = bytes.fromhex(f"01000020 {FIELDS} 00050008 c0000201 80000004")
    parameters = (IPv4AddressParameter("192.0.2.1"), UnknownParameter(0x8000, b""))
    chunk = Init(0xFFFF_FFFE, 131072, 10, 2048, 0xFFFF_FFFF, parameters)
    assert chunk.encode() == encoded
    assert Init.decode(0, encoded[4:]) == chunk
    assert str(chunk) == (
        "INIT tag=0xfffffffe a_rwnd=131072 outbound=10 inbound=2048 tsn=4294967295 parameters=IPV4_ADDRESS,0x8000"
    )


def test_init_ack_is_as_the_rfc_draws_it() -> None:
    encoded = bytes.fromhex(f"0200001a {FIELDS} 00070006 61620000")
    chunk = InitAck(0xFFFF_FFFE, 131072, 10, 2048, 0xFFFF_FFFF, (StateCookie(b"ab"),))
    assert chunk.encode() == encoded
    assert InitAck.decode(0, encoded[4:-2]) == chunk
    assert str(chunk).startswith("INIT_ACK tag=0xfffffffe")


@both
def test_the_length_counts_the_padding_of_all_parameters_but_the_last(
    chunk_class: type[Init | InitAck],
) -> None:
    chunk = chunk_class(1, 1500, 1, 1, 0, (SupportedExtensions((0xC1,)), StateCookie(b"abc")))
    encoded = chunk.encode()
    assert encoded[2:4] == (20 + 8 + 7).to_bytes(2)
    assert encoded[20:] == bytes.fromhex("80080005 c1000000 00070007 616263 00")


@both
def test_the_padding_of_the_last_parameter_may_be_counted_in_the_length(
    chunk_class: type[Init | InitAck],
) -> None:
    """ "A robust implementation is expected to accept the chunk whether or not" it is (§3.2)."""
    chunk = chunk_class(1, 1500, 1, 1, 0, (StateCookie(b"abc"),))
    padded = chunk.encode()[4:]
    assert chunk_class.decode(0, padded) == chunk_class.decode(0, padded[:-1]) == chunk


@both
def test_no_parameters(chunk_class: type[Init | InitAck]) -> None:
    chunk = chunk_class(1, 1500, 1, 1, 0)
    assert len(chunk.encode()) == 20
    assert chunk_class.decode(0, chunk.encode()[4:]) == chunk
    assert str(chunk).endswith(" parameters=-")


@both
@pytest.mark.parametrize("size", range(16))
def test_fewer_bytes_than_the_mandatory_fields_is_an_error(chunk_class: type[Init | InitAck], size: int) -> None:
    """X45: the fields are not read before there are enough bytes."""
    with pytest.raises(DecodeError, match=f"value of {size} bytes"):
        chunk_class.decode(0, bytes(size))


@both
def test_a_bad_parameter_fails_the_chunk_and_leaves_what_an_answer_needs(
    chunk_class: type[Init | InitAck],
) -> None:
    """The error names the parameter and keeps the chunk raw, its Initiate Tag readable."""
    value = bytes.fromhex(f"{FIELDS} 00070005 61000000 00050007 c0000200")
    raw = RawChunk(chunk_class.type, 0, value)
    with pytest.raises(DecodeError, match="IPV4_ADDRESS of 3 bytes") as raised:
        decode_chunk(raw)
    error = raised.value
    assert error.chunk is raw
    assert error.chunk_type == chunk_class.type
    assert error.parameter_type == 5
    assert error.decoded == (StateCookie(b"a"),)


@both
def test_what_only_the_core_may_judge_decodes(chunk_class: type[Init | InitAck]) -> None:
    chunk = chunk_class(0, 0, 0, 0, 0)
    assert chunk_class.decode(0xFF, bytes(16)) == chunk
