"""What goes out for our user: one chunk at a time, repeated, and ended by whatever ends the association."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.reconfig import Outcome
from aiosctp.core.states import AssociationState
from aiosctp.core.timers import Timer
from aiosctp.events import SendFailed, StreamChange, StreamReset
from aiosctp.exceptions import AssociationLost
from aiosctp.wire.chunks import Data, Heartbeat, HeartbeatAck, ReConfig, Sack, Shutdown
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.core.pair import Pair
from tests.core.reconfig.bench import Resets
from tests.core.reconfig.peer import TSN, ReconfigPeer, parameters_of
from tests.core.scripted import A_RWND, chunks_of, packets_with
from tests.core.test_idle import held_by

R = ReconfigurationResult


def response(peer: ReconfigPeer, result: int, step: int = 0) -> ReconfigurationResponse:
    return ReconfigurationResponse(peer.ours + step & 0xFFFF_FFFF, result)


def test_a_reset_is_asked_for_when_what_was_given_to_the_stream_before_is_acknowledged() -> None:
    """Nothing is in its way at the peer, which does not have to defer it (§5.2.2 E2). Some peers end that only when
    they are asked again, or when more data comes."""
    peer = ReconfigPeer()
    assert parameters_of(peer.user_sends(b"one", b"two", b"three", stream=1)) == []
    request = peer.association.reset_outgoing([1])
    assert parameters_of(peer.touch()) == []
    assert parameters_of(peer.user_sends(b"held", stream=1)) == []
    assert parameters_of(peer.sack(1)) == []
    assert parameters_of(peer.send(Sack(peer.ours, A_RWND, ((2, 2),)))) == []
    assert parameters_of(peer.sack(3)) == [OutgoingSsnResetRequest(peer.ours, TSN - 1, peer.ours + 2, (1,))]
    assert chunks_of(peer.send(ReConfig((response(peer, R.PERFORMED),))), Data) != []
    assert request.outcome is Outcome.DONE


def test_what_is_outstanding_of_other_streams_does_not_hold_it_up() -> None:
    """Nor is it named (A3), as the peer would wait for it."""
    peer = ReconfigPeer()
    peer.user_sends(b"one", stream=1)
    peer.user_sends(b"two", stream=2)
    two = peer.association.reset_outgoing([2])
    one = peer.association.reset_outgoing([1])
    assert parameters_of(peer.user_sends(b"three", stream=3)) == []
    assert parameters_of(peer.sack(1)) == [OutgoingSsnResetRequest(peer.ours, TSN - 1, peer.ours, (1,))]
    assert peer.ask(response(peer, R.PERFORMED)) == []
    assert (one.outcome, two.outcome) == (Outcome.DONE, None)
    assert parameters_of(peer.sack(2)) == [OutgoingSsnResetRequest(peer.ours + 1, TSN - 1, peer.ours + 1, (2,))]
    three = peer.association.reset_outgoing([3])
    assert peer.ask(response(peer, R.PERFORMED, 1)) == []
    assert parameters_of(peer.sack(3)) == [OutgoingSsnResetRequest(peer.ours + 2, TSN - 1, peer.ours + 2, (3,))]
    peer.ask(response(peer, R.PERFORMED, 2))
    assert (two.outcome, three.outcome) == (Outcome.DONE, Outcome.DONE)


def test_a_stream_of_which_nothing_is_outstanding_is_reset_at_once() -> None:
    peer = ReconfigPeer()
    peer.association.reset_outgoing([1])
    packets = peer.user_sends(b"data", stream=2)
    assert len(chunks_of(packets, Data)) == 1
    assert parameters_of(packets) == [OutgoingSsnResetRequest(peer.ours, TSN - 1, peer.ours - 1, (1,))]


def test_what_waits_behind_a_reset_goes_before_the_next_and_is_acknowledged_first() -> None:
    peer = ReconfigPeer()
    peer.association.reset_outgoing([1])
    assert len(parameters_of(peer.touch())) == 1
    peer.user_sends(b"between", stream=1)
    second = peer.association.reset_outgoing([1])
    peer.user_sends(b"after", stream=1)
    packets = peer.send(ReConfig((response(peer, R.PERFORMED),)))
    assert [(chunk.ssn, bytes(chunk.payload)) for chunk in chunks_of(packets, Data)] == [(0, b"between")]
    assert parameters_of(packets) == []
    assert parameters_of(peer.sack(1)) == [OutgoingSsnResetRequest(peer.ours + 1, TSN - 1, peer.ours, (1,))]
    packets = peer.send(ReConfig((response(peer, R.PERFORMED, 1),)))
    assert [(chunk.ssn, bytes(chunk.payload)) for chunk in chunks_of(packets, Data)] == [(0, b"after")]
    assert second.outcome is Outcome.DONE


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


def adds_as_many() -> tuple[ReconfigPeer, AddIncomingStreamsRequest]:
    """We have asked for two more incoming streams, and the peer adds two: maybe because of that, maybe not."""
    peer = ReconfigPeer()
    wish = peer.association.add_incoming_streams(2)
    (asked,) = parameters_of(peer.touch())
    assert isinstance(asked, AddIncomingStreamsRequest)
    peer.ask(AddOutgoingStreamsRequest(TSN, 2))
    assert wish.outcome is Outcome.DONE
    assert parameters_of(peer.wait(5)) == []
    return peer, asked


def test_before_the_next_request_one_that_the_peer_may_never_have_got_is_sent_again() -> None:
    """Of the request that the peer then takes for a new one, it adds two more: our user is told once for each."""
    peer, asked = adds_as_many()
    request = peer.association.reset_outgoing([1])
    assert parameters_of(peer.touch()) == [asked]
    assert parameters_of(peer.wait(1.5)) == [asked]
    assert peer.ask(AddOutgoingStreamsRequest(TSN + 1, 2)) == [ReconfigurationResponse(TSN + 1, R.PERFORMED)]
    (reset,) = peer.ask(response(peer, R.NOTHING_TO_DO))
    assert isinstance(reset, OutgoingSsnResetRequest)
    assert reset.request_sequence_number == peer.ours + 1
    peer.ask(response(peer, R.PERFORMED, 1))
    assert request.outcome is Outcome.DONE
    assert peer.events_of(StreamChange) == [StreamChange(12, 10), StreamChange(14, 10)]


def test_a_heartbeat_tells_that_the_peer_has_it_if_nothing_else_does() -> None:
    """A peer may be silent when a request comes again that it has granted."""
    peer, asked = adds_as_many()
    peer.association.reset_outgoing([1])
    (packet,) = peer.touch()
    assert packet.types == (ReConfig, Heartbeat)
    assert parameters_of(peer.wait(1.5)) == [asked]
    (heartbeat,) = chunks_of([packet], Heartbeat)
    (reset,) = parameters_of(peer.send(HeartbeatAck(heartbeat.info)))
    assert isinstance(reset, OutgoingSsnResetRequest)
    assert reset.request_sequence_number == peer.ours + 1
    assert StreamChange(12, 10) in peer.events_of(StreamChange)


def test_a_response_behind_the_peers_own_request_tells() -> None:
    """usrsctp sends both."""
    peer, _ = adds_as_many()
    assert peer.ask(response(peer, R.PERFORMED)) == []
    peer.association.reset_outgoing([1])
    assert [type(each) for each in parameters_of(peer.touch())] == [OutgoingSsnResetRequest]
    assert peer.events_of(StreamChange) == [StreamChange(12, 10)]


@pytest.mark.parametrize("order", [1, -1])
def test_the_answer_to_its_neighbour_tells_too(order: int) -> None:
    """§3.1, 7: the two came in one chunk, which is repeated whole until then."""
    peer = ReconfigPeer()
    requests = [peer.association.add_outgoing_streams(1), peer.association.add_incoming_streams(2)]
    asked = parameters_of(peer.touch())
    answers: list[ReconfigurationParameter] = [response(peer, R.PERFORMED), AddOutgoingStreamsRequest(TSN, 2)]
    answers = answers[::order]
    peer.ask(answers[0])
    assert parameters_of(peer.wait(1.5)) == asked[order == 1 :]
    peer.ask(answers[1])
    assert [request.outcome for request in requests] == [Outcome.DONE] * 2
    assert parameters_of(peer.wait(5)) == []
    peer.association.reset_outgoing([1])
    assert [type(each) for each in parameters_of(peer.touch())] == [OutgoingSsnResetRequest]


def test_who_asks_again_for_proof_and_hears_nothing_counts_it_as_any() -> None:
    peer, _ = adds_as_many()
    request = peer.association.reset_outgoing([1])
    peer.touch()
    peer.wait(3.5)
    assert peer.path("192.0.2.1").error_count == 2
    peer.wait(1000)
    assert peer.state is AssociationState.CLOSED
    assert request.outcome is Outcome.FAILED


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
    assert peer.association.sender.queue.begun
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


def test_65535_streams_that_were_opened_and_closed_leave_nothing() -> None:
    """X46: entries of streams that are idle and at SSN 0 are dropped, on both sides; whether they are reset each by
    itself, or many at once."""
    everything = Config(outbound_streams=65535)
    resets = Resets(everything, everything)
    resets.z.receiver.use_streams()

    def use(streams: range, *, are_one: bool) -> int:
        """Returns how many objects both sides hold afterwards."""
        for stream in streams:
            resets.send(resets.a, "x", stream=stream)
            if not are_one:
                resets.ask(resets.a.reset_outgoing([stream]), resets.a)
        request = resets.ask(resets.a.reset_outgoing(streams), resets.a)
        heard: list[int] = []
        while request.outcome is None or resets.z.receiver.has_message():
            resets.pair.run_for(5.0)
            for stream in resets.z.receiver.take_arrivals():
                heard += [stream] * resets.read(resets.z, stream).count("x")
                resets.z.receiver.release_stream(stream)
            resets.touch(resets.z)
        assert (sorted(heard), request.outcome) == (list(streams), Outcome.DONE)
        resets.pair.run_for(5.0)
        resets.check()
        resets.pair.log.clear()
        resets.pair.a.events.clear()
        resets.pair.z.events.clear()
        for engine in (resets.a, resets.z):
            engine.give_back()
        return sum(1 for engine in (resets.a, resets.z) for _ in held_by(engine))

    # What is made once is there.
    use(range(100), are_one=False)
    before = use(range(100), are_one=True)
    for start in range(0, 65535, 2500):
        streams = range(start, min(start + 2500, 65535))
        assert abs(use(streams, are_one=start > 0) - before) < 50, "what a hundred streams left"
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


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("texts", [[b"one"], [b"x" * 1000] * 3])
def test_the_last_data_before_a_reset_asks_to_be_acknowledged_at_once(texts: list[bytes], is_on: bool) -> None:
    """§6.1: the reset waits for that, and would wait for the peer's delayed SACK; unless `sack_immediately` is off."""
    peer = ReconfigPeer(Config(sack_immediately=is_on))
    for text in texts:
        peer.association.send(OutgoingMessage(text, 1))
    peer.association.reset_outgoing([1])
    sent = chunks_of(peer.touch(), Data)
    assert [chunk.immediate for chunk in sent] == [False] * (len(texts) - 1) + [is_on]
    assert len(parameters_of(peer.sack(len(texts)))) == 1
    # Another reset may wait for this.
    assert [chunk.immediate for chunk in chunks_of(peer.user_sends(b"meanwhile", stream=2), Data)] == [is_on]
    peer.ask(response(peer, R.PERFORMED))
    peer.sack(len(texts) + 1)
    assert [chunk.immediate for chunk in chunks_of(peer.user_sends(b"after", stream=1), Data)] == [False]
