"""Path MTU discovery by probes (RFC 8899): where it begins, what is probed and when, and the switch."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Heartbeat, Pad, UserData
from tests.core.mtu_link import (
    BULK,
    ONE,
    RTT_S,
    TWO,
    Link,
    chunks_of,
    ip_bytes,
    ipv6_pair,
    is_probe,
    searched,
)
from tests.core.pair import Pair

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
    # The peer delays no SACK: T3-rtx has no cause to expire.
    impatient, prompt = Config(rto_min_s=0.05, rto_initial_s=0.05), Config(sack_frequency=1)
    link = Link(1500, pair=Pair(config_a=impatient, config_z=prompt, route_mtu=9000))
    link.search()
    moments = [probe.at for probe in link.probes]
    assert [later - earlier for earlier, later in pairwise(moments)] == [1.0, 1.0]


def test_the_timer_follows_a_slower_path() -> None:
    """RFC 8899 §5.1.1: "longer than the maximum time to receive an acknowledgment"."""
    link = Link(1500, pair=Pair(latency_s=1.5, route_mtu=9000))
    link.search()
    first, second = link.probes[:2]
    assert second.at - first.at > 3.0


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
    data = [chunk for flight in link.sent[before:] for chunk in chunks_of(flight) if isinstance(chunk, UserData)]
    assert max(len(chunk.payload) for chunk in data) == 1500 - 28 - 12 - 20
    # Several of them are bundled on the wider path.
    assert max(map(ip_bytes, link.sent[before:])) > 1500


# -- the switch, and a path MTU that is fixed --


@pytest.mark.parametrize(
    ("config", "path_mtu", "is_ipv6"),
    [
        (Config(path_mtu=1508), 1508, False),
        (Config(path_mtu=1528), 1528, True),
        (Config(pmdcs_bytes=1468), 1508, False),
        (Config(pmdcs_bytes=1468), 1528, True),
    ],
)
def test_a_fixed_path_mtu_is_exact_on_the_wire(config: Config, path_mtu: int, is_ipv6: bool) -> None:
    """B13: 1468 bytes for chunks, over both families, though the interface seems to take less: an IP packet with
    all its headers, or said by the bytes for chunks."""
    link = Link(9000, pair=ipv6_pair(1500, config_a=config) if is_ipv6 else Pair(config_a=config, route_mtu=1500))
    link.transfer()
    assert max(map(ip_bytes, link.sent)) == path_mtu
    assert max(len(flight.data) for flight in link.sent) == 12 + 1468
    data = [chunk for flight in link.sent for chunk in chunks_of(flight) if isinstance(chunk, UserData)]
    # In I-DATA, whose header takes 20 bytes.
    assert max(len(chunk.payload) for chunk in data) == 1448


def test_a_path_mtu_may_be_fixed_above_what_was_found() -> None:
    link = searched(9000)
    link.ours.path_mtu.fix(link.path, 9100)
    link.mtu = 9100
    before = len(link.sent)
    link.transfer()
    assert max(map(ip_bytes, link.sent[before:])) == 9100


def test_a_path_mtu_that_is_fixed_no_more_begins_with_the_route_and_is_searched() -> None:
    """B13: SPP_PMTUD_ENABLE after SPP_PMTUD_DISABLE."""
    link = Link(9000, config=Config(path_mtu=576))
    link.transfer()
    assert (link.path.mtu, link.probes) == (576, [])
    link.ours.path_mtu.fix(link.path, None)
    assert link.path.mtu == 1500
    link.search()
    assert (link.path.mtu, link.sizes) == (9000, [9000])


def test_what_was_found_before_keeps_no_path_from_being_searched_again() -> None:
    """B13: one that is fixed no more, or on which discovery is switched on again."""
    link = searched(1400, 1500)
    probes = len(link.probes)
    link.mtu = 1500
    link.ours.path_mtu.switch(link.path, is_on=False)
    link.transfer()
    assert len(link.probes) == probes
    link.ours.path_mtu.switch(link.path, is_on=True)
    link.search()
    assert link.sizes[probes:] == [1500]
    link.ours.path_mtu.fix(link.path, 1300)
    link.ours.path_mtu.fix(link.path, None)
    link.mtu = 1400
    link.search()
    assert (link.path.mtu, len(link.probes) > probes + 1) == (1400, True)


def test_the_bytes_for_chunks_are_fixed_and_freed_in_life() -> None:
    """B13: for the paths that have nothing of their own."""
    link = Link(9000, pair=Pair(addresses_z=(ONE, TWO), route_mtu=9000, config_a=Config(path_mtu_discovery=False)))
    one, two = link.ours.paths
    link.ours.path_mtu.fix(two, 1400)
    for config, mtu in ((Config(pmdcs_bytes=1000), 1040), (Config(path_mtu=600), 600), (Config(), 1500)):
        link.ours.configure(config, link.pair.now)
        assert (one.mtu, two.mtu) == (mtu, 1400)
    assert one.mtu_is_fixed is False


def test_what_is_said_again_of_a_path_ends_no_search_and_leaves_what_was_found() -> None:
    """B13: it is not fixed as before, and discovered as before."""
    link = Link(9000, pair=Pair(route_mtu=9000))
    link.search()
    assert link.path.mtu == 9000
    probes = len(link.probes)
    link.ours.path_mtu.fix(link.path, None)
    link.ours.path_mtu.switch(link.path, is_on=True)
    link.search()
    assert (link.path.mtu, len(link.probes)) == (9000, probes)


def test_discovery_is_switched_on_and_off_for_a_path_alone() -> None:
    """B13: SPP_PMTUD_ENABLE and SPP_PMTUD_DISABLE, per address."""
    link = Link(9000, pair=Pair(addresses_z=(ONE, TWO), route_mtu=9000, config_a=Config(path_mtu_discovery=False)))
    one, two = link.ours.paths
    link.ours.path_mtu.switch(two, is_on=True)
    link.pair.run_until(lambda: two.is_confirmed)
    link.search()
    assert (one.mtu, two.mtu) == (1500, 9000)
    assert {flight.datagram.destination for flight in link.probes} == {TWO}
    # The word of a router counts at once where no probe will tell.
    link.complain(1400, address=ONE)
    assert one.mtu == 1400
    link.ours.path_mtu.switch(two, is_on=False)
    link.pair.run_for(1000)
    sent = len(link.probes)
    link.transfer()
    assert (two.mtu, len(link.probes)) == (9000, sent)


def test_discovery_switched_off_ends_a_search() -> None:
    link = Link(1500)
    link.send(BULK)
    assert link.sizes == [9000]
    link.ours.path_mtu.switch(link.path, is_on=False)
    link.transfer()
    link.pair.run_for(700)
    assert (link.path.mtu, link.sizes) == (1500, [9000])


def test_a_path_keeps_the_mtu_that_was_set_for_it_alone() -> None:
    """What is set for the association goes to the paths that have nothing of their own."""
    pair = Pair(addresses_z=(ONE, TWO), route_mtu=9000)
    ours, _ = pair.established()
    one, two = ours.paths
    ours.path_mtu.fix(two, 1300)
    ours.configure(ours.config.replace(path_mtu=1400), pair.now)
    assert (one.mtu, two.mtu) == (1400, 1300)
    ours.configure(ours.config.replace(path_mtu=None, path_mtu_discovery=False), pair.now)
    assert (one.mtu, one.discovers_mtu, two.mtu, two.discovers_mtu) == (1500, False, 1300, False)
    ours.path_mtu.switch(two, is_on=True)
    ours.path_mtu.fix(two, None)
    ours.configure(ours.config.replace(path_mtu_discovery=False, path_mtu=None, max_burst=9), pair.now)
    assert two.discovers_mtu


def test_an_address_that_comes_with_the_init_ack_is_searched_though_the_first_is_fixed() -> None:
    pair = Pair(addresses_z=(ONE, TWO), route_mtu=9000)
    pair.listen()
    ours = pair.connect()
    ours.path_mtu.fix(ours.paths.primary, 1300)
    pair.run_until(lambda: len(ours.paths) == 2 and all(path.is_confirmed for path in ours.paths))
    ours.send(OutgoingMessage(bytes(BULK), 0))
    pair.a.engine.touch(ours)
    pair.run_until(lambda: ours.sender.is_drained or ours.sender.peer_rwnd_bytes == 0)
    assert [path.mtu for path in ours.paths] == [1300, 9000]


@pytest.mark.parametrize("raise_s", [5, 600])
def test_the_next_search_begins_when_the_last_is_so_long_ago(raise_s: float) -> None:
    """G51: RFC 8899 §5.1.1: PMTU_RAISE_TIMER."""
    link = Link(1400, 1500, config=Config(pmtu_raise_s=raise_s))
    link.search()
    ended_s, probes = link.pair.now, len(link.probes)
    link.mtu = 1500
    link.pair.run_for(raise_s - 1)
    link.transfer()
    assert len(link.probes) == probes
    link.pair.run_for(2)
    link.transfer()
    assert ended_s + raise_s <= link.probes[probes].at
    assert link.path.mtu == 1500


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
