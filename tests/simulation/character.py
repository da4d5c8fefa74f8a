"""What kind of life a seed is: rare things are no accident, but chosen for enough of the seeds."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from aiosctp import Config

TRAITS: dict[str, float] = {
    "serials wrap": 0.5,
    "ssns wrap": 0.3,
    "several addresses": 0.5,
    "ipv6": 0.3,
    "many hosts": 0.25,
    "nat": 0.15,
    "stale cookies": 0.1,
    "simultaneous connects": 0.15,
    "crashes": 0.35,
    "restarts with new addresses": 0.12,
    "hasty reconnects": 0.15,
    "dead network": 0.1,
    "mortal": 0.15,
    "narrow links": 0.25,
    "black holes": 0.12,
    "tiny windows": 0.3,
    "large messages": 0.3,
    "slow readers": 0.3,
    "late answers": 0.15,
    "taken over streams": 0.25,
    "cancellations": 0.4,
    "reneging": 0.25,
    "wide links": 0.25,
    "stream changes": 0.4,
    "association resets": 0.25,
    "unwilling peers": 0.2,
    "byte streams": 0.3,
    "partial reliability": 0.45,
    "default policies": 0.3,
    "peers without partial reliability": 0.15,
    "interleaving": 0.5,
    "peers without interleaving": 0.2,
    "schedulers": 0.4,
    "nr-sacks": 0.3,
    "records": 0.45,
    "odd settings": 0.4,
}
"""How likely a seed has each."""


SCHEDULERS = ("fcfs", "rr", "rr_packet", "priority", "fair", "weighted")
LIFETIMES_S = (0.005, 0.05, 0.3, 1.0, 4.0, 30.0)
RETRANSMITS = (0, 0, 1, 2, 5)
PRIORITIES = (0, 1, 2, 5, 0xFFFF_FFFF)


@dataclass(frozen=True)
class Character:
    """The traits of one seed."""

    traits: frozenset[str]

    def __contains__(self, trait: str) -> bool:
        if trait not in TRAITS:
            raise KeyError(trait)
        return trait in self.traits

    def __str__(self) -> str:
        return ", ".join(trait for trait in TRAITS if trait in self.traits) or "plain"


def draw_character(random: Random) -> Character:
    traits = {trait for trait, chance in TRAITS.items() if random.random() < chance}
    if "wide links" in traits:
        traits -= {"narrow links"}
    if "nat" in traits:
        # One public address stands for all of a host's, so it has but one.
        traits -= {"several addresses", "restarts with new addresses", "ipv6"}
    if "dead network" in traits:
        traits -= {"crashes", "restarts with new addresses"}
    if "reneging" in traits:
        traits -= {"tiny windows"}
    return Character(frozenset(traits))


def draw_policy(random: Random, character: Character) -> dict[str, Any]:
    """What a site lets its peers do with streams (RFC 6525)."""
    policy: dict[str, Any] = {}
    if "association resets" in character:
        policy["peer_may_reset_association"] = random.random() < 0.85
    if "unwilling peers" in character and random.random() < 0.6:
        switch = random.choice(["reconfig", "peer_may_reset_streams", "peer_may_add_streams"])
        policy[switch] = False
    return policy


def draw_extensions(random: Random, character: Character) -> dict[str, Any]:
    """Which extensions of the data transfer a site speaks, how it orders what it sends, and what of it may be abandoned
    unless a program says otherwise."""

    def speaks(trait: str, others: str) -> bool:
        return trait in character and not (others in character and random.random() < 0.5)

    without_pr = "peers without partial reliability" in character and random.random() < 0.6
    extensions: dict[str, Any] = {
        "partial_reliability": not without_pr,
        "interleaving": speaks("interleaving", "peers without interleaving"),
        "nrsack": "nr-sacks" in character and random.random() < 0.9,
    }
    if "schedulers" in character:
        extensions["scheduler"] = random.choice(SCHEDULERS)
    if "partial reliability" in character and "default policies" in character and random.random() < 0.6:
        extensions |= draw_default_policy(random)
    return extensions


def draw_segment(random: Random) -> int | None:
    """How much user data a chunk of a site's carries at most; mostly as much as its paths take."""
    return random.choice([60, 500, 1100]) if random.random() < 0.1 else None


def draw_settings(random: Random, config: Config) -> dict[str, Any]:
    """Parameters that few programs touch, on top of the others."""
    choose = random.choice
    drawn: dict[str, Any] = {
        "initial_cwnd_mtus": choose([None, 1, 2, 10, 30]),
        "slow_start_limit_mtus": choose([None, 1, 2, 8]),
        "fr_max_burst": choose([1, 4, 4, 20]),
        "sack_immediately": choose([True, False]),
        "init_rto_max_s": choose([None, 0.3, 2.0]),
    }
    if random.random() < 0.25:
        drawn["fragmentation"] = False
    if random.random() < 0.3:
        drawn["autoclose_s"] = choose([0.5, 2.0, 8.0])
    if random.random() < 0.25:
        drawn["chunk_max_retrans"] = choose([2, 6, 20])
    if config.path_mtu is not None:
        drawn |= {"path_mtu": None, "pmdcs_bytes": choose([536, 1000, 1400])}
    return drawn


def draw_changes(random: Random, config: Config) -> dict[str, Any]:
    """What a program sets in the life of an association."""
    choose = random.choice
    match random.randrange(7):
        case 0:
            return {"receive_window_bytes": config.receive_window_bytes + choose([0, 700, 20_000])}
        case 1:
            return {"send_buffer_bytes": choose([1000, 20_000, 200_000])}
        case 2:
            return {"stream_send_buffer_bytes": choose([500, 10_000, 100_000])}
        case 3:
            return {"max_segment_bytes": choose([None, 60, 500, 1100])}
        case 4:
            return {"autoclose_s": choose([None, None, 1.0, 5.0])}
        case 5:
            return {"fragmentation": choose([True, False]), "sack_immediately": choose([True, False])}
        case _:
            return {"slow_start_limit_mtus": choose([None, 1, 4]), "fr_max_burst": choose([1, 4, 20])}


def draw_default_policy(random: Random) -> dict[str, Any]:
    """Of an association, as `Config` names it."""
    match random.randrange(3):
        case 0:
            return {"lifetime_s": random.choice(LIFETIMES_S)}
        case 1:
            return {"max_retransmits": random.choice(RETRANSMITS)}
        case _:
            return {"buffer_priority": random.choice(PRIORITIES)}


def draw_config(random: Random, character: Character) -> Config:
    choose = random.choice
    rto_min_s = choose([0.1, 0.3, 1.0])
    window = choose([20_000, 65_536, 1 << 18])
    if "tiny windows" in character:
        window = choose([1500, 2000, 3000, 5000])
    elif "reneging" in character:
        window = choose([6000, 10_000, 16_000])
    changes: dict[str, Any] = {}
    if "stale cookies" in character:
        changes |= {"valid_cookie_life_s": choose([0.1, 0.2]), "max_cookie_life_s": 60.0}
    if "mortal" in character:
        changes |= {"association_max_retrans": choose([1, 3]), "max_init_retransmits": 3}
    elif "dead network" in character:
        changes |= {"association_max_retrans": choose([4, 10]), "max_init_retransmits": 4}
    else:
        changes |= {"association_max_retrans": 100, "max_init_retransmits": 100}
    if "dead network" in character:
        changes["shutdown_timeout_s"] = choose([1.0, 3.0, 8.0])
    elif random.random() < 0.7:
        changes["shutdown_timeout_s"] = 3000.0
    if "narrow links" in character or "wide links" in character:
        # What falls into a black hole without discovery stays there.
        changes["path_mtu_discovery"] = "black holes" in character or random.random() < 0.8
    elif "black holes" not in character and random.random() < 0.4:
        changes["path_mtu"] = choose([576, 1280, 1500])
    return Config(
        rto_min_s=rto_min_s,
        rto_initial_s=max(rto_min_s, choose([0.3, 1.0])),
        rto_max_s=choose([2.0, 5.0, 20.0]),
        path_max_retrans=choose([0, 1, 2, 5]),
        receive_window_bytes=window,
        partial_delivery_point_bytes=choose([None, 1000, window]),
        send_buffer_bytes=choose([2000, 20_000, 200_000]),
        stream_send_buffer_bytes=choose([1000, 10_000, 100_000]),
        sack_frequency=choose([1, 2, 2, 4]),
        sack_delay_s=choose([0.0, 0.2, 0.5]),
        max_burst=choose([1, 4, 4, 100]),
        nodelay=choose([True, True, False]),
        hb_interval_s=choose([1.0, 5.0, 15.0]),
        hb_max_burst=choose([1, 4]),
        outbound_streams=choose([3, 5, 20]),
        max_inbound_streams=choose([2, 5, 100]),
        vtag_quarantine_s=choose([1.0, 60.0]),
        event_queue_limit=100_000,
        **changes,
    )
