from __future__ import annotations

import pytest

from aiosctp.wire.chunks import CookieAck, Sack, decode_chunks, decode_sack, encode_sack
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import encode_packet


def test_sack_is_as_the_example_of_the_rfc() -> None:
    """M03: the example of §3.3.4, TSNs 10-12, 14-15 and 17 received."""
    encoded = bytes.fromhex("03000018 0000000c 00001234 0002 0000 0002 0003 0005 0005")
    chunk = Sack(12, 4660, ((2, 3), (5, 5)))
    assert chunk.encode() == encoded
    assert Sack.decode(0, encoded[4:]) == chunk
    assert str(chunk) == "SACK cum=12 a_rwnd=4660 gaps=2-3,5-5 duplicates=-"


def test_duplicates_follow_the_gaps() -> None:
    """M03: a TSN received three times is listed twice (§3.3.4)."""
    encoded = bytes.fromhex("0300001c fffffffe 00000000 0001 0002 0002 ffff 00000013 00000013")
    chunk = Sack(0xFFFF_FFFE, 0, ((2, 0xFFFF),), (19, 19))
    assert chunk.encode() == encoded
    assert Sack.decode(0, encoded[4:]) == chunk
    assert str(chunk) == "SACK cum=4294967294 a_rwnd=0 gaps=2-65535 duplicates=19,19"


def test_sack_without_gaps_or_duplicates() -> None:
    encoded = bytes.fromhex("03000010 ffffffff 0001f400 0000 0000")
    assert Sack(0xFFFF_FFFF, 128000).encode() == encoded
    assert Sack.decode(0, encoded[4:]) == Sack(0xFFFF_FFFF, 128000)


def test_the_path_without_an_object_writes_and_reads_the_same() -> None:
    chunk = Sack(1, 2, ((3, 4), (6, 6)), (5,))
    encoded = encode_sack(1, 2, [(3, 4), (6, 6)], [5])
    assert encoded == chunk.encode()
    assert decode_sack(encoded[4:]) == (1, 2, ((3, 4), (6, 6)), (5,))


@pytest.mark.parametrize("size", range(12))
def test_sack_without_all_its_fields_is_an_error(size: int) -> None:
    """X45: the counts are not read before there are enough bytes."""
    with pytest.raises(DecodeError, match=f"value of {size} bytes"):
        Sack.decode(0, bytes(size))


@pytest.mark.parametrize(
    ("gaps", "duplicates", "room"),
    [(1, 0, 3), (0, 1, 3), (2, 0, 4), (1, 1, 7), (0xFFFF, 0, 64), (0xFFFF, 0xFFFF, 64)],
)
def test_more_gaps_and_duplicates_announced_than_present_is_an_error(gaps: int, duplicates: int, room: int) -> None:
    """X36: counts are held against the length of the chunk before anything is read by them."""
    value = bytes(8) + gaps.to_bytes(2) + duplicates.to_bytes(2) + bytes(room)
    with pytest.raises(DecodeError, match=f"{gaps} gaps and {duplicates} duplicates"):
        Sack.decode(0, value)


def test_a_sack_before_another_chunk_ends_where_its_length_says() -> None:
    """X41: the rest of the packet is not taken for gaps."""
    sack = Sack(7, 8, ((2, 2),))
    packet = encode_packet(1, 2, 3, [sack.encode(), CookieAck().encode(), sack.encode()])
    assert list(decode_chunks(packet)) == [sack, CookieAck(), sack]


def test_surplus_after_the_announced_is_ignored() -> None:
    assert Sack.decode(0, Sack(7, 8).encode()[4:] + b"\xff\xff\xff\xff") == Sack(7, 8)


def test_inverted_and_overlapping_gaps_are_left_to_the_core() -> None:
    chunk = Sack(1, 2, ((9, 3), (2, 20), (0, 0)))
    assert Sack.decode(0, chunk.encode()[4:]) == chunk
