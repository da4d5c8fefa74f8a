"""Path MTU discovery: what ICMP and the operating system say (RFC 8899 §4.6)."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from aiosctp.core.association import AssociationEngine
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.core.states import PathState
from tests.core.mtu_link import (
    BASE,
    BULK,
    LEAST,
    ONE,
    RTT_S,
    TWO,
    Link,
    ip_bytes,
    ipv6_pair,
)
from tests.core.pair import Pair


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


def test_without_a_size_the_probe_of_the_base_is_taken_to_exceed_the_plateau_below() -> None:
    """RFC 1191 §7."""
    link = Link(1006, 1500)
    link.complain(1000)
    link.pair.a.engine.send_failed(link.probes[0].datagram, too_big=True, now=link.pair.now)
    link.pair.run_for(RTT_S)
    assert link.sizes == [BASE, LEAST]
    link.pair.run_for(2 * RTT_S)
    assert link.path.mtu == 1006


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
