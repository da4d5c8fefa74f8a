"""Subscriptions to the events of one association."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import get_args
from weakref import WeakSet

from aiosctp.events import Event, NotificationsStopped, SendFailed

EVENT_TYPES: tuple[type, ...] = get_args(Event)

# SendFailed carries the message back: what one subscription holds of them is bounded in bytes too.
MAX_QUEUED_BYTES = 4 * 1024 * 1024


class EventSubscription:
    """An asynchronous iterator over the events from the call to `events()` on; it ends after the association's last.

    One task iterates it at a time. Beyond its bounds it holds what it has, then one `NotificationsStopped`, and ends.
    Cancelling the iteration loses no event.
    """

    def __init__(self, types: tuple[type, ...], limit: int) -> None:
        self._types = types
        self._limit = limit
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> EventSubscription:
        return self

    async def __anext__(self) -> Event:
        if self._waiter is not None:
            raise RuntimeError("another task is waiting for this subscription")
        while not self._events:
            if self._is_over:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        event = self._events.popleft()
        self._bytes -= _size_of(event)
        return event

    def deliver(self, event: Event) -> None:
        if self._is_over or (self._types and not isinstance(event, self._types)):
            return
        if len(self._events) >= self._limit or self._bytes + _size_of(event) > MAX_QUEUED_BYTES:
            self._events.append(NotificationsStopped())
            self.end()
            return
        self._events.append(event)
        self._bytes += _size_of(event)
        self._wake()

    def end(self) -> None:
        """Nothing more will come."""
        self._is_over = True
        self._wake()

    def __repr__(self) -> str:
        types = ", ".join(kind.__name__ for kind in self._types) or "all events"
        return f"<EventSubscription to {types}, {len(self._events)} queued{', over' if self._is_over else ''}>"

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Subscriptions:
    """All subscriptions of one association. One that its user dropped is gone."""

    __slots__ = ("_held", "_is_over", "_subscribed")

    def __init__(self, *, holds_events: bool) -> None:
        self._held: list[Event] | None = [] if holds_events else None
        """For a handler that a server starts: it cannot have subscribed before the association was up."""
        self._subscribed: WeakSet[EventSubscription] | None = None
        self._is_over = False

    def subscribe(self, types: tuple[type, ...], limit: int) -> EventSubscription:
        """Raises TypeError for what is no type of event."""
        for kind in types:
            if kind not in EVENT_TYPES:
                raise TypeError(f"types must be classes of aiosctp.events, not {kind!r}")
        subscription = EventSubscription(types, limit)
        for event in self._held or ():
            subscription.deliver(event)
        if self._is_over:
            subscription.end()
            return subscription
        if self._subscribed is None:
            self._subscribed = WeakSet()
        self._subscribed.add(subscription)
        return subscription

    def release_held(self) -> None:
        """From now on nobody gets what came before they subscribed."""
        self._held = None

    def deliver(self, events: Sequence[Event]) -> None:
        if self._held is not None:
            self._held.extend(events)
        if self._subscribed:
            for event in events:
                for subscription in self._subscribed:
                    subscription.deliver(event)

    def end(self) -> None:
        self._is_over = True
        for subscription in self._subscribed or ():
            subscription.end()
        self._subscribed = None


def _size_of(event: Event) -> int:
    return len(event.data) if isinstance(event, SendFailed) else 0
