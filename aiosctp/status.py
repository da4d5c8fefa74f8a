"""What an association and a stack tell of themselves: snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from aiosctp.core.states import AssociationState

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
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


def status_of(engine: AssociationEngine, primary_path: Path) -> AssociationStatus:
    return AssociationStatus(
        state=engine.state,
        rwnd_bytes=engine.sender.peer_rwnd_bytes,
        unacknowledged_chunks=engine.sender.unacknowledged_chunks,
        pending_messages=engine.receiver.pending_messages,
        inbound_streams=engine.tcb.inbound_streams,
        outbound_streams=engine.tcb.outbound_streams,
        fragmentation_point_bytes=engine.sender.fragmentation_point_bytes,
        primary_path=primary_path,
    )


class Abandoned(NamedTuple):
    """How many messages were abandoned (RFC 7496 §4.3).

    unsent: before any of them was sent. sent: after some or all of them had been.
    """

    unsent: int
    sent: int


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
    abandoned_unsent, abandoned_sent: messages abandoned, as their policy allows, before any of them was sent, and after
    some or all of them had been (RFC 7496 §4.4).
    messages_fragmented, messages_reassembled: messages sent in more than one DATA chunk, counted with the first of
    them, and received so, counted when all have come.
    abandoned_by_stream: an `Abandoned`, which is both of these, for each stream that had any (RFC 7496 §4.3).
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
    abandoned_unsent: int
    abandoned_sent: int
    messages_fragmented: int
    messages_reassembled: int
    abandoned_by_stream: Mapping[int, Abandoned] = field(hash=False)


def statistics_of(engine: AssociationEngine) -> AssociationStatistics:
    """Begins a new period for `maxrto`."""
    counters = asdict(engine.take_counters())
    by_stream = engine.sender.abandoned_by_stream
    return AssociationStatistics(
        **counters, abandoned_by_stream={stream: Abandoned(*by_stream[stream]) for stream in sorted(by_stream)}
    )


@dataclass(frozen=True, slots=True)
class StackStatistics:
    """What a stack did with the datagrams that came, what it answered on its own, and what its associations did, those
    that have ended included. In brackets what RFC 3873, SCTP's MIB module, calls it, without the `sctp` in front.

    datagrams_received, datagrams_sent: all of them [InSCTPPacks, OutSCTPPacks].
    malformed_packets: too short, a wrong checksum (§6.8), or a port of zero (§3.1). checksum_errors: those of them with
    a wrong checksum [ChecksumErrors].
    malformed_chunks: chunks that could not be read, and packets with an INIT that may not be in them.
    wrong_verification_tags: packets of a known association with a tag that is not its own (§8.5).
    out_of_the_blue: packets of no association (§8.4) [OutOfBlues]. out_of_the_blue_answers: ABORT and SHUTDOWN COMPLETE
    to those.
    answers_withheld: answers to those, to INITs that were refused and to COOKIE ECHOs, which
    `Config.error_answers_per_s` left out. answers_sent: packets that no association sent, INIT ACKs among them.
    init_received: packets that begin with INIT.
    cookies_invalid, cookies_stale: COOKIE ECHOs with no cookie of ours, and with one that was too old.
    icmp_received: ICMP messages. icmp_ignored: those that fit no association.
    send_errors: datagrams that the operating system refused.
    receive_buffer_drops: datagrams that came and were dropped before they could be read, as the kernel counts them: the
    sockets' receive buffers, which all associations share, were full (net.core.rmem_max bounds them for who may not
    exceed it). 0 on a platform that does not tell.
    associations_established: since the beginning. associations_accepted: those of them that peers opened
    [PassiveEstabs]; the others were opened here [ActiveEstabs].
    associations_current: those in the states ESTABLISHED, SHUTDOWN-PENDING and SHUTDOWN-RECEIVED [CurrEstab].
    associations_aborted, associations_shut_down: how they ended [Aborteds, Shutdowns]; those whose peer was lost are in
    neither.
    control_chunks_sent, control_chunks_received: chunks other than DATA, repeats of an unanswered one and duplicates
    not counted [OutCtrlChunks, InCtrlChunks].
    ordered_chunks_sent, ordered_chunks_received: DATA chunks of ordered messages, retransmissions and duplicates not
    counted [OutOrderChunks, InOrderChunks].
    unordered_chunks_sent, unordered_chunks_received: of unordered ones [OutUnorderChunks, InUnorderChunks].
    messages_fragmented, messages_reassembled: those sent in more than one DATA chunk, and those received so
    [FragUsrMsgs, ReasmUsrMsgs].
    counting_since_s: when counting began, on the event loop's clock: when the stack was opened, or its counters last
    set to zero [DiscontinuityTime].
    """

    datagrams_received: int
    datagrams_sent: int
    malformed_packets: int
    checksum_errors: int
    malformed_chunks: int
    wrong_verification_tags: int
    out_of_the_blue: int
    out_of_the_blue_answers: int
    answers_withheld: int
    answers_sent: int
    init_received: int
    cookies_invalid: int
    cookies_stale: int
    icmp_received: int
    icmp_ignored: int
    send_errors: int
    associations_established: int
    associations_accepted: int
    associations_current: int
    associations_aborted: int
    associations_shut_down: int
    receive_buffer_drops: int
    control_chunks_sent: int
    control_chunks_received: int
    ordered_chunks_sent: int
    ordered_chunks_received: int
    unordered_chunks_sent: int
    unordered_chunks_received: int
    messages_fragmented: int
    messages_reassembled: int
    counting_since_s: float
