"""Who may give the sender a message now, and who waits: `send()`'s high-water marks."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import Outgoing
from aiosctp.core.nothing import NO_DICT


class Waiter(ABC):
    """One in the line: a `send()`, or a byte stream that was written more to than there was room for."""

    __slots__ = ("leaves_open", "promised_bytes", "stream")

    def __init__(self, stream: int, *, leaves_open: bool = False) -> None:
        self.stream: int = stream
        self.leaves_open: bool = leaves_open
        """What follows on its stream is a part of the same record."""
        self.promised_bytes: int = 0

    @abstractmethod
    def take_turn(self) -> None:
        """There is room, and it is this one's."""

    @abstractmethod
    def give_up(self) -> None:
        """The association takes no more."""


class SendWaiter(Waiter):
    """Its task comes to its turn later, or is cancelled: until it leaves, the room is promised to it."""

    __slots__ = ("_backpressure", "_size", "has_expired", "turn")

    def __init__(
        self, backpressure: Backpressure, turn: asyncio.Future[None], stream: int, size: int, *, leaves_open: bool
    ) -> None:
        super().__init__(stream, leaves_open=leaves_open)
        self.turn: asyncio.Future[None] = turn
        self._backpressure = backpressure
        self._size = size
        self.has_expired: bool = False
        """The message's lifetime is over."""

    def take_turn(self) -> None:
        self._backpressure.promise(self, self._size)
        self.give_up()

    def expire(self) -> None:
        self.has_expired = True
        self.give_up()

    def give_up(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)


class Backpressure:
    """The marks of one association, and the line of those who wait until there is room below them.

    A stream takes a message while it holds less than its own mark, and the association holds less than its mark, in
    which a stream counts for no more than its own: one big message never keeps another stream's out. Within a stream
    first come, first served. Among streams, of messages or of bytes, one message each in turn; one that is at its own
    mark lets the others by. Who comes new gets what those in the line can't use.

    The next part of a record that all else waits for (`SendQueue.is_awaited`) needs room below its stream's mark alone,
    and goes before: by so much the association may be above its own.
    """

    __slots__ = ("_engine", "_line", "_loop", "_promised_bytes", "credit_bytes", "credit_stream", "waiting")

    def __init__(self, engine: AssociationEngine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self.waiting: dict[int, deque[Waiter]] = NO_DICT
        """By stream, those who wait. A message of a stream that is in here waits behind them; any other if it has no
        room."""
        self._line: OrderedDict[int, None] | None = None
        """Streams whose first waiter has not had its turn, in the order of turns. Made with the first waiter."""
        self._promised_bytes = 0
        """Of those who were given their turn and have not taken it yet."""
        self.credit_stream: int = 0
        self.credit_bytes: int = 0
        """While this is left, this stream takes a message, and both marks need not be asked: what is acknowledged only
        adds to the room. Who queues takes the message off; what takes from the room otherwise ends the credit."""

    @contextmanager
    def in_line(self, stream: int, size: int, lifetime_s: float | None, *, leaves_open: bool) -> Iterator[SendWaiter]:
        """In the line until it is left, which passes the turn on, whether the message was queued or not. Its `turn` is
        for this message's turn, or until the association takes no more, or so many seconds."""
        waiter = SendWaiter(self, self._loop.create_future(), stream, size, leaves_open=leaves_open)
        self.join(waiter)
        expiry = None if lifetime_s is None else self._loop.call_later(lifetime_s, waiter.expire)
        try:
            yield waiter
        finally:
            if expiry is not None:
                expiry.cancel()
            self.leave(waiter)
            self.wake()

    def leaves_open(self, stream: int) -> bool:
        """Whether what comes next on the stream, behind those who wait, is a part of a record."""
        waiting = self.waiting.get(stream)
        if waiting is not None:
            return waiting[-1].leaves_open
        records = self._engine.sender.queue.records
        return records is not None and stream in records.open

    def join(self, waiter: Waiter) -> None:
        """At the end of the line, or behind those of the same stream."""
        if self._line is None:
            self.waiting, self._line = {}, OrderedDict()
        queue = self.waiting.get(waiter.stream)
        if queue is None:
            self.waiting[waiter.stream] = deque((waiter,))
            self._line[waiter.stream] = None
        else:
            queue.append(waiter)

    def leave(self, waiter: Waiter) -> None:
        assert self._line is not None
        self._promised_bytes -= waiter.promised_bytes
        queue = self.waiting[waiter.stream]
        was_first = queue[0] is waiter
        queue.remove(waiter)
        if not queue:
            del self.waiting[waiter.stream]
            self._line.pop(waiter.stream, None)
        elif was_first:
            # The next one has this one's place, or, when this one has had its turn, the last.
            self._line.setdefault(waiter.stream)

    def promise(self, waiter: Waiter, size: int) -> None:
        """Nobody else is given what this one will take, until it leaves."""
        waiter.promised_bytes = min(size, self._engine.config.stream_send_buffer_bytes)
        self._promised_bytes += waiter.promised_bytes
        self.credit_bytes = 0

    def wake(self) -> None:
        """There may be room: a turn for each stream, as far as the room goes. Who waits for its own stream's room is
        passed over; of those there are few while the association has any, for each counts for its whole mark."""
        if not self._line:
            return
        for stream in self._engine.sender.queue.awaited_streams():
            if stream in self._line and self._stream_has_room(stream):
                del self._line[stream]
                self.waiting[stream][0].take_turn()
        passed_over = 0
        while passed_over < len(self._line) and self._association_has_room:
            stream, _ = self._line.popitem(last=False)
            if self._stream_has_room(stream):
                passed_over = 0
                self.waiting[stream][0].take_turn()
            else:
                passed_over += 1
                self._line[stream] = None

    def wake_all(self) -> None:
        """The association takes no more: all look, and hear of it."""
        for queue in list(self.waiting.values()):
            for waiter in list(queue):
                waiter.give_up()

    def renew(self, stream: int) -> bool:
        """Give the credit to this stream. False if it takes no message now."""
        self.credit_stream = stream
        self.credit_bytes = 0 if stream in self.waiting else self._room_bytes(stream)
        return self.credit_bytes > 0

    def make_room(self, message: Outgoing) -> bool:
        """RFC 7496 §3.2: what it lacks is taken from messages that matter less. Whether it may go now: not if that was
        too little, or another of its stream waits before it."""
        _, stream, _, _, _, _, terms = message
        if stream in self.waiting:
            return False
        engine, config = self._engine, self._engine.config
        priority = None if terms is None else terms.buffer_priority
        lacking = engine.sender.stream_buffered_bytes(stream) + 1 - config.stream_send_buffer_bytes
        if lacking > 0:
            engine.sender.make_room(lacking, priority, stream)
        if not self._stream_has_room(stream):
            return False
        # What a stream held above its mark did not count, and makes no room.
        while (lacking := self._counted_bytes() + 1 - config.send_buffer_bytes) > 0:
            if not engine.sender.make_room(lacking, priority, None):
                return False
        return self.renew(stream)

    def has_room(self, stream: int) -> bool:
        """Whether a stream nobody waits for takes a message."""
        return self._room_bytes(stream) > 0

    def _room_bytes(self, stream: int) -> int:
        """How far the stream and the association are below their marks."""
        engine = self._engine
        queue, config = engine.sender.queue, engine.config
        # As `_counted_bytes`, without the calls: who sends on many streams asks for every message.
        held_bytes = (
            queue.queued_bytes
            + queue.held_bytes
            + engine.sender.outstanding.buffered_bytes
            - queue.excess_bytes
            + self._promised_bytes
        )
        room = config.send_buffer_bytes - held_bytes
        held = queue.by_number.get(stream)
        stream_room = config.stream_send_buffer_bytes - (0 if held is None else held.buffered_bytes)
        if queue.records is not None and queue.is_awaited(stream):
            return stream_room
        return room if room < stream_room else stream_room

    @property
    def _association_has_room(self) -> bool:
        return self._counted_bytes() < self._engine.config.send_buffer_bytes

    def _stream_has_room(self, stream: int) -> bool:
        return self._engine.sender.stream_buffered_bytes(stream) < self._engine.config.stream_send_buffer_bytes

    def _counted_bytes(self) -> int:
        """What the association holds, or will by promise, with at most its own mark for each stream."""
        sender = self._engine.sender
        return sender.buffered_bytes - sender.queue.excess_bytes + self._promised_bytes
