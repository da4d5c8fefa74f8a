from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire.chunks import Init, decode_chunks
from aiosctp.wire.codepoints import ParameterType
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import (
    HEADER_BYTES,
    CommonHeader,
    RawChunk,
    decode_header,
    encode_chunk,
    encode_packet,
    iter_raw_chunks,
)
from aiosctp.wire.parameters import (
    ForwardTsnSupported,
    IPv4AddressParameter,
    IPv6AddressParameter,
    SupportedAddressTypes,
    SupportedExtensions,
    UnknownParameter,
)

COOKIE_ACK = bytes.fromhex("0b000004")

# The first packet of usrsctp 0.9.5's example client: an INIT.
USRSCTP_INIT = bytes.fromhex(
    "d76d1e61 00000000 2c34311e"
    "01000080 b4a1dd81 00020000 000a0800 879439d0"
    "80000004 c0000004 80080009 c00fc180 82000000"
    "80020024 0a3387ba eb903aad 280413b9 4781518f 7108973e b9a730c7 e7cdf5f3 79ff109c"
    "80040006 00010000 80030006 80c10000"
    "000c0008 00050006 00060014 00000000 00000000 00000000 00000001 00050008 7f000001"
)


def packet_of(body: bytes) -> bytes:
    return encode_packet(5000, 7777, 0xFFFF_FFFE, [body])


def test_a_packet_is_ports_tag_checksum_and_chunks() -> None:
    packet = encode_packet(5000, 7777, 0xFFFF_FFFE, [COOKIE_ACK, COOKIE_ACK])
    assert packet == bytes.fromhex("13881e61 fffffffe") + packet[8:12] + COOKIE_ACK * 2
    assert decode_header(packet) == CommonHeader(5000, 7777, 0xFFFF_FFFE)


def test_a_packet_of_another_stack_decodes_and_encodes_to_the_same_bytes() -> None:
    """X47: the checksum is the one usrsctp computes, in the byte order it sends."""
    assert decode_header(USRSCTP_INIT) == CommonHeader(55149, 7777, 0)
    (init,) = decode_chunks(USRSCTP_INIT)
    assert isinstance(init, Init)
    assert (init.initiate_tag, init.initial_tsn) == (0xB4A1DD81, 0x879439D0)
    assert (init.a_rwnd, init.outbound_streams, init.inbound_streams) == (131072, 10, 2048)
    unknown = [parameter.type for parameter in init.parameters if isinstance(parameter, UnknownParameter)]
    assert unknown == [0x8000, 0x8002, 0x8004, 0x8003]
    assert [parameter for parameter in init.parameters if parameter.type in set(ParameterType)] == [
        ForwardTsnSupported(),
        SupportedExtensions((0xC0, 0x0F, 0xC1, 0x80, 0x82)),
        SupportedAddressTypes((5, 6)),
        IPv6AddressParameter("::1"),
        IPv4AddressParameter("127.0.0.1"),
    ]
    assert encode_packet(55149, 7777, 0, [init.encode()]) == USRSCTP_INIT


@pytest.mark.parametrize("size", range(16))
def test_a_packet_without_room_for_a_chunk_is_rejected(size: int) -> None:
    with pytest.raises(DecodeError, match=f"packet of {size} bytes"):
        decode_header(packet_of(COOKIE_ACK)[:size])


def test_a_packet_with_one_bit_wrong_is_rejected_wherever_the_bit_is() -> None:
    """E10: "If it is not, the receiver MUST treat the packet as an invalid SCTP packet" (§6.8)."""
    packet = packet_of(COOKIE_ACK)
    for position in range(len(packet) * 8):
        damaged = bytearray(packet)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(DecodeError, match="checksum"):
            decode_header(bytes(damaged))


def test_a_checksum_of_zero_is_no_exception() -> None:
    """E10: §6.8: leaving it out (RFC 9653) would have to be agreed on first."""
    packet = packet_of(COOKIE_ACK)
    with pytest.raises(DecodeError, match="checksum"):
        decode_header(packet[:8] + bytes(4) + packet[12:])


@pytest.mark.parametrize(("source", "destination"), [(0, 7777), (5000, 0), (0, 0)])
def test_port_zero_is_rejected(source: int, destination: int) -> None:
    with pytest.raises(DecodeError, match="port 0"):
        decode_header(encode_packet(source, destination, 1, [COOKIE_ACK]))


def test_chunks_come_in_order_without_header_and_padding() -> None:
    packet = packet_of(bytes.fromhex("0a030005 61ffffff") + COOKIE_ACK)
    assert list(iter_raw_chunks(packet)) == [RawChunk(10, 3, b"a"), RawChunk(11, 0, b"")]


def test_the_padding_of_the_last_chunk_may_be_missing() -> None:
    packet = packet_of(bytes.fromhex("0a000005 61"))
    assert decode_header(packet)
    assert list(iter_raw_chunks(packet)) == [RawChunk(10, 0, b"a")]


@pytest.mark.parametrize(
    "rest",
    ["0a", "0a0000", "0a000000", "0a000003", "0a000005", "0a000009 61626364", "0affffff 61626364"],
)
def test_a_chunk_that_is_not_whole_ends_the_packet_after_those_before_it(rest: str) -> None:
    """X19, X37: a length below 4 or past the end is one error, no loop and no read beyond."""
    first, error = iter_raw_chunks(packet_of(COOKIE_ACK + bytes.fromhex(rest)))
    assert first == RawChunk(11, 0, b"")
    assert isinstance(error, DecodeError)
    assert error.chunk_type is None


def test_a_datagram_full_of_the_smallest_chunks_gives_each_once() -> None:
    packet = packet_of(COOKIE_ACK * 16_000)
    assert list(iter_raw_chunks(packet)) == [RawChunk(11, 0, b"")] * 16_000


def test_a_chunk_is_padded_with_zeros_its_length_does_not_count() -> None:
    assert encode_chunk(10, 1, b"abcde") == bytes.fromhex("0a010009 6162636465 000000")


def test_a_chunk_too_long_for_its_length_field_is_refused() -> None:
    """X02: refused, never cut or wrapped."""
    assert encode_chunk(10, 0, bytes(65531))[:4] == bytes.fromhex("0a00ffff")
    with pytest.raises(ValueError, match="65536 bytes"):
        encode_chunk(10, 0, bytes(65532))


@given(st.binary(max_size=80))
def test_any_bytes_at_all_raise_nothing_but_decode_error(datagram: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_header(datagram)
    pieces = list(iter_raw_chunks(datagram))
    assert not any(isinstance(piece, DecodeError) for piece in pieces[:-1])
    values = sum(len(piece.value) for piece in pieces if isinstance(piece, RawChunk))
    assert values <= max(0, len(datagram) - HEADER_BYTES)


@given(st.integers(1, 0xFFFF), st.integers(1, 0xFFFF), st.integers(0, 0xFFFF_FFFF), st.binary(max_size=20))
def test_what_is_encoded_is_decoded(source: int, destination: int, tag: int, value: bytes) -> None:
    packet = encode_packet(source, destination, tag, [encode_chunk(200, 0x55, value), COOKIE_ACK])
    assert decode_header(packet) == (source, destination, tag)
    assert list(iter_raw_chunks(packet)) == [RawChunk(200, 0x55, value), RawChunk(11, 0, b"")]
