"""From chunks to messages: what is deliverable is put where the user reads it (§6.9)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, TypeVar

from aiosctp.core.charge import charge_of
from aiosctp.core.messages import Message
from aiosctp.core.rx.interleaved import Interleaved
from aiosctp.core.rx.queues import ReadQueues
from aiosctp.core.rx.reassembly import Reassembly
from aiosctp.core.rx.run import Run, TsnHeap
from aiosctp.core.rx.streams import InboundStreams
from aiosctp.core.rx.tsns import TsnTracker
from aiosctp.core.rx.window import ReceiveWindow
from aiosctp.core.statistics import AssociationCounters
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.serial import TSN_MASK

Held = TypeVar("Held", Reassembly, Interleaved)


class Delivery(ABC, Generic[Held]):
    """The general way of a message through reassembly and its stream's order to the user."""

    __slots__ = (
        "_counters",
        "_queues",
        "_reassembly",
        "_streams",
        "_tsns",
        "_window",
        "delivered",
        "partial_delivery_point_bytes",
    )

    def __init__(
        self,
        reassembly: Held,
        tsns: TsnTracker,
        window: ReceiveWindow,
        streams: InboundStreams,
        queues: ReadQueues,
        counters: AssociationCounters,
        partial_delivery_point_bytes: int,
    ) -> None:
        self._reassembly: Held = reassembly
        self._counters = counters
        self._tsns = tsns
        self._window = window
        self._streams = streams
        self._queues = queues
        self.delivered: TsnTracker | None = None
        """Where the peer is told by NR-SACK: TSNs above the cumulative one that will not be dropped again."""
        self.partial_delivery_point_bytes: int = partial_delivery_point_bytes

    def advance(self, run: Run) -> ProtocolViolation | None:
        """Deliver what this run makes deliverable."""
        if run.is_partial:
            if run.start <= run.end:
                self._deliver_parts(run)
        elif run.is_complete:
            ready = self._streams.completed(run)
            if ready is None:
                return ProtocolViolation(b"two messages of a stream have one SSN")
            if run.end > run.start:
                self._counters.messages_reassembled += 1
            for each in ready:
                self.put(each)
        self.deliver_unfinished(run)
        return None

    def _deliver_parts(self, run: Run) -> None:
        self.put(run)
        if run.ended:
            self._counters.messages_reassembled += 1
            self.end_parts(run)

    def end_parts(self, run: Run) -> None:
        """The last part was delivered, or will not be."""
        for each in self._streams.parts_ended(run):
            self.put(each)

    def go_on_with(self, run: Run) -> None:
        """The message that `InOrder` held comes this way now."""

    @abstractmethod
    def deliver_unfinished(self, advanced: Run | None = None) -> None:
        """RFC 6458 §8.1.21: begin to deliver a message in parts when this much of it has come; or, §6.9: when "the data
        receiver runs out of buffer space while still waiting for more fragments".

        advanced: the message of which something has come, or None: something changed for any.
        """

    def chunk_was_dropped(self) -> None:
        """There was no room for it: §6.9 again. Of no message has anything come."""
        self.deliver_unfinished()

    def _begin_parts(self, run: Run) -> None:
        self._streams.parts_begin(run)
        self._deliver_parts(run)

    def put(self, run: Run) -> None:
        """Hand over what is held of a run: the message, or the next part of it."""
        charged = run.charged_bytes
        if self.delivered is not None:
            self.keep(self._reassembly.tsns_of(run))
        data = self._reassembly.take(run)
        # One object is left of many: the overhead of the others is free again.
        self._window.release(charged - charge_of(len(data)))
        first_tsn, cumulative_tsn = run.first & TSN_MASK, self._tsns.cumulative & TSN_MASK
        self._queues.put(
            Message(data, run.stream, run.ppid, run.unordered, run.ssn, first_tsn, cumulative_tsn, run.ended)
        )

    def keep(self, tsns: Iterable[int]) -> None:
        """These will not be dropped again."""
        delivered, cumulative = self.delivered, self._tsns.cumulative
        if delivered is not None:
            delivered.advance_to(cumulative)
            for tsn in tsns:
                if tsn > cumulative:
                    delivered.add(tsn)


class DataDelivery(Delivery[Reassembly]):
    """Of DATA, whose fragments have consecutive TSNs (§6.9)."""

    __slots__ = ()

    def deliver_unfinished(self, advanced: Run | None = None) -> None:
        """Only the message that the next TSN in sequence belongs to: all before it has come, so it can't be that what
        it keeps waiting (`InboundStreams`) fills the window, and the window its last fragments."""
        run = self._reassembly.in_progress_at(self._tsns.cumulative)
        if run is None or run.is_partial:
            return
        is_large = run.held_bytes >= self.partial_delivery_point_bytes
        if (is_large or self._window.is_nearly_closed) and self._streams.may_begin_parts(run):
            self._begin_parts(run)


class IDataDelivery(Delivery[Interleaved]):
    """Of I-DATA, by which many messages may be under way (RFC 8260 §2.2)."""

    __slots__ = ("_order", "_ready")

    def __init__(
        self,
        reassembly: Interleaved,
        tsns: TsnTracker,
        window: ReceiveWindow,
        streams: InboundStreams,
        queues: ReadQueues,
        counters: AssociationCounters,
        partial_delivery_point_bytes: int,
    ) -> None:
        super().__init__(reassembly, tsns, window, streams, queues, counters, partial_delivery_point_bytes)
        self._ready: dict[int, Run] = {}
        """Unfinished messages that begin to be delivered in parts when the window is nearly closed, by the TSN of their
        beginning, negated. Some may have been completed since, or dropped: no more than are held at once."""
        self._order = TsnHeap()

    def go_on_with(self, run: Run) -> None:
        self._add(run)

    def _add(self, run: Run) -> None:
        self._ready[-run.first] = run
        self._order.push(-run.first, self._ready)

    def deliver_unfinished(self, advanced: Run | None = None) -> None:
        """Of every stream the message whose turn it is: its last fragments may come after the beginnings of many
        others, and find the window full of these.

        Only one whose beginning the cumulative TSN covers: all before it has come, and so all that its stream has to
        deliver before it. The sender makes chunks of one message of a stream at a time (§2.2.2), so whatever this one
        keeps waiting (`InboundStreams`) comes behind its last fragment, and gives way to that (§6.2).
        """
        reassembly, streams = self._reassembly, self._streams
        if advanced is None:
            self._ready.clear()
            for run in reassembly.unfinished():
                self._look_at(run)
        else:
            self._look_at(advanced)
            for run in reassembly.unfinished_of(advanced.stream, streams.expected_ssns.get(advanced.stream, 0)):
                self._look_at(run)
        self.chunk_was_dropped()

    def chunk_was_dropped(self) -> None:
        """Which messages may begin is known: a look at all of them for each chunk would let a packet of small ones cost
        their number many times over."""
        if self._ready and self._window.is_nearly_closed:
            self._begin_all()

    def _begin_all(self) -> None:
        ready, cumulative = self._ready, self._tsns.cumulative
        while (first := self._order.highest_of(ready)) is not None and -first <= cumulative:
            run = ready.pop(first)
            if run.is_unfinished and self._reassembly.holds(run) and self._streams.may_begin_parts(run):
                self._begin_parts(run)

    def _look_at(self, run: Run) -> None:
        is_ready = self._ready.get(-run.first) is run
        may_begin = run.is_unfinished and self._streams.may_begin_parts(run)
        is_large = run.first <= self._tsns.cumulative and run.held_bytes >= self.partial_delivery_point_bytes
        if is_ready and (is_large or not may_begin):
            del self._ready[-run.first]
        if may_begin and is_large:
            self._begin_parts(run)
        elif may_begin and not is_ready:
            self._add(run)
