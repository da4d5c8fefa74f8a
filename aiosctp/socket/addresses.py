"""Addresses as a socket of a family takes and gives them (RFC 6458 §3.1.1, §8.1.15)."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from aiosctp.core.addresses import canonical_host, is_ipv6, is_unicast
from aiosctp.opening import addresses_of, literal_host
from aiosctp.socket.errors import error
from aiosctp.stack import Stack

Address = tuple[str, int]


def checked(address: object, name: str = "address") -> Address:
    """Host and SCTP port; a host alone has port 0. What IPv6 sockets have besides, flow information and scope, may
    follow as in the standard library, and is not looked at."""
    if isinstance(address, str):
        return address, 0
    if isinstance(address, tuple | list) and len(address) in (2, 4):
        host, port = address[0], address[1]
        if isinstance(host, str) and isinstance(port, int) and not isinstance(port, bool) and 0 <= port <= 65535:
            return host, port
    raise error(errno.EINVAL, f"{name} must be (host, SCTP port), not {address!r}")


def several(addresses: object, name: str = "addresses") -> list[Address]:
    if isinstance(addresses, str) or not isinstance(addresses, Sequence) or not addresses:
        raise error(errno.EINVAL, f"{name} must be a list of (host, SCTP port), not {addresses!r}")
    return [checked(one, name) for one in addresses]


async def resolved(host: str, family: int, stack: Stack) -> str:
    """The best address of a host that a socket of this family may speak with. Waits for name resolution."""
    try:
        found = await addresses_of(host, stack)
    except ValueError as wrong:
        raise error(errno.EINVAL, str(wrong)) from None
    for one in found:
        if family == socket.AF_INET6 or not is_ipv6(one):
            if not is_unicast(one):
                # RFC 6458 §1: "it does not support broadcast or multicast communications"; a wildcard is nobody.
                raise error(errno.EINVAL, f"{host} is no unicast address, and so no peer's")
            return one
    raise error(errno.EAFNOSUPPORT, f"{host} has no IPv4 address, and the socket is an IPv4 one")


def of_ours(host: str, family: int) -> str:
    """One to bind, which must be an address: "" is the wildcard of the family."""
    if not host:
        return "0.0.0.0" if family == socket.AF_INET else "::"
    literal = literal_host("127.0.0.1" if host == "localhost" else host)
    if literal is None:
        raise error(errno.EINVAL, f"bind takes addresses, and {host!r} is a name")
    if family == socket.AF_INET and is_ipv6(literal):
        raise error(errno.EAFNOSUPPORT, f"{host} is an IPv6 address, and the socket is an IPv4 one")
    return literal


def is_wildcard(host: str) -> bool:
    return host in ("0.0.0.0", "::")


def shown(host: str, *, mapped_v4: bool) -> str:
    """A host as the program sees it: with SCTP_I_WANT_MAPPED_V4_ADDR an IPv4 address comes as an IPv6 one."""
    if mapped_v4 and not is_ipv6(host):
        return f"::ffff:{host}"
    return host


def canonical(host: str) -> str:
    """Of an option's or a message's address. Raises OSError (EINVAL) for what is none."""
    try:
        return canonical_host(host)
    except ValueError:
        raise error(errno.EINVAL, f"{host!r} is not an address") from None
