"""Setup chunks that meet an association: collision, duplicates, late cookies (§5.2.1, §5.2.3, §5.2.4, §5.2.5)."""

from __future__ import annotations

import pytest

from aiosctp.core.states import AssociationState, Opener, PathState
from aiosctp.events import AssociationChangeKind
from aiosctp.wire.causes import (
    RestartWithNewAddresses,
    StaleCookie,
)
from aiosctp.wire.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    Shutdown,
)
from aiosctp.wire.parameters import IPv4AddressParameter, StateCookie, SupportedAddressTypes
from tests.core.transcript import (
    ESTABLISHED_OR_CLOSING,
    OUR_HOST,
    OUR_SECOND_HOST,
    PEER_HOST,
    PEER_SECOND_HOST,
    PEER_TSN,
    STRANGER_HOST,
    Bench,
    Peer,
    cookie_of,
    opened,
    reborn,
    state_of,
)

SECOND_ADDRESS = IPv4AddressParameter(PEER_SECOND_HOST)
AFTER_COOKIE_WAIT = [AssociationState.COOKIE_ECHOED, *ESTABLISHED_OR_CLOSING, AssociationState.SHUTDOWN_ACK_SENT]


# -- an INIT in COOKIE-WAIT (§5.2.1) --


def test_an_init_in_cookie_wait_is_answered_with_the_parameters_of_our_own() -> None:
    """R08: "using the same parameters it sent in its original INIT chunk (including its Initiate Tag, unchanged)"."""
    bench = Bench(outbound_streams=5, max_inbound_streams=6)
    peer = Peer(bench)
    association = bench.connect(peer.host)
    # A -> INIT -> Z
    ours = peer.expect(Init, tag=0)
    # Z -> INIT -> A
    peer.send(peer.init())
    # A -> INIT ACK -> Z
    answer = peer.expect(InitAck)
    assert (answer.initiate_tag, answer.initial_tsn) == (ours.initiate_tag, ours.initial_tsn)
    assert (answer.a_rwnd, answer.outbound_streams, answer.inbound_streams) == (ours.a_rwnd, 5, 6)
    assert cookie_of(answer)
    assert association.state is AssociationState.COOKIE_WAIT


def test_an_init_in_cookie_wait_leaves_t1_init_running() -> None:
    """R08: "MUST NOT change its state, the T1-init timer MUST be left running, and ... TCB MUST NOT be destroyed"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.advance(0.5)
    peer.send(peer.init())
    peer.expect(InitAck)
    bench.advance(0.49)
    bench.expect_nothing()
    bench.advance(0.02)
    # A -> INIT -> Z
    assert peer.expect(Init, tag=0).initiate_tag == association.tcb.local_tag
    assert association.state is AssociationState.COOKIE_WAIT


def test_an_init_in_cookie_wait_may_bring_new_addresses() -> None:
    """R08: the ABORT for new addresses is for COOKIE-ECHOED: in COOKIE-WAIT it MUST be an INIT ACK (§5.2.1)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    peer.send(peer.init(SECOND_ADDRESS))
    peer.expect(InitAck)
    assert association.state is AssociationState.COOKIE_WAIT


def test_the_answer_in_cookie_wait_only_goes_where_the_user_wanted_to() -> None:
    """R08: INIT ACK goes to an address "passed by the upper layer" and "reported in the incoming INIT"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT [lists the address we called] -> A, from another one
    peer.send(peer.init(IPv4AddressParameter(PEER_HOST)), source=PEER_SECOND_HOST)
    # A -> INIT ACK -> Z, to the address we called
    peer.expect(InitAck, host=PEER_HOST)
    assert association.state is AssociationState.COOKIE_WAIT


@pytest.mark.parametrize(
    ("source", "listed"),
    [
        (PEER_SECOND_HOST, ()),
        (PEER_SECOND_HOST, (PEER_HOST, PEER_SECOND_HOST)),
        (STRANGER_HOST, (PEER_SECOND_HOST,)),
    ],
    ids=["the source alone", "the source of several", "a source that the user did not name"],
)
def test_the_answer_in_cookie_wait_goes_to_an_address_of_the_init(source: str, listed: tuple[str, ...]) -> None:
    """§5.2.1, 2 and 3: "MUST only be sent to an address reported in the incoming INIT", its source if it may be."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_called(PEER_HOST, PEER_SECOND_HOST)
    # Z -> INIT -> A
    peer.send(peer.init(*map(IPv4AddressParameter, listed)), source=source)
    # A -> INIT ACK -> Z
    peer.expect(InitAck, host=PEER_SECOND_HOST)
    bench.expect_nothing()


@pytest.mark.parametrize("state", [AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED])
def test_the_answer_to_an_init_says_all_that_our_own_init_said(state: AssociationState) -> None:
    """§5.2.1: "using the same parameters it sent in its original INIT chunk", addresses and all."""
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST), receive_window_bytes=54321, adaptation_layer=7)
    peer = Peer(bench)
    bench.connect(peer.host)
    # A -> INIT -> Z
    ours = peer.expect(Init, tag=0)
    peer.our_tag = ours.initiate_tag
    if state is AssociationState.COOKIE_ECHOED:
        peer.send(peer.init_ack())
        peer.expect(CookieEcho)
    # Z -> INIT -> A, A -> INIT ACK -> Z
    peer.send(peer.init())
    answer = peer.expect(InitAck)
    assert answer.a_rwnd == ours.a_rwnd == 54321
    assert (answer.outbound_streams, answer.inbound_streams) == (ours.outbound_streams, ours.inbound_streams)
    said = [parameter for parameter in ours.parameters if not isinstance(parameter, SupportedAddressTypes)]
    assert [parameter for parameter in answer.parameters if not isinstance(parameter, StateCookie)] == said
    # Two addresses, the extensions in two parameters, the adaptation layer.
    assert len(said) == 5


def test_the_cookie_of_a_collision_in_cookie_wait_has_no_tie_tags() -> None:
    """§5.2.2: they are populated "only when a TCB exists and the association is not in a COOKIE-WAIT" state."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_called()
    said = opened(bench, peer.get_cookie())
    assert (said.local_tie_tag, said.peer_tie_tag) == (0, 0)


def test_the_cookie_of_a_collision_in_cookie_echoed_has_the_tie_tags_of_the_tcb() -> None:
    """§5.2.1: "MUST populate its Tie-Tags within both the association TCB and inside the State Cookie"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    said = opened(bench, peer.get_cookie())
    assert (said.local_tie_tag, said.peer_tie_tag) == (association.tcb.local_tie_tag, association.tcb.peer_tie_tag)
    assert 0 not in (said.local_tie_tag, said.peer_tie_tag)
    assert {said.local_tie_tag, said.peer_tie_tag}.isdisjoint({peer.our_tag, peer.tag})


def test_an_init_ack_after_a_collision_goes_on_with_the_handshake() -> None:
    """R08: "The normal procedures for handling State Cookies ... will resolve the duplicate INIT chunks"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    peer.send(peer.init())
    peer.expect(InitAck)
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
    peer.send(CookieAck())
    assert association.state is AssociationState.ESTABLISHED
    peer.talk(association)


@pytest.mark.parametrize("state", [AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED])
def test_a_shutdown_asked_for_in_the_handshake_begins_when_the_peers_cookie_ends_it(state: AssociationState) -> None:
    """R08: §5.2.4 B and D establish without a COOKIE ACK of the peer's; what the user asked for still holds."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    # Z -> INIT -> A, A -> INIT ACK -> Z
    peer.send(peer.init())
    cookie = cookie_of(peer.expect(InitAck))
    bench.shut_down(association)
    assert association.state is state
    # Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(cookie))
    # A -> COOKIE ACK, SHUTDOWN -> Z
    peer.expect_packet(CookieAck, Shutdown)
    assert association.state is AssociationState.SHUTDOWN_SENT


# -- an INIT in COOKIE-ECHOED (§5.2.1) --


def test_an_init_in_cookie_echoed_is_answered_with_the_parameters_of_our_own() -> None:
    """R08: the same as in COOKIE-WAIT, "provided that no new address has been added to the forming association"."""
    bench = Bench(outbound_streams=5, max_inbound_streams=6)
    peer = Peer(bench)
    association = peer.is_echoed()
    # Z -> INIT -> A
    peer.send(peer.init())
    # A -> INIT ACK -> Z
    answer = peer.expect(InitAck)
    assert (answer.initiate_tag, answer.initial_tsn) == (peer.our_tag, peer.our_tsn)
    assert (answer.outbound_streams, answer.inbound_streams) == (5, 6)
    assert association.state is AssociationState.COOKIE_ECHOED
    # T1-cookie is left running.
    bench.advance(1.0)
    peer.expect(CookieEcho)


def test_the_answer_in_cookie_echoed_goes_to_no_unconfirmed_address() -> None:
    """§5.2.1, 1: only to an address "passed by the upper layer"; §5.4: an INIT ACK is not among what may go to one that
    the INIT ACK of the peer named."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_echoed(SECOND_ADDRESS)
    # Z -> INIT [two addresses] -> A, from the one that our user did not name
    peer.send(peer.init(IPv4AddressParameter(PEER_HOST), SECOND_ADDRESS), source=PEER_SECOND_HOST)
    # A -> INIT ACK -> Z
    peer.expect(InitAck, host=PEER_HOST)
    # Z -> INIT [that address alone] -> A
    peer.send(peer.init(), source=PEER_SECOND_HOST)
    bench.expect_nothing()


def test_an_init_in_cookie_echoed_with_a_new_address_is_refused() -> None:
    """R08, Q11, X58: "the entire INIT chunk MUST be discarded ... An ABORT chunk SHOULD be sent" (§5.2.1)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    again = reborn(peer)
    # Z -> INIT [new address] -> A
    again.send(again.init(IPv4AddressParameter(PEER_HOST), SECOND_ADDRESS))
    # A -> ABORT [Restart of an Association with New Addresses] -> Z, under the Initiate Tag
    assert again.expect(Abort) == Abort((RestartWithNewAddresses((SECOND_ADDRESS,)),))
    assert association.state is AssociationState.COOKIE_ECHOED
    peer.send(CookieAck())
    assert state_of(association) is AssociationState.ESTABLISHED
    peer.talk(association)


# -- COOKIE ECHO in a collision (§5.2.4 B, D) --


def test_both_sides_call_at_once() -> None:
    """R06, R08: our cookie comes back with both tags right: action D, ESTABLISHED, T1-cookie stopped."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT -> A, A -> INIT ACK -> Z
    peer.send(peer.init())
    our_cookie = cookie_of(peer.expect(InitAck))
    # Z -> INIT ACK -> A, A -> COOKIE ECHO -> Z
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
    # Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(our_cookie))
    # A -> COOKIE ACK -> Z
    peer.expect(CookieAck)
    assert association.state is AssociationState.ESTABLISHED
    assert association.next_deadline() is None
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    assert association.opener is Opener.BOTH
    # Z -> COOKIE ACK -> A: too late to matter (§5.2.5)
    peer.send(CookieAck())
    bench.expect_nothing_ever()
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    peer.talk(association)


def test_a_cookie_ack_leads_its_packet_whatever_has_been_waiting() -> None:
    """§5.1 D: it "MUST be the first chunk in the packet"."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_called()
    our_cookie = peer.get_cookie()
    # Z -> INIT ACK -> A, A -> COOKIE ECHO -> Z
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
    # Z -> HEARTBEAT -> A: the answer waits for the end of the handshake
    peer.send(Heartbeat(b"are you there"))
    # Z -> COOKIE ECHO -> A, A -> COOKIE ACK, HEARTBEAT ACK -> Z
    peer.send(CookieEcho(our_cookie))
    sent = [packet.kinds for packet in bench.unread]
    assert sent[0][0] is CookieAck
    assert [kind for kinds in sent for kind in kinds] == [CookieAck, HeartbeatAck]


def test_the_peers_cookie_echo_after_its_cookie_ack() -> None:
    """§5.2.4 D: both have opened it all the same; a repetition of ours changes nothing."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    our_cookie = peer.get_cookie()
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
    # Z -> COOKIE ACK -> A
    peer.send(CookieAck())
    openers = [association.opener]
    for _ in range(2):
        # Z -> COOKIE ECHO -> A, A -> COOKIE ACK -> Z
        peer.send(CookieEcho(our_cookie))
        peer.expect(CookieAck)
        openers.append(association.opener)
    assert openers == [Opener.US, Opener.BOTH, Opener.BOTH]


def test_the_peers_cookie_echo_before_its_init_ack() -> None:
    """R04: our tag matches, the peer's is not known yet (M, 0): action B, from COOKIE-WAIT (Table 12)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    peer.send(peer.init())
    our_cookie = cookie_of(peer.expect(InitAck))
    # Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(our_cookie))
    # A -> COOKIE ACK -> Z, under the tag from the cookie
    peer.expect(CookieAck)
    assert association.state is AssociationState.ESTABLISHED
    assert association.next_deadline() is None
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    # Ours can count no more.
    assert association.opener is Opener.PEER
    # Z -> INIT ACK -> A: late, discarded (§5.2.3); T1-init is stopped
    peer.send(peer.init_ack())
    bench.expect_nothing_ever()
    peer.talk(association)


def test_the_peer_took_a_new_tag_after_it_had_answered() -> None:
    """R04: our tag matches, the peer's differs (M, X): action B: "it MUST update its peer's Verification Tag"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    later = reborn(peer)
    later.our_tag, later.our_tsn = peer.our_tag, peer.our_tsn
    # Z -> INIT [another tag] -> A, A -> INIT ACK -> Z
    later.send(later.init())
    our_cookie = cookie_of(later.expect(InitAck))
    # Z -> COOKIE ECHO -> A
    later.send(CookieEcho(our_cookie))
    # A -> COOKIE ACK -> Z, under the new tag
    later.expect(CookieAck)
    assert association.state is AssociationState.ESTABLISHED
    assert association.opener is Opener.PEER
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    bench.expect_nothing_ever()
    later.talk(association)


def test_action_b_in_established_stays_there() -> None:
    """R04: "The endpoint SHOULD stay in or enter the ESTABLISHED state", with the peer's tag from the cookie."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    other = reborn(peer)
    other.our_tag, other.our_tsn = peer.our_tag, peer.our_tsn
    other.send(other.init())
    our_cookie = cookie_of(other.expect(InitAck))
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
    peer.send(CookieAck())
    assert association.state is AssociationState.ESTABLISHED
    # Z -> COOKIE ECHO [our tag, another of Z's] -> A
    other.send(CookieEcho(our_cookie))
    # A -> COOKIE ACK -> Z
    other.expect(CookieAck)
    assert association.state is AssociationState.ESTABLISHED
    bench.shut_down(association)
    other.expect(Shutdown)


def test_data_queued_before_a_collision_is_sent_once_it_is_resolved() -> None:
    """R04, A12: what waited for COOKIE-WAIT to end is not lost when a COOKIE ECHO ends it."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, b"waiting")
    peer.send(peer.init())
    our_cookie = cookie_of(peer.expect(InitAck))
    peer.send(CookieEcho(our_cookie))
    chunks = peer.drain()
    assert isinstance(chunks[0], CookieAck)
    assert [chunk.payload for chunk in chunks if isinstance(chunk, Data)] == [b"waiting"]


# -- late and duplicate cookies (§5.2.4 C, D and what Table 12 does not show) --


def test_a_late_cookie_is_silently_discarded() -> None:
    """R05: Z's tag matches, ours differs, no tie-tags (X, M, 0, 0): action C, timers left running."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    # Z -> INIT -> A, A -> INIT ACK -> Z: our cookie, on its long way
    late_cookie = peer.get_cookie()
    late_tag = peer.our_tag
    association = peer.is_echoed()
    assert peer.our_tag != late_tag
    bench.advance(0.5)
    # Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(late_cookie), tag=late_tag)
    bench.expect_nothing()
    assert association.state is AssociationState.COOKIE_ECHOED
    bench.advance(0.5)
    # A -> COOKIE ECHO -> Z: T1-cookie was left running
    peer.expect(CookieEcho)
    peer.send(CookieAck())
    peer.talk(association)


def test_the_second_of_two_cookies_for_one_init_is_silently_discarded() -> None:
    """R05, X27: a duplicate INIT was answered twice, one cookie was used: the other is (X, M, 0, 0) too."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    second_cookie = peer.get_cookie()
    second_tag = peer.our_tag
    first_cookie = peer.get_cookie()
    peer.send(CookieEcho(first_cookie))
    peer.expect(CookieAck)
    (association,) = endpoint.accepted
    # Z -> COOKIE ECHO, DATA -> A
    peer.send(CookieEcho(second_cookie), Data(PEER_TSN, 0, 0, 0, b"not this"), tag=second_tag)
    bench.expect_nothing()
    assert len(endpoint.associations) == 1
    assert association.receiver.read() is None
    peer.talk(association)


def test_a_cookie_of_another_time_is_silently_discarded() -> None:
    """R07: neither tag matches and there are no tie-tags (X, X, 0, 0): "the cookie SHOULD be silently discarded"."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    former = reborn(peer)
    old_cookie = former.get_cookie()
    association = peer.associate()
    # Z' -> COOKIE ECHO -> A
    former.send(CookieEcho(old_cookie))
    bench.expect_nothing()
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    assert len(endpoint.associations) == 1
    peer.talk(association)


def test_a_duplicate_cookie_echo_is_acknowledged_again() -> None:
    """R06, X27: both tags match: action D: COOKIE ACK, nothing else changes; its DATA is a duplicate."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    data = peer.data(b"once")
    peer.send(CookieEcho(cookie), data)
    peer.drain()
    (association,) = endpoint.accepted
    # Z -> COOKIE ECHO, DATA -> A: the COOKIE ACK was lost
    peer.send(CookieEcho(cookie), data)
    # A -> COOKIE ACK, SACK -> Z
    chunks = peer.drain()
    assert [type(chunk) for chunk in chunks] == [CookieAck, Sack]
    assert isinstance(chunks[1], Sack)
    assert chunks[1].duplicate_tsns == (PEER_TSN,)
    first, second = association.receiver.read(), association.receiver.read()
    assert first is not None
    assert first.data == b"once"
    assert second is None
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    peer.talk(association)


def test_an_expired_duplicate_is_acknowledged_again_too() -> None:
    """R06, Q03: "If both Verification Tags ... match ..., consider the State Cookie valid, ... even if"."""
    bench = Bench(valid_cookie_life_s=60.0)
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)
    bench.advance(100.0)
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)
    peer.talk(endpoint.accepted[0])


def test_an_expired_cookie_with_other_tags_is_stale() -> None:
    """Q03, R07: "MUST transmit an ERROR chunk with a "Stale Cookie" error cause"; the association stays (§5.2.4, 3)."""
    bench = Bench(valid_cookie_life_s=60.0)
    peer = Peer(bench)
    association = peer.associate()
    again = reborn(peer)
    cookie = again.get_cookie()
    bench.advance(61.0)
    # Z -> COOKIE ECHO, DATA -> A
    again.send(CookieEcho(cookie), again.data())
    # A -> ERROR [Stale Cookie] -> Z
    assert isinstance(again.expect(Error).causes[0], StaleCookie)
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    assert association.receiver.read() is None
    peer.talk(association)


@pytest.mark.parametrize("state", [AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT])
def test_a_duplicate_cookie_echo_does_not_undo_a_shutdown(state: AssociationState) -> None:
    """R06: action D enters ESTABLISHED "if it is in the COOKIE-ECHOED state", and from no other."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)
    association = endpoint.accepted.pop()
    if state is AssociationState.SHUTDOWN_PENDING:
        bench.say(association, b"outstanding")
    bench.shut_down(association)
    peer.drain()
    assert association.state is state
    # Z -> COOKIE ECHO -> A, A -> COOKIE ACK -> Z
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)
    assert association.state is state


# -- INIT ACK and COOKIE ACK that nobody waits for (§5.2.3, §5.2.5) --


@pytest.mark.parametrize("state", AFTER_COOKIE_WAIT)
def test_an_unexpected_init_ack_is_discarded(state: AssociationState) -> None:
    """R07, M02: in any other state than COOKIE-WAIT "the endpoint SHOULD discard the INIT ACK chunk" (§5.2.3)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    other = reborn(peer)
    for init_ack in (
        peer.init_ack(),
        other.init_ack(StateCookie(b"another cookie")),
        peer.init_ack(outbound=0),
        peer.init_ack(inbound=0),
        InitAck(0, 100_000, 1, 1, 1, (StateCookie(b"cookie"),)),
    ):
        peer.send(init_ack)
        bench.expect_nothing()
    assert association.state is state
    assert association.tcb.peer_tag == peer.tag


@pytest.mark.parametrize(
    "state", [AssociationState.COOKIE_WAIT, *ESTABLISHED_OR_CLOSING, AssociationState.SHUTDOWN_ACK_SENT]
)
def test_an_unexpected_cookie_ack_is_discarded(state: AssociationState) -> None:
    """R06: "At any state other than COOKIE-ECHOED, an endpoint SHOULD silently discard" it (§5.2.5)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    before = bench.changes(association)[:]
    peer.send(CookieAck())
    bench.expect_nothing()
    assert association.state is state
    assert bench.changes(association) == before


def test_a_shutdown_asked_for_before_a_collision_begins_with_it() -> None:
    """R04: the peer's COOKIE ECHO ends the handshake, and no COOKIE ACK comes to tell us that it has ended."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.shut_down(association)
    bench.expect_nothing()
    # Z -> INIT -> A, A -> INIT ACK -> Z, Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(peer.get_cookie()))
    # A -> COOKIE ACK, SHUTDOWN -> Z
    peer.expect_packet(CookieAck, Shutdown)
    assert association.state is AssociationState.SHUTDOWN_SENT


def test_the_cookie_ack_of_a_collision_goes_to_an_address_of_the_peers_init() -> None:
    """§5.1.2 C: "SHOULD use only these transport addresses", also where the COOKIE ECHO came from none of them."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called(PEER_HOST, PEER_SECOND_HOST)
    # Z -> INIT -> A, A -> INIT ACK -> Z: from and to the second address alone
    peer.host = PEER_SECOND_HOST
    cookie = peer.get_cookie()
    # Z -> COOKIE ECHO -> A, from elsewhere; A -> COOKIE ACK -> Z
    peer.send(CookieEcho(cookie), source=STRANGER_HOST)
    peer.expect(CookieAck, host=PEER_SECOND_HOST)
    assert {path.address for path in association.paths} == {PEER_SECOND_HOST}


def test_only_the_address_that_the_init_ack_went_to_is_confirmed_by_a_collision() -> None:
    """R12, R08: "the only CONFIRMED address is the address to which the packet containing the INIT ACK chunk was sent"
    (§5.4, 2): not the source of the INIT, where it came from one that our user had not named."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT [two addresses] -> A, from the one we do not know
    peer.send(peer.init(IPv4AddressParameter(PEER_HOST), SECOND_ADDRESS), source=PEER_SECOND_HOST)
    # A -> INIT ACK -> Z, to the one we know
    cookie = cookie_of(peer.expect(InitAck, host=PEER_HOST))
    # Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(cookie))
    assert association.state is AssociationState.ESTABLISHED
    states = {path.address: path.state for path in association.paths}
    assert states == {PEER_HOST: PathState.ACTIVE, PEER_SECOND_HOST: PathState.UNCONFIRMED}
