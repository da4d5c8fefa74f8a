"""The extremes that `Config` allows, over a wire that loses packets: everything arrives, and both sides end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.exceptions import AssociationShutdown
from tests.core.pair import Host, Pair

RTO_OF_50_MS: dict[str, Any] = {"rto_min_s": 0.05, "rto_initial_s": 0.05}
SMALL: dict[str, Any] = {"receive_window_bytes": 1500, "max_burst": 1, "hb_interval_s": 0}
EXTREMES: dict[str, dict[str, Any]] = {
    "RTO": RTO_OF_50_MS,
    "small MTU": {"path_mtu": 576},
    "large MTU, small window": {"path_mtu": 65535, "receive_window_bytes": 1500},
    "small window": {"receive_window_bytes": 1500},
    "small burst": {"max_burst": 1},
    "slow start one by one": {"initial_cwnd_mtus": 1, "slow_start_limit_mtus": 1, "max_burst": 1, "fr_max_burst": 1},
    "all at once": {"initial_cwnd_mtus": 65535, "max_burst": 65535, "fr_max_burst": 65535},
    "no SACK asked for": {"sack_immediately": False, "sack_delay_s": 0.5, "sack_frequency": 65535},
    "INITs in haste": {"init_rto_max_s": 0.05},
    "heartbeats all the time": {"hb_interval_s": 0},
    "no SACK delay": {"sack_delay_s": 0},
    "a SACK for each packet": {"sack_frequency": 1},
    "a SACK when it is late": {"sack_frequency": 65535, "sack_delay_s": 0.5},
    "parts of messages": {"partial_delivery_point_bytes": 1},
    "failover at once": {"path_max_retrans": 0},
    "all eager": {**RTO_OF_50_MS, **SMALL, "path_mtu": 576, "sack_delay_s": 0, "sack_frequency": 1},
    "all lazy": {**RTO_OF_50_MS, **SMALL, "path_mtu": 65535, "sack_delay_s": 0.5, "sack_frequency": 65535},
}
SIZES = (1, 100, 1400, 3000, 20_000, 7, 1)


@pytest.mark.parametrize("latency_s", [0.01, 0.3])
@pytest.mark.parametrize("extreme", EXTREMES)
def test_an_association_lives_and_ends_with_extreme_parameters(extreme: str, latency_s: float) -> None:
    """L11, X09, X39: no parameter that is accepted makes an association stand still."""
    config = Config(association_max_retrans=100, max_init_retransmits=50).replace(**EXTREMES[extreme])
    pair = Pair(
        config_a=config,
        config_z=config,
        addresses_a=("192.0.2.1", "192.0.2.11"),
        addresses_z=("192.0.2.2", "192.0.2.12"),
        latency_s=latency_s,
    )
    dice = random.Random(extreme)
    pair.drop = lambda flight: dice.random() < 0.05
    ours, theirs = pair.established()
    ends: list[tuple[AssociationEngine, Host]] = [(ours, pair.a), (theirs, pair.z)]
    messages = [dice.randbytes(size) for size in SIZES]
    for association, host in ends:
        for message in messages:
            association.send(OutgoingMessage(message, stream=0))
        host.engine.touch(association)
    received: dict[AssociationEngine, list[bytes]] = {ours: [], theirs: []}

    def all_has_arrived() -> bool:
        for association, host in ends:
            while (message := association.receiver.read()) is not None:
                received[association].append(message.data)
                host.engine.touch(association)
            association.sender.check_invariants()
            association.receiver.check_invariants()
        return received == {ours: messages, theirs: messages}

    pair.run_until(all_has_arrived)
    for association, host in ends:
        association.shutdown(pair.now)
        host.engine.touch(association)
    pair.run_until(lambda: ours.state is AssociationState.CLOSED and theirs.state is AssociationState.CLOSED)
    assert isinstance(ours.ending, AssociationShutdown)
    assert isinstance(theirs.ending, AssociationShutdown)
