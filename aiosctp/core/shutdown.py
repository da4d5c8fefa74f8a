"""Graceful shutdown (§9.2): SHUTDOWN-PENDING, -SENT, -RECEIVED, -ACK-SENT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiosctp.core.inbox import (
    ChunkArrived,
    DataDrained,
    Inbox,
    Input,
    PacketArrived,
    ShutdownRequested,
    TimerExpired,
)
from aiosctp.core.states import AssociationState
from aiosctp.core.timers import Timer
from aiosctp.events import ShutdownEvent
from aiosctp.exceptions import AssociationLost
from aiosctp.wire.causes import UserInitiatedAbort
from aiosctp.wire.chunks import Shutdown, ShutdownAck, ShutdownComplete

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path


def begins_shutdown(event: Input) -> bool:
    """Either side may begin it: our user, or the peer's SHUTDOWN."""
    return isinstance(event, ShutdownRequested) or (
        isinstance(event, ChunkArrived) and isinstance(event.chunk, Shutdown)
    )


class ShuttingDown:
    """What exists only while the association ends: how often T2 expired, and on which path."""

    def __init__(self, association: AssociationEngine, inbox: Inbox) -> None:
        self._association = association
        self._inbox = inbox
        self._retransmissions = 0
        self._path: Path | None = None

    async def run(self, event: Input) -> None:
        """From the input that began it to CLOSED."""
        self._handle(event)
        while self._association.state is not AssociationState.CLOSED:
            self._handle(await self._inbox)

    def _handle(self, event: Input) -> None:
        match event:
            case ShutdownRequested(now):
                self._association.enter(AssociationState.SHUTDOWN_PENDING)
                self._proceed(now)
            case DataDrained(now):
                self._proceed(now)
            case PacketArrived(path, has_data, now):
                self._packet_arrived(path, now, has_data=has_data)
            case ChunkArrived(Shutdown() as chunk, path, now):
                self._shutdown_received(chunk, path, now)
            case ChunkArrived(ShutdownAck(), path, now):
                self._shutdown_ack_received(path, now)
            case ChunkArrived(ShutdownComplete(), _, now):
                self._association.termination.end_gracefully()
            case TimerExpired(Timer.T2_SHUTDOWN, now):
                self._t2_expired(now)
            case _:
                pass  # what an ERROR says was told to the user

    def _proceed(self, now: float, path: Path | None = None) -> None:
        """Once nothing is outstanding, the next chunk of the three-way exchange is due: on this path, if it is a reply
        (§6.4)."""
        association = self._association
        # §5.4: a shutdown is told to no address that is not confirmed, and ends the probing that might confirm one.
        sender = association.sender
        if not sender.is_at_rest or not association.paths.for_data().is_confirmed:
            return
        if sender.has_open_record:
            # No part is taken any more that could end it. The peer is never to take what it has for all. Nor is there
            # an end to wait for to the resets that wait for it, ours or the peer's, and so to what they hold back.
            association.termination.abort((UserInitiatedAbort(b"a record was not ended"),))
            return
        if sender.is_cut_off:
            association.termination.abort((UserInitiatedAbort(b"what was abandoned can't be passed over"),))
            return
        if sender.queue.held_bytes:
            return
        if association.state is AssociationState.SHUTDOWN_PENDING:
            association.enter(AssociationState.SHUTDOWN_SENT)
            self._send_shutdown(association.paths.for_data(), now)
        elif association.state is AssociationState.SHUTDOWN_RECEIVED:
            association.enter(AssociationState.SHUTDOWN_ACK_SENT)
            self._send_shutdown_ack(path or association.paths.for_data(), now)

    def _shutdown_received(self, chunk: Shutdown, path: Path, now: float) -> None:
        association = self._association
        state = association.state
        if state is AssociationState.SHUTDOWN_ACK_SENT:
            # Our SHUTDOWN ACK was lost, or crossed this one.
            self._send_shutdown_ack(path, now, is_repeat=True)
            return
        # §9.2: "verify, by checking the Cumulative TSN Ack field", which acknowledges as a SACK does.
        if not association.shutdown_acknowledges(chunk, now):
            return
        if state is AssociationState.SHUTDOWN_SENT:
            # §9.2: "SHOULD respond immediately with a SHUTDOWN ACK chunk", with all of its retransmissions before it:
            # "any packet from its peer ... SHOULD clear the endpoint's retransmission count".
            self._retransmissions = 0
            association.enter(AssociationState.SHUTDOWN_ACK_SENT)
            self._send_shutdown_ack(path, now)
            return
        if state is not AssociationState.SHUTDOWN_RECEIVED:
            association.enter(AssociationState.SHUTDOWN_RECEIVED)
            association.start_shutdown_guard(now)
            association.emit(ShutdownEvent())
        self._proceed(now, path)

    def _shutdown_ack_received(self, path: Path, now: float) -> None:
        """§9.2: in SHUTDOWN-SENT and, when both cross, in SHUTDOWN-ACK-SENT."""
        association = self._association
        # Nothing follows it: the peer forgets us, and would take a SHUTDOWN that still waits for out of the blue.
        association.output.clear()
        # §6.10: alone; §8.5.1 C: under the peer's tag, T bit clear; §5.4: not to an address that is not confirmed.
        answer_path = path if path.is_confirmed else association.paths.for_data()
        association.output.send_alone(answer_path, ShutdownComplete().encode())
        association.termination.end_gracefully()

    def _send_shutdown(self, path: Path, now: float) -> None:
        association = self._association
        chunk = Shutdown(association.receiver.cumulative_tsn).encode()
        association.output.send_control(path, chunk, is_repeat=self._retransmissions > 0)
        self._arm_t2(path, now)

    def _packet_arrived(self, path: Path, now: float, *, has_data: bool) -> None:
        """§9.2: in SHUTDOWN-SENT any packet "SHOULD clear the endpoint's retransmission count and restart the
        T2-shutdown timer"; one with DATA MUST be answered immediately "with a SHUTDOWN chunk"."""
        self._retransmissions = 0
        if has_data:
            self._send_shutdown(path, now)
        else:
            self._arm_t2(path, now)

    def _send_shutdown_ack(self, path: Path, now: float, *, is_repeat: bool = False) -> None:
        self._association.output.send_control(path, ShutdownAck().encode(), is_repeat=is_repeat)
        self._arm_t2(path, now)

    def _arm_t2(self, path: Path, now: float) -> None:
        self._path = path
        self._association.timers.start(Timer.T2_SHUTDOWN, now + path.rto.rto_s)

    def _t2_expired(self, now: float) -> None:
        association = self._association
        self._retransmissions += 1
        # §9.2: "SHOULD limit the number of retransmissions ... to the protocol parameter 'Association.Max.Retrans'".
        if self._retransmissions > association.config.association_max_retrans:
            association.termination.lose(AssociationLost("the peer did not answer the shutdown"))
            return
        assert self._path is not None
        self._path.rto.back_off()
        association.failure.path_failed_once(self._path)
        path = association.paths.for_retransmission(self._path)
        if association.state is AssociationState.SHUTDOWN_SENT:
            self._send_shutdown(path, now)
        elif association.state is AssociationState.SHUTDOWN_ACK_SENT:
            self._send_shutdown_ack(path, now, is_repeat=True)
