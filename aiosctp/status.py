"""What an association tells of itself: snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiosctp.core.states import AssociationState

if TYPE_CHECKING:
    from aiosctp.path import Path


@dataclass(frozen=True, slots=True)
class AssociationStatus:
    """RFC 6458 §8.2.1, SCTP_STATUS."""

    state: AssociationState
    rwnd_bytes: int
    """What the peer's window has left."""
    unacknowledged_chunks: int
    pending_messages: int
    """Messages received and not yet read."""
    inbound_streams: int
    outbound_streams: int
    fragmentation_point_bytes: int
    """A larger message is sent in more than one chunk."""
    primary_path: Path


@dataclass(frozen=True, slots=True)
class AssociationStatistics:
    """Counters since the association began, those that Solaris and Linux keep (`sctp_assoc_stats`); but `maxrto`, in
    seconds, is the largest RTO since the statistics before these were taken."""

    rtxchunks: int
    gapcnt: int
    maxrto: float
    outseqtsns: int
    osacks: int
    isacks: int
    octrlchunks: int
    ictrlchunks: int
    oodchunks: int
    iodchunks: int
    ouodchunks: int
    iuodchunks: int
    idupchunks: int
