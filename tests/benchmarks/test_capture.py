"""What a captured frame says of the packets in it."""

from __future__ import annotations

import struct

import pytest

from benchmarks.capture import Frame, figures, parse

ETHERNET = bytes(12) + b"\x08\x00"


def _frame(protocol: int, header: bytes, payload_bytes: int, segment_bytes: int = 0) -> bytes:
    offload = struct.pack("=BBHHHH", 0, 5 if segment_bytes else 0, 0, segment_bytes, 0, 0)
    length = 20 + len(header) + payload_bytes
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, length, 0, 0, 64, protocol, 0, 0x7F000001, 0x7F000001)
    return offload + ETHERNET + ip + header + bytes(payload_bytes)


def _udp(payload_bytes: int, segment_bytes: int = 0) -> bytes:
    return _frame(17, struct.pack("!HHHH", 1111, 2222, 8 + payload_bytes, 0), payload_bytes, segment_bytes)


def test_one_packet_counts_with_its_headers() -> None:
    assert parse(_udp(1472)) == Frame(port=2222, packet_bytes=1500, packets=1, total_bytes=1500)


@pytest.mark.parametrize(("payload_bytes", "packets"), [(14720, 10), (14721, 11), (1473, 2)])
def test_a_run_counts_as_the_packets_it_is_cut_into(payload_bytes: int, packets: int) -> None:
    frame = parse(_udp(payload_bytes, segment_bytes=1472))
    assert frame == Frame(2222, 1500, packets, payload_bytes + packets * 28)


def test_a_tcp_header_counts_with_its_options() -> None:
    header = struct.pack("!HHIIBBHHH", 1111, 3333, 0, 0, 8 << 4, 0, 0, 0, 0) + bytes(12)
    assert parse(_frame(6, header, 2000, segment_bytes=1000)) == Frame(3333, 1052, 2, 2104)


def test_what_is_neither_is_passed_over() -> None:
    assert parse(_frame(1, bytes(8), 100)) is None
    assert parse(bytes(200)) is None


def test_figures_are_of_packets_not_of_frames() -> None:
    assert figures([Frame(1, 1500, 9, 9 * 1500), Frame(1, 500, 1, 500)]) == {
        "longest_packet_bytes": 1500,
        "mean_packet_bytes": 1400,
        "packets_per_frame": 5,
        "packets_captured": 10,
    }
    assert figures([]) == {}
