"""Random lives of associations on a bad network; the laws of tests/core/laws.py hold after every step of each."""

from __future__ import annotations

import pytest

from tests.core.scenario import Scenario


@pytest.mark.parametrize("seed", range(60))
def test_when_the_network_heals_everything_arrives_exactly_once_and_in_order(seed: int) -> None:
    """X09, X14, X38, X54: loss, repeats, reordering, dark addresses, tiny windows, restarts, aborts, shutdowns."""
    Scenario(seed, largest_message_bytes=10_000, messages=10).run()
