"""ICMP messages (§10): whose they are, whether to believe them, and what they may do."""

from __future__ import annotations

import struct

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram
from aiosctp.core.icmp import IcmpKind, IcmpMessage, handle_icmp
from aiosctp.core.paths import Path
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, PeerAddressChange, PeerAddressChangeKind
from aiosctp.exceptions import AssociationAborted, AssociationRefused
from aiosctp.wire.chunks import Heartbeat, InitAck, decode_chunks
from aiosctp.wire.packet import encode_packet
from tests.core.pair import Pair

UNREACHABLE = (IcmpKind.PORT_UNREACHABLE, IcmpKind.DESTINATION_UNREACHABLE)
HEEDS_ICMP_ALONE = Config(path_mtu_discovery=False)
ENDS_A_CONNECT = (IcmpKind.PORT_UNREACHABLE, IcmpKind.PROTOCOL_UNREACHABLE)


class Bench:
    """Host `a` of a pair, and the network that complains of its packets."""

    def __init__(self, pair: Pair | None = None) -> None:
        self.pair = pair or Pair()
        self.counters = self.pair.a.engine.counters

    def established(self) -> AssociationEngine:
        return self.pair.established()[0]

    def complain(self, kind: IcmpKind, quoted: bytes, destination: str = "192.0.2.2", mtu: int = 0) -> bool:
        """Whether the message was believed."""
        before = self.counters.icmp_ignored
        self.pair.a.engine.icmp_received(IcmpMessage(kind, quoted, destination, mtu), self.pair.now)
        self.pair.flush()
        return self.counters.icmp_ignored == before

    def sent(self) -> list[Datagram]:
        return [flight.datagram for flight in self.pair.log if flight.sender is self.pair.a]

    def changes(self, association: AssociationEngine) -> list[AssociationChange]:
        self.pair.flush()
        events = self.pair.events_of(self.pair.a, association)
        return [event for event in events if isinstance(event, AssociationChange)]


def quote(association: AssociationEngine, tag_change: int = 0) -> bytes:
    """The eight bytes that RFC 792 promises of a packet of this association."""
    return struct.pack("!HHL", association.local_port, association.peer_port, association.tcb.peer_tag ^ tag_change)


def only_path(association: AssociationEngine) -> Path:
    (path,) = association.paths
    return path


# -- a connection attempt --


@pytest.mark.parametrize("kind", ENDS_A_CONNECT)
def test_an_init_that_draws_unreachable_was_refused(kind: IcmpKind) -> None:
    """R26: ICMP8; and over UDP "port unreachable" is what says that nobody serves the peer's port."""
    bench = Bench()
    ours = bench.pair.connect()
    assert bench.complain(kind, bench.sent()[0].data)
    assert ours.state is AssociationState.CLOSED
    assert isinstance(ours.ending, AssociationRefused)
    assert [change.change for change in bench.changes(ours)] == [AssociationChangeKind.CANT_STR_ASSOC]
    assert bench.pair.a.engine.next_deadline() is None


def test_an_attempt_is_refused_when_no_address_is_left() -> None:
    """R26: one address of the peer that nobody serves does not speak for the others."""
    bench = Bench(Pair(addresses_z=("192.0.2.2", "192.0.2.3")))
    bench.pair.drop = lambda flight: True
    ours = bench.pair.connect(peers=("192.0.2.2", "192.0.2.3"))
    init = bench.sent()[0].data
    assert bench.complain(IcmpKind.PORT_UNREACHABLE, init)
    assert bench.complain(IcmpKind.PORT_UNREACHABLE, init)
    assert ours.state is AssociationState.COOKIE_WAIT
    bench.pair.run_until(lambda: bench.sent()[-1].destination == "192.0.2.3")
    assert bench.complain(IcmpKind.PORT_UNREACHABLE, init, destination="192.0.2.3")
    assert isinstance(ours.ending, AssociationRefused)


def test_an_attempt_goes_on_at_an_address_that_is_served() -> None:
    """R26: the INIT to the second address of the peer succeeds after the first drew "port unreachable"."""
    pair = Pair(addresses_z=("192.0.2.2", "192.0.2.3"))
    pair.listen()
    pair.drop = lambda flight: flight.datagram.destination == "192.0.2.2"
    bench = Bench(pair)
    ours = pair.connect(peers=("192.0.2.2", "192.0.2.3"))
    assert bench.complain(IcmpKind.PORT_UNREACHABLE, bench.sent()[0].data)
    pair.run_until(lambda: ours.state is AssociationState.ESTABLISHED)


@pytest.mark.parametrize(
    "kind", [IcmpKind.DESTINATION_UNREACHABLE, IcmpKind.PACKET_TOO_BIG], ids=lambda kind: kind.name
)
def test_other_messages_leave_an_attempt_alone(kind: IcmpKind) -> None:
    """R26: a network that is unreachable now may be reachable when INIT is sent again."""
    bench = Bench()
    ours = bench.pair.connect()
    for _ in range(20):
        assert bench.complain(kind, bench.sent()[0].data)
    assert ours.state is AssociationState.COOKIE_WAIT


def test_an_init_is_believed_by_its_initiate_tag() -> None:
    """R26: ICMP6: tag 0, the chunk type, and the Initiate Tag that we sent; fewer bytes prove nothing."""
    bench = Bench()
    ours = bench.pair.connect()
    init = bench.sent()[0].data
    another_tag = encode_packet(5000, 7777, 0, (b"\x01\0\0\x14" + bytes(16),))
    not_an_init = encode_packet(5000, 7777, 0, (Heartbeat(init[16:40]).encode(),))
    init_ack = init[:12] + InitAck(ours.tcb.local_tag, 1500, 1, 1, 0).encode()
    for quoted in (another_tag, not_an_init, init_ack, init[:8], init[:19]):
        assert not bench.complain(IcmpKind.PORT_UNREACHABLE, quoted)
    assert ours.ending is None
    assert bench.complain(IcmpKind.PORT_UNREACHABLE, init[:20])
    assert isinstance(ours.ending, AssociationRefused)


# -- whose message it is --


@pytest.mark.parametrize("kind", IcmpKind)
def test_a_message_about_no_association_of_ours_is_ignored(kind: IcmpKind) -> None:
    """R26: ICMP5: found by what the message quotes, ports and destination."""
    bench = Bench()
    ours = bench.established()
    mtu = only_path(ours).mtu
    ports, tag = quote(ours)[:4], quote(ours)[4:]
    for quoted, destination in (
        (struct.pack("!HH", 5001, 7777) + tag, "192.0.2.2"),
        (struct.pack("!HH", 5000, 7778) + tag, "192.0.2.2"),
        (struct.pack("!HH", 7777, 5000) + tag, "192.0.2.2"),
        (ports + tag, "192.0.2.3"),
        (ports + tag[:3], "192.0.2.2"),
        (b"", "192.0.2.2"),
    ):
        assert not bench.complain(kind, quoted, destination, mtu=1000)
    assert ours.state is AssociationState.ESTABLISHED
    assert (only_path(ours).mtu, only_path(ours).error_count) == (mtu, 0)
    assert bench.counters.icmp_received == bench.counters.icmp_ignored == 6


@pytest.mark.parametrize("kind", IcmpKind)
@pytest.mark.parametrize("which", ["another tag", "ours", "zero"])
def test_a_message_under_a_wrong_tag_is_ignored(kind: IcmpKind, which: str) -> None:
    """R26, X18: ICMP6: "If the Verification Tag is not 0 and does not match, discard the ICMP message"."""
    bench = Bench()
    ours = bench.established()
    tags = {"another tag": ours.tcb.peer_tag ^ 1, "ours": ours.tcb.local_tag, "zero": 0}
    quoted = struct.pack("!HHL", 5000, 7777, tags[which]) + bytes(20)
    assert not bench.complain(kind, quoted, mtu=1000)
    assert ours.state is AssociationState.ESTABLISHED
    assert (only_path(ours).mtu, only_path(ours).error_count) == (1500, 0)


def test_a_message_about_an_address_that_is_no_path_any_more_is_ignored() -> None:
    bench = Bench()
    ours = bench.established()
    message = IcmpMessage(IcmpKind.PORT_UNREACHABLE, quote(ours), "192.0.2.3")
    assert handle_icmp(message, lambda *key: ours, bench.pair.now) is None
    assert only_path(ours).error_count == 0


# -- an association that lives --


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_no_unreachable_ends_an_association(kind: IcmpKind) -> None:
    """R26: ICMP3, ICMP9: anyone who sees our packets can forge it: a path error at most, however often it comes."""
    config = Config(association_max_retrans=3, path_max_retrans=2, heartbeat=False)
    bench = Bench(Pair(config_a=config))
    ours = bench.established()
    for _ in range(50):
        assert bench.complain(kind, quote(ours))
        bench.pair.run_for(2.0)
    assert ours.state is AssociationState.ESTABLISHED
    assert ours.failure.error_count == 0
    assert only_path(ours).is_inactive
    events = bench.pair.events_of(bench.pair.a, ours)
    address = ("192.0.2.2", 7777)
    assert events.count(PeerAddressChange(address, PeerAddressChangeKind.UNREACHABLE)) == 1


def test_a_path_that_is_wrongly_called_unreachable_comes_back() -> None:
    """R26: the next HEARTBEAT ACK is worth more than any ICMP message."""
    bench = Bench(Pair(config_a=Config(path_max_retrans=0, hb_interval_s=5)))
    ours = bench.established()
    assert bench.complain(IcmpKind.PORT_UNREACHABLE, quote(ours))
    assert only_path(ours).is_inactive
    bench.pair.run_until(lambda: only_path(ours).is_active, limit_s=30)
    available = PeerAddressChange(("192.0.2.2", 7777), PeerAddressChangeKind.AVAILABLE)
    assert available in bench.pair.events_of(bench.pair.a, ours)


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_messages_count_no_faster_than_lost_packets_would(kind: IcmpKind) -> None:
    """R26: ICMP9: one path error an RTO, so that a burst of ICMP does not take a path away at once."""
    bench = Bench(Pair(config_a=Config(heartbeat=False)))
    ours = bench.established()
    path = only_path(ours)
    for _ in range(10):
        assert bench.complain(kind, quote(ours))
    assert path.error_count == 1
    bench.pair.run_for(path.rto.rto_s * 0.99)
    assert bench.complain(kind, quote(ours))
    assert path.error_count == 1
    bench.pair.run_for(path.rto.rto_s * 0.02)
    assert bench.complain(kind, quote(ours))
    assert path.error_count == 2


def test_protocol_unreachable_under_the_peers_tag_is_an_abort() -> None:
    """R26: ICMP8: "MUST treat this message as an abort with the T bit set"."""
    bench = Bench()
    ours = bench.established()
    sent = len(bench.sent())
    assert bench.complain(IcmpKind.PROTOCOL_UNREACHABLE, quote(ours))
    assert ours.state is AssociationState.CLOSED
    assert isinstance(ours.ending, AssociationAborted)
    assert not ours.ending.local
    assert bench.changes(ours)[-1].change is AssociationChangeKind.COMM_LOST
    assert len(bench.sent()) == sent


@pytest.mark.parametrize("kind", ENDS_A_CONNECT)
def test_an_old_init_that_draws_unreachable_ends_nothing_once_established(kind: IcmpKind) -> None:
    """R26: ICMP8: with an INIT quoted it is an abort in COOKIE-WAIT only."""
    bench = Bench()
    ours = bench.established()
    assert bench.complain(kind, bench.sent()[0].data)
    assert ours.state is AssociationState.ESTABLISHED
    assert ours.failure.error_count == 0
    assert only_path(ours).error_count == 1


def test_protocol_unreachable_while_the_cookie_is_under_way_fails_the_attempt() -> None:
    """C07: in COOKIE-ECHOED the association never came up: CANT_STR_ASSOC, not COMM_LOST."""
    pair = Pair()
    pair.listen()
    pair.drop = lambda flight: flight.sender is pair.a and flight.chunk_type == 10
    bench = Bench(pair)
    ours = pair.connect()
    pair.run_until(lambda: ours.state is AssociationState.COOKIE_ECHOED)
    assert bench.complain(IcmpKind.PROTOCOL_UNREACHABLE, quote(ours))
    assert isinstance(ours.ending, AssociationRefused)
    assert [change.change for change in bench.changes(ours)] == [AssociationChangeKind.CANT_STR_ASSOC]


def test_only_our_init_refuses_an_attempt_that_began_anew() -> None:
    """R26: ICMP8: back in COOKIE-WAIT after a stale cookie, an old packet under the peer's tag is no INIT."""
    pair = Pair(config_z=Config(valid_cookie_life_s=0.1, max_cookie_life_s=0.1), latency_s=0.2)
    pair.listen()
    bench = Bench(pair)
    ours = pair.connect()
    pair.run_until(lambda: ours.tcb.peer_tag != 0)
    pair.run_until(lambda: ours.state is AssociationState.COOKIE_WAIT)
    assert bench.complain(IcmpKind.PORT_UNREACHABLE, quote(ours))
    assert (ours.state, only_path(ours).error_count) == (AssociationState.COOKIE_WAIT, 1)


# -- packet too big, without discovery by probes (with it: test_packets_too_big.py) --


@pytest.mark.parametrize(
    ("told", "expected"),
    [(1499, 1499), (1400, 1400), (576, 576), (575, 1500), (68, 1500), (1, 1500), (1500, 1500), (9000, 1500)],
)
def test_a_packet_too_big_makes_a_path_smaller_within_bounds(told: int, expected: int) -> None:
    """R26: ICMP7: never larger, and never below what every IPv4 host takes."""
    bench = Bench(Pair(config_a=HEEDS_ICMP_ALONE))
    ours = bench.established()
    assert bench.complain(IcmpKind.PACKET_TOO_BIG, quote(ours), mtu=told)
    path = only_path(ours)
    assert path.mtu == expected
    assert (path.packet_bytes, path.error_count) == (expected - 28, 0)


@pytest.mark.parametrize(("before", "told", "expected"), [(1500, 1280, 1280), (1500, 1279, 1500), (1280, 1200, 1280)])
def test_an_ipv6_path_never_falls_below_1280(before: int, told: int, expected: int) -> None:
    """R26: ICMP7, RFC 8200 §5."""
    bench = Bench(Pair(config_a=HEEDS_ICMP_ALONE, addresses_a=("2001:db8::1",), addresses_z=("2001:db8::2",)))
    ours = bench.established()
    only_path(ours).set_mtu(before)
    assert bench.complain(IcmpKind.PACKET_TOO_BIG, quote(ours), "2001:db8::2", told)
    assert only_path(ours).mtu == expected


def test_the_mtu_of_one_path_says_nothing_of_another() -> None:
    """§7.3: "MUST maintain separate PMTU estimates for each destination address of its peer"."""
    bench = Bench(Pair(config_a=HEEDS_ICMP_ALONE, addresses_z=("192.0.2.2", "192.0.2.3")))
    ours = bench.established()
    assert bench.complain(IcmpKind.PACKET_TOO_BIG, quote(ours), "192.0.2.3", 1000)
    assert {path.address: path.mtu for path in ours.paths} == {"192.0.2.2": 1500, "192.0.2.3": 1000}


def test_a_router_that_names_no_mtu_makes_us_go_down_the_plateaus() -> None:
    """R26: ICMP7, RFC 1191 §5."""
    bench = Bench(Pair(config_a=HEEDS_ICMP_ALONE))
    ours = bench.established()
    seen = []
    for _ in range(11):
        assert bench.complain(IcmpKind.PACKET_TOO_BIG, quote(ours))
        seen.append(only_path(ours).mtu)
    assert seen == [1492, 1480, 1460, 1440, 1420, 1400, 1280, 1006, 576, 576, 576]


def test_an_ipv6_path_goes_down_the_plateaus_to_1280() -> None:
    bench = Bench(Pair(config_a=HEEDS_ICMP_ALONE, addresses_a=("2001:db8::1",), addresses_z=("2001:db8::2",)))
    ours = bench.established()
    only_path(ours).set_mtu(1450)
    seen = []
    for _ in range(5):
        assert bench.complain(IcmpKind.PACKET_TOO_BIG, quote(ours), "2001:db8::2")
        seen.append(only_path(ours).mtu)
    assert seen == [1440, 1420, 1400, 1280, 1280]


@pytest.mark.parametrize("told", [0, 576, 1000])
def test_a_path_mtu_that_was_fixed_stays(told: int) -> None:
    """R26, X12: the user's word stands over the network's."""
    bench = Bench(Pair(config_a=Config(path_mtu=1400)))
    ours = bench.established()
    assert bench.complain(IcmpKind.PACKET_TOO_BIG, quote(ours), mtu=told)
    assert only_path(ours).mtu == 1400


# -- what our own system says --


def heartbeat_of(bench: Bench, association: AssociationEngine) -> Datagram:
    association.heartbeats.request(only_path(association), bench.pair.now)
    bench.pair.a.engine.touch(association)
    bench.pair.flush()
    datagram = bench.sent()[-1]
    assert isinstance(next(decode_chunks(datagram.data)), Heartbeat)
    return datagram


def test_a_datagram_that_the_system_cannot_route_is_a_path_error() -> None:
    """R26: the same as "destination unreachable", never an exception; refused or lost, the packet is gone."""
    bench = Bench()
    ours = bench.established()
    bench.pair.a.engine.send_failed(heartbeat_of(bench, ours), too_big=False, now=bench.pair.now)
    assert (only_path(ours).error_count, ours.failure.error_count) == (1, 0)
    assert (bench.counters.send_errors, bench.counters.icmp_received) == (1, 0)
    assert ours.state is AssociationState.ESTABLISHED


def test_a_datagram_that_its_interface_cannot_take_makes_the_path_smaller() -> None:
    """R26: the system names no MTU: one plateau down."""
    bench = Bench(Pair(config_a=HEEDS_ICMP_ALONE))
    ours = bench.established()
    bench.pair.a.engine.send_failed(heartbeat_of(bench, ours), too_big=True, now=bench.pair.now)
    assert (only_path(ours).mtu, only_path(ours).error_count) == (1492, 0)


def test_an_init_that_the_system_cannot_route_is_sent_again() -> None:
    bench = Bench()
    ours = bench.pair.connect()
    bench.pair.a.engine.send_failed(bench.sent()[0], too_big=False, now=bench.pair.now)
    assert ours.state is AssociationState.COOKIE_WAIT
    bench.pair.listen()
    bench.pair.run_until(lambda: ours.state is AssociationState.ESTABLISHED, limit_s=5)


def test_an_answer_without_an_association_may_be_lost() -> None:
    """An INIT ACK that could not be sent concerns nobody here: the peer sends its INIT again."""
    pair = Pair()
    pair.listen()
    pair.connect()
    pair.step()
    (init_ack,) = (flight.datagram for flight in pair.log if flight.sender is pair.z)
    pair.z.engine.send_failed(init_ack, too_big=True, now=pair.now)
    assert pair.z.engine.counters.send_errors == 1
    assert pair.z.engine.next_deadline() is None
