"""RE-CONFIG (RFC 6525) before an association is there, while it ends, and after a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.core.reconfig import Outcome
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, StreamReset
from aiosctp.wire.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Data,
    Heartbeat,
    HeartbeatAck,
    InitAck,
    ReConfig,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
)
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.parameters import StateCookie
from aiosctp.wire.reconfig import ReconfigurationRequest, ReconfigurationResponse
from tests.core.laws import check_association, check_stack
from tests.core.reconfig.script import (
    IN_PROGRESS,
    PERFORMED,
    QUIET,
    STREAMS,
    WILLING,
    Script,
    established,
    number,
    outgoing_of,
    reconfigs_of,
    requests_of,
    results_of,
)
from tests.core.scripted import A_INITIAL_TSN, Packet, chunks_of

Makes = Callable[[Script], ReconfigurationRequest]

MADE: dict[str, Makes] = {
    "outgoing": lambda peer: peer.outgoing(1),
    "incoming": lambda peer: peer.incoming(1),
    "ssn_tsn": lambda peer: peer.ssn_tsn(),
    "add_outgoing": lambda peer: peer.add_outgoing(2),
    "add_incoming": lambda peer: peer.add_incoming(2),
}
EACH = pytest.mark.parametrize("makes", MADE.values(), ids=MADE)

HANDSHAKE = [AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED]
ENDING = [
    AssociationState.SHUTDOWN_PENDING,
    AssociationState.SHUTDOWN_SENT,
    AssociationState.SHUTDOWN_RECEIVED,
    AssociationState.SHUTDOWN_ACK_SENT,
]
LAST = [AssociationState.SHUTDOWN_SENT, AssociationState.SHUTDOWN_ACK_SENT]


# -- before --


@EACH
@pytest.mark.parametrize("state", HANDSHAKE)
def test_in_the_handshake_nothing_is_asked_for(makes: Makes, state: AssociationState) -> None:
    """E05, R13: it is not known yet whether the peer speaks it: nothing is sent (§5.1 C of RFC 9260), nothing done."""
    peer = Script()
    peer.in_state(state)
    assert peer.ask(makes(peer)) == []
    assert peer.state is state
    if state is AssociationState.COOKIE_WAIT:
        peer.send(peer.init_ack())
    peer.send(CookieAck())
    assert peer.state is AssociationState.ESTABLISHED
    # Its number was not used up: A sends it again.
    peer.next_request = A_INITIAL_TSN
    request = peer.add_outgoing(1)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]
    check_association(peer.association)


def test_a_request_behind_the_cookie_echo_is_answered() -> None:
    """E05: the association is there, and the COOKIE ACK goes first."""
    peer = Script(WILLING)
    echo = peer.cookie_echo()
    request = peer.add_outgoing(2)
    packets = peer.send(echo, ReConfig((request,)))
    assert results_of(packets) == [(request.request_sequence_number, PERFORMED)]
    chunks = [chunk for packet in packets for chunk in packet.chunks]
    assert isinstance(chunks[0], CookieAck)


@pytest.mark.parametrize("state", [*HANDSHAKE, AssociationState.CLOSED])
def test_a_response_where_nothing_was_asked(state: AssociationState) -> None:
    """X53: in the handshake it is ignored; without an association it is out of the blue (§8.4 of RFC 9260)."""
    peer = Script()
    if state is AssociationState.CLOSED:
        peer.listen()
        packets = peer.send(ReConfig((ReconfigurationResponse(1, PERFORMED),)), tag=7)
        assert [packet.types for packet in packets] == [(Abort,)]
        return
    peer.in_state(state)
    assert peer.send(ReConfig((ReconfigurationResponse(peer.z_initial_tsn, PERFORMED),))) == []
    assert peer.state is state


@EACH
def test_under_a_wrong_tag_nothing_is_done(makes: Makes) -> None:
    """R13, X50: §8.5 of RFC 9260: "MUST silently discard the packet", and the number is still the next."""
    peer = established()
    for tag in (0, peer.z_tag ^ 1, peer.tag):
        assert peer.send(ReConfig((makes(peer),)), tag=tag) == []
    peer.next_request = A_INITIAL_TSN
    assert len(reconfigs_of(peer.ask(makes(peer)))) == 1


# -- while it ends --


def ends(peer: Script, state: AssociationState) -> None:
    """The shutdown goes on from this state to its end."""
    if state in (AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED):
        peer.acknowledge_all()
    match peer.state:
        case AssociationState.SHUTDOWN_SENT:
            packets = peer.send(ShutdownAck())
            assert len(chunks_of(packets, ShutdownComplete)) == 1
        case AssociationState.SHUTDOWN_ACK_SENT:
            peer.send(ShutdownComplete())
    assert peer.state is AssociationState.CLOSED
    assert [event.change for event in peer.events_of(AssociationChange)][-1] is AssociationChangeKind.SHUTDOWN_COMP
    assert peer.engine.next_deadline() is None


@EACH
@pytest.mark.parametrize("state", ENDING)
def test_a_request_does_not_keep_an_association_from_ending(makes: Makes, state: AssociationState) -> None:
    """S06, M06, X49: whatever it is answered, if at all, the state stays as it is and the shutdown goes on."""
    peer = Script(WILLING)
    peer.in_state(state)
    packets = peer.ask(makes(peer))
    assert peer.state is state
    assert {type(chunk) for packet in packets for chunk in packet.chunks} <= {ReConfig, Sack, Shutdown, ShutdownAck}
    if state in LAST:
        # All data of ours is acknowledged, and all of ours is said: a request of ours has nothing to ask for.
        assert requests_of(packets) == []
    check_association(peer.association)
    ends(peer, state)


@EACH
@pytest.mark.parametrize("state", ENDING)
def test_requests_repeated_do_not_put_the_end_off(makes: Makes, state: AssociationState) -> None:
    """S06, X49: a peer that asks for ever and never acknowledges the shutdown is aborted by the guard (§9.2)."""
    peer = Script(WILLING.replace(shutdown_timeout_s=30, association_max_retrans=100))
    peer.in_state(state)
    if state is AssociationState.SHUTDOWN_RECEIVED:
        peer.user_shuts_down()
    request = makes(peer)
    for _ in range(100):
        peer.ask(request)
        peer.wait(1)
        if peer.state is AssociationState.CLOSED:
            break
    assert peer.state is AssociationState.CLOSED


@pytest.mark.parametrize("state", [AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED])
def test_a_reset_of_the_peers_streams_is_done_while_we_wait(state: AssociationState) -> None:
    """S06: data may still come in SHUTDOWN-PENDING; an answer is due in either."""
    peer = Script(WILLING)
    peer.in_state(state)
    request = peer.outgoing(1)
    assert [number for number, _ in results_of(peer.ask(request))] in ([request.request_sequence_number], [])
    ends(peer, state)


@pytest.mark.parametrize("kind", ["resets", "asks_for_reset", "adds_outgoing", "adds_incoming"])
def test_a_shutdown_with_a_request_in_flight(kind: str) -> None:
    """S06, M06: the user asks, and shuts down: it ends, whether the answer comes or not, and the request is decided."""
    for answered in (True, False):
        peer = established()
        _, packets = getattr(peer, kind)(1)
        (asked,) = requests_of(packets)
        packets = peer.user_shuts_down()
        if answered:
            packets += peer.answer(asked)
        packets += peer.wait(0)
        if not chunks_of(packets, Shutdown):
            # it may wait for the answer, no longer
            assert not answered
            packets = peer.answer(asked)
        assert chunks_of(packets, Shutdown)
        ends(peer, peer.state)
        check_stack(peer.engine, [])


@pytest.mark.parametrize("wish", ["incoming", "add_incoming"])
def test_what_the_peer_wants_of_us_is_denied_once_we_can_ask_for_it_no_more(wish: str) -> None:
    """S06: in SHUTDOWN-SENT no request of ours goes: a peer told "In progress" for ever would wait for ever with what
    it asks next, and its shutdown with what that holds back."""
    peer = established()
    peer.adds_outgoing(2)
    request = MADE[wish](peer)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, ReconfigurationResult.IN_PROGRESS)]
    peer.user_shuts_down()
    peer.wait(0)
    assert peer.state is AssociationState.SHUTDOWN_SENT
    for _ in range(2):
        assert results_of(peer.ask(request)) == [(request.request_sequence_number, ReconfigurationResult.DENIED)]
    ends(peer, peer.state)


def test_the_peer_shuts_down_with_a_request_of_ours_in_flight() -> None:
    """S06, M06: nothing of ours is outstanding: SHUTDOWN ACK; the timer of the request does not outlive it."""
    peer = established()
    peer.resets(1)
    packets = peer.send(Shutdown(number(peer.z_initial_tsn, -1)))
    packets += peer.wait(0)
    assert chunks_of(packets, ShutdownAck)
    ends(peer, peer.state)


def test_the_peer_shuts_down_while_messages_are_held() -> None:
    """S06, X46: what waits for an answer is data of the user's: it is sent once the answer is here, or is told to have
    failed when the association is lost."""
    peer = established()
    _, packets = peer.resets(1)
    (asked,) = outgoing_of(packets)
    peer.user_sends(b"held", stream=1)
    assert not chunks_of(peer.send(Shutdown(number(peer.z_initial_tsn, -1))), ShutdownAck)
    assert peer.state is AssociationState.SHUTDOWN_RECEIVED
    packets = peer.answer(asked)
    assert [chunk.payload for chunk in chunks_of(packets, Data)] == [b"held"]
    assert chunks_of(peer.send(Shutdown(peer.z_initial_tsn)), ShutdownAck)
    ends(peer, peer.state)


@EACH
def test_an_abort_ends_it_with_all_that_is_under_way(makes: Makes) -> None:
    """S06, M05: deferred, asked for, held: no timer is left and nothing is found any more."""
    peer = established()
    peer.data(b"never")
    peer.ask(makes(peer))
    request, _ = peer.resets(1)
    peer.user_sends(b"held", stream=1)
    peer.send(Abort())
    assert peer.state is AssociationState.CLOSED
    assert peer.engine.next_deadline() is None
    assert peer.wait(300) == []
    assert request.outcome in (None, Outcome.FAILED)
    check_stack(peer.engine, [])


# -- a restart (§5.2.4 A of RFC 9260) --

RESTARTED_TAG, RESTARTED_TSN = 0xA1A1_A1A1, 0x7FFF_FFFF


def restarts(peer: Script, *, announces: tuple[int, ...] = (0x82,)) -> list[Packet]:
    """A has crashed, and comes up again with another tag and another TSN; what Z says with its COOKIE ACK."""
    peer.tag, peer.announces = RESTARTED_TAG, announces
    init = peer.init()
    init = type(init)(RESTARTED_TAG, init.a_rwnd, STREAMS, STREAMS, RESTARTED_TSN, init.parameters)
    # A -> INIT -> Z, Z -> INIT ACK -> A
    (init_ack,) = chunks_of(peer.send(init, tag=0), InitAck)
    peer.z_tag, peer.z_initial_tsn = init_ack.initiate_tag, init_ack.initial_tsn
    (cookie,) = [each.cookie for each in init_ack.parameters if isinstance(each, StateCookie)]
    peer.next_tsn = peer.next_request = RESTARTED_TSN
    peer._last_requests = ()
    # A -> COOKIE ECHO -> Z, Z -> COOKIE ACK -> A
    packets = peer.send(CookieEcho(cookie))
    assert chunks_of(packets, CookieAck)
    assert [event.change for event in peer.events_of(AssociationChange)][-1] is AssociationChangeKind.RESTART
    return packets


def test_after_a_restart_our_request_numbers_begin_anew() -> None:
    """X08, S06: usrsctp went on from the old ones: the next is the initial TSN of the new handshake."""
    peer = established()
    for _ in range(3):
        _, packets = peer.adds_outgoing(1)
        peer.answer(requests_of(packets)[0])
    before = peer.z_initial_tsn
    restarts(peer)
    assert peer.z_initial_tsn != before
    assert peer.outbound_streams == STREAMS
    (asked,) = requests_of(peer.resets(1)[1])
    assert asked.request_sequence_number == peer.z_initial_tsn


def test_after_a_restart_the_peers_request_numbers_begin_anew() -> None:
    """X08, S06: its first is its new initial TSN; an old one is a bad one."""
    peer = established()
    for _ in range(3):
        peer.ask(peer.add_outgoing(1))
    old = peer.next_request
    restarts(peer)
    assert peer.inbound_streams == STREAMS
    first = peer.add_outgoing(1)
    assert first.request_sequence_number == RESTARTED_TSN
    assert results_of(peer.ask(first)) == [(RESTARTED_TSN, PERFORMED)]
    peer.next_request = old
    stale = peer.add_outgoing(1)
    assert [result for _, result in results_of(peer.ask(stale))] != [PERFORMED]
    assert peer.inbound_streams == STREAMS + 1


def test_a_restart_fails_what_was_under_way() -> None:
    """X08, S06: its answer will not come, and its number means something else now."""
    peer = established()
    first, packets = peer.resets(1)
    (old,) = outgoing_of(packets)
    second, _ = peer.adds_outgoing(1)
    peer.user_sends(b"held", stream=1)
    restarts(peer)
    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.FAILED)
    assert reconfigs_of(peer.wait(100)) == []
    assert [(list(event.outgoing), event.failed) for event in peer.events_of(StreamReset)] == [([1], True)]
    # an answer to the old one changes nothing
    assert reconfigs_of(peer.answer(old)) == []
    assert peer.outbound_streams == STREAMS
    (chunk,) = chunks_of(peer.user_sends(b"new", stream=1), Data)
    assert (chunk.ssn, chunk.payload, chunk.tsn) == (0, b"new", peer.z_initial_tsn)
    check_association(peer.association)


def test_a_restart_ends_a_reset_that_was_deferred() -> None:
    """X08, X33: what was held for it is gone, with its charge to the window; streams are as new."""
    peer = established()
    peer.data(b"never", 1, 0)
    request = peer.outgoing(1)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, IN_PROGRESS)]
    peer.says(b"held", 1, 0)
    restarts(peer)
    assert peer.association.receiver.held_bytes == 0
    peer.says(b"zero", 1, 0)
    peer.says(b"one", 1, 1)
    assert peer.reads() == [(1, b"zero"), (1, b"one")]
    assert results_of(peer.heard)[-1] == (request.request_sequence_number, IN_PROGRESS)
    check_association(peer.association)


def test_a_peer_that_comes_up_without_it_is_not_asked() -> None:
    """X08, E05: what was announced in the handshake before holds no more."""
    peer = established()
    restarts(peer, announces=())
    assert not peer.association.supports_reconfig
    assert peer.ask(peer.outgoing(1)) == []


def test_a_peer_that_comes_up_with_it_may_be_asked() -> None:
    """X08, E05: the other way round."""
    peer = Script(announces=())
    peer.established()
    assert peer.association.supports_reconfig is False
    restarts(peer)
    assert len(requests_of(peer.resets(1)[1])) == 1


def test_it_lives_beside_other_control_chunks() -> None:
    """M15: a HEARTBEAT in the same packet is answered as ever."""
    peer = established(QUIET)
    request = peer.outgoing(1)
    packets = peer.send(Heartbeat(b"a"), ReConfig((request,)), Heartbeat(b"b"))
    assert [ack.info for ack in chunks_of(packets, HeartbeatAck)] == [b"a", b"b"]
    assert len(results_of(packets)) == 1
