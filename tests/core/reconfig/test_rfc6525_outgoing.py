"""RFC 6525 §5.1.2: resetting outgoing streams."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.reconfig import Outcome
from aiosctp.core.states import AssociationState
from aiosctp.events import StreamReset
from aiosctp.wire.chunks import Data, ReConfig, Sack, Shutdown
from aiosctp.wire.reconfig import OutgoingSsnResetRequest
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    DENIED,
    FAILURE,
    PERFORMED,
    STREAMS,
    SUCCESS,
    WILLING,
    data_of,
    established,
    is_under_way,
    number,
    outgoing_of,
    reconfigs_of,
    requests_of,
)
from tests.core.scripted import A_INITIAL_TSN, A_RWND, Packet, chunks_of

LARGEST_UDP_PAYLOAD = 1500 - 20 - 8


def asked(packets: list[Packet]) -> OutgoingSsnResetRequest:
    (request,) = outgoing_of(packets)
    return request


def test_the_request_says_what_it_must() -> None:
    """P08, S06: A2, A3, A4: the next number, the TSN assigned last, the streams, and the peer's next number minus 1."""
    peer = established()
    peer.z_uses(1, 3)
    _, packets = peer.resets(1, 3)
    (chunk,) = reconfigs_of(packets)
    # A5: alone in its chunk
    (request,) = chunk.parameters
    assert isinstance(request, OutgoingSsnResetRequest)
    assert request.request_sequence_number == peer.z_initial_tsn
    assert request.response_sequence_number == number(A_INITIAL_TSN, -1)
    assert request.last_assigned_tsn == number(peer.z_initial_tsn, 3)
    assert sorted(request.streams) == [1, 3]


def test_the_last_assigned_tsn_before_any_data() -> None:
    """P08: "the next TSN minus 1", even when that is no TSN of ours."""
    peer = established()
    assert asked(peer.resets(1)[1]).last_assigned_tsn == number(peer.z_initial_tsn, -1)


@pytest.mark.parametrize("first", [0, 0xFFFF_FFFF, 0x8000_0000], ids=hex)
def test_the_last_assigned_tsn_goes_over_the_wrap(first: int) -> None:
    """P08, X42: 32 bits, whatever they count from."""
    peer = established(z_first=first)
    assert asked(peer.resets(1)[1]).last_assigned_tsn == number(first, -1)


def test_request_numbers_grow_by_one() -> None:
    """P08, S06: A2: "The next re-configuration request sequence number MUST then be incremented by 1"."""
    peer = established()
    numbers = []
    for _ in range(5):
        request = asked(peer.resets(1)[1])
        numbers.append(request.request_sequence_number)
        peer.answer(request)
    assert numbers == [number(peer.z_initial_tsn, n) for n in range(5)]


def test_all_streams_are_none_listed() -> None:
    """P08: A4: "stream numbers SHOULD NOT be put into the Outgoing SSN Reset Request Parameter"."""
    peer = established()
    peer.z_uses(0, 9)
    assert asked(peer.resets()[1]).streams == ()


@pytest.mark.parametrize("streams", [(0,), (9,), (0, 1, 2, 3, 4, 5, 6, 7, 8)], ids=str)
def test_some_streams_are_listed(streams: tuple[int, ...]) -> None:
    """P08: A4: "these stream numbers MUST be placed"."""
    peer = established()
    assert sorted(asked(peer.resets(*streams)[1]).streams) == list(streams)


def test_the_response_number_follows_the_peers_requests() -> None:
    """P08: A4: "the next expected Re-configuration Request Sequence Number of the peer minus 1"."""
    peer = established()
    peer.a_uses(5)
    for _ in range(3):
        last = peer.outgoing(5)
        peer.ask(last)
        request = asked(peer.resets(1)[1])
        assert request.response_sequence_number == last.request_sequence_number
        peer.answer(request)


# -- A1: what waits --


@pytest.mark.parametrize("unordered", [False, True])
def test_new_data_for_a_stream_that_is_being_reset_waits(unordered: bool) -> None:
    """S06: A1: "MUST stop assigning new SSNs to new user data ... for the affected streams and queue it"."""
    peer = established()
    peer.z_uses(1, 2)
    _, packets = peer.resets(1)
    request = asked(packets)
    peer.association.send(OutgoingMessage(b"held", stream=1, unordered=unordered))
    assert chunks_of(peer.touch(), Data) == []
    # other streams go on, in their numbers
    assert data_of(peer.user_sends(b"free", stream=2)) == [(2, 2, b"free")]
    peer.acknowledge_all()
    assert chunks_of(peer.wait(0.9), Data) == []
    packets = peer.answer(request)
    assert [(stream, payload) for stream, _, payload in data_of(packets)] == [(1, b"held")]
    check_association(peer.association)


@pytest.mark.parametrize("result", SUCCESS)
def test_once_it_is_performed_ssns_begin_at_zero(result: int) -> None:
    """S06, P11: H4: "the affected streams MUST now be reset and all queued data should now be processed"."""
    peer = established()
    peer.z_uses(1, 2)
    request, packets = peer.resets(1)
    peer.user_sends(b"first", b"second", stream=1)
    assert is_under_way(request)
    packets = peer.answer(asked(packets), result)
    assert data_of(packets) == [(1, 0, b"first"), (1, 1, b"second")]
    assert data_of(peer.user_sends(b"other", stream=2)) == [(2, 2, b"other")]
    assert request.outcome is Outcome.DONE
    assert [(list(event.incoming), list(event.outgoing)) for event in peer.events_of(StreamReset)] == [([], [1])]


@pytest.mark.parametrize("result", [*FAILURE, 7, 0xFFFF_FFFF])
def test_what_is_refused_leaves_the_ssns_as_they_were(result: int) -> None:
    """S06, P11: H3: "If the Result field does not indicate successful processing, the processing ... is complete"."""
    peer = established()
    peer.z_uses(1)
    request, packets = peer.resets(1)
    peer.user_sends(b"third", stream=1)
    packets = peer.answer(asked(packets), result)
    # "it is not known whether the receiver of the request will accept or deny it"
    assert data_of(packets) == [(1, 2, b"third")]
    assert request.outcome is (Outcome.DENIED if result == DENIED else Outcome.FAILED)
    (event,) = peer.events_of(StreamReset)
    assert (list(event.outgoing), event.denied, event.failed) == ([1], result == DENIED, result != DENIED)


def test_all_streams_are_reset() -> None:
    """S06: none listed: each of them begins at 0."""
    peer = established()
    peer.z_uses(*range(STREAMS))
    request, packets = peer.resets()
    for stream in range(STREAMS):
        assert chunks_of(peer.user_sends(b"after", stream=stream), Data) == []
    packets = peer.answer(asked(packets))
    packets += peer.acknowledge_all()
    assert sorted(data_of(packets)) == [(stream, 0, b"after") for stream in range(STREAMS)]
    assert request.outcome is Outcome.DONE


# -- what was given before --


def test_what_was_given_before_goes_before() -> None:
    """S06, X46, X54: nothing that the stream has is lost: it goes under the old SSNs, then the request."""
    peer = established()
    peer.z_uses(1)
    for n in range(60):
        peer.association.send(OutgoingMessage(bytes([n]) * 1000, stream=1))
    request = peer.association.reset_outgoing((1,))
    peer.association.send(OutgoingMessage(b"after", stream=1))
    packets = peer.touch()
    assert len(chunks_of(packets, Data)) < 60, "cwnd does not let all of it go at once"
    while not requests_of(packets):
        packets += peer.acknowledge_all()
    sent = chunks_of(packets, Data)
    assert [(chunk.ssn, chunk.payload[0]) for chunk in sent] == [(2 + n, n) for n in range(60)]
    assert asked(packets).last_assigned_tsn == sent[-1].tsn
    # nothing behind the request in the packet either
    assert data_of(peer.acknowledge_all()) == []
    assert data_of(peer.answer(asked(packets))) == [(1, 0, b"after")]
    assert request.outcome is Outcome.DONE


def test_what_goes_at_once_goes_before_the_request() -> None:
    """S06: A3: the DATA is covered by the last TSN that the request names."""
    peer = established()
    peer.association.send(OutgoingMessage(b"before", stream=1))
    _, packets = peer.resets(1)
    (chunk,) = chunks_of(packets, Data)
    assert outgoing_of(packets) == []
    packets = peer.acknowledge_all()
    assert asked(packets).last_assigned_tsn == chunk.tsn
    assert (chunk.ssn, chunk.payload) == (0, b"before")


def test_what_nagle_holds_back_goes_before() -> None:
    """S06: a small message that waits for a SACK (RFC 6458 §8.1.5) was given before the reset all the same."""
    peer = established(WILLING.replace(nodelay=False))
    peer.user_sends(b"outstanding", stream=1)
    assert data_of(peer.user_sends(b"small", stream=1)) == []
    _, packets = peer.resets(1)
    packets += peer.acknowledge_all()
    assert data_of(packets) == [(1, 1, b"small")]
    request = asked(peer.acknowledge_all())
    assert request.last_assigned_tsn == chunks_of(packets, Data)[-1].tsn
    assert data_of(peer.user_sends(b"after", stream=1)) == []
    assert data_of(peer.answer(request)) == [(1, 0, b"after")]


def test_a_message_in_many_chunks_is_finished_first() -> None:
    """S06, X54: a reset never cuts a message."""
    peer = established()
    body = bytes(range(256)) * 200
    peer.association.send(OutgoingMessage(body, stream=1))
    _, packets = peer.resets(1)
    assert outgoing_of(packets) == []
    while not outgoing_of(packets):
        packets += peer.acknowledge_all()
    assert b"".join(chunk.payload for chunk in chunks_of(packets, Data)) == body
    assert chunks_of(packets, Data)[-1].ending


def test_a_stream_that_drains_holds_no_other_request_up() -> None:
    """S06: only what is named waits."""
    peer = established()
    for _ in range(60):
        peer.association.send(OutgoingMessage(bytes(1000), stream=1))
    slow, packets = peer.resets(1)
    assert outgoing_of(packets) == []
    quick, packets = peer.resets(2)
    request = asked(packets)
    assert request.streams == (2,)
    peer.answer(request)
    assert (quick.outcome, slow.outcome) == (Outcome.DONE, None)


def test_data_lost_before_the_request_is_retransmitted_under_its_old_numbers() -> None:
    """S06: A reset changes nothing of what has a TSN."""
    peer = established()
    peer.z_uses(1)
    (lost,) = chunks_of(peer.user_sends(b"lost", stream=1), Data)
    _, packets = peer.resets(1)
    assert outgoing_of(packets) == []
    again = [chunk for chunk in chunks_of(peer.wait(1.1), Data) if chunk.tsn == lost.tsn]
    assert [(chunk.ssn, chunk.payload) for chunk in again] == [(2, b"lost")]
    request = asked(peer.acknowledge(lost.tsn))
    peer.user_sends(b"after", stream=1)
    assert data_of(peer.answer(request)) == [(1, 0, b"after")]


def test_what_is_held_counts_to_the_send_buffer() -> None:
    """S06: bytes that wait for an answer are bytes that were not sent."""
    peer = established()
    peer.resets(1)
    peer.user_sends(bytes(700), stream=1)
    sender = peer.association.sender
    assert sender.stream_buffered_bytes(1) == 700
    assert sender.buffered_bytes == 700
    assert not sender.is_drained
    check_association(peer.association)


@pytest.mark.parametrize("result", [PERFORMED, DENIED])
def test_a_shutdown_waits_for_what_is_held(result: int) -> None:
    """S06, M06: §9.2 of RFC 9260: "until all outstanding data has been acknowledged by its peer"."""
    peer = established()
    peer.z_uses(1)
    _, packets = peer.resets(1)
    peer.user_sends(b"held", stream=1)
    assert chunks_of(peer.user_shuts_down(), Shutdown) == []
    assert peer.state is AssociationState.SHUTDOWN_PENDING
    packets = peer.answer(asked(packets), result)
    assert [payload for _, _, payload in data_of(packets)] == [b"held"]
    assert len(chunks_of(peer.acknowledge_all(), Shutdown)) == 1
    check_association(peer.association)


# -- twice --


def test_the_same_stream_twice_before_an_answer() -> None:
    """S06, X49: the second goes after the first, and what was given between them after the first and before it."""
    peer = established()
    peer.z_uses(1)
    first, packets = peer.resets(1)
    one = asked(packets)
    peer.user_sends(b"between", stream=1)
    second, packets = peer.resets(1)
    peer.user_sends(b"after", stream=1)
    assert outgoing_of(packets) == []
    packets = peer.answer(one)
    assert data_of(packets) == [(1, 0, b"between")]
    assert first.outcome is Outcome.DONE
    two = asked(peer.acknowledge_all())
    assert two.last_assigned_tsn == chunks_of(packets, Data)[-1].tsn
    assert data_of(peer.answer(two)) == [(1, 0, b"after")]
    assert second.outcome is Outcome.DONE


def test_more_streams_than_a_packet_takes_go_one_chunk_after_another() -> None:
    """S06, X51: no RE-CONFIG makes a packet that the path does not take, and all are reset."""
    peer = established()
    request, packets = peer.adds_outgoing(60_000)
    peer.answer(requests_of(packets)[0])
    streams = range(0, 6000, 2)
    request, packets = peer.resets(*streams)
    seen: list[int] = []
    while requests := outgoing_of(packets):
        (each,) = requests
        assert all(len(packet.datagram.data) <= LARGEST_UDP_PAYLOAD for packet in packets)
        assert each.streams
        seen += each.streams
        packets = peer.answer(each)
    assert sorted(seen) == list(streams)
    assert request.outcome is Outcome.DONE


def test_a_sack_that_acknowledges_the_data_is_no_answer() -> None:
    """S06: only a response is."""
    peer = established()
    peer.user_sends(b"before", stream=1)
    request, _ = peer.resets(1)
    peer.user_sends(b"held", stream=1)
    packets = peer.send(Sack(peer.z_initial_tsn, A_RWND))
    (asked_,) = outgoing_of(packets)
    assert chunks_of(packets, Data) == []
    assert chunks_of(peer.send(Sack(peer.z_initial_tsn, A_RWND)), Data) == []
    assert request.outcome is None
    assert reconfigs_of(peer.wait(1.1)) == [ReConfig((asked_,))]
