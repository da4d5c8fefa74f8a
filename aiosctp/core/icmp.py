"""ICMP messages about packets of ours (§10, RFC 6951 §5.5): whose they are, whether to believe them, what they mean.

Over UDP a peer without a listener answers "port unreachable", which RFC 6951 §5.5 would have treated as the end of the
association, and §10 ICMP3 would have ignored. We stand between: anyone who sees our packets can forge it, so an
established association is never ended by it; an INIT that draws it was refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from aiosctp.core.packets_too_big import packet_too_big
from aiosctp.core.states import HANDSHAKE, AssociationState
from aiosctp.exceptions import AssociationAborted
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import HEADER_BYTES

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

_QUOTED_HEADER = struct.Struct("!HHL")
_QUOTED_INIT = struct.Struct("!HHLLBBHL")
_HEARTBEAT = bytes([ChunkType.HEARTBEAT])


class IcmpKind(Enum):
    """What §10 tells apart; the transport maps types and codes of both families to it."""

    PORT_UNREACHABLE = auto()
    PROTOCOL_UNREACHABLE = auto()
    """ICMPv4 "protocol unreachable", ICMPv6 "unrecognized next header type encountered"."""
    DESTINATION_UNREACHABLE = auto()
    PACKET_TOO_BIG = auto()


@dataclass(frozen=True, slots=True)
class IcmpMessage:
    """One message, with the SCTP packet it quotes from its common header on."""

    kind: IcmpKind
    quoted: bytes
    destination: str
    """Where the quoted packet was sent."""
    mtu: int = 0
    """Of a packet too big: the next hop's, 0 if it did not say."""


FindAssociation = Callable[[int, int, str], "AssociationEngine | None"]


def handle_icmp(message: IcmpMessage, find: FindAssociation, now: float) -> AssociationEngine | None:
    """Act on the message; the association it concerned, or None when it was ignored."""
    if len(message.quoted) < _QUOTED_HEADER.size:
        return None
    # ICMP5: "MUST use the payload of the ICMP message ... to locate the association".
    local_port, peer_port, tag = _QUOTED_HEADER.unpack_from(message.quoted)
    association = find(local_port, peer_port, message.destination)
    if association is None or not _is_ours(message.quoted, tag, association):
        return None
    path = association.paths.get(message.destination)
    if path is None:
        return None
    # A tag of 0 was believed only with our INIT behind it.
    _act(message, association, path, quotes_init=tag == 0, now=now)
    return association


def _is_ours(quoted: bytes, tag: int, association: AssociationEngine) -> bool:
    """ICMP6: "MUST validate that the Verification Tag contained in the ICMP message matches"; with tag 0, that the
    chunk is an INIT and its Initiate Tag the one we sent."""
    if tag != 0:
        return tag == association.tcb.peer_tag
    if len(quoted) < _QUOTED_INIT.size:
        return False
    *_, chunk_type, _, _, initiate_tag = _QUOTED_INIT.unpack_from(quoted)
    return bool(chunk_type == ChunkType.INIT and initiate_tag == association.tcb.local_tag)


def _act(message: IcmpMessage, association: AssociationEngine, path: Path, *, quotes_init: bool, now: float) -> None:
    init_was_refused = quotes_init and association.state is AssociationState.COOKIE_WAIT
    match message.kind:
        case IcmpKind.PACKET_TOO_BIG:
            # ICMP7.
            quotes_heartbeat = message.quoted[HEADER_BYTES : HEADER_BYTES + 1] == _HEARTBEAT
            packet_too_big(association, path, message.mtu, now, quotes_heartbeat=quotes_heartbeat)
        case IcmpKind.PORT_UNREACHABLE | IcmpKind.PROTOCOL_UNREACHABLE if init_was_refused:
            # ICMP8: with our INIT quoted, "handle the ICMP message like an ABORT chunk", once no address is left.
            path.is_inactive = True
            if all(other.is_inactive for other in association.paths):
                association.termination.fail_to_connect(association.termination.refusal("has nobody on that UDP port"))
        case IcmpKind.PROTOCOL_UNREACHABLE if not quotes_init:
            # ICMP8: "MUST treat this message as an abort with the T bit set if it does not contain an INIT chunk".
            if association.state in HANDSHAKE:
                association.termination.lose(association.termination.refusal("does not take UDP"))
            else:
                association.termination.lose(AssociationAborted("the peer's host does not take UDP"))
        case _:
            # ICMP9: "MAY ... increment the path error counter"; no faster than unanswered packets would (§8.2).
            _count_error(association, path, now)


def _count_error(association: AssociationEngine, path: Path, now: float) -> None:
    if now - path.unreachable_at_s >= path.rto.rto_s:
        path.unreachable_at_s = now
        association.failure.path_failed_once(path)
