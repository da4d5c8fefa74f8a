"""FORWARD TSN and I-FORWARD-TSN: what the peer gave up is passed over (RFC 3758 §3.6, RFC 8260 §2.3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import DATA_FORMAT, I_DATA_FORMAT, DataFormat, UserData
from tests.core.rx.bench import Bench, data, i_data, tsn_of

BOTH = pytest.mark.parametrize("format", [DATA_FORMAT, I_DATA_FORMAT], ids=["DATA", "I-DATA"])
ORDERED, UNORDERED = False, True


def bench_of(format: DataFormat = DATA_FORMAT, **options: Any) -> Bench:
    return Bench(config=Config().replace(**options), format=format)


def chunk(format: DataFormat, n: int, flags: str = "BE", *, number: int = 0, fsn: int = 0, **fields: Any) -> UserData:
    if format.counts_fragments:
        return i_data(n, flags, mid=number, fsn=fsn, **fields)
    return data(n, flags, ssn=number, **fields)


# -- the cumulative TSN and SACKs --


@BOTH
def test_the_cumulative_tsn_moves_where_it_is_told_and_on_over_what_has_come(format: DataFormat) -> None:
    """E01: the example of RFC 3758 §3.6: 102 received, 104, 105 and 107 too, and 103 given up."""
    bench = bench_of(format)
    bench.packets(*(chunk(format, n, number=n) for n in (0, 2, 3, 5)))
    bench.forward(1, (0, ORDERED, 1))
    sack = bench.sack()
    assert sack.cumulative_tsn_ack == tsn_of(3)
    assert sack.gap_ack_blocks == ((2, 2),), "no missing TSN up to it is reported"
    assert bench.read_payloads() == [b"<0>", b"<2>", b"<3>"]


@BOTH
@pytest.mark.parametrize("n", [-5, 0, 1])
def test_one_that_is_behind_is_answered_at_once_and_moves_nothing(format: DataFormat, n: int) -> None:
    """X07: "the data receiver MUST treat this FORWARD TSN as out-of-date ... SHOULD send a SACK"."""
    bench = bench_of(format).settled() if format is DATA_FORMAT else bench_of(format)
    bench.packets(*(chunk(format, each, "UBE", number=each) for each in range(2)))
    bench.sack()
    bench.forward(n)
    assert bench.sack_is_due()
    assert bench.sack().cumulative_tsn_ack == tsn_of(1)


def test_one_more_than_half_the_space_ahead_is_behind() -> None:
    bench = bench_of().settled()
    bench.forward(0x8000_0000, (0, ORDERED, 7))
    assert bench.sack().cumulative_tsn_ack == tsn_of(0)
    bench.packets(data(1))
    assert bench.read_payloads() == [b"<1>"]


def test_one_far_ahead_is_believed() -> None:
    """The peer says what it has given up; what it sends from there on is taken."""
    bench = bench_of().settled()
    bench.packets(data(2, "B", ssn=1), data(5, ssn=7))
    bench.forward(0x7FFF_FFFF, (0, ORDERED, 6))
    assert bench.read_payloads() == [b"<5>"]
    assert bench.receiver.held_bytes == 0
    bench.packets(data(0x8000_0000, ssn=8))
    assert bench.read_payloads() == [b"<%d>" % 0x8000_0000]


def test_it_is_acknowledged_as_data_is() -> None:
    """§3.6: "follow the delayed sack rules": every second packet, or after a while; at once where a gap is or was."""
    bench = bench_of().settled()
    bench.forward(1)
    assert not bench.sack_is_due()
    assert bench.delay_is_running()
    assert bench.receiver.has_unacknowledged
    bench.forward(2)
    assert bench.sack_is_due()
    bench.sack()
    bench.packets(data(4))
    bench.sack()
    bench.forward(3)
    assert bench.sack_is_due()
    assert bench.sack().cumulative_tsn_ack == tsn_of(4)


@BOTH
def test_a_tsn_that_was_skipped_is_a_duplicate_when_it_comes(format: DataFormat) -> None:
    """§3.6: "the receiver will drop the chunk and report it as a duplicate"."""
    bench = bench_of(format)
    bench.forward(1, (0, ORDERED, 1))
    bench.packets(chunk(format, 1, number=1))
    assert bench.sack().duplicate_tsns == (tsn_of(1),)
    assert not bench.receiver.has_message()


# -- messages --


@BOTH
def test_messages_that_waited_for_what_was_skipped_are_delivered_in_order(format: DataFormat) -> None:
    """E01: those "earlier than or equal to the stream sequence number listed", and what follows them."""
    bench = bench_of(format)
    for n in (8, 2, 5, 3, 6):
        bench.packets(chunk(format, n, number=n))
    bench.packets(chunk(format, 9, number=1, stream=1))
    bench.forward(4, (0, ORDERED, 4))
    assert bench.read_payloads() == [b"<2>", b"<3>", b"<5>", b"<6>"]
    bench.forward(7, (0, ORDERED, 7), (1, ORDERED, 0))
    assert bench.read_payloads() == [b"<8>", b"<9>"]
    assert bench.receiver.held_bytes == 0


@BOTH
@pytest.mark.parametrize("flags", [("B", ""), ("", "E"), ("B", "E"), ("", "")])
@pytest.mark.parametrize("unordered", [False, True])
def test_a_message_that_lacks_what_was_skipped_is_dropped(
    format: DataFormat, flags: tuple[str, str], unordered: bool
) -> None:
    """X07: "MUST remove any partially reassembled message, which is still missing one or more TSNs"."""
    bench = bench_of(format)
    bits = "U" * unordered
    bench.packets(chunk(format, 1, bits + flags[0], fsn=0 if "B" in flags[0] else 1))
    bench.packets(chunk(format, 3, bits + flags[1], fsn=3))
    assert bench.forward(4, (0, unordered, 0)) == []
    assert bench.receiver.held_bytes == 0
    bench.packets(chunk(format, 5, number=0 if unordered else 1))
    assert bench.read_payloads() == [b"<5>"]


@BOTH
def test_a_closed_window_that_what_is_dropped_opens_is_told_at_once(format: DataFormat) -> None:
    """§6.2: the peer, which was told of a window of 0, would else wait for the delayed SACK."""
    bench = bench_of(format, receive_window_bytes=1500)
    bench.packets(chunk(format, 0, "B", payload=1500))
    assert bench.sack().a_rwnd == 0
    bench.forward(1, (0, ORDERED, 0))
    assert bench.sack_is_due()
    assert bench.sack().a_rwnd == 1500


def test_what_lies_above_stays() -> None:
    """Also a message whose TSNs up to there have come, and that goes on behind."""
    bench = bench_of()
    bench.packets(data(1, "UB"), data(2, "U"), data(5, "U"), data(6, "UE"))
    bench.forward(0)
    bench.packets(data(3, "UE"))
    assert bench.read_payloads() == [b"<1><2><3>"]
    bench.packets(data(4, "UB"))
    assert bench.read_payloads() == [b"<4><5><6>"]


def test_a_chunk_above_of_a_message_that_was_skipped_is_dropped_with_it() -> None:
    """And what comes of it later is acknowledged, and no violation: X07, X43."""
    bench = bench_of()
    bench.packets(data(1, ""), data(3, ""), data(5, ssn=1))
    bench.forward(0, (0, ORDERED, 0))
    assert bench.read_payloads() == [b"<5>"]
    assert bench.receiver.held_bytes == 256, "the fragment that no beginning can be before is gone"
    bench.packets(data(2, ""))
    assert bench.receiver.held_bytes == 0
    bench.packets(data(4, "E"))
    assert bench.sack().cumulative_tsn_ack == tsn_of(5)
    bench.packets(data(6, ssn=2))
    assert bench.read_payloads() == [b"<6>"]


def test_what_is_behind_a_message_that_was_skipped_must_begin() -> None:
    """Its end has come: whatever is next is of another message."""
    bench = bench_of()
    bench.forward(0, (0, ORDERED, 0))
    bench.packets(data(1, "E"))
    assert isinstance(bench.packet(data(2, "", ssn=1)), ProtocolViolation)


def test_what_can_not_begin_behind_the_end_of_a_message_that_was_skipped_is_dropped() -> None:
    """It came first, and so was not seen to break §6.9."""
    bench = bench_of(partial_delivery_point_bytes=1)
    bench.packets(data(2, "U"))
    bench.forward(0)
    bench.packets(data(1, "UE"))
    assert bench.receiver.held_bytes == 0
    assert not bench.receiver.has_message()


@BOTH
@pytest.mark.parametrize("unordered", [False, True])
def test_a_message_given_up_when_all_that_was_sent_of_it_has_come_is_dropped(
    format: DataFormat, unordered: bool
) -> None:
    """X07, X43: the peer tells by a FORWARD TSN to one more than what was acknowledged; then another begins. An
    unordered one it lists with I-DATA alone."""
    bench = bench_of(format, partial_delivery_point_bytes=1)
    bits = "U" * unordered
    bench.packets(chunk(format, 0, bits + "B"), chunk(format, 1, bits, fsn=1))
    assert bench.receiver.read(partial=True) is not None
    listed = [] if unordered and format is DATA_FORMAT else [(0, unordered, 0)]
    assert bench.forward(2, *listed) == [(0, 0)]
    bench.packets(chunk(format, 3, number=0 if unordered else 1))
    assert len(bench.read_all()) == 1
    assert bench.receiver.held_bytes == 0


@BOTH
@pytest.mark.parametrize("unordered", [False, True])
def test_one_at_the_cumulative_tsn_is_out_of_date_whatever_it_lists(format: DataFormat, unordered: bool) -> None:
    """X07: RFC 3758 §3.6: "behind or at the current cumulative TSN point": a SACK, and nothing else."""
    bench = bench_of(format)
    bits = "U" * unordered
    bench.packets(chunk(format, 0, bits + "B"), chunk(format, 1, bits, fsn=1))
    bench.sack()
    assert bench.forward(1, (0, unordered, 0), (1, unordered, 7)) == []
    assert bench.sack_is_due()
    assert bench.sack().cumulative_tsn_ack == tsn_of(1)
    bench.packets(chunk(format, 2, bits + "E", fsn=2), chunk(format, 3, bits + "BE", stream=1))
    assert bench.read_payloads() == [b"<0><1><2>", b"<3>"]


def test_all_that_comes_late_of_a_message_that_was_skipped_is_let_go_of() -> None:
    """X43: one fragment after the other; and then, another message."""
    bench = bench_of()
    bench.forward(0, (0, ORDERED, 0))
    bench.packets(data(1, ""), data(2, ""), data(3, ""), data(4, "E"), data(5, ssn=1))
    assert bench.read_payloads() == [b"<5>"]
    assert bench.receiver.held_bytes == 0


@BOTH
def test_a_large_message_whose_turn_comes_by_the_skip_is_delivered_in_parts(format: DataFormat) -> None:
    """R20: it has all that it takes, but for its end."""
    bench = bench_of(format, partial_delivery_point_bytes=1000)
    bench.packets(chunk(format, 1, "B", number=1, payload=1500))
    bench.forward(0, (0, ORDERED, 0))
    (part,) = bench.read_all(partial=True)
    assert (len(part.data), part.end_of_record) == (1500, False)


@BOTH
@pytest.mark.parametrize("unordered", [False, True])
@pytest.mark.parametrize("is_seen", [False, True])
def test_a_message_delivered_in_parts_is_told_to_who_has_read_one(
    format: DataFormat, unordered: bool, is_seen: bool
) -> None:
    """X04: "a notification SHOULD also be generated"; what waited for its end is delivered."""
    bench = bench_of(format, partial_delivery_point_bytes=1000)
    bits = "U" * unordered
    bench.packets(chunk(format, 0, bits + "B", payload=1000), chunk(format, 1, bits, fsn=1, payload=1000))
    if is_seen:
        assert bench.receiver.read(partial=True) is not None
    bench.packets(chunk(format, 4, "UBE", number=7), chunk(format, 5, number=0 if unordered else 1))
    assert bench.forward(3, (0, unordered, 0)) == ([(0, 0)] if is_seen else [])
    assert bench.read_payloads(partial=True) == [b"<4>", b"<5>"]
    assert bench.receiver.held_bytes == 0
    assert bench.receiver.abort_partial_delivery() == []


@BOTH
def test_a_message_that_came_whole_is_delivered_though_it_was_given_up(format: DataFormat) -> None:
    bench = bench_of(format)
    bench.packets(chunk(format, 1, "B"), chunk(format, 2, "E", fsn=1))
    bench.packets(chunk(format, 4, "B", number=2), chunk(format, 5, "E", number=2, fsn=1))
    bench.forward(5, (0, ORDERED, 2))
    assert bench.read_payloads() == [b"<1><2>", b"<4><5>"]


def test_ordered_messages_passed_while_an_unordered_one_is_delivered_in_parts_come_after_it() -> None:
    """RFC 6458 §8.1.20: nothing of its stream comes between its parts."""
    bench = bench_of(I_DATA_FORMAT, partial_delivery_point_bytes=1000)
    bench.packets(i_data(0, "UB", payload=1000), i_data(2, mid=1), i_data(3, mid=2), i_data(5, mid=4))
    assert len(bench.read_all(partial=True)) == 1
    bench.forward(1, (0, ORDERED, 0))
    assert bench.read_all(partial=True) == []
    bench.forward(3, (0, ORDERED, 2))
    bench.packets(i_data(4, "UE", fsn=1))
    assert bench.read_payloads(partial=True) == [b"<4>", b"<2>", b"<3>"]


# -- streams --


@BOTH
def test_streams_that_do_not_exist_and_numbers_that_are_past_are_ignored(format: DataFormat) -> None:
    bench = bench_of(format)
    bench.packets(chunk(format, 0), chunk(format, 1, number=1))
    half = format.number_mask >> 1
    bench.forward(2, (10, ORDERED, 5), (0xFFFF, ORDERED, 5), (0, ORDERED, 0), (1, ORDERED, format.number_mask - half))
    bench.packets(chunk(format, 3, number=2), chunk(format, 4, stream=1))
    assert bench.read_payloads() == [b"<0>", b"<1>", b"<3>", b"<4>"]
    assert max(bench.receiver._streams.known()) < 10, "nothing is kept of streams that do not exist"


@BOTH
def test_a_stream_that_is_listed_many_times_counts_once(format: DataFormat) -> None:
    """By the last of the messages listed, whatever their order."""
    bench = bench_of(format)
    for n in range(2, 100, 2):
        bench.packets(chunk(format, n, number=n))
    bench.forward(60, *((0, ORDERED, number * 7 % 60) for number in range(3000)))
    assert bench.read_payloads() == [b"<%d>" % n for n in range(2, 61, 2)]


def test_ssns_that_wrap_are_skipped_by_as_many_as_tsns_are() -> None:
    """X42: more than half of the SSNs may be given up at once."""
    bench = bench_of()
    bench.packets(data(40_001, ssn=40_001))
    bench.forward(40_000, (0, ORDERED, 40_000))
    assert bench.read_payloads() == [b"<40001>"]


@BOTH
def test_one_that_comes_again_changes_nothing(format: DataFormat) -> None:
    bench = bench_of(format)
    for _ in range(3):
        bench.forward(4, (0, ORDERED, 3))
    bench.packets(chunk(format, 5, number=4))
    for _ in range(3):
        bench.forward(4, (0, ORDERED, 3))
    bench.packets(chunk(format, 6, number=5))
    assert bench.read_payloads() == [b"<5>", b"<6>"]
    assert bench.sack().cumulative_tsn_ack == tsn_of(6)


# -- I-FORWARD-TSN --


def test_unordered_messages_are_dropped_by_their_mids() -> None:
    """M12: RFC 8260 §2.3.1: "applied to ordered and unordered messages"; the kinds are counted apart."""
    bench = bench_of(I_DATA_FORMAT)
    bench.packets(i_data(0, "B"), i_data(1, "UB"), i_data(3, "UB", mid=1), i_data(5, "UB", mid=2))
    bench.forward(4, (0, UNORDERED, 1))
    bench.packets(i_data(6, "E", fsn=1), i_data(7, "UE", mid=2, fsn=1))
    assert bench.read_payloads() == [b"<0><6>", b"<5><7>"]
    assert bench.receiver.held_bytes == 0


@pytest.mark.parametrize("unordered", [False, True])
def test_fragments_that_come_late_of_a_message_that_was_skipped_are_let_go_of(unordered: bool) -> None:
    """X07: another's TSN lay between, so the I-FORWARD-TSN did not reach them: no violation, and nothing is held."""
    bench = bench_of(I_DATA_FORMAT)
    bits = "U" * unordered
    bench.packets(i_data(0, bits + "B"))
    bench.forward(1, (0, unordered, 0))
    bench.packets(i_data(3, bits, fsn=2), i_data(4, bits + "E", fsn=3))
    assert bench.receiver.held_bytes == 0
    bench.packets(i_data(2, stream=1))
    assert bench.sack().cumulative_tsn_ack == tsn_of(4)
    assert bench.read_payloads() == [b"<2>"]


def test_once_mids_count_from_0_again_what_was_skipped_before_is_forgotten() -> None:
    """RFC 8260 §2.3.2: the reset of a stream is that of both counters."""
    bench = bench_of(I_DATA_FORMAT)
    bench.forward(0, (0, ORDERED, 9), (0, UNORDERED, 9))
    assert bench.receiver.renewal.begin_streams_anew([0]) is None
    bench.packets(i_data(2, "E", fsn=1), i_data(4, "UE", fsn=1), i_data(1, "B"), i_data(3, "UB"))
    assert bench.read_payloads() == [b"<1><2>", b"<3><4>"]


def test_messages_whose_mid_has_come_round_again_are_taken() -> None:
    """X42: what was skipped is remembered for no longer than its TSNs may be on their way."""
    bench = bench_of(I_DATA_FORMAT)
    bench.forward(0, (0, UNORDERED, 9))
    for n in range(1, 0x1_0001):
        bench.receiver.data_received(i_data(n, "BE", mid=n - 1, stream=1), bench.path, 0.0)
        bench.receiver.read()
    bench.packets(i_data(0x1_0002, "UE", mid=3, fsn=1), i_data(0x1_0001, "UB", mid=3))
    assert len(bench.read_all()) == 1


# -- while something begins anew (RFC 6525) --


@BOTH
def test_a_deferred_reset_that_never_comes_keeps_nothing_of_forward_tsns(format: DataFormat) -> None:
    """X33: they take effect at once, and are not queued up."""
    bench = bench_of(format)
    bench.packets(chunk(format, 0))
    renewal = bench.receiver.renewal
    renewal.defer_reset(tsn_of(5000), [0])
    for n in range(1, 5000):
        bench.forward(n, (0, ORDERED, n & 0xFFFF), (1, ORDERED, n & 0xFFFF))
    assert bench.receiver.held_bytes == 256
    assert not renewal.deferred_reset_is_due
    bench.forward(5000)
    assert renewal.deferred_reset_is_due


@BOTH
def test_forward_tsn_past_a_deferred_reset_makes_it_due(format: DataFormat) -> None:
    """X33: what was held back for it is delivered if it is whole; fragments are dropped, and those further on come
    again."""
    bench = bench_of(format)
    bench.packets(chunk(format, 0))
    renewal = bench.receiver.renewal
    renewal.defer_reset(tsn_of(2), [0])
    bench.packets(chunk(format, 3), chunk(format, 4, "B", number=1), chunk(format, 6, "E", number=1, fsn=2))
    bench.packets(chunk(format, 8, "B", number=2), chunk(format, 9, number=1, stream=1))
    bench.forward(5, (0, ORDERED, 1))
    assert renewal.deferred_reset_is_due
    assert bench.sack_is_due()
    assert bench.sack().gap_ack_blocks == ((4, 4),)
    assert renewal.begin_streams_anew([0]) is None
    assert bench.read_payloads() == [b"<0>", b"<3>"]
    bench.receiver.check_invariants()


@BOTH
@pytest.mark.parametrize("is_done", [False, True])
def test_what_is_skipped_while_the_peer_may_have_begun_anew_is_of_before_or_of_after(
    format: DataFormat, is_done: bool
) -> None:
    """RFC 6525 §5.2.7: the peer's answer tells."""
    bench = bench_of(format)
    bench.packets(*(chunk(format, n, number=n) for n in range(3)))
    bench.read_all()
    renewal = bench.receiver.renewal
    renewal.expect_tsn_reset()
    if is_done:
        bench.forward(3, (0, ORDERED, 3), (1, ORDERED, 9))  # the last of before
        bench.forward(4, (0, ORDERED, 0))  # the first of after
        bench.packets(chunk(format, 5, number=1))
        assert bench.read_all() == []
        assert renewal.tsn_reset_done(tsn_of(4)) == []
        bench.packets(chunk(format, 5, number=1), chunk(format, 6, stream=1))
        assert bench.read_payloads() == [b"<5>", b"<6>"]
    else:
        bench.forward(3, (0, ORDERED, 3))
        bench.packets(chunk(format, 4, number=4))
        assert bench.read_payloads() == [b"<4>"]
        renewal.tsn_reset_refused()
        bench.packets(chunk(format, 5, number=5))
        assert bench.read_payloads() == [b"<5>"]
    bench.receiver.check_invariants()


@BOTH
def test_the_first_of_after_is_not_taken_for_the_first_of_before_that_was_skipped(format: DataFormat) -> None:
    """RFC 6525 §5.2.7 H5: it comes again when the peer has answered; what has waited for the skipped comes before."""
    bench = bench_of(format)
    bench.packets(chunk(format, 2, number=2))
    renewal = bench.receiver.renewal
    renewal.expect_tsn_reset()
    bench.forward(1, (0, ORDERED, 1))
    assert bench.read_payloads() == [b"<2>"]
    bench.packets(chunk(format, 3, number=0))
    assert bench.receiver.cumulative_tsn == tsn_of(2)
    assert bench.sack_is_due()
    assert renewal.tsn_reset_done(tsn_of(3)) == []
    bench.packets(*(chunk(format, 3 + n, number=n) for n in range(4)))
    assert bench.read_payloads() == [b"<3>", b"<4>", b"<5>", b"<6>"]


@BOTH
def test_the_first_of_after_is_not_taken_for_one_that_is_ahead(format: DataFormat) -> None:
    """RFC 6525 §5.2.7 H5: near their end the numbers of before make 0 one that comes soon."""
    bench = bench_of(format)
    bench.forward(0, (0, ORDERED, format.number_mask >> 1))
    bench.forward(1, (0, ORDERED, format.number_mask - 2))
    bench.packets(chunk(format, 3, number=format.number_mask))
    renewal = bench.receiver.renewal
    renewal.expect_tsn_reset()
    bench.packets(chunk(format, 2, number=0))
    assert bench.receiver.cumulative_tsn == tsn_of(1)
    bench.packets(chunk(format, 2, number=format.number_mask - 1), chunk(format, 4, number=0))
    assert bench.read_payloads() == [b"<2>", b"<3>", b"<4>"]


def test_the_next_of_before_is_taken_though_its_number_is_0() -> None:
    """The one whose turn it is has come, and waits for the end of another that is delivered in parts."""
    bench = bench_of(I_DATA_FORMAT, partial_delivery_point_bytes=1)
    bench.forward(0, (0, ORDERED, I_DATA_FORMAT.number_mask >> 1))
    bench.forward(1, (0, ORDERED, I_DATA_FORMAT.number_mask - 1))
    bench.packets(chunk(I_DATA_FORMAT, 2, "UB"))
    assert bench.read_payloads(partial=True) == [b"<2>"]
    bench.receiver.renewal.expect_tsn_reset()
    bench.packets(chunk(I_DATA_FORMAT, 3, number=I_DATA_FORMAT.number_mask), chunk(I_DATA_FORMAT, 4, number=0))
    assert bench.receiver.cumulative_tsn == tsn_of(4)
    bench.packets(chunk(I_DATA_FORMAT, 5, "UE", fsn=1))
    assert bench.read_payloads() == [b"<5>", b"<3>", b"<4>"]


@BOTH
def test_what_follows_the_skipped_of_after_is_of_after(format: DataFormat) -> None:
    """RFC 6525 §5.2.7 H5: though its number is the one whose turn it was before."""
    bench = bench_of(format)
    bench.packets(chunk(format, 0, number=0), chunk(format, 1, number=1))
    renewal = bench.receiver.renewal
    renewal.expect_tsn_reset()
    bench.forward(2, (0, ORDERED, 1))
    bench.packets(chunk(format, 3, number=2))
    assert renewal.tsn_reset_done(tsn_of(2)) == []
    bench.packets(chunk(format, 4, number=3))
    assert bench.read_payloads() == [b"<0>", b"<1>", b"<3>", b"<4>"]


def test_the_rest_of_a_message_of_after_is_not_of_one_that_was_skipped_before() -> None:
    """RFC 8260 §2.3.2: the MIDs of unordered messages begin anew too."""
    bench = bench_of(I_DATA_FORMAT)
    bench.packets(chunk(I_DATA_FORMAT, 0, "UB", number=0))
    renewal = bench.receiver.renewal
    renewal.expect_tsn_reset()
    bench.forward(1, (0, UNORDERED, 3))
    bench.packets(chunk(I_DATA_FORMAT, 2, "UB", number=0), chunk(I_DATA_FORMAT, 3, "UE", number=0, fsn=1))
    assert renewal.tsn_reset_done(tsn_of(2)) == []
    assert bench.read_payloads() == [b"<2><3>"]
    bench.receiver.check_invariants()


@BOTH
@pytest.mark.parametrize("skips_after", [False, True])
def test_what_waited_for_what_was_skipped_before_all_began_anew_comes_first(
    format: DataFormat, skips_after: bool
) -> None:
    """RFC 6525 §5.2.7 H5: the TSNs of before have come, or were skipped: what has come of them is delivered, and does
    not stand where the new numbers go."""
    bench = bench_of(format)
    bench.packets(chunk(format, 1, number=1), chunk(format, 3, number=3))
    renewal = bench.receiver.renewal
    renewal.expect_tsn_reset()
    bench.forward(0, (0, ORDERED, 0))
    bench.forward(2, (0, ORDERED, 2))
    if skips_after:
        bench.forward(4, (0, ORDERED, 0))
    assert bench.read_payloads() == [b"<1>", b"<3>"]
    renewal.tsn_reset_done(tsn_of(4))
    bench.packets(*(chunk(format, 4 + n, number=n) for n in range(skips_after, 4)))
    assert bench.read_payloads() == [b"<4>", b"<5>", b"<6>", b"<7>"][skips_after:]
    bench.receiver.check_invariants()
