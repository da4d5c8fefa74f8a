"""All TSNs and SSNs begin anew (RFC 6525 §5.1.4, §5.2.4), and streams are added (§5.1.5, §5.1.6)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.reconfig import Outcome
from aiosctp.events import AssociationReset, StreamChange
from aiosctp.wire.chunks import UserData, decode_chunks
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    OutgoingSsnResetRequest,
    ReconfigurationResponse,
)
from aiosctp.wire.serial import tsn_add
from tests.core.pair import Flight
from tests.core.reconfig.bench import Resets

DONE = [Outcome.DONE]


def test_all_numbers_begin_anew() -> None:
    """P10, P11: both sides' SSNs begin with 0, our TSNs where the peer says, and nothing is lost."""
    resets = Resets()
    for engine in (resets.a, resets.z):
        resets.send(engine, "before 1", "before 2", stream=1)
    resets.pair.flush()
    request = resets.ask(resets.a.reset_association(), resets.a)
    resets.send(resets.a, "after", stream=1)
    assert resets.finish(request) == DONE
    resets.send(resets.z, "after", stream=1)
    resets.pair.run_for(1.0)
    resets.check()
    a_next = tsn_add(resets.a.tcb.local_initial_tsn, 2 + 2**31)
    z_next = tsn_add(resets.z.tcb.local_initial_tsn, 2)
    for engine in (resets.a, resets.z):
        messages = resets.messages(engine)
        assert [message.data for message in messages] == [b"before 1", b"before 2", b"after"]
        assert [message.ssn for message in messages] == [0, 1, 0]
        assert messages[-1].tsn == (z_next if engine is resets.a else a_next)
    assert resets.events(resets.a, AssociationReset) == [AssociationReset(a_next, z_next)]
    assert resets.events(resets.z, AssociationReset) == [AssociationReset(z_next, a_next)]


def test_it_waits_until_nothing_is_outstanding_on_either_side() -> None:
    resets = Resets()
    data = "x" * 300_000
    for engine in (resets.a, resets.z):
        resets.send(engine, data, "next", stream=1)
    resets.pair.flush()
    request = resets.ask(resets.a.reset_association(), resets.a)
    assert resets.finish(request) == DONE
    resets.pair.run_for(1.0)
    for engine in (resets.a, resets.z):
        assert resets.read(engine) == [data, "next"]
    results = [each.result for chunk in resets.said(resets.z) for each in chunk.parameters if hasattr(each, "result")]
    assert results[-1] == 1


@pytest.mark.parametrize("loss", range(8))
def test_a_lost_answer_mixes_nothing(loss: int) -> None:
    """The peer begins anew before we hear of it: what it sends then is not taken for what came before."""
    resets = Resets(seed=loss)
    for stream in range(4):
        resets.send(resets.z, *(f"{stream} old {number}" for number in range(stream)), stream=stream)
    resets.pair.run_for(1.0)
    resets.lose(lambda chunk: isinstance(chunk.parameters[0], ReconfigurationResponse), times=1 + loss % 3)
    request = resets.ask(resets.a.reset_association(), resets.a)
    resets.pair.run_until(lambda: bool(resets.events(resets.z, AssociationReset)))
    for number in range(3):
        for stream in range(4):
            resets.send(resets.z, f"{stream} new {number}", stream=stream)
    resets.pair.run_for(0.3)
    resets.check()
    assert request.outcome is None
    assert resets.finish(request) == DONE
    resets.pair.run_for(60.0)
    texts = resets.read(resets.a)
    for stream in range(4):
        mine = [text.removeprefix(f"{stream} ") for text in texts if text.startswith(f"{stream} ")]
        assert mine == [f"old {number}" for number in range(stream)] + ["new 0", "new 1", "new 2"]


def test_old_sacks_that_come_late_end_nothing() -> None:
    resets = Resets()
    resets.send(resets.a, *(f"{number}" for number in range(20)))
    late: list[Flight] = []

    def hold_up(flight: Flight) -> bool:
        if flight.sender is resets.pair.z and len(late) < 3:
            late.append(flight)
            return True
        return False

    resets.pair.drop = hold_up
    resets.pair.run_for(5.0)
    assert len(late) == 3
    assert resets.finish(resets.ask(resets.a.reset_association(), resets.a)) == DONE
    for flight in late:
        resets.pair.a.engine.receive(flight.data, "192.0.2.2", 9899, "192.0.2.1", resets.pair.now)
    resets.send(resets.a, "on")
    resets.pair.run_for(1.0)
    assert resets.a.ending is None
    assert resets.read(resets.z)[-1] == "on"


def test_old_data_that_comes_late_is_discarded() -> None:
    """D4: the peer "can be sure it can discard received DATA chunks with smaller TSNs"."""
    resets = Resets()
    resets.send(resets.a, *(f"{number}" for number in range(5)))
    resets.pair.run_for(1.0)
    old = [flight for flight in resets.pair.log if any(isinstance(c, UserData) for c in decode_chunks(flight.data))]
    assert old
    assert resets.finish(resets.ask(resets.a.reset_association(), resets.a)) == DONE
    assert len(resets.read(resets.z)) == 5
    for flight in old:
        resets.pair.z.engine.receive(flight.data, "192.0.2.1", 9899, "192.0.2.2", resets.pair.now)
    resets.send(resets.a, "on")
    resets.pair.run_for(1.0)
    assert resets.z.ending is None
    assert resets.read(resets.z) == ["on"]


def test_it_is_denied_unless_allowed() -> None:
    resets = Resets(config_z=Config())
    resets.send(resets.a, "before", stream=1)
    request = resets.ask(resets.a.reset_association(), resets.a)
    resets.send(resets.a, "after", stream=1)
    assert resets.finish(request) == [Outcome.DENIED]
    resets.pair.run_for(1.0)
    assert [message.ssn for message in resets.messages(resets.z)] == [0, 1]
    (event,) = resets.events(resets.a, AssociationReset)
    assert isinstance(event, AssociationReset)
    assert event.denied


def test_the_second_waits_for_a_segment_lifetime() -> None:
    """RFC 6525 §5.1.4: "Only one SSN/TSN Reset Request SHOULD be sent within 30 seconds"; data goes on meanwhile."""
    resets = Resets()
    assert resets.finish(resets.ask(resets.a.reset_association(), resets.a)) == DONE
    done_at_s = resets.pair.now
    request = resets.ask(resets.a.reset_association(), resets.a)
    resets.send(resets.a, "meanwhile")
    resets.pair.run_for(20.0)
    assert resets.read(resets.z) == ["meanwhile"]
    assert resets.finish(request) == DONE
    assert resets.pair.now - done_at_s >= 29.9


def test_both_at_once_are_both_refused() -> None:
    resets = Resets()
    requests = [resets.ask(engine.reset_association(), engine) for engine in (resets.a, resets.z)]
    resets.send(resets.a, "a")
    resets.send(resets.z, "z")
    assert resets.finish(*requests) == [Outcome.FAILED] * 2
    resets.pair.run_for(1.0)
    assert resets.read(resets.z) == ["a"]
    assert resets.read(resets.a) == ["z"]


def test_streams_are_added_both_ways() -> None:
    """P12, P13: the peer has what we add, and adds what we ask it to, which is its only answer to that."""
    resets = Resets()
    requests = [resets.a.add_outgoing_streams(5), resets.a.add_incoming_streams(7)]
    resets.touch(resets.a)
    assert resets.finish(*requests) == DONE * 2
    resets.pair.run_for(1.0)
    assert (resets.a.tcb.outbound_streams, resets.a.tcb.inbound_streams) == (261, 263)
    assert (resets.z.tcb.outbound_streams, resets.z.tcb.inbound_streams) == (263, 261)
    resets.send(resets.a, "new", stream=260)
    resets.send(resets.z, "new", stream=262)
    resets.pair.run_for(1.0)
    assert resets.read(resets.z) == ["new"]
    assert resets.read(resets.a) == ["new"]
    (asked, _) = resets.said(resets.a)
    assert [type(each) for each in asked.parameters] == [AddOutgoingStreamsRequest, AddIncomingStreamsRequest]
    said = [type(each) for chunk in resets.said(resets.z) for each in chunk.parameters]
    assert said == [ReconfigurationResponse, AddOutgoingStreamsRequest]
    assert set(resets.events(resets.a, StreamChange)) == {StreamChange(256, 261), StreamChange(263, 261)}
    assert set(resets.events(resets.z, StreamChange)) == {StreamChange(261, 256), StreamChange(261, 263)}


def test_more_streams_than_are_taken_are_denied() -> None:
    resets = Resets(config_z=Config(max_inbound_streams=300))
    too_many = resets.ask(resets.a.add_outgoing_streams(45), resets.a)
    assert resets.finish(too_many) == [Outcome.DENIED]
    assert resets.finish(resets.ask(resets.a.add_outgoing_streams(44), resets.a)) == DONE
    assert resets.finish(resets.ask(resets.a.add_incoming_streams(65535 - 255), resets.a)) == [Outcome.DENIED]
    assert resets.a.tcb.outbound_streams == 300
    events = resets.events(resets.a, StreamChange)
    assert events[0] == StreamChange(256, 256, denied=True)
    assert events[1] == StreamChange(256, 300)


def test_what_crosses_is_settled_where_both_tags_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """§5.1.1: each has asked for what only a request of the other's answers. One of them gives way, of any two."""
    monkeypatch.setattr("aiosctp.core.tags.Tags.draw", lambda *_: 0x01020304)
    resets = Resets()
    assert resets.a.tcb.local_tag == resets.z.tcb.local_tag
    requests = [
        resets.ask(resets.a.add_incoming_streams(2), resets.a),
        resets.ask(resets.z.reset_incoming([1]), resets.z),
    ]
    assert resets.finish(*requests) == DONE * 2


def test_a_shutdown_waits_for_what_a_reset_holds_back() -> None:
    resets = Resets()
    resets.send(resets.a, "before", stream=1)
    request = resets.ask(resets.a.reset_outgoing([1]), resets.a)
    resets.send(resets.a, "after", stream=1)
    resets.a.shutdown(resets.pair.now)
    resets.touch(resets.a)
    resets.pair.run_until(lambda: resets.a.ending is not None)
    assert request.outcome is Outcome.DONE
    assert resets.read(resets.z) == ["before", "after"]


def test_the_chunks_are_of_the_number_after_the_initial_tsn() -> None:
    resets = Resets()
    for _ in range(3):
        assert resets.finish(resets.ask(resets.a.reset_outgoing([1]), resets.a)) == DONE
    asked = [each for chunk in resets.said(resets.a) for each in chunk.parameters]
    assert [each.request_sequence_number for each in asked if isinstance(each, OutgoingSsnResetRequest)] == [
        tsn_add(resets.a.tcb.local_initial_tsn, step) for step in range(3)
    ]
