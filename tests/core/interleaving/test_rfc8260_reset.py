"""RFC 8260 §2.3.2: RE-CONFIG (RFC 6525) and MIDs."""

from __future__ import annotations

import pytest

from aiosctp.wire.chunks import Data, IForwardTsn
from aiosctp.wire.reconfig import ReconfigurationResponse, SsnTsnResetRequest
from tests.core.interleaving.script import PAYLOAD, Script, interleaving, kinds_of_data, sent_in
from tests.core.reconfig.script import DENIED, PERFORMED, number, outgoing_of, reconfigs_of, requests_of
from tests.core.scripted import Packet, chunks_of

A_NEXT, Z_NEXT = 0x1234_5678, 0xFFFF_FFFF
ORDERS = (False, True)


def in_use(*streams: int, z_first: int | None = None) -> Script:
    """Both have sent two messages of each order on these streams, and all was read and acknowledged."""
    peer = interleaving(z_first=z_first)
    for stream in streams:
        for unordered in ORDERS:
            peer.z_sends(b"before", b"before", stream=stream, unordered=unordered)
            for mid in range(2):
                peer.i_says(b"before", stream, mid, unordered=unordered)
    peer.acknowledge_all()
    assert len(peer.reads()) == 4 * len(streams)
    # the law of numbers would have them go on
    peer.numbers = None
    return peer


def numbers_of(packets: list[Packet]) -> list[tuple[int, bool, int]]:
    return [(chunk.stream, chunk.is_unordered, chunk.mid) for chunk in sent_in(packets)]


def next_of_z(peer: Script, *streams: int) -> list[tuple[int, bool, int]]:
    """The numbers of the next message of each order on each stream."""
    packets = []
    for stream in streams:
        for unordered in ORDERS:
            packets += peer.z_sends(b"after", stream=stream, unordered=unordered)
    return numbers_of(packets)


def next_of_a(peer: Script, mid: int, *streams: int) -> list[tuple[int, bytes]]:
    for stream in streams:
        for unordered in ORDERS:
            peer.i_says(b"u" if unordered else b"o", stream, mid, unordered=unordered)
    return peer.reads()


def test_a_reset_sets_both_counters_of_mids_to_zero() -> None:
    """S06, M12: "the two counters (one for the ordered messages, one for the unordered messages) used for the MIDs MUST
    be reset to 0": of the stream that is reset, and of no other."""
    peer = in_use(1, 2)
    _, packets = peer.resets(1)
    (request,) = outgoing_of(packets)
    peer.answer(request, PERFORMED)
    assert next_of_z(peer, 1, 2) == [(1, False, 0), (1, True, 0), (2, False, 2), (2, True, 2)]
    # A's own stream 1 was not reset
    assert next_of_a(peer, 2, 1, 2) == [(1, b"o"), (1, b"u"), (2, b"o"), (2, b"u")]
    peer.check()


def test_a_reset_that_is_denied_leaves_them_as_they_are() -> None:
    """S06: RFC 6525 §5.2.7."""
    peer = in_use(1)
    _, packets = peer.resets(1)
    (request,) = outgoing_of(packets)
    peer.answer(request, DENIED)
    assert next_of_z(peer, 1) == [(1, False, 2), (1, True, 2)]


def test_a_reset_waits_until_the_message_begun_is_sent() -> None:
    """§2.3.2: "the implementation of [RFC6525] needs to handle this": no FSN goes out after the counters are at 0, and
    the last TSN assigned is that of the last fragment."""
    peer = in_use(1)
    peer.z_sends(bytes(20 * PAYLOAD), stream=1)
    _, packets = peer.resets(1)
    peer.z_sends(b"after", stream=1)
    for _ in range(40):
        if outgoing_of(peer.heard):
            break
        packets = peer.acknowledge_all()
    (request,) = outgoing_of(packets)
    assert request.last_assigned_tsn == sent_in(peer.heard)[-1].tsn
    assert sent_in(peer.heard)[-1].is_ending
    packets = peer.acknowledge_all() + peer.answer(request, PERFORMED)
    assert numbers_of(packets) == [(1, False, 0)]


def test_the_peers_reset_has_both_its_counters_at_zero() -> None:
    """S06, M12: A's MID 0 of both orders is delivered next; MIDs of its other streams go on."""
    peer = in_use(1, 2)
    peer.ask(peer.outgoing(1))
    assert next_of_a(peer, 0, 1)[-2:] == [(1, b"o"), (1, b"u")]
    assert next_of_a(peer, 2, 2) == [(2, b"o"), (2, b"u")]
    # ours are where they were
    assert next_of_z(peer, 1) == [(1, False, 2), (1, True, 2)]
    peer.check()


@pytest.mark.parametrize("unordered", ORDERS, ids=["ordered", "unordered"])
@pytest.mark.parametrize("whole", [True, False])
def test_half_a_message_of_a_stream_that_is_reset_is_no_part_of_the_next(unordered: bool, whole: bool) -> None:
    """S06, X43: A has given the rest up, all that it sent has come, and it resets the stream: MID 0 is then another
    message, and the half of the old one belongs to none."""
    peer = interleaving()
    peer.send(peer.chunk(bytes(500), 1, 0, flags="B" + "U" * unordered))
    peer.ask(peer.outgoing(1))
    if whole:
        peer.i_says(b"new", 1, 0, unordered=unordered)
    else:
        peer.send(peer.chunk(b"w", 1, 0, 1, flags="E" + "U" * unordered, tsn=2))
        assert peer.reads() == []
        peer.send(peer.chunk(b"ne", 1, 0, 0, flags="B" + "U" * unordered, tsn=1))
    assert [data for _, data in peer.reads() if data] == [b"new"]
    assert peer.association.receiver.held_bytes == 0
    peer.check()


def test_the_peers_request_has_our_counters_at_zero() -> None:
    """S06: RFC 6525 §5.2.3: asked to reset ours, we do, and both begin anew."""
    peer = in_use(1)
    packets = peer.ask(peer.incoming(1))
    (request,) = outgoing_of(packets)
    peer.answer(request, PERFORMED)
    assert next_of_z(peer, 1) == [(1, False, 0), (1, True, 0)]


@pytest.mark.parametrize("z_first", [1, 0xFFFF_FFFD], ids=hex)
def test_a_reset_of_the_association_has_all_counters_at_zero(z_first: int) -> None:
    """P10, S06: both ways, and TSNs go on where the answer says; I-DATA still carries everything."""
    peer = in_use(1, 2, z_first=z_first)
    _, packets = peer.resets_association()
    (request,) = requests_of(packets)
    assert isinstance(request, SsnTsnResetRequest)
    peer.answer(request, PERFORMED, A_NEXT, Z_NEXT)
    packets = peer.z_sends(b"after", stream=1)
    assert [chunk.tsn for chunk in sent_in(packets)] == [Z_NEXT]
    assert numbers_of(packets) == [(1, False, 0)]
    assert next_of_z(peer, 2) == [(2, False, 0), (2, True, 0)]
    peer.next_tsn = A_NEXT
    assert next_of_a(peer, 0, 1, 2) == [(1, b"o"), (1, b"u"), (2, b"o"), (2, b"u")]
    assert kinds_of_data(peer.heard) == {64}
    assert chunks_of(peer.heard, Data) == []
    peer.check()


def test_the_peers_reset_of_the_association_has_all_counters_at_zero() -> None:
    """P10, S06: A asks; half of a message is given up with it."""
    peer = in_use(1, 2)
    peer.send(peer.chunk(bytes(600), 1, 2, flags="B"), peer.chunk(bytes(600), 2, 2, flags="BU"))
    (chunk,) = reconfigs_of(peer.ask(peer.ssn_tsn()))
    (response,) = chunk.parameters
    assert isinstance(response, ReconfigurationResponse)
    assert response.result == PERFORMED
    assert response.receiver_next_tsn is not None
    assert peer.association.receiver.held_bytes == 0
    peer.next_tsn = response.receiver_next_tsn
    assert next_of_a(peer, 0, 1, 2) == [(1, b"o"), (1, b"u"), (2, b"o"), (2, b"u")]
    assert next_of_z(peer, 1, 2) == [(1, False, 0), (1, True, 0), (2, False, 0), (2, True, 0)]
    peer.check()


# -- with partial reliability --


@pytest.mark.parametrize("unordered", ORDERS, ids=["ordered", "unordered"])
@pytest.mark.parametrize("mids", [1, 3])
def test_an_i_forward_tsn_from_before_a_reset_says_nothing_of_what_comes_after(unordered: bool, mids: int) -> None:
    """S06, X07: a copy that comes when the stream has been reset and nothing new has come: RFC 3758 §3.6: "behind or at
    the current cumulative TSN point, the data receiver MUST treat this FORWARD TSN as out-of-date"."""
    peer = interleaving()
    late = IForwardTsn(peer.a(mids - 1), ((1, unordered, mids - 1),))
    peer.gives_up(mids - 1, (1, unordered, mids - 1))
    peer.ask(peer.outgoing(1))
    assert [data for _, data in peer.reads() if data] == []
    peer.send(late)
    for mid in range(mids + 1):
        chunks = peer.message(b"new %d" % mid, 1, mid, count=2, unordered=unordered)
        for chunk in chunks:
            peer.send(chunk)
    assert [data for _, data in peer.reads() if data] == [b"new %d" % mid for mid in range(mids + 1)]
    peer.check()


@pytest.mark.parametrize("unordered", ORDERS, ids=["ordered", "unordered"])
@pytest.mark.parametrize("size", [10, 20 * PAYLOAD])
def test_what_was_abandoned_before_a_reset_is_not_listed_after_it(unordered: bool, size: int) -> None:
    """S06, X43: the counters begin anew once the peer has skipped the old messages; an I-FORWARD-TSN of later lists new
    MIDs alone."""
    peer = interleaving()
    peer.numbers = None
    peer.z_sends(b"first", b"second", stream=1, unordered=unordered)
    peer.acknowledge_all()
    peer.z_sends(bytes(size), stream=1, unordered=unordered, lifetime_s=0.5)
    packets = peer.wait(1.1)
    (forward,) = chunks_of(packets, IForwardTsn)
    assert forward.skipped == ((1, unordered, 2),)
    peer.resets(1)
    packets = peer.acknowledge(forward.new_cumulative_tsn)
    (request,) = outgoing_of(peer.heard)
    assert request.last_assigned_tsn == forward.new_cumulative_tsn
    peer.answer(request, PERFORMED)
    assert numbers_of(peer.z_sends(b"new", stream=1, unordered=unordered, lifetime_s=0.5)) == [(1, unordered, 0)]
    forwards = chunks_of(peer.wait(5), IForwardTsn)
    assert {each.skipped for each in forwards} == {((1, unordered, 0),)}
    assert {each.new_cumulative_tsn for each in forwards} == {number(forward.new_cumulative_tsn, 1)}
    peer.check()
