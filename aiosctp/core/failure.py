"""Failure detection: the error counters of the paths (§8.2) and of the association (§8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiosctp.core.states import PathState
from aiosctp.events import PeerAddressChange, PeerAddressChangeKind
from aiosctp.exceptions import AssociationLost

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path


class FailureDetection:
    """Counts what went unanswered, per path and in all, and says when that is too much."""

    __slots__ = ("_association", "error_count")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self.error_count = 0
        """§8.1: consecutive retransmissions to the peer, on any path."""

    def path_failed_once(self, path: Path, *, counts_for_association: bool = True) -> None:
        """T3 or T2 expired on this path, or a HEARTBEAT on it went unanswered; or the network says it is unreachable,
        which anyone can say, and so never counts against the association."""
        association = self._association
        was_active = path.is_active
        # §8.1: HEARTBEATs unanswered on a path not used for data "SHOULD NOT increment the association error counter";
        # §5.4: nor do those that probe an UNCONFIRMED address.
        counts = (
            counts_for_association
            and path.is_confirmed
            and (path.flight_bytes > 0 or path is association.paths.for_data())
        )
        # §8.3: on an inactive path the endpoint "SHOULD stop increasing the counter".
        if not path.is_inactive:
            path.error_count += 1
        if path.error_count > path.path_max_retrans and not path.is_inactive:
            path.is_inactive = True
            if was_active:
                self._tell(path, PeerAddressChangeKind.UNREACHABLE)
        if counts:
            self.error_count += 1
            if self.error_count > association.config.association_max_retrans:
                association.termination.lose(AssociationLost("Association.Max.Retrans was exceeded"))

    def path_answered(self, path: Path) -> None:
        """A HEARTBEAT on this path was answered with the right nonce: it is confirmed, active and without errors."""
        was = path.state
        path.is_confirmed = True
        self.acknowledged(path)
        if was is PathState.UNCONFIRMED:
            self._tell(path, PeerAddressChangeKind.CONFIRMED)

    def acknowledged(self, path: Path) -> None:
        """§8.1, §8.2: something sent on this path was acknowledged; both counters MUST or SHOULD be cleared."""
        self.error_count = 0
        path.error_count = 0
        if path.is_inactive:
            path.is_inactive = False
            if path.is_confirmed:
                self._tell(path, PeerAddressChangeKind.AVAILABLE)

    def _tell(self, path: Path, change: PeerAddressChangeKind) -> None:
        association = self._association
        association.emit(PeerAddressChange((path.address, association.peer_port), change))
