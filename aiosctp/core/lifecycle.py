"""The life of an association: one coroutine, stepped by hand, that awaits only its inbox (§4).

Inputs are values; `step` hands one over and runs to the next await. What a phase alone needs lives in that phase's
object. A transition that comes sideways (restart, collision, ABORT) closes the coroutine and, where life goes on,
starts a new one at the right phase.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING

from aiosctp.core.handshake import Handshake
from aiosctp.core.inbox import Inbox, Input
from aiosctp.core.shutdown import ShuttingDown
from aiosctp.core.states import AssociationState

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine


class Lifecycle:
    """Drives one coroutine through the phases of an association."""

    __slots__ = ("_association", "_coroutine", "inbox")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self.inbox = Inbox()
        self._coroutine: Coroutine[None, Input, None] | None = None

    def start_connecting(self, now: float) -> None:
        self._start(self._from_the_start(Handshake(self._association, self.inbox), now))

    def start_established(self) -> None:
        """For who receives the COOKIE ECHO, and after a restart or collision: begin at ESTABLISHED."""
        self._start(self._from_established())

    def step(self, event: Input) -> None:
        """Run the coroutine up to its next await. Does nothing once life has ended."""
        if self._coroutine is None:
            return
        try:
            self._coroutine.send(event)
        except StopIteration:
            self._coroutine = None

    def stop(self) -> None:
        """End it where it stands; from inside, it ends by returning."""
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None and not getattr(coroutine, "cr_running", False):
            coroutine.close()

    def _start(self, coroutine: Coroutine[None, Input, None]) -> None:
        self.stop()
        self._coroutine = coroutine
        try:
            coroutine.send(None)  # type: ignore[arg-type]  # the first step of a coroutine takes None
        except StopIteration:
            self._coroutine = None

    async def _from_the_start(self, handshake: Handshake, now: float) -> None:
        if await handshake.run(now):
            await self._from_established()

    async def _from_established(self) -> None:
        association = self._association
        while association.state is AssociationState.ESTABLISHED:
            event = await self.inbox
            if await ShuttingDown(association, self.inbox).begins_with(event):
                return
