"""Verification tags: how a new one is drawn, and for how long an old one stays unused (§5.3.1)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container


class Tags:
    """The tags of a stack. `in_use` holds those of its associations."""

    def __init__(self, entropy: Callable[[int], bytes], in_use: Container[int]) -> None:
        self.entropy = entropy
        self._in_use = in_use
        self.resting: OrderedDict[int, float] = OrderedDict()
        """Tags of associations that ended, oldest first, and until when each stays unused."""

    def rest(self, tag: int, until_s: float, now: float) -> None:
        """§5.3.1: old packets must not be taken for those of a later association, nor an old cookie for a new one."""
        while self.resting:
            # One that rests longer keeps those behind it a little longer too.
            oldest = next(iter(self.resting))
            if self.resting[oldest] > now:
                break
            self.resting.popitem(last=False)
        self.resting[tag] = until_s

    def is_free(self, tag: int, now: float) -> bool:
        return tag != 0 and tag not in self._in_use and self.resting.get(tag, now) <= now

    def draw(self, now: float) -> int:
        """§5.3.1: random, 1 to 2^32 - 1, of no association living or resting."""
        while True:
            tag = int.from_bytes(self.entropy(4))
            if self.is_free(tag, now):
                return tag

    def draw_unused(self) -> int:
        """For when the time is not known: no tag that rests at all."""
        return self.draw(float("-inf"))
