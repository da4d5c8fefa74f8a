"""A peer that wants more than its share of the network: it acknowledges early, in pieces, or again and again.

Savage et al., "TCP Congestion Control with a Misbehaving Receiver"; RFC 3465; RFC 9260 §12.2.
"""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Data, Sack, Shutdown
from tests.core.laws import check_association
from tests.core.many_outstanding import z_tsn
from tests.core.scripted import Packet, Peer, chunks_of

FULL = bytes(1400)
CHUNK_BYTES = 16 + 1400
CONFIG = Config(heartbeat=False, send_buffer_bytes=2**30)
A_RWND = 2**31


def sending(count: int = 300) -> Peer:
    peer = Peer(CONFIG)
    peer.established()
    peer.send(Sack(z_tsn(peer, -1), A_RWND))
    peer.user_sends(*[FULL] * count)
    return peer


def sent(packets: list[Packet]) -> int:
    return len(chunks_of(packets, Data))


def cwnd(peer: Peer) -> int:
    return peer.path("192.0.2.1").congestion.cwnd


def highest_sent(peer: Peer) -> int:
    return len({chunk.tsn for chunk in chunks_of(peer.heard, Data)}) - 1


def test_acknowledging_in_pieces_opens_cwnd_no_further_than_all_at_once() -> None:
    """S19: "bound by what was acknowledged": ten SACKs for ten chunks are worth one."""
    at_once, in_pieces = sending(), sending()
    for peer in (at_once, in_pieces):
        for _ in range(3):
            peer.acknowledge(z_tsn(peer, highest_sent(peer)))
    before = cwnd(at_once)
    assert cwnd(in_pieces) == before
    high = highest_sent(at_once)
    in_flight = len(at_once.association.sender.outstanding)
    at_once.acknowledge(z_tsn(at_once, high))
    for tsn in range(high - in_flight + 1, high + 1):
        in_pieces.acknowledge(z_tsn(in_pieces, tsn))
    assert in_pieces.association.sender.cumulative_tsn_ack_point == z_tsn(in_pieces, high)
    assert before < cwnd(in_pieces) <= cwnd(at_once)


@pytest.mark.parametrize("window", [A_RWND, A_RWND - 1, 0xFFFF_FFFF])
def test_the_same_sack_a_thousand_times_releases_nothing(window: int) -> None:
    """S19, R17: no SACK is worth anything but what it newly acknowledges."""
    peer = sending()
    peer.acknowledge(z_tsn(peer, 1))
    before = cwnd(peer)
    for _ in range(1000):
        assert sent(peer.send(Sack(z_tsn(peer, 1), window))) == 0
    assert cwnd(peer) == before
    check_association(peer.association)


def test_acknowledging_before_arrival_earns_what_was_sent_and_no_more() -> None:
    """X38: an optimistic peer may open cwnd by what is in flight; the first TSN it guesses too high ends it."""
    peer = sending()
    for _ in range(4):
        in_flight = peer.path("192.0.2.1").flight_bytes
        before = cwnd(peer)
        peer.send(Sack(z_tsn(peer, highest_sent(peer)), A_RWND))
        assert cwnd(peer) <= before + in_flight
        assert peer.path("192.0.2.1").flight_bytes <= cwnd(peer) + CHUNK_BYTES
    peer.send(Sack(z_tsn(peer, highest_sent(peer) + 1), A_RWND))
    assert peer.state is AssociationState.CLOSED


def test_a_shutdown_that_acknowledges_what_was_never_sent_ends_the_association_too() -> None:
    """X38, M06: §9.2 with §12.4."""
    peer = sending()
    peer.send(Shutdown(z_tsn(peer, highest_sent(peer) + 1)))
    assert peer.state is AssociationState.CLOSED


def test_old_sacks_and_shutdowns_in_any_number_release_nothing() -> None:
    """R17: §6.2.1 D i."""
    peer = sending()
    peer.acknowledge(z_tsn(peer, 2))
    for behind in (1, 2, 0x7FFF_FFFF, 0x8000_0000):
        assert sent(peer.send(Sack((z_tsn(peer, 2) - behind) & 0xFFFF_FFFF, A_RWND, ((2, 3),)))) == 0
    check_association(peer.association)


def test_giving_and_taking_back_earns_no_more_than_three_round_trips_of_slow_start() -> None:
    """X38: to have something to take back it leaves the first TSN missing; the third report of that halves cwnd, and
    until it is acknowledged for good cwnd grows no more (§7.2.4)."""
    peer = sending()
    windows = []
    for _ in range(30):
        peer.send(Sack(z_tsn(peer, -1), A_RWND, ((2, highest_sent(peer) + 1),)))
        peer.send(Sack(z_tsn(peer, -1), A_RWND))
        windows.append(cwnd(peer))
    assert max(windows) <= 2**3 * 4404
    assert len(set(windows[3:])) == 1
    check_association(peer.association)


def test_a_window_of_one_byte_gets_no_storm_of_tiny_chunks() -> None:
    """R19: §6.2.1, RFC 1122 §4.2.3.4: a peer that opens its window byte by byte does not make us send byte by byte."""
    peer = Peer(CONFIG)
    peer.established()
    peer.user_sends(*[FULL] * 50)
    for _ in range(200):
        peer.send(Sack(z_tsn(peer, highest_sent(peer)), 1))
    assert sent(peer.heard) < 20
