"""§6.3.1, rule by rule."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.rto import CLOCK_GRANULARITY_S, RetransmissionTimeout

CONFIG = Config(rto_initial_s=1.0, rto_min_s=0.05, rto_max_s=60.0)


def test_before_a_measurement_it_is_rto_initial() -> None:
    """C1."""
    assert RetransmissionTimeout(CONFIG).rto_s == 1.0


def test_the_first_measurement_sets_all() -> None:
    """C2."""
    rto = RetransmissionTimeout(CONFIG)
    rto.measured(0.2)
    assert (rto.srtt_s, rto.rttvar_s) == (0.2, 0.1)
    assert rto.rto_s == pytest.approx(0.6)


def test_later_measurements_are_smoothed_and_rttvar_uses_the_srtt_before() -> None:
    """C3."""
    rto = RetransmissionTimeout(CONFIG)
    rto.measured(0.2)
    rto.measured(0.4)
    assert rto.rttvar_s == pytest.approx(0.75 * 0.1 + 0.25 * 0.2)
    assert rto.srtt_s == pytest.approx(0.225)
    assert rto.rto_s == pytest.approx(0.225 + 4 * 0.125)


def test_a_variance_of_zero_becomes_the_granularity() -> None:
    """G1."""
    rto = RetransmissionTimeout(CONFIG)
    rto.measured(0.0)
    assert rto.rttvar_s == CLOCK_GRANULARITY_S


def test_it_stays_within_rto_min_and_rto_max() -> None:
    """C6, C7."""
    rto = RetransmissionTimeout(CONFIG)
    rto.measured(0.001)
    assert rto.rto_s == 0.05
    rto.measured(1000.0)
    assert rto.rto_s == 60.0


def test_backing_off_doubles_up_to_rto_max_and_a_measurement_collapses_it() -> None:
    """E2; §6.3.3: "collapsing" RTO back down."""
    rto = RetransmissionTimeout(CONFIG)
    for expected in (2, 4, 8, 16, 32, 60, 60):
        rto.back_off()
        assert rto.rto_s == expected
    rto.measured(0.1)
    assert rto.rto_s == pytest.approx(0.3)
    assert rto.max_seen_s == 60


def test_new_bounds_hold_at_once_and_a_new_initial_value_before_a_measurement() -> None:
    rto = RetransmissionTimeout(CONFIG)
    rto.configure(Config(rto_initial_s=3.0, rto_min_s=2.0))
    assert rto.rto_s == 3.0
    rto.measured(0.1)
    assert rto.rto_s == 2.0
    rto.configure(Config(rto_initial_s=5.0, rto_min_s=4.0))
    assert rto.rto_s == 4.0
