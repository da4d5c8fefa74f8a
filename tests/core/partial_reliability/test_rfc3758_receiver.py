"""RFC 3758 §3.6: what a FORWARD TSN does to its receiver."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import Message
from aiosctp.events import PartialDelivery
from aiosctp.wire.chunks import Data, Sack
from tests.core.partial_reliability.script import (
    PAYLOAD,
    QUIET,
    SUPPORTED,
    Script,
    data,
    established,
    forward,
    sacks_of,
    tsn_of,
)
from tests.core.scripted import Packet, chunks_of


def settled() -> Script:
    """Two packets have come and been acknowledged, A's TSNs 0 and 1: the next SACK is delayed."""
    peer = established()
    peer.says(data(0, "UBE"), data(1, "UBE"))
    peer.late()
    assert sacks_of(peer.heard)[-1] == (1, ())
    assert len(peer.reads()) == 2
    return peer


def window_of(packets: list[Packet]) -> int:
    """The a_rwnd of the last SACK."""
    return chunks_of(packets, Sack)[-1].a_rwnd


def reads_parts(peer: Script) -> list[Message]:
    parts = []
    while (part := peer.association.receiver.read(partial=True)) is not None:
        parts.append(part)
    return parts


# -- DATA --


def transcript(announces: tuple[object, ...]) -> list[tuple[float, object]]:
    """What Z says to A's DATA: in order, with gaps, duplicates, and over the wrap of TSNs; and what its user reads."""
    peer = Script(announces=announces)  # type: ignore[arg-type]  # none, or the parameter
    peer.established()
    start = len(peer.heard)
    told: list[tuple[float, object]] = []
    for n, flags in ((0, "BE"), (1, "BE"), (4, "UBE"), (3, "BE"), (3, "BE"), (2, "BE"), (6, "B"), (7, "E"), (5, "BE")):
        peer.send(data(n, flags, ssn={0: 0, 1: 1, 2: 2, 3: 3, 5: 4, 6: 5, 7: 5}.get(n, 0)))
        told.append((peer.now, peer.reads()))
        peer.wait(0.15)
    peer.late()
    told += [(packet.at, packet.chunks) for packet in peer.heard[start:]]
    return told


def test_data_is_received_as_in_the_base_protocol() -> None:
    """E01: "the receiver MUST perform the same TSN handling, including duplicate detection, gap detection, SACK
    generation, cumulative TSN advancement, etc."."""
    with_it, without = transcript((SUPPORTED,)), transcript(())
    assert with_it == without
    assert [payloads for _, payloads in with_it[:9]] == [
        [b"<0>"],
        [b"<1>"],
        [b"<4>"],
        [],
        [],
        [b"<2>", b"<3>"],
        [],
        [],
        [b"<5>", b"<6><7>"],
    ]


# -- the cumulative TSN --


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_the_cumulative_tsn_point_moves_to_the_value_of_a_forward_tsn(n: int) -> None:
    """M17, X42: "MUST first update its cumulative TSN point to the value carried", over the wrap too (A's TSN 2 is
    0)."""
    peer = established()
    assert sacks_of(peer.says(forward(n)) + peer.late()) == [(n, ())]
    assert sacks_of(peer.says(data(n + 1, "UBE")) + peer.late()) == [(n + 1, ())]
    assert peer.reads() == [b"<%d>" % (n + 1)]


def test_the_cumulative_tsn_point_goes_on_over_what_was_received() -> None:
    """M17: the RFC's example: 102 received, 103 missing, 104, 105 received, 106 missing, 107 received; 103 is given
    up."""
    peer = settled()
    peer.says(data(3, "UBE"), data(4, "UBE"), data(6, "UBE"))
    assert sacks_of(peer.says(forward(2)))[-1] == (4, ((2, 2),))


def test_no_missing_tsn_up_to_the_new_point_is_reported() -> None:
    """M17: "the data receiver MUST stop reporting any missing TSNs earlier than or equal to the new cumulative TSN
    point"."""
    peer = established()
    packets = peer.says(*(data(n, "UBE") for n in (0, 2, 4, 6)))
    assert sacks_of(packets)[-1] == (0, ((2, 2), (4, 4), (6, 6)))
    packets = peer.says(forward(3), data(8, "UBE")) + peer.late()
    assert set(sacks_of(packets)) <= {(4, ((2, 2),)), (4, ((2, 2), (4, 4)))}
    assert sacks_of(packets)[-1] == (4, ((2, 2), (4, 4)))
    assert sacks_of(peer.says(data(5, "UBE")))[-1] == (6, ((2, 2),))


@pytest.mark.parametrize("n", [1, 0, -5], ids=["at", "behind", "far behind"])
def test_a_forward_tsn_at_or_behind_the_point_is_out_of_date(n: int) -> None:
    """M17, X07: "found to be behind or at the current cumulative TSN point, the data receiver MUST treat this FORWARD
    TSN as out-of-date": its entries say nothing."""
    peer = settled()
    peer.says(data(3, stream=1, ssn=1))
    peer.says(forward(n, (1, 5)))
    assert peer.reads() == []
    peer.says(data(2, stream=1, ssn=0))
    assert peer.reads() == [b"<2>", b"<3>"]


@pytest.mark.parametrize("n", [3, 1, 0, -1, 3 - 2**31 + 1], ids=str)
def test_an_out_of_date_forward_tsn_does_not_move_the_cumulative_tsn(n: int) -> None:
    """M17, X42: "and MUST NOT update its Cumulative TSN"."""
    peer = settled()
    peer.says(data(2, "UBE"), data(3, "UBE"))
    packets = peer.says(forward(n)) + peer.late()
    assert set(sacks_of(packets)) == {(3, ())}
    packets = peer.says(data(4, "UBE")) + peer.late()
    assert sacks_of(packets)[-1] == (4, ())


@pytest.mark.parametrize("n", [1, 0, -7])
def test_an_out_of_date_forward_tsn_is_answered_by_a_sack(n: int) -> None:
    """M17: "The receiver SHOULD send a SACK to its peer ... since such a duplicate may indicate the previous SACK was
    lost"."""
    peer = settled()
    assert sacks_of(peer.says(forward(n)) + peer.wait(0.2)) == [(1, ())]


# -- the SACK --


def test_a_forward_tsn_brings_a_sack_as_a_data_chunk_does() -> None:
    """M17: "the receiver MUST follow the same rules as if a DATA chunk had been received"."""
    peer = settled()
    assert sacks_of(peer.send(forward(2))) == []
    assert sacks_of(peer.wait(0.2)) == [(2, ())], "after the delay"
    assert sacks_of(peer.says(data(3, "UBE"))) == []
    assert sacks_of(peer.says(forward(4))) == [(4, ())], "with the second packet"
    assert sacks_of(peer.says(forward(5))) == []
    assert sacks_of(peer.says(forward(6))) == [(6, ())], "likewise"
    assert sacks_of(peer.send(forward(7), data(8, "UBE"))) == [], "one packet"
    assert sacks_of(peer.send(data(9, "UBE"), forward(10))) == [(10, ())], "a second"


def test_the_sack_of_one_goes_with_data_that_is_sent_before_it_is_due() -> None:
    """M17: RFC 9260 §6.2, of the DATA chunk that it counts as."""
    peer = settled()
    assert peer.says(forward(2)) == []
    (packet,) = peer.z_sends()
    assert packet.types == (Sack, Data)
    assert sacks_of([packet]) == [(2, ())]
    assert sacks_of(peer.wait(0.5)) == []


def test_one_that_leaves_a_gap_is_answered_at_once() -> None:
    """M17: RFC 9260 §6.2: a gap brings a SACK for each packet with DATA."""
    peer = settled()
    peer.says(data(5, "UBE"))
    assert sacks_of(peer.says(forward(2))) == [(2, ((3, 3),))]


def test_one_with_the_cumulative_tsn_of_a_gap_closes_it() -> None:
    peer = settled()
    peer.says(data(3, "UBE"))
    packets = peer.says(forward(2)) + peer.late()
    assert sacks_of(packets)[-1] == (3, ())


# -- messages that waited --


def test_what_is_held_up_to_the_listed_ssns_becomes_deliverable() -> None:
    """M17: "MUST ... examine all of the listed stream reordering queues, and immediately make available for delivery
    stream sequence numbers earlier than or equal to" those listed; and what follows them without a hole."""
    peer = established()
    for n, stream, ssn in ((1, 1, 1), (3, 1, 3), (5, 2, 1), (7, 3, 1)):
        peer.says(data(n, stream=stream, ssn=ssn))
    assert peer.reads() == []
    peer.says(forward(4, (1, 2), (2, 0)))
    assert sorted(peer.reads()) == [b"<1>", b"<3>", b"<5>"]
    peer.says(data(8, stream=1, ssn=4))
    assert peer.reads() == [b"<8>"]
    peer.says(data(6, stream=3, ssn=0))
    assert peer.reads() == [b"<6>", b"<7>"]


def test_of_a_stream_they_come_in_order() -> None:
    """RFC 9260 §6.5: what is left of them is ordered still."""
    peer = established()
    for n in (8, 2, 6, 4):
        peer.says(data(n, stream=1, ssn=n))
    peer.says(forward(7, (1, 7)))
    assert peer.reads() == [b"<2>", b"<4>", b"<6>", b"<8>"]


def test_stranded_messages_are_readable_at_once() -> None:
    """M17: "Any such stranded data SHOULD be made immediately available to the upper layer"."""
    peer = established()
    peer.says(data(1, stream=1, ssn=1), data(2, stream=1, ssn=2))
    peer.send(forward(0, (1, 0)))
    assert peer.reads() == [b"<1>", b"<2>"]
    peer.says(data(3, stream=1, ssn=3))
    assert peer.reads() == [b"<3>"]


def test_over_the_wrap_of_ssns() -> None:
    """X42: 65535 and 0 of one stream: skipped up to 0, 1 is the next; here moved there by FORWARD TSNs alone."""
    peer = established()
    peer.says(forward(0, (1, 32767)), forward(1, (1, 65534)))
    peer.says(data(4, stream=1, ssn=1))
    assert peer.reads() == []
    peer.says(forward(3, (1, 0)))
    assert peer.reads() == [b"<4>"]
    peer.says(data(5, stream=1, ssn=2))
    assert peer.reads() == [b"<5>"]


def test_an_entry_that_is_behind_the_stream_takes_nothing_back() -> None:
    """X07: SSNs that were delivered are not expected again."""
    peer = established()
    for n in range(3):
        peer.says(data(n, stream=1, ssn=n))
    assert len(peer.reads()) == 3
    peer.says(forward(3, (1, 0)))
    peer.says(data(4, stream=1, ssn=3))
    assert peer.reads() == [b"<4>"]


def test_a_stream_that_is_not_listed_waits_on() -> None:
    """What was skipped was not of it."""
    peer = established()
    peer.says(data(2, stream=2, ssn=1))
    peer.says(forward(0, (1, 0)))
    assert peer.reads() == []
    peer.says(data(1, stream=2, ssn=0))
    assert peer.reads() == [b"<1>", b"<2>"]


# -- re-assembly --


def test_fragments_past_the_new_point_are_kept() -> None:
    """M17: "MUST take cautions in updating its re-assembly queue"."""
    peer = established()
    packets = peer.says(data(3, "B", ssn=1, size=500), data(5, "E", ssn=1, size=500))
    before = window_of(packets)
    packets = peer.says(forward(1, (1, 0)))
    assert window_of(packets + peer.late()) == before
    assert peer.reads() == []
    peer.says(data(4, "", ssn=1))
    assert peer.reads() == []
    peer.says(data(2, ssn=0))
    assert [payload[:3] for payload in peer.reads()] == [b"<2>", b"<3>"]


@pytest.mark.parametrize("order", ["", "U"], ids=["ordered", "unordered"])
@pytest.mark.parametrize(
    ("held", "missing"),
    [((0, 2), 1), ((1, 2), 0), ((0, 1), 2), ((0,), 1), ((2,), 0), ((1,), 0)],
    ids=str,
)
def test_a_message_that_lacks_a_skipped_tsn_is_removed(order: str, held: tuple[int, ...], missing: int) -> None:
    """M17, X04, X07: "The receiver MUST remove any partially reassembled message, which is still missing one or more
    TSNs earlier than or equal to the new cumulative TSN point". A late one is dropped, and reported as duplicate."""
    peer = established()
    flags = {0: order + "B", 1: order, 2: order + "E"}
    peer.says(*(data(n, flags[n], stream=1, size=500) for n in held))
    peer.late()
    packets = peer.says(forward(2, *(() if order else ((1, 0),)))) + peer.late()
    assert sacks_of(packets)[-1] == (2, ())
    assert window_of(packets) == QUIET.receive_window_bytes
    assert peer.association.receiver.held_bytes == 0
    packets = peer.says(data(missing, flags[missing], stream=1)) + peer.late()
    assert chunks_of(packets, Sack)[-1].duplicate_tsns == (tsn_of(missing),)
    assert peer.reads() == []
    peer.says(data(3, stream=1, ssn=0 if order else 1))
    assert peer.reads() == [b"<3>"]


@pytest.mark.parametrize("order", ["", "U"], ids=["ordered", "unordered"])
def test_of_a_message_cut_by_the_point_the_rest_is_removed(order: str) -> None:
    """X07, X43: a peer that forwards into the midst of a message: what is held behind the point goes too, and what of
    it comes later is no message, nor kept for ever."""
    peer = established()
    peer.says(data(0, order + "B", stream=1, size=500), data(2, order, stream=1, size=500))
    peer.says(forward(1, *(() if order else ((1, 0),))))
    packets = peer.says(data(3, order + "E", stream=1, size=500)) + peer.late()
    assert sacks_of(packets)[-1] == (3, ())
    assert peer.reads() == []
    peer.says(data(4, stream=1, ssn=0 if order else 1))
    assert peer.reads() == [b"<4>"]
    assert peer.association.receiver.held_bytes == 0


def test_a_whole_message_before_the_point_is_kept() -> None:
    """Only those that lack something are removed."""
    peer = established()
    peer.says(data(1, "B", stream=1, ssn=1), data(2, "E", stream=1, ssn=1), data(4, "UB"), data(5, "UE"))
    peer.says(forward(3, (1, 0)))
    assert sorted(peer.reads()) == [b"<1><2>", b"<4><5>"]


def test_a_whole_unordered_message_that_nobody_has_read_is_kept() -> None:
    peer = established()
    peer.says(data(1, "UBE"), data(2, "UBE"))
    peer.says(forward(3))
    assert peer.reads() == [b"<1>", b"<2>"]


# -- partial delivery --

IN_PARTS = QUIET.replace(partial_delivery_point_bytes=2000)


@pytest.mark.parametrize("is_read", [True, False], ids=["a part is read", "nothing is read"])
@pytest.mark.parametrize("first_missing", [2, 3])
def test_a_partial_delivery_that_is_skipped_is_ended_by_an_event(first_missing: int, is_read: bool) -> None:
    """X04, R20: "a notification SHOULD also be generated to inform the upper layer API that the message being partially
    delivered will NOT be completed"."""
    peer = established(IN_PARTS)
    for n in range(first_missing):
        peer.says(data(n, "B" if n == 0 else "", stream=1, payload=bytes(PAYLOAD)))
    if is_read:
        parts = reads_parts(peer)
        assert sum(len(part.data) for part in parts) == first_missing * PAYLOAD
        assert not any(part.end_of_record for part in parts)
    peer.says(data(first_missing + 1, "", stream=1, payload=bytes(PAYLOAD)))
    peer.says(forward(first_missing + 2, (1, 0)))
    if is_read:
        assert peer.events_of(PartialDelivery) == [PartialDelivery(1, 0)]
    peer.says(data(first_missing + 3, stream=1, ssn=1))
    rest = reads_parts(peer)
    assert [(part.data, part.ssn) for part in rest if part.end_of_record] == [(b"<%d>" % (first_missing + 3), 1)]
    assert not any(part.end_of_record for part in rest if part.ssn == 0), "never half delivered as whole"
    assert peer.association.receiver.held_bytes == 0
    assert len(peer.events_of(PartialDelivery)) <= 1


def test_a_large_message_that_waited_is_delivered_in_parts_at_once() -> None:
    """R20, M17: "Any such stranded data SHOULD be made immediately available": its parts too."""
    peer = established(IN_PARTS)
    for n in (1, 2):
        peer.says(data(n, "B" if n == 1 else "", stream=1, ssn=1, payload=bytes(PAYLOAD)))
    assert reads_parts(peer) == []
    peer.says(forward(0, (1, 0)))
    assert sum(len(part.data) for part in reads_parts(peer)) == 2 * PAYLOAD


def test_a_partial_delivery_behind_the_point_goes_on() -> None:
    """X04: what was skipped was before it."""
    peer = established(IN_PARTS)
    peer.says(data(1, "UB", stream=1, payload=bytes(PAYLOAD)), data(2, "U", stream=1, payload=bytes(PAYLOAD)))
    peer.says(forward(0, (2, 0)))
    parts = reads_parts(peer)
    peer.says(data(3, "UE", stream=1, payload=b"end"))
    parts += reads_parts(peer)
    assert sum(len(part.data) for part in parts) == 2 * PAYLOAD + 3
    assert [part.end_of_record for part in parts][-1]
    assert peer.events_of(PartialDelivery) == []


# -- what comes late --


def test_what_was_skipped_and_comes_late_is_dropped_and_reported_as_duplicate() -> None:
    """M17: "the receiver will drop the chunk and report it as a duplicate in the next outbound SACK chunk"; only
    then."""
    peer = settled()
    packets = peer.says(forward(3, (1, 1))) + peer.late()
    assert [sack.duplicate_tsns for sack in chunks_of(packets, Sack)] == [()]
    packets = peer.says(data(2, stream=1, ssn=0), data(3, stream=1, ssn=1)) + peer.late()
    duplicates = [tsn for sack in chunks_of(packets, Sack) for tsn in sack.duplicate_tsns]
    assert duplicates == [tsn_of(2), tsn_of(3)]
    assert peer.reads() == []
    assert sacks_of(packets)[-1] == (3, ())


def test_both_directions_are_their_own() -> None:
    """A's FORWARD TSN does nothing to what Z sends."""
    peer = established()
    peer.z_sends(stream=1)
    peer.says(forward(3, (1, 0)))
    packets = peer.wait(1.0)
    assert peer.sent(packets) == [0]
    assert [chunk.payload for chunk in chunks_of(packets, Data)] == [b"message"]
