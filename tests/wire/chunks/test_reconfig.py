from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire.chunks import ReConfig, decode_chunk
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import RawChunk
from aiosctp.wire.parameters import Parameter, UnknownParameter, decode_parameters
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.wire.strategies import any_reconfiguration_parameter

# Written by hand after the pictures of the RFC.
PICTURES: list[tuple[ReconfigurationParameter, str, str]] = [
    (
        OutgoingSsnResetRequest(0xFFFF_FFFE, 1, 0x0102_0304, (1, 0xFFFF)),
        "000d0014 fffffffe 00000001 01020304 0001 ffff",
        "out req=4294967294 resp=1 last_tsn=16909060 streams=1,65535",
    ),
    (
        OutgoingSsnResetRequest(2, 1, 0),
        "000d0010 00000002 00000001 00000000",
        "out req=2 resp=1 last_tsn=0 streams=all",
    ),
    (
        OutgoingSsnResetRequest(2, 1, 0, (7,)),
        "000d0012 00000002 00000001 00000000 0007",
        "out req=2 resp=1 last_tsn=0 streams=7",
    ),
    (IncomingSsnResetRequest(3, (4, 5)), "000e000c 00000003 0004 0005", "in req=3 streams=4,5"),
    (IncomingSsnResetRequest(3), "000e0008 00000003", "in req=3 streams=all"),
    (SsnTsnResetRequest(0x8000_0000), "000f0008 80000000", "ssn_tsn req=2147483648"),
    (ReconfigurationResponse(9, 6), "0010000c 00000009 00000006", "resp=9 result=6"),
    (
        ReconfigurationResponse(9, 1, 0xFFFF_FFFF, 0),
        "00100014 00000009 00000001 ffffffff 00000000",
        "resp=9 result=1 tsns=4294967295,0",
    ),
    (AddOutgoingStreamsRequest(5, 0x0102), "0011000c 00000005 0102 0000", "add_out req=5 new=258"),
    (AddIncomingStreamsRequest(5, 3), "0012000c 00000005 0003 0000", "add_in req=5 new=3"),
]


def decoded(value: bytes, flags: int = 0) -> ReConfig:
    chunk = decode_chunk(RawChunk(ChunkType.RE_CONFIG, flags, value))
    assert isinstance(chunk, ReConfig)
    return chunk


@pytest.mark.parametrize(("parameter", "picture", "text"), PICTURES)
def test_a_parameter_is_as_the_rfc_draws_it(parameter: ReconfigurationParameter, picture: str, text: str) -> None:
    """M15, P08-P13: the six parameters of RE-CONFIG, and the chunk."""
    encoded = bytes.fromhex(picture)
    assert parameter.encode() == encoded
    assert decoded(encoded) == ReConfig((parameter,))
    assert str(ReConfig((parameter,))) == f"RE_CONFIG {text}"


def test_two_parameters_share_a_chunk_with_padding_between_them() -> None:
    pair = ReConfig((OutgoingSsnResetRequest(2, 1, 0, (7,)), IncomingSsnResetRequest(3)))
    assert pair.encode().hex() == "8200" + "0020" + "000d001200000002000000010000000000070000" + "000e000800000003"
    assert decoded(pair.value) == pair
    assert str(pair) == "RE_CONFIG out req=2 resp=1 last_tsn=0 streams=7; in req=3 streams=all"


@pytest.mark.parametrize(
    ("type", "size"),
    [
        *((13, size) for size in (0, 4, 11, 13, 15)),
        *((14, size) for size in (0, 3, 5, 7)),
        *((15, size) for size in (0, 3, 5, 8)),
        *((16, size) for size in (0, 4, 7, 9, 12, 15, 17, 20)),
        *((type, size) for type in (17, 18) for size in (0, 4, 7, 9, 12)),
    ],
)
def test_a_parameter_of_the_wrong_size_is_an_error_that_names_it(type: int, size: int) -> None:
    with pytest.raises(DecodeError, match=f"of {size} bytes") as raised:
        decoded(UnknownParameter(type, bytes(size)).encode())
    assert raised.value.parameter_type == type
    assert raised.value.chunk_type == ChunkType.RE_CONFIG


def test_a_parameter_partly_outside_of_the_chunk_is_an_error() -> None:
    with pytest.raises(DecodeError):
        decoded(bytes.fromhex("000e000c 00000003 0004"))


def test_reserved_bits_and_chunk_flags_are_ignored() -> None:
    """RFC 6525 §3.1, §4.5, §4.6: "ignored by the receiver"."""
    assert decoded(bytes.fromhex("0011000c 00000005 0001 ffff"), flags=0xFF) == ReConfig(
        (AddOutgoingStreamsRequest(5, 1),)
    )


def test_an_unknown_parameter_is_kept_with_what_follows() -> None:
    chunk = ReConfig((UnknownParameter(19, b"?"), SsnTsnResetRequest(1)))
    assert decoded(chunk.value) == chunk


def test_in_another_chunk_they_are_unknown() -> None:
    """RFC 6525 §4: "This parameter MUST NOT appear in any other chunk type": there, it means nothing."""
    found: tuple[Parameter, ...] = decode_parameters(SsnTsnResetRequest(1).encode())
    assert found == (UnknownParameter(15, bytes.fromhex("00000001")),)


@given(st.lists(any_reconfiguration_parameter, max_size=4).map(tuple))
def test_what_is_encoded_is_decoded(
    parameters: tuple[ReconfigurationParameter | UnknownParameter, ...],
) -> None:
    assert decoded(ReConfig(parameters).value) == ReConfig(parameters)
