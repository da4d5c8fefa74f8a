"""The retransmission timeout of one path (§6.3.1)."""

from __future__ import annotations

import math

from aiosctp.config import Config

# §6.3.1 G1: "if RTTVAR == 0, then adjust RTTVAR = G", the granularity of the clock.
CLOCK_GRANULARITY_S = 0.001


class RetransmissionTimeout:
    """SRTT, RTTVAR and RTO. `srtt_s` is None before the first measurement (C1)."""

    __slots__ = ("_config", "max_seen_s", "rto_s", "rttvar_s", "srtt_s")

    def __init__(self, config: Config) -> None:
        self._config = config
        self.srtt_s: float | None = None
        self.rttvar_s: float = 0.0
        self.rto_s: float = config.rto_initial_s
        self.max_seen_s: float = self.rto_s

    def measured(self, rtt_s: float) -> None:
        """C2, C3: take a new measurement in; this also collapses a backed-off RTO."""
        config = self._config
        if self.srtt_s is None:
            self.srtt_s = rtt_s
            self.rttvar_s = rtt_s / 2
        else:
            self.rttvar_s += config.rto_beta * (abs(self.srtt_s - rtt_s) - self.rttvar_s)
            self.srtt_s += config.rto_alpha * (rtt_s - self.srtt_s)
        if self.rttvar_s < CLOCK_GRANULARITY_S:
            self.rttvar_s = CLOCK_GRANULARITY_S
        self._set(self.srtt_s + 4 * self.rttvar_s)

    def take_max_seen_s(self) -> float:
        """The largest RTO since this was last asked."""
        seen_s, self.max_seen_s = self.max_seen_s, self.rto_s
        return seen_s

    def back_off(self, most_s: float = math.inf) -> None:
        """§6.3.3 E2: double, up to RTO.Max, and no further than `most_s` if that is less."""
        self._set(max(self.rto_s, min(self.rto_s * 2, most_s)))

    def configure(self, config: Config) -> None:
        """New bounds; before the first measurement also the initial value."""
        self._config = config
        self._set(config.rto_initial_s if self.srtt_s is None else self.rto_s)

    def _set(self, rto_s: float) -> None:
        """C6, C7: within RTO.Min and RTO.Max."""
        config = self._config
        # RTO.Min is no more than RTO.Max. Written out: it is done for every message of who sends one at a time.
        if rto_s < config.rto_min_s:
            rto_s = config.rto_min_s
        elif rto_s > config.rto_max_s:
            rto_s = config.rto_max_s
        self.rto_s = rto_s
        if rto_s > self.max_seen_s:
            self.max_seen_s = rto_s
