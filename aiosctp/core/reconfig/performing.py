"""What is done here when streams begin anew (RFC 6525 §5.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from aiosctp.events import PartialDelivery

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.tx.queue import SendQueue


def end_outgoing(queue: SendQueue, streams: Sequence[int], *, is_reset: bool) -> list[int]:
    """H4: "the affected streams MUST now be reset and all queued data should now be processed"; if refused, they go on
    with the SSNs they had. Returns the streams that keep something until their data is acknowledged."""
    kept: list[int] = []
    for number in streams:
        stream = queue.find_stream(number)
        if is_reset and stream is not None:
            stream.begin_anew()
        following = queue.release_stream(number)
        if following is not None:
            following.is_next(number)
        if not queue.forget_stream(number):
            kept.append(number)
    return kept


def tell_lost(association: AssociationEngine, messages: Iterable[tuple[int, int]]) -> None:
    """Messages of which parts were read, and that will not be completed."""
    for stream, ssn in messages:
        association.emit(PartialDelivery(stream, ssn))
