"""A packet on its way in, before it is known whose it is."""

from __future__ import annotations

from dataclasses import dataclass

from aiosctp.core.datagram import Datagram
from aiosctp.wire.packet import CommonHeader, encode_packet


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet that arrived: its common header and where it came from."""

    header: CommonHeader
    source: str
    udp_port: int
    destination: str | None
    """The local host it came to; None when the transport can't tell."""
    now: float

    def answer(self, tag: int, chunk: bytes, *, dont_fragment: bool = True) -> Datagram:
        """One chunk back to the address and port it came from (RFC 6951 §5.5), without an association."""
        packet = encode_packet(self.header.destination_port, self.header.source_port, tag, (chunk,))
        return Datagram(packet, self.destination, self.source, self.udp_port, dont_fragment)
