"""The bytes of a capture file; that another program reads them is in tests/interop/test_tshark.py."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.testing import CE, Packet
from aiosctp.testing.pcapng import EPOCH_S, file_header, internet_checksum, ip_packet, packet_block

FOUR = Packet("192.0.2.1", 9899, "198.51.100.2", 40000, b"hello")
SIX = Packet("2001:db8::1", 9899, "fe80::2%eth0", 40000, b"hello")


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071 §4.1, word for word."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.binary(max_size=300).map(lambda data: data + bytes(len(data) % 2)))
def test_data_with_its_checksum_sums_up_to_all_ones(data: bytes) -> None:
    """RFC 1071 §1: "the result should be all 1 bits"."""
    assert ones_complement_sum(data + internet_checksum(data).to_bytes(2, "big")) == 0xFFFF


def test_an_odd_byte_is_padded_for_its_checksum() -> None:
    assert internet_checksum(b"\x12\x34\x56") == internet_checksum(b"\x12\x34\x56\x00")


def test_the_checksum_of_rfc_1071_section_3() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_the_ipv4_header_is_right() -> None:
    packet = ip_packet(FOUR)
    assert packet[:10] == bytes.fromhex("4500 0021 0000 4000 4011")
    assert ones_complement_sum(packet[:20]) == 0xFFFF
    assert packet[12:20] == bytes([192, 0, 2, 1, 198, 51, 100, 2])
    assert len(packet) == FOUR.ip_bytes


def test_the_ipv6_header_is_right() -> None:
    packet = ip_packet(SIX)
    assert packet[:8] == bytes.fromhex("60000000 000d 11 40")
    assert packet[8:40].hex() == "20010db8" + 11 * "00" + "01" + "fe80" + 13 * "00" + "02"
    assert len(packet) == SIX.ip_bytes


def test_the_mark_and_the_permission_to_fragment_stand_in_the_header() -> None:
    packet = ip_packet(FOUR._replace(ecn=CE, dont_fragment=False))
    assert (packet[1], packet[6:8]) == (CE, b"\0\0")
    assert ip_packet(SIX._replace(ecn=CE))[:4] == bytes.fromhex("60300000")


@pytest.mark.parametrize("packet", [FOUR, SIX])
def test_the_udp_checksum_covers_the_addresses(packet: Packet) -> None:
    """RFC 768, RFC 8200 §8.1."""
    sent = ip_packet(packet)
    addresses, udp = (sent[12:20], sent[20:]) if packet is FOUR else (sent[8:40], sent[40:])
    pseudo_header = addresses + struct.pack("!LL", len(udp), 17)
    assert ones_complement_sum(pseudo_header + udp + bytes(len(udp) % 2)) == 0xFFFF


def test_a_udp_checksum_of_zero_is_sent_as_all_ones() -> None:
    """RFC 768: "If the computed checksum is zero, it is transmitted as all ones"."""
    checksum = int.from_bytes(ip_packet(FOUR._replace(data=b"\0\0"))[26:28], "big")
    assert ip_packet(FOUR._replace(data=checksum.to_bytes(2, "big")))[26:28] == b"\xff\xff"


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while data:
        kind, length = struct.unpack_from("!LL", data)
        assert length % 4 == 0
        assert data[length - 4 : length] == data[4:8]
        found.append((kind, data[8 : length - 4]))
        data = data[length:]
    return found


def test_a_block_has_the_time_the_packet_and_the_comment() -> None:
    ((kind, body),) = blocks(packet_block(FOUR, 1.5, "lost"))
    assert kind == 6
    interface, high, low, captured, original = struct.unpack_from("!LLLLL", body)
    assert (interface, (high << 32 | low)) == (0, (EPOCH_S * 10 + 15) * 10**8)
    assert captured == original == len(ip_packet(FOUR))
    assert body[20 : 20 + captured] == ip_packet(FOUR)
    assert body[20 + captured + -captured % 4 :] == b"\0\x01\0\x04lost" + bytes(4)


def test_a_packet_that_simply_arrived_has_no_comment() -> None:
    ((_, body),) = blocks(packet_block(FOUR, 0.0))
    assert len(body) == 20 + (FOUR.ip_bytes + 3 & ~3)


def test_a_file_begins_with_its_section_and_its_interface() -> None:
    (section, about), (interface, description) = blocks(file_header())
    assert (section, interface) == (0x0A0D0D0A, 1)
    assert about == bytes.fromhex("1a2b3c4d 0001 0000 ffffffffffffffff")
    assert description[:8] == bytes.fromhex("0065 0000 00000000")
