"""RFC 3758 §4.1: timed reliability."""

from __future__ import annotations

import pytest

from aiosctp.wire.chunks import Data
from tests.core.partial_reliability.script import (
    ONE,
    ORDERED_0,
    PAYLOAD,
    QUIET,
    Script,
    established,
    forward_tsns_of,
)
from tests.core.scripted import Packet, chunks_of

LIFETIME_S = 0.5
ROOMY = QUIET.replace(max_burst=1000)


def test_without_the_extension_a_message_once_sent_is_reliable() -> None:
    """S02, E01: "if SCTP has sent the first transmission before the lifetime expires, then the message MUST be sent as
    a normal reliable message"."""
    peer = Script(announces=())
    peer.established()
    peer.z_sends(lifetime=LIFETIME_S)
    assert peer.sent(peer.wait(15.0)) == [0] * 4
    peer.sacks(0)
    assert peer.wait(60.0) == []
    assert peer.failures() == []


def test_without_the_extension_a_message_that_expires_unsent_is_not_sent() -> None:
    """E01: "When a lifetime value is indicated for a particular message and that lifetime expires, SCTP cancels the
    sending of this message, and notifies the ULP if the first transmission of the data does not take place"."""
    peer = Script(announces=())
    peer.established()
    sent = peer.fills_the_window(None)
    peer.z_sends(b"stale", lifetime=LIFETIME_S, context=7)
    peer.queue(b"fresh")
    peer.now += 0.6
    packets = peer.sacks(sent - 1)
    assert [chunk.payload for chunk in chunks_of(packets, Data)] == [b"fresh"]
    (failure,) = peer.failures()
    assert (failure.data, failure.context, failure.was_sent) == (b"stale", 7, False)


def test_without_the_extension_a_message_half_sent_is_sent_whole() -> None:
    """E01: §4.1, likewise: its first fragment is its first transmission."""
    peer = Script(announces=())
    peer.established()
    peer.z_sends(10 * PAYLOAD, lifetime=LIFETIME_S)
    peer.now += 0.6
    for _ in range(12):
        peer.sacks(max(peer.sent(peer.heard)))
    assert sum(len(chunk.payload) for chunk in chunks_of(peer.heard, Data)) == 10 * PAYLOAD
    assert peer.failures() == []


def test_until_its_lifetime_ends_a_message_is_reliable() -> None:
    """S02: TR2: "the SCTP sender MUST treat the message just as if it were a normal reliable SCTP message"."""
    peer = established()
    peer.z_sends(lifetime=10.0)
    packets = peer.wait(9.9)
    assert (peer.sent(packets), peer.forwards(packets)) == ([0] * 3, [])
    assert peer.failures() == []
    packets = peer.wait(5.1)
    assert peer.sent(packets) == []
    assert set(peer.forwards(packets)) == {(0, ORDERED_0)}


def test_until_then_it_is_sent_again_when_three_reports_miss_it() -> None:
    """S02: TR2, of fast retransmissions."""
    peer = established()
    peer.z_sends(lifetime=10.0)
    for _ in range(3):
        peer.z_sends()
    assert peer.sent(peer.reports_missing(-1)) == [0]


@pytest.mark.parametrize(("at", "is_sent"), [(0.4, True), (0.6, False)])
def test_the_lifetime_is_looked_at_before_a_tsn_is_assigned(at: float, is_sent: bool) -> None:
    """S02: TR3: "Before assigning a TSN to any message, the SCTP sender MUST evaluate the lifetime of that message"."""
    peer = established()
    sent = peer.fills_the_window(None)
    assert peer.z_sends(lifetime=LIFETIME_S) == []
    peer.now += at
    assert peer.sent(peer.sacks(sent - 1)) == ([sent] if is_sent else [])
    assert len(peer.failures()) == (0 if is_sent else 1)


@pytest.mark.parametrize("stream", [0, 1])
def test_an_expired_message_gets_no_tsn(stream: int) -> None:
    """S02: TR3: "If it is expired, the SCTP sender MUST NOT assign a TSN to that message": no hole, in SSNs either."""
    peer = established()
    sent = peer.fills_the_window(None)
    peer.queue(b"stale", stream=stream, lifetime=LIFETIME_S)
    peer.queue(b"fresh", stream=stream)
    assert peer.touch() == []
    peer.now += 0.6
    packets = peer.sacks(sent - 1)
    (chunk,) = chunks_of(packets, Data)
    assert chunk.payload == b"fresh"
    assert (peer.n_of(chunk.tsn), chunk.ssn) == (sent, 0 if stream else sent)
    assert forward_tsns_of(packets + peer.wait(0.9)) == []


@pytest.mark.parametrize("size", [100, 20 * PAYLOAD], ids=["one chunk", "fragments"])
def test_the_user_is_told_of_a_message_that_expired_unsent(size: int) -> None:
    """S02: TR3: "SHOULD issue a notification to the upper layer and abandon the message"; once."""
    peer = established()
    sent = peer.fills_the_window(None)
    assert peer.z_sends(size, stream=3, context=9, unordered=True, lifetime=LIFETIME_S) == []
    peer.now += 0.6
    peer.sacks(sent - 1)
    (failure,) = peer.failures()
    assert (failure.stream, failure.context, failure.unordered, failure.error) == (3, 9, True, 0)
    assert failure.data == bytes(size)
    assert not failure.was_sent
    peer.wait(60.0)
    peer.user_aborts()
    assert len(peer.failures()) == 1


def third_report(at: float) -> tuple[Script, list[Packet]]:
    """Z: 0 of a lifetime, lost; the third report of it at this time."""
    peer = established()
    peer.z_sends(lifetime=LIFETIME_S)
    for _ in range(3):
        peer.z_sends()
    peer.now += at
    return peer, peer.reports_missing(-1)


def waiting_for_room() -> tuple[Script, list[Packet]]:
    """Z: 0 to 2 a message of a lifetime, all marked for retransmission at 0.4 s; at 0.6 s cwnd takes 1 and 2."""
    peer = established(ROOMY)
    peer.path(ONE).congestion.cwnd = 30_000
    peer.z_sends(3 * PAYLOAD, lifetime=LIFETIME_S)
    sent = peer.fills_the_window(None)
    peer.now += 0.4
    assert peer.sent(peer.reports_missing(-1, first=3)) == [0], "fast retransmission takes one packet"
    peer.now += 0.2
    return peer, peer.sacks(-1, (3, 2 + sent))


def test_the_lifetime_is_looked_at_before_each_retransmission() -> None:
    """S02: TR4: "Before transmitting or retransmitting a message for which a TSN is already assigned, the SCTP sender
    MUST evaluate the lifetime"."""
    peer = established()
    peer.z_sends(lifetime=LIFETIME_S)
    assert peer.sent(peer.wait(1.0)) == []
    peer, packets = third_report(0.4)
    assert peer.sent(packets) == [0]
    peer, packets = third_report(0.6)
    assert peer.sent(packets) == []
    peer, packets = waiting_for_room()
    assert peer.sent(packets) == []


def test_an_expired_message_with_a_tsn_is_abandoned() -> None:
    """S02: TR4: "the SCTP sender MUST "abandon" the message ... marking that TSN as eligible for forward TSN"."""
    peer = established()
    peer.z_sends(lifetime=LIFETIME_S)
    for n, (each, packets) in (
        (0, (peer, peer.wait(1.0))),
        (0, third_report(0.6)),
        (2, waiting_for_room()),
    ):
        assert (n, ORDERED_0) in each.forwards(packets + each.wait(0.5))
        (failure,) = each.failures()
        assert (failure.was_sent, failure.error) == (True, 0)


def test_a_message_begun_in_time_sends_no_fragment_after_it() -> None:
    """S02, X07: TR4: its later fragments are chunks of it too."""
    peer = established()
    peer.z_sends(20 * PAYLOAD, lifetime=LIFETIME_S)
    begun = peer.sent(peer.heard)
    peer.now += 0.6
    packets = peer.sacks(begun[-1])
    assert peer.sent(packets + peer.wait(30.0)) == []
    assert peer.forwards(peer.heard)[0] == (begun[-1] + 1, ORDERED_0)
    (failure,) = peer.failures()
    assert failure.was_sent


def test_what_waits_for_the_window_has_no_tsn_to_forward() -> None:
    """S02: "An implementation SHOULD delay TSN assignment": then no FORWARD TSN is needed."""
    peer = established()
    sent = peer.fills_the_window(None)
    for n in range(10):
        assert peer.z_sends(lifetime=LIFETIME_S, context=n) == []
    peer.now += 0.6
    packets = peer.sacks(sent - 1)
    assert packets + peer.wait(30.0) == []
    assert [failure.context for failure in peer.failures()] == list(range(10))
    assert not any(failure.was_sent for failure in peer.failures())
    assert peer.association.sender.outstanding_bytes == 0
    assert peer.association.sender.buffered_bytes == 0


@pytest.mark.parametrize("lifetime", [0.0, -1.0])
def test_a_lifetime_that_is_over_at_once_is_never_sent(lifetime: float) -> None:
    """S02: TR3; and a following message is not held up by it."""
    peer = established()
    peer.queue(b"stale", lifetime=lifetime)
    peer.queue(b"fresh")
    peer.now += 0.001
    packets = peer.touch()
    assert [chunk.payload for chunk in chunks_of(packets, Data)] == [b"fresh"]
    assert len(peer.failures()) == 1


def test_no_lifetime_is_reliable() -> None:
    """S02: TR1: SCTP_LIFETIME_RELIABLE, or unspecified."""
    peer = established()
    peer.z_sends(lifetime=float("inf"))
    peer.z_sends()
    assert peer.sent(peer.wait(15.0)) == [0, 1] * 4
    assert peer.failures() == []


def test_each_failure_is_told_once() -> None:
    """S02: TR5: whatever the moment at which it is looked at; and not again at the end of the association."""
    peer = established()
    sent = peer.fills_the_window(0)
    for n in range(20):
        peer.queue(5000, lifetime=0.1 * n, context=n + 1)
    peer.touch()
    for _ in range(30):
        peer.wait(0.37)
        if point := [n for n, _ in peer.forwards(peer.heard)]:
            peer.sacks(point[-1])
    peer.user_aborts()
    told = [failure.context for failure in peer.failures()]
    assert sorted(told) == [0] * sent + list(range(1, 21))
