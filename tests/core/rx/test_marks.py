"""Marks where a stream was reset, and queues of their own for all streams (RFC 6525)."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.paths import Path
from aiosctp.core.rx import Receiver
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import Timers
from aiosctp.wire.chunks import Data

PATH = Path("192.0.2.1", None, 9899, Config(), is_confirmed=True)


class Reader:
    """A receiver that gets messages in order, and what is read of it."""

    def __init__(self, inbound_streams: int = 100) -> None:
        self.receiver = Receiver(
            peer_initial_tsn=1,
            inbound_streams=inbound_streams,
            config=Config(),
            timers=Timers(),
            counters=AssociationCounters(),
        )
        self._tsn = 0
        self._ssns: dict[int, int] = {}

    def get(self, stream: int, *texts: str, ending: bool = True) -> None:
        for text in texts:
            self._tsn += 1
            ssn = self._ssns.get(stream, 0)
            self._ssns[stream] = ssn + ending
            chunk = Data(self._tsn, stream, ssn, 0, text.encode(), beginning=True, ending=ending)
            assert self.receiver.data_received(chunk, PATH, 0.0) is None
            self.receiver.check_invariants()

    def reset(self, *streams: int) -> None:
        """Of these, or of all."""
        for stream in streams or list(self._ssns):
            self._ssns.pop(stream, None)
        self.receiver.renewal.end_streams(streams or None)
        assert self.receiver.renewal.begin_streams_anew(streams or None) is None
        self.receiver.check_invariants()

    def read(self, stream: int | None = None, *, partial: bool = False) -> list[str]:
        found: list[str] = []
        while (message := self.receiver.read(stream, partial)) is not None:
            found.append(message.data.decode() or "|")
            self.receiver.check_invariants()
        return found


def test_a_stream_that_was_taken_over_shows_where_it_was_reset() -> None:
    reader = Reader()
    reader.receiver.take_over(1)
    reader.get(1, "a", "b")
    reader.reset(1)
    reader.get(1, "c")
    reader.reset()
    assert reader.read(1) == ["a", "b", "|", "c", "|"]
    assert reader.receiver.held_bytes == 0


def test_the_mark_comes_though_nothing_is_unread() -> None:
    reader = Reader()
    reader.receiver.take_over(1)
    reader.reset(1)
    assert reader.read(1) == ["|"]


def test_there_are_never_two_marks_in_a_row() -> None:
    reader = Reader()
    reader.receiver.take_over(1)
    for _ in range(1000):
        reader.reset(1)
        reader.reset()
    assert reader.receiver.held_bytes == 256
    assert reader.read(1) == ["|"]


def test_marks_take_no_more_of_the_window_than_the_messages_that_they_stand_behind() -> None:
    """They go beyond the window, for a reset needs no room; that happens once, however often the peer resets."""
    reader = Reader(inbound_streams=5000)
    reader.receiver.use_streams()
    window_bytes = Config().receive_window_bytes
    for stream in range(window_bytes // 256):
        reader.receiver.data_received(Data(stream + 1, stream, 0, 0, b"x"), PATH, 0.0)
    assert reader.receiver.free_window_bytes == 0
    for _ in range(3):
        assert reader.receiver.renewal.begin_streams_anew(None) is None
        assert reader.receiver.held_bytes == 2 * window_bytes
    reader.receiver.check_invariants()
    for stream in range(5000):
        while reader.receiver.read(stream, partial=False) is not None:
            pass
    assert reader.receiver.held_bytes == 0


def test_who_reads_all_streams_as_one_sees_no_marks() -> None:
    reader = Reader()
    reader.get(1, "a")
    reader.get(2, "x")
    reader.reset(1)
    reader.get(1, "b")
    reader.reset()
    assert reader.receiver.held_bytes > 3 * 256
    assert reader.read() == ["a", "x", "b"]
    assert reader.receiver.held_bytes == 0


def test_in_the_common_queue_a_mark_stands_only_behind_what_is_unread_of_its_stream() -> None:
    reader = Reader()
    reader.get(1, "a")
    reader.get(2, "read")
    reader.reset(*range(100))
    assert reader.receiver.pending_messages == 4
    reader.receiver.take_over(1)
    reader.receiver.take_over(3)
    assert reader.read(1) == ["a", "|"]
    assert reader.read(3) == []


def test_every_stream_gets_a_queue_of_its_own() -> None:
    reader = Reader()
    reader.get(1, "a")
    reader.get(2, "x")
    reader.reset(1)
    reader.get(1, "b")
    reader.receiver.use_streams()
    reader.receiver.use_streams()
    assert sorted(reader.receiver.take_arrivals()) == [1, 2]
    assert reader.receiver.take_arrivals() == []
    reader.get(3, "new")
    reader.reset(2)
    assert reader.receiver.take_arrivals() == [3, 2]
    assert reader.read() == []
    assert reader.read(1) == ["a", "|", "b"]
    assert reader.read(2) == ["x", "|"]
    assert reader.read(3) == ["new"]


def test_a_stream_that_is_released_frees_its_room_and_may_come_again() -> None:
    reader = Reader()
    reader.receiver.use_streams()
    reader.get(1, "dropped", "too")
    reader.receiver.release_stream(1)
    reader.receiver.release_stream(7)
    assert reader.receiver.held_bytes == 0
    assert reader.receiver.take_arrivals() == []
    reader.reset(1)
    assert reader.receiver.take_arrivals() == []
    reader.get(1, "again")
    assert reader.receiver.take_arrivals() == [1]
    assert reader.read(1) == ["again"]


def test_a_stream_released_in_message_mode_is_read_with_the_others() -> None:
    reader = Reader()
    reader.receiver.take_over(1)
    reader.receiver.release_stream(1)
    reader.get(1, "a")
    assert reader.read() == ["a"]


def test_a_restart_keeps_the_queues() -> None:
    reader = Reader()
    reader.receiver.use_streams()
    reader.get(1, "kept")
    reader.reset(1)
    successor = Reader()
    successor.receiver.inherit(reader.receiver)
    assert successor.receiver.take_arrivals() == [1]
    successor.get(2, "new")
    assert successor.receiver.take_arrivals() == [2]
    assert successor.read(1) == ["kept", "|"]


def test_new_streams_begin_with_ssn_0() -> None:
    """RFC 6525 §5.2.5: "initializing the next expected SSN to 0"."""
    reader = Reader()
    reader.receiver.accept_streams(101)
    reader.get(100, "first", "second")
    assert reader.read() == ["first", "second"]


def test_after_a_restart_what_came_before_is_dropped_and_what_came_after_is_not() -> None:
    """§5.2.4 A: but for the streams that are named; nothing stays charged."""
    before, after = Reader(), Reader()
    before.receiver.take_over(4)
    before.receiver.use_streams()
    for stream in (1, 2, 4):
        before.get(stream, "before", "before")
    before.reset(1)
    before.receiver.abort_partial_delivery()
    after.receiver.inherit(before.receiver)
    for stream in (1, 3, 4):
        after.get(stream, "after")
    after.receiver.drop_inherited([4])
    assert after.receiver.take_arrivals() == [1, 4, 3]
    assert [after.read(stream) for stream in (1, 2, 3, 4)] == [["after"], [], ["after"], ["before", "before", "after"]]
    assert after.receiver.held_bytes == 0
    after.receiver.drop_inherited([])
    after.get(1, "after")
    assert after.read(1) == ["after"]
