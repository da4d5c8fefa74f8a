"""What stands for every empty container."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.core.nothing import NO_DEQUE, NO_DICT, NO_LIST


@pytest.mark.parametrize(
    "put",
    [
        lambda: NO_DICT.__setitem__(1, 2),
        lambda: NO_DICT.setdefault(1, 2),
        lambda: NO_DICT.update({1: 2}),
        lambda: NO_LIST.append(1),
        lambda: NO_LIST.extend([1]),
        lambda: NO_LIST.insert(0, 1),
    ],
)
def test_it_refuses_what_would_be_in_every_association(put: Callable[[], object]) -> None:
    with pytest.raises(AssertionError):
        put()
    assert not NO_DICT
    assert not NO_LIST


def test_the_deque_keeps_nothing() -> None:
    NO_DEQUE.append(1)
    NO_DEQUE.extend([2, 3])
    assert not NO_DEQUE
