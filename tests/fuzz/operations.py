"""What two users and the network between them may do, honestly, in any order.

Invariant: whatever is sent, read, lost, delayed, repeated, shut down, aborted or restarted, and in what order, the laws
of tests/core/laws.py hold after each step, each message is delivered at most once, whole and in the order of its
stream, and once the network has healed everything finishes: what was sent is delivered or reported as failed, and it is
delivered if nobody aborted, crashed or was given up, and it was reliable. A message that is given part by part is
delivered when its last part was given, and never before.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.messages import OutgoingMessage, Part, Record, Terms
from aiosctp.core.states import MAY_TAKE_USER_DATA, AssociationState
from aiosctp.core.tx import Sender
from aiosctp.events import AssociationChange, AssociationChangeKind, Event, PartialDelivery, SendFailed
from tests.core.laws import check_association, check_stack
from tests.core.pair import Flight, Host, Pair
from tests.fuzz.reader import Reader

MAX_STEPS = 48
PORT = 7777
# Once the network has healed. T3 is backed off to RTO.Max at most, and data may wait for a zero window probe as long.
LIMIT_S = 300.0
LIMIT_STEPS = 20_000
_MAX_MESSAGES = 24
_MAX_PARTS = 6
_STREAMS = 3

_BASE = Config(
    rto_initial_s=0.5,
    rto_min_s=0.2,
    rto_max_s=3.0,
    association_max_retrans=30,
    max_init_retransmits=30,
    hb_interval_s=6.0,
    shutdown_timeout_s=1000.0,
    peer_may_reset_association=True,
)
_CONFIGS = (
    _BASE,
    _BASE.replace(receive_window_bytes=1500, partial_delivery_point_bytes=600, interleaving=False),
    _BASE.replace(receive_window_bytes=4000, max_burst=1, sack_delay_s=0.5, sack_frequency=4),
    _BASE.replace(
        path_mtu=576, receive_window_bytes=8000, sack_delay_s=0.0, association_max_retrans=2, interleaving=False
    ),
)
_SIZES_BYTES = (1, 50, 300, 1444, 1500, 4000, 9000)
_WAITS_S = (0.001, 0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 20.0)


class Fate(IntEnum):
    """What befalls a packet: two bits of the fuzzer's."""

    ARRIVES = 0
    IS_LOST = 1
    COMES_TWICE = 2
    IS_LATE = 3


@dataclass
class Post:
    """A message sent, and what became of it."""

    data: bytes
    stream: int
    unordered: bool
    delivered: bool = False
    failed: bool = False
    is_limited: bool = False
    """It may be abandoned."""
    failed_parts: set[int] = field(default_factory=set)
    is_whole: bool = True
    """Not of a record whose last part was not given."""


@dataclass
class OpenRecord:
    """A message that is given part by part."""

    record: Record
    sender: Sender
    ppid: int
    parts: int = 0


@dataclass(eq=False)
class Side:
    """A host, its user, and what this user sent and read."""

    host: Host
    associations: list[AssociationEngine] = field(default_factory=list)
    posts: dict[int, Post] = field(default_factory=dict)
    """By PPID, which grows with each message."""
    last_delivered: dict[int, int] = field(default_factory=dict)
    """The PPID of the ordered message of each stream that the other user read last."""
    open_records: dict[int, OpenRecord] = field(default_factory=dict)
    """By stream. A restart of the peer has ended those of another sender."""
    parts: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """What was read of unfinished messages, by association and stream."""

    @property
    def association(self) -> AssociationEngine | None:
        """The one that lives."""
        living = (each for each in self.associations if each.state is not AssociationState.CLOSED)
        return next(living, None)

    def open_record(self, stream: int) -> OpenRecord | None:
        """Of the association that lives, in its present life."""
        found, association = self.open_records.get(stream), self.association
        if found is None or association is None or association.sender is not found.sender:
            return None
        return found


class FatefulPair(Pair):
    """The pair, on a network that does with the next packets what `fates` says, and is perfect when that is empty."""

    def __init__(self, *, config: Config, several: bool) -> None:
        super().__init__(
            config_a=config,
            config_z=config,
            addresses_a=("192.0.2.1", "192.0.2.11")[: 1 + several],
            addresses_z=("192.0.2.2", "192.0.2.22")[: 1 + several],
        )
        self.fates: deque[Fate] = deque()
        self.changed: set[AssociationEngine] = set()
        """Those that anything befell since this was last emptied."""

    def events_of(self, host: Host, association: AssociationEngine) -> list[Event]:
        self.changed.add(association)
        return super().events_of(host, association)

    def _send(self, host: Host, datagram: Datagram) -> None:
        fate = self.fates.popleft() if self.fates else Fate.ARRIVES
        if fate is Fate.IS_LOST:
            return
        delay_s = self.latency_s * (8.5 if fate is Fate.IS_LATE else 1)
        for _ in range(2 if fate is Fate.COMES_TWICE else 1):
            flight = Flight(host, datagram, self.now)
            heapq.heappush(self._wire, (self.now + delay_s, next(self._order), flight))


def operations(data: bytes) -> frozenset[str]:
    """The states that were reached, and what befell."""
    run = Operations(Reader(data))
    run.run()
    return frozenset(run.marks)


class Operations:
    """One run: the first bytes choose the configuration, the others one operation after the other."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.marks: set[str] = set()
        shape = reader.byte()
        self.config = _CONFIGS[shape & 3]
        self.pair = FatefulPair(config=self.config, several=bool(shape & 4))
        self.wraps = bool(shape & 8)
        self.a, self.z = Side(self.pair.a), Side(self.pair.z)
        self.ppid = 0
        self.may_lose = False
        """Somebody aborted or crashed: messages may be lost, and then are reported."""
        self.crashed: list[Side] = []
        for side in (self.a, self.z):
            self._wrap(side)
            self._endpoint(side)
        self.operations: tuple[Callable[[], None], ...] = (
            self._send,
            self._run,
            self._send,
            self._run,
            self._fates,
            self._run,
            self._fates,
            self._read,
            self._reset,
            self._wait,
            self._read,
            self._shut_down,
            self._connect,
            self._interfere,
            self._give_part,
            self._send_limited,
            self._give_part,
            self._make_room,
        )

    def _wrap(self, side: Side) -> None:
        """TSNs and tags just below where they wrap."""
        if self.wraps:
            generator = Random(2 * len(side.associations) + (side is self.z))
            engine = side.host.engine
            engine._entropy = engine._tags.entropy = engine._acceptance._entropy = lambda size: (
                b"\xff\xff\xff" + generator.randbytes(1) if size == 4 else generator.randbytes(size)
            )

    def _endpoint(self, side: Side) -> Endpoint:
        return side.host.engine.endpoints.get(PORT) or self.pair.listen(side.host, PORT)

    # -- the run --

    def run(self) -> None:
        self._open(self.a)
        for _ in range(MAX_STEPS):
            if self.reader.is_empty:
                break
            self.reader.choose(self.operations)()
            self._look()
        self.pair.fates.clear()
        self._finish()
        self._check_the_end()

    def _look(self) -> None:
        """After each step: flush, meet who connected, take events, hold the laws of what has changed."""
        self.pair.flush()
        for side in (self.a, self.z):
            accepted = self._endpoint(side).accepted
            side.associations += accepted
            accepted.clear()
            changed = [each for each in side.associations if each in self.pair.changed]
            for association in changed:
                self._take_events(side, association)
                check_association(association)
                self.marks.add(association.state)
            if changed:
                check_stack(side.host.engine, side.associations)
        self.pair.changed.clear()

    def _take_events(self, side: Side, association: AssociationEngine) -> None:
        events = self.pair.events_of(side.host, association)
        for event in events:
            if isinstance(event, SendFailed):
                self._failed(side.posts[event.ppid], event)
                self.marks.add("SendFailed")
            elif isinstance(event, PartialDelivery):
                side.parts.pop((id(association), event.stream))
                self.marks.add("PartialDelivery")
            elif isinstance(event, AssociationChange):
                self.marks.add(event.change)
                # Given up by T1, T3 or HEARTBEATs: too much was lost in a row.
                self.may_lose |= event.change in (
                    AssociationChangeKind.CANT_STR_ASSOC,
                    AssociationChangeKind.COMM_LOST,
                    AssociationChangeKind.RESTART,
                )
        events.clear()

    def _failed(self, post: Post, event: SendFailed) -> None:
        if event.is_whole:
            assert not post.failed, "SendFailed twice"
        else:
            assert event.context not in post.failed_parts, "SendFailed twice"
            post.failed_parts.add(event.context)
        post.failed = True

    def _finish(self) -> None:
        """Readers read, and once everything has been delivered one side shuts down: then nothing is left to do."""
        self._end_records()
        end = self.pair.now + LIMIT_S
        for _ in range(LIMIT_STEPS):
            living = [each for side in (self.a, self.z) for each in side.associations if side.association is each]
            if not living:
                return
            assert self.pair.now < end, f"not finished: {[each.state for each in living]}"
            if all(each.sender.is_drained for each in living):
                self._shut(living[0])
            self._read_everything()
            assert self.pair.step(), f"nothing will ever happen: {[each.state for each in living]}"
            self._look()
        raise AssertionError("too many steps")

    def _end_records(self) -> None:
        for side in (self.a, self.z):
            for stream in list(side.open_records):
                if self._taking(side) is not None and side.open_record(stream) is not None:
                    self._give(side, stream, 10, is_last=True)
        self._note_open_records()

    def _note_open_records(self) -> None:
        """Where one is open a shutdown is an ABORT in the end."""
        for side in (self.a, self.z):
            association = side.association
            is_ending = association is not None and self._taking(side) is None
            if is_ending and any(map(side.open_record, range(_STREAMS))):
                self.may_lose = True

    def _shut(self, association: AssociationEngine) -> None:
        association.shutdown(self.pair.now)
        self.may_lose |= association.sender.has_open_record
        for side in (self.a, self.z):
            if association in side.associations:
                side.host.engine.touch(association)

    def _check_the_end(self) -> None:
        self._read_everything()
        for side in (self.a, self.z):
            assert not side.host.engine.endpoints[PORT].associations
            assert side.host.engine.next_deadline() is None
            for association in side.associations:
                assert association.receiver.held_bytes == 0
            for post in side.posts.values():
                self._check_post(side, post)

    def _check_post(self, side: Side, post: Post) -> None:
        if not post.is_whole:
            assert not post.delivered, "delivered before its last part was given"
        elif post.is_limited:
            assert post.delivered or post.failed or self.crashed, "nothing became of a message with a policy"
        elif not self.may_lose:
            assert post.delivered, f"a message of {len(post.data)} bytes was lost"
            assert not post.failed, "delivered and reported as failed"
        elif not self.crashed:
            assert post.delivered or post.failed, f"nothing became of a message of {len(post.data)} bytes"

    # -- operations --

    def _side(self) -> Side:
        return self.reader.choose((self.a, self.z))

    def _send(self) -> None:
        self._send_some(lambda: None)

    def _send_limited(self) -> None:
        """RFC 3758, RFC 7496: with one of the policies."""
        kind, value = self.reader.choose((0, 1, 2)), self.reader.byte()

        def terms() -> Terms:
            match kind:
                case 0:
                    return Terms(expires_at_s=self.pair.now + _WAITS_S[value % len(_WAITS_S)])
                case 1:
                    return Terms(max_retransmits=value & 3)
                case _:
                    return Terms(buffer_priority=value & 3)

        self._send_some(terms)

    def _make_room(self) -> None:
        """RFC 7496 §3.2: as a new message does."""
        side, shape = self._side(), self.reader.byte()
        association = side.association
        if association is not None:
            stream = (shape >> 2 & 3) % _STREAMS
            association.sender.make_room(1 + (shape >> 4) * 500, shape & 3, stream if shape & 16 else None)
            side.host.engine.touch(association)

    def _taking(self, side: Side) -> AssociationEngine | None:
        """The association, if it takes user data."""
        association = side.association
        if association is None or association.state not in MAY_TAKE_USER_DATA or association._shutdown_requested:
            return None
        return association

    def _give_part(self) -> None:
        """RFC 6458 §8.1.26."""
        side, shape, size = self._side(), self.reader.byte(), self.reader.choose(_SIZES_BYTES)
        if self._taking(side) is not None:
            self._give(side, shape % _STREAMS, size, is_last=bool(shape & 64), unordered=bool(shape & 32))

    def _give(self, side: Side, stream: int, size: int, *, is_last: bool, unordered: bool = False) -> None:
        found, association = side.open_record(stream), side.association
        assert association is not None
        if found is None:
            if self.ppid == _MAX_MESSAGES:
                return
            self.ppid += 1
            found = OpenRecord(Record(self.ppid, unordered), association.sender, self.ppid)
            side.open_records[stream] = found
            side.posts[self.ppid] = Post(b"", stream, unordered, is_whole=False)
            is_last = False  # it would be a message
        elif found.parts >= _MAX_PARTS:
            is_last = True
        post, ppid = side.posts[found.ppid], found.ppid
        data = ppid.to_bytes() * min(size, self.config.receive_window_bytes)
        post.data += data
        post.is_whole = is_last
        found.parts += 1
        part = Part(found.record, is_last=is_last)
        association.send(OutgoingMessage(data, stream, ppid, post.unordered, context=found.parts, terms=part))
        if is_last:
            del side.open_records[stream]
        self.marks.add("record ended" if is_last else "part given")
        side.host.engine.touch(association)

    def _send_some(self, terms: Callable[[], Terms | None]) -> None:
        reader, side = self.reader, self._side()
        shape, size = reader.byte(), reader.choose(_SIZES_BYTES)
        association = self._taking(side)
        if association is None:
            return
        for number in range(1 + (shape >> 6)):
            if self.ppid == _MAX_MESSAGES:
                break
            stream = (shape + number) % _STREAMS
            if side.open_record(stream) is not None:
                continue  # it would be a part
            self.ppid += 1
            data = self.ppid.to_bytes() * min(size, 2 * self.config.receive_window_bytes)
            post = side.posts[self.ppid] = Post(data, stream, unordered=bool(shape & 32))
            worth = terms()
            post.is_limited = worth is not None
            message = OutgoingMessage(data, stream, self.ppid, post.unordered, 0, bool(shape & 16), worth)
            association.send(message)
        side.host.engine.touch(association)

    def _reset(self) -> None:
        """RFC 6525, any of it."""
        side, choice = self._side(), self.reader.byte()
        association = side.association
        if association is None or association.state is not AssociationState.ESTABLISHED:
            return
        if association._shutdown_requested or not association.supports_reconfig:
            return
        streams = [stream for stream in range(_STREAMS) if choice & 1 << stream] or [0]
        match choice >> 3 & 7:
            case 0 | 1 | 2:
                association.reset_outgoing(streams)
            case 3 | 4:
                association.reset_incoming(streams)
            case 5:
                association.reset_association()
            case 6:
                association.add_outgoing_streams(1 + (choice >> 6))
            case _:
                association.add_incoming_streams(1 + (choice >> 6))
        self.marks.add("reset")
        side.host.engine.touch(association)

    def _run(self) -> None:
        """Let so many things happen."""
        for _ in range(1 + self.reader.byte() % 16):
            if not self.pair.step():
                return
            self._look()

    def _wait(self) -> None:
        end = self.pair.now + self.reader.choose(_WAITS_S)
        for _ in range(200):
            moment = self.pair.next_moment()
            if moment is None or moment > end:
                self.pair.now = end
                return
            self.pair.step()
            self._look()

    def _fates(self) -> None:
        """Of the next packets, four with each byte."""
        for _ in range(1 + self.reader.byte() % 3):
            fates = self.reader.byte()
            self.pair.fates.extend(Fate(fates >> shift & 3) for shift in (6, 4, 2, 0))

    def _read(self) -> None:
        """What an earlier association left comes first."""
        side, shape = self._side(), self.reader.byte()
        for _ in range(1 + (shape >> 4)):
            readable = (each for each in side.associations if each.receiver.has_message())
            association = next(readable, None)
            if association is None:
                return
            self._read_one(side, association, partial=bool(shape & 1))
            side.host.engine.touch(association)

    def _read_everything(self) -> None:
        for side in (self.a, self.z):
            for association in side.associations:
                while association.receiver.has_message():
                    self._read_one(side, association, partial=False)
                side.host.engine.touch(association)

    def _read_one(self, side: Side, association: AssociationEngine, *, partial: bool) -> None:
        message = association.receiver.read(partial=partial)
        if message is None:
            return
        place = (id(association), message.stream)
        data = side.parts.pop(place, b"") + message.data
        if not message.end_of_record:
            assert partial, "a part for a reader of whole messages"
            self.marks.add("read in parts")
            side.parts[place] = data
            return
        sender = self.z if side is self.a else self.a
        post = sender.posts[message.ppid]
        assert not post.delivered, "delivered twice"
        assert (post.data, post.stream, post.unordered) == (data, message.stream, message.unordered)
        post.delivered = True
        if not post.unordered:
            assert sender.last_delivered.get(message.stream, 0) < message.ppid, "out of order"
            sender.last_delivered[message.stream] = message.ppid

    def _shut_down(self) -> None:
        association = self._side().association
        if association is not None:
            self._shut(association)
            self._note_open_records()

    def _connect(self) -> None:
        side = self._side()
        if side.association is None:
            self._open(side)

    def _open(self, side: Side) -> None:
        other = self.z if side is self.a else self.a
        engine = side.host.engine
        association = engine.connect(
            self._endpoint(side), other.host.addresses[:1], PORT, udp_port=9899, config=self.config, now=self.pair.now
        )
        side.associations.append(association)

    def _interfere(self) -> None:
        """Abort, or crash: the host forgets everything, and connects again or does not. Rarely."""
        side, choice = self._side(), self.reader.byte()
        association = side.association
        if choice < 40:
            self.may_lose |= association is not None
            if association is not None:
                association.abort(b"enough")
                side.host.engine.touch(association)
        elif choice < 80:
            self.may_lose = True
            self.crashed.append(side)
            self._crash(side)
            if choice < 72:
                self._open(side)

    def _crash(self, side: Side) -> None:
        self.marks.add("crashed")
        host = side.host
        fresh = Host(host.name, host.addresses, host.udp_port, self.config, seed=2 + len(self.crashed))
        host.engine, host.events = fresh.engine, {}
        side.associations.clear()
        side.parts.clear()
        side.open_records.clear()
        self._wrap(side)
        self._endpoint(side)
