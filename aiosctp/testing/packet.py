"""A UDP datagram on the simulated wire, and what became of it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

IPV4_HEADER_BYTES: Final = 20
IPV6_HEADER_BYTES: Final = 40
UDP_HEADER_BYTES: Final = 8
MAX_UDP_PAYLOAD_BYTES: Final = 65507
"""What one UDP datagram carries over IPv4; the hosts here keep to it over IPv6 too."""

# RFC 3168 §5: the two bits of the IP header.
NOT_ECT: Final = 0b00
ECT_1: Final = 0b01
ECT_0: Final = 0b10
CE: Final = 0b11

Fate = Literal[
    "under way",
    "delivered",
    "lost",
    "queue full",
    "too big",
    "partitioned",
    "no host",
    "no mapping",
    "port closed",
]
"""How a packet ended.

`lost` was lost by the link's loss model, `queue full` met the bound of a queue, `too big` was larger than the MTU and
might not be fragmented, `partitioned` was sent into a partition. `no host`: nobody has the address any more, or it is
behind a NAT; `no mapping`: the NAT knows nobody inside for the port; `port closed`: the host is there, and nobody
listens.
"""

Fault = Literal["corrupted", "duplicated", "reordered", "marked", "fragmented"]
"""What befell a packet that was not dropped for it.

`corrupted` had one byte changed, `duplicated` is the second copy of another, `reordered` was held back so that others
overtook it, `marked` came to a queue with ECT and left it with CE, `fragmented` was larger than the MTU with DF off.
"""


class Packet(NamedTuple):
    """One UDP datagram. `data` is its payload: for aiosctp one SCTP packet (RFC 6951 §5.3)."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    data: bytes
    dont_fragment: bool = True
    ecn: int = NOT_ECT

    @property
    def ip_bytes(self) -> int:
        """The size of the IP packet: payload, UDP header, and the IP header of its family."""
        header = IPV6_HEADER_BYTES if ":" in self.destination else IPV4_HEADER_BYTES
        return header + UDP_HEADER_BYTES + len(self.data)


class Passage:
    """A packet's way through the network.

    packet: as its sender sent it. sent_at_s: when. fate: how it ended, "under way" until then. faults: what else befell
    it. arriving: the packet as it comes out, corrupted or marked by the link, rewritten by a NAT. arrives_at_s: when it
    comes out, or did; None for one that was dropped on entering.
    """

    __slots__ = ("arrives_at_s", "arriving", "fate", "faults", "packet", "sent_at_s")

    def __init__(self, packet: Packet, sent_at_s: float) -> None:
        self.packet: Packet = packet
        self.sent_at_s: float = sent_at_s
        self.fate: Fate = "under way"
        self.faults: tuple[Fault, ...] = ()
        self.arriving: Packet = packet
        self.arrives_at_s: float | None = None

    def __repr__(self) -> str:
        packet = self.packet
        faults = "".join(f", {fault}" for fault in self.faults)
        return (
            f"<Passage at {self.sent_at_s:.6f} s, {packet.source}:{packet.source_port} -> "
            f"{packet.destination}:{packet.destination_port}, {len(packet.data)} bytes, {self.fate}{faults}>"
        )
