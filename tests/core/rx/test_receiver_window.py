"""The window closed, overdrawn, opened again; reneging; hoards (§6.2)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.charge import MIN_CHARGE_BYTES
from aiosctp.wire.causes import ProtocolViolation
from tests.core.rx.bench import Bench, data, tsn_of

WINDOW = 10_000


def bench_of(window_bytes: int = WINDOW, **options: int) -> Bench:
    return Bench(config=Config(receive_window_bytes=window_bytes).replace(**options)).settled()


def test_a_rwnd_counts_everything_that_is_held() -> None:
    """R19: §6.2 B, C: unread, out of order, fragments."""
    bench = bench_of()
    bench.packets(data(1, "UBE", payload=1000))
    assert bench.sack().a_rwnd == 9000, "unread"
    bench.packets(data(3, "BE", ssn=1, payload=1000))
    assert bench.sack().a_rwnd == 8000, "before its turn"
    bench.packets(data(5, "", ssn=3, payload=1000))
    assert bench.sack().a_rwnd == 7000, "a fragment"
    assert bench.receiver.free_window_bytes == 7000


def test_a_rwnd_recovers_as_the_user_reads() -> None:
    """R19, X10: what is complete and read, however it came, is charged no longer."""
    bench = bench_of()
    bench.packets(*(data(n, "UBE", payload=1000) for n in range(1, 10)))
    assert bench.sack().a_rwnd == 1000
    bench.read_all()
    assert bench.sack_is_due()
    assert bench.sack().a_rwnd == WINDOW


def test_data_complete_but_unread_takes_exactly_its_size() -> None:
    """X10: a_rwnd does not collapse while data waits for the reader."""
    bench = bench_of()
    for n in range(1, 6):
        bench.packets(data(n, "UBE", payload=1500))
        assert bench.sack().a_rwnd == WINDOW - n * 1500


def test_a_message_made_whole_or_come_to_its_turn_is_held_until_it_is_read() -> None:
    """R19: §6.2 C: "SHOULD NOT increment a_rwnd unless it has released bytes from its receive buffer"."""
    bench = bench_of()
    bench.packets(data(2, ssn=1, payload=1000), data(1, ssn=0, payload=1000))
    assert bench.sack().a_rwnd == WINDOW - 2000
    bench.packets(data(3, "B", ssn=2, payload=1000), data(4, "E", ssn=2, payload=1000))
    assert bench.sack().a_rwnd == WINDOW - 4000
    assert [len(payload) for payload in bench.read_payloads()] == [1000, 1000, 2000]
    assert bench.sack().a_rwnd == WINDOW


def test_fragments_joined_give_back_their_overhead() -> None:
    """X29: many tiny fragments are charged as many chunks, the message as one."""
    bench = bench_of()
    bench.packets(data(2, "", ssn=0, payload=1), data(3, "E", ssn=0, payload=1))
    assert bench.receiver.held_bytes == 2 * MIN_CHARGE_BYTES
    bench.packets(data(1, "B", payload=1))
    assert bench.receiver.held_bytes == MIN_CHARGE_BYTES


def test_messages_that_wait_to_be_read_are_counted() -> None:
    """RFC 6458 §8.2.1, sstat_penddata: whole messages of any stream, and none of which a part is missing."""
    bench = bench_of()
    bench.packets(data(1), data(2, stream=1), data(3, "UBE"), data(4, "B", stream=2))
    assert bench.receiver.pending_messages == 3
    assert bench.receiver.read() is not None
    assert bench.receiver.pending_messages == 2


def closed(**options: int) -> Bench:
    """Chunk 1 is missing, 2 to 11 fill the window: fragments of an unfinished message, which has no beginning."""
    bench = bench_of(**options)
    bench.packets(*(data(n, "", payload=1000) for n in range(2, 12)))
    sack = bench.sack()
    assert (sack.a_rwnd, sack.gap_ack_blocks) == (0, ((2, 11),))
    return bench


def test_at_zero_window_what_is_above_the_highest_is_dropped_and_answered() -> None:
    """R19: §6.2: "MUST drop any new incoming DATA chunk with a TSN larger than the largest TSN received so far"."""
    bench = closed()
    bench.packets(data(12, "E", payload=10))
    assert bench.sack_is_due()
    assert bench.sack().gap_ack_blocks == ((2, 11),)
    assert bench.counters.iodchunks == 10


def test_at_zero_window_the_next_in_sequence_is_taken_and_the_highest_reneged() -> None:
    """X38, X39: the window re-opens: §6.2: "SHOULD drop the largest TSN held for reordering and accept the new"."""
    bench = closed()
    bench.packets(data(1, "B", payload=500))
    assert bench.sack_is_due()
    sack = bench.sack()
    assert sack.cumulative_tsn_ack == tsn_of(10), "1 was taken, 11 is no longer acknowledged"
    assert sack.gap_ack_blocks == ()
    parts = bench.read_payloads(partial=True)
    assert b"".join(parts) == bytes([1]) * 500 + b"".join(bytes([n]) * 1000 for n in range(2, 11))
    bench.packets(data(11, "E", payload=1000))
    assert bench.read_payloads(partial=True) == [bytes([11]) * 1000], "11 is taken when it comes again"
    assert bench.sack().a_rwnd == WINDOW


def test_a_reneged_tsn_is_out_of_the_gap_blocks_until_it_comes_again() -> None:
    """X38: §6.2: "it MUST NOT include them in Gap Ack Blocks in subsequent SACK chunks until they are received"."""
    bench = bench_of()
    bench.packets(*(data(n, "", ssn=1, payload=1000) for n in range(4, 14)))
    bench.packets(data(2, "BE", payload=700))
    assert bench.sack().gap_ack_blocks == ((2, 2), (4, 12))
    bench.packets(data(13, "", ssn=1, payload=1000))
    assert bench.sack().gap_ack_blocks == ((2, 2), (4, 12)), "no room yet"


def test_nothing_is_reneged_while_the_window_is_open() -> None:
    """X38: §6.2: "SHOULD NOT revoke a SACK chunk and discard data": a chunk that overdraws an open window is taken."""
    bench = bench_of()
    bench.packets(*(data(n, "", payload=1000) for n in range(2, 11)))
    assert bench.sack().a_rwnd == 1000
    bench.packets(data(1, "B", payload=2500))
    assert bench.sack().cumulative_tsn_ack == tsn_of(10)
    assert sum(len(each) for each in bench.read_payloads(partial=True)) == 2500 + 9 * 1000


def test_nothing_below_a_new_chunk_is_reneged_for_it() -> None:
    """X38: §6.2: the largest TSN held is dropped for a lower one, not a lower one for a larger."""
    bench = bench_of()
    bench.packets(*(data(n, "", payload=1000) for n in range(2, 8)), data(20, "UBE", payload=4000))
    assert bench.sack().a_rwnd == 0
    bench.packets(data(10, "UBE", payload=500))
    assert bench.sack().gap_ack_blocks == ((2, 7), (10, 10), (20, 20))


def test_as_many_as_needed_are_reneged_for_a_large_chunk() -> None:
    bench = closed()
    bench.packets(data(1, "B", payload=2500))
    assert bench.sack().cumulative_tsn_ack == tsn_of(8)
    assert bench.receiver.held_bytes <= WINDOW


def test_a_sack_is_sent_at_once_when_all_that_was_ahead_is_reneged() -> None:
    """R19, X38: §6.2: "In either case, if such a DATA chunk is dropped, the receiver MUST immediately send back a SACK
    chunk": also where no gap is left to call for one, and though the window is open again."""
    bench = bench_of()
    bench.packets(data(2, "BE", ssn=1, payload=5000), data(3, "BE", ssn=2, payload=5000))
    assert bench.sack().a_rwnd == 0
    bench.packets(data(1, "BE", ssn=0, payload=6000))
    assert bench.sack_is_due()
    sack = bench.sack()
    assert (sack.cumulative_tsn_ack, sack.a_rwnd, sack.gap_ack_blocks) == (tsn_of(1), 4000, ())


def test_a_complete_message_that_waits_loses_its_last_chunk_and_gets_it_again() -> None:
    """X38: the message is delivered once and whole, although a part of it was reneged."""
    bench = bench_of()
    bench.packets(
        data(2, "BE", ssn=1, payload=5000), data(3, "B", ssn=2, payload=4000), data(4, "E", ssn=2, payload=1000)
    )
    bench.packets(data(1, "BE", ssn=0, payload=800))
    assert [len(each) for each in bench.read_payloads()] == [800, 5000]
    bench.packets(data(4, "E", ssn=2, payload=1000))
    assert [len(each) for each in bench.read_payloads()] == [5000]


def test_a_reneged_whole_message_leaves_nothing_behind() -> None:
    bench = bench_of()
    bench.packets(data(2, "BE", ssn=1, payload=5000), data(3, "BE", stream=5, ssn=1, payload=5000))
    bench.packets(data(1, "BE", ssn=0, payload=100))
    assert bench.receiver._streams._busy == {}
    assert bench.sack().cumulative_tsn_ack == tsn_of(2)
    bench.read_all()
    bench.packets(data(4, "BE", stream=5, ssn=0, payload=10), data(3, "BE", stream=5, ssn=1, payload=10))
    assert [message.ssn for message in bench.read_all()] == [0, 1]


def test_what_was_delivered_is_never_reneged() -> None:
    """X38: unordered messages behind a gap are the user's already; one chunk is taken on credit."""
    bench = bench_of()
    bench.packets(*(data(n, "UBE", payload=1000) for n in range(2, 12)))
    bench.packets(data(1, "UBE", payload=1000))
    sack = bench.sack()
    assert (sack.cumulative_tsn_ack, sack.a_rwnd) == (tsn_of(11), 0)
    assert len(bench.read_all()) == 11
    assert bench.receiver.held_bytes == 0


def test_what_the_cumulative_tsn_covers_is_never_reneged() -> None:
    """X38: the peer has dropped its copy."""
    bench = bench_of()
    bench.packets(*(data(n, "BE", stream=n % 10, ssn=1, payload=1000) for n in range(1, 10)))
    bench.packets(data(11, "UBE", payload=1000))
    sack = bench.sack()
    assert (sack.cumulative_tsn_ack, sack.gap_ack_blocks, sack.a_rwnd) == (tsn_of(9), ((2, 2),), 0)
    bench.packets(data(10, "UBE", payload=1000))
    assert bench.sack().cumulative_tsn_ack == tsn_of(11)
    assert bench.receiver._streams.waiting == 9


def test_the_credit_is_bounded() -> None:
    """A peer that ignores the window can't make us hold more than it and one chunk of the largest size and one more."""
    bench = bench_of()
    assert bench.packet(data(60_000, "UBE", payload=100)) is None
    for n in range(1, 200):
        bench.packets(data(n, "UBE", payload=1400))
    assert bench.receiver.held_bytes <= WINDOW + 0x1_0000 + 1400
    sack = bench.sack()
    assert sack.a_rwnd == 0
    assert sack.cumulative_tsn_ack != tsn_of(199), "the rest was dropped"
    assert tsn_of(len(bench.read_all()) - 1) == sack.cumulative_tsn_ack, "all that was acknowledged, and the first"


def test_when_the_user_does_not_read_the_window_stays_closed_and_re_opens_when_he_does() -> None:
    """R19: zero-window probes are dropped and answered; reading makes one SACK due."""
    bench = bench_of()
    bench.packets(*(data(n, "UBE", payload=1000) for n in range(1, 11)))
    assert bench.sack().a_rwnd == 0
    for _ in range(3):
        bench.packets(data(11, "UBE", payload=1000))
        assert bench.sack_is_due()
        assert bench.sack().cumulative_tsn_ack == tsn_of(10)
    assert bench.receiver.read() is not None
    assert not bench.sack_is_due(), "less than a packet has become free"
    assert bench.receiver.read() is not None
    assert bench.sack_is_due()
    assert bench.sack().a_rwnd == 2000
    assert bench.receiver.read() is not None
    assert not bench.sack_is_due(), "no burst of updates: the next is for a quarter of the buffer"
    bench.packets(data(11, "UBE", payload=1000))
    assert bench.sack().cumulative_tsn_ack == tsn_of(11)


def test_reading_does_not_make_bursts_of_window_updates() -> None:
    """R19: at most one SACK for each quarter of the window that is read."""
    bench = bench_of(100_000)
    bench.packets(*(data(n, "UBE", payload=100) for n in range(1, 391)))
    bench.sack()
    updates = 0
    while bench.receiver.read() is not None:
        if bench.sack_is_due():
            updates += 1
            bench.sack()
    assert 1 <= updates <= 5


def test_a_hoard_of_tiny_chunks_is_bounded_by_the_window() -> None:
    """X29: one byte each, never read; ordered behind a missing message, fragments without a beginning, or unread."""
    for flags, ssn in (("BE", 1), ("", 0), ("UBE", 0)):
        bench = bench_of(100_000)
        for n in range(2, 60_000, 2):
            chunk = data(n, flags, ssn=ssn + n // 2 * (flags == "BE"), payload=b"x")
            assert bench.receiver.data_received(chunk, bench.path, 0.0) is None
        receiver = bench.receiver
        held = len(receiver._reassembly) + sum(map(len, receiver._queues.by_stream.values()))
        assert held <= 100_000 // MIN_CHARGE_BYTES + 1
        assert receiver._tsns.gap_ranges <= held
        receiver.check_invariants()


def test_finding_the_highest_to_renege_costs_no_walk_over_what_is_held() -> None:
    """A peer that fills the window from above and then comes from below makes us renege once per chunk."""
    bench = bench_of(1_000_000)
    count = 1_000_000 // MIN_CHARGE_BYTES
    top = 4 * count
    for n in range(top - 2 * count, top, 2):
        assert bench.receiver.data_received(data(n, "", payload=b"x"), bench.path, 0.0) is None
    for n in range(2, 2 * count, 2):
        assert bench.receiver.data_received(data(n, "", payload=b"x"), bench.path, 0.0) is None
    reassembly = bench.receiver._reassembly
    assert reassembly._heap is not None
    assert len(reassembly._heap) <= 2 * len(reassembly) + 66
    bench.receiver.check_invariants()
    assert bench.receiver.held_bytes <= 1_000_000 + MIN_CHARGE_BYTES


def test_the_heap_of_what_is_held_is_made_anew_when_most_of_it_is_stale() -> None:
    """Reneging, then much that comes and goes: stale entries do not pile up."""
    bench = bench_of()
    bench.packets(*(data(n, "", ssn=1, payload=1000) for n in range(4, 14)))
    bench.packets(data(2, "UBE", payload=700))
    bench.read_all()
    bench.packets(data(5000, "", ssn=1, payload=10))
    assert bench.receiver._reassembly.highest() is not None
    longest = 0
    for n in range(400, 800, 2):
        bench.packets(data(n, "UBE", payload=1))
        bench.read_all()
        longest = max(longest, len(bench.receiver._reassembly._heap or ()))
    assert 64 < longest <= 2 * len(bench.receiver._reassembly) + 66


def test_a_smaller_window_is_configured_while_data_is_held() -> None:
    bench = bench_of()
    bench.packets(data(1, "UBE", payload=3000))
    bench.receiver.configure(Config(receive_window_bytes=2000, sack_frequency=1))
    assert bench.sack().a_rwnd == 0
    bench.packets(data(2, "UBE", payload=100))
    assert bench.sack().cumulative_tsn_ack == tsn_of(1)


def test_of_a_window_that_is_larger_again_the_peer_is_told() -> None:
    bench = bench_of()
    bench.packets(data(1, "UBE", payload=3000))
    bench.receiver.configure(Config(receive_window_bytes=2000, sack_frequency=1))
    assert bench.sack().a_rwnd == 0
    bench.receiver.configure(Config(receive_window_bytes=10_000, sack_frequency=1))
    assert bench.sack_is_due()
    assert bench.sack().a_rwnd == 7000


@pytest.mark.parametrize("flags", ["B", "BE"])
def test_a_violation_is_seen_at_zero_window_too(flags: str) -> None:
    bench = closed()
    assert isinstance(bench.packet(data(1, flags, ssn=9, payload=100)), ProtocolViolation)
