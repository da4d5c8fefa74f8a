"""The receiver alone against a model of what a peer said, what of it has come, and what was read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiosctp.config import Config
from aiosctp.core.charge import charge_of
from aiosctp.core.messages import Message
from aiosctp.wire.chunks import Data
from tests.core.rx.bench import Bench, data, tsn_of

STREAMS = 3
FIRST_SSN = 0xFFFE
ROOMY, TIGHT = 1 << 20, 6000
# Of those not acknowledged for good: what the peer sends again at most, and what one packet is drawn from.
MAX_AHEAD = 24
OVERDRAFT_BYTES = 0x1_0000
SEGMENT_BYTES = 1500


@dataclass
class Said:
    """A message of the peer's."""

    stream: int
    unordered: bool
    data: bytes
    numbers: range
    """Its chunks, counted from 0 in the order of their TSNs."""
    is_read: bool = False


@dataclass
class Model:
    messages: list[Said] = field(default_factory=list)
    """A message's PPID is its place in this list."""
    chunks: list[Data] = field(default_factory=list)
    next_ssn: dict[int, int] = field(default_factory=dict)
    arrived: set[int] = field(default_factory=set)
    """Every chunk that ever came."""
    cumulative: int = -1
    acknowledged: set[int] = field(default_factory=set)
    """By the last SACK."""
    parts: dict[int, bytes] = field(default_factory=dict)
    """What was read of the unfinished message of each stream."""
    last_read: dict[int, int] = field(default_factory=dict)
    """The last ordered message of each stream that was read."""

    def say(self, stream: int, unordered: bool, sizes: list[int]) -> None:
        first, ppid = len(self.chunks), len(self.messages)
        ssn = self.next_ssn.get(stream, FIRST_SSN)
        pieces = [bytes([first + index & 0xFF]) * size for index, size in enumerate(sizes)]
        for index, piece in enumerate(pieces):
            flags = "U" * unordered + "B" * (index == 0) + "E" * (index == len(pieces) - 1)
            self.chunks.append(data(first + index, flags, ssn=ssn, stream=stream, payload=piece, ppid=ppid))
        self.messages.append(Said(stream, unordered, b"".join(pieces), range(first, len(self.chunks))))
        if not unordered:
            self.next_ssn[stream] = (ssn + 1) & 0xFFFF

    def read(self, message: Message, *, partial: bool) -> None:
        """Each message once, whole, as it was said, and after the ordered ones of its stream before it."""
        whole = self.parts.pop(message.stream, b"") + message.data
        said = self.messages[message.ppid]
        assert (message.stream, message.unordered) == (said.stream, said.unordered)
        assert message.tsn == tsn_of(said.numbers[0])
        if not message.end_of_record:
            assert partial, "a part for a reader of whole messages"
            assert said.data.startswith(whole)
            self.parts[message.stream] = whole
            return
        assert whole == said.data
        assert not said.is_read, "delivered twice"
        said.is_read = True
        if not said.unordered:
            before = range(self.last_read.get(said.stream, -1) + 1, message.ppid)
            skipped = [self.messages[ppid] for ppid in before]
            assert not [each for each in skipped if each.stream == said.stream and not each.unordered], "out of order"
            self.last_read[said.stream] = message.ppid

    def charged_bytes(self) -> int:
        """While nothing is delivered in parts: a message whose turn has come is one object, other chunks are many."""
        charged, waits = 0, set[int]()
        for said in self.messages:
            came = [number for number in said.numbers if number in self.arrived]
            is_whole = len(came) == len(said.numbers)
            if is_whole and (said.unordered or said.stream not in waits):
                charged += 0 if said.is_read else charge_of(len(said.data))
                continue
            charged += sum(charge_of(len(self.chunks[number].payload)) for number in came)
            if not said.unordered:
                waits.add(said.stream)
        return charged


class ReceiverMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.begin(ROOMY, 2)

    @initialize(
        window_bytes=st.sampled_from([TIGHT, ROOMY]),
        sack_frequency=st.sampled_from([2, 1, 4]),
        goes_short_way=st.booleans(),
    )
    def begin(self, window_bytes: int, sack_frequency: int, goes_short_way: bool = True) -> None:
        """In a roomy window nothing is dropped, taken back or delivered in parts; in a tight one all of it happens."""
        self.is_roomy = window_bytes == ROOMY
        config = Config(
            receive_window_bytes=window_bytes, partial_delivery_point_bytes=window_bytes, sack_frequency=sack_frequency
        )
        self.bench = Bench(inbound_streams=STREAMS, config=config, goes_short_way=goes_short_way)
        self.model = Model()
        for stream in range(STREAMS):
            self.bench.receiver._streams.expect(stream, FIRST_SSN)

    # -- rules --

    @precondition(lambda self: len(self.model.chunks) - self.model.cumulative < MAX_AHEAD)
    @rule(
        stream=st.integers(0, STREAMS - 1),
        unordered=st.booleans(),
        sizes=st.lists(st.sampled_from([1, 100, 700, 1400]), min_size=1, max_size=5),
    )
    def say(self, stream: int, unordered: bool, sizes: list[int]) -> None:
        """What the peer will send; with the first of it at once, as it might be."""
        first = len(self.model.chunks)
        self.model.say(stream, unordered, sizes)
        self.arrive([first])

    @precondition(lambda self: self.model.chunks)
    @rule(offsets=st.lists(st.integers(0, MAX_AHEAD), min_size=1, max_size=4))
    def packet(self, offsets: list[int]) -> None:
        """Some of what is not acknowledged for good, in any order, or twice."""
        last = len(self.model.chunks) - 1
        self.arrive([min(self.model.cumulative + 1 + offset, last) for offset in offsets])

    @precondition(lambda self: len(self.model.chunks) - 1 > self.model.cumulative)
    @rule()
    def fill_the_gap(self) -> None:
        """The next TSN in sequence is taken, unless the window is closed: less than a segment may not open it."""
        number = self.model.cumulative + 1
        free_bytes = self.bench.receiver.free_window_bytes
        self.arrive([number])
        if free_bytes >= SEGMENT_BYTES:
            assert number in self.acknowledge()

    @precondition(lambda self: self.model.cumulative >= 0)
    @rule(behind=st.integers(0, 5))
    def repeat(self, behind: int) -> None:
        """§6.2: a duplicate is reported in a SACK, at once."""
        number = max(0, self.model.cumulative - behind)
        self.arrive([number])
        assert self.bench.sack_is_due()
        assert tsn_of(number) in self.bench_sack()

    def arrive(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        held_before = self.bench.receiver.held_bytes
        assert self.bench.packet(*(self.model.chunks[number] for number in numbers)) is None
        self.model.arrived.update(numbers)
        assert self.bench.receiver.has_unacknowledged
        assert self.bench.sack_is_due() or self.bench.delay_is_running(), "nothing will acknowledge it"
        if self.is_roomy:
            return
        assert self.bench.receiver.held_bytes <= max(held_before, TIGHT) + OVERDRAFT_BYTES + 1400

    @rule()
    def acknowledge_now(self) -> None:
        self.acknowledge()

    def acknowledge(self) -> set[int]:
        self.bench_sack()
        return self.model.acknowledged

    def bench_sack(self) -> tuple[int, ...]:
        """A SACK says what came and is held, no more; what is acknowledged for good stays so. Returns duplicates."""
        sack = self.bench.sack()
        first = self.model.chunks[0].tsn if self.model.chunks else tsn_of(0)
        cumulative = ((sack.cumulative_tsn_ack + 1 - first) & 0xFFFF_FFFF) - 1
        assert cumulative >= self.model.cumulative
        gaps = {cumulative + at for start, end in sack.gap_ack_blocks for at in range(start, end + 1)}
        acknowledged = set(range(cumulative + 1)) | gaps
        assert cumulative + 1 not in acknowledged
        if self.is_roomy:
            assert acknowledged == self.model.arrived
        else:
            assert acknowledged <= self.model.arrived
        assert sack.a_rwnd <= self.bench.receiver.free_window_bytes
        self.model.cumulative, self.model.acknowledged = cumulative, acknowledged
        return sack.duplicate_tsns

    @rule(count=st.integers(1, 6), partial=st.booleans())
    def read(self, count: int, partial: bool) -> None:
        for _ in range(count):
            message = self.bench.receiver.read(partial=partial)
            if message is not None:
                self.model.read(message, partial=partial)

    # -- what always holds --

    @invariant()
    def the_bookkeeping_adds_up(self) -> None:
        receiver = self.bench.receiver
        receiver.check_invariants()
        assert receiver.free_window_bytes == max(0, self.bench.config.receive_window_bytes - receiver.held_bytes)
        if self.is_roomy:
            assert receiver.held_bytes == self.model.charged_bytes()

    def teardown(self) -> None:
        """The peer sends what is missing, one after the other, and the user reads: everything is delivered."""
        self.acknowledge()
        for _ in range(2 * len(self.model.chunks)):
            if self.model.cumulative == len(self.model.chunks) - 1:
                break
            self.arrive([self.model.cumulative + 1])
            self.read(100, partial=False)
            self.acknowledge()
        self.read(len(self.model.chunks) + 1, partial=False)
        assert [said for said in self.model.messages if not said.is_read] == []
        assert self.bench.receiver.held_bytes == 0
        assert not self.bench.receiver.has_message()


TestReceiver = ReceiverMachine.TestCase
TestReceiver.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
