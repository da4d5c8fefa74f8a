"""Which TSNs have come: the cumulative one, and the ranges above it (§6.2, §6.7)."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from aiosctp.core.nothing import NO_LIST

# §3.3.4: an offset in a Gap Ack Block has 16 bits. What comes from further ahead could not be acknowledged.
MAX_OFFSET: Final = 0xFFFF
# A SACK of 1500 bytes names 365 ranges. A peer that makes us keep this many has lost every second packet of 6 MB, or
# wants to cost us work; the TSN that would open one more is dropped and comes again once gaps have been filled.
MAX_GAP_RANGES: Final = 2048


class TsnTracker:
    """The TSNs received, as whole numbers that never wrap: their low 32 bits are the TSN.

    Above `cumulative` they are kept as ranges that are sorted, apart by at least one missing TSN, and at most
    MAX_GAP_RANGES plus as many as reneging has split off. A look-up is a bisection.
    """

    __slots__ = ("_ends", "_starts", "cumulative")

    def __init__(self, cumulative: int) -> None:
        self.cumulative: int = cumulative
        self._starts: list[int] = NO_LIST
        self._ends: list[int] = NO_LIST

    def __contains__(self, tsn: int) -> bool:
        if tsn <= self.cumulative:
            return True
        index = bisect_right(self._starts, tsn) - 1
        return index >= 0 and tsn <= self._ends[index]

    @property
    def has_gap(self) -> bool:
        return bool(self._starts)

    @property
    def highest(self) -> int:
        return self._ends[-1] if self._ends else self.cumulative

    @property
    def gap_ranges(self) -> int:
        return len(self._starts)

    def has_room_for(self, tsn: int) -> bool:
        """Whether a TSN not received yet can be noted. The next in sequence always can, so the ranges get fewer."""
        if tsn - self.cumulative > MAX_OFFSET:
            return False
        if len(self._starts) < MAX_GAP_RANGES or tsn == self.cumulative + 1:
            return True
        return tsn - 1 in self or tsn + 1 in self

    def add(self, tsn: int) -> None:
        """Note a TSN not received yet."""
        starts, ends = self._starts, self._ends
        if tsn == self.cumulative + 1:
            self.cumulative = tsn
            if starts and starts[0] == tsn + 1:
                self.cumulative = ends[0]
                del starts[0], ends[0]
            return
        if not starts:
            self._starts, self._ends = [tsn], [tsn]
            return
        index = bisect_right(starts, tsn)
        joins_left = index > 0 and ends[index - 1] == tsn - 1
        joins_right = index < len(starts) and starts[index] == tsn + 1
        if joins_left and joins_right:
            ends[index - 1] = ends[index]
            del starts[index], ends[index]
        elif joins_left:
            ends[index - 1] = tsn
        elif joins_right:
            starts[index] = tsn
        else:
            starts.insert(index, tsn)
            ends.insert(index, tsn)

    def remove(self, tsn: int) -> None:
        """Forget a TSN above the cumulative one: it was dropped after all (§6.2)."""
        starts, ends = self._starts, self._ends
        index = bisect_right(starts, tsn) - 1
        start, end = starts[index], ends[index]
        assert start <= tsn <= end, "only what was received above the cumulative TSN can be taken back"
        if start == end:
            del starts[index], ends[index]
        elif tsn == end:
            ends[index] = tsn - 1
        elif tsn == start:
            starts[index] = tsn + 1
        else:
            ends[index] = tsn - 1
            starts.insert(index + 1, tsn + 1)
            ends.insert(index + 1, end)

    def skip_to(self, cumulative: int) -> None:
        """RFC 6525 §5.2.4 G4: nothing below counts any more, and nothing above has come."""
        self.cumulative = cumulative
        self._starts = self._ends = NO_LIST

    def advance_to(self, cumulative: int) -> None:
        """RFC 3758 §3.6: "first update its cumulative TSN point", which is not behind, "and then MUST further advance"
        it over what has come."""
        starts, ends = self._starts, self._ends
        count = bisect_right(starts, cumulative + 1)
        self.cumulative = max(cumulative, ends[count - 1]) if count else cumulative
        del starts[:count], ends[:count]

    def gap_ack_blocks(self, limit: int) -> list[tuple[int, int]]:
        """§6.7: "from the lowest to highest TSNs", as offsets from the cumulative one."""
        base = self.cumulative
        return [(start - base, end - base) for start, end in zip(self._starts[:limit], self._ends[:limit], strict=True)]

    def gap_ack_blocks_apart(self, kept: TsnTracker, limit: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """For an NR-SACK: blocks of what may be dropped again, and of what is `kept`, all of which was received; so
        many at most, of both together."""
        base, count = self.cumulative, 0
        renegable: list[tuple[int, int]] = []
        non_renegable: list[tuple[int, int]] = []
        index, kept_starts, kept_ends = 0, kept._starts, kept._ends
        for start, end in zip(self._starts, self._ends, strict=True):
            while start <= end:
                if count == limit:
                    return renegable, non_renegable
                count += 1
                next_kept = kept_starts[index] if index < len(kept_starts) else end + 1
                if next_kept == start:
                    until = kept_ends[index]
                    non_renegable.append((start - base, until - base))
                    index += 1
                else:
                    until = min(end, next_kept - 1)
                    renegable.append((start - base, until - base))
                start = until + 1
        return renegable, non_renegable

    def check_invariants(self) -> None:
        previous = self.cumulative
        assert len(self._starts) == len(self._ends)
        for start, end in zip(self._starts, self._ends, strict=True):
            assert previous + 1 < start <= end, "ranges are sorted, merged and above the cumulative TSN"
            previous = end
        assert previous - self.cumulative <= MAX_OFFSET
