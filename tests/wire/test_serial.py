from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiosctp.wire import serial


class Space(NamedTuple):
    modulus: int
    add: Callable[[int, int], int]
    distance: Callable[[int, int], int]


TSN = Space(2**32, serial.tsn_add, serial.tsn_distance)
SSN = Space(2**16, serial.ssn_add, serial.ssn_distance)

both_spaces = pytest.mark.parametrize("space", [TSN, SSN], ids=["tsn", "ssn"])


@both_spaces
def test_zero_comes_after_the_largest_number(space: Space) -> None:
    last = space.modulus - 1
    assert space.add(last, 1) == 0
    assert space.add(0, -1) == last
    assert space.distance(last, 0) == 1
    assert space.distance(0, last) == last


@both_spaces
@given(data=st.data())
def test_the_distance_is_how_many_steps_lead_there(space: Space, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, space.modulus - 1))
    steps = data.draw(st.integers(0, space.modulus - 1))
    end = space.add(start, steps)
    assert 0 <= end < space.modulus
    assert space.distance(start, end) == steps
