"""The send queue's counts: what is above a stream's mark, kept by its own law."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from tests.core.tx.bench import PAYLOAD, Bench


def with_mark(mark_bytes: int) -> Bench:
    return Bench(config=Config(rto_min_s=0.05, stream_send_buffer_bytes=mark_bytes))


def test_what_a_stream_holds_above_its_mark_is_counted() -> None:
    bench = with_mark(1000)
    bench.send(900, stream=1)
    assert bench.sender.queue.excess_bytes == 0
    bench.send(300, stream=1)
    assert bench.sender.queue.excess_bytes == 200
    bench.send(50, stream=1)
    bench.send(1400, stream=2)
    assert bench.sender.queue.excess_bytes == 650


@pytest.mark.parametrize("gap", [False, True])
def test_what_is_acknowledged_is_above_no_mark(gap: bool) -> None:
    bench = with_mark(PAYLOAD)
    bench.send(*[PAYLOAD] * 3, stream=1)
    assert bench.sender.queue.excess_bytes == 2 * PAYLOAD
    if gap:
        bench.sack(-1, (2, 2))
        assert bench.sender.queue.excess_bytes == 2 * PAYLOAD, "what a gap acknowledges is still held"
    bench.sack(0)
    assert bench.sender.queue.excess_bytes == PAYLOAD
    bench.sack(2)
    assert bench.sender.queue.excess_bytes == 0


def test_a_mark_that_moves_counts_anew() -> None:
    bench = with_mark(1000)
    bench.send(1200, stream=1)
    bench.send(800, stream=2)
    for mark_bytes, excess_bytes in ((500, 1000), (1100, 100), (2000, 0)):
        bench.sender.configure(Config(stream_send_buffer_bytes=mark_bytes))
        bench.check()
        assert bench.sender.queue.excess_bytes == excess_bytes


def test_what_is_taken_back_unsent_is_above_no_mark() -> None:
    bench = with_mark(1000)
    bench.send(1200, stream=1)
    bench.sender.take_unsent()
    assert bench.sender.queue.excess_bytes == 0
    bench.check()
