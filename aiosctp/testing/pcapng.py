"""Packets as pcapng (draft-ietf-opsawg-pcapng), with the IP and UDP headers that a simulated network needs not."""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache
from typing import Final

from aiosctp.core.addresses import is_ipv6
from aiosctp.testing.packet import UDP_HEADER_BYTES, Packet

EPOCH_S: Final = 946_684_800
"""Virtual time 0.0 in seconds since 1970: 2000-01-01T00:00:00Z."""

_SECTION_HEADER: Final = 0x0A0D0D0A
_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_INTERFACE_DESCRIPTION: Final = 1
_ENHANCED_PACKET: Final = 6
_LENGTH_UNKNOWN: Final = -1
_LINKTYPE_RAW: Final = 101  # begins with the IP header, of either version
_NO_LIMIT: Final = 0

_OPTION_COMMENT: Final = 1
_OPTION_INTERFACE_NAME: Final = 2
_OPTION_TIME_RESOLUTION: Final = 9
_NANOSECONDS: Final = 9  # 10 to the power of minus 9

_UDP: Final = 17
_HOPS: Final = 64
_DONT_FRAGMENT: Final = 0x4000
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!LHBB16s16s")


def file_header() -> bytes:
    """What a file begins with: its section and its one interface."""
    section = struct.pack("!LHHq", _BYTE_ORDER_MAGIC, 1, 0, _LENGTH_UNKNOWN)
    interface = struct.pack("!HHL", _LINKTYPE_RAW, 0, _NO_LIMIT)
    options = _option(_OPTION_INTERFACE_NAME, b"simulated") + _option(_OPTION_TIME_RESOLUTION, bytes([_NANOSECONDS]))
    return _block(_SECTION_HEADER, section) + _block(_INTERFACE_DESCRIPTION, interface + options + _option(0, b""))


def packet_block(packet: Packet, at_s: float, comment: str = "") -> bytes:
    """One packet as it was sent, at this virtual time."""
    data = ip_packet(packet)
    ticks = EPOCH_S * 10**9 + round(at_s * 1e9)
    fields = struct.pack("!LLLLL", 0, ticks >> 32, ticks & 0xFFFF_FFFF, len(data), len(data))
    options = _option(_OPTION_COMMENT, comment.encode()) + _option(0, b"") if comment else b""
    return _block(_ENHANCED_PACKET, fields + _padded(data) + options)


def ip_packet(packet: Packet) -> bytes:
    """The whole IP packet: IP header, UDP header, payload."""
    source, destination = _address_bytes(packet.source), _address_bytes(packet.destination)
    udp_bytes = UDP_HEADER_BYTES + len(packet.data)
    ports_and_length = struct.pack("!HHH", packet.source_port, packet.destination_port, udp_bytes)
    # RFC 768 and RFC 8200 §8.1: over a pseudo-header too; a checksum that comes out as zero is sent as all ones.
    pseudo_header = source + destination + struct.pack("!LL", udp_bytes, _UDP)
    checksum = internet_checksum(pseudo_header + ports_and_length + bytes(2) + packet.data) or 0xFFFF
    udp = ports_and_length + checksum.to_bytes(2, "big") + packet.data
    if is_ipv6(packet.source):
        return _IPV6.pack(6 << 28 | packet.ecn << 20, udp_bytes, _UDP, _HOPS, source, destination) + udp
    return _ipv4_header(packet, source, destination, udp_bytes) + udp


def internet_checksum(data: bytes) -> int:
    """The checksum of IPv4 and UDP (RFC 1071)."""
    # 2**16 is 1 modulo 2**16 - 1: the number that the bytes are, modulo that, is the ones' complement sum of its words.
    total = int.from_bytes(data + bytes(len(data) % 2), "big")
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))


def _ipv4_header(packet: Packet, source: bytes, destination: bytes, udp_bytes: int) -> bytes:
    flags = _DONT_FRAGMENT if packet.dont_fragment else 0
    fields = (0x45, packet.ecn, _IPV4.size + udp_bytes, 0, flags, _HOPS, _UDP)
    checksum = internet_checksum(_IPV4.pack(*fields, 0, source, destination))
    return _IPV4.pack(*fields, checksum, source, destination)


@lru_cache(maxsize=4096)
def _address_bytes(host: str) -> bytes:
    return ipaddress.ip_address(host.partition("%")[0]).packed


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    total = struct.pack("!L", 12 + len(body))
    return struct.pack("!L", kind) + total + body + total


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
