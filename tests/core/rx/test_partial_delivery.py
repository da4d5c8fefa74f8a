"""Messages delivered in parts, and reading (§6.9, RFC 6458 §8.1.21)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.wire.causes import OutOfResource
from tests.core.rx.bench import Bench, data, tsn_of

WINDOW = 10_000


def bench_of(**options: int) -> Bench:
    return Bench(config=Config(receive_window_bytes=WINDOW).replace(**options))


def flags_of(n: int, count: int, unordered: str = "") -> str:
    return unordered + "B" * (n == 0) + "E" * (n == count - 1)


def test_a_message_up_to_the_partial_delivery_point_comes_in_one_read() -> None:
    """R20: RFC 6458 §8.1.21: "any single message having a length smaller than or equal to the ... point"."""
    bench = bench_of(partial_delivery_point_bytes=3000)
    bench.packets(data(0, "B", payload=2000), data(1, "E", payload=1000))
    (message,) = bench.read_all(partial=True)
    assert message.end_of_record
    assert len(message.data) == 3000


def test_a_message_past_the_partial_delivery_point_comes_in_parts() -> None:
    """R20: the parts say which message they are of, and which is the last."""
    bench = bench_of(partial_delivery_point_bytes=2000)
    bench.packets(data(0, "B", ppid=46, payload=1000))
    assert not bench.receiver.has_message()
    bench.packets(data(1, "", ppid=46, payload=1000))
    parts = bench.read_all(partial=True)
    bench.packets(data(2, "", ppid=46, payload=300))
    parts += bench.read_all(partial=True)
    bench.packets(data(3, "E", ppid=46, payload=400), data(4, ssn=1))
    parts += bench.read_all(partial=True)
    assert [(len(part.data), part.end_of_record) for part in parts] == [
        (2000, False),
        (300, False),
        (400, True),
        (3, True),
    ]
    assert {(part.tsn, part.ssn, part.ppid) for part in parts[:3]} == {(tsn_of(0), 0, 46)}


def test_only_what_is_contiguous_from_the_beginning_is_delivered_in_parts() -> None:
    """R20: behind a gap the rest waits."""
    bench = bench_of(partial_delivery_point_bytes=2000)
    bench.packets(data(0, "B", payload=1000), data(2, "", payload=1500), data(3, "E", payload=10))
    assert not bench.receiver.has_message()
    bench.packets(data(1, "", payload=1000))
    assert [len(part.data) for part in bench.read_all(partial=True)] == [3510], "complete at once after all"
    bench.packets(data(4, "B", ssn=1, payload=2000), data(6, "", ssn=1, payload=1500))
    assert [len(part.data) for part in bench.read_all(partial=True)] == [2000]
    bench.packets(data(5, "", ssn=1, payload=1000))
    assert [len(part.data) for part in bench.read_all(partial=True)] == [2500]


def test_parts_wait_for_the_turn_of_their_message() -> None:
    """R20: the order within a stream holds for parts too."""
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(1, "B", ssn=1, payload=1500))
    assert not bench.receiver.has_message()
    bench.packets(data(0, "BE", ssn=0, payload=10), data(2, "", ssn=1, payload=10))
    assert [len(part.data) for part in bench.read_all(partial=True)] == [10, 1500, 10]


def test_no_delivery_in_parts_begins_out_of_turn() -> None:
    """A peer that leaves an SSN out waits for it."""
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, "B", ssn=1, payload=1500), data(1, "", ssn=1, payload=8000))
    assert not bench.receiver.has_message()


def test_while_a_message_is_delivered_in_parts_the_rest_of_its_stream_waits_and_other_streams_do_not() -> None:
    """R20, E07: RFC 6458 §8.1.20, level 2."""
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, "B", payload=1000))
    bench.packets(data(2, "BE", ssn=1), data(3, "UBE"), data(4, "BE", stream=1), data(5, "UB", payload=1000))
    assert [len(each) for each in bench.read_payloads(partial=True)] == [1000, 3]
    bench.packets(data(1, "E"))
    parts = bench.read_payloads(partial=True)
    assert parts[:3] == [b"<1>", b"<3>", b"<2>"]
    assert [len(part) for part in parts[3:]] == [1000], "the next large message is the next to be delivered in parts"


def test_an_unordered_message_is_delivered_in_parts_while_ordered_ones_of_its_stream_wait() -> None:
    """R20: unordered parts as well."""
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, "UB", payload=1000), data(2, "BE", ssn=0))
    assert [len(each) for each in bench.read_payloads(partial=True)] == [1000]
    bench.packets(data(1, "UE"))
    assert bench.read_payloads(partial=True) == [b"<1>", b"<2>"]


def test_a_message_that_exhausts_the_window_is_delivered_in_parts() -> None:
    """R20, X39: §6.9: "If the data receiver runs out of buffer space ..., it SHOULD dispatch part of" it."""
    bench = bench_of(partial_delivery_point_bytes=WINDOW)
    bench.packets(*(data(n, flags_of(n, 99), payload=1100) for n in range(9)))
    assert bench.sack().a_rwnd == 100, "less than a chunk, and the message has not reached the partial delivery point"
    assert sum(map(len, bench.read_payloads(partial=True))) == 9900
    assert bench.sack().a_rwnd == WINDOW


def test_two_messages_exhaust_the_window_and_the_first_gap_filled_frees_it() -> None:
    """R20, X39: neither reaches the partial delivery point; what goes on at the cumulative TSN is delivered."""
    bench = bench_of(partial_delivery_point_bytes=WINDOW)
    bench.packets(data(1, "", payload=3000), data(2, "", payload=2500), data(3, "", payload=2500))
    bench.packets(data(0, "B", payload=1500))
    assert [len(each) for each in bench.read_payloads(partial=True)] == [9500]


@pytest.mark.parametrize("unordered", ["", "U"])
@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("is_reordered", [False, True])
def test_a_message_larger_than_the_window_arrives(unordered: str, partial: bool, is_reordered: bool) -> None:
    """R20, X39: 8 MiB through a window of 64 KiB, the peer obeying a_rwnd."""
    bench = Bench(config=Config(receive_window_bytes=1 << 16))
    chunk_bytes = 1 << 12
    count = (8 << 20) // chunk_bytes
    sent = 0
    a_rwnd = 1 << 16
    received = bytearray()
    reads = 0
    while sent < count:
        burst = min(max(1, a_rwnd // chunk_bytes), count - sent)
        flight = [data(n, flags_of(n, count, unordered), payload=chunk_bytes) for n in range(sent, sent + burst)]
        bench.packets(*(reversed(flight) if is_reordered else flight))
        sent += burst
        assert bench.receiver.held_bytes <= 1 << 16
        for message in bench.read_all(partial=partial):
            received += message.data
            reads += 1
        sack = bench.sack()
        assert sack.cumulative_tsn_ack == tsn_of(sent - 1), "nothing was dropped"
        a_rwnd = sack.a_rwnd
    assert received == b"".join(bytes([n & 0xFF]) * chunk_bytes for n in range(count))
    assert reads > 1 if partial else reads == 1
    assert bench.receiver.held_bytes == 0


def test_reading_whole_messages_collects_parts_outside_the_window() -> None:
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, "B", payload=1000), data(1, "", payload=500))
    assert bench.receiver.has_message()
    assert bench.receiver.read() is None
    assert not bench.receiver.has_message()
    assert bench.receiver.held_bytes == 0
    bench.packets(data(2, "E", payload=1), data(3, ssn=1))
    assert [len(each) for each in bench.read_payloads()] == [1501, 3]


def test_parts_of_several_streams_are_collected_apart() -> None:
    """Two messages are unfinished for the reader when the second begins before the end of the first is read."""
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.receiver.take_over(1)
    bench.packets(data(0, "B", stream=1, payload=1000))
    assert bench.receiver.read(1) is None
    bench.packets(data(1, "E", stream=1), data(2, "B", stream=2, payload=1000))
    assert bench.receiver.read() is None
    bench.packets(data(3, "E", stream=2))
    assert [(message.stream, len(message.data)) for message in bench.read_all()] == [(2, 1003)]
    assert [(message.stream, len(message.data)) for message in bench.read_all(1)] == [(1, 1003)]


def test_behind_a_gap_no_delivery_in_parts_begins() -> None:
    """What such a message would keep waiting might come before it, and fill the window that its end needs."""
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(1, "UB", payload=1000), data(2, "U", payload=1000))
    assert not bench.receiver.has_message()
    bench.packets(data(0, "BE"))
    assert [len(each) for each in bench.read_payloads(partial=True)] == [3, 2000]


def test_a_reader_of_parts_after_one_of_whole_messages_gets_what_was_collected() -> None:
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, "B", payload=1000))
    assert bench.receiver.read() is None
    bench.packets(data(1, ""))
    message = bench.receiver.read(partial=True)
    assert message is not None
    assert (len(message.data), message.end_of_record) == (1003, False)
    bench.packets(data(2, "E"))
    rest = bench.receiver.read()
    assert rest is not None
    assert (rest.data, rest.end_of_record) == (b"<2>", True)


def test_the_last_part_brings_what_was_collected_and_ends_the_message() -> None:
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, "B", payload=1000))
    assert bench.receiver.read() is None
    bench.packets(data(1, "E"), data(2, "B", ssn=1, payload=1000))
    message = bench.receiver.read(partial=True)
    assert message is not None
    assert (len(message.data), message.end_of_record) == (1003, True)
    assert bench.receiver.abort_partial_delivery() == [], "nothing of the next message was seen"


def test_a_reader_of_whole_messages_after_one_of_parts_gets_the_rest_at_once() -> None:
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, "B", payload=1000))
    assert bench.receiver.read(partial=True) is not None
    bench.packets(data(1, ""), data(2, "E"), data(3, ssn=1))
    assert bench.read_payloads() == [b"<1><2>", b"<3>"]


def test_a_message_too_large_to_be_read_whole_fails_the_association() -> None:
    """Beyond `max_message_bytes` nothing is collected: memory is bounded, and cause 4 says why."""
    bench = bench_of(max_message_bytes=5000)
    bench.packets(*(data(n, flags_of(n, 9), payload=1000) for n in range(5)))
    assert bench.receiver.read() is None
    bench.sack()
    bench.packets(data(5, "", payload=1))
    assert bench.receiver.read() is None
    assert bench.receiver.failure == OutOfResource()
    assert bench.sack_is_due(), "there is something to send"


def test_a_message_too_large_to_be_read_whole_can_be_read_in_parts() -> None:
    bench = bench_of(max_message_bytes=5000)
    for n in range(9):
        bench.packets(data(n, flags_of(n, 9), payload=1000))
        bench.read_all(partial=True)
    assert bench.receiver.failure is None


def test_unfinished_messages_of_all_streams_are_bounded_together() -> None:
    """Unfinished for the reader: each has its end in a queue that is not read on."""
    bench = bench_of(max_message_bytes=5000, partial_delivery_point_bytes=1)
    for stream in range(3):
        bench.receiver.take_over(stream)
        bench.packets(data(2 * stream, "B", stream=stream, payload=4000))
        assert bench.receiver.read(stream) is None
        bench.packets(data(2 * stream + 1, "E", stream=stream))
    assert bench.receiver.failure == OutOfResource()


# -- queues of their own --


def test_a_stream_taken_over_has_a_queue_of_its_own() -> None:
    bench = Bench()
    bench.packets(data(0, stream=1), data(1, stream=2), data(2, stream=1, ssn=1))
    bench.receiver.take_over(1)
    assert bench.receiver.has_message(1)
    assert bench.read_payloads(1) == [b"<0>", b"<2>"]
    assert bench.read_payloads() == [b"<1>"]
    bench.packets(data(3, stream=1, ssn=2), data(4, stream=2, ssn=1))
    assert bench.read_payloads(1) == [b"<3>"]
    assert bench.read_payloads() == [b"<4>"]


def test_taking_over_a_stream_with_nothing_queued_or_twice_changes_nothing() -> None:
    bench = Bench()
    bench.receiver.take_over(1)
    bench.packets(data(0, stream=1), data(1, stream=2))
    bench.receiver.take_over(1)
    bench.receiver.take_over(3)
    assert bench.read_payloads(1) == [b"<0>"]
    assert bench.receiver.read(3) is None
    assert bench.receiver.read(4) is None
    assert bench.read_payloads() == [b"<1>"]


# -- the end --


def test_at_the_end_what_is_complete_stays_readable_and_the_rest_is_let_go() -> None:
    """R20: RFC 6458 §6.1.7: the user is told of a message of which it has seen a part."""
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, stream=1), data(1, "B", stream=1, ssn=1, payload=1000), data(2, "", stream=1, ssn=1))
    bench.packets(data(5, "", stream=3), data(7, stream=4, ssn=5), data(9, stream=5))
    assert bench.receiver.read(partial=True) is not None
    assert bench.receiver.read(partial=True) is not None
    assert bench.receiver.abort_partial_delivery() == [(1, 1)]
    bench.receiver.check_invariants()
    assert bench.read_payloads(partial=True) == [b"<9>"]
    assert bench.receiver.held_bytes == 0
    assert bench.receiver.abort_partial_delivery() == []


@pytest.mark.parametrize("own_queue", [False, True])
def test_at_the_end_parts_that_nobody_saw_go_silently(own_queue: bool) -> None:
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0), data(1, "B", stream=2, payload=1000), data(2, "", stream=2), data(5, stream=5))
    if own_queue:
        bench.receiver.take_over(2)
        assert bench.receiver.read(2) is None
    assert bench.receiver.abort_partial_delivery() == []
    assert bench.read_payloads() == [b"<0>", b"<5>"]
    assert not bench.receiver.has_message(2)
    assert bench.receiver.held_bytes == 0


def test_at_the_end_a_message_delivered_in_parts_to_its_end_stays_readable() -> None:
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(data(0, "B", payload=1000))
    assert bench.receiver.read() is None
    bench.packets(data(1, "E"), data(2, "B", ssn=1, payload=1000))
    assert bench.receiver.abort_partial_delivery() == []
    assert [len(each) for each in bench.read_payloads()] == [1003]


def test_after_a_restart_what_is_complete_stays_readable_and_charged() -> None:
    """The reader goes on after RESTART; the new association has its own TSNs and SSNs."""
    bench = bench_of()
    bench.receiver.take_over(3)
    bench.packets(data(0, payload=1000), data(1, stream=3, payload=1000), data(2, "B", ssn=1, payload=1000))
    before = bench.receiver
    assert before.abort_partial_delivery() == []
    bench.receiver = bench.make_receiver()
    bench.receiver.inherit(before)
    assert bench.receiver.held_bytes == 2000
    bench.packets(data(0), data(1, stream=3))
    assert bench.sack().a_rwnd == WINDOW - 2000 - 2 * 256
    assert [len(each) for each in bench.read_payloads()] == [1000, 3]
    assert [len(each) for each in bench.read_payloads(3)] == [1000, 3]


def test_what_has_come_of_a_message_is_let_go_of_when_nothing_more_will_come() -> None:
    """Nothing of it was read, so nothing is told; the window is whole again."""
    bench = bench_of()
    bench.packets(data(0, "B", payload=1000), data(1, "", payload=1000))
    assert bench.receiver.abort_partial_delivery() == []
    bench.receiver.check_invariants()
    assert bench.receiver.held_bytes == 0
