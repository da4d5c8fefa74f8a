"""One stream of an association, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from aiosctp.arguments import Payload
from aiosctp.core.messages import Message
from aiosctp.exceptions import AssociationShutdown, StreamEnded
from aiosctp.reception import Reception

if TYPE_CHECKING:
    from aiosctp.association import Association


class Stream:
    """The incoming and the outgoing stream of one number (RFC 9260 §1.3). `Association.stream` makes it.

    What the peer sends on it is read here and no longer by the association's `receive`. One task reads at a time. What
    nobody reads holds the window of all streams.

    When the peer resets its outgoing stream (RFC 6525), what it sent before is read first; then the iteration ends, and
    `receive` raises StreamEnded, once. What the peer sends after that can be read as before.
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
        lifetime: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
        end_of_record: bool = True,
        address: str | tuple[str, int] | None = None,
    ) -> None:
        """`Association.send` on this stream: the same waiting, cancellation and exceptions."""
        await self._association.send(
            data,
            stream=self._number,
            ppid=ppid,
            unordered=unordered,
            context=context,
            sack_immediately=sack_immediately,
            lifetime=lifetime,
            max_retransmits=max_retransmits,
            buffer_priority=buffer_priority,
            end_of_record=end_of_record,
            address=address,
        )

    def configure(
        self,
        *,
        priority: int | None = None,
        weight: int | None = None,
        lifetime: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
    ) -> None:
        """`Association.configure_stream` of this one: the same meanings and exceptions."""
        self._association.configure_stream(
            self._number,
            priority=priority,
            weight=weight,
            lifetime=lifetime,
            max_retransmits=max_retransmits,
            buffer_priority=buffer_priority,
        )

    async def receive(self, *, partial: bool = False) -> Message:
        """`Association.receive` of this stream alone: the same waiting and cancellation, its exceptions, and
        StreamEnded."""
        message = self._reception.take(self._number, partial)
        return _or_ended(message if message is not None else await self._reception.wait(self._number, partial))

    def receive_nowait(self, *, partial: bool = False) -> Message:
        """As `receive`, but raises BlockingIOError when that would wait."""
        return _or_ended(self._reception.receive_nowait(self._number, partial))

    async def reset(self) -> None:
        """End the outgoing stream (RFC 6525 §5.1.2), which the peer is told once it has all that was given to `send`
        before: `Association.reset_streams` of this one, the same waiting, cancellation and exceptions."""
        await self._association.reset_streams(outgoing=(self._number,))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except (AssociationShutdown, StreamEnded):
            raise StopAsyncIteration from None

    def __repr__(self) -> str:
        return f"<Stream {self._number} of {self._association!r}>"


def _or_ended(message: Message) -> Message:
    """SCTP has no empty messages (RFC 9260 §3.3.1): one stands where the peer's stream was reset."""
    if not message.data:
        raise StreamEnded("the peer has reset the stream")
    return message
