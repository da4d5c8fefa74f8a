"""Loss told by gaps: miss indications, Fast Retransmit, Fast Recovery (§7.2.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from aiosctp.core.paths import Path
from aiosctp.core.tx.chunk import IN_FLIGHT, OutstandingChunk
from aiosctp.core.tx.outstanding import Acknowledged, Outstanding

# §7.2.4: "wait for two further miss indications ... for a total of three missing reports".
MISS_INDICATIONS = 3


@dataclass(slots=True)
class Losses:
    """What one SACK told of the chunks it did not acknowledge."""

    lost: list[OutstandingChunk] = field(default_factory=list)
    """In order: those with the third miss indication."""
    lowest_missing: dict[Path, int] = field(default_factory=dict)
    """By the path each was last sent on, of the chunks below the Highest TSN Newly Acknowledged."""


_NOTHING: Final = Losses()


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
        losses = Losses()
        for chunk in outstanding.missing_up_to(limit):
            losses.lowest_missing.setdefault(chunk.path, chunk.number)
            if chunk.state is IN_FLIGHT and limit > chunk.misses_from:
                self._missed(chunk, losses)
        for chunk in acked.reneged:
            # §6.2.1 D iii: "Count one miss indication". Below the limit it has had it.
            if chunk.number > limit:
                self._missed(chunk, losses)
        return losses

    def _missed(self, chunk: OutstandingChunk, losses: Losses) -> None:
        chunk.misses += 1
        if chunk.misses >= MISS_INDICATIONS and not chunk.was_fast_retransmitted:
            chunk.was_fast_retransmitted = True
            losses.lost.append(chunk)
