"""How an association ends: ABORT of either side (§9.1), loss (§8.1), refusal (§5.1), or gracefully (§9.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiosctp.core.messages import Outgoing, Part
from aiosctp.core.states import HANDSHAKE, AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, PartialDelivery, SendFailed
from aiosctp.exceptions import AssociationAborted, AssociationLost, AssociationRefused, AssociationShutdown, SCTPError
from aiosctp.exceptions import Cause as ReportedCause
from aiosctp.wire.causes import Cause, UserInitiatedAbort
from aiosctp.wire.chunks import Abort
from aiosctp.wire.codepoints import CauseCode

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path


class Termination:
    """The exits. Each leaves the association CLOSED, with its `ending` set and everything undelivered reported."""

    __slots__ = ("_association",)

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association

    def abort(self, causes: tuple[Cause, ...]) -> None:
        """§9.1: send ABORT and end."""
        if self._association.state is AssociationState.CLOSED:
            return
        self._send_abort(causes)
        why = "the association was aborted here" + _cause_text(causes)
        error = AssociationAborted(why, _reported(causes), local=True)
        self._end(error, AssociationChange(self._lost(), _code(causes)))

    def _send_abort(self, causes: tuple[Cause, ...]) -> None:
        """Before the peer's tag is known there is nobody to send it to."""
        association = self._association
        association.output.clear()
        path = association.paths.for_data()
        # §5.4: nor is there anybody while no address is confirmed.
        if association.tcb.peer_tag and path.is_confirmed:
            # No DATA is bundled with it, and it goes under the peer's tag.
            association.output.send_alone(path, Abort(causes).encode())

    def abort_received(self, chunk: Abort) -> None:
        """§9.1: "MUST remove the association from its record". Nothing is ever answered to an ABORT."""
        association = self._association
        association.output.clear()
        error: SCTPError
        if association.state in HANDSHAKE:
            error = self.refusal("refused the association", chunk.causes)
        else:
            why = "the peer aborted the association" + _cause_text(chunk.causes)
            error = AssociationAborted(why, _reported(chunk.causes))
        self._end(error, AssociationChange(self._lost(), _code(chunk.causes), info=chunk.encode()))

    def refuse_init_ack(self, path: Path, *, tag: int, causes: tuple[Cause, ...], tag_reflected: bool) -> None:
        """§3.3.3, §5.1: an INIT ACK that can't be taken ends the attempt, with an ABORT under the tag it named."""
        association = self._association
        association.output.clear()
        association.output.send_alone(path, Abort(causes, tag_reflected).encode(), verification_tag=tag)
        self.fail_to_connect(self.refusal("sent an INIT ACK that can't be accepted", causes))

    def refusal(self, what: str, causes: tuple[Cause, ...] = ()) -> AssociationRefused:
        """What the peer did, with where it was asked."""
        return AssociationRefused(f"{self.asked} {what}{_cause_text(causes)}", _reported(causes))

    @property
    def asked(self) -> str:
        """Where the peer was asked for the association, in words."""
        association = self._association
        path = association.paths.primary
        return f"{path.address} (SCTP port {association.peer_port}, UDP port {path.udp_port})"

    def fail_to_connect(self, error: SCTPError) -> None:
        self._end(error, AssociationChange(AssociationChangeKind.CANT_STR_ASSOC))

    def lose(self, error: SCTPError) -> None:
        """§8.1: the peer is unreachable; nothing more is sent to it."""
        self._association.output.clear()
        self._end(error, AssociationChange(self._lost()))

    def give_up(self, why: str) -> None:
        """The peer is reachable, and does not take what we have: it is told, and our user as when it is not."""
        causes = (UserInitiatedAbort(why.encode()),)
        self._send_abort(causes)
        self._end(AssociationLost(why), AssociationChange(self._lost(), _code(causes)))

    def end_gracefully(self) -> None:
        error = AssociationShutdown("the association has been shut down")
        self._end(error, AssociationChange(AssociationChangeKind.SHUTDOWN_COMP))

    def _lost(self) -> AssociationChangeKind:
        if self._association.state in HANDSHAKE:
            return AssociationChangeKind.CANT_STR_ASSOC
        return AssociationChangeKind.COMM_LOST

    def _end(self, error: SCTPError, change: AssociationChange) -> None:
        """CLOSED: one AssociationChange, then one SendFailed for each message that was not delivered."""
        association = self._association
        if association.state is AssociationState.CLOSED:
            return
        association.enter(AssociationState.CLOSED)
        association.ending = error
        association.timers.stop_all()
        association.lifecycle.stop()
        if association.reconfig is not None:
            association.reconfig.fail()
        for stream, ssn in association.receiver.abort_partial_delivery():
            association.emit(PartialDelivery(stream, ssn))
        self.report_failed(association.sender.take_abandoned(), 0)
        association.emit(change)
        self.report_failed(association.sender.take_abandoned(), 0)
        self.report_failed(association.sender.take_unsent(), change.error)

    def report_failed(self, messages: Iterable[tuple[Outgoing, bool]], error: int) -> None:
        """RFC 6458 §6.1.11: one SendFailed a message, with whether any of it was ever on the wire."""
        for (data, stream, ppid, unordered, context, _, terms), was_sent in messages:
            is_whole = not isinstance(terms, Part)
            self._association.emit(SendFailed(data, stream, ppid, context, unordered, was_sent, error, is_whole))


def _reported(causes: Iterable[Cause]) -> tuple[ReportedCause, ...]:
    return tuple(ReportedCause(cause.code, cause.data) for cause in causes)


def _cause_text(causes: tuple[Cause, ...]) -> str:
    """The first cause in words, to go on with after what happened; the peer's own text escaped."""
    if not causes:
        return ""
    cause = causes[0]
    try:
        name = CauseCode(cause.code).name.lower().replace("_", " ")
    except ValueError:
        return f": cause {cause.code}"
    if cause.code == CauseCode.USER_INITIATED_ABORT and cause.data:
        return f": {name}: {cause.data.decode(errors='backslashreplace')!r}"
    return f": {name}"


def _code(causes: tuple[Cause, ...]) -> int:
    return causes[0].code if causes else 0
