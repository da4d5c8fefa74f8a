"""One association of a socket: its id, its settings, and what of it waits to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiosctp.association import Association
from aiosctp.changes import Changes
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import Message
from aiosctp.core.states import HANDSHAKE
from aiosctp.events import AdaptationIndication, AssociationChange, AssociationChangeKind, Event, SenderDry
from aiosctp.exceptions import SCTPError
from aiosctp.socket.notification_queue import NotificationQueue
from aiosctp.socket.notifications import Notification
from aiosctp.socket.settings import Settings
from aiosctp.socket.translation import translate
from aiosctp.stack import Stack

if TYPE_CHECKING:
    from aiosctp.socket.sctp_socket import SCTPSocket


class SocketAssociation:
    """Messages stay with the engine, where they hold the window, until they are read. A notification is read after as
    many messages as waited when it came."""

    def __init__(
        self, socket: SCTPSocket, association_id: int, stack: Stack, engine: AssociationEngine, settings: Settings
    ) -> None:
        self.socket = socket
        """Which reads it: another one once it was peeled off."""
        self.association_id = association_id
        self.settings = settings
        self.association = Association(stack, engine, on_change=self._changed)
        self.changes = Changes()
        self.rest: Message | None = None
        """Of a message of which a read had room for the beginning only."""
        self._notifications = NotificationQueue()
        self._messages_read = 0
        self.came_up = False
        for stream, value in settings.stream_values.items():
            engine.sender.queue.set_stream_values(stream, priority=value, weight=max(value, 1))
        stack.own(engine, self.association)

    @property
    def ending(self) -> SCTPError | None:
        """How it ended; None while it lives."""
        return self.association.engine.ending

    @property
    def is_connecting(self) -> bool:
        return self.association.state in HANDSHAKE

    @property
    def is_readable(self) -> bool:
        """In doubt, it is: of a message the engine may hold less than it hands over."""
        has_messages = self.ending is None and self.association.engine.receiver.pending_messages > 0
        return bool(self._notifications) or self.rest is not None or has_messages or self.ending is not None

    def _changed(self, events: Sequence[Event]) -> None:
        """The stack flushed this association."""
        for event in events:
            if isinstance(event, AssociationChange) and event.change is AssociationChangeKind.COMM_UP:
                self.came_up = True
                self.association.stack.add(self.association)
            for notification in translate(event, self):
                self._enqueue(notification, is_beginning=_is_beginning(event))
        self.socket.association_changed(self)
        self.changes.tell()

    def _enqueue(self, notification: Notification, *, is_beginning: bool = False) -> None:
        """is_beginning: no message is before it, though one may have come in the same packet."""
        waiting = 0 if is_beginning else self.association.engine.receiver.pending_messages + (self.rest is not None)
        after = self._messages_read + waiting
        self._notifications.append(notification, after=after, limit=self.settings.config.event_queue_limit)

    def subscribed_to_dry(self) -> None:
        """§6.1.9: "at the time when a user app subscribes to this event, if there is no data to be sent"."""
        if self.association.engine.sender.is_drained:
            for notification in translate(SenderDry(), self):
                self._enqueue(notification)
            self.socket.association_changed(self)

    def take_notification(self) -> Notification | None:
        """The next thing to read, if it is a notification."""
        is_next = self.rest is None and self._notifications.is_next(self._messages_read)
        return self._notifications.take() if is_next else None

    def take_last_notification(self) -> Notification | None:
        """The next one, where no message is to be had before it."""
        return self._notifications.take() if self._notifications else None

    def take_message(self) -> Message | None:
        """The next message, or part of one; None when there is none yet, or none will come."""
        if self.rest is not None:
            message, self.rest = self.rest, None
            return message
        try:
            message = self.association.receive_nowait(partial=True)
        except (BlockingIOError, SCTPError):
            return None
        self._messages_read += 1
        return message

    def give_back(self, rest: Message) -> None:
        """A read had no room for this."""
        self.rest = rest


def _is_beginning(event: Event) -> bool:
    """Whether it tells of the handshake."""
    if isinstance(event, AssociationChange):
        return event.change is AssociationChangeKind.COMM_UP
    return isinstance(event, AdaptationIndication)
