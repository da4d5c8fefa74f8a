"""Ordered and unordered delivery through the receiver (§6.5, §6.6)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.wire.causes import InvalidStreamIdentifier, ProtocolViolation
from aiosctp.wire.chunks import Data
from tests.core.rx.bench import Bench, data, tsn_of


def test_messages_of_a_stream_are_delivered_in_the_order_of_their_ssns() -> None:
    bench = Bench()
    bench.packets(data(2, ssn=2), data(1, ssn=1))
    assert bench.read_payloads() == []
    bench.packets(data(0, ssn=0))
    assert bench.read_payloads() == [b"<0>", b"<1>", b"<2>"]


def test_a_stream_that_waits_does_not_hold_another_up() -> None:
    """E07: head-of-line blocking is within a stream only."""
    bench = Bench()
    bench.packets(data(1, stream=1, ssn=1), data(2, stream=2, ssn=0))
    assert [(message.stream, message.data) for message in bench.read_all()] == [(2, b"<2>")]


def test_an_unordered_message_passes_an_ordered_one_that_waits() -> None:
    """E08: the U bit bypasses the ordering."""
    bench = Bench()
    bench.packets(data(1, ssn=1), data(2, "UBE"))
    (message,) = bench.read_all()
    assert message.unordered
    assert message.data == b"<2>"


def test_the_ssn_of_an_unordered_message_is_ignored() -> None:
    """E08: §6.6: "the receiver MUST ignore the field"."""
    bench = Bench()
    bench.packets(data(0, "UBE", ssn=40_000), data(1, "BE", ssn=0), data(2, "UBE", ssn=40_000))
    assert bench.read_payloads() == [b"<0>", b"<1>", b"<2>"]
    # also one that an ordered message has had, behind a gap
    bench.packets(data(4, "UBE", ssn=0))
    assert bench.read_payloads() == [b"<4>"]


def test_fragments_of_an_unordered_message_are_reassembled_whatever_their_ssns() -> None:
    """E08, R20: unordered and fragmented."""
    bench = Bench()
    bench.packets(data(1, "U", ssn=7), data(2, "UE", ssn=9), data(0, "UB", ssn=3))
    assert bench.read_payloads() == [b"<0><1><2>"]


def test_ssns_wrap_from_65535_to_0() -> None:
    """X42: 65540 messages of one stream, in order."""
    bench = Bench()
    for n in range(65_540):
        assert bench.receiver.data_received(data(n, ssn=n & 0xFFFF), bench.path, 0.0) is None
        message = bench.receiver.read()
        assert message is not None
        assert message.ssn == n & 0xFFFF
    bench.receiver.check_invariants()


def test_ssns_wrap_while_messages_wait() -> None:
    """X42: 0 waits for 65535, and both for 65534."""
    bench = Bench()
    streams = bench.receiver._streams
    assert all(streams.take_turn(0, ssn) for ssn in range(65_534))
    bench.packets(data(2, ssn=0), data(1, ssn=65_535))
    assert bench.read_payloads() == []
    bench.packets(data(0, ssn=65_534))
    assert bench.read_payloads() == [b"<0>", b"<1>", b"<2>"]


def test_a_new_tsn_with_an_ssn_already_delivered_is_a_violation() -> None:
    bench = Bench()
    bench.packets(data(0, ssn=0))
    assert isinstance(bench.packet(data(1, ssn=0)), ProtocolViolation)


def test_a_new_tsn_with_a_past_ssn_behind_a_gap_is_a_violation() -> None:
    bench = Bench()
    bench.packets(data(0, ssn=0), data(1, ssn=1))
    assert isinstance(bench.packet(data(5, ssn=1)), ProtocolViolation)


def test_an_ssn_far_ahead_is_no_past_one_if_that_many_tsns_lie_between() -> None:
    """X42: more than 32768 tiny messages of a stream may be on their way."""
    bench = Bench()
    assert bench.packet(data(40_000, ssn=40_000)) is None
    assert isinstance(bench.packet(data(40_001, ssn=40_500)), ProtocolViolation)


def test_two_messages_with_one_ssn_are_a_violation() -> None:
    bench = Bench()
    bench.packets(data(1, ssn=1))
    assert isinstance(bench.packet(data(2, ssn=1)), ProtocolViolation)


def test_a_second_message_with_the_ssn_of_one_delivered_in_parts_is_a_violation() -> None:
    bench = Bench(config=Config(partial_delivery_point_bytes=1))
    bench.packets(data(0, "B", ssn=0))
    assert isinstance(bench.packet(data(5, "BE", ssn=0)), ProtocolViolation)


def test_a_stream_that_does_not_exist_is_reported_and_its_tsn_acknowledged() -> None:
    """Q01, X16, X52: §6.5: "acknowledge the reception ..., immediately send an ERROR chunk ..., and discard"."""
    bench = Bench(inbound_streams=10)
    bench.packets(data(0))
    assert bench.packet(data(1, stream=10)) == InvalidStreamIdentifier(10)
    assert bench.sack().cumulative_tsn_ack == tsn_of(1)
    assert bench.packet(data(3, stream=65_535)) == InvalidStreamIdentifier(65_535)
    assert bench.sack().gap_ack_blocks == ((2, 2),)
    assert bench.read_payloads() == [b"<0>"]
    assert bench.receiver.held_bytes == 0


def test_the_last_stream_that_exists_is_taken() -> None:
    bench = Bench(inbound_streams=10)
    bench.packets(data(0, stream=9))
    assert [message.stream for message in bench.read_all()] == [9]


@pytest.mark.parametrize("chunk", [data(1, "", stream=10), data(1, "BE", stream=10)])
def test_a_stream_that_does_not_exist_inside_a_message_is_a_violation(chunk: Data) -> None:
    bench = Bench()
    bench.packets(data(0, "B"))
    assert isinstance(bench.packet(chunk), ProtocolViolation)


def test_a_message_says_where_it_came_in() -> None:
    bench = Bench()
    bench.packets(data(1, "E", stream=4), data(0, "B", stream=4, ppid=46))
    (message,) = bench.read_all()
    assert (message.stream, message.ssn, message.ppid, message.unordered) == (4, 0, 46, False)
    assert (message.tsn, message.cumulative_tsn, message.end_of_record) == (tsn_of(0), tsn_of(1), True)


def test_in_order_messages_leave_no_state_of_their_stream_but_the_next_ssn() -> None:
    bench = Bench()
    bench.packets(data(1, ssn=1), data(0, ssn=0), data(2, ssn=2))
    assert bench.receiver._streams._busy == {}
