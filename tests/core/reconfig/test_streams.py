"""Resets of streams between two engines (RFC 6525 §5.1.2, §5.1.3, §5.2.2, §5.2.3)."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.reconfig import Outcome
from aiosctp.events import StreamReset
from aiosctp.wire.chunks import ReConfig
from aiosctp.wire.reconfig import (
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationResponse,
)
from tests.core.reconfig.bench import Resets

DONE = [Outcome.DONE]
DENYING = Config(peer_may_reset_streams=False)
MANY = Config(outbound_streams=65535)


def test_nothing_is_kept_of_it_before_it_is_asked_for() -> None:
    resets = Resets()
    resets.send(resets.a, "hello")
    resets.pair.run_for(1.0)
    assert resets.a.reconfig is None
    assert resets.z.reconfig is None
    assert resets.a.supports_reconfig
    assert resets.z.supports_reconfig


def test_a_reset_parts_what_was_given_before_from_what_is_given_after() -> None:
    """E05, S06: all of before goes under the old SSNs, what follows begins with 0, and the reader sees where."""
    resets = Resets()
    resets.z.receiver.take_over(3)
    resets.send(resets.a, "before 1", "before 2", stream=3)
    request = resets.ask(resets.a.reset_outgoing([3]), resets.a)
    resets.send(resets.a, "after 1", "after 2", stream=3)
    assert request.outcome is None
    assert resets.a.sender.stream_buffered_bytes(3) == len("before 1before 2after 1after 2")
    assert resets.finish(request) == DONE
    resets.pair.run_for(1.0)
    messages = resets.messages(resets.z, 3)
    assert [message.data for message in messages] == [b"before 1", b"before 2", b"", b"after 1", b"after 2"]
    assert [message.ssn for message in messages] == [0, 1, 0, 0, 1]
    assert resets.events(resets.a, StreamReset) == [StreamReset((), (3,))]
    assert resets.events(resets.z, StreamReset) == [StreamReset((3,), ())]


def test_other_streams_go_on_meanwhile() -> None:
    resets = Resets()
    resets.lose(lambda chunk: True)
    request = resets.ask(resets.a.reset_outgoing([3]), resets.a)
    resets.send(resets.a, "held", stream=3)
    resets.send(resets.a, "free", stream=4)
    resets.pair.run_for(0.5)
    assert resets.read(resets.z) == ["free"]
    resets.pair.drop = lambda flight: False
    assert resets.finish(request) == DONE
    resets.pair.run_for(1.0)
    assert resets.read(resets.z) == ["held"]


def test_all_streams_are_reset_by_listing_none() -> None:
    """P08: RFC 6525 §4.1: "If no streams are listed, then all streams are to be reset"."""
    resets = Resets()
    resets.send(resets.a, "one", stream=0)
    resets.send(resets.a, "two", stream=7)
    total = resets.a.tcb.outbound_streams
    request = resets.ask(resets.a.reset_outgoing(range(total)), resets.a)
    assert resets.finish(request) == DONE
    (chunk,) = resets.said(resets.a)
    (parameter,) = chunk.parameters
    assert isinstance(parameter, OutgoingSsnResetRequest)
    assert parameter.streams == ()
    assert resets.events(resets.z, StreamReset) == [StreamReset(range(total), ())]
    assert resets.read(resets.z) == ["one", "two"]


def test_an_incoming_reset_is_answered_by_the_outgoing_one_that_names_it() -> None:
    """P09: A4, F1."""
    resets = Resets()
    resets.send(resets.z, "old", stream=2)
    resets.pair.run_for(1.0)
    request = resets.ask(resets.a.reset_incoming([2]), resets.a)
    assert resets.finish(request) == DONE
    resets.pair.run_for(1.0)
    (asked, done) = resets.said(resets.a)
    (answered,) = resets.said(resets.z)
    first, peers = resets.a.tcb.local_initial_tsn, resets.z.tcb.local_initial_tsn
    assert asked == ReConfig((IncomingSsnResetRequest(first, (2,)),))
    assert answered == ReConfig((OutgoingSsnResetRequest(peers, first, peers, (2,)),))
    assert done == ReConfig((ReconfigurationResponse(peers, 1),))
    assert resets.events(resets.a, StreamReset) == [StreamReset((2,), ())]
    assert resets.events(resets.z, StreamReset) == [StreamReset((), (2,))]


def test_both_directions_share_a_chunk_each_way() -> None:
    resets = Resets()
    resets.send(resets.z, "old", stream=2)
    resets.send(resets.a, "old", stream=2)
    resets.pair.run_for(1.0)
    both = resets.a.reset_outgoing([2]), resets.a.reset_incoming([2])
    resets.touch(resets.a)
    assert resets.finish(*both) == DONE * 2
    asked, _ = resets.said(resets.a)
    (answered,) = resets.said(resets.z)
    assert [type(each) for each in asked.parameters] == [OutgoingSsnResetRequest, IncomingSsnResetRequest]
    assert [type(each) for each in answered.parameters] == [ReconfigurationResponse, OutgoingSsnResetRequest]


def test_an_incoming_reset_waits_for_the_data_of_its_stream() -> None:
    """F1 follows A1 to A3: what the peer's user has given to the stream before is sent before."""
    resets = Resets()
    data = "x" * 100_000
    resets.send(resets.z, data, stream=2)
    resets.send(resets.z, "last", stream=2)
    request = resets.ask(resets.a.reset_incoming([2]), resets.a)
    resets.pair.flush()
    resets.a.receiver.take_over(2)
    resets.pair.run_until(lambda: resets.z.reconfig is not None)
    resets.send(resets.z, "after", stream=2)
    assert resets.finish(request) == DONE
    resets.pair.run_for(1.0)
    assert resets.read(resets.a, 2) == [data, "last", "|", "after"]
    assert ReconfigurationResponse(resets.a.tcb.local_initial_tsn, 6) in resets.said(resets.z)[0].parameters


def test_two_resets_of_a_stream_are_two() -> None:
    """Reset of the same stream twice: what was given between them goes between them."""
    resets = Resets()
    resets.z.receiver.take_over(1)
    requests = []
    for text in ("a", "b", "c"):
        resets.send(resets.a, text, stream=1)
        requests.append(resets.ask(resets.a.reset_outgoing([1]), resets.a))
    resets.send(resets.a, "d", stream=1)
    assert resets.finish(*requests) == DONE * 3
    resets.pair.run_for(1.0)
    assert resets.read(resets.z, 1) == ["a", "|", "b", "|", "c", "|", "d"]
    assert resets.a.sender.queue.held is None


def test_a_denied_reset_goes_on_with_the_old_ssns() -> None:
    resets = Resets(config_z=DENYING)
    resets.send(resets.a, "before", stream=1)
    request = resets.ask(resets.a.reset_outgoing([1]), resets.a)
    resets.send(resets.a, "after", stream=1)
    assert resets.finish(request) == [Outcome.DENIED]
    resets.pair.run_for(1.0)
    assert [message.ssn for message in resets.messages(resets.z)] == [0, 1]
    assert resets.events(resets.a, StreamReset) == [StreamReset((), (1,), denied=True)]
    assert resets.events(resets.z, StreamReset) == []


def test_both_sides_reset_the_same_streams_at_once() -> None:
    resets = Resets()
    for engine in (resets.a, resets.z):
        resets.send(engine, "before", stream=5)
        engine.receiver.take_over(5)
    requests = [
        *(resets.ask(engine.reset_outgoing([5]), engine) for engine in (resets.a, resets.z)),
        *(resets.ask(engine.reset_incoming([5]), engine) for engine in (resets.a, resets.z)),
    ]
    for engine in (resets.a, resets.z):
        resets.send(engine, "after", stream=5)
    assert resets.finish(*requests) == DONE * 4
    resets.pair.run_for(1.0)
    for engine in (resets.a, resets.z):
        texts = resets.read(engine, 5)
        assert texts[0] == "before"
        assert texts[-1] == "after"
        assert set(texts[1:-1]) == {"|"}


def test_requests_that_cross_are_both_done() -> None:
    """Each is answered by a request alone, and neither side may have a second one in flight: one gives way."""
    resets = Resets()
    for engine in (resets.a, resets.z):
        resets.send(engine, "old", stream=1)
    resets.pair.run_for(1.0)
    wishes = [
        resets.ask(wish, engine)
        for engine in (resets.a, resets.z)
        for wish in (engine.reset_incoming([1]), engine.add_incoming_streams(3))
    ]
    assert resets.finish(*wishes) == DONE * 4
    resets.pair.run_for(1.0)
    assert resets.a.tcb.inbound_streams == resets.z.tcb.outbound_streams == 259
    assert resets.z.tcb.inbound_streams == resets.a.tcb.outbound_streams == 259


def test_a_reset_that_waits_for_its_stream_holds_no_other_up() -> None:
    resets = Resets()
    resets.send(resets.a, "x" * 200_000, stream=1)
    slow = resets.ask(resets.a.reset_outgoing([1]), resets.a)
    fast = resets.ask(resets.a.reset_outgoing([2]), resets.a)
    assert resets.finish(fast) == DONE
    assert slow.outcome is None
    assert resets.finish(slow) == DONE


def test_more_streams_than_a_packet_lists_go_chunk_after_chunk() -> None:
    resets = Resets(MANY, MANY)
    asked = list(range(5000))
    request = resets.ask(resets.a.reset_outgoing(asked), resets.a)
    assert resets.finish(request) == DONE
    listed = [each.streams for chunk in resets.said(resets.a) for each in chunk.parameters if hasattr(each, "streams")]
    assert len(listed) > 1
    assert sorted(stream for streams in listed for stream in streams) == asked
    assert max(len(flight.data) for flight in resets.pair.log) <= 1472
    assert resets.events(resets.a, StreamReset) == [StreamReset((), tuple(asked))]


def test_resets_asked_for_together_share_a_request() -> None:
    resets = Resets()
    requests = [resets.a.reset_outgoing([stream]) for stream in range(10)]
    resets.touch(resets.a)
    assert resets.finish(*requests) == DONE * 10
    (chunk,) = resets.said(resets.a)
    (parameter,) = chunk.parameters
    assert isinstance(parameter, OutgoingSsnResetRequest)
    assert parameter.streams == tuple(range(10))
    assert resets.events(resets.a, StreamReset) == [StreamReset((), (stream,)) for stream in range(10)]
