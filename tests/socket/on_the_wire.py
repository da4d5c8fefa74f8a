"""What the sockets of a test have put on the wire: chunks with the times they were sent at."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiosctp.testing import Packet
from aiosctp.wire.chunks import Data, IData, decode_chunks
from aiosctp.wire.errors import DecodeError
from tests.surface.two_hosts import TwoHosts

USER_DATA = (Data, IData)
COMMON_HEADER_BYTES = 12


class Sent(NamedTuple):
    at_s: float
    packet: Packet
    chunk: Any

    @property
    def source(self) -> str:
        return self.packet.source

    @property
    def destination(self) -> str:
        return self.packet.destination


def sent(hosts: TwoHosts, by: str, *types: type) -> list[Sent]:
    """The chunks of these types (all, if none is named) that the "client" or the "server" has sent, in their order."""
    host = {"client": hosts.client_host, "server": hosts.server_host}[by]
    found: list[Sent] = []
    for passage in hosts.network.trace:
        if passage.packet.source not in host.addresses:
            continue
        for chunk in decode_chunks(passage.packet.data):
            assert not isinstance(chunk, DecodeError), chunk
            if not types or isinstance(chunk, types):
                found.append(Sent(passage.sent_at_s, passage.packet, chunk))
    return found


def times(sent: list[Sent]) -> list[float]:
    """Since the first of them."""
    return [each.at_s - sent[0].at_s for each in sent]


def forget(hosts: TwoHosts) -> None:
    """What was sent until now is not looked at any more."""
    hosts.network.passages.clear()


def chunk_bytes(packet: Packet) -> int:
    """What the chunks of a packet take: what `spp_pathmtu` and `spinfo_mtu` count."""
    return len(packet.data) - COMMON_HEADER_BYTES


def has(packet: Packet, *types: type) -> bool:
    """Whether one of these chunks is in it."""
    return any(isinstance(chunk, types) for chunk in decode_chunks(packet.data))
