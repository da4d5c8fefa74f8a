"""RFC 3758 §3.4, §3.5 A1 to A3: what becomes of a chunk that is abandoned."""

from __future__ import annotations

import pytest

from aiosctp.wire.chunks import Data
from tests.core.partial_reliability.script import ORDERED_0, PAYLOAD, QUIET, Script, established
from tests.core.scripted import chunks_of

ROOMY = QUIET.replace(max_burst=1000)


def roomy(cwnd: int = 100_000) -> Script:
    """The first flight takes as much as this."""
    peer = established(ROOMY)
    peer.path(peer.addresses[0]).congestion.cwnd = cwnd
    return peer


def test_an_abandoned_chunk_is_not_sent_again() -> None:
    """E01: §3.4: "a particular data chunk SHOULD NOT be transmitted or retransmitted further"."""
    peer = established()
    peer.z_sends(max_retransmits=0)
    for _ in range(4):
        peer.z_sends()
    packets = peer.reports_missing(-1)
    assert peer.forwards(packets) == [(0, ORDERED_0)]
    packets += peer.wait(30.0)
    assert 0 not in peer.sent(packets)


def test_a_chunk_with_a_tsn_is_abandoned_when_its_policy_says() -> None:
    """S02, S03: §3.5 A2: "as governed by the rules of a particular PR-SCTP service definition"."""
    peer = established()
    peer.z_sends(lifetime=0.5)
    packets = peer.wait(1.0)
    assert (peer.sent(packets), set(peer.forwards(packets))) == ([], {(0, ORDERED_0)})
    peer = established()
    peer.z_sends(max_retransmits=1)
    packets = peer.wait(1.0)
    assert (peer.sent(packets), peer.forwards(packets)) == ([0], [])
    packets = peer.wait(2.0)
    assert (peer.sent(packets), peer.forwards(packets)) == ([], [(0, ORDERED_0)])
    peer = established()
    peer.z_sends()
    packets = peer.wait(15.0)
    assert (peer.sent(packets), peer.forwards(packets)) == ([0] * 4, [])


def test_an_abandoned_chunk_is_no_longer_outstanding() -> None:
    """E01: A2: "the sender MUST treat the data chunk as being finally acked and no longer outstanding"."""
    peer = established()
    sent = peer.fills_the_window()
    peer.queue(b"waits")
    assert peer.touch() == []
    held = peer.association.sender.buffered_bytes
    assert held == sent * PAYLOAD + 5
    packets = peer.wait(1.0)
    assert peer.forwards(packets) == [(sent - 1, ((0, sent - 1),))]
    assert [chunk.payload for chunk in chunks_of(packets, Data)] == [b"waits"], "cwnd is 1 MTU, and nothing is in it"
    assert peer.association.sender.buffered_bytes == 5
    before = peer.association.sender.outstanding_bytes
    peer.sacks(sent)
    assert before < 100
    assert peer.association.sender.outstanding_bytes == 0


def test_what_was_in_flight_of_a_message_is_no_longer_outstanding() -> None:
    """E01: A2, A3: its last fragment was not missed by anybody yet."""
    peer = roomy()
    peer.z_sends(5 * PAYLOAD, max_retransmits=0)
    packets = peer.reports_missing(-1, first=1)
    assert peer.forwards(packets) == [(4, ORDERED_0)]
    assert peer.path(peer.addresses[0]).flight_bytes == 0
    assert peer.association.sender.buffered_bytes == 0


def test_the_peers_window_has_room_again_for_what_was_abandoned() -> None:
    """A2: "finally acked": rwnd counts what is outstanding, and that is not (RFC 9260 §6.2.1 D ii)."""
    peer = established()
    peer.z_sends(1000)
    peer.sacks(0, a_rwnd=1000)
    peer.z_sends(1000, max_retransmits=0)
    assert peer.sent(peer.z_sends(1000)) == [], "no room"
    packets = peer.wait(1.0)
    assert peer.forwards(packets) == [(1, ((0, 1),))]
    assert peer.sent(packets) == [2]


def test_abandoned_bytes_are_not_credited_to_partial_bytes_acked() -> None:
    """E01: A2: "The sender MUST NOT credit an "abandoned" data chunk to the partial_bytes_acked"."""
    peer = established()
    peer.z_sends(500, lifetime=0.5)
    for _ in range(2):
        peer.z_sends(500)
    packets = peer.wait(1.0)
    assert (0, ORDERED_0) in peer.forwards(packets)
    assert peer.sent(packets) == [1, 2]
    path = peer.path(peer.addresses[0])
    congestion, in_flight = path.congestion, path.flight_bytes
    congestion.cwnd, congestion.ssthresh, congestion.partial_bytes_acked = in_flight, in_flight - 1, 100
    peer.sacks(0)
    assert congestion.partial_bytes_acked == 100
    peer.sacks(1)
    acknowledged = in_flight - path.flight_bytes
    assert acknowledged >= 500
    assert congestion.partial_bytes_acked == 100 + acknowledged


def test_abandoned_bytes_do_not_advance_the_cwnd() -> None:
    """E01: A2: "and MUST NOT advance the cwnd based on this "abandoned" data chunk"."""
    peer = established()
    sent = peer.fills_the_window()
    for _ in range(3):
        peer.queue(PAYLOAD)
    peer.touch()
    packets = peer.wait(1.0)
    assert peer.forwards(packets) == [(sent - 1, ((0, sent - 1),))]
    assert peer.sent(packets) == [sent]
    congestion = peer.path(peer.addresses[0]).congestion
    one_mtu = congestion.cwnd
    peer.sacks(sent - 1)
    assert congestion.cwnd == one_mtu
    peer.sacks(sent)
    assert congestion.cwnd > one_mtu


@pytest.mark.parametrize("lacking", range(5))
def test_a_fragmented_message_is_abandoned_whole(lacking: int) -> None:
    """E01, X07: A3: "all other TSN's within that fragmented message MUST be abandoned at the same time"; whichever it
    is that is lost."""
    peer = roomy()
    peer.z_sends(5 * PAYLOAD, max_retransmits=0)
    for _ in range(4):
        peer.z_sends()
    assert peer.sent(peer.heard) == list(range(9))
    packets = [packet for last in (5, 6, 7) for packet in peer.sacks(lacking - 1, (lacking + 1, last))]
    assert peer.forwards(packets) == [(4, ORDERED_0)]
    assert peer.sent(packets + peer.wait(0.9)) == []
    assert len(peer.failures()) == 1


@pytest.mark.parametrize("unordered", [False, True])
def test_of_a_message_half_sent_no_more_is_sent(unordered: bool) -> None:
    """E01, X07, X43: A3: of the fragments that have no TSN yet none goes, and what follows begins a message."""
    peer = established()
    peer.z_sends(10 * PAYLOAD, max_retransmits=0, unordered=unordered)
    begun = peer.sent(peer.heard)
    assert 1 <= len(begun) < 10
    peer.queue(b"next")
    peer.touch()
    packets = peer.wait(1.0)
    ((n, entries),) = peer.forwards(packets)
    assert n >= begun[-1]
    assert entries == (() if unordered else ORDERED_0)
    (chunk,) = chunks_of(packets, Data)
    assert (peer.n_of(chunk.tsn), chunk.beginning, chunk.payload) == (n + 1, True, b"next")
    assert chunk.ssn == (0 if unordered else 1)
    assert peer.sent(peer.sacks(n + 1) + peer.wait(30.0)) == []
    (failure,) = peer.failures()
    assert (len(failure.data), failure.was_sent) == (10 * PAYLOAD, True)


def test_a_message_half_sent_and_acknowledged_is_ended_by_a_forward_tsn() -> None:
    """X07, X43: all that was sent of it is acknowledged when it expires: the peer holds a part of a message of which no
    more comes, and only a FORWARD TSN tells it so."""
    peer = established()
    peer.z_sends(40 * PAYLOAD, lifetime=0.5)
    begun = peer.sent(peer.heard)
    assert peer.sacks(begun[-1], a_rwnd=0) == []
    packets = peer.wait(3.0)
    assert peer.sent(packets) == []
    n, entries = peer.forwards(packets)[-1]
    assert n > begun[-1]
    assert entries == ORDERED_0
    (failure,) = peer.failures()
    assert (failure.was_sent, len(failure.data)) == (True, 40 * PAYLOAD)
    peer.sacks(n)
    assert peer.sent(peer.z_sends(b"next")) == [n + 1]


def test_a_message_wholly_acknowledged_is_not_abandoned() -> None:
    """A2 is for what may be sent again; what has arrived has arrived, even where its lifetime ends later."""
    peer = established()
    peer.z_sends(2 * PAYLOAD, lifetime=0.5)
    peer.sacks(1)
    assert peer.wait(30.0) == []
    assert peer.failures() == []


def test_what_is_gap_acknowledged_whole_is_not_abandoned() -> None:
    """A message of which all has come need not be given up: only that before it is sent again."""
    peer = established()
    peer.z_sends(b"lost")
    peer.z_sends(b"arrived", lifetime=0.5)
    peer.sacks(-1, (1, 1))
    packets = peer.wait(1.0)
    assert peer.sent(packets) == [0]
    peer.sacks(1)
    assert peer.wait(30.0) == []
    assert peer.failures() == []
