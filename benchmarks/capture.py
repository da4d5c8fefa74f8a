"""Packet sizes as captured on loopback, for a moment of a sample's warm-up.

With segmentation offload what passes there is a run of packets in one frame; the header that Linux puts before each
frame (PACKET_VNET_HDR, struct virtio_net_hdr) tells how long the packets in it are.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from dataclasses import dataclass

from benchmarks.model import Figures

# linux/if_packet.h, linux/if_ether.h
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_ETH_P_IP = 0x0800
# flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
_VNET_HEADER = struct.Struct("=BBHHHH")
_ETHERNET_BYTES = 14
_FRAME_BYTES = 65535 + 64
_BUFFER_BYTES = 4 * 1024 * 1024
_TCP, _UDP = 6, 17


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: an IP packet, or a run of them. All counted with their IP headers."""

    port: int
    packet_bytes: int
    """The longest packet in it."""
    packets: int
    total_bytes: int


def parse(captured: bytes) -> Frame | None:
    """The frame behind these captured bytes; None for what is neither UDP nor TCP over IPv4."""
    _, _, _, segment_bytes, _, _ = _VNET_HEADER.unpack_from(captured)
    packet = memoryview(captured)[_VNET_HEADER.size + _ETHERNET_BYTES :]
    if len(packet) < 40 or packet[0] >> 4 != 4:
        return None
    ip_header_bytes = (packet[0] & 15) * 4
    total_bytes = int.from_bytes(packet[2:4], "big")
    transport = packet[ip_header_bytes:]
    if packet[9] == _UDP:
        headers_bytes = ip_header_bytes + 8
    elif packet[9] == _TCP:
        headers_bytes = ip_header_bytes + (transport[12] >> 4) * 4
    else:
        return None
    port = int.from_bytes(transport[2:4], "big")
    payload_bytes = total_bytes - headers_bytes
    if not segment_bytes or payload_bytes <= segment_bytes:
        return Frame(port, total_bytes, 1, total_bytes)
    packets = -(-payload_bytes // segment_bytes)
    return Frame(port, segment_bytes + headers_bytes, packets, payload_bytes + packets * headers_bytes)


def packets_to(port: int, seconds: float) -> Figures:
    """What goes to this UDP or TCP port on loopback in that time: figures, none without the right to look.

    Blocks: it is for a moment in which nothing is measured.
    """
    if sys.platform != "linux":
        return {}
    frames: list[Frame] = []
    with contextlib.ExitStack() as stack:
        try:
            tap = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP)))
        except PermissionError:
            return {}
        tap.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        tap.bind(("lo", _ETH_P_IP))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            tap.settimeout(left)
            try:
                captured, address = tap.recvfrom(_FRAME_BYTES)
            except TimeoutError:
                break
            # Loopback shows each frame twice, going out and coming in.
            frame = parse(captured) if address[2] != socket.PACKET_OUTGOING else None
            if frame is not None and frame.port == port:
                frames.append(frame)
    return figures(frames)


def figures(frames: list[Frame]) -> Figures:
    """What the frames say, in numbers."""
    if not frames:
        return {}
    packets = sum(frame.packets for frame in frames)
    return {
        "longest_packet_bytes": max(frame.packet_bytes for frame in frames),
        "mean_packet_bytes": sum(frame.total_bytes for frame in frames) / packets,
        "packets_per_frame": packets / len(frames),
        "packets_captured": packets,
    }
