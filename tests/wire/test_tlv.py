from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire.errors import DecodeError
from aiosctp.wire.parameters import StateCookie
from aiosctp.wire.tlv import PADDING, encode_tlv, iter_tlvs, join_tlvs


@given(st.binary(max_size=20))
def test_padding_fills_up_to_four_bytes_with_zeros(value: bytes) -> None:
    padded = value + PADDING[len(value) & 3]
    assert len(padded) % 4 == 0
    assert len(padded) - len(value) <= 3
    assert not any(padded[len(value) :])


def test_all_but_the_last_are_padded() -> None:
    joined = join_tlvs([StateCookie(b"a"), StateCookie(b"bc"), StateCookie(b"d")])
    assert joined == bytes.fromhex("00070005 61000000 00070006 62630000 00070005 64")


def test_joining_nothing_gives_nothing() -> None:
    assert join_tlvs([]) == b""
    assert list(iter_tlvs(b"")) == []


def test_the_largest_tlv_has_65531_bytes_of_value() -> None:
    """X02: what does not fit the length field is refused, never cut or wrapped."""
    assert encode_tlv(7, bytes(65531))[:4] == bytes.fromhex("0007ffff")
    with pytest.raises(ValueError, match="65536 bytes"):
        encode_tlv(7, bytes(65532))


@pytest.mark.parametrize("padding", ["", "00", "0000", "000000", "ffffff"])
def test_padding_of_the_last_may_be_missing_partial_or_anything(padding: str) -> None:
    assert list(iter_tlvs(bytes.fromhex("00070005 61" + padding))) == [(7, b"a")]


def test_padding_between_is_ignored_whatever_it_is() -> None:
    assert list(iter_tlvs(bytes.fromhex("00070005 61ffffff 00090004"))) == [(7, b"a"), (9, b"")]


@pytest.mark.parametrize(
    ("rest", "type"),
    [
        ("00", None),
        ("000700", None),
        ("00070000", 7),
        ("00070003", 7),
        ("00070005", 7),
        ("00070009 61626364", 7),
        ("0007ffff 61626364", 7),
    ],
)
def test_a_tlv_that_is_not_whole_raises_after_those_before_it(rest: str, type: int | None) -> None:
    """X01, X37: one walker, which neither reads past the end nor stays where it is."""
    walker = iter_tlvs(bytes.fromhex("00060005 61000000" + rest))
    assert next(walker) == (6, b"a")
    with pytest.raises(DecodeError) as raised:
        next(walker)
    assert raised.value.parameter_type == type


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=9))))
def test_what_is_walked_is_what_was_written(items: list[tuple[int, bytes]]) -> None:
    data = b"".join(encode_tlv(type, value) + PADDING[len(value) & 3] for type, value in items)
    assert list(iter_tlvs(data)) == items
