"""Bytes in, messages out."""

from __future__ import annotations

import random

import pytest

from aiosctp.write_buffer import WriteBuffer


def filled(*sizes: int) -> WriteBuffer:
    buffer = WriteBuffer()
    for size in sizes:
        buffer.append(b"x" * size)
    return buffer


def taken(buffer: WriteBuffer, most_bytes: int) -> list[int]:
    sizes: list[int] = []
    while buffer.size_bytes:
        sizes.append(len(buffer.take(most_bytes)))
    return sizes


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([1], [1]),
        ([10], [10]),
        ([3, 3, 3, 3], [9, 3]),
        ([25], [10, 10, 5]),
        ([4, 25, 4], [4, 10, 10, 5, 4]),
        ([20, 1], [10, 10, 1]),
    ],
)
def test_small_pieces_are_joined_and_large_ones_cut(written: list[int], expected: list[int]) -> None:
    assert taken(filled(*written), 10) == expected


def test_a_piece_of_the_right_size_is_not_copied() -> None:
    buffer, piece = WriteBuffer(), bytes(10)
    buffer.append(piece)
    assert buffer.take(10) is piece


def test_what_comes_out_is_what_went_in() -> None:
    chance = random.Random(1)
    buffer, written, read = WriteBuffer(), bytearray(), bytearray()
    for _ in range(1000):
        piece = chance.randbytes(chance.randrange(1, 40))
        buffer.append(piece)
        written += piece
        assert buffer.size_bytes == len(written) - len(read)
        while buffer.size_bytes and chance.random() < 0.6:
            message = buffer.take(chance.randrange(10, 20))
            assert 0 < len(message) < 20
            read += message
    while buffer.size_bytes:
        read += buffer.take(10)
    assert read == written


def test_nothing_is_left_after_clear() -> None:
    buffer = filled(25, 3)
    buffer.take(10)
    buffer.clear()
    buffer.append(b"anew")
    assert buffer.take(10) == b"anew"
