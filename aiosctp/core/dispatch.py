"""Which chunk means something in which state: one table, consulted in one place.

What is not in it is silently discarded, as §5.2.3, §5.2.5, §6, §8.5.1 C and §9.2 say chunk by chunk. INIT and COOKIE
ECHO are not here: they are found a meaning before the state is asked (`stack.py`, §5.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiosctp.core.states import AssociationState
from aiosctp.wire.codepoints import ChunkType

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

Handler = Callable[["AssociationEngine", Any, "Path", float], None]

_S = AssociationState
_OPEN = (_S.ESTABLISHED, _S.SHUTDOWN_PENDING, _S.SHUTDOWN_SENT, _S.SHUTDOWN_RECEIVED, _S.SHUTDOWN_ACK_SENT)


class DispatchTable:
    """(chunk type, state) -> handler. Extensions register theirs."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[int, AssociationState], Handler] = {}

    def register(self, chunk_type: int, states: tuple[AssociationState, ...], handler: Handler) -> None:
        for state in states:
            self._handlers[chunk_type, state] = handler

    def find(self, chunk_type: int, state: AssociationState) -> Handler | None:
        return self._handlers.get((chunk_type, state))


def base_table(
    *,
    data: Handler,
    sack: Handler,
    heartbeat: Handler,
    heartbeat_ack: Handler,
    error: Handler,
    init_ack: Handler,
    lifecycle: Handler,
    early_shutdown_ack: Handler,
) -> DispatchTable:
    """The table of RFC 9260."""
    table = DispatchTable()
    # §6: "DATA chunks MUST only be received ... in ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-SENT states".
    table.register(ChunkType.DATA, (_S.ESTABLISHED, _S.SHUTDOWN_PENDING, _S.SHUTDOWN_SENT), data)
    # §6: "A SACK chunk MUST be processed in ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-RECEIVED states".
    table.register(ChunkType.SACK, (_S.ESTABLISHED, _S.SHUTDOWN_PENDING, _S.SHUTDOWN_RECEIVED), sack)
    # §8.3: answered from COOKIE-ECHOED "up until reaching the SHUTDOWN-SENT state ... or the SHUTDOWN-ACK-SENT state".
    answers = (_S.COOKIE_ECHOED, _S.ESTABLISHED, _S.SHUTDOWN_PENDING, _S.SHUTDOWN_RECEIVED)
    table.register(ChunkType.HEARTBEAT, answers, heartbeat)
    table.register(ChunkType.HEARTBEAT_ACK, (_S.COOKIE_ECHOED, *_OPEN), heartbeat_ack)
    table.register(ChunkType.ERROR, (_S.COOKIE_ECHOED, *_OPEN), error)
    table.register(ChunkType.INIT_ACK, (_S.COOKIE_WAIT,), init_ack)
    table.register(ChunkType.COOKIE_ACK, (_S.COOKIE_ECHOED,), lifecycle)
    table.register(ChunkType.SHUTDOWN, _OPEN, lifecycle)
    # §9.2, Figure 3: a SHUTDOWN ACK means something only to who sent SHUTDOWN, or SHUTDOWN ACK as well.
    table.register(ChunkType.SHUTDOWN_ACK, (_S.SHUTDOWN_SENT, _S.SHUTDOWN_ACK_SENT), lifecycle)
    table.register(ChunkType.SHUTDOWN_ACK, (_S.COOKIE_WAIT, _S.COOKIE_ECHOED), early_shutdown_ack)
    table.register(ChunkType.SHUTDOWN_COMPLETE, (_S.SHUTDOWN_ACK_SENT,), lifecycle)
    return table
