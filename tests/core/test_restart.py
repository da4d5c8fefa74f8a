"""An INIT for an association that is up (§5.2.2), and the restart it may begin (§5.2.4 A)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChangeKind, SendFailed
from aiosctp.exceptions import AssociationAborted
from aiosctp.wire.causes import (
    CookieReceivedWhileShuttingDown,
    RestartWithNewAddresses,
    RestartWithNewEncapsulationPort,
)
from aiosctp.wire.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
)
from aiosctp.wire.parameters import IPv4AddressParameter, IPv6AddressParameter, StateCookie
from tests.core.transcript import (
    ESTABLISHED_OR_CLOSING,
    NEW_TAG,
    NEW_TSN,
    OUR_HOST,
    OUR_SECOND_HOST,
    PEER_HOST,
    PEER_SECOND_HOST,
    STRANGER_HOST,
    UDP_PORT,
    Bench,
    Peer,
    cookie_of,
    hosts_of,
    opened,
    reborn,
)

SECOND_ADDRESS = IPv4AddressParameter(PEER_SECOND_HOST)


# -- an INIT for an association that is up (§5.2.2) --


@pytest.mark.parametrize("state", ESTABLISHED_OR_CLOSING)
def test_an_unexpected_init_is_answered_with_a_new_tag_and_changes_nothing(state: AssociationState) -> None:
    """R09, X52, X55: INIT ACK under the INIT's tag, with "a new Initiate Tag"; the TCB "MUST NOT be changed"."""
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


def test_the_answer_to_an_unexpected_init_copies_the_parameters_of_the_association() -> None:
    """§5.2.2: "SHOULD be copied from the existing parameters of the association ... into the INIT ACK chunk and
    cookie": not from an endpoint that has been given others since."""
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST), outbound_streams=5, max_inbound_streams=6, adaptation_layer=7)
    endpoint = bench.listen()
    peer = Peer(bench)
    peer.send(peer.init())
    first = peer.expect(InitAck)
    peer.our_tag = first.initiate_tag
    peer.send(CookieEcho(cookie_of(first)))
    peer.expect(CookieAck)
    other = Config(outbound_streams=7, receive_window_bytes=54321, advertise_addresses="none")
    endpoint.listen(config=other, backlog=8, max_associations=None, admit=None)
    again = reborn(peer)
    # Z -> INIT -> A, A -> INIT ACK -> Z
    again.send(again.init())
    answer = again.expect(InitAck)
    assert (answer.a_rwnd, answer.outbound_streams, answer.inbound_streams) == (first.a_rwnd, 5, 6)
    kept, before = (
        [parameter for parameter in chunk.parameters if not isinstance(parameter, StateCookie)]
        for chunk in (answer, first)
    )
    assert kept == before
    said = opened(bench, cookie_of(answer))
    assert (said.outbound_streams, said.inbound_streams) == (5, 6)
    assert said.offered_addresses == (OUR_HOST, OUR_SECOND_HOST)


def test_the_cookie_for_an_unexpected_init_has_the_tie_tags_of_the_tcb() -> None:
    """§5.2.2: "MUST copy its current Tie-Tags to a reserved place within the State Cookie and the association's TCB";
    they are "populated with a random value other than 0"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    again = reborn(peer)
    # The dice show 0 for both.
    bench.forced_entropy.extend([bytes(4)] * 2)
    for _ in range(2):
        said = opened(bench, again.get_cookie())
        assert (said.local_tie_tag, said.peer_tie_tag) == (1, 1)
        assert (association.tcb.local_tie_tag, association.tcb.peer_tie_tag) == (1, 1)


@pytest.mark.parametrize("state", ESTABLISHED_OR_CLOSING)
def test_an_unexpected_init_with_a_new_address_is_refused(state: AssociationState) -> None:
    """R09, R03, Q11, X58: ABORT under the INIT's tag, which "SHOULD list the addresses that were added" (§5.2.2)."""
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


@pytest.mark.parametrize("state", [AssociationState.COOKIE_ECHOED, AssociationState.ESTABLISHED])
def test_an_address_of_a_family_we_lack_is_no_new_one(state: AssociationState) -> None:
    """R09, E14: §5.1.2: such addresses were ignored at the first INIT, and are not added by the next: the peer that
    lists the same as before is no other."""
    bench = Bench()
    peer = Peer(bench)
    listed = IPv6AddressParameter("2001:db8:f::2"), SECOND_ADDRESS
    association = peer.is_echoed(*listed) if state is AssociationState.COOKIE_ECHOED else peer.associate(*listed)
    assert association.state is state
    again = reborn(peer)
    # Z -> INIT [an IPv6 address, an IPv4 address] -> A, A -> INIT ACK -> Z
    again.send(again.init(*listed))
    again.expect(InitAck)


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


@pytest.mark.parametrize("state", [AssociationState.COOKIE_ECHOED, *ESTABLISHED_OR_CLOSING])
def test_an_init_from_another_udp_port_is_refused(state: AssociationState) -> None:
    """R09, S01: ABORT with the current and the new port; the association is untouched (udp-encaps-cons)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    again = reborn(peer, udp_port=UDP_PORT + 1)
    # Z -> INIT -> A, from another UDP port
    again.send(again.init())
    # A -> ABORT [Restart of an Association with New Encapsulation Port] -> Z, where the INIT came from
    assert again.expect(Abort) == Abort((RestartWithNewEncapsulationPort(UDP_PORT, UDP_PORT + 1),))
    assert association.state is state
    bench.expect_nothing()
    if state is AssociationState.ESTABLISHED:
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


@pytest.mark.parametrize("state", [AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_RECEIVED])
def test_a_restart_resets_the_association(state: AssociationState) -> None:
    """R03, C05, X21, X55: both tags new, tie-tags right: RESTART, and ESTABLISHED whatever the state (§5.2.4 A)."""
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


@pytest.mark.parametrize(("life_s", "is_taken"), [(60.0, True), (5.0, False)])
def test_the_cookie_of_a_restart_lives_as_long_as_the_association_says(life_s: float, is_taken: bool) -> None:
    """B03, R03: RFC 6458 §8.1.2, sasoc_cookie_life of an association, "used when issuing cookies"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    association.configure(association.config.replace(valid_cookie_life_s=life_s), bench.now)
    again = reborn(peer)
    cookie = again.get_cookie()
    bench.advance(6.0)
    peer.drain()
    again.send(CookieEcho(cookie))
    again.expect(CookieAck if is_taken else Error)
    assert (AssociationChangeKind.RESTART in bench.changes(association)) is is_taken


@pytest.mark.parametrize("state", [AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT])
def test_a_shutdown_of_our_user_goes_on_after_a_restart(state: AssociationState) -> None:
    """R03: who waits for the end of the association would else wait for ever, for the guard T5 would be gone too."""
    bench = Bench(shutdown_timeout_s=100.0)
    peer = Peer(bench)
    association = peer.reach(state)
    bench.advance(0.5)
    peer.drain()
    again = reborn(peer)
    # Z -> COOKIE ECHO [restart] -> A
    again.send(CookieEcho(again.get_cookie()))
    # A -> COOKIE ACK, SHUTDOWN -> Z
    shutdown = again.expect_packet(CookieAck, Shutdown).chunk(Shutdown)
    assert shutdown.cumulative_tsn_ack == NEW_TSN - 1 & 0xFFFF_FFFF
    assert association.state is AssociationState.SHUTDOWN_SENT
    assert bench.changes(association)[:2] == [AssociationChangeKind.COMM_UP, AssociationChangeKind.RESTART]
    # The guard was set by the call to shutdown(), and a restart does not set it anew.
    bench.advance(99.0)
    assert AssociationState.SHUTDOWN_SENT is association.state
    bench.advance(0.5)
    assert isinstance(association.ending, AssociationAborted)


def test_after_a_restart_all_numbers_begin_anew() -> None:
    """R03: TSNs from the new INIT and INIT ACK, SSNs from 0, in both directions (§5.2.4 A)."""
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


def test_a_path_that_was_verified_in_the_old_life_is_not_in_the_new_one() -> None:
    """R03, R12, X21: the COOKIE ACK takes the new path to the address, not the old one: with a HEARTBEAT (§5.4)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate(SECOND_ADDRESS)
    old = association.paths.get(PEER_SECOND_HOST)
    assert old is not None
    while not old.is_confirmed:
        bench.advance(1.0)
        for heartbeat in (chunk for chunk in peer.drain() if isinstance(chunk, Heartbeat)):
            peer.send(HeartbeatAck(heartbeat.info))
    again = reborn(peer)
    cookie = again.get_cookie(SECOND_ADDRESS)
    # Z -> COOKIE ECHO -> A, from the second address; A -> COOKIE ACK, HEARTBEAT -> Z
    again.send(CookieEcho(cookie), source=PEER_SECOND_HOST)
    again.expect_packet(CookieAck, Heartbeat, host=PEER_SECOND_HOST)
    new = association.paths.get(PEER_SECOND_HOST)
    assert new is not None
    assert new is not old
    assert not new.is_confirmed


def test_the_cookie_ack_of_a_restart_goes_to_an_address_of_the_new_life() -> None:
    """§5.1.2 C: "SHOULD use only these transport addresses", also where the COOKIE ECHO came from none of them."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate(SECOND_ADDRESS)
    again = reborn(peer)
    again.host = PEER_SECOND_HOST
    # Z -> INIT -> A, A -> INIT ACK -> Z: from and to the second address alone
    cookie = again.get_cookie()
    # Z -> COOKIE ECHO -> A, from elsewhere; A -> COOKIE ACK -> Z
    again.send(CookieEcho(cookie), source=STRANGER_HOST)
    again.expect(CookieAck, host=PEER_SECOND_HOST)
    assert hosts_of(association) == {PEER_SECOND_HOST}


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


def test_a_restart_under_a_tag_that_is_taken_by_now_is_discarded() -> None:
    """R03, R27: the tag of an INIT ACK is not reserved, and two associations must not be found by one."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    association = peer.associate()
    again = reborn(peer)
    # The Tie-Tags, for which entropy is asked first, are drawn now.
    association.tie_tags()
    bench.forced_entropy.append(bytes.fromhex("1234abcd"))
    cookie = again.get_cookie()
    other = Peer(bench, port=peer.port + 1)
    bench.forced_entropy.append(bytes.fromhex("1234abcd"))
    other_cookie = other.get_cookie()
    assert other.our_tag == again.our_tag == 0x1234ABCD
    # Z2 -> COOKIE ECHO -> A, A -> COOKIE ACK -> Z2
    other.send(CookieEcho(other_cookie))
    other.expect(CookieAck)
    other_association = endpoint.accepted.pop()
    # Z -> COOKIE ECHO [restart] -> A
    again.send(CookieEcho(cookie))
    bench.expect_nothing()
    assert association.tcb.local_tag == peer.our_tag
    other.talk(other_association)
    peer.talk(association)
