"""RFC 8260 §2.3.1: I-FORWARD-TSN, with I-DATA in the place of FORWARD TSN."""

from __future__ import annotations

import struct

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import PartialDelivery, SendFailed
from aiosctp.wire.chunks import Abort, ForwardTsn, IForwardTsn, Sack
from tests.core.interleaving.script import (
    BOTH,
    DATA,
    FORWARD_TSN,
    I_DATA,
    I_FORWARD_TSN,
    INTERLEAVING,
    PAYLOAD,
    PROTOCOL_VIOLATION,
    RE_CONFIG,
    UNRECOGNIZED_CHUNK_TYPE,
    Script,
    error_causes,
    interleaving,
    kinds_of_data,
    raw_i_forward_tsn,
    raw_of,
    sent_in,
    types_used,
)
from tests.core.scripted import Packet, chunks_of

CALLERS = pytest.mark.parametrize("caller", ["Z", "A"])
PR = pytest.mark.parametrize("pr", [False, True], ids=["without 0xC000", "with 0xC000"])
ORDERS = pytest.mark.parametrize("unordered", [False, True], ids=["ordered", "unordered"])


def forwards_of(packets: list[Packet]) -> list[IForwardTsn]:
    return chunks_of(packets, IForwardTsn)


def abandons_three(peer: Script) -> list[Packet]:
    """Z's messages of stream 1, one of each order, and of stream 2 are lost, and their lifetime ends before T3."""
    peer.z_sends(b"a", stream=1, lifetime_s=0.5)
    peer.z_sends(b"b", stream=1, unordered=True, lifetime_s=0.5)
    peer.z_sends(b"c", stream=2, lifetime_s=0.5)
    assert forwards_of(peer.wait(0.4)) == []
    packets = peer.wait(0.7)
    assert sent_in(packets) == []
    return packets


def entries(chunk: bytes) -> list[tuple[int, int, int]]:
    """Stream, the sixteen bits before the MID, and the MID."""
    return [struct.unpack_from("!HHI", chunk, start) for start in range(8, len(chunk), 8)]


# -- what we send --


def test_with_interleaving_an_i_forward_tsn_passes_over_what_was_abandoned() -> None:
    """E01, M12: Figure 4: the point, and for each stream and order the largest MID skipped."""
    peer = interleaving()
    (chunk,) = set(raw_of(abandons_three(peer), I_FORWARD_TSN))
    assert chunk[:8] == struct.pack("!BBHI", 194, 0, 8 + 3 * 8, peer.z_tsn(2))
    assert sorted(entries(chunk)) == [(1, 0, 0), (1, 1, 0), (2, 0, 0)]
    assert {event.data for event in peer.events_of(SendFailed)} == {b"a", b"b", b"c"}


def test_the_flags_of_an_i_forward_tsn_are_zero() -> None:
    """M12: "They MUST be set to 0 by the sender"."""
    peer = interleaving()
    assert {chunk[1] for chunk in raw_of(abandons_three(peer) + peer.wait(30), I_FORWARD_TSN)} == {0}


def test_the_reserved_bits_of_an_entry_are_zero() -> None:
    """M12: all but the lowest, which is the U bit."""
    peer = interleaving()
    chunks = raw_of(abandons_three(peer) + peer.wait(30), I_FORWARD_TSN)
    assert chunks
    assert {bits & 0xFFFE for chunk in chunks for _, bits, _ in entries(chunk)} == {0}
    assert {bits & 1 for chunk in chunks for _, bits, _ in entries(chunk)} == {0, 1}


def test_an_entry_is_the_largest_mid_of_its_stream_and_order() -> None:
    """M12: "the largest Message Identifier for ordered or unordered messages ... that was skipped"."""
    peer = interleaving()
    for unordered in (False, True, True, False, True):
        peer.z_sends(b"x", stream=3, unordered=unordered, lifetime_s=0.5)
    (chunk, *_) = raw_of(peer.wait(1.1), I_FORWARD_TSN)
    assert sorted(entries(chunk)) == [(3, 0, 1), (3, 1, 2)]


def test_mids_of_more_than_sixteen_bits_are_whole_in_an_entry() -> None:
    """M12: "the 16-bit Stream Sequence Number (SSN) has been replaced by the 32-bit Message Identifier"."""
    peer = interleaving()
    peer.numbers = None
    peer.association.sender.queue.stream(1).next_ssn = 0x1234_5678
    peer.association.sender.queue.stream(1).next_unordered_mid = 0xFFFF_FFFF
    peer.z_sends(b"x", stream=1, lifetime_s=0.5)
    peer.z_sends(b"x", b"x", stream=1, unordered=True, lifetime_s=0.5)
    (chunk, *_) = raw_of(peer.wait(1.1), I_FORWARD_TSN)
    assert sorted(entries(chunk)) == [(1, 0, 0x1234_5678), (1, 1, 0)]


def test_what_was_delivered_is_not_among_the_entries() -> None:
    """RFC 3758 §3.5, F3: streams of which nothing was skipped are not listed."""
    peer = interleaving()
    peer.z_sends(b"lost", stream=1, lifetime_s=0.5)
    peer.z_sends(b"comes", stream=2)
    peer.sack(-1, (1, 1))
    (chunk, *_) = raw_of(peer.wait(1.1), I_FORWARD_TSN)
    assert entries(chunk) == [(1, 0, 0)]
    assert chunk[4:8] == struct.pack("!I", peer.z_tsn(0))


def test_of_two_interleaved_messages_one_abandoned_the_other_goes_on() -> None:
    """S10, X43: the message of stream 1 expires half sent, that of stream 2 is reliable: the point waits before the
    first chunk of stream 2 that is missing, and passes it once it has come."""
    peer = interleaving(INTERLEAVING.replace(scheduler="rr"))
    peer.numbers = None
    peer.z_queues(bytes(20 * PAYLOAD), stream=1, lifetime_s=0.5)
    peer.z_queues(bytes(3 * PAYLOAD), stream=2)
    first = sent_in(peer.touch())
    assert {chunk.stream for chunk in first} == {1, 2}
    of_two = [n for n, chunk in enumerate(first) if chunk.stream == 2]
    packets = peer.wait(30)
    assert {chunk.stream for chunk in sent_in(packets)} == {2}, "nothing of what was abandoned is sent any more"
    for forward in forwards_of(packets):
        assert (forward.new_cumulative_tsn - peer.z_initial_tsn & 0xFFFF_FFFF) < of_two[0] or of_two[0] == 0
        assert {stream for stream, _, _ in forward.skipped} == {1}
    assert [event.stream for event in peer.events_of(SendFailed)] == [1]
    # all of stream 2 comes
    have: set[int] = set()
    for _ in range(20):
        have |= {chunk.tsn for chunk in sent_in(peer.heard) if chunk.stream == 2}
        point = max([peer.z_tsn(-1), *(each.new_cumulative_tsn for each in forwards_of(peer.heard))], key=peer.z_order)
        while (following := peer.z_tsn(peer.z_order(point) + 1)) in have:
            point = following
        peer.acknowledge(point)
        peer.wait(2)
    all_of_two = {each.fsn: each for each in sent_in(peer.heard) if each.stream == 2}
    assert sorted(all_of_two) == list(range(len(all_of_two)))
    assert sum(len(each.payload) for each in all_of_two.values()) == 3 * PAYLOAD
    assert [event.stream for event in peer.events_of(SendFailed)] == [1]
    assert peer.association.sender.is_drained
    peer.check()


# -- which of the two chunks --


@CALLERS
def test_with_data_chunks_a_forward_tsn_is_used(caller: str) -> None:
    """E01: "The FORWARD-TSN chunk MUST be used in combination with the DATA chunk": A lists 194, and not 64."""
    peer = Script(announces=(I_FORWARD_TSN, RE_CONFIG), pr=True).opened(caller)
    peer.z_sends(b"x", stream=1, lifetime_s=0.5)
    packets = peer.wait(30)
    assert kinds_of_data(peer.heard) == {DATA}
    assert types_used(packets, FORWARD_TSN, I_FORWARD_TSN) == {FORWARD_TSN}
    assert chunks_of(packets, ForwardTsn)[0] == ForwardTsn(peer.z_initial_tsn, ((1, 0),))


POLICIES = pytest.mark.parametrize(
    "policy", [{"lifetime_s": 0.5}, {"max_retransmits": 0}, {"max_retransmits": 2}], ids=str
)


@POLICIES
@PR
@CALLERS
@pytest.mark.parametrize("announces", [BOTH, (I_DATA, RE_CONFIG)], ids=["both", "I-DATA alone"])
def test_with_i_data_chunks_no_forward_tsn_is_sent(
    policy: dict[str, float], pr: bool, caller: str, announces: tuple[int, ...]
) -> None:
    """E01: "and MUST NOT be used in combination with the I-DATA chunk", whatever else A says."""
    peer = Script(announces=announces, pr=pr).opened(caller)
    peer.z_sends(b"x", stream=1, **policy)  # type: ignore[arg-type]  # one of them
    peer.z_sends(bytes(3 * PAYLOAD), stream=2, unordered=True, **policy)  # type: ignore[arg-type]  # each value is its name's
    assert kinds_of_data(peer.heard) == {I_DATA}
    assert types_used(peer.wait(30), FORWARD_TSN) == set()


@POLICIES
@CALLERS
def test_without_i_forward_tsn_what_was_sent_is_reliable(policy: dict[str, float], caller: str) -> None:
    """E01: "can be used in combination with user message interleaving only if both endpoints indicated their support of
    ... the I-FORWARD-TSN chunk": A lists 64 and nothing besides; the user can ask."""
    peer = Script(announces=(I_DATA, RE_CONFIG)).opened(caller)
    peer.z_sends(b"x", stream=1, **policy)  # type: ignore[arg-type]  # each value is its name's
    packets = peer.wait(30)
    assert types_used(packets, FORWARD_TSN, I_FORWARD_TSN) == set()
    assert kinds_of_data(packets) == {I_DATA}
    assert not peer.association.supports_partial_reliability
    assert peer.events_of(SendFailed) == []
    peer.drain()
    assert peer.association.sender.is_drained


@CALLERS
def test_the_forward_tsn_parameter_stands_for_i_forward_tsn_beside_i_data(caller: str) -> None:
    """Linux lists 64, never 194, and understands I-FORWARD-TSN where it has 0xC000: more than the RFC asks, and both
    ways."""
    peer = Script(announces=(I_DATA, RE_CONFIG), pr=True).opened(caller)
    assert peer.association.supports_partial_reliability
    peer.z_sends(b"x", stream=1, lifetime_s=0.5)
    assert types_used(peer.wait(30), FORWARD_TSN, I_FORWARD_TSN) == {I_FORWARD_TSN}
    peer.sack(0)
    peer.send(peer.chunk(b"waits", 1, 1, tsn=1))
    peer.send(IForwardTsn(peer.a(0), ((1, False, 0),)))
    assert peer.reads() == [(1, b"waits")]
    peer.check()


@POLICIES
@PR
@CALLERS
def test_with_i_data_chunks_an_i_forward_tsn_is_used(policy: dict[str, float], pr: bool, caller: str) -> None:
    """E01: "The I-FORWARD-TSN chunk MUST be used in combination with the I-DATA chunk": repeated until acknowledged."""
    peer = Script(pr=pr).opened(caller)
    peer.z_sends(b"x", stream=1, **policy)  # type: ignore[arg-type]  # one of them
    packets = peer.wait(30)
    assert types_used(packets, FORWARD_TSN, I_FORWARD_TSN) == {I_FORWARD_TSN}
    assert len(forwards_of(packets)) >= 2
    assert set(forwards_of(packets)) == {IForwardTsn(peer.z_initial_tsn, ((1, False, 0),))}
    peer.sack(0)
    assert forwards_of(peer.wait(30)) == []
    assert [event.data for event in peer.events_of(SendFailed)] == [b"x"]
    # and what comes after is reliable
    (after,) = sent_in(peer.z_sends(b"after", stream=1))
    assert (after.tsn, after.mid) == (peer.z_tsn(1), 1)
    peer.check()


@PR
@CALLERS
def test_with_data_chunks_no_i_forward_tsn_is_sent(pr: bool, caller: str) -> None:
    """E01: "and MUST NOT be used in combination with the DATA chunk": A lists 194 alone."""
    peer = Script(announces=(I_FORWARD_TSN, RE_CONFIG), pr=pr).opened(caller)
    for stream, policy in enumerate(({"lifetime_s": 0.5}, {"max_retransmits": 0})):
        peer.z_sends(b"x", stream=stream, **policy)  # type: ignore[arg-type]  # each value is its name's
    packets = peer.wait(30)
    assert types_used(packets, I_FORWARD_TSN, I_DATA) == set()
    assert types_used(packets, FORWARD_TSN) == ({FORWARD_TSN} if pr else set())


@pytest.mark.parametrize(
    ("announces", "pr", "wrong"),
    [
        (BOTH, False, FORWARD_TSN),
        (BOTH, True, FORWARD_TSN),
        ((I_DATA, RE_CONFIG), False, FORWARD_TSN),
        ((I_DATA, RE_CONFIG), True, FORWARD_TSN),
        ((RE_CONFIG,), True, I_FORWARD_TSN),
        ((RE_CONFIG,), False, I_FORWARD_TSN),
        ((I_FORWARD_TSN, RE_CONFIG), True, I_FORWARD_TSN),
    ],
)
@CALLERS
def test_a_forward_tsn_among_i_data_chunks_aborts_the_association(
    announces: tuple[int, ...], pr: bool, wrong: int, caller: str
) -> None:
    """E01: "the receiver of the FORWARD-TSN chunk MUST abort the association by sending an ABORT chunk", whether 194
    was negotiated or not; and so is an I-FORWARD-TSN among DATA chunks a violation."""
    peer = Script(announces=announces, pr=pr).opened(caller)
    chunk = ForwardTsn(peer.a(0)) if wrong == FORWARD_TSN else IForwardTsn(peer.a(0), ((1, False, 0),))
    peer.is_aborted_for(PROTOCOL_VIOLATION, peer.send(chunk))


@CALLERS
def test_a_forward_tsn_among_i_data_chunks_aborts_also_where_we_have_it_off(caller: str) -> None:
    """E01: "The same applies if I-FORWARD-TSN support has not been negotiated", by our own setting."""
    peer = Script(INTERLEAVING.replace(partial_reliability=False), pr=True).opened(caller)
    peer.is_aborted_for(PROTOCOL_VIOLATION, peer.send(ForwardTsn(peer.a(0))))


@pytest.mark.parametrize("tsn", [-5, -1, 0x7FFF_FFF0], ids=hex)
def test_a_forward_tsn_that_moves_nothing_is_as_wrong(tsn: int) -> None:
    """E01: "the reception of a FORWARD-TSN chunk is a violation", whatever it says."""
    peer = interleaving()
    peer.is_aborted_for(PROTOCOL_VIOLATION, peer.send(ForwardTsn(peer.a(tsn))))


def test_without_interleaving_an_i_forward_tsn_is_an_unknown_chunk() -> None:
    """RFC 9260 §3.2: with the setting off this is an endpoint without RFC 8260: 194 is skipped and reported."""
    peer = Script(INTERLEAVING.replace(interleaving=False), pr=True).opened()
    packets = peer.send(IForwardTsn(peer.a(0), ((1, False, 0),)), peer.data(b"behind it"))
    assert error_causes(packets) == [UNRECOGNIZED_CHUNK_TYPE]
    assert peer.reads() == [(0, b"behind it")]
    assert peer.state is AssociationState.ESTABLISHED
    peer.check()


def test_where_partial_reliability_is_off_an_i_forward_tsn_is_an_unknown_chunk() -> None:
    """§2.3.1: we have not listed it: it is skipped and reported, and what it gives up is waited for."""
    peer = interleaving(INTERLEAVING.replace(partial_reliability=False))
    packets = peer.send(IForwardTsn(peer.a(0), ((1, False, 0),)), peer.chunk(b"behind it", 2, tsn=1))
    assert error_causes(packets) == [UNRECOGNIZED_CHUNK_TYPE]
    assert chunks_of(packets, Abort) == []
    assert peer.reads() == [(2, b"behind it")]
    assert peer.z_has_reached == -1


# -- what we receive --


@pytest.mark.parametrize("flags", [0, 1, 0xFF], ids=hex)
def test_the_flags_of_an_i_forward_tsn_are_ignored(flags: int) -> None:
    """M12: "and MUST be ignored by the receiver": what waited is delivered, and the SACK goes past what was skipped."""
    peer = interleaving()
    peer.send(peer.chunk(b"waits", 1, 1, tsn=1))
    assert peer.reads() == []
    peer.send(raw_i_forward_tsn(peer.a(0), (1, 0, 0), flags=flags))
    assert peer.reads() == [(1, b"waits")]
    assert peer.z_has_reached == 1
    peer.check()


@pytest.mark.parametrize("bits", [0, 2, 0x8000, 0xFFFE], ids=hex)
def test_the_reserved_bits_of_an_entry_are_ignored(bits: int) -> None:
    """M12: what waits for an ordered message is let go, and what has come of an unordered one: by the U bit alone."""
    peer = interleaving()
    peer.send(peer.chunk(b"waits", 1, 1, tsn=1))
    peer.send(peer.chunk(bytes(700), 1, 0, flags="BU", tsn=2))
    held = peer.association.receiver.held_bytes
    assert held >= 700
    peer.send(raw_i_forward_tsn(peer.a(0), (1, bits, 0)))
    assert peer.reads() == [(1, b"waits")]
    assert peer.association.receiver.held_bytes >= 700, "the U bit was not set"
    peer.send(raw_i_forward_tsn(peer.a(3), (1, bits | 1, 0)))
    assert peer.association.receiver.held_bytes == 0
    assert peer.z_has_reached == 3
    peer.check()


@ORDERS
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_message_partly_arrived_is_removed(unordered: bool, missing: int) -> None:
    """X04, X43: "the principle applied to ordered messages ... is applied to ordered and unordered messages": half a
    message is never delivered as a whole, and holds nothing."""
    peer = interleaving()
    chunks = peer.message(bytes(900), 1, 0, count=3, unordered=unordered)
    peer.send(*(chunk for n, chunk in enumerate(chunks) if n != missing))
    peer.gives_up(2, (1, unordered, 0))
    assert peer.reads() == []
    assert peer.association.receiver.held_bytes == 0
    # its last fragment comes late: a duplicate
    sacks = chunks_of(peer.send(chunks[missing]) + peer.wait(0.3), Sack)
    assert sacks[-1].duplicate_tsns == (peer.a(missing),)
    assert peer.reads() == []
    peer.i_says(b"next", 1, 1, unordered=unordered)
    assert peer.reads() == [(1, b"next")]
    peer.check()


@ORDERS
def test_what_is_whole_stays_readable(unordered: bool) -> None:
    """E01: what was received whole is delivered although the peer has given it up."""
    peer = interleaving()
    peer.send(peer.chunk(b"whole", 1, 0, flags="BE" + "U" * unordered, tsn=0))
    peer.gives_up(2, (1, unordered, 0))
    assert peer.reads() == [(1, b"whole")]
    assert peer.z_has_reached == 2


def test_ordered_and_unordered_mids_are_passed_over_apart() -> None:
    """M12: an entry with the U bit says nothing of ordered messages, and the other way round."""
    peer = interleaving()
    peer.send(peer.chunk(b"waits for ordered 0", 1, 1, tsn=1))
    peer.send(peer.chunk(bytes(700), 1, 5, flags="BU", tsn=2))
    peer.gives_up(0, (1, True, 4))
    assert peer.reads() == []
    assert peer.association.receiver.held_bytes >= 700
    peer.gives_up(3, (1, False, 0), (1, True, 5))
    assert peer.reads() == [(1, b"waits for ordered 0")]
    assert peer.association.receiver.held_bytes == 0
    peer.check()


def test_a_message_read_in_part_is_told_to_have_ended() -> None:
    """X43: RFC 6458 §6.1.7: of two that are read in parts at once, each with its stream and MID."""
    peer = interleaving(INTERLEAVING.replace(partial_delivery_point_bytes=1000))
    for stream in (1, 2):
        peer.association.receiver.take_over(stream)
    for stream in (1, 2):
        peer.send(peer.chunk(bytes(1200), stream, 0, flags="B"))
    parts = [peer.association.receiver.read(stream, partial=True) for stream in (1, 2)]
    assert [part is not None and part.end_of_record for part in parts] == [False, False]
    peer.gives_up(5, (1, False, 0), (2, False, 0))
    assert sorted((event.stream, event.ssn) for event in peer.events_of(PartialDelivery)) == [(1, 0), (2, 0)]
    for stream in (1, 2):
        peer.i_says(b"next", stream, 1)
        message = peer.association.receiver.read(stream, partial=True)
        assert message is not None
        assert (message.data, message.end_of_record) == (b"next", True)
    peer.check()
