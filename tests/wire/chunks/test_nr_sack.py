from __future__ import annotations

import pytest

from aiosctp.wire.chunks import CookieAck, NrSack, decode_chunks, encode_nr_sack
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import encode_packet


def test_nr_sack_is_as_the_draft_draws_it() -> None:
    """M11: the blocks that may be dropped again, those that will not, the duplicates."""
    encoded = bytes.fromhex("10000024 fffffffe 00001234 0001 0002 0001 0000 0002 0003 0005 0005 0007 ffff 00000013")
    chunk = NrSack(0xFFFF_FFFE, 4660, ((2, 3),), ((5, 5), (7, 0xFFFF)), (19,))
    assert chunk.encode() == encoded
    assert encode_nr_sack(0xFFFF_FFFE, 4660, [(2, 3)], [(5, 5), (7, 0xFFFF)], [19]) == encoded
    assert NrSack.decode(0, encoded[4:]) == chunk
    assert str(chunk) == "NR_SACK cum=4294967294 a_rwnd=4660 gaps=2-3 nr_gaps=5-5,7-65535 duplicates=19"


def test_nr_sack_without_blocks_or_duplicates() -> None:
    encoded = bytes.fromhex("10000014 ffffffff 0001f400 0000 0000 0000 0000")
    assert NrSack(0xFFFF_FFFF, 128000).encode() == encoded
    assert NrSack.decode(0, encoded[4:]) == NrSack(0xFFFF_FFFF, 128000)
    assert str(NrSack(1, 2)) == "NR_SACK cum=1 a_rwnd=2 gaps=- nr_gaps=- duplicates=-"


@pytest.mark.parametrize("size", range(16))
def test_nr_sack_without_all_its_fields_is_an_error(size: int) -> None:
    """X45: the counts are not read before there are enough bytes."""
    with pytest.raises(DecodeError, match=f"value of {size} bytes"):
        NrSack.decode(0, bytes(size))


@pytest.mark.parametrize(
    ("gaps", "nr_gaps", "duplicates", "room"),
    [(1, 0, 0, 3), (0, 1, 0, 3), (0, 0, 1, 3), (1, 1, 1, 11), (0xFFFF, 0xFFFF, 0xFFFF, 64)],
)
def test_more_announced_than_present_is_an_error(gaps: int, nr_gaps: int, duplicates: int, room: int) -> None:
    """X36: counts are held against the length of the chunk before anything is read by them."""
    value = bytes(8) + gaps.to_bytes(2) + nr_gaps.to_bytes(2) + duplicates.to_bytes(2) + bytes(2 + room)
    with pytest.raises(DecodeError, match=f"{gaps} gaps, {nr_gaps} non-renegable ones and {duplicates} duplicates"):
        NrSack.decode(0, value)


def test_an_nr_sack_before_another_chunk_ends_where_its_length_says() -> None:
    """X41: the rest of the packet is not taken for gaps."""
    sack = NrSack(7, 8, ((2, 2),), ((4, 4),))
    packet = encode_packet(1, 2, 3, [sack.encode(), CookieAck().encode(), sack.encode()])
    assert list(decode_chunks(packet)) == [sack, CookieAck(), sack]


def test_surplus_and_what_is_reserved_are_ignored() -> None:
    value = NrSack(7, 8).encode()[4:]
    assert NrSack.decode(0xFF, value[:-2] + b"\xff\xff" + b"\xff\xff\xff\xff") == NrSack(7, 8)
