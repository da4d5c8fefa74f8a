"""§12.4: a packet is answered by no "more than one packet containing chunks other than DATA chunks"."""

from __future__ import annotations

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.wire.causes import CookieReceivedWhileShuttingDown, StaleCookie
from aiosctp.wire.chunks import (
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
    UnknownChunk,
)
from aiosctp.wire.parameters import StateCookie
from tests.core.scripted import A_INITIAL_TSN, Peer, chunks_of, types_of

FIRST, SECOND = "192.0.2.1", "192.0.2.2"
REPORTED = UnknownChunk(0xC1, 0, b"?")


def test_what_is_bundled_with_a_cookie_echo_is_answered_behind_the_cookie_ack() -> None:
    """§5.1 D: a COOKIE ACK "MAY be bundled ... but the COOKIE ACK chunk MUST be the first chunk in the packet"."""
    peer = Peer()
    # A -> COOKIE ECHO, HEARTBEAT, ?, DATA -> Z
    data = Data(A_INITIAL_TSN, 0, 0, 0, b"early")
    packets = peer.send(peer.cookie_echo(), Heartbeat(b"info"), REPORTED, data)
    # Z -> COOKIE ACK, HEARTBEAT ACK, ERROR, SACK -> A
    assert types_of(packets) == [(CookieAck, HeartbeatAck, Error, Sack)]


def test_a_shutdown_bundled_with_a_cookie_echo_is_answered_behind_the_cookie_ack() -> None:
    peer = Peer()
    cookie_echo = peer.cookie_echo()
    packets = peer.send(cookie_echo, Shutdown(peer.z_initial_tsn - 1 & 0xFFFF_FFFF))
    assert types_of(packets) == [(CookieAck, ShutdownAck)]


def test_behind_a_cookie_ack_to_an_unconfirmed_address_nothing_is_answered_elsewhere() -> None:
    """§5.4: there goes a HEARTBEAT with it, and nothing else may; the peer asks again."""
    peer = Peer(addresses=(FIRST, SECOND))
    packets = peer.send(peer.cookie_echo(), REPORTED, source=SECOND)
    assert types_of(packets) == [(CookieAck, Heartbeat)]
    assert packets[0].destination == SECOND


def two_paths() -> tuple[Peer, CookieEcho]:
    """An association with both addresses confirmed, and the COOKIE ECHO it was made of."""
    peer = Peer(addresses=(FIRST, SECOND))
    cookie_echo = peer.cookie_echo()
    peer.send(cookie_echo)
    peer._association = peer.endpoint.accepted.pop()
    # Z -> HEARTBEAT -> A, A -> HEARTBEAT ACK -> Z
    peer.wait(1.0, peer.answer_heartbeats())
    assert peer.path(SECOND).is_confirmed
    return peer, cookie_echo


def test_a_cookie_ack_leaves_before_data_that_goes_another_way() -> None:
    """Who waits for it in COOKIE-ECHOED would discard the data."""
    peer, cookie_echo = two_paths()
    peer.association.send(OutgoingMessage(b"to the primary path", 0))
    packets = peer.send(cookie_echo, source=SECOND)
    assert types_of(packets) == [(CookieAck,), (Data,)]
    assert [packet.destination for packet in packets] == [SECOND, FIRST]


def test_answers_that_would_go_different_ways_are_not_all_given() -> None:
    """A HEARTBEAT from an address that is not confirmed is answered there, where no ERROR may go (§5.4)."""
    peer = Peer(addresses=(FIRST, SECOND))
    peer.accepted()
    assert types_of(peer.send(Heartbeat(b"info"), REPORTED, source=SECOND)) == [(HeartbeatAck,)]
    assert types_of(peer.send(REPORTED, Heartbeat(b"info"), source=SECOND)) == [(Error,)]


def test_a_stale_cookie_bundled_with_the_init_ack_waits_for_its_turn() -> None:
    """§6.10: an INIT ACK is not bundled. The COOKIE ECHO is the answer; another INIT would be a second packet."""
    peer = Peer()
    peer.cookie_wait()
    packets = peer.send(peer.init_ack(), Error((StaleCookie(1),)))
    assert types_of(packets) == [(CookieEcho,)]


def test_a_restart_in_shutdown_ack_sent_is_answered_in_one_packet() -> None:
    """§5.2.4 A: "resend the SHUTDOWN ACK chunk and send an ERROR chunk", whichever way the COOKIE ECHO came."""
    peer, _ = two_paths()
    peer.tag = 0xB0B0_B0B0
    # A -> INIT -> Z, Z -> INIT ACK -> A
    (init_ack,) = chunks_of(peer.send(peer.init(), tag=0), InitAck)
    (cookie,) = (each.cookie for each in init_ack.parameters if isinstance(each, StateCookie))
    peer.send(Shutdown(peer.z_initial_tsn - 1 & 0xFFFF_FFFF))
    assert peer.state is AssociationState.SHUTDOWN_ACK_SENT
    packets = peer.send(CookieEcho(cookie), tag=init_ack.initiate_tag, source=SECOND)
    assert types_of(packets) == [(ShutdownAck, Error)]
    assert chunks_of(packets, Error) == [Error((CookieReceivedWhileShuttingDown(),))]
