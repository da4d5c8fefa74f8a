"""The TSN tracker against a set of numbers, and its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.core.rx.tsns import MAX_GAP_RANGES, MAX_OFFSET, TsnTracker

CUMULATIVE = 0xFFFF_FFFD


def tracker(*offsets: int) -> TsnTracker:
    tsns = TsnTracker(CUMULATIVE)
    for offset in offsets:
        tsns.add(CUMULATIVE + offset)
        tsns.check_invariants()
    return tsns


def test_next_in_sequence_advances_the_cumulative_tsn() -> None:
    tsns = tracker(1, 2)
    assert tsns.cumulative == tsns.highest == CUMULATIVE + 2
    assert not tsns.has_gap


def test_filling_the_only_gap_advances_over_the_range_above() -> None:
    tsns = tracker(2, 3, 5)
    assert (tsns.cumulative, tsns.highest, tsns.gap_ranges) == (CUMULATIVE, CUMULATIVE + 5, 2)
    tsns.add(CUMULATIVE + 1)
    assert tsns.cumulative == CUMULATIVE + 3
    assert tsns.gap_ack_blocks(10) == [(2, 2)]


@pytest.mark.parametrize(
    ("offsets", "blocks"),
    [
        ((3,), [(3, 3)]),
        ((3, 4), [(3, 4)]),
        ((4, 3), [(3, 4)]),
        ((3, 5, 4), [(3, 5)]),
        ((9, 3, 6), [(3, 3), (6, 6), (9, 9)]),
    ],
)
def test_ranges_are_merged_and_sorted(offsets: tuple[int, ...], blocks: list[tuple[int, int]]) -> None:
    """R15: gaps as §6.7 wants them, whatever the order of arrival."""
    assert tracker(*offsets).gap_ack_blocks(10) == blocks


@pytest.mark.parametrize(
    ("removed", "blocks"),
    [(3, [(4, 6), (9, 9)]), (6, [(3, 5), (9, 9)]), (5, [(3, 4), (6, 6), (9, 9)]), (9, [(3, 6)])],
)
def test_a_tsn_taken_back_leaves_its_range(removed: int, blocks: list[tuple[int, int]]) -> None:
    tsns = tracker(3, 4, 5, 6, 9)
    tsns.remove(CUMULATIVE + removed)
    tsns.check_invariants()
    assert tsns.gap_ack_blocks(10) == blocks
    assert CUMULATIVE + removed not in tsns


def test_what_is_at_or_below_the_cumulative_tsn_was_received() -> None:
    tsns = tracker(1)
    assert CUMULATIVE in tsns
    assert CUMULATIVE + 1 in tsns
    assert CUMULATIVE + 2 not in tsns


def test_there_is_no_room_beyond_what_a_gap_offset_can_say() -> None:
    tsns = tracker()
    assert tsns.has_room_for(CUMULATIVE + MAX_OFFSET)
    assert not tsns.has_room_for(CUMULATIVE + MAX_OFFSET + 1)


def test_at_the_bound_of_ranges_only_what_opens_none_has_room() -> None:
    """A gap bomb: every second TSN."""
    tsns = tracker(*range(2, 2 * MAX_GAP_RANGES + 2, 2))
    assert tsns.gap_ranges == MAX_GAP_RANGES
    highest = 2 * MAX_GAP_RANGES
    assert not tsns.has_room_for(CUMULATIVE + highest + 2)
    assert tsns.has_room_for(CUMULATIVE + highest + 1)
    assert tsns.has_room_for(CUMULATIVE + 1)
    assert tsns.has_room_for(CUMULATIVE + 3)
    tsns.add(CUMULATIVE + 3)
    assert tsns.gap_ranges == MAX_GAP_RANGES - 1
    assert tsns.has_room_for(CUMULATIVE + highest + 2)


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=120))
def test_it_knows_what_a_set_of_numbers_knows(steps: list[tuple[int, bool]]) -> None:
    tsns = TsnTracker(CUMULATIVE)
    received: set[int] = set()
    for offset, is_taken_back in steps:
        tsn = CUMULATIVE + offset
        if is_taken_back and tsn in received and tsn > tsns.cumulative:
            tsns.remove(tsn)
            received.remove(tsn)
        elif tsn not in received and tsn > tsns.cumulative:
            tsns.add(tsn)
            received.add(tsn)
        tsns.check_invariants()
    assert all((CUMULATIVE + offset in tsns) == (CUMULATIVE + offset in received) for offset in range(1, 62))
    assert tsns.highest == max(received, default=CUMULATIVE)
