"""NR-SACK: which TSNs above the cumulative one will not be dropped again (draft-natarajan-tsvwg-sctp-nrsack)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.wire.causes import InvalidStreamIdentifier
from aiosctp.wire.chunks import DATA_FORMAT, I_DATA_FORMAT, DataFormat
from tests.core.rx.bench import Bench, data, i_data, tsn_of


def bench_of(format: DataFormat = DATA_FORMAT, window_bytes: int = 1 << 20) -> Bench:
    return Bench(config=Config(receive_window_bytes=window_bytes), format=format, sends_nr_sacks=True)


def test_it_takes_the_place_of_sack() -> None:
    """M11: 20 bytes without blocks."""
    bench = bench_of()
    assert bench.receiver.least_sack_bytes == 20
    bench.packets(data(0))
    sack = bench.nr_sack(20)
    assert (sack.cumulative_tsn_ack, sack.gap_ack_blocks, sack.nr_gap_ack_blocks) == (tsn_of(0), (), ())


def test_what_was_delivered_is_not_renegable_and_what_is_held_is() -> None:
    """M11, S15: each TSN is in one kind of blocks."""
    bench = bench_of()
    bench.packets(
        data(0), data(2, "UBE"), data(3, ssn=2), data(4, "UBE"), data(5, "UBE"), data(7, "UB"), data(9, "UBE")
    )
    sack = bench.nr_sack()
    assert sack.gap_ack_blocks == ((3, 3), (7, 7))
    assert sack.nr_gap_ack_blocks == ((2, 2), (4, 5), (9, 9))
    bench.packets(data(8, "UE"))
    sack = bench.nr_sack()
    assert sack.gap_ack_blocks == ((3, 3),)
    assert sack.nr_gap_ack_blocks == ((2, 2), (4, 5), (7, 9))
    bench.packets(data(1, ssn=1))
    assert bench.nr_sack().nr_gap_ack_blocks == ((2, 4),)


def test_fragments_of_a_message_mixed_with_another_become_non_renegable_where_they_lie() -> None:
    """S15: with I-DATA."""
    bench = bench_of(I_DATA_FORMAT)
    bench.packets(i_data(1, "UB"), i_data(2, "B"), i_data(3, "UE", fsn=1), i_data(5, "E", fsn=2))
    sack = bench.nr_sack()
    assert sack.gap_ack_blocks == ((3, 3), (6, 6))
    assert sack.nr_gap_ack_blocks == ((2, 2), (4, 4))


def test_what_was_taken_and_let_go_of_is_not_renegable() -> None:
    """A chunk on a stream that does not exist (§6.5), and the rest of a message that was skipped."""
    bench = bench_of(I_DATA_FORMAT)
    assert bench.packet(i_data(2, stream=10)) == InvalidStreamIdentifier(10)
    bench.packets(i_data(4, "B", stream=1), i_data(5, "", stream=1, fsn=1))
    bench.forward(0, (1, False, 0))
    bench.packets(i_data(7, "E", stream=1, fsn=3))
    sack = bench.nr_sack()
    assert sack.gap_ack_blocks == ()
    assert sack.nr_gap_ack_blocks == ((2, 2), (4, 5), (7, 7))


def test_blocks_of_both_kinds_share_the_room_from_the_lowest_tsn_on() -> None:
    bench = bench_of()
    bench.packets(*(data(n, "UBE" if n % 4 else "UB") for n in range(2, 40, 2)))
    sack = bench.nr_sack(20 + 4 * 5)
    assert sack.nr_gap_ack_blocks == ((3, 3), (7, 7), (11, 11))
    assert sack.gap_ack_blocks == ((5, 5), (9, 9))


def test_what_waits_for_a_reset_may_be_dropped() -> None:
    """RFC 6525 §5.2.2 E2."""
    bench = bench_of()
    bench.receiver.renewal.defer_reset(tsn_of(0), None)
    bench.packets(data(1), data(2, "UBE"))
    sack = bench.nr_sack()
    assert (sack.gap_ack_blocks, sack.nr_gap_ack_blocks) == (((2, 3),), ())


@pytest.mark.parametrize("format", [DATA_FORMAT, I_DATA_FORMAT])
def test_nothing_is_dropped_that_was_said_to_stay(format: DataFormat) -> None:
    """§6.2 would have the highest TSN dropped for one in a gap; delivered, it is not held for reordering."""
    bench = bench_of(format, 3000)
    like = i_data if format is I_DATA_FORMAT else data
    bench.packets(like(5, "UBE", payload=1000))
    bench.packets(like(1, "UB", stream=1, payload=1000), like(3, "UB", stream=2, payload=1000))
    sack = bench.nr_sack()
    assert (sack.gap_ack_blocks, sack.nr_gap_ack_blocks) == (((2, 2), (4, 4)), ((6, 6),))
    bench.packets(like(0, "UBE", stream=3, payload=1000))
    sack = bench.nr_sack()
    assert (sack.gap_ack_blocks, sack.nr_gap_ack_blocks) == ((), ((4, 4),))


def test_at_the_end_no_more_is_kept_of_what_would_stay() -> None:
    """What is held is let go of, and no NR-SACK will tell of the rest."""
    bench = bench_of()
    bench.packets(data(2, "UB"), data(4, "UBE"))
    bench.receiver.abort_partial_delivery()
    bench.receiver.check_invariants()


def test_nr_sacks_go_on_after_all_tsns_have_begun_anew() -> None:
    """M11: RFC 6525 §5.2.4 lets go of what is unfinished, as the end of an association does, but goes on."""
    bench = bench_of()
    bench.packets(data(0), data(2, "UBE"), data(3, "B", ssn=1))
    bench.receiver.renewal.begin_tsns_anew(tsn_of(100))
    bench.packets(data(100), data(102, "UBE"))
    sack = bench.nr_sack()
    assert (sack.cumulative_tsn_ack, sack.gap_ack_blocks, sack.nr_gap_ack_blocks) == (tsn_of(100), (), ((2, 2),))
