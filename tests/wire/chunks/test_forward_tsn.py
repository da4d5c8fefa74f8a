from __future__ import annotations

import pytest

from aiosctp.wire.chunks import ForwardTsn, IForwardTsn
from aiosctp.wire.errors import DecodeError


def test_forward_tsn_is_as_the_rfc_draws_it() -> None:
    """M17: RFC 3758 §3.2."""
    encoded = bytes.fromhex("c0000010 fffffffe 0003 ffff ffff 0000")
    chunk = ForwardTsn(0xFFFF_FFFE, ((3, 0xFFFF), (0xFFFF, 0)))
    assert chunk.encode() == encoded
    assert ForwardTsn.decode(0, encoded[4:]) == chunk
    assert str(chunk) == "FORWARD_TSN cum=4294967294 skipped=3:65535,65535:0"


def test_i_forward_tsn_is_as_the_rfc_draws_it() -> None:
    """M12: RFC 8260 §2.3.1."""
    encoded = bytes.fromhex("c2000018 fffffffe 0003 0000 ffffffff ffff 0001 00000000")
    chunk = IForwardTsn(0xFFFF_FFFE, ((3, False, 0xFFFF_FFFF), (0xFFFF, True, 0)))
    assert chunk.encode() == encoded
    assert IForwardTsn.decode(0, encoded[4:]) == chunk
    assert str(chunk) == "I_FORWARD_TSN cum=4294967294 skipped=3:4294967295,65535U:0"


def test_without_skipped_messages_the_new_cumulative_tsn_is_all() -> None:
    assert ForwardTsn(7).encode() == bytes.fromhex("c0000008 00000007")
    assert str(ForwardTsn.decode(0, bytes.fromhex("00000007"))) == "FORWARD_TSN cum=7 skipped=-"
    assert IForwardTsn(7).encode() == bytes.fromhex("c2000008 00000007")
    assert str(IForwardTsn.decode(0, bytes.fromhex("00000007"))) == "I_FORWARD_TSN cum=7 skipped=-"


def test_flags_and_what_is_reserved_are_ignored() -> None:
    """RFC 3758 §3.2: "ignored on receipt"; RFC 8260 §2.3.1: "MUST be ignored by the receiver"."""
    assert ForwardTsn.decode(0xFF, bytes(8)) == ForwardTsn(0, ((0, 0),))
    assert IForwardTsn.decode(0xFF, bytes.fromhex("00000000 0005 fffe 00000000")) == IForwardTsn(0, ((5, False, 0),))


@pytest.mark.parametrize("size", range(4))
def test_without_a_whole_tsn_it_is_an_error(size: int) -> None:
    """X45: the field is not read before there are enough bytes."""
    for chunk in (ForwardTsn, IForwardTsn):
        with pytest.raises(DecodeError, match=f"value of {size} bytes"):
            chunk.decode(0, bytes(size))


@pytest.mark.parametrize("surplus", range(1, 8))
def test_with_a_part_of_an_entry_it_is_an_error(surplus: int) -> None:
    """X45: the list of what was skipped is whole, or not believed at all."""
    if surplus % 4:
        with pytest.raises(DecodeError, match=f"{8 + surplus} bytes of skipped messages"):
            ForwardTsn.decode(0, bytes(12 + surplus))
    with pytest.raises(DecodeError, match=f"{8 + surplus} bytes of skipped messages"):
        IForwardTsn.decode(0, bytes(12 + surplus))


def test_what_is_listed_twice_or_nowhere_is_left_to_the_core() -> None:
    chunk = ForwardTsn(1, ((9, 3), (9, 1), (0xFFFF, 0)))
    assert ForwardTsn.decode(0, chunk.encode()[4:]) == chunk
