from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire.causes import (
    MAX_CAUSES,
    Cause,
    CookieReceivedWhileShuttingDown,
    InvalidMandatoryParameter,
    InvalidStreamIdentifier,
    MissingMandatoryParameter,
    NoUserData,
    OutOfResource,
    ProtocolViolation,
    RestartWithNewAddresses,
    RestartWithNewEncapsulationPort,
    StaleCookie,
    UnknownCause,
    UnrecognizedChunkType,
    UnrecognizedParameters,
    UnresolvableAddress,
    UserInitiatedAbort,
    decode_causes,
)
from aiosctp.wire.parameters import IPv4AddressParameter, IPv6AddressParameter, StateCookie
from aiosctp.wire.tlv import encode_tlv, join_tlvs
from tests.wire.strategies import any_cause

# Written by hand after the pictures of the RFC.
PICTURES: list[tuple[Cause, str]] = [
    (InvalidStreamIdentifier(0xFFFE), "00010008 fffe0000"),
    (MissingMandatoryParameter((7,)), "0002000a 00000001 0007"),
    (MissingMandatoryParameter((7, 12)), "0002000c 00000002 0007000c"),
    (MissingMandatoryParameter(()), "00020008 00000000"),
    (StaleCookie(0xFFFF_FFFE), "00030008 fffffffe"),
    (OutOfResource(), "00040004"),
    (UnresolvableAddress(b"\x00\x0b\x00\x06a\x00"), "0005000a 000b00066100"),
    (UnrecognizedChunkType(b"\xff\x00\x00\x05a"), "00060009 ff00000561"),
    (InvalidMandatoryParameter(), "00070004"),
    (UnrecognizedParameters(b"\xff\xff\x00\x04"), "00080008 ffff0004"),
    (NoUserData(0xFFFF_FFFE), "00090008 fffffffe"),
    (CookieReceivedWhileShuttingDown(), "000a0004"),
    (
        RestartWithNewAddresses((IPv4AddressParameter("192.0.2.1"), IPv6AddressParameter("::1"))),
        "000b0020 00050008 c0000201 00060014 00000000 00000000 00000000 00000001",
    ),
    (UserInitiatedAbort(b"bye"), "000c0007 627965"),
    (ProtocolViolation(b"bad"), "000d0007 626164"),
    (RestartWithNewEncapsulationPort(9899, 9900), "000e0008 26ab26ac"),
    (UnknownCause(0xA0, b"?"), "00a00005 3f"),
]


@pytest.mark.parametrize(("cause", "picture"), PICTURES)
def test_a_cause_is_as_the_rfc_draws_it(cause: Cause, picture: str) -> None:
    encoded = bytes.fromhex(picture)
    assert cause.encode() == encoded
    assert cause.data == encoded[4:]
    assert cause.code == int.from_bytes(encoded[:2])
    assert decode_causes(encoded) == (cause,)


@given(st.lists(any_cause, max_size=8).map(tuple))
def test_what_is_encoded_is_decoded(causes: tuple[Cause, ...]) -> None:
    assert decode_causes(join_tlvs(causes)) == causes


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (1, ""),
        (1, "000100"),
        (2, "000000"),
        (2, "00000002 0007"),
        (2, "ffffffff"),
        (3, "0000"),
        (4, "00"),
        (7, "00000000"),
        (9, ""),
        (10, "00"),
        (11, "00050007 c00002"),
        (11, "0005"),
        (14, "26ab"),
    ],
)
def test_a_known_code_with_data_of_the_wrong_shape_keeps_its_raw_bytes(code: int, data: str) -> None:
    """X45: cause bodies shorter than they should be are never read."""
    bad = UnknownCause(code, bytes.fromhex(data))
    assert decode_causes(join_tlvs([bad, OutOfResource()])) == (bad, OutOfResource())


def test_a_restart_cause_with_something_else_than_addresses_keeps_its_raw_bytes() -> None:
    bad = UnknownCause(11, StateCookie(b"").encode())
    assert decode_causes(bad.encode()) == (bad,)


@pytest.mark.parametrize("rest", ["00", "00040000", "00040003", "00040008", "000cffff 6162"])
def test_a_cause_that_is_not_whole_ends_the_list(rest: str) -> None:
    """X37: the causes before it stand, and the walk ends."""
    assert decode_causes(StaleCookie(1).encode() + bytes.fromhex(rest)) == (StaleCookie(1),)


def test_reserved_bits_of_an_invalid_stream_identifier_are_ignored() -> None:
    assert decode_causes(bytes.fromhex("00010008 0003ffff")) == (InvalidStreamIdentifier(3),)


def test_no_more_than_max_causes_are_decoded() -> None:
    """X30: an ERROR stuffed with causes makes a bounded list."""
    assert decode_causes(encode_tlv(4, b"") * (MAX_CAUSES + 1)) == (OutOfResource(),) * MAX_CAUSES


@given(st.binary(max_size=80))
def test_any_bytes_at_all_raise_nothing(data: bytes) -> None:
    assert len(decode_causes(data)) <= len(data) // 4
