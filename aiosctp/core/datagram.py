"""UDP datagrams as the engine has them: one at a time, or a run of equal ones in one piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Datagram(NamedTuple):
    """What the engine wants sent: SCTP packets, each for one UDP datagram (RFC 6951 §5.3)."""

    data: bytes
    """One packet; or, with `segment_bytes`, a run of packets one after the other."""
    source: str | None
    """The local host to send from; None leaves the choice to the stack."""
    destination: str
    udp_port: int
    dont_fragment: bool = True
    """False only for a retransmission that no longer fits its path (§6.9): then IP fragmentation MUST be used."""
    segment_bytes: int = 0
    """In a run, the size of each packet; the last one may be smaller. 0: `data` is one packet."""


class Received(NamedTuple):
    """What arrived from one host and UDP port: a datagram, or a run of them that the kernel has put together."""

    data: bytes
    host: str
    udp_port: int
    segment_bytes: int = 0
    """In a run, the size of each datagram; the last one may be smaller. 0: `data` is one datagram."""


def segments(data: bytes, segment_bytes: int) -> Iterator[bytes]:
    """The datagrams in the data of a `Datagram` or `Received`."""
    if not segment_bytes:
        yield data
        return
    for start in range(0, len(data), segment_bytes):
        yield data[start : start + segment_bytes]


def packet_count(data: bytes, segment_bytes: int) -> int:
    """How many datagrams these are."""
    return -(-len(data) // segment_bytes) if segment_bytes else 1


def split(datagrams: Iterable[Datagram]) -> list[Datagram]:
    """A datagram for each packet, for who can't send a run at once."""
    return [
        datagram._replace(data=packet, segment_bytes=0) if datagram.segment_bytes else datagram
        for datagram in datagrams
        for packet in segments(datagram.data, datagram.segment_bytes)
    ]
