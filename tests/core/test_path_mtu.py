"""Path MTU discovery by probes (RFC 8899): what is probed and when, and what a path that changes does to a transfer."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.heartbeat import MAX_PENDING
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.path_mtu import LIKELY_MTUS, next_size
from aiosctp.core.paths import Path
from aiosctp.core.states import AssociationState, PathState
from aiosctp.core.timers import Timer
from aiosctp.wire.chunks import Chunk, Data, Heartbeat, HeartbeatAck, Pad, decode_chunks
from tests.core.laws import check_association
from tests.core.pair import Flight, Pair

ONE, TWO = "192.0.2.2", "192.0.2.3"
BASE, LEAST = 1220, 576
RTT_S = 0.02
BULK = 200_000


def ipv6_pair(route_mtu: int | None = 1500) -> Pair:
    return Pair(addresses_a=("2001:db8::1",), addresses_z=("2001:db8::2",), route_mtu=route_mtu)


def ip_bytes(flight: Flight) -> int:
    return len(flight.data) + (48 if ":" in flight.datagram.destination else 28)


def chunks_of(flight: Flight) -> list[Chunk]:
    return [chunk for chunk in decode_chunks(flight.data) if not isinstance(chunk, Exception)]


def is_probe(flight: Flight) -> bool:
    return [type(chunk) for chunk in chunks_of(flight)] == [Heartbeat, Pad]


class Link:
    """An association of host `a` with host `z`, over a link that carries packets of so many bytes from `a`."""

    def __init__(
        self, mtu: int, route_mtu: int | None = 9000, *, config: Config | None = None, pair: Pair | None = None
    ) -> None:
        self.mtu = mtu
        self.narrow: set[str] | None = None
        """The addresses that it holds for; None for all."""
        self.is_dead = False
        self.unread_bytes = 0
        self.pair = pair or Pair(config_a=config, route_mtu=route_mtu)
        self.ours, self.theirs = self.pair.established()
        self.pair.drop = self._drops
        self.begun = len(self.pair.log)

    def _drops(self, flight: Flight) -> bool:
        if self.is_dead:
            return True
        is_held = self.narrow is None or flight.datagram.destination in self.narrow
        return is_held and self._stays_whole(flight) and ip_bytes(flight) > self.mtu

    def _stays_whole(self, flight: Flight) -> bool:
        """RFC 8200 §4.5: over IPv6 only the sender fragments, and Linux what the interface does not take."""
        route_mtu = flight.sender.route_mtu
        fits = ":" in flight.datagram.destination and route_mtu is not None and ip_bytes(flight) <= route_mtu
        return flight.datagram.dont_fragment or fits

    @property
    def path(self) -> Path:
        return self.ours.paths.primary

    @property
    def sent(self) -> list[Flight]:
        """What `a` has sent since the beginning."""
        return [flight for flight in self.pair.log[self.begun :] if flight.sender is self.pair.a]

    @property
    def probes(self) -> list[Flight]:
        return [flight for flight in self.sent if is_probe(flight)]

    @property
    def sizes(self) -> list[int]:
        return [ip_bytes(flight) for flight in self.probes]

    def send(self, *sizes: int) -> None:
        for size in sizes:
            self.ours.send(OutgoingMessage(bytes(size), 0))
            self.unread_bytes += size
        self.pair.a.engine.touch(self.ours)
        self.pair.flush()

    def transfer(self, total: int = BULK, *, limit_s: float = 600.0) -> float:
        """Send so much, and read all that was sent at the other end; how long it took."""
        began = self.pair.now
        self.send(total)

        def has_arrived() -> bool:
            while (message := self.theirs.receiver.read()) is not None:
                self.unread_bytes -= len(message.data)
            self.pair.z.engine.touch(self.theirs)
            return not self.unread_bytes and self.ours.sender.is_drained

        self.pair.run_until(has_arrived, limit_s=limit_s)
        check_association(self.ours)
        return self.pair.now - began

    def search(self) -> None:
        """Send, and wait until the search is over."""
        self.transfer()
        self.pair.run_until(lambda: all(path.mtu_search is None for path in self.ours.paths))

    def complain(self, mtu: int, *, address: str | None = None) -> None:
        """A router says that a packet was too big."""
        tcb = self.ours.tcb
        quoted = struct.pack("!HHL", self.ours.local_port, self.ours.peer_port, tcb.peer_tag)
        message = IcmpMessage(IcmpKind.PACKET_TOO_BIG, quoted, address or self.path.address, mtu)
        self.pair.a.engine.icmp_received(message, self.pair.now)
        self.pair.flush()


def searched(mtu: int, route_mtu: int | None = 9000) -> Link:
    link = Link(mtu, route_mtu)
    link.search()
    return link


# -- where it begins --


@pytest.mark.parametrize(
    ("route_mtu", "expected"), [(None, 1500), (1500, 1500), (9000, 1500), (1400, 1400), (576, 576), (300, 576)]
)
def test_a_path_begins_with_what_its_route_takes_but_no_more_than_is_usual(
    route_mtu: int | None, expected: int
) -> None:
    """S13: RFC 8899 §3, 5: "to utilize information about the maximum size of packet ... on the local link"."""
    assert Link(65535, route_mtu).path.mtu == expected


@pytest.mark.parametrize(("route_mtu", "expected"), [(None, 1280), (1500, 1280), (1280, 1280), (1000, 1280)])
def test_an_ipv6_path_begins_with_1280(route_mtu: int | None, expected: int) -> None:
    link = Link(65535, pair=ipv6_pair(route_mtu))
    assert link.path.mtu == expected


def test_both_ends_begin_with_their_routes() -> None:
    pair = Pair(route_mtu=1400)
    assert [path.mtu for end in pair.established() for path in end.paths] == [1400, 1400]


# -- when it is probed --


def test_who_sends_nothing_probes_nothing() -> None:
    """S13: RFC 8899 §5.1.1: "DPLPMTUD MAY inhibit sending probe packets when no application data has been sent"."""
    link = Link(9000)
    link.pair.run_for(2000)
    assert link.probes == []


def test_who_sends_less_than_a_packet_at_a_time_probes_nothing() -> None:
    """Larger packets would carry nothing more."""
    link = Link(9000)
    for _ in range(20):
        link.transfer(1000)
    assert link.probes == []


def test_the_largest_size_is_probed_first_and_used_a_round_trip_later() -> None:
    """S13: RFC 8899 §5.3.2: "maximize the gain in PLPMTU from each search step": most paths carry what the interface
    does."""
    link = Link(9000)
    began = link.pair.now
    link.send(BULK)
    assert link.sizes == [9000]
    assert link.path.mtu == 1500
    link.pair.run_until(lambda: link.path.mtu == 9000)
    assert link.pair.now - began == pytest.approx(RTT_S)
    link.transfer()
    assert max(map(ip_bytes, link.sent)) == 9000
    assert link.sizes == [9000]


def test_a_loopback_interface_is_used_whole() -> None:
    """The largest UDP datagram over IPv4: packets end on a 4-byte boundary."""
    link = searched(65535, 65536)
    assert link.path.mtu == 65535
    assert link.sizes == [65532]
    assert max(ip_bytes(flight) for flight in link.sent if not is_probe(flight)) <= 65535


@pytest.mark.parametrize("route_mtu", [None, 1500, 1400])
def test_nothing_is_probed_where_the_route_takes_no_more(route_mtu: int | None) -> None:
    """S13: RFC 8899 §5.1.2: MAX_PLPMTU "has to be less than or equal to the maximum size ... on the outgoing
    interface"."""
    assert searched(1500, route_mtu).probes == []


def test_over_ipv6_1500_is_found() -> None:
    """S13: it begins with 1280, and most networks carry more."""
    link = Link(1500, pair=ipv6_pair())
    link.search()
    assert (link.path.mtu, link.sizes) == (1500, [1500])


def test_nothing_is_probed_before_the_association_is_established() -> None:
    """S13: RFC 8899 §6.2.1.1: "A sender can ... enter the BASE state as soon as connectivity has been confirmed"."""
    pair = Pair(route_mtu=9000)
    pair.listen()
    ours = pair.connect()
    ours.send(OutgoingMessage(bytes(BULK), 0))
    pair.a.engine.touch(ours)
    while ours.state is not AssociationState.ESTABLISHED:
        assert not any(is_probe(flight) for flight in pair.log)
        pair.step()


def test_an_address_that_is_not_confirmed_is_not_probed() -> None:
    """RFC 9260 §5.4: only HEARTBEATs that confirm it go there."""
    pair = Pair(addresses_z=(ONE, TWO), route_mtu=9000)
    pair.drop = lambda flight: flight.datagram.destination == TWO
    link = Link(9000, pair=pair)
    pair.drop = lambda flight: flight.datagram.destination == TWO
    link.transfer()
    assert {flight.datagram.destination for flight in link.probes} == {ONE}
    # Once it is, it is searched as well.
    pair.drop = lambda flight: False
    pair.run_until(lambda: all(path.is_confirmed for path in link.ours.paths))
    link.search()
    assert {path.address: path.mtu for path in link.ours.paths} == {ONE: 9000, TWO: 9000}


def test_nothing_is_probed_once_shutdown_was_sent() -> None:
    """RFC 9260 §8.3: HEARTBEATs are "discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk"."""
    link = Link(1500)
    link.send(20_000)
    link.ours.shutdown(link.pair.now)
    link.pair.run_until(lambda: link.ours.state is AssociationState.SHUTDOWN_SENT)
    link.is_dead = True
    sent = len(link.probes)
    assert sent >= 1
    link.pair.run_for(60)
    assert len(link.probes) == sent


# -- the probe --


def test_a_probe_is_a_heartbeat_padded_to_the_size_probed() -> None:
    """S13, M16: RFC 8899 §6.2.1.2: "an SCTP common header followed by a HEARTBEAT chunk and a PAD chunk"; §3, 2: "MUST
    be sent with the Don't Fragment (DF) bit set"."""
    link = searched(1500, 9000)
    assert len(link.probes) == 3
    for probe in link.probes:
        assert [type(chunk) for chunk in chunks_of(probe)] == [Heartbeat, Pad]
        assert probe.datagram.dont_fragment
        assert ip_bytes(probe) > 1500


def test_each_probe_can_be_told_from_all_others() -> None:
    """RFC 8899 §4.1: "MUST contain enough information to uniquely identify the probe"."""
    link = searched(1500, 9000)
    infos = [chunk.info for probe in link.probes for chunk in chunks_of(probe) if isinstance(chunk, Heartbeat)]
    assert len(set(infos)) == len(infos) == 3


def test_probes_pass_congestion_and_flow_control_by() -> None:
    """RFC 8899 §3, 8: "Flow control SHOULD NOT apply"; §6.2: "without being limited by congestion control"."""
    link = Link(9000)
    link.send(BULK)
    assert link.path.flight_bytes >= link.path.congestion.cwnd
    assert link.sizes == [9000]


def test_one_probe_is_outstanding_at_a_time_and_its_timer_is_no_less_than_a_second() -> None:
    """S13: RFC 8899 §5.1.1: PROBE_TIMER "MUST NOT be smaller than 1 second"; §8: "the interval between individual probe
    packets MUST be at least one RTT"."""
    link = Link(1500, config=Config(rto_min_s=0.05, rto_initial_s=0.05))
    link.search()
    moments = [probe.at for probe in link.probes]
    assert [later - earlier for earlier, later in pairwise(moments)] == [1.0, 1.0]


def test_the_timer_follows_a_slower_path() -> None:
    """RFC 8899 §5.1.1: "longer than the maximum time to receive an acknowledgment"."""
    link = Link(1500, pair=Pair(latency_s=1.5, route_mtu=9000))
    link.search()
    first, second = link.probes[:2]
    assert second.at - first.at > 3.0


# -- what becomes of it --


def test_a_lost_probe_is_no_sign_of_congestion_and_no_failure() -> None:
    """S13: RFC 8899 §3, 7: "Loss of a probe packet SHOULD NOT be treated as an indication of congestion"; §6.2.1.2: "an
    unsuccessful probe is discounted"."""
    narrow, wide = Link(1500, 9000), Link(1500, 1500)
    for link in (narrow, wide):
        link.search()
    assert (len(narrow.probes), len(wide.probes)) == (3, 0)
    for link in (narrow, wide):
        assert (link.path.error_count, link.ours.failure.error_count) == (0, 0)
    assert narrow.path.congestion.cwnd == wide.path.congestion.cwnd
    assert narrow.path.congestion.ssthresh == wide.path.congestion.ssthresh
    assert narrow.path.rto.rto_s == wide.path.rto.rto_s
    # Nor is it waited for with the timer of HEARTBEATs.
    assert not narrow.ours.timers.is_running((Timer.HEARTBEAT_ACK, narrow.path))


def test_an_answer_clears_errors_as_that_of_any_heartbeat_does() -> None:
    """RFC 8899 §6.2.1.2: "A successful probe updates the association and path counters"."""
    link = Link(9000)
    link.path.error_count = 3
    link.send(BULK)
    link.pair.run_until(lambda: link.path.mtu == 9000)
    assert link.path.error_count == 0


def test_a_larger_path_mtu_leaves_cwnd_as_it_is() -> None:
    """S13: RFC 8899 §3, 7: "MUST NOT increase the congestion window measured in bytes"."""
    link = Link(65535, 65535)
    # All acknowledged: what is left is the probe's answer, which is held up.
    link.pair.drop = is_probe
    link.transfer(6000)
    (probe,) = link.probes
    cwnd = link.path.congestion.cwnd
    assert cwnd < 65535
    link.pair.drop = lambda flight: False
    link.pair.z.engine.receive(probe.data, "192.0.2.1", 9899, ONE, link.pair.now)
    link.pair.run_until(lambda: link.path.mtu == 65535)
    assert link.path.congestion.cwnd == cwnd


@pytest.mark.parametrize("route_mtu", [9000, 9216, 65535])
@pytest.mark.parametrize("mtu", [1500, 1600, 2000, 4352, 8896, 9000, 20000, 65520])
def test_the_search_ends_near_what_the_path_carries(mtu: int, route_mtu: int) -> None:
    """S13: RFC 8899 §5.3: never above; and less below than 1/64, or below the fourth of three sizes lost in a row."""
    link = searched(mtu, route_mtu)
    carried = min(mtu, route_mtu)
    assert link.path.mtu <= carried
    assert link.path.mtu >= carried * 63 / 64 or link.path.mtu == 1500
    assert all(ip_bytes(flight) <= link.path.mtu for flight in link.sent if not is_probe(flight))
    assert len(link.probes) <= 16


@pytest.mark.parametrize("mtu", [1280, 1281, 1300, 1400, 1420, 1480, 1492, 1499, 1500])
def test_the_search_over_ipv6_ends_near_what_the_path_carries(mtu: int) -> None:
    link = Link(mtu, pair=ipv6_pair())
    link.search()
    assert mtu * 63 / 64 <= link.path.mtu <= mtu
    assert link.path.mtu == mtu or mtu not in LIKELY_MTUS


def test_three_probes_lost_in_a_row_end_the_search() -> None:
    """S13: RFC 8899 §5.1.2: MAX_PROBES, "consecutive probe attempts of any size"; §5.3.1: "probing will stop"."""
    link = searched(1500, 9001)
    assert len(link.probes) == 3
    assert sorted(link.sizes, reverse=True) == link.sizes
    assert link.path.mtu == 1500
    # §5.2: "SHOULD NOT continue to generate PLPMTU probes in this state", though data flows.
    link.pair.run_for(500)
    link.transfer()
    link.pair.run_for(50)
    assert len(link.probes) == 3


def test_a_probe_that_an_accident_lost_costs_little() -> None:
    """RFC 8899 §3, 4: "REQUIRED to be robust in the case where probe packets are lost due to other reasons"."""
    link = Link(65535, 65535)
    lost = 0

    def drop_first_probe(flight: Flight) -> bool:
        nonlocal lost
        lost += is_probe(flight)
        return is_probe(flight) and lost == 1

    link.pair.drop = drop_first_probe
    link.search()
    assert link.path.mtu >= 65535 * 63 / 64


def test_nothing_is_left_running_when_the_search_is_complete() -> None:
    """An idle association wakes up for its HEARTBEATs, and for nothing else."""
    link = searched(1500, 9000)
    assert link.path.mtu_search is None
    assert not link.ours.timers.is_running((Timer.PATH_MTU_PROBE, link.path))
    (timer,) = link.ours.timers._deadlines
    assert timer == (Timer.HEARTBEAT, link.path)


def test_after_600_seconds_data_begins_another_search() -> None:
    """S13: RFC 8899 §5.1.1: PMTU_RAISE_TIMER, "600 seconds"; a path that became wider is found so."""
    link = searched(1500, 9000)
    link.mtu = 9000
    link.pair.run_for(590)
    link.transfer()
    assert link.path.mtu == 1500
    link.pair.run_for(20)
    # Not by itself: there may be nothing to send.
    assert len(link.probes) == 3
    link.search()
    assert link.path.mtu == 9000


def test_a_route_that_became_wider_is_found_and_one_that_became_narrower_bounds_the_search() -> None:
    """Each search asks for the route's MTU anew; but what is carried is not given up for it."""
    link = searched(9000, 1500)
    link.pair.a.route_mtu = 9000
    link.pair.run_for(600)
    link.search()
    assert link.path.mtu == 9000
    link.pair.a.route_mtu = 1400
    link.pair.run_for(600)
    link.search()
    assert link.path.mtu == 9000


def test_over_ipv6_nothing_is_probed_where_nothing_is_known_of_the_route() -> None:
    """As off Linux, where IP would fragment the probe, and its answer tell nothing."""
    link = Link(1280, pair=ipv6_pair(None))
    link.search()
    assert (link.path.mtu, link.probes) == (1280, [])


def test_a_late_answer_counts_as_well() -> None:
    """S13: RFC 8899 §3: "REQUIRED to be robust to the possibility that packets could be significantly delayed"."""
    link = Link(9000)
    link.pair.drop = is_probe
    link.search()
    assert link.path.mtu == 1500
    late = link.probes[0]
    link.pair.drop = lambda flight: False
    link.pair.z.engine.receive(late.data, "192.0.2.1", 9899, ONE, link.pair.now)
    link.pair.run_until(lambda: link.path.mtu == 9000)


def test_an_answer_counts_once_and_only_with_its_nonce() -> None:
    """RFC 8899 §4.1: "robust to reordering and replay of probe response"."""
    link = searched(9000)
    (answer,) = [
        flight
        for flight in link.pair.log
        if flight.sender is link.pair.z and any(isinstance(chunk, HeartbeatAck) for chunk in chunks_of(flight))
    ][:1]
    link.path.set_mtu(1500)
    link.pair.a.engine.receive(answer.data, ONE, 9899, "192.0.2.1", link.pair.now)
    assert link.path.mtu == 1500


def test_the_heartbeats_of_a_path_go_on_beside_its_probes() -> None:
    """MAX_PENDING bounds both together."""
    link = Link(1500, config=Config(hb_interval_s=0))
    link.is_dead = True
    link.send(BULK)
    link.pair.run_for(20)
    assert len(link.path.pending_heartbeats) <= MAX_PENDING


# -- several paths --


def test_each_path_has_a_search_of_its_own() -> None:
    """S13: RFC 9260 §7.3, RFC 8899 §5.2: "a state machine is needed for each path"; the fragments fit all of them."""
    link = Link(1500, pair=Pair(addresses_z=(ONE, TWO), route_mtu=9000))
    link.narrow = {TWO}
    link.pair.run_until(lambda: all(path.is_confirmed for path in link.ours.paths))
    link.search()
    assert {path.address: path.mtu for path in link.ours.paths} == {ONE: 9000, TWO: 1500}
    before = len(link.sent)
    link.transfer()
    data = [chunk for flight in link.sent[before:] for chunk in chunks_of(flight) if isinstance(chunk, Data)]
    assert max(len(chunk.payload) for chunk in data) == 1500 - 28 - 12 - 16
    # Several of them are bundled on the wider path.
    assert max(map(ip_bytes, link.sent[before:])) > 1500


# -- black holes --


@pytest.mark.parametrize("mtu", [1400, 1280, 1220, 1000, 576])
@pytest.mark.parametrize("before", [1500, 9000])
def test_a_transfer_survives_a_path_that_silently_becomes_narrower(before: int, mtu: int) -> None:
    """S13, X57: RFC 8899 §4.3: no ICMP says so, and HEARTBEATs get through as before."""
    config = Config(association_max_retrans=4, path_max_retrans=3, hb_interval_s=0.5)
    link = Link(before, before, config=config)
    link.search()
    assert link.path.mtu == before
    link.send(BULK)
    link.pair.run_for(RTT_S)
    link.mtu = mtu
    took_s = link.transfer(BULK, limit_s=60)
    # T3 after 1 s, a probe of that size lost 2 s later, and another one when a smaller one had got through; below the
    # base size one of that is lost as well.
    assert took_s < (5 if mtu >= BASE else 9)
    assert link.ours.state is AssociationState.ESTABLISHED
    assert link.path.state is PathState.ACTIVE
    link.pair.run_until(lambda: link.path.mtu_search is None)
    assert LEAST <= link.path.mtu <= mtu
    assert mtu < BASE or link.path.mtu >= mtu * 63 / 64


@pytest.mark.parametrize("mtu", [1400, 1280])
@pytest.mark.parametrize("before", [1500, 9000])
def test_over_ipv6_what_was_cut_before_is_made_too_large_for_the_interface_to_be_fragmented(
    before: int, mtu: int
) -> None:
    """§6.9, X57: no router fragments, and Linux nothing that its interface takes."""
    link = Link(before, pair=ipv6_pair(before))
    link.search()
    assert link.path.mtu == before
    link.send(BULK)
    link.pair.run_for(RTT_S)
    link.mtu = mtu
    assert link.transfer(BULK, limit_s=60) < 9
    fragmented = [flight for flight in link.sent if not flight.datagram.dont_fragment]
    assert fragmented
    for flight in fragmented:
        assert [type(chunk) for chunk in chunks_of(flight)] in ([Data], [Data, Pad])
        assert before < ip_bytes(flight) <= before + 4


@pytest.mark.parametrize("route_mtu", [None, 65536])
def test_over_ipv6_nothing_is_added_where_the_interface_is_unknown_or_takes_every_datagram(
    route_mtu: int | None,
) -> None:
    link = Link(1500, pair=ipv6_pair(1500))
    link.search()
    link.send(BULK)
    link.pair.run_for(RTT_S)
    link.pair.a.route_mtu = route_mtu
    link.pair.drop = lambda flight: flight.datagram.dont_fragment and ip_bytes(flight) > 1280
    link.transfer(BULK)
    fragmented = [flight for flight in link.sent if not flight.datagram.dont_fragment]
    assert fragmented
    assert {type(chunk) for flight in fragmented for chunk in chunks_of(flight)} == {Data}


def test_what_was_cut_for_a_wider_path_is_fragmented_by_ip() -> None:
    """RFC 8899 §6.2, RFC 9260 §6.9: a chunk can't be cut again."""
    link = searched(9000)
    link.mtu = 1400
    link.transfer()
    fragmented = [flight for flight in link.sent if not flight.datagram.dont_fragment]
    assert fragmented
    for flight in fragmented:
        assert [type(chunk) for chunk in chunks_of(flight)] == [Data]


def test_a_black_hole_is_found_on_a_path_whose_data_another_one_saves() -> None:
    """S13, X57: RFC 8899 §4.3: small packets and HEARTBEATs clear the errors of the path, large ones time out, again
    and again, and are acknowledged elsewhere (RFC 9260 §6.4)."""
    link = Link(1500, pair=Pair(addresses_z=(ONE, TWO), route_mtu=1500, config_a=Config(hb_interval_s=0.5)))
    link.pair.run_until(lambda: all(path.is_confirmed for path in link.ours.paths))
    link.mtu, link.narrow = 1300, {ONE}
    for _ in range(10):
        link.transfer(100)
        link.transfer(1400)
    assert link.path.mtu <= 1300
    began = link.pair.now
    link.transfer(BULK)
    assert link.pair.now - began < 1.0


def test_a_loss_that_times_out_leaves_the_path_mtu_as_it_is() -> None:
    """RFC 8899 §4.3: the probe of the size in use is answered: it was another reason."""
    link = Link(1500, 1500)
    link.is_dead = True
    link.send(BULK)
    link.is_dead = False
    took_s = link.transfer(BULK)
    assert took_s > 1.0
    assert link.sizes == [1500]
    assert link.path.mtu == 1500
    assert link.path.mtu_search is None


@pytest.mark.parametrize("outage_s", [2.0, 5.0, 20.0])
def test_an_outage_leaves_the_path_mtu_as_it_is(outage_s: float) -> None:
    """A path that carries nothing is not narrower: only what gets through can be the path MTU."""
    link = Link(1500, 1500)
    link.send(BULK)
    link.is_dead = True
    link.pair.run_for(outage_s)
    assert link.path.mtu == 1500
    link.is_dead = False
    link.transfer(BULK)
    link.pair.run_until(lambda: link.path.mtu_search is None)
    assert link.path.mtu == 1500
    # Each T3-rtx began no more than three.
    assert len(link.probes) <= 12


def test_a_late_answer_tells_how_far_to_fall_and_begins_no_search() -> None:
    """The least size is tried, for the answer for the base is late; then the fall ends at the base."""
    link = Link(1300, 1500)
    link.send(3000)
    held_up: list[Flight] = []

    def hold_up(flight: Flight) -> bool:
        if is_probe(flight) and ip_bytes(flight) == BASE and not held_up:
            held_up.append(flight)
            return True
        return ip_bytes(flight) > BASE if flight.sender is link.pair.a else False

    link.pair.drop = hold_up
    link.pair.run_until(lambda: LEAST in link.sizes, limit_s=60)
    search = link.path.mtu_search
    assert search is not None
    assert search.ceiling == 0
    link.pair.z.engine.receive(held_up[0].data, "192.0.2.1", 9899, ONE, link.pair.now)
    link.pair.run_until(lambda: search.carried == BASE, limit_s=1)
    assert search.ceiling == 0
    link.pair.run_until(lambda: link.path.mtu < 1500, limit_s=60)
    assert link.path.mtu == BASE


def test_small_packets_that_time_out_say_nothing_of_the_path_mtu() -> None:
    link = Link(1500, 1500)
    link.is_dead = True
    link.send(100)
    link.pair.run_for(20)
    assert link.probes == []


def test_a_search_goes_on_after_an_unfounded_doubt() -> None:
    """What it was at is left out: a large probe may be what filled the queue in which data was lost."""
    link = Link(4352)
    link.send(BULK)
    link.is_dead = True
    link.pair.run_for(1.5)
    link.is_dead = False
    link.transfer(BULK)
    link.pair.run_until(lambda: link.path.mtu_search is None)
    assert link.path.mtu >= 4352 * 63 / 64
    assert link.sizes.count(9000) == 1


def test_an_answer_of_before_the_black_hole_says_nothing_any_more() -> None:
    """RFC 8899 §3: "robust to the possibility that packets could be significantly delayed"."""
    link = Link(1500, 9000)
    link.search()
    late = link.probes[0]
    link.mtu = 1400
    link.search()
    mtu = link.path.mtu
    assert mtu <= 1400
    link.pair.z.engine.receive(late.data, "192.0.2.1", 9899, ONE, link.pair.now)
    link.pair.run_for(1)
    assert link.path.mtu == mtu


# -- packets too big --


def test_a_packet_too_big_below_the_path_mtu_is_tried_from_the_base_on() -> None:
    """S13: RFC 8899 §4.6.2: "The PLPMTU SHOULD be set to BASE_PLPMTU", and the size told is the next to be probed: it
    "MUST NOT be used directly to set the PLPMTU"."""
    link = Link(1492, 1500)
    link.complain(1492)
    assert link.path.mtu == BASE
    assert link.sizes == [1492]
    link.pair.run_for(RTT_S)
    assert link.path.mtu == 1492
    link.pair.run_for(10)
    assert (link.sizes, link.path.mtu_search) == ([1492], None)


def test_a_packet_too_big_that_lied_is_found_out() -> None:
    """The path carries less: the search goes on below."""
    link = Link(1400, 1500)
    link.complain(1492)
    link.pair.run_until(lambda: link.path.mtu_search is None)
    assert link.path.mtu == 1400


@pytest.mark.parametrize("mtu", [1006, 1000, 700, 576])
def test_a_packet_too_big_below_the_base_has_to_be_told_by_a_probe_as_well(mtu: int) -> None:
    """S13: RFC 8899 §8: "never reduces the PLPMTU below the base size solely in response to receiving a PTB
    message"."""
    honest, forged = Link(mtu, 1500), Link(1500, 1500)
    for link in (honest, forged):
        link.complain(mtu)
        assert link.path.mtu == BASE
        link.pair.run_until(lambda link=link: link.path.mtu_search is None)  # type: ignore[misc]  # bound, not called
    assert honest.path.mtu == mtu or mtu * 63 / 64 <= honest.path.mtu <= mtu
    assert forged.path.mtu >= 1480


def test_the_probe_of_the_base_may_be_told_too_big_at_once() -> None:
    """RFC 8899 §5.2: BASE is left when "a received PTB message is validated": no timer has to run out."""
    link = Link(1000, 1500)
    link.complain(1000)
    link.complain(1000)
    link.pair.run_for(RTT_S)
    assert link.sizes == [BASE, LEAST]
    link.pair.run_for(2 * RTT_S)
    assert link.path.mtu == 1000


def test_however_many_packets_were_too_big_probes_are_a_round_trip_apart() -> None:
    """S13: RFC 8899 §8: "the interval between individual probe packets MUST be at least one RTT"; whoever sees our
    packets can forge what routers say."""
    link = Link(65535, 1500)
    for mtu in [*range(1499, BASE, -1), *[600] * 1000]:
        link.complain(mtu)
    assert len(link.probes) == 1
    for _ in range(50):
        for mtu in (600, 1400, 0, 1300):
            link.complain(mtu)
        link.pair.run_for(RTT_S / 10)
    assert all(later.at - earlier.at >= RTT_S * 0.99 for earlier, later in pairwise(link.probes))
    assert 1 < len(link.probes) <= 6


def test_a_packet_too_big_makes_no_probe_of_an_address_that_is_not_confirmed() -> None:
    """RFC 9260 §5.4: a peer may list the address of somebody else, who is sent HEARTBEATs at that pace, and small."""
    pair = Pair(addresses_z=(ONE, TWO), route_mtu=1500)
    pair.drop = lambda flight: flight.datagram.destination == TWO
    link = Link(65535, pair=pair)
    pair.drop = lambda flight: flight.datagram.destination == TWO
    for mtu in (1400, 1300, 600, 0, 0):
        link.complain(mtu, address=TWO)
    pair.run_for(RTT_S)
    path = next(path for path in link.ours.paths if path.address == TWO)
    assert (path.state, path.mtu, path.mtu_search) == (PathState.UNCONFIRMED, BASE, None)
    assert link.probes == []


@pytest.mark.parametrize("mtu", [1, 68, 575])
def test_a_packet_too_big_below_the_least_is_discarded(mtu: int) -> None:
    """S13: RFC 8899 §4.6.2: "PTB message ought to be discarded without further processing"."""
    link = Link(1500, 1500)
    link.complain(mtu)
    assert (link.path.mtu, link.probes) == (1500, [])


@pytest.mark.parametrize("mtu", [1279, 1280])
def test_an_ipv6_path_never_falls_below_1280(mtu: int) -> None:
    """RFC 8200 §5."""
    link = Link(1500, pair=ipv6_pair())
    link.search()
    link.complain(mtu)
    assert link.path.mtu == (1500 if mtu < 1280 else 1280)
    link.pair.run_for(10)
    assert link.path.mtu_search is None


def test_a_packet_too_big_between_the_path_mtu_and_the_probe_is_probed_next() -> None:
    """S13: RFC 8899 §4.6.2: "The PLPMTU is not updated", "the next search point"."""
    link = Link(4000, 9000)
    link.send(BULK)
    link.complain(4000)
    link.pair.run_for(RTT_S)
    assert (link.path.mtu, link.sizes) == (1500, [9000, 4000])
    link.pair.run_for(RTT_S)
    assert link.path.mtu == 4000
    link.pair.run_for(10)
    assert (link.sizes, link.path.mtu_search) == ([9000, 4000], None)


def test_a_packet_too_big_of_the_size_in_use_ends_the_search() -> None:
    """RFC 8899 §5.2: "a validated PTB is received that corresponds to the last successfully probed size"."""
    link = Link(1500, 9000)
    link.send(BULK)
    link.complain(1500)
    assert link.path.mtu_search is None
    link.pair.run_for(10)
    assert link.sizes == [9000]


@pytest.mark.parametrize("mtu", [9000, 9001, 65535])
def test_a_packet_too_big_no_smaller_than_the_probe_is_discarded(mtu: int) -> None:
    """S13: RFC 8899 §4.6.2: "Inconsistent network signal"; §3, 6: it "MUST NOT be used to increase the PLPMTU"."""
    link = Link(9000)
    link.send(BULK)
    link.complain(mtu)
    assert link.sizes == [9000]
    assert link.path.mtu == 1500
    link.pair.run_for(RTT_S)
    link.complain(mtu)
    assert (link.path.mtu, link.sizes) == (9000, [9000])


def test_a_packet_too_big_without_a_size_is_about_the_probe_that_is_under_way() -> None:
    """Also when it was our own system that would not send it."""
    link = Link(1500, 9000)
    link.send(BULK)
    link.pair.a.engine.send_failed(link.probes[0].datagram, too_big=True, now=link.pair.now)
    link.pair.run_for(RTT_S)
    assert link.path.mtu == 1500
    assert len(link.sizes) == 2
    assert 1500 < link.sizes[1] < 9000


def test_what_was_too_large_goes_again_as_soon_as_the_size_told_is_known_to_be_carried() -> None:
    """No T3-rtx has to run out for it."""
    link = Link(1500, 1500)
    link.mtu = 1400
    link.send(4000)
    link.complain(1400)
    assert link.transfer(100) < 10 * RTT_S


def test_what_our_own_system_says_of_the_interface_is_probed_next() -> None:
    """Its MTU was lowered: the datagram refused says whose path it was."""
    link = Link(1400, 1500)
    link.send(3000)
    data = next(flight for flight in link.sent if ip_bytes(flight) > 1400)
    link.pair.a.engine.send_failed(data.datagram, too_big=True, mtu=1400, now=link.pair.now)
    link.pair.flush()
    assert (link.path.mtu, link.sizes) == (BASE, [1400])
    assert link.pair.a.engine.counters.icmp_received == 0
    link.pair.run_for(RTT_S)
    assert link.path.mtu == 1400


def test_packets_too_big_without_a_size_say_once_that_data_was() -> None:
    """A window of DATA was under way when the path became narrower: each of its packets draws one. What is tried for
    the first of them is not too large because the others were."""
    link = Link(1492, 1500)
    for _ in range(10):
        link.complain(0)
    link.pair.run_for(5)
    assert (link.path.mtu, link.sizes) == (1492, [1492])


def test_a_packet_too_big_without_a_size_about_data_says_nothing_of_a_probe() -> None:
    link = Link(9000)
    link.send(BULK)
    link.complain(0)
    link.pair.run_for(RTT_S)
    assert (link.path.mtu, link.sizes) == (9000, [9000])


def test_a_packet_too_big_without_a_size_and_without_a_probe_goes_down_the_plateaus() -> None:
    """RFC 1191 §5."""
    link = Link(1492, 1500)
    link.complain(0)
    assert (link.path.mtu, link.sizes) == (BASE, [1492])


def test_a_packet_too_big_for_another_path_leaves_this_one_alone() -> None:
    link = Link(1500, pair=Pair(addresses_z=(ONE, TWO), route_mtu=1500))
    link.complain(1300, address=TWO)
    assert {path.address: path.mtu for path in link.ours.paths} == {ONE: 1500, TWO: BASE}


def test_a_packet_too_big_under_a_wrong_tag_is_ignored() -> None:
    """S13: RFC 8899 §4.6.1: "A PL that supports PTB messages MUST validate these messages"."""
    link = Link(1500, 1500)
    quoted = struct.pack("!HHL", link.ours.local_port, link.ours.peer_port, link.ours.tcb.peer_tag ^ 1)
    link.pair.a.engine.icmp_received(IcmpMessage(IcmpKind.PACKET_TOO_BIG, quoted, ONE, 1300), link.pair.now)
    link.pair.flush()
    assert (link.path.mtu, link.probes) == (1500, [])


def test_a_packet_too_big_in_the_handshake_leads_to_the_base() -> None:
    """What does not fit it, as a large cookie, goes with DF off; nothing is probed yet."""
    pair = Pair(route_mtu=1500)
    pair.drop = lambda flight: True
    ours: AssociationEngine = pair.connect()
    init = pair.log[0].data
    pair.a.engine.icmp_received(IcmpMessage(IcmpKind.PACKET_TOO_BIG, init, ONE, 1300), pair.now)
    assert ours.paths.primary.mtu == BASE
    assert ours.paths.primary.mtu_search is None


# -- the switch --


def test_a_fixed_path_mtu_stays_and_is_not_probed() -> None:
    """RFC 8899 §5.1.2: an application may choose; `path_mtu` switches discovery off."""
    link = Link(65535, config=Config(path_mtu=1400))
    link.transfer()
    link.complain(1300)
    link.complain(0)
    assert (link.path.mtu, link.probes) == (1400, [])
    link.mtu = 1300
    link.send(BULK)
    link.pair.run_for(20)
    assert (link.path.mtu, link.probes) == (1400, [])


def test_a_path_mtu_fixed_in_life_ends_the_search() -> None:
    link = Link(1500, 9000)
    link.send(BULK)
    link.ours.path_mtu.fix(link.path, 1300)
    link.transfer()
    link.complain(1280)
    link.pair.run_for(700)
    link.transfer()
    assert (link.path.mtu, link.sizes) == (1300, [9000])


def test_without_discovery_nothing_is_probed_and_icmp_is_heeded() -> None:
    link = Link(9000, config=Config(path_mtu_discovery=False))
    link.transfer()
    assert (link.path.mtu, link.probes) == (1500, [])
    link.complain(1400)
    assert (link.path.mtu, link.probes) == (1400, [])


# -- sizes --


def test_a_size_lies_between_what_is_carried_and_what_is_not() -> None:
    for confirmed in range(576, 9000, 37):
        for ceiling in range(confirmed + 1, 65536, 997):
            size = next_size(confirmed, ceiling)
            assert size == 0 or confirmed < size < ceiling
            assert size or ceiling - confirmed <= confirmed // 64
