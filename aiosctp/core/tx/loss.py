"""Loss told by gaps: miss indications, Fast Retransmit, Fast Recovery (§7.2.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from aiosctp.core.paths import Path
from aiosctp.core.tx.chunk import ABANDONED, IN_FLIGHT, OutstandingChunk
from aiosctp.core.tx.outstanding import Acknowledged, Outstanding

# §7.2.4: "wait for two further miss indications ... for a total of three missing reports".
MISS_INDICATIONS = 3


class Losses(NamedTuple):
    """What one SACK told of the chunks it did not acknowledge."""

    lost: Sequence[OutstandingChunk]
    """In order: those with the third miss indication."""
    lowest_missing: Mapping[Path, int]
    """By the path each was last sent on, of the chunks below the Highest TSN Newly Acknowledged."""


# Everyone's, and so of what can't be changed.
_NOTHING: Final = Losses((), MappingProxyType({}))


class LossDetection:
    """Counts miss indications, and knows whether the association is in Fast Recovery."""

    __slots__ = ("_exit",)

    def __init__(self) -> None:
        self._exit: int | None = None
        """§7.2.4, 6: "mark the highest outstanding TSN as the Fast Recovery exit point"."""

    @property
    def in_fast_recovery(self) -> bool:
        return self._exit is not None

    def enter_fast_recovery(self, highest: int) -> None:
        self._exit = highest

    def leave_fast_recovery(self) -> None:
        self._exit = None

    def advanced(self, cumulative: int) -> None:
        """§6.2.1 D iv: "If the Cumulative TSN Ack matches or exceeds the Fast Recovery exit point ... exited"."""
        if self._exit is not None and cumulative >= self._exit:
            self._exit = None

    def sack_taken(self, outstanding: Outstanding, acked: Acknowledged) -> Losses:
        """Count the miss indications of one SACK, in what it left missing and no more."""
        limit = outstanding.cumulative if acked.highest is None else acked.highest
        if acked.advanced and self._exit is not None and outstanding.gaps:
            # "If an endpoint is in Fast Recovery and a SACK chunk[...] arrives that advances the Cumulative TSN Ack
            # Point, the miss indications are incremented for all TSNs reported missing in the SACK chunk."
            limit = outstanding.gaps[-1][1]
        if limit == outstanding.cumulative and not acked.reneged:
            return _NOTHING  # is missing below
        lost: list[OutstandingChunk] = []
        lowest_missing: dict[Path, int] = {}
        for chunk in outstanding.missing_up_to(limit):
            if chunk.state is IN_FLIGHT:
                lowest_missing.setdefault(chunk.path, chunk.number)
                if limit > chunk.misses_from and self._missed(chunk):
                    lost.append(chunk)
            elif chunk.state is not ABANDONED:
                lowest_missing.setdefault(chunk.path, chunk.number)
        for chunk in acked.reneged:
            # §6.2.1 D iii: "Count one miss indication". Below the limit it has had it.
            if chunk.number > limit and self._missed(chunk):
                lost.append(chunk)
        return Losses(lost, lowest_missing)

    def _missed(self, chunk: OutstandingChunk) -> bool:
        """Whether this was the third miss indication."""
        chunk.misses += 1
        if chunk.misses < MISS_INDICATIONS or chunk.was_fast_retransmitted:
            return False
        chunk.was_fast_retransmitted = True
        return True
