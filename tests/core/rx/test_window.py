"""The window's account (§6.2) and silly window avoidance (RFC 1122 §4.2.3.3)."""

from __future__ import annotations

import pytest

from aiosctp.core.charge import MIN_CHARGE_BYTES, charge_of
from aiosctp.core.rx.window import ReceiveWindow


def test_a_tiny_chunk_is_charged_for_what_it_costs_us_to_hold_it() -> None:
    """X29: the memory of many tiny chunks counts."""
    assert charge_of(1) == charge_of(MIN_CHARGE_BYTES) == MIN_CHARGE_BYTES


def test_an_ordinary_chunk_is_charged_its_payload() -> None:
    assert charge_of(1452) == 1452


def test_a_rwnd_falls_by_what_is_held_and_is_never_negative() -> None:
    window = ReceiveWindow(10_000)
    window.charge(6000)
    assert window.advertise() == 4000
    window.charge(6000)
    assert window.free_bytes == -2000
    assert window.advertise() == 0
    assert window.is_closed


def test_the_right_edge_of_a_small_window_moves_by_a_segment_or_not_at_all() -> None:
    """R19: a reader of small pieces does not make the peer send small pieces."""
    window = ReceiveWindow(10_000)
    window.charge(9000)
    assert window.advertise() == 1000
    window.release(1499)
    assert window.advertise() == 1000
    window.release(1)
    assert window.advertise() == 2500


def test_the_edge_that_is_kept_sinks_with_what_comes() -> None:
    window = ReceiveWindow(10_000)
    window.charge(8000)
    assert window.advertise() == 2000
    window.release(1000)
    window.charge(1500)
    assert window.advertise() == 500


def test_a_window_with_room_for_a_segment_is_advertised_as_it_is() -> None:
    window = ReceiveWindow(10_000)
    window.charge(8000)
    window.advertise()
    window.release(100)
    assert window.advertise() == 2100


def test_half_of_a_small_buffer_is_enough_of_a_step() -> None:
    window = ReceiveWindow(2000)
    window.charge(2000)
    assert window.advertise() == 0
    window.release(999)
    assert window.advertise() == 0
    window.release(1)
    assert window.advertise() == 1000


def test_a_window_advertised_as_zero_is_closed_until_it_would_be_advertised_again() -> None:
    window = ReceiveWindow(10_000)
    window.charge(10_000)
    window.advertise()
    window.release(1499)
    closed = [window.is_closed]
    window.release(1)
    assert [*closed, window.is_closed] == [True, False]


def test_an_update_from_zero_is_wanted_for_one_packet() -> None:
    """R19: the window re-opens."""
    window = ReceiveWindow(100_000)
    window.charge(100_000)
    window.advertise()
    window.release(1499)
    wanted = [window.wants_update]
    window.release(1)
    wanted.append(window.wants_update)
    window.advertise()
    assert [*wanted, window.wants_update] == [False, True, False]


def test_otherwise_an_update_is_wanted_for_a_quarter_of_the_buffer() -> None:
    """R19: §6.2: no bursts of window updates."""
    window = ReceiveWindow(100_000)
    window.charge(90_000)
    window.advertise()
    window.release(24_999)
    wanted = [window.wants_update]
    window.release(1)
    assert [*wanted, window.wants_update] == [False, True]


def test_what_came_after_the_sack_and_was_read_counts_for_the_next_update() -> None:
    """R19: §6.2: by the peer's account it has taken of the window, and only an update gives that back."""
    window = ReceiveWindow(100_000)
    assert window.advertise() == 100_000
    window.charge(25_000)
    window.release(24_999)
    wanted = [window.wants_update]
    window.release(1)
    assert [*wanted, window.wants_update] == [False, True]
    window.check_invariants()


def test_no_update_is_wanted_that_would_say_what_the_peer_knows() -> None:
    """A quarter of a small buffer is less than the edge moves by: an update for it would be followed by the next."""
    window = ReceiveWindow(2000)
    window.charge(1100)
    assert window.advertise() == 900
    window.release(844)
    wanted = [window.wants_update]
    window.release(156)
    wanted.append(window.wants_update)
    assert window.advertise() == 1900
    assert [*wanted, window.wants_update] == [False, True, False]


@pytest.mark.parametrize("held", [0, 9_999])
def test_until_a_chunk_overdraws_it_the_window_is_open(held: int) -> None:
    window = ReceiveWindow(10_000)
    window.charge(held)
    assert not window.is_closed
    assert not window.is_overdrawn


def test_a_smaller_buffer_takes_effect_at_once() -> None:
    window = ReceiveWindow(10_000)
    window.charge(6000)
    window.resize(5000)
    assert window.is_closed
    assert window.advertise() == 0
