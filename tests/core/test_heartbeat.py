"""§8.3, §3.3.5, §3.3.6: HEARTBEATs sent on idle paths, and answered."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState, PathState
from aiosctp.core.timers import Timer
from aiosctp.events import AssociationChange, AssociationChangeKind, PeerAddressChange, PeerAddressChangeKind
from aiosctp.exceptions import AssociationAborted
from aiosctp.wire.chunks import Abort, Data, Heartbeat, HeartbeatAck, Sack
from aiosctp.wire.packet import encode_chunk, iter_raw_chunks
from aiosctp.wire.tlv import encode_tlv
from tests.core.scripted import A_PORT, A_TAG, Packet, Peer, Raw, chunks_of, packets_with

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
RTO_S = 1.0  # RTO.Initial and, as answers come at once here, ever after: RTO.Min


def established(config: Config | None = None, *, addresses: tuple[str, ...] = (ONE,), seed: int = 1) -> Peer:
    """All addresses of A named by Z's user, so confirmed, and nothing but HEARTBEATs of idle paths goes out."""
    peer = Peer(config, addresses=addresses, seed=seed)
    peer.established(*addresses)
    return peer


def moments(packets: list[Packet], destination: str = ONE) -> list[float]:
    return [packet.at for packet in packets_with(packets, Heartbeat) if packet.destination == destination]


# -- when they are sent --


def test_an_idle_path_is_probed_every_rto_and_hb_interval_with_jitter() -> None:
    """R24, X35: "once per RTO ... plus ... 'HB.interval', with jittering of +/- 50% of the RTO value"."""
    gaps = []
    for seed in range(10):
        peer = established(Config(hb_interval_s=30), seed=seed)
        sent = moments(peer.wait(400, peer.answer_heartbeats()))
        gaps += [later - earlier for earlier, later in pairwise(sent)]
    assert all(30 + 0.5 * RTO_S <= gap <= 30 + 1.5 * RTO_S for gap in gaps)
    # the jitter uses the whole range it may
    assert min(gaps) < 30.6
    assert max(gaps) > 31.4


def test_the_first_heartbeat_comes_within_the_first_period() -> None:
    """R24: the monitoring "MAY begin upon reaching the ESTABLISHED state", so no later than one period after it."""
    peer = established(Config(hb_interval_s=5))
    assert len(moments(peer.wait(5 + 1.5 * RTO_S))) == 1


@pytest.mark.parametrize("unanswered", [1, 2, 3, 4])
def test_the_rto_backs_off_while_heartbeats_are_unanswered(unanswered: int) -> None:
    """R24: "exponential backoff of the RTO if the previous HEARTBEAT chunk is unanswered", added to HB.interval.

    Whether the gap after a HEARTBEAT is already longer for that one, or for the one before, the RFC leaves open.
    """
    for seed in range(5):
        peer = established(Config(hb_interval_s=30, association_max_retrans=20), seed=seed)
        sent = moments(peer.wait(400))
        gap = sent[unanswered] - sent[unanswered - 1]
        assert 30 + 0.5 * RTO_S * 2 ** (unanswered - 1) <= gap <= 30 + 1.5 * RTO_S * 2**unanswered


def test_the_backed_off_rto_stops_at_rto_max() -> None:
    """R24: §6.3.1 C7 holds for the RTO of a HEARTBEAT as well."""
    peer = established(Config(hb_interval_s=1, rto_max_s=4, association_max_retrans=100))
    sent = moments(peer.wait(200))
    assert all(later - earlier <= 1 + 1.5 * 4 for earlier, later in pairwise(sent))


def test_a_heartbeat_fails_after_one_rto_whatever_the_interval() -> None:
    """R23, R24, X35: an error is counted "each time a HEARTBEAT ... not acknowledged within one RTO"."""
    peer = established(Config(hb_interval_s=1000))
    peer.next_packet(Heartbeat, limit_s=1100)
    rto_s = peer.path(ONE).rto.rto_s
    peer.wait(0.99 * rto_s)
    assert peer.path(ONE).error_count == 0
    peer.wait(0.02 * rto_s)
    assert peer.path(ONE).error_count == 1


@pytest.mark.parametrize("interval_s", [0.0, 300.0])
def test_the_user_sets_the_interval(interval_s: float) -> None:
    """R24, B13, G52: "Change the 'HB.interval'"."""
    peer = established(Config(hb_interval_s=interval_s))
    sent = moments(peer.wait(4 * interval_s + 10, peer.answer_heartbeats()))
    assert len(sent) >= 3
    assert all(interval_s + 0.5 <= later - earlier <= interval_s + 1.5 for earlier, later in pairwise(sent))


def test_the_user_turns_heartbeats_off() -> None:
    """R24, B13: "Disable heartbeat"; what comes is answered all the same."""
    peer = established(Config(heartbeat=False))
    assert peer.wait(1000) == []
    # A -> HEARTBEAT -> Z, Z -> HEARTBEAT ACK -> A
    assert chunks_of(peer.send(Heartbeat(b"still here?")), HeartbeatAck) == [HeartbeatAck(b"still here?")]


def test_a_heartbeat_on_demand_goes_to_the_address_asked_for() -> None:
    """R24, B13: "Request the sending of an on-demand HEARTBEAT chunk on a specific destination transport address"."""
    peer = established(Config(heartbeat=False), addresses=(ONE, TWO))
    (packet,) = peer.heartbeat_now(TWO)
    assert (packet.types, packet.destination, packet.verification_tag) == ((Heartbeat,), TWO, A_TAG)


def test_heartbeats_on_demand_do_not_put_off_the_verdict_on_those_before() -> None:
    """R23: an error is counted after one RTO, however often another is asked for; one for all of that time."""
    peer = established(Config(heartbeat=False))
    for _ in range(6):
        peer.heartbeat_now(ONE)
        peer.wait(0.4 * RTO_S)
    assert peer.path(ONE).error_count == 1
    peer.wait(60)
    assert peer.path(ONE).error_count == 2


def test_the_answer_to_one_heartbeat_is_no_answer_to_a_later_one() -> None:
    """R23, P01: the later one still counts as unanswered after its own RTO; the earlier no more, answered or not."""
    peer = established(Config(heartbeat=False))
    first, second, third = (chunks_of([*peer.heartbeat_now(ONE), *peer.wait(0.1)], Heartbeat)[0].info for _ in range(3))
    pending = list(peer.path(ONE).pending_heartbeats.values())
    # Z -> HEARTBEAT ACK -> A, of the second
    peer.send(HeartbeatAck(second))
    assert [probe.rtt_s for probe in pending] == [None, pytest.approx(0.2), None]
    peer.send(HeartbeatAck(first))
    assert [probe.rtt_s for probe in pending] == [pytest.approx(0.3), pytest.approx(0.2), None]
    peer.wait(0.89 * RTO_S)
    assert peer.path(ONE).error_count == 0
    peer.wait(0.02 * RTO_S)
    assert peer.path(ONE).error_count == 1
    peer.send(HeartbeatAck(third))
    assert peer.path(ONE).error_count == 0


def test_a_path_in_use_is_not_idle() -> None:
    """R24: no HEARTBEAT where "first transmission DATA" was sent "within the current heartbeat period"."""
    peer = established(Config(hb_interval_s=30))
    packets: list[Packet] = []
    for n in range(60):
        # Z -> DATA -> A, A -> SACK -> Z
        packets += peer.user_sends(b"busy")
        peer.acknowledge(peer.z_initial_tsn + n & 0xFFFF_FFFF)
        packets += peer.wait(5)
    assert len(packets_with(packets, Data)) == 60
    assert packets_with(packets, Heartbeat) == []
    # once idle again, the period that runs ends without a HEARTBEAT, the next one with
    assert len(moments(peer.wait(2 * 31.5))) >= 1


def test_every_idle_address_is_probed_the_primary_being_busy() -> None:
    """R24, E06: idle is a property of an address: "the reachability of the idle destination transport address(es)"."""
    peer = established(Config(hb_interval_s=10), addresses=(ONE, TWO))
    packets: list[Packet] = []
    for n in range(30):
        peer.user_sends(b"busy")
        peer.acknowledge(peer.z_initial_tsn + n & 0xFFFF_FFFF)
        packets += peer.wait(2, peer.answer_heartbeats())
    assert moments(packets, ONE) == []
    assert len(moments(packets, TWO)) >= 4


def test_an_inactive_address_is_probed_too() -> None:
    """R24, R23: "This applies to both active and inactive destination addresses"; "SHOULD continue sending"."""
    peer = established(Config(path_max_retrans=1, hb_interval_s=5, rto_max_s=2), addresses=(ONE, TWO))
    peer.wait(60, peer.answer_heartbeats(TWO))
    assert peer.path(TWO).state is PathState.INACTIVE
    assert len(moments(peer.wait(60, peer.answer_heartbeats(TWO)), TWO)) >= 6


def test_idle_addresses_are_probed_one_at_a_time() -> None:
    """R24: "Only one heartbeat SHOULD be sent each time the heartbeat timer expires"."""
    peer = established(Config(hb_interval_s=5), addresses=(ONE, TWO, THREE))
    sent = [packet.at for packet in packets_with(peer.wait(200, peer.answer_heartbeats()), Heartbeat)]
    assert len(sent) > 60
    assert len(set(sent)) == len(sent)


@pytest.mark.parametrize("state", [AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED])
def test_no_heartbeat_during_the_handshake(state: AssociationState) -> None:
    """R24: it "MAY begin upon reaching the ESTABLISHED state"."""
    peer = Peer(Config(hb_interval_s=0))
    peer.in_state(state)
    assert packets_with(peer.wait(100), Heartbeat) == []


@pytest.mark.parametrize("state", [AssociationState.SHUTDOWN_SENT, AssociationState.SHUTDOWN_ACK_SENT])
def test_heartbeats_are_discontinued_after_shutdown_or_shutdown_ack(state: AssociationState) -> None:
    """R24: "is discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk"."""
    peer = Peer(Config(hb_interval_s=1, association_max_retrans=50))
    peer.in_state(state)
    packets = peer.wait(100)
    assert len(packets) > 5
    assert packets_with(packets, Heartbeat) == []


# -- what they hold, and their answer --


def test_each_heartbeat_has_information_of_its_own() -> None:
    """M04, P01: it "SHOULD include ... the current time ... and the destination address": never twice the same."""
    peer = established(Config(hb_interval_s=1), addresses=(ONE, TWO))
    infos = [chunk.info for chunk in chunks_of(peer.wait(100, peer.answer_heartbeats()), Heartbeat)]
    assert len(set(infos)) == len(infos) > 50


def test_a_heartbeat_says_when_and_whereto_it_was_sent() -> None:
    """M04, P01: "SHOULD include information about the sender's current time ... and the destination" (§3.3.5)."""
    peer = established(Config(hb_interval_s=1), addresses=(ONE, TWO))
    heartbeats = packets_with(peer.wait(20, peer.answer_heartbeats()), Heartbeat)
    assert {packet.destination for packet in heartbeats} == {ONE, TWO}
    for packet in heartbeats:
        (chunk,) = chunks_of([packet], Heartbeat)
        assert chunk.info.endswith(struct.pack("!d", packet.at) + packet.destination.encode())


def test_the_answer_clears_the_error_counter_of_its_path() -> None:
    """R23, R24: "SHOULD clear the error counter of the destination transport address"."""
    peer = established(Config(hb_interval_s=5, heartbeat=True))
    peer.wait(40)
    assert peer.path(ONE).error_count >= 2
    # Z -> HEARTBEAT -> A, A -> HEARTBEAT ACK -> Z
    heartbeat = chunks_of([peer.next_packet(Heartbeat)], Heartbeat)[0]
    peer.send(HeartbeatAck(heartbeat.info))
    assert peer.path(ONE).error_count == 0


def test_the_answer_makes_an_inactive_address_active_and_the_user_is_told() -> None:
    """R23, C08, C09: "SHOULD report to the upper layer when an inactive destination address is marked as active"."""
    peer = established(Config(path_max_retrans=1, hb_interval_s=5), addresses=(ONE, TWO))
    peer.wait(60, peer.answer_heartbeats(TWO))
    assert peer.path(TWO).state is PathState.INACTIVE
    assert PeerAddressChange((TWO, A_PORT), PeerAddressChangeKind.UNREACHABLE) in peer.events
    peer.events.clear()
    peer.wait(60, peer.answer_heartbeats())
    assert peer.path(TWO).state is PathState.ACTIVE
    assert peer.events == [PeerAddressChange((TWO, A_PORT), PeerAddressChangeKind.AVAILABLE)]


def test_the_answer_gives_an_rtt_measurement() -> None:
    """R18, R24: "SHOULD also perform an RTT measurement for that destination transport address"."""
    peer = established(Config(rto_min_s=0.05), addresses=(ONE, TWO))
    heartbeat = chunks_of(peer.heartbeat_now(TWO), Heartbeat)[0]
    before = peer.path(ONE).rto.srtt_s
    peer.wait(0.4)
    peer.send(HeartbeatAck(heartbeat.info), source=TWO)
    assert peer.path(TWO).rto.srtt_s == pytest.approx(0.4)
    assert peer.path(TWO).rto.rto_s == pytest.approx(0.4 + 4 * 0.2)  # §6.3.1 C2
    assert peer.path(ONE).rto.srtt_s == before


def test_a_late_answer_still_counts() -> None:
    """R23, R24: after the RTO the error is counted; the answer that comes then clears it."""
    peer = established(Config(heartbeat=False))
    heartbeat = chunks_of(peer.heartbeat_now(ONE), Heartbeat)[0]
    peer.wait(1.5)
    assert peer.path(ONE).error_count == 1
    peer.send(HeartbeatAck(heartbeat.info))
    assert peer.path(ONE).error_count == 0


def test_an_answer_never_asked_for_does_nothing() -> None:
    """X51, M04: before the nonce is found to be ours, no timer stops, no error is cleared, no RTT measured."""
    honest, forged = established(Config(hb_interval_s=5)), established(Config(hb_interval_s=5))
    for peer in (honest, forged):
        peer.wait(20)
        peer.next_packet(Heartbeat)
    errors, rto_s = forged.path(ONE).error_count, forged.path(ONE).rto.rto_s
    assert errors > 0
    # A -> HEARTBEAT ACK (not ours) -> Z
    assert forged.send(HeartbeatAck(bytes(16))) == []
    assert (forged.path(ONE).error_count, forged.path(ONE).rto.rto_s) == (errors, rto_s)
    assert moments(forged.wait(30)) == moments(honest.wait(30))
    assert forged.path(ONE).error_count == honest.path(ONE).error_count > errors


def test_one_heartbeat_is_answered_only_once() -> None:
    """X51: a repeated HEARTBEAT ACK is not ours any more: a replay does not hide that the path is dead."""
    peer = established(Config(hb_interval_s=5))
    heartbeat = chunks_of([peer.next_packet(Heartbeat)], Heartbeat)[0]
    peer.send(HeartbeatAck(heartbeat.info))
    peer.wait(30)
    errors = peer.path(ONE).error_count
    assert errors > 0
    peer.send(HeartbeatAck(heartbeat.info))
    assert peer.path(ONE).error_count == errors


# -- answering --


@pytest.mark.parametrize("info", [b"", b"\x00", b"odd length!", bytes(range(256)) * 4])
def test_a_heartbeat_is_answered_at_once_with_its_information(info: bytes) -> None:
    """M04, P01: "SHOULD immediately respond with a HEARTBEAT ACK that contains the Heartbeat Information TLV"."""
    peer = established()
    # A -> HEARTBEAT -> Z, Z -> HEARTBEAT ACK -> A
    (packet,) = peer.send(Heartbeat(info))
    assert packet.chunks == (HeartbeatAck(info),)
    assert (packet.destination, packet.verification_tag) == (ONE, A_TAG)


def test_other_tlvs_of_a_heartbeat_are_copied_unchanged() -> None:
    """M04: "together with any other received TLVs, copied unchanged from the received HEARTBEAT chunk"."""
    peer = established()
    value = encode_tlv(1, b"info") + encode_tlv(0x8123, b"more")
    # A -> HEARTBEAT (Heartbeat Info, another TLV) -> Z, Z -> HEARTBEAT ACK with both -> A
    (packet,) = peer.send(Raw(encode_chunk(4, 0, value)))
    (answer,) = iter_raw_chunks(packet.datagram.data)
    assert answer == (5, 0, value)


def test_the_flags_of_a_heartbeat_are_ignored() -> None:
    """M04: "Set to 0 on transmit and ignored on receipt"."""
    peer = established()
    (packet,) = peer.send(Raw(encode_chunk(4, 0xFF, encode_tlv(1, b"info"))))
    (answer,) = iter_raw_chunks(packet.datagram.data)
    assert answer == (5, 0, encode_tlv(1, b"info"))


@pytest.mark.parametrize(
    "value", [b"", b"\x00\x01", encode_tlv(2, b"no info"), b"\x00\x01\x00\x03", b"\x00\x01\xff\xff"]
)
def test_a_heartbeat_without_its_information_is_harmless(value: bytes) -> None:
    """M04, X45: Heartbeat Info is mandatory (Table 9); without it there is nothing to send back."""
    peer = established()
    for type in (4, 5):
        assert packets_with(peer.send(Raw(encode_chunk(type, 0, value))), HeartbeatAck) == []
    assert peer.state is AssociationState.ESTABLISHED
    assert len(peer.send(Heartbeat(b"ok"))) == 1


def test_several_heartbeats_in_one_packet_are_all_answered() -> None:
    """M04: each HEARTBEAT has its HEARTBEAT ACK, in their order (§6.10)."""
    peer = established()
    packets = peer.send(Heartbeat(b"1"), Heartbeat(b"2"), Heartbeat(b"3"))
    assert [chunk.info for chunk in chunks_of(packets, HeartbeatAck)] == [b"1", b"2", b"3"]


def test_a_heartbeat_ack_goes_to_the_source_of_the_heartbeat() -> None:
    """M04, E06: "always sent to the source IP address of the IP datagram containing the HEARTBEAT" (§3.3.6)."""
    peer = established(addresses=(ONE, TWO, THREE))
    for source in (TWO, THREE, ONE):
        # source -> HEARTBEAT -> Z, Z -> HEARTBEAT ACK -> source
        (packet,) = peer.send(Heartbeat(b"who?"), source=source)
        assert (packet.types, packet.destination) == ((HeartbeatAck,), source)


def test_a_heartbeat_ack_is_bundled_with_the_sack_of_its_packet_control_first() -> None:
    """R21, M04: DATA and HEARTBEAT of one packet are both answered."""
    peer = established()
    packets = peer.send(Heartbeat(b"1"), Data(0xFFFF_FFFE, 0, 0, 0, b"data"))
    assert chunks_of(packets, HeartbeatAck) == [HeartbeatAck(b"1")]
    assert [sack.cumulative_tsn_ack for sack in chunks_of(packets, Sack)] == [0xFFFF_FFFE]


# -- what a HEARTBEAT finds out --


def test_a_heartbeat_discovers_a_lost_abort() -> None:
    """M05, R14: "will only discover the lost ABORT chunk by sending a DATA chunk or HEARTBEAT chunk"."""
    peer = established(Config(hb_interval_s=5))
    # A has aborted, and the ABORT was lost
    # Z -> HEARTBEAT -> A
    packet = peer.next_packet(Heartbeat)
    # A -> ABORT, T, under the tag that came -> Z
    assert peer.send(Abort(tag_reflected=True), tag=packet.verification_tag) == []
    assert peer.state is AssociationState.CLOSED
    assert isinstance(peer.association.ending, AssociationAborted)
    assert [event.change for event in peer.events_of(AssociationChange)][-1] is AssociationChangeKind.COMM_LOST


def test_a_late_answer_starts_no_heartbeats_after_a_shutdown() -> None:
    """R24: they are "discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk" (§8.3)."""
    peer = Peer()
    peer.established()
    (heartbeat,) = chunks_of(peer.heartbeat_now(peer.addresses[0]), Heartbeat)
    peer.user_shuts_down()
    peer.send(HeartbeatAck(heartbeat.info))
    assert not peer.association.timers.is_running((Timer.HEARTBEAT, peer.path(peer.addresses[0])))
