from __future__ import annotations

import pytest

from aiosctp.wire.causes import MAX_CAUSES, OutOfResource, UnknownCause, UserInitiatedAbort
from aiosctp.wire.chunks import (
    Abort,
    Chunk,
    CookieAck,
    CookieEcho,
    Error,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
    decode_chunk,
)
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import RawChunk, encode_packet, iter_raw_chunks
from aiosctp.wire.tlv import encode_tlv

# Written by hand after the pictures of the RFC.
PICTURES: list[tuple[Chunk, str, str]] = [
    (Abort(), "06000004", "ABORT causes=-"),
    (Abort(tag_reflected=True), "06010004", "ABORT T causes=-"),
    (
        Abort((UserInitiatedAbort(b"bye"),)),
        "0600000b 000c0007 62796500",
        "ABORT causes=USER_INITIATED_ABORT",
    ),
    (Shutdown(0xFFFF_FFFE), "07000008 fffffffe", "SHUTDOWN cum=4294967294"),
    (ShutdownAck(), "08000004", "SHUTDOWN_ACK"),
    (
        Error((UnknownCause(0xA0, b"?"), OutOfResource())),
        "09000010 00a00005 3f000000 00040004",
        "ERROR causes=160,OUT_OF_RESOURCE",
    ),
    (CookieEcho(b"abcde"), "0a000009 6162636465 000000", "COOKIE_ECHO cookie=5B"),
    (CookieEcho(b""), "0a000004", "COOKIE_ECHO cookie=0B"),
    (CookieAck(), "0b000004", "COOKIE_ACK"),
    (ShutdownComplete(), "0e000004", "SHUTDOWN_COMPLETE"),
    (ShutdownComplete(tag_reflected=True), "0e010004", "SHUTDOWN_COMPLETE T"),
    (UnknownChunk(0xC1, 0x55, b"abc"), "c1550007 61626300", "UNKNOWN type=193 flags=0x55 value=3B"),
]


def only_raw_chunk(encoded: bytes) -> RawChunk:
    (raw,) = iter_raw_chunks(encode_packet(1, 2, 3, [encoded]))
    assert isinstance(raw, RawChunk)
    return raw


@pytest.mark.parametrize(("chunk", "picture", "text"), PICTURES)
def test_a_chunk_is_as_the_rfc_draws_it(chunk: Chunk, picture: str, text: str) -> None:
    encoded = bytes.fromhex(picture)
    assert chunk.encode() == encoded
    assert decode_chunk(only_raw_chunk(encoded)) == chunk
    assert str(chunk) == text


@pytest.mark.parametrize(
    ("picture", "chunk"),
    [
        ("06fe0004", Abort()),
        ("06ff0004", Abort(tag_reflected=True)),
        ("07ff0008 fffffffe", Shutdown(0xFFFF_FFFE)),
        ("08ff0004", ShutdownAck()),
        ("09ff0008 00040004", Error((OutOfResource(),))),
        ("0aff0005 61000000", CookieEcho(b"a")),
        ("0bff0004", CookieAck()),
        ("0efe0004", ShutdownComplete()),
        ("0eff0004", ShutdownComplete(tag_reflected=True)),
    ],
)
def test_reserved_flags_are_ignored(picture: str, chunk: Chunk) -> None:
    assert decode_chunk(only_raw_chunk(bytes.fromhex(picture))) == chunk


@pytest.mark.parametrize(
    ("picture", "chunk"),
    [
        ("0700000c 00000001 00000002", Shutdown(1)),
        ("08000008 00000001", ShutdownAck()),
        ("0b000008 00000001", CookieAck()),
        ("0e000008 00000001", ShutdownComplete()),
    ],
)
def test_surplus_after_a_fixed_body_is_ignored(picture: str, chunk: Chunk) -> None:
    assert decode_chunk(only_raw_chunk(bytes.fromhex(picture))) == chunk


@pytest.mark.parametrize("size", range(4))
def test_shutdown_without_its_tsn_is_an_error(size: int) -> None:
    """X45: the TSN is not read before there are enough bytes."""
    with pytest.raises(DecodeError, match=f"value of {size} bytes"):
        Shutdown.decode(0, bytes(size))


def test_an_abort_with_garbage_for_causes_still_aborts() -> None:
    garbage = bytes.fromhex("00040004 00000000 ffffffff")
    assert Abort.decode(1, garbage) == Abort((OutOfResource(),), tag_reflected=True)
    assert Error.decode(0, garbage) == Error((OutOfResource(),))


def test_an_error_stuffed_with_causes_is_bounded() -> None:
    """X30: the peer's causes cannot outgrow what is looked at."""
    assert len(Error.decode(0, encode_tlv(4, b"") * 16_000).causes) == MAX_CAUSES


@pytest.mark.parametrize(
    ("type", "stop", "report"),
    [(0x3E, True, False), (0x7E, True, True), (0xBE, False, False), (0xFE, False, True)],
)
def test_an_unknown_chunk_tells_what_to_do_with_it(type: int, stop: bool, report: bool) -> None:
    chunk = decode_chunk(RawChunk(type, 0, b""))
    assert isinstance(chunk, UnknownChunk)
    assert chunk.stop_processing is stop
    assert chunk.report is report


def test_the_reserved_ecn_chunks_are_unknown() -> None:
    for type in (12, 13):
        assert decode_chunk(RawChunk(type, 0, bytes(4))) == UnknownChunk(type, 0, bytes(4))


def test_a_chunk_is_one_frozen_value() -> None:
    assert hash(Abort((OutOfResource(),))) == hash(Abort((OutOfResource(),)))
    with pytest.raises(AttributeError):
        Shutdown(1).cumulative_tsn_ack = 2  # type: ignore[misc]  # that it cannot is what is tested
