"""The readers of an association: who waits for a message, on which of its streams."""

from __future__ import annotations

import asyncio

from aiosctp.core.messages import Message
from aiosctp.core.nothing import NO_DICT
from aiosctp.exceptions import AssociationShutdown
from aiosctp.lifetime import Lifetime


class Reception:
    """One reader at a time for each stream that was taken over, and one, None, for all others.

    Messages stay with the engine, charged to its window, until the step that returns them: a reader that is cancelled
    has taken none.
    """

    __slots__ = ("_discards", "_engine", "_is_for_byte_streams", "_kept_to", "_life", "_taken_over", "_waiting")

    def __init__(self, life: Lifetime) -> None:
        self._life = life
        self._engine = life.engine
        self._waiting: dict[int | None, tuple[asyncio.Future[None], bool]] = NO_DICT
        """Who waits, and whether for parts of messages too."""
        self._taken_over: dict[int, None] = NO_DICT
        self._kept_to: int | None = None
        self._discards = False
        self._is_for_byte_streams = False

    def take(self, stream: int | None, partial: bool) -> Message | None:
        """The next message; None when there is none yet. Raises when none will come, and RuntimeError for a second
        reader."""
        if stream in self._waiting:
            raise RuntimeError("another task is already waiting in receive()")
        engine = self._engine
        if engine.ending is not None or self._discards:
            return self._take_at_the_end(stream, partial)
        receiver = engine.receiver
        was_due = receiver.sack_is_due
        message = receiver.read(stream, partial)
        if not was_due and receiver.sack_is_due:
            # Reading has re-opened the window (§6.2): the peer must hear of it.
            self._life.touch()
        if message is None and stream is None and self._is_for_byte_streams:
            raise RuntimeError("the association is in stream mode: what arrives is read from its byte streams")
        return message

    async def wait(self, stream: int | None, partial: bool) -> Message:
        """What `take` found none of, once it is there. Cancelling loses nothing."""
        while True:
            if self._waiting is NO_DICT:
                self._waiting = {}
            waiter = self._life.stack.loop.create_future()
            self._waiting[stream] = waiter, partial
            try:
                await waiter
            finally:
                del self._waiting[stream]
            message = self.take(stream, partial)
            if message is not None:
                return message

    def receive_nowait(self, stream: int | None, partial: bool) -> Message:
        message = self.take(stream, partial)
        if message is None:
            raise BlockingIOError("no message is ready")
        return message

    def take_over(self, stream: int) -> None:
        """From now on this stream has a reader of its own."""
        if stream not in self._taken_over:
            if self._taken_over is NO_DICT:
                self._taken_over = {}
            self._taken_over[stream] = None
            self._engine.receiver.take_over(stream)

    def has_taken_over(self, stream: int) -> bool:
        return stream in self._taken_over

    def keep_to(self, stream: int | None) -> None:
        """For who lets no other message in between the parts of one (RFC 6458 §8.1.20): until told otherwise this
        stream, which nobody has taken over, is read by its number, and the others wait. None: they are read as one."""
        if self._kept_to is not None:
            self._engine.receiver.rejoin(self._kept_to)
        self._kept_to = stream
        if stream is not None:
            self._engine.receiver.take_over(stream)

    def peek(self) -> Message | None:
        """What `take` of parts is going to return."""
        ending = self._engine.ending
        if self._discards or not (ending is None or isinstance(ending, AssociationShutdown)):
            return None
        return self._engine.receiver.peek(self._kept_to)

    def use_byte_streams(self) -> None:
        """What no stream has taken over is read as bytes from now on: nobody else reads, or waits, for that."""
        self._is_for_byte_streams = True
        self.wake_ready()

    def restarted(self) -> None:
        """§5.2.4 A: the receiver is new."""
        for stream in self._taken_over:
            self._engine.receiver.take_over(stream)

    def drop_inherited(self) -> None:
        """§5.2.4 A: what came before the restart, but for the streams of messages."""
        self._engine.receiver.drop_inherited(self._taken_over)

    def discard_all(self) -> None:
        """Nobody reads any more: what is there and what comes is thrown away, so that the peer can finish."""
        self._discards = True
        self.keep_to(None)
        self.wake_all()
        self._discard()

    def wake_ready(self) -> None:
        """The engine took something in."""
        if self._discards:
            self._discard()
            return
        receiver = self._engine.receiver
        for stream, (waiter, partial) in self._waiting.items():
            is_wrong = stream is None and self._is_for_byte_streams
            if not waiter.done() and (partial or is_wrong or receiver.has_message(stream)):
                waiter.set_result(None)

    def wake_all(self) -> None:
        for waiter, _ in self._waiting.values():
            if not waiter.done():
                waiter.set_result(None)

    def _take_at_the_end(self, stream: int | None, partial: bool) -> Message:
        life = self._life
        ending = self._engine.ending
        if ending is not None and not isinstance(ending, AssociationShutdown):
            # §9.1: with an ABORT "any data pending on either end ... is discarded".
            raise life.ending_error()
        if self._discards:
            raise life.of_ours(AssociationShutdown("the association was closed here"))
        message = self._engine.receiver.read(stream, partial)
        if message is None:
            raise life.ending_error()
        return message

    def _discard(self) -> None:
        receiver = self._engine.receiver
        was_due = receiver.sack_is_due
        for stream in (None, *self._taken_over):
            while receiver.read(stream, partial=True) is not None:
                pass
        if not was_due and receiver.sack_is_due and self._engine.ending is None:
            self._life.touch()
