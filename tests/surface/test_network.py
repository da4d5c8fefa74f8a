"""The machine as a stack's network."""

from __future__ import annotations

import pytest

from aiosctp import network
from aiosctp.network import MAX_ROUTES_KNOWN, ROUTE_MTU_LIFE_S, SystemNetwork


class Machine:
    """Its clock, and how often the kernel is asked for a route."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 5.0
        self.mtu: int | None = 1400
        self.asked: list[str] = []
        self.network = SystemNetwork()
        monkeypatch.setattr(self.network, "now", lambda: self.now_s)
        monkeypatch.setattr(network, "route_mtu", self._route_mtu)

    def _route_mtu(self, local_host: str | None, host: str) -> int | None:
        self.asked.append(host)
        return self.mtu


def test_the_kernel_is_asked_for_a_route_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    assert machine.network.route_mtu(None, "192.0.2.1") == 1400
    machine.mtu = None
    machine.now_s += ROUTE_MTU_LIFE_S * 0.9
    assert machine.network.route_mtu(None, "192.0.2.1") == 1400
    assert machine.asked == ["192.0.2.1"]
    machine.now_s += ROUTE_MTU_LIFE_S * 0.2
    assert machine.network.route_mtu(None, "192.0.2.1") is None
    assert machine.network.route_mtu(None, "192.0.2.1") is None
    assert machine.asked == ["192.0.2.1"] * 2


def test_each_source_has_a_route_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    assert machine.network.route_mtu("198.51.100.1", "192.0.2.1") == 1400
    machine.mtu = 1300
    assert machine.network.route_mtu("198.51.100.2", "192.0.2.1") == 1300
    assert machine.network.route_mtu("198.51.100.1", "192.0.2.1") == 1400


def test_so_many_routes_are_known_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    for number in range(2 * MAX_ROUTES_KNOWN):
        machine.network.route_mtu(None, str(number))
        assert len(machine.network._route_mtus) <= MAX_ROUTES_KNOWN
    assert len(machine.asked) == 2 * MAX_ROUTES_KNOWN
