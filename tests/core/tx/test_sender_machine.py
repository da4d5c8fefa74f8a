"""The sender alone against a model of what was queued, and of a peer that loses, forgets, and closes its window."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiosctp.config import Config
from aiosctp.core.charge import charge_of
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.paths import Path
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import Data
from tests.core.tx.bench import WINDOW, Bench, Packet, filled, read

STREAMS = 3
FIRST_SSN = 0xFFFE
MAX_UNACKNOWLEDGED = 40
# Each round acknowledges something or lets a timer expire.
ROUNDS_TO_FINISH = 1000

windows = st.sampled_from([WINDOW, 0, 1, 700, 1500, 5000])
losses = st.sampled_from([0, 1, 2, 0xFFFF]) | st.integers(0, 0xFFFF)
"""A bit for each packet of a flight, the first in the lowest."""


@dataclass
class Peer:
    """What has come, by number: chunks are counted from 0 in the order of their TSNs."""

    received: set[int] = field(default_factory=set)
    cumulative: int = -1

    def receive(self, number: int) -> None:
        self.received.add(number)
        while self.cumulative + 1 in self.received:
            self.cumulative += 1

    def gaps(self) -> list[tuple[int, int]]:
        ranges: list[tuple[int, int]] = []
        for number in sorted(each for each in self.received if each > self.cumulative):
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        return ranges


@dataclass
class Model:
    """What the user queued, what of it was cut into chunks, and what the last SACK said."""

    messages: list[OutgoingMessage] = field(default_factory=list)
    chunks: list[Data] = field(default_factory=list)
    """As they were sent first."""
    last_chunks: list[int] = field(default_factory=list)
    """Of each message that has been sent whole."""
    offset: int = 0
    """How much of the message after those has been cut."""
    next_ssn: dict[int, int] = field(default_factory=dict)
    cumulative: int = -1
    gap_acked: frozenset[int] = frozenset()
    a_rwnd: int = 0

    def cut(self, chunk: Data) -> None:
        """A chunk sent for the first time is the next piece of the messages, in the order they were queued."""
        message = self.messages[len(self.last_chunks)]
        end = self.offset + len(chunk.payload)
        assert chunk.payload == message.data[self.offset : end]
        assert (chunk.beginning, chunk.ending) == (self.offset == 0, end == len(message.data))
        assert (chunk.stream, chunk.ppid, chunk.unordered) == (message.stream, message.ppid, message.unordered)
        if not message.unordered:
            assert chunk.ssn == self.next_ssn.get(message.stream, FIRST_SSN)
        self.chunks.append(chunk)
        self.offset = end
        if chunk.ending:
            self.offset = 0
            self.last_chunks.append(len(self.chunks) - 1)
            if not message.unordered:
                self.next_ssn[message.stream] = (chunk.ssn + 1) & 0xFFFF

    def repeat(self, number: int, chunk: Data) -> None:
        """A retransmission says what was said before, and is of nothing that the last SACK acknowledged."""
        first = self.chunks[number]
        assert (chunk.tsn, chunk.stream, chunk.ssn, chunk.ppid) == (first.tsn, first.stream, first.ssn, first.ppid)
        assert (chunk.beginning, chunk.ending, chunk.unordered) == (first.beginning, first.ending, first.unordered)
        assert chunk.payload == first.payload
        assert number > self.cumulative
        assert number not in self.gap_acked

    @property
    def unacknowledged(self) -> list[OutgoingMessage]:
        return self.messages[sum(last <= self.cumulative for last in self.last_chunks) :]

    @property
    def unacknowledged_bytes(self) -> int:
        acknowledged = sum(len(chunk.payload) for chunk in self.chunks[: self.cumulative + 1])
        return sum(len(message.data) for message in self.messages) - acknowledged


class SenderMachine(RuleBasedStateMachine):
    """After each input the sender sends what it may, as an association does; some of that is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(4, 1, WINDOW)

    @initialize(
        max_burst=st.sampled_from([4, 1, 100]), paths=st.integers(1, 2), a_rwnd=st.sampled_from([WINDOW, 1500, 5000])
    )
    def begin(self, max_burst: int, paths: int, a_rwnd: int) -> None:
        self.bench = Bench(config=Config(rto_min_s=0.05, max_burst=max_burst), paths=paths, rwnd=a_rwnd)
        self.model, self.peer = Model(a_rwnd=a_rwnd), Peer()
        for stream in range(STREAMS):
            self.bench.sender.queue.stream(stream).next_ssn = FIRST_SSN

    # -- sending --

    def flush(self, lost: int, *, may_probe: bool = False) -> None:
        """One opportunity to send."""
        sender, packets = self.bench.sender, 0
        while (path := sender.path_to_send_on(self.bench.now)) is not None:
            flight_bytes, charge_bytes = path.flight_bytes, sender.outstanding.flight_charge_bytes
            for parts in filled(sender, path, self.bench.now):
                known = len(self.model.chunks)
                packet = read(path, parts)
                self.packet_sent(packet, is_lost=bool(lost >> min(packets, 15) & 1))
                if len(self.model.chunks) > known:
                    assert flight_bytes < path.congestion.cwnd, "§6.1 B: no new data above cwnd"
                    self.check_window(packet, charge_bytes, may_probe=may_probe)
                flight_bytes += sum(len(chunk.encode()) for chunk in packet.chunks)
                charge_bytes += sum(charge_of(len(chunk.payload)) for chunk in packet.chunks)
                packets += 1
        sender.check_invariants()

    def packet_sent(self, sent: Packet, *, is_lost: bool) -> None:
        assert sent.size <= sent.path.packet_bytes
        assert sent.numbers == sorted(sent.numbers), "§6.10: the lowest TSN first"
        for number, chunk in zip(sent.numbers, sent.chunks, strict=True):
            if number < len(self.model.chunks):
                self.model.repeat(number, chunk)
            else:
                assert number == len(self.model.chunks), "TSNs have no holes"
                self.model.cut(chunk)
            if not is_lost:
                self.peer.receive(number)

    def check_window(self, packet: Packet, charge_before: int, *, may_probe: bool) -> None:
        """§6.1 A, §6.2.1: new data fits the peer's window; but its overhead does not count when nothing is in flight,
        and one chunk may probe a window that stayed closed."""
        if charge_before + sum(charge_of(len(chunk.payload)) for chunk in packet.chunks) > self.model.a_rwnd:
            (chunk,) = packet.chunks
            assert charge_before == 0
            assert may_probe or len(chunk.payload) <= self.model.a_rwnd

    def running(self) -> list[Path]:
        """The paths on which T3 runs, the first to expire first."""
        deadlines = {path: self.bench.deadline(path) for path in self.bench.paths}
        return sorted(
            (path for path in self.bench.paths if deadlines[path] is not None), key=lambda path: deadlines[path] or 0.0
        )

    # -- rules --

    @precondition(lambda self: len(self.model.unacknowledged) < MAX_UNACKNOWLEDGED)
    @rule(
        sizes=st.lists(st.sampled_from([100, 1, 1444, 1445, 6000]), min_size=1, max_size=6),
        stream=st.integers(0, STREAMS - 1),
        unordered=st.booleans(),
        lost=losses,
    )
    def send(self, sizes: list[int], stream: int, unordered: bool, lost: int) -> None:
        for size in sizes:
            ppid = len(self.model.messages)
            data = (ppid.to_bytes(2) * size)[:size]
            message = OutgoingMessage(data, stream, ppid, unordered)
            self.model.messages.append(message)
            self.bench.sender.queue.append(message)
        self.flush(lost)

    def sack(self, a_rwnd: int, lost: int, *, after: float, nonsense: bool = False) -> None:
        gaps = self.peer.gaps()
        # Blocks that can't be true: what the Cumulative TSN Ack says is missing, and an inverted one.
        lies = [(self.peer.cumulative + 1, self.peer.cumulative + 1), (self.peer.cumulative + 5, 0)]
        said = [*gaps, *lies] if nonsense else gaps
        assert self.bench.sack(self.peer.cumulative, *said, rwnd=a_rwnd, after=after) is None
        self.model.cumulative, self.model.a_rwnd = self.peer.cumulative, a_rwnd
        self.model.gap_acked = frozenset(number for first, last in gaps for number in range(first, last + 1))
        self.flush(lost)

    @rule(a_rwnd=windows, after=st.sampled_from([0.0, 0.01, 2.0]), lost=losses, nonsense=st.booleans())
    def acknowledge(self, a_rwnd: int, after: float, lost: int, nonsense: bool) -> None:
        self.sack(a_rwnd, lost, after=after, nonsense=nonsense)

    @precondition(lambda self: bool(self.peer.gaps()))
    @rule(which=st.integers(1, 0xFFFF), a_rwnd=windows, lost=losses)
    def forget(self, which: int, a_rwnd: int, lost: int) -> None:
        """§6.2: the peer has acknowledged it, but no Cumulative TSN Ack covers it; it drops it after all."""
        self.sack(a_rwnd, lost, after=0.01)
        for position, (first, last) in enumerate(self.peer.gaps()):
            if which >> min(position, 15) & 1:
                self.peer.received -= set(range(first, last + 1))
        self.sack(a_rwnd, lost, after=0.01)

    @rule(behind=st.integers(1, 5))
    def acknowledge_late(self, behind: int) -> None:
        """§6.2.1 D i: a SACK that was overtaken changes nothing."""
        before = self.bench.sender.peer_rwnd_bytes
        assert self.bench.sack(self.model.cumulative - behind, rwnd=before + 1) is None
        assert self.bench.sender.peer_rwnd_bytes == before

    @rule(beyond=st.integers(1, 3), in_gap=st.booleans())
    def acknowledge_what_was_never_sent(self, beyond: int, in_gap: bool) -> None:
        """§12.4: a reason to abort, and nothing of it is believed."""
        number = len(self.model.chunks) - 1 + beyond
        cumulative = self.model.cumulative
        if in_gap:
            cause = self.bench.sack(cumulative, (cumulative + 2, max(number, cumulative + 2)))
        else:
            cause = self.bench.sack(number)
        assert isinstance(cause, ProtocolViolation)

    @precondition(lambda self: self.running())
    @rule(lost=losses)
    def time_out(self, lost: int) -> None:
        """§6.3.3."""
        self.bench.expire(self.running()[0])
        self.flush(lost)

    @precondition(lambda self: self.bench.probe_deadline() is not None)
    @rule(lost=losses)
    def probe(self, lost: int) -> None:
        """§6.1 A: the window has stayed closed."""
        self.bench.probe_due()
        self.flush(lost, may_probe=True)

    @precondition(lambda self: len(self.model.messages) >= 20)
    @rule()
    def fail(self) -> None:
        """The association ends: what is not acknowledged comes back, each message once, in order."""
        begun = len(self.model.last_chunks) + bool(self.model.offset)
        sent = self.model.messages[:begun]
        expected = [(message, message in sent) for message in self.model.unacknowledged]
        assert self.bench.sender.take_unsent() == expected
        assert self.bench.sender.is_drained
        assert self.running() == []
        self.bench.check()
        self.begin(4, 2, WINDOW)

    # -- what always holds --

    @invariant()
    def what_is_buffered_is_what_is_not_acknowledged(self) -> None:
        sender = self.bench.sender
        assert sender.buffered_bytes == self.model.unacknowledged_bytes
        assert sender.unacknowledged_chunks == len(self.model.chunks) - 1 - self.model.cumulative
        assert sender.is_drained == (not self.model.unacknowledged)
        sent = sum(charge_of(len(chunk.payload)) for chunk in self.model.chunks[self.model.cumulative + 1 :])
        assert self.model.a_rwnd - sent <= sender.peer_rwnd_bytes <= self.model.a_rwnd

    @invariant()
    def something_moves_what_waits(self) -> None:
        sender = self.bench.sender
        if sender.outstanding:
            assert self.running(), "outstanding data and no T3"
        elif sender.queue:
            assert self.bench.probe_deadline() is not None, "data waits, and nothing will send it"

    def teardown(self) -> None:
        """Nothing is lost any more, and the peer takes everything: all of it arrives."""
        for _ in range(ROUNDS_TO_FINISH):
            before = self.model.cumulative
            self.sack(WINDOW, 0, after=0.01)
            if not self.model.unacknowledged:
                break
            if self.model.cumulative == before and self.running():
                self.time_out(0)
            elif self.model.cumulative == before:
                self.probe(0)
        assert self.bench.sender.is_drained, "the sender hangs"
        assert len(self.model.last_chunks) == len(self.model.messages)
        assert self.running() == []


TestSender = SenderMachine.TestCase
TestSender.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
