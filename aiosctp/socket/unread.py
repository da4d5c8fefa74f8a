"""What of one association waits to be read: messages, parts of them, and notifications, in their order."""

from __future__ import annotations

from aiosctp.association import Association
from aiosctp.core.messages import Message
from aiosctp.events import AssociationChange, AssociationChangeKind, Event, PartialDelivery
from aiosctp.exceptions import SCTPError
from aiosctp.socket.constants import SCTP_FRAG_LEVEL_0, SCTP_FRAG_LEVEL_2
from aiosctp.socket.notification_queue import NotificationQueue
from aiosctp.socket.notifications import Notification


class Unread:
    """Messages stay with the engine, where they hold the window, until they are read. A notification is read after as
    many messages as waited when it came.

    `level` is that of SCTP_FRAGMENT_INTERLEAVE (RFC 6458 §8.1.20).
    """

    __slots__ = (
        "_association",
        "_begun",
        "_half_read",
        "_keeps_to",
        "_messages_read",
        "_notifications",
        "_read_bytes",
        "_unfinished",
    )

    def __init__(self, association: Association) -> None:
        self._association = association
        self._notifications = NotificationQueue()
        self._messages_read = 0
        """Parts too."""
        self._begun: Message | None = None
        """What was taken, when a read had room for the beginning only."""
        self._read_bytes = 0
        """Of that."""
        self._half_read: frozenset[tuple[int, int]] = frozenset()
        """Stream and SSN of messages of which the beginning was read, and not the end."""
        self._unfinished: int | None = None
        """The stream of a message of which parts were taken, and not the last."""
        self._keeps_to: int | None = None
        """That, where no other message of the association may come before its end."""

    def __bool__(self) -> bool:
        """In doubt, something waits: of a message the engine may hold less than it hands over."""
        engine = self._association.engine
        has_messages = engine.ending is None and engine.receiver.pending_messages > 0
        return bool(self._notifications) or self._begun is not None or has_messages

    @property
    def has_only_notifications(self) -> bool:
        return bool(self._notifications) and self._begun is None and self._association.peek_part() is None

    def add(self, notification: Notification, *, is_next: bool = False) -> None:
        """is_next: what waits comes after it."""
        engine = self._association.engine
        after = self._messages_read + (0 if is_next else engine.receiver.pending_messages)
        self._notifications.append(notification, after=after, limit=engine.config.event_queue_limit)

    def look_at(self, event: Event) -> list[PartialDelivery]:
        """§6.1.7: a message will not be finished: what comes next is another. Returns what has to be told before the
        event: the engine does not know of a message that it has handed over, and of which the rest is discarded here.
        """
        if isinstance(event, PartialDelivery):
            self._half_read -= {(event.stream, event.ssn)}
            if event.stream == self._unfinished:
                self._finish()
        elif isinstance(event, AssociationChange) and event.change is AssociationChangeKind.COMM_LOST:
            # RFC 9260 §9.1: with an ABORT "any data pending on either end ... is discarded".
            self._finish()
            self._begun = None
            discarded, self._half_read = self._half_read, frozenset()
            return [PartialDelivery(stream, ssn) for stream, ssn in sorted(discarded)]
        return []

    # -- what is next --

    def is_amid(self, level: int) -> bool:
        """Whether nothing else is to be read before this association's: "successive reads will consume more of the
        same message" (§3.1.4) that a read had no room for; and at level 0 the rest of one that comes in parts."""
        return self._begun is not None or (level == SCTP_FRAG_LEVEL_0 and self._unfinished is not None)

    def peek(self, level: int, *, with_notifications: bool) -> Message | Notification | None:
        """What `take` is going to return if it has room."""
        if self._begun is not None:
            return self._begun._replace(data=self._begun.data[self._read_bytes :])
        may_take_notification = with_notifications and bool(self._notifications) and not self.is_amid(level)
        if may_take_notification and self._notifications.is_next(self._messages_read):
            return self._notifications.first
        return self._association.peek_part() or (self._notifications.first if may_take_notification else None)

    def take(self, bufsize: int, level: int, *, with_notifications: bool) -> Message | Notification | None:
        """The next one, of a message as much as there is room for; None when there is none yet, or none will come."""
        may_take_notification = with_notifications and bool(self._notifications) and not self.is_amid(level)
        if may_take_notification and self._notifications.is_next(self._messages_read):
            return self._notifications.take()
        message = self._begun or self._take_part(level)
        if message is not None:
            part = self._as_much_as(bufsize, message)
            if not part.end_of_record:
                self._half_read |= {(part.stream, part.ssn)}
            elif self._half_read:
                self._half_read -= {(part.stream, part.ssn)}
            return part
        # None is to be had that would come before it.
        return self._notifications.take() if may_take_notification else None

    def _as_much_as(self, bufsize: int, message: Message) -> Message:
        """§3.1.4: what there is no room for is read next, and MSG_EOR comes with the last of it."""
        start = self._read_bytes
        end = start + bufsize
        if end < len(message.data):
            self._begun, self._read_bytes = message, end
            return message._replace(data=message.data[start:end], end_of_record=False)
        self._begun, self._read_bytes = None, 0
        return message._replace(data=message.data[start:]) if start else message

    def _take_part(self, level: int) -> Message | None:
        if self._keeps_to is not None and self._may_mix_streams(level):
            self._keep_to(None)
        try:
            message = self._association.take_part(self._keeps_to)
        except SCTPError:
            return None
        if message is None:
            return None
        self._messages_read += 1
        if message.end_of_record:
            if message.stream == self._unfinished:
                self._finish()
        elif self._unfinished is None:
            self._unfinished = message.stream
            if not self._may_mix_streams(level):
                self._keep_to(message.stream)
        return message

    def _may_mix_streams(self, level: int) -> bool:
        """With I-DATA always: where others wait for the end of one message they fill the window, and it can't come."""
        return level == SCTP_FRAG_LEVEL_2 or "idata" in self._association.negotiated

    def _keep_to(self, stream: int | None) -> None:
        self._keeps_to = stream
        self._association.keep_to(stream)

    def _finish(self) -> None:
        self._unfinished = None
        if self._keeps_to is not None:
            self._keep_to(None)
