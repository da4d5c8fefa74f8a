"""The life of an association: one coroutine, stepped by hand, that awaits only its inbox (§4).

Inputs are values; `step` hands one over and runs to the next await. What a phase alone needs lives in that phase's
object. A transition that comes sideways (restart, collision, ABORT) closes the coroutine and, where life goes on,
starts a new one at the right phase.
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from aiosctp.core.handshake import Handshake
from aiosctp.core.inbox import Inbox, Input
from aiosctp.core.shutdown import ShuttingDown, begins_shutdown
from aiosctp.core.states import HANDSHAKE, SHUTTING_DOWN, AssociationState

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine


class Lifecycle:
    """Drives one coroutine through the phases of an association."""

    __slots__ = ("_association", "_coroutine", "_inbox", "_standing")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self._inbox = Inbox()
        self._coroutine: Coroutine[None, Input | None, None] | None = None
        self._standing: frozenset[AssociationState] = frozenset()
        """The states of the phase in which the coroutine stands."""

    def start_connecting(self, now: float) -> None:
        self._start(self._from_the_start(now))

    def start_established(self) -> None:
        """For who receives the COOKIE ECHO, and after a restart or collision: begin at ESTABLISHED."""
        self._start(self._from_established())

    def step(self, event: Input) -> None:
        """Run the coroutine up to its next await. Does nothing once life has ended."""
        if self._coroutine is not None:
            self._send(self._coroutine, event)

    def stop(self) -> None:
        """End it where it stands. When it is the coroutine itself that ends the association, it ends by returning."""
        coroutine, self._coroutine = self._coroutine, None
        if coroutine is not None and inspect.getcoroutinestate(coroutine) != inspect.CORO_RUNNING:
            coroutine.close()

    def _start(self, coroutine: Coroutine[None, Input | None, None]) -> None:
        self.stop()
        self._coroutine = coroutine
        self._send(coroutine, None)

    def _send(self, coroutine: Coroutine[None, Input | None, None], event: Input | None) -> None:
        try:
            coroutine.send(event)
        except StopIteration:
            self._coroutine = None
            self._standing = frozenset({AssociationState.CLOSED})
        assert self._association.state in self._standing or self._association.state is AssociationState.CLOSED

    async def _from_the_start(self, now: float) -> None:
        self._standing = HANDSHAKE
        if await Handshake(self._association, self._inbox).run(now):
            await self._from_established()

    async def _from_established(self) -> None:
        self._standing = frozenset({AssociationState.ESTABLISHED})
        while not begins_shutdown(event := await self._inbox):
            pass  # what else a chunk or timer means while established was done before it came here
        self._standing = SHUTTING_DOWN
        await ShuttingDown(self._association, self._inbox).run(event)
