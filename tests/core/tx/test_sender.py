"""§6.2.1, §7.2.4: SACKs in; and what the sender says of itself."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.congestion.reno import INITIAL_SSTHRESH
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.tx.chunk import IN_FLIGHT, MARKED
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import Sack
from tests.core.tx.bench import FIRST_TSN, PAYLOAD, PMDCS, Bench, all_chunks, numbers, tsn
from tests.core.work import assert_linear, instructions

pytestmark = pytest.mark.usefixtures("both_ways")


def ready(count: int) -> Bench:
    """So many full packets in flight, cwnd twice as large, at a TSN that wraps."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=1000))
    bench.cwnd = 2 * count * PMDCS
    assert len(bench.send(*[PAYLOAD] * count)) == count
    return bench


# -- §6.2.1 --


def test_a_cumulative_ack_over_the_wrap_of_the_tsn_acknowledges_all_before() -> None:
    """R17, X42: TSN 2 acknowledges 0xFFFFFFF0 to 2."""
    bench = ready(20)
    assert bench.sender.sack_received(Sack(2, bench.rwnd), bench.now) is None
    assert bench.sender.cumulative_tsn_ack_point == 2
    assert bench.sender.unacknowledged_chunks == 1


def test_an_old_sack_changes_nothing() -> None:
    """R17: §6.2.1 D i: "then drop the SACK chunk"."""
    bench = ready(5)
    bench.sack(2, rwnd=5000)
    before = bench.sender.peer_rwnd_bytes, bench.path.flight_bytes
    bench.sack(1, (3, 4), rwnd=99999)
    assert (bench.sender.peer_rwnd_bytes, bench.path.flight_bytes) == before
    assert bench.sender.sack_received(Sack((tsn(2) + 2**31) & 0xFFFF_FFFF, 1), bench.now) is None
    assert bench.sender.cumulative_tsn_ack_point == tsn(2)


def test_acknowledging_what_was_never_sent_is_a_protocol_violation() -> None:
    """R17: never above the highest sent; the association aborts with it."""
    bench = ready(3)
    assert isinstance(bench.sack(3), ProtocolViolation)
    assert isinstance(bench.sender.cumulative_ack(tsn(3), bench.now), ProtocolViolation)
    assert bench.sender.unacknowledged_chunks == 3


@pytest.mark.parametrize("block", [(10, 10), (9, 12), (2, 65535)])
def test_a_gap_ack_block_of_what_was_never_sent_is_a_protocol_violation(block: tuple[int, int]) -> None:
    """R17: "MUST abort the association if it receives a SACK chunk acknowledging a TSN that has not been sent" (§12.4),
    by its Gap Ack Blocks as by its Cumulative TSN Ack. Nothing of such a SACK is taken in."""
    bench = ready(10)
    flight_bytes = bench.path.flight_bytes
    cause = bench.sender.sack_received(Sack(tsn(0), bench.rwnd, ((3, 4), block)), bench.now)
    assert isinstance(cause, ProtocolViolation)
    assert bench.path.flight_bytes == flight_bytes
    bench.sender.check_invariants()


def test_gaps_that_cannot_be_true_are_ignored_one_by_one() -> None:
    """R17: inverted, overlapping, at the missing TSN."""
    bench = ready(10)
    blocks = ((1, 1), (5, 3), (4, 4), (4, 6), (6, 7), (65535, 1))
    assert bench.sender.sack_received(Sack(tsn(0), bench.rwnd, blocks), bench.now) is None
    bench.sender.check_invariants()
    assert bench.sender.outstanding.gaps == [(FIRST_TSN + 4, FIRST_TSN + 4), (FIRST_TSN + 6, FIRST_TSN + 7)]


def test_a_sack_full_of_gaps_costs_time_linear_in_blocks_and_chunks() -> None:
    """No range is expanded once for every block that names it."""

    def cost(count: int) -> int:
        bench = ready(count)
        sack = Sack(tsn(-1), bench.rwnd, ((2, 65535),) * count + ((2, count),) * count)
        total = instructions(lambda: bench.sender.sack_received(sack, bench.now))
        bench.sender.check_invariants()
        assert bench.path.flight_bytes == PMDCS
        return total

    assert_linear(cost, 100)


def test_gaps_take_chunks_out_of_flight_and_leave_them_outstanding() -> None:
    """§7.1: "not considered fully delivered until the Cumulative TSN Ack Point passes"."""
    bench = ready(5)
    bench.sack(0, (2, 3))
    assert bench.path.flight_bytes == 2 * PMDCS
    assert bench.sender.unacknowledged_chunks == 4
    assert bench.sender.outstanding_bytes == 4 * PAYLOAD
    bench.sack(4)
    assert bench.sender.is_drained


def test_what_the_peer_reneges_on_is_in_flight_again_with_one_miss_and_t3() -> None:
    """R17, R18: §6.2.1 D iii, §6.3.2 R4."""
    bench = ready(3)
    bench.sack(-1, (1, 2))
    bench.expire()
    assert bench.deadline() is None
    bench.sack(-1)
    assert bench.path.flight_bytes == 2 * PMDCS
    assert bench.deadline() == bench.now + bench.path.rto.rto_s
    assert [chunk.misses for chunk in bench.sender.outstanding] == [1, 1, 1]


def test_a_chunk_reneged_on_three_times_is_retransmitted_and_no_more_often() -> None:
    bench = ready(2)
    for _ in range(3):
        bench.sack(-1, (1, 1))
        bench.sack(-1)
    assert [chunk.state for chunk in bench.sender.outstanding] == [MARKED, MARKED]
    bench.flush()
    retransmitted = bench.counters.rtxchunks
    for _ in range(5):
        bench.sack(-1, (1, 1))
        bench.sack(-1)
        bench.flush()
    assert bench.counters.rtxchunks == retransmitted


def test_a_chunk_reneged_on_below_what_is_new_is_missed_once() -> None:
    """R17: the Cumulative TSN Ack may even end within what was a gap."""
    bench = ready(6)
    bench.sack(-1, (1, 4))
    bench.sack(2, (4, 5))
    assert [chunk.misses for chunk in bench.sender.outstanding] == [1, 0, 0]
    assert bench.path.flight_bytes == PMDCS


def test_a_shutdown_takes_back_a_gap_that_it_contradicts() -> None:
    """§9.2: it acknowledges as a SACK without gaps about what follows its Cumulative TSN Ack."""
    bench = ready(4)
    bench.sack(-1, (2, 3))
    assert bench.sender.cumulative_ack(tsn(0), bench.now) is None
    bench.sender.check_invariants()
    assert len(bench.sender.outstanding.gaps) == 1
    assert bench.sender.cumulative_ack(tsn(1), bench.now) is None
    bench.sender.check_invariants()
    assert bench.path.flight_bytes == 2 * PMDCS


def test_sacks_and_gap_reports_are_counted() -> None:
    """H02, H06: gapcnt, isacks; those dropped as old were received too."""
    bench = ready(10)
    bench.sack(1, (3, 3), (5, 6))
    bench.sack(0, (3, 3))
    assert (bench.counters.isacks, bench.counters.gapcnt) == (2, 3)


def test_duplicates_reported_change_nothing() -> None:
    bench = ready(2)
    bench.sack(0, duplicates=(tsn(0),) * 100)
    assert bench.sender.unacknowledged_chunks == 1


def test_the_paths_newly_acknowledged_on_are_told_once() -> None:
    bench = ready(2)
    bench.sack(0)
    assert bench.sender.take_acknowledged_paths() == (bench.path,)
    bench.sack(0)
    assert bench.sender.take_acknowledged_paths() == ()


# -- §7.2.4 --


def test_the_third_miss_indication_retransmits_at_once_whatever_cwnd_says() -> None:
    """E12, R18: §7.2.4, 1 to 6."""
    bench = ready(20)
    cwnd = bench.cwnd
    bench.sack(-1, (1, 1))
    bench.sack(-1, (1, 2))
    assert bench.flush() == []
    bench.cwnd = cwnd = 10 * PMDCS
    bench.sack(-1, (1, 3))
    assert bench.sender.in_fast_recovery
    assert (bench.cwnd, bench.path.congestion.ssthresh) == (cwnd // 2, cwnd // 2)
    assert bench.path.flight_bytes > bench.cwnd
    assert numbers(bench.flush()) == [[0]]
    bench.enqueue(PAYLOAD)
    assert bench.flush() == []


def test_only_one_packet_of_what_was_lost_ignores_cwnd() -> None:
    """§7.2.4, 3 and 5: the others "will be retransmitted later on as soon as cwnd allows"."""
    bench = ready(20)
    bench.cwnd = 4 * PMDCS
    for last in (5, 6, 7):
        bench.sack(-1, (3, last))
    assert numbers(bench.flush()) == [[0]]
    assert [chunk.state for chunk in bench.sender.outstanding][:3] == [IN_FLIGHT, MARKED, MARKED]
    bench.sack(0, (3, 19))
    assert numbers(bench.flush()) == [[1], [2]]


def test_small_chunks_lost_together_share_the_packet() -> None:
    """§7.2.4, 3: "how many of the earliest ... will fit into a single packet"."""
    bench = Bench()
    bench.send(*[400] * 6)
    for last in (3, 4, 5):
        bench.sack(-1, (3, last))
    assert numbers(bench.flush()) == [[0, 1, 2]]


def test_miss_indications_count_only_below_the_highest_newly_acknowledged() -> None:
    """§7.2.4: HTNA. The second time, only chunk 0 was passed by anything new."""
    bench = ready(6)
    bench.sack(-1, (4, 4))
    bench.sack(-1, (1, 1), (4, 4))
    bench.sack(-1, (1, 1), (4, 4))
    assert [chunk.misses for chunk in bench.sender.outstanding] == [2, 1, 1, 1, 0, 0]


def test_in_fast_recovery_an_advance_counts_all_that_is_reported_missing() -> None:
    """§7.2.4: "the miss indications are incremented for all TSNs reported missing in the SACK chunk"."""
    bench = ready(20)
    for last in (2, 3, 4):
        bench.sack(-1, (1, last))
    bench.sack(-1, (1, 4), (10, 10))
    assert [chunk.misses for chunk in bench.sender.outstanding][5:10] == [1] * 5
    bench.sack(4, (10, 10))
    assert [chunk.misses for chunk in bench.sender.outstanding][:5] == [2] * 5


def test_cwnd_is_cut_once_in_a_fast_recovery_and_again_in_the_next() -> None:
    """§7.2.4, 6: "the ssthresh and cwnd SHOULD NOT change" until the exit point is acknowledged."""
    bench = ready(40)
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    cwnd = bench.cwnd
    for last in (5, 6, 7):
        bench.sack(-1, (1, 3), (5, last))
    bench.flush()
    assert (bench.cwnd, bench.sender.in_fast_recovery) == (cwnd, True)
    recovering = []
    for cumulative in (38, 39):
        bench.sack(cumulative)
        recovering.append(bench.sender.in_fast_recovery)
    assert recovering == [True, False]
    cwnd = bench.cwnd
    first = 40
    bench.send(*[PAYLOAD] * 10)
    for last in (1, 2, 3):
        bench.sack(first - 1, (first + 1, first + last))
    assert bench.cwnd == max(cwnd // 2, 4 * PMDCS)


def test_in_fast_recovery_a_loss_on_another_path_cuts_no_cwnd() -> None:
    """§7.2.4, 6: "the ssthresh and cwnd SHOULD NOT change for any destinations due to a subsequent Fast Recovery"."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=1000), paths=2)
    first, second = bench.paths
    for path in bench.paths:
        path.congestion.cwnd = 20 * PMDCS
        bench.table.primary = path
        bench.send(*[PAYLOAD] * 10)
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    assert [path.congestion.cwnd for path in bench.paths] == [10 * PMDCS, 20 * PMDCS]
    bench.flush()
    for last in (11, 12, 13):
        bench.sack(-1, (1, 9), (11, last))
    assert [(packet.path, packet.numbers) for packet in bench.flush()] == [(second, [10])]
    assert [path.congestion.cwnd for path in bench.paths] == [10 * PMDCS, 20 * PMDCS]
    assert (first.congestion.ssthresh, second.congestion.ssthresh) == (10 * PMDCS, INITIAL_SSTHRESH)


def test_cwnd_does_not_grow_in_fast_recovery() -> None:
    """§7.2.1: "the data sender is not in Fast Recovery"."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=1000))
    bench.cwnd = 20 * PMDCS
    bench.enqueue(*[PAYLOAD] * 200)
    bench.flush()
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    cwnd = bench.cwnd
    bench.flush()
    bench.sack(10)
    bench.flush()
    bench.sack(15)
    assert bench.cwnd == cwnd


def test_growth_for_what_a_sack_acknowledges_comes_before_the_cut_for_what_it_misses() -> None:
    """§7.2.4, Note: the rules of §7.2.1 and §7.2.2 "MUST be applied first"."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=1000))
    bench.cwnd = 20 * PMDCS
    bench.send(*[PAYLOAD] * 20)
    bench.sack(-1, (5, 5))
    bench.sack(-1, (5, 6))
    bench.sack(3, (5, 7))
    assert bench.cwnd == (20 + 1 + 1 + 5) * PMDCS // 2


def test_a_chunk_is_fast_retransmitted_once_and_then_left_to_t3() -> None:
    """§7.2.4, 5: "ineligible for a subsequent Fast Retransmit"."""
    bench = ready(30)
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    assert numbers(bench.flush()) == [[0]]
    for last in range(4, 30):
        bench.sack(-1, (1, last))
        assert bench.flush() == []
    bench.expire()
    assert numbers(bench.flush()) == [[0]]


def test_what_was_sent_before_a_retransmission_says_nothing_of_it() -> None:
    """Late SACKs after a spurious timeout must not cause a Fast Retransmit of what has just been retransmitted."""
    bench = ready(10)
    bench.expire()
    assert numbers(bench.flush()) == [[0]]
    for last in (1, 2, 3, 4, 5):
        bench.sack(-1, (1, last))
    assert bench.sender.outstanding.find(FIRST_TSN) is not None
    assert not bench.sender.in_fast_recovery


def test_a_fast_retransmit_goes_where_the_original_went() -> None:
    """§6.4: "SHOULD send fast retransmissions to the same destination transport address"."""
    bench = Bench(paths=2)
    bench.send(*[PAYLOAD] * 4)
    bench.table.primary = bench.paths[1]
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    assert [(packet.path, packet.numbers) for packet in bench.flush()] == [(bench.paths[0], [0])]


def test_what_was_lost_on_two_paths_is_retransmitted_on_each() -> None:
    """§6.4: the same, when one SACK tells of both: they share no packet."""
    bench = Bench(paths=2)
    bench.send(100)
    bench.send(100)
    bench.table.primary = bench.paths[1]
    for _ in range(4):
        bench.send(100)
    for last in (3, 4, 5):
        bench.sack(-1, (1, 1), (3, last))
    assert [(packet.path, packet.numbers) for packet in bench.flush()] == [(bench.paths[0], [0]), (bench.paths[1], [2])]


def test_a_fast_retransmit_that_is_acknowledged_before_it_went_leaves_no_licence() -> None:
    bench = ready(10)
    for last in (1, 2, 3):
        bench.sack(-1, (1, last))
    bench.sack(3)
    assert bench.flush() == []
    bench.cwnd = PMDCS
    bench.enqueue(PAYLOAD)
    assert bench.flush() == []


# -- buffers --


def test_buffered_bytes_are_what_was_accepted_and_not_acknowledged_for_good() -> None:
    bench = Bench()
    sender = bench.sender
    bench.enqueue(3 * PAYLOAD, stream=1)
    bench.enqueue(5 * PAYLOAD, stream=2)
    assert (sender.buffered_bytes, sender.queued_bytes, sender.outstanding_bytes) == (8 * PAYLOAD, 8 * PAYLOAD, 0)
    assert sender.pending_messages == 2
    bench.flush()
    assert (sender.queued_bytes, sender.outstanding_bytes) == (4 * PAYLOAD, 4 * PAYLOAD)
    assert (sender.queue.stream(2).queued_bytes, sender.stream_buffered_bytes(2)) == (4 * PAYLOAD, 5 * PAYLOAD)
    assert (sender.pending_messages, sender.unacknowledged_chunks) == (1, 4)
    bench.sack(0, (2, 3))
    assert (sender.queue.stream(1).queued_bytes, sender.stream_buffered_bytes(1)) == (0, 2 * PAYLOAD)
    assert sender.stream_buffered_bytes(9) == 0
    assert sender.buffered_bytes == 7 * PAYLOAD


def test_what_is_taken_at_the_end_is_every_message_once_sent_ones_first() -> None:
    """And nothing stays in flight or on a timer."""
    bench = Bench()
    messages = [
        OutgoingMessage(bytes(size), stream, context=n)
        for n, (size, stream) in enumerate([(10, 1), (2 * PAYLOAD, 2), (9 * PAYLOAD, 1), (10, 3), (10, 1)])
    ]
    for message in messages:
        bench.sender.queue.append(message)
    bench.flush()
    bench.sack(0, (2, 2))
    taken = bench.sender.take_unsent()
    assert taken == [(messages[1], True), (messages[2], True), (messages[3], False), (messages[4], False)]
    assert bench.sender.is_drained
    assert bench.sender.buffered_bytes == bench.path.flight_bytes == bench.sender.stream_buffered_bytes(1) == 0
    bench.sender.check_invariants()
    assert bench.deadline() is None
    assert bench.flush() == []


def test_a_message_begun_whose_fragments_are_all_acknowledged_is_taken_once() -> None:
    bench = Bench()
    message = OutgoingMessage(bytes(20 * PAYLOAD), 1)
    bench.sender.queue.append(message)
    bench.flush()
    bench.sack(3)
    assert bench.sender.take_unsent() == [(message, True)]


def test_new_parameters_are_used_at_once() -> None:
    bench = Bench()
    bench.cwnd = 100 * PMDCS
    bench.sender.configure(Config(max_burst=7))
    assert len(bench.send(*[PAYLOAD] * 20)) == 7


def test_a_message_without_data_is_never_accepted() -> None:
    with pytest.raises(AssertionError, match="without data"):
        Bench().enqueue(0)


def test_many_streams_keep_their_numbers_and_no_empty_queue() -> None:
    """X11: a thousand streams leave in the order of their messages, none waiting for another."""
    bench = Bench(config=Config(rto_min_s=0.05, max_burst=1000))
    bench.cwnd = 1 << 30
    for stream in range(1000):
        bench.enqueue(100, stream=stream)
    assert [chunk.stream for chunk in all_chunks(bench.flush())] == list(range(1000))


def test_paths_are_told_of_in_the_order_of_what_was_acknowledged_on_them() -> None:
    """Not in that of objects in memory, which no two runs have in common."""
    bench = Bench(config=Config(rto_min_s=0.05), paths=20)
    for path in reversed(bench.paths):
        bench.table.primary = path
        bench.send(PAYLOAD)
    bench.sack(len(bench.paths) - 1)
    assert bench.sender.take_acknowledged_paths() == tuple(bench.paths[::-1])
