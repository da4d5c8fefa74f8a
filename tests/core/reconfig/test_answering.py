"""What becomes of a peer's requests: decided once, answered as often as they come, deferred within bounds."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.reconfig import Outcome
from aiosctp.core.timers import Timer
from aiosctp.events import StreamReset
from aiosctp.wire.causes import ProtocolViolation, UnrecognizedParameters
from aiosctp.wire.chunks import Abort, Data, Error, ReConfig, Sack
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.parameters import UnknownParameter
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.core.reconfig.peer import TSN, ReconfigPeer, parameters_of, results_of
from tests.core.scripted import Peer, chunks_of
from tests.core.work import instructions

R = ReconfigurationResult
BEFORE = TSN - 1
"""The last TSN that the peer has assigned when it has sent nothing."""


def outgoing(number: int, last_tsn: int = BEFORE, *streams: int) -> OutgoingSsnResetRequest:
    return OutgoingSsnResetRequest(number & 0xFFFF_FFFF, 0, last_tsn & 0xFFFF_FFFF, streams)


def response(number: int, result: int) -> ReconfigurationResponse:
    return ReconfigurationResponse(number & 0xFFFF_FFFF, result)


def test_a_request_is_performed_once_and_answered_as_often_as_it_comes() -> None:
    """S06: §5.2.1: "the same RE-CONFIG chunk MUST to be sent back in response, as it was earlier"."""
    peer = ReconfigPeer()
    peer.data(0, 0, stream=1)
    for _ in range(3):
        assert peer.ask(outgoing(TSN, TSN, 1)) == [response(TSN, R.PERFORMED)]
    peer.poll()
    assert peer.events_of(StreamReset) == [StreamReset((1,), ())]
    peer.data(1, 0, stream=1)
    assert peer.association.ending is None


@pytest.mark.parametrize("number", [TSN - 1, TSN + 1, TSN + 2**31, 0])
def test_a_number_that_is_not_the_next_is_refused(number: int) -> None:
    """X53: a reset is not taken without looking at its number."""
    peer = ReconfigPeer()
    assert results_of(peer.ask(outgoing(number))) == [R.BAD_SEQUENCE_NUMBER]
    assert peer.events_of(StreamReset) == []
    assert results_of(peer.ask(outgoing(TSN))) == [R.PERFORMED]


def test_numbers_wrap() -> None:
    peer = ReconfigPeer()
    for step in range(5):
        assert peer.ask(outgoing(TSN + step)) == [response(TSN + step, R.PERFORMED)]


def test_a_deferred_reset_is_performed_when_all_before_has_come() -> None:
    """X06: E2 to E5: "In progress", then, by itself, the answer; what came too early is delivered after."""
    peer = ReconfigPeer()
    peer.association.receiver.take_over(1)
    peer.data(0, 0, b"one", stream=1)
    assert peer.ask(outgoing(TSN, TSN + 2, 1)) == [response(TSN, R.IN_PROGRESS)]
    peer.data(3, 0, b"new", stream=1)
    peer.data(2, 2, b"three", stream=1)
    assert peer.texts(1) == ["one"]
    assert peer.ask(outgoing(TSN, TSN + 2, 1)) == [response(TSN, R.IN_PROGRESS)]
    assert parameters_of(peer.data(1, 1, b"two", stream=1)) == [response(TSN, R.PERFORMED)]
    assert peer.texts(1) == ["two", "three", "|", "new"]
    assert peer.ask(outgoing(TSN, TSN + 2, 1)) == [response(TSN, R.PERFORMED)]
    assert peer.association.receiver.held_bytes == 0


def test_it_is_performed_in_the_midst_of_a_packet() -> None:
    """E2: what follows the last TSN in the same packet is new already."""
    peer = ReconfigPeer()
    peer.ask(outgoing(TSN, TSN + 1, 1))
    chunks = [Data(TSN + step & 0xFFFF_FFFF, 1, ssn, 0, b"%d" % step) for step, ssn in enumerate((0, 1, 0, 1))]
    assert parameters_of(peer.send(*chunks)) == [response(TSN, R.PERFORMED)]
    assert peer.texts() == ["0", "1", "2", "3"]


def test_other_streams_are_not_held_back() -> None:
    peer = ReconfigPeer()
    peer.ask(outgoing(TSN, TSN, 1))
    peer.data(1, 0, b"held", stream=1)
    peer.data(2, 0, b"free", stream=2)
    assert peer.texts() == ["free"]


def test_a_deferred_reset_that_is_never_finished_holds_no_more_than_the_window() -> None:
    """X33: deferred for ever, and fed."""
    peer = ReconfigPeer(Config(receive_window_bytes=10_000))
    peer.ask(outgoing(TSN, TSN + 2**30, *range(10)))
    for step in range(1000):
        peer.data(1 + step, step, bytes(100), stream=step % 10)
    assert peer.association.receiver.held_bytes <= 10_000 + 256
    peer.ask(outgoing(TSN + 1, TSN, 1))


def test_what_the_reset_waits_for_goes_before_what_waits_for_it() -> None:
    """The window is full of what is held back, and the missing chunk must get in (§6.2)."""
    peer = ReconfigPeer(Config(receive_window_bytes=10_000))
    peer.ask(outgoing(TSN, TSN + 20, 1))
    for step in range(30):
        peer.data(21 + step, step, bytes(1000), stream=1)
    for step in range(21):
        peer.data(step, step, bytes(1000), stream=1)
        peer.texts()
    assert peer.events_of(StreamReset) == [StreamReset((1,), ())]


def test_one_reset_is_deferred_at_a_time() -> None:
    """X49: §5.1.1 allows a peer one request in flight; another is refused, and nothing is kept of it."""
    peer = ReconfigPeer()
    assert results_of(peer.ask(outgoing(TSN, TSN + 5, 1))) == [R.IN_PROGRESS]
    for step in range(1, 1000):
        assert results_of(peer.ask(outgoing(TSN + step, TSN + 5, 2))) == [R.REQUEST_IN_PROGRESS]
    assert results_of(peer.ask(outgoing(TSN, TSN + 5, 1))) == [R.BAD_SEQUENCE_NUMBER]


def test_one_request_for_our_own_waits_at_a_time() -> None:
    """X49: likewise."""
    peer = ReconfigPeer()
    peer.user_sends(bytes(100_000), stream=1)
    assert results_of(peer.ask(IncomingSsnResetRequest(TSN, (1,)))) == [R.IN_PROGRESS]
    for step in range(1, 1000):
        number = TSN + step & 0xFFFF_FFFF
        assert results_of(peer.ask(IncomingSsnResetRequest(number, (1,)))) == [R.REQUEST_IN_PROGRESS]
    assert results_of(peer.ask(AddIncomingStreamsRequest(TSN + 1000 & 0xFFFF_FFFF, 1))) == [R.REQUEST_IN_PROGRESS]


@pytest.mark.parametrize(
    "request_of_it",
    [
        outgoing(TSN, BEFORE, 3, 10),
        IncomingSsnResetRequest(TSN, (10,)),
    ],
)
def test_streams_that_are_not_there_are_wrong(request_of_it: ReconfigurationParameter) -> None:
    peer = ReconfigPeer()
    assert results_of(peer.ask(request_of_it)) == [R.WRONG_SSN]


@pytest.mark.parametrize(
    ("denies", "request_of_it"),
    [
        ({"peer_may_reset_streams": False}, outgoing(TSN)),
        ({"peer_may_reset_streams": False}, IncomingSsnResetRequest(TSN)),
        ({}, SsnTsnResetRequest(TSN)),
        ({"peer_may_add_streams": False}, AddOutgoingStreamsRequest(TSN, 1)),
        ({"peer_may_add_streams": False}, AddIncomingStreamsRequest(TSN, 1)),
        ({"max_inbound_streams": 10}, AddOutgoingStreamsRequest(TSN, 1)),
        ({}, AddIncomingStreamsRequest(TSN, 65526)),
    ],
)
def test_what_is_not_allowed_is_denied(denies: dict[str, object], request_of_it: ReconfigurationParameter) -> None:
    peer = ReconfigPeer(Config(**denies))  # type: ignore[arg-type]  # of each kind
    (answer,) = peer.ask(request_of_it)
    assert isinstance(answer, ReconfigurationResponse)
    assert (answer.response_sequence_number, answer.result) == (TSN, R.DENIED)
    assert peer.events_of(StreamReset) == []


def test_what_is_at_zero_already_is_reset_again() -> None:
    """§5.2.3: "the local endpoint could optionally also perform the reset": the request of ours says, as a response
    would not, that nothing of before is on its way."""
    peer = ReconfigPeer()
    (answer,) = peer.ask(IncomingSsnResetRequest(TSN, (1, 2)))
    assert isinstance(answer, OutgoingSsnResetRequest)
    assert (answer.response_sequence_number, answer.streams) == (TSN, (1, 2))


def test_what_is_to_be_reset_once_it_is_sent_needs_no_other() -> None:
    """A second reset would come after the first was answered, and end what the peer has begun since."""
    peer = ReconfigPeer()
    peer.user_sends(bytes(100_000), stream=1)
    peer.association.reset_outgoing([1])
    assert parameters_of(peer.touch()) == []
    assert results_of(peer.ask(IncomingSsnResetRequest(TSN, (1,)))) == [R.NOTHING_TO_DO]


def test_a_reset_that_meets_ours_for_it_is_answered_once_ours_is() -> None:
    """Or ours, should it come late, would reset what the peer has sent since."""
    peer = ReconfigPeer()
    peer.association.reset_incoming([1])
    assert parameters_of(peer.touch()) == [IncomingSsnResetRequest(peer.ours, (1,))]
    assert peer.ask(outgoing(TSN, BEFORE, 1)) == [response(TSN, R.IN_PROGRESS)]
    assert peer.events_of(StreamReset) == [StreamReset((1,), ())]
    assert peer.ask(outgoing(TSN, BEFORE, 1)) == [response(TSN, R.IN_PROGRESS)]
    assert peer.ask(response(peer.ours, R.NOTHING_TO_DO)) == [response(TSN, R.PERFORMED)]
    assert peer.ask(outgoing(TSN, BEFORE, 1)) == [response(TSN, R.PERFORMED)]


def test_what_the_peer_has_reset_is_not_asked_for_any_more() -> None:
    peer = ReconfigPeer()
    peer.association.reset_incoming([1])
    waiting = peer.association.reset_incoming([2])
    assert parameters_of(peer.touch()) == [IncomingSsnResetRequest(peer.ours, (1,))]
    assert peer.ask(outgoing(TSN, BEFORE, 2)) == [response(TSN, R.PERFORMED)]
    assert waiting.outcome is Outcome.DONE
    assert peer.ask(response(peer.ours, R.NOTHING_TO_DO)) == []


def test_what_is_being_reset_needs_no_other() -> None:
    """§5.2.3: an Outgoing SSN Reset Request in flight that "completely overlaps"; otherwise it is done again."""
    peer = ReconfigPeer()
    peer.user_sends(b"data", stream=1)
    peer.user_sends(b"data", stream=3)
    peer.association.reset_outgoing([1, 2])
    assert len(parameters_of(peer.sack(2))) == 1
    assert results_of(peer.ask(IncomingSsnResetRequest(TSN, (2, 1)))) == [R.NOTHING_TO_DO]
    assert results_of(peer.ask(IncomingSsnResetRequest(TSN + 1, (1, 3)))) == [R.IN_PROGRESS]
    (answer,) = peer.ask(response(peer.ours, R.PERFORMED))
    assert isinstance(answer, OutgoingSsnResetRequest)
    assert (answer.response_sequence_number, answer.streams) == (TSN + 1, (1, 3))


@pytest.mark.parametrize(("count", "is_denied"), [(32_736, False), (32_737, True)])
def test_what_no_datagram_of_ours_can_list_is_denied(count: int, is_denied: bool) -> None:
    """A4: "the stream numbers ... MUST be copied", eight bytes further on than the peer has them."""
    peer = ReconfigPeer()
    packets = peer.send(ReConfig((IncomingSsnResetRequest(TSN, (1,) * count),)))
    (answer,) = parameters_of(packets)
    if is_denied:
        assert results_of([answer]) == [R.DENIED]
    else:
        assert max(len(packet.datagram.data) for packet in packets) <= 65507
        peer.ask(response(peer.ours, R.PERFORMED))
        assert peer.events_of(StreamReset) == [StreamReset((), (1,))]


def test_an_add_request_of_ours_is_the_answer_to_theirs_and_is_repeated_as_one() -> None:
    """§5.2.6: "send a corresponding Add Outgoing Streams Request Parameter"."""
    peer = ReconfigPeer()
    wanted = AddIncomingStreamsRequest(TSN, 3)
    ours = AddOutgoingStreamsRequest(peer.ours, 3)
    assert peer.ask(wanted) == [ours]
    assert peer.ask(wanted) == [ours]
    assert peer.association.tcb.outbound_streams == 10
    assert peer.ask(response(peer.ours, R.PERFORMED)) == []
    assert peer.association.tcb.outbound_streams == 13
    assert not peer.association.timers.is_running(Timer.RECONFIG)


def test_a_sack_goes_with_the_answer() -> None:
    """§5.2.1: "a selective acknowledgment (SACK) chunk SHOULD be sent back"."""
    peer = ReconfigPeer()
    (packet,) = peer.send(ReConfig((outgoing(TSN),)))
    assert packet.types == (ReConfig, Sack)


@pytest.mark.parametrize(
    "parameters",
    [
        (),
        (SsnTsnResetRequest(TSN), outgoing(TSN)),
        (outgoing(TSN), outgoing(TSN + 1)),
        (outgoing(TSN), IncomingSsnResetRequest(TSN + 1), response(0, 1)),
        (response(0, 1), IncomingSsnResetRequest(TSN)),
        (response(0, 1),) * 3,
    ],
)
def test_a_combination_that_is_not_allowed_is_reported_and_does_nothing(
    parameters: tuple[ReconfigurationParameter, ...],
) -> None:
    """§3.1: "the receiver SHOULD send an ERROR chunk with a Protocol Violation cause"."""
    peer = ReconfigPeer()
    packets = peer.send(ReConfig(parameters))
    (error,) = chunks_of(packets, Error)
    assert isinstance(error.causes[0], ProtocolViolation)
    assert parameters_of(packets) == []
    assert peer.ask(outgoing(TSN)) == [response(TSN, R.PERFORMED)]


@pytest.mark.parametrize(
    ("high_bits", "reports", "goes_on"),
    [(0b00, False, False), (0b01, True, False), (0b10, False, True), (0b11, True, True)],
)
def test_an_unknown_parameter_stops_or_not_as_its_type_says(high_bits: int, reports: bool, goes_on: bool) -> None:
    """§4: "stop processing the parameter and not process any further parameters within the chunk"."""
    peer = ReconfigPeer()
    unknown = UnknownParameter(high_bits << 14 | 99, b"?")
    packets = peer.send(ReConfig((unknown, outgoing(TSN))))
    causes = [cause for error in chunks_of(packets, Error) for cause in error.causes]
    assert causes == ([UnrecognizedParameters(unknown.encode())] if reports else [])
    assert results_of(parameters_of(packets)) == ([R.PERFORMED] if goes_on else [])
    assert chunks_of(packets, Abort) == []


def test_a_peer_that_has_not_announced_it_is_not_heard() -> None:
    """§5.1.1; §3.2: an unknown chunk whose type says to skip it, silently."""
    peer = Peer()
    peer.established()
    assert not peer.association.supports_reconfig
    assert peer.send(ReConfig((outgoing(TSN),))) == []
    assert peer.association.reconfig is None
    assert peer.association.take_counters().ictrlchunks == 2  # INIT ACK and COOKIE ACK


def test_a_request_of_ours_is_named_by_the_answer_even_where_the_peer_may_reset_nothing() -> None:
    peer = ReconfigPeer(Config(peer_may_reset_streams=False))
    request = peer.association.reset_incoming([4])
    assert parameters_of(peer.touch()) == [IncomingSsnResetRequest(peer.ours, (4,))]
    answer = OutgoingSsnResetRequest(TSN, peer.ours, BEFORE, (4,))
    assert peer.ask(answer) == [response(TSN, R.PERFORMED)]
    assert request.outcome is Outcome.DONE
    assert results_of(peer.ask(outgoing(TSN + 1))) == [R.DENIED]


def test_a_reset_of_the_peers_own_accord_is_not_the_answer() -> None:
    """A4: any Outgoing SSN Reset Request has the number of our last request; the answer has its streams too."""
    peer = ReconfigPeer()
    request = peer.association.reset_incoming([4])
    peer.touch()
    assert results_of(peer.ask(OutgoingSsnResetRequest(TSN, peer.ours, BEFORE, (5,)))) == [R.PERFORMED]
    assert request.outcome is None
    assert peer.association.timers.is_running(Timer.RECONFIG)


def test_lists_of_streams_cost_what_they_are_long() -> None:
    def work(count: int) -> int:
        peer = ReconfigPeer(Config(max_inbound_streams=65535))
        peer.association.receiver.accept_streams(65535)
        peer.association.tcb.inbound_streams = 65535
        chunk = outgoing(TSN, BEFORE, *range(count))
        return instructions(lambda: peer.send(ReConfig((chunk,))))

    assert work(8000) < 5 * work(2000)
