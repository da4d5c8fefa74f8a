"""RFC 6525 §5.2.4: the peer resets the SSNs of all streams and the TSNs."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationReset, PartialDelivery
from aiosctp.wire.chunks import Data, ReConfig, Sack
from aiosctp.wire.reconfig import ReconfigurationResponse
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    PERFORMED,
    REQUEST_IN_PROGRESS,
    STREAMS,
    WILLING,
    Script,
    data_of,
    established,
    number,
    reconfigs_of,
    responses_of,
    results_of,
)
from tests.core.scripted import chunks_of


def in_use(z_first: int | None = None) -> Script:
    peer = established(WILLING, z_first=z_first)
    peer.z_uses(1, 2)
    peer.a_uses(1, 2)
    return peer


def performed(peer: Script) -> ReconfigurationResponse:
    """A -> RE-CONFIG [SSN/TSN] -> Z, Z -> RE-CONFIG [Response] -> A; A goes on from where it is told to."""
    request = peer.ssn_tsn()
    packets = peer.ask(request)
    (chunk,) = reconfigs_of(packets)
    (response,) = chunk.parameters
    assert isinstance(response, ReconfigurationResponse)
    assert (response.response_sequence_number, response.result) == (request.request_sequence_number, PERFORMED)
    assert response.receiver_next_tsn is not None
    peer.next_tsn = response.receiver_next_tsn
    return response


@pytest.mark.parametrize("z_first", [1, 0xFFFF_FFFD, 0x7FFF_FFFD], ids=hex)
def test_the_tsns_of_the_answer(z_first: int) -> None:
    """P11, S06: G1: "the smallest TSN not acknowledged by the receiver of the request plus 2^31"; G2: "the highest TSN
    sent by the receiver of the request plus 1"."""
    peer = in_use(z_first)
    expected = number(peer.next_tsn, 1 << 31)
    response = performed(peer)
    assert (response.sender_next_tsn, response.receiver_next_tsn) == (number(z_first, 4), expected)


def test_all_streams_begin_anew_both_ways() -> None:
    """P10, S06: G5: "MUST be reset to 0 for all incoming and outgoing streams"."""
    peer = in_use()
    response = performed(peer)
    for stream in range(STREAMS):
        peer.says(b"new", stream, 0)
    assert peer.reads() == [(stream, b"new") for stream in range(STREAMS)]
    sent = chunks_of(peer.user_sends(b"new", stream=1) + peer.user_sends(b"new", stream=2), Data)
    assert [(chunk.ssn, chunk.tsn) for chunk in sent] == [
        (0, response.sender_next_tsn),
        (0, number(response.sender_next_tsn or 0, 1)),
    ]
    assert peer.events_of(AssociationReset) == [
        AssociationReset(response.sender_next_tsn or 0, response.receiver_next_tsn or 0)
    ]
    check_association(peer.association)


def test_the_cumulative_tsn_is_the_one_before_the_new_one() -> None:
    """P10, S06: G4: "a new cumulative TSN ACK of the Receiver's Next TSN minus 1"."""
    peer = in_use()
    response = performed(peer)
    packets = peer.says(b"new", 1, 0) + peer.wait(0.3)
    sack = chunks_of(packets, Sack)[-1]
    assert (sack.cumulative_tsn_ack, sack.gap_ack_blocks) == (response.receiver_next_tsn, ())


def test_a_gap_is_skipped() -> None:
    """P10, S06: G4: "the same processing as though a FWD-TSN chunk ... were received": what is missing is waited for no
    more."""
    peer = in_use()
    peer.data(b"lost", 1, 2)
    peer.says(b"waits", 1, 3)
    peer.says(b"unordered", 1, 0, unordered=True)
    performed(peer)
    peer.says(b"zero", 1, 0)
    peer.says(b"one", 1, 1)
    read = [data for _, data in peer.reads()]
    # RFC 3758 §3.6 has what waits be delivered; the user may see it or not, but never after what is new
    assert read[-2:] == [b"zero", b"one"]
    assert set(read[:-2]) <= {b"waits", b"unordered"}
    assert b"unordered" in read
    receiver = peer.association.receiver
    assert (receiver.held_bytes, receiver.has_gap) == (0, False)
    check_association(peer.association)


def test_half_a_message_is_given_up() -> None:
    """P10, S06: G4: its other fragments will not come; it holds no window."""
    peer = in_use()
    peer.send(Data(peer.next_tsn, 1, 2, 0, bytes(1000), ending=False))
    performed(peer)
    assert peer.association.receiver.held_bytes == 0
    peer.says(b"new", 1, 0)
    assert [data for _, data in peer.reads()][-1] == b"new"
    check_association(peer.association)


def test_the_user_is_told_of_the_message_whose_rest_will_not_come() -> None:
    """P10, S06: G4; RFC 6458 §6.1.7: who has read a part of it must not wait for the end."""
    peer = established(WILLING.replace(partial_delivery_point_bytes=1500))
    peer.send(Data(peer.next_tsn, 1, 0, 0, bytes(1400), ending=False))
    peer.send(Data(number(peer.next_tsn, 1), 1, 0, 0, bytes(1400), beginning=False, ending=False))
    peer.next_tsn = number(peer.next_tsn, 2)
    part = peer.association.receiver.read(partial=True)
    assert part is not None
    assert not part.end_of_record
    performed(peer)
    assert peer.events_of(PartialDelivery) == [PartialDelivery(1, 0)]
    peer.says(b"new", 1, 0)
    assert [data for _, data in peer.reads()][-1:] == [b"new"]
    check_association(peer.association)


def test_an_old_chunk_that_comes_late_is_old() -> None:
    """P10, S06, X42: 2^31 before the new ones, it is a duplicate, not data of the future."""
    peer = in_use()
    late = peer.data(b"late", 3, 0)
    seen = peer.data(b"seen", 4, 0)
    peer.send(seen)
    peer.user_reads()
    performed(peer)
    peer.send(late)
    peer.send(seen)
    assert peer.reads() == []
    peer.says(b"new", 3, 0)
    assert peer.reads() == [(3, b"new")]
    assert not peer.association.receiver.has_gap


def test_unread_messages_of_before_stay_in_order() -> None:
    """S06: what the user has not read yet is not lost."""
    peer = in_use()
    peer.says(b"old", 1, 2)
    performed(peer)
    peer.says(b"new", 1, 0)
    assert peer.reads() == [(1, b"old"), (1, b"new")]


def test_our_outstanding_data_is_not_lost() -> None:
    """P10, S06: G3 has it processed "as though a SACK chunk with ... the Sender's Next TSN minus 1 were received": it
    is answered when there is nothing that this could lose, and until then with nothing: "In progress", which Table 3
    allows, ends the association with usrsctp."""
    peer = in_use()
    peer.user_sends(b"outstanding", stream=1)
    request = peer.ssn_tsn()
    assert results_of(peer.ask(request)) == []
    assert [payload for _, _, payload in data_of(peer.wait(1.1))] == [b"outstanding"]
    packets = peer.acknowledge_all()
    packets += peer.ask(request)
    responses = {each for each in responses_of(packets) if each.result == PERFORMED}
    assert len(responses) == 1
    (response,) = responses
    assert response.sender_next_tsn == number(peer.z_initial_tsn, 5)
    assert peer.association.sender.is_drained


def test_what_the_user_gives_meanwhile_goes_under_the_new_numbers() -> None:
    """P10, S06: until it is performed nothing new becomes outstanding, or it would never end."""
    peer = in_use()
    peer.user_sends(b"outstanding", stream=1)
    request = peer.ssn_tsn()
    peer.ask(request)
    packets: list[object] = []
    for n in range(20):
        peer.user_sends(b"%d" % n, stream=1)
        peer.acknowledge_all()
        packets += responses_of(peer.ask(request))
    assert PERFORMED in [result for _, result in results_of(peer.heard)]
    performed_at = next(
        n for n, packet in enumerate(peer.heard) if PERFORMED in [result for _, result in results_of([packet])]
    )
    before = [chunk for chunk in chunks_of(peer.heard[:performed_at], Data) if chunk.stream == 1]
    after = [chunk for chunk in chunks_of(peer.heard[performed_at:], Data) if chunk.stream == 1]
    assert [chunk.ssn for chunk in before] == list(range(len(before)))
    assert [chunk.ssn for chunk in after] == list(range(len(after)))
    assert [chunk.payload for chunk in before[3:] + after] == [b"%d" % n for n in range(20)]


def test_while_it_is_in_progress_another_is_not_begun() -> None:
    """P11, S06: Table 3, 4: "Request already in progress"; the one that is goes on."""
    peer = in_use()
    peer.user_sends(b"outstanding", stream=1)
    first, second = peer.ssn_tsn(), peer.add_outgoing(1)
    assert results_of(peer.ask(first)) == []
    ((answered, result),) = results_of(peer.ask(second))
    assert answered == second.request_sequence_number
    assert result in (REQUEST_IN_PROGRESS, PERFORMED)
    assert (first.request_sequence_number, PERFORMED) in results_of(peer.acknowledge_all())
    assert peer.inbound_streams == STREAMS + (result == PERFORMED)


def test_a_message_begun_is_not_cut() -> None:
    """S06, X54: half of it under the old TSNs and half under the new would be none."""
    peer = in_use()
    body = bytes(range(256)) * 200
    peer.association.send(OutgoingMessage(body, stream=1))
    peer.touch()
    request = peer.ssn_tsn()
    assert results_of(peer.ask(request)) == []
    for _ in range(100):
        peer.acknowledge_all()
        if PERFORMED in [result for _, result in results_of(peer.ask(request))]:
            break
    sent = [chunk for chunk in chunks_of(peer.heard, Data) if chunk.stream == 1][2:]
    assert b"".join(chunk.payload for chunk in sent) == body
    assert {chunk.ssn for chunk in sent} == {2}


def test_it_may_be_repeated_and_is_done_each_time() -> None:
    """P10, S06: a thousand of them: TSNs go round half the numbers each time."""
    peer = in_use()
    for n in range(1000):
        performed(peer)
        peer.says(b"%d" % n, 1, 0)
        assert peer.reads() == [(1, b"%d" % n)]
        peer.heard.clear()
        peer.events.clear()
    assert peer.state is AssociationState.ESTABLISHED
    check_association(peer.association)


def test_in_one_packet_with_data_of_both_sides_of_it() -> None:
    """P10, S06: chunks are processed in their order."""
    peer = in_use()
    before = peer.data(b"before", 1, 2)
    new_tsn = number(peer.next_tsn, 1 << 31)
    packets = peer.send(before, ReConfig((peer.ssn_tsn(),)), Data(new_tsn, 1, 0, 0, b"after"))
    assert [response.receiver_next_tsn for response in responses_of(packets)] == [new_tsn]
    assert peer.reads() == [(1, b"before"), (1, b"after")]
    check_association(peer.association)
