"""Hosts on a wire in memory: what surface tests run on, so that they need neither sockets nor real time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiosctp.core.datagram import Datagram
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.network import DatagramPort
from aiosctp.udp import DatagramReceiver


class Flight(NamedTuple):
    """One datagram on the wire."""

    source: str
    source_port: int
    datagram: Datagram

    @property
    def chunk_type(self) -> int:
        return self.datagram.data[12]


class Wire:
    """All hosts and what they say. `drop` decides about each datagram, `log` keeps all of them."""

    def __init__(self, *, seed: int = 1, latency_s: float = 0.01) -> None:
        self.random = random.Random(seed)
        self.latency_s = latency_s
        self.drop: Callable[[Flight], bool] = lambda flight: False
        self.log: list[Flight] = []
        self.names: dict[str, list[str]] = {}
        self.ports: dict[tuple[str, int], MemoryPort] = {}
        self.tells_unreachable = False
        """Whether a closed UDP port is answered with ICMP."""

    def host(self, *addresses: str) -> MemoryHost:
        return MemoryHost(self, addresses)

    def send(self, port: MemoryPort, datagram: Datagram) -> None:
        flight = Flight(port.local_host, port.udp_port, datagram)
        self.log.append(flight)
        if not self.drop(flight):
            asyncio.get_running_loop().call_later(self.latency_s, self._arrive, flight, port)

    def _arrive(self, flight: Flight, sender: MemoryPort) -> None:
        datagram = flight.datagram
        port = self.ports.get((datagram.destination, datagram.udp_port))
        if port is not None:
            port.receiver.datagrams_received([(datagram.data, flight.source, flight.source_port)], port.local_host)
        elif self.tells_unreachable and not sender.is_closed:
            sender.receiver.icmp_received(IcmpMessage(IcmpKind.PORT_UNREACHABLE, datagram.data, datagram.destination))


class MemoryPort:
    """One address of a host on one UDP port."""

    def __init__(self, wire: Wire, local_host: str, udp_port: int, receiver: DatagramReceiver) -> None:
        self.wire = wire
        self.local_host = local_host
        self.udp_port = udp_port
        self.receiver = receiver
        self.is_closed = False

    def send(self, datagram: Datagram) -> None:
        if not self.is_closed:
            self.wire.send(self, datagram)

    def close(self) -> None:
        self.is_closed = True
        self.wire.ports.pop((self.local_host, self.udp_port), None)

    async def wait_closed(self) -> None:
        assert self.is_closed


class MemoryHost:
    """A host with its addresses: the network of the stacks that run on it."""

    def __init__(self, wire: Wire, addresses: tuple[str, ...]) -> None:
        self.wire = wire
        self.addresses = addresses

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def entropy(self, count: int) -> bytes:
        return self.wire.random.randbytes(count)

    def local_addresses(self) -> list[str]:
        return list(self.addresses)

    async def resolve(self, host: str) -> list[str]:
        if host not in self.wire.names:
            raise OSError(f"{host} is unknown")
        return self.wire.names[host]

    def open_ports(self, hosts: Sequence[str] | None, udp_port: int, receiver: DatagramReceiver) -> list[DatagramPort]:
        chosen = self.addresses if hosts is None else hosts
        while udp_port == 0 or any((host, udp_port) in self.wire.ports for host in chosen):
            if udp_port:
                raise OSError(f"UDP port {udp_port} is in use")
            udp_port = self.wire.random.randrange(32768, 60999)
        ports: list[DatagramPort] = []
        for host in chosen:
            port = self.wire.ports[host, udp_port] = MemoryPort(self.wire, host, udp_port, receiver)
            ports.append(port)
        return ports
