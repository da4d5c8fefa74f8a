"""What a NR-SACK says the peer will never drop (draft-natarajan-tsvwg-sctp-nrsack)."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.tx.outstanding import MAX_FINAL_RANGES, MAX_TAKEN_BACK
from aiosctp.wire.causes import ProtocolViolation
from tests.core.tx.abandoning import AbandoningBench, context
from tests.core.tx.bench import PAYLOAD, numbers


def bench_with(count: int, size: int = 100) -> AbandoningBench:
    bench = AbandoningBench(config=Config(rto_min_s=0.05, max_burst=10_000))
    bench.cwnd = 10_000_000
    bench.send(*([size] * count))
    return bench


def test_it_acknowledges_as_a_sack_does() -> None:
    bench = bench_with(4)
    bench.nr_sack(0, (2, 2), final=((3, 3),))
    assert bench.path.flight_bytes == 116
    assert bench.sender.outstanding.gaps == [(0xFFFF_FFF2, 0xFFFF_FFF3)]
    bench.nr_sack(3)
    assert bench.sender.is_drained


def test_its_room_is_free_at_once() -> None:
    bench = bench_with(4)
    bench.nr_sack(-1, (1, 1), final=((2, 3),))
    assert bench.sender.buffered_bytes == 200
    assert bench.sender.stream_buffered_bytes(0) == 200
    assert not bench.sender.is_drained
    bench.sack(3)
    assert bench.sender.is_drained


def test_it_can_not_be_taken_back() -> None:
    bench = bench_with(5)
    bench.nr_sack(-1, (1, 1), final=((2, 3),))
    bench.nr_sack(-1)
    assert bench.path.flight_bytes == 3 * 116
    bench.sack(-1)
    assert bench.path.flight_bytes == 3 * 116
    bench.expire()
    assert numbers(bench.flush()) == [[0, 1, 4]]


def test_nor_by_who_has_taken_back_too_much() -> None:
    bench = bench_with(5)
    bench.nr_sack(-1, final=((2, 3),))
    bench.sender.outstanding._may_be_taken_back = -MAX_TAKEN_BACK
    bench.sack(-1, (1, 1))
    assert bench.sender.outstanding.gaps == [(0xFFFF_FFF2, 0xFFFF_FFF3)]


def test_who_misses_what_it_has_for_good_has_it() -> None:
    """It contradicts itself. Else nothing would be in flight, and nothing would ever move."""
    bench = bench_with(4)
    bench.nr_sack(-1, final=((1, 2),))
    bench.nr_sack(0)
    assert bench.sender.unacknowledged_chunks == 1
    assert bench.deadline() is not None


def test_a_tsn_never_sent_is_a_violation_there_too() -> None:
    bench = bench_with(3)
    assert isinstance(bench.nr_sack(-1, final=((1, 3),)), ProtocolViolation)
    assert isinstance(bench_with(1).nr_sack(-1, final=((2, 3),)), ProtocolViolation)


def test_it_is_not_unsent_when_the_association_ends() -> None:
    bench = AbandoningBench()
    for _ in range(3):
        bench.give(lifetime=100.0)
    bench.flush()
    bench.nr_sack(-1, final=((1, 1),))
    assert [context(message) for message, _ in bench.sender.take_unsent()] == [1, 3]


def test_a_message_with_terms_is_abandoned_with_the_chunks_that_are_left() -> None:
    bench = AbandoningBench()
    bench.cwnd = 100_000
    message = bench.give(4 * PAYLOAD, retransmits=0)
    bench.flush()
    bench.nr_sack(-1, final=((2, 2),))
    bench.expire()
    assert bench.failed() == [(message, True)]
    assert bench.sender.buffered_bytes == 0
    assert bench.forward() == (3, [(0, 0)])
    bench.nr_sack(3)
    assert bench.sender.is_drained


def test_the_stretches_kept_apart_are_bounded() -> None:
    """Each SACK is joined with them."""
    count = 4 * MAX_FINAL_RANGES
    bench = bench_with(count, size=4)
    bench.checks = False
    blocks = tuple((number, number) for number in range(1, count, 2))
    bench.nr_sack(-1, final=blocks[: MAX_FINAL_RANGES - 1])
    assert len(bench.sender.outstanding.final) == MAX_FINAL_RANGES - 1
    buffered = bench.sender.buffered_bytes
    bench.nr_sack(-1, final=blocks)
    assert len(bench.sender.outstanding.final) == MAX_FINAL_RANGES - 1
    assert bench.sender.buffered_bytes == buffered
    assert len(bench.sender.outstanding.gaps) == len(blocks)
