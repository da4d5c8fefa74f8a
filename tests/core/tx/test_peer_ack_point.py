"""The Advanced.Peer.Ack.Point and FORWARD TSN (RFC 3758 §3.5), I-FORWARD-TSN (RFC 8260 §2.3.1)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from tests.core.tx.abandoning import AbandoningBench
from tests.core.tx.bench import PAYLOAD, numbers

NO_BURST_LIMIT = Config(rto_min_s=0.05, max_burst=10_000)


def bench_with(count: int, *, idata: bool = False, streams: int = 1, unordered: bool = False) -> AbandoningBench:
    """So many small messages in flight, each in a chunk, that are abandoned when they are lost."""
    bench = AbandoningBench(idata=idata, config=NO_BURST_LIMIT)
    bench.cwnd = 1_000_000
    for number in range(count):
        bench.give(stream=number % streams, retransmits=0, unordered=unordered)
    bench.flush()
    return bench


def test_the_point_stops_at_what_is_not_abandoned() -> None:
    """C2: "as long as the chunk next in the out-queue space is marked as "abandoned""."""
    bench = AbandoningBench()
    bench.give(retransmits=0)
    bench.give(retransmits=0)
    bench.enqueue(100)
    bench.give(retransmits=0)
    bench.flush()
    bench.expire()
    assert bench.forward() == (1, [(0, 1)])
    assert numbers(bench.flush()) == [[2]]
    bench.sack(2)
    assert bench.forward() == (3, [(0, 3)])
    bench.sack(3)
    assert bench.sender.is_drained


def test_each_stream_is_named_once_with_its_largest_ssn() -> None:
    """C4: "only the highest abandoned stream sequence number is reported"."""
    bench = bench_with(6, streams=3)
    bench.expire()
    assert bench.forward() == (5, [(0, 1), (1, 1), (2, 1)])


def test_what_is_acknowledged_is_named_no_more() -> None:
    bench = AbandoningBench()
    for stream in (1, 2, 3):
        bench.give(stream=stream, retransmits=0)
    bench.flush()
    bench.expire()
    bench.sack(0)
    assert bench.forward() == (2, [(2, 0), (3, 0)])


def test_unordered_messages_are_not_named_with_data() -> None:
    """C4: "if the chunk has a valid stream and sequence number (i.e., it was ordered)"."""
    bench = bench_with(2, unordered=True)
    bench.expire()
    assert bench.forward() == (1, [])


def test_unordered_messages_are_named_with_i_data() -> None:
    """RFC 8260 §2.3.1: "the principle applied to ordered messages ... is applied to ordered and unordered messages"."""
    bench = AbandoningBench(idata=True)
    for unordered in (True, False, True):
        bench.give(stream=4, retransmits=0, unordered=unordered)
    bench.flush()
    bench.expire()
    assert bench.forward() == (2, [(4, False, 0), (4, True, 1)])


@pytest.mark.parametrize("idata", [False, True])
def test_the_point_goes_as_far_as_fits_a_packet(idata: bool) -> None:
    """C4: "SHOULD lower the Advanced.Peer.Ack.Point to the last TSN that will fit in a single MTU"."""
    most = (1460 - 8) // (8 if idata else 4)
    bench = bench_with(most + 10, idata=idata, streams=most + 10)
    bench.expire()
    first = bench.forward()
    assert first is not None
    assert first[0] == most - 1
    assert len(first[1]) == most
    bench.sack(most - 1)
    second = bench.forward()
    assert second is not None
    assert second[0] == most + 9
    assert len(second[1]) == 10
    bench.sack(most + 9)
    assert bench.sender.is_drained


def test_what_does_not_fit_is_no_part_of_a_message() -> None:
    """X43: a FORWARD TSN ends with a message."""
    most = (1460 - 8) // 4
    bench = AbandoningBench(config=NO_BURST_LIMIT)
    bench.cwnd = 10_000_000
    for stream in range(most + 2):
        bench.give(2 * PAYLOAD, stream=stream, retransmits=0)
    bench.flush()
    bench.expire()
    forward = bench.forward()
    assert forward is not None
    assert forward[0] == 2 * most - 1


def test_a_forward_tsn_is_sent_once_for_what_it_says() -> None:
    bench = bench_with(2)
    bench.expire()
    assert bench.forward() is not None
    assert bench.forward() is None


def test_it_goes_again_when_t3_expires() -> None:
    """C5, A5."""
    bench = bench_with(2)
    bench.expire()
    assert bench.forward() == (1, [(0, 1)])
    for _ in range(3):
        assert bench.expire()
        assert bench.forward() == (1, [(0, 1)])
    bench.sack(1)
    assert bench.deadline() is None
    assert bench.sender.take_acknowledged_paths() == (bench.path,)


def test_it_goes_again_to_another_path() -> None:
    """§6.4: what timed out."""
    bench = AbandoningBench(paths=2)
    bench.give(retransmits=0)
    bench.flush()
    bench.expire()
    assert bench.forward() is not None
    assert bench.path_of_forward is bench.path
    bench.expire()
    assert bench.forward() is not None
    assert bench.path_of_forward is bench.paths[1]
    assert bench.deadline(bench.path) is None
    bench.sack(0)
    assert bench.deadline(bench.paths[1]) is None
    assert bench.sender.take_acknowledged_paths() == (bench.paths[1],)


def test_a_sack_that_does_not_know_of_it_has_it_repeated_after_a_round_trip() -> None:
    """C3: "MUST send"; F2, Note: "waiting a full RTT before sending a duplicate"."""
    bench = AbandoningBench()
    bench.send(100)
    bench.sack(0, after=0.2)
    bench.give(retransmits=0)
    bench.flush()
    bench.expire()
    assert bench.forward() == (1, [(0, 1)])
    bench.sack(0, after=0.1)
    assert bench.forward() is None
    bench.sack(0, after=0.1)
    assert bench.forward() == (1, [(0, 1)])


def test_a_sack_that_comes_late_is_taken_as_any() -> None:
    """F4: "the comparison MUST NOT be made against "Advanced.Peer.Ack.Point""."""
    bench = bench_with(4)
    bench.expire()
    assert bench.forward() == (3, [(0, 3)])
    bench.sack(1)
    assert bench.sender.unacknowledged_chunks == 2


def test_the_peer_may_have_had_what_was_abandoned() -> None:
    """Nothing is taken twice out of flight, and cwnd does not grow."""
    bench = AbandoningBench()
    for _ in range(3):
        bench.give(PAYLOAD, priority=7)
    bench.enqueue(PAYLOAD)
    bench.flush()
    cwnd = bench.cwnd
    bench.sender.make_room(2 * PAYLOAD, None)
    assert bench.failed() == [(3, True), (2, True)]
    bench.sack(-1, (1, 2))
    assert bench.cwnd == cwnd
    bench.sack(-1, (1, 1))
    bench.sack(0)
    assert bench.forward() == (2, [(0, 2)])
    bench.sack(3)
    assert bench.sender.is_drained


def test_a_round_trip_is_not_measured_by_what_was_abandoned() -> None:
    bench = AbandoningBench()
    bench.give(priority=3)
    bench.flush()
    bench.sender.make_room(1, None)
    bench.wait(0.7)
    bench.sack(0)
    assert bench.path.rto.srtt_s is None


def test_miss_indications_pass_over_what_is_abandoned() -> None:
    bench = AbandoningBench(config=NO_BURST_LIMIT)
    bench.cwnd = 100_000
    bench.give(PAYLOAD, priority=3)
    bench.send(*([PAYLOAD] * 6))
    bench.sender.make_room(1, None)
    for last in (2, 3, 4, 5):
        bench.sack(-1, (1, last))
    assert not bench.sender.in_fast_recovery
    assert numbers(bench.flush()) == []


def test_t3_is_restarted_by_the_earliest_that_is_not_abandoned() -> None:
    """§6.3.2 R3: the abandoned chunk before it is outstanding no longer."""
    bench = AbandoningBench()
    bench.give(priority=3)
    bench.send(PAYLOAD, PAYLOAD)
    before = bench.deadline()
    bench.sender.make_room(1, None)
    bench.sack(-1, (1, 1), after=0.1)
    assert before is not None
    assert bench.deadline() == bench.now + bench.path.rto.rto_s


def test_t3_is_restarted_when_the_earliest_that_is_not_abandoned_goes_again() -> None:
    """§6.1: "MUST restart the timer if the earliest (i.e., lowest TSN) outstanding DATA chunk ... is being
    retransmitted"."""
    bench = AbandoningBench(config=NO_BURST_LIMIT)
    bench.cwnd = 100_000
    bench.give(PAYLOAD, priority=3)
    bench.send(*([PAYLOAD] * 6))
    for last in (2, 3, 4):
        bench.sack(-1, (2, last))
    bench.sender.make_room(1, None)
    bench.wait(0.2)
    assert [1] in numbers(bench.flush())
    assert bench.deadline() == bench.now + bench.path.rto.rto_s


def test_data_flows_again_when_a_forward_tsn_is_acknowledged() -> None:
    """§7.2.3: "until ... acknowledgement" for what was sent after T3."""
    bench = bench_with(1)
    bench.expire()
    assert bench.path.awaits_ack_after_timeout
    bench.forward()
    bench.sack(0)
    assert not bench.path.awaits_ack_after_timeout


def test_a_stream_is_not_forgotten_while_abandoned_chunks_are_its() -> None:
    bench = AbandoningBench()
    bench.give(stream=1, unordered=True, retransmits=0)
    bench.flush()
    bench.expire()
    assert not bench.sender.queue.forget_stream(1)
    assert bench.forward() is not None
    bench.sack(0)
    assert bench.sender.queue.forget_stream(1)


def test_bookkeeping_holds_over_many_losses() -> None:
    """All at once: streams, sizes, policies, gaps, timeouts, with and without I-DATA."""
    for idata in (False, True):
        bench = AbandoningBench(idata=idata)
        bench.sender.queue.set_scheduler("rr")
        given = set()
        failed: list[int] = []
        for step in range(400):
            policy = ({"lifetime": 0.3}, {"retransmits": step % 3}, {"priority": step % 5})[step % 3]
            given.add(bench.give(100 + step * 37 % 5000, stream=step % 4, unordered=step % 7 == 0, **policy))
            bench.flush()
            bench.forward()
            outstanding = bench.sender.outstanding
            first = outstanding.cumulative - 0xFFFF_FFF0
            if step % 5 == 1 and len(outstanding) > 4:
                bench.sack(first, (first + 3, first + len(outstanding)))
            elif step % 5 == 3 and outstanding:
                bench.sack(first + min(3, len(outstanding)))
            elif step % 11 == 0 and bench.deadline() is not None:
                bench.expire()
            elif step % 13 == 0:
                bench.sender.make_room(3000, 2)
            bench.wait(0.02)
            failed += [each for each, _ in bench.failed()]
        for _ in range(200):
            if bench.sender.is_drained:
                break
            bench.flush()
            bench.forward()
            bench.sack(bench.sender.outstanding.highest - 0xFFFF_FFF0)
            bench.wait(1.0)
        failed += [each for each, _ in bench.failed()]
        assert bench.sender.is_drained
        assert len(failed) == len(set(failed)) > 20
        assert set(failed) < given
