"""What an association tells its user, named after the notifications of RFC 6458 §6.1."""

from __future__ import annotations

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
    """The association came up, restarted or ended. `error` is a cause code, 0 for none; `info` is the ABORT chunk
    that ended the association, as it stood on the wire."""

    change: AssociationChangeKind
    error: int = 0
    outbound_streams: int = 0
    inbound_streams: int = 0
    info: bytes = b""


@dataclass(frozen=True, slots=True)
class PeerAddressChange:
    """The state of one address of the peer changed. `address` is `(host, sctp_port)`."""

    address: tuple[str, int]
    change: PeerAddressChangeKind
    error: int = 0


@dataclass(frozen=True, slots=True)
class RemoteError:
    """The peer sent an ERROR chunk: the code of its first cause, and the whole chunk."""

    error: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SendFailed:
    """A message will not be delivered. `was_sent` tells whether any of it was ever on the wire."""

    data: bytes
    stream: int
    ppid: int
    context: int
    unordered: bool
    was_sent: bool
    error: int


@dataclass(frozen=True, slots=True)
class ShutdownEvent:
    """The peer sent SHUTDOWN: it takes no more data. What it sent before may still be unread."""


@dataclass(frozen=True, slots=True)
class AdaptationIndication:
    """The peer's adaptation layer (RFC 5061 §4.2.6)."""

    indication: int


@dataclass(frozen=True, slots=True)
class PartialDelivery:
    """A message of which a part was delivered will never be completed."""

    stream: int
    ssn: int


@dataclass(frozen=True, slots=True)
class SenderDry:
    """Everything that was queued has been acknowledged."""


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
    | NotificationsStopped
)
