"""RFC 3758 §3.5 A4, A5 and F1 to F5: when a FORWARD TSN is sent, and what is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from aiosctp.config import Config
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.core.states import AssociationState
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import Abort, CookieAck, Data, ForwardTsn, HeartbeatAck, Sack, Shutdown
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
from tests.core.scripted import Packet, chunks_of, packets_with

LIFETIME_S = 0.5
ROOMY = QUIET.replace(max_burst=1000, outbound_streams=500)
MTU = 576
LOUD = Config(partial_reliability=True, interleaving=False, nrsack=False)
"""The defaults."""


def roomy(config: Config = ROOMY, *, streams: int = 10, cwnd: int = 200_000) -> Script:
    """The first flight takes as much as cwnd, and A takes so many streams; its window does not matter."""
    peer = Script(config)
    peer.cookie_wait()
    peer.send(replace(peer.init_ack(), a_rwnd=1 << 24, inbound_streams=streams))
    peer.send(CookieAck())
    peer.path(ONE).congestion.cwnd = cwnd
    return peer


def first_forward(packets: list[Packet]) -> Packet:
    return packets_with(packets, ForwardTsn)[0]


# -- A4: when a SACK comes --


def one_in_the_midst(config: Config = QUIET) -> tuple[Script, list[Packet]]:
    """Z: 0 reliable, 1 of a lifetime, 2 reliable, all lost; A has 0 and 2 when they come again."""
    peer = established(config)
    peer.z_sends()
    peer.z_sends(lifetime=LIFETIME_S)
    peer.z_sends()
    packets = peer.wait(1.0)
    assert peer.sent(packets) == [0, 2]
    assert peer.forwards(packets) == [], "0 is not acknowledged"
    return peer, peer.sacks(0, (2, 2))


def test_a_sack_is_first_processed_as_in_the_base_protocol() -> None:
    """E01: A4: "it MUST first process the SACK using the normal procedures"."""
    peer, packets = one_in_the_midst()
    assert peer.path(ONE).flight_bytes == 0
    assert peer.forwards(packets) == [(1, ((0, 1),))]


def test_the_advanced_peer_ack_point_follows_the_cumulative_tsn_ack() -> None:
    """E01: C1: "If (Advanced.Peer.Ack.Point < SackCumAck), then update Advanced.Peer.Ack.Point"."""
    peer, _ = one_in_the_midst()
    assert peer.sacks(2) + peer.wait(30.0) == []
    peer.z_sends(lifetime=LIFETIME_S)
    packets = peer.wait(2.0)
    assert peer.sent(packets) == [], "T3 has been doubled"
    assert set(peer.forwards(packets)) == {(3, ((0, 3),))}


def test_a_sack_that_leaves_the_point_ahead_brings_a_forward_tsn() -> None:
    """E01: C2, C3: "the data sender MUST send the data receiver a FORWARD TSN chunk containing the latest value"."""
    peer = established()
    peer.z_sends()
    peer.z_sends(lifetime=LIFETIME_S)
    peer.z_sends(lifetime=LIFETIME_S)
    peer.z_sends()
    assert peer.sent(peer.wait(1.0)) == [0, 3]
    assert peer.forwards(peer.sacks(0)) == [(2, ((0, 2),))]
    packets = peer.sacks(0, (3, 3))
    packets += peer.wait(4.0)
    assert peer.forwards(packets)
    assert set(peer.forwards(packets)) == {(2, ((0, 2),))}


def test_the_point_stops_before_what_is_not_abandoned() -> None:
    """E01: C2: the example: 103 and 104 abandoned, 105 not, 106 acked: the point is 104."""
    peer = established()
    for lifetime in (None, LIFETIME_S, LIFETIME_S, None, None):
        peer.z_sends(lifetime=lifetime)
    peer.sacks(0, (4, 4))
    packets = peer.wait(1.0)
    assert set(peer.forwards(packets)) == {(2, ((0, 2),))}
    assert peer.sent(packets) == [3]


def test_the_point_does_not_pass_what_was_acknowledged_behind_it() -> None:
    """C2: "as long as the chunk next in the out-queue space is marked as "abandoned"": what is acked by a gap is
    not."""
    peer = established()
    peer.z_sends(max_retransmits=0)
    for _ in range(3):
        peer.z_sends()
    assert peer.forwards(peer.reports_missing(-1)) == [(0, ORDERED_0)]


def test_a_forward_tsn_goes_to_a_confirmed_address() -> None:
    """C3: "the address MUST be one that is CONFIRMED", also when no other is left."""
    peer = Script(QUIET.replace(path_max_retrans=1), addresses=(ONE, TWO))
    peer.established(ONE)
    assert not peer.path(TWO).is_confirmed
    peer.z_sends(max_retransmits=0)
    packets = peer.wait(60.0)
    assert len(forward_tsns_of(packets)) >= 3
    assert not peer.path(ONE).is_active
    assert {packet.destination for packet in packets_with(packets, ForwardTsn)} == {ONE}


def test_a_forward_tsn_gets_through_by_another_confirmed_address() -> None:
    """C3: where it goes is "an implementation decision"; not for ever to one that does not answer."""
    peer = Script(QUIET.replace(path_max_retrans=1), addresses=(ONE, TWO))
    peer.established(ONE)

    def two_answers(packet: Packet) -> None:
        if packet.destination == TWO:
            for chunk in packet.chunks:
                if info := getattr(chunk, "info", None):
                    peer.send(HeartbeatAck(info), source=TWO)

    peer.wait(1.0, two_answers)
    assert peer.path(TWO).is_confirmed
    peer.z_sends(max_retransmits=0)
    packets = peer.wait(60.0, two_answers)
    assert TWO in {packet.destination for packet in packets_with(packets, ForwardTsn)}


def test_of_a_stream_with_both_only_the_ordered_chunks_are_named() -> None:
    """M17: C4: "MUST determine if the chunk has a valid stream and sequence number (i.e., it was ordered)"."""
    peer = established()
    for unordered in (False, True, False, True):
        peer.z_sends(stream=1, unordered=unordered, lifetime=LIFETIME_S)
    assert peer.forwards(peer.wait(1.0))[-1] == (3, ((1, 1),))


@pytest.mark.parametrize("stream", [0, 4, 9])
def test_the_stream_and_the_ssn_of_what_is_skipped_are_included(stream: int) -> None:
    """M17: C4: "MUST include the stream and sequence number in the FORWARD TSN"."""
    peer = established()
    peer.user_sends(*[b"acknowledged"] * 5, stream=stream)
    peer.sacks(4)
    peer.z_sends(stream=stream, max_retransmits=0)
    packets = peer.wait(1.0)
    assert peer.forwards(packets) == [(5, ((stream, 5),))]


def test_the_ssn_of_a_message_whose_first_fragments_arrived_is_included() -> None:
    """M17, X07: C4: the peer holds a part of it, and is told which it is."""
    peer = roomy()
    peer.z_sends(4 * PAYLOAD, stream=4, max_retransmits=0)
    peer.sacks(1)
    ((n, entries),) = peer.forwards(peer.wait(1.0))
    assert (n, entries) == (3, ((4, 0),))


def test_each_stream_is_reported_once_by_its_highest_ssn() -> None:
    """M17: C4: "then only the highest abandoned stream sequence number is reported"."""
    peer = established()
    for stream in (1, 2, 1, 1):
        peer.z_sends(stream=stream, lifetime=LIFETIME_S)
    n, entries = peer.forwards(peer.wait(1.0))[-1]
    assert (n, set(entries)) == (3, {(1, 2), (2, 0)})


def test_what_the_peer_has_passed_is_not_named_again() -> None:
    """M17: C4: "For each "abandoned" TSN": those before are acknowledged."""
    peer = established()
    peer.z_sends(stream=1, max_retransmits=0)
    assert peer.forwards(peer.wait(1.0)) == [(0, ((1, 0),))]
    peer.sacks(0)
    peer.z_sends(stream=2, max_retransmits=0)
    assert peer.forwards(peer.wait(2.0)) == [(1, ((2, 0),))]


def test_the_highest_ssn_is_so_by_serial_numbers() -> None:
    """X42: SSN 0 is after 65535 (RFC 9260 §1.6)."""
    peer = established()
    peer.z_sends(stream=1)
    peer.association.sender.queue.by_number[1].next_ssn = 65535
    peer.sacks(0)
    peer.z_sends(b"65535", stream=1, lifetime=LIFETIME_S)
    peer.z_sends(b"0", stream=1, lifetime=LIFETIME_S)
    assert [chunk.ssn for chunk in chunks_of(peer.heard, Data)][-2:] == [65535, 0]
    assert peer.forwards(peer.wait(1.0))[-1] == (2, ((1, 0),))


def test_a_forward_tsn_too_large_for_the_mtu_stops_at_the_last_tsn_that_fits() -> None:
    """M17: C4: "SHOULD lower the Advanced.Peer.Ack.Point to the last TSN that will fit in a single MTU"."""
    peer = roomy(ROOMY.replace(path_mtu=MTU), streams=400)
    for stream in range(400):
        peer.queue(b"x", stream=stream, max_retransmits=0)
    peer.touch()
    assert sorted(peer.sent(peer.heard)) == list(range(400))
    packets = peer.wait(1.0)
    passed: list[int] = []
    for _ in range(10):
        if not peer.forwards(packets):
            break
        n, entries = peer.forwards(packets)[-1]
        assert [stream for stream, _ in entries][-1] <= n
        assert sorted(stream for stream, _ in entries) == list(range(peer.acknowledged + 1, n + 1))
        assert len(first_forward(packets).datagram.data) <= MTU - 28
        passed.append(n)
        packets = peer.sacks(n)
    assert passed[-1] == 399
    assert 3 <= len(passed) <= 5, "each as large as fits"
    assert peer.wait(30.0) == []


def test_one_that_fitted_before_the_path_mtu_fell_gets_through() -> None:
    """M17: C4: the point does not go back, so what is larger than the path takes now goes in IP fragments."""
    peer = roomy(streams=300)
    for stream in range(300):
        peer.queue(b"x", stream=stream, max_retransmits=0)
    peer.touch()
    (packet,) = packets_with(peer.wait(1.0), ForwardTsn)
    assert len(packet.datagram.data) > MTU
    peer.engine.icmp_received(IcmpMessage(IcmpKind.PACKET_TOO_BIG, packet.datagram.data, ONE, MTU), peer.now)
    packets = peer.wait(8.0)
    assert forward_tsns_of(packets)
    for packet in packets_with(packets, ForwardTsn):
        assert len(packet.datagram.data) <= peer.path(ONE).packet_bytes or not packet.datagram.dont_fragment


# -- C5, A5: T3-rtx --


def test_t3_rtx_runs_while_a_forward_tsn_is_unanswered() -> None:
    """E01: C5: "the sender MUST assure that at least one T3-rtx timer is running"."""
    peer = established()
    peer.z_sends(max_retransmits=0)
    assert peer.forwards(peer.wait(1.0)) == [(0, ORDERED_0)]
    assert peer.forwards(peer.wait(2.0)) == [(0, ORDERED_0)]
    assert peer.forwards(peer.wait(4.0)) == [(0, ORDERED_0)]
    assert peer.sacks(0) + peer.wait(60.0) == []


def test_a_forward_tsn_brought_by_a_sack_is_repeated_too() -> None:
    """E01: C5: where nothing else is outstanding when it goes."""
    peer, packets = one_in_the_midst()
    assert peer.forwards(packets) == [(1, ((0, 1),))]
    assert set(peer.forwards(peer.wait(10.0))) == {(1, ((0, 1),))}
    assert peer.sacks(2) + peer.wait(60.0) == []


def test_each_expiry_of_t3_rtx_tries_to_advance_the_point() -> None:
    """E01: A5: "Any time the T3-rtx timer expires ... SHOULD try to advance"."""
    peer = established()
    peer.z_sends(lifetime=0.5)
    peer.z_sends(lifetime=1.5)
    packets = peer.wait(1.0)
    assert set(peer.forwards(packets)) == {(0, ORDERED_0)}
    assert peer.sent(packets) == [1]
    packets = peer.wait(2.0)
    assert peer.forwards(packets)[-1] == (1, ((0, 1),))
    assert peer.sent(packets) == []


def test_t3_rtx_of_any_address_advances_it() -> None:
    """E01: A5: "on any destination"."""
    peer = Script(addresses=(ONE, TWO))
    peer.established(ONE, TWO)
    peer.wait(0.1, peer.answer_heartbeats())
    peer.association.set_primary(peer.path(TWO))
    peer.z_sends(max_retransmits=0)
    assert [packet.destination for packet in packets_with(peer.heard, Data)] == [TWO]
    peer.association.set_primary(peer.path(ONE))
    peer.z_sends()
    packets = peer.wait(1.0, peer.answer_heartbeats())
    assert (0, ORDERED_0) in peer.forwards(packets)


# -- F1 to F5 --


@pytest.mark.parametrize("terms", [{}, {"lifetime": 1e6}, {"max_retransmits": 60000}, {"buffer_priority": 1}], ids=str)
def test_nothing_abandoned_no_forward_tsn(terms: dict[str, float]) -> None:
    """E01: F1: "MUST NOT use the FORWARD TSN for any purposes other than circumstances described"; nor where messages
    have terms that they keep."""
    peer = established()
    for _ in range(6):
        peer.z_sends(**terms)  # type: ignore[arg-type]  # one of the terms, by its name
    peer.wait(4.0)
    peer.reports_missing(0)
    for _ in range(3):
        peer.sacks(0, (2, 3))
    peer.sacks(3, a_rwnd=0)
    peer.z_sends(**terms)  # type: ignore[arg-type]  # likewise
    peer.wait(5.0)
    peer.sacks(1)
    peer.sacks(6)
    peer.sacks(6)
    peer.user_shuts_down()
    peer.wait(10.0)
    assert forward_tsns_of(peer.heard) == []


def test_what_expires_without_a_tsn_brings_no_forward_tsn() -> None:
    """E01: F1, and TR3 of §4.1."""
    peer = established()
    sent = peer.fills_the_window(None)
    assert peer.z_sends(lifetime=LIFETIME_S) == []
    peer.now += 0.6
    peer.sacks(sent - 1)
    peer.wait(30.0)
    assert len(peer.failures()) == 1
    assert forward_tsns_of(peer.heard) == []


def test_a_forward_tsn_is_bundled_with_data() -> None:
    """E01: F2: "SHOULD always attempt to bundle an outgoing FORWARD TSN with outbound DATA chunks"."""
    peer = established()
    sent = peer.fills_the_window()
    peer.queue(b"waits")
    peer.touch()
    (packet,) = peer.wait(1.0)
    assert packet.types == (ForwardTsn, Data)
    assert peer.forwards([packet]) == [(sent - 1, ((0, sent - 1),))]
    peer = established()
    peer.z_sends(max_retransmits=0)
    peer.z_sends()
    (packet,) = peer.wait(1.0)
    assert packet.types == (ForwardTsn, Data)
    assert peer.sent([packet]) == [1]


def delay_of(peer: Script, packets: list[Packet], *, limit_s: float = 0.5) -> float:
    """From now until the first FORWARD TSN, at most the limit."""
    start = peer.now
    packets = packets + peer.wait(limit_s)
    return first_forward(packets).at - start


def after_a_sack(config: Config) -> tuple[Script, list[Packet]]:
    return one_in_the_midst(config)


def after_three_reports(config: Config) -> tuple[Script, list[Packet]]:
    peer = established(config)
    peer.z_sends(max_retransmits=0)
    for _ in range(3):
        peer.z_sends(PAYLOAD)
    return peer, peer.reports_missing(-1)


OCCASIONS = pytest.mark.parametrize("occasion", [after_a_sack, after_three_reports])
Occasion = Callable[[Config], tuple[Script, list[Packet]]]


@OCCASIONS
def test_a_forward_tsn_is_late_by_200_ms_at_most(occasion: Occasion) -> None:
    """E01: F3: "Any delay applied to the sending of FORWARD TSN chunk SHOULD NOT exceed 200ms"."""
    peer, packets = occasion(LOUD)
    assert delay_of(peer, packets) <= 0.2


def while_the_peers_window_is_closed() -> tuple[Script, list[Packet]]:
    peer = established()
    peer.z_sends(max_retransmits=0)
    for _ in range(4):
        peer.z_sends()
    peer.z_sends(PAYLOAD)
    packets = []
    for last in (1, 2, 3):
        packets += peer.sacks(-1, (1, last), a_rwnd=0)
    return peer, packets


def while_cwnd_is_full() -> tuple[Script, list[Packet]]:
    peer = roomy(cwnd=30_000)
    peer.z_sends(max_retransmits=0)
    peer.fills_the_window(None)
    packets = peer.reports_missing(-1)
    path = peer.path(ONE)
    assert path.flight_bytes >= path.congestion.cwnd
    assert peer.sent(packets) == []
    return peer, packets


def while_a_short_message_waits() -> tuple[Script, list[Packet]]:
    """Nagle's rule holds one back while anything is outstanding."""
    peer = established(QUIET.replace(nodelay=False))
    peer.z_sends(PAYLOAD, max_retransmits=0)
    for _ in range(3):
        peer.z_sends(PAYLOAD)
    assert peer.z_sends(b"short") == []
    return peer, peer.reports_missing(-1)


def while_the_peer_keeps_sending_sacks() -> tuple[Script, list[Packet]]:
    peer, packets = one_in_the_midst()
    for _ in range(5):
        packets += peer.wait(0.1)
        packets += peer.sacks(0, (2, 2))
    peer.now -= 0.5
    return peer, packets


def in_a_shutdown() -> tuple[Script, list[Packet]]:
    peer, _ = established(), None
    peer.z_sends(max_retransmits=0)
    for _ in range(3):
        peer.z_sends()
    peer.user_shuts_down()
    assert peer.state is AssociationState.SHUTDOWN_PENDING
    return peer, peer.reports_missing(-1)


@pytest.mark.parametrize(
    "occasion",
    [
        while_the_peers_window_is_closed,
        while_cwnd_is_full,
        while_a_short_message_waits,
        while_the_peer_keeps_sending_sacks,
        in_a_shutdown,
    ],
)
def test_nothing_holds_a_forward_tsn_for_500_ms(occasion: Callable[[], tuple[Script, list[Packet]]]) -> None:
    """E01: F3: "and MUST NOT exceed 500ms"."""
    peer, packets = occasion()
    assert delay_of(peer, packets) <= 0.5


@OCCASIONS
def test_no_setting_delays_a_forward_tsn_past_500_ms(occasion: Occasion) -> None:
    """E01: F3: "but MUST NOT raise it above 500ms"."""
    peer, packets = occasion(LOUD.replace(sack_delay_s=0.5, sack_frequency=255, hb_interval_s=3600))
    assert delay_of(peer, packets) <= 0.5


def five_abandoned(*, one_more: bool = False) -> Script:
    """Z: 0 to 4 abandoned, FORWARD TSN(4) out; 5 reliable, if there is one more."""
    peer = established()
    for _ in range(5):
        peer.z_sends(max_retransmits=0)
    if one_more:
        peer.z_sends()
    packets = peer.wait(1.0)
    assert peer.forwards(packets) == [(4, ((0, 4),))]
    assert peer.sent(packets) == ([5] if one_more else [])
    return peer


def test_only_an_earlier_cumulative_tsn_ack_makes_a_sack_out_of_order() -> None:
    """E01: F4: "a SACK is only considered out-of-order if the Cumulative TSN ACK carried in the SACK is earlier than
    that of the previous received SACK"."""
    peer = five_abandoned()
    peer.sacks(1, a_rwnd=5000)
    assert peer.window_bytes == 5000
    peer.sacks(0, a_rwnd=9000)
    assert peer.window_bytes == 5000
    peer.sacks(1, a_rwnd=6000)
    assert peer.window_bytes == 6000


def test_a_sack_behind_the_advanced_peer_ack_point_is_processed() -> None:
    """E01: F4: "the comparison MUST NOT be made against "Advanced.Peer.Ack.Point""."""
    peer = five_abandoned(one_more=True)
    packets = peer.sacks(-1, (5, 5), a_rwnd=7000)
    assert peer.path(ONE).flight_bytes == 0
    assert peer.window_bytes == 7000
    assert (4, ((0, 4),)) in peer.forwards(packets + peer.wait(4.0))


def test_a_part_of_what_was_abandoned_may_be_acknowledged() -> None:
    """F4, X07: some of it arrived all the same: what is left is forwarded to the same point."""
    peer = five_abandoned()
    packets = peer.sacks(2) + peer.wait(4.0)
    assert set(peer.forwards(packets)) == {(4, ((0, 4),))}
    assert peer.sacks(4) + peer.wait(30.0) == []


def by_t3(peer: Script) -> int:
    cwnd = peer.path(ONE).congestion.cwnd
    peer.wait(1.0)
    return cwnd


def by_reports(peer: Script) -> int:
    peer.reports_missing(-1, 2)
    cwnd = peer.path(ONE).congestion.cwnd
    peer.sacks(-1, (1, 3))
    return cwnd


Loss = Callable[[Script], int]


def figures(max_retransmits: int | None, loss: Loss, cwnd: int) -> tuple[int, int, int, float, bool]:
    """cwnd just before the first of a full window is lost, and all that this changes."""
    peer = roomy(cwnd=cwnd)
    peer.z_sends(PAYLOAD, max_retransmits=max_retransmits)
    peer.fills_the_window(None)
    before = loss(peer)
    path = peer.path(ONE)
    sender = peer.association.sender
    return before, path.congestion.cwnd, path.congestion.ssthresh, path.rto.rto_s, sender.in_fast_recovery


@pytest.mark.parametrize("loss", [by_t3, by_reports])
@pytest.mark.parametrize("cwnd", [8_000, 40_000])
def test_abandoning_in_place_of_a_retransmission_adjusts_the_congestion_window(loss: Loss, cwnd: int) -> None:
    """E01: F5: "the appropriate congestion adjustment MUST be made ... if the chunk would have been marked for
    retransmission later"."""
    expected = figures(None, loss, cwnd)
    assert figures(0, loss, cwnd) == expected
    before, after, ssthresh, rto_s, in_fast_recovery = expected
    mtu = PAYLOAD + 16
    assert ssthresh == max(before // 2, 4 * mtu)
    assert after == (mtu if loss is by_t3 else ssthresh)
    assert rto_s == (2.0 if loss is by_t3 else 1.0)
    assert in_fast_recovery is (loss is by_reports)


# -- the end --


def test_a_shutdown_waits_until_the_forward_tsn_is_acknowledged() -> None:
    """RFC 9260 §9.2: SHUTDOWN goes when all data has been acknowledged; what was abandoned is, by FORWARD TSN."""
    peer = established()
    peer.z_sends(max_retransmits=0)
    peer.user_shuts_down()
    packets = peer.wait(1.0)
    assert peer.forwards(packets) == [(0, ORDERED_0)]
    assert not any(packet.has(Shutdown) for packet in packets)
    assert packets_with(peer.sacks(0), Shutdown)


def test_a_sack_of_a_tsn_that_was_never_sent_is_a_violation() -> None:
    """X42: with a FORWARD TSN out, too, a SACK cannot acknowledge what Z has not begun."""
    peer = five_abandoned()
    packets = peer.send(Sack(peer.z_tsn(40), 100_000))
    (abort,) = chunks_of(packets, Abort)
    assert [type(cause) for cause in abort.causes] == [ProtocolViolation]
