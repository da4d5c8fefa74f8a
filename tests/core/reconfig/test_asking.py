"""What goes out for our user: one chunk at a time, repeated, and ended by whatever ends the association."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from aiosctp.config import Config
from aiosctp.core.reconfig import Outcome
from aiosctp.core.states import AssociationState
from aiosctp.core.timers import Timer
from aiosctp.events import SendFailed, StreamReset
from aiosctp.exceptions import AssociationLost
from aiosctp.wire.chunks import Data, ReConfig, Shutdown
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import (
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.core.pair import Pair
from tests.core.reconfig.bench import Resets
from tests.core.reconfig.peer import TSN, ReconfigPeer, parameters_of
from tests.core.scripted import chunks_of, packets_with

R = ReconfigurationResult


def response(peer: ReconfigPeer, result: int, step: int = 0) -> ReconfigurationResponse:
    return ReconfigurationResponse(peer.ours + step & 0xFFFF_FFFF, result)


def test_it_goes_in_the_flush_of_the_data_that_made_it_ready() -> None:
    peer = ReconfigPeer()
    request = peer.association.reset_outgoing([1])
    packets = peer.user_sends(b"before", stream=2)
    assert len(chunks_of(packets, Data)) == 1
    assert parameters_of(packets) == [OutgoingSsnResetRequest(peer.ours, TSN - 1, peer.ours, (1,))]
    assert peer.ask(response(peer, R.PERFORMED)) == []
    assert request.outcome is Outcome.DONE


def test_one_chunk_with_requests_is_in_flight() -> None:
    """§5.1.1: "there MUST NOT be more than one request in flight"."""
    peer = ReconfigPeer()
    first = peer.association.reset_outgoing([1])
    assert len(parameters_of(peer.touch())) == 1
    second = peer.association.reset_incoming([2])
    third = peer.association.add_outgoing_streams(1)
    assert parameters_of(peer.touch()) == []
    assert parameters_of(peer.send(ReConfig((response(peer, R.DENIED),)))) == [
        IncomingSsnResetRequest(peer.ours + 1, (2,))
    ]
    assert len(peer.ask(response(peer, R.WRONG_SSN, 1))) == 1
    peer.ask(response(peer, R.PERFORMED, 2))
    outcomes = [first.outcome, second.outcome, third.outcome]
    assert outcomes == [Outcome.DENIED, Outcome.FAILED, Outcome.DONE]


def test_unanswered_it_is_repeated_under_backoff_until_the_peer_is_lost() -> None:
    """§5.1.1: the RTO, doubled at every expiration; "increment the appropriate error counts"."""
    peer = ReconfigPeer(Config(association_max_retrans=3, heartbeat=False))
    request = peer.association.reset_outgoing([1])
    peer.touch()
    packets = packets_with(peer.wait(100.0), ReConfig)
    times = [packet.at - 1000.0 for packet in packets]
    assert times == pytest.approx([1.0, 3.0, 7.0])
    assert len({packet.chunks for packet in packets}) == 1
    assert isinstance(peer.association.ending, AssociationLost)
    assert request.outcome is Outcome.FAILED


def test_in_progress_is_asked_for_again_without_counting_errors() -> None:
    """H2: "the RE-CONFIG chunk MUST be retransmitted but the corresponding error counters MUST NOT be incremented"."""
    peer = ReconfigPeer(Config(association_max_retrans=2, heartbeat=False, rto_max_s=2.0))
    request = peer.association.reset_outgoing([1])
    peer.touch()
    for _ in range(10):
        peer.ask(response(peer, R.IN_PROGRESS))
        assert packets_with(peer.wait(2.1), ReConfig)
    assert peer.association.failure.error_count == 0
    peer.ask(response(peer, R.PERFORMED))
    assert request.outcome is Outcome.DONE
    assert not peer.association.timers.is_running(Timer.RECONFIG)


def test_of_two_requests_only_what_is_unanswered_is_repeated() -> None:
    peer = ReconfigPeer()
    peer.association.reset_outgoing([1])
    peer.association.reset_incoming([1])
    assert len(parameters_of(peer.touch())) == 2
    peer.ask(response(peer, R.PERFORMED))
    assert parameters_of(peer.wait(1.5)) == [IncomingSsnResetRequest(peer.ours + 1, (1,))]


def test_the_numbers_wrap() -> None:
    peer = ReconfigPeer()
    asking = peer.association.reconfiguration.asking
    asking.next_number = 0xFFFF_FFFF
    for number in (0xFFFF_FFFF, 0, 1):
        peer.association.reset_outgoing([1])
        (asked,) = parameters_of(peer.touch())
        assert isinstance(asked, OutgoingSsnResetRequest)
        assert asked.request_sequence_number == number
        peer.ask(ReconfigurationResponse(number, R.PERFORMED))


def test_a_number_that_the_peer_never_got_is_used_again() -> None:
    """The peer adds as many streams as we have asked for, of its own accord: our request, which bears no answer's
    number, was lost."""
    peer = ReconfigPeer()
    wish = peer.association.add_incoming_streams(2)
    peer.touch()
    peer.ask(AddOutgoingStreamsRequest(TSN, 2))
    assert wish.outcome is Outcome.DONE
    request = peer.association.reset_outgoing([1])
    assert [type(each) for each in parameters_of(peer.touch())] == [OutgoingSsnResetRequest]
    again = parameters_of(peer.send(ReConfig((response(peer, R.BAD_SEQUENCE_NUMBER, 1),))))
    assert again == [OutgoingSsnResetRequest(peer.ours, TSN, peer.ours - 1 & 0xFFFF_FFFF, (1,))]
    peer.ask(response(peer, R.PERFORMED))
    assert request.outcome is Outcome.DONE


def test_an_answer_to_nothing_is_nothing() -> None:
    """H1."""
    peer = ReconfigPeer()
    assert peer.ask(response(peer, R.PERFORMED)) == []
    peer.association.reset_outgoing([1])
    peer.touch()
    peer.ask(response(peer, R.PERFORMED))
    peer.ask(response(peer, R.DENIED))
    assert peer.events_of(StreamReset) == [StreamReset((), (1,))]


def test_the_association_is_aborted_when_the_tsns_it_was_reset_to_are_not_said() -> None:
    peer = ReconfigPeer()
    request = peer.association.reset_association()
    assert parameters_of(peer.touch()) == [SsnTsnResetRequest(peer.ours)]
    peer.send(ReConfig((response(peer, R.PERFORMED),)))
    assert peer.state is AssociationState.CLOSED
    assert request.outcome is Outcome.FAILED


def test_a_message_that_was_begun_is_finished_before_the_tsns_are_reset() -> None:
    peer = ReconfigPeer()
    peer.user_sends(bytes(30_000), b"next")
    assert peer.association.sender.queue.is_begun
    peer.association.reset_association()
    peer.touch()
    for count in range(2, 40, 2):
        if peer.association.sender.is_silent:
            break
        assert parameters_of(peer.heard) == []
        peer.sack(min(count, peer.association.sender.unacknowledged_chunks + count - 2))
    assert parameters_of(peer.heard) == [SsnTsnResetRequest(peer.ours)]
    assert peer.association.sender.buffered_bytes == len(b"next")


def test_the_end_fails_what_is_under_way_and_returns_what_was_held() -> None:
    peer = ReconfigPeer()
    requests = [peer.association.reset_outgoing([1]), peer.association.reset_association()]
    peer.touch()
    peer.user_sends(b"held", stream=1)
    peer.user_sends(b"other", stream=2)
    peer.events.clear()
    peer.user_aborts()
    assert [request.outcome for request in requests] == [Outcome.FAILED] * 2
    assert b"held" in [event.data for event in peer.events_of(SendFailed)]
    assert peer.association.sender.buffered_bytes == 0
    kinds = [type(event).__name__ for event in peer.events]
    assert kinds.index("StreamReset") < kinds.index("AssociationChange")


def test_a_restart_fails_what_is_under_way_and_begins_all_numbers_anew() -> None:
    """X08: §4.1: "initialized to the same value as the initial TSN", of the association that is."""
    resets = Resets()
    for _ in range(3):
        resets.finish(resets.ask(resets.a.reset_outgoing([1]), resets.a))
    resets.lose(lambda chunk: True)
    request = resets.ask(resets.z.reset_outgoing([1]), resets.z)
    resets.send(resets.z, "held", stream=1)
    resets.pair.run_for(0.1)
    resets.pair.drop = lambda flight: False
    # A dies, and comes back.
    resets.pair.a = Pair(seed=99).a
    again = resets.pair.connect()
    resets.pair.run_until(lambda: again.state is AssociationState.ESTABLISHED)
    resets.pair.run_for(1.0)
    assert request.outcome is Outcome.FAILED
    assert resets.z.reconfig is None
    resets.pair.log.clear()
    resets.a = again
    requests = [resets.ask(engine.reset_outgoing([1]), engine) for engine in (resets.a, resets.z)]
    assert resets.finish(*requests) == [Outcome.DONE] * 2
    for engine in (resets.a, resets.z):
        asked = next(each for chunk in resets.said(engine) for each in chunk.parameters)
        assert isinstance(asked, OutgoingSsnResetRequest)
        assert asked.request_sequence_number == engine.tcb.local_initial_tsn


def test_a_reset_of_a_stream_with_unacknowledged_data_loses_nothing() -> None:
    """X46, X54: what was queued goes on after the answer; nothing of the stream is kept once all is acknowledged."""
    resets = Resets()
    resets.pair.drop = lambda flight: resets.pair.random.random() < 0.2
    told: list[str] = []
    for turn in range(20):
        for number in range(5):
            told.append(f"{turn}/{number}")
            resets.send(resets.a, told[-1], stream=1)
        resets.ask(resets.a.reset_outgoing([1]), resets.a)
        resets.pair.run_for(0.1)
    resets.pair.run_until(lambda: resets.a.sender.is_drained and resets.a.sender.queue.held is None)
    resets.pair.drop = lambda flight: False
    resets.pair.run_for(30.0)
    resets.check()
    assert resets.read(resets.z) == told
    assert resets.a.sender.queue.by_number == {}
    assert resets.z.receiver._streams.expected_ssns == {}


def test_streams_reset_one_after_the_other_leave_the_memory_as_it_was() -> None:
    """X46: entries of streams that are idle and at SSN 0 are dropped, on both sides."""
    everything = Config(outbound_streams=65535)
    resets = Resets(everything, everything)
    resets.z.receiver.use_streams()

    def use(streams: range) -> None:
        for stream in streams:
            resets.send(resets.a, "x" * 100, stream=stream)
            resets.ask(resets.a.reset_outgoing([stream]), resets.a)
        resets.pair.run_for(3.0)
        for stream in resets.z.receiver.take_arrivals():
            assert resets.read(resets.z, stream) == ["x" * 100, "|"]
            resets.z.receiver.release_stream(stream)
        resets.pair.run_for(3.0)
        resets.pair.log.clear()
        resets.pair.a.events.clear()
        resets.pair.z.events.clear()
        gc.collect()

    use(range(1000))
    tracemalloc.start()
    try:
        use(range(1000, 2000))
        before, _ = tracemalloc.get_traced_memory()
        for start in range(2000, 8000, 1000):
            use(range(start, start + 1000))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert resets.a.sender.queue.by_number == {}


@pytest.mark.parametrize("state", [AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT])
def test_a_shutdown_ends_with_requests_under_way(state: AssociationState) -> None:
    peer = ReconfigPeer()
    request = peer.association.reset_incoming([1])
    peer.touch()
    if state is AssociationState.SHUTDOWN_PENDING:
        peer.user_sends(b"outstanding")
    peer.user_shuts_down()
    assert peer.state is state
    peer.send(Shutdown(peer.ours if state is AssociationState.SHUTDOWN_PENDING else peer.ours - 1))
    assert request.outcome is None
    peer.wait(400.0)
    assert peer.state is AssociationState.CLOSED
    assert request.outcome is Outcome.FAILED
