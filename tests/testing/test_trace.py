"""A line a packet, whatever the packet is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.testing import CE, Link, LossWhere, Network, Packet, Passage
from aiosctp.testing.trace import Trace, line
from aiosctp.wire.chunks import Data, Heartbeat, Sack
from aiosctp.wire.packet import encode_packet
from tests.surface.virtual_time import virtual_time

TSN = 0xFFFF_FFFE
DATA = Data(TSN, 3, 0xFFFF, 46, b"hello", unordered=True, ending=False, immediate=True)
SACK = Sack(TSN, 131072, ((2, 4), (6, 6)), (TSN, 0))


def sctp(*chunks: bytes) -> bytes:
    return encode_packet(49152, 7777, 0x5AFE_0001, chunks)


def passage(data: bytes, *, sent_at_s: float = 1.23, port: int = 9899, **changes: Any) -> Passage:
    """A packet that arrived as it was sent."""
    packet = Packet("192.0.2.1", port, "192.0.2.2", port, data)._replace(**changes)
    found = Passage(packet, sent_at_s)
    found.fate = "delivered"
    return found


def test_a_line_tells_time_addresses_and_every_chunk() -> None:
    assert line(passage(sctp(SACK.encode(), DATA.encode()))) == (
        "1.230000 192.0.2.1:9899 > 192.0.2.2:9899 SCTP 49152 > 7777 tag=0x5afe0001:"
        " SACK cum=4294967294 a_rwnd=131072 gaps=2-4,6-6 duplicates=4294967294,0;"
        " DATA IUB tsn=4294967294 stream=3 ssn=65535 ppid=46 payload=5B"
    )


def test_an_ipv6_address_is_told_from_its_port() -> None:
    told = line(passage(sctp(SACK.encode()), source="2001:db8::1", destination="2001:db8::2"))
    assert told.startswith("1.230000 [2001:db8::1]:9899 > [2001:db8::2]:9899 SCTP ")


def test_what_befell_a_packet_stands_at_the_end() -> None:
    lost = passage(sctp(SACK.encode()))
    lost.fate = "lost"
    assert line(lost).endswith(" duplicates=4294967294,0 [lost]")
    duplicate = passage(sctp(SACK.encode()))
    duplicate.faults = ("corrupted", "duplicated")
    duplicate.fate = "under way"
    assert line(duplicate).endswith(" [under way; corrupted; duplicated]")


def test_a_nat_is_seen_by_what_it_rewrote() -> None:
    translated = passage(b"")
    translated.arriving = translated.packet._replace(source="203.0.113.1", source_port=1024)
    assert line(translated).endswith(" [from 203.0.113.1:1024]")
    translated.arriving = translated.packet._replace(destination="10.0.0.1", destination_port=40000)
    assert line(translated).endswith(" [to 10.0.0.1:40000]")


def test_a_congestion_mark_is_told() -> None:
    assert " 192.0.2.2:9899 CE SCTP " in line(passage(sctp(SACK.encode()), ecn=CE))


def test_datagrams_of_other_protocols_are_told_by_their_size() -> None:
    assert line(passage(b"GET /", port=53)) == "1.230000 192.0.2.1:53 > 192.0.2.2:53 UDP 5B"


def test_sctp_on_another_udp_port_is_told_by_its_checksum() -> None:
    data = sctp(Heartbeat(b"now").encode())
    assert line(passage(data, port=1234)).endswith(" SCTP 49152 > 7777 tag=0x5afe0001: HEARTBEAT info=3B")
    assert line(passage(data[:-1] + b"!", port=1234)).endswith(f" UDP {len(data)}B")


def test_a_packet_that_can_not_be_read_is_told_with_the_reason() -> None:
    broken = bytearray(sctp(SACK.encode()))
    broken[8] ^= 1
    told = line(passage(bytes(broken)))
    assert " tag=0x5afe0001: (checksum 0x" in told
    assert told.endswith("is right); SACK cum=4294967294 a_rwnd=131072 gaps=2-4,6-6 duplicates=4294967294,0")
    assert line(passage(b"short")).endswith(" SCTP (packet of 5 bytes)")
    whole, partial = Heartbeat(b"now").encode(), b"\x00\x03\x00\x40"
    assert line(passage(sctp(whole, partial))).endswith(
        "HEARTBEAT info=3B; (chunk of type 0 has length 64, 4 bytes are left)"
    )


@given(data=st.binary(max_size=200), is_sealed=st.booleans(), port=st.sampled_from([9899, 53]))
def test_every_packet_is_one_line(data: bytes, is_sealed: bool, port: int) -> None:
    told = line(passage(sctp(data) if is_sealed else data, port=port))
    assert told.startswith(f"1.230000 192.0.2.1:{port} > 192.0.2.2:{port} ")
    assert told.isprintable()


@virtual_time
async def test_a_network_tells_what_it_carried() -> None:
    network = Network(link=Link(delay_s=0.5, loss=LossWhere(lambda packet: packet.data == b"lost")))
    network.host("a", "192.0.2.1")
    network.host("z", "192.0.2.2")
    for data in (b"lost", b"under way"):
        network.send(Packet("192.0.2.1", 1, "192.0.2.2", 2, data))
    assert str(network.trace) == (
        "0.000000 192.0.2.1:1 > 192.0.2.2:2 UDP 4B [lost]\n0.000000 192.0.2.1:1 > 192.0.2.2:2 UDP 9B [under way]"
    )
    assert [each.packet.data for each in network.trace] == [b"lost", b"under way"]
    assert len(network.trace) == 2
    assert network.trace.lines(newest=1) == str(network.trace).splitlines()[1:]
    assert network.trace.lines(newest=0) == []
    assert network.trace.lines(newest=3) == network.trace.lines()


@virtual_time
async def test_a_network_may_keep_no_trace() -> None:
    network = Network(trace_packets=0)
    network.host("a", "192.0.2.1")
    network.send(Packet("192.0.2.1", 1, "192.0.2.2", 2, b""))
    assert str(network.trace) == ""


def test_how_many_lines_must_be_a_count() -> None:
    with pytest.raises(ValueError, match="newest"):
        Trace([]).lines(newest=-1)
    with pytest.raises(TypeError, match="newest"):
        Trace([]).lines(newest="1")  # type: ignore[arg-type]  # the mistake under test


@virtual_time
async def test_a_trace_and_its_network_tell_how_much_they_hold() -> None:
    network = Network(seed=7, trace_packets=1)
    packet = Packet(network.host("a").addresses[0], 1, network.host("z").addresses[0], 2, b"")
    network.send(packet)
    network.send(packet)
    assert (repr(network), repr(network.trace)) == ("<Network seed 7, 2 hosts, 2 packets>", "<Trace, 1 packets>")
