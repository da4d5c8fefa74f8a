"""What an association tells its user, named after the notifications of RFC 6458 §6.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class AssociationChangeKind(StrEnum):
    """RFC 6458 §6.1.1, `sac_state`."""

    COMM_UP = "COMM_UP"
    COMM_LOST = "COMM_LOST"
    RESTART = "RESTART"
    SHUTDOWN_COMP = "SHUTDOWN_COMP"
    CANT_STR_ASSOC = "CANT_STR_ASSOC"


class PeerAddressChangeKind(StrEnum):
    """RFC 6458 §6.1.2, `spc_state`."""

    AVAILABLE = "AVAILABLE"
    UNREACHABLE = "UNREACHABLE"
    MADE_PRIM = "MADE_PRIM"
    CONFIRMED = "CONFIRMED"


@dataclass(frozen=True, slots=True)
class AssociationChange:
    """The association came up, restarted or ended.

    change: COMM_UP, COMM_LOST, RESTART, SHUTDOWN_COMP or CANT_STR_ASSOC. error: a cause code (§3.3.10), 0 for none.
    outbound_streams, inbound_streams: how many were negotiated. info: the ABORT chunk that ended the association, as it
    stood on the wire.
    """

    change: AssociationChangeKind
    error: int = 0
    outbound_streams: int = 0
    inbound_streams: int = 0
    info: bytes = b""


@dataclass(frozen=True, slots=True)
class PeerAddressChange:
    """The state of one address of the peer changed.

    address: `(host, SCTP port)`. change: CONFIRMED, AVAILABLE, UNREACHABLE or MADE_PRIM. error: a cause code, 0 for
    none.
    """

    address: tuple[str, int]
    change: PeerAddressChangeKind
    error: int = 0


@dataclass(frozen=True, slots=True)
class RemoteError:
    """The peer sent an ERROR chunk. error: the code of its first cause. data: the whole chunk."""

    error: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SendFailed:
    """A message was abandoned, as its policy allows (RFC 3758), or was not acknowledged when the association ended or
    the peer restarted: it may never be delivered. Once for each such message.

    data, stream, ppid, context, unordered: as they were given to `send`. was_sent: whether any of it was ever on the
    wire. error: the cause code of that end; 0 for none, as of an abandoned message. is_whole: False of a part of a
    message that was given in parts: each that failed has an event of its own.
    """

    data: bytes
    stream: int
    ppid: int
    context: int
    unordered: bool
    was_sent: bool
    error: int
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class ShutdownEvent:
    """The peer sent SHUTDOWN: it takes no more data. What it sent before may still be unread."""


@dataclass(frozen=True, slots=True)
class AdaptationIndication:
    """The peer told its adaptation layer. indication: 32 bits (RFC 5061 §4.2.6)."""

    indication: int


@dataclass(frozen=True, slots=True)
class PartialDelivery:
    """A message of which a part was delivered will never be completed. stream, ssn: which, as in `Message`."""

    stream: int
    ssn: int


@dataclass(frozen=True, slots=True)
class SenderDry:
    """Everything that was queued has been acknowledged."""


@dataclass(frozen=True, slots=True)
class StreamReset:
    """Streams begin anew, with SSN 0 (RFC 6525 §6.1.1); or a reset that was asked for here did not come about.

    incoming, outgoing: which; a `range` when all were meant. denied: the peer refused it. failed: it came to nothing
    otherwise, as by a restart of the peer.
    """

    incoming: Sequence[int]
    outgoing: Sequence[int]
    denied: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class AssociationReset:
    """The TSNs, and the SSNs of all streams, begin anew (RFC 6525 §6.1.2); or the reset did not come about.

    local_tsn: the next one we send. remote_tsn: the next one the peer sends. denied, failed: as in `StreamReset`.
    """

    local_tsn: int
    remote_tsn: int
    denied: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class StreamChange:
    """There are other numbers of streams (RFC 6525 §6.1.3); or adding some did not come about.

    incoming, outgoing: how many there are now. denied, failed: as in `StreamReset`.
    """

    incoming: int
    outgoing: int
    denied: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class NotificationsStopped:
    """This subscription overflowed: what came after was dropped, and nothing more will come."""


Event = (
    AssociationChange
    | PeerAddressChange
    | RemoteError
    | SendFailed
    | ShutdownEvent
    | AdaptationIndication
    | PartialDelivery
    | SenderDry
    | StreamReset
    | AssociationReset
    | StreamChange
    | NotificationsStopped
)
