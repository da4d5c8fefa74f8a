"""Path MTU discovery: a path that silently becomes narrower (RFC 8899 §4.3)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState, PathState
from tests.core.mtu_link import (
    BASE,
    BULK,
    LEAST,
    ONE,
    RTT_S,
    TWO,
    Link,
    ip_bytes,
    is_probe,
)
from tests.core.pair import Flight, Pair


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
