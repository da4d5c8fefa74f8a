"""I-DATA: fragments of many messages mixed become messages again, or their sender breaks the rules (RFC 8260 §2)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.core.rx.interleaved import Interleaved
from aiosctp.wire.causes import InvalidStreamIdentifier, NoUserData, ProtocolViolation
from aiosctp.wire.chunks import I_DATA_FORMAT, IData
from tests.core.rx.bench import Bench, i_data, tsn_of

WINDOW = 10_000
WHOLE = ("B", "", "", "E")


def bench_of(**options: Any) -> Bench:
    return Bench(config=Config().replace(**options), format=I_DATA_FORMAT)


def reassembly_of(bench: Bench) -> Interleaved:
    reassembly = bench.receiver._reassembly
    assert isinstance(reassembly, Interleaved)
    return reassembly


def fragment(n: int, fsn: int, count: int, **fields: Any) -> IData:
    """Of a message of so many."""
    unordered = "U" * fields.pop("unordered", False)
    return i_data(n, unordered + "B" * (fsn == 0) + "E" * (fsn == count - 1), fsn=fsn, **fields)


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("unordered", ["", "U"])
def test_a_message_is_put_together_by_fsn_whatever_the_tsns(order: tuple[int, ...], unordered: str) -> None:
    """M12, S10: RFC 8260 §2.2.3: "use the FSN for reassembly of the message and not the TSN", across the wrap of the
    TSN."""
    bench = bench_of()
    for n, fsn in enumerate(order):
        assert bench.read_all() == []
        bench.packets(i_data(n, WHOLE[fsn] + unordered, fsn=fsn, payload=b"<%d>" % fsn, ppid=40 + fsn))
    (message,) = bench.read_all()
    assert message.data == b"<0><1><2><3>"
    assert message.ppid == 40, "the first fragment's"
    assert message.tsn == tsn_of(order.index(0))
    assert bench.receiver.held_bytes == 0
    assert reassembly_of(bench).is_empty


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 5, 0, 4, 1, 3]])
def test_messages_are_told_apart_by_stream_u_bit_and_mid(order: list[int]) -> None:
    """S10: "use the SID to identify the stream, consider the U bit ..., find ... message identified by the MID"."""
    bench = bench_of()
    kinds: list[dict[str, Any]] = [{"stream": 0}, {"stream": 1}, {"stream": 0, "unordered": True}]
    chunks = [fragment(3 * fsn + index, fsn, 2, **kind) for fsn in range(2) for index, kind in enumerate(kinds)]
    bench.packets(*(chunks[index] for index in order))
    assert sorted(bench.read_payloads()) == [b"<0><3>", b"<1><4>", b"<2><5>"]


def test_mids_wrap_from_4294967295_to_0() -> None:
    """X42: and what waits for its turn does so in their order."""
    bench = bench_of()
    bench.receiver._streams.expect(0, 0xFFFF_FFFE)
    bench.packets(i_data(3, mid=1), i_data(2, mid=0), i_data(1, mid=0xFFFF_FFFF))
    assert bench.read_all() == []
    bench.packets(i_data(0, mid=0xFFFF_FFFE))
    assert [message.ssn for message in bench.read_all()] == [0xFFFF_FFFE, 0xFFFF_FFFF, 0, 1]
    assert isinstance(bench.packet(i_data(4, mid=0xFFFF_FFFF)), ProtocolViolation)


def test_mids_are_no_ssns() -> None:
    """M12: 32 bits of them: 65536 is not 0."""
    bench = bench_of()
    bench.packets(i_data(0, mid=0x1_0000))
    assert bench.read_all() == []


def test_fsns_wrap_within_a_message() -> None:
    """X42: RFC 8260 §2.1: "the FSN MAY wrap completely multiple times"."""
    bench = bench_of(partial_delivery_point_bytes=1)
    bench.packets(i_data(0, "B"))
    (run,) = reassembly_of(bench)._runs.values()
    run.start, run.end, run.highest = 0xFFFF_FFFF, 0xFFFF_FFFE, 0xFFFF_FFFE
    bench.packets(i_data(3, "E", fsn=1), i_data(2, "", fsn=0), i_data(1, "", fsn=0xFFFF_FFFF))
    assert bench.read_payloads(partial=True) == [b"<0>", b"<1><2><3>"]
    assert reassembly_of(bench).is_empty


def test_tsns_that_come_twice_are_no_violation() -> None:
    bench = bench_of()
    bench.packets(i_data(0, "B"), i_data(0, "B"), i_data(2, "E", fsn=2), i_data(2, "E", fsn=2))
    assert bench.sack().duplicate_tsns == (tsn_of(0), tsn_of(2))
    bench.packets(i_data(1, "", fsn=1))
    assert bench.read_payloads() == [b"<0><1><2>"]


VIOLATIONS: dict[str, tuple[list[IData], IData]] = {
    "two beginnings": ([i_data(0, "B")], i_data(1, "B")),
    "a whole message in one that has begun": ([i_data(0, "B")], i_data(1, "BE")),
    "an FSN twice": ([i_data(1, "", fsn=3)], i_data(2, "", fsn=3)),
    "FSN 0 without the beginning": ([], i_data(1, "", fsn=0)),
    "an end before a later FSN": ([i_data(1, "", fsn=5)], i_data(2, "E", fsn=4)),
    "an FSN behind the end": ([i_data(1, "E", fsn=4)], i_data(2, "", fsn=5)),
    "two ends": ([i_data(1, "E", fsn=4)], i_data(2, "E", fsn=6)),
    "an end at an FSN that has come": ([i_data(1, "", fsn=4)], i_data(2, "E", fsn=4)),
    "a whole message where a later fragment has come": ([i_data(1, "", fsn=1)], i_data(2, "BE")),
    "a second message with the MID of one that waits": ([i_data(1, "BE", mid=1)], i_data(2, "BE", mid=1)),
    "an ordered message with the MID of one that was delivered": ([i_data(0, "BE")], i_data(1, "BE")),
    "an FSN more than half the space ahead": ([i_data(0, "B")], i_data(1, "", fsn=0x8000_0000)),
}


@pytest.mark.parametrize("name", VIOLATIONS)
@pytest.mark.parametrize("goes_short_way", [True, False])
def test_a_fragment_out_of_place_is_a_protocol_violation(name: str, goes_short_way: bool) -> None:
    """Q13: what RFC 8260 §2.2.2 does not allow a sender is answered with cause 13."""
    before, chunk = VIOLATIONS[name]
    bench = Bench(format=I_DATA_FORMAT, goes_short_way=goes_short_way)
    bench.packets(*before)
    assert isinstance(bench.packet(chunk), ProtocolViolation)
    bench.receiver.check_invariants()


@pytest.mark.parametrize("chunk", [i_data(2, "", fsn=1), i_data(2, "E", fsn=1), i_data(2, "B")])
def test_a_fragment_of_what_was_delivered_in_parts_is_a_violation(chunk: IData) -> None:
    bench = bench_of(partial_delivery_point_bytes=1)
    bench.packets(i_data(0, "B"), i_data(1, "", fsn=1))
    assert isinstance(bench.packet(chunk), ProtocolViolation)


def test_a_chunk_without_user_data_is_named_in_the_cause() -> None:
    assert bench_of().packet(i_data(0, payload=b"")) == NoUserData(tsn_of(0))


def test_a_stream_that_does_not_exist_between_the_fragments_of_a_message_is_reported() -> None:
    """Q01: with I-DATA a TSN in the midst may be of any stream."""
    bench = bench_of()
    bench.packets(i_data(0, "B"))
    assert bench.packet(i_data(1, "", stream=10, fsn=1)) == InvalidStreamIdentifier(10)
    bench.packets(i_data(2, "E", fsn=1))
    assert bench.read_payloads() == [b"<0><2>"]


# -- delivery in parts --


def test_messages_of_many_streams_are_delivered_in_parts_at_once() -> None:
    """S10, R20: RFC 6458 §8.1.20: of each stream one, and nothing else of it meanwhile."""
    bench = bench_of(partial_delivery_point_bytes=1000)
    for fsn in range(3):
        bench.packets(*(fragment(4 * fsn + stream, fsn, 4, stream=stream, payload=1000) for stream in range(4)))
    parts = bench.read_all(partial=True)
    assert [part.stream for part in parts] == [0, 1, 2, 3] * 3
    assert not any(part.end_of_record for part in parts)
    bench.packets(i_data(12, "UBE", stream=2), fragment(13, 3, 4, stream=2))
    assert [(part.data, part.end_of_record) for part in bench.read_all(partial=True)] == [
        (b"<13>", True),
        (b"<12>", True),
    ]


def test_ordered_and_unordered_messages_of_a_stream_are_delivered_in_parts_one_after_the_other() -> None:
    bench = bench_of(partial_delivery_point_bytes=1000)
    bench.packets(i_data(0, "UB", payload=1000), i_data(1, "B", payload=1000), i_data(2, "UB", mid=1, payload=1000))
    assert [part.unordered for part in bench.read_all(partial=True)] == [True]
    bench.packets(i_data(3, "UE", fsn=1, payload=b"end"))
    assert [(part.unordered, len(part.data)) for part in bench.read_all(partial=True)] == [(True, 3), (False, 1000)]
    bench.packets(i_data(4, "E", fsn=1, payload=b"end"))
    assert [(part.unordered, len(part.data)) for part in bench.read_all(partial=True)] == [(False, 3), (True, 1000)]


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("unordered", [False, True])
@pytest.mark.parametrize("is_reordered", [False, True])
def test_messages_that_fill_the_window_with_none_complete_arrive(
    partial: bool, unordered: bool, is_reordered: bool
) -> None:
    """S10, R20: 8 messages of 20 kB, mixed, fill a window of 128 KiB, and another peer of that window hangs."""
    bench = bench_of(receive_window_bytes=1 << 17)
    count, size = 20, 1000
    sent, a_rwnd, got = 0, 1 << 17, dict[int, bytes]()
    flight: list[IData] = []
    while sent < 8 * count:
        burst = min(a_rwnd // size, 8 * count - sent)
        assert burst, "the window is closed, and nothing opens it"
        flight = [
            fragment(n, n // 8, count, stream=n % 8, payload=size, unordered=unordered)
            for n in range(sent, sent + burst)
        ]
        bench.packets(*(reversed(flight) if is_reordered else flight))
        sent += burst
        for message in bench.read_all(partial=partial):
            got[message.stream] = got.get(message.stream, b"") + message.data
        sack = bench.sack()
        assert sack.cumulative_tsn_ack == tsn_of(sent - 1), "nothing was dropped"
        a_rwnd = sack.a_rwnd
    assert {stream: len(message) for stream, message in got.items()} == dict.fromkeys(range(8), count * size)
    assert bench.receiver.held_bytes == 0


def test_no_delivery_in_parts_begins_behind_a_gap() -> None:
    """What comes in the gap may be of the same stream, and before it."""
    bench = bench_of(receive_window_bytes=WINDOW, partial_delivery_point_bytes=WINDOW)
    bench.packets(*(i_data(n, "UB" if n == 1 else "U", fsn=n - 1, payload=1000) for n in range(1, 10)))
    assert not bench.receiver.has_message()
    bench.packets(i_data(0, "BE", payload=1000))
    assert [(message.unordered, len(message.data)) for message in bench.read_all(partial=True)] == [
        (False, 1000),
        (True, 9000),
    ]


def test_what_fills_a_gap_in_a_closed_window_takes_the_place_of_the_highest() -> None:
    """§6.2: of whatever message that is: one that is complete and waits, or in the midst of another."""
    bench = bench_of(receive_window_bytes=3000, partial_delivery_point_bytes=3000)
    first = i_data(0, "BE", stream=2, payload=1000)
    large = [fragment(n, n - 1, 3, stream=1, payload=1000) for n in (1, 2, 3)]
    second = i_data(4, "BE", stream=2, mid=1, payload=1000)
    bench.packets(large[0], large[2], second)
    assert bench.sack().gap_ack_blocks == ((2, 2), (4, 5))
    bench.packets(first)
    assert bench.sack().gap_ack_blocks == ((2, 2),)
    bench.packets(large[1])
    assert bench.sack().gap_ack_blocks == ()
    assert [(message.stream, len(message.data)) for message in bench.read_all(partial=True)] == [
        (2, 1000),
        (1, 1000),
        (1, 1000),
    ]
    bench.packets(large[2], second)
    assert [(message.stream, message.end_of_record) for message in bench.read_all(partial=True)] == [
        (1, True),
        (2, True),
    ]


def test_a_peer_that_begins_messages_and_ends_none_is_bounded_by_the_window() -> None:
    """Each is charged, and nothing is kept of one that was dropped."""
    bench = bench_of(receive_window_bytes=WINDOW)
    bench.packets(*(i_data(n, "B", mid=n + 1, stream=n % 10, payload=1) for n in range(1, 1000)))
    assert len(reassembly_of(bench)._runs) <= WINDOW // 256 + 1
    assert not bench.receiver.has_message(), "it is the turn of none"
    assert bench.receiver.abort_partial_delivery() == []
    assert bench.receiver.held_bytes == 0


def test_at_the_end_each_message_is_told_of_which_a_part_was_read() -> None:
    """RFC 6458 §6.1.7: stream and MID."""
    bench = bench_of(partial_delivery_point_bytes=1)
    for stream in range(3):
        bench.receiver._streams.expect(stream, 0x10_0000)
        bench.packets(i_data(stream, "B", mid=0x10_0000, stream=stream))
    assert bench.receiver.read(partial=True) is not None
    assert bench.receiver.read(partial=True) is not None
    assert bench.receiver.abort_partial_delivery() == [(0, 0x10_0000), (1, 0x10_0000)]
    assert bench.receiver.held_bytes == 0
