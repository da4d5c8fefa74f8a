"""The beginning of an association: whom a name means, and the INIT (RFC 9260 §11.1.2)."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from aiosctp.config import Config
from aiosctp.core.addresses import canonical_host, is_unicast
from aiosctp.core.association import AssociationEngine
from aiosctp.stack import Stack, not_bound_to


def begin_association(
    stack: Stack,
    peer_hosts: Sequence[str],
    port: int,
    *,
    remote_udp_port: int,
    local_hosts: Sequence[str] | None,
    local_port: int,
    config: Config,
) -> AssociationEngine:
    """Send an INIT to the peer that has these addresses. Raises OSError when that can't be.

    local_hosts: None for those that the endpoint on `local_port` has, or else for all of the stack.
    """
    engine = stack.open()
    existing = engine.endpoints.get(local_port)
    bound = stack.local_addresses
    hosts = local_hosts or (bound if existing is None else existing.local_addresses)
    for host in hosts:
        if host not in bound:
            raise not_bound_to(host)
    endpoint = stack.open_endpoint(local_port, hosts, config)
    if engine.association_with(endpoint.port, port, peer_hosts) is not None:
        raise OSError(errno.EISCONN, "there is an association with this peer from this port")
    try:
        return engine.connect(endpoint, peer_hosts, port, udp_port=remote_udp_port, config=config, now=stack.now())
    except ValueError as error:
        stack.close_if_unused(endpoint)
        raise OSError(errno.EADDRNOTAVAIL, str(error)) from None


async def addresses_of(host: str, stack: Stack) -> list[str]:
    """The unicast addresses of a name or an address, best first. Waits for name resolution. Raises OSError."""
    literal = literal_host(host)
    # An interface may be unknown, or be given by number.
    if literal is not None and "%" not in literal:
        return [literal]
    found = await stack.network.resolve(host)
    usable = [address for address in found if is_unicast(address)]
    if not usable:
        raise OSError(errno.EADDRNOTAVAIL, f"{host} has no unicast address")
    return usable


def literal_host(host: str) -> str | None:
    """The address that the string is; None for a name."""
    try:
        return canonical_host(host)
    except ValueError:
        return None
