"""RFC 7496 §3.1: the Limited Retransmissions Policy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, PeerAddressChange, PeerAddressChangeKind
from tests.core.partial_reliability.script import (
    ONE,
    ORDERED_0,
    PAYLOAD,
    QUIET,
    TWO,
    Script,
    established,
    forward_tsns_of,
)
from tests.core.scripted import Packet

FRAGMENTS = 3 * PAYLOAD


def middle_is_lost(limit: int) -> tuple[Script, list[Packet]]:
    """Z: 0 to 2 a message, of which 1 is lost each time, 3 to 5 after it."""
    peer = established(QUIET.replace(max_burst=1000))
    peer.path(ONE).congestion.cwnd = 30_000
    peer.z_sends(FRAGMENTS, max_retransmits=limit)
    for _ in range(3):
        peer.z_sends()
    packets = [packet for last in (3, 4, 5) for packet in peer.sacks(0, (2, last))]
    return peer, packets


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_a_message_is_abandoned_when_a_chunk_would_exceed_its_limit(limit: int) -> None:
    """S03: "The sender MUST abandon a user message if the number of retransmissions of any of the DATA chunks of the
    user message would exceed the provided limit"; "both fast and timer-based retransmissions"."""
    peer, packets = middle_is_lost(limit)
    assert peer.sent(packets) == ([1] if limit else []), "the third report"
    for expiry in range(1, limit + 1):
        assert peer.forwards(packets) == []
        assert peer.failures() == []
        packets = peer.wait(2.0 ** (expiry - 1))
        assert peer.sent(packets) == ([1] if expiry < limit else []), f"T3, for the {expiry}. time"
    assert peer.forwards(packets) == [(2, ORDERED_0)]
    assert len(peer.failures()) == 1
    assert peer.sent(peer.wait(30.0)) == []


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_expiries_alone_count_each(limit: int) -> None:
    """S03: "The sender MAY limit the number of retransmissions to 0. This will result in abandoning the message when it
    would get retransmitted for the first time"."""
    peer = established()
    peer.z_sends(max_retransmits=limit)
    packets = peer.wait(2.0 ** (limit + 1) - 1)
    assert peer.sent(packets) == [0] * limit
    assert peer.forwards(packets) == [(0, ORDERED_0)]


def test_each_chunk_is_counted_by_itself() -> None:
    """S03: "an upper limit for the number of retransmissions for each DATA chunk": two different ones, lost once each,
    are one retransmission of each."""
    peer = established()
    peer.z_sends(2 * PAYLOAD, max_retransmits=1)
    packets = peer.wait(1.0)
    assert peer.sent(packets) == [0], "cwnd is 1 MTU"
    packets = peer.sacks(0)
    assert peer.sent(packets) == [1]
    assert peer.forwards(packets) == []
    assert peer.sacks(1) + peer.wait(30.0) == []
    assert peer.failures() == []


def test_a_first_transmission_is_no_retransmission() -> None:
    """S03: fragments that waited for the window go, whatever became of those before them, within the limit."""
    peer = established()
    peer.z_sends(10 * PAYLOAD, max_retransmits=0)
    for _ in range(12):
        peer.sacks(max(peer.sent(peer.heard)))
    assert sorted(peer.sent(peer.heard)) == list(range(10))
    assert peer.failures() == []
    assert forward_tsns_of(peer.heard) == []


def expires_thrice(peer: Script) -> None:
    peer.wait(7.0)


def is_reported(peer: Script) -> None:
    peer.reports_missing(-1)


def figures(limit: int | None, loss: Callable[[Script], None]) -> tuple[object, ...]:
    peer = established(QUIET.replace(association_max_retrans=4))
    peer.path(ONE).congestion.cwnd = 20_000
    peer.z_sends(max_retransmits=limit)
    for _ in range(3):
        peer.z_sends()
    loss(peer)
    path = peer.path(ONE)
    return (
        path.congestion.cwnd,
        path.congestion.ssthresh,
        path.rto.rto_s,
        path.error_count,
        path.is_active,
        peer.association.sender.in_fast_recovery,
    )


@pytest.mark.parametrize("loss", [expires_thrice, is_reported])
def test_all_else_that_a_retransmission_asks_for_is_done(loss: Callable[[Script], None]) -> None:
    """S03: "The sender MUST perform all other actions required for processing the retransmission event, such as
    adapting the congestion window and the retransmission timeout"."""
    expected = figures(None, loss)
    assert figures(0, loss) == expected
    cwnd, _, rto_s, errors, _, in_fast_recovery = expected
    mtu = PAYLOAD + 16
    if loss is expires_thrice:
        assert (cwnd, rto_s, errors, in_fast_recovery) == (mtu, 8.0, 3, False)
    else:
        assert (cwnd, rto_s, errors, in_fast_recovery) == (10_000, 1.0, 0, True)


@pytest.mark.parametrize("limit", [0, 1, None])
def test_the_association_is_lost_as_ever(limit: int | None) -> None:
    """S03: "using this policy does not affect the handling of the thresholds 'Association.Max.Retrans'": of a FORWARD
    TSN that nobody answers, too."""
    peer = established(QUIET.replace(association_max_retrans=3))
    peer.z_sends(max_retransmits=limit)
    peer.wait(14.9)
    assert peer.association.state is AssociationState.ESTABLISHED
    peer.wait(0.2)
    assert peer.state is AssociationState.CLOSED
    assert [event.change for event in peer.events_of(AssociationChange)][-1] is AssociationChangeKind.COMM_LOST


@pytest.mark.parametrize("limit", [0, 1])
def test_the_path_fails_as_ever(limit: int) -> None:
    """S03: "and 'Path.Max.Retrans'"."""
    peer = Script(QUIET.replace(path_max_retrans=2), addresses=(ONE, TWO))
    peer.established(ONE, TWO)
    peer.wait(0.1, peer.answer_heartbeats(ONE))
    for _ in range(40):
        peer.z_sends(max_retransmits=limit)
        peer.wait(1.0, peer.answer_heartbeats(ONE))
    changes = [event.change for event in peer.events_of(PeerAddressChange) if event.address[0] == ONE]
    assert PeerAddressChangeKind.UNREACHABLE in changes
