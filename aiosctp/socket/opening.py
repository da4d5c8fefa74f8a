"""Associations that a socket opens (RFC 6458 §3.1.6, §4.1.5, §7.5, §9.9)."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiosctp.opening import begin_association
from aiosctp.socket import binding
from aiosctp.socket.addresses import Address, resolved
from aiosctp.socket.errors import error
from aiosctp.socket.socket_association import SocketAssociation

if TYPE_CHECKING:
    from aiosctp.socket.sctp_socket import SCTPSocket


async def hosts_of(sock: SCTPSocket, addresses: Sequence[Address]) -> tuple[tuple[str, ...], int]:
    """The hosts of one peer, and its port. Waits for name resolution."""
    ports = {port for _, port in addresses}
    if len(ports) != 1 or 0 in ports:
        raise error(errno.EINVAL, f"all addresses must have one port, and that not 0: {sorted(ports)}")
    stack = sock.choose_stack(listens=False)
    stack.open()
    hosts = [await resolved(host, sock.family, stack) for host, _ in addresses]
    return tuple(dict.fromkeys(hosts)), ports.pop()


def begin(sock: SCTPSocket, hosts: Sequence[str], port: int) -> SocketAssociation:
    """Send an INIT. Raises OSError."""
    sock.check_open()
    sock.check_may_connect()
    stack = sock.choose_stack(listens=False)
    if sock.endpoint is None:
        sock.endpoint = binding.bind_to_any(sock, stack)
    settings = sock.settings.copy()
    engine = begin_association(
        stack,
        hosts,
        port,
        remote_udp_port=settings.remote_udp_port,
        local_hosts=None,
        local_port=sock.endpoint.port,
        config=settings.config,
    )
    for path in engine.paths:
        path.udp_port = settings.remote_udp_ports.get(path.address, path.udp_port)
    opened = sock.add_association(engine, settings)
    stack.touch(engine)
    return opened


async def establish(opened: SocketAssociation) -> None:
    """Wait for the handshake. Cancelled, it is given up with an ABORT. Raises OSError."""
    sock = opened.socket
    try:
        while opened.is_connecting:
            await opened.changes.wait()
            sock.check_open()
    except BaseException:
        opened.association.abort()
        raise
    if opened.ending is not None and not opened.came_up:
        sock.check_open()
        raise opened.ending
