"""RFC 3758 §4.3, G1: what holds of every policy, by which a message is given up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.wire.chunks import Data
from tests.core.partial_reliability.script import ORDERED_0, PAYLOAD, Script, established
from tests.core.scripted import Packet, chunks_of

Policy = Callable[..., tuple[Script, list[Packet]]]


def by_lifetime(size: int = 100) -> tuple[Script, list[Packet]]:
    peer = established()
    peer.z_sends(size, lifetime=0.5)
    return peer, peer.wait(1.0)


def by_max_retransmits(size: int = 100) -> tuple[Script, list[Packet]]:
    peer = established()
    peer.z_sends(size, max_retransmits=0)
    return peer, peer.wait(1.0)


def by_buffer_priority(size: int = 100) -> tuple[Script, list[Packet]]:
    peer = established()
    peer.z_sends(size, buffer_priority=5)
    assert peer.association.sender.make_room(size, 4, None) == size
    return peer, peer.touch() + peer.wait(1.0)


POLICIES = pytest.mark.parametrize("policy", [by_lifetime, by_max_retransmits, by_buffer_priority])


@POLICIES
@pytest.mark.parametrize("size", [100, 3 * PAYLOAD], ids=["one chunk", "fragments"])
def test_whatever_the_policy_an_abandoned_tsn_is_forwarded(policy: Policy, size: int) -> None:
    """S02, S03, S04: G1: "the sender side MUST mark that TSN as eligible for forward TSN"."""
    peer, packets = policy(size)
    last = peer.sent(peer.heard)[-1]
    assert peer.sent(packets) == []
    assert set(peer.forwards(packets)) == {(last, ORDERED_0)}
    (failure,) = peer.failures()
    assert (failure.was_sent, failure.error, failure.data) == (True, 0, bytes(size))


@POLICIES
def test_whatever_the_policy_the_forward_tsn_is_repeated_until_it_is_acknowledged(policy: Policy) -> None:
    """S02, S03, S04: G1: "and the rules in Section 3.4 regarding the sending of FORWARD TSN chunks MUST be
    followed"."""
    peer, packets = policy()
    assert (0, ORDERED_0) in peer.forwards(packets)
    assert (0, ORDERED_0) in peer.forwards(peer.wait(2.0))
    assert (0, ORDERED_0) in peer.forwards(peer.sacks(-1) + peer.wait(4.0))
    assert peer.sacks(0) + peer.wait(30.0) == []
    packets = peer.z_sends(b"reliable")
    assert [(chunk.payload, chunk.ssn) for chunk in chunks_of(packets, Data)] == [(b"reliable", 1)]
    peer.sacks(1)
    assert peer.wait(60.0) == []
    assert len(peer.failures()) == 1


@POLICIES
def test_whatever_the_policy_it_is_counted_once_as_sent(policy: Policy) -> None:
    """S05: RFC 7496 §4.3: "each abandoned user message is counted in either"."""
    peer, _ = policy(3 * PAYLOAD)
    counters = peer.association.take_counters()
    assert (counters.abandoned_unsent, counters.abandoned_sent) == (0, 1)


@POLICIES
def test_whatever_the_policy_an_abort_by_the_peer_tells_nothing_twice(policy: Policy) -> None:
    peer, _ = policy()
    peer.user_aborts()
    assert len(peer.failures()) == 1
