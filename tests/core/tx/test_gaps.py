"""Gap Ack Blocks as ranges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiosctp.core.tx.gaps import Range, read_gap_ack_blocks, without


def test_blocks_become_ranges_in_order_and_adjacent_ones_one() -> None:
    assert read_gap_ack_blocks([(7, 8), (2, 3), (4, 4)], 100) == [(102, 104), (107, 108)]


def test_a_block_that_cannot_be_true_is_ignored_and_the_others_stand() -> None:
    """R17: inverted, overlapping, at the Cumulative TSN Ack, at the TSN it says is missing."""
    blocks = [(0, 3), (1, 1), (3, 2), (5, 6), (6, 9), (12, 12)]
    assert read_gap_ack_blocks(blocks, 100) == [(105, 106), (112, 112)]


def test_a_block_over_all_65535_offsets_is_one_range() -> None:
    assert read_gap_ack_blocks([(2, 65535)] * 100, 0) == [(2, 65535)]


numbers = st.sets(st.integers(0, 40))


def ranges(chosen: set[int]) -> list[Range]:
    found: list[Range] = []
    for number in sorted(chosen):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


@given(numbers, numbers)
def test_without_is_the_difference_of_sets(ours: set[int], others: set[int]) -> None:
    left = without(ranges(ours), ranges(others))
    assert [number for first, last in left for number in range(first, last + 1)] == sorted(ours - others)
