"""RFC 6525 §5.1.3, §5.2.2 E1: asking the peer to reset its outgoing streams, which are our incoming ones."""

from __future__ import annotations

import pytest

from aiosctp.core.reconfig import Outcome
from aiosctp.events import StreamReset
from aiosctp.wire.chunks import ReConfig
from aiosctp.wire.reconfig import IncomingSsnResetRequest, OutgoingSsnResetRequest, ReconfigurationResponse
from tests.core.reconfig.script import (
    DENIED,
    FAILURE,
    IN_PROGRESS,
    NOTHING_TO_DO,
    PERFORMED,
    REQUEST_IN_PROGRESS,
    STREAMS,
    data_of,
    established,
    is_under_way,
    number,
    reconfigs_of,
    requests_of,
    results_of,
)
from tests.core.scripted import Packet


def asked(packets: list[Packet]) -> IncomingSsnResetRequest:
    (request,) = requests_of(packets)
    assert isinstance(request, IncomingSsnResetRequest)
    return request


def test_the_request_says_what_it_must() -> None:
    """P09, S06: B1, B2, B3: the next number, the streams, alone in its chunk."""
    peer = established()
    _, packets = peer.asks_for_reset(2, 7)
    (chunk,) = reconfigs_of(packets)
    assert chunk.parameters == (asked(packets),)
    assert asked(packets).request_sequence_number == peer.z_initial_tsn
    assert sorted(asked(packets).streams) == [2, 7]


def test_all_streams_are_none_listed() -> None:
    """P09: B2: "stream numbers SHOULD NOT be put into the Incoming SSN Reset Request Parameter"."""
    peer = established()
    assert asked(peer.asks_for_reset()[1]).streams == ()


@pytest.mark.parametrize("streams", [(0,), (9,), (0, 1, 2, 3, 4, 5, 6, 7, 8)], ids=str)
def test_some_streams_are_listed(streams: tuple[int, ...]) -> None:
    """P09: B2: "these stream numbers MUST be filled in"."""
    peer = established()
    assert sorted(asked(peer.asks_for_reset(*streams)[1]).streams) == list(streams)


def test_request_numbers_grow_by_one() -> None:
    """P09, S06: B1: one row of numbers for all kinds of requests."""
    peer = established()
    numbers = []
    for asks in (peer.asks_for_reset, peer.resets, peer.asks_for_reset):
        (request,) = requests_of(asks(1)[1])
        numbers.append(request.request_sequence_number)
        peer.answer(request, DENIED)
    assert numbers == [number(peer.z_initial_tsn, n) for n in range(3)]


def test_the_peers_outgoing_request_is_the_answer() -> None:
    """P08, S06: E1: "MUST be marked as acknowledged ... the Re-configuration Timer MUST be stopped"."""
    peer = established()
    peer.a_uses(1, 2)
    request, packets = peer.asks_for_reset(1)
    # A -> RE-CONFIG [Outgoing, in answer] -> Z, Z -> RE-CONFIG [Response] -> A
    reset = peer.outgoing(1, answers=asked(packets).request_sequence_number)
    packets = peer.ask(reset)
    assert results_of(packets) == [(reset.request_sequence_number, PERFORMED)]
    assert request.outcome is Outcome.DONE
    assert reconfigs_of(peer.wait(100)) == []
    peer.says(b"new", 1, 0)
    peer.says(b"old", 2, 2)
    assert peer.reads() == [(1, b"new"), (2, b"old")]
    assert {tuple(event.incoming) for event in peer.events_of(StreamReset)} == {(1,)}


def test_a_response_then_an_outgoing_request_is_an_answer_too() -> None:
    """P11, S06: H1: some peers say first that it is performed, or in progress, and then do it."""
    for result in (PERFORMED, IN_PROGRESS):
        peer = established()
        peer.a_uses(1)
        request, packets = peer.asks_for_reset(1)
        number = asked(packets).request_sequence_number
        peer.answer(asked(packets), result)
        reset = peer.outgoing(1, answers=number)
        assert results_of(peer.ask(reset)) == [(reset.request_sequence_number, PERFORMED)]
        assert request.outcome is Outcome.DONE
        assert reconfigs_of(peer.wait(100)) == []


def test_a_response_and_the_outgoing_request_in_one_chunk() -> None:
    """P08, P11: §3.1, 9: "Re-configuration Response Parameter, Outgoing SSN Reset Request Parameter"."""
    peer = established()
    peer.a_uses(1)
    request, packets = peer.asks_for_reset(1)
    (asked_,) = requests_of(packets)
    assert isinstance(asked_, IncomingSsnResetRequest)
    response = ReconfigurationResponse(asked_.request_sequence_number, PERFORMED)
    reset = peer.outgoing(1, answers=asked_.request_sequence_number)
    assert results_of(peer.ask(response, reset)) == [(reset.request_sequence_number, PERFORMED)]
    assert request.outcome is Outcome.DONE


def test_nothing_to_do_is_success() -> None:
    """P11: Table 3: "Success - Nothing to do"."""
    peer = established()
    request, packets = peer.asks_for_reset(1)
    peer.answer(asked(packets), NOTHING_TO_DO)
    assert request.outcome is Outcome.DONE
    assert reconfigs_of(peer.wait(100)) == []


REFUSED = [result for result in FAILURE if result != REQUEST_IN_PROGRESS]


@pytest.mark.parametrize("result", REFUSED)
def test_what_is_refused_changes_nothing(result: int) -> None:
    """P11, S06: H3; the user is told."""
    peer = established()
    peer.a_uses(1)
    request, packets = peer.asks_for_reset(1)
    peer.answer(asked(packets), result)
    assert request.outcome is (Outcome.DENIED if result == DENIED else Outcome.FAILED)
    (event,) = peer.events_of(StreamReset)
    assert (list(event.incoming), event.denied, event.failed) == ([1], result == DENIED, result != DENIED)
    peer.says(b"goes on", 1, 2)
    assert peer.reads() == [(1, b"goes on")]


@pytest.mark.parametrize("kind", ["asks_for_reset", "adds_incoming"])
def test_a_peer_that_has_one_in_progress_is_asked_again_or_no_more(kind: str) -> None:
    """P11, S06: Table 3, 4: both may have asked at once: the request has failed, or another goes, under the next number
    (B1), and not in a hurry."""
    peer = established()
    request, packets = getattr(peer, kind)(1)
    began = peer.now
    for n in range(20):
        (asked_,) = requests_of(packets)
        assert asked_.request_sequence_number == number(peer.z_initial_tsn, n)
        packets = peer.answer(asked_, REQUEST_IN_PROGRESS)
        if request.outcome is not None:
            break
        if not requests_of(packets):
            packets = [peer.next_packet(ReConfig)]
    if request.outcome is None:
        assert peer.now - began > 1
        peer.answer(requests_of(packets)[0], DENIED)
        assert request.outcome is Outcome.DENIED
    else:
        assert request.outcome is Outcome.FAILED
    assert reconfigs_of(peer.wait(100)) == []


def test_an_outgoing_request_that_answers_nothing_stops_no_timer() -> None:
    """S06, X53: E1: "for the Re-configuration Request Sequence Number indicated": another number is none of ours."""
    peer = established()
    peer.a_uses(1, 2)
    request, packets = peer.asks_for_reset(1)
    theirs = peer.outgoing(2, answers=number(asked(packets).request_sequence_number, -1))
    assert results_of(peer.ask(theirs)) == [(theirs.request_sequence_number, PERFORMED)]
    assert request.outcome is None
    assert requests_of(peer.wait(1.1)) == [asked(packets)]


def test_the_peer_answers_with_data_still_under_way() -> None:
    """S06: E1 and E2: the timer stops at once, the reset waits for the data that was sent before it."""
    peer = established()
    peer.a_uses(1)
    request, packets = peer.asks_for_reset(1)
    late = peer.data(b"late", 1, 2)
    reset = peer.outgoing(1, answers=asked(packets).request_sequence_number)
    assert results_of(peer.ask(reset)) == [(reset.request_sequence_number, IN_PROGRESS)]
    assert requests_of(peer.wait(10)) == []
    packets = peer.send(late)
    assert results_of(packets) == [(reset.request_sequence_number, PERFORMED)]
    assert request.outcome is Outcome.DONE
    assert peer.reads() == [(1, b"late")]


def test_all_streams_both_ways_as_in_appendix_a() -> None:
    """P08, P09, P11: OUT-REQ:X,Y-1|IN-REQ:X+1, then RESP:X|OUT-REQ:Y,X+1, then RESP:Y; our two may be two chunks."""
    peer = established()
    peer.z_uses(*range(STREAMS))
    peer.a_uses(*range(STREAMS))
    ours = peer.association.reset_outgoing(range(STREAMS))
    theirs = peer.association.reset_incoming(range(STREAMS))
    packets = peer.touch()
    if len(requests_of(packets)) == 1:
        packets += peer.answer(requests_of(packets)[0])
    outgoing, incoming = requests_of(packets)
    assert (outgoing.request_sequence_number, incoming.request_sequence_number) == (
        peer.z_initial_tsn,
        number(peer.z_initial_tsn, 1),
    )
    assert isinstance(outgoing, OutgoingSsnResetRequest)
    assert outgoing.response_sequence_number == number(peer.next_request, -1)
    response = ReconfigurationResponse(outgoing.request_sequence_number, PERFORMED)
    reset = peer.outgoing(answers=incoming.request_sequence_number)
    assert results_of(peer.ask(response, reset)) == [(reset.request_sequence_number, PERFORMED)]
    assert (ours.outcome, theirs.outcome) == (Outcome.DONE, Outcome.DONE)
    assert reconfigs_of(peer.wait(100)) == []
    for stream in range(STREAMS):
        assert data_of(peer.user_sends(b"new", stream=stream)) == [(stream, 0, b"new")]
        peer.acknowledge_all()
        peer.says(b"new", stream, 0)
    assert len(peer.reads()) == STREAMS


def test_the_answer_to_one_of_two_leaves_the_timer_running() -> None:
    """P11, S06: H1: the timer stops when all "for which the Re-configuration Timer is running are acknowledged"."""
    peer = established()
    ours = peer.association.reset_outgoing((1,))
    theirs = peer.association.reset_incoming((1,))
    packets = peer.touch()
    first, *rest = requests_of(packets)
    packets = peer.answer(first)
    assert ours.outcome is Outcome.DONE
    (second,) = rest or requests_of(packets)
    assert second in requests_of(peer.wait(1.1))
    assert is_under_way(theirs)
    peer.answer(second, NOTHING_TO_DO)
    assert reconfigs_of(peer.wait(100)) == []
    assert theirs.outcome is Outcome.DONE


def test_both_directions_are_asked_for_in_chunks_that_are_allowed() -> None:
    """P08, P09: A5, B3: together in one chunk, or one after the other; each of them gets its answer."""
    peer = established()
    peer.z_uses(1)
    peer.a_uses(1)
    ours = peer.association.reset_outgoing((1,))
    theirs = peer.association.reset_incoming((1,))
    packets = peer.touch()
    assert len(reconfigs_of(packets)) == 1
    todo = requests_of(packets)
    while todo:
        each = todo.pop(0)
        if isinstance(each, IncomingSsnResetRequest):
            packets = peer.ask(peer.outgoing(1, answers=each.request_sequence_number))
        else:
            packets = peer.answer(each)
        todo += requests_of(packets)
    assert (ours.outcome, theirs.outcome) == (Outcome.DONE, Outcome.DONE)
