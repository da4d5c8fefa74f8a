"""The life of an association: a coroutine, stepped by hand, that awaits only its inbox (§4).

Inputs are values; `step` hands one over and runs to the next await. What a phase alone needs lives in that phase's
object. The handshake and the shutdown are coroutines; between them, ESTABLISHED is none, for it waits for nothing but
the beginning of a shutdown, and most associations are there most of the time. A transition that comes sideways
(restart, collision, ABORT) closes the coroutine and, where life goes on, begins anew at the right phase.
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final

from aiosctp.core.handshake import Handshake
from aiosctp.core.inbox import Inbox, Input
from aiosctp.core.shutdown import ShuttingDown, begins_shutdown
from aiosctp.core.states import HANDSHAKE, SHUTTING_DOWN, AssociationState

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine


_INBOX: Final = Inbox()
_ESTABLISHED: Final = frozenset({AssociationState.ESTABLISHED})
_CLOSED: Final = frozenset({AssociationState.CLOSED})


class Lifecycle:
    """Leads an association through its phases."""

    __slots__ = ("_association", "_coroutine", "_standing")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self._coroutine: Coroutine[None, Input | None, None] | None = None
        """Of the handshake or the shutdown."""
        self._standing = _CLOSED
        """The states of the phase in which it stands."""

    def start_connecting(self, now: float) -> None:
        self._start(self._connect(now))

    def start_established(self) -> None:
        """For who receives the COOKIE ECHO, and after a restart or collision: begin at ESTABLISHED."""
        self.stop()
        self._standing = _ESTABLISHED

    def step(self, event: Input) -> None:
        """Run the coroutine up to its next await. Does nothing once life has ended."""
        if self._coroutine is not None:
            self._send(self._coroutine, event)
        elif self._association.state is AssociationState.ESTABLISHED and begins_shutdown(event):
            # What else a chunk or timer means while established was done before it came here.
            self._start(self._shut_down(event))

    def stop(self) -> None:
        """End it where it stands. When it is the coroutine itself that ends the association, it ends by returning."""
        coroutine, self._coroutine = self._coroutine, None
        self._standing = _CLOSED
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
        assert self._association.state in self._standing or self._association.state is AssociationState.CLOSED

    async def _connect(self, now: float) -> None:
        self._standing = HANDSHAKE
        came_up = await Handshake(self._association, _INBOX).run(now)
        self._standing = _ESTABLISHED if came_up else _CLOSED

    async def _shut_down(self, event: Input) -> None:
        self._standing = SHUTTING_DOWN
        await ShuttingDown(self._association, _INBOX).run(event)
        self._standing = _CLOSED
