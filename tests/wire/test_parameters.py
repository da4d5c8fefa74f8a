from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire.errors import DecodeError
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    CookiePreservative,
    HeartbeatInfo,
    HostNameAddress,
    IPv4AddressParameter,
    IPv6AddressParameter,
    Padding,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    SupportedExtensions,
    UnknownParameter,
    UnrecognizedParameter,
    decode_parameters,
)
from aiosctp.wire.tlv import join_tlvs
from tests.wire.strategies import any_parameter

# Written by hand after the pictures of the RFC.
PICTURES: list[tuple[Parameter, str]] = [
    (HeartbeatInfo(b"nonce"), "00010009 6e6f6e6365"),
    (IPv4AddressParameter("192.0.2.1"), "00050008 c0000201"),
    (IPv6AddressParameter("2001:db8::1"), "00060014 20010db8 00000000 00000000 00000001"),
    (StateCookie(b""), "00070004"),
    (StateCookie(b"abcde"), "00070009 6162636465"),
    (UnrecognizedParameter(b"\xff\xff\x00\x05a"), "00080009 ffff000561"),
    (CookiePreservative(1000), "00090008 000003e8"),
    (HostNameAddress(b"a.example\0"), "000b000e 612e6578616d706c6500"),
    (SupportedAddressTypes((5, 6)), "000c0008 00050006"),
    (SupportedAddressTypes((5,)), "000c0006 0005"),
    (Padding(b"pad"), "80050007 706164"),
    (SupportedExtensions((0xC1, 0x80, 0x82)), "80080007 c18082"),
    (AdaptationLayerIndication(0xFFFF_FFFE), "c0060008 fffffffe"),
    (UnknownParameter(0x8000, b""), "80000004"),
]


@pytest.mark.parametrize(("parameter", "picture"), PICTURES)
def test_a_parameter_is_as_the_rfc_draws_it(parameter: Parameter, picture: str) -> None:
    encoded = bytes.fromhex(picture)
    assert parameter.encode() == encoded
    assert decode_parameters(encoded) == (parameter,)


@given(st.lists(any_parameter, max_size=8).map(tuple))
def test_what_is_encoded_is_decoded(parameters: tuple[Parameter, ...]) -> None:
    assert decode_parameters(join_tlvs(parameters)) == parameters


@pytest.mark.parametrize(
    ("type", "size"),
    [
        (5, 0),
        (5, 3),
        (5, 5),
        (5, 16),
        (6, 0),
        (6, 4),
        (6, 15),
        (6, 17),
        (9, 3),
        (9, 5),
        (12, 3),
        (0xC006, 0),
        (0xC006, 8),
    ],
)
def test_a_known_parameter_of_the_wrong_size_is_an_error_that_names_it(type: int, size: int) -> None:
    """X45: a short or long body is an error, not a read past its end."""
    before = StateCookie(b"cookie")
    bad = UnknownParameter(type, bytes(size))
    with pytest.raises(DecodeError, match=f"of {size} bytes") as raised:
        decode_parameters(join_tlvs([before, bad, before]))
    assert raised.value.parameter_type == type
    assert raised.value.decoded == (before,)


def test_a_last_parameter_partly_outside_is_an_error_and_not_decoded() -> None:
    """X01: there is one parser, so what is checked is what is loaded."""
    data = IPv4AddressParameter("192.0.2.1").encode() + bytes.fromhex("00050008 c00002")
    with pytest.raises(DecodeError) as raised:
        decode_parameters(data)
    assert raised.value.decoded == (IPv4AddressParameter("192.0.2.1"),)


def test_a_parameter_inside_a_parameter_stays_raw() -> None:
    """X17: nothing nested is followed, however deep."""
    nested = b""
    for _ in range(2000):
        nested = UnrecognizedParameter(nested).encode()
    assert decode_parameters(nested) == (UnrecognizedParameter(nested[4:]),)


def test_the_same_parameter_twice_is_kept_twice() -> None:
    twice = (StateCookie(b"a"), StateCookie(b"a"))
    assert decode_parameters(join_tlvs(twice)) == twice


@pytest.mark.parametrize(
    ("type", "stop", "report"),
    [(0x3FFF, True, False), (0x7F00, True, True), (0x80FF, False, False), (0xC0FF, False, True)],
)
def test_an_unknown_parameter_tells_what_to_do_with_it(type: int, stop: bool, report: bool) -> None:
    (parameter,) = decode_parameters(UnknownParameter(type, b"abc").encode())
    assert parameter == UnknownParameter(type, b"abc")
    assert parameter.stop_processing is stop
    assert parameter.report is report


def test_the_scope_of_an_address_does_not_travel() -> None:
    assert IPv6AddressParameter("fe80::1%eth0").encode() == IPv6AddressParameter("fe80::1").encode()


def test_a_host_that_is_no_address_of_its_family_is_a_value_error() -> None:
    for parameter in (
        IPv4AddressParameter("::1"),
        IPv6AddressParameter("192.0.2.1"),
        IPv4AddressParameter("a"),
    ):
        with pytest.raises(ValueError, match=r"octets|Expected|At least"):
            parameter.encode()


@given(st.binary(max_size=80))
def test_any_bytes_at_all_raise_nothing_but_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_parameters(data)
