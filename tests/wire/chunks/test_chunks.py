"""What holds for all chunks: the table that decodes them, and bytes nobody meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire.chunks import Chunk, CookieAck, Data, UnknownChunk, decode_chunk, decode_chunks
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import RawChunk, encode_chunk, encode_packet
from tests.wire.strategies import any_chunk


def packet_of(*encoded: bytes) -> bytes:
    return encode_packet(5000, 7777, 0xFFFF_FFFE, encoded)


@given(st.lists(any_chunk, max_size=5))
def test_what_is_encoded_is_decoded_in_order(values: list[Chunk]) -> None:
    assert list(decode_chunks(packet_of(*(chunk.encode() for chunk in values)))) == values


@given(st.lists(any_chunk, min_size=1, max_size=5))
def test_decoding_and_encoding_again_gives_the_same_bytes(values: list[Chunk]) -> None:
    packet = packet_of(*(chunk.encode() for chunk in values))
    decoded = [chunk for chunk in decode_chunks(packet) if not isinstance(chunk, DecodeError)]
    assert packet_of(*(chunk.encode() for chunk in decoded)) == packet


@pytest.mark.parametrize("type", ChunkType)
def test_every_chunk_type_has_a_class_of_its_own(type: ChunkType) -> None:
    value = {
        ChunkType.HEARTBEAT: bytes.fromhex("00010004"),
        ChunkType.HEARTBEAT_ACK: bytes.fromhex("00010004"),
        ChunkType.RE_CONFIG: bytes.fromhex("000f0008 00000000"),
        ChunkType.I_FORWARD_TSN: bytes(12),
    }.get(type, bytes(16))
    chunk = decode_chunk(RawChunk(type, 0, value))
    assert not isinstance(chunk, UnknownChunk)
    assert chunk.type is type


def test_an_unknown_chunk_leaves_the_data_bundled_with_it() -> None:
    """X40: an unknown type is a value like another, not a failure of the packet."""
    data = Data(0xFFFF_FFFF, 0, 0, 0, b"after")
    unknown = UnknownChunk(0xC1, 0, b"?")
    assert list(decode_chunks(packet_of(unknown.encode(), data.encode()))) == [unknown, data]


def test_a_chunk_with_a_bad_body_leaves_those_before_and_after_it() -> None:
    data = Data(0xFFFF_FFFF, 0, 0, 0, b"here")
    before, error, after = decode_chunks(packet_of(data.encode(), bytes.fromhex("03000004"), data.encode()))
    assert before == after == data
    assert isinstance(error, DecodeError)
    assert error.chunk == RawChunk(ChunkType.SACK, 0, b"")
    assert error.__traceback__ is None


def test_a_partial_chunk_leaves_those_before_it() -> None:
    """X19, X45: "If the receiver detects a partial chunk, it MUST drop the chunk" (§6.10)."""
    whole, error = decode_chunks(packet_of(CookieAck().encode(), Data(1, 0, 0, 0, b"cut short").encode()[:20]))
    assert whole == CookieAck()
    assert isinstance(error, DecodeError)


@given(st.binary(max_size=120))
def test_any_bytes_at_all_decode_to_chunks_or_errors(body: bytes) -> None:
    for chunk in decode_chunks(packet_of(body)):
        if not isinstance(chunk, DecodeError):
            assert len(str(chunk)) > 0
            assert chunk.encode()


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=60))
def test_any_value_of_any_type_decodes_or_is_an_error(type: int, flags: int, value: bytes) -> None:
    (result,) = decode_chunks(packet_of(encode_chunk(type, flags, value)))
    if isinstance(result, DecodeError):
        assert result.chunk == RawChunk(type, flags, value)
    else:
        # What was understood is understood the same way again.
        assert list(decode_chunks(packet_of(result.encode()))) == [result]


@given(st.lists(any_chunk, min_size=1, max_size=4), st.data())
def test_a_packet_with_some_bytes_changed_or_cut_decodes_to_chunks_or_errors(
    values: list[Chunk], data: st.DataObject
) -> None:
    body = bytearray(b"".join(chunk.encode() for chunk in values))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(0, len(body))) :]
    results = list(decode_chunks(packet_of(bytes(body))))
    assert all(chunk.encode() for chunk in results if not isinstance(chunk, DecodeError))
