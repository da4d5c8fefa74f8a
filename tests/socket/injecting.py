"""Packets that a peer of ours would never send, put on the wire between the two hosts."""

from __future__ import annotations

from aiosctp.testing import Packet
from aiosctp.wire.packet import encode_chunk, encode_packet
from tests.surface.two_hosts import TwoHosts


def inject(hosts: TwoHosts, by: str, type: int, flags: int, value: bytes) -> None:
    """A chunk from the "client" or the "server" in the association in which it sent its last packet."""
    host = {"client": hosts.client_host, "server": hosts.server_host}[by]
    last = [packet for packet in hosts.log if packet.source in host.addresses][-1]
    source_port, destination_port, tag = (
        int.from_bytes(last.data[begin:end], "big") for begin, end in ((0, 2), (2, 4), (4, 8))
    )
    data = encode_packet(source_port, destination_port, tag, [encode_chunk(type, flags, value)])
    hosts.network.send(Packet(last.source, last.source_port, last.destination, last.destination_port, data))
