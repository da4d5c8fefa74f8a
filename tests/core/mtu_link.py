"""A link that carries packets up to a size, for the tests of path MTU discovery."""

from __future__ import annotations

import struct

from aiosctp.config import Config
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.paths import Path
from aiosctp.wire.chunks import Chunk, Heartbeat, Pad, decode_chunks
from tests.core.laws import check_association
from tests.core.pair import Flight, Pair

ONE, TWO = "192.0.2.2", "192.0.2.3"
BASE, LEAST = 1220, 576
RTT_S = 0.02
BULK = 200_000


def ipv6_pair(route_mtu: int | None = 1500, *, config_a: Config | None = None) -> Pair:
    return Pair(config_a=config_a, addresses_a=("2001:db8::1",), addresses_z=("2001:db8::2",), route_mtu=route_mtu)


def ip_bytes(flight: Flight) -> int:
    return len(flight.data) + (48 if ":" in flight.datagram.destination else 28)


def chunks_of(flight: Flight) -> list[Chunk]:
    return [chunk for chunk in decode_chunks(flight.data) if not isinstance(chunk, Exception)]


def is_probe(flight: Flight) -> bool:
    return [type(chunk) for chunk in chunks_of(flight)] == [Heartbeat, Pad]


class Link:
    """An association of host `a` with host `z`, over a link that carries packets of so many bytes from `a`."""

    def __init__(
        self, mtu: int, route_mtu: int | None = 9000, *, config: Config | None = None, pair: Pair | None = None
    ) -> None:
        self.mtu = mtu
        self.narrow: set[str] | None = None
        """The addresses that it holds for; None for all."""
        self.is_dead = False
        self.unread_bytes = 0
        self.pair = pair or Pair(config_a=config, route_mtu=route_mtu)
        self.ours, self.theirs = self.pair.established()
        self.pair.drop = self._drops
        self.begun = len(self.pair.log)

    def _drops(self, flight: Flight) -> bool:
        if self.is_dead:
            return True
        is_held = self.narrow is None or flight.datagram.destination in self.narrow
        return is_held and self._stays_whole(flight) and ip_bytes(flight) > self.mtu

    def _stays_whole(self, flight: Flight) -> bool:
        """RFC 8200 §4.5: over IPv6 only the sender fragments, and Linux what the interface does not take."""
        route_mtu = flight.sender.route_mtu
        fits = ":" in flight.datagram.destination and route_mtu is not None and ip_bytes(flight) <= route_mtu
        return flight.datagram.dont_fragment or fits

    @property
    def path(self) -> Path:
        return self.ours.paths.primary

    @property
    def sent(self) -> list[Flight]:
        """What `a` has sent since the beginning."""
        return [flight for flight in self.pair.log[self.begun :] if flight.sender is self.pair.a]

    @property
    def probes(self) -> list[Flight]:
        return [flight for flight in self.sent if is_probe(flight)]

    @property
    def sizes(self) -> list[int]:
        return [ip_bytes(flight) for flight in self.probes]

    def send(self, *sizes: int) -> None:
        for size in sizes:
            self.ours.send(OutgoingMessage(bytes(size), 0))
            self.unread_bytes += size
        self.pair.a.engine.touch(self.ours)
        self.pair.flush()

    def transfer(self, total: int = BULK, *, limit_s: float = 600.0) -> float:
        """Send so much, and read all that was sent at the other end; how long it took."""
        began = self.pair.now
        self.send(total)

        def has_arrived() -> bool:
            while (message := self.theirs.receiver.read()) is not None:
                self.unread_bytes -= len(message.data)
            self.pair.z.engine.touch(self.theirs)
            return not self.unread_bytes and self.ours.sender.is_drained

        self.pair.run_until(has_arrived, limit_s=limit_s)
        check_association(self.ours)
        return self.pair.now - began

    def search(self) -> None:
        """Send, and wait until the search is over."""
        self.transfer()
        self.pair.run_until(lambda: all(path.mtu_search is None for path in self.ours.paths))

    def complain(self, mtu: int, *, address: str | None = None) -> None:
        """A router says that a packet was too big."""
        tcb = self.ours.tcb
        quoted = struct.pack("!HHL", self.ours.local_port, self.ours.peer_port, tcb.peer_tag)
        message = IcmpMessage(IcmpKind.PACKET_TOO_BIG, quoted, address or self.path.address, mtu)
        self.pair.a.engine.icmp_received(message, self.pair.now)
        self.pair.flush()


def searched(mtu: int, route_mtu: int | None = 9000) -> Link:
    link = Link(mtu, route_mtu)
    link.search()
    return link
