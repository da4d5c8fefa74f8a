"""What the user can read: whole messages, and parts of those too large to wait for (RFC 6458 §8.1.21)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

from aiosctp.core.charge import charge_of
from aiosctp.core.messages import Message
from aiosctp.core.nothing import NO_DICT
from aiosctp.core.rx.window import ReceiveWindow


class ReadQueues:
    """One queue for all streams, and one for each stream that was taken over.

    A part that a reader of whole messages takes leaves the window, or the rest could not come, and is collected here.
    One message collects at most `max_message_bytes`, and all streams together twice that: of DATA only one can be
    unfinished without a gap, of I-DATA one on each stream. Beyond, `has_overflowed`; the parts of it that have been
    read are lost.
    """

    __slots__ = (
        "_arrivals",
        "_collected",
        "_collected_bytes",
        "_has_streams_of_their_own",
        "_inherited",
        "_shown",
        "_window",
        "by_stream",
        "has_overflowed",
        "has_parts",
        "max_message_bytes",
    )

    def __init__(self, window: ReceiveWindow, max_message_bytes: int) -> None:
        self.max_message_bytes: int = max_message_bytes
        self.has_overflowed: bool = False
        self._window = window
        self.by_stream: dict[int | None, deque[Message]] = NO_DICT
        """By stream if it was taken over; None is the queue of all others."""
        self._has_streams_of_their_own = False
        self._arrivals: dict[int, None] | None = None
        """Where each stream has a queue of its own: those in which something was put since `take_arrivals`."""
        self._inherited: dict[int | None, int] = NO_DICT
        """How much of each queue is of before a restart, until `drop_inherited`; kept where each stream has its own."""
        self.has_parts: bool = False
        """There may be parts of messages, here or shown to the user, or marks, and not whole messages alone."""
        self._collected: dict[int, bytearray] = NO_DICT
        self._collected_bytes = 0
        self._shown: dict[int, None] = NO_DICT
        """Streams with an unfinished message of which the user has seen parts."""

    def put(self, message: Message) -> None:
        """Its window has been charged."""
        if not message.end_of_record:
            self.has_parts = True
        stream = message.stream
        if self._arrivals is not None:
            self._arrivals[stream] = None
            self._append(stream, (message,))
        else:
            self._append(stream if stream in self.by_stream else None, (message,))

    def put_all(self, messages: Sequence[Message]) -> None:
        """`put` for each, in order."""
        if self._has_streams_of_their_own:
            for message in messages:
                self.put(message)
        else:
            self._append(None, messages)

    def _append(self, key: int | None, messages: Sequence[Message]) -> None:
        queue = self.by_stream.get(key)
        if queue is None:
            queue = self._add_queue(key, deque())
        queue.extend(messages)

    def _add_queue(self, key: int | None, queue: deque[Message]) -> deque[Message]:
        if self.by_stream is NO_DICT:
            self.by_stream = {}
        self.by_stream[key] = queue
        return queue

    def take_over(self, stream: int) -> None:
        """From now on the stream has a queue of its own; what is queued for it moves there."""
        if stream in self.by_stream:
            return
        common = self.by_stream.get(None, ())
        own = deque(message for message in common if message.stream == stream)
        if own:
            self.by_stream[None] = deque(message for message in common if message.stream != stream)
        self._add_queue(stream, own)
        self._has_streams_of_their_own = True

    def rejoin(self, stream: int) -> None:
        """Undo `take_over`: what is queued for the stream goes behind what is queued for all others."""
        queue = self.by_stream.pop(stream, None)
        if queue:
            self._append(None, queue)
        self._has_streams_of_their_own = any(key is not None for key in self.by_stream)

    def use_streams(self) -> None:
        """From now on every stream that has something has a queue of its own; what is in the common one moves."""
        if self._arrivals is not None:
            return
        if self.by_stream is NO_DICT:
            self.by_stream = {}
        self._arrivals = {}
        self._has_streams_of_their_own = True
        for message in self.by_stream.pop(None, ()):
            self.put(message)

    def take_arrivals(self) -> list[int]:
        """The streams in whose own queue something was put since the last call."""
        arrivals = list(self._arrivals or ())
        if arrivals:
            self._arrivals = {}
        return arrivals

    def release_stream(self, stream: int) -> None:
        """Nobody reads it any more: what is queued is dropped."""
        queue = self.by_stream.pop(stream, None)
        if queue is None:
            return
        self._window.release(sum(charge_of(len(message.data)) for message in queue))
        self._forget(stream)
        self._shown.pop(stream, None)
        if self._arrivals is not None:
            self._arrivals.pop(stream, None)
        else:
            self._has_streams_of_their_own = any(key is not None for key in self.by_stream)

    def mark_resets(self, streams: Collection[int] | None, mark: Message) -> None:
        """Put a mark behind what is unread of each of these streams, or of all, that were reset: in a queue of their
        own in any case, in the common one only where something of the stream is unread there. Never two in a row."""
        common: dict[int, Message] = {message.stream: message for message in self.by_stream.get(None, ())}
        own: list[int] = []
        if streams is not None:
            streams = dict.fromkeys(streams)
            own = [stream for stream in streams if stream in self.by_stream]
        else:
            own = [key for key in self.by_stream if key is not None]
        for stream in own:
            queue = self.by_stream[stream]
            if not queue or queue[-1].data:
                self._put_mark(mark._replace(stream=stream))
        for stream, last in common.items():
            if last.data and (streams is None or stream in streams):
                self._put_mark(mark._replace(stream=stream))

    def _put_mark(self, mark: Message) -> None:
        """Charged, but not held to the window: a reset that was refused for want of room could be refused for ever, as
        what fills the window may be what only the end of a stream would have read. What marks take beyond it is bounded
        none the less, for there are never two in a row: one to each message, which had room itself, and one to each
        stream that its reader has emptied. While that is more than the window, the peer is told 0."""
        self._window.charge(charge_of(0))
        self.has_parts = True
        self.put(mark)

    def skip_mark(self, stream: int) -> None:
        """Drop the mark that is the next to read, if it is one."""
        queue = self.by_stream.get(stream)
        if queue and not queue[0].data:
            queue.popleft()
            self._window.release(charge_of(0))

    def count_marks(self, stream: int) -> int:
        """Linear in what is queued."""
        return sum(not message.data for message in self.by_stream.get(stream, ()))

    def has_message(self, stream: int | None) -> bool:
        return bool(self.by_stream.get(stream))

    def peek(self, stream: int | None) -> Message | None:
        """What `read` would return of parts, for who always reads these. Linear in the marks before it."""
        return next((message for message in self.by_stream.get(stream, ()) if message.data), None)

    def read(self, stream: int | None, partial: bool) -> Message | None:
        """The next message, or part of one; while there are none but whole messages, `Receiver.read` takes them."""
        queue = self.by_stream.get(stream)
        while queue:
            message = queue.popleft()
            self._window.release(charge_of(len(message.data)))
            if not message.data:
                # A mark: whoever reads all streams as one needs none.
                self._forget(message.stream)
                self._shown.pop(message.stream, None)
                if stream is None:
                    continue
                return message
            if message.end_of_record and message.stream not in self._collected:
                self._shown.pop(message.stream, None)
                return message
            if partial:
                return self._show(message)
            whole = self._collect(message)
            if whole is not None:
                return whole
        return None

    def _show(self, message: Message) -> Message:
        collected = self._collected.pop(message.stream, None)
        if collected is not None:
            self._collected_bytes -= len(collected)
            message = message._replace(data=bytes(collected) + message.data)
        if message.end_of_record:
            self._shown.pop(message.stream, None)
        else:
            if self._shown is NO_DICT:
                self._shown = {}
            self._shown[message.stream] = None
        return message

    def _collect(self, message: Message) -> Message | None:
        """A bytearray, not a list of parts: a peer's parts may be tiny, and this is outside the window."""
        collected = self._collected.get(message.stream)
        if collected is None:
            if self._collected is NO_DICT:
                self._collected = {}
            collected = self._collected[message.stream] = bytearray()
        collected += message.data
        self._collected_bytes += len(message.data)
        if len(collected) > self.max_message_bytes or self._collected_bytes > 2 * self.max_message_bytes:
            self.has_overflowed = True
            self._forget(message.stream)
            return None
        if not message.end_of_record:
            return None
        self._forget(message.stream)
        self._shown.pop(message.stream, None)
        return message._replace(data=bytes(collected))

    def _forget(self, stream: int) -> None:
        self._collected_bytes -= len(self._collected.pop(stream, b""))

    def abandon(self, stream: int, first_tsn: int) -> bool:
        """The message of this stream with that first TSN will never be whole. Returns whether the user saw parts."""
        key = stream if stream in self.by_stream else None
        queue = self.by_stream.get(key)
        if queue:
            kept = deque(message for message in queue if message.stream != stream or message.tsn != first_tsn)
            self._window.release(
                sum(charge_of(len(message.data)) for message in queue)
                - sum(charge_of(len(message.data)) for message in kept)
            )
            self.by_stream[key] = kept
            if any(message.stream == stream for message in kept):
                return False  # what was read of the stream is of an earlier message, which is whole
        self._forget(stream)
        if stream not in self._shown:
            return False
        del self._shown[stream]
        return True

    def give_back(self) -> None:
        """Let go of the room, if it is empty. Who took over a stream keeps its queue."""
        if not self._has_streams_of_their_own and not self.by_stream.get(None):
            self.by_stream = NO_DICT
            self.has_parts = bool(self._collected or self._shown)

    def inherit(self, previous: ReadQueues) -> None:
        """What is whole and unread goes on being readable, and charged."""
        self.by_stream = previous.by_stream
        self._has_streams_of_their_own = previous._has_streams_of_their_own
        self._arrivals = previous._arrivals
        self.has_parts = previous.has_parts
        self._collected = previous._collected
        self._collected_bytes = previous._collected_bytes
        self._shown = previous._shown
        if self._arrivals is not None:
            self._inherited = {stream: len(queue) for stream, queue in self.by_stream.items()}
        self._window.charge(self.charged_bytes)

    def drop_inherited(self, but_for: Collection[int]) -> None:
        """Of all streams but these: what came before the restart. Nothing has been read since; what has come since
        stays."""
        inherited, self._inherited = self._inherited, NO_DICT
        for stream, count in inherited.items():
            queue = self.by_stream.get(stream)
            if stream is None or stream in but_for or queue is None:
                continue
            if count == len(queue):
                self.release_stream(stream)
            for _ in range(count if count < len(queue) else 0):
                self._window.release(charge_of(len(queue.popleft().data)))

    @property
    def message_count(self) -> int:
        return sum(map(len, self.by_stream.values()))

    @property
    def charged_bytes(self) -> int:
        return sum(charge_of(len(message.data)) for queue in self.by_stream.values() for message in queue)

    def check_invariants(self) -> None:
        assert self._collected_bytes == sum(map(len, self._collected.values()))
        has_own = self._arrivals is not None or any(key is not None for key in self.by_stream)
        assert self._has_streams_of_their_own == has_own
        assert self._arrivals is None or None not in self.by_stream
        assert self.has_parts or not (self._collected or self._shown)
        for key, queue in self.by_stream.items():
            for message in queue:
                assert (message.stream if message.stream in self.by_stream else None) == key
                assert self.has_parts or (message.end_of_record and message.data)
