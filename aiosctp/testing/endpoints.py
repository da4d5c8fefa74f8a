"""What a program asks an event loop for, on the simulated network: datagram endpoints, addresses, names.

All of it happens on the host whose context the caller runs in (`with network.host("a"):`).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from typing import Any, Final, TypeVar

from aiosctp.arguments import check_port
from aiosctp.core.addresses import canonical_host, choose_source, is_address, is_ipv6
from aiosctp.core.datagram import Datagram, Received
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.network import DatagramPort, Network, SystemNetwork, current_network
from aiosctp.testing.host import Host

SockAddr = tuple[str, int] | tuple[str, int, int, int]
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, SockAddr]
Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)

NO_HOST: Final = "no simulated host in this context: call it inside `with network.host(...):`"
WILDCARDS: Final = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}
_SOCKET_TYPES: Final = {socket.SOCK_STREAM: socket.IPPROTO_TCP, socket.SOCK_DGRAM: socket.IPPROTO_UDP}
_LOOPBACK: Final = ("127.0.0.1", "::1")
_ERRNO_OF: Final = {
    IcmpKind.PORT_UNREACHABLE: errno.ECONNREFUSED,
    IcmpKind.PROTOCOL_UNREACHABLE: errno.ENOPROTOOPT,
    IcmpKind.DESTINATION_UNREACHABLE: errno.EHOSTUNREACH,
    IcmpKind.PACKET_TOO_BIG: errno.EMSGSIZE,
}


def current_host(wanted: str) -> Network:
    """The host of this context. Raises RuntimeError, naming what is wanted of it, when there is none."""
    network = current_network.get()
    if isinstance(network, SystemNetwork):
        raise RuntimeError(f"{wanted}: {NO_HOST}")
    return network


# -- names --


async def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    *,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[AddressInfo]:
    """`socket.getaddrinfo` on the current host: addresses, and names that the network knows.

    Raises socket.gaierror for others.
    """
    network = current_host("getaddrinfo")
    number = _port_number(port)
    name = host.decode("idna") if isinstance(host, bytes) else host
    if not name:
        addresses: Iterable[str] = WILDCARDS if flags & socket.AI_PASSIVE else _LOOPBACK
    elif is_address(name):
        addresses = [name if name in WILDCARDS else canonical_host(name)]
    elif flags & socket.AI_NUMERICHOST:
        raise socket.gaierror(socket.EAI_NONAME, f"host {name}: not an address, and AI_NUMERICHOST is set")
    else:
        addresses = await network.resolve(name)
    chosen = [address for address in addresses if family in (socket.AF_UNSPEC, _family(address))]
    if not chosen:
        raise socket.gaierror(socket.EAI_NONAME, f"host {name}: no address of the family {family}")
    canonical_name = name or "" if flags & socket.AI_CANONNAME else ""
    return [
        (_family(address), kind, protocol, canonical_name, socket_address(address, number))
        for address in chosen
        for kind, protocol in _SOCKET_TYPES.items()
        if type in (0, kind) and proto in (0, protocol)
    ]


async def getnameinfo(sockaddr: SockAddr | tuple[str, int, int], flags: int = 0) -> tuple[str, str]:
    """`socket.getnameinfo` on the current host: the name of the host that has the address, else the address.

    The port is never named. Raises socket.gaierror for an unknown address with NI_NAMEREQD.
    """
    network = current_host("getnameinfo")
    host, port = canonical_host(sockaddr[0]), sockaddr[1]
    name = None
    if isinstance(network, Host) and not flags & socket.NI_NUMERICHOST:
        name = next((other.name for other in network.network.hosts if host in other.addresses), None)
    if name is None and flags & socket.NI_NAMEREQD:
        raise socket.gaierror(socket.EAI_NONAME, f"address {host}: no host of the simulated network has it")
    return name or host, str(port)


def _port_number(port: bytes | str | int | None) -> int:
    text = port.decode() if isinstance(port, bytes) else port
    if text is None or text == "":
        return 0
    try:
        return int(text)
    except ValueError:
        raise socket.gaierror(socket.EAI_SERVICE, f"port {text!r}: services have no names here") from None


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if is_ipv6(address) else socket.AF_INET


def socket_address(host: str, port: int) -> SockAddr:
    """Host and port as datagram protocols get them. Interfaces are not simulated: a scope stays in the text."""
    return (host, port, 0, 0) if is_ipv6(host) else (host, port)


# -- datagrams --


async def create_datagram_endpoint(
    protocol_factory: Callable[[], Protocol],
    local_addr: tuple[str, int] | str | None = None,
    remote_addr: tuple[str, int] | str | None = None,
    *,
    family: int = 0,
    **options: Any,
) -> tuple[SimulatedDatagramTransport, Protocol]:
    """`loop.create_datagram_endpoint` on the current host.

    A local host of None, "0.0.0.0" or "::" is every address of the family that the host has now. Raises OSError where
    a real one would, NotImplementedError for `sock` and for options that the simulated network has nothing for.
    """
    network = current_host("create_datagram_endpoint")
    if local_addr is None and remote_addr is None and family == socket.AF_UNSPEC:
        raise ValueError("local_addr, remote_addr or family must be given")
    for name in ("sock", "reuse_port", "allow_broadcast"):
        if options.get(name):
            raise NotImplementedError(f"{name}: not on the simulated network")
    remote = await _remote_address(remote_addr, family)
    if remote is not None:
        family = _family(remote[0])
    udp_port, hosts = await _local_hosts(network, local_addr, family)
    protocol = protocol_factory()
    endpoint = SimulatedDatagramTransport(protocol, remote)
    endpoint.bind(network, hosts, udp_port)
    # asyncio's own transports call it from the loop too, and are there when the coroutine returns.
    protocol.connection_made(endpoint)
    return endpoint, protocol


async def _remote_address(address: tuple[str, int] | str | None, family: int) -> tuple[str, int] | None:
    if address is None:
        return None
    host, port = _checked_pair("remote_addr", address)
    if not host:
        raise ValueError("remote_addr must name a host")
    if port == 0:
        raise ValueError("remote_addr must have a port")
    found = await getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)
    return found[0][4][0], port


async def _local_hosts(network: Network, address: tuple[str, int] | str | None, family: int) -> tuple[int, list[str]]:
    host, port = (None, 0) if address is None else _checked_pair("local_addr", address)
    if host and host not in WILDCARDS:
        found = await getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)
        return port, [found[0][4][0]]
    wanted = WILDCARDS.get(host or "", family)
    hosts = [each for each in network.local_addresses() if wanted in (socket.AF_UNSPEC, _family(each))]
    if not hosts:
        raise OSError(errno.EADDRNOTAVAIL, "local_addr: the host has no address of that family")
    return port, hosts


def _checked_pair(name: str, address: object) -> tuple[str | None, int]:
    match address:
        case (str() | None as host, int() as port, *_):
            check_port(name, port)
            return host, port
    raise TypeError(f"{name} must be a host and a port, not {address!r}")


class SimulatedDatagramTransport(asyncio.DatagramTransport):
    """A UDP socket of a simulated host: what `create_datagram_endpoint` gives a protocol.

    It never has anything buffered, so `pause_writing` is never called. It sends without DF, as UDP sockets do that
    nobody told otherwise. Connected, by `remote_addr`, it hears of ICMP errors, by `error_received`, and takes nothing
    from anybody else.
    """

    def __init__(self, protocol: asyncio.BaseProtocol, remote: tuple[str, int] | None) -> None:
        super().__init__()
        self._protocol = protocol
        self._remote = remote
        self._ports: dict[str, DatagramPort] = {}
        self._addresses: dict[str, SockAddr] = {}
        self._is_closing = False
        self._loop = asyncio.get_running_loop()
        # As with a real socket's reader: what the protocol starts belongs to who made the endpoint.
        self._context = copy_context()

    def bind(self, network: Network, hosts: Sequence[str], udp_port: int) -> None:
        """Open its ports. Raises OSError."""
        ports = network.open_ports(hosts, udp_port, self)
        self._ports = {port.local_host: port for port in ports}
        name = ports[0].local_host
        if len(ports) > 1:
            name = "::" if is_ipv6(name) else "0.0.0.0"
        self._addresses["sockname"] = socket_address(name, ports[0].udp_port)
        if self._remote is not None:
            self._addresses["peername"] = socket_address(*self._remote)

    # -- asyncio.DatagramTransport --

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Send a datagram to `(IP address, port)`, or to `remote_addr`. What the network can't carry is lost."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be bytes or another buffer, not {type(data).__name__}")
        host, port = self._destination(addr)
        if self._is_closing:
            return
        source = choose_source(list(self._ports), host)
        if source is None:
            self._tell(OSError(errno.ENETUNREACH, f"{host}: no address of that family to send from"))
            return
        self._ports[source].send(Datagram(bytes(data), source, host, port, dont_fragment=False))

    def _destination(self, addr: Any) -> tuple[str, int]:
        if addr is None:
            if self._remote is None:
                raise ValueError("addr must be given: the endpoint has no remote_addr")
            return self._remote
        host, port = _checked_pair("addr", addr)
        if host is None or not is_address(host):
            raise ValueError(f"addr must have an IP address, not {host!r}: loop.getaddrinfo resolves names")
        if port == 0:
            raise ValueError("addr must have a port")
        destination = canonical_host(host), port
        if self._remote not in (None, destination):
            raise ValueError(f"addr must be remote_addr {self._remote} or None, not {addr!r}")
        return destination

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`sockname` and `peername`; there is no socket."""
        return self._addresses.get(name, default)

    def close(self) -> None:
        """Free the port. The protocol hears `connection_lost` soon."""
        if self._is_closing:
            return
        self._is_closing = True
        for port in self._ports.values():
            port.close()
        self._soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """The same as `close`: nothing is ever left to send."""
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def get_write_buffer_size(self) -> int:
        return 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    # -- aiosctp.udp.DatagramReceiver --

    def datagrams_received(self, datagrams: Iterable[Received], local_host: str) -> None:
        for data, host, port, _ in datagrams:
            if self._remote in (None, (host, port)):
                self._soon(self._call_protocol, "datagram_received", data, socket_address(host, port))

    def icmp_received(self, message: IcmpMessage) -> None:
        # Linux tells connected sockets only.
        if self._remote is not None:
            number = _ERRNO_OF[message.kind]
            self._tell(OSError(number, os.strerror(number)))

    def send_failed(self, datagram: Datagram, *, too_big: bool, mtu: int = 0) -> None:
        number = errno.EMSGSIZE if too_big else errno.EHOSTUNREACH
        self._tell(OSError(number, os.strerror(number)))

    def _tell(self, error: OSError) -> None:
        self._soon(self._call_protocol, "error_received", error)

    def _call_protocol(self, name: str, *arguments: object) -> None:
        """As it is then: it may have been closed meanwhile, or have got another protocol."""
        if not self._is_closing:
            getattr(self._protocol, name)(*arguments)

    def _soon(self, callback: Callable[..., object], *arguments: object) -> None:
        """From the loop, so that a protocol is never called while it sends, and one that raises harms nobody else."""
        self._loop.call_soon(callback, *arguments, context=self._context)
