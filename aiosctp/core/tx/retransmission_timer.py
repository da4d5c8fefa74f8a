"""T3-rtx: one timer a path, running just while something is in flight there (§6.3.2)."""

from __future__ import annotations

from collections.abc import Iterable

from aiosctp.core.paths import Path
from aiosctp.core.timers import T3_RTX, Timers
from aiosctp.core.tx.loss import Losses
from aiosctp.core.tx.outstanding import Acknowledged


class RetransmissionTimers:
    """The rules R1 to R4. A path's timer is left running when data goes to another (§6.3.3 F1)."""

    __slots__ = ("_timers",)

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    def is_running(self, path: Path) -> bool:
        return self._timers.is_running((T3_RTX, path))

    def sent(self, path: Path, now: float) -> None:
        """R1: "if the T3-rtx timer of that address is not running, start it"."""
        self._timers.start_unless_running((T3_RTX, path), now + path.rto.rto_s)

    def restart(self, path: Path, now: float) -> None:
        self._timers.start((T3_RTX, path), now + path.rto.rto_s)

    def not_before(self, path: Path, sent_at_s: float) -> None:
        """What it ran for is not outstanding any more, and what is was sent at this time or later: if it runs, it goes
        on as for that. R3 would have it begin anew now; so it is not put off any further by each of many."""
        deadline = self._timers.deadline((T3_RTX, path))
        if deadline is not None:
            self._timers.start((T3_RTX, path), max(deadline, sent_at_s + path.rto.rto_s))

    def stop(self, path: Path) -> None:
        self._timers.stop((T3_RTX, path))

    def sack_taken(self, acked: Acknowledged, losses: Losses, now: float) -> None:
        for path, lowest in acked.lowest_by_path.items():
            # R3: a SACK "that acknowledges the DATA chunk with the earliest outstanding TSN for that address".
            missing = losses.lowest_missing.get(path)
            if path.flight_bytes == 0:
                self.stop(path)  # R2
            elif missing is None or lowest < missing:
                self.restart(path, now)
        for chunk in acked.reneged:
            # R4, §6.2.1 D iii: "if no retransmit timer is running ..., then T3-rtx is started".
            self.sent(chunk.path, now)
        if losses.lost:
            self.stop_where_idle(chunk.path for chunk in losses.lost)

    def stop_where_idle(self, paths: Iterable[Path]) -> None:
        """R2: "Whenever all outstanding data sent to an address have been acknowledged", or is marked and thus to be
        sent anew, which starts it again."""
        for path in paths:
            if path.flight_bytes == 0:
                self.stop(path)
