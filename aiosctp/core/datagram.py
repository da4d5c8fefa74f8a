"""What the engine wants sent: one UDP payload and where it goes."""

from __future__ import annotations

from typing import NamedTuple


class Datagram(NamedTuple):
    """One SCTP packet for one UDP datagram (RFC 6951 §5.3)."""

    data: bytes
    source: str | None
    """The local host to send from; None leaves the choice to the stack."""
    destination: str
    udp_port: int
    dont_fragment: bool = True
    """False only for a retransmission that no longer fits its path (§6.9): then IP fragmentation MUST be used."""
