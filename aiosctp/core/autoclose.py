"""Autoclose (RFC 6458 §8.1.8): an association without user data either way is shut down gracefully.

The timer is set when the association comes up, and not for each message: it looks when it expires for when the last
one was, and if that is not long enough ago, it is set again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiosctp.core.states import ESTABLISHED
from aiosctp.core.timers import Timer

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine


def came_up(association: AssociationEngine, now: float) -> None:
    """Also after a restart of the peer."""
    association.receiver.last_data_at_s = now
    reschedule(association)


def reschedule(association: AssociationEngine) -> None:
    """It has come up, or is to be closed after another time than before, or never."""
    association.timers.stop(Timer.AUTOCLOSE)
    autoclose_s = association.config.autoclose_s
    if autoclose_s is not None and association.state is ESTABLISHED:
        association.timers.start(Timer.AUTOCLOSE, _idle_since_s(association) + autoclose_s)


def due(association: AssociationEngine, now: float) -> None:
    """The timer expired. What waits to be sent or acknowledged is user data that is on its way: not before it is."""
    autoclose_s = association.config.autoclose_s
    assert autoclose_s is not None
    closes_at_s = _idle_since_s(association) + autoclose_s
    if not association.sender.is_drained:
        closes_at_s = now + autoclose_s
    if closes_at_s > now:
        association.timers.start(Timer.AUTOCLOSE, closes_at_s)
    else:
        association.shutdown(now)


def _idle_since_s(association: AssociationEngine) -> float:
    """When user data was last sent or received, or when it came up."""
    return max(association.receiver.last_data_at_s, *(path.last_data_sent_at_s for path in association.paths))
