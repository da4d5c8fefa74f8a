"""A NAT: it rewrites source addresses and ports, and forgets whom it rewrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from aiosctp.core.addresses import is_ipv6
from aiosctp.testing.packet import Packet, Passage

if TYPE_CHECKING:
    from aiosctp.testing.host import Host

MAX_MAPPINGS = 10_000
FIRST_PORT, LAST_PORT = 1024, 65535


class Inside(NamedTuple):
    """An address and port behind the NAT."""

    address: str
    port: int


class Mapping:
    """The port of the public address that stands for one address and port inside."""

    __slots__ = ("inside", "port", "used_at_s")

    def __init__(self, inside: Inside, port: int, used_at_s: float) -> None:
        self.inside: Inside = inside
        self.port: int = port
        self.used_at_s: float = used_at_s


class Nat:
    """One public address before the hosts inside: `Network.nat` makes it.

    A packet that leaves gets the public address, and always a port other than its own: the same one to every peer
    (endpoint-independent mapping, RFC 4787 REQ-1), which only packets that leave keep alive (REQ-6). From outside a
    mapped port lets everybody in (endpoint-independent filtering, REQ-8), and nothing else does. Packets of the other
    family pass as they are. There are at most 10 000 mappings: one more, and the oldest is forgotten.
    """

    def __init__(self, public_address: str, first_port: int, forget_after_s: float | None) -> None:
        self.public_address = public_address
        self.forget_after_s = forget_after_s
        self._next_port = first_port
        self._by_inside: dict[Inside, Mapping] = {}
        self._by_port: dict[int, Mapping] = {}

    def forget(self) -> None:
        """Drop every mapping, as one that is rebooted does: new ones have other ports."""
        self._by_inside.clear()
        self._by_port.clear()

    @property
    def mappings(self) -> dict[int, tuple[str, int]]:
        """The public ports, and the address and port inside that each stands for."""
        return {port: (mapping.inside.address, mapping.inside.port) for port, mapping in self._by_port.items()}

    def translates(self, packet: Packet) -> bool:
        return is_ipv6(packet.source) == is_ipv6(self.public_address)

    def outward(self, packet: Packet, now: float) -> Packet:
        """The packet as the world sees it."""
        inside = Inside(packet.source, packet.source_port)
        mapping = self._by_inside.get(inside)
        if mapping is None or self._is_stale(mapping, now):
            mapping = self._map(inside, now)
        mapping.used_at_s = now
        return packet._replace(source=self.public_address, source_port=mapping.port)

    def inward(self, port: int, now: float) -> Inside | None:
        """Whom a packet to this public port is for; None: nobody, it is dropped."""
        mapping = self._by_port.get(port)
        return None if mapping is None or self._is_stale(mapping, now) else mapping.inside

    def _is_stale(self, mapping: Mapping, now: float) -> bool:
        return self.forget_after_s is not None and now - mapping.used_at_s > self.forget_after_s

    def _map(self, inside: Inside, now: float) -> Mapping:
        self._drop(self._by_inside.get(inside))
        if len(self._by_inside) >= MAX_MAPPINGS:
            self._drop(next(iter(self._by_inside.values())))
        while self._next_port in self._by_port or self._next_port == inside.port:
            self._advance()
        mapping = Mapping(inside, self._next_port, now)
        self._advance()
        self._by_inside[inside] = mapping
        self._by_port[mapping.port] = mapping
        return mapping

    def _advance(self) -> None:
        self._next_port = FIRST_PORT if self._next_port == LAST_PORT else self._next_port + 1

    def _drop(self, mapping: Mapping | None) -> None:
        if mapping is not None:
            del self._by_inside[mapping.inside], self._by_port[mapping.port]

    def __repr__(self) -> str:
        return f"<Nat {self.public_address}, {len(self._by_port)} mappings>"


class Nats:
    """All NATs of a network, and which hosts are behind which."""

    def __init__(self) -> None:
        self.by_address: dict[str, Nat] = {}
        self.before: dict[Host, Nat] = {}

    def add(self, nat: Nat, inside: Iterable[Host]) -> None:
        self.by_address[nat.public_address] = nat
        self.before.update(dict.fromkeys(inside, nat))

    def leave(self, packet: Packet, owners: dict[str, Host], now: float) -> tuple[Packet, str]:
        """The packet as its sender's NAT lets it out, and the address of the host that it will come to.

        That is the packet's own destination when a NAT lets nobody in, and none at all for an address that means
        nothing outside.
        """
        nat, other = self._nat_of(packet.source, owners, packet), self._nat_of(packet.destination, owners, packet)
        if other is not None and other is not nat:
            return packet, ""
        if nat is not None and other is not nat:
            packet = nat.outward(packet, now)
        entered = self.by_address.get(packet.destination)
        inside = None if entered is None else entered.inward(packet.destination_port, now)
        return packet, packet.destination if inside is None else inside.address

    def enter(self, passage: Passage, now: float) -> bool:
        """Let a packet that comes to a public address in. False: there is no mapping."""
        packet = passage.arriving
        inside = self.by_address[packet.destination].inward(packet.destination_port, now)
        if inside is None:
            return False
        passage.arriving = packet._replace(destination=inside.address, destination_port=inside.port)
        return True

    def _nat_of(self, address: str, owners: dict[str, Host], packet: Packet) -> Nat | None:
        """The NAT that translates this packet for who has the address."""
        host = owners.get(address)
        nat = None if host is None else self.before.get(host)
        return nat if nat is not None and nat.translates(packet) else None
