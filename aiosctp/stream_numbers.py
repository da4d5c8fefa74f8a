"""The numbers of byte streams: which are in use, and which side takes which when it opens one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from typing import TYPE_CHECKING

from aiosctp.exceptions import InvalidStream
from aiosctp.waiting_line import WaitingLine

if TYPE_CHECKING:
    from aiosctp.association import Association
    from aiosctp.lifetime import Lifetime
    from aiosctp.reception import Reception


class StreamNumbers:
    """The side whose INIT opened the association opens even numbers, the other one odd ones, so that both may open at
    once. Where both did (§5.2.1), the side with the larger Verification Tag opens odd ones. A number that both open all
    the same is one stream between them.

    A byte stream needs the number in both directions. One that was freed is taken again before one that was never used,
    so that what is kept by number stays small.
    """

    def __init__(
        self,
        association: Association,
        life: Lifetime,
        reception: Reception,
        in_use: Container[int],
        *,
        opens_even: bool,
    ) -> None:
        self._association = association
        self._life = life
        self._reception = reception
        self._first = 0 if opens_even else 1
        self._in_use = in_use
        self._retired: set[int] = set()
        """Closed without a reset: what the peer may still send there belongs to nobody."""
        self._waiting = WaitingLine(life.stack.loop)
        self._begin()

    def _begin(self) -> None:
        self._never_used = self._first
        """Of ours, from this one on."""
        self._retired_of_ours = 0
        self._freed: OrderedDict[int, None] = OrderedDict()

    def is_free(self, number: int) -> bool:
        """Also of `Association.stream`, which reads its messages."""
        is_taken = number in self._in_use or number in self._retired
        return not is_taken and not self._reception.has_taken_over(number)

    def is_ours(self, number: int) -> bool:
        """Whether it is for us to open, and to open again."""
        return number % 2 == self._first

    def is_retired(self, number: int) -> bool:
        return number in self._retired

    def take(self, number: int) -> None:
        """It is in use from now on."""
        self._freed.pop(number, None)

    def free(self, number: int) -> None:
        """It is in use no more."""
        if number % 2 == self._first and number < self._never_used and number not in self._retired:
            self._freed[number] = None
            self.wake()

    def retire(self, number: int) -> None:
        if number not in self._retired:
            self._retired.add(number)
            self._retired_of_ours += self.is_ours(number)
            self.wake()

    def restarted(self) -> None:
        """The peer knows nothing of what was: all are free. It has sent the INIT, whoever had before."""
        self._first = 1
        self._retired.clear()
        self._begin()
        self.wake()

    async def next(self) -> int:
        """A free number of ours, after waiting for one; the caller takes it at once. Cancelling takes none. Raises
        InvalidStream when none will ever be free."""
        return await self._waiting.wait(self._find)

    def _find(self) -> int | None:
        self._life.check_may_send()
        count = min(self._association.inbound_streams, self._association.outbound_streams)
        if 0 < self._retired_of_ours == len(range(self._first, count, 2)):
            raise InvalidStream("all streams that are ours to open were used, and the peer does not reset them")
        for number in self._freed:
            if number < count and self.is_free(number):
                return number
        while self._never_used < count:
            if self.is_free(self._never_used):
                return self._never_used
            self._never_used += 2
        return None

    def wake(self) -> None:
        """There may be one."""
        self._waiting.wake()

    def wake_all(self) -> None:
        self._waiting.wake_all()
