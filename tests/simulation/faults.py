"""What befalls hosts and links in a storm: a table of what can happen, and how it passes again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.simulation.site import Cable
from tests.simulation.weather import draw_stormy

if TYPE_CHECKING:
    from tests.simulation.scene import Scene

DROPPED_MTUS = (576, 700, 1000, 1280, 1400)
DROPPED_IPV6_MTUS = (1280, 1400)
MTUS_FOR_GOOD = (1280, 1400)
"""Of links that stay narrow."""


def storm(scene: Scene) -> bool:
    cable = scene.random.choice(scene.cables)
    link, wrong = draw_stormy(scene.random, cable.calm, scene.character)
    for name in wrong:
        scene.faults[name] += 1
    cable.lay(link, one_way=scene.random.random() < 0.3)
    if scene.random.random() < 0.5:
        scene.later(scene.random.uniform(2, 15), lambda: cable.lay(cable.calm))
    return True


def partition(scene: Scene) -> bool:
    one, other = scene.random.choice(scene.cables).ends
    scene.network.partition(one.host, other.host)
    scene.later(scene.random.uniform(0.5, 6), lambda: scene.network.heal(one.host, other.host))
    return True


def one_way_partition(scene: Scene) -> bool:
    one, other = scene.random.sample(scene.random.choice(scene.cables).ends, 2)
    scene.network.partition(one.host, other.host, one_way=True)
    scene.later(scene.random.uniform(0.5, 6), lambda: scene.network.heal(one.host, other.host, one_way=True))
    return True


def address_dark(scene: Scene) -> bool:
    site = scene.random.choice(scene.sites)
    address = scene.random.choice(site.host.addresses)
    scene.network.partition(address)
    scene.later(scene.random.uniform(1, 10), lambda: scene.network.heal(address))
    return True


def address_removed(scene: Scene) -> bool:
    site = scene.random.choice(scene.sites)
    # Given back, it has no port. The one on the network that all hosts share stays, else two may never meet again.
    stays = next(address for address in site.host.addresses if address.startswith("192.0.2."))
    others = [address for address in site.host.addresses if address != stays]
    if not others:
        return False
    address = scene.random.choice(others)
    site.host.remove_address(address)

    def put_back() -> None:
        if address not in site.host.addresses:
            site.host.add_address(address)
            scene.faults["address added"] += 1

    scene.later(scene.random.uniform(1, 10), put_back)
    return True


def crash(scene: Scene) -> bool:
    # The first has most of the conversations: when it comes back, its peers are told of a restart.
    site = scene.random.choice((scene.sites[0], *scene.sites))
    if not site.is_up.is_set():
        return False
    scene.crash(site, down_s=scene.random.choice([0.01, 0.5, 3.0]))
    return True


def crash_and_new_address(scene: Scene) -> bool:
    site = scene.sites[0]
    if not site.is_up.is_set() or len(site.host.addresses) > 4:
        return False
    address = f"192.0.2.{100 + scene.faults['crash, then a new address']}"
    scene.crash(site, down_s=scene.random.choice([0.01, 0.5]), new_address=address)
    return True


def nat_forgets(scene: Scene) -> bool:
    assert scene.nat is not None
    scene.nat.forget()
    return True


def path_mtu_drops(scene: Scene) -> bool:
    cable = scene.random.choice(scene.cables)
    _narrow(scene, cable, icmp=True)
    return True


def path_mtu_drops_silently(scene: Scene) -> bool:
    cable = scene.random.choice(scene.cables)
    if scene.random.random() < 0.5:
        mtu = min(scene.random.choice(MTUS_FOR_GOOD), cable.calm.mtu)
        cable.calm = replace(cable.calm, mtu=mtu, icmp=False)
        cable.lay(cable.calm)
        scene.faults["path MTU drops silently for good"] += 1
    else:
        _narrow(scene, cable, icmp=False)
    return True


def _narrow(scene: Scene, cable: Cable, *, icmp: bool) -> None:
    mtu = scene.random.choice(DROPPED_IPV6_MTUS if cable.is_ipv6 else DROPPED_MTUS)
    cable.lay(replace(cable.calm, mtu=min(mtu, cable.calm.mtu), icmp=icmp))

    def widen() -> None:
        cable.lay(cable.calm)
        scene.faults["path MTU rises"] += 1

    if not icmp or scene.random.random() < 0.5:
        scene.later(scene.random.uniform(1, 8), widen)


def choke(scene: Scene) -> bool:
    """Little bandwidth, and a short queue before it."""
    cable = scene.random.choice(scene.cables)
    cable.lay(replace(cable.calm, bandwidth_bps=scene.random.choice([3e4, 3e5]), queue_bytes=6000))
    scene.later(scene.random.uniform(1, 8), lambda: cable.lay(cable.calm))
    return True


def port_closed(scene: Scene) -> bool:
    """The program of a host ends for a while: its UDP port answers with ICMP."""
    site = scene.random.choice(scene.sites)
    if not site.is_up.is_set():
        return False
    scene.crash(site, down_s=scene.random.uniform(1, 4))
    return True


Fault = Callable[["Scene"], bool]
"""Does it; False when it could not."""

COMMON: dict[str, tuple[Fault, int]] = {
    "storm": (storm, 8),
    "partition": (partition, 2),
    "one-way partition": (one_way_partition, 2),
    "address dark": (address_dark, 2),
    "choke": (choke, 1),
}
"""With how often each is drawn."""

BY_TRAIT: dict[str, dict[str, tuple[Fault, int]]] = {
    "several addresses": {"address removed": (address_removed, 2)},
    "crashes": {"crash": (crash, 5), "port closed": (port_closed, 2)},
    "restarts with new addresses": {"crash, then a new address": (crash_and_new_address, 6)},
    "nat": {"NAT forgets": (nat_forgets, 6)},
    "narrow links": {"path MTU drops": (path_mtu_drops, 6)},
    "black holes": {"path MTU drops silently": (path_mtu_drops_silently, 4)},
}


def draw_fault(scene: Scene) -> tuple[str, Fault]:
    table = dict(COMMON)
    for trait, faults in BY_TRAIT.items():
        if trait in scene.character:
            table |= faults
    names = list(table)
    (name,) = scene.random.choices(names, [table[name][1] for name in names])
    return name, table[name][0]
