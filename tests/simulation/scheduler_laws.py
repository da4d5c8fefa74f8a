"""What holds of the order in which streams get to send (RFC 8260 §3): none goes before a more important one, none waits
for ever while others are served."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiosctp.core.messages import Outgoing
from aiosctp.core.paths import Path
from aiosctp.core.tx.chunk import OutstandingChunk
from aiosctp.core.tx.fragmenter import Fragmenter
from aiosctp.core.tx.queue import SendQueue
from aiosctp.wire.chunks import DATA_BEGINNING
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.wrapping import Maker

SCHEDULER_MARKS = (
    *(f"{name} of {how}" for how in ("DATA", "I-DATA") for name in ("rr", "rr_packet", "priority", "fair", "weighted")),
    "a stream overtaken by a more important one",
    "scheduler switched in mid-message",
)


@dataclass(eq=False)
class Service:
    """What one queue has served since its scheduler was made."""

    packets: int = 0
    largest_turn_bytes: int = 0
    turn_of: int | None = None
    turn_bytes: int = 0
    weights: set[int] = field(default_factory=lambda: {1})
    """All that streams had while something was sent."""
    waits: dict[int, Counter[int]] = field(default_factory=dict)
    """Of each stream that waits, since it did or was served last: how many turns others had, or how many bytes."""
    packets_seen: dict[tuple[int, int], int] = field(default_factory=dict)
    """Of a stream that waits and another: in which packet the other's last turn was counted."""


class SchedulerLaws:
    """Watches who is served. The short ways serve as "fcfs" does, and only that."""

    def __init__(self, judge: Judge, counters: Counter[str]) -> None:
        self._judge = judge
        self._counters = counters
        self._services: dict[SendQueue, Service] = {}

    def wrappers(self) -> list[tuple[str, Maker]]:
        return [
            ("core.tx.fragmenter:Fragmenter.cut", self._around_cut),
            ("core.tx.queue:SendQueue.packet_ended", self._noting_packets),
            ("core.tx.queue:SendQueue.abandon", self._noting_abandoned),
            ("core.tx.queue:SendQueue._make_scheduler", self._noting_schedulers),
        ]

    def _service(self, queue: SendQueue) -> Service:
        return self._services.setdefault(queue, Service())

    def _noting_packets(self, original: Any) -> Any:
        def packet_ended(queue: SendQueue) -> None:
            self._service(queue).packets += 1
            original(queue)

        return packet_ended

    def _noting_abandoned(self, original: Any) -> Any:
        def abandon(queue: SendQueue, message: Outgoing, **how: Any) -> None:
            # It may have been all that its stream had, which waits anew then, behind the others.
            self._service(queue).waits.pop(message[1], None)
            original(queue, message, **how)

        return abandon

    def _noting_schedulers(self, original: Any) -> Any:
        def make_scheduler(queue: SendQueue, *begun: Any) -> None:
            before = self._service(queue)
            self._counters["scheduler switched in mid-message"] += bool(begun and begun[0])
            self._services[queue] = Service(before.packets, weights=before.weights)
            original(queue, *begun)

        return make_scheduler

    def _around_cut(self, original: Any) -> Any:
        def cut(fragmenter: Fragmenter, payload_bytes: int, number: int, path: Path, now: float) -> OutstandingChunk:
            queue = fragmenter._queue
            waiting = [stream.number for stream in queue.by_number.values() if stream.queued_bytes]
            chunk: OutstandingChunk = original(fragmenter, payload_bytes, number, path, now)
            if queue._scheduler_name != "fcfs":
                try:
                    self._check(queue, waiting, chunk)
                except LawBroken as error:
                    self._judge.accuse(error)
            return chunk

        return cut

    def _check(self, queue: SendQueue, waiting: list[int], chunk: OutstandingChunk) -> None:
        name, served = queue._scheduler_name, chunk.stream.number
        interleaves = queue.format.counts_fragments
        self._counters[f"{name} of {'I-DATA' if interleaves else 'DATA'}"] += len(waiting) > 1
        begins = bool(chunk.header[1] & DATA_BEGINNING)
        if name == "priority" and (interleaves or begins):
            first = min(waiting, key=queue.values.priority)
            if queue.values.priority(first) < queue.values.priority(served):
                raise LawBroken(f"stream {served} went before stream {first}, which is more important (RFC 8260 §3.4)")
            self._counters["a stream overtaken by a more important one"] += any(
                queue.values.priority(each) > queue.values.priority(served) for each in waiting
            )
        service = self._service(queue)
        is_new_turn = interleaves or begins
        service.turn_bytes = len(chunk.payload) + (0 if is_new_turn else service.turn_bytes)
        service.largest_turn_bytes = max(service.largest_turn_bytes, service.turn_bytes)
        service.waits = {each: service.waits.get(each, Counter()) for each in waiting if each != served}
        for each, others in service.waits.items():
            if name in ("fair", "weighted"):
                others[served] += len(chunk.payload)
                self._check_share(queue, service, each, served, name)
            elif name in ("rr", "rr_packet") and is_new_turn:
                self._count_turn(service, each, served, by_packet=name == "rr_packet")

    def _count_turn(self, service: Service, waits: int, served: int, *, by_packet: bool) -> None:
        """Each stream that has something to send is served once in each round: RFC 8260 §3.2, §3.3."""
        others = service.waits[waits]
        if not others[served] or not by_packet or service.packets_seen[waits, served] != service.packets:
            others[served] += 1
        service.packets_seen[waits, served] = service.packets
        if others[served] > 1:
            raise LawBroken(f"stream {served} had two turns while stream {waits} waited for one (RFC 8260 §3.2)")

    def _check_share(self, queue: SendQueue, service: Service, waits: int, served: int, name: str) -> None:
        """RFC 8260 §3.5, §3.6. What waits was put off by its last two turns at most, for who is served may have joined
        as of the beginning of the first of them; and may overdraw by a turn of its own."""
        # Asked for here, for a restart hands them on to another queue.
        service.weights.update(queue.values.weights.values())
        ratio = max(service.weights) / min(service.weights) if name == "weighted" else 1
        most_bytes = service.largest_turn_bytes * (1 + 2 * ratio)
        if service.waits[waits][served] > most_bytes:
            raise LawBroken(f"stream {served} sent {service.waits[waits][served]} bytes while stream {waits} waited")
