"""Commands of an association, and what is left to it beside the phases and the data plane."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.core.timers import Timer
from aiosctp.events import PartialDelivery, PeerAddressChange, PeerAddressChangeKind
from aiosctp.wire.chunks import CookieAck, CookieEcho, Data, Heartbeat, HeartbeatAck, Sack
from tests.core.scripted import A_INITIAL_TSN, A_PORT, Peer, chunks_of, packets_with

ONE, TWO = "192.0.2.1", "192.0.2.2"


def two_paths(config: Config | None = None) -> Peer:
    peer = Peer(config, addresses=(ONE, TWO))
    peer.established(ONE, TWO)
    return peer


def test_set_primary_moves_new_data_and_is_told_once() -> None:
    """§11.1.6: the primary path is where DATA goes."""
    peer = two_paths()
    peer.association.set_primary(peer.path(TWO))
    peer.association.set_primary(peer.path(TWO))
    (packet,) = packets_with(peer.user_sends(b"to the second"), Data)
    assert packet.destination == TWO
    assert peer.events_of(PeerAddressChange) == [PeerAddressChange((TWO, A_PORT), PeerAddressChangeKind.MADE_PRIM)]


def test_new_parameters_reach_the_paths_but_those_set_for_themselves() -> None:
    """§11.1.12, §11.1.13: a path's own settings are of more weight than the association's."""
    peer = two_paths()
    peer.association.configure_heartbeat(peer.path(TWO), True, 5.0, peer.now)
    peer.path(TWO).path_max_retrans = 9
    changed = peer.config.replace(path_max_retrans=2, hb_interval_s=100.0, rto_max_s=2.0)
    peer.association.configure(changed, peer.now)
    one, two = peer.path(ONE), peer.path(TWO)
    assert (one.path_max_retrans, one.hb_interval_s) == (2, 100.0)
    assert (two.path_max_retrans, two.hb_interval_s) == (9, 5.0)
    one.rto.back_off()
    one.rto.back_off()
    assert one.rto.rto_s == 2.0


def test_heartbeats_that_stay_as_they_are_keep_their_time() -> None:
    """§11.1.9: saying the same again puts no HEARTBEAT off."""
    peer = two_paths()
    key = (Timer.HEARTBEAT, peer.path(TWO))
    due_at_s = peer.association.timers.deadline(key)
    assert due_at_s is not None
    peer.wait(1.0)
    peer.association.configure_heartbeat(peer.path(TWO), True, peer.path(TWO).hb_interval_s, peer.now)
    assert peer.association.timers.deadline(key) == due_at_s


def test_heartbeats_switched_off_for_all_paths_are_sent_no_more() -> None:
    """§11.1.9: the timer of each path stops, and starts again with the switch."""
    peer = two_paths()
    peer.association.configure(peer.config.replace(heartbeat=False), peer.now)
    assert packets_with(peer.wait(300), Heartbeat) == []
    peer.association.configure(peer.config, peer.now)
    peer.touch()
    sent = packets_with(peer.wait(60, peer.answer_heartbeats()), Heartbeat)
    assert {packet.destination for packet in sent} == {ONE, TWO}


def test_heartbeats_change_during_the_handshake_without_being_sent() -> None:
    peer = Peer()
    peer.cookie_echoed()
    peer.association.configure_heartbeat(peer.path(ONE), True, 1.0, peer.now)
    assert not peer.association.timers.is_running((Timer.HEARTBEAT, peer.path(ONE)))
    peer.send(CookieAck())
    assert peer.next_packet(Heartbeat).at < peer.now + 3


def test_a_closed_window_is_probed_with_one_chunk() -> None:
    """R19: "the first zero window probe after 1 RTO"; the SACK that opens the window lets the rest go (§6.1 A)."""
    peer = Peer()
    peer.established()
    peer.user_sends(b"fills it")
    peer.send(Sack(peer.z_initial_tsn, 0))
    assert peer.user_sends(b"waits", b"waits too") == []
    begun = peer.now
    probe = peer.next_packet(Data)
    assert [chunk.payload for chunk in chunks_of([probe], Data)] == [b"waits"]
    assert probe.at == begun + 1.0
    # A -> SACK -> Z: the window is open.
    rest = chunks_of(peer.acknowledge(peer.z_initial_tsn + 1 & 0xFFFF_FFFF), Data)
    assert [chunk.payload for chunk in rest] == [b"waits too"]


def test_a_probe_that_is_answered_again_and_again_loses_no_association() -> None:
    """R19: "SHOULD NOT increment the error counter" while SACKs come (§6.1 A)."""
    peer = Peer()
    peer.established()
    peer.user_sends(b"fills it")
    peer.send(Sack(peer.z_initial_tsn, 0))
    peer.user_sends(b"waits")

    def keep_closed(packet: object) -> None:
        peer.send(Sack(peer.z_initial_tsn, 0))

    peer.wait(1000, keep_closed)
    assert peer.state is AssociationState.ESTABLISHED
    assert peer.path(ONE).error_count == 0


def test_a_sack_with_the_data_it_goes_with_may_fill_a_packet_of_its_own() -> None:
    """R21: a packet of HEARTBEAT ACKs with no room left for a SACK goes first; DATA follows in the next."""
    peer = Peer(Config(path_mtu=576))
    peer.established()
    room = peer.path(ONE).packet_bytes - 12
    (heartbeat,) = chunks_of(peer.heartbeat_now(ONE), Heartbeat)
    info = bytes(room - 8)
    # A -> HEARTBEAT, DATA [which is to be acknowledged at once] -> Z
    packets = peer.send(Heartbeat(info), Data(A_INITIAL_TSN, 0, 0, 0, b"x", unordered=True))
    assert [packet.types for packet in packets] == [(HeartbeatAck,), (Sack,)]
    assert heartbeat.info != info


def test_what_was_read_of_a_message_is_told_to_be_incomplete_by_a_restart() -> None:
    """R03, R20: the peer that began it has forgotten it."""
    peer = Peer(Config(partial_delivery_point_bytes=1))
    peer.accepted()
    peer.send(Data(A_INITIAL_TSN, 3, 0, 0, b"begun", ending=False))
    message = peer.association.receiver.read(partial=True)
    assert message is not None
    assert not message.end_of_record
    association = peer.association
    # A, restarted -> COOKIE ECHO -> Z
    peer.tag = peer.tag ^ 1
    peer.send(peer.cookie_echo())
    assert peer.association is association
    assert peer.events_of(PartialDelivery) == [PartialDelivery(3, 0)]


@pytest.mark.parametrize("state", [AssociationState.COOKIE_WAIT, AssociationState.ESTABLISHED])
def test_commands_after_the_end_do_nothing(state: AssociationState) -> None:
    peer = Peer()
    peer.in_state(state)
    peer.user_aborts()
    ending = peer.association.ending
    assert peer.user_aborts() == []
    assert peer.user_shuts_down() == []
    peer.association.lifecycle.stop()
    assert (peer.association.ending, peer.engine.next_deadline()) == (ending, None)


def test_what_is_queued_follows_each_sack_without_a_timer() -> None:
    """X54: "queued messages never flushed after SACK": all of it goes out, in the time that the SACKs take."""
    peer = Peer(Config(heartbeat=False))
    peer.established()
    messages = [bytes([n]) * 1400 for n in range(100)]
    peer.user_sends(*messages)
    for _ in range(20):
        peer.acknowledge(chunks_of(peer.heard, Data)[-1].tsn)
    assert [chunk.payload for chunk in chunks_of(peer.heard, Data)] == messages
    assert peer.association.sender.is_drained
    assert peer.now == 1000.0


def test_data_behind_a_cookie_echo_retransmitted_to_an_unconfirmed_address_waits() -> None:
    """R12, A12: no DATA goes there, not even with the COOKIE ECHO; what went before comes with the next."""
    peer = Peer(addresses=(ONE, TWO))
    peer.cookie_wait(ONE)
    peer.user_sends(b"third leg")
    (echo,) = peer.send(peer.init_ack())
    assert echo.types == (CookieEcho, Data)
    there = peer.next_packet(CookieEcho)
    assert (there.destination, there.types) == (TWO, (CookieEcho, Heartbeat))
    back = peer.next_packet(CookieEcho)
    assert (back.destination, back.types) == (ONE, (CookieEcho, Data))
