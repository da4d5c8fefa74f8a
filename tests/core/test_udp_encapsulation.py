"""Which UDP port a packet goes to: learnt per path from packets under the right tag (RFC 6951 §5.1, §5.4)."""

from __future__ import annotations

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Data, Heartbeat, HeartbeatAck, Init, InitAck, Sack
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import IPv4AddressParameter, StateCookie
from tests.core.transcript import (
    OUR_PORT,
    PEER_COOKIE,
    PEER_SECOND_HOST,
    STRANGER_HOST,
    UDP_PORT,
    Bench,
    Peer,
    reborn,
)

OTHER_UDP_PORT = 61_234


def ports_of_data(bench: Bench) -> set[tuple[str, int]]:
    return {(sent.datagram.destination, sent.datagram.udp_port) for sent in bench.unread if Data in sent.kinds}


def test_an_init_is_answered_to_the_udp_port_it_came_from() -> None:
    """S01: behind a NAT that is the only one that works."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench, udp_port=OTHER_UDP_PORT)
    peer.send(peer.init())
    # expect() compares the port
    peer.expect(InitAck)


def test_the_responder_learns_the_udp_port_from_the_cookie_echo() -> None:
    """S01: "the UDP source port MUST be stored as the encapsulation port" (RFC 6951 §5.4), from then on."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench, udp_port=OTHER_UDP_PORT)
    cookie = peer.get_cookie()
    # The NAT has forgotten us in between.
    peer.udp_port = OTHER_UDP_PORT + 1
    peer.send(CookieEcho(cookie))
    peer.expect(CookieAck)
    bench.say(endpoint.accepted[0], b"hello")
    peer.expect(Data)


def test_the_initiator_calls_the_udp_port_it_was_given_and_learns_the_one_that_answers() -> None:
    """S01: the INIT ACK is under our tag, so its port counts for the COOKIE ECHO already."""
    bench = Bench()
    peer = Peer(bench)
    bench.connect(peer.host, udp_port=UDP_PORT)
    # A -> INIT -> Z
    peer.our_tag = peer.expect(Init, tag=0).initiate_tag
    peer.udp_port = OTHER_UDP_PORT
    # Z -> INIT ACK -> A
    peer.send(peer.init_ack())
    # A -> COOKIE ECHO -> Z
    peer.expect(CookieEcho)


@pytest.mark.parametrize("initiates", [True, False])
def test_a_packet_under_the_right_tag_moves_the_udp_port(initiates: bool) -> None:
    """S01: a NAT that rebinds is followed with the next packet that comes through it."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.answers() if initiates else peer.associate()
    peer.udp_port = OTHER_UDP_PORT
    # Z -> DATA -> A, from another UDP port
    peer.send(peer.data())
    # A -> SACK -> Z
    peer.expect(Sack)
    bench.say(association, b"hello")
    peer.expect(Data)


def test_what_is_outstanding_is_repeated_to_the_new_udp_port() -> None:
    """S01: the port belongs to the path, not to the packet."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    bench.say(association, b"lost with the old binding")
    peer.expect(Data)
    peer.udp_port = OTHER_UDP_PORT
    peer.send(Heartbeat(b"probe"))
    peer.expect(HeartbeatAck)
    bench.advance(1.0)
    peer.expect(Data)


def test_a_packet_under_a_wrong_tag_does_not_move_the_udp_port() -> None:
    """S01, R13: stored "After finding the SCTP association (which includes checking the ... tag)"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    peer.send(peer.data(), tag=peer.our_tag ^ 1, udp_port=OTHER_UDP_PORT)
    peer.send(Abort(), tag=peer.our_tag ^ 1, udp_port=OTHER_UDP_PORT)
    bench.say(association, b"hello")
    peer.expect(Data, udp_port=UDP_PORT)


def test_a_packet_with_a_wrong_checksum_does_not_move_the_udp_port() -> None:
    """S01: it is no packet of the peer's."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    packet = bytearray(encode_packet(peer.port, OUR_PORT, peer.our_tag, [Heartbeat(b"").encode()]))
    packet[8] ^= 1
    bench.receive(bytes(packet), peer.host, OTHER_UDP_PORT, peer.local_host)
    bench.say(association, b"hello")
    peer.expect(Data, udp_port=UDP_PORT)


@pytest.mark.parametrize("forged", [False, True])
def test_an_init_does_not_move_the_udp_port(forged: bool) -> None:
    """S01, X58: nothing vouches for an INIT under tag 0, nor for a COOKIE ECHO with a forged cookie."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    other = Peer(bench, udp_port=OTHER_UDP_PORT, tag=0xBAD)
    if forged:
        other.send(CookieEcho(bytes(100)), tag=peer.our_tag)
    else:
        other.send(other.init())
    other.drain()
    bench.say(association, b"hello")
    peer.expect(Data, udp_port=UDP_PORT)


def test_each_path_has_a_udp_port_of_its_own() -> None:
    """S01, E06: the port is stored "for the destination address the SCTP packet is received from" (RFC 6951 §5.1)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate(IPv4AddressParameter(PEER_SECOND_HOST))
    # Z -> HEARTBEAT -> A, from the second address and another port
    peer.send(Heartbeat(b"probe"), source=PEER_SECOND_HOST, udp_port=OTHER_UDP_PORT)
    # A -> HEARTBEAT ACK -> Z, there
    peer.expect(HeartbeatAck, host=PEER_SECOND_HOST, udp_port=OTHER_UDP_PORT)
    # The first path is as it was.
    bench.say(association, b"hello")
    assert ports_of_data(bench) == {(peer.host, UDP_PORT)}


def test_all_addresses_of_the_peer_begin_with_the_udp_port_of_the_handshake() -> None:
    """S01, E06: until an address has spoken for itself, the peer is taken to use one port for all."""
    bench = Bench()
    peer = Peer(bench, udp_port=OTHER_UDP_PORT)
    association = peer.associate(IPv4AddressParameter(PEER_SECOND_HOST))
    assert {(path.address, path.udp_port) for path in association.paths} == {
        (peer.host, OTHER_UDP_PORT),
        (PEER_SECOND_HOST, OTHER_UDP_PORT),
    }


def test_the_right_tag_from_an_unlisted_address_teaches_nothing() -> None:
    """S01: its data is taken, answers go to a confirmed path only, and no port is learnt."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    # Z -> DATA -> A, from an address that is none of Z's
    peer.send(peer.data(b"roaming"), source=STRANGER_HOST, udp_port=OTHER_UDP_PORT)
    # A -> SACK -> Z, to the address it has
    peer.expect(Sack, udp_port=UDP_PORT)
    message = association.receiver.read()
    assert message is not None
    assert message.data == b"roaming"
    bench.say(association, b"hello")
    peer.expect(Data, udp_port=UDP_PORT)


def test_an_init_ack_that_is_refused_is_answered_to_its_udp_port() -> None:
    """S01, M05: also what ends the handshake goes back the way it came."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    peer.udp_port = OTHER_UDP_PORT
    peer.send(peer.init_ack(StateCookie(PEER_COOKIE), outbound=0))
    peer.expect(Abort)
    assert association.state is AssociationState.CLOSED


def test_a_udp_port_that_the_user_names_holds_until_one_is_learnt() -> None:
    """S01: RFC 6951 §6.1. It is no port that was learnt: a peer that restarts is not refused for calling from another
    (draft-tuexen-tsvwg-sctp-udp-encaps-cons)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    (path,) = association.paths
    path.use_udp_port(OTHER_UDP_PORT)
    bench.say(association, b"hello")
    peer.expect_packet(Data, udp_port=OTHER_UDP_PORT)
    risen = reborn(peer)
    risen.send(risen.init())
    risen.expect(InitAck)
    peer.send(peer.data())
    peer.expect(Sack)
    assert path.udp_port == peer.udp_port
