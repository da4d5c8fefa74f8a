"""Setup chunks that meet an association: collision, restart, duplicates, late and stale cookies (§5.2)."""

from __future__ import annotations

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChangeKind, SendFailed
from aiosctp.wire.causes import (
    CookieReceivedWhileShuttingDown,
    RestartWithNewAddresses,
    RestartWithNewEncapsulationPort,
    StaleCookie,
)
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Data, Error, Init, InitAck, Sack, Shutdown, ShutdownAck
from aiosctp.wire.parameters import CookiePreservative, IPv4AddressParameter, StateCookie
from tests.core.transcript import (
    PEER_HOST,
    PEER_SECOND_HOST,
    PEER_TSN,
    STRANGER_HOST,
    UDP_PORT,
    Bench,
    Peer,
    cookie_of,
    hosts_of,
    timers_are_stopped,
)

SECOND_ADDRESS = IPv4AddressParameter(PEER_SECOND_HOST)
NEW_TAG = 0x0DD_BA11
NEW_TSN = 0x7FFF_FFFF

ESTABLISHED_OR_CLOSING = [
    AssociationState.ESTABLISHED,
    AssociationState.SHUTDOWN_PENDING,
    AssociationState.SHUTDOWN_SENT,
    AssociationState.SHUTDOWN_RECEIVED,
]
AFTER_COOKIE_WAIT = [AssociationState.COOKIE_ECHOED, *ESTABLISHED_OR_CLOSING, AssociationState.SHUTDOWN_ACK_SENT]


def reborn(peer: Peer, *, udp_port: int | None = None) -> Peer:
    """The same peer after a crash: the same addresses and ports, another tag, another TSN."""
    return Peer(
        peer.bench, host=peer.host, port=peer.port, udp_port=udp_port or peer.udp_port, tag=NEW_TAG, tsn=NEW_TSN
    )


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
    """R08: the INIT ACK "MUST only be sent to an address passed by the upper layer" and "reported in the incoming INIT"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT [lists the address we called] -> A, from another one
    peer.send(peer.init(IPv4AddressParameter(PEER_HOST)), source=PEER_SECOND_HOST)
    # A -> INIT ACK -> Z, to the address we called
    peer.expect(InitAck, host=PEER_HOST)
    assert association.state is AssociationState.COOKIE_WAIT


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
    assert association.state is AssociationState.ESTABLISHED
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
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    # Z -> COOKIE ACK -> A: too late to matter (§5.2.5)
    peer.send(CookieAck())
    bench.expect_nothing_ever()
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
    peer.talk(association)


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
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP]
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
    """R06, Q03: "If both Verification Tags ... match ..., consider the State Cookie valid, ... even if ... exceeded"."""
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


# -- an INIT for an association that is up (§5.2.2) --


@pytest.mark.parametrize("state", ESTABLISHED_OR_CLOSING)
def test_an_unexpected_init_is_answered_with_a_new_tag_and_changes_nothing(state: AssociationState) -> None:
    """R09, X52, X55: INIT ACK under the INIT's tag, "MUST contain a new Initiate Tag"; the TCB "MUST NOT be changed"."""
    bench = Bench(outbound_streams=5, max_inbound_streams=6)
    peer = Peer(bench)
    association = peer.reach(state)
    again = reborn(peer)
    # Z -> INIT -> A
    again.send(again.init())
    # A -> INIT ACK -> Z
    answer = again.expect(InitAck)
    assert answer.initiate_tag not in (0, peer.our_tag)
    assert answer.inbound_streams == 6
    assert cookie_of(answer)
    assert association.state is state
    assert (association.tcb.local_tag, association.tcb.peer_tag) == (peer.our_tag, peer.tag)
    bench.expect_nothing()
    if state is AssociationState.ESTABLISHED:
        peer.talk(association)


def test_each_unexpected_init_gets_a_new_random_tag() -> None:
    """R09: "(randomly generated; see Section 5.3.1)"."""
    bench = Bench()
    peer = Peer(bench)
    peer.associate()
    again = reborn(peer)
    tags = set()
    for _ in range(10):
        again.get_cookie()
        tags.add(again.our_tag)
    assert len(tags) == 10


@pytest.mark.parametrize("state", ESTABLISHED_OR_CLOSING)
def test_an_unexpected_init_with_a_new_address_is_refused(state: AssociationState) -> None:
    """R09, R03, Q11, X58: ABORT under the INIT's tag, "The error SHOULD list the addresses that were added" (§5.2.2)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    again = reborn(peer)
    # Z -> INIT [two addresses, one of them new] -> A
    again.send(again.init(IPv4AddressParameter(PEER_HOST), SECOND_ADDRESS))
    # A -> ABORT [Restart of an Association with New Addresses] -> Z
    assert again.expect(Abort) == Abort((RestartWithNewAddresses((SECOND_ADDRESS,)),))
    bench.expect_nothing()
    assert association.state is state
    assert hosts_of(association) == {PEER_HOST}


def test_an_unexpected_init_from_a_new_address_is_refused() -> None:
    """R09, X58: the source counts as one of the INIT's addresses (§5.1.2 C, D)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    again = reborn(peer)
    # Z -> INIT [lists the known address] -> A, from an unknown one
    again.send(again.init(IPv4AddressParameter(PEER_HOST)), source=STRANGER_HOST)
    # A -> ABORT [the new address] -> Z
    abort = again.expect(Abort, host=STRANGER_HOST)
    assert abort == Abort((RestartWithNewAddresses((IPv4AddressParameter(STRANGER_HOST),)),))
    peer.talk(association)


def test_an_unexpected_init_from_the_second_address_is_answered_there() -> None:
    """R09, X58: an address the association has is no new one; the INIT ACK goes to the INIT's source (§5.1)."""
    bench = Bench()
    peer = Peer(bench)
    peer.associate(SECOND_ADDRESS)
    again = reborn(peer)
    # Z -> INIT -> A, from its second address
    again.send(again.init(), source=PEER_SECOND_HOST)
    # A -> INIT ACK -> Z
    again.expect(InitAck, host=PEER_SECOND_HOST)


def test_an_init_in_shutdown_ack_sent_is_discarded_and_the_shutdown_ack_repeated() -> None:
    """R10: "it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk" (§9.2)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(AssociationState.SHUTDOWN_ACK_SENT)
    again = reborn(peer)
    # Z -> INIT -> A
    again.send(again.init())
    # A -> SHUTDOWN ACK -> Z, under the tag of the association
    peer.expect(ShutdownAck)
    bench.expect_nothing()
    assert association.state is AssociationState.SHUTDOWN_ACK_SENT


def test_an_init_from_another_sctp_port_is_another_association() -> None:
    """R09: "with a different port number indicates the initialization of a separate association" (§9.2 Note)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    neighbour = Peer(bench, port=peer.port + 1, tag=NEW_TAG)
    other = neighbour.associate()
    assert other is not association
    neighbour.talk(other)
    peer.talk(association)


def test_an_init_from_another_udp_port_is_refused() -> None:
    """R09, S01: ABORT with the current and the new port; the association is untouched (udp-encaps-cons)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    again = reborn(peer, udp_port=UDP_PORT + 1)
    # Z -> INIT -> A, from another UDP port
    again.send(again.init())
    # A -> ABORT [Restart of an Association with New Encapsulation Port] -> Z, where the INIT came from
    assert again.expect(Abort) == Abort((RestartWithNewEncapsulationPort(UDP_PORT, UDP_PORT + 1),))
    assert association.state is AssociationState.ESTABLISHED
    peer.talk(association)


# -- restart (§5.2.4 A) --


def restart(peer: Peer) -> Peer:
    """The peer crashes and calls again, up to our COOKIE ACK."""
    again = reborn(peer)
    cookie = again.get_cookie()
    # Z -> COOKIE ECHO -> A
    again.send(CookieEcho(cookie))
    # A -> COOKIE ACK -> Z
    again.expect(CookieAck)
    return again


@pytest.mark.parametrize("state", ESTABLISHED_OR_CLOSING)
def test_a_restart_resets_the_association(state: AssociationState) -> None:
    """R03, C05, X21, X55: both tags new, tie-tags right: RESTART, and ESTABLISHED from any of these states (§5.2.4 A)."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    association = peer.reach(state)
    peer.send(peer.data(b"before"))
    peer.drain()
    again = restart(peer)
    assert association.state is AssociationState.ESTABLISHED
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP, AssociationChangeKind.RESTART]
    assert endpoint.associations == {association}
    # No timer of the old life goes on: no SHUTDOWN, no DATA is repeated.
    bench.expect_nothing_ever(200.0)
    while association.receiver.read() is not None:
        pass
    again.talk(association)


def test_after_a_restart_all_numbers_begin_anew() -> None:
    """R03, X08: TSNs from the new INIT and INIT ACK, SSNs from 0, in both directions (§5.2.4 A)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    for _ in range(3):
        peer.talk(association)
    again = restart(peer)
    # Z -> DATA [the first of the new life] -> A, A -> SACK -> Z
    again.send(again.data(b"anew"))
    assert again.expect(Sack).cumulative_tsn_ack == NEW_TSN
    message = association.receiver.read()
    assert message is not None
    assert (message.data, message.ssn) == (b"anew", 0)
    # A -> DATA -> Z
    bench.say(association, b"anew")
    data = again.expect(Data)
    assert (data.tsn, data.ssn) == (again.our_tsn, 0)


def test_a_restart_resets_congestion_control() -> None:
    """R03: "All the congestion control parameters (e.g., cwnd, ssthresh) ... MUST be reset to their initial values"."""
    bench = Bench()
    peer = Peer(bench)
    fresh = peer.associate()
    bench.say(fresh, bytes(200_000))
    first_burst = sum(len(chunk.payload) for chunk in peer.drain() if isinstance(chunk, Data))
    # The peer is silent: cwnd collapses.
    bench.advance(10.0)
    peer.drain()
    again = restart(peer)
    bench.say(fresh, bytes(200_000))
    burst = sum(len(chunk.payload) for chunk in again.drain() if isinstance(chunk, Data))
    assert burst == first_burst


def test_the_old_tag_is_dead_after_a_restart() -> None:
    """R03, R13, X21: packets of the old life are discarded, they do not reach the new one."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    again = restart(peer)
    # Z -> DATA, ABORT -> A, from before the crash
    peer.send(peer.data(b"old"))
    peer.send(Abort())
    peer.send(Abort(tag_reflected=True), tag=peer.tag)
    bench.expect_nothing()
    assert association.receiver.read() is None
    assert association.state is AssociationState.ESTABLISHED
    again.talk(association)


def test_what_was_not_delivered_before_a_restart_is_reported() -> None:
    """R03, C05, C11: outstanding and queued messages come back as SendFailed, marked whether they were sent."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    bench.say(association, b"outstanding")
    peer.expect(Data)
    bench.say(association, bytes(100_000))
    peer.drain()
    again = restart(peer)
    failed = [event for event in bench.events(association) if isinstance(event, SendFailed)]
    assert [(len(event.data), event.was_sent) for event in failed] == [(11, True), (100_000, True)]
    bench.expect_nothing_ever(200.0)
    again.talk(association)


def test_data_behind_the_cookie_of_a_restart_belongs_to_the_new_life() -> None:
    """R03, A12: COOKIE ECHO with DATA is processed as at a first setup."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    peer.talk(association)
    again = reborn(peer)
    cookie = again.get_cookie()
    # Z -> COOKIE ECHO, DATA -> A
    again.send(CookieEcho(cookie), again.data(b"anew"))
    # A -> COOKIE ACK, SACK -> Z
    assert [type(chunk) for chunk in again.drain()] == [CookieAck, Sack]
    message = association.receiver.read()
    assert message is not None
    assert message.data == b"anew"


def test_a_duplicate_cookie_of_a_restart_restarts_nothing() -> None:
    """R03, R06, X27: by then both tags match: action D."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    again = reborn(peer)
    cookie = again.get_cookie()
    again.send(CookieEcho(cookie))
    again.expect(CookieAck)
    again.talk(association)
    again.send(CookieEcho(cookie))
    again.expect(CookieAck)
    assert bench.changes(association).count(AssociationChangeKind.RESTART) == 1
    again.talk(association)


def test_an_older_cookie_does_not_restart_again() -> None:
    """R07: after a restart the tie-tags are others, so a cookie from before is (X, X, X, X): discarded."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    older = Peer(bench, tag=0x0DD)
    older_cookie = older.get_cookie()
    again = restart(peer)
    again.talk(association)
    # Z' -> COOKIE ECHO -> A
    older.send(CookieEcho(older_cookie))
    bench.expect_nothing()
    assert bench.changes(association).count(AssociationChangeKind.RESTART) == 1
    again.talk(association)


def test_a_second_restart_works_like_the_first() -> None:
    """R03, C05: tie-tags are made anew for each life."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    again = restart(peer)
    once_more = Peer(bench, tag=0x1CE, tsn=0)
    once_more.send(CookieEcho(once_more.get_cookie()))
    once_more.expect(CookieAck)
    assert bench.changes(association).count(AssociationChangeKind.RESTART) == 2
    assert again.our_tag != once_more.our_tag
    once_more.talk(association)


def test_a_restart_of_the_peer_we_called() -> None:
    """R03, C05: the same for an association that we opened, on an endpoint that does not listen."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.answers()
    again = restart(peer)
    assert bench.changes(association) == [AssociationChangeKind.COMM_UP, AssociationChangeKind.RESTART]
    again.talk(association)


def test_a_restart_with_fewer_addresses() -> None:
    """R03, P02: the addresses are those of the new INIT and no others."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate(SECOND_ADDRESS)
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}
    restart(peer)
    assert hosts_of(association) == {PEER_HOST}


def test_no_restart_in_shutdown_ack_sent() -> None:
    """R03, Q10: "MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    again = reborn(peer)
    cookie = again.get_cookie()
    # Z -> SHUTDOWN -> A, A -> SHUTDOWN ACK -> Z
    peer.send(Shutdown(peer.our_tsn - 1 & 0xFFFF_FFFF))
    peer.expect(ShutdownAck)
    # Z -> COOKIE ECHO, DATA -> A
    again.send(CookieEcho(cookie), again.data())
    # A -> SHUTDOWN ACK, ERROR [Cookie Received While Shutting Down] -> Z
    chunks = again.drain()
    assert ShutdownAck() in chunks
    assert Error((CookieReceivedWhileShuttingDown(),)) in chunks
    assert not [chunk for chunk in chunks if isinstance(chunk, CookieAck | Sack)]
    assert association.state is AssociationState.SHUTDOWN_ACK_SENT
    assert AssociationChangeKind.RESTART not in bench.changes(association)


# -- Stale Cookie (§5.2.6) --


def test_a_stale_cookie_is_asked_for_anew_with_a_longer_life() -> None:
    """R11, P05, Q03: a new INIT with a Cookie Preservative of the RTT and no more than a second (§5.2.6, 3)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    bench.advance(0.3)
    # Z -> ERROR [Stale Cookie] -> A
    peer.send(Error((StaleCookie(5_000_000),)))
    # A -> INIT [Cookie Preservative] -> Z
    init = peer.expect(Init, tag=0)
    (preservative,) = [p for p in init.parameters if isinstance(p, CookiePreservative)]
    assert 300 <= preservative.increment_ms <= 1300
    assert association.state is AssociationState.COOKIE_WAIT
    peer.our_tag = init.initiate_tag
    peer.send(peer.init_ack(StateCookie(b"a fresh cookie")))
    assert peer.expect(CookieEcho).cookie == b"a fresh cookie"
    peer.send(CookieAck())
    assert association.state is AssociationState.ESTABLISHED
    peer.talk(association)


def test_data_of_the_third_leg_survives_a_stale_cookie() -> None:
    """R11, A12: the peer discarded it with the cookie, so it goes with the next one."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, b"third leg")
    peer.send(peer.init_ack())
    peer.expect_packet(CookieEcho, Data)
    peer.send(Error((StaleCookie(0),)))
    init = peer.expect(Init, tag=0)
    peer.our_tag = init.initiate_tag
    peer.send(peer.init_ack())
    sent = peer.expect_packet(CookieEcho, Data)
    assert sent.chunk(Data).payload == b"third leg"
    assert sent.chunk(Data).tsn == init.initial_tsn


def test_a_peer_to_which_every_cookie_is_stale_is_given_up() -> None:
    """R11, C07: the attempts have an end, and the user hears of it."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    for _ in range(50):
        bench.advance(0.1)
        peer.send(Error((StaleCookie(1),)))
        if association.state is AssociationState.CLOSED:
            break
        peer.our_tag = peer.expect(Init, tag=0).initiate_tag
        peer.send(peer.init_ack())
        peer.expect(CookieEcho)
    assert association.state is AssociationState.CLOSED
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    assert timers_are_stopped(bench)


@pytest.mark.parametrize(
    "state", [AssociationState.COOKIE_WAIT, *ESTABLISHED_OR_CLOSING, AssociationState.SHUTDOWN_ACK_SENT]
)
def test_a_stale_cookie_error_in_another_state_is_silently_discarded(state: AssociationState) -> None:
    """Q03, R11: "if the association is not in the COOKIE-ECHOED state, the ERROR chunk SHOULD be silently discarded"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    events = bench.events(association)[:]
    peer.send(Error((StaleCookie(1),)))
    bench.expect_nothing()
    assert association.state is state
    assert bench.events(association) == events


def test_a_stale_cookie_error_under_a_wrong_tag_is_silently_discarded() -> None:
    """R13, R11: who does not know our tag can't make us begin again (§8.5)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    peer.send(Error((StaleCookie(1),)), tag=peer.our_tag ^ 1)
    bench.expect_nothing()
    assert association.state is AssociationState.COOKIE_ECHOED
