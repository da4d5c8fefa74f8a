"""Messages that are abandoned, and when (RFC 3758 §3.5, §4.1; RFC 7496 §3)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.tx.held import MAX_DROPPED_BYTES
from aiosctp.core.tx.limits import Policy
from tests.core.tx.abandoning import AbandoningBench, context
from tests.core.tx.bench import INITIAL_CWND, PAYLOAD, PMDCS, all_chunks, numbers
from tests.core.work import instructions


def test_a_message_that_expires_in_the_queue_gets_no_tsn() -> None:
    """RFC 3758 §4.1 TR3: "MUST NOT assign a TSN to that message"."""
    bench = AbandoningBench()
    late, early = bench.give(lifetime=0.5), bench.give(lifetime=2.0)
    bench.wait(1.0)
    (chunk,) = all_chunks(bench.flush())
    assert (chunk.tsn, chunk.ssn) == (0xFFFF_FFF0, 0)
    assert bench.failed() == [(late, False)]
    assert bench.forward() is None
    bench.wait(5.0)
    bench.sack(0)
    assert bench.failed() == []
    assert early
    assert bench.sender.is_drained


def test_a_message_is_sent_until_its_lifetime_is_over() -> None:
    bench = AbandoningBench()
    bench.give(lifetime=0.5)
    bench.wait(0.499)
    assert len(bench.flush()) == 1


def test_what_was_sent_and_not_lost_does_not_expire() -> None:
    bench = AbandoningBench()
    bench.give(lifetime=0.5)
    bench.flush()
    bench.sender.abandon_expired(bench.now)
    assert bench.lifetime_deadline() is None
    bench.wait(1.0)
    bench.sender.abandon_expired(bench.now)
    assert bench.failed() == []


def test_what_was_lost_and_sent_again_does_not_expire_either() -> None:
    """It may arrive, like any that was sent."""
    bench = AbandoningBench()
    bench.give(lifetime=2.0)
    bench.flush()
    assert numbers(bench.lose()) == [[0]]
    bench.wait(1.5)
    bench.sender.abandon_expired(bench.now)
    assert bench.failed() == []


def test_what_has_expired_is_not_sent_again() -> None:
    """RFC 3758 §4.1 TR4: "MUST "abandon" the message"; §3.5 C1 to C4."""
    bench = AbandoningBench()
    lost = bench.give(lifetime=0.5, stream=3)
    bench.flush()
    bench.wait(0.6)
    assert bench.lose() == []
    assert bench.failed() == [(lost, True)]
    assert bench.forward() == (0, [(3, 0)])
    bench.sack(0)
    assert bench.sender.is_drained
    assert bench.deadline() is None


def test_what_has_not_expired_is_sent_again() -> None:
    bench = AbandoningBench()
    bench.give(lifetime=100.0)
    bench.flush()
    assert numbers(bench.lose()) == [[0]]
    assert bench.failed() == []


def test_what_waits_to_be_sent_again_may_expire() -> None:
    """RFC 3758 §4.1 TR4: "Before ... retransmitting": it was marked before its time was over."""
    bench = AbandoningBench()
    contexts = [bench.give(PAYLOAD, lifetime=3.0) for _ in range(3)]
    bench.flush()
    assert numbers(bench.lose()) == [[0]]
    deadline = bench.lifetime_deadline()
    assert deadline is not None
    bench.now = deadline
    bench.sack(0)
    assert bench.flush() == []
    assert bench.failed() == [(each, True) for each in contexts[1:]]
    assert bench.forward() == (2, [(0, 2)])


def test_the_loss_of_an_abandoned_chunk_shrinks_cwnd_as_any() -> None:
    """RFC 3758 §3.5 F5: "the appropriate congestion adjustment MUST be made"."""
    outcomes = []
    for retransmits in (0, 1):
        bench = AbandoningBench()
        bench.give(PAYLOAD, retransmits=retransmits)
        for _ in range(5):
            bench.give(100, retransmits=5)
        bench.cwnd = 50_000
        bench.flush()
        for last in (2, 3, 4):
            bench.sack(-1, (1, last))
        assert bench.sender.in_fast_recovery
        outcomes.append((bench.cwnd, bench.path.congestion.ssthresh))
        assert bool(bench.failed()) == (retransmits == 0)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] < 50_000


def test_cwnd_does_not_grow_by_what_is_abandoned() -> None:
    """RFC 3758 §3.5 A2: "MUST NOT advance the cwnd based on this "abandoned" data chunk"."""
    bench = AbandoningBench()
    for _ in range(3):
        bench.give(PAYLOAD, retransmits=0)
    bench.flush()
    bench.expire()
    cwnd = bench.cwnd
    assert len(bench.failed()) == 3
    assert bench.forward() == (2, [(0, 2)])
    bench.sack(2)
    assert bench.cwnd == cwnd
    assert bench.path.congestion.partial_bytes_acked == 0


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_chunk_is_sent_again_so_often_and_no_more(limit: int) -> None:
    """RFC 7496 §3.1: "MUST abandon a user message if the number of retransmissions ... would exceed the provided
    limit"; with 0 "when it would get retransmitted for the first time"."""
    bench = AbandoningBench()
    message = bench.give(retransmits=limit)
    bench.flush()
    for _ in range(limit):
        assert numbers(bench.lose()) == [[0]]
        assert bench.failed() == []
    assert bench.lose() == []
    assert bench.failed() == [(message, True)]


def test_fast_retransmissions_count_too() -> None:
    """RFC 7496 §3.1: "includes both fast and timer-based retransmissions"."""
    bench = AbandoningBench()
    message = bench.give(PAYLOAD, retransmits=1)
    bench.send(100)
    bench.cwnd = 50_000
    for last in (1, 2, 3):
        bench.send(100)
        bench.sack(-1, (1, last))
    assert numbers(bench.flush())[0] == [0]
    assert bench.failed() == []
    assert [each for each in numbers(bench.lose()) if 0 in each] == []
    assert bench.failed() == [(message, True)]


def test_all_of_a_message_is_abandoned_with_one_of_its_chunks() -> None:
    """RFC 3758 §3.5 A3: "all other TSN's within that fragmented message MUST be abandoned at the same time"."""
    bench = AbandoningBench()
    message = bench.give(5 * PAYLOAD, retransmits=0)
    bench.send(100)
    bench.cwnd = 50_000
    bench.flush()
    before = bench.sender.buffered_bytes
    for last in (2, 3, 4):
        bench.sack(-1, (1, last))
    assert bench.failed() == [(message, True)]
    assert bench.sender.buffered_bytes == before - 5 * PAYLOAD
    assert bench.path.flight_bytes == 116
    assert bench.flush() == []
    assert bench.forward() == (4, [(0, 0)])


@pytest.mark.parametrize("idata", [False, True])
def test_the_rest_of_a_message_half_sent_takes_one_tsn(idata: bool) -> None:
    """X07, X43: a FORWARD TSN never ends in the middle of a message."""
    bench = AbandoningBench(idata=idata)
    message = bench.give(20 * PAYLOAD, lifetime=0.5, stream=2)
    sent = len(all_chunks(bench.flush()))
    assert 0 < sent < 20
    bench.sack(sent - 2)
    bench.wait(0.5)
    bench.sender.abandon_expired(bench.now)
    assert bench.failed() == [(message, True)]
    assert bench.sender.buffered_bytes == 0
    assert bench.forward() == (sent, [(2, False, 0)] if idata else [(2, 0)])
    following = all_chunks(bench.send(10, stream=2))
    assert [chunk.tsn for chunk in following] == [0xFFFF_FFF0 + sent + 1 & 0xFFFF_FFFF]
    assert following[0].beginning
    bench.sack(sent + 1)
    assert bench.sender.is_drained


def test_so_it_is_when_all_that_was_sent_of_it_is_acknowledged() -> None:
    """X07: else the peer would wait for the rest for ever."""
    bench = AbandoningBench(rwnd=2 * PAYLOAD)
    message = bench.give(20 * PAYLOAD, lifetime=0.5)
    sent = len(all_chunks(bench.flush()))
    bench.sack(sent - 1, rwnd=0)
    assert not bench.sender.outstanding
    assert bench.flush() == []
    bench.now = bench.lifetime_deadline() or 0.0
    bench.sender.abandon_expired(bench.now)
    assert bench.failed() == [(message, True)]
    assert bench.forward() == (sent, [(0, 0)])
    assert bench.deadline() is not None


def test_who_waits_behind_a_closed_window_hears_of_it_in_time() -> None:
    """Nothing else would happen."""
    bench = AbandoningBench(rwnd=0)
    message = bench.give(lifetime=7.0)
    bench.give(lifetime=9.0)
    bench.sender.abandon_expired(bench.now)
    assert bench.lifetime_deadline() == bench.now + 7.0
    bench.wait(7.0)
    bench.sender.abandon_expired(bench.now)
    assert bench.failed() == [(message, False)]
    assert bench.lifetime_deadline() == bench.now + 2.0


def test_a_peer_that_does_not_know_forward_tsn_is_sent_what_was_begun() -> None:
    """§11.1.5: the lifetime counts until the first transmission, and no FORWARD TSN is sent."""
    bench = AbandoningBench(pr=False)
    bench.give(20 * PAYLOAD, lifetime=0.5)
    unsent = bench.give(lifetime=0.5)
    bench.give(retransmits=0)
    bench.give(priority=9)
    bench.flush()
    bench.wait(1.0)
    bench.lose()
    assert bench.failed() == [(unsent, False)]
    assert bench.sender.make_room(1, None) == 100
    assert len(bench.failed()) == 1
    assert bench.forward() is None
    got = 0
    for _ in range(100):
        if bench.sender.is_drained:
            break
        bench.sack(bench.sender.outstanding.highest - 0xFFFF_FFF0)
        got += len(bench.flush())
    assert bench.sender.is_drained
    assert bench.failed() == []
    assert got


# -- the priority policy --


def test_room_is_made_by_the_least_important_and_the_latest() -> None:
    """RFC 7496 §3.2."""
    bench = AbandoningBench(rwnd=0)
    bench.enqueue(100)
    bench.give(priority=1)
    first, second = bench.give(priority=7), bench.give(priority=7)
    third = bench.give(priority=3)
    bench.give(lifetime=100.0)
    bench.give(retransmits=0)
    assert bench.sender.make_room(101, 1) == 200
    assert bench.failed() == [(second, False), (first, False)]
    assert bench.sender.make_room(1000, 1) == 100
    assert bench.failed() == [(third, False)]
    assert bench.sender.buffered_bytes == 400


def test_a_reliable_message_is_more_important_than_any_of_the_policy() -> None:
    bench = AbandoningBench(rwnd=0)
    message = bench.give(priority=0)
    assert bench.sender.make_room(1, 0) == 0
    assert bench.sender.make_room(1, None) == 100
    assert bench.failed() == [(message, False)]


def test_room_of_a_stream_is_made_by_messages_of_that_stream() -> None:
    bench = AbandoningBench(rwnd=0)
    bench.give(priority=9, stream=1)
    message = bench.give(priority=5, stream=2)
    assert bench.sender.make_room(1000, None, 2) == 100
    assert bench.failed() == [(message, False)]


def test_what_is_in_flight_gives_its_room_too() -> None:
    bench = AbandoningBench()
    message = bench.give(PAYLOAD, priority=5)
    bench.flush()
    assert bench.sender.make_room(1, 4) == PAYLOAD
    assert bench.failed() == [(message, True)]
    assert bench.path.flight_bytes == 0
    assert bench.forward() == (0, [(0, 0)])


def test_what_the_peer_has_whole_stays() -> None:
    bench = AbandoningBench()
    bench.give(priority=1)
    bench.give(priority=5)
    bench.flush()
    bench.sack(-1, (1, 1))
    assert bench.sender.make_room(1, 4) == 0
    assert bench.failed() == []


# -- once, and counted --


def test_what_was_abandoned_is_not_unsent_as_well() -> None:
    """Exactly one SendFailed a message."""
    bench = AbandoningBench()
    half = bench.give(20 * PAYLOAD, lifetime=0.5)
    bench.give(20 * PAYLOAD, lifetime=50.0)
    bench.give(lifetime=0.5)
    bench.flush()
    bench.wait(0.6)
    bench.flush()
    assert [context for context, _ in bench.failed()] == [half, half + 2]
    rest = bench.sender.take_unsent()
    # What was sent of the first takes room in cwnd until it is passed over.
    assert [(context(message), was_sent) for message, was_sent in rest] == [(half + 1, False)]
    assert bench.failed() == []
    assert bench.lifetime_deadline() is None
    assert bench.deadline() is None


def test_they_are_counted_by_stream_and_policy() -> None:
    """RFC 7496 §4.3, §4.4."""
    bench = AbandoningBench()
    bench.give(retransmits=0, stream=1)
    bench.give(priority=3, stream=2)
    bench.flush()
    bench.give(lifetime=0.1, stream=1)
    bench.wait(1.0)
    bench.expire()
    bench.flush()
    bench.sender.make_room(1, None)
    counts = bench.sender.abandoned_counts
    assert counts() == (1, 2) == (bench.counters.abandoned_unsent, bench.counters.abandoned_sent)
    assert counts(1) == (1, 1)
    assert counts(1, Policy.TTL) == (1, 0)
    assert counts(policy=Policy.RTX) == (0, 1)
    assert counts(2, Policy.PRIO) == (0, 1)
    assert counts(3) == (0, 0)


# -- bounds --


def test_what_expires_behind_a_closed_window_is_not_kept() -> None:
    """However much of it: the user may give more as soon as it has expired."""
    bench = AbandoningBench(rwnd=0)
    bench.checks = False
    reliable = 500
    bench.enqueue(*([100] * reliable))
    for _ in range(3000):
        bench.give(1000, lifetime=0.1)
        bench.wait(0.2)
        bench.sender.abandon_expired(bench.now)
    assert len(bench.failed()) == 3000
    kept = sum(len(message[0]) for message in bench.sender.queue._scheduler)
    assert kept <= 100 * reliable * 2 + MAX_DROPPED_BYTES + 1000
    assert bench.sender.queue.limits is not None
    assert len(bench.sender.queue.limits.expiries.entries) < 100


def test_what_made_room_is_not_kept_for_the_sake_of_its_stream() -> None:
    """However many streams there are, and however long there is always something that may give its room."""
    bench = AbandoningBench(rwnd=0)
    bench.checks = False
    streams, waiting = 50, 500
    for n in range(20_000):
        bench.give(stream=n % streams, priority=5)
        if n >= waiting:
            bench.sender.make_room(100, 4)
    assert len(bench.failed()) == 20_000 - waiting
    limits = bench.sender.queue.limits
    assert limits is not None
    assert sum(len(heap.entries) for heap in limits.priorities.values()) <= 2 * 2 * waiting + 16 * (streams + 1)


def test_the_expiry_of_one_costs_the_same_however_many_wait() -> None:
    def cost(waiting: int) -> int:
        bench = AbandoningBench(rwnd=0)
        bench.checks = False
        for _ in range(waiting):
            bench.give(lifetime=1000.0)
        for _ in range(50):
            bench.give(lifetime=0.1)
        bench.wait(0.2)
        return instructions(lambda: bench.sender.abandon_expired(bench.now))

    assert cost(8000) < 2 * cost(500)


def test_chunks_are_not_sent_before_cwnd_allows_it_for_what_was_abandoned() -> None:
    """What is abandoned in flight makes room in cwnd, once it is known to be lost."""
    bench = AbandoningBench()
    for _ in range(6):
        bench.give(PAYLOAD, retransmits=0)
    assert len(bench.flush()) == -(-INITIAL_CWND // (PAYLOAD + 16))
    assert len(bench.lose()) == 1


def test_early_data_is_abandoned_and_told_when_the_handshake_is_done() -> None:
    """X43: no FORWARD TSN before."""
    bench = AbandoningBench(established=False, config=Config())
    message = bench.give(lifetime=0.5)
    bench.sender.fill(OutgoingPacket(bench.path), bench.now)
    bench.wait(1.0)
    bench.sender.handshake_timed_out()
    bench.sender.abandon_expired(bench.now)
    assert bench.failed() == [(message, True)]
    assert bench.forward() is None
    bench.sender.handshake_done(peer_rwnd_bytes=10_000, now=bench.now)
    assert bench.forward() == (0, [(0, 0)])


def test_t3_begins_anew_for_what_is_left_when_a_forward_tsn_is_acknowledged() -> None:
    """§6.3.2 R3: it had run since what was abandoned was sent, which was the earliest: for what was sent later, it
    would expire too early."""
    bench = AbandoningBench()
    bench.give(priority=5)
    bench.flush()
    bench.wait(0.5)
    bench.send(100)
    assert bench.sender.make_room(1, None)
    assert bench.forward() is not None
    bench.wait(0.1)
    bench.sack(0)
    assert bench.deadline() == bench.now + bench.path.rto.rto_s


def test_a_message_with_terms_goes_in_the_packet_of_those_before_it() -> None:
    """§6.1 E, and as by the general way: a run of packets has no other ends for it."""
    bench = AbandoningBench()
    bench.enqueue(100, 100)
    bench.give(priority=5)
    assert numbers(bench.flush()) == [[0, 1, 2]]


def test_what_is_abandoned_does_not_part_those_before_it_from_those_after_it() -> None:
    """§6.1 E, likewise: its place in the order of those that wait is not let go of at once."""
    bench = AbandoningBench()
    bench.enqueue(100)
    bench.give(priority=5)
    bench.enqueue(100)
    bench.sender.make_room(100, None)
    assert numbers(bench.flush()) == [[0, 1]]


# -- T3 --


def test_t3_runs_for_what_was_sent_later_when_the_earliest_is_abandoned() -> None:
    """RFC 3758 §3.5 A3: "no longer outstanding", so that §6.3.2 has T3 stand for what is."""
    bench = AbandoningBench()
    bench.give(priority=5)
    bench.flush()
    bench.wait(0.5)
    bench.send(100)
    sent_at_s = bench.now
    bench.wait(0.2)
    bench.sender.make_room(1, None)
    assert bench.deadline() == sent_at_s + bench.path.rto.rto_s


def test_t3_is_not_put_off_when_a_later_one_is_abandoned() -> None:
    bench = AbandoningBench()
    bench.send(100)
    deadline = bench.deadline()
    bench.wait(0.5)
    bench.give(priority=5)
    bench.flush()
    bench.sender.make_room(1, None)
    assert bench.deadline() == deadline


def test_t3_that_began_anew_is_not_brought_forward() -> None:
    """§6.3.2 R3 had it begin anew for all that was left."""
    bench = AbandoningBench(config=Config(rto_min_s=1.0))
    bench.send(100)
    bench.give(priority=5)
    bench.send(100)
    bench.sack(0, after=0.1)
    deadline = bench.deadline()
    assert deadline == bench.now + bench.path.rto.rto_s
    bench.sender.make_room(1, None)
    assert bench.deadline() == deadline


def test_t3_runs_from_when_what_is_left_was_sent_again() -> None:
    bench = AbandoningBench()
    bench.give(PAYLOAD, priority=5)
    bench.send(PAYLOAD)
    bench.wait(1.0)
    assert numbers(bench.lose()) == [[0]]
    bench.path.awaits_ack_after_timeout = False
    bench.cwnd = 2 * PMDCS
    bench.wait(0.3)
    assert numbers(bench.flush()) == [[1]]
    sent_at_s = bench.now
    bench.wait(0.3)
    bench.sender.make_room(1, None)
    assert bench.deadline() == sent_at_s + bench.path.rto.rto_s


def test_t3_runs_for_the_forward_tsn_that_was_sent_before_what_is_left() -> None:
    """RFC 3758 §3.5 C5."""
    bench = AbandoningBench()
    bench.give(priority=5)
    bench.give(priority=4)
    bench.flush()
    bench.wait(0.2)
    bench.sender.make_room(1, 4)
    bench.wait(0.2)
    bench.sender.make_room(1, 3)
    assert bench.deadline() is None
    bench.forward()
    deadline = bench.now + bench.path.rto.rto_s
    assert bench.deadline() == deadline
    bench.wait(0.2)
    bench.send(100)
    bench.give(priority=5)
    bench.flush()
    bench.sender.make_room(1, None)
    assert bench.deadline() == deadline


def test_t3_goes_on_from_the_first_of_the_forward_tsns_that_wait() -> None:
    bench = AbandoningBench()
    deadline = bench.now + bench.path.rto.rto_s
    for _ in range(3):
        bench.give(priority=5)
        bench.flush()
        bench.sender.make_room(1, None)
        assert bench.forward()
        bench.wait(0.3)
    assert bench.deadline() == deadline


def test_what_is_abandoned_leaves_t3_on_other_paths_alone() -> None:
    bench = AbandoningBench(paths=2)
    first, second = bench.paths
    bench.give(priority=5)
    bench.flush()
    bench.wait(0.2)
    bench.table.primary = second
    bench.send(100)
    deadline = bench.deadline(second)
    bench.wait(0.2)
    bench.sender.make_room(1, None)
    assert (bench.deadline(first), bench.deadline(second)) == (None, deadline)


def test_what_is_left_on_the_path_of_an_abandoned_message_is_found_among_that_of_others() -> None:
    bench = AbandoningBench(paths=2)
    first, second = bench.paths
    bench.give(priority=5)
    bench.flush()
    bench.wait(0.2)
    bench.table.primary = second
    bench.send(100)
    bench.wait(0.2)
    bench.table.primary = first
    bench.send(100, 100)
    bench.sender.make_room(1, None)
    assert bench.deadline(first) == bench.now + first.rto.rto_s


def test_the_abandonment_of_each_of_many_costs_the_same_however_many_are_outstanding() -> None:
    def cost(outstanding: int) -> int:
        bench = AbandoningBench(config=Config(max_burst=1000))
        bench.checks = False
        bench.cwnd = 1 << 30
        for place in range(outstanding):
            bench.give(priority=outstanding - place)
        bench.flush()
        assert not bench.sender.queued_bytes
        return instructions(lambda: bench.sender.make_room(outstanding * 100, None))

    assert cost(1000) < 15 * cost(100)


@pytest.mark.parametrize("pr", [True, False])
def test_what_can_give_no_room_is_not_asked_again(pr: bool) -> None:
    """The peer has it, or could not be told that it is abandoned: each message that finds no room would ask all."""

    def cost(outstanding: int) -> int:
        bench = AbandoningBench(config=Config(max_burst=1000), pr=pr)
        bench.checks = False
        bench.cwnd = 1 << 30
        bench.send(100)
        for _ in range(outstanding):
            bench.give(priority=5)
        bench.flush()
        bench.sack(-1, (1, outstanding))
        assert bench.sender.make_room(100, None) == 0
        return instructions(lambda: bench.sender.make_room(100, None))

    assert cost(800) < 2 * cost(100)
