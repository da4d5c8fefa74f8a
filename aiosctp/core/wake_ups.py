"""When which association wants to be woken: one deadline each, in a heap that is put right lazily."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine

# Fewer cancelled wake-ups than this are not worth making the heap anew.
LEAST_STALE_WAKE_UPS = 64


class WakeUps:
    """The deadlines of all associations of a stack.

    The heap holds no association: wake-ups that were cancelled stay in it until they come to the top, or until they are
    most of it, and keep nothing alive.
    """

    __slots__ = ("_by_association", "_by_number", "_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._by_number: dict[int, AssociationEngine] = {}
        self._by_association: dict[AssociationEngine, tuple[float, int]] = {}
        self._numbers = count()

    def __len__(self) -> int:
        """How many entries the heap has, those cancelled included."""
        return len(self._heap)

    def scheduled(self) -> dict[AssociationEngine, float]:
        """When each association will be woken."""
        return {association: deadline for association, (deadline, _) in self._by_association.items()}

    def schedule(self, association: AssociationEngine, deadline: float) -> None:
        """Wake the association no later than this. One that would be woken earlier stays so: it is woken once too
        early, which costs less than to move it each time."""
        entry = self._by_association.get(association)
        if entry is not None and entry[0] <= deadline:
            return
        self.cancel(association)
        entry = self._by_association[association] = (deadline, next(self._numbers))
        self._by_number[entry[1]] = association
        heapq.heappush(self._heap, entry)

    def cancel(self, association: AssociationEngine) -> None:
        entry = self._by_association.pop(association, None)
        if entry is None:
            return
        del self._by_number[entry[1]]
        if len(self._heap) > 2 * len(self._by_number) + LEAST_STALE_WAKE_UPS:
            self._heap = sorted(self._by_association.values())

    def next_deadline(self) -> float | None:
        while self._heap:
            deadline, number = self._heap[0]
            if number in self._by_number:
                return deadline
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now: float) -> AssociationEngine | None:
        """The association that is to be woken first, if that is due; its wake-up is spent."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        _, number = heapq.heappop(self._heap)
        association = self._by_number.pop(number)
        del self._by_association[association]
        return association
