"""Hosts as canonical strings: families, scopes, and which of ours belongs with which of the peer's.

A host is the text of an IPv4 or IPv6 address, link-local ones with their interface ("fe80::1%eth0").
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from aiosctp.wire.parameters import IPv4AddressParameter, IPv6AddressParameter

IPv4 = ipaddress.IPv4Address
IPv6 = ipaddress.IPv6Address


@lru_cache(maxsize=4096)
def parse_host(host: str) -> IPv4 | IPv6:
    """The address without its scope. Raises ValueError."""
    return ipaddress.ip_address(host.partition("%")[0])


@lru_cache(maxsize=4096)
def canonical_host(host: str) -> str:
    """The one spelling of a host, as it stands in dicts. An IPv4-mapped IPv6 address is the IPv4 one.

    Raises ValueError.
    """
    address = ipaddress.ip_address(host)
    if isinstance(address, IPv6) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def is_address(text: str) -> bool:
    """Whether it is an address, in any spelling, and no name."""
    try:
        canonical_host(text)
    except ValueError:
        return False
    return True


def is_ipv6(host: str) -> bool:
    return ":" in host


@lru_cache(maxsize=4096)
def is_unicast(host: str) -> bool:
    """§8.4, 1: SCTP speaks to unicast addresses only."""
    address = parse_host(host)
    if address.is_multicast or address.is_unspecified:
        return False
    return str(address) != "255.255.255.255"


@lru_cache(maxsize=4096)
def _scope_rank(host: str) -> int:
    """0 the address is of this machine only, 1 of this link, 2 of a private network, 3 of the world."""
    address = parse_host(host)
    if address.is_loopback:
        return 0
    if address.is_link_local:
        return 1
    # Not "is_private": the carriers' shared addresses (RFC 6598) are not of the world either.
    return 3 if address.is_global else 2


def _is_on_another_link(host: str, peer: str) -> bool:
    ours, theirs = host.partition("%")[2], peer.partition("%")[2]
    return bool(ours and theirs) and ours != theirs


def in_scope_of(ours: Iterable[str], peer: str) -> list[str]:
    """Those of our addresses that mean the same to the peer as to us (RFC 6458 §3.1.2, §5.1.2).

    A loopback address is told to a loopback peer only, and to that no other; a link-local one to a peer on the link,
    a private one to no public peer.
    """
    peer_rank = _scope_rank(peer)
    if peer_rank == 0:
        return [host for host in ours if _scope_rank(host) == 0]
    return [host for host in ours if _scope_rank(host) >= peer_rank and not _is_on_another_link(host, peer)]


def sources_for(ours: Sequence[str], destination: str) -> list[str]:
    """Our hosts of the destination's family, best first: on its link if that is known, the scope nearest, then of its
    network."""
    family = [host for host in ours if is_ipv6(host) == is_ipv6(destination)]
    if len(family) < 2:
        return family
    return sorted(family, key=lambda host: _distance(host, destination))


def choose_source(ours: Sequence[str], destination: str, turn: int = 0) -> str | None:
    """The local host to send from. None: no address of that family.

    Of those equally good the one whose `turn` it is, so that the paths of an association differ at both ends (§6.4.1).
    """
    hosts = sources_for(ours, destination)
    if len(hosts) < 2:
        return hosts[0] if hosts else None
    best = [host for host in hosts if _distance(host, destination) == _distance(hosts[0], destination)]
    return best[turn % len(best)]


def _distance(host: str, destination: str) -> tuple[bool, int, int]:
    return (
        _is_on_another_link(host, destination),
        abs(_scope_rank(host) - _scope_rank(destination)),
        -_common_network_bits(host, destination),
    )


def _common_network_bits(one: str, other: str) -> int:
    """The length of the prefix they share, no longer than that of the usual network of either family."""
    a, b = parse_host(one), parse_host(other)
    shared = a.max_prefixlen - (int(a) ^ int(b)).bit_length()
    return min(shared, 64 if isinstance(a, IPv6) else 24)


def address_parameters(hosts: Iterable[str]) -> tuple[IPv4AddressParameter | IPv6AddressParameter, ...]:
    """The hosts as INIT and INIT ACK carry them (§3.3.2.1); a scope does not travel."""
    return tuple(
        IPv6AddressParameter(str(parse_host(host))) if is_ipv6(host) else IPv4AddressParameter(host) for host in hosts
    )
