from __future__ import annotations

from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import RawChunk


def test_an_error_before_any_chunk_has_no_chunk_type() -> None:
    error = DecodeError("port 0")
    assert isinstance(error, ValueError)
    assert error.chunk_type is None
    assert error.parameter_type is None
    assert error.decoded == ()
    assert str(error) == error.reason == "port 0"


def test_an_error_in_a_chunk_names_its_type_and_keeps_it_raw() -> None:
    error = DecodeError("too short")
    error.chunk = RawChunk(3, 0, b"ab")
    assert error.chunk_type == 3
    assert str(error) == "chunk type 3: too short"
    assert error.reason == "too short"
