"""Associations that a socket opens (RFC 6458 §3.1.6, §4.1.5, §7.5, §9.9)."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiosctp.config import Config
from aiosctp.opening import begin_association
from aiosctp.socket import binding
from aiosctp.socket.addresses import Address, resolved
from aiosctp.socket.errors import as_socket_errors, error
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.structures import sctp_initmsg

if TYPE_CHECKING:
    from aiosctp.socket.socket_state import SocketState


async def hosts_of(sock: SocketState, addresses: Sequence[Address]) -> tuple[tuple[str, ...], int]:
    """The hosts of one peer, and its port. Waits for name resolution."""
    ports = {port for _, port in addresses}
    if len(ports) != 1 or 0 in ports:
        raise error(errno.EINVAL, f"all addresses must have one port, and that not 0: {sorted(ports)}")
    stack = sock.open_stack(listens=False)
    hosts = [await resolved(host, sock.family, stack) for host, _ in addresses]
    return tuple(dict.fromkeys(hosts)), ports.pop()


def begin(sock: SocketState, hosts: Sequence[str], port: int, initmsg: sctp_initmsg | None = None) -> SocketAssociation:
    """Send an INIT. Raises OSError."""
    sock.check_open()
    sock.check_may_connect()
    stack = sock.open_stack(listens=False)
    endpoint = binding.endpoint_of(sock, stack)
    settings = sock.settings.copy()
    if initmsg is not None:
        settings.config = _as_said(initmsg, settings.config)
    engine = begin_association(
        stack,
        hosts,
        port,
        remote_udp_port=settings.remote_udp_port,
        local_hosts=None,
        local_port=endpoint.port,
        config=settings.config,
    )
    opened = sock.add_association(engine, settings)
    stack.touch(engine)
    return opened


def _as_said(initmsg: sctp_initmsg, config: Config) -> Config:
    """§5.3.1: "the default value of 0 indicates the use of the endpoint's default value"."""
    said = {
        "outbound_streams": initmsg.sinit_num_ostreams,
        "max_inbound_streams": initmsg.sinit_max_instreams,
        "max_init_retransmits": initmsg.sinit_max_attempts,
        "init_rto_max_s": initmsg.sinit_max_init_timeo / 1000,
    }
    with as_socket_errors:
        return config.replace(**{name: value for name, value in said.items() if value})


def take_back(opened: SocketAssociation) -> None:
    """The call that has opened it fails: nobody hears of it, for nothing of it was sent, and it is gone at once."""
    sock, stack = opened.socket, opened.association.stack
    opened.settings.events.clear()
    opened.association.abort()
    stack.flush(stack.now())
    if sock.peer is opened:
        sock.peer = None
        sock.take_pending_errno()


async def connect(sock: SocketState, addresses: Sequence[Address]) -> SocketAssociation:
    """Send an INIT to the peer that has these addresses, at once. Waits for name resolution."""
    sock.check_open()
    sock.check_may_connect()
    hosts, port = await hosts_of(sock, addresses)
    opened = begin(sock, hosts, port)
    stack = opened.association.stack
    stack.flush(stack.now())
    return opened


async def establish(opened: SocketAssociation) -> None:
    """Wait for the handshake. Cancelled, it is given up with an ABORT. It can be tried again. Raises OSError."""
    sock = opened.socket
    try:
        while opened.is_connecting:
            await opened.changes.wait()
            sock.check_open()
        if opened.ending is not None and not opened.came_up:
            sock.check_open()
            raise opened.ending
    except BaseException:
        opened.association.abort()
        if sock.peer is opened:
            sock.peer = None
            sock.take_pending_errno()
        raise
