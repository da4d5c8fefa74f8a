"""RFC 6525 §5.2.7: what becomes of a Re-configuration Response."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.core.reconfig import Outcome, Request
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Data, ReConfig
from aiosctp.wire.reconfig import OutgoingSsnResetRequest, ReconfigurationResponse
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    BAD_SEQUENCE_NUMBER,
    DENIED,
    IN_PROGRESS,
    ONE,
    PERFORMED,
    STREAMS,
    WILLING,
    Script,
    data_of,
    established,
    number,
    outgoing_of,
    raw_chunk,
    raw_parameter,
    reconfigs_of,
    requests_of,
)
from tests.core.scripted import Packet, chunks_of

Asks = Callable[[Script], tuple[Request, list[Packet]]]

REQUESTED: dict[str, Asks] = {
    "outgoing": lambda peer: peer.resets(1),
    "incoming": lambda peer: peer.asks_for_reset(1),
    "ssn_tsn": lambda peer: peer.resets_association(),
    "add_outgoing": lambda peer: peer.adds_outgoing(2),
    "add_incoming": lambda peer: peer.adds_incoming(2),
}
EACH = pytest.mark.parametrize("asks", REQUESTED.values(), ids=REQUESTED)


@EACH
@pytest.mark.parametrize("off", [-1, 1, 1000, 0x8000_0000], ids=str)
def test_a_response_to_another_number_is_none(asks: Asks, off: int) -> None:
    """P11, X53: H1: "If the timer was not running for the ... Number, the processing ... is complete"."""
    peer = established()
    request, packets = asks(peer)
    (asked,) = requests_of(packets)
    other = ReconfigurationResponse(number(asked.request_sequence_number, off), PERFORMED, 1, 2)
    assert reconfigs_of(peer.send(ReConfig((other,)))) == []
    assert request.outcome is None
    assert (peer.inbound_streams, peer.outbound_streams) == (STREAMS, STREAMS)
    assert requests_of(peer.wait(1.1)) == [asked]


@pytest.mark.parametrize("result", [0, 1, 2, 5, 6])
def test_a_response_that_nobody_asked_for_is_ignored(result: int) -> None:
    """P11, X53: H1: before any request, under the number that the first one would have."""
    peer = established()
    peer.events.clear()
    response = ReconfigurationResponse(peer.z_initial_tsn, result)
    assert reconfigs_of(peer.send(ReConfig((response,)))) == []
    assert peer.events == []
    assert (peer.inbound_streams, peer.outbound_streams) == (STREAMS, STREAMS)
    assert requests_of(peer.resets(1)[1])[0].request_sequence_number == peer.z_initial_tsn


@EACH
def test_in_progress_starts_the_timer_again_and_counts_no_error(asks: Asks) -> None:
    """P11, S06: H2: "If the timer runs out, the RE-CONFIG chunk MUST be retransmitted but the corresponding error
    counters MUST NOT be incremented"."""
    peer = established()
    request, packets = asks(peer)
    (asked,) = requests_of(packets)
    peer.wait(0.6)
    assert reconfigs_of(peer.answer(asked, IN_PROGRESS)) == []
    assert request.outcome is None
    # started again: not 0.4 s later
    assert requests_of(peer.wait(0.9)) == []
    for _ in range(30):
        packet = peer.next_packet(ReConfig, limit_s=120)
        assert requests_of([packet]) == [asked]
        assert (peer.path(ONE).error_count, peer.association.failure.error_count) == (0, 0)
        peer.answer(asked, IN_PROGRESS)
    assert peer.state is AssociationState.ESTABLISHED
    assert request.outcome is None


@EACH
def test_a_peer_that_fell_silent_after_in_progress_is_found_out(asks: Asks) -> None:
    """S06: H2 is for the request that is in progress; a peer that is gone must not be waited for without end by those
    who have data for it: data has its own timer."""
    peer = established(WILLING.replace(association_max_retrans=3))
    _, packets = asks(peer)
    (asked,) = requests_of(packets)
    peer.answer(asked, IN_PROGRESS)
    packets = peer.wait(20)
    assert requests_of(packets).count(asked) >= 2
    assert peer.state is AssociationState.ESTABLISHED


@EACH
def test_after_in_progress_comes_the_answer(asks: Asks) -> None:
    """P11, S06: H1: it is taken then, and the timer stops."""
    peer = established()
    request, packets = asks(peer)
    (asked,) = requests_of(packets)
    for _ in range(3):
        peer.answer(asked, IN_PROGRESS)
    peer.answer(asked, DENIED)
    assert request.outcome is Outcome.DENIED
    assert reconfigs_of(peer.wait(100)) == []


@EACH
def test_an_answer_counts_once(asks: Asks) -> None:
    """P11, S06: H1: what comes after it, and says otherwise, says nothing."""
    peer = established()
    request, packets = asks(peer)
    (asked,) = requests_of(packets)
    peer.answer(asked, DENIED)
    events = list(peer.events)
    for result in (PERFORMED, IN_PROGRESS, BAD_SEQUENCE_NUMBER):
        assert reconfigs_of(peer.answer(asked, result, 7, 8)) == []
    assert request.outcome is Outcome.DENIED
    assert peer.events == events
    assert reconfigs_of(peer.wait(100)) == []


def test_the_answer_comes_twice_around_new_data() -> None:
    """P11, X54: a duplicate that was late resets nothing again."""
    peer = established()
    peer.z_uses(1)
    _, packets = peer.resets(1)
    (asked,) = outgoing_of(packets)
    peer.answer(asked)
    assert data_of(peer.user_sends(b"zero", stream=1)) == [(1, 0, b"zero")]
    peer.answer(asked)
    assert data_of(peer.user_sends(b"one", stream=1)) == [(1, 1, b"one")]


def test_two_responses_in_one_chunk() -> None:
    """P11: §3.1, 10: each is for its own request; one of them is ours."""
    peer = established()
    request, packets = peer.resets(1)
    (asked,) = outgoing_of(packets)
    old = ReconfigurationResponse(number(asked.request_sequence_number, -1), DENIED)
    new = ReconfigurationResponse(asked.request_sequence_number, PERFORMED)
    peer.send(ReConfig((old, new)))
    assert request.outcome is Outcome.DONE


def test_two_responses_that_contradict_each_other() -> None:
    """P11, S06: the first counts: then the timer does not run any more."""
    peer = established()
    request, packets = peer.adds_outgoing(5)
    (asked,) = requests_of(packets)
    peer.send(
        ReConfig(
            (
                ReconfigurationResponse(asked.request_sequence_number, DENIED),
                ReconfigurationResponse(asked.request_sequence_number, PERFORMED),
            )
        )
    )
    assert request.outcome is Outcome.DENIED
    assert peer.outbound_streams == STREAMS


def test_tsns_in_the_answer_to_another_request_mean_nothing() -> None:
    """P11, X53: D3, D4: they "MUST NOT be used": and are not."""
    peer = established()
    peer.z_uses(1)
    request, packets = peer.resets(1)
    peer.answer(outgoing_of(packets)[0], PERFORMED, 0x1111, 0x2222)
    (chunk,) = chunks_of(peer.user_sends(b"new", stream=1), Data)
    assert (chunk.tsn, chunk.ssn) == (number(peer.z_initial_tsn, 2), 0)
    peer.says(b"goes on")
    assert peer.reads() == [(0, b"goes on")]
    assert request.outcome is Outcome.DONE
    check_association(peer.association)


@pytest.mark.parametrize("size", [0, 4, 7, 9, 12, 15, 17, 20])
def test_a_malformed_response_answers_nothing(size: int) -> None:
    """P11, X06: "MUST be 12 if the optional fields are not present and 20 otherwise"; one of the two is no length."""
    peer = established()
    request, packets = peer.resets(1)
    (asked,) = outgoing_of(packets)
    body = (asked.request_sequence_number.to_bytes(4) + PERFORMED.to_bytes(4) + bytes(20))[:size]
    assert reconfigs_of(peer.send(raw_chunk(raw_parameter(16, body)))) == []
    assert request.outcome is None
    assert requests_of(peer.wait(1.1)) == [asked]


def test_a_response_under_a_wrong_tag_answers_nothing() -> None:
    """R13, X50: §8.5 of RFC 9260."""
    peer = established()
    request, packets = peer.resets(1)
    (asked,) = outgoing_of(packets)
    response = ReconfigurationResponse(asked.request_sequence_number, PERFORMED)
    for tag in (0, peer.z_tag ^ 1, peer.tag):
        assert peer.send(ReConfig((response,)), tag=tag) == []
    assert request.outcome is None


def test_the_answer_to_a_reset_and_the_next_request_go_on_at_once() -> None:
    """S06: §5.1.1: what was buffered goes when the timer has stopped, in the packet with the data that waited."""
    peer = established()
    peer.z_uses(1)
    _, packets = peer.resets(1)
    peer.adds_outgoing(1)
    peer.user_sends(b"held", stream=1)
    packets = peer.answer(outgoing_of(packets)[0])
    assert data_of(packets) == [(1, 0, b"held")]
    assert len(requests_of(packets)) == 1
    assert not isinstance(requests_of(packets)[0], OutgoingSsnResetRequest)
