"""Gap Ack Blocks as ranges of chunk numbers (§3.3.4): never expanded into the numbers they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]
"""The first and the last number, both inside."""


def read_gap_ack_blocks(blocks: Sequence[tuple[int, int]], cumulative: int) -> list[Range]:
    """The ranges that Gap Ack Blocks acknowledge: sorted, disjoint, none touching the next.

    A block that is inverted, overlaps one before it, or starts at the TSN that the Cumulative TSN Ack says is missing
    can't be true, and is ignored; the others stand. So the first chunk outstanding is never acknowledged by a gap, and
    there is always something left for T3 to watch.
    """
    ranges: list[Range] = []
    end = cumulative + 1
    for first_offset, last_offset in sorted(blocks):
        first, last = cumulative + first_offset, cumulative + last_offset
        if first > last or first <= end:
            continue
        if ranges and first == end + 1:
            ranges[-1] = (ranges[-1][0], last)
        else:
            ranges.append((first, last))
        end = last
    return ranges


def union(ranges: Sequence[Range], others: Sequence[Range]) -> list[Range]:
    """What either of the two covers, none touching the next."""
    merged: list[Range] = []
    for first, last in sorted((*ranges, *others)):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def without(ranges: Sequence[Range], others: Sequence[Range]) -> Iterator[Range]:
    """What of the ranges no other covers. Both sorted and disjoint; linear in how many there are."""
    index = 0
    for first, last in ranges:
        while index < len(others) and others[index][1] < first:
            index += 1
        ahead = index
        while ahead < len(others) and others[ahead][0] <= last:
            if first < others[ahead][0]:
                yield first, others[ahead][0] - 1
            first = others[ahead][1] + 1
            ahead += 1
        index = max(index, ahead - 1)
        if first <= last:
            yield first, last
