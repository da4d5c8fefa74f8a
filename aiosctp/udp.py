"""SCTP in UDP (RFC 6951): the sockets of a stack, one per local address, all on one UDP port."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Protocol

from aiosctp.core.addresses import canonical_host, is_ipv6
from aiosctp.core.datagram import Datagram, Received, split
from aiosctp.core.icmp import IcmpMessage

SockAddr = tuple[str, int] | tuple[str, int, int, int]

# One flow at full speed fills the default of 208 KiB within a few milliseconds of a busy loop; the kernel takes what
# it allows of this (net.core.rmem_max).
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
# How often an ephemeral port that is free on the first address may turn out to be taken on another.
BIND_ATTEMPTS = 32
# Datagrams kept until a transport that is made asynchronously is there; what is lost beyond is retransmitted.
MAX_EARLY_DATAGRAMS = 256

# linux/in.h, linux/in6.h; the socket module names only some of them.
IP_MTU_DISCOVER = 10
IPV6_MTU_DISCOVER = 23
PMTUDISC_DONT = 0
PMTUDISC_PROBE = 3
IP_MTU = 14
IPV6_MTU = 24
IP_RECVERR = 11
IPV6_RECVERR = 25
# RFC 863. Connecting a UDP socket sends nothing.
DISCARD_PORT = 9
IS_LINUX = sys.platform == "linux"


class DatagramReceiver(Protocol):
    """Who takes what arrives: the stack."""

    def datagrams_received(self, datagrams: Iterable[Received], local_host: str) -> None:
        """Everything that one wake-up found, in order, which came to `local_host`."""

    def icmp_received(self, message: IcmpMessage) -> None:
        """An ICMP message about a datagram of ours, or the kernel's own word on one that it could not send."""

    def send_failed(self, datagram: Datagram, *, too_big: bool) -> None:
        """The operating system refused a datagram. Called while the stack sends."""


class UDPEncapsulation(asyncio.DatagramProtocol):
    """One UDP socket of a stack, on whatever transport carries it."""

    def __init__(self, receiver: DatagramReceiver, local_host: str, udp_socket: socket.socket) -> None:
        self.local_host = local_host
        self.udp_port: int = udp_socket.getsockname()[1]
        self._socket = udp_socket
        self._receiver = receiver
        self._transport: asyncio.DatagramTransport | None = None
        self._early: deque[Datagram] = deque(maxlen=MAX_EARLY_DATAGRAMS)
        self._is_closed = False
        self._lost = asyncio.Event()
        self._sending: Datagram | None = None

    # -- what the stack asks for --

    def send(self, datagram: Datagram) -> None:
        """Send, or drop: a datagram has no other fate that its sender could act on."""
        for each in split((datagram,)):
            self._send_one(each)

    def _send_one(self, datagram: Datagram) -> None:
        transport = self._transport
        if transport is None:
            self._early.append(datagram)
            return
        self._sending = datagram
        try:
            address = socket_address(datagram.destination, datagram.udp_port)
            if datagram.dont_fragment:
                transport.sendto(datagram.data, address)
            else:
                self._send_fragmentable(transport, datagram.data, address)
        except OSError as error:
            self.error_received(error)
        finally:
            self._sending = None

    def close(self) -> None:
        self._is_closed = True
        self._early.clear()
        if self._transport is not None:
            self._transport.close()

    async def wait_closed(self) -> None:
        """Wait until the socket is closed. Cancelling changes nothing."""
        await self._lost.wait()

    def _send_fragmentable(self, transport: asyncio.DatagramTransport, data: bytes, address: SockAddr) -> None:
        """§6.9: what no longer fits its path goes out with IP fragmentation."""
        if hasattr(transport, "send_fragmentable"):
            transport.send_fragmentable(data, address)
            return
        # Any other transport sends at once when it can, and else keeps DF on what it queues.
        set_dont_fragment(self._socket, False)
        try:
            transport.sendto(data, address)
        finally:
            set_dont_fragment(self._socket, True)

    @property
    def socket(self) -> socket.socket:
        return self._socket

    # -- asyncio.DatagramProtocol --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's datagram transport is no subclass of asyncio's.
        self._transport = transport  # type: ignore[assignment]  # see above
        if self._is_closed:
            transport.close()
        while self._early:
            self.send(self._early.popleft())

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closed = True
        self._lost.set()

    def datagram_received(self, data: bytes, addr: SockAddr) -> None:
        self.batch_received([(data, addr)])

    def error_received(self, exc: Exception) -> None:
        """Transports call this from within `sendto`, and for pending errors of datagrams sent before."""
        if self._sending is not None and isinstance(exc, OSError):
            self._receiver.send_failed(self._sending, too_big=exc.errno == errno.EMSGSIZE)

    # -- what the batching transport adds --

    def batch_received(self, batch: Iterable[tuple[bytes, SockAddr]]) -> None:
        """Everything that one wake-up found."""
        if not self._is_closed:
            received = [Received(data, host_of(address), address[1]) for data, address in batch]
            self._receiver.datagrams_received(received, self.local_host)

    def icmp_received(self, message: IcmpMessage) -> None:
        if not self._is_closed:
            self._receiver.icmp_received(message)


def host_of(address: SockAddr) -> str:
    """The host of a socket address as the engine spells it, a link-local one with its interface."""
    return _host(address[0], address[3] if len(address) > 2 else 0)


@lru_cache(maxsize=4096)
def _host(text: str, scope_id: int) -> str:
    host = canonical_host(text)
    if scope_id == 0 or "%" in host:
        return host
    try:
        return f"{host}%{socket.if_indextoname(scope_id)}"
    except OSError:
        return f"{host}%{scope_id}"


def with_named_scope(host: str) -> str:
    """The host with its interface by name, as `host_of` spells it, though it was given by number.

    Raises OSError (ENODEV) for an interface that does not exist.
    """
    text, _, scope = host.partition("%")
    if not scope:
        return host
    try:
        name = socket.if_indextoname(int(scope)) if scope.isdigit() else scope
        socket.if_nametoindex(name)
    except (OSError, OverflowError):
        raise OSError(errno.ENODEV, f"host {host}: there is no interface {scope}") from None
    return f"{text}%{name}"


@lru_cache(maxsize=4096)
def socket_address(host: str, port: int) -> SockAddr:
    """Host and port as the socket module wants them. Raises OSError for an interface that does not exist."""
    if not is_ipv6(host):
        return host, port
    text, _, scope = host.partition("%")
    if not scope:
        return text, port, 0, 0
    return text, port, 0, int(scope) if scope.isdigit() else socket.if_nametoindex(scope)


def set_dont_fragment(udp_socket: socket.socket, dont_fragment: bool) -> None:
    """With DF, and whatever the kernel believes about the path MTU: it learns from ICMP that nobody verified."""
    if not IS_LINUX:
        return
    mode = PMTUDISC_PROBE if dont_fragment else PMTUDISC_DONT
    if udp_socket.family == socket.AF_INET6:
        udp_socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, mode)
    else:
        udp_socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, mode)


def route_mtu(local_host: str | None, host: str) -> int | None:
    """See `aiosctp.network.Network.route_mtu`.

    What an unverified ICMP message told it may be in there: it is a first guess, and no more.
    """
    if not IS_LINUX:
        return None
    level, option = (socket.IPPROTO_IPV6, IPV6_MTU) if is_ipv6(host) else (socket.IPPROTO_IP, IP_MTU)
    try:
        with socket.socket(socket.AF_INET6 if is_ipv6(host) else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            if local_host is not None:
                asking.bind(socket_address(local_host, 0))
            asking.connect(socket_address(host, DISCARD_PORT))
            return asking.getsockopt(level, option)
    except OSError:
        return None


def bind_sockets(hosts: Sequence[str], udp_port: int, *, skip_unusable: bool) -> list[tuple[str, socket.socket]]:
    """A socket for each host, all on one UDP port; 0 for one that is free on all of them.

    `skip_unusable` leaves out addresses that can't be bound now, such as an IPv6 one that is still tentative.
    """
    for attempts_left in reversed(range(BIND_ATTEMPTS)):
        try:
            return _bind_all(hosts, udp_port, skip_unusable)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or udp_port or not attempts_left:
                raise
    raise AssertionError("the last attempt returns or raises")


def _bind_all(hosts: Sequence[str], udp_port: int, skip_unusable: bool) -> list[tuple[str, socket.socket]]:
    bound: list[tuple[str, socket.socket]] = []
    try:
        for host in hosts:
            udp_socket = _make_socket(host)
            bound.append((host, udp_socket))
            try:
                udp_socket.bind(socket_address(host, udp_port))
            except OSError as error:
                if not skip_unusable or error.errno != errno.EADDRNOTAVAIL:
                    raise OSError(error.errno, _why_not_bound(error, host, udp_port)) from None
                bound.pop()
                udp_socket.close()
                continue
            udp_port = udp_socket.getsockname()[1]
    except BaseException:
        for _, udp_socket in bound:
            udp_socket.close()
        raise
    if not bound:
        raise OSError(errno.EADDRNOTAVAIL, "none of the local addresses can be bound")
    return bound


def _why_not_bound(error: OSError, host: str, udp_port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"UDP port {udp_port} of {host} is in use: choose another, udp_port=..."
    return f"UDP port {udp_port} of {host} can't be bound: {error.strerror}"


def _make_socket(host: str) -> socket.socket:
    family = socket.AF_INET6 if is_ipv6(host) else socket.AF_INET
    udp_socket = socket.socket(family, socket.SOCK_DGRAM)
    udp_socket.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        with suppress(OSError):
            udp_socket.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
    if family == socket.AF_INET6:
        udp_socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    set_dont_fragment(udp_socket, True)
    return udp_socket


Carrier = Callable[[asyncio.AbstractEventLoop, socket.socket, UDPEncapsulation], None]
"""What puts a bound socket on the loop under its protocol."""


def endpoint_carrier(loop: asyncio.AbstractEventLoop, udp_socket: socket.socket, protocol: UDPEncapsulation) -> None:
    """`create_datagram_endpoint`: works on every loop, a datagram per loop turn and no ICMP errors."""

    async def attach() -> None:
        try:
            await loop.create_datagram_endpoint(lambda: protocol, sock=udp_socket)
        except BaseException:
            udp_socket.close()
            protocol.connection_lost(None)
            raise

    task = loop.create_task(attach())
    _attaching.add(task)
    task.add_done_callback(_attaching.discard)


# The loop holds tasks weakly.
_attaching: set[asyncio.Task[None]] = set()
