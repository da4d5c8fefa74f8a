"""Messages given part by part (RFC 6458 §8.1.26): how they are cut, and what goes between."""

from __future__ import annotations

from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.core.extensions import Negotiated
from aiosctp.core.messages import Outgoing, OutgoingMessage, Terms
from aiosctp.core.tx.schedulers import SCHEDULERS
from tests.core.tx.bench import PAYLOAD, Bench, all_chunks
from tests.core.tx.records import part

both_formats = pytest.mark.parametrize("idata", [False, True], ids=["DATA", "I-DATA"])
every_scheduler = pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))


class RecordBench(Bench):
    def __init__(self, *, idata: bool = False, config: Config | None = None) -> None:
        super().__init__(config=config)
        self.sender.speak(Negotiated(partial_reliability=True, interleaving=idata))

    def give(self, data: bytes, *, stream: int = 0, is_last: bool = False, **how: Any) -> None:
        self.sender.queue.append(part(self.sender.queue, data, stream=stream, is_last=is_last, **how))
        self.check()

    def sent(self) -> list[Any]:
        return all_chunks(self.flush())


def shape(chunks: list[Any]) -> list[tuple[int, int, bool, bool]]:
    """Of each: stream, size, B and E."""
    return [(chunk.stream, len(chunk.payload), chunk.beginning, chunk.ending) for chunk in chunks]


@both_formats
@pytest.mark.parametrize("unordered", [False, True])
def test_only_the_first_fragment_of_all_begins_and_only_the_last_ends(idata: bool, unordered: bool) -> None:
    """§6.9, 3, and 2: one SSN, or MID."""
    bench = RecordBench(idata=idata)
    bench.send(10, unordered=unordered)
    most = PAYLOAD - 4 * idata
    bench.give(bytes(most + 10), ppid=7, unordered=unordered)
    chunks = bench.sent()
    bench.give(b"ab")
    chunks += bench.sent()
    bench.give(bytes(20), is_last=True)
    chunks += bench.sent()
    bench.send(1, unordered=unordered)
    assert [(chunk.beginning, chunk.ending) for chunk in chunks] == [
        (True, False),
        (False, False),
        (False, False),
        (False, True),
    ]
    assert b"".join(chunk.payload for chunk in chunks) == bytes(most + 10) + b"ab" + bytes(20)
    assert all(chunk.unordered is unordered for chunk in chunks)
    assert [chunk.tsn for chunk in chunks] == [(chunks[0].tsn + n) & 0xFFFF_FFFF for n in range(4)]
    if idata:
        assert [chunk.mid for chunk in chunks] == [1] * 4
        assert [chunk.fsn for chunk in chunks] == [0, 1, 2, 3]
        assert chunks[0].ppid == 7
    else:
        assert [chunk.ssn for chunk in chunks] == [0 if unordered else 1] * 4
        assert [chunk.ppid for chunk in chunks] == [7] * 4


@every_scheduler
def test_with_data_nothing_goes_between_the_fragments_of_a_record(scheduler: str) -> None:
    """B32: §6.9: "the TSNs are assigned in strict sequence": so all else waits, also where nothing is outstanding."""
    bench = RecordBench(config=Config(rto_min_s=0.05, scheduler=scheduler))
    bench.give(bytes(100))
    assert shape(bench.sent()) == [(0, 100, True, False)]
    bench.enqueue(200, stream=1)
    bench.enqueue(300, stream=2, unordered=True)
    assert bench.flush() == []
    bench.sack(0)
    assert bench.flush() == []
    assert bench.probe_deadline() is None, "nobody waits for the peer's window"
    bench.give(bytes(110))
    assert shape(bench.sent()) == [(0, 110, False, False)]
    bench.give(bytes(120), is_last=True)
    bench.enqueue(130)
    chunks = shape(bench.sent())
    assert chunks[0] == (0, 120, False, True)
    assert sorted(chunks[1:]) == [(0, 130, True, True), (1, 200, True, True), (2, 300, True, True)]


@every_scheduler
def test_with_i_data_other_streams_go_on(scheduler: str) -> None:
    bench = RecordBench(idata=True, config=Config(rto_min_s=0.05, scheduler=scheduler))
    bench.give(bytes(100))
    bench.sent()
    bench.send(200, stream=1)
    bench.give(bytes(90), stream=2)
    assert shape(bench.sent()) == [(2, 90, True, False)]
    bench.give(bytes(110), is_last=True)
    assert shape(bench.sent()) == [(0, 110, False, True)]
    bench.give(bytes(5), stream=2, is_last=True)
    assert shape(bench.sent()) == [(2, 5, False, True)]


@every_scheduler
@both_formats
def test_another_scheduler_finds_records_as_they_are(scheduler: str, idata: bool) -> None:
    bench = RecordBench(idata=idata)
    bench.give(bytes(10))
    bench.sent()
    bench.enqueue(20, stream=1)
    bench.give(bytes(30), stream=2)
    bench.sender.queue.set_scheduler(scheduler)
    bench.check()
    if not idata:
        assert bench.flush() == []
    bench.give(bytes(40), is_last=True)
    bench.sender.queue.set_scheduler("fcfs" if scheduler != "fcfs" else "rr")
    chunks = shape(bench.sent())
    if not idata:
        assert chunks[0] == (0, 40, False, True)
    assert {(0, 40, False, True), (1, 20, True, True), (2, 30, True, False)} >= set(chunks)


def test_a_record_given_before_the_handshake_settles_the_format() -> None:
    bench = Bench()
    for stream in (0, 1):
        bench.sender.queue.append(part(bench.sender.queue, b"first", stream=stream))
    bench.sender.queue.append(part(bench.sender.queue, b"last", is_last=True))
    bench.check()
    bench.sender.speak(Negotiated(interleaving=True))
    bench.check()
    assert shape(all_chunks(bench.flush())) == [(0, 5, True, False), (0, 4, False, True), (1, 5, True, False)]


@both_formats
def test_parts_fill_packets_and_are_not_joined(idata: bool) -> None:
    bench = RecordBench(idata=idata)
    bench.give(bytes(1000))
    bench.give(bytes(1000), is_last=True)
    first, second = bench.flush()
    header = 20 if idata else 16
    assert [len(chunk.payload) for chunk in first.chunks] == [1000, 1460 - 1000 - 2 * header]
    assert [len(chunk.payload) for chunk in second.chunks] == [1000 - len(first.chunks[1].payload)]


@both_formats
def test_what_is_acknowledged_of_an_open_record_is_not_kept(idata: bool) -> None:
    bench = RecordBench(idata=idata)
    for n in range(5):
        bench.give(bytes(1000))
        bench.sent()
        bench.sack(n)
        assert bench.sender.buffered_bytes == 0
        assert bench.sender.is_drained
        assert not list(bench.sender.queue)
        assert bench.sender.queue.messages == 0
    assert not bench.sender.is_silent, "a message is begun"
    bench.give(b"end", is_last=True)
    bench.sent()
    assert bench.sender.queue.by_number[0].ordered_in_window == 1
    bench.sack(5)
    assert bench.sender.queue.by_number[0].ordered_in_window == 0, "it was one message"
    assert bench.sender.is_silent


@both_formats
def test_each_part_is_taken_back_by_itself(idata: bool) -> None:
    """As SendFailed has it: what is acknowledged is not in it."""
    bench = RecordBench(idata=idata)
    bench.give(b"acknowledged", context=1)
    bench.give(b"outstanding", context=2)
    bench.sent()
    bench.sack(0)
    bench.give(bytes(3000), context=3)
    bench.give(b"waits", context=4)
    bench.check()

    def context(message: Outgoing) -> int:
        return message[4]

    assert [(context(message), was_sent) for message, was_sent in bench.sender.take_unsent()] == [
        (2, True),
        (3, False),
        (4, False),
    ]
    bench.check()
    assert bench.sender.queue.records is not None
    assert bench.sender.queue.records.lost == {0}


def test_a_part_asks_to_be_acknowledged_at_once_with_its_own_last_chunk() -> None:
    bench = RecordBench()
    bench.give(bytes(2000), sack_immediately=True)
    assert [chunk.immediate for chunk in bench.sent()] == [False, True]
    bench.give(bytes(10), is_last=True)
    assert [chunk.immediate for chunk in bench.sent()] == [False]


def test_an_open_record_goes_on_where_no_other_message_may_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """§6.1: "MUST NOT have more than 2^16 - 1 ordered user messages in the current send window"."""
    monkeypatch.setattr("aiosctp.core.tx.fragmenter.MAX_ORDERED_IN_WINDOW", 1)
    bench = RecordBench(idata=True)
    bench.give(b"first")
    bench.sent()
    bench.give(b"last", is_last=True)
    bench.enqueue(10)
    assert shape(bench.sent()) == [(0, 4, False, True)]
    bench.sack(1)
    assert shape(bench.sent()) == [(0, 10, True, True)]


@both_formats
def test_no_new_record_begins_while_all_are_suspended(idata: bool) -> None:
    """RFC 6525 §5.1.4, C2; what is begun goes on, with what is given later."""
    bench = RecordBench(idata=idata)
    queue = bench.sender.queue
    bench.give(b"begun")
    bench.sent()
    bench.give(b"goes on")
    bench.give(b"waits", stream=1)
    bench.enqueue(3, stream=2)
    queue.suspend()
    bench.check()
    bench.give(b"ends", is_last=True)
    bench.give(b"waits too")
    bench.give(b"waits as well", stream=1, is_last=True)
    assert [bytes(chunk.payload) for chunk in bench.sent()] == [b"goes on", b"ends"]
    bench.sack(2)
    assert bench.sender.is_silent
    queue.resume()
    bench.check()
    after = [bytes(chunk.payload) for chunk in all_chunks(bench.flush())]
    # With DATA the open record is the last in the order, and holds nothing up.
    assert sorted(after) == sorted([bytes(3), b"waits", b"waits as well", b"waits too"])


@both_formats
def test_what_a_reset_holds_is_what_comes_after_the_open_record(idata: bool) -> None:
    """RFC 6525 §5.1.2, A1; and resets that follow wait for the end of a record that is open by then."""
    bench = RecordBench(idata=idata)
    queue = bench.sender.queue
    bench.give(b"1")
    assert queue.hold_stream(0, "first")
    bench.sent()
    bench.sack(0)
    assert queue.has_open_record_before(0)
    bench.give(b"2")
    assert [bytes(chunk.payload) for chunk in bench.sent()] == [b"2"]
    bench.give(b"3", is_last=True)
    assert not queue.has_open_record_before(0)
    bench.give(b"after the first")
    assert not queue.has_open_record_before(0)
    assert not queue.hold_stream(0, "second")
    assert not queue.hold_stream(0, "third")
    bench.give(b"before the second", is_last=True)
    bench.give(b"after the third")
    assert [bytes(chunk.payload) for chunk in bench.sent()] == [b"3"]
    bench.sack(2)
    assert queue.release_stream(0) == "second"
    bench.check()
    assert b"".join(chunk.payload for chunk in bench.sent()) == b"after the firstbefore the second"
    assert queue.release_stream(0) == "third"
    assert queue.release_stream(0) is None
    assert [bytes(chunk.payload) for chunk in bench.sent()] == [b"after the third"]


@both_formats
def test_a_record_open_when_its_reset_is_done_goes_before_the_next_reset(idata: bool) -> None:
    bench = RecordBench(idata=idata)
    queue = bench.sender.queue
    queue.hold_stream(0, "first")
    bench.give(b"1")
    queue.hold_stream(0, "second")
    assert bench.flush() == []
    assert queue.release_stream(0) == "second"
    bench.check()
    assert queue.has_open_record_before(0)
    bench.give(b"2", is_last=True)
    bench.give(b"held", is_last=True)
    assert b"".join(chunk.payload for chunk in bench.sent()) == b"12"
    assert queue.held is not None
    assert queue.held_bytes == 4
    assert not queue.has_open_record_before(0)


def test_a_message_behind_an_open_record_may_be_abandoned() -> None:
    bench = RecordBench()
    bench.give(b"first")
    bench.sent()
    for _ in range(40):
        bench.sender.queue.append(OutgoingMessage(bytes(5000), 1, terms=Terms(expires_at_s=bench.now + 1)))
    bench.enqueue(7, stream=1)
    bench.now += 2
    bench.sender.abandon_expired(bench.now)
    bench.check()
    assert len(bench.sender.take_abandoned()) == 40
    bench.give(b"last", is_last=True)
    assert shape(bench.sent()) == [(0, 4, False, True), (1, 7, True, True)]
