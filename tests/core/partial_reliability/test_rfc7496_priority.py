"""RFC 7496 §3.2: the Priority Policy, and §4.3, §4.4: how much was abandoned."""

from __future__ import annotations

import pytest

from tests.core.partial_reliability.script import ORDERED_0, PAYLOAD, Script, established, forward_tsns_of

SIZE = 1000
RELIABLE = None
"""The priority of a message that is not sent with the policy: "higher than all messages sent with the Priority
Policy"."""


def with_queued(*priorities: int | None, streams: tuple[int, ...] = (0,)) -> Script:
    """The window is full of reliable messages; behind them these wait, the streams taking turns. Contexts from 1."""
    peer = established()
    peer.fills_the_window(None)
    for n, priority in enumerate(priorities):
        peer.queue(SIZE, stream=streams[n % len(streams)], buffer_priority=priority, context=n + 1)
    assert peer.touch() == []
    return peer


def needs_room(peer: Script, wanted_bytes: int, priority: int | None, stream: int | None = None) -> list[int]:
    """A message of this priority lacks so many bytes of the send buffer; the contexts of what is abandoned for it."""
    before = len(peer.failures())
    held = peer.association.sender.buffered_bytes
    freed = peer.association.sender.make_room(wanted_bytes, priority, stream)
    assert freed == held - peer.association.sender.buffered_bytes
    peer.touch()
    return [failure.context for failure in peer.failures()[before:]]


def test_a_message_of_lower_priority_makes_room() -> None:
    """S04: "MAY abandon other user message(s) of the same SCTP association ... with a priority lower than the provided
    one"; §4.2: "The value of zero is the highest priority, and larger numbers ... denote lower priorities"."""
    peer = with_queued(5)
    assert needs_room(peer, SIZE, 4) == [1]
    (failure,) = peer.failures()
    assert (failure.data, failure.was_sent, failure.error) == (bytes(SIZE), False, 0)


@pytest.mark.parametrize("priority", [5, 6, 2**32 - 1])
def test_none_of_the_same_or_a_higher_priority_does(priority: int) -> None:
    """S04: "a priority lower than the provided one"."""
    peer = with_queued(5, 3, 0)
    assert needs_room(peer, SIZE, priority) == []


@pytest.mark.parametrize("priority", [RELIABLE, 0, 7])
def test_a_reliable_message_is_never_abandoned(priority: int | None) -> None:
    """S04: "User messages sent reliably are considered to have a priority higher than all messages sent with the
    Priority Policy"."""
    peer = with_queued(RELIABLE, RELIABLE)
    assert needs_room(peer, SIZE, priority) == []


def test_a_reliable_one_takes_the_room_of_all_others() -> None:
    """S04: likewise."""
    peer = with_queued(RELIABLE, 0)
    assert needs_room(peer, SIZE, RELIABLE) == [2]


def test_the_lowest_priority_goes_first_and_no_more_than_is_needed() -> None:
    """S04: the algorithm is "implementation specific": here what matters least."""
    peer = with_queued(3, 9, 5, 9)
    assert set(needs_room(peer, SIZE, 1)) < {2, 4}
    assert len(peer.failures()) == 1
    assert needs_room(peer, SIZE + 1, 1) != []
    assert {failure.context for failure in peer.failures()} == {2, 4, 3}
    assert needs_room(peer, 1, 1) == [1]


def test_messages_of_other_streams_make_room() -> None:
    """S04: "(with the same or a different stream)"."""
    peer = with_queued(5, 5, 5, streams=(1, 2, 3))
    assert sorted(needs_room(peer, 3 * SIZE, 0)) == [1, 2, 3]


def test_where_a_streams_room_lacks_only_its_own_make_it() -> None:
    """S04: what another stream holds would not help."""
    peer = with_queued(9, 5, streams=(1, 2))
    assert needs_room(peer, SIZE, 0, stream=2) == [2]
    assert needs_room(peer, SIZE, 0, stream=3) == []


def test_where_not_enough_can_be_made_no_reliable_message_goes() -> None:
    """S04: what is said is how much became free, which is less than was lacking."""
    peer = with_queued(5, RELIABLE, 6)
    assert 2 not in needs_room(peer, 2 * SIZE + 1, 0)
    assert 2 not in needs_room(peer, 2 * SIZE, 0)
    assert needs_room(peer, 3 * SIZE, 0) == [], "none is left"


def test_messages_of_other_policies_are_not_touched() -> None:
    """S04: "lower-priority messages": who has no priority has none that is lower."""
    peer = established()
    peer.fills_the_window(None)
    peer.queue(SIZE, lifetime=1000.0)
    peer.queue(SIZE, max_retransmits=0)
    peer.touch()
    assert needs_room(peer, SIZE, 0) == []


def test_what_waits_behind_it_goes_on() -> None:
    """S04: no TSN, no hole, no FORWARD TSN."""
    peer = established()
    sent = peer.fills_the_window(None)
    peer.queue(b"less", buffer_priority=9)
    peer.queue(b"more", buffer_priority=1)
    peer.touch()
    assert needs_room(peer, 4, 0) == [0]
    packets = peer.sacks(sent - 1)
    assert peer.sent(packets) == [sent]
    assert forward_tsns_of(peer.heard) == []


def test_a_message_that_is_half_sent_may_make_room() -> None:
    """S04, X07: then a FORWARD TSN passes it, and what is not sent yet never is."""
    peer = established()
    peer.z_sends(10 * PAYLOAD, buffer_priority=5)
    begun = peer.sent(peer.heard)
    assert peer.association.sender.make_room(SIZE, 4, None) >= SIZE
    packets = peer.touch() + peer.wait(1.0)
    assert set(peer.forwards(packets)) == {(begun[-1] + 1, ORDERED_0)}
    assert peer.sent(packets) == []
    (failure,) = peer.failures()
    assert failure.was_sent


def test_what_the_peer_has_acknowledged_makes_no_room() -> None:
    """S04: it holds none, and has not failed."""
    peer = established()
    peer.z_sends(SIZE, buffer_priority=5)
    peer.sacks(0)
    assert needs_room(peer, SIZE, 0) == []
    assert peer.wait(30.0) == []


# -- §4.3, §4.4 --


def test_each_abandoned_message_is_counted_once_by_its_stream() -> None:
    """S05: "each abandoned user message is counted in either sprstat_abandoned_unsent or sprstat_abandoned_sent", for
    the stream and for the association."""
    peer = established()
    peer.z_sends(100, stream=1, max_retransmits=0)
    peer.z_sends(100, stream=2, lifetime=0.5)
    peer.fills_the_window(None)
    peer.queue(100, stream=1, lifetime=0.5)
    peer.queue(100, stream=1, buffer_priority=1)
    peer.queue(100, stream=3)
    peer.touch()
    assert peer.association.sender.make_room(100, 0, None) == 100
    peer.touch()
    peer.wait(1.5)
    sender = peer.association.sender
    assert sender.abandoned_counts(1) == (2, 1)
    assert sender.abandoned_counts(2) == (0, 1)
    assert sender.abandoned_counts(3) == (0, 0)
    assert sender.abandoned_counts() == (2, 2)
    counters = peer.association.take_counters()
    assert (counters.abandoned_unsent, counters.abandoned_sent) == (2, 2)
    assert len(peer.failures()) == 4


def test_a_message_half_sent_is_counted_as_sent() -> None:
    """S05: "reported in the sprstat_abandoned_sent counter as soon as at least one fragment of it has been sent"."""
    peer = established()
    peer.z_sends(10 * PAYLOAD, lifetime=0.5)
    peer.wait(1.0)
    assert peer.association.sender.abandoned_counts() == (0, 1)


def test_nothing_is_counted_that_was_not_abandoned() -> None:
    peer = established()
    peer.z_sends(100, lifetime=0.5, max_retransmits=None)
    peer.sacks(0)
    peer.z_sends(100)
    peer.wait(1.0)
    peer.user_aborts()
    assert peer.association.sender.abandoned_counts() == (0, 0)


def sent_by_rising_priorities(peer: Script) -> int:
    """Each message takes the room of the one before, while A says nothing: how many are sent."""
    sent = 0
    for priority in range(20, 0, -1):
        peer.association.sender.make_room(SIZE, priority, None)
        sent += len(peer.sent(peer.z_sends(SIZE, buffer_priority=priority)))
    return sent


def test_what_was_abandoned_in_flight_makes_no_room_in_the_congestion_window() -> None:
    """S04: RFC 3758 §1: "PR-SCTP employs the same congestion control"; §6.1 B. It is in the network still, and nobody
    knows whether it gets through: who goes on abandoning would send without end."""
    peer = established()
    cwnd = peer.path(peer.addresses[0]).congestion.cwnd
    assert 0 < (sent_by_rising_priorities(peer) - 1) * SIZE <= cwnd
    assert len(forward_tsns_of(peer.heard)) >= 1


def test_once_the_peer_has_taken_the_forward_tsn_there_is_room_again() -> None:
    """S04: likewise."""
    peer = established()
    first = sent_by_rising_priorities(peer)
    assert len(peer.sent(peer.sacks(first - 1))) >= 1


def test_once_t3_has_expired_there_is_room_again() -> None:
    """S04: §7.2.3: what it was for counts as lost, whichever it was."""
    peer = established()
    sent_by_rising_priorities(peer)
    assert len(peer.sent(peer.wait(1.0))) == 1


def test_what_is_retransmitted_does_not_wait_for_what_was_abandoned() -> None:
    """S04: a FORWARD TSN may have to wait for it: were it the other way round too, nothing would ever be sent."""
    peer = established()
    (first,) = peer.sent(peer.z_sends(SIZE, buffer_priority=9))
    (second,) = peer.sent(peer.z_sends(SIZE))
    assert peer.sent(peer.wait(1.0)) == [first]
    peer.association.sender.make_room(SIZE, 0, None)
    assert peer.sent(peer.touch()) == [second]
