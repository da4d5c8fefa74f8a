"""RFC 6525 §5.1.1: who may send a RE-CONFIG chunk, one request in flight, and the Re-configuration Timer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from aiosctp.core.reconfig import Outcome, Request
from aiosctp.core.states import AssociationState, PathState
from aiosctp.events import AssociationChange, AssociationChangeKind
from aiosctp.wire.chunks import Data, Init, InitAck, ReConfig
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.parameters import SupportedExtensions
from aiosctp.wire.reconfig import OutgoingSsnResetRequest, SsnTsnResetRequest
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    DENIED,
    ONE,
    PERFORMED,
    QUIET,
    TWO,
    WILLING,
    Script,
    data_of,
    established,
    outgoing_of,
    reconfigs_of,
    requests_of,
    responses_of,
    results_of,
)
from tests.core.scripted import Packet, chunks_of, packets_with
from tests.core.transcript import state_of

Asks = Callable[[Script], tuple[Request, list[Packet]]]

REQUESTED: dict[str, Asks] = {
    "outgoing": lambda peer: peer.resets(1),
    "incoming": lambda peer: peer.asks_for_reset(1),
    "ssn_tsn": lambda peer: peer.resets_association(),
    "add_outgoing": lambda peer: peer.adds_outgoing(2),
    "add_incoming": lambda peer: peer.adds_incoming(2),
}
EACH = pytest.mark.parametrize("asks", REQUESTED.values(), ids=REQUESTED)


def extensions_in(chunk: Init | InitAck) -> list[tuple[int, ...]]:
    return [each.chunk_types for each in chunk.parameters if isinstance(each, SupportedExtensions)]


# -- the negotiation --


def test_our_init_and_our_init_ack_announce_it() -> None:
    """E05, M15: "MUST include the chunk type of the RE-CONFIG chunk in the Supported Extensions Parameter"."""
    caller, called = Script(), Script()
    # Z -> INIT [Supported Extensions] -> A
    (init,) = chunks_of(caller.cookie_wait(), Init)
    called.listen()
    # A -> INIT -> Z, Z -> INIT ACK [Supported Extensions] -> A
    (init_ack,) = chunks_of(called.send(called.init(), tag=0), InitAck)
    for chunk in (init, init_ack):
        (extensions,) = extensions_in(chunk)
        assert extensions.count(ChunkType.RE_CONFIG) == 1


def test_what_is_switched_off_is_not_announced() -> None:
    """E05: `Config.reconfig` False: neither offered nor taken."""
    off = QUIET.replace(reconfig=False)
    caller, called = Script(off), Script(off)
    (init,) = chunks_of(caller.cookie_wait(), Init)
    called.listen()
    (init_ack,) = chunks_of(called.send(called.init(), tag=0), InitAck)
    for chunk in (init, init_ack):
        assert not any(ChunkType.RE_CONFIG in extensions for extensions in extensions_in(chunk))
    peer = Script(off)
    peer.established()
    assert not peer.association.supports_reconfig
    assert peer.ask(peer.outgoing(1)) == []


@pytest.mark.parametrize("announces", [(), (0xC1, 0x80), (0x82,), (0xC1, 0x82)], ids=str)
@pytest.mark.parametrize("role", ["calls", "is called"])
def test_it_is_used_with_a_peer_that_announced_it(announces: tuple[int, ...], role: str) -> None:
    """E05: "the sender MUST ensure that the peer advertised support", in INIT or in INIT ACK."""
    peer = Script(announces=announces)
    if role == "calls":
        peer.established()
    else:
        peer.accepted()
    assert peer.association.supports_reconfig is (0x82 in announces)


@pytest.mark.parametrize("announces", [(), (0xC1, 0x80)], ids=str)
def test_a_peer_that_did_not_announce_it_is_answered_nothing(announces: tuple[int, ...]) -> None:
    """E05, M18: 130 is then an unknown chunk: skipped, silently, and what it asks for is not done."""
    peer = Script(announces=announces)
    peer.established()
    peer.says(b"zero", 1, 0)
    for request in (peer.outgoing(1), peer.incoming(1), peer.add_outgoing(3), peer.ssn_tsn()):
        assert peer.ask(request) == []
    assert reconfigs_of(peer.wait(100)) == []
    peer.says(b"one", 1, 1)
    assert peer.reads() == [(1, b"zero"), (1, b"one")]
    assert (peer.inbound_streams, peer.outbound_streams) == (10, 10)


def test_what_never_is_asked_for_costs_nothing() -> None:
    """E05: nothing is made before the first request, and no timer runs."""
    peer = established()
    peer.user_sends(b"data")
    peer.acknowledge_all()
    peer.says(b"data")
    assert peer.association.reconfig is None


# -- one request in flight --


@EACH
@pytest.mark.parametrize("then", REQUESTED.values(), ids=REQUESTED)
def test_a_second_request_waits_for_the_answer_to_the_first(asks: Asks, then: Asks) -> None:
    """S06: "there MUST NOT be more than one request in flight ... the chunk MUST be buffered"."""
    peer = established()
    _, packets = asks(peer)
    (first,) = requests_of(packets)
    second, packets = then(peer)
    assert reconfigs_of(packets) == []
    # Its retransmissions are the same request, and alone.
    again = requests_of(peer.wait(10))
    assert again
    assert set(again) == {first}
    packets = peer.answer(first, DENIED)
    if isinstance(first, SsnTsnResetRequest):
        # §5.1.4: a second one of these has to wait for its half minute.
        packets += peer.wait(30)
    asked = set(requests_of(packets))
    assert len(asked) == 1
    assert first not in asked
    assert second.outcome is None


def test_many_requests_go_one_after_another() -> None:
    """S06, X49: each is answered before the next one goes, and none is lost."""
    peer = established()
    made = [peer.adds_outgoing(1)[0] for _ in range(20)]
    for n in range(20):
        seen = list(dict.fromkeys(requests_of(peer.heard)))
        assert len(seen) == n + 1
        peer.answer(seen[-1])
    assert [request.outcome for request in made] == [Outcome.DONE] * 20
    assert peer.outbound_streams == 30
    check_association(peer.association)


def test_an_answer_goes_out_while_a_request_is_in_flight() -> None:
    """S06: what is held back is requests: a chunk with a response alone is none."""
    peer = established()
    peer.a_uses(1)
    _, packets = peer.adds_outgoing(1)
    assert len(requests_of(packets)) == 1
    request = peer.outgoing(1)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]


# -- the Re-configuration Timer --


@EACH
@pytest.mark.parametrize("rto_s", [1.0, 2.5])
def test_a_request_is_retransmitted_after_the_rto_and_twice_that(asks: Asks, rto_s: float) -> None:
    """S06: "MUST start the Re-configuration Timer", "the same value as ... RTO", "doubling the value at every
    expiration", "MUST retransmit the RE-CONFIG chunk": the same, to the byte."""
    peer = established(WILLING.replace(rto_initial_s=rto_s, rto_min_s=rto_s))
    began = peer.now
    _, packets = asks(peer)
    (chunk,) = reconfigs_of(packets)
    later = packets_with(peer.wait(16 * rto_s), ReConfig)
    assert [packet.at - began for packet in later] == pytest.approx([n * rto_s for n in (1, 3, 7, 15)])
    assert reconfigs_of(later) == [chunk] * 4


def test_the_backoff_ends_at_rto_max() -> None:
    """S06, R18: §6.3.3 of RFC 9260: the value that is doubled is RTO's, and so is its bound."""
    peer = established(WILLING.replace(rto_max_s=4.0, association_max_retrans=20))
    peer.resets(1)
    peer.wait(60)
    moments = [packet.at for packet in packets_with(peer.heard, ReConfig)]
    gaps = [after - before for before, after in pairwise(moments)]
    assert gaps[:3] == pytest.approx([1, 2, 4])
    assert all(gap == pytest.approx(4) for gap in gaps[3:])


@EACH
def test_each_expiry_counts_for_the_destination_and_the_association(asks: Asks) -> None:
    """S06: "increment the appropriate error counts (for both the association and the destination)"."""
    peer = established()
    asks(peer)
    for n, seconds in enumerate((0.9, 1.0, 2.0)):
        peer.wait(seconds)
        assert (peer.path(ONE).error_count, peer.association.failure.error_count) == (n, n)


@EACH
def test_an_answer_clears_what_was_counted(asks: Asks) -> None:
    """S06, R23: §8.1 of RFC 9260: "each time" the peer acknowledges: else some packets lost in years would end it."""
    peer = established()
    _, packets = asks(peer)
    peer.wait(3.5)
    assert peer.association.failure.error_count == 2
    peer.answer(requests_of(packets)[0], DENIED)
    assert (peer.path(ONE).error_count, peer.association.failure.error_count) == (0, 0)


@EACH
def test_too_many_expiries_end_the_association(asks: Asks) -> None:
    """S06: "threshold management, possibly destroying the association"."""
    peer = established(WILLING.replace(association_max_retrans=3))
    request, _ = asks(peer)
    packets = peer.wait(1 + 2 + 4 + 7.9)
    assert len(reconfigs_of(packets)) == 3
    assert state_of(peer.association) is AssociationState.ESTABLISHED
    peer.wait(0.2)
    assert state_of(peer.association) is AssociationState.CLOSED
    assert [event.change for event in peer.events_of(AssociationChange)][-1] is AssociationChangeKind.COMM_LOST
    assert request.outcome in (None, Outcome.FAILED)
    assert peer.engine.next_deadline() is None


def test_a_path_that_answers_no_request_becomes_inactive() -> None:
    """S06, R23: the destination's threshold too (§8.2 of RFC 9260)."""
    peer = established(WILLING.replace(path_max_retrans=2), addresses=(ONE, TWO))
    peer.resets(1)
    peer.wait(100)
    assert PathState.INACTIVE in [path.state for path in peer.association.paths]


@EACH
def test_an_answer_stops_the_timer(asks: Asks) -> None:
    """S06: §5.2.7 H1: nothing is sent again, and nothing counts."""
    peer = established()
    _, packets = asks(peer)
    peer.answer(requests_of(packets)[0], DENIED)
    assert reconfigs_of(peer.wait(300)) == []
    assert peer.path(ONE).error_count == 0


def test_no_timer_runs_for_a_chunk_without_a_request() -> None:
    """S06: "If it contains no request parameters, the Re-configuration Timer MUST NOT be started"."""
    peer = established()
    peer.a_uses(1)
    assert len(responses_of(peer.ask(peer.outgoing(1)))) == 1
    assert reconfigs_of(peer.wait(300)) == []
    assert peer.state is AssociationState.ESTABLISHED


def test_the_timer_runs_for_a_request_that_is_sent_with_a_response() -> None:
    """S06: "if the RE-CONFIG chunk contains at least one request parameter"."""
    peer = established()
    peer.a_uses(1)
    peer.z_uses(2)
    packets = peer.ask(peer.outgoing(1), peer.incoming(2))
    (request,) = outgoing_of(packets)
    assert request in outgoing_of(peer.wait(1.1))


def test_a_request_lost_and_its_answer_lost_is_performed_once() -> None:
    """S06: the retransmission is answered, and what the user gave meanwhile goes then."""
    peer = established()
    peer.z_uses(1)
    request, packets = peer.resets(1)
    peer.user_sends(b"after", stream=1)
    packets = peer.wait(3.5)
    (asked,) = set(outgoing_of(packets))
    assert chunks_of(packets, Data) == []
    packets = peer.answer(asked)
    assert data_of(packets) == [(1, 0, b"after")]
    assert request.outcome is Outcome.DONE
    # the answer to the retransmission
    assert peer.answer(asked) == []
    assert data_of(peer.user_sends(b"next", stream=1)) == [(1, 1, b"next")]


@pytest.mark.parametrize("first", [0xFFFF_FFFF, 0xFFFF_FFFD, 0, 0x7FFF_FFFF], ids=hex)
def test_request_numbers_go_over_the_wrap(first: int) -> None:
    """S06: §4.1: "initialized to the same value as the initial TSN ... increased by 1": modulo 2^32."""
    peer = established(z_first=first)
    for n in range(4):
        request, packets = peer.adds_outgoing(1)
        (asked,) = requests_of(packets)
        assert not isinstance(asked, OutgoingSsnResetRequest)
        assert asked.request_sequence_number == (first + n) & 0xFFFF_FFFF
        peer.answer(asked)
        assert request.outcome is Outcome.DONE
