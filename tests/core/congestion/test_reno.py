"""§7.2, rule by rule."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.congestion.reno import INITIAL_SSTHRESH, Reno

PMDCS = 1460


def acknowledged(reno: Reno, acked: int, *, limited: bool = True, recovery: bool = False, last: bool = False) -> int:
    reno.acknowledged(acked, is_cwnd_limited=limited, in_fast_recovery=recovery, all_acknowledged=last)
    return reno.cwnd


def in_avoidance(cwnd: int = 10 * PMDCS) -> Reno:
    reno = Reno(Config(), pmdcs=PMDCS, is_ipv6=False)
    reno.ssthresh = cwnd - 1
    reno.cwnd = cwnd
    return reno


@pytest.mark.parametrize(
    ("pmdcs", "is_ipv6", "cwnd"),
    [(1460, False, 4404), (1460, True, 4344), (536, False, 2144), (9000, False, 18000), (9000, True, 18000)],
)
def test_the_initial_cwnd_depends_on_pmdcs_and_address_family(pmdcs: int, is_ipv6: bool, cwnd: int) -> None:
    """§7.2.1: min(4 * PMDCS, max(2 * PMDCS, 4404 or 4344))."""
    reno = Reno(Config(), pmdcs=pmdcs, is_ipv6=is_ipv6)
    assert (reno.cwnd, reno.ssthresh, reno.partial_bytes_acked) == (cwnd, INITIAL_SSTHRESH, 0)


def test_slow_start_grows_by_what_was_acknowledged() -> None:
    """S19: §7.2.1."""
    reno = Reno(Config(), pmdcs=PMDCS, is_ipv6=False)
    assert acknowledged(reno, 1000) == 5404
    assert acknowledged(reno, 2 * PMDCS) == 5404 + 2 * PMDCS


def test_slow_start_does_not_grow_when_cwnd_is_not_fully_utilized_or_in_fast_recovery() -> None:
    reno = Reno(Config(), pmdcs=PMDCS, is_ipv6=False)
    assert acknowledged(reno, 1000, limited=False) == 4404
    assert acknowledged(reno, 1000, recovery=True) == 4404


def test_congestion_avoidance_grows_by_one_pmdcs_per_cwnd_acknowledged() -> None:
    """S19: §7.2.2."""
    reno = in_avoidance()
    for _ in range(9):
        assert acknowledged(reno, PMDCS) == 10 * PMDCS
    assert acknowledged(reno, PMDCS + 100) == 11 * PMDCS
    assert reno.partial_bytes_acked == 100


def test_congestion_avoidance_waits_at_cwnd_while_it_is_not_used() -> None:
    """§7.2.2: "reset partial_bytes_acked to cwnd"."""
    reno = in_avoidance()
    acknowledged(reno, 30 * PMDCS, limited=False)
    assert (reno.cwnd, reno.partial_bytes_acked) == (10 * PMDCS, 10 * PMDCS)


def test_partial_bytes_acked_starts_anew_once_all_is_acknowledged() -> None:
    reno = in_avoidance()
    acknowledged(reno, PMDCS, last=True)
    assert reno.partial_bytes_acked == 0


def test_a_loss_halves_cwnd_and_never_raises_it() -> None:
    """§7.2.3."""
    reno = in_avoidance(20 * PMDCS)
    reno.partial_bytes_acked = 7
    reno.loss_detected()
    assert (reno.cwnd, reno.ssthresh, reno.partial_bytes_acked) == (10 * PMDCS, 10 * PMDCS, 0)
    reno.cwnd = PMDCS
    reno.loss_detected()
    assert (reno.cwnd, reno.ssthresh) == (PMDCS, 4 * PMDCS)


def test_a_timeout_leaves_one_pmdcs() -> None:
    """§7.2.3."""
    reno = in_avoidance(20 * PMDCS)
    reno.partial_bytes_acked = 7
    reno.timed_out()
    assert (reno.cwnd, reno.ssthresh, reno.partial_bytes_acked) == (PMDCS, 10 * PMDCS, 0)
    reno.timed_out()
    assert (reno.cwnd, reno.ssthresh) == (PMDCS, 4 * PMDCS)


def test_idleness_decays_cwnd_to_four_pmdcs_and_keeps_it_as_ssthresh() -> None:
    """§7.2.1."""
    reno = in_avoidance(20 * PMDCS)
    reno.idle_for_one_rto()
    assert (reno.cwnd, reno.ssthresh) == (10 * PMDCS, 20 * PMDCS)
    reno.idle_for_one_rto()
    reno.idle_for_one_rto()
    assert (reno.cwnd, reno.ssthresh) == (4 * PMDCS, 20 * PMDCS)
    acknowledged(reno, 10, limited=False)
    reno.idle_for_one_rto()
    assert reno.ssthresh == 4 * PMDCS


def test_idleness_never_raises_cwnd() -> None:
    reno = Reno(Config(), pmdcs=PMDCS, is_ipv6=False)
    reno.idle_for_one_rto()
    assert reno.cwnd == 4404


@pytest.mark.parametrize("pmdcs", [9000, 65492])
def test_a_larger_pmdcs_leaves_cwnd_as_it_is(pmdcs: int) -> None:
    """RFC 8899 §3, 7: "An update to the PLPMTU (or MPS) MUST NOT increase the congestion window measured in bytes"."""
    reno = in_avoidance(PMDCS)
    reno.set_pmdcs(pmdcs)
    assert reno.cwnd == PMDCS
