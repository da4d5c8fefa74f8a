"""The sizes that path MTU discovery tries."""

from __future__ import annotations

from aiosctp.core.mtu_sizes import next_size


def test_a_size_lies_between_what_is_carried_and_what_is_not() -> None:
    for confirmed in range(576, 9000, 37):
        for ceiling in range(confirmed + 1, 65536, 997):
            size = next_size(confirmed, ceiling)
            assert size == 0 or confirmed < size < ceiling
            assert size or ceiling - confirmed <= confirmed // 64
