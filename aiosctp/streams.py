"""One stream of an association, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from aiosctp.arguments import Payload
from aiosctp.core.messages import Message
from aiosctp.exceptions import AssociationShutdown
from aiosctp.reception import Reception

if TYPE_CHECKING:
    from aiosctp.association import Association


class Stream:
    """The incoming and the outgoing stream of one number (RFC 9260 §1.3). `Association.stream` makes it.

    What the peer sends on it is read here and no longer by the association's `receive`. One task reads at a time. What
    nobody reads holds the window of all streams.
    """

    __slots__ = ("_association", "_number", "_reception")

    def __init__(self, association: Association, number: int, reception: Reception) -> None:
        self._association = association
        self._number = number
        self._reception = reception

    @property
    def number(self) -> int:
        return self._number

    @property
    def association(self) -> Association:
        return self._association

    async def send(
        self,
        data: Payload,
        *,
        ppid: int = 0,
        unordered: bool = False,
        context: int = 0,
        sack_immediately: bool = False,
    ) -> None:
        """`Association.send` on this stream: the same waiting, cancellation and exceptions."""
        await self._association.send(
            data,
            stream=self._number,
            ppid=ppid,
            unordered=unordered,
            context=context,
            sack_immediately=sack_immediately,
        )

    async def receive(self, *, partial: bool = False) -> Message:
        """`Association.receive` of this stream alone: the same waiting, cancellation and exceptions."""
        message = self._reception.take(self._number, partial)
        return message if message is not None else await self._reception.wait(self._number, partial)

    def receive_nowait(self, *, partial: bool = False) -> Message:
        """As `receive`, but raises BlockingIOError when that would wait."""
        return self._reception.receive_nowait(self._number, partial)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            message = self._reception.take(self._number, False)
            return message if message is not None else await self._reception.wait(self._number, False)
        except AssociationShutdown:
            raise StopAsyncIteration from None

    def __repr__(self) -> str:
        return f"<Stream {self._number} of {self._association!r}>"
