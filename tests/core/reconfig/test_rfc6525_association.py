"""RFC 6525 §5.1.4, §5.2.7 H5: resetting all SSNs and the TSNs."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.reconfig import Outcome
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationReset
from aiosctp.wire.chunks import Data, Sack
from aiosctp.wire.reconfig import SsnTsnResetRequest
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    DENIED,
    FAILURE,
    NOTHING_TO_DO,
    PERFORMED,
    STREAMS,
    data_of,
    established,
    is_under_way,
    number,
    reconfigs_of,
    requests_of,
)
from tests.core.scripted import A_INITIAL_TSN, A_RWND, Packet, chunks_of


def asked(packets: list[Packet]) -> SsnTsnResetRequest:
    (request,) = requests_of(packets)
    assert isinstance(request, SsnTsnResetRequest)
    return request


A_NEXT, Z_NEXT = 0x1234_5678, 0xFFFF_FFFF
"""TSNs of A's choice: its own next one, and Z's."""


def test_the_request_says_what_it_must() -> None:
    """P10, S06: C1, C3: the next number; "There MUST NOT be any other parameter in this chunk"."""
    peer = established()
    _, packets = peer.resets_association()
    (chunk,) = reconfigs_of(packets)
    assert chunk.parameters == (SsnTsnResetRequest(peer.z_initial_tsn),)


def test_the_next_request_has_the_next_number() -> None:
    """P10, S06: C1: "MUST be incremented by 1"; the reset of TSNs resets no request numbers."""
    peer = established()
    first = asked(peer.resets_association()[1])
    peer.answer(first, PERFORMED, A_NEXT, Z_NEXT)
    (second,) = requests_of(peer.adds_outgoing(1)[1])
    assert second.request_sequence_number == number(first.request_sequence_number, 1)


def test_nothing_is_asked_while_data_is_outstanding() -> None:
    """P10, S06: C2: "The sender has either no outstanding TSNs or considers all ... abandoned": we wait."""
    peer = established()
    peer.user_sends(b"outstanding")
    _, packets = peer.resets_association()
    assert reconfigs_of(packets) == []
    # what was lost is still retransmitted
    assert [chunk.payload for chunk in chunks_of(peer.wait(1.1), Data)] == [b"outstanding"]
    assert reconfigs_of(peer.heard) == []
    assert len(reconfigs_of(peer.acknowledge_all())) == 1


def test_user_data_waits_until_the_answer() -> None:
    """P10, S06: C2: "MUST queue any user data, suspending any new transmissions and TSN assignment"."""
    peer = established()
    peer.user_sends(b"outstanding", stream=1)
    request, packets = peer.resets_association()
    for stream in range(STREAMS):
        peer.association.send(OutgoingMessage(b"after", stream=stream, unordered=stream == 5))
    assert chunks_of(peer.touch(), Data) == []
    packets = peer.acknowledge_all()
    assert chunks_of(packets, Data) == []
    assert chunks_of(peer.wait(0.9), Data) == []
    assert is_under_way(request)
    packets = peer.answer(asked(packets), PERFORMED, A_NEXT, Z_NEXT)
    packets += peer.acknowledge_all()
    sent = chunks_of(packets, Data)
    assert [chunk.tsn for chunk in sent] == [number(Z_NEXT, n) for n in range(STREAMS)]
    assert {chunk.ssn for chunk in sent if not chunk.unordered} == {0}
    assert request.outcome is Outcome.DONE
    check_association(peer.association)


def test_a_message_begun_is_finished_first() -> None:
    """P10, S06: C2 says what becomes of TSNs, not of half a message: it is finished under the old ones."""
    peer = established()
    body = bytes(range(256)) * 200
    peer.association.send(OutgoingMessage(body, stream=1))
    peer.user_sends(stream=1)
    request = peer.association.reset_association()
    peer.association.send(OutgoingMessage(b"after", stream=1))
    packets = peer.touch()
    while not reconfigs_of(packets):
        packets += peer.acknowledge_all()
    sent = [chunk for packet in peer.heard for chunk in chunks_of([packet], Data)]
    assert b"".join(chunk.payload for chunk in sent) == body
    packets = peer.answer(asked(packets), PERFORMED, A_NEXT, Z_NEXT)
    assert data_of(packets) == [(1, 0, b"after")]
    assert request.outcome is Outcome.DONE


@pytest.mark.parametrize("z_next", [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF], ids=hex)
def test_new_data_begins_at_the_receivers_next_tsn(z_next: int) -> None:
    """P11, S06: H5: "new data MUST be sent from the Receiver's Next TSN, beginning with SSN 0 for all outgoing"."""
    peer = established()
    peer.z_uses(1, 2)
    request, packets = peer.resets_association()
    peer.answer(asked(packets), PERFORMED, A_NEXT, z_next)
    sent = chunks_of(peer.user_sends(b"one", b"two", stream=1) + peer.user_sends(b"other", stream=2), Data)
    assert [(chunk.tsn, chunk.stream, chunk.ssn) for chunk in sent] == [
        (z_next, 1, 0),
        (number(z_next, 1), 1, 1),
        (number(z_next, 2), 2, 0),
    ]
    # A -> SACK -> Z: the new TSNs are acknowledged as any
    peer.send(Sack(number(z_next, 2), A_RWND))
    assert peer.association.sender.is_drained
    assert request.outcome is Outcome.DONE
    check_association(peer.association)


@pytest.mark.parametrize("a_next", [0, 1, A_INITIAL_TSN, 0x7FFF_FFFE, 0x8000_0000, 0xFFFF_FFFF], ids=hex)
def test_the_peers_data_begins_at_the_senders_next_tsn(a_next: int) -> None:
    """P11, S06: H5: "All incoming streams MUST be reset to 0 ... DATA chunks starting with the Sender's Next TSN"."""
    peer = established()
    peer.a_uses(1, 2)
    _, packets = peer.resets_association()
    peer.answer(asked(packets), PERFORMED, a_next, Z_NEXT)
    peer.next_tsn = a_next
    packets = peer.says(b"one", 1, 0) + peer.says(b"two", 1, 1) + peer.says(b"other", 2, 0) + peer.wait(0.3)
    assert peer.reads() == [(1, b"one"), (1, b"two"), (2, b"other")]
    assert chunks_of(packets, Sack)[-1].cumulative_tsn_ack == number(a_next, 2)
    assert chunks_of(packets, Sack)[-1].gap_ack_blocks == ()
    check_association(peer.association)


@pytest.mark.parametrize("result", FAILURE)
def test_what_is_refused_changes_nothing(result: int) -> None:
    """P11, S06: H3: TSNs and SSNs go on, and what waited goes out."""
    peer = established()
    peer.z_uses(1)
    peer.a_uses(1)
    request, packets = peer.resets_association()
    peer.user_sends(b"after", stream=1)
    next_tsn = number(peer.z_initial_tsn, 2)
    packets = peer.answer(asked(packets), result)
    assert [(chunk.tsn, chunk.ssn) for chunk in chunks_of(packets, Data)] == [(next_tsn, 2)]
    peer.says(b"goes on", 1, 2)
    assert peer.reads() == [(1, b"goes on")]
    assert request.outcome is (Outcome.DENIED if result == DENIED else Outcome.FAILED)
    (event,) = peer.events_of(AssociationReset)
    assert (event.denied, event.failed) == (result == DENIED, result != DENIED)


def test_the_user_is_told_the_new_tsns() -> None:
    """P10, S06: §6.1.2: those with which either side goes on."""
    peer = established()
    _, packets = peer.resets_association()
    peer.answer(asked(packets), PERFORMED, A_NEXT, Z_NEXT)
    assert peer.events_of(AssociationReset) == [AssociationReset(Z_NEXT, A_NEXT)]


@pytest.mark.parametrize("result", [PERFORMED, NOTHING_TO_DO])
def test_success_without_the_tsns_leaves_tsns_as_they_are(result: int) -> None:
    """P11, X06: D3, D4: both "MUST be filled": nothing is known to go on from, and nothing is made up."""
    peer = established()
    peer.z_uses(1)
    request, packets = peer.resets_association()
    peer.user_sends(b"after", stream=1)
    packets = peer.answer(asked(packets), result)
    assert {chunk.tsn for chunk in chunks_of(packets + peer.wait(5), Data)} <= {number(peer.z_initial_tsn, 2)}
    assert request.outcome is not Outcome.DONE
    if peer.state is AssociationState.ESTABLISHED:
        check_association(peer.association)


def test_the_answer_repeated_resets_nothing_again() -> None:
    """S06: H1: "If the timer was not running ..., the processing ... is complete"."""
    peer = established()
    _, packets = peer.resets_association()
    request = asked(packets)
    peer.answer(request, PERFORMED, A_NEXT, Z_NEXT)
    peer.user_sends(b"one", stream=1)
    peer.next_tsn = A_NEXT
    peer.says(b"one", 1, 0)
    peer.answer(request, PERFORMED, A_NEXT, Z_NEXT)
    (chunk,) = chunks_of(peer.user_sends(b"two", stream=1), Data)
    assert (chunk.tsn, chunk.ssn) == (number(Z_NEXT, 1), 1)
    peer.says(b"two", 1, 1)
    assert peer.reads() == [(1, b"one"), (1, b"two")]


def test_an_old_chunk_of_the_peer_is_a_duplicate_after_it() -> None:
    """S06, X42: what was delivered before is not delivered again, however late it comes."""
    peer = established()
    old = peer.data(b"old", 1, 0)
    peer.send(old)
    assert peer.reads() == [(1, b"old")]
    _, packets = peer.resets_association()
    # G1 as a peer would have it: 2^31 on, so that what is older is past
    peer.answer(asked(packets), PERFORMED, peer.next_tsn, number(peer.z_initial_tsn, 1 << 31))
    peer.send(old)
    assert peer.reads() == []
    peer.says(b"new", 1, 0)
    assert peer.reads() == [(1, b"new")]


def test_two_such_requests_are_thirty_seconds_apart() -> None:
    """P10, S06: "Only one SSN/TSN Reset Request SHOULD be sent within 30 seconds, ... a maximum segment lifetime"."""
    peer = established()
    began = peer.now
    first, packets = peer.resets_association()
    peer.answer(asked(packets), PERFORMED, A_NEXT, Z_NEXT)
    assert first.outcome is Outcome.DONE
    second, packets = peer.resets_association()
    packets += peer.wait(29.9 - (peer.now - began))
    assert requests_of(packets) == []
    later = peer.wait(60)
    assert requests_of(later) or second.outcome is not None


def test_a_retransmission_is_the_same_request_within_thirty_seconds() -> None:
    """P10, S06: it is not a second one: the timer alone says when it goes."""
    peer = established()
    packets = peer.resets_association()[1] + peer.wait(3.5)
    assert requests_of(packets) == [SsnTsnResetRequest(peer.z_initial_tsn)] * 3
