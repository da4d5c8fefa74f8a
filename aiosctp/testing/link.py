"""What lies between two addresses: delay, bandwidth, a queue, an MTU, and what goes wrong on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from aiosctp.testing.loss import NO_LOSS, IsLost, Loss, check_probability
from aiosctp.testing.packet import CE, NOT_ECT, Fault, Packet, Passage

DEFAULT_QUEUE_PACKETS = 100
# RFC 791: every module must forward 68 octets without fragmenting.
MIN_MTU = 68
# RFC 8200 §3: the length of an IPv6 packet does not count its own header.
MAX_MTU = 65535 + 40
LEAST_HOLD_S = 0.001
"""How long a packet may be held back, for others to overtake it, on a link that has no delay of its own."""
MAX_DELAY_S = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What befalls packets between two addresses, in one direction. Immutable and validated.

    A packet passes, in this order: the MTU, the queue, the wire, loss, corruption, duplication, the delay.

    delay_s: from the end of its transmission until a packet arrives.
    jitter_s: up to so much more, uniformly; packets keep their order all the same.
    bandwidth_bps: bits a second, IP and UDP headers counted; None takes no time.
    queue_bytes: what may wait for the wire; a packet that finds no room is dropped (tail drop). None is room for 100
      packets of the MTU.
    mtu: the largest IP packet in bytes. A larger one with DF set is dropped; with DF off it passes, as if fragmented
      and put together again. Over IPv6 the sender's host does that, with what is larger than its own `mtu`.
    icmp: whether who sent a packet that is too big is told so, with the MTU; without, the link is a black hole.
    loss: NO_LOSS, RandomLoss, BurstLoss, LossWhere, or any other `Loss`. What is lost has used the queue and the wire.
    duplication: the probability that a second copy of a packet arrives, with jitter of its own.
    reordering: the probability that a packet is held back and overtaken by those behind it: by up to as long again as
      its way takes, at least up to 1 ms.
    corruption: the probability that one byte of the payload is changed. The UDP checksum is not modelled: as if it were
      zero, or right by chance, the packet is delivered, and CRC-32c has to tell.
    ecn_threshold_bytes: a packet with ECT that finds more than this waiting is marked CE; None marks none.
    """

    delay_s: float = 0.01
    jitter_s: float = 0.0
    bandwidth_bps: float | None = None
    queue_bytes: int | None = None
    mtu: int = 1500
    icmp: bool = True
    loss: Loss = NO_LOSS
    duplication: float = 0.0
    reordering: float = 0.0
    corruption: float = 0.0
    ecn_threshold_bytes: int | None = None

    def __post_init__(self) -> None:
        check_number("delay_s", self.delay_s, 0, MAX_DELAY_S)
        check_number("jitter_s", self.jitter_s, 0, MAX_DELAY_S)
        _check_count("mtu", self.mtu, MIN_MTU, MAX_MTU)
        if self.bandwidth_bps is not None:
            check_number("bandwidth_bps", self.bandwidth_bps, 1, 1e15)
        for name in ("queue_bytes", "ecn_threshold_bytes"):
            value = getattr(self, name)
            if value is not None:
                _check_count(name, value, 0, 1 << 40)
                if self.bandwidth_bps is None:
                    raise ValueError(f"{name} says nothing without bandwidth_bps: no queue forms")
        for name in ("duplication", "reordering", "corruption"):
            check_probability(name, getattr(self, name))
        if not isinstance(self.icmp, bool):
            raise TypeError(f"icmp must be a bool, not {type(self.icmp).__name__}")
        if isinstance(self.loss, type) or not hasattr(self.loss, "begin"):
            raise TypeError(f"loss must be a Loss, such as RandomLoss(0.01), not {self.loss!r}")


def check_number(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    # Not the negated form: NaN is refused too.
    if not low <= value <= high:
        raise ValueError(f"{name} must be between {low} and {high:g}, not {value}")


def _check_count(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be between {low} and {high}, not {value}")


class Queue:
    """Packets before a wire that sends one after the other. They leave at times that are known when they enter."""

    def __init__(self, link: Link) -> None:
        assert link.bandwidth_bps is not None
        self._bandwidth_bps = link.bandwidth_bps
        self._limit_bytes = DEFAULT_QUEUE_PACKETS * link.mtu if link.queue_bytes is None else link.queue_bytes
        self._wire_is_free_at_s = 0.0
        self._waiting: deque[tuple[float, int]] = deque()
        self._waiting_bytes = 0

    def waiting_bytes(self, now: float) -> int:
        """What has not begun to be sent."""
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting_bytes -= self._waiting.popleft()[1]
        return self._waiting_bytes

    def enter(self, ip_bytes: int, now: float) -> float | None:
        """When the packet has left the wire; None when it found no room."""
        begins_s = max(now, self._wire_is_free_at_s)
        if begins_s > now:
            if self.waiting_bytes(now) + ip_bytes > self._limit_bytes:
                return None
            self._waiting.append((begins_s, ip_bytes))
            self._waiting_bytes += ip_bytes
        self._wire_is_free_at_s = begins_s + ip_bytes * 8 / self._bandwidth_bps
        return self._wire_is_free_at_s


class Direction:
    """From one address to another: a link and its state.

    Each kind of chance has a generator of its own, so that a fault that is switched on leaves the others as they were.
    """

    def __init__(self, seed: str, link: Link) -> None:
        self._seed = seed
        self._randoms: dict[str, Random] = {}
        self.is_cut = False
        self._lay(link)

    @property
    def link(self) -> Link:
        return self._link

    @link.setter
    def link(self, link: Link) -> None:
        """Another link is another wire: it begins empty, and what is under way on the old one arrives as it would."""
        if link != self._link:
            self._lay(link)

    def _lay(self, link: Link) -> None:
        self._link = link
        self._queue = None if link.bandwidth_bps is None else Queue(link)
        self._is_lost: IsLost | None = None if link.loss is NO_LOSS else link.loss.begin(self._random("loss"))
        self._last_arrival_s = 0.0
        self._is_plain = not (link.jitter_s or link.duplication or link.reordering or link.corruption)

    def _random(self, purpose: str) -> Random:
        found = self._randoms.get(purpose)
        if found is None:
            found = self._randoms[purpose] = Random(f"{self._seed}/{purpose}")
        return found

    def _happens(self, fault: Fault, probability: float) -> bool:
        return probability > 0 and self._random(fault).random() < probability

    def carry(self, packet: Packet, now: float) -> Sequence[Passage]:
        """The packet's passage, dropped or with the time of its arrival; after it that of its copy, if it has one."""
        passage = Passage(packet, now)
        if self.is_cut:
            passage.fate = "partitioned"
            return (passage,)
        leaves_at_s = now
        if packet.ip_bytes > self._link.mtu:
            if packet.dont_fragment:
                passage.fate = "too big"
                return (passage,)
            passage.faults += ("fragmented",)
        if self._queue is not None:
            left = self._transmit(self._queue, passage, now)
            if left is None:
                passage.fate = "queue full"
                return (passage,)
            leaves_at_s = left
        if self._is_lost is not None and self._is_lost(packet):
            passage.fate = "lost"
            return (passage,)
        if self._is_plain:
            # Nothing overtakes anything: the wire's order and a constant delay see to that.
            passage.arrives_at_s = leaves_at_s + self._link.delay_s
            return (passage,)
        return self._deliver(passage, leaves_at_s)

    def _transmit(self, queue: Queue, passage: Passage, now: float) -> float | None:
        packet = passage.packet
        threshold = self._link.ecn_threshold_bytes
        if threshold is not None and packet.ecn not in (NOT_ECT, CE) and queue.waiting_bytes(now) > threshold:
            passage.arriving = packet._replace(ecn=CE)
            passage.faults += ("marked",)
        return queue.enter(packet.ip_bytes, now)

    def _deliver(self, passage: Passage, leaves_at_s: float) -> Sequence[Passage]:
        link = self._link
        if passage.packet.data and self._happens("corrupted", link.corruption):
            passage.arriving = passage.arriving._replace(data=self._corrupted(passage.packet.data))
            passage.faults += ("corrupted",)
        passage.arrives_at_s = self._arrival_s(passage, leaves_at_s)
        if not self._happens("duplicated", link.duplication):
            return (passage,)
        copy = Passage(passage.packet, passage.sent_at_s)
        copy.arriving = passage.arriving
        copy.faults = ("duplicated",)
        copy.arrives_at_s = self._arrival_s(copy, leaves_at_s)
        return (passage, copy)

    def _arrival_s(self, passage: Passage, leaves_at_s: float) -> float:
        link = self._link
        arrives_at_s = leaves_at_s + link.delay_s
        if link.jitter_s:
            arrives_at_s += self._random("jitter").random() * link.jitter_s
        if self._happens("reordered", link.reordering):
            passage.faults += ("reordered",)
            held_s = max(link.delay_s + link.jitter_s, LEAST_HOLD_S) * self._random("hold").random()
            return max(arrives_at_s, self._last_arrival_s) + held_s
        # Jitter alone is a queue elsewhere that is now longer, now shorter: it keeps the order.
        self._last_arrival_s = max(self._last_arrival_s, arrives_at_s)
        return self._last_arrival_s

    def _corrupted(self, data: bytes) -> bytes:
        """One byte is another: CRC-32c finds every such error."""
        random = self._random("corruption")
        changed = bytearray(data)
        changed[random.randrange(len(data))] ^= random.randint(1, 255)
        return bytes(changed)
