"""The facts that the handshake settled (§14.2): what the control and the data plane both need to know of the peer."""

from __future__ import annotations

from dataclasses import dataclass

from aiosctp.core.extensions import NOTHING_NEGOTIATED, Negotiated


@dataclass(slots=True)
class TransmissionControlBlock:
    """Both sides' tags, first TSNs and stream counts, and what the peer announced."""

    local_tag: int
    local_initial_tsn: int
    outbound_streams: int
    """What we asked for; after the handshake min(our OS, the peer's MIS) (§5.1.1)."""
    inbound_streams: int
    """The most we take; after the handshake min(the peer's OS, our MIS)."""
    peer_tag: int = 0
    peer_initial_tsn: int = 0
    peer_a_rwnd: int = 0
    peer_adaptation_layer: int | None = None
    peer_extensions: tuple[int, ...] = ()
    """The chunk types that the peer announced, of the extensions that are spoken here (RFC 5061 §4.2.7)."""
    negotiated: Negotiated = NOTHING_NEGOTIATED
    """What follows from that and from what we announce; after the handshake it does not change."""
    local_tie_tag: int = 0
    """§5.2.2: random values that stand for the tags in cookies given out while this association lives."""
    peer_tie_tag: int = 0
    cookie_expires_at_s: float = float("-inf")
    """Until when the cookie that made this association, if one of ours did, would be taken again."""
