"""Path MTU discovery: what becomes of a probe, and where the search ends (RFC 8899 §5.2, §5.3)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.heartbeat import MAX_PENDING
from aiosctp.core.mtu_sizes import LIKELY_MTUS
from aiosctp.core.timers import Timer
from aiosctp.wire.chunks import HeartbeatAck
from tests.core.mtu_link import (
    BULK,
    ONE,
    Link,
    chunks_of,
    ip_bytes,
    ipv6_pair,
    is_probe,
    searched,
)
from tests.core.pair import Flight


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
