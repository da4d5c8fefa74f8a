"""Congestion control of one path (§7.2), behind a small protocol and a registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiosctp.config import Config
from aiosctp.core.congestion.reno import Reno


class CongestionControl(Protocol):
    """What the sender asks of a path's congestion control. Bytes count whole DATA chunks with padding (§7.2)."""

    cwnd: int
    ssthresh: int
    partial_bytes_acked: int

    def acknowledged(
        self, acked_bytes: int, *, is_cwnd_limited: bool, in_fast_recovery: bool, all_acknowledged: bool
    ) -> None:
        """§7.2.1, §7.2.2: a SACK newly acknowledged this much of what was sent on this path.

        `is_cwnd_limited`: whether cwnd or more bytes were outstanding before it came. SACKs that came in one batch
        have the same "before": nothing could be sent between them.
        """

    def loss_detected(self) -> None:
        """§7.2.3: a fast retransmit, outside Fast Recovery."""

    def timed_out(self) -> None:
        """§7.2.3: T3-rtx expired."""

    def idle_for_one_rto(self) -> None:
        """§7.2.1: nothing was sent on this path for one RTO."""

    def configure(self, config: Config) -> None:
        """Parameters changed while the association lives."""

    def set_pmdcs(self, pmdcs: int) -> None:
        """The path's maximum DATA chunk size changed."""

    def reset(self) -> None:
        """§7.2.5, §5.2.4 A: back to the initial values."""


CONGESTION_CONTROLS: dict[str, Callable[..., CongestionControl]] = {"reno": Reno}


def make_congestion_control(config: Config, *, pmdcs: int, is_ipv6: bool) -> CongestionControl:
    return CONGESTION_CONTROLS[config.congestion_control](config, pmdcs=pmdcs, is_ipv6=is_ipv6)
