"""Counters of an association and of a stack."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class AssociationCounters:
    """The thirteen counters that Solaris and Linux keep per association (`sctp_assoc_stats`, `sas_` left out), and
    those of RFC 7496 §4.4."""

    rtxchunks: int = 0
    """DATA chunks retransmitted."""
    gapcnt: int = 0
    """Gap Ack Blocks received."""
    maxrto: float = 0.0
    """The largest RTO of any path, in seconds: filled in when a copy is taken, which begins a new period."""
    outseqtsns: int = 0
    """DATA chunks received above the next expected TSN."""
    osacks: int = 0
    """SACK chunks sent."""
    isacks: int = 0
    """SACK chunks received."""
    octrlchunks: int = 0
    """Control chunks sent, SACK included, repeats of an unanswered one not counted."""
    ictrlchunks: int = 0
    """Control chunks received that the state had a use for, SACK included, duplicates not counted."""
    oodchunks: int = 0
    """Ordered DATA chunks sent, retransmissions not counted."""
    iodchunks: int = 0
    """Ordered DATA chunks received, duplicates not counted."""
    ouodchunks: int = 0
    """Unordered DATA chunks sent, retransmissions not counted."""
    iuodchunks: int = 0
    """Unordered DATA chunks received, duplicates not counted."""
    idupchunks: int = 0
    """Duplicate DATA chunks received."""
    abandoned_unsent: int = 0
    """Messages abandoned before any of them was sent (RFC 7496 §4.4)."""
    abandoned_sent: int = 0
    """Messages abandoned after some or all of them had been sent."""
    messages_fragmented: int = 0
    """Messages sent in more than one DATA chunk (RFC 3873, sctpFragUsrMsgs): counted with the first."""
    messages_reassembled: int = 0
    """Messages received in more than one DATA chunk (RFC 3873, sctpReasmUsrMsgs): counted when all have come."""

    def add(self, other: AssociationCounters) -> None:
        """Count what another has counted; `maxrto`, which is no count, stays as it is."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_COUNTS = tuple(field.name for field in fields(AssociationCounters) if field.name != "maxrto")


@dataclass(slots=True)
class StackCounters:
    """What a stack did with the datagrams that came, and what it answered on its own."""

    datagrams_received: int = 0
    datagrams_sent: int = 0
    malformed_packets: int = 0
    """Too short, a wrong checksum (§6.8), or a port of zero (§3.1)."""
    checksum_errors: int = 0
    """Those of them with a wrong checksum."""
    malformed_chunks: int = 0
    wrong_verification_tags: int = 0
    """Packets of a known association with a tag that is not its own (§8.5)."""
    out_of_the_blue: int = 0
    out_of_the_blue_answers: int = 0
    answers_withheld: int = 0
    """Answers that `Config.error_answers_per_s` left out."""
    answers_sent: int = 0
    """Packets, of one control chunk each, that no association sent: to INITs, and to what is out of the blue."""
    init_received: int = 0
    cookies_invalid: int = 0
    cookies_stale: int = 0
    icmp_received: int = 0
    icmp_ignored: int = 0
    send_errors: int = 0
    """Datagrams that the operating system refused."""
    associations_established: int = 0
    associations_accepted: int = 0
    """Those of them that the peer opened."""
    associations_aborted: int = 0
    associations_shut_down: int = 0


def counters_as_dict(counters: AssociationCounters | StackCounters) -> dict[str, float]:
    return {field.name: getattr(counters, field.name) for field in fields(counters)}
