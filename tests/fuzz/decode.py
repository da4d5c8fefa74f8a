"""A packet of any bytes.

Invariant: any bytes at all decode to chunks and DecodeErrors, one for each chunk cut out, no larger together than the
bytes, and what was understood encodes to what is understood the same way again.
"""

from __future__ import annotations

from aiosctp.core.out_of_the_blue import classify
from aiosctp.wire.chunks import Chunk, decode_chunks
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import (
    CHUNK_HEADER_BYTES,
    HEADER_BYTES,
    CommonHeader,
    RawChunk,
    decode_header,
    encode_chunk,
    encode_packet,
    iter_raw_chunks,
)
from tests.fuzz.reader import Reader

_PORTS = (7777, 5000, 1, 0xFFFF, 0)


def decode(data: bytes) -> frozenset[str]:
    """The types that were decoded, and "malformed". The header and its checksum are ours; the rest is the fuzzer's."""
    reader = Reader(data)
    if reader.byte() == 0xFF:
        return _decode_datagram(reader.rest())
    header = CommonHeader(reader.choose(_PORTS), reader.choose(_PORTS), reader.choose((0, 1, 0xFFFF_FFFF)))
    is_damaged = reader.byte() == 0xFF
    packet = encode_packet(*header, [reader.rest()])
    if is_damaged:
        damaged = packet[:8] + bytes((packet[8] ^ 1,)) + packet[9:]
        assert _header_of(damaged) is None, "a wrong checksum was taken"
    is_packet = len(packet) >= HEADER_BYTES + CHUNK_HEADER_BYTES and header.source_port and header.destination_port
    assert _header_of(packet) == (header if is_packet else None)
    classify(decode_chunks(packet))
    return _check_chunks(packet)


def _decode_datagram(datagram: bytes) -> frozenset[str]:
    """As it would come from the network, most likely with a wrong checksum."""
    header = _header_of(datagram)
    if header is not None:
        assert encode_packet(*header, [datagram[HEADER_BYTES:]]) == datagram
    return _check_chunks(datagram)


def _header_of(datagram: bytes) -> CommonHeader | None:
    try:
        return decode_header(datagram)
    except DecodeError:
        return None


def _check_chunks(packet: bytes) -> frozenset[str]:
    cut = list(iter_raw_chunks(packet))
    decoded = list(decode_chunks(packet))
    assert len(cut) == len(decoded) <= len(packet) // CHUNK_HEADER_BYTES + 1
    whole = [raw for raw in cut if isinstance(raw, RawChunk)]
    assert cut[: len(whole)] == whole, "after what is not whole there is nothing to be found"
    body = b"".join(encode_chunk(*raw) for raw in whole)
    assert len(body) <= max(0, len(packet) - HEADER_BYTES) + 3, "no byte is in two chunks"
    assert list(iter_raw_chunks(encode_packet(1, 1, 1, [body]))) == whole
    marks = set()
    for raw, chunk in zip(cut, decoded, strict=True):
        if isinstance(chunk, DecodeError):
            marks.add("malformed")
            assert str(chunk)
            assert chunk.chunk is None or chunk.chunk == raw
        else:
            assert isinstance(raw, RawChunk)
            _check_chunk(raw, chunk)
            marks.add(type(chunk).__name__)
    return frozenset(marks)


def _check_chunk(raw: RawChunk, chunk: Chunk) -> None:
    assert chunk.type == raw.type
    assert str(chunk)
    encoded = chunk.encode()
    assert len(encoded) <= len(encode_chunk(*raw)), "what is understood is not more than what was said"
    assert list(decode_chunks(encode_packet(1, 1, 1, [encoded]))) == [chunk]
