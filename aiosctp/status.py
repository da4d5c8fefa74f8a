"""What an association tells of itself: snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiosctp.core.states import AssociationState

if TYPE_CHECKING:
    from aiosctp.path import Path


@dataclass(frozen=True, slots=True)
class AssociationStatus:
    """How an association is (RFC 6458 §8.2.1, SCTP_STATUS).

    state: of §4, Figure 3.
    rwnd_bytes: what the peer's window has left.
    unacknowledged_chunks: DATA chunks sent that no Cumulative TSN Ack covers.
    pending_messages: messages, and parts of them, received and not yet read.
    inbound_streams, outbound_streams: how many were negotiated.
    fragmentation_point_bytes: a larger message is sent in more than one chunk.
    primary_path: where data goes as long as it answers.
    """

    state: AssociationState
    rwnd_bytes: int
    unacknowledged_chunks: int
    pending_messages: int
    inbound_streams: int
    outbound_streams: int
    fragmentation_point_bytes: int
    primary_path: Path


@dataclass(frozen=True, slots=True)
class AssociationStatistics:
    """Counters since the association began, those that Solaris and Linux keep (`sctp_assoc_stats`).

    rtxchunks: DATA chunks retransmitted.
    gapcnt: Gap Ack Blocks received.
    maxrto: the largest RTO of any path, in seconds, since the statistics before these were taken.
    outseqtsns: DATA chunks received above the next expected TSN.
    osacks, isacks: SACK chunks sent, and received.
    octrlchunks: control chunks sent, SACK included, repeats of an unanswered one not counted.
    ictrlchunks: control chunks received that the state had a use for, SACK included, duplicates not counted.
    oodchunks, iodchunks: ordered DATA chunks sent, retransmissions not counted; and received, duplicates not counted.
    ouodchunks, iuodchunks: unordered DATA chunks, likewise.
    idupchunks: duplicate DATA chunks received.
    """

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
