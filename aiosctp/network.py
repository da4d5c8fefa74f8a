"""Where a stack gets its sockets, its local addresses, its clock and its entropy: the machine, or a simulated one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import NoReturn, Protocol, cast, runtime_checkable

from aiosctp.batching import batching_carrier
from aiosctp.core.addresses import canonical_host
from aiosctp.core.datagram import Datagram
from aiosctp.sockets import IS_LINUX, SockAddr, bind_sockets, host_of, interface_hosts, route_mtu, with_named_scope
from aiosctp.udp import Carrier, DatagramReceiver, UDPEncapsulation, endpoint_carrier


class DatagramPort(Protocol):
    """One local address on a UDP port."""

    @property
    def local_host(self) -> str: ...

    @property
    def udp_port(self) -> int: ...

    def send(self, datagram: Datagram) -> None:
        """Send at once or drop; never raises."""

    def close(self) -> None: ...

    async def wait_closed(self) -> None:
        """Wait until the address and port are free again."""


class Network(Protocol):
    """What a stack needs of the world."""

    def now(self) -> float:
        """Seconds that never go backwards."""

    def entropy(self, count: int) -> bytes:
        """That many bytes, fit for keys and tags."""

    def local_addresses(self) -> list[str]:
        """The hosts of this machine, as canonical strings, loopback included."""

    def route_mtu(self, local_host: str | None, host: str) -> int | None:
        """The largest IP packet, headers included, that the route from `local_host` (None: from wherever it leads out)
        to `host` takes as far as this machine knows by itself: what its interface takes. None when it does not know,
        and where packets can't be sent with DF."""

    async def resolve(self, host: str) -> list[str]:
        """The addresses of a name, best first; of an address with a scope, itself with the interface's name.

        Raises OSError, also for an interface that there is not, or ValueError for what can be no name.
        """

    def open_ports(
        self, hosts: Sequence[str] | None, udp_port: int, receiver: DatagramReceiver
    ) -> Sequence[DatagramPort]:
        """Bind the UDP port (0: a free one) on every host (None: every local address), at once. Raises OSError."""


@runtime_checkable
class WithoutSockets(Protocol):
    """An event loop that the machine's sockets can't be used on, as that of `aiosctp.testing`."""

    def refuse_sockets(self) -> NoReturn:
        """Raises an error that says what to do instead."""


# How long a route is believed to be what it was: asking the kernel takes a socket, and every new path asks.
ROUTE_MTU_LIFE_S = 1.0
MAX_ROUTES_KNOWN = 1024


class SystemNetwork:
    """This machine."""

    def __init__(self, carrier: Carrier | None = None) -> None:
        self._carrier = carrier or (batching_carrier if IS_LINUX else endpoint_carrier)
        self._route_mtus: dict[tuple[str | None, str], tuple[float, int | None]] = {}
        """Until when each is believed, and what it is."""

    def now(self) -> float:
        """Not the loop's time: uvloop keeps that in whole milliseconds."""
        return time.monotonic()

    def entropy(self, count: int) -> bytes:
        return os.urandom(count)

    def local_addresses(self) -> list[str]:
        return list(dict.fromkeys(host for host, _ in interface_hosts()))

    def route_mtu(self, local_host: str | None, host: str) -> int | None:
        now = self.now()
        until_s, mtu = self._route_mtus.get((local_host, host), (now, None))
        if now >= until_s:
            mtu = route_mtu(local_host, host)
            if len(self._route_mtus) >= MAX_ROUTES_KNOWN:
                self._route_mtus.clear()
            self._route_mtus[local_host, host] = (now + ROUTE_MTU_LIFE_S, mtu)
        return mtu

    async def resolve(self, host: str) -> list[str]:
        if "%" in host:
            try:
                return [with_named_scope(canonical_host(host))]
            except ValueError as error:
                raise ValueError(f"host {host!r} is no address: {error}") from None
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except socket.gaierror as error:
            raise socket.gaierror(error.errno, f"host {host}: {error.strerror}") from None
        except UnicodeError as error:  # a label that is empty or too long
            raise ValueError(f"host {host!r} is no name: {error}") from None
        return list(dict.fromkeys(host_of(cast(SockAddr, address)) for *_, address in found))

    def open_ports(self, hosts: Sequence[str] | None, udp_port: int, receiver: DatagramReceiver) -> list[DatagramPort]:
        loop = asyncio.get_running_loop()
        # Before anything is bound: what is bound may be taken, and that would be told instead.
        if isinstance(loop, WithoutSockets):
            loop.refuse_sockets()
        chosen = self.local_addresses() if hosts is None else [with_named_scope(host) for host in hosts]
        bound = bind_sockets(chosen, udp_port, skip_unusable=hosts is None)
        ports: list[DatagramPort] = []
        try:
            for host, udp_socket in bound:
                protocol = UDPEncapsulation(receiver, host, udp_socket)
                self._carrier(loop, udp_socket, protocol)
                ports.append(protocol)
        except BaseException:  # a loop that has no place for sockets
            for port in ports:
                port.close()
            for _, udp_socket in bound[len(ports) :]:
                udp_socket.close()
            raise
        return ports


current_network: ContextVar[Network] = ContextVar("current_network", default=SystemNetwork())  # noqa: B039 - the machine is the same for all
"""What stacks made without `network=` use; a simulated host sets it for the tasks that run on it."""
