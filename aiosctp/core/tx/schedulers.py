"""Stream schedulers (RFC 8260 §3): which stream's message goes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, Protocol

from aiosctp.core.messages import Outgoing
from aiosctp.core.tx.turns import ByPriority, ByShare, RoundRobin, Turns


class StreamValues:
    """What schedulers are told about the streams (RFC 8260 §4.3.3), and about the association."""

    __slots__ = ("interleaves", "priorities", "weights")

    def __init__(self, interleaves: bool) -> None:
        self.interleaves: bool = interleaves
        """RFC 8260 §2: other messages may go between the fragments of one."""
        self.priorities: dict[int, int] = {}
        """Of streams that were given one: the lower number goes first. Of others it is 0."""
        self.weights: dict[int, int] = {}
        """Likewise. Of others it is 1."""

    def priority(self, stream: int) -> int:
        return self.priorities.get(stream, 0)

    def weight(self, stream: int) -> int:
        return self.weights.get(stream, 1)


class Scheduler(Protocol):
    """Holds the messages that wait, and says which goes next."""

    in_order: deque[Outgoing] | None
    """The messages in the order they will go, if that is settled when they come: who takes some from the left needs ask
    nothing else. None where what comes later may go before."""

    @property
    def add(self) -> Callable[[Outgoing], None]:
        """One more message waits."""

    @property
    def add_begun(self) -> Callable[[Outgoing], None]:
        """One that was cut in part while another scheduler was in charge. Such are the first to be added."""

    def __len__(self) -> int:
        """How many wait, those begun included."""

    def __iter__(self) -> Iterator[Outgoing]:
        """Those that wait, each stream in its order."""

    def first(self) -> Outgoing | None:
        """The message that goes next, if any may in this packet. Asking changes nothing: until something of it is sent,
        one that comes later may still go before.

        Without interleaving it is one that was begun until that is sent whole, for its fragments have consecutive TSNs
        (§6.9).
        """

    def sent(self, payload_bytes: int, *, is_whole: bool) -> None:
        """So much more of the message that `first` names is in a chunk. Whole, it waits no more."""

    def drop(self) -> None:
        """The message that `first` names waits no more, and no more of it will be sent."""

    def packet_ended(self) -> None:
        """What is sent next is in another packet."""

    def values_changed(self, stream: int) -> None:
        """The stream was given another priority or weight."""


class FirstComeFirstServed:
    """RFC 8260 §3.1: "in the order in which they have been delivered by the application"."""

    __slots__ = ("_messages", "add", "add_begun", "in_order")

    def __init__(self) -> None:
        self._messages: deque[Outgoing] = deque()
        self.in_order: deque[Outgoing] | None = self._messages
        self.add: Callable[[Outgoing], None] = self._messages.append
        self.add_begun: Callable[[Outgoing], None] = self._messages.append

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Outgoing]:
        return iter(self._messages)

    def first(self) -> Outgoing | None:
        return self._messages[0] if self._messages else None

    def sent(self, payload_bytes: int, *, is_whole: bool) -> None:
        if is_whole:
            self._messages.popleft()

    def drop(self) -> None:
        self._messages.popleft()

    def packet_ended(self) -> None:
        pass

    def values_changed(self, stream: int) -> None:
        pass


class StreamByStream:
    """A line of messages for each stream, and turns: of a message; where messages interleave, of a chunk; or of a
    packet."""

    __slots__ = (
        "_by_packet",
        "_count",
        "_is_at_end",
        "_is_begun",
        "_is_overdue",
        "_lines",
        "_packet_bytes",
        "_sent_bytes",
        "_stream",
        "_turns",
        "_values",
        "in_order",
    )

    def __init__(self, values: StreamValues, turns: Turns, *, by_packet: bool = False) -> None:
        self._values = values
        self._turns = turns
        self._by_packet = by_packet
        self._lines: dict[int, deque[Outgoing]] = {}
        self._count = 0
        self._stream: int | None = None
        """Whose turn has begun: something was sent in it."""
        self._sent_bytes = 0
        """In this turn."""
        self._is_begun = False
        """The first message of the stream whose turn it is was cut in part in this turn."""
        self._is_at_end = False
        """The turn is over, and no other stream may be in this packet."""
        self._is_overdue = False
        """A packet has ended in this turn, and a message was begun: with that, the turn ends."""
        self._packet_bytes = 0
        """Sent since a packet ended."""
        self.in_order: deque[Outgoing] | None = None

    def add(self, message: Outgoing) -> None:
        self._count += 1
        stream = message[1]
        line = self._lines.get(stream)
        if line is not None:
            line.append(message)
            return
        self._lines[stream] = deque((message,))
        if stream == self._stream:
            self._is_at_end = self._is_overdue  # its turn, and its place, may still be its own
        else:
            self._turns.join(stream)

    def add_begun(self, message: Outgoing) -> None:
        self.add(message)
        if not self._values.interleaves:
            self._stream, self._is_begun = message[1], True

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Outgoing]:
        return chain.from_iterable(self._lines.values())

    def first(self) -> Outgoing | None:
        if self._is_at_end or not self._count:
            return None
        return self._lines[self._turns.first() if self._stream is None else self._stream][0]

    def sent(self, payload_bytes: int, *, is_whole: bool) -> None:
        if self._stream is None:
            self._stream = self._turns.first()
        self._sent_bytes += payload_bytes
        self._packet_bytes += payload_bytes
        self._is_begun = not is_whole
        if is_whole:
            self._take(self._stream)
        if self._may_end_turn:
            self._message_over()

    def drop(self) -> None:
        self._is_begun = False
        if self._stream is not None:
            self._take(self._stream)
            self._message_over()
            return
        stream = self._turns.first()
        self._take(stream)
        if stream not in self._lines:
            self._turns.over(stream, 0, has_more=False)

    def _message_over(self) -> None:
        """Or a chunk is, where messages interleave: so may the turn be."""
        if not self._by_packet:
            self._end_turn()
        elif self._is_overdue or self._stream not in self._lines:
            self._is_at_end = True
            if not self._packet_bytes:
                self._end_turn()

    def _take(self, stream: int) -> None:
        self._count -= 1
        line = self._lines[stream]
        line.popleft()
        if not line:
            del self._lines[stream]

    def packet_ended(self) -> None:
        self._packet_bytes = 0
        if self._stream is not None and self._may_end_turn:
            self._end_turn()
        else:
            self._is_overdue = self._stream is not None

    @property
    def _may_end_turn(self) -> bool:
        return self._values.interleaves or not self._is_begun

    def _end_turn(self) -> None:
        assert self._stream is not None
        self._turns.over(self._stream, self._sent_bytes, has_more=self._stream in self._lines)
        self._stream = None
        self._sent_bytes = 0
        self._is_begun = self._is_at_end = self._is_overdue = False

    def values_changed(self, stream: int) -> None:
        if stream in self._lines:
            self._turns.rejoin(stream)


class _NothingWaits:
    """What stands for a scheduler before the first message."""

    __slots__ = ("add", "add_begun", "in_order")

    def __init__(self) -> None:
        self.in_order: deque[Outgoing] | None = None
        self.add: Callable[[Outgoing], None] = self._refuse
        self.add_begun = self.add

    def _refuse(self, message: Outgoing) -> None:
        raise AssertionError("a scheduler is made before the first message")

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Outgoing]:
        return iter(())

    def first(self) -> Outgoing | None:
        return None

    def sent(self, payload_bytes: int, *, is_whole: bool) -> None:
        raise AssertionError("nothing waits")

    def drop(self) -> None:
        raise AssertionError("nothing waits")

    def packet_ended(self) -> None:
        pass

    def values_changed(self, stream: int) -> None:
        pass


NOTHING_WAITS: Final[Scheduler] = _NothingWaits()
SCHEDULERS: dict[str, Callable[[StreamValues], Scheduler]] = {
    "fcfs": lambda values: FirstComeFirstServed(),
    "rr": lambda values: StreamByStream(values, RoundRobin()),
    "rr_packet": lambda values: StreamByStream(values, RoundRobin(), by_packet=True),
    "priority": lambda values: StreamByStream(values, ByPriority(values.priority)),
    "fair": lambda values: StreamByStream(values, ByShare(lambda stream: 1)),
    "weighted": lambda values: StreamByStream(values, ByShare(values.weight)),
}
"""By name, as `Config.scheduler` has it."""
