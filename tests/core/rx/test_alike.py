"""Packets of many small messages: what is read and delivered column by column is what one by one would be."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.wire.chunks import DATA_FORMAT, AlikeChunks, Data
from aiosctp.wire.chunks.bulk import decode_data
from tests.core.rx.bench import Bench, data, decoded, tsn_of

COUNT = 12
LEAD = [data(n, ssn=n) for n in range(2)]
"""Up to where TSNs turn over."""
ALIKE = [data(n, ssn=n, payload=bytes([n]) * 61, ppid=n) for n in range(2, 2 + COUNT)]


def both_ways(*packets: list[Data], config: Config | None = None) -> None:
    """The short way and the general one deliver the same, and say the same."""
    short, general = Bench(config=config), Bench(config=config, goes_short_way=False)
    for packet in (LEAD, *packets):
        assert short.packet(*packet) == general.packet(*packet)
        assert short.receiver.sack_is_due == general.receiver.sack_is_due
        assert short.receiver.held_bytes == general.receiver.held_bytes
        assert short.receiver.cumulative_tsn == general.receiver.cumulative_tsn
        assert short.counters == general.counters
        while (message := general.receiver.read()) is not None:
            assert short.receiver.read() == message
        assert short.receiver.read() is None
        assert short.sack() == general.sack()


def changed(index: int, **fields: Any) -> list[Data]:
    return [replace(chunk, **fields) if n == index else chunk for n, chunk in enumerate(ALIKE)]


def test_chunks_that_differ_in_no_more_than_tsn_ssn_ppid_and_data_are_read_by_column() -> None:
    chunks = decoded(ALIKE)
    assert type(chunks) is AlikeChunks
    assert [(tsn, ssn, ppid, payload) for _, _, _, tsn, _, ssn, ppid, payload in chunks] == [
        (chunk.tsn, chunk.ssn, chunk.ppid, chunk.payload) for chunk in ALIKE
    ]
    assert chunks[3:] == list(chunks)[3:]
    assert [chunks[index] for index in range(-COUNT, COUNT)] == [*chunks, *chunks]


@pytest.mark.parametrize("index", range(COUNT))
@pytest.mark.parametrize(
    "fields", [{"stream": 1}, {"unordered": True}, {"ending": False}, {"immediate": True}, {"payload": b"longer" * 11}]
)
def test_one_that_differs_is_told(index: int, fields: dict[str, Any]) -> None:
    chunks = decoded(changed(index, **fields))
    assert type(chunks) is not AlikeChunks
    assert [chunk[3] for chunk in chunks] == [chunk.tsn for chunk in ALIKE]
    both_ways(changed(index, **fields))


@pytest.mark.parametrize("index", range(COUNT))
@pytest.mark.parametrize("fields", [{"tsn": 7}, {"tsn": 0x7000_0000}, {"ssn": 1}, {"ssn": 0xFFFF}, {"ppid": 1 << 31}])
def test_each_tsn_and_ssn_is_looked_at(index: int, fields: dict[str, Any]) -> None:
    both_ways(changed(index, **fields))


@pytest.mark.parametrize(
    "fields", [{"unordered": True, "ssn": 5}, {"immediate": True}, {"stream": 10, "unordered": True}]
)
def test_what_they_have_in_common_is_obeyed(fields: dict[str, Any]) -> None:
    both_ways([replace(chunk, **fields) for chunk in ALIKE])


def test_a_packet_that_comes_twice_is_a_duplicate() -> None:
    both_ways(ALIKE, ALIKE)


@pytest.mark.parametrize("window_bytes", range(1500, 256 * 2 * COUNT, 256))
def test_a_window_that_does_not_take_them_all_takes_as_many_either_way(window_bytes: int) -> None:
    both_ways(ALIKE, config=Config(receive_window_bytes=window_bytes))


def test_tsns_and_ssns_turn_over_within_a_packet() -> None:
    for goes_short_way in (True, False):
        bench = Bench(goes_short_way=goes_short_way)
        for first in range(0, 0x1_0000 + COUNT, COUNT):
            bench.packet(*(data(n, ssn=n & 0xFFFF) for n in range(first, first + COUNT)))
            for n in range(first, first + COUNT):
                message = bench.receiver.read()
                assert message is not None
                assert (message.tsn, message.ssn) == (tsn_of(n), n & 0xFFFF)


def test_what_reads_them_is_not_kept_for_every_size_a_peer_thinks_of() -> None:
    chunk = data(0, payload=1).encode()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for count in (*range(900, 930), *range(3000, 3030)):
            decode_data(chunk * count, 0, len(chunk) * count, DATA_FORMAT)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 4 * 2**20, f"{kept} bytes"


def test_so_many_that_they_are_not_read_by_column_are_taken_all_the_same() -> None:
    many = [data(n, ssn=n, payload=1) for n in range(2, 1100)]
    assert type(decoded(many)) is list
    both_ways(many)
