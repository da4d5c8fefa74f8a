"""RFC 8260 §2.1: what stands in an I-DATA chunk."""

from __future__ import annotations

import struct

import pytest

from aiosctp.core.messages import OutgoingMessage
from aiosctp.wire.chunks import Sack
from tests.core.interleaving.script import I_BIT, I_DATA, PAYLOAD, interleaving, raw_i_data, raw_of, sent_in
from tests.core.scripted import chunks_of


def test_an_i_data_chunk_is_as_the_rfc_draws_it() -> None:
    """M12: Figure 3, byte by byte: Res is 0, and the PPID and the FSN are in one place."""
    peer = interleaving()
    z = peer.z_initial_tsn
    packets = peer.z_sends(b"ordered", stream=3, ppid=0x01020304)
    packets += peer.z_sends(b"unordered", stream=3, unordered=True, ppid=0xFFFF_FFFF)
    packets += peer.z_sends(bytes(2 * PAYLOAD + 1), stream=4, ppid=51)
    packets += peer.drain()

    def drawn(flags: int, length: int, tsn: int, stream: int, mid: int, last: int) -> bytes:
        words = struct.pack("!I", I_DATA << 24 | flags << 16 | length), struct.pack("!I", peer.z_tsn(tsn))
        return b"".join((*words, struct.pack("!I", stream << 16), struct.pack("!I", mid), struct.pack("!I", last)))

    assert z == peer.z_tsn(0)
    assert raw_of(packets, I_DATA) == [
        drawn(0b0011, 27, 0, 3, 0, 0x01020304) + b"ordered",
        drawn(0b0111, 29, 1, 3, 0, 0xFFFF_FFFF) + b"unordered",
        drawn(0b0010, 20 + PAYLOAD, 2, 4, 0, 51) + bytes(PAYLOAD),
        drawn(0b0000, 20 + PAYLOAD, 3, 4, 0, 1) + bytes(PAYLOAD),
        drawn(0b0001, 21, 4, 4, 0, 2) + bytes(1),
    ]


def test_the_reserved_field_of_an_i_data_chunk_is_zero() -> None:
    """M12: bytes 10 and 11, whatever the chunk, first sent or again."""
    peer = interleaving()
    packets = peer.z_sends(b"a", stream=0xFFFF % 10, ppid=0xFFFF_FFFF)
    packets += peer.z_sends(bytes(3 * PAYLOAD), stream=9, unordered=True)
    packets += peer.sack(-1, (1, 1))
    packets += peer.wait(10)
    chunks = raw_of(packets, I_DATA)
    assert len({chunk[4:8] for chunk in chunks}) < len(chunks), "some were sent again"
    assert {chunk[10:12] for chunk in chunks} == {bytes(2)}


def test_the_i_bit_is_set_where_the_user_asks_and_nowhere_else() -> None:
    """M11: §2.2: "The handling of the I bit for the I-DATA chunk corresponds to ... the DATA chunk": on the last."""
    peer = interleaving()
    peer.association.send(OutgoingMessage(bytes(2 * PAYLOAD), stream=1, sack_immediately=True))
    (first, last) = sent_in(peer.touch())
    assert not first.flags & I_BIT
    assert last.flags & I_BIT
    peer.acknowledge_all()
    (other, _) = sent_in(peer.z_sends(bytes(2 * PAYLOAD), stream=1))
    assert not other.flags & I_BIT


@pytest.mark.parametrize("bits", [0x10, 0x20, 0x40, 0x80, 0xF0], ids=hex)
def test_the_reserved_bits_of_an_i_data_chunk_are_ignored(bits: int) -> None:
    """M12: delivered and acknowledged as without them, whole or in fragments."""
    peer = interleaving()
    peer.send(raw_i_data(peer.a(0), b"whole", stream=1, flags=bits | 3))
    peer.send(
        raw_i_data(peer.a(1), b"be", stream=1, mid=1, flags=bits | 2),
        raw_i_data(peer.a(2), b"gin", stream=1, mid=1, last=1, flags=bits | 1),
    )
    assert peer.reads() == [(1, b"whole"), (1, b"begin")]
    assert peer.z_has_reached == 2
    peer.check()


@pytest.mark.parametrize("reserved", [1, 0x8000, 0xFFFF], ids=hex)
def test_the_reserved_field_of_an_i_data_chunk_is_ignored(reserved: int) -> None:
    """M12: fragments that differ in it alone are of one message, and their stream is the Stream Identifier's."""
    peer = interleaving()
    peer.send(raw_i_data(peer.a(0), b"whole", stream=1, reserved=reserved))
    peer.send(raw_i_data(peer.a(1), b"be", stream=1, mid=1, flags=2, reserved=reserved))
    peer.send(raw_i_data(peer.a(2), b"gin", stream=1, mid=1, last=1, flags=1))
    assert peer.reads() == [(1, b"whole"), (1, b"begin")]
    assert peer.z_has_reached == 2


@pytest.mark.parametrize("flags", ["BE", "BEU", "B", ""])
def test_the_i_bit_brings_the_sack_at_once(flags: str) -> None:
    """M11: "the receiver SHOULD NOT delay the sending of the corresponding SACK chunk"; without it, it waits."""

    def acknowledged_at_once(flags: str) -> bool:
        peer = interleaving()
        # the first DATA of an association is acknowledged at once in any case
        peer.i_says(b"first", 5)
        peer.i_says(b"second", 5, 1)
        peer.wait(1)
        sacks = chunks_of(peer.send(peer.chunk(b"third", 1, 0, flags=flags, fsn="B" not in flags)), Sack)
        is_at_once = len(sacks) == 1
        (sack,) = sacks or chunks_of(peer.wait(0.3), Sack)
        assert sack.cumulative_tsn_ack == peer.cumulative_tsn
        return is_at_once

    assert acknowledged_at_once(flags + "I")
    assert not acknowledged_at_once(flags)


@pytest.mark.parametrize("ppid", [0, 1, 0x01020304, 0xFFFF_FFFF], ids=hex)
def test_the_ppid_is_the_first_fragments_and_is_not_touched(ppid: int) -> None:
    """M12: "this field is not touched by an SCTP implementation", both ways."""
    peer = interleaving()
    (first, second) = sent_in(peer.z_sends(bytes(PAYLOAD + 1), ppid=ppid))
    assert (first.last, second.last) == (ppid, 1)
    peer.send(
        peer.chunk(b"be", 1, flags="B", ppid=ppid),
        peer.chunk(b"gin", 1, fsn=1, flags="E"),
    )
    (message,) = peer.user_reads()
    assert (message.ppid, message.data) == (ppid, b"begin")


def test_mids_and_fsns_are_in_network_byte_order() -> None:
    """M12: "the MID is in "network byte order", a.k.a. Big Endian", and so is the FSN."""
    peer = interleaving()
    peer.z_sends(*[b"x"] * 258, stream=1)
    peer.drain()
    assert [chunk.mid for chunk in sent_in(peer.heard)] == list(range(258))
    assert raw_of(peer.heard, I_DATA)[257][12:16] == b"\x00\x00\x01\x01"
    peer.z_sends(bytes(258 * PAYLOAD), stream=2)
    peer.drain()
    assert raw_of(peer.heard, I_DATA)[-1][16:20] == b"\x00\x00\x01\x01"
    for mid in range(258):
        peer.i_says(b"%d" % mid, 1, mid)
    assert peer.reads() == [(1, b"%d" % mid) for mid in range(258)]
