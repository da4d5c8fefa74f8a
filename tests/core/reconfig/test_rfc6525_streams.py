"""RFC 6525 §5.1.5, §5.1.6, §5.2.5, §5.2.6, §5.2.7 H6: adding streams."""

from __future__ import annotations

import pytest

from aiosctp.core.reconfig import Outcome
from aiosctp.core.states import AssociationState
from aiosctp.events import StreamChange
from aiosctp.wire.chunks import Sack
from aiosctp.wire.codepoints import CauseCode
from aiosctp.wire.reconfig import AddIncomingStreamsRequest, AddOutgoingStreamsRequest, OutgoingSsnResetRequest
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    BAD_SEQUENCE_NUMBER,
    DENIED,
    FAILURE,
    IN_PROGRESS,
    NOTHING_TO_DO,
    PERFORMED,
    QUIET,
    REQUEST_IN_PROGRESS,
    STREAMS,
    causes_of,
    data_of,
    established,
    number,
    reconfigs_of,
    requests_of,
    responses_of,
    results_of,
)
from tests.core.scripted import chunks_of

# -- asking for outgoing ones (§5.1.5) --


def test_an_add_outgoing_request_says_what_it_must() -> None:
    """P12: the next number, and how many more."""
    peer = established()
    _, packets = peer.adds_outgoing(3)
    (chunk,) = reconfigs_of(packets)
    assert chunk.parameters == (AddOutgoingStreamsRequest(peer.z_initial_tsn, 3),)


def test_new_streams_are_there_when_the_answer_is() -> None:
    """P12, S06: "MUST await a positive acknowledgment (Success) before using any additional stream", H6: "MUST add"."""
    peer = established()
    request, packets = peer.adds_outgoing(3)
    assert peer.outbound_streams == STREAMS
    (asked,) = requests_of(packets)
    peer.answer(asked, IN_PROGRESS)
    assert (peer.outbound_streams, request.outcome) == (STREAMS, None)
    peer.answer(asked)
    assert (peer.outbound_streams, request.outcome) == (STREAMS + 3, Outcome.DONE)
    assert peer.events_of(StreamChange)[-1].outgoing == STREAMS + 3


def test_a_new_outgoing_stream_begins_at_ssn_0() -> None:
    """P12, S06: "A new stream MUST use SSN 0 for its first ordered message"; "adjacent ... with no gaps"."""
    peer = established()
    peer.z_uses(9)
    _, packets = peer.adds_outgoing(2)
    peer.answer(requests_of(packets)[0])
    sent = peer.user_sends(b"new", stream=10) + peer.user_sends(b"new", stream=11) + peer.user_sends(b"old", stream=9)
    assert data_of(sent) == [(10, 0, b"new"), (11, 0, b"new"), (9, 2, b"old")]


@pytest.mark.parametrize("result", [*FAILURE, 7])
def test_what_is_refused_adds_no_outgoing_streams(result: int) -> None:
    """P12, S06: H3."""
    peer = established()
    request, packets = peer.adds_outgoing(3)
    peer.answer(requests_of(packets)[0], result)
    assert peer.outbound_streams == STREAMS
    assert request.outcome is (Outcome.DENIED if result == DENIED else Outcome.FAILED)
    (event,) = peer.events_of(StreamChange)
    assert (event.outgoing, event.denied, event.failed) == (STREAMS, result == DENIED, result != DENIED)


def test_the_answer_repeated_adds_nothing_more() -> None:
    """P12, S06: H1: "the processing of the Re-configuration Response Parameter is complete"."""
    peer = established()
    _, packets = peer.adds_outgoing(3)
    for _ in range(3):
        peer.answer(requests_of(packets)[0])
    assert peer.outbound_streams == STREAMS + 3


# -- asking for incoming ones (§5.1.6) --


def test_an_add_incoming_request_says_what_it_must() -> None:
    """P13: the next number, and how many more."""
    peer = established()
    _, packets = peer.adds_incoming(4)
    (chunk,) = reconfigs_of(packets)
    assert chunk.parameters == (AddIncomingStreamsRequest(peer.z_initial_tsn, 4),)


@pytest.mark.parametrize("response_first", [False, True])
def test_the_peers_add_outgoing_request_is_the_answer(response_first: bool) -> None:
    """P12, P13, S06: §5.2.6: "either send a response parameter denying the request or ... a corresponding Add Outgoing
    Streams Request": some send a response as well. What is asked again meanwhile gets the same chunk (§5.2.1)."""
    peer = established()
    request, packets = peer.adds_incoming(4)
    if response_first:
        peer.answer(requests_of(packets)[0])
    # A -> RE-CONFIG [Add Outgoing Streams] -> Z, Z -> RE-CONFIG [Response] -> A
    theirs = peer.add_outgoing(4)
    packets = peer.ask(theirs)
    assert results_of(packets) == [(theirs.request_sequence_number, PERFORMED)]
    for _ in range(3):
        if requests_of(packets):
            peer.ask(theirs)
        packets = peer.wait(2)
    assert peer.inbound_streams == STREAMS + 4
    assert request.outcome is Outcome.DONE
    assert reconfigs_of(peer.wait(100)) == []
    # "A new stream MUST use SSN 0 for its first ordered message"
    peer.says(b"new", 13, 0)
    assert peer.reads() == [(13, b"new")]
    assert peer.events_of(StreamChange)[-1].incoming == STREAMS + 4


def test_an_add_outgoing_request_of_the_peers_own_is_no_proof_that_ours_arrived() -> None:
    """P13, S06: it names no number of ours. If ours was lost, its number is the next that the peer expects: it MUST
    be retransmitted (§5.1.1); under its number, which "is used to identify the request" (§4.6), no other may go: the
    lost one may still arrive, and the other would get its answer (§5.2.1)."""
    peer = established()
    _, packets = peer.adds_incoming(4)
    expected = peer.z_initial_tsn
    # A, which has not heard of it, adds as many on its own.
    theirs = peer.add_outgoing(4)
    packets = peer.ask(theirs)
    assert results_of(packets) == [(theirs.request_sequence_number, PERFORMED)]
    request, more = peer.resets(1)
    packets += more
    for _ in range(20):
        heard, packets = requests_of(packets), []
        for each in heard:
            if each.request_sequence_number != expected:
                packets += peer.answer(each, BAD_SEQUENCE_NUMBER)
                continue
            expected = number(expected, 1)
            if isinstance(each, AddIncomingStreamsRequest):
                packets += peer.ask(peer.add_outgoing(each.new_streams))
            else:
                packets += peer.answer(each)
        packets = packets or peer.wait(2)
    assert request.outcome is Outcome.DONE
    by_number = {(each.request_sequence_number, each) for each in requests_of(peer.heard)}
    assert len(by_number) == len({number for number, _ in by_number})


@pytest.mark.parametrize("result", [result for result in FAILURE if result != REQUEST_IN_PROGRESS])
def test_what_is_refused_adds_no_incoming_streams(result: int) -> None:
    """P13, S06: H3."""
    peer = established()
    request, packets = peer.adds_incoming(4)
    peer.answer(requests_of(packets)[0], result)
    assert peer.inbound_streams == STREAMS
    assert request.outcome is (Outcome.DENIED if result == DENIED else Outcome.FAILED)
    assert reconfigs_of(peer.wait(100)) == []
    assert causes_of(peer.says(b"none", STREAMS, 0)) == [CauseCode.INVALID_STREAM_IDENTIFIER]


# -- being asked for the peer's outgoing ones (§5.2.5) --


def test_the_peer_may_add_outgoing_streams() -> None:
    """P12, S06: "MUST add the requested number of inbound streams ..., initializing the next expected SSN to 0"."""
    peer = established()
    peer.a_uses(9)
    request = peer.add_outgoing(3)
    packets = peer.ask(request)
    assert results_of(packets) == [(request.request_sequence_number, PERFORMED)]
    # §5.2.1: "a selective acknowledgment (SACK) chunk SHOULD be sent back"
    assert len(chunks_of(packets, Sack)) == 1
    assert peer.inbound_streams == STREAMS + 3
    peer.says(b"second", 12, 1)
    assert peer.reads() == []
    peer.says(b"first", 12, 0)
    assert peer.reads() == [(12, b"first"), (12, b"second")]
    assert causes_of(peer.says(b"none", 13, 0)) == [CauseCode.INVALID_STREAM_IDENTIFIER]
    assert [event.incoming for event in peer.events_of(StreamChange)] == [STREAMS + 3]


def test_a_retransmission_adds_nothing_more() -> None:
    """P12, S06: §5.2.1: the same answer, once more; nothing is done twice."""
    peer = established()
    request = peer.add_outgoing(3)
    answers = [reconfigs_of(peer.ask(request)) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert peer.inbound_streams == STREAMS + 3
    assert len(peer.events_of(StreamChange)) == 1


@pytest.mark.parametrize(("count", "is_denied"), [(5, False), (6, True), (65535, True)])
def test_more_inbound_streams_than_the_limit_are_denied(count: int, is_denied: bool) -> None:
    """P12, S06: "SHOULD deny the request if the number of streams exceeds a limit that should be configurable"."""
    peer = established(QUIET.replace(max_inbound_streams=15))
    request = peer.add_outgoing(count)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, DENIED if is_denied else PERFORMED)]
    assert peer.inbound_streams == STREAMS + (0 if is_denied else count)


def test_no_more_streams_than_there_are_numbers() -> None:
    """P12, X49: 65535 in all, whatever is asked for, and in however many requests."""
    peer = established()
    request = peer.add_outgoing(65525)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]
    for count in (1, 2, 65535):
        request = peer.add_outgoing(count)
        assert results_of(peer.ask(request)) == [(request.request_sequence_number, DENIED)]
    assert peer.inbound_streams == 65535


@pytest.mark.parametrize("kind", ["add_outgoing", "add_incoming"])
def test_a_user_may_forbid_it(kind: str) -> None:
    """P12, P13, S06: §5.2.1: "an administrative decision": "it MUST send a corresponding response parameter"."""
    peer = established(QUIET.replace(peer_may_add_streams=False))
    request = getattr(peer, kind)(1)
    packets = peer.ask(request)
    assert results_of(packets) == [(request.request_sequence_number, DENIED)]
    assert requests_of(packets) == []
    assert (peer.inbound_streams, peer.outbound_streams) == (STREAMS, STREAMS)
    assert peer.events_of(StreamChange) == []


@pytest.mark.parametrize("kind", ["add_outgoing", "add_incoming"])
def test_adding_no_streams_adds_none(kind: str) -> None:
    """P12, P13, X49: a number of 0 is answered, whatever the answer is, and changes nothing."""
    peer = established()
    request = getattr(peer, kind)(0)
    packets = peer.ask(request)
    assert [number for number, _ in results_of(packets)] == [request.request_sequence_number]
    assert (peer.inbound_streams, peer.outbound_streams) == (STREAMS, STREAMS)
    check_association(peer.association)


# -- being asked for outgoing ones of ours (§5.2.6) --


def test_the_peer_may_have_us_add_outgoing_streams() -> None:
    """P12, P13, S06: a corresponding Add Outgoing Streams Request, "following the rules given in Section 5.1.5"."""
    peer = established()
    packets = peer.ask(peer.add_incoming(3))
    (ours,) = requests_of(packets)
    assert ours == AddOutgoingStreamsRequest(peer.z_initial_tsn, 3)
    assert len(chunks_of(packets, Sack)) == 1
    assert peer.outbound_streams == STREAMS
    peer.answer(ours)
    assert peer.outbound_streams == STREAMS + 3
    assert data_of(peer.user_sends(b"new", stream=12)) == [(12, 0, b"new")]
    assert [event.outgoing for event in peer.events_of(StreamChange)] == [STREAMS + 3]
    assert reconfigs_of(peer.wait(100)) == []


def test_the_peer_asks_and_then_denies() -> None:
    """P12, S06: H3: nothing is added."""
    peer = established()
    (ours,) = requests_of(peer.ask(peer.add_incoming(3)))
    peer.answer(ours, DENIED)
    assert peer.outbound_streams == STREAMS
    assert reconfigs_of(peer.wait(100)) == []


def test_our_request_to_add_is_under_the_timer() -> None:
    """S06: §5.1.1: it is a request of ours as any other."""
    peer = established()
    (ours,) = requests_of(peer.ask(peer.add_incoming(3)))
    assert requests_of(peer.wait(3.5)) == [ours, ours]
    assert peer.path("192.0.2.1").error_count == 2


def test_a_retransmission_makes_no_second_request() -> None:
    """P13, S06, X49: §5.2.1: "the same RE-CONFIG chunk"."""
    peer = established()
    request = peer.add_incoming(3)
    first = reconfigs_of(peer.ask(request))
    again = reconfigs_of(peer.ask(request))
    assert len(set(requests_of(peer.heard))) == 1
    assert again in (first, [])
    peer.answer(requests_of(peer.heard)[0])
    peer.ask(request)
    assert len(set(requests_of(peer.heard))) == 1
    assert peer.outbound_streams == STREAMS + 3


@pytest.mark.parametrize(("count", "is_denied"), [(65525, False), (65526, True), (65535, True)])
def test_more_outbound_streams_than_there_are_numbers_are_denied(count: int, is_denied: bool) -> None:
    """P13, S06: "The SCTP endpoint SHOULD deny the request if the number of streams exceeds a limit"."""
    peer = established()
    request = peer.add_incoming(count)
    packets = peer.ask(request)
    if is_denied:
        assert results_of(packets) == [(request.request_sequence_number, DENIED)]
        assert requests_of(packets) == []
    else:
        assert requests_of(packets) == [AddOutgoingStreamsRequest(peer.z_initial_tsn, count)]


def test_both_directions_in_one_chunk() -> None:
    """P12, P13: §3.1, 7: each of the two is processed and answered."""
    peer = established()
    outgoing, incoming = peer.add_outgoing(2), peer.add_incoming(3)
    packets = peer.ask(outgoing, incoming)
    assert (outgoing.request_sequence_number, PERFORMED) in results_of(packets)
    packets += peer.wait(0)
    assert peer.inbound_streams == STREAMS + 2
    # A response and an Add Outgoing Streams Request are no combination of §3.1: two chunks.
    ours = requests_of(packets)
    assert ours == [AddOutgoingStreamsRequest(peer.z_initial_tsn, 3)]
    peer.answer(ours[0])
    assert peer.outbound_streams == STREAMS + 3
    assert peer.state is AssociationState.ESTABLISHED


def test_it_waits_while_a_request_of_ours_is_in_flight() -> None:
    """P13, S06: §5.1.1: one at a time: the peer's is in progress, or goes after the answer to ours."""
    peer = established()
    _, packets = peer.resets(1)
    (ours,) = requests_of(packets)
    request = peer.add_incoming(3)
    packets = peer.ask(request)
    assert requests_of(packets) == []
    assert results_of(packets) in ([], [(request.request_sequence_number, IN_PROGRESS)])
    packets = peer.answer(ours)
    if not requests_of(packets):
        packets = peer.ask(request)
    assert requests_of(packets) == [AddOutgoingStreamsRequest(number(peer.z_initial_tsn, 1), 3)]


@pytest.mark.parametrize("result", [PERFORMED, NOTHING_TO_DO])
def test_a_response_to_what_was_not_asked_adds_nothing(result: int) -> None:
    """X53, S06: H1: no number of ours, no effect."""
    peer = established()
    _, packets = peer.adds_outgoing(3)
    (asked,) = requests_of(packets)
    for off in (-1, 1, 0x8000_0000):
        other = AddOutgoingStreamsRequest(number(peer.z_initial_tsn, off), 3)
        peer.answer(other, result)
    assert peer.outbound_streams == STREAMS
    assert requests_of(peer.wait(1.1)) == [asked]
    assert responses_of(peer.heard) == []


def test_a_reset_of_all_that_waits_for_streams_to_be_added_is_of_those_there_were() -> None:
    """P08, P12: A4: were none listed, the peer would reset the new ones too, and SSNs are assigned there already."""
    peer = established()
    peer.z_uses(1)
    _, packets = peer.adds_outgoing(2)
    _, none_yet = peer.resets()
    assert requests_of(none_yet) == []
    (reset,) = requests_of(peer.answer(requests_of(packets)[0]))
    assert isinstance(reset, OutgoingSsnResetRequest)
    assert reset.streams == tuple(range(STREAMS))
    assert data_of(peer.user_sends(b"new", stream=STREAMS + 1)) == [(STREAMS + 1, 0, b"new")]
