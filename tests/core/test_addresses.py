"""Hosts as canonical strings, their families and scopes, and the choice of a source."""

from __future__ import annotations

import pytest

from aiosctp.core.addresses import (
    address_parameters,
    canonical_host,
    choose_source,
    in_scope_of,
    is_address,
    is_ipv6,
    is_unicast,
    parse_host,
    sources_for,
)
from aiosctp.wire.parameters import IPv4AddressParameter, IPv6AddressParameter

LOOPBACK = ["127.0.0.1", "::1"]
LINK = ["169.254.0.7", "fe80::7%eth0"]
PRIVATE = ["10.0.0.7", "172.16.0.7", "192.168.0.7", "100.64.0.7", "fd00::7"]
WORLD = ["9.9.9.7", "2620:fe::7"]
EVERYTHING = LOOPBACK + LINK + PRIVATE + WORLD


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8::0001", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
        ("fe80:0::1%2", "fe80::1%2"),
    ],
)
def test_a_host_has_one_spelling(spelling: str, canonical: str) -> None:
    assert canonical_host(spelling) == canonical
    assert canonical_host(canonical) == canonical


@pytest.mark.parametrize(
    "host", ["", "host.example", "192.0.2", "192.0.2.256", "2001:db8::1::2", "fe80::1%", "192.0.2.1%eth0", "[::1]"]
)
def test_what_is_no_address_is_a_value_error(host: str) -> None:
    with pytest.raises(ValueError, match="address"):
        canonical_host(host)


def test_a_scope_is_no_part_of_the_address_itself() -> None:
    assert str(parse_host("fe80::1%eth0")) == "fe80::1"
    assert parse_host("fe80::1%eth0") == parse_host("fe80::1%eth1")


@pytest.mark.parametrize(("host", "expected"), [("192.0.2.1", False), ("::1", True), ("fe80::1%eth0", True)])
def test_the_family_is_seen_from_the_text(host: str, expected: bool) -> None:
    assert is_ipv6(host) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", True),
        ("127.0.0.1", True),
        ("2001:db8::1", True),
        ("fe80::1%eth0", True),
        ("0.0.0.0", False),
        ("::", False),
        ("224.0.0.1", False),
        ("239.255.255.255", False),
        ("ff02::1", False),
        ("255.255.255.255", False),
    ],
)
def test_sctp_speaks_to_unicast_addresses_only(host: str, expected: bool) -> None:
    assert is_unicast(host) is expected


@pytest.mark.parametrize(
    ("peers", "told"),
    [
        (LOOPBACK, LOOPBACK),
        (LINK, LINK + PRIVATE + WORLD),
        (PRIVATE, PRIVATE + WORLD),
        (WORLD, WORLD),
    ],
    ids=["loopback", "link", "private", "world"],
)
def test_a_peer_is_told_the_addresses_that_mean_the_same_to_it(peers: list[str], told: list[str]) -> None:
    """A06, K04: loopback addresses are for loopback peers, and private ones for no public peer."""
    for peer in peers:
        assert in_scope_of(EVERYTHING, peer) == told, peer


def test_a_link_local_address_is_told_to_a_peer_on_the_same_link_only() -> None:
    """K04: fe80::1 on one link is another host on the next."""
    ours = ["fe80::1%eth0", "fe80::1%eth1", "fd00::1"]
    assert in_scope_of(ours, "fe80::2%eth1") == ["fe80::1%eth1", "fd00::1"]
    # Without a scope nobody can tell the links apart.
    assert in_scope_of(ours, "169.254.0.2") == ours


def test_scope_keeps_the_order_and_the_families() -> None:
    assert in_scope_of(["2620:fe::7", "9.9.9.7", "2620:fe::1"], "9.9.9.9") == ["2620:fe::7", "9.9.9.7", "2620:fe::1"]
    assert in_scope_of([], "9.9.9.9") == []


def test_the_source_is_of_the_destinations_family() -> None:
    ours = ["192.0.2.1", "2001:db8::1"]
    assert choose_source(ours, "192.0.2.9") == "192.0.2.1"
    assert choose_source(ours, "2001:db8::9") == "2001:db8::1"
    assert choose_source(ours[:1], "2001:db8::9") is None
    assert choose_source([], "192.0.2.9") is None


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("169.254.0.9", "169.254.0.7"),
        ("10.9.9.9", "10.0.0.7"),
        ("192.168.0.9", "192.168.0.7"),
        ("8.8.8.8", "9.9.9.7"),
        ("::1", "::1"),
        ("fd00::9", "fd00::7"),
        ("2620:fe::9", "2620:fe::7"),
        ("fe80::9%eth0", "fe80::7%eth0"),
    ],
)
def test_the_source_has_the_nearest_scope_and_then_the_longest_common_prefix(destination: str, source: str) -> None:
    assert choose_source(EVERYTHING, destination) == source
    assert choose_source(EVERYTHING[::-1], destination) == source


def test_among_sources_of_one_scope_the_longest_common_prefix_wins() -> None:
    ours = ["10.1.0.1", "10.2.0.1", "10.2.3.1"]
    assert choose_source(ours, "10.2.3.9") == "10.2.3.1"
    assert choose_source(ours, "10.2.9.9") == "10.2.0.1"
    assert choose_source(ours, "10.1.9.9") == "10.1.0.1"


def test_a_link_local_destination_is_reached_from_its_own_link() -> None:
    """However alike the bits are: what leaves on eth1 never arrives on eth0."""
    assert choose_source(["fe80::9%eth0", "fe80::ffff:0:0:1%eth1"], "fe80::8%eth1") == "fe80::ffff:0:0:1%eth1"


def test_sources_come_best_first() -> None:
    ours = ["10.1.0.1", "10.2.0.1", "2001:db8::1", "9.9.9.7"]
    assert sources_for(ours, "10.2.0.9") == ["10.2.0.1", "10.1.0.1", "9.9.9.7"]


def test_turns_go_round_those_that_are_equally_good() -> None:
    """E06: §6.4.1: the paths of an association differ at both ends, where that costs nothing."""
    ours = ["10.2.0.1", "10.2.0.2", "10.1.0.1"]
    turns = [choose_source(ours, "10.2.0.9", turn) for turn in range(3)]
    assert turns == ["10.2.0.1", "10.2.0.2", "10.2.0.1"]


def test_the_parameters_carry_both_families_and_no_scope() -> None:
    """P02: IPv4 and IPv6 addresses as INIT and INIT ACK list them."""
    assert address_parameters(["192.0.2.1", "2001:db8::1", "fe80::1%eth0"]) == (
        IPv4AddressParameter("192.0.2.1"),
        IPv6AddressParameter("2001:db8::1"),
        IPv6AddressParameter("fe80::1"),
    )


def test_an_address_is_told_from_a_name_in_every_spelling() -> None:
    assert all(is_address(text) for text in (*EVERYTHING, "2001:DB8:0:0:0:0:0:1", "::ffff:192.0.2.1", "0.0.0.0"))
    assert not any(is_address(text) for text in ("", "server", "192.0.2", "192.0.2.1:7777", "[::1]"))
