"""A receiver that writes down what comes, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aiosctp.core.datagram import Datagram, Received
from aiosctp.core.icmp import IcmpMessage
from aiosctp.testing import Host, Port


class Recorder:
    """On one UDP port of every address of a host, or of those named."""

    def __init__(self, host: Host, udp_port: int = 9899, *addresses: str) -> None:
        self.batches: list[tuple[float, str, list[Received]]] = []
        self.icmp: list[tuple[float, IcmpMessage]] = []
        self.refused: list[tuple[Datagram, bool]] = []
        self.on_data: Callable[[], None] = lambda: None
        self.host = host
        self.ports: list[Port] = host.open_ports(addresses or None, udp_port, self)

    # -- DatagramReceiver --

    def datagrams_received(self, datagrams: Iterable[Received], local_host: str) -> None:
        self.batches.append((self.host.now(), local_host, list(datagrams)))
        self.on_data()

    def icmp_received(self, message: IcmpMessage) -> None:
        self.icmp.append((self.host.now(), message))

    def send_failed(self, datagram: Datagram, *, too_big: bool, mtu: int = 0) -> None:
        self.refused.append((datagram, too_big))

    # -- for tests --

    def send(self, data: bytes, destination: str, udp_port: int = 9899, *, dont_fragment: bool = True) -> None:
        self.ports[0].send(Datagram(data, None, destination, udp_port, dont_fragment))

    @property
    def data(self) -> list[bytes]:
        return [data for _, _, batch in self.batches for data, *_ in batch]

    @property
    def sources(self) -> list[tuple[str, int]]:
        return [(host, port) for _, _, batch in self.batches for _, host, port, _ in batch]

    @property
    def arrivals(self) -> list[tuple[float, bytes]]:
        """The loop's time, and what came then."""
        return [(when, data) for when, _, batch in self.batches for data, *_ in batch]


async def settle(seconds: float = 100.0) -> None:
    """Let everything that is under way arrive."""
    await asyncio.sleep(seconds)
