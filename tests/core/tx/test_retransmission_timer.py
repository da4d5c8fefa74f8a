"""§6.3.1 C4 and C5, §6.3.2, §6.3.3: T3-rtx and the round trips that set it."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from tests.core.tx.bench import PAYLOAD, PMDCS, Bench, numbers

pytestmark = pytest.mark.usefixtures("both_ways")

SLOW = Config(rto_min_s=1.0)


def test_sending_starts_the_timer_and_sending_more_leaves_it() -> None:
    """R18: §6.3.2 R1; §6.1: "Otherwise, the data sender MUST NOT restart the timer"."""
    bench = Bench()
    bench.send(10)
    deadline = bench.now + 1.0
    assert bench.deadline() == deadline
    bench.now += 0.5
    bench.send(10)
    assert bench.deadline() == deadline


def test_sending_to_another_address_starts_that_ones_timer() -> None:
    """R18: §6.3.2 R1: "Every time a DATA chunk is sent to any address", the timer "of that address"."""
    bench = Bench(paths=2)
    first, second = bench.paths
    bench.send(10)
    deadline = bench.deadline(first)
    bench.now += 0.5
    first.is_inactive = True
    bench.send(10)
    assert (bench.deadline(first), bench.deadline(second)) == (deadline, bench.now + 1.0)


def test_the_timer_stops_when_all_is_acknowledged() -> None:
    """R18: §6.3.2 R2."""
    bench = Bench()
    bench.send(10, 10)
    bench.sack(1)
    assert bench.deadline() is None


def test_the_timer_restarts_when_the_earliest_chunk_is_acknowledged() -> None:
    """R18: §6.3.2 R3."""
    bench = Bench(config=SLOW)
    bench.send(*[PAYLOAD] * 3)
    bench.sack(0, after=0.1)
    assert bench.deadline() == bench.now + bench.path.rto.rto_s


def test_the_timer_restarts_for_the_earliest_chunk_although_a_later_one_is_missing() -> None:
    """R18: §6.3.2 R3."""
    bench = Bench(config=SLOW)
    bench.send(*[PAYLOAD] * 3)
    bench.sack(0, (2, 2), after=0.1)
    assert bench.deadline() == bench.now + bench.path.rto.rto_s


def test_the_timer_goes_on_when_a_later_chunk_is_acknowledged() -> None:
    """R18: §6.3.2 R3 says the earliest."""
    bench = Bench()
    bench.send(*[PAYLOAD] * 3)
    deadline = bench.deadline()
    bench.sack(-1, (1, 2), after=0.1)
    assert bench.deadline() == deadline


def test_the_earliest_chunk_is_found_by_path() -> None:
    """R18: §6.3.2 R3: "the DATA chunk with the earliest outstanding TSN for that address"."""
    bench = Bench(config=SLOW, paths=2)
    bench.send(PAYLOAD, PAYLOAD)
    bench.table.primary = bench.paths[1]
    bench.send(PAYLOAD, PAYLOAD)
    first = bench.deadline(bench.paths[0])
    bench.sack(-1, (2, 2), after=0.1)
    assert bench.deadline(bench.paths[0]) == first
    assert bench.deadline(bench.paths[1]) == bench.now + bench.paths[1].rto.rto_s


def test_expiry_halves_ssthresh_leaves_one_pmdcs_doubles_rto_and_sends_one_packet() -> None:
    """R18, E12: §6.3.3 E1 to E4, §7.2.3: "no more than one SCTP packet will be in flight"."""
    bench = Bench()
    bench.cwnd = 20 * PMDCS
    bench.send(*[300] * 12)
    assert bench.expire() is True
    assert (bench.cwnd, bench.path.congestion.ssthresh, bench.path.rto.rto_s) == (PMDCS, 10 * PMDCS, 2.0)
    assert numbers(bench.flush()) == [[0, 1, 2, 3]]
    assert bench.path.flight_bytes < bench.cwnd
    assert bench.flush() == []
    assert bench.deadline() == bench.now + 2.0
    bench.sack(3, after=0.1)
    assert numbers(bench.flush())[0] == [4, 5, 6, 7]


def test_expiry_again_and_again_backs_off_and_never_goes_silent() -> None:
    """X09: data outstanding always has a timer."""
    bench = Bench()
    bench.send(*[PAYLOAD] * 4)
    waits = []
    for _ in range(8):
        begin = bench.now
        bench.expire()
        waits.append(bench.now - begin)
        assert numbers(bench.flush()) == [[0]]
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


def test_what_timed_out_goes_to_another_active_path_and_back() -> None:
    """R18: §6.4; the timer there is that path's, with its RTO."""
    bench = Bench(paths=2)
    first, second = bench.paths
    second.rto.measured(0.5)
    rto_s = second.rto.rto_s
    bench.send(PAYLOAD, PAYLOAD)
    bench.expire(first)
    assert [(packet.path, packet.numbers) for packet in bench.flush()] == [(second, [0]), (second, [1])]
    assert (first.flight_bytes, second.flight_bytes) == (0, 2 * PMDCS)
    assert bench.deadline(first) is None
    assert bench.deadline(second) == bench.now + rto_s != bench.now + first.rto.rto_s
    bench.expire(second)
    assert [(packet.path, packet.numbers) for packet in bench.flush()] == [(first, [0])]


def test_an_alternate_path_that_is_full_holds_retransmissions_and_new_data() -> None:
    """§6.1 C: "before sending new DATA chunks ... MUST first", "limited by the current cwnd"."""
    bench = Bench(paths=2)
    first, second = bench.paths
    bench.send(*[PAYLOAD] * 4)
    bench.expire(first)
    bench.enqueue(PAYLOAD)
    second.congestion.cwnd = 2 * PMDCS
    assert numbers(bench.flush()) == [[0], [1]]
    bench.sack(1, after=0.1)
    assert [(packet.path, packet.numbers[0]) for packet in bench.flush()] == [(second, 2), (second, 3), (first, 4)]


def test_retransmitting_the_earliest_chunk_restarts_the_timer() -> None:
    """§6.1: "MUST restart the timer if the earliest ... outstanding DATA chunk ... is being retransmitted"."""
    bench = Bench(config=SLOW)
    bench.cwnd = 20 * PMDCS
    bench.send(*[PAYLOAD] * 4)
    bench.now += 0.5
    for last in (1, 2):
        bench.sack(-1, (1, last))
    bench.send(PAYLOAD)
    bench.now += 0.2
    bench.sack(-1, (1, 3))
    bench.flush()
    assert bench.deadline() == bench.now + bench.path.rto.rto_s


def test_retransmitting_a_later_chunk_leaves_the_timer() -> None:
    """§7.2.4, 4."""
    bench = Bench(config=SLOW)
    bench.cwnd = 40 * PMDCS
    for _ in range(3):
        bench.send(*[PAYLOAD] * 4)
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    bench.flush()
    deadline = bench.deadline()
    bench.now += 0.2
    for last in (5, 6, 7):
        bench.sack(-1, (1, 3), (5, last))
    assert numbers(bench.flush()) == [[4]]
    assert bench.deadline() == deadline


def test_expiry_ends_fast_recovery() -> None:
    """§7.2.3: slow start, in which cwnd grows again."""
    bench = Bench()
    bench.cwnd = 20 * PMDCS
    bench.send(*[PAYLOAD] * 4)
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    bench.flush()
    bench.expire()
    assert not bench.sender.in_fast_recovery


# -- round trips --


def test_one_round_trip_is_measured_at_a_time() -> None:
    """R18: §6.3.1 C4: the first chunk after each measurement, by gap or cumulatively."""
    bench = Bench(config=SLOW)
    bench.send(PAYLOAD)
    bench.now += 0.05
    bench.send(PAYLOAD)
    bench.sack(1, after=0.05)
    assert bench.path.rto.srtt_s == pytest.approx(0.1)
    bench.send(PAYLOAD)
    bench.sack(2, after=0.3)
    assert bench.path.rto.srtt_s == pytest.approx(0.875 * 0.1 + 0.125 * 0.3)


def test_each_path_is_measured_by_itself() -> None:
    bench = Bench(paths=2)
    bench.send(10)
    bench.table.primary = bench.paths[1]
    bench.send(10)
    bench.sack(-1, (1, 1), after=0.2)
    assert bench.paths[0].rto.srtt_s is None
    assert bench.paths[1].rto.srtt_s == pytest.approx(0.2)


def test_a_chunk_that_was_retransmitted_measures_nothing() -> None:
    """R18: §6.3.1 C5, Karn's algorithm."""
    bench = Bench()
    bench.send(10)
    bench.expire()
    bench.flush()
    bench.sack(0, after=0.1)
    assert bench.path.rto.srtt_s is None
    assert bench.path.rto.rto_s == 2.0


def test_a_chunk_above_one_that_was_retransmitted_since_measures_nothing() -> None:
    """R18: §6.3.1 C5, "if no DATA chunk with TSN less than or equal to r was retransmitted since"."""
    bench = Bench(config=SLOW)
    bench.cwnd = 20 * PMDCS
    bench.send(PAYLOAD)
    bench.sack(0, after=0.1)
    bench.send(PAYLOAD, PAYLOAD, PAYLOAD, PAYLOAD)
    for last in (2, 3, 4):
        bench.sack(0, (2, last), after=0.0)
    srtt_s = bench.path.rto.srtt_s
    bench.flush()
    bench.send(PAYLOAD)
    bench.sack(5, after=0.4)
    assert srtt_s == pytest.approx(0.1)
    assert bench.path.rto.srtt_s == pytest.approx(0.875 * 0.1 + 0.125 * 0.4)


def test_a_retransmission_below_the_chunk_that_is_timed_ends_its_measurement() -> None:
    """R18: §6.3.1 C5: the chunk itself was sent once, but its SACK may have waited for the retransmission."""
    bench = Bench(config=SLOW)
    bench.cwnd = 40 * PMDCS
    for _ in range(3):
        bench.send(*[PAYLOAD] * 4)
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    assert numbers(bench.flush()) == [[0]]
    assert numbers(bench.send(PAYLOAD)) == [[12]]
    for last in (5, 6, 7):
        bench.sack(-1, (1, 3), (5, last))
    assert numbers(bench.flush()) == [[4]]
    bench.sack(12, after=0.4)
    assert bench.path.rto.srtt_s is None


def test_what_was_sent_above_a_later_retransmission_is_not_timed() -> None:
    bench = Bench(config=SLOW)
    bench.cwnd = 20 * PMDCS
    bench.send(PAYLOAD, PAYLOAD)
    bench.sack(-1, (1, 1), after=0.1)
    bench.send(PAYLOAD)
    bench.expire()
    bench.flush()
    assert bench.path.rto.srtt_s is None
    bench.sack(2, after=0.1)
    assert bench.path.rto.srtt_s is None
