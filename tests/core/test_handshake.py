"""Normal establishment: the four legs, their timers, and the data that rides on them (§5.1)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import AdaptationIndication, AssociationChange, AssociationChangeKind
from aiosctp.exceptions import ConnectTimeout
from aiosctp.wire.chunks import Abort, Chunk, CookieAck, CookieEcho, Data, Heartbeat, Init, InitAck, Sack
from aiosctp.wire.chunks import Shutdown as ShutdownChunk
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    IPv4AddressParameter,
    StateCookie,
)
from tests.core.transcript import (
    OUR_HOST,
    PEER_COOKIE,
    PEER_HOST,
    PEER_SECOND_HOST,
    PEER_TSN,
    Bench,
    Peer,
    next_init,
    of_kind,
    timers_are_stopped,
)

# -- the initiator: INIT and T1-init (§5.1 A, §4 note 2) --


def test_an_init_travels_alone_under_tag_zero_with_a_tag_of_its_own() -> None:
    """E09, M02, R13: "The sender MUST set the Verification Tag of the packet to 0" (§8.5.1 A)."""
    bench = Bench()
    peer = Peer(bench)
    association = bench.connect(peer.host)
    # A -> INIT -> Z
    sent = peer.expect_packet(Init, tag=0)
    init = sent.chunk(Init)
    assert init.initiate_tag != 0
    assert init.a_rwnd >= 1500
    assert init.outbound_streams > 0
    assert init.inbound_streams > 0
    assert sent.datagram.data[13] == 0  # "all bits in it SHOULD be set to 0 by the sender"
    assert association.state is AssociationState.COOKIE_WAIT


def test_what_the_user_configured_stands_in_the_init() -> None:
    bench = Bench(outbound_streams=3, max_inbound_streams=4, receive_window_bytes=54321)
    init = next_init(bench)
    assert (init.outbound_streams, init.inbound_streams, init.a_rwnd) == (3, 4, 54321)


def test_what_the_user_configured_stands_in_the_init_ack() -> None:
    """§5.1.1: in INIT and INIT ACK alike the sender "MUST indicate the number of outbound streams"."""
    bench = Bench(outbound_streams=3, max_inbound_streams=4, receive_window_bytes=54321)
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init())
    init_ack = peer.expect(InitAck)
    assert (init_ack.outbound_streams, init_ack.inbound_streams, init_ack.a_rwnd) == (3, 4, 54321)


def test_an_unanswered_init_is_sent_again_unchanged_with_a_doubled_timeout() -> None:
    """E09: "the endpoint MUST retransmit the INIT chunk and restart the T1-init timer" (§4 note 2, §6.3.3)."""
    bench = Bench(max_init_retransmits=4, rto_initial_s=1.0, rto_max_s=6.0)
    peer = Peer(bench)
    association = bench.connect(peer.host)
    bench.advance(60.0)
    inits = []
    while bench.unread:
        inits.append(peer.expect_packet(Init, tag=0))
    # A -> INIT -> lost, five times
    assert len({sent.datagram.data for sent in inits}) == 1
    assert [later.at - earlier.at for earlier, later in pairwise(inits)] == pytest.approx([1.0, 2.0, 4.0, 6.0])
    assert association.state is AssociationState.CLOSED


def test_max_init_retransmits_without_an_answer_end_the_setup() -> None:
    """C07: "the endpoint MUST abort the initialization process and report the error to the SCTP user" (§4 note 2)."""
    bench = Bench(max_init_retransmits=2)
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, b"never sent")
    bench.advance(60.0)
    peer.expect(Init, tag=0)
    peer.expect(Init, tag=0)
    bench.expect_nothing()
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    assert isinstance(association.ending, ConnectTimeout)
    assert timers_are_stopped(bench)


def test_retransmitted_inits_go_to_all_addresses_the_user_gave() -> None:
    """E06: "Retransmissions of INIT chunks ... SHOULD use all addresses of the peer" (§5.1)."""
    bench = Bench(max_init_retransmits=3)
    bench.connect(PEER_HOST, PEER_SECOND_HOST)
    bench.advance(30.0)
    destinations = [sent.datagram.destination for sent in bench.unread]
    assert len(destinations) == 4
    assert destinations[0] == PEER_HOST
    assert destinations.count(PEER_SECOND_HOST) == 2


@pytest.mark.parametrize("kind", [Init, CookieEcho])
def test_each_address_has_a_t1_timeout_of_its_own(kind: type[Chunk]) -> None:
    """§5.1: "there SHOULD be a T1-init and T1-cookie timer for each address": it backs off for its own losses alone."""
    bench = Bench(max_init_retransmits=5, rto_initial_s=1.0, rto_max_s=60.0)
    peer = Peer(bench)
    bench.connect(PEER_HOST, PEER_SECOND_HOST)
    if kind is CookieEcho:
        peer.our_tag = peer.expect(Init, tag=0).initiate_tag
        addresses = IPv4AddressParameter(PEER_HOST), IPv4AddressParameter(PEER_SECOND_HOST)
        peer.send(peer.init_ack(StateCookie(PEER_COOKIE), *addresses))
    bench.advance(60.0)
    sent = [sent for sent in bench.unread if sent.kinds == (kind,)]
    assert [packet.datagram.destination for packet in sent] == [PEER_HOST, PEER_SECOND_HOST] * 3
    assert [later.at - earlier.at for earlier, later in pairwise(sent)] == pytest.approx([1.0, 1.0, 2.0, 2.0, 4.0])


# -- the initiator: INIT ACK, COOKIE ECHO and T1-cookie (§5.1 C, §5.1.4) --


def test_an_init_ack_is_answered_at_once_with_its_cookie() -> None:
    """E09, M08, P03, R13: COOKIE ECHO carries the cookie byte for byte, under the INIT ACK's Initiate Tag."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    cookie = bytes(range(256)) + b"\0"
    # Z -> INIT ACK -> A
    peer.send(peer.init_ack(StateCookie(cookie)))
    # A -> COOKIE ECHO -> Z
    assert peer.expect(CookieEcho).cookie == cookie
    assert association.state is AssociationState.COOKIE_ECHOED


def test_t1_init_stops_at_the_init_ack() -> None:
    """E09: "A" stops the T1-init timer: no INIT follows the COOKIE ECHO (§5.1 C)."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_echoed()
    bench.advance(20.0)
    assert {type(chunk) for chunk in peer.drain()} == {CookieEcho}


def test_an_unanswered_cookie_echo_is_sent_again_until_max_init_retransmits() -> None:
    """E09, C07: T1-cookie (§4 note 3, §5.1.4): COOKIE ECHO again, backing off, then the user hears of it."""
    bench = Bench(max_init_retransmits=3)
    peer = Peer(bench)
    association = peer.is_echoed()
    started = bench.now
    bench.advance(300.0)
    echoes = []
    while bench.unread:
        echoes.append(peer.expect_packet(CookieEcho))
    # A -> COOKIE ECHO -> lost, thrice more
    assert [echo.chunk(CookieEcho).cookie for echo in echoes] == [PEER_COOKIE] * 3
    assert [echo.at - started for echo in echoes] == pytest.approx([1.0, 3.0, 7.0])
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    assert isinstance(association.ending, ConnectTimeout)
    assert timers_are_stopped(bench)


def test_retransmitted_cookie_echoes_go_to_all_addresses_of_the_peer() -> None:
    """E06: "Retransmissions of ... COOKIE ECHO chunks SHOULD use all addresses of the peer" (§5.1)."""
    bench = Bench(max_init_retransmits=3)
    peer = Peer(bench)
    peer.is_called(PEER_HOST, PEER_SECOND_HOST)
    peer.send(
        peer.init_ack(StateCookie(PEER_COOKIE), IPv4AddressParameter(PEER_HOST), IPv4AddressParameter(PEER_SECOND_HOST))
    )
    bench.advance(30.0)
    echoes = [sent.datagram.destination for sent in bench.unread if CookieEcho in sent.kinds]
    assert len(echoes) == 4
    assert set(echoes) == {PEER_HOST, PEER_SECOND_HOST}


def test_a_cookie_ack_establishes_the_association() -> None:
    """E09, M08, C03: COOKIE ACK stops T1-cookie, COMMUNICATION UP tells the streams (§5.1 E, §5.1.1)."""
    bench = Bench(outbound_streams=30, max_inbound_streams=40)
    peer = Peer(bench)
    association = peer.is_called()
    peer.send(peer.init_ack(outbound=10, inbound=20))
    peer.expect(CookieEcho)
    # Z -> COOKIE ACK -> A
    peer.send(CookieAck())
    assert association.state is AssociationState.ESTABLISHED
    assert bench.events(association) == [
        AssociationChange(AssociationChangeKind.COMM_UP, outbound_streams=20, inbound_streams=10)
    ]
    bench.expect_nothing_ever()


def test_the_smaller_of_what_is_wanted_and_what_is_offered_is_used_in_both_directions() -> None:
    """E09: "the endpoint MUST use MIS outbound streams" (§5.1.1); the other way round, ours."""
    bench = Bench(outbound_streams=3, max_inbound_streams=4)
    peer = Peer(bench)
    association = peer.is_called()
    peer.send(peer.init_ack(outbound=4, inbound=2000))
    peer.send(CookieAck())
    up = bench.events(association)[0]
    assert isinstance(up, AssociationChange)
    assert (up.outbound_streams, up.inbound_streams) == (3, 4)


def test_everything_after_the_init_is_sent_under_the_tag_of_the_init_ack() -> None:
    """R13: "This value MUST be placed into the Verification Tag field of every SCTP packet" (§3.3.3)."""
    bench = Bench()
    peer = Peer(bench, tag=0xFFFF_FFFF)
    association = peer.answers()
    peer.talk(association)
    bench.shut_down(association)
    # expect() compares the tag
    peer.expect(ShutdownChunk)


# -- data with and after the cookie (§5.1 C) --


def test_user_data_that_waits_is_bundled_behind_the_cookie_echo() -> None:
    """A12, M08: "COOKIE ECHO chunk MAY be bundled with any pending outbound DATA chunks, ... MUST be the first"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, b"third leg")
    bench.expect_nothing()
    peer.send(peer.init_ack())
    # A -> COOKIE ECHO, DATA -> Z
    sent = peer.expect_packet(CookieEcho, Data)
    assert sent.chunk(Data).payload == b"third leg"
    assert sent.chunk(Data).tsn == peer.our_tsn
    # Z -> COOKIE ACK, SACK -> A
    peer.send(CookieAck(), Sack(peer.our_tsn, 100_000))
    assert association.state is AssociationState.ESTABLISHED
    bench.expect_nothing_ever()


def test_no_other_packet_is_sent_before_the_cookie_ack() -> None:
    """A12: "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets to the peer"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, bytes(20_000))
    peer.send(peer.init_ack())
    first = peer.next_packet()
    assert first.kinds[0] is CookieEcho
    bench.expect_nothing()
    bench.say(association, b"later")
    bench.expect_nothing()
    # Z -> HEARTBEAT -> A: what it draws waits too
    peer.send(Heartbeat(b"are you there"))
    bench.expect_nothing()
    bench.advance(20.0)
    # A -> COOKIE ECHO [, DATA] -> Z, nothing else
    assert bench.unread
    assert all(sent.kinds[0] is CookieEcho for sent in bench.unread)
    bench.unread.clear()
    # Z -> COOKIE ACK, SACK -> A
    peer.send(CookieAck(), Sack(peer.our_tsn, 100_000))
    assert any(isinstance(chunk, Data) for chunk in peer.drain())


@pytest.mark.parametrize("tsn", [PEER_TSN, 0, 1])
def test_data_is_not_received_before_the_peer_has_acknowledged_the_cookie(tsn: int) -> None:
    """X44: DATA in COOKIE-WAIT belongs to no association that is up: nothing is delivered, nothing acknowledged."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> DATA -> A: its TSN may be whatever we count from before we know the peer's first
    peer.send(Data(tsn, 0, 0, 0, b"too early"))
    assert association.receiver.read() is None
    assert not [chunk for chunk in peer.drain() if isinstance(chunk, Sack)]
    assert association.state is AssociationState.COOKIE_WAIT


@pytest.mark.parametrize("initiates", [True, False])
def test_the_first_data_of_an_association_is_acknowledged_at_once(initiates: bool) -> None:
    """R15: "the endpoint MUST immediately respond with a SACK chunk to acknowledge the DATA chunk" (§5.1)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.answers() if initiates else peer.associate()
    # Z -> DATA -> A
    peer.send(peer.data(b"first"))
    # A -> SACK -> Z
    assert peer.expect(Sack).cumulative_tsn_ack == PEER_TSN
    message = association.receiver.read()
    assert message is not None
    assert message.data == b"first"


def test_both_ends_count_from_their_initial_tsns() -> None:
    """E09: "MUST set its internal Cumulative TSN Ack Point to the value of its transmitted Initial TSN minus one"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    bench.shut_down(association)
    # A -> SHUTDOWN [Cumulative TSN Ack = the peer's Initial TSN - 1] -> Z
    assert peer.expect(ShutdownChunk).cumulative_tsn_ack == PEER_TSN - 1


@pytest.mark.parametrize("initiates", [True, False])
def test_the_cumulative_tsn_ack_point_begins_before_our_initial_tsn(initiates: bool) -> None:
    """§5.1: "the value of its transmitted Initial TSN minus one": that much is acknowledged, the next TSN is not."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.answers() if initiates else peer.associate()
    assert association.sender.cumulative_tsn_ack_point == peer.our_tsn - 1 & 0xFFFF_FFFF
    # Z -> SACK [the TSN before our first] -> A
    peer.send(Sack(peer.our_tsn - 1 & 0xFFFF_FFFF, 100_000))
    bench.expect_nothing()
    # Z -> SACK [our first TSN, which was never sent] -> A, A -> ABORT -> Z
    peer.send(Sack(peer.our_tsn, 100_000))
    peer.expect(Abort)


# -- the responder (§5.1 B, D) --


def test_an_init_is_answered_at_once_with_an_init_ack() -> None:
    """E09, M02, P03: alone, under Tag_A, with a tag and a cookie of our own, to where the INIT came from (§5.1 B)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench, udp_port=40001)
    # Z -> INIT -> A
    peer.send(peer.init())
    # A -> INIT ACK -> Z
    sent = peer.expect_packet(InitAck)
    init_ack = sent.chunk(InitAck)
    assert init_ack.initiate_tag != 0
    assert init_ack.a_rwnd >= 1500
    assert len(of_kind(init_ack.parameters, StateCookie)) == 1
    assert sent.datagram.data[13] == 0
    assert sent.datagram.source in (OUR_HOST, None)


def test_an_init_leaves_no_state_behind() -> None:
    """E09, R01: "Z" MUST NOT allocate any resources or keep any states for the new association (§5.1 B)."""
    bench = Bench()
    endpoint = bench.listen()
    for number in range(1, 200):
        peer = Peer(bench, port=number, tag=number)
        # Z -> INIT -> A, A -> INIT ACK -> Z
        peer.get_cookie()
    assert not endpoint.associations
    assert not bench.engine.poll_changed()
    assert timers_are_stopped(bench)


def test_a_cookie_echo_establishes_the_association() -> None:
    """E09, M08, C03: the TCB is built from the cookie, COOKIE ACK is sent, the user hears of it (§5.1 D)."""
    bench = Bench(outbound_streams=30, max_inbound_streams=7)
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    # Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(cookie))
    # A -> COOKIE ACK -> Z
    peer.expect(CookieAck)
    (association,) = endpoint.accepted
    assert association.state is AssociationState.ESTABLISHED
    assert bench.events(association) == [
        AssociationChange(AssociationChangeKind.COMM_UP, outbound_streams=20, inbound_streams=7)
    ]
    peer.talk(association)


def test_data_behind_the_cookie_echo_is_delivered_and_acknowledged_at_once() -> None:
    """A12, M08, R15: "Immediately acknowledge any DATA chunk bundled with the COOKIE ECHO", COOKIE ACK first."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    # Z -> COOKIE ECHO, DATA, DATA -> A
    peer.send(CookieEcho(cookie), peer.data(b"one"), peer.data(b"two"))
    # A -> COOKIE ACK, SACK -> Z
    chunks = peer.drain()
    assert [type(chunk) for chunk in chunks] == [CookieAck, Sack]
    assert isinstance(chunks[1], Sack)
    assert chunks[1].cumulative_tsn_ack == PEER_TSN + 1
    (association,) = endpoint.accepted
    read = [association.receiver.read(), association.receiver.read()]
    assert [message.data for message in read if message] == [b"one", b"two"]


def test_data_after_that_behind_the_cookie_is_acknowledged_as_any_other() -> None:
    """§5.1.5, 7: "subsequent DATA chunk acknowledgement SHOULD follow the rules defined in Section 6.2"."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    # Z -> COOKIE ECHO, DATA -> A, A -> COOKIE ACK, SACK -> Z
    peer.send(CookieEcho(peer.get_cookie()), peer.data())
    peer.drain()
    # Z -> DATA -> A
    peer.send(peer.data())
    bench.expect_nothing()
    # Z -> DATA -> A, A -> SACK -> Z: for every second packet
    peer.send(peer.data())
    assert peer.expect(Sack).cumulative_tsn_ack == PEER_TSN + 2 & 0xFFFF_FFFF
    # Z -> DATA -> A, A -> SACK -> Z: within 200 ms
    peer.send(peer.data())
    bench.expect_nothing()
    bench.advance(0.2)
    assert peer.expect(Sack).cumulative_tsn_ack == PEER_TSN + 3 & 0xFFFF_FFFF


def test_the_init_ack_asks_for_no_more_streams_than_the_init_allows() -> None:
    """M02: OS "MUST NOT be greater than the MIS value sent in the INIT chunk" (§3.3.3)."""
    bench = Bench(outbound_streams=100)
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init(inbound=5))
    assert peer.expect(InitAck).outbound_streams <= 5


def test_each_init_ack_has_a_tag_of_its_own() -> None:
    """M02: Initiate Tags are random, also for the same peer (§5.3.1)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    tags = set()
    for _ in range(20):
        peer.get_cookie()
        tags.add(peer.our_tag)
    assert len(tags) == 20
    assert 0 not in tags


# -- adaptation layer (RFC 5061 §4.2.6) --


def test_the_adaptation_layer_is_told_in_the_init_and_in_the_init_ack() -> None:
    """E15, P20: our 32 bits at setup."""
    bench = Bench(adaptation_layer=0xFEED_F00D)
    indication = AdaptationLayerIndication(0xFEED_F00D)
    assert indication in next_init(bench).parameters
    bench.listen()
    peer = Peer(bench, port=6000)
    peer.send(peer.init())
    assert indication in peer.expect(InitAck).parameters


def test_the_adaptation_layer_is_not_told_when_there_is_none() -> None:
    assert not of_kind(next_init(Bench()).parameters, AdaptationLayerIndication)


def test_the_users_hear_of_the_peers_adaptation_layer() -> None:
    """E15, P20: 32 bits of the peer's, from its INIT ACK or through the cookie from its INIT."""
    bench = Bench()
    association = Peer(bench).answers(AdaptationLayerIndication(0xFEED_F00D))
    assert AdaptationIndication(0xFEED_F00D) in bench.events(association)
    bench = Bench()
    association = Peer(bench).associate(AdaptationLayerIndication(0))
    assert AdaptationIndication(0) in bench.events(association)


def test_unexpected_chunks_in_cookie_wait_change_nothing() -> None:
    """X44: COOKIE ACK, DATA, SACK and SHUTDOWN before the INIT ACK do not advance the handshake (§5.2.5, §9.2)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    chunks: tuple[Chunk, ...] = (CookieAck(), peer.data(), Sack(peer.our_tsn, 100_000), ShutdownChunk(peer.our_tsn))
    for chunk in chunks:
        peer.send(chunk)
        assert association.state is AssociationState.COOKIE_WAIT
    bench.expect_nothing()
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
