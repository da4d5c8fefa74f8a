"""RFC 6525 §5.2.3: the peer asks us to reset our outgoing streams, and what happens when both sides do so at once."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.reconfig import Outcome
from aiosctp.core.states import AssociationState
from aiosctp.events import StreamReset
from aiosctp.wire.chunks import Data, Sack
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    DENIED,
    IN_PROGRESS,
    NOTHING_TO_DO,
    PERFORMED,
    REQUEST_IN_PROGRESS,
    STREAMS,
    WRONG_SSN,
    Script,
    data_of,
    established,
    number,
    outgoing_of,
    reconfigs_of,
    requests_of,
    responses_of,
    results_of,
)
from tests.core.scripted import chunks_of


def in_use() -> Script:
    peer = established()
    peer.z_uses(*range(STREAMS))
    return peer


@pytest.mark.parametrize("streams", [(1,), (5, 2, 7), (9, 0), (), tuple(range(STREAMS)), (2, 2)], ids=str)
def test_the_answer_is_our_own_outgoing_request(streams: tuple[int, ...]) -> None:
    """P09, S06: F1, A4: "the stream numbers MUST be copied from the Incoming SSN Reset Request Parameter", its number
    too."""
    peer = in_use()
    request = peer.incoming(*streams)
    packets = peer.ask(request)
    (chunk,) = reconfigs_of(packets)
    (ours,) = outgoing_of(packets)
    # granted: no response beside it
    assert chunk.parameters == (ours,)
    assert ours.streams == streams
    assert ours.request_sequence_number == peer.z_initial_tsn
    assert ours.response_sequence_number == request.request_sequence_number
    assert ours.last_assigned_tsn == number(peer.z_initial_tsn, 2 * STREAMS - 1)
    assert len(chunks_of(packets, Sack)) == 1


def test_the_streams_are_reset_when_the_peer_has_answered() -> None:
    """P09, S06: A1, H4: new data of the streams waits, as for a reset of our own user's."""
    peer = in_use()
    (ours,) = outgoing_of(peer.ask(peer.incoming(1)))
    assert chunks_of(peer.user_sends(b"held", stream=1), Data) == []
    assert data_of(peer.user_sends(b"free", stream=2)) == [(2, 2, b"free")]
    assert data_of(peer.answer(ours)) == [(1, 0, b"held")]
    assert [list(event.outgoing) for event in peer.events_of(StreamReset)] == [[1]]
    assert reconfigs_of(peer.wait(100)) == []


def test_what_the_user_gave_before_goes_before() -> None:
    """P09, S06, X46: F1 follows §5.1.2: what is queued is sent under the old SSNs; "In progress" meanwhile."""
    peer = in_use()
    for n in range(60):
        peer.association.send(OutgoingMessage(bytes([n]) * 1000, stream=1))
    packets = peer.touch()
    request = peer.incoming(1)
    packets += peer.ask(request)
    assert results_of(packets) == [(request.request_sequence_number, IN_PROGRESS)]
    peer.association.send(OutgoingMessage(b"after", stream=1))
    packets += peer.touch()
    while not outgoing_of(packets):
        packets += peer.acknowledge_all()
    sent = chunks_of(packets, Data)
    assert [(chunk.ssn, chunk.payload[0]) for chunk in sent] == [(2 + n, n) for n in range(60)]
    (ours,) = outgoing_of(packets)
    assert ours.last_assigned_tsn == sent[-1].tsn
    assert ours.response_sequence_number == request.request_sequence_number
    assert data_of(peer.answer(ours)) == [(1, 0, b"after")]


def test_the_peer_asks_again_while_our_data_drains() -> None:
    """P09, S06: §5.2.1: "In progress" again; one Outgoing request comes of it."""
    peer = in_use()
    for _ in range(60):
        peer.association.send(OutgoingMessage(bytes(1000), stream=1))
    peer.touch()
    request = peer.incoming(1)
    for _ in range(3):
        assert results_of(peer.ask(request)) == [(request.request_sequence_number, IN_PROGRESS)]
    packets = peer.acknowledge_all()
    while not outgoing_of(packets):
        packets += peer.acknowledge_all()
    (ours,) = outgoing_of(packets)
    peer.ask(request)
    assert set(outgoing_of(peer.heard)) == {ours}


@pytest.mark.parametrize("kind", ["outgoing", "incoming", "add_outgoing", "add_incoming"])
def test_while_it_is_in_progress_another_is_not_begun(kind: str) -> None:
    """P11, S06, X49: Table 3, 4: "Request already in progress": one waits; what need not wait may be done at once."""
    peer = in_use()
    for _ in range(60):
        peer.association.send(OutgoingMessage(bytes(1000), stream=1))
    peer.touch()
    first = peer.incoming(1)
    assert results_of(peer.ask(first)) == [(first.request_sequence_number, IN_PROGRESS)]
    second = getattr(peer, kind)(2)
    packets = peer.ask(second)
    ((answered, result),) = results_of(packets)
    assert answered == second.request_sequence_number
    assert result in ((REQUEST_IN_PROGRESS,) if "incoming" in kind else (REQUEST_IN_PROGRESS, PERFORMED))
    # The first is neither lost nor done twice.
    while not outgoing_of(packets):
        packets = peer.acknowledge_all()
    (ours,) = outgoing_of(packets)
    assert (ours.response_sequence_number, ours.streams) == (first.request_sequence_number, (1,))
    assert peer.outbound_streams == STREAMS


@pytest.mark.parametrize("streams", [(STREAMS,), (1, 0xFFFF)], ids=str)
def test_a_stream_out_of_range_is_a_wrong_ssn(streams: tuple[int, ...]) -> None:
    """P11, S06: Table 3, 3: and nothing is reset."""
    peer = in_use()
    request = peer.incoming(*streams)
    packets = peer.ask(request)
    assert results_of(packets) == [(request.request_sequence_number, WRONG_SSN)]
    assert outgoing_of(packets) == []
    assert data_of(peer.user_sends(b"on", stream=1)) == [(1, 2, b"on")]


def test_the_peer_denies_what_it_asked_for() -> None:
    """P09, S06: H3: what waited goes on under the old SSNs."""
    peer = in_use()
    (ours,) = outgoing_of(peer.ask(peer.incoming(1)))
    peer.user_sends(b"held", stream=1)
    assert data_of(peer.answer(ours, DENIED)) == [(1, 2, b"held")]


def test_our_outgoing_request_is_under_the_timer() -> None:
    """S06: F1, A6: "following the rules given in Section 5.1.1"."""
    peer = in_use()
    (ours,) = outgoing_of(peer.ask(peer.incoming(1)))
    assert outgoing_of(peer.wait(3.5)) == [ours, ours]
    assert peer.path("192.0.2.1").error_count == 2


# -- collisions --


@pytest.mark.parametrize(
    ("ours", "theirs"), [((1, 2), (1,)), ((1, 2), (2, 1)), ((), (3,)), ((), ())], ids=["part", "same", "all", "both"]
)
def test_what_we_have_just_asked_to_reset_is_nothing_to_do(ours: tuple[int, ...], theirs: tuple[int, ...]) -> None:
    """P11, S06: "completely overlaps the received Incoming ...: respond ... that there was "Nothing to do"."""
    peer = in_use()
    request, packets = peer.resets(*ours)
    (sent,) = outgoing_of(packets)
    # Z -> Outgoing -> A crosses A -> Incoming -> Z
    asked = peer.incoming(*theirs)
    packets = peer.ask(asked)
    assert results_of(packets) == [(asked.request_sequence_number, NOTHING_TO_DO)]
    peer.answer(sent)
    assert request.outcome is Outcome.DONE
    assert set(outgoing_of(peer.heard + peer.wait(100))) == {sent}


@pytest.mark.parametrize(("ours", "theirs"), [((1,), (1, 2)), ((1,), (2,)), ((1,), ()), ((1, 2, 3), (3, 4))], ids=str)
def test_what_we_have_not_asked_to_reset_is_processed_normally(ours: tuple[int, ...], theirs: tuple[int, ...]) -> None:
    """P11, S06: "Even in such a situation, the Incoming SSN Reset MUST be processed normally": after ours is answered,
    as no two requests are in flight (§5.1.1)."""
    peer = in_use()
    request, packets = peer.resets(*ours)
    (sent,) = outgoing_of(packets)
    asked = peer.incoming(*theirs)
    packets = peer.ask(asked)
    assert outgoing_of(packets) == []
    assert results_of(packets) == [(asked.request_sequence_number, IN_PROGRESS)]
    packets = peer.answer(sent)
    assert request.outcome is Outcome.DONE
    if not outgoing_of(packets):
        packets += peer.ask(asked)
    (second,) = outgoing_of(packets)
    assert second.streams == theirs
    assert second.response_sequence_number == asked.request_sequence_number
    peer.answer(second)
    for stream in theirs or range(STREAMS):
        assert data_of(peer.user_sends(b"new", stream=stream)) == [(stream, 0, b"new")]
        peer.acknowledge_all()
    check_association(peer.association)


@pytest.mark.parametrize("streams", [(1,), (2, 1)], ids=str)
def test_what_was_just_reset_is_reset_again(streams: tuple[int, ...]) -> None:
    """P11, S06: "the local endpoint could optionally also perform the reset", and with it tells the peer that what it
    sends from then on is of another conversation."""
    peer = in_use()
    _, packets = peer.resets(1, 2)
    peer.answer(outgoing_of(packets)[0])
    asked = peer.incoming(*streams)
    (again,) = outgoing_of(peer.ask(asked))
    assert again.streams == streams
    assert again.response_sequence_number == asked.request_sequence_number


def test_a_stream_used_again_since_is_reset_again() -> None:
    """S06: it is not at 0 any more."""
    peer = in_use()
    _, packets = peer.resets(1)
    peer.answer(outgoing_of(packets)[0])
    peer.z_uses(1, messages=1)
    assert [each.streams for each in outgoing_of(peer.ask(peer.incoming(1)))] == [(1,)]


def test_both_sides_reset_the_same_stream_at_once() -> None:
    """S06: their Outgoing and ours cross: either is performed."""
    peer = in_use()
    peer.a_uses(1)
    request, packets = peer.resets(1)
    theirs = peer.outgoing(1, answers=number(peer.z_initial_tsn, -1))
    assert results_of(peer.ask(theirs)) == [(theirs.request_sequence_number, PERFORMED)]
    peer.answer(outgoing_of(packets)[0])
    assert request.outcome is Outcome.DONE
    assert data_of(peer.user_sends(b"new", stream=1)) == [(1, 0, b"new")]
    peer.says(b"new", 1, 0)
    assert peer.reads() == [(1, b"new")]


def test_both_sides_ask_each_other_at_once() -> None:
    """S06: their Incoming and ours cross: ours is in flight, so our Outgoing request has to wait, or theirs is refused;
    when ours is decided theirs can be."""
    peer = in_use()
    request, packets = peer.asks_for_reset(1)
    (ours,) = requests_of(packets)
    asked = peer.incoming(1)
    packets = peer.ask(asked)
    assert outgoing_of(packets) == []
    ((answered, result),) = results_of(packets)
    assert answered == asked.request_sequence_number
    assert result in (IN_PROGRESS, DENIED, REQUEST_IN_PROGRESS)
    packets = peer.answer(ours, DENIED)
    assert request.outcome is Outcome.DENIED
    if result == IN_PROGRESS:
        packets += peer.ask(asked)
        (second,) = set(outgoing_of(packets))
        assert (second.response_sequence_number, second.streams) == (asked.request_sequence_number, (1,))
        peer.answer(second)
        assert data_of(peer.user_sends(b"new", stream=1)) == [(1, 0, b"new")]


def test_both_sides_ask_for_a_reset_of_the_association_at_once() -> None:
    """S06, P10: theirs comes while ours is in flight: neither hangs, nor ends the association."""
    peer = in_use()
    request, packets = peer.resets_association()
    theirs = peer.ssn_tsn()
    answers = responses_of(peer.ask(theirs))
    assert len(answers) == 1
    assert answers[0].response_sequence_number == theirs.request_sequence_number
    (ours,) = requests_of(packets)
    peer.answer(ours, DENIED)
    assert request.outcome is Outcome.DENIED
    assert peer.state is AssociationState.ESTABLISHED
    assert len(chunks_of(peer.user_sends(b"goes on"), Data)) == 1
    check_association(peer.association)


def test_a_flood_of_incoming_requests_makes_one_outgoing_request_at_a_time() -> None:
    """X49: a thousand of them, each with the next number, and none of ours is answered."""
    peer = in_use()
    for n in range(1000):
        packets = peer.ask(peer.incoming(n % STREAMS))
        assert len(packets) <= 1
    assert len(set(outgoing_of(peer.heard))) == 1
    check_association(peer.association)
    (ours,) = set(outgoing_of(peer.heard))
    peer.answer(ours)
    # what is left of the flood is bounded too
    for _ in range(20):
        for each in set(outgoing_of(peer.heard)):
            peer.answer(each)
    assert len(set(outgoing_of(peer.heard))) <= 3
    check_association(peer.association)
