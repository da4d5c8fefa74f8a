"""When the turn of a stream ends (RFC 8260 §3.2, §3.3): at a message's end, also when the message is abandoned."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import Outgoing
from aiosctp.core.tx.schedulers import SCHEDULERS, Scheduler, StreamValues
from aiosctp.core.tx.turns import ByShare


def message(stream: int, size: int) -> Outgoing:
    return bytes(size), stream, 0, False, 0, False, None


def waiting(name: str, *messages: Outgoing) -> Scheduler:
    scheduler = SCHEDULERS[name](StreamValues(interleaves=False))
    for each in messages:
        scheduler.add(each)
    return scheduler


def stream_of(scheduler: Scheduler) -> int | None:
    first = scheduler.first()
    return None if first is None else first[1]


def test_a_turn_that_a_packet_ended_in_ends_with_its_message() -> None:
    """§3.3: with DATA, large messages whose ends never fall on that of a packet would keep all others waiting."""
    scheduler = waiting("rr_packet", message(1, 150), message(1, 150), message(2, 50))
    scheduler.sent(100, is_whole=False)
    scheduler.packet_ended()
    assert stream_of(scheduler) == 1
    scheduler.sent(50, is_whole=True)
    assert stream_of(scheduler) is None, "the packet is of one stream, whose turn is over"
    scheduler.add(message(1, 10))
    assert stream_of(scheduler) is None
    scheduler.packet_ended()
    assert stream_of(scheduler) == 2


def test_messages_of_one_packet_are_one_turn() -> None:
    scheduler = waiting("rr_packet", message(1, 20), message(1, 20), message(2, 50))
    scheduler.sent(20, is_whole=True)
    assert stream_of(scheduler) == 1
    scheduler.sent(20, is_whole=True)
    assert stream_of(scheduler) is None
    scheduler.add(message(1, 20))
    assert stream_of(scheduler) == 1, "its turn goes on until the packet ends"
    scheduler.packet_ended()
    assert stream_of(scheduler) == 2


@pytest.mark.parametrize("name", ["rr", "rr_packet", "priority", "fair", "weighted"])
@pytest.mark.parametrize("has_more", [False, True])
def test_the_turn_ends_with_a_message_that_is_abandoned_when_a_packet_has_ended(name: str, has_more: bool) -> None:
    """Else nothing would be sent until another packet ends, or its stream would have two turns."""
    scheduler = waiting(name, message(1, 150), message(2, 50))
    if has_more:
        scheduler.add(message(1, 150))
    scheduler.sent(100, is_whole=False)
    scheduler.packet_ended()
    scheduler.drop()
    assert stream_of(scheduler) == 2


@pytest.mark.parametrize("has_more", [False, True])
def test_a_packet_of_one_stream_ends_with_a_message_that_is_abandoned_in_it(has_more: bool) -> None:
    """Where it was begun in an earlier one: that turn is over."""
    scheduler = waiting("rr_packet", message(1, 150), message(2, 50))
    if has_more:
        scheduler.add(message(1, 150))
    scheduler.sent(100, is_whole=False)
    scheduler.packet_ended()
    scheduler.sent(20, is_whole=False)
    scheduler.drop()
    assert stream_of(scheduler) is None
    scheduler.packet_ended()
    assert stream_of(scheduler) == 2


def test_who_joins_amid_a_long_turn_does_not_make_up_for_what_was_sent_before() -> None:
    """RFC 8260 §3.5: a stream's share is of what is sent while it has something to send."""
    turns = ByShare(lambda stream: 1)
    turns.join(1)
    turns.over(1, 1_000_000, has_more=True)
    assert turns.first() == 1  # its next message is under way
    turns.join(2)
    turns.over(1, 1000, has_more=True)
    sent_bytes = {1: 0, 2: 0}
    for _ in range(20):
        stream = turns.first()
        sent_bytes[stream] += 1000
        turns.over(stream, 1000, has_more=True)
    assert abs(sent_bytes[1] - sent_bytes[2]) <= 2000
