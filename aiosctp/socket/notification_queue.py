"""The notifications of an association that wait to be read, bounded (RFC 6458 §6.1.10)."""

from __future__ import annotations

from collections import deque

from aiosctp.socket.notifications import Notification, sctp_tlv
from aiosctp.subscriptions import MAX_QUEUED_BYTES


class NotificationQueue:
    """Each is read when a number of messages has been.

    Beyond its bounds what comes is dropped, and SCTP_NOTIFICATIONS_STOPPED_EVENT stands in its place: once, for all
    until that has been read. It has room always. From then on notifications come as before.
    """

    __slots__ = ("_bytes", "_is_stopped", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Notification]] = deque()
        self._bytes = 0
        self._is_stopped = False

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, notification: Notification, *, after: int, limit: int) -> None:
        """after: of all messages that were ever read, how many come before it; of notifications, all that don't come
        after more. limit: how many may wait."""
        if self._is_stopped:
            return
        size = notification.sn_header.sn_length
        index = len(self._waiting)
        if index >= limit or self._bytes + size > MAX_QUEUED_BYTES:
            self._is_stopped = True
            notification = sctp_tlv()
            size = notification.sn_length
        else:
            while index and self._waiting[index - 1][0] > after:
                index -= 1
        self._waiting.insert(index, (after, notification))
        self._bytes += size

    def is_next(self, messages_read: int) -> bool:
        """Whether no message comes before the first."""
        return bool(self._waiting) and self._waiting[0][0] <= messages_read

    @property
    def first(self) -> Notification:
        return self._waiting[0][1]

    def take(self) -> Notification:
        _, notification = self._waiting.popleft()
        self._bytes -= notification.sn_header.sn_length
        if not self._waiting:
            self._is_stopped = False  # what says so was the last
        return notification
