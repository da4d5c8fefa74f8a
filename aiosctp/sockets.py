"""The UDP sockets of the machine: their addresses, their options, and binding them."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache

import ifaddr

from aiosctp.core.addresses import canonical_host, is_ipv6, parse_host
from aiosctp.core.paths import DEFAULT_IPV6_MTU

if sys.platform != "win32":
    import fcntl

SockAddr = tuple[str, int] | tuple[str, int, int, int]

# One flow at full speed fills the default of 208 KiB within a few milliseconds of a busy loop.
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
MAX_DATAGRAM_BYTES = 65535
# How often an ephemeral port that is free on the first address may turn out to be taken on another.
BIND_ATTEMPTS = 32

# linux/in.h, linux/in6.h, asm/socket.h; the socket module names only some of them.
IP_MTU_DISCOVER = 10
IPV6_MTU_DISCOVER = 23
IPV6_MTU = 24
PMTUDISC_DONT = 0
PMTUDISC_PROBE = 3
IP_RECVERR = 11
IPV6_RECVERR = 25
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
# linux/sock_diag.h: nine counters, SK_MEMINFO_DROPS the last.
_MEMINFO = struct.Struct("=9I")
# linux/sockios.h, net/if.h: struct ifreq, of which the MTU is all that is read.
SIOCGIFMTU = 0x8921
_MTU_REQUEST = struct.Struct("16si20x")
# RFC 863. Connecting a UDP socket sends nothing.
DISCARD_PORT = 9
IS_LINUX = sys.platform == "linux"


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
        # RFC 8200 §5: fragments that every path carries. Left on, it would bound what goes with DF as well.
        udp_socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU, 0 if dont_fragment else DEFAULT_IPV6_MTU)
    else:
        udp_socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, mode)


def route_mtu(local_host: str | None, host: str) -> int | None:
    """See `aiosctp.network.Network.route_mtu`.

    It is the MTU of the interface with the address that such packets leave from. IP_MTU would say more, but believes
    any ICMP message with fitting ports: RFC 8899 §4.6.1 has those validated by what is harder to guess.
    """
    if not IS_LINUX:
        return None
    try:
        with socket.socket(socket.AF_INET6 if is_ipv6(host) else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            if local_host is not None:
                asking.bind(socket_address(local_host, 0))
            asking.connect(socket_address(host, DISCARD_PORT))
            return _interface_mtu(asking)
    except OSError:
        return None


def _interface_mtu(connected: socket.socket) -> int:
    local_host = host_of(connected.getsockname())
    try:
        return _mtu_of(connected, _interface_of(local_host))
    except OSError:
        # The interface is gone, and its addresses may be elsewhere now.
        _interface_of.cache_clear()
        return _mtu_of(connected, _interface_of(local_host))


def _mtu_of(any_socket: socket.socket, interface: str) -> int:
    answer = fcntl.ioctl(any_socket, SIOCGIFMTU, _MTU_REQUEST.pack(interface.encode(), 0))
    return int(_MTU_REQUEST.unpack(answer)[1])


@lru_cache(maxsize=4096)
def _interface_of(local_host: str) -> str:
    """Kept: listing the interfaces takes longer than a handshake. Raises OSError for an address that is on none."""
    for host, interface in interface_hosts():
        if host == local_host:
            return interface
    raise OSError(errno.EADDRNOTAVAIL, f"{local_host} is on no interface")


def interface_hosts() -> Iterator[tuple[str, str]]:
    """Every host of this machine with the name of its interface, loopback included."""
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            yield _host_on(ip.ip, adapter.name), adapter.name


def _host_on(ip: str | tuple[str, int, int], interface: str) -> str:
    if isinstance(ip, str):
        return canonical_host(ip)
    host = canonical_host(ip[0])
    return f"{host}%{interface}" if parse_host(host).is_link_local else host


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
        taken = f"UDP port {udp_port} of {host} is in use"
        return f"{taken}: choose another, udp_port=... (of sockets: stack=Stack(udp_port=...))"
    return f"UDP port {udp_port} of {host} can't be bound: {error.strerror}"


def _make_socket(host: str) -> socket.socket:
    family = socket.AF_INET6 if is_ipv6(host) else socket.AF_INET
    udp_socket = socket.socket(family, socket.SOCK_DGRAM)
    udp_socket.setblocking(False)
    _enlarge(udp_socket, socket.SO_RCVBUF, SO_RCVBUFFORCE)
    _enlarge(udp_socket, socket.SO_SNDBUF, SO_SNDBUFFORCE)
    if family == socket.AF_INET6:
        udp_socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    set_dont_fragment(udp_socket, True)
    return udp_socket


def _enlarge(udp_socket: socket.socket, option: int, force_option: int) -> None:
    """Past net.core.rmem_max and wmem_max with CAP_NET_ADMIN; without, as far as the kernel allows."""
    for each in (force_option, option) if IS_LINUX else (option,):
        with suppress(OSError):
            udp_socket.setsockopt(socket.SOL_SOCKET, each, SOCKET_BUFFER_BYTES)
            return


def receive_buffer_drops(udp_socket: socket.socket) -> int:
    """How many datagrams the kernel has dropped here, most of them because the receive buffer was full; 0 where it does
    not say."""
    if not IS_LINUX:
        return 0
    try:
        *_, drops = _MEMINFO.unpack(udp_socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size))
    except OSError:
        return 0
    return int(drops)
