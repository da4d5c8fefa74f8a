"""RE-CONFIG (RFC 6525) from a peer that means harm: floods, lists without end, and packets full of requests."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import ReConfig
from aiosctp.wire.reconfig import (
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationRequest,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    PERFORMED,
    STREAMS,
    Script,
    established,
    number,
    outgoing_of,
    raw_chunk,
    raw_parameter,
    reconfigs_of,
    requests_of,
    responses_of,
    results_of,
)
from tests.core.scripted import Packet

KINDS = ("outgoing", "incoming", "ssn_tsn", "add_outgoing", "add_incoming")
PACKET_BYTES = 1500 - 20 - 8


def made(peer: Script, kind: str) -> ReconfigurationRequest:
    request: ReconfigurationRequest = peer.ssn_tsn() if kind == "ssn_tsn" else getattr(peer, kind)(1)
    return request


def in_use() -> Script:
    peer = established()
    peer.z_uses(1, 2)
    peer.a_uses(1, 2)
    return peer


def bytes_of(packets: list[Packet]) -> int:
    return sum(len(packet.datagram.data) for packet in packets)


def goes_on(peer: Script, packets: list[Packet]) -> None:
    """A's TSNs, if any were reset."""
    for response in responses_of(packets):
        peer.next_tsn = response.receiver_next_tsn or peer.next_tsn


def is_well(peer: Script) -> None:
    """The association lives, its books are in order, and data goes both ways."""
    assert peer.state is AssociationState.ESTABLISHED
    assert peer.engine.poll_faults() == []
    check_association(peer.association)
    peer.says(b"ping", 7, 0, unordered=True)
    assert (7, b"ping") in peer.reads()


@pytest.mark.parametrize("kind", KINDS)
def test_a_packet_full_of_requests(kind: str) -> None:
    """X49, X26: eighty in a packet, each under the next number: no more goes out than a few times what came in."""
    peer = in_use()
    chunks = [ReConfig((made(peer, kind),)) for _ in range(80)]
    packets = peer.send(*chunks)
    assert bytes_of(packets) <= 4 * sum(len(chunk.encode()) for chunk in chunks)
    assert len(responses_of(packets)) <= 80
    assert len(requests_of(packets)) <= 1
    assert all(len(packet.datagram.data) <= PACKET_BYTES for packet in packets)
    goes_on(peer, packets)
    is_well(peer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_packet_full_of_one_request(kind: str) -> None:
    """X49, X26: the same one eighty times: done once."""
    peer = in_use()
    request = made(peer, kind)
    packets = peer.send(*[ReConfig((request,))] * 80)
    assert bytes_of(packets) <= 4 * 80 * len(ReConfig((request,)).encode())
    assert len(set(requests_of(packets))) <= 1
    assert len(set(results_of(packets))) <= 1
    if kind == "add_outgoing":
        assert peer.inbound_streams == STREAMS + 1
    if kind != "ssn_tsn":
        is_well(peer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_requests_one_after_another(kind: str) -> None:
    """X49: nothing grows with their number: what is kept is bounded, and so is what is sent for each."""
    peer = in_use()
    for _ in range(1000):
        packets = peer.ask(made(peer, kind))
        assert len(packets) <= 1
        goes_on(peer, packets)
        peer.heard.clear()
        peer.events.clear()
    check_association(peer.association)
    is_well(peer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_copies_of_a_request(kind: str) -> None:
    """X49: retransmitted at once, over and over: an answer each at most, done once."""
    peer = in_use()
    request = made(peer, kind)
    answers = [tuple(reconfigs_of(peer.ask(request))) for _ in range(1000)]
    assert len(set(answers)) == 1
    assert len(set(requests_of(peer.heard))) <= 1
    check_association(peer.association)


def test_a_thousand_responses_to_nothing() -> None:
    """X49: not a packet comes of them."""
    peer = in_use()
    for n in range(1000):
        assert peer.send(ReConfig((ReconfigurationResponse(number(peer.z_initial_tsn, n), PERFORMED, n, n),))) == []
    is_well(peer)


@pytest.mark.parametrize("kind", [OutgoingSsnResetRequest, IncomingSsnResetRequest])
def test_a_list_of_thirty_thousand_streams_that_there_are_not(
    kind: type[OutgoingSsnResetRequest | IncomingSsnResetRequest],
) -> None:
    """X49, X53: refused, in an answer of 12 bytes."""
    peer = in_use()
    streams = tuple(range(30_000))
    request = peer.outgoing(*streams) if kind is OutgoingSsnResetRequest else peer.incoming(*streams)
    packets = peer.ask(request)
    assert [len(response.encode()) for response in responses_of(packets)] == [12]
    assert requests_of(packets) == []
    is_well(peer)


def are_sendable(packets: list[Packet]) -> bool:
    """No larger than the path takes, or left to IP to fragment."""
    return all(len(packet.datagram.data) <= PACKET_BYTES or not packet.datagram.dont_fragment for packet in packets)


@pytest.mark.parametrize("count", [1, 720, 730, 2000, 30_000])
def test_an_incoming_request_longer_than_a_packet_of_ours(count: int) -> None:
    """X49, X51: its streams MUST be copied (§5.1.2 A4), and what they make is sent at once (§5.2.3 F2), however long it
    is, or refused; no stream is left stuck."""
    peer = established()
    (ours,) = requests_of(peer.ask(peer.add_incoming(40_000)))
    peer.answer(ours)
    peer.z_uses(1)
    packets = peer.ask(peer.incoming(*range(count)))
    assert reconfigs_of(packets)
    assert are_sendable(packets)
    for request in outgoing_of(packets):
        packets = peer.answer(request)
    peer.association.send(OutgoingMessage(b"goes", stream=1))
    packets = peer.touch() + peer.wait(5)
    assert are_sendable(packets)
    assert b"goes" in b"".join(packet.datagram.data for packet in packets)
    is_well(peer)


def test_a_stream_named_twenty_thousand_times() -> None:
    """X49, X51: of one stream, in the list of an Incoming request."""
    peer = in_use()
    packets = peer.ask(peer.incoming(*[1] * 20_000))
    assert are_sendable(packets)
    for request in outgoing_of(packets):
        peer.answer(request)
    is_well(peer)


def test_requests_that_are_never_answered_do_not_pile_up() -> None:
    """X49: the user asks a thousand times of a peer that only says "In progress": one is in flight."""
    peer = in_use()
    _, packets = peer.resets(1)
    (asked,) = requests_of(packets)
    for n in range(1000):
        peer.resets(1 + n % 2)
        if n % 100 == 0:
            peer.answer(asked, 6)
    assert set(requests_of(peer.heard)) == {asked}
    check_association(peer.association)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x0d\0\x10", b"\xff" * 400, bytes(400), bytes(range(256))], ids=len)
@pytest.mark.parametrize("type", range(12, 20))
def test_rubbish_in_a_parameter_ends_nothing(type: int, data: bytes) -> None:
    """X45, X53: any bytes in any parameter, alone and before a real one."""
    peer = in_use()
    real = SsnTsnResetRequest(number(peer.next_request, 7)).encode()
    peer.send(raw_chunk(raw_parameter(type, data)))
    peer.send(raw_chunk(raw_parameter(type, data), real))
    peer.send(raw_chunk(real, raw_parameter(type, data)))
    assert state_is_well(peer)


def state_is_well(peer: Script) -> bool:
    check_association(peer.association)
    return peer.state is AssociationState.ESTABLISHED and peer.engine.poll_faults() == []
