"""§6.9, §6.10: messages into chunks, chunks into packets."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.tx import fragmenter
from tests.core.tx.bench import PACKET_BYTES, PAYLOAD, PMDCS, Bench, all_chunks, numbers, tsn

pytestmark = pytest.mark.usefixtures("both_ways")


def flags(bench: Bench) -> list[tuple[bool, bool]]:
    return [(chunk.beginning, chunk.ending) for chunk in all_chunks(bench.flush())]


def test_a_message_that_fits_is_one_chunk_with_both_b_and_e() -> None:
    bench = Bench()
    (packet,) = bench.send(PAYLOAD)
    (chunk,) = packet.chunks
    assert (chunk.beginning, chunk.ending, chunk.tsn, packet.size) == (True, True, tsn(0), PACKET_BYTES)


def test_fragments_have_consecutive_tsns_one_ssn_and_b_e_at_the_ends() -> None:
    """§6.9, 1 to 3, across the wrap of the TSN."""
    bench = Bench()
    bench.cwnd = 1 << 20
    data = bytes(range(256)) * 120
    bench.sender.queue.append(OutgoingMessage(data, 7, ppid=46))
    bench.config = bench.config.replace(max_burst=100)
    bench.sender.configure(bench.config)
    chunks = all_chunks(bench.flush())
    assert [chunk.tsn for chunk in chunks] == [tsn(n) for n in range(22)]
    assert [chunk.beginning for chunk in chunks] == [True] + 21 * [False]
    assert [chunk.ending for chunk in chunks] == 21 * [False] + [True]
    assert {(chunk.stream, chunk.ssn, chunk.ppid, chunk.unordered) for chunk in chunks} == {(7, 0, 46, False)}
    assert b"".join(chunk.payload for chunk in chunks) == data


def test_every_fragment_of_an_unordered_message_has_the_u_flag_and_it_takes_no_ssn() -> None:
    """R20: §6.9, 2; §6.6."""
    bench = Bench()
    unordered = all_chunks(bench.send(2 * PAYLOAD, unordered=True))
    assert [chunk.unordered for chunk in unordered] == [True, True]
    assert all_chunks(bench.send(10))[0].ssn == 0


def test_ssns_count_each_stream_from_zero() -> None:
    """§6.5."""
    bench = Bench()
    bench.enqueue(10, stream=1)
    bench.enqueue(10, stream=2)
    bench.enqueue(10, stream=1)
    assert [(chunk.stream, chunk.ssn) for chunk in all_chunks(bench.flush())] == [(1, 0), (2, 0), (1, 1)]


def test_ssns_wrap() -> None:
    """X42: the SSN after 65535 is 0."""
    bench = Bench()
    bench.sender.queue.stream(3).next_ssn = 0xFFFF
    assert [chunk.ssn for chunk in all_chunks(bench.send(1, 1, 1, stream=3))] == [0xFFFF, 0, 1]


def test_many_small_messages_share_a_packet() -> None:
    bench = Bench()
    (first, second) = bench.send(*[64] * 20)
    assert len(first.chunks) == PMDCS // 80
    assert len(first.chunks) + len(second.chunks) == 20


@pytest.mark.parametrize("segment", [1, 3, 100, 999, PAYLOAD])
def test_no_chunk_is_larger_than_the_segment_that_is_set(segment: int) -> None:
    """RFC 6458 §8.1.16: "it will be fragmented by SCTP into the specified size": packets are not filled with less."""
    bench = Bench(config=Config(max_segment_bytes=segment, max_burst=1000), rwnd=1 << 22)
    bench.cwnd = 1 << 20
    packets = bench.send(3 * PAYLOAD + 1, 1)
    sizes = [len(chunk.payload) for chunk in all_chunks(packets)]
    whole, rest = divmod(3 * PAYLOAD + 1, segment)
    assert sizes == [segment] * whole + [rest] * (rest > 0) + [1]
    per_packet = PMDCS // (segment + 16 + 3 & ~3)
    assert all(len(packet.chunks) == per_packet for packet in packets[:-1])


def test_a_segment_larger_than_the_paths_take_changes_nothing() -> None:
    """RFC 6458 §8.1.16: "may fragment into smaller sized chunks when the PMTU ... is smaller"."""
    sizes = (3 * PAYLOAD, 64, 64, 2000)
    usual, other = Bench(), Bench(config=Config(rto_min_s=0.05, max_segment_bytes=PAYLOAD + 1))
    assert all_chunks(usual.send(*sizes)) == all_chunks(other.send(*sizes))


def test_a_message_that_is_begun_goes_on_in_segments_of_the_size_that_is_set_then() -> None:
    bench = Bench()
    bench.send(16 * PAYLOAD)
    bench.sender.configure(bench.config.replace(max_segment_bytes=500))
    assert bench.sack(2) is None
    assert {len(chunk.payload) for chunk in all_chunks(bench.flush())} == {500}
    bench.sender.configure(bench.config)
    assert bench.sack(4) is None
    assert {len(chunk.payload) for chunk in all_chunks(bench.flush())} == {PAYLOAD}


def test_chunks_are_padded_and_the_packet_counts_it() -> None:
    bench = Bench()
    (packet,) = bench.send(1, 2, 3, 4)
    assert packet.size == 12 + 4 * 20
    assert bench.path.flight_bytes == 80


def test_a_message_one_packet_carries_is_not_cut_to_fill_another() -> None:
    bench = Bench()
    assert numbers(bench.send(1000, 1000)) == [[0], [1]]


def test_a_message_that_has_to_be_cut_fills_the_packet_before() -> None:
    bench = Bench()
    first, second, third = bench.send(800, 2 * PAYLOAD)
    assert first.size == second.size == PACKET_BYTES
    assert [len(chunk.payload) for chunk in first.chunks] == [800, PMDCS - 816 - 16]
    assert sum(len(chunk.payload) for packet in (first, second, third) for chunk in packet.chunks) == 800 + 2 * PAYLOAD


def test_no_sliver_of_a_message_is_cut_to_fill_a_packet() -> None:
    bench = Bench()
    first, second, *_ = bench.send(PAYLOAD - 100, 2 * PAYLOAD)
    assert (len(first.chunks), second.chunks[0].beginning) == (1, True)


def test_fragments_are_sized_by_the_smallest_path() -> None:
    """§7.3, 2: the AMDCS, so that any path can carry a retransmission."""
    bench = Bench(paths=2)
    bench.paths[1].set_mtu(1000)
    chunks = all_chunks(bench.send(3000))
    # Two such fragments don't fit the larger path's packet, so it is filled with what it takes of the next.
    assert max(len(chunk.payload) for chunk in chunks) == 1000 - 28 - 12 - 16
    assert sum(len(chunk.payload) for chunk in chunks) == 3000


@pytest.mark.parametrize("mtu", [576, 577, 578, 579, 1500, 9000, 65535])
def test_no_packet_exceeds_the_path_mtu(mtu: int) -> None:
    """X12: whatever is bundled and cut."""
    bench = Bench()
    bench.path.set_mtu(mtu)
    bench.cwnd = 1 << 20
    bench.enqueue(*[size * 37 % 5000 + 1 for size in range(200)])
    sent = 0
    while packets := bench.flush():
        assert all(packet.size <= mtu - 28 for packet in packets)
        sent += sum(len(packet.chunks) for packet in packets)
        bench.sack(sent - 1)
    assert bench.sender.is_drained


def test_the_user_asks_for_the_i_bit_on_the_last_chunk_of_a_message() -> None:
    """R16: §6.1, "the I bit of the last DATA chunk of a user message"."""
    bench = Bench()
    bench.cwnd = 1 << 20
    bench.enqueue(2 * PAYLOAD, sack_immediately=True)
    assert [chunk.immediate for chunk in all_chunks(bench.flush())] == [False, True]
    assert [chunk.immediate for chunk in all_chunks(bench.send(10))] == [False]


def test_a_message_asks_for_no_i_bit_unless_told_to() -> None:
    """R16: each I bit costs the peer a SACK at once (§6.2)."""
    bench = Bench()
    bench.sender.queue.append(OutgoingMessage(b"whenever", 0))
    assert [chunk.immediate for chunk in all_chunks(bench.flush())] == [False]


def test_messages_go_first_come_first_served_and_are_never_interleaved() -> None:
    bench = Bench()
    bench.enqueue(3 * PAYLOAD, stream=1)
    bench.enqueue(10, stream=0)
    bench.enqueue(10, stream=1)
    bench.cwnd = 1 << 20
    assert [chunk.stream for chunk in all_chunks(bench.flush())] == [1, 1, 1, 0, 1]


def test_at_most_65535_ordered_messages_of_a_stream_are_in_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """§6.1, "MUST NOT have more than 2^16 - 1 ordered user messages in the current send window"."""
    assert fragmenter.MAX_ORDERED_IN_WINDOW == 65535
    monkeypatch.setattr(fragmenter, "MAX_ORDERED_IN_WINDOW", 3)
    bench = Bench()
    assert numbers(bench.send(*[10] * 5)) == [[0, 1, 2]]
    assert bench.sack(0, (2, 2)) is None
    assert numbers(bench.flush()) == [[3]]
    bench.enqueue(10, unordered=True)
    assert bench.flush() == []
    assert bench.sack(3) is None
    assert numbers(bench.flush()) == [[4, 5]]


def test_the_limit_of_ordered_messages_holds_up_neither_fragments_nor_unordered_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """§6.1: it is about *ordered* messages, and about messages."""
    monkeypatch.setattr(fragmenter, "MAX_ORDERED_IN_WINDOW", 1)
    bench = Bench()
    bench.enqueue(2 * PAYLOAD)
    bench.enqueue(10, unordered=True)
    assert numbers(bench.flush()) == [[0], [1], [2]]


def test_a_message_of_many_megabytes_is_cut_without_copying_the_rest() -> None:
    bench = Bench()
    message = OutgoingMessage(bytes(8 << 20), 0)
    bench.sender.queue.append(message)
    bench.flush()
    payloads = [chunk.payload for chunk in bench.sender.outstanding]
    assert all(isinstance(payload, memoryview) and payload.obj is message.data for payload in payloads)
    assert [second.number - first.number for first, second in pairwise(bench.sender.outstanding)] == [1, 1, 1]
