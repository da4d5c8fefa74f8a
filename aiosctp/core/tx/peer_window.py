"""The peer's receive window, and the probes that find it open again (§6.1 A, §6.2.1)."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.charge import charge_of
from aiosctp.core.paths import Path
from aiosctp.core.timers import Timer, Timers

# RFC 1122 §4.2.3.4: the fraction Fs of the largest window seen, "whose recommended value is 1/2".
_SWS_DIVISOR = 2
# RTO.Max bounds the interval; this only the arithmetic: 2^16 times the least RTO is more than any RTO.Max.
_MAX_DOUBLINGS = 16


class PeerWindow:
    """What the peer last advertised, and the state of zero window probing."""

    __slots__ = (
        "_backoff",
        "_probe_bytes",
        "_probe_number",
        "_timers",
        "a_rwnd",
        "is_probe_due",
        "is_watched",
        "largest_a_rwnd",
        "was_answered",
    )

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self.a_rwnd: int = 0
        self.largest_a_rwnd: int = 0
        self.is_probe_due: bool = False
        self._probe_number: int | None = None
        """The chunk sent although the window was closed, until it is acknowledged."""
        self._probe_bytes = 0
        self.was_answered: bool = False
        """Whether a SACK came since the last probe or T3 expiry."""
        self.is_watched: bool = False
        """Whether the window was found closed, and not yet open again."""
        self._backoff = 0

    def advertised(self, a_rwnd: int) -> None:
        self.a_rwnd = a_rwnd
        if a_rwnd > self.largest_a_rwnd:
            self.largest_a_rwnd = a_rwnd

    def room(self, flight_charge_bytes: int) -> int:
        """§6.2.1: rwnd. Rules B, C and D (ii) in one: what was advertised, less what is in flight; never below 0, as
        what is in flight may exceed a window that shrank.

        In flight a chunk counts as our own window would charge it, not by its user data alone: a receiver that charges
        overhead would close early and drop what we sent in good faith, and only T3, backed off, would move it.
        """
        room = self.a_rwnd - flight_charge_bytes
        return room if room > 0 else 0

    def largest_chunk(self, wanted: int, flight_charge_bytes: int) -> int:
        """How much user data the next chunk may carry, 0 if none may be sent.

        When nothing is in flight its user data alone must fit: a window is never found closed for the overhead.
        §6.1 A, RFC 1122 §4.2.3.4 against the silly window: as much as a chunk would take anyway, or at least half of
        the largest window seen.
        """
        room = self.room(flight_charge_bytes)
        if (charge_of(wanted) if flight_charge_bytes else wanted) <= room:
            return wanted
        return room if 0 < self.largest_a_rwnd <= room * _SWS_DIVISOR else 0

    # -- probing --

    def closed(self, path: Path, config: Config, now: float) -> None:
        """Data waits, nothing is in flight, the window does not let it go: §6.1 A, "the first zero window probe after
        1 RTO", and "increase the probe interval exponentially afterwards"."""
        if not self.is_probe_due and not self._timers.is_running(Timer.ZERO_WINDOW_PROBE):
            interval_s = min(path.rto.rto_s * 2**self._backoff, config.rto_max_s)
            self._timers.start(Timer.ZERO_WINDOW_PROBE, now + interval_s)
            self._backoff = min(self._backoff + 1, _MAX_DOUBLINGS)
            self.is_watched = True

    def probe_sent(self, number: int, payload_bytes: int) -> None:
        self.is_probe_due = False
        self.was_answered = False
        self._probe_number = number
        self._probe_bytes = payload_bytes

    def opened(self) -> None:
        """New data could go as the window allows."""
        self._timers.stop(Timer.ZERO_WINDOW_PROBE)
        self.is_probe_due = self.is_watched = False
        self._backoff = 0

    def acknowledged(self, cumulative: int) -> None:
        self.was_answered = True
        if self._probe_number is not None and cumulative >= self._probe_number:
            self._probe_number = None

    def is_probing(self) -> bool:
        """Whether a T3 expiry means no more than that the window is still closed.

        §6.1 A: "If the sender continues to receive SACK chunks from the peer while doing zero window probing, the
        unacknowledged window probes SHOULD NOT increment the error counter".
        """
        is_closed = self.a_rwnd == 0 or (self._probe_number is not None and self.a_rwnd < self._probe_bytes)
        is_answered, self.was_answered = self.was_answered, False
        return is_closed and is_answered
