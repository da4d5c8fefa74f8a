"""A peer that takes back what it has acknowledged by Gap Ack Blocks (§6.2.1 D iii), again and again."""

from __future__ import annotations

from aiosctp.core.tx.outstanding import MAX_TAKEN_BACK
from aiosctp.wire.chunks import Sack
from tests.core.laws import check_association
from tests.core.many_outstanding import with_outstanding, z_tsn
from tests.core.scripted import A_RWND, Peer
from tests.core.work import assert_constant, instructions, take


def acknowledge_and_take_back(peer: Peer, count: int, times: int) -> None:
    """SACKs that acknowledge all chunks outstanding but the first, and SACKs that take them back."""
    given = take(peer, Sack(z_tsn(peer, -1), A_RWND, ((2, count),)))
    taken_back = take(peer, Sack(z_tsn(peer, -1), A_RWND))
    for _ in range(times):
        given()
        taken_back()


def until_nothing_is_believed(peer: Peer, count: int) -> None:
    acknowledge_and_take_back(peer, count, MAX_TAKEN_BACK // (count - 1) + 1)


def test_a_window_that_is_taken_back_whole_is_in_flight_again() -> None:
    """X38: however large, when it is done once: a receiver that ran out of memory."""
    peer = with_outstanding(2000)
    flight = peer.path("192.0.2.1").flight_bytes
    acknowledge_and_take_back(peer, 2000, 1)
    assert peer.path("192.0.2.1").flight_bytes == flight
    take(peer, Sack(z_tsn(peer, -1), A_RWND, ((2, 2000),)))()
    assert peer.path("192.0.2.1").flight_bytes == flight // 2000
    check_association(peer.association)


def test_who_takes_back_ever_more_is_not_believed_any_longer() -> None:
    """X38, X52: its Gap Ack Blocks cost then what their bytes cost, however much is outstanding."""

    def cost(count: int) -> int:
        peer = with_outstanding(count)
        until_nothing_is_believed(peer, count)
        flight = peer.path("192.0.2.1").flight_bytes
        total = instructions(lambda: acknowledge_and_take_back(peer, count, 10))
        assert peer.path("192.0.2.1").flight_bytes == flight
        check_association(peer.association)
        return total

    assert_constant(cost, 1000)


def test_what_it_acknowledges_for_good_is_believed_and_wins_belief_back() -> None:
    """X38: so much as it acknowledges for good it may take back again: no association is stuck in disbelief."""
    peer = with_outstanding(1001)
    until_nothing_is_believed(peer, 1001)
    outstanding = peer.association.sender.outstanding
    take(peer, Sack(z_tsn(peer, -1), A_RWND, ((2, 1001),)))()
    assert outstanding.gaps == []
    take(peer, Sack(z_tsn(peer, 499), A_RWND))()
    take(peer, Sack(z_tsn(peer, 499), A_RWND, ((2, 501),)))()
    assert outstanding.gaps == [(outstanding.cumulative + 2, outstanding.cumulative + 501)]
    take(peer, Sack(z_tsn(peer, 1000), A_RWND))()
    assert peer.association.sender.is_drained
    check_association(peer.association)


def test_gap_ack_blocks_that_are_not_believed_still_end_an_association_that_they_break() -> None:
    """G65, X52: §12.4: a TSN that was never sent is acknowledged."""
    peer = with_outstanding(1001)
    until_nothing_is_believed(peer, 1001)
    take(peer, Sack(z_tsn(peer, -1), A_RWND, ((2, 1002),)))()
    assert peer.association.ending is not None
