"""§5.4: an address that the peer claims is used for nothing until a nonce sent to it has come back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState, PathState
from aiosctp.events import AssociationChange, AssociationChangeKind, PeerAddressChange, PeerAddressChangeKind
from aiosctp.exceptions import AssociationRefused
from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
)
from tests.core.scripted import A_PORT, A_RWND, Packet, Peer, chunks_of, packets_with

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
FIVE = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6")

# §5.4: what MAY go to an UNCONFIRMED address alone; COOKIE ACK and COOKIE ECHO only beside a HEARTBEAT.
ALLOWED_ALONE = {Heartbeat, HeartbeatAck}
# The parts of the Heartbeat Info are the engine's own affair; a verdict must not depend on their order.
NONCE_BYTES = 8


def probe_of(peer: Peer, address: str) -> Heartbeat:
    """The first HEARTBEAT that went to this address, let time pass if need be."""
    sent = [chunk for packet in peer.heard if packet.destination == address for chunk in chunks_of([packet], Heartbeat)]
    while not sent:
        packet = peer.next_packet(Heartbeat)
        if packet.destination == address:
            sent = chunks_of([packet], Heartbeat)
    return sent[0]


def confirmations(peer: Peer, address: str) -> int:
    event = PeerAddressChange((address, A_PORT), PeerAddressChangeKind.CONFIRMED)
    return peer.events.count(event)


def test_addresses_the_user_named_are_confirmed() -> None:
    """R12: rule 1, for the sender of INIT; what only the INIT ACK lists is UNCONFIRMED (rule 3)."""
    peer = Peer(addresses=(ONE, TWO, THREE))
    peer.established(ONE, TWO)
    states = {path.address: path.state for path in peer.association.paths}
    assert states == {ONE: PathState.ACTIVE, TWO: PathState.ACTIVE, THREE: PathState.UNCONFIRMED}


def test_only_the_address_the_init_ack_went_to_is_confirmed() -> None:
    """R12: rule 2, for the receiver of COOKIE ECHO, even when the COOKIE ECHO comes from another address."""
    peer = Peer(addresses=(ONE, TWO, THREE))
    peer.accepted(source=TWO)
    states = {path.address: path.state for path in peer.association.paths}
    assert states == {ONE: PathState.ACTIVE, TWO: PathState.UNCONFIRMED, THREE: PathState.UNCONFIRMED}


@pytest.mark.parametrize("is_initiator", [True, False])
def test_probing_starts_on_reaching_established(is_initiator: bool) -> None:
    """R12: "started when an association moves to the ESTABLISHED state"; no HEARTBEAT.interval is waited for."""
    peer = Peer(addresses=(ONE, TWO))
    begin = peer.now
    if is_initiator:
        peer.established(ONE)
    else:
        peer.accepted()
    peer.wait(Config().rto_initial_s)
    assert [packet.destination for packet in packets_with(peer.heard, Heartbeat)][:1] == [TWO]
    assert peer.heard[0].at >= begin


def test_no_probe_before_established() -> None:
    """R12: in COOKIE-ECHOED the addresses of the INIT ACK are known, but not yet probed."""
    peer = Peer(addresses=(ONE, TWO))
    peer.cookie_echoed(ONE)
    assert packets_with(peer.heard, Heartbeat) == []


def test_each_probe_has_a_nonce_of_its_own() -> None:
    """R12, M04: "a 64-bit random nonce": no two probes, to one address or to several, share their information."""
    peer = Peer(addresses=(ONE, TWO, THREE))
    peer.established(ONE)
    infos = [chunk.info for chunk in chunks_of(peer.wait(20), Heartbeat)]
    assert len(infos) > 4
    assert len(set(infos)) == len(infos)
    assert all(len(info) >= NONCE_BYTES for info in infos)


def test_the_nonce_is_not_predicted_by_the_seed_of_another_stack() -> None:
    """R12: the nonce comes from the entropy the engine was given, not from a counter."""
    first, second = (Peer(addresses=(ONE, TWO), seed=seed) for seed in (1, 2))
    for peer in (first, second):
        peer.established(ONE)
    assert probe_of(first, TWO) != probe_of(second, TWO)


def test_the_nonce_of_a_probe_has_64_random_bits() -> None:
    """R12, M04: "it MUST include a random nonce of length 64 bits or longer" (§3.3.5): it alone differs by seed."""
    infos = []
    for seed in range(40):
        peer = Peer(addresses=(ONE, TWO), seed=seed)
        peer.established(ONE)
        infos.append(int.from_bytes(probe_of(peer, TWO).info))
    ever_set, always_set = 0, -1
    for info in infos:
        ever_set |= info
        always_set &= info
    assert (ever_set & ~always_set).bit_count() == 8 * NONCE_BYTES


def test_the_echoed_nonce_confirms_the_address() -> None:
    """R12, C09: the address is "now considered CONFIRMED and available for normal data transfer"; the user is told."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    # Z -> HEARTBEAT -> TWO
    probe = probe_of(peer, TWO)
    assert peer.path(TWO).state is PathState.UNCONFIRMED
    # TWO -> HEARTBEAT ACK -> Z
    peer.send(HeartbeatAck(probe.info), source=TWO)
    assert peer.path(TWO).state is PathState.ACTIVE
    assert confirmations(peer, TWO) == 1
    # the same once more changes nothing
    peer.send(HeartbeatAck(probe.info), source=TWO)
    assert confirmations(peer, TWO) == 1


def test_the_address_that_was_probed_is_confirmed_not_the_one_that_answers() -> None:
    """R12: "the address that the original HEARTBEAT was sent to is now considered CONFIRMED"."""
    peer = Peer(addresses=(ONE, TWO, THREE))
    peer.established(ONE)
    # Z -> HEARTBEAT -> TWO
    probe = probe_of(peer, TWO)
    # THREE -> HEARTBEAT ACK -> Z
    peer.send(HeartbeatAck(probe.info), source=THREE)
    assert peer.path(TWO).state is PathState.ACTIVE
    assert peer.path(THREE).state is PathState.UNCONFIRMED


@pytest.mark.parametrize("forge", ["bits", "short", "long", "empty", "reversed"])
def test_a_forged_nonce_confirms_nothing(forge: str) -> None:
    """R12, M04: without the nonce that was sent there, the address stays UNCONFIRMED."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    info = probe_of(peer, TWO).info
    forgeries = {
        "bits": bytes(octet ^ 0x01 for octet in info),
        "short": info[: NONCE_BYTES - 1],
        "long": bytes(len(info)) + info,
        "empty": b"",
        "reversed": info[::-1],
    }
    # TWO -> HEARTBEAT ACK with another nonce -> Z
    assert peer.send(HeartbeatAck(forgeries[forge]), source=TWO) == []
    assert peer.path(TWO).state is PathState.UNCONFIRMED
    assert confirmations(peer, TWO) == 0


def test_a_forged_ack_does_not_stop_the_timer_of_the_probe() -> None:
    """X51: the nonce is checked before anything is done: the probe still fails, and is repeated."""
    honest, forged = (Peer(addresses=(ONE, TWO)) for _ in range(2))
    for peer in (honest, forged):
        peer.established(ONE)
        # Z -> HEARTBEAT -> TWO
        probe_of(peer, TWO)
    # TWO -> HEARTBEAT ACK with another nonce -> Z
    forged.send(HeartbeatAck(bytes(16)), source=TWO)
    later = [peer.wait(10) for peer in (honest, forged)]
    assert forged.path(TWO).error_count == honest.path(TWO).error_count > 0
    assert [packet.at for packet in later[1]] == [packet.at for packet in later[0]] != []


def test_an_unanswered_probe_counts_on_its_path_only() -> None:
    """R12, R23: "incremented by one and subjected to path failure detection"; "the association overall error count
    is not incremented"."""
    peer = Peer(Config(association_max_retrans=1, path_max_retrans=3), addresses=(ONE, TWO))
    peer.established(ONE)
    # Z -> HEARTBEAT -> TWO, unanswered; those to ONE are answered
    peer.wait(600, peer.answer_heartbeats(TWO))
    assert peer.state is AssociationState.ESTABLISHED
    assert peer.path(TWO).error_count > peer.path(TWO).path_max_retrans
    assert peer.path(TWO).is_inactive
    unreachable = PeerAddressChange((TWO, A_PORT), PeerAddressChangeKind.UNREACHABLE)
    assert peer.events.count(unreachable) == 1


def test_a_probe_fails_after_one_rto() -> None:
    """R12, X35: "At the expiration of the RTO timer, the error counter ... is incremented by one"."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    probe_of(peer, TWO)
    rto_s = peer.path(TWO).rto.rto_s
    peer.wait(rto_s * 0.99)
    assert peer.path(TWO).error_count == 0
    peer.wait(rto_s * 0.02)
    assert peer.path(TWO).error_count == 1


def test_no_more_than_one_probe_an_rto() -> None:
    """R12: "In each RTO, a probe MAY be sent on an active UNCONFIRMED path"."""
    peer = Peer(Config(path_max_retrans=20), addresses=(ONE, TWO))
    peer.established(ONE)
    peer.wait(60)
    probes = [packet.at for packet in packets_with(peer.heard, Heartbeat) if packet.destination == TWO]
    assert len(probes) > 3
    assert all(later - earlier >= Config().rto_initial_s for earlier, later in pairwise(probes))


def test_an_inactive_unconfirmed_path_is_probed_at_the_heartbeat_rate() -> None:
    """R12, R24: "If ... the path becomes inactive, this rate is lowered to the normal HEARTBEAT rate"."""
    config = Config(path_max_retrans=1, rto_max_s=2.0, hb_interval_s=30)
    peer = Peer(config, addresses=(ONE, TWO))
    peer.established(ONE)
    peer.wait(30, peer.answer_heartbeats(TWO))
    assert peer.path(TWO).is_inactive
    probes = [packet.at for packet in peer.wait(600, peer.answer_heartbeats(TWO)) if packet.destination == TWO]
    assert len(probes) > 5
    # HB.interval and the RTO, which is at most RTO.Max, with ± 50 %
    assert all(31 <= later - earlier <= 33 for earlier, later in pairwise(probes))


def test_probing_ends_when_all_paths_are_confirmed() -> None:
    """R12: "are ended when all paths are confirmed": then comes nothing but the HEARTBEATs of idle paths."""
    peer = Peer(addresses=FIVE)
    peer.established(ONE)
    peer.wait(15, peer.answer_heartbeats())
    assert {path.state for path in peer.association.paths} == {PathState.ACTIVE}
    assert peer.wait(14, peer.answer_heartbeats()) == []


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("burst", [1, 2, 4])
def test_no_more_than_hb_max_burst_probes_an_rto(burst: int, answered: bool) -> None:
    """R12, G30: "The number of packets containing HEARTBEAT chunks sent at each RTO SHOULD be limited"."""
    config = Config(hb_max_burst=burst, rto_max_s=1.0, path_max_retrans=100)
    peer = Peer(config, addresses=FIVE)
    peer.established(ONE)
    answer = peer.answer_heartbeats() if answered else None
    peer.wait(20, answer)
    moments = [packet.at for packet in packets_with(peer.heard, Heartbeat)]
    for begin in moments:
        within_an_rto = [moment for moment in moments if begin <= moment < begin + config.rto_initial_s - 1e-6]
        assert len(within_an_rto) <= burst
    assert {packet.destination for packet in packets_with(peer.heard, Heartbeat)} == set(FIVE[1:])


def assert_nothing_forbidden_went_to(address: str, packets: list[Packet]) -> None:
    for packet in packets:
        if packet.destination == address:
            types = set(packet.types)
            allowed = ALLOWED_ALONE | ({CookieAck, CookieEcho} if Heartbeat in types else set())
            assert types <= allowed, f"{types} to an UNCONFIRMED address"


@pytest.mark.parametrize(
    ("chunk", "answer"),
    [
        (Data(0xFFFF_FFFE, 0, 0, 0, b"x"), Sack),
        (UnknownChunk(0x7E, 0, b""), Error),
        (Shutdown(0), ShutdownAck),
    ],
)
def test_an_answer_to_an_unconfirmed_address_goes_to_a_confirmed_one(
    chunk: Data | UnknownChunk | Shutdown, answer: type[Sack | Error | ShutdownAck]
) -> None:
    """R12: "MUST NOT send any chunks to an UNCONFIRMED address"; the chunk is answered all the same."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    if isinstance(chunk, Shutdown):
        chunk = Shutdown(peer.z_initial_tsn - 1 & 0xFFFF_FFFF)
    # TWO -> chunk -> Z
    packets = peer.send(chunk, source=TWO)
    # Z -> answer -> ONE
    assert [packet.destination for packet in packets_with(packets, answer)] == [ONE]
    assert_nothing_forbidden_went_to(TWO, packets)


def test_a_heartbeat_from_an_unconfirmed_address_is_answered_there() -> None:
    """R12, M04: "A HEARTBEAT ACK chunk MAY be sent to an UNCONFIRMED address"; how else would A verify its paths."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    # TWO -> HEARTBEAT -> Z, Z -> HEARTBEAT ACK -> TWO
    packets = packets_with(peer.send(Heartbeat(b"nonce"), source=TWO), HeartbeatAck)
    assert [packet.destination for packet in packets] == [TWO]
    # to be asked from there is no proof
    assert peer.path(TWO).state is PathState.UNCONFIRMED


def test_data_is_not_retransmitted_to_an_unconfirmed_address() -> None:
    """R12, R25: with the primary silent, retransmissions stay on it rather than go where nothing is proved."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    # Z -> DATA -> ONE, unanswered
    peer.user_sends(b"precious")
    packets = peer.wait(30)
    assert len(packets_with(packets, Data)) > 2
    assert_nothing_forbidden_went_to(TWO, packets)


def test_a_confirmed_address_is_available_for_retransmission() -> None:
    """R12, R25: "available for normal data transfer" once its nonce came back."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    peer.send(HeartbeatAck(probe_of(peer, TWO).info), source=TWO)
    # Z -> DATA -> ONE, unanswered; Z -> DATA -> TWO
    peer.user_sends(b"precious")
    assert peer.next_packet(Data).destination == TWO


@pytest.mark.parametrize("ending", ["shutdown", "abort"])
def test_the_end_of_the_association_is_not_told_to_an_unconfirmed_address(ending: str) -> None:
    """R12, E13: SHUTDOWN, its retransmissions and ABORT go to confirmed addresses only."""
    peer = Peer(Config(association_max_retrans=4), addresses=(ONE, TWO))
    peer.established(ONE)
    peer.wait(3)
    packets = peer.user_shuts_down() if ending == "shutdown" else peer.user_aborts()
    assert packets != []
    packets += peer.wait(100)
    assert {packet.destination for packet in packets} == {ONE}


def test_a_cookie_ack_to_an_unconfirmed_address_is_bundled_with_a_heartbeat() -> None:
    """R12, M08: "it MUST be bundled with a HEARTBEAT chunk including a nonce"."""
    peer = Peer(addresses=(ONE, TWO))
    # TWO -> COOKIE ECHO -> Z, of a cookie that went to ONE
    packets = peer.accepted(source=TWO)
    assert [packet.types for packet in packets_with(packets, CookieAck)] == [(CookieAck, Heartbeat)]
    assert_nothing_forbidden_went_to(TWO, packets)


def test_a_cookie_echo_to_an_unconfirmed_address_is_bundled_with_a_heartbeat() -> None:
    """R12, M08: T1-cookie may try the addresses of the INIT ACK, but only with a HEARTBEAT in the packet."""
    peer = Peer(addresses=(ONE, TWO))
    peer.cookie_echoed(ONE)
    packets = peer.wait(100)
    assert len(packets_with(packets, CookieEcho)) >= 3
    assert {packet.types for packet in packets if packet.destination == TWO} == {(CookieEcho, Heartbeat)}


def test_a_cookie_echo_too_large_for_a_heartbeat_beside_it_stays_on_confirmed_addresses() -> None:
    """R12, M08: "the size of the SCTP packet MUST NOT exceed the PMTU"."""
    config = Config(path_mtu=1500)
    peer = Peer(config, addresses=(ONE, TWO))
    # IPv4, UDP, the common header and the chunk header leave 1456 bytes: the cookie alone just fits
    peer.cookie_echoed(ONE, cookie=b"c" * 1456)
    packets = packets_with(peer.wait(100), CookieEcho)
    assert len(packets) >= 3
    assert {packet.destination for packet in packets} == {ONE}


def test_a_sack_from_an_unconfirmed_address_is_heard() -> None:
    """R12: the rule is about sending; the right tag proves that a packet belongs to the association (§8.5)."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    peer.user_sends(b"x")
    peer.send(Sack(peer.z_initial_tsn, A_RWND), source=TWO)
    assert packets_with(peer.wait(20), Data) == []


def test_a_cookie_echo_too_large_for_the_only_address_left_ends_the_attempt() -> None:
    """R12: it "MUST NOT" be sent to an UNCONFIRMED address, and the INIT ACK left no other."""
    peer = Peer(addresses=(TWO,))
    # Z -> INIT -> A, at another address than the one that A answers from and names
    peer.cookie_wait(ONE)
    # A -> INIT ACK -> Z
    assert peer.send(peer.init_ack(bytes(2000))) == []
    assert peer.engine.poll_faults() == []
    (change,) = peer.events_of(AssociationChange)
    assert change.change is AssociationChangeKind.CANT_STR_ASSOC
    assert isinstance(peer.association.ending, AssociationRefused)


def established_with_nothing_confirmed() -> Peer:
    """A answered from an address that Z's user had not named, and lists no other."""
    peer = Peer(addresses=(TWO,))
    # Z -> INIT -> ONE, TWO -> INIT ACK -> Z, Z -> COOKIE ECHO, HEARTBEAT -> TWO, TWO -> COOKIE ACK -> Z
    peer.established(ONE)
    assert [path.state for path in peer.association.paths] == [PathState.UNCONFIRMED]
    return peer


def test_with_no_address_confirmed_a_sack_waits_for_the_first_that_is() -> None:
    """R12: "MUST NOT send any chunks to an UNCONFIRMED address": not even where there is no other to send them to."""
    peer = established_with_nothing_confirmed()
    # TWO -> DATA -> Z, and again
    assert [*peer.send_data(b"one"), *peer.send_data(b"two"), *peer.send_data(b"three")] == []
    assert [message.data for message in peer.user_reads()] == [b"one", b"two", b"three"]
    assert_nothing_forbidden_went_to(TWO, peer.wait(5))
    # TWO -> HEARTBEAT ACK -> Z, Z -> SACK -> TWO
    packets = peer.send(HeartbeatAck(probe_of(peer, TWO).info))
    assert [chunk.cumulative_tsn_ack for chunk in chunks_of(packets, Sack)] == [peer.cumulative_tsn]


@pytest.mark.parametrize("ending", ["data", "error", "abort", "shutdown", "shutdown of the peer"])
def test_with_no_address_confirmed_nothing_but_probes_is_sent(ending: str) -> None:
    """R12: ERROR and ABORT are not sent; SACK, DATA and a shutdown wait until an address is confirmed."""
    peer = established_with_nothing_confirmed()
    match ending:
        case "data":
            packets = peer.send_data() + peer.user_sends(b"not yet")
        case "error":
            packets = peer.send(UnknownChunk(0x7E, 0, b""))
        case "abort":
            packets = peer.user_aborts()
        case "shutdown":
            packets = peer.user_shuts_down()
        case _:
            packets = peer.send(Shutdown(peer.z_initial_tsn - 1 & 0xFFFF_FFFF))
    packets += peer.wait(20)
    assert_nothing_forbidden_went_to(TWO, packets)
    answer = peer.send(HeartbeatAck(chunks_of(peer.heard, Heartbeat)[-1].info))
    expected = {"data": [(Sack, Data)], "shutdown": [(Shutdown,)], "shutdown of the peer": [(ShutdownAck,)]}
    assert [packet.types for packet in answer if not packet.has(Abort)] == expected.get(ending, [])


def test_shutdown_complete_goes_to_a_confirmed_address() -> None:
    """R12: also where the SHUTDOWN ACK came from one that is not."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    # Z -> SHUTDOWN -> ONE
    peer.user_shuts_down()
    # TWO -> SHUTDOWN ACK -> Z, Z -> SHUTDOWN COMPLETE -> ONE
    (packet,) = peer.send(ShutdownAck(), source=TWO)
    assert (packet.destination, packet.types) == (ONE, (ShutdownComplete,))


def test_a_stale_cookie_at_an_unconfirmed_address_ends_the_attempt_where_there_is_no_other() -> None:
    """R12, R11: no INIT may go there, and the INIT ACK took away the addresses that the user had named."""
    peer = Peer(addresses=(TWO,))
    peer.cookie_echoed(ONE)
    assert peer.send(Error((StaleCookie(1),))) == []
    (change,) = peer.events_of(AssociationChange)
    assert change.change is AssociationChangeKind.CANT_STR_ASSOC
    assert isinstance(peer.association.ending, AssociationRefused)


def test_no_init_goes_to_an_unconfirmed_address() -> None:
    """R12, R11: the INIT after a Stale Cookie error, and its retransmissions, go to what the user named."""
    peer = Peer(addresses=(ONE, TWO))
    peer.cookie_echoed(ONE)
    # A -> ERROR [Stale Cookie] -> Z, from the address that is not confirmed
    (first,) = packets_with(peer.send(Error((StaleCookie(1),)), source=TWO), Init)
    # Z -> INIT -> A, and again
    again = [first, peer.next_packet(Init), peer.next_packet(Init)]
    assert [packet.destination for packet in again] == [ONE, ONE, ONE]


def test_the_last_word_of_a_shutdown_does_not_go_to_an_unconfirmed_address() -> None:
    """R12: a SHUTDOWN ACK may come from one; SHUTDOWN COMPLETE is not among what may go there."""
    peer = Peer(addresses=(ONE, TWO))
    peer.established(ONE)
    peer.user_shuts_down()
    # TWO -> SHUTDOWN ACK -> Z, Z -> SHUTDOWN COMPLETE -> ONE
    packets = peer.send(ShutdownAck(), source=TWO)
    assert [(packet.destination, packet.types) for packet in packets] == [(ONE, (ShutdownComplete,))]
