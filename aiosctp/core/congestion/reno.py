"""The congestion control of RFC 9260 §7.2: slow start, congestion avoidance, halving."""

from __future__ import annotations

from aiosctp.config import Config

# §7.2.1: "The initial value of ssthresh SHOULD be arbitrarily high".
INITIAL_SSTHRESH = 2**31 - 1


class Reno:
    """cwnd, ssthresh and partial_bytes_acked of one path, in bytes of DATA chunks with their padding."""

    __slots__ = ("_config", "_is_idle", "_is_ipv6", "_pmdcs", "cwnd", "partial_bytes_acked", "ssthresh")

    def __init__(self, config: Config, *, pmdcs: int, is_ipv6: bool) -> None:
        self._config = config
        self._pmdcs = pmdcs
        self._is_ipv6 = is_ipv6
        self.reset()

    def reset(self) -> None:
        # §7.2.1: "MUST be set to min(4 * PMDCS, max(2 * PMDCS, 4404)) bytes if the peer address is an IPv4 address
        # and to min(4 * PMDCS, max(2 * PMDCS, 4344)) bytes if the peer address is an IPv6 address".
        floor = 4344 if self._is_ipv6 else 4404
        initial = min(4 * self._pmdcs, max(2 * self._pmdcs, floor))
        mtus = self._config.initial_cwnd_mtus
        self.cwnd: int = initial if mtus is None else mtus * self._pmdcs
        self.ssthresh: int = INITIAL_SSTHRESH
        self.partial_bytes_acked: int = 0
        self._is_idle = False

    def configure(self, config: Config) -> None:
        self._config = config

    def set_pmdcs(self, pmdcs: int) -> None:
        # RFC 8899 §3, 7: "An update to the PLPMTU (or MPS) MUST NOT increase the congestion window measured in bytes".
        self._pmdcs = pmdcs

    def acknowledged(
        self, acked_bytes: int, *, is_cwnd_limited: bool, in_fast_recovery: bool, all_acknowledged: bool
    ) -> None:
        self._is_idle = False
        if self.cwnd <= self.ssthresh:
            # §7.2.1: "only if the current congestion window is being fully utilized and the data sender is not in Fast
            # Recovery". L is as many packets as this SACK covers, unless it is set: it may come once a batch ("MAY be
            # larger than 1"), and the bound by what was acknowledged holds against ACK splitting.
            if is_cwnd_limited and not in_fast_recovery:
                limit = self._config.slow_start_limit_mtus
                self.cwnd += acked_bytes if limit is None else min(acked_bytes, limit * self._pmdcs)
        else:
            self._congestion_avoidance(acked_bytes, is_cwnd_limited=is_cwnd_limited)
        # §7.2.2: "When all of the data transmitted by the sender has been acknowledged by the receiver,
        # partial_bytes_acked is initialized to 0."
        if all_acknowledged:
            self.partial_bytes_acked = 0

    def _congestion_avoidance(self, acked_bytes: int, *, is_cwnd_limited: bool) -> None:
        # §7.2.2 counts the chunks reported as duplicates too. Those acknowledged before are forgotten with their
        # sizes, so they are left out: slower, never faster.
        self.partial_bytes_acked += acked_bytes
        if self.partial_bytes_acked < self.cwnd:
            return
        if not is_cwnd_limited:
            self.partial_bytes_acked = self.cwnd
            return
        # "MUST NOT increment cwnd by more than PMDCS per RTT".
        self.partial_bytes_acked -= self.cwnd
        self.cwnd += self._pmdcs

    def loss_detected(self) -> None:
        # §7.2.3: "ssthresh = max(cwnd / 2, 4 * PMDCS), cwnd = ssthresh": a loss halves cwnd. Where the floor lies above
        # cwnd we stay at cwnd: no loss raises it.
        self.ssthresh = max(self.cwnd // 2, 4 * self._pmdcs)
        self.cwnd = min(self.cwnd, self.ssthresh)
        self.partial_bytes_acked = 0

    def timed_out(self) -> None:
        self.ssthresh = max(self.cwnd // 2, 4 * self._pmdcs)
        self.cwnd = self._pmdcs
        self.partial_bytes_acked = 0

    def idle_for_one_rto(self) -> None:
        # §7.2.1: "Before the first cwnd adjustment, the ssthresh of the transport address SHOULD be set to the cwnd."
        if not self._is_idle:
            self.ssthresh = self.cwnd
            self._is_idle = True
        # "adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO": a decay, so a cwnd below the floor stays where it is.
        self.cwnd = max(self.cwnd // 2, min(self.cwnd, 4 * self._pmdcs))
