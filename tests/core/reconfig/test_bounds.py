"""What is under way is bounded, and comes to an end, whatever the peer does in the midst of it."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.reconfig import Outcome
from aiosctp.events import StreamReset
from aiosctp.wire.chunks import Data, ReConfig
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.core.reconfig.peer import TSN, ReconfigPeer, parameters_of, results_of
from tests.core.reconfig.script import is_under_way
from tests.core.scripted import chunks_of
from tests.core.work import instructions

R = ReconfigurationResult
BEFORE = TSN - 1
AHEAD = TSN + 5 & 0xFFFF_FFFF


def response(number: int, result: int) -> ReconfigurationResponse:
    return ReconfigurationResponse(number & 0xFFFF_FFFF, result)


def test_a_request_whose_answer_is_deferred_fails_with_the_association() -> None:
    """The peer has begun to do what we asked for, and its data from before is still missing."""
    peer = ReconfigPeer()
    request = peer.association.reset_incoming([4])
    peer.touch()
    answer = OutgoingSsnResetRequest(TSN, peer.ours, AHEAD, (4,))
    assert peer.ask(answer) == [response(TSN, R.IN_PROGRESS)]
    assert is_under_way(request)
    peer.user_aborts()
    assert request.outcome is Outcome.FAILED
    assert peer.events_of(StreamReset) == [StreamReset((4,), (), failed=True)]


def test_a_deferred_reset_is_done_when_the_tsns_begin_anew() -> None:
    """§5.2.4 G4, as with a FORWARD TSN: what it waited for will not come."""
    peer = ReconfigPeer(Config(peer_may_reset_association=True))
    request = peer.association.reset_association()
    assert parameters_of(peer.touch()) == [SsnTsnResetRequest(peer.ours)]
    reset = OutgoingSsnResetRequest(TSN, peer.ours, AHEAD, (1,))
    assert peer.ask(reset) == [response(TSN, R.IN_PROGRESS)]
    peer.ask(ReconfigurationResponse(peer.ours, R.PERFORMED, TSN + 100 & 0xFFFF_FFFF, peer.ours))
    assert request.outcome is Outcome.DONE
    assert peer.ask(reset) == [response(TSN, R.PERFORMED)]
    assert peer.events_of(StreamReset) == [StreamReset((1,), ())]
    peer.data(100, 0, b"new", stream=1)
    peer.data(101, 1, b"newer", stream=1)
    assert peer.texts()[-2:] == ["new", "newer"]
    assert results_of(peer.ask(OutgoingSsnResetRequest(TSN + 1, peer.ours, AHEAD, (1,)))) == [R.PERFORMED]


def test_answers_that_wait_for_one_to_us_are_few() -> None:
    """X49: §5.1.1 allows a peer one request in flight; what it asks beyond is refused, and not kept."""
    peer = ReconfigPeer()
    peer.association.reset_incoming([1])
    peer.touch()
    refused = 0
    for step in range(1000):
        (result,) = results_of(peer.ask(OutgoingSsnResetRequest(TSN + step & 0xFFFF_FFFF, peer.ours - 1, BEFORE, (1,))))
        refused += result == R.REQUEST_IN_PROGRESS
    assert refused >= 990
    assert len(results_of(peer.ask(response(peer.ours, R.NOTHING_TO_DO)))) == 1000 - refused


def test_streams_that_are_added_meanwhile_are_not_reset_with_all() -> None:
    """A4: "all" is what the peer takes for all when it hears it: streams that we have not held back go on."""
    peer = ReconfigPeer()
    peer.association.add_outgoing_streams(2)
    peer.touch()
    peer.user_sends(bytes(200_000), stream=0)
    request = peer.association.reset_outgoing(range(10))
    assert peer.ask(response(peer.ours, R.PERFORMED)) == []
    peer.association.send(OutgoingMessage(b"on a new stream", 11))
    while request.outcome is None:
        sent = chunks_of(peer.heard, Data)
        asked = parameters_of(peer.sack(len(sent)))
        if asked:
            (reset,) = asked
            assert isinstance(reset, OutgoingSsnResetRequest)
            assert sorted(reset.streams) == list(range(10))
            peer.ask(response(reset.request_sequence_number, R.PERFORMED))
    peer.user_sends(b"goes on", stream=11)
    assert [chunk.ssn for chunk in chunks_of(peer.heard, Data) if chunk.stream == 11] == [0, 1]


def test_streams_are_added_after_a_reset_of_all_that_waits() -> None:
    """A4: likewise."""
    peer = ReconfigPeer()
    peer.user_sends(bytes(3000), stream=0)
    peer.association.reset_outgoing(range(10))
    peer.association.add_outgoing_streams(2)
    peer.association.send(OutgoingMessage(b"held", 0))
    peer.touch()
    found = parameters_of(peer.heard)
    while not found:
        found += parameters_of(peer.sack(len(chunks_of(peer.heard, Data))))
    assert [type(each) for each in found] == [OutgoingSsnResetRequest]
    assert parameters_of(peer.send(ReConfig((response(peer.ours, R.PERFORMED),)))) == [
        AddOutgoingStreamsRequest(peer.ours + 1, 2)
    ]


def test_all_is_not_reset_for_the_peer_while_streams_are_added() -> None:
    """A4: likewise. The peer asks again."""
    peer = ReconfigPeer()
    peer.association.add_outgoing_streams(2)
    peer.touch()
    assert results_of(peer.ask(IncomingSsnResetRequest(TSN))) == [R.REQUEST_IN_PROGRESS]
    peer.ask(response(peer.ours, R.DENIED))
    (answer,) = peer.ask(IncomingSsnResetRequest(TSN + 1))
    assert isinstance(answer, OutgoingSsnResetRequest)


def test_a_peer_can_not_give_us_more_streams_than_there_are_numbers() -> None:
    """§4.5: what each adds fits; both together do not."""
    peer = ReconfigPeer()
    peer.association.add_outgoing_streams(60_000)
    peer.touch()
    (answer,) = peer.ask(AddIncomingStreamsRequest(TSN, 60_000))
    assert answer == response(TSN, R.DENIED)
    peer.ask(response(peer.ours, R.PERFORMED))
    assert peer.association.tcb.outbound_streams == 60_010


def test_many_closes_cost_what_they_are() -> None:
    """Of each stream both directions are asked for, and the incoming ones go one by one."""

    def work(count: int) -> int:
        peer = ReconfigPeer(Config(max_inbound_streams=65535))
        peer.association.tcb.inbound_streams = peer.association.tcb.outbound_streams = 65535
        requests = [
            request
            for stream in range(count)
            for request in (peer.association.reset_outgoing([stream]), peer.association.reset_incoming([stream]))
        ]

        def run() -> None:
            asked = parameters_of(peer.touch())
            while asked:
                numbers = [
                    each.request_sequence_number for each in asked if not isinstance(each, ReconfigurationResponse)
                ]
                asked = [
                    each
                    for number in numbers
                    for each in parameters_of(peer.send(ReConfig((response(number, R.NOTHING_TO_DO),))))
                ]

        total = instructions(run)
        assert {request.outcome for request in requests} == {Outcome.DONE}
        return total

    assert work(1600) < 5 * work(400)


def test_resets_by_the_peer_of_what_we_were_to_ask_for_cost_what_they_are() -> None:
    def work(count: int) -> int:
        peer = ReconfigPeer(Config(max_inbound_streams=65535))
        peer.association.tcb.inbound_streams = 65535
        requests = [peer.association.reset_incoming([stream]) for stream in range(count)]
        peer.touch()

        def run() -> None:
            for step in range(1, count):
                peer.send(ReConfig((OutgoingSsnResetRequest(TSN + step - 1 & 0xFFFF_FFFF, 0, BEFORE, (step,)),)))

        total = instructions(run)
        assert sum(request.outcome is Outcome.DONE for request in requests) == count - 1
        return total

    assert work(1600) < 5 * work(400)


def test_streams_that_keep_data_after_a_reset_are_not_all_looked_at_for_each_sack() -> None:
    def work(count: int) -> int:
        peer = ReconfigPeer(Config(max_inbound_streams=65535))
        peer.association.tcb.outbound_streams = 65535
        request = peer.association.reset_outgoing(range(65535))
        peer.touch()
        for stream in range(count):
            peer.association.send(OutgoingMessage(b"held", stream))
        peer.ask(response(peer.ours, R.PERFORMED))
        assert request.outcome is Outcome.DONE
        total = instructions(lambda: [peer.sack(0) for _ in range(10)])
        while peer.association.sender.buffered_bytes:
            peer.sack(len(chunks_of(peer.heard, Data)))
        assert peer.association.reconfiguration.asking.kept == {}
        return total

    assert work(1600) < 2 * work(400)
