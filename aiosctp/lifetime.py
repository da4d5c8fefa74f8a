"""The life of an association, as those see it who wait for what becomes of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING
from weakref import WeakSet

from aiosctp.changes import Changes
from aiosctp.core.association import AssociationEngine
from aiosctp.core.states import MAY_TAKE_USER_DATA, AssociationState
from aiosctp.exceptions import AssociationShutdown, SCTPError

if TYPE_CHECKING:
    from aiosctp.stack import Stack


class Lifetime:
    """Its changes, its end, and what was raised to tell of that."""

    __slots__ = ("_raised", "changes", "engine", "stack")

    def __init__(self, stack: Stack, engine: AssociationEngine) -> None:
        self.stack: Stack = stack
        self.engine: AssociationEngine = engine
        self._raised: WeakSet[BaseException] | None = None
        self.changes: Changes = Changes()
        """The engine did something, or it is the end."""

    def touch(self) -> None:
        """Something was asked of the engine: what comes of it is sent before the loop's turn is over."""
        self.stack.touch(self.engine)

    # -- the end --

    def check_established(self) -> None:
        self._check(self.engine.state is AssociationState.ESTABLISHED)

    def check_may_send(self) -> None:
        self._check(self.engine.state in MAY_TAKE_USER_DATA)

    def _check(self, may_go_on: bool) -> None:
        if self.engine.ending is not None:
            raise self.ending_error()
        if not may_go_on:
            raise self.of_ours(AssociationShutdown("the association is shutting down"))

    def ending_error(self) -> SCTPError:
        """Why it ended: a new exception each time, for one that is raised again and again would gather tracebacks."""
        assert self.engine.ending is not None
        return self.of_ours(copy.copy(self.engine.ending))

    def of_ours(self, error: SCTPError) -> SCTPError:
        """Remember that this association raises this."""
        if self._raised is None:
            self._raised = WeakSet()
        self._raised.add(error)
        return error

    def raised(self, error: BaseException) -> bool:
        """Whether this association raised it because it had ended, or was about to."""
        return self._raised is not None and error in self._raised
