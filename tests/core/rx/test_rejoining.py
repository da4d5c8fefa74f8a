"""A stream with a queue of its own while its message is read (RFC 6458 §8.1.20), and a look at what is next."""

from __future__ import annotations

from tests.core.rx.test_marks import Reader


def test_a_stream_that_was_taken_over_is_read_among_the_others_again() -> None:
    """What is queued for it goes behind what is queued for the others, and what comes is in order."""
    reader = Reader()
    reader.get(1, "a")
    reader.get(2, "b")
    reader.receiver.take_over(1)
    reader.get(1, "c")
    reader.get(2, "d")
    assert reader.read(1) == ["a", "c"]
    reader.get(1, "e", "f")
    reader.receiver.rejoin(1)
    reader.receiver.check_invariants()
    reader.get(1, "g")
    reader.get(2, "h")
    assert reader.read() == ["b", "d", "e", "f", "g", "h"]
    assert reader.receiver.held_bytes == 0


def test_a_stream_of_which_nothing_is_queued_rejoins() -> None:
    reader = Reader()
    reader.receiver.take_over(1)
    reader.receiver.rejoin(1)
    reader.receiver.rejoin(2)
    reader.get(1, "a")
    assert reader.read() == ["a"]


def test_one_stream_rejoins_and_another_keeps_its_queue() -> None:
    reader = Reader()
    for stream in (1, 2):
        reader.receiver.take_over(stream)
    reader.get(1, "a")
    reader.get(2, "b")
    reader.receiver.rejoin(1)
    reader.receiver.check_invariants()
    assert reader.read() == ["a"]
    assert reader.read(2) == ["b"]


def test_the_mark_of_a_reset_is_not_read_where_all_streams_are_read_as_one() -> None:
    reader = Reader()
    reader.receiver.take_over(1)
    reader.get(1, "a")
    reader.reset(1)
    reader.receiver.rejoin(1)
    reader.get(1, "b")
    assert reader.read() == ["a", "b"]
    assert reader.receiver.held_bytes == 0


def test_a_look_at_the_next_message_leaves_it() -> None:
    reader = Reader()
    assert reader.receiver.peek(None) is None
    reader.get(1, "a")
    reader.get(2, "b")
    reader.receiver.take_over(2)
    for stream, text in ((None, b"a"), (2, b"b")):
        for _ in range(2):
            message = reader.receiver.peek(stream)
            assert message is not None
            assert message.data == text
    assert reader.receiver.pending_messages == 2


def test_a_look_passes_the_mark_of_a_reset() -> None:
    reader = Reader()
    reader.get(1, "a")
    reader.reset(1)
    reader.get(1, "b")
    assert reader.receiver.read() is not None
    message = reader.receiver.peek(None)
    assert message is not None
    assert message.data == b"b"
