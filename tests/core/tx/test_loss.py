"""What a SACK that leaves nothing missing tells of losses."""

from __future__ import annotations

from aiosctp.core.tx.loss import LossDetection
from aiosctp.core.tx.outstanding import Acknowledged, Outstanding


def test_that_nothing_is_lost_is_said_by_what_nobody_can_change() -> None:
    """It is the same object for every association."""
    losses = LossDetection().sack_taken(Outstanding(7), Acknowledged(advanced=True))
    assert not losses.lost
    assert not losses.lowest_missing
    assert not hasattr(losses.lost, "append")
    assert not hasattr(losses.lowest_missing, "setdefault")
