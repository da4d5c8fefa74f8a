"""What forged addresses and addresses that move leave behind: nothing."""

from __future__ import annotations

from aiosctp.testing import Link, Network
from aiosctp.testing.topology import Topology


def topology() -> Topology:
    found = Topology(1, Link())
    host = Network().host("any")
    for address in ("192.0.2.1", "192.0.2.2"):
        found.claim(address, host)
    return found


def test_all_forged_sources_share_one_direction() -> None:
    one = topology()
    assert one.direction("198.51.100.1", "192.0.2.2") is one.direction("198.51.100.2", "192.0.2.2")
    assert one.direction("198.51.100.1", "192.0.2.2") is not one.direction("192.0.2.1", "192.0.2.2")


def test_an_address_that_comes_back_begins_anew() -> None:
    one = topology()
    before = one.direction("192.0.2.1", "192.0.2.2")
    assert one.direction("192.0.2.1", "192.0.2.2") is before
    one.release("192.0.2.1")
    one.claim("192.0.2.1", Network().host("another"))
    assert one.direction("192.0.2.1", "192.0.2.2") is not before
