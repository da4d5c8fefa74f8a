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
        self.error_count: int = 0
        """§8.1: consecutive retransmissions to the peer, on any path."""

    def retransmission_timed_out(self, path: Path) -> None:
        """§8.1, §8.2: T3 expired. It counts for the endpoint on whichever path."""
        self.path_failed_once(path)
        self._peer_failed_once()

    def heartbeat_timed_out(self, path: Path) -> None:
        """§8.1: HEARTBEATs unanswered on a path not used for data "SHOULD NOT increment the association error counter";
        §5.4: nor do those that probe an UNCONFIRMED address."""
        is_used = path.is_confirmed and path is self._association.paths.for_data()
        self.path_failed_once(path)
        if is_used:
            self._peer_failed_once()

    def path_failed_once(self, path: Path) -> None:
        """§8.2: "When the value in the error counter exceeds ... 'Path.Max.Retrans' ..., mark ... as inactive, and a
        notification SHOULD be sent"; §8.3: from then on it "SHOULD stop increasing the counter"."""
        if path.is_inactive:
            return
        path.error_count += 1
        if path.error_count > path.path_max_retrans:
            path.is_inactive = True
            self._tell(path, PeerAddressChangeKind.UNREACHABLE)

    def _peer_failed_once(self) -> None:
        association = self._association
        self.error_count += 1
        if self.error_count > association.config.association_max_retrans:
            why = "the peer no longer answers: Association.Max.Retrans was exceeded"
            association.termination.lose(AssociationLost(why))

    def path_answered(self, path: Path) -> None:
        """A HEARTBEAT on this path was answered with the right nonce: it is confirmed, active and without errors."""
        was = path.state
        path.is_confirmed = True
        self._path_works(path)
        # §8.1: "MAY choose not to clear the counter if there is outstanding data": else a path that carries HEARTBEATs
        # but no DATA would keep the association for ever.
        if self._association.sender.is_at_rest:
            self.error_count = 0
        if was is PathState.UNCONFIRMED:
            self._tell(path, PeerAddressChangeKind.CONFIRMED)

    def acknowledged(self, path: Path) -> None:
        """§8.1, §8.2: DATA sent on this path was acknowledged; the endpoint's counter MUST be reset."""
        self.error_count = 0
        if path.error_count or path.is_inactive:
            self._path_works(path)

    def _path_works(self, path: Path) -> None:
        path.error_count = 0
        if path.is_inactive:
            path.is_inactive = False
            if path.is_confirmed:
                self._tell(path, PeerAddressChangeKind.AVAILABLE)

    def _tell(self, path: Path, change: PeerAddressChangeKind) -> None:
        association = self._association
        association.emit(PeerAddressChange((path.address, association.peer_port), change))
