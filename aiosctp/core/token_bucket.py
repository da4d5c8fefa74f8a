"""A limit on how often something is done, as a function of the times it is asked for."""

from __future__ import annotations


class TokenBucket:
    """So many a second; after a quiet second as many at once. A rate of 0 allows none."""

    __slots__ = ("_filled_at_s", "_rate_per_s", "_size", "_tokens")

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        # Below one a second there is still room for the one.
        self._size = max(1.0, rate_per_s) if rate_per_s else 0.0
        self._tokens = self._size
        self._filled_at_s = 0.0

    def take(self, now: float) -> bool:
        """Whether it may be done once more."""
        if now > self._filled_at_s:
            self._tokens = min(self._size, self._tokens + (now - self._filled_at_s) * self._rate_per_s)
            self._filled_at_s = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
