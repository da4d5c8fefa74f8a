"""RFC 6525 §5.2.2: the peer resets its outgoing streams."""

from __future__ import annotations

from itertools import permutations

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import StreamReset
from aiosctp.wire.chunks import Data, ReConfig, Sack
from aiosctp.wire.reconfig import ReconfigurationResponse
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    BAD_SEQUENCE_NUMBER,
    IN_PROGRESS,
    PERFORMED,
    QUIET,
    REQUEST_IN_PROGRESS,
    STREAMS,
    WRONG_SSN,
    Script,
    established,
    number,
    outgoing_of,
    reconfigs_of,
    results_of,
)
from tests.core.scripted import chunks_of


def test_the_streams_listed_begin_at_zero_and_no_others() -> None:
    """P08, S06: E3: "only these ... MUST be reset to 0, and all other non-listed SSNs remain unchanged"."""
    peer = established()
    peer.a_uses(1, 2, 3)
    request = peer.outgoing(3, 1)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]
    for stream, ssn in ((1, 0), (2, 2), (3, 0)):
        peer.says(b"after", stream, ssn)
    assert peer.reads() == [(1, b"after"), (2, b"after"), (3, b"after")]
    assert [(set(event.incoming), list(event.outgoing)) for event in peer.events_of(StreamReset)] == [({1, 3}, [])]


def test_none_listed_are_all() -> None:
    """P08, S06: E3: "then all incoming streams MUST be reset to 0 as the next expected SSN"."""
    peer = established()
    peer.a_uses(*range(STREAMS))
    request = peer.outgoing()
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]
    for stream in range(STREAMS):
        peer.says(b"after", stream, 0)
    assert peer.reads() == [(stream, b"after") for stream in range(STREAMS)]
    (event,) = peer.events_of(StreamReset)
    assert list(event.incoming) == list(range(STREAMS))


def test_what_was_not_reset_goes_on_as_before() -> None:
    """S06: an SSN of before on a stream that was reset waits for those before it; it is another life's."""
    peer = established()
    peer.a_uses(1)
    peer.ask(peer.outgoing(1))
    peer.says(b"two", 1, 2)
    assert peer.reads() == []
    peer.says(b"zero", 1, 0)
    peer.says(b"one", 1, 1)
    assert peer.reads() == [(1, b"zero"), (1, b"one"), (1, b"two")]


@pytest.mark.parametrize("streams", [(STREAMS,), (0xFFFF,), (1, STREAMS), (STREAMS, 1)], ids=str)
def test_a_stream_out_of_range_is_a_wrong_ssn(streams: tuple[int, ...]) -> None:
    """P11, S06, X53: Table 3, 3; and none of those listed with it is reset."""
    peer = established()
    peer.a_uses(1)
    request = peer.outgoing(*streams)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, WRONG_SSN)]
    peer.says(b"third", 1, 2)
    assert peer.reads() == [(1, b"third")]
    assert peer.events_of(StreamReset) == []


def test_a_stream_listed_twice_is_reset_once() -> None:
    """P08, X49: a list of one stream, thousands of times."""
    peer = established()
    peer.a_uses(1)
    request = peer.outgoing(*[1] * 10_000)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]
    peer.says(b"after", 1, 0)
    assert peer.reads() == [(1, b"after")]
    (event,) = peer.events_of(StreamReset)
    assert set(event.incoming) == {1}
    assert len(event.incoming) <= STREAMS


def test_a_stream_never_used_may_be_reset() -> None:
    """S06: it is at 0 already."""
    peer = established()
    request = peer.outgoing(4)
    assert results_of(peer.ask(request))[0][1] in (0, PERFORMED)
    peer.says(b"first", 4, 0)
    assert peer.reads() == [(4, b"first")]


def test_unread_messages_of_before_stay_in_order() -> None:
    """S06: what was received whole before the reset is read before what came after."""
    peer = established()
    peer.says(b"old zero", 1, 0)
    peer.says(b"old one", 1, 1)
    peer.ask(peer.outgoing(1))
    peer.says(b"new zero", 1, 0)
    assert peer.reads() == [(1, b"old zero"), (1, b"old one"), (1, b"new zero")]


# -- deferred reset processing (E2) --


class Deferred:
    """A sent `old` [stream 1, SSN 2 to 4], of which some have not come when its reset of streams 1 and 3 has."""

    def __init__(self, *streams: int, arrived: tuple[int, ...] = (1, 2)) -> None:
        self.peer = established()
        self.peer.a_uses(1, 2, 3)
        self.old = [self.peer.data(b"old %d" % n, 1, 2 + n) for n in range(3)]
        self.last_assigned_tsn = self.peer.cumulative_tsn
        for n in arrived:
            self.peer.send(self.old[n])
        self.request = self.peer.outgoing(*(streams or (1, 3)))
        self.answers = self.peer.ask(self.request)

    @property
    def number(self) -> int:
        return self.request.request_sequence_number

    def late(self) -> list[tuple[int, int]]:
        """What is missing comes; the answers."""
        return results_of(self.peer.send(*self.old))


def test_a_reset_ahead_of_its_data_is_in_progress() -> None:
    """P11, S06, X06: E2: "it MUST put a Re-configuration Response Parameter ... indicating "In progress" and MUST
    send"."""
    deferred = Deferred()
    assert reconfigs_of(deferred.answers) == [ReConfig((ReconfigurationResponse(deferred.number, IN_PROGRESS),))]
    assert len(ReconfigurationResponse(deferred.number, IN_PROGRESS).encode()) == 12
    assert chunks_of(deferred.answers, Sack)[0].gap_ack_blocks == ((2, 3),)
    assert deferred.peer.events_of(StreamReset) == []


@pytest.mark.parametrize("unordered", [False, True])
def test_data_of_after_is_held_until_the_reset(unordered: bool) -> None:
    """P08, S06: E2: "any data arriving with a TSN larger than the Sender's Last Assigned TSN for the affected stream(s)
    MUST be queued locally and held"; E4: "MUST now be released and processed normally"."""
    deferred = Deferred()
    peer = deferred.peer
    peer.says(b"new zero", 1, 0, unordered=unordered)
    peer.says(b"new one", 1, 1, unordered=unordered)
    peer.says(b"on three", 3, 0, unordered=unordered)
    assert peer.reads() == []
    # E5: "indicating successful processing", when the cumulative point has come there
    assert deferred.late() == [(deferred.number, PERFORMED)]
    read = peer.reads()
    assert [data for stream, data in read if stream == 1] == [b"old 0", b"old 1", b"old 2", b"new zero", b"new one"]
    assert [data for stream, data in read if stream == 3] == [b"on three"]
    assert len(peer.events_of(StreamReset)) == 1
    check_association(peer.association)


def test_other_streams_are_not_held() -> None:
    """P08, S06: E2: only "for the affected stream(s)"."""
    deferred = Deferred()
    peer = deferred.peer
    peer.says(b"third", 2, 2)
    peer.says(b"at once", 4, 0, unordered=True)
    assert peer.reads() == [(2, b"third"), (4, b"at once")]


def test_all_streams_are_held_when_none_is_listed() -> None:
    """P08, S06: E2, E3: all of them are affected."""
    peer = established()
    peer.a_uses(1, 2)
    late = peer.data(b"late", 1, 2)
    request = peer.outgoing()
    peer.ask(request)
    peer.says(b"new", 2, 0)
    peer.says(b"new", 5, 0)
    assert peer.reads() == []
    assert results_of(peer.send(late)) == [(request.request_sequence_number, PERFORMED)]
    assert sorted(peer.reads()) == [(1, b"late"), (2, b"new"), (5, b"new")]


def test_what_was_sent_before_is_delivered_while_it_is_deferred() -> None:
    """P08, S06: a TSN no larger than the last assigned is of before, under the old SSNs."""
    deferred = Deferred(arrived=())
    peer = deferred.peer
    peer.send(deferred.old[0])
    assert peer.reads() == [(1, b"old 0")]
    peer.send(deferred.old[1])
    assert peer.reads() == [(1, b"old 1")]
    assert results_of(peer.send(deferred.old[2])) == [(deferred.number, PERFORMED)]
    assert peer.reads() == [(1, b"old 2")]


def test_the_reset_waits_for_the_last_assigned_tsn_and_not_for_more() -> None:
    """P08, S06: "until the cumulative acknowledgment point reaches the Sender's Last Assigned TSN": a gap after it does
    not matter."""
    deferred = Deferred(arrived=(0,))
    peer = deferred.peer
    lost = peer.data(b"lost, new", 2, 2)
    peer.says(b"new", 1, 0)
    peer.send(deferred.old[1])
    assert results_of(peer.heard)[-1] == (deferred.number, IN_PROGRESS)
    assert results_of(peer.send(deferred.old[2])) == [(deferred.number, PERFORMED)]
    assert [data for stream, data in peer.reads() if stream == 1] == [b"old 0", b"old 1", b"old 2", b"new"]
    peer.send(lost)
    assert peer.reads() == [(2, b"lost, new")]


def test_data_of_another_stream_defers_it_too() -> None:
    """P08, S06: it is the cumulative acknowledgment point that counts, of all streams."""
    peer = established()
    peer.a_uses(1, 2)
    lost = peer.data(b"lost", 2, 2)
    request = peer.outgoing(1)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, IN_PROGRESS)]
    peer.says(b"new", 1, 0)
    assert peer.reads() == []
    assert results_of(peer.send(lost)) == [(request.request_sequence_number, PERFORMED)]
    assert sorted(peer.reads()) == [(1, b"new"), (2, b"lost")]


def test_a_retransmission_says_in_progress_until_it_is_performed() -> None:
    """S06: §5.2.1: the answer that it had, or has by now."""
    deferred = Deferred()
    peer = deferred.peer
    for _ in range(3):
        assert results_of(peer.ask(deferred.request)) == [(deferred.number, IN_PROGRESS)]
    deferred.late()
    for _ in range(3):
        assert results_of(peer.ask(deferred.request)) == [(deferred.number, PERFORMED)]
    assert len(peer.events_of(StreamReset)) == 1


def test_held_data_is_acknowledged_as_any() -> None:
    """S06: E2 holds it back from the user, not from the peer."""
    deferred = Deferred()
    sacks = chunks_of(deferred.peer.says(b"new", 1, 0), Sack)
    assert sacks[0].gap_ack_blocks == ((2, 4),)


def test_held_data_sent_twice_is_delivered_once() -> None:
    """S06: a duplicate of what is held."""
    deferred = Deferred()
    peer = deferred.peer
    held = peer.data(b"new", 1, 0)
    for _ in range(3):
        peer.send(held)
    deferred.late()
    assert [data for _, data in peer.reads()].count(b"new") == 1


# A1 has A wait for our answer: what is of after it comes no sooner than the request, which is 2.
ORDERS = [order for order in permutations(range(5)) if order.index(2) < min(order.index(3), order.index(4))]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join(map(str, order)))
def test_data_of_before_and_after_in_any_order(order: tuple[int, ...]) -> None:
    """P08, S06, X54: a reset never loses or mixes what is of before and of after it."""
    peer = established()
    peer.a_uses(1)
    old = [peer.data(b"old %d" % n, 1, 2 + n) for n in range(2)]
    request = peer.outgoing(1)
    new = [peer.data(b"new %d" % n, 1, n) for n in range(2)]
    things: list[Data | ReConfig] = [*old, ReConfig((request,)), *new]
    for each in order:
        peer.send(things[each])
    packets = peer.ask(request)
    assert results_of(packets) == [(request.request_sequence_number, PERFORMED)]
    assert [data for _, data in peer.reads()] == [b"old 0", b"old 1", b"new 0", b"new 1"]
    assert peer.state is AssociationState.ESTABLISHED
    check_association(peer.association)


def test_a_message_in_fragments_across_the_reset() -> None:
    """S06: fragments of before are put together from before, those of after from after."""
    peer = established()
    first, last = (
        Data(peer.next_tsn, 1, 0, 0, b"old, ", ending=False),
        Data(number(peer.next_tsn, 1), 1, 0, 0, b"whole", beginning=False),
    )
    peer.next_tsn = number(peer.next_tsn, 2)
    peer.send(last)
    request = peer.outgoing(1)
    peer.ask(request)
    peer.send(Data(peer.next_tsn, 1, 0, 0, b"new, ", ending=False))
    peer.send(Data(number(peer.next_tsn, 1), 1, 0, 0, b"whole", beginning=False))
    assert peer.reads() == []
    assert results_of(peer.send(first)) == [(request.request_sequence_number, PERFORMED)]
    assert peer.reads() == [(1, b"old, whole"), (1, b"new, whole")]
    check_association(peer.association)


def test_while_one_is_deferred_another_is_not_begun() -> None:
    """P11, S06, X49: Table 3, 4: "Request already in progress"."""
    deferred = Deferred()
    peer = deferred.peer
    second = peer.outgoing(2)
    assert results_of(peer.ask(second)) == [(second.request_sequence_number, REQUEST_IN_PROGRESS)]
    assert deferred.late() == [(deferred.number, PERFORMED)]


def test_a_request_of_ours_is_answered_while_theirs_is_deferred() -> None:
    """S06: the two directions have nothing to do with each other."""
    deferred = Deferred()
    peer = deferred.peer
    peer.z_uses(5)
    request, packets = peer.resets(5)
    (ours,) = outgoing_of(packets)
    assert ours.response_sequence_number == deferred.number
    peer.answer(ours)
    assert request.outcome is not None
    assert deferred.late() == [(deferred.number, PERFORMED)]


# -- the last assigned TSN --


@pytest.mark.parametrize("off", [0, -1, -1000, -0x7FFF_FFFF], ids=str)
def test_a_last_assigned_tsn_of_the_past_is_reached(off: int) -> None:
    """P08: E2: not "greater than the cumulative acknowledgment point": at once."""
    peer = established()
    peer.a_uses(1)
    request = peer.outgoing(1, last_assigned_tsn=number(peer.cumulative_tsn, off))
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]


@pytest.mark.parametrize("off", [1, 1000, 0x7FFF_FFFF], ids=str)
def test_a_last_assigned_tsn_of_the_future_is_waited_for(off: int) -> None:
    """P08, X42: E2: by serial number arithmetic."""
    peer = established()
    peer.a_uses(1)
    request = peer.outgoing(1, last_assigned_tsn=number(peer.cumulative_tsn, off))
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, IN_PROGRESS)]


def test_a_last_assigned_tsn_half_way_round_does_no_harm() -> None:
    """P08, X42: RFC 1982 orders it neither way: any answer, and a living association."""
    peer = established()
    peer.a_uses(1)
    request = peer.outgoing(1, last_assigned_tsn=number(peer.cumulative_tsn, 0x8000_0000))
    assert [number for number, _ in results_of(peer.ask(request))] == [request.request_sequence_number]
    check_association(peer.association)


# -- bounds --


def test_what_is_held_is_charged_to_the_window() -> None:
    """X33: deferred for ever, and fed: no more is held than the window takes, and the peer is told."""
    window = 64 * 1024
    peer = established(QUIET.replace(receive_window_bytes=window))
    peer.next_tsn = number(peer.next_tsn, 1)
    peer.ask(peer.outgoing(1))
    for n in range(500):
        peer.says(bytes(1000), 1, n)
        assert peer.association.receiver.held_bytes <= window + 2 * 1000
    assert chunks_of(peer.heard, Sack)[-1].a_rwnd < 2000
    assert peer.reads() == []
    check_association(peer.association)


def test_unordered_data_is_charged_to_the_window_too() -> None:
    """X33: what is held without an order as well."""
    window = 64 * 1024
    peer = established(QUIET.replace(receive_window_bytes=window))
    peer.next_tsn = number(peer.next_tsn, 1)
    peer.ask(peer.outgoing())
    for n in range(500):
        peer.says(bytes(1000), n % STREAMS, 0, unordered=True)
        assert peer.association.receiver.held_bytes <= window + 2 * 1000
    check_association(peer.association)


def test_a_window_full_of_held_data_does_not_keep_the_missing_chunk_out() -> None:
    """X33, X54: §6.2 of RFC 9260: the next in sequence is taken, and then all goes on."""
    peer = established(QUIET.replace(receive_window_bytes=16 * 1024))
    missing = peer.data(b"missing", 1, 0)
    request = peer.outgoing(1)
    peer.ask(request)
    held = [peer.data(bytes(1000), 1, n) for n in range(40)]
    for chunk in held:
        peer.send(chunk)
    assert results_of(peer.send(missing)) == [(request.request_sequence_number, PERFORMED)]
    read = [data for _, data in peer.reads()]
    for chunk in held:
        peer.send(chunk)
        read += [data for _, data in peer.reads()]
    assert read == [b"missing"] + [bytes(1000)] * 40
    check_association(peer.association)


def test_a_flood_of_requests_while_one_is_deferred() -> None:
    """X49: a thousand others: an answer each and nothing kept; the first is still performed."""
    deferred = Deferred()
    peer = deferred.peer
    for n in range(1000):
        peer.next_request = number(deferred.number, 1 + n)
        packets = peer.ask(peer.outgoing(1 + n % 3))
        assert len(packets) <= 1
        assert {result for _, result in results_of(packets)} <= {REQUEST_IN_PROGRESS, BAD_SEQUENCE_NUMBER}
    check_association(peer.association)
    assert deferred.late() == [(deferred.number, PERFORMED)]
    assert len(peer.events_of(StreamReset)) == 1


def first_and_last(peer: Script) -> tuple[bytes, bytes]:
    read = [data for _, data in peer.reads()]
    return read[0], read[-1]


def test_many_resets_in_a_row_keep_nothing() -> None:
    """X49, X46: two thousand of them, with a message between each two: each in its order, and nothing is left."""
    peer = established()
    for n in range(2000):
        peer.says(b"%d" % n, 1, 0)
        peer.ask(peer.outgoing(1))
        if n % 100 == 99:
            assert first_and_last(peer) == (b"%d" % (n - 99), b"%d" % n)
            peer.heard.clear()
            peer.events.clear()
    assert peer.association.receiver.held_bytes == 0
    check_association(peer.association)
