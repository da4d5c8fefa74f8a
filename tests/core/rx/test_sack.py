"""When a SACK is sent and what it says (§6.2, §6.7)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.rx.receiver import MAX_DUPLICATES
from aiosctp.core.timers import Timer
from tests.core.rx.bench import Bench, data, tsn_of


def test_the_first_data_of_an_association_is_acknowledged_at_once() -> None:
    """R15: §5.1: "the endpoint MUST immediately respond with a SACK chunk"."""
    bench = Bench()
    bench.packets(data(0))
    assert bench.sack_is_due()
    assert not bench.delay_is_running()


def test_every_second_packet_is_acknowledged_not_every_second_chunk() -> None:
    """R15, E11: §6.2: "for at least every second packet (not every second DATA chunk)"."""
    bench = Bench().settled()
    bench.packet(data(1, "UBE"), data(2, "UBE"), data(3, "UBE"))
    assert not bench.sack_is_due()
    assert bench.receiver.has_unacknowledged
    bench.packets(data(4, "UBE"))
    assert bench.sack_is_due()
    assert bench.sack().cumulative_tsn_ack == tsn_of(4)
    assert not bench.sack_is_due()
    assert not bench.receiver.has_unacknowledged


def test_the_frequency_is_configurable() -> None:
    bench = Bench(config=Config(sack_frequency=4)).settled()
    bench.packets(data(1, "UBE"), data(2, "UBE"), data(3, "UBE"))
    assert not bench.sack_is_due()
    bench.packets(data(4, "UBE"))
    assert bench.sack_is_due()


def test_a_single_packet_is_acknowledged_within_the_delay() -> None:
    """R15, E11: §6.2: "within 200 ms of the arrival of any unacknowledged DATA chunk"."""
    bench = Bench().settled()
    bench.packets(data(1, "UBE"))
    assert bench.timers.deadline(Timer.SACK_DELAY) == pytest.approx(bench.now + 0.2)
    bench.timers.pop_expired(bench.now + 0.2)
    bench.receiver.handle_delay_expired()
    assert bench.sack_is_due()


def test_the_delay_runs_from_the_oldest_unacknowledged_packet() -> None:
    bench = Bench(config=Config(sack_frequency=5)).settled()
    bench.packets(data(1, "UBE"))
    deadline = bench.timers.deadline(Timer.SACK_DELAY)
    bench.now += 0.1
    bench.packets(data(2, "UBE"))
    assert bench.timers.deadline(Timer.SACK_DELAY) == deadline


def test_a_sack_stops_the_delay() -> None:
    bench = Bench().settled()
    bench.packets(data(1, "UBE"))
    assert bench.delay_is_running()
    bench.sack()
    assert not bench.delay_is_running()


def test_the_i_bit_is_answered_at_once() -> None:
    """R15: §6.2: "the receiver SHOULD NOT delay the sending of the corresponding SACK chunk"."""
    bench = Bench().settled()
    bench.packets(data(1, "IUBE"))
    assert bench.sack_is_due()
    bench.sack()
    bench.packets(data(2, "UBE"))
    assert not bench.sack_is_due(), "the next packet is none of its business"
    bench.sack()
    bench.packets(data(3, "IUB"))
    assert bench.sack_is_due(), "why the sender has set it is irrelevant (§6.1), so also where no message ends"


def test_a_gap_is_reported_at_once_and_for_every_packet_until_it_is_filled() -> None:
    """R15, E11: §6.7: after "each SCTP packet that does not fill the gap", and RFC 5681 §4.2 after what does."""
    bench = Bench().settled()
    for n, blocks in ((3, ((3, 3),)), (4, ((3, 4),)), (6, ((3, 4), (6, 6)))):
        bench.packets(data(n, "UBE"))
        assert bench.sack_is_due()
        sack = bench.sack()
        assert (sack.cumulative_tsn_ack, sack.gap_ack_blocks) == (tsn_of(0), blocks)
    bench.packets(data(1, "UBE"))
    assert bench.sack_is_due(), "a part of the gap was filled"
    sack = bench.sack()
    assert (sack.cumulative_tsn_ack, sack.gap_ack_blocks) == (tsn_of(1), ((2, 3), (5, 5)))
    bench.packets(data(2, "UBE"), data(5, "UBE"))
    assert bench.sack_is_due(), "the last gap was filled"
    sack = bench.sack()
    assert (sack.cumulative_tsn_ack, sack.gap_ack_blocks) == (tsn_of(6), ())
    bench.packets(data(7, "UBE"))
    assert not bench.sack_is_due()


def test_duplicates_are_acknowledged_at_once_and_reported_once_each() -> None:
    """R15, H13: §6.2, §3.3.4: each receipt is in the next SACK and in no other."""
    bench = Bench().settled()
    bench.packets(data(2, "UBE"))
    bench.sack()
    bench.packets(data(0), data(2, "UBE"), data(0))
    assert bench.sack_is_due()
    assert bench.sack().duplicate_tsns == (tsn_of(0), tsn_of(2), tsn_of(0))
    assert bench.sack().duplicate_tsns == ()
    assert bench.counters.idupchunks == 3
    assert bench.read_payloads() == [b"<2>"], "a duplicate is not delivered"


def test_a_duplicate_bundled_with_new_data_is_acknowledged_at_once() -> None:
    bench = Bench().settled()
    bench.packet(data(0), data(1, "UBE"))
    assert bench.sack_is_due()


def test_what_half_the_number_space_away_says_is_never_new() -> None:
    bench = Bench().settled()
    bench.packets(data(0x8000_0000, "UBE"), data(0xFFFF_0000, "UBE"))
    assert bench.read_all() == []
    sack = bench.sack()
    assert sack.cumulative_tsn_ack == tsn_of(0)
    assert sack.duplicate_tsns == (tsn_of(0x8000_0000), tsn_of(0xFFFF_0000))


def test_a_flood_of_duplicates_is_counted_and_reported_up_to_a_bound() -> None:
    """H13: memory for duplicates is bounded."""
    bench = Bench().settled()
    bench.packets(*(data(0) for _ in range(500)))
    assert bench.counters.idupchunks == 500
    assert len(bench.sack().duplicate_tsns) == MAX_DUPLICATES


def test_gap_blocks_are_the_lowest_that_fit_the_room() -> None:
    """R15: §6.7: "from the lowest to highest TSNs, within the size limit set by the PMTU"; duplicates after them."""
    bench = Bench().settled()
    bench.packets(data(2, "UBE"), data(4, "UBE"), data(6, "UBE"), data(0))
    assert bench.sack(room_bytes=16 + 4 * 2 + 3).gap_ack_blocks == ((2, 2), (4, 4))
    bench.packets(data(0), data(0))
    sack = bench.sack(room_bytes=16 + 4 * 4)
    assert sack.gap_ack_blocks == ((2, 2), (4, 4), (6, 6))
    assert len(sack.duplicate_tsns) == 1
    assert bench.sack(room_bytes=16).gap_ack_blocks == ()


def test_what_is_too_far_ahead_for_a_gap_block_is_dropped_and_answered() -> None:
    bench = Bench().settled()
    bench.packets(data(65_536, "UBE"))
    assert bench.sack_is_due()
    assert bench.sack().gap_ack_blocks == ()
    bench.packets(data(65_535, "UBE"))
    assert bench.sack().gap_ack_blocks == ((65_535, 65_535),)
    assert bench.read_payloads() == [b"<65535>"]


def test_a_sack_goes_where_the_last_data_came_from() -> None:
    bench = Bench().settled()
    bench.packets(data(1, "UBE"))
    assert bench.receiver.sack_path is bench.path


def test_has_gap_says_whether_a_tsn_is_missing() -> None:
    bench = Bench().settled()
    gaps = []
    for n in (2, 3, 1):
        bench.packets(data(n, "UBE"))
        gaps.append(bench.receiver.has_gap)
    assert gaps == [True, True, False]


def test_counters_of_what_came() -> None:
    """H04, H05, H10, H12, H13: ordered and unordered, out of sequence, duplicates; SACKs."""
    bench = Bench()
    bench.packets(data(0, "BE"), data(1, "UBE"), data(3, "UBE"), data(3, "UBE"), data(4, "BE", ssn=1), data(1))
    bench.sack()
    bench.sack()
    counters = bench.counters
    assert (counters.iodchunks, counters.iuodchunks, counters.idupchunks) == (2, 2, 2)
    assert counters.outseqtsns == 2
    assert counters.osacks == 2
