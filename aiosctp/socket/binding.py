"""Which addresses and port a socket has (RFC 6458 §3.1.2, §4.1.2, §9.1)."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiosctp.core.addresses import is_ipv6
from aiosctp.core.endpoint import Endpoint
from aiosctp.socket import addresses
from aiosctp.socket.addresses import Address
from aiosctp.socket.constants import AF_INET, SCTP_BINDX_ADD_ADDR, SCTP_BINDX_REM_ADDR
from aiosctp.socket.errors import error
from aiosctp.stack import Stack, not_bound_to

if TYPE_CHECKING:
    from aiosctp.socket.socket_state import SocketState


def bind(sock: SocketState, asked: Sequence[Address]) -> None:
    """Take the port, on these addresses of the stack's. Raises OSError."""
    hosts, port = _hosts_and_port(sock, asked)
    stack = sock.open_stack(listens=True)
    sock.endpoint = hold(sock, stack, _of_stack(sock, stack, hosts), port)


def endpoint_of(sock: SocketState, stack: Stack) -> Endpoint:
    """§3.1.2: without a call of bind, it is an ephemeral port on all addresses."""
    if sock.endpoint is None:
        sock.endpoint = hold(sock, stack, _of_family(sock, stack), 0)
    return sock.endpoint


def hold(sock: SocketState, stack: Stack, hosts: Sequence[str], port: int) -> Endpoint:
    existing = stack.open().endpoints.get(port)
    is_shared = existing is not None and existing.is_held and existing.is_shared and sock.reuse_port
    if existing is not None and (existing.is_listening or existing.is_held) and not is_shared:
        raise error(errno.EADDRINUSE, f"SCTP port {port} of this stack is in use")
    try:
        endpoint = stack.open_endpoint(port, hosts, sock.settings.config)
    except ValueError as wrong:
        raise error(errno.EADDRINUSE, str(wrong)) from None
    endpoint.holders += 1
    stack.tell_when_closed(sock)
    endpoint.is_shared = sock.reuse_port
    return endpoint


def release(sock: SocketState, stack: Stack, endpoint: Endpoint) -> None:
    endpoint.holders -= 1
    if sock.is_listening:
        endpoint.unaccepted = 0
        stack.stop_listening(endpoint)
    else:
        stack.close_if_unused(endpoint)


def bindx(sock: SocketState, asked: Sequence[Address], flags: int) -> None:
    """§9.1: bind a socket that is not, or change the addresses of one that is. Raises OSError."""
    if flags not in (SCTP_BINDX_ADD_ADDR, SCTP_BINDX_REM_ADDR):
        raise error(errno.EINVAL, "flags must be SCTP_BINDX_ADD_ADDR or SCTP_BINDX_REM_ADDR, and not both")
    endpoint = sock.endpoint
    if endpoint is None and sock.associations:
        raise _needs_asconf()
    if endpoint is None:
        if flags == SCTP_BINDX_REM_ADDR:
            raise error(errno.EINVAL, "the socket is not bound: there is no address to remove")
        bind(sock, asked)
        return
    hosts, port = _hosts_and_port(sock, asked)
    if port not in (0, endpoint.port):
        raise error(errno.EINVAL, f"the port must be that of the socket, {endpoint.port}, not {port}")
    if any(addresses.is_wildcard(host) for host in hosts):
        raise error(errno.EINVAL, "the socket is bound: a wildcard can neither be added nor removed")
    if sock.associations:
        raise _needs_asconf()
    if flags == SCTP_BINDX_ADD_ADDR:
        _add(sock, endpoint, hosts)
    else:
        _remove(endpoint, hosts)


def _needs_asconf() -> OSError:
    return error(errno.EOPNOTSUPP, "addresses of a live association change by ASCONF (RFC 5061), which is planned")


def _add(sock: SocketState, endpoint: Endpoint, hosts: Sequence[str]) -> None:
    added = _of_stack(sock, sock.choose_stack(listens=True), hosts)
    endpoint.local_addresses = tuple(dict.fromkeys((*endpoint.local_addresses, *added)))


def _remove(endpoint: Endpoint, hosts: Sequence[str]) -> None:
    for host in hosts:
        if host not in endpoint.local_addresses:
            raise error(errno.EINVAL, f"the socket is not bound to {host}")
    left = tuple(host for host in endpoint.local_addresses if host not in hosts)
    if not left:
        raise error(errno.EINVAL, "the last address can't be removed")
    endpoint.local_addresses = left


def _hosts_and_port(sock: SocketState, asked: Sequence[Address]) -> tuple[list[str], int]:
    """§9.1: "If the first port number is not zero, the following port numbers must be zero or have the same value as
    the first one." A wildcard is for itself alone (L05)."""
    port = asked[0][1]
    if any(other not in (0, port) for _, other in asked):
        raise error(errno.EINVAL, f"all addresses must have one port, not {[other for _, other in asked]}")
    hosts = list(dict.fromkeys(addresses.of_ours(host, sock.family) for host, _ in asked))
    if len(hosts) > 1 and any(addresses.is_wildcard(host) for host in hosts):
        raise error(errno.EINVAL, "a wildcard address stands for all, and must be the only one")
    return hosts, port


def _of_family(sock: SocketState, stack: Stack) -> tuple[str, ...]:
    """§3.1.1: an IPv6 socket speaks both."""
    return tuple(host for host in stack.local_addresses if sock.family != AF_INET or not is_ipv6(host))


def _of_stack(sock: SocketState, stack: Stack, hosts: Sequence[str]) -> tuple[str, ...]:
    if hosts[0] == "0.0.0.0":
        return tuple(host for host in stack.local_addresses if not is_ipv6(host))
    if hosts[0] == "::":
        return _of_family(sock, stack)
    for host in hosts:
        if host not in stack.local_addresses:
            raise not_bound_to(host)
    return tuple(hosts)
