"""Who may give the sender a message now, and who waits: `send()`'s high-water marks."""

from __future__ import annotations

import asyncio
from collections import deque

from aiosctp.core.association import AssociationEngine
from aiosctp.core.nothing import NO_DICT
from aiosctp.core.states import MAY_TAKE_USER_DATA


class Waiter:
    """One `send()` that waits for its turn."""

    __slots__ = ("future", "size")

    def __init__(self, future: asyncio.Future[None], size: int) -> None:
        self.future = future
        self.size = size


class Backpressure:
    """The marks of one association.

    A stream takes a message while it holds less than its own mark, and the association holds less than its mark, in
    which a stream counts for no more than its own: one big message never keeps another stream's out. Within a stream
    first come, first served. Whoever is woken looks again before it queues, so nothing is reserved for a task that may
    be cancelled.
    """

    __slots__ = ("_engine", "_loop", "credit_bytes", "credit_stream", "waiting")

    def __init__(self, engine: AssociationEngine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self.waiting: dict[int, deque[Waiter]] = NO_DICT
        """By stream, those who wait. A message of a stream that is in here waits behind them; any other if it has no
        room."""
        self.credit_stream = 0
        self.credit_bytes = 0
        """While this is left, this stream takes a message, and both marks need not be asked: what is acknowledged only
        adds to the room. Who queues takes the message off; what takes from the room otherwise ends the credit."""

    async def wait(self, stream: int, size: int) -> None:
        """Wait for this stream's turn, or until the association takes no more. Cancelling passes the turn on."""
        if self.waiting is NO_DICT:
            self.waiting = {}
        queue = self.waiting.setdefault(stream, deque())
        waiter = Waiter(self._loop.create_future(), size)
        queue.append(waiter)
        try:
            while True:
                await waiter.future
                if self._engine.state not in MAY_TAKE_USER_DATA or (queue[0] is waiter and self.has_room(stream)):
                    return
                waiter.future = self._loop.create_future()
        finally:
            queue.remove(waiter)
            if not queue:
                del self.waiting[stream]
            self.wake()

    def wake(self) -> None:
        """There may be room: wake the first of each stream, in turn, as far as the room goes."""
        if not self.waiting:
            return
        room = self._engine.config.send_buffer_bytes - self._counted_bytes()
        for stream, queue in list(self.waiting.items()):
            if room <= 0:
                return
            if not self._stream_has_room(stream):
                continue
            first = queue[0]
            if not first.future.done():
                first.future.set_result(None)
                # To the end of the line, so that every stream gets its turn.
                self.waiting[stream] = self.waiting.pop(stream)
            room -= min(first.size, self._engine.config.stream_send_buffer_bytes)

    def wake_all(self) -> None:
        """The association takes no more: all look, and raise."""
        for queue in self.waiting.values():
            for waiter in queue:
                if not waiter.future.done():
                    waiter.future.set_result(None)

    def renew(self, stream: int) -> bool:
        """Give the credit to this stream. False if it takes no message now."""
        self.credit_stream = stream
        self.credit_bytes = 0 if stream in self.waiting else self._room_bytes(stream)
        return self.credit_bytes > 0

    def has_room(self, stream: int) -> bool:
        """Whether a stream nobody waits for takes a message."""
        return self._room_bytes(stream) > 0

    def _room_bytes(self, stream: int) -> int:
        """How far the stream and the association are below their marks."""
        engine = self._engine
        queue, config = engine.sender.queue, engine.config
        # As `_counted_bytes`, without the calls: who sends on many streams asks for every message.
        held_bytes = (
            queue.queued_bytes + queue.held_bytes + engine.sender.outstanding.buffered_bytes - queue.excess_bytes
        )
        room = config.send_buffer_bytes - held_bytes
        held = queue.by_number.get(stream)
        stream_room = config.stream_send_buffer_bytes - (0 if held is None else held.buffered_bytes)
        return room if room < stream_room else stream_room

    @property
    def association_has_room(self) -> bool:
        return self._counted_bytes() < self._engine.config.send_buffer_bytes

    def _stream_has_room(self, stream: int) -> bool:
        return self._engine.sender.stream_buffered_bytes(stream) < self._engine.config.stream_send_buffer_bytes

    def _counted_bytes(self) -> int:
        """What the association holds, with at most its own mark for each stream."""
        sender = self._engine.sender
        return sender.buffered_bytes - sender.queue.excess_bytes
