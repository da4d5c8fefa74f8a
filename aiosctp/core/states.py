"""The states of an association (§4) and of a path (§8.2, §5.4)."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Final


class AssociationState(StrEnum):
    """§4, Figure 3. CLOSED: there is no association."""

    CLOSED = "CLOSED"
    COOKIE_WAIT = "COOKIE-WAIT"
    COOKIE_ECHOED = "COOKIE-ECHOED"
    ESTABLISHED = "ESTABLISHED"
    SHUTDOWN_PENDING = "SHUTDOWN-PENDING"
    SHUTDOWN_SENT = "SHUTDOWN-SENT"
    SHUTDOWN_RECEIVED = "SHUTDOWN-RECEIVED"
    SHUTDOWN_ACK_SENT = "SHUTDOWN-ACK-SENT"


class PathState(StrEnum):
    """UNCONFIRMED until §5.4 proved that the address is the peer's; INACTIVE once Path.Max.Retrans was exceeded."""

    UNCONFIRMED = "UNCONFIRMED"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class Opener(Enum):
    """Whose COOKIE ECHO has set the association up: where both have sent an INIT (§5.2.1), one may count alone.

    BOTH: each has sent one that the other can take (§5.2.4 D). A side that never gets the other's, which was lost or
    comes late, takes itself for the only one: nothing of SCTP tells it better.
    """

    US = auto()
    PEER = auto()
    BOTH = auto()


# What is asked for each message or packet: before Python 3.12 it takes 100 ns to find a member in its enumeration.
CLOSED: Final = AssociationState.CLOSED
ESTABLISHED: Final = AssociationState.ESTABLISHED

HANDSHAKE = frozenset({AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED})

SHUTTING_DOWN = frozenset(
    {
        AssociationState.SHUTDOWN_PENDING,
        AssociationState.SHUTDOWN_SENT,
        AssociationState.SHUTDOWN_RECEIVED,
        AssociationState.SHUTDOWN_ACK_SENT,
    }
)

# §6: "Data transmission MUST only happen in the ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-RECEIVED states."
MAY_TRANSMIT_DATA = frozenset(
    {AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED}
)

# §9.2: new data from the user is taken only before the shutdown begins.
MAY_TAKE_USER_DATA = frozenset(
    {AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED, AssociationState.ESTABLISHED}
)
