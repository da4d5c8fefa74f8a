from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire import serial


class Space(NamedTuple):
    modulus: int
    after: Callable[[int, int], bool]
    at_or_after: Callable[[int, int], bool]
    add: Callable[[int, int], int]
    distance: Callable[[int, int], int]


TSN = Space(2**32, serial.tsn_after, serial.tsn_at_or_after, serial.tsn_add, serial.tsn_distance)
SSN = Space(2**16, serial.ssn_after, serial.ssn_at_or_after, serial.ssn_add, serial.ssn_distance)

both_spaces = pytest.mark.parametrize("space", [TSN, SSN], ids=["tsn", "ssn"])


@both_spaces
def test_zero_comes_after_the_largest_number(space: Space) -> None:
    last = space.modulus - 1
    assert space.add(last, 1) == 0
    assert space.add(0, -1) == last
    assert space.after(0, last)
    assert not space.after(last, 0)
    assert space.distance(last, 0) == 1
    assert space.distance(0, last) == last


@both_spaces
def test_a_number_is_at_itself_but_not_after_itself(space: Space) -> None:
    for number in (0, 1, space.modulus // 2, space.modulus - 2):
        assert space.at_or_after(number, number)
        assert not space.after(number, number)


@both_spaces
def test_the_farthest_ordered_pair_is_one_less_than_half_apart(space: Space) -> None:
    start = space.modulus - 2
    end = space.add(start, space.modulus // 2 - 1)
    assert space.after(end, start)
    assert not space.at_or_after(start, end)


@both_spaces
def test_of_two_numbers_half_the_space_apart_neither_is_after_the_other(space: Space) -> None:
    a = space.modulus - 2
    b = space.add(a, space.modulus // 2)
    assert not space.after(a, b)
    assert not space.after(b, a)
    assert not space.at_or_after(a, b)
    assert not space.at_or_after(b, a)


@both_spaces
@given(data=st.data())
def test_order_follows_from_the_distance(space: Space, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, space.modulus - 1))
    steps = data.draw(st.integers(0, space.modulus - 1))
    end = space.add(start, steps)
    assert 0 <= end < space.modulus
    assert space.distance(start, end) == steps
    assert space.after(end, start) == (0 < steps < space.modulus // 2)
    assert space.at_or_after(end, start) == (steps < space.modulus // 2)
