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

    __slots__ = ("_engine", "_loop", "waiting")

    def __init__(self, engine: AssociationEngine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self.waiting: dict[int, deque[Waiter]] = NO_DICT
        """By stream, those who wait. A message of a stream that is in here waits behind them; any other if it has no
        room."""

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

    def has_room(self, stream: int) -> bool:
        """Whether a stream nobody waits for takes a message."""
        engine = self._engine
        queue, config = engine.sender.queue, engine.config
        held = queue.by_number.get(stream)
        if held is not None and held.buffered_bytes >= config.stream_send_buffer_bytes:
            return False
        # As `_counted_bytes`, without the calls: every message asks.
        held_bytes = queue.queued_bytes + queue.held_bytes + engine.sender.outstanding.buffered_bytes
        return held_bytes - queue.excess_bytes < config.send_buffer_bytes

    @property
    def association_has_room(self) -> bool:
        return self._counted_bytes() < self._engine.config.send_buffer_bytes

    def _stream_has_room(self, stream: int) -> bool:
        return self._engine.sender.stream_buffered_bytes(stream) < self._engine.config.stream_send_buffer_bytes

    def _counted_bytes(self) -> int:
        """What the association holds, with at most its own mark for each stream."""
        sender = self._engine.sender
        return sender.buffered_bytes - sender.queue.excess_bytes
