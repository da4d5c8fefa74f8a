"""§8.1, §8.2: when a path is inactive and when the peer is lost."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState, PathState
from aiosctp.events import (
    AssociationChange,
    AssociationChangeKind,
    PeerAddressChange,
    PeerAddressChangeKind,
    SendFailed,
)
from aiosctp.exceptions import AssociationLost
from aiosctp.wire.chunks import Abort, Data, Heartbeat, HeartbeatAck
from tests.core.laws import check_stack
from tests.core.scripted import A_PORT, Packet, Peer, chunks_of, packets_with

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
LONG_S = 10_000.0


def established(config: Config, *, addresses: tuple[str, ...] = (ONE,)) -> Peer:
    peer = Peer(config, addresses=addresses)
    peer.established(*addresses)
    return peer


def assert_lost(peer: Peer) -> None:
    assert peer.state is AssociationState.CLOSED
    assert isinstance(peer.association.ending, AssociationLost)
    assert [event.change for event in peer.events_of(AssociationChange)] == [
        AssociationChangeKind.COMM_UP,
        AssociationChangeKind.COMM_LOST,
    ]
    assert peer.engine.next_deadline() is None
    check_stack(peer.engine, [peer.association])


def unreachable(peer: Peer, address: str) -> int:
    return peer.events.count(PeerAddressChange((address, A_PORT), PeerAddressChangeKind.UNREACHABLE))


# -- §8.1: the endpoint --


@pytest.mark.parametrize("limit", [0, 1, 3, 10])
def test_the_peer_is_lost_when_the_counter_exceeds_association_max_retrans(limit: int) -> None:
    """R23, C04, G42: after as many retransmissions as allowed the next timeout ends the association."""
    peer = established(Config(association_max_retrans=limit, path_max_retrans=50, heartbeat=False))
    # Z -> DATA -> A, unanswered
    packets = peer.user_sends(b"anyone?")
    packets += peer.wait(LONG_S)
    assert len(packets_with(packets, Data)) == 1 + limit
    assert_lost(peer)
    assert packets_with(packets, Abort) == []


def test_what_was_outstanding_or_queued_is_reported_back() -> None:
    """R23, C04, C11: "optionally report back all outstanding user data remaining in its outbound queue"."""
    peer = established(Config(association_max_retrans=1, heartbeat=False))
    # more than the first congestion window
    peer.user_sends(*(bytes([n]) * 1400 for n in range(20)))
    peer.wait(LONG_S)
    assert_lost(peer)
    failed = peer.events_of(SendFailed)
    assert [event.data[0] for event in failed] == list(range(20))
    assert failed[0].was_sent
    assert not failed[-1].was_sent
    # COMM_LOST first, "followed by one SEND_FAILED per outstanding message"
    lost = next(n for n, event in enumerate(peer.events) if isinstance(event, AssociationChange) and n)
    assert all(isinstance(event, AssociationChange) for event in peer.events[: lost + 1])


def test_nothing_is_sent_to_a_lost_peer() -> None:
    """R23: "SHALL stop transmitting any more data to it (and thus the association enters the CLOSED state)"."""
    peer = established(Config(association_max_retrans=1, heartbeat=False))
    peer.user_sends(b"anyone?")
    peer.wait(LONG_S)
    assert_lost(peer)
    assert peer.wait(LONG_S) == []
    # what it sends now is out of the blue (§8.4)
    (packet,) = peer.send(Heartbeat(b"back again"))
    assert packet.chunks == (Abort(tag_reflected=True),)


def test_an_acknowledged_data_chunk_resets_the_counter() -> None:
    """R23: "MUST be reset each time a DATA chunk sent to that peer endpoint is acknowledged"."""
    peer = established(Config(association_max_retrans=2, path_max_retrans=50, heartbeat=False))
    for n in range(5):
        # Z -> DATA -> A, twice more on T3; A -> SACK -> Z
        peer.user_sends(b"hello")
        peer.next_packet(Data)
        peer.next_packet(Data)
        peer.acknowledge(peer.z_initial_tsn + n & 0xFFFF_FFFF)
    assert peer.state is AssociationState.ESTABLISHED


def test_a_sack_that_acknowledges_nothing_new_does_not_reset_the_counter() -> None:
    """R23, X57: only progress counts, or a peer that repeats itself would be reachable for ever."""
    peer = established(Config(association_max_retrans=3, path_max_retrans=50, heartbeat=False))
    peer.user_sends(b"hello")
    packets = peer.wait(LONG_S, lambda packet: peer.acknowledge(peer.z_initial_tsn - 1 & 0xFFFF_FFFF))
    assert len(packets_with(packets, Data)) == 3
    assert_lost(peer)


def test_unanswered_heartbeats_of_the_path_in_use_lose_the_peer() -> None:
    """R23: the counter includes "unacknowledged HEARTBEAT chunks observed on the path ... used for data transfer"."""
    peer = established(Config(association_max_retrans=4, path_max_retrans=2, hb_interval_s=5))
    packets = peer.wait(LONG_S)
    # one more than the limit, though Path.Max.Retrans was exceeded on the way
    assert len(packets_with(packets, Heartbeat)) == 5
    assert_lost(peer)


def test_a_heartbeat_ack_resets_the_counter() -> None:
    """R23: "When a HEARTBEAT ACK chunk is received from the peer endpoint, the counter SHOULD also be reset"."""
    peer = established(Config(association_max_retrans=2, hb_interval_s=5))
    for _ in range(5):
        # Z -> HEARTBEAT -> A, twice unanswered; A -> HEARTBEAT ACK to the third
        for _ in range(2):
            peer.next_packet(Heartbeat)
            peer.wait(peer.path(ONE).rto.rto_s)
        heartbeat = chunks_of([peer.next_packet(Heartbeat)], Heartbeat)[0]
        peer.send(HeartbeatAck(heartbeat.info))
    assert peer.state is AssociationState.ESTABLISHED


def test_heartbeat_acks_do_not_keep_a_peer_alive_that_acknowledges_no_data() -> None:
    """X57, R23: "MAY choose not to clear the counter if there is outstanding data": a black hole for DATA is found."""
    peer = established(Config(association_max_retrans=3, path_max_retrans=50, hb_interval_s=0))
    peer.user_sends(b"too large for the hole")
    for _ in range(100):
        if peer.state is AssociationState.CLOSED:
            break
        # Z -> HEARTBEAT -> A, A -> HEARTBEAT ACK -> Z; no SACK ever
        for heartbeat in chunks_of(peer.heartbeat_now(ONE), Heartbeat):
            peer.send(HeartbeatAck(heartbeat.info))
        peer.wait(2, peer.answer_heartbeats())
    assert_lost(peer)


def test_unanswered_heartbeats_of_other_paths_do_not_lose_the_peer() -> None:
    """R23: "on paths different from the path currently used for data transfer SHOULD NOT increment"."""
    peer = established(Config(association_max_retrans=1, path_max_retrans=5, hb_interval_s=5), addresses=(ONE, TWO))
    peer.wait(LONG_S, peer.answer_heartbeats(TWO))
    assert peer.state is AssociationState.ESTABLISHED
    assert peer.path(TWO).state is PathState.INACTIVE


def test_retransmissions_to_all_addresses_count_for_the_endpoint() -> None:
    """R23, E06: "this includes data retransmissions to all the destination transport addresses"."""
    peer = established(
        Config(association_max_retrans=4, path_max_retrans=50, heartbeat=False), addresses=(ONE, TWO, THREE)
    )
    packets = peer.user_sends(b"anyone?")
    packets += peer.wait(LONG_S)
    assert len(packets_with(packets, Data)) == 5
    assert_lost(peer)


# -- §8.2: a path --


def lose_on_primary(peer: Peer, times: int) -> list[Packet]:
    """Messages that are lost on the primary path and arrive on the alternate: one error of the primary each."""
    retransmissions = []
    for _ in range(times):
        # Z -> DATA -> ONE, lost; Z -> DATA -> another address; A -> SACK -> Z from there
        (first,) = packets_with(peer.user_sends(b"x"), Data)
        assert first.destination == ONE
        again = peer.next_packet(Data)
        retransmissions.append(again)
        peer.acknowledge(chunks_of([again], Data)[0].tsn, source=again.destination)
    return retransmissions


@pytest.mark.parametrize("limit", [0, 2, 5])
def test_a_path_is_inactive_when_its_counter_exceeds_path_max_retrans(limit: int) -> None:
    """R23, C08, C09, G41: "SHOULD mark ... as inactive, and a notification SHOULD be sent to the upper layer"."""
    peer = established(Config(path_max_retrans=limit, heartbeat=False), addresses=(ONE, TWO))
    lose_on_primary(peer, limit)
    assert (peer.path(ONE).error_count, peer.path(ONE).state) == (limit, PathState.ACTIVE)
    assert unreachable(peer, ONE) == 0
    lose_on_primary(peer, 1)
    assert peer.path(ONE).state is PathState.INACTIVE
    assert unreachable(peer, ONE) == 1
    # what was acknowledged from there was sent there: "clear the error counter"
    assert (peer.path(TWO).error_count, peer.path(TWO).state) == (0, PathState.ACTIVE)
    assert peer.state is AssociationState.ESTABLISHED


def test_an_acknowledged_tsn_clears_the_counter_of_the_path_it_was_sent_to() -> None:
    """R23: "SHOULD clear the error counter of the destination transport address to which the DATA was last sent"."""
    peer = established(Config(heartbeat=False), addresses=(ONE, TWO))
    lose_on_primary(peer, 3)
    assert peer.path(ONE).error_count == 3
    # Z -> DATA -> ONE, A -> SACK -> Z
    (packet,) = packets_with(peer.user_sends(b"y"), Data)
    peer.acknowledge(chunks_of([packet], Data)[0].tsn)
    assert peer.path(ONE).error_count == 0


def test_an_inactive_address_is_active_again_once_data_sent_there_is_acknowledged() -> None:
    """R23, C08: "SHOULD also report to the upper layer when an inactive destination address is marked as active"."""
    peer = established(Config(path_max_retrans=0, heartbeat=False))
    # Z -> DATA -> A, lost; again on T3
    peer.user_sends(b"x")
    peer.next_packet(Data)
    assert (peer.path(ONE).error_count, peer.path(ONE).state) == (1, PathState.INACTIVE)
    # A -> SACK -> Z
    peer.acknowledge(peer.z_initial_tsn)
    assert (peer.path(ONE).error_count, peer.path(ONE).state) == (0, PathState.ACTIVE)
    assert peer.events_of(PeerAddressChange) == [
        PeerAddressChange((ONE, A_PORT), PeerAddressChangeKind.UNREACHABLE),
        PeerAddressChange((ONE, A_PORT), PeerAddressChangeKind.AVAILABLE),
    ]


def test_an_acknowledgement_from_one_path_leaves_the_errors_of_another() -> None:
    """R23: each address has its own counter; an answer to what was sent elsewhere does not touch it."""
    peer = established(Config(heartbeat=False), addresses=(ONE, TWO))
    lose_on_primary(peer, 2)
    (heartbeat,) = chunks_of(peer.heartbeat_now(TWO), Heartbeat)
    peer.send(HeartbeatAck(heartbeat.info), source=TWO)
    assert peer.path(ONE).error_count == 2


def test_unanswered_heartbeats_make_an_idle_path_inactive_and_are_told_once() -> None:
    """R23, R24, C08: after Path.Max.Retrans + 1 of them; then it "SHOULD stop increasing the counter"."""
    peer = established(Config(path_max_retrans=2, hb_interval_s=5), addresses=(ONE, TWO))
    beats = 0
    for _ in range(500):
        if peer.path(TWO).state is PathState.ACTIVE:
            beats += len([p for p in peer.wait(0.1, peer.answer_heartbeats(TWO)) if p.destination == TWO])
    assert beats == 3
    assert peer.path(TWO).state is PathState.INACTIVE
    assert peer.path(TWO).error_count == 3
    peer.wait(500, peer.answer_heartbeats(TWO))
    assert peer.path(TWO).error_count == 3
    assert unreachable(peer, TWO) == 1


def test_with_every_path_inactive_data_is_still_tried_until_the_association_limit() -> None:
    """R23: what happens between the two limits is left open (§8.2); here nothing stalls: it is tried, and it ends."""
    config = Config(path_max_retrans=0, association_max_retrans=6, heartbeat=False)
    peer = established(config, addresses=(ONE, TWO))
    packets = peer.user_sends(b"x") + peer.wait(LONG_S)
    assert unreachable(peer, ONE) == unreachable(peer, TWO) == 1
    assert len(packets_with(packets, Data)) == 7
    assert_lost(peer)


def test_an_association_survives_all_its_paths_being_inactive_for_a_while() -> None:
    """R23, X09: an answer that comes before the association's limit brings path and data back."""
    config = Config(path_max_retrans=0, association_max_retrans=6, heartbeat=False)
    peer = established(config, addresses=(ONE, TWO))
    peer.user_sends(b"x")
    for _ in range(3):
        again = peer.next_packet(Data)
    peer.acknowledge(peer.z_initial_tsn, source=again.destination)
    assert peer.path(again.destination).state is PathState.ACTIVE
    assert packets_with(peer.wait(LONG_S), Data) == []
    assert peer.state is AssociationState.ESTABLISHED


# -- a timeout that ends an association --


def test_an_end_by_timeout_is_reported_like_any_other() -> None:
    """X34, R23: what a timer does passes through the same outputs: events polled, indexes cleared, no deadline left."""
    peer = established(Config(association_max_retrans=0, heartbeat=False))
    peer.user_sends(b"x")
    deadline = peer.engine.next_deadline()
    assert deadline is not None
    peer.engine.handle_timeout(deadline)
    peer.engine.handle_timeout(deadline)
    peer.now = deadline
    assert peer.poll() == []
    assert_lost(peer)
    assert len(peer.events_of(SendFailed)) == 1
    assert peer.engine.poll_changed() == []
    # the endpoint has room for a new association with the same peer
    peer.cookie_wait()
    assert peer.state is AssociationState.COOKIE_WAIT
