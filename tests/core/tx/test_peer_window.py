"""§6.1 A, §6.2.1: the peer's window, the silly window, probes."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.charge import MIN_CHARGE_BYTES
from tests.core.tx.bench import INITIAL_CWND, PAYLOAD, PMDCS, Bench, all_chunks, numbers

pytestmark = pytest.mark.usefixtures("both_ways")


def closed(bench: Bench) -> None:
    """Fill the peer's window and have it acknowledged as full."""
    bench.send(1000, bench.rwnd - 1000)
    bench.sack(1, rwnd=0, after=0.1)
    bench.enqueue(500)
    assert bench.flush() == []


def test_the_window_counts_user_data_in_flight() -> None:
    """R19: §6.2.1 B, C, D (ii)."""
    bench = Bench(rwnd=10000)
    bench.send(1001, 1001)
    assert bench.sender.peer_rwnd_bytes == 10000 - 2002
    bench.sack(0, rwnd=9000, after=0.1)
    assert bench.sender.peer_rwnd_bytes == 9000 - 1001
    bench.expire()
    assert bench.sender.peer_rwnd_bytes == 9000
    bench.flush()
    assert bench.sender.peer_rwnd_bytes == 9000 - 1001


def test_a_tiny_chunk_in_flight_counts_as_our_own_window_would_charge_it() -> None:
    """R19, G64: "count chunk overhead in rwnd": else a peer that charges it drops what was sent in good faith."""
    bench = Bench(rwnd=3 * MIN_CHARGE_BYTES + 10)
    bench.enqueue(*[10] * 5)
    assert numbers(bench.flush()) == [[0, 1, 2]]
    assert bench.sender.peer_rwnd_bytes == 10
    bench.sack(1, after=0.1)
    assert numbers(bench.flush()) == [[3, 4]]


def test_a_tiny_chunk_counts_for_its_user_data_alone_when_nothing_is_in_flight() -> None:
    """R19: a window that takes one more message is no closed window, and needs no probe."""
    bench = Bench(rwnd=1500)
    bench.send(1000)
    bench.sack(0, rwnd=10, after=0.1)
    bench.enqueue(10, 10)
    assert numbers(bench.flush()) == [[1]]
    assert bench.probe_deadline() is None


def test_a_window_smaller_than_what_is_in_flight_is_zero_not_negative() -> None:
    """§6.2.1: a SACK may shrink it below what was sent."""
    bench = Bench()
    bench.send(PAYLOAD, PAYLOAD)
    bench.sack(-1, rwnd=100)
    assert bench.sender.peer_rwnd_bytes == 0
    bench.enqueue(10)
    assert bench.flush() == []


def test_new_data_that_the_window_does_not_take_waits() -> None:
    """R19, X52: §6.1 A: "peer rwnd never honoured"."""
    bench = Bench(rwnd=2000)
    bench.enqueue(1000, 700, 700)
    assert numbers(bench.flush()) == [[0], [1]]
    assert bench.sender.peer_rwnd_bytes == 300
    bench.sack(1, after=0.1)
    assert numbers(bench.flush()) == [[2]]


def test_a_sliver_of_window_is_not_used() -> None:
    """§6.1 A: "MUST also have an algorithm ... to avoid silly window syndrome"."""
    bench = Bench(rwnd=100_000)
    bench.send(PAYLOAD)
    bench.sack(0, rwnd=600, after=0.1)
    bench.enqueue(10 * PAYLOAD)
    assert bench.flush() == []


def test_half_the_largest_window_seen_is_used_even_if_less_than_a_chunk() -> None:
    """RFC 1122 §4.2.3.4, (3): else a peer with a small window would never be sent anything."""
    bench = Bench(rwnd=1500)
    bench.send(PAYLOAD)
    bench.sack(0, rwnd=800, after=0.1)
    assert [len(chunk.payload) for chunk in all_chunks(bench.send(PAYLOAD))] == [800]


def test_without_fragmentation_a_message_waits_until_the_window_takes_it_whole() -> None:
    """RFC 6458 §8.1.11; what one chunk can't carry, as of a byte stream, is cut for the window as ever."""
    bench = Bench(config=Config(rto_min_s=0.05, fragmentation=False), rwnd=1500)
    bench.send(PAYLOAD)
    bench.sack(0, rwnd=800, after=0.1)
    assert bench.send(PAYLOAD) == []
    bench.probe_due()
    assert [len(chunk.payload) for chunk in all_chunks(bench.flush())] == [PAYLOAD]
    bench.sack(1, rwnd=800, after=0.1)
    assert [len(chunk.payload) for chunk in all_chunks(bench.send(2 * PAYLOAD))] == [800]


def test_no_chunk_is_larger_than_the_largest_window_seen() -> None:
    """Else it would be dropped for ever: a path MTU of 9000 towards a window of 1500."""
    bench = Bench(rwnd=1500)
    bench.path.set_mtu(9000)
    bench.enqueue(9000)
    assert bench.sender.fragmentation_point_bytes == 1500
    assert [len(chunk.payload) for chunk in all_chunks(bench.flush())] == [1500]


def test_the_first_probe_of_a_closed_window_comes_after_one_rto_and_is_one_chunk() -> None:
    """R19: §6.1 A."""
    bench = Bench(rwnd=1500)
    closed(bench)
    bench.enqueue(500)
    assert bench.probe_deadline() == bench.now + bench.path.rto.rto_s
    bench.probe_due()
    assert numbers(bench.flush()) == [[2]]
    assert bench.sender.peer_rwnd_bytes == 0
    assert bench.flush() == []


def test_no_probe_while_anything_is_outstanding() -> None:
    """§6.1 A: "only ... when all outstanding DATA chunks have been cumulatively acknowledged"."""
    bench = Bench(rwnd=2000)
    bench.send(1000, 1000)
    bench.sack(0, rwnd=0, after=0.1)
    bench.enqueue(10)
    assert bench.flush() == []
    assert bench.probe_deadline() is None
    bench.sender.zero_window_probe_due()
    assert bench.flush() == [], "nor if one were due"


def test_a_probe_waits_for_cwnd() -> None:
    """R19: §6.1 A: "MUST only be sent when the cwnd allows"."""
    bench = Bench(rwnd=1500)
    closed(bench)
    bench.probe_due()
    bench.checks = False  # that cwnd is never below a packet, for one
    bench.cwnd = 0
    assert bench.flush() == []
    bench.cwnd = INITIAL_CWND
    assert numbers(bench.flush()) == [[2]]


def test_cwnd_decays_while_the_window_is_closed() -> None:
    """R19: §6.1 A: "the cwnd SHOULD be adjusted according to Section 7.2.1": a closed window makes an idle path."""
    bench = Bench(config=Config(rto_min_s=1.0), rwnd=1500)
    bench.cwnd = 40 * PMDCS
    closed(bench)
    bench.probe_due()
    bench.now += bench.path.rto.rto_s
    assert numbers(bench.flush()) == [[2]]
    assert bench.cwnd == 10 * PMDCS


def test_probes_that_are_taken_one_by_one_come_ever_more_slowly() -> None:
    """R19: §6.1 A, "increase the probe interval exponentially", up to RTO.Max."""
    bench = Bench(config=Config(rto_min_s=1.0, rto_max_s=8.0), rwnd=1500)
    closed(bench)
    bench.enqueue(*[500] * 10)
    intervals = []
    for number in range(2, 7):
        bench.flush()
        deadline = bench.probe_deadline()
        assert deadline is not None
        intervals.append(deadline - bench.now)
        bench.probe_due()
        assert numbers(bench.flush()) == [[number]]
        bench.sack(number, rwnd=0, after=0.1)
    assert intervals == pytest.approx([1, 2, 4, 8, 8])


def test_a_refused_probe_is_repeated_by_t3_without_an_error_and_without_touching_cwnd() -> None:
    """R19, X51: §6.1 A: such probes "SHOULD NOT increment the error counter", nor "affect the calculation of cwnd"."""
    bench = Bench(rwnd=1500)
    closed(bench)
    bench.probe_due()
    assert numbers(bench.flush()) == [[2]]
    for _ in range(20):
        bench.sack(1, rwnd=0)
        cwnd, rto_s = bench.cwnd, bench.path.rto.rto_s
        assert bench.expire() is False
        assert numbers(bench.flush()) == [[2]]
        assert bench.cwnd == cwnd == INITIAL_CWND
        assert bench.path.rto.rto_s == min(2 * rto_s, 60)
        assert bench.sender.peer_rwnd_bytes == 0


def test_a_probe_larger_than_the_window_that_is_left_is_refused_without_an_error() -> None:
    """R19: §6.1 A: "no buffer space (i.e., rwnd is smaller than the size of the next DATA chunk"."""
    bench = Bench(rwnd=1500)
    closed(bench)
    bench.probe_due()
    bench.flush()
    bench.sack(1, rwnd=100)
    assert bench.expire() is False


def test_a_loss_after_a_probe_was_taken_is_an_error() -> None:
    """R23: although the window is smaller than that probe was."""
    bench = Bench(rwnd=1500)
    closed(bench)
    bench.probe_due()
    bench.flush()
    bench.sack(2, rwnd=300)
    assert numbers(bench.send(200)) == [[3]]
    bench.sack(2, rwnd=300)
    assert bench.expire() is True


def test_nothing_is_probed_for_while_no_data_waits() -> None:
    bench = Bench(rwnd=1500)
    bench.send(1000)
    assert bench.sack(0, rwnd=0) is None
    assert bench.sender.is_drained
    assert bench.flush() == []
    assert bench.probe_deadline() is None


def test_a_probe_that_no_sack_answers_is_an_error() -> None:
    bench = Bench(rwnd=1500)
    closed(bench)
    bench.probe_due()
    bench.flush()
    assert bench.expire() is True


def test_a_probe_lost_although_the_window_opened_is_an_error() -> None:
    bench = Bench(rwnd=1500)
    closed(bench)
    bench.probe_due()
    bench.flush()
    bench.sack(1)
    assert bench.expire() is True


def test_an_open_window_ends_probing_and_the_next_begins_at_one_rto() -> None:
    """R19: "window must reopen"."""
    bench = Bench(config=Config(rto_min_s=1.0), rwnd=1500)
    closed(bench)
    assert bench.probe_deadline() is not None
    bench.sack(1, rwnd=1500)
    assert numbers(bench.flush()) == [[2]]
    assert bench.probe_deadline() is None
    bench.sack(2, rwnd=0, after=0.1)
    bench.enqueue(500)
    bench.flush()
    assert bench.probe_deadline() == bench.now + bench.path.rto.rto_s


def test_a_shutdown_acknowledges_without_opening_the_window() -> None:
    """§9.2: what a SHUTDOWN acknowledges may still fill the peer's buffer."""
    bench = Bench(rwnd=3000)
    bench.send(1000, 1000)
    assert bench.sender.cumulative_ack(0xFFFF_FFF1, bench.now) is None
    assert bench.sender.peer_rwnd_bytes == 1000
    assert bench.sender.is_drained
