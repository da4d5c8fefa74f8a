"""From chunks to messages: what is deliverable is put where the user reads it (§6.9)."""

from __future__ import annotations

from aiosctp.core.charge import charge_of
from aiosctp.core.messages import Message
from aiosctp.core.rx.queues import ReadQueues
from aiosctp.core.rx.reassembly import Reassembly, Run
from aiosctp.core.rx.streams import InboundStreams
from aiosctp.core.rx.tsns import TsnTracker
from aiosctp.core.rx.window import ReceiveWindow
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.serial import TSN_MASK


class Delivery:
    """The general way of a message through reassembly and its stream's order to the user."""

    __slots__ = ("_queues", "_reassembly", "_streams", "_tsns", "_window", "partial_delivery_point_bytes")

    def __init__(
        self,
        *,
        tsns: TsnTracker,
        window: ReceiveWindow,
        reassembly: Reassembly,
        streams: InboundStreams,
        queues: ReadQueues,
        partial_delivery_point_bytes: int,
    ) -> None:
        self._tsns = tsns
        self._window = window
        self._reassembly = reassembly
        self._streams = streams
        self._queues = queues
        self.partial_delivery_point_bytes = partial_delivery_point_bytes

    def advance(self, run: Run) -> ProtocolViolation | None:
        """Deliver what this run makes deliverable."""
        if run.is_partial:
            self._deliver_parts(run)
        elif run.is_complete:
            ready = self._streams.completed(run)
            if ready is None:
                return ProtocolViolation(b"two messages of a stream have one SSN")
            for each in ready:
                self.put(each)
        self.deliver_unfinished()
        return None

    def _deliver_parts(self, run: Run) -> None:
        self.put(run)
        if run.ended:
            for each in self._streams.parts_ended(run):
                self.put(each)

    def deliver_unfinished(self) -> None:
        """RFC 6458 §8.1.21: begin to deliver a message in parts when this much of it has come; or, §6.9: when "the data
        receiver runs out of buffer space while still waiting for more fragments".

        Only the message that the next TSN in sequence belongs to: all before it has come, so it can't be that what it
        keeps waiting (`InboundStreams`) fills the window, and the window its last fragments.
        """
        run = self._reassembly.in_progress_at(self._tsns.cumulative)
        if run is None or run.is_partial:
            return
        is_large = run.held_bytes >= self.partial_delivery_point_bytes
        if (is_large or self._window.is_nearly_closed) and self._streams.is_turn_of(run):
            self._streams.parts_begin(run)
            self._deliver_parts(run)

    def put(self, run: Run) -> None:
        """Hand over what is held of a run: the message, or the next part of it."""
        charged = run.charged_bytes
        data = self._reassembly.take(run)
        # One object is left of many: the overhead of the others is free again.
        self._window.release(charged - charge_of(len(data)))
        first_tsn, cumulative_tsn = run.first & TSN_MASK, self._tsns.cumulative & TSN_MASK
        self._queues.put(
            Message(data, run.stream, run.ppid, run.unordered, run.ssn, first_tsn, cumulative_tsn, run.ended)
        )
