"""The short ways through DATA and I-DATA: they come to what chunk by chunk is read and written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire.checksum import seed
from aiosctp.wire.chunks import (
    DATA_FORMAT,
    I_DATA_FORMAT,
    AlikeChunks,
    ArrivedFragments,
    Data,
    DataFormat,
    Fragments,
    Heartbeat,
    IData,
    Sack,
    UserData,
    data_of,
    decode_bulk,
    decode_chunks,
)
from aiosctp.wire.packet import encode_packet

FORMATS = pytest.mark.parametrize("format", [DATA_FORMAT, I_DATA_FORMAT], ids=["DATA", "I-DATA"])
LAST_TSN = 0xFFFF_FFFF


def make(format: DataFormat, tsn: int, payload: bytes, *, number: int = 0, last: int = 9, **bits: bool) -> UserData:
    """last: the PPID, or the FSN if it begins no message."""
    tsn &= LAST_TSN
    if format is DATA_FORMAT:
        return Data(tsn, 3, number, last, payload, **bits)
    if bits.get("beginning", True):
        return IData(tsn, 3, number, last, 0, payload, **bits)
    return IData(tsn, 3, number, 0, last, payload, **bits)


def fragments(format: DataFormat, count: int, size: int = 8) -> list[UserData]:
    """Out of the middle of a message whose first fragment has the TSN before TSNs turn over."""
    lasts = range(1, count + 1) if format.counts_fragments else [9] * count
    return [
        make(format, LAST_TSN + n, bytes([n]) * size, number=0xFFFF, last=last, beginning=False, ending=False)
        for n, last in enumerate(lasts, 1)
    ]


def packet_of(*chunks: UserData | Sack | Heartbeat, tag: int = 3) -> bytes:
    return encode_packet(1, 2, tag, [chunk.encode() for chunk in chunks])


def bulk_of(packet: bytes, format: DataFormat) -> tuple[Sack | None, list[UserData]] | None:
    bulk = decode_bulk(packet, memoryview(packet), 0, len(packet), seed(packet[:8]), format)
    return None if bulk is None else (bulk[0], [data_of(fields) for fields in bulk[1]])


SHAPES: dict[str, Callable[[DataFormat], list[UserData]]] = {
    "one": lambda format: [make(format, 1, b"only")],
    "alike": lambda format: [make(format, n, b"alike", number=n, last=n) for n in range(9)],
    "of one size": lambda format: [make(format, n, b"1234567", unordered=n % 2 == 0) for n in range(9)],
    "of all sizes": lambda format: [make(format, n, bytes(n), number=n) for n in range(1, 9)],
    "fragments": lambda format: fragments(format, 5),
    "an end and a beginning": lambda format: [
        make(format, 1, b"end", beginning=False, last=5),
        make(format, 2, b"beginning", ending=False, number=1),
    ],
}


@FORMATS
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sack", [None, Sack(7, 9000)])
def test_the_short_way_reads_what_the_general_one_does(format: DataFormat, shape: str, sack: Sack | None) -> None:
    """S10, M12: in I-DATA as in DATA."""
    chunks = SHAPES[shape](format)
    packet = packet_of(*((sack,) if sack else ()), *chunks)
    assert bulk_of(packet, format) == (sack, chunks)
    assert list(decode_chunks(packet)) == [*((sack,) if sack else ()), *chunks]


@FORMATS
def test_small_messages_of_one_stream_are_read_by_column(format: DataFormat) -> None:
    chunks = [make(format, LAST_TSN - 1 + n, b"alike", number=n, last=n) for n in range(9)]
    packet = packet_of(*chunks)
    bulk = decode_bulk(packet, memoryview(packet), 0, len(packet), seed(packet[:8]), format)
    assert bulk is not None
    assert type(bulk[1]) is AlikeChunks
    assert [data_of(bulk[1][index]) for index in range(9)] == chunks
    assert bulk[1].tsns == tuple(chunk.tsn for chunk in chunks)
    assert bulk[1].numbers == bulk[1].ppids == tuple(range(9))


@FORMATS
def test_the_other_format_goes_the_general_way(format: DataFormat) -> None:
    """RFC 8260 §2.2.3: it is a violation, and not for who reads nothing but this one."""
    other = I_DATA_FORMAT if format is DATA_FORMAT else DATA_FORMAT
    right = make(format, 1, bytes(12))
    wrong = make(other, 2, bytes(12 + format.header_bytes - other.header_bytes))
    for chunks in ([wrong], [right, wrong], [wrong, right], [right] * 3 + [wrong]):
        for lead in ([], [Sack(7, 9000)]):
            assert bulk_of(packet_of(*lead, *chunks), format) is None
    assert bulk_of(packet_of(right), format) == (None, [right])


@FORMATS
@pytest.mark.parametrize("cut", range(1, 24))
def test_a_chunk_that_is_not_whole_goes_the_general_way(format: DataFormat, cut: int) -> None:
    """X19, X45: nothing is read beyond the packet."""
    whole = make(format, 1, b"1234").encode()
    for chunks in ([whole[:-cut]], [whole, whole[:-cut]]):
        packet = encode_packet(1, 2, 3, chunks)
        if len(whole) > cut:
            assert bulk_of(packet, format) is None


# -- fragments on their way out --


@FORMATS
@given(
    st.integers(1, 9),
    st.integers(1, 4),
    st.sampled_from([5, LAST_TSN - 3, LAST_TSN]),
    st.sampled_from([40, 0xFFFF_FFFD, 0xFFFF_FFFF]),
)
def test_fragments_are_written_as_one_by_one(format: DataFormat, count: int, words: int, tsn: int, last: int) -> None:
    """RFC 8260 §2.1: "the FSN MAY wrap completely"."""
    size = 4 * words
    data = bytes(range(256))
    chunks = [
        make(
            format,
            tsn + n,
            data[7 + n * size : 7 + (n + 1) * size],
            number=0xFFFF,
            last=last + n * format.counts_fragments & 0xFFFF_FFFF,
            unordered=True,
            beginning=False,
            ending=False,
        )
        for n in range(count)
    ]
    made = Fragments(format, data, 7, count, size, 4, tsn, (3, 0xFFFF, last))
    assert made.encode() == [chunk.encode() for chunk in chunks]
    assert [header + payload for header, payload in made.chunks()] == made.encode()
    assert [b"".join(made.chunk(chunk.tsn)) for chunk in chunks] == made.encode()
    assert b"".join(made.take_last()) == chunks[-1].encode()
    assert made.encode() == [chunk.encode() for chunk in chunks[:-1]]


# -- and on their way in --


def arrived(format: DataFormat, packets: list[bytes]) -> ArrivedFragments:
    run = b"".join(packets)
    return ArrivedFragments(run, memoryview(run), len(packets[0]), seed(run[:8]), format)


def beginning(format: DataFormat) -> tuple[int, int, int, int, int, int, int, bytes]:
    return (format.chunk_type, 2, format.header_bytes + 8, LAST_TSN, 3, 0xFFFF, 9, bytes(8))


@FORMATS
def test_fragments_that_continue_a_message_are_taken_together(format: DataFormat) -> None:
    """RFC 8260 §2.1: the FSNs count on from one to the next, as the TSNs do."""
    chunks = fragments(format, 6)
    packets = [packet_of(chunk) for chunk in chunks]
    run, size = arrived(format, packets), len(packets[0])
    assert run.payload_bytes == 8
    payloads = tuple(chunk.payload for chunk in chunks)
    assert run.take(0, beginning(format), 0, 100) == payloads
    assert run.take(0, beginning(format), 0, 2) == payloads[:2]
    assert run.take(2 * size, beginning(format), 2, 100) == payloads[2:]
    assert run.take(6 * size, beginning(format), 6, 100) == ()
    assert run.take(0, beginning(format), 1, 100) == ()


CHANGES: dict[str, dict[str, object]] = {
    "another TSN": {"tsn": 7},
    "another stream": {"stream": 4},
    "the end": {"ending": True},
    "unordered": {"unordered": True},
    "asks for a SACK": {"immediate": True},
}


@FORMATS
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("index", range(4))
def test_one_that_does_not_continue_it_ends_them(format: DataFormat, change: str, index: int) -> None:
    chunks = fragments(format, 4)
    for name, value in CHANGES[change].items():
        setattr(chunks[index], name, value)
    run = arrived(format, [packet_of(chunk) for chunk in chunks])
    assert len(run.take(0, beginning(format), 0, 100)) == index
    assert [data_of(fields) for fields in run.chunks(index * run.packet_bytes) or ()] == [chunks[index]]


@pytest.mark.parametrize("change", [{"fsn": 9}, {"mid": 0x1_FFFF}], ids=str)
def test_an_fsn_out_of_turn_or_another_message_ends_them(change: dict[str, int]) -> None:
    """RFC 8260 §2.2.3: the MID is all of its 32 bits, and the FSN puts the fragments in order."""
    chunks = fragments(I_DATA_FORMAT, 4)
    for name, value in change.items():
        setattr(chunks[2], name, value)
    run = arrived(I_DATA_FORMAT, [packet_of(chunk) for chunk in chunks])
    assert len(run.take(0, beginning(I_DATA_FORMAT), 0, 100)) == 2


def test_what_is_reserved_in_a_fragment_is_ignored() -> None:
    """RFC 8260 §2.1: "ignored by the receiver", on the short way too."""
    encoded = [bytearray(chunk.encode()) for chunk in fragments(I_DATA_FORMAT, 4)]
    for chunk in encoded:
        chunk[10:12] = b"\xff\xff"
    run = arrived(I_DATA_FORMAT, [encode_packet(1, 2, 3, [bytes(chunk)]) for chunk in encoded])
    assert len(run.take(0, beginning(I_DATA_FORMAT), 0, 100)) == 4
