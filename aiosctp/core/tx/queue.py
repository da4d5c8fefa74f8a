"""The send queue: messages accepted and not yet cut into chunks, by stream."""

from __future__ import annotations

from collections import deque

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.tx.schedulers import SCHEDULERS, Scheduler


class OutgoingStream:
    """What a stream keeps while the association lives."""

    __slots__ = ("buffered_bytes", "next_ssn", "number", "ordered_in_window", "queued_bytes")

    def __init__(self, number: int) -> None:
        self.number = number
        self.next_ssn = 0
        """§6.5: "MUST start from 0 when the association is established"."""
        self.ordered_in_window = 0
        """Ordered messages begun and not fully acknowledged (§6.1)."""
        self.queued_bytes = 0
        """User data accepted and not yet sent."""
        self.buffered_bytes = 0
        """User data accepted and not cumulatively acknowledged."""


class SendQueue:
    """Messages that wait. How much may wait is the caller's to bound, by `buffered_bytes` (`Config.send_buffer_bytes`).

    A stream's deque lives only while something waits in it: an empty deque is as large as a small message.
    """

    __slots__ = ("_begun", "_scheduler", "_streams", "_waiting", "messages", "queued_bytes")

    def __init__(self, scheduler: str = "fcfs") -> None:
        self._scheduler: Scheduler = SCHEDULERS[scheduler]()
        self._streams: dict[int, OutgoingStream] = {}
        self._waiting: dict[int, deque[OutgoingMessage]] = {}
        self._begun: OutgoingMessage | None = None
        """Cut in part. §6.9: its fragments have consecutive TSNs, so no other message comes between."""
        self.messages = 0
        self.queued_bytes = 0

    def __bool__(self) -> bool:
        return self.messages > 0

    def stream(self, number: int) -> OutgoingStream:
        stream = self._streams.get(number)
        if stream is None:
            stream = self._streams[number] = OutgoingStream(number)
        return stream

    def streams(self) -> list[OutgoingStream]:
        """Those ever used."""
        return list(self._streams.values())

    def find_stream(self, number: int) -> OutgoingStream | None:
        """The stream, if it was ever used."""
        return self._streams.get(number)

    def append(self, message: OutgoingMessage) -> None:
        assert message.data, "a message without data can't be sent (§3.3.1)"
        waiting = self._waiting.get(message.stream)
        if waiting is None:
            waiting = self._waiting[message.stream] = deque()
        waiting.append(message)
        stream = self.stream(message.stream)
        stream.queued_bytes += len(message.data)
        stream.buffered_bytes += len(message.data)
        self.queued_bytes += len(message.data)
        self.messages += 1
        self._scheduler.added(message.stream)

    def peek(self) -> OutgoingMessage | None:
        """The message that the next chunk is cut from."""
        if self._begun is not None:
            return self._begun
        stream = self._scheduler.choose()
        return None if stream is None else self._waiting[stream][0]

    def cut(self, message: OutgoingMessage, stream: OutgoingStream, payload_bytes: int) -> None:
        """So much more of the message `peek` named is in a chunk; whole, it leaves the queue."""
        message.sent_bytes += payload_bytes
        stream.queued_bytes -= payload_bytes
        self.queued_bytes -= payload_bytes
        if message.sent_bytes < len(message.data):
            self._begun = message
            return
        self._begun = None
        self._remove_first(message.stream)

    def _remove_first(self, stream: int) -> OutgoingMessage:
        waiting = self._waiting[stream]
        message = waiting.popleft()
        if not waiting:
            del self._waiting[stream]
        self.messages -= 1
        self._scheduler.taken(stream)
        return message

    def take_all(self) -> list[OutgoingMessage]:
        """Empty the queue: the message begun first, then the others as they would have been sent."""
        taken: list[OutgoingMessage] = []
        while (message := self.peek()) is not None:
            self._begun = None
            taken.append(self._remove_first(message.stream))
        for stream in self._streams.values():
            stream.queued_bytes = stream.buffered_bytes = stream.ordered_in_window = 0
        self.queued_bytes = 0
        return taken
