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
        self._waiting: deque[tuple[int, Notification]] | None = None
        """None while there are none, as of most associations mostly: an empty deque has half a kilobyte."""
        self._bytes = 0
        self._is_stopped = False

    def __len__(self) -> int:
        return len(self._waiting or ())

    def append(self, notification: Notification, *, after: int, limit: int) -> None:
        """after: of all messages that were ever read, how many come before it; of notifications, all that don't come
        after more. limit: how many may wait."""
        if self._is_stopped:
            return
        if self._waiting is None:
            self._waiting = deque()
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
        return self._waiting is not None and self._waiting[0][0] <= messages_read

    @property
    def first(self) -> Notification:
        assert self._waiting is not None
        return self._waiting[0][1]

    def take(self) -> Notification:
        assert self._waiting is not None
        _, notification = self._waiting.popleft()
        self._bytes -= notification.sn_header.sn_length
        if not self._waiting:
            self._waiting = None
            self._is_stopped = False  # what says so was the last
        return notification
