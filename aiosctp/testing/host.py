"""A simulated host: addresses, ports, entropy, and a context in which aiosctp runs on it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from contextvars import Context, ContextVar, Token, copy_context
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from aiosctp.arguments import check_port, host_list
from aiosctp.core.addresses import canonical_host, is_ipv6
from aiosctp.core.datagram import Datagram, split
from aiosctp.network import Network as StackNetwork
from aiosctp.network import current_network
from aiosctp.testing.packet import MAX_UDP_PAYLOAD_BYTES, NOT_ECT, Packet
from aiosctp.udp import DatagramReceiver

if TYPE_CHECKING:
    from aiosctp.testing.network import Network

# RFC 6056 §3.2: the ephemeral ports should be the range 1024-65535; these are those that Linux takes.
EPHEMERAL_PORTS = range(32768, 61000)
_entered: ContextVar[tuple[Token[StackNetwork], ...]] = ContextVar("_entered", default=())


@runtime_checkable
class Program(Protocol):
    """A receiver that can be ended, as `aiosctp.Stack` can."""

    def close(self) -> None: ...


class Port:
    """One address of a host on one UDP port. `ecn`: the codepoint that what it sends carries."""

    def __init__(self, host: Host, local_host: str, udp_port: int, receiver: DatagramReceiver) -> None:
        self.local_host = local_host
        self.udp_port = udp_port
        self.receiver = receiver
        self.ecn = NOT_ECT
        self.is_closed: bool = False
        self._host = host
        self._closed = asyncio.Event()
        # What a datagram sets off happens on this host, not on the one whose packet set the network's timer.
        self.context: Context = copy_context()
        self.context.run(current_network.set, host)

    def send(self, datagram: Datagram) -> None:
        """Put it on the wire, or tell the receiver that it can't be sent, as an operating system would."""
        if not self.is_closed:
            for each in split((datagram,)):
                self._send_one(each)

    def _send_one(self, datagram: Datagram) -> None:
        if is_ipv6(datagram.destination) != is_ipv6(self.local_host):
            self.receiver.send_failed(datagram, too_big=False)
        elif len(datagram.data) > MAX_UDP_PAYLOAD_BYTES:
            self.receiver.send_failed(datagram, too_big=True)
        else:
            data, _, destination, udp_port, dont_fragment, _ = datagram
            packet = Packet(self.local_host, self.udp_port, destination, udp_port, data, dont_fragment, self.ecn)
            mtu = self._host.mtu
            if dont_fragment and mtu is not None and packet.ip_bytes > mtu:
                self.receiver.send_failed(datagram, too_big=True, mtu=mtu)
                return
            if not dont_fragment and mtu is not None and packet.ip_bytes <= mtu and is_ipv6(destination):
                # RFC 8200 §4.5: only the sender fragments, and as Linux does it, what the interface does not take.
                packet = packet._replace(dont_fragment=True)
            self._host.network.send(packet)

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._closed.set()
            self._host.network.ports.pop((self.local_host, self.udp_port), None)

    async def wait_closed(self) -> None:
        """Wait until the address and port are free again: at once after `close`. Cancelling changes nothing."""
        await self._closed.wait()

    def __repr__(self) -> str:
        return f"<Port {self.udp_port} of {self.local_host}{', closed' if self.is_closed else ''}>"


class Host:
    """A host of a simulated network: `Network.host` makes it.

    `with host:` lets what runs inside, and the tasks made inside, speak from this host: `aiosctp.connect`, `serve` and
    `Stack` take their sockets, addresses, clock and entropy from it. Elsewhere, `Stack(network=host)` does the same.

    There is no loopback: a host reaches itself by its own addresses, "localhost" and 127.0.0.1 are nobody.

    answers_closed_ports: whether a datagram to a closed UDP port is answered with ICMP "port unreachable".
    mtu: the largest IP packet that its interfaces take; a larger one that must not be fragmented is refused. None takes
    any, and tells path MTU discovery what the link takes.
    """

    def __init__(self, network: Network, name: str, addresses: tuple[str, ...]) -> None:
        self.network = network
        self.name = name
        self.answers_closed_ports: bool = network.answers_closed_ports
        self.mtu: int | None = None
        self._addresses = list(addresses)
        self._entropy = Random(f"{network.seed}/host/{name}/entropy")
        self._ephemeral = Random(f"{network.seed}/host/{name}/ephemeral")

    # -- the host --

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(self._addresses)

    def add_address(self, address: str) -> None:
        """From now on the host has this address too. Ports that are open already are not bound to it."""
        (canonical,) = host_list("address", address)
        self.network.claim(canonical, self)
        self._addresses.append(canonical)

    def remove_address(self, address: str) -> None:
        """The host loses this address: its ports close, and packets on the way to it find nobody.

        Raises ValueError when the host does not have it.
        """
        (canonical,) = host_list("address", address)
        if canonical not in self._addresses:
            raise ValueError(f"address {address} is not one of {self.name}'s")
        for port in self.ports:
            if port.local_host == canonical:
                port.close()
        self._addresses.remove(canonical)
        self.network.release(canonical)

    def crash(self) -> None:
        """Lose power: the ports vanish, and nothing more leaves.

        What had them open is closed (`aiosctp.Stack` is; any receiver with a `close()`), and its last words reach
        nobody. The host may then run again: what is opened from now on is new.
        """
        ports = self.ports
        for port in ports:
            port.close()
        for receiver in dict.fromkeys(port.receiver for port in ports):
            if isinstance(receiver, Program):
                receiver.close()

    @property
    def ports(self) -> list[Port]:
        """Those that are open."""
        return [port for port in self.network.ports.values() if port.local_host in self._addresses]

    # -- the context --

    def __enter__(self) -> Self:
        _entered.set((*_entered.get(), current_network.set(self)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        *outer, token = _entered.get()
        _entered.set(tuple(outer))
        current_network.reset(token)

    # -- aiosctp.network.Network --

    def now(self) -> float:
        """The running loop's time."""
        return self.network.now()

    def entropy(self, count: int) -> bytes:
        """As many bytes, from the network's seed: fit for reproducing a run, and for nothing that is secret."""
        return self._entropy.randbytes(count)

    def local_addresses(self) -> list[str]:
        return list(self._addresses)

    def route_mtu(self, local_host: str | None, host: str) -> int | None:
        """The MTU of the host's interfaces, or that of the link to this address; None when nobody has it."""
        if self.mtu is not None:
            return self.mtu
        same_family = (address for address in self._addresses if is_ipv6(address) == is_ipv6(host))
        return self.network.link_mtu(local_host or next(same_family, ""), host)

    async def resolve(self, host: str) -> list[str]:
        """The addresses of a name in `network.names` or of a host of the network, those of our families first.

        Raises socket.gaierror for an unknown name, OSError for an address with a scope that no address of ours has.
        """
        scope = host.partition("%")[2]
        if scope and scope not in {address.partition("%")[2] for address in self._addresses}:
            raise OSError(errno.ENODEV, f"host {host}: there is no interface {scope}")
        found = self.network.lookup(host)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"host {host}: not known in the simulated network")
        families = {is_ipv6(address) for address in self._addresses}
        return sorted(found, key=lambda address: is_ipv6(address) not in families)

    def open_ports(self, hosts: Sequence[str] | None, udp_port: int, receiver: DatagramReceiver) -> list[Port]:
        """Bind the UDP port (0: a free one) on these addresses of the host (None: all of them).

        Raises OSError when one is not the host's, or the port is taken.
        """
        check_port("udp_port", udp_port)
        chosen = self.addresses if hosts is None else tuple(canonical_host(host) for host in hosts)
        for address in chosen:
            if address not in self._addresses:
                raise OSError(errno.EADDRNOTAVAIL, f"{address} is not an address of the host {self.name}")
        if not chosen:
            raise OSError(errno.EADDRNOTAVAIL, f"the host {self.name} has no address")
        self.network.attach()
        number = udp_port or self._free_port(chosen)
        if any((address, number) in self.network.ports for address in chosen):
            raise OSError(errno.EADDRINUSE, f"UDP port {number} of the host {self.name} is in use")
        ports = [Port(self, address, number, receiver) for address in chosen]
        self.network.ports.update({(port.local_host, number): port for port in ports})
        return ports

    def _free_port(self, addresses: Sequence[str]) -> int:
        begin = self._ephemeral.randrange(len(EPHEMERAL_PORTS))
        for offset in range(len(EPHEMERAL_PORTS)):
            number = EPHEMERAL_PORTS[(begin + offset) % len(EPHEMERAL_PORTS)]
            if all((address, number) not in self.network.ports for address in addresses):
                return number
        raise OSError(errno.EADDRINUSE, f"every ephemeral UDP port of the host {self.name} is in use")

    def __repr__(self) -> str:
        return f"<Host {self.name}, {', '.join(self._addresses) or 'no address'}>"
