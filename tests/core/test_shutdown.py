"""§9.2: the graceful end: every state, both timers, crossings and every chunk that may be lost on the way."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.states import MAY_TAKE_USER_DATA, AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, SendFailed, ShutdownEvent
from aiosctp.exceptions import AssociationAborted, AssociationLost, AssociationShutdown
from aiosctp.wire.causes import RestartWithNewEncapsulationPort
from aiosctp.wire.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Data,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
)
from aiosctp.wire.parameters import IPv4AddressParameter
from tests.core.laws import check_stack
from tests.core.scripted import (
    A_INITIAL_TSN,
    A_PORT,
    A_RWND,
    A_TAG,
    Peer,
    chunks_of,
    packets_with,
    types_of,
)

SENT = AssociationState.SHUTDOWN_SENT
PENDING = AssociationState.SHUTDOWN_PENDING
RECEIVED = AssociationState.SHUTDOWN_RECEIVED
ACK_SENT = AssociationState.SHUTDOWN_ACK_SENT
SHUTTING_DOWN = (PENDING, SENT, RECEIVED, ACK_SENT)
CLOSED = AssociationState.CLOSED
ESTABLISHED = AssociationState.ESTABLISHED

LONG_S = 100_000.0
# No HEARTBEAT and no guard in the way of what a test looks at.
QUIET = Config(heartbeat=False, shutdown_timeout_s=10**6)


def established(config: Config = QUIET) -> Peer:
    peer = Peer(config)
    peer.established()
    return peer


def in_state(state: AssociationState, config: Config = QUIET) -> Peer:
    peer = Peer(config)
    peer.in_state(state)
    return peer


def before_first(peer: Peer) -> int:
    """The Cumulative TSN Ack of an A that has received no DATA."""
    return peer.z_initial_tsn - 1 & 0xFFFF_FFFF


def assert_graceful_end(peer: Peer) -> None:
    assert peer.state is CLOSED
    assert isinstance(peer.association.ending, AssociationShutdown)
    assert peer.events_of(AssociationChange)[-1].change is AssociationChangeKind.SHUTDOWN_COMP
    # the association's own timers too: T2-shutdown, T5-shutdown-guard
    assert peer.engine.next_deadline() is peer.association.next_deadline() is None
    check_stack(peer.engine, [peer.association])


def assert_lost(peer: Peer) -> None:
    assert peer.state is CLOSED
    assert isinstance(peer.association.ending, AssociationLost)
    assert peer.events_of(AssociationChange)[-1].change is AssociationChangeKind.COMM_LOST
    assert peer.engine.next_deadline() is None
    check_stack(peer.engine, [peer.association])


# -- the side whose user closes --


def test_shutdown_with_nothing_outstanding() -> None:
    """M06, E13, A19, A20, C06: SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE, and nothing is left of the association."""
    peer = established()
    # Z -> SHUTDOWN -> A, "including ... the last sequential TSN it has received"
    (packet,) = peer.user_shuts_down()
    assert packet.chunks == (Shutdown(A_INITIAL_TSN - 1),)
    assert packet.verification_tag == A_TAG
    assert peer.state is SENT
    # A -> SHUTDOWN ACK -> Z, Z -> SHUTDOWN COMPLETE -> A, alone, under A's tag, without T
    (packet,) = peer.send(ShutdownAck())
    assert packet.chunks == (ShutdownComplete(tag_reflected=False),)
    assert packet.verification_tag == A_TAG
    assert_graceful_end(peer)
    assert peer.events_of(AssociationChange)[1:] == [AssociationChange(AssociationChangeKind.SHUTDOWN_COMP)]
    assert peer.wait(LONG_S) == []


@pytest.mark.parametrize("received", [0, 1, 2, 3])
def test_shutdown_carries_the_last_tsn_in_sequence(received: int) -> None:
    """M06: the Cumulative TSN Ack, here over the wrap of the TSN."""
    peer = established()
    for _ in range(received):
        peer.send_data()
    (shutdown,) = chunks_of(peer.user_shuts_down(), Shutdown)
    assert shutdown.cumulative_tsn_ack == A_INITIAL_TSN + received - 1 & 0xFFFF_FFFF


def test_shutdown_waits_until_all_outstanding_data_is_acknowledged() -> None:
    """M06, E13: SHUTDOWN-PENDING "until all outstanding data has been acknowledged"; it "retransmits data ... if
    necessary"."""
    peer = established()
    # Z -> DATA -> A
    peer.user_sends(b"last words")
    assert peer.user_shuts_down() == []
    assert peer.state is PENDING
    # Z -> DATA (again) -> A
    assert [chunk.payload for chunk in chunks_of(peer.wait(2), Data)] == [b"last words"]
    assert peer.state is PENDING
    # A -> SACK -> Z, Z -> SHUTDOWN -> A
    assert len(chunks_of(peer.acknowledge(peer.z_initial_tsn), Shutdown)) == 1
    assert peer.state is SENT


def test_what_is_marked_for_retransmission_is_waited_for_too() -> None:
    """M06: *all* outstanding data: also what T3 has marked and cwnd holds back, so that nothing is in flight."""
    peer = established()
    messages = [bytes([n]) * 1000 for n in range(3)]
    peer.user_sends(*messages)
    peer.user_shuts_down()
    # Z -> DATA (the first again) -> A
    assert [chunk.payload for chunk in chunks_of(peer.wait(1.5), Data)] == messages[:1]
    # A -> SACK -> Z, Z -> DATA (again) -> A
    packets = peer.acknowledge(peer.z_initial_tsn)
    assert chunks_of(packets, Data)[0].payload == messages[1]
    assert packets_with(packets, Shutdown) == []
    assert peer.state is PENDING


def test_a_partial_acknowledgement_does_not_begin_the_shutdown() -> None:
    """M06: *all* outstanding data."""
    peer = established()
    peer.user_sends(b"one", b"two")
    peer.user_shuts_down()
    assert packets_with(peer.acknowledge(peer.z_initial_tsn), Shutdown) == []
    assert peer.state is PENDING
    assert len(packets_with(peer.acknowledge(peer.z_initial_tsn + 1 & 0xFFFF_FFFF), Shutdown)) == 1


def test_what_is_queued_is_sent_before_the_shutdown() -> None:
    """E13, A20: "a graceful close where all data in queue by either endpoint is delivered": not only what was sent."""
    peer = established()
    messages = [bytes([n]) * 1000 for n in range(30)]
    packets = peer.user_sends(*messages)
    packets += peer.user_shuts_down()
    while peer.state is PENDING:
        # Z -> DATA ... -> A, A -> SACK -> Z
        tsns = [chunk.tsn for chunk in chunks_of(packets, Data)]
        latest = max(tsns, key=lambda tsn: tsn - peer.z_initial_tsn & 0xFFFF_FFFF)
        more = peer.acknowledge(latest)
        assert more != []
        packets += more
    assert [chunk.payload for chunk in chunks_of(packets, Data)] == messages
    assert peer.state is SENT


@pytest.mark.parametrize("state", SHUTTING_DOWN)
def test_no_new_data_is_taken_while_shutting_down(state: AssociationState) -> None:
    """E13, A21, I08: "SHOULD reject any new data request from its upper layer" in all four states."""
    peer = in_state(state)
    assert peer.state not in MAY_TAKE_USER_DATA


@pytest.mark.parametrize("state", SHUTTING_DOWN)
def test_a_second_request_to_shut_down_is_ignored(state: AssociationState) -> None:
    """M06: in SHUTDOWN-RECEIVED it "MUST ignore ULP shutdown requests"; elsewhere there is nothing left to ask for."""
    peer = in_state(state)
    assert peer.user_shuts_down() == []
    assert peer.state is state


@pytest.mark.parametrize("state", [AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED])
def test_a_shutdown_asked_for_during_the_handshake_follows_it(state: AssociationState) -> None:
    """A19, A20: SHUTDOWN exists only from ESTABLISHED on (Figure 3); the user's wish is kept till then."""
    peer = in_state(state)
    assert packets_with(peer.user_shuts_down(), Shutdown) == []
    if state is AssociationState.COOKIE_WAIT:
        # A -> INIT ACK -> Z, Z -> COOKIE ECHO -> A
        assert len(packets_with(peer.send(peer.init_ack()), CookieEcho)) == 1
    # A -> COOKIE ACK -> Z, Z -> SHUTDOWN -> A
    assert len(packets_with(peer.send(CookieAck()), Shutdown)) == 1
    assert peer.state is SENT


# -- T2-shutdown --


@pytest.mark.parametrize(("state", "kind"), [(SENT, Shutdown), (ACK_SENT, ShutdownAck)])
def test_t2_resends_with_exponential_backoff(state: AssociationState, kind: type[Shutdown] | type[ShutdownAck]) -> None:
    """M06: "If the timer expires, the endpoint MUST resend"; "The rules in Section 6.3 MUST be followed"."""
    peer = in_state(state, QUIET.replace(association_max_retrans=6, rto_max_s=16))
    begin = peer.now
    moments = [packet.at - begin for packet in packets_with(peer.wait(LONG_S), kind)]
    gaps = [later - earlier for earlier, later in pairwise([0.0, *moments])]
    assert gaps == pytest.approx([1, 2, 4, 8, 16, 16])


@pytest.mark.parametrize(("state", "kind"), [(SENT, Shutdown), (ACK_SENT, ShutdownAck)])
@pytest.mark.parametrize("limit", [0, 1, 4])
def test_t2_gives_up_after_association_max_retrans(
    state: AssociationState, kind: type[Shutdown] | type[ShutdownAck], limit: int
) -> None:
    """M06, C04, R23: "SHOULD destroy the TCB and SHOULD report the peer endpoint unreachable"."""
    peer = in_state(state, QUIET.replace(association_max_retrans=limit))
    packets = peer.wait(LONG_S)
    assert len(packets_with(packets, kind)) == len(packets) == limit
    assert_lost(peer)


def test_a_resent_shutdown_has_the_updated_tsn() -> None:
    """M06: "MUST resend the SHUTDOWN chunk with the updated last sequential TSN received from its peer"."""
    peer = in_state(SENT)
    peer.send_data()
    peer.send_data()
    (shutdown,) = chunks_of([peer.next_packet(Shutdown)], Shutdown)
    assert shutdown.cumulative_tsn_ack == peer.cumulative_tsn == A_INITIAL_TSN + 1


@pytest.mark.parametrize("kind", ["DATA", "HEARTBEAT"])
def test_any_packet_of_the_peer_clears_the_count_and_restarts_t2(kind: str) -> None:
    """M06, X51: "The reception of any packet from its peer ... SHOULD clear the endpoint's retransmission count and
    restart the T2-shutdown timer"."""
    peer = in_state(SENT, QUIET.replace(association_max_retrans=2, rto_max_s=1))
    for _ in range(5):
        # Z -> SHUTDOWN -> A, twice more
        peer.next_packet(Shutdown)
        last = peer.next_packet(Shutdown)
        peer.wait(0.5)
        # A -> DATA or HEARTBEAT -> Z
        if kind == "DATA":
            peer.send_data()
        else:
            peer.send(Heartbeat(b"busy"))
        # T2 runs anew from here
        assert packets_with(peer.wait(0.9), Shutdown) == []
        assert peer.now > last.at + 1
    assert peer.state is SENT


def test_t2_runs_in_no_other_state() -> None:
    """M06: with data outstanding it is T3 that repeats; SHUTDOWN and SHUTDOWN ACK are not sent before their time."""
    for state in (PENDING, RECEIVED):
        packets = in_state(state).wait(30)
        assert len(packets_with(packets, Data)) == len(packets) > 2


# -- SHUTDOWN-SENT --


def test_data_in_shutdown_sent_is_answered_at_once_with_shutdown() -> None:
    """M06, R15: "MUST immediately respond to each received packet containing one or more DATA chunks with a
    SHUTDOWN chunk"; the data reaches the user."""
    peer = in_state(SENT)
    for n in range(4):
        # A -> DATA -> Z, Z -> SHUTDOWN -> A
        packets = peer.send_data(bytes([n]))
        (shutdown,) = chunks_of(packets, Shutdown)
        assert shutdown.cumulative_tsn_ack == peer.cumulative_tsn
        assert peer.state is SENT
    assert [message.data for message in peer.user_reads()] == [b"\0", b"\1", b"\2", b"\3"]


def test_data_in_shutdown_sent_restarts_t2() -> None:
    """M06: "... and restart the T2-shutdown timer"."""
    peer = in_state(SENT)
    for _ in range(10):
        peer.wait(0.9)
        assert len(chunks_of(peer.send_data(), Shutdown)) == 1
    assert len(chunks_of(peer.heard, Shutdown)) == 1 + 10


def test_two_data_chunks_of_one_packet_get_one_shutdown() -> None:
    """M06, R15: a SHUTDOWN for "each received packet"."""
    peer = in_state(SENT)
    data = [Data(tsn, 0, 0, 0, b"x", unordered=True) for tsn in (A_INITIAL_TSN, A_INITIAL_TSN + 1)]
    (shutdown,) = chunks_of(peer.send(*data), Shutdown)
    assert shutdown.cumulative_tsn_ack == A_INITIAL_TSN + 1


def test_a_gap_in_shutdown_sent_is_reported_with_a_sack() -> None:
    """M06, M03, R15: with "TSNs that can be acknowledged that are larger than the cumulative TSN ... a SACK chunk
    MUST also be sent"."""
    peer = in_state(SENT)
    # A -> DATA (one is missing before it) -> Z, Z -> SHUTDOWN, SACK -> A
    packets = peer.send(Data(A_INITIAL_TSN + 1, 0, 0, 0, b"x", unordered=True))
    assert [chunk.cumulative_tsn_ack for chunk in chunks_of(packets, Shutdown)] == [A_INITIAL_TSN - 1]
    (sack,) = chunks_of(packets, Sack)
    assert (sack.cumulative_tsn_ack, sack.gap_ack_blocks) == (A_INITIAL_TSN - 1, ((2, 2),))


def test_a_duplicate_in_shutdown_sent_is_reported_with_a_sack() -> None:
    """M06, M03, R15: "or if duplicate TSNs have been received, then a SACK chunk MUST also be sent"."""
    peer = in_state(SENT)
    peer.send_data()
    packets = peer.send(Data(A_INITIAL_TSN, 0, 0, 0, b"x", unordered=True))
    assert [chunk.cumulative_tsn_ack for chunk in chunks_of(packets, Shutdown)] == [A_INITIAL_TSN]
    (sack,) = chunks_of(packets, Sack)
    assert sack.duplicate_tsns == (A_INITIAL_TSN,)


def test_shutdown_ack_stops_t2() -> None:
    """M06: "MUST stop the T2-shutdown timer, send a SHUTDOWN COMPLETE ... and remove all record"."""
    peer = in_state(SENT)
    peer.send(ShutdownAck())
    assert_graceful_end(peer)


def test_data_that_came_before_the_end_can_be_read_after_it() -> None:
    """A21, E13: the socket stays "readable for undelivered data"."""
    peer = in_state(SENT)
    peer.send_data(b"late")
    peer.send(ShutdownAck())
    assert_graceful_end(peer)
    assert [message.data for message in peer.user_reads()] == [b"late"]


# -- the side that receives SHUTDOWN --


def test_shutdown_received_with_nothing_outstanding() -> None:
    """M06, E13, C06, C13: SHUTDOWN ACK at once, the user is told; SHUTDOWN COMPLETE ends it."""
    peer = established()
    # A -> SHUTDOWN -> Z, Z -> SHUTDOWN ACK -> A
    (packet,) = peer.send(Shutdown(before_first(peer)))
    assert packet.chunks == (ShutdownAck(),)
    assert packet.verification_tag == A_TAG
    assert peer.state is ACK_SENT
    assert peer.events_of(ShutdownEvent) == [ShutdownEvent()]
    # A -> SHUTDOWN COMPLETE -> Z
    assert peer.send(ShutdownComplete()) == []
    assert_graceful_end(peer)


def test_shutdown_received_with_data_outstanding() -> None:
    """M06, C13: SHUTDOWN-RECEIVED: "MUST continue to follow normal data transmission procedures ... until all
    outstanding DATA chunks are acknowledged"."""
    peer = established()
    peer.user_sends(b"not yet")
    # A -> SHUTDOWN -> Z
    assert peer.send(Shutdown(before_first(peer))) == []
    assert peer.state is RECEIVED
    assert peer.events_of(ShutdownEvent) == [ShutdownEvent()]
    # Z -> DATA (again) -> A
    assert [chunk.payload for chunk in chunks_of(peer.wait(2), Data)] == [b"not yet"]
    # A -> SACK -> Z, Z -> SHUTDOWN ACK -> A
    assert chunks_of(peer.acknowledge(peer.z_initial_tsn), ShutdownAck) == [ShutdownAck()]
    assert peer.state is ACK_SENT


def test_the_tsn_of_the_shutdown_acknowledges() -> None:
    """M06, R17: "verify, by checking the Cumulative TSN Ack field ..., that all its outstanding DATA chunks have been
    received"."""
    peer = established()
    peer.user_sends(b"arrived")
    # A -> SHUTDOWN that covers the DATA -> Z, Z -> SHUTDOWN ACK -> A
    assert chunks_of(peer.send(Shutdown(peer.z_initial_tsn)), ShutdownAck) == [ShutdownAck()]
    assert peer.state is ACK_SENT
    assert packets_with(peer.wait(30), Data) == []


def test_the_shutdown_of_a_peer_that_received_our_data_meanwhile() -> None:
    """M06: in SHUTDOWN-SENT the peer answers our DATA with SHUTDOWN, whose TSN is all the acknowledgement there is."""
    peer = in_state(RECEIVED)
    assert chunks_of(peer.send(Shutdown(peer.z_initial_tsn)), ShutdownAck) == [ShutdownAck()]
    assert peer.state is ACK_SENT
    # the user was told once
    assert peer.events_of(ShutdownEvent) == [ShutdownEvent()]


def test_what_is_queued_is_sent_in_shutdown_received() -> None:
    """M06, E13: Figure 3 (6): "MUST transmit or retransmit data and leave this state when all data in queue is
    transmitted"."""
    peer = established()
    messages = [bytes([n]) * 1000 for n in range(30)]
    packets = peer.user_sends(*messages)
    assert len(chunks_of(packets, Data)) < len(messages)
    packets += peer.send(Shutdown(before_first(peer)))
    while peer.state is RECEIVED:
        # Z -> DATA ... -> A, A -> SHUTDOWN with the new TSN -> Z
        tsns = [chunk.tsn for chunk in chunks_of(packets, Data)]
        latest = max(tsns, key=lambda tsn: tsn - peer.z_initial_tsn & 0xFFFF_FFFF)
        more = peer.send(Shutdown(latest))
        assert more != []
        packets += more
    assert [chunk.payload for chunk in chunks_of(packets, Data)] == messages
    assert peer.state is ACK_SENT
    assert len(chunks_of(packets, ShutdownAck)) == 1


def test_a_shutdown_takes_no_gap_acknowledgement_back() -> None:
    """M06, R17: "MUST NOT interpret the lack of a Gap Ack Block as a renege" (§3.3.8)."""
    peer = established()
    peer.user_sends(b"lost", b"arrived")
    # A -> SACK with a gap -> Z
    peer.send(Sack(before_first(peer), A_RWND, ((2, 2),)))
    # A -> SHUTDOWN, which has no gaps -> Z
    peer.send(Shutdown(before_first(peer)))
    # Z -> DATA (only what is missing) -> A
    assert {chunk.payload for chunk in chunks_of(peer.wait(30), Data)} == {b"lost"}


@pytest.mark.parametrize("behind", [1, 5])
def test_a_shutdown_with_an_old_tsn_acknowledges_nothing_and_still_shuts_down(behind: int) -> None:
    """M06, R17: serial arithmetic: an old Cumulative TSN Ack is no acknowledgement, nor is it a violation."""
    peer = established()
    peer.user_sends(b"x")
    peer.acknowledge(peer.z_initial_tsn)
    packets = peer.send(Shutdown(peer.z_initial_tsn - behind & 0xFFFF_FFFF))
    assert chunks_of(packets, ShutdownAck) == [ShutdownAck()]
    assert peer.state is ACK_SENT


def test_data_bundled_before_a_shutdown_is_delivered() -> None:
    """M06, R21, E13: chunks are processed in their order: the DATA was received in ESTABLISHED."""
    peer = established()
    packets = peer.send(Data(A_INITIAL_TSN, 0, 0, 0, b"last"), Shutdown(before_first(peer)))
    assert len(chunks_of(packets, ShutdownAck)) == 1
    assert [message.data for message in peer.user_reads()] == [b"last"]


def test_data_bundled_behind_a_shutdown_comes_too_late() -> None:
    """M06, R21: chunks are processed in their order: the DATA was received in SHUTDOWN-ACK-SENT (§6)."""
    peer = established()
    packets = peer.send(Shutdown(before_first(peer)), Data(A_INITIAL_TSN, 0, 0, 0, b"too late"))
    assert len(chunks_of(packets, ShutdownAck)) == 1
    assert peer.user_reads() == []


def test_a_duplicate_shutdown_gets_the_shutdown_ack_again() -> None:
    """X51, M06: "MUST continue responding to SHUTDOWN chunks from its peer": the SHUTDOWN ACK was lost."""
    peer = in_state(ACK_SENT)
    for _ in range(3):
        # A -> SHUTDOWN (again) -> Z, Z -> SHUTDOWN ACK (again) -> A
        (packet,) = peer.send(Shutdown(before_first(peer)))
        assert packet.chunks == (ShutdownAck(),)
        assert peer.state is ACK_SENT
    assert peer.events_of(ShutdownEvent) == [ShutdownEvent()]
    peer.send(ShutdownComplete())
    assert_graceful_end(peer)


def test_reading_after_the_shutdown_ack_updates_no_window() -> None:
    """M06, X51: a peer whose SHUTDOWN COMPLETE was lost would take the SACK for out of the blue and ABORT, and what was
    acknowledged and not yet read would be gone. There is no DATA to come for which it would matter."""
    peer = established(QUIET.replace(receive_window_bytes=4000))
    for _ in range(3):
        peer.send_data(bytes(1000))
    peer.wait(1)
    peer.send(Shutdown(before_first(peer)))
    assert peer.state is ACK_SENT
    assert len(peer.user_reads()) == 3
    assert peer.touch() == []
    assert chunks_of(peer.wait(30), Sack) == []


def test_a_heartbeat_is_answered_until_the_shutdown_ack() -> None:
    """M04, M06: "MUST respond ... up until reaching ... the SHUTDOWN-ACK-SENT state"."""
    for state in (PENDING, RECEIVED):
        assert chunks_of(in_state(state).send(Heartbeat(b"?")), HeartbeatAck) == [HeartbeatAck(b"?")]


# -- SHUTDOWN-ACK-SENT --


def test_shutdown_ack_in_shutdown_ack_sent() -> None:
    """M06: both had sent SHUTDOWN: "it MUST stop the T2-shutdown timer, send a SHUTDOWN COMPLETE ... and remove"."""
    peer = in_state(ACK_SENT)
    (packet,) = peer.send(ShutdownAck())
    assert packet.chunks == (ShutdownComplete(tag_reflected=False),)
    assert packet.verification_tag == A_TAG
    assert_graceful_end(peer)


def test_an_init_in_shutdown_ack_sent_gets_the_shutdown_ack_again() -> None:
    """R10, M06: "SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk", under the old tag."""
    peer = in_state(ACK_SENT)
    # A -> INIT -> Z, Z -> SHUTDOWN ACK -> A
    (packet,) = peer.send(Init(0xA1A1_A1A1, A_RWND, 10, 10, 1), tag=0)
    assert (packet.chunks, packet.verification_tag) == ((ShutdownAck(),), A_TAG)
    assert peer.state is ACK_SENT


def test_an_init_that_lists_an_address_of_the_association_gets_the_shutdown_ack_again() -> None:
    """R10, M06: it belongs to the association by the address it came from, or by one "in the INIT chunk" (§9.2)."""
    peer = in_state(ACK_SENT)
    peer.listen()
    elsewhere, listed = "203.0.113.9", IPv4AddressParameter(peer.addresses[0])
    # A, from an address that Z does not know -> INIT -> Z, Z -> SHUTDOWN ACK -> A, where it was
    (packet,) = peer.send(Init(0xA1A1_A1A1, A_RWND, 10, 10, 1, (listed,)), tag=0, source=elsewhere)
    assert (packet.chunks, packet.verification_tag) == ((ShutdownAck(),), A_TAG)
    assert packet.destination == peer.addresses[0]
    # without it, a stranger from another address begins an association of its own
    (packet,) = peer.send(Init(0xA1A1_A1A1, A_RWND, 10, 10, 1), tag=0, source=elsewhere)
    assert (packet.types, packet.destination) == ((InitAck,), elsewhere)
    assert peer.state is ACK_SENT


def test_an_init_from_another_udp_port_in_shutdown_ack_sent_is_refused() -> None:
    """R10, S01: as in any other state (udp-encaps-cons): a NAT may put another host there."""
    peer = in_state(ACK_SENT)
    before = peer.path(peer.addresses[0]).udp_port
    # A, from another UDP port -> INIT -> Z, Z -> ABORT -> A, where it is now
    (packet,) = peer.send(Init(0xA1A1_A1A1, A_RWND, 10, 10, 1), tag=0, udp_port=before + 1)
    assert packet.chunks == (Abort((RestartWithNewEncapsulationPort(before, before + 1),)),)
    assert (packet.verification_tag, packet.datagram.udp_port) == (0xA1A1_A1A1, before + 1)
    assert peer.state is ACK_SENT
    # Z -> SHUTDOWN ACK -> A, where it was
    assert peer.next_packet(ShutdownAck).datagram.udp_port == before


def test_an_init_from_another_sctp_port_is_another_association() -> None:
    """R10: "with a different port number indicates the initialization of a separate association"."""
    peer = in_state(ACK_SENT)
    peer.listen()
    (packet,) = peer.send(Init(0xA1A1_A1A1, A_RWND, 10, 10, 1), tag=0, port=A_PORT + 1)
    assert (packet.types, packet.verification_tag) == ((InitAck,), 0xA1A1_A1A1)
    assert peer.state is ACK_SENT


# -- after the end --


def test_the_shutdown_ack_of_a_peer_that_missed_our_shutdown_complete_is_answered() -> None:
    """M06, R14: the SHUTDOWN COMPLETE was lost: §8.4 rule 5 lets the peer go."""
    peer = in_state(SENT)
    peer.send(ShutdownAck())
    assert_graceful_end(peer)
    # A -> SHUTDOWN ACK (again) -> Z, Z -> SHUTDOWN COMPLETE, T -> A
    (packet,) = peer.send(ShutdownAck())
    assert packet.chunks == (ShutdownComplete(tag_reflected=True),)
    assert packet.verification_tag == peer.z_tag


def test_t1_goes_on_after_the_shutdown_ack_of_an_old_association() -> None:
    """M06, R13: "lets T1-init continue running ... Normal T1-init timer expiration will cause the INIT or COOKIE chunk
    to be retransmitted and thus start a new association"."""
    disturbed, calm = Peer(QUIET), Peer(QUIET)
    for peer in (disturbed, calm):
        peer.cookie_wait()
        peer.wait(0.5)
    # A -> SHUTDOWN ACK of an old association -> Z, Z -> SHUTDOWN COMPLETE, T -> A
    (packet,) = disturbed.send(ShutdownAck(), tag=0x01D0_01D0)
    assert packet.chunks == (ShutdownComplete(tag_reflected=True),)
    assert disturbed.next_packet(Init).at == calm.next_packet(Init).at
    # A, free of the old one -> INIT ACK -> Z, Z -> COOKIE ECHO -> A
    assert len(packets_with(disturbed.send(disturbed.init_ack()), CookieEcho)) == 1


# -- crossings --


def test_shutdowns_that_cross() -> None:
    """M06: SHUTDOWN in SHUTDOWN-SENT: "SHOULD respond immediately with a SHUTDOWN ACK chunk ... and move into the
    SHUTDOWN-ACK-SENT state, restarting its T2-shutdown timer"."""
    peer = established()
    peer.user_shuts_down()
    peer.wait(0.9)
    # A -> SHUTDOWN -> Z, Z -> SHUTDOWN ACK -> A
    (packet,) = peer.send(Shutdown(before_first(peer)))
    assert packet.chunks == (ShutdownAck(),)
    assert peer.state is ACK_SENT
    # T2 restarted: not due 0.1 s later
    assert peer.wait(0.9) == []
    assert len(packets_with(peer.wait(0.2), ShutdownAck)) == 1
    # A -> SHUTDOWN ACK -> Z, Z -> SHUTDOWN COMPLETE -> A
    assert chunks_of(peer.send(ShutdownAck()), ShutdownComplete) == [ShutdownComplete()]
    assert_graceful_end(peer)


def test_the_shutdown_of_the_peer_clears_the_count_of_ours() -> None:
    """M06: "The reception of any packet from its peer ... SHOULD clear the endpoint's retransmission count": the
    SHUTDOWN ACK has all of Association.Max.Retrans before it."""
    peer = in_state(SENT, QUIET.replace(association_max_retrans=2, rto_max_s=1))
    # Z -> SHUTDOWN -> A, twice more
    peer.next_packet(Shutdown)
    peer.next_packet(Shutdown)
    # A -> SHUTDOWN -> Z, Z -> SHUTDOWN ACK -> A, and twice more
    assert types_of(peer.send(Shutdown(before_first(peer)))) == [(ShutdownAck,)]
    assert len(packets_with(peer.wait(LONG_S), ShutdownAck)) == 2
    assert_lost(peer)


def test_a_shutdown_in_shutdown_pending_with_data_outstanding() -> None:
    """M06: the peer's SHUTDOWN overtakes ours: SHUTDOWN-RECEIVED, then SHUTDOWN ACK rather than SHUTDOWN."""
    peer = in_state(PENDING)
    assert peer.send(Shutdown(before_first(peer))) == []
    assert peer.state is RECEIVED
    packets = peer.acknowledge(peer.z_initial_tsn)
    assert (chunks_of(packets, ShutdownAck), chunks_of(packets, Shutdown)) == ([ShutdownAck()], [])
    peer.send(ShutdownComplete())
    assert_graceful_end(peer)


def test_a_shutdown_in_shutdown_pending_that_acknowledges_everything() -> None:
    """M06: the same with nothing left outstanding: SHUTDOWN ACK at once, no SHUTDOWN of our own."""
    peer = in_state(PENDING)
    packets = peer.send(Shutdown(peer.z_initial_tsn))
    assert (chunks_of(packets, ShutdownAck), chunks_of(packets, Shutdown)) == ([ShutdownAck()], [])
    assert peer.state is ACK_SENT


# -- T5-shutdown-guard --


@pytest.mark.parametrize("state", [PENDING, SENT])
def test_the_guard_aborts_a_shutdown_that_does_not_end(state: AssociationState) -> None:
    """M06, W17, G50: "At the expiration of this timer, the sender SHOULD abort the association by sending an ABORT"."""
    peer = in_state(state, QUIET.replace(shutdown_timeout_s=20, association_max_retrans=1000, path_max_retrans=1000))
    begin = peer.now
    packets = peer.wait(19.9)
    assert packets_with(packets, Abort) == []
    assert peer.state is state
    (packet,) = packets_with(peer.wait(0.2), Abort)
    assert packet.at == pytest.approx(begin + 20)
    assert packet.verification_tag == A_TAG
    assert not packet.has(Data)
    assert peer.state is CLOSED
    assert isinstance(peer.association.ending, AssociationAborted)
    assert peer.association.ending.local
    assert peer.events_of(AssociationChange)[-1].change is AssociationChangeKind.COMM_LOST
    assert peer.engine.next_deadline() is None


def test_the_guard_is_five_times_rto_max() -> None:
    """M06, G50: "it SHOULD be set to the RECOMMENDED value of 5 times 'RTO.Max'"; a peer that keeps sending, and so
    restarts T2 each time, does not move it."""
    peer = in_state(SENT, Config(heartbeat=False, rto_max_s=8))
    begin = peer.now
    while peer.state is SENT:
        peer.send_data()
        peer.wait(0.5)
        peer.user_reads()
        assert peer.now < begin + 50
    assert packets_with(peer.heard, Abort)[0].at == pytest.approx(begin + 40)


def test_the_guard_runs_from_the_call_through_every_state() -> None:
    """M06, W17: it is for "the overall time for the shutdown sequence": a change of state does not start it anew."""
    config = QUIET.replace(shutdown_timeout_s=20, association_max_retrans=1000, path_max_retrans=1000)
    peer = in_state(PENDING, config)
    begin = peer.now
    peer.wait(6)
    # A -> SACK -> Z, Z -> SHUTDOWN -> A
    peer.acknowledge(peer.z_initial_tsn)
    peer.wait(6)
    # A -> SHUTDOWN -> Z, Z -> SHUTDOWN ACK -> A
    peer.send(Shutdown(peer.z_initial_tsn))
    assert peer.state is ACK_SENT
    assert packets_with(peer.wait(7), Abort) == []
    assert [packet.at for packet in packets_with(peer.wait(5), Abort)] == [pytest.approx(begin + 20)]
    assert peer.state is CLOSED


def test_the_shutdown_of_the_peer_does_not_start_the_guard_anew() -> None:
    """M06: both sides shut down: the overall time is counted from whoever was first."""
    config = QUIET.replace(shutdown_timeout_s=20, association_max_retrans=1000, path_max_retrans=1000)
    peer = in_state(PENDING, config)
    begin = peer.now
    peer.wait(6)
    # A -> SHUTDOWN -> Z, with data of ours outstanding
    peer.send(Shutdown(before_first(peer)))
    assert peer.state is RECEIVED
    assert [packet.at for packet in packets_with(peer.wait(30), Abort)] == [pytest.approx(begin + 20)]


def test_the_guard_reports_what_was_not_delivered() -> None:
    """M06, C04: the abort of the guard is an abort like any other: messages come back."""
    peer = in_state(PENDING, QUIET.replace(shutdown_timeout_s=5))
    peer.wait(6)
    assert peer.state is CLOSED
    assert [event.data for event in peer.events_of(SendFailed)] == [b"outstanding"]


def test_nothing_follows_the_shutdown_complete() -> None:
    """M06: the SHUTDOWN ACK comes just after T2 expired: the SHUTDOWN not sent yet would be out of the blue to A."""
    peer = Peer()
    peer.in_state(AssociationState.SHUTDOWN_SENT)
    deadline = peer.engine.next_deadline()
    assert deadline is not None
    peer.now = deadline
    peer.engine.handle_timeout(peer.now)
    # A -> SHUTDOWN ACK -> Z, Z -> SHUTDOWN COMPLETE -> A
    assert types_of(peer.send(ShutdownAck())) == [(ShutdownComplete,)]
