"""What usrsctp does with RE-CONFIG, packet by packet (tests/interop/test_peer_reconfig.py), and what we make of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.config import Config
from aiosctp.core.reconfig import Outcome, Request
from aiosctp.events import Event, StreamChange, StreamReset
from aiosctp.wire.chunks import ReConfig
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import (
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.core.laws import check_association
from tests.core.reconfig.bench import Resets
from tests.core.reconfig.peer import TSN, ReconfigPeer, parameters_of
from tests.core.scripted import packets_with

R = ReconfigurationResult
LISTED_BY_USRSCTP = 200


@pytest.mark.parametrize("asks_apart", [False, True], ids=["in one call", "in many"])
@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
def test_no_more_streams_are_listed_than_usrsctp_takes(direction: str, asks_apart: bool) -> None:
    """It denies an Outgoing SSN Reset Request with more than 248."""
    config = Config(outbound_streams=1000, max_inbound_streams=1000)
    resets = Resets(config, config)
    ask = resets.a.reset_outgoing if direction == "outgoing" else resets.a.reset_incoming
    requests = [ask([stream]) for stream in range(500)] if asks_apart else [ask(range(500))]
    resets.touch(resets.a)
    assert set(resets.finish(*requests)) == {Outcome.DONE}
    asked = [
        each.streams
        for chunk in resets.said(resets.a)
        for each in chunk.parameters
        if isinstance(each, OutgoingSsnResetRequest | IncomingSsnResetRequest)
    ]
    assert max(map(len, asked)) <= LISTED_BY_USRSCTP
    assert sorted(stream for streams in asked for stream in streams) == list(range(500))


def answers(peer: ReconfigPeer, order: str, parameter: ReconfigurationParameter) -> None:
    """usrsctp grants a request for its own streams by its own one, and by a response before, after or without it."""
    response = ReconfigurationResponse(peer.ours, R.PERFORMED)
    for step in order.split():
        peer.send(ReConfig((response if step == "response" else parameter,)))


ORDERS = ["request", "request response", "response request", "request response response"]


@pytest.mark.parametrize("order", ORDERS)
def test_an_incoming_reset_is_told_when_it_is_done_and_once(order: str) -> None:
    peer = ReconfigPeer()
    request = peer.association.reset_incoming([1])
    peer.touch()
    answers(peer, order, OutgoingSsnResetRequest(TSN, peer.ours, TSN - 1, (1,)))
    assert request.outcome is Outcome.DONE
    assert peer.events_of(StreamReset) == [StreamReset((1,), ())]


@pytest.mark.parametrize("listed", [(1,), (1, 2), ()], ids=["the same", "more", "all"])
def test_a_reset_of_the_peers_own_accord_is_what_it_says_it_has_performed(listed: tuple[int, ...]) -> None:
    """It tells of a reset and not whose wish that was: who has asked is told by the response."""
    peer = ReconfigPeer()
    request = peer.association.reset_incoming([1])
    peer.touch()
    peer.ask(OutgoingSsnResetRequest(TSN, peer.ours - 1, TSN - 1, listed))
    assert [request.outcome] == [None]
    peer.ask(ReconfigurationResponse(peer.ours, R.PERFORMED))
    assert [request.outcome] == [Outcome.DONE]
    assert peer.events_of(StreamReset) == [StreamReset(listed or range(10), ()), StreamReset((1,), ())]


@pytest.mark.parametrize("order", ORDERS)
def test_added_incoming_streams_are_told_when_they_are_there_and_once(order: str) -> None:
    peer = ReconfigPeer()
    request = peer.association.add_incoming_streams(3)
    peer.touch()
    answers(peer, order, AddOutgoingStreamsRequest(TSN, 3))
    assert request.outcome is Outcome.DONE
    assert peer.events_of(StreamChange) == [StreamChange(13, 10)]


@pytest.mark.parametrize(
    ("ask", "event"),
    [
        (lambda peer: peer.association.reset_incoming([1]), StreamReset((1,), (), denied=True)),
        (lambda peer: peer.association.add_incoming_streams(3), StreamChange(10, 10, denied=True)),
    ],
)
def test_a_refusal_of_incoming_ones_is_told(ask: Callable[[ReconfigPeer], object], event: Event) -> None:
    peer = ReconfigPeer()
    ask(peer)
    peer.touch()
    peer.ask(ReconfigurationResponse(peer.ours, R.DENIED))
    assert peer.events_of(type(event)) == [event]


def test_an_association_reset_is_answered_with_both_next_tsns_even_when_it_is_denied() -> None:
    """§5.1.7 D3, D4: "If the incoming request is an SSN/TSN reset request, the Sender's Next TSN field MUST be filled",
    and the Receiver's; usrsctp does not take an answer without."""
    peer = ReconfigPeer()
    peer.data(0, 0)
    found = parameters_of(peer.send(ReConfig((SsnTsnResetRequest(TSN),))))
    assert found == [ReconfigurationResponse(TSN, R.DENIED, peer.ours, TSN + 1 & 0xFFFF_FFFF)]


SHOWN_BY_A_REQUEST: dict[str, tuple[Callable[[ReconfigPeer], Request], Event, ReconfigurationParameter]] = {
    "incoming reset": (
        lambda peer: peer.association.reset_incoming([1]),
        StreamReset((1,), (), failed=True),
        OutgoingSsnResetRequest(TSN, TSN, TSN - 1, (1,)),
    ),
    "add incoming streams": (
        lambda peer: peer.association.add_incoming_streams(3),
        StreamChange(10, 10, failed=True),
        AddOutgoingStreamsRequest(TSN, 3),
    ),
}


@pytest.mark.parametrize("name", SHOWN_BY_A_REQUEST)
def test_what_the_peer_said_it_performed_and_never_did_fails_in_the_end(name: str) -> None:
    """It is answered, so nothing is asked again, and nothing else would end the wait."""
    ask, event, _ = SHOWN_BY_A_REQUEST[name]
    peer = ReconfigPeer(Config(rto_max_s=5.0, association_max_retrans=3, heartbeat=False))
    requests = [ask(peer)]
    peer.touch()
    peer.ask(ReconfigurationResponse(peer.ours, R.PERFORMED))
    peer.wait(10.0)
    requests.append(ask(peer))
    peer.touch()
    peer.ask(ReconfigurationResponse(peer.ours + 1, R.PERFORMED))
    for waited_s, outcomes in (
        (9.9, [None, None]),
        (0.2, [Outcome.FAILED, None]),
        (9.8, [Outcome.FAILED, None]),
        (0.2, [Outcome.FAILED, Outcome.FAILED]),
    ):
        assert packets_with(peer.wait(waited_s), ReConfig) == []
        check_association(peer.association)
        assert [request.outcome for request in requests] == outcomes
    assert peer.events_of(type(event)) == [event, event]
    # Others can be asked for, and have all their time.
    third = ask(peer)
    peer.touch()
    peer.ask(ReconfigurationResponse(peer.ours + 2, R.PERFORMED))
    peer.wait(19.9)
    assert third.outcome is None
    peer.wait(0.2)
    assert third.outcome is Outcome.FAILED


@pytest.mark.parametrize("name", SHOWN_BY_A_REQUEST)
def test_what_the_peer_does_later_than_that_it_has_done_by_itself(name: str) -> None:
    ask, _, late = SHOWN_BY_A_REQUEST[name]
    peer = ReconfigPeer(Config(rto_max_s=5.0, association_max_retrans=3, heartbeat=False))
    request = ask(peer)
    peer.touch()
    peer.ask(ReconfigurationResponse(peer.ours, R.PERFORMED))
    peer.wait(20.1)
    assert peer.ask(late) == [ReconfigurationResponse(TSN, R.PERFORMED)]
    peer.wait(100.0)
    assert request.outcome is Outcome.FAILED


def test_a_promise_is_kept_stream_by_stream() -> None:
    """The peer resets what we have asked for with others of its own, under another number."""
    peer = ReconfigPeer()
    both, one = peer.association.reset_incoming([1, 2]), peer.association.reset_incoming([2])
    peer.touch()
    peer.ask(ReconfigurationResponse(peer.ours, R.PERFORMED))
    peer.ask(ReconfigurationResponse(peer.ours + 1, R.PERFORMED))
    assert peer.ask(OutgoingSsnResetRequest(TSN, TSN, TSN - 1, (2, 5))) == [ReconfigurationResponse(TSN, R.PERFORMED)]
    assert (both.outcome, one.outcome) == (None, Outcome.DONE)
    peer.ask(OutgoingSsnResetRequest(TSN + 1, TSN, TSN - 1, ()))
    assert both.outcome is Outcome.DONE
    assert peer.events_of(StreamReset) == [StreamReset((2, 5), ()), StreamReset(range(10), ())]
    peer.wait(100.0)
    assert len(peer.events_of(StreamReset)) == 2


def test_a_promise_is_kept_though_the_peer_may_reset_nothing_by_itself() -> None:
    """E1: it is the answer to our request, which the number says."""
    peer = ReconfigPeer(Config(peer_may_reset_streams=False))
    request = peer.association.reset_incoming([1])
    peer.touch()
    peer.ask(ReconfigurationResponse(peer.ours, R.PERFORMED))
    answer = OutgoingSsnResetRequest(TSN, peer.ours, TSN - 1, (1,))
    assert peer.ask(answer) == [ReconfigurationResponse(TSN, R.PERFORMED)]
    assert request.outcome is Outcome.DONE


@pytest.mark.parametrize("name", SHOWN_BY_A_REQUEST)
def test_the_end_fails_what_was_promised(name: str) -> None:
    ask, _, _ = SHOWN_BY_A_REQUEST[name]
    peer = ReconfigPeer()
    request = ask(peer)
    peer.touch()
    peer.ask(ReconfigurationResponse(peer.ours, R.PERFORMED))
    peer.association.termination.abort(())
    assert request.outcome is Outcome.FAILED
