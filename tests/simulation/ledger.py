"""Every message of a seed and what became of it: delivered exactly once and in order, or reported as failed."""

from __future__ import annotations

import zlib
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiosctp import Association, Message
from aiosctp.core.association import AssociationEngine
from aiosctp.core.rx import Receiver
from aiosctp.core.rx.queues import ReadQueues
from aiosctp.core.tx import Sender
from aiosctp.core.tx.queue import SendQueue
from aiosctp.events import PartialDelivery, SendFailed
from aiosctp.exceptions import AssociationShutdown
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.policies import RELIABLE, Policy
from tests.simulation.wrapping import Maker

_POOL = Random("messages").randbytes(1 << 20)
"""Messages are cut out of it: cheaper than made anew, and no two of a seed are likely to be alike."""


@dataclass(slots=True, eq=False)
class Life:
    """One life of a sending association: SSNs begin anew with each, and a restart of the peer begins another."""

    serial: int
    engine: AssociationEngine
    sender: Sender
    has_lost_power: bool = False
    """Its host crashed: nobody was left to report anything."""
    turns: dict[int, deque[int]] = field(default_factory=dict)
    """By stream: PPIDs of the ordered messages not delivered yet, as they were sent."""


@dataclass(slots=True, eq=False)
class GivenPart:
    """Of a record: what one `send` gives."""

    record: Post
    data: bytes
    context: int
    address: str | None = None
    sent_bytes: int = 0
    unacknowledged_chunks: int = 0
    """Of those sent."""
    has_failed: bool = False


@dataclass(slots=True, eq=False)
class Post:
    """A message, or a record, by its PPID."""

    ppid: int
    data: bytes
    stream: int
    unordered: bool
    context: int
    address: str | None = None
    """Of the peer, that it names."""
    life: Life | None = None
    """In which it was queued; None when `send` refused it or was cancelled."""
    resets_before: int = 0
    """How many resets of its stream were under way or done with when it was queued."""
    taken_by: ReadQueues | None = None
    """Where it waits, or waited, to be read at the other end."""
    thrown_away_by: AssociationEngine | None = None
    """That engine had all of it, and ended before its turn."""
    is_delivered: bool = False
    has_failed: bool = False
    policy: Policy = RELIABLE
    expires_at_s: float | None = None
    was_sent: bool = False
    """Some of it was on the wire."""
    is_abandoned: bool = False
    came_too_late: bool = False
    """Its lifetime was over before it was queued."""
    is_record: bool = False
    parts: list[GivenPart] = field(default_factory=list)
    """Of a record, those queued, which are its data."""
    is_closed: bool = True
    """Its last part was queued."""
    is_lost: bool = False
    """RecordLost told so."""

    def worth(self, policy: Policy, now: float) -> None:
        """It is sent on these terms, now."""
        self.policy = policy
        self.expires_at_s = None if policy.lifetime_s is None else now + policy.lifetime_s

    @property
    def is_limited(self) -> bool:
        return self.policy != RELIABLE


@dataclass(slots=True)
class Part:
    """What was read of a message that comes in parts."""

    ppid: int
    tsn: int
    ssn: int
    data: bytes


class Ledger:
    """The messages of all associations of one seed."""

    def __init__(self, random: Random, judge: Judge) -> None:
        self._random = random
        self._judge = judge
        self.posts: dict[int, Post] = {}
        self.read_messages = 0
        self.read_bytes = 0
        self.read_digest = 0
        self.readers: dict[ReadQueues, AssociationEngine] = {}
        self._lives: dict[AssociationEngine, Life] = {}
        self._all_lives: list[Life] = []
        self._latest: dict[tuple[AssociationEngine, int], tuple[int, int]] = {}
        """By receiving association and stream, the serial of the life whose message was read last, and after how many
        resets of its stream it was sent."""
        self._resets: dict[tuple[SendQueue, int], list[bool | None]] = {}
        """Of each outgoing stream: whether they came about; None while that is not known."""
        self._marks: Counter[tuple[AssociationEngine, int]] = Counter()
        """The ends of streams that readers have seen since the last message."""
        self._taken_over: set[tuple[AssociationEngine, int]] = set()
        self._parts: dict[tuple[AssociationEngine, int], Part] = {}
        self._broken_off: Counter[tuple[AssociationEngine, int, int]] = Counter()
        """Messages of which the reader has seen a part and will see no more, by association, stream and SSN."""
        self._calls: dict[tuple[AssociationEngine, int], deque[Post | GivenPart]] = {}
        self._discarding: set[AssociationEngine] = set()
        self._powerless: set[AssociationEngine] = set()

    def wrappers(self) -> list[tuple[str, Maker]]:
        """Who the messages arrive at is seen from here."""
        return [
            ("core.association:AssociationEngine._make_receiver", self._noting_receivers),
            ("core.rx.queues:ReadQueues._append", self._noting_arrivals),
            ("core.rx.receiver:Receiver.abort_partial_delivery", self._noting_what_is_thrown_away),
            ("core.tx.queue:SendQueue.hold_stream", self._noting_resets),
            ("core.reconfig.performing:end_outgoing", self._noting_outcomes),
        ]

    def _noting_resets(self, original: Any) -> Any:
        def hold_stream(queue: SendQueue, number: int, owner: object) -> bool:
            self._resets.setdefault((queue, number), []).append(None)
            is_first: bool = original(queue, number, owner)
            return is_first

        return hold_stream

    def _noting_outcomes(self, original: Any) -> Any:
        def end_outgoing(queue: SendQueue, streams: Sequence[int], *, is_reset: bool) -> list[int]:
            for number in streams:
                resets = self._resets[queue, number]
                resets[resets.index(None)] = is_reset
            kept: list[int] = original(queue, streams, is_reset=is_reset)
            return kept

        return end_outgoing

    def _noting_receivers(self, original: Any) -> Any:
        def make_receiver(engine: AssociationEngine) -> Receiver:
            receiver: Receiver = original(engine)
            self.readers[receiver._queues] = engine
            return receiver

        return make_receiver

    def _noting_what_is_thrown_away(self, original: Any) -> Any:
        """Acknowledged messages that waited, behind parts of another, or for an answer to the reset of the TSNs: an end
        that is not graceful is theirs too (§9.1)."""

        def abort_partial_delivery(receiver: Receiver) -> Any:
            for busy in receiver._streams._busy.values():
                for run in (*busy.by_ssn.values(), *busy.due):
                    if run.ppid:
                        self.posts[run.ppid].thrown_away_by = self.readers[receiver._queues]
            return original(receiver)

        return abort_partial_delivery

    def _noting_arrivals(self, original: Any) -> Any:
        def append(queues: ReadQueues, key: int | None, messages: Sequence[Message]) -> None:
            original(queues, key, messages)
            for message in messages:
                if message.ppid and message.end_of_record:
                    try:
                        self.arrived(queues, message)
                    except LawBroken as error:
                        self._judge.accuse(error)

        return append

    # -- sending --

    def offer(self, engine: AssociationEngine, stream: int, size: int, *, unordered: bool) -> Post:
        """`send` is about to be called."""
        start = self._random.randrange(len(_POOL) - size)
        ppid = len(self.posts) + 1
        post = Post(ppid, _POOL[start : start + size], stream, unordered, self._random.getrandbits(32))
        self.posts[ppid] = post
        self._calls.setdefault((engine, stream), deque()).append(post)
        return post

    def queued(self, post: Post, engine: AssociationEngine, now: float) -> None:
        """`send` has returned."""
        calls = self._calls[engine, post.stream]
        if post.expires_at_s is not None and now >= post.expires_at_s:
            post.came_too_late = True  # while it waited for room, or for its turn
        elif calls[0] is not post:
            raise LawBroken(f"message {post.ppid} was queued before one whose send() was called earlier")
        calls.remove(post)
        self._begins(post, engine)

    def _begins(self, post: Post, engine: AssociationEngine) -> None:
        post.life = self._life_of(engine)
        post.resets_before = len(self._resets.get((engine.sender.queue, post.stream), ()))
        if not post.unordered:
            post.life.turns.setdefault(post.stream, deque()).append(post.ppid)

    def refused(self, post: Post, engine: AssociationEngine) -> None:
        """`send` raised, or was cancelled."""
        self._calls[engine, post.stream].remove(post)

    def begin_record(self, stream: int, *, unordered: bool) -> Post:
        """It has no part yet."""
        ppid = len(self.posts) + 1
        self.posts[ppid] = Post(ppid, b"", stream, unordered, context=0, is_record=True, is_closed=False)
        return self.posts[ppid]

    def offer_part(self, record: Post, engine: AssociationEngine, size: int) -> GivenPart:
        """`send` is about to be called."""
        start = self._random.randrange(len(_POOL) - size)
        part = GivenPart(record, _POOL[start : start + size], self._random.getrandbits(32))
        self._calls.setdefault((engine, record.stream), deque()).append(part)
        return part

    def part_queued(self, part: GivenPart, engine: AssociationEngine, *, is_last: bool) -> None:
        """`send` has returned."""
        record, calls = part.record, self._calls[engine, part.record.stream]
        if calls[0] is not part:
            raise LawBroken(f"a part of record {record.ppid} was queued before one whose send() was called earlier")
        calls.popleft()
        if record.life is None:
            self._begins(record, engine)
        elif record.life is not self._life_of(engine):
            raise LawBroken(f"the peer has restarted amid record {record.ppid}, and a part of it was taken")
        record.parts.append(part)
        record.data += part.data
        record.is_closed = is_last

    def part_refused(self, part: GivenPart, engine: AssociationEngine) -> None:
        """`send` raised, or was cancelled."""
        self._calls[engine, part.record.stream].remove(part)

    def record_lost(self, record: Post, engine: AssociationEngine) -> None:
        """`send` raised RecordLost: for each that a restart of the peer has cut off; once, but that all hear of it that
        waited in the line by then."""
        if record.life is None or record.life is self._life_of(engine):
            raise LawBroken(f"RecordLost, and nothing is lost of record {record.ppid}")
        record.is_lost = True

    def _life_of(self, engine: AssociationEngine) -> Life:
        life = self._lives.get(engine)
        if life is None or life.sender is not engine.sender:
            life = self._lives[engine] = Life(len(self._all_lives), engine, engine.sender)
            self._all_lives.append(life)
        return life

    def failed(self, event: SendFailed) -> None:
        """Its association has ended, its peer has restarted, or it was abandoned."""
        post = self.posts.get(event.ppid)
        if post is None or post.life is None:
            raise LawBroken(f"SendFailed for message {event.ppid}, which was never queued")
        if post.is_record:
            self._part_failed(post, event)
            return
        if post.has_failed:
            raise LawBroken(f"SendFailed twice for message {event.ppid}")
        told = (event.data, event.stream, event.unordered, event.context, event.is_whole)
        if told != (post.data, post.stream, post.unordered, post.context, True):
            raise LawBroken(f"SendFailed gives back another message than {event.ppid}")
        if event.was_sent != post.was_sent:
            raise LawBroken(f"SendFailed says that message {post.ppid} was sent: {event.was_sent}")
        if post.is_abandoned and event.error:
            raise LawBroken(f"message {post.ppid} was abandoned, and SendFailed names cause {event.error}")
        post.has_failed = True

    def _part_failed(self, record: Post, event: SendFailed) -> None:
        part = next((each for each in record.parts if each.context == event.context), None)
        if part is None or part.has_failed:
            raise LawBroken(f"SendFailed for a part of record {record.ppid} that was never queued, or twice")
        told = (event.data, event.stream, event.unordered, event.is_whole)
        if told != (part.data, record.stream, record.unordered, False):
            raise LawBroken(f"SendFailed gives back another part than that of record {record.ppid}")
        if event.was_sent != bool(part.sent_bytes):
            raise LawBroken(f"SendFailed says that a part of record {record.ppid} was sent: {event.was_sent}")
        life = record.life
        if life is not None and life.engine.sender is life.sender and life.engine.ending is None:
            raise LawBroken(f"a part of record {record.ppid} was abandoned, and records are reliable")
        part.has_failed = True

    def part_at(self, record: Post, at: int) -> tuple[GivenPart, int]:
        """The part that the byte at this place of a record is of, and how many bytes of it come before that."""
        for part in record.parts:
            if at < len(part.data):
                return part, at
            at -= len(part.data)
        raise LawBroken(f"more was sent of record {record.ppid} than was given")

    # -- receiving --

    def arrived(self, queues: ReadQueues, message: Message) -> None:
        """The receiving engine has all of it and put it where its user reads."""
        post = self.posts.get(message.ppid)
        if post is None:
            raise LawBroken(f"a message arrived that nobody sent: PPID {message.ppid}")
        if post.taken_by is not None:
            raise LawBroken(f"message {message.ppid} arrived twice")
        if not post.is_closed:
            raise LawBroken(f"record {message.ppid} arrived as whole, and more of it was to come")
        post.taken_by = queues

    def read(self, association: Association, message: Message, *, partial: bool) -> None:
        """A user has read it, or a part of it."""
        engine = association.engine
        self.read_digest = zlib.crc32(message.data, self.read_digest)
        self.read_digest = zlib.crc32(repr((*message[1:], partial)).encode(), self.read_digest)
        place = (engine, message.stream)
        begun = self._parts.pop(place, None)
        data = message.data
        if begun is not None and begun.tsn == message.tsn:
            data = begun.data + data
        elif begun is not None:
            self._broken_off[engine, message.stream, begun.ssn] += 1
        if not message.end_of_record:
            if not partial:
                raise LawBroken("a part of a message for a reader of whole ones")
            self._parts[place] = Part(message.ppid, message.tsn, message.ssn, data)
            return
        self._delivered(engine, message, data)

    def _delivered(self, engine: AssociationEngine, message: Message, data: bytes) -> None:
        post = self.posts.get(message.ppid)
        if post is None or post.life is None:
            raise LawBroken(f"a message was delivered that nobody queued: PPID {message.ppid}")
        if post.is_delivered:
            raise LawBroken(f"message {message.ppid} was delivered twice")
        if (message.stream, message.unordered) != (post.stream, post.unordered) or data != post.data:
            raise LawBroken(f"message {message.ppid} of {len(post.data)} bytes came changed, with {len(data)} bytes")
        post.is_delivered = True
        self.read_messages += 1
        self.read_bytes += len(data)
        self._check_generation(engine, post, post.life)
        if not post.unordered:
            turns = post.life.turns[post.stream]
            while turns[0] != message.ppid and self.posts[turns[0]].is_abandoned:
                turns.popleft()
            if turns[0] != message.ppid:
                raise LawBroken(f"message {message.ppid} came out of order: it is the turn of {turns[0]}")
            turns.popleft()

    def _check_generation(self, engine: AssociationEngine, post: Post, life: Life) -> None:
        """RFC 6525: what was sent before a reset is read before what was sent after it, and in between who reads the
        stream by itself is told of the end of it."""
        place = (engine, post.stream)
        resets = self._resets.get((life.sender.queue, post.stream), [])[: post.resets_before]
        if None in resets:
            raise LawBroken(f"message {post.ppid} came, and the reset that it has to wait for is not answered")
        latest, generation = self._latest.get(place), resets.count(True)
        if latest is not None and (life.serial, generation) < latest:
            raise LawBroken(f"message {post.ppid} of an earlier life, or of before a reset, came after one of a later")
        self._latest[place] = life.serial, generation
        marks = self._marks.pop(place, 0)
        is_same_life = latest is not None and latest[0] == life.serial
        if place not in self._taken_over or not is_same_life:
            return
        assert latest is not None
        passed = generation - latest[1]
        if marks > passed or (passed and not marks):
            raise LawBroken(f"{marks} ends of stream {post.stream} were read, and it was reset {passed} times")

    def takes_over(self, engine: AssociationEngine, stream: int) -> None:
        """Its user reads this stream by itself from now on, and is told when it ends."""
        self._taken_over.add((engine, stream))

    def stream_ended(self, engine: AssociationEngine, stream: int) -> None:
        self._marks[engine, stream] += 1

    def partial_delivery_ended(self, engine: AssociationEngine, event: PartialDelivery) -> None:
        if engine in self._discarding:
            return  # `close` reads and throws away
        part = self._parts.get((engine, event.stream))
        if part is not None and part.ssn == event.ssn and not self._broken_off[engine, event.stream, event.ssn]:
            del self._parts[engine, event.stream]
            return
        if not self._broken_off[engine, event.stream, event.ssn]:
            raise LawBroken(f"PartialDelivery for a message of which nothing was read, on stream {event.stream}")
        self._broken_off[engine, event.stream, event.ssn] -= 1

    # -- ends --

    def discards(self, engine: AssociationEngine) -> None:
        """Its user has closed it: what arrives is not read any more."""
        self._discarding.add(engine)

    def is_discarding(self, engine: AssociationEngine) -> bool:
        return engine in self._discarding

    def lost_power(self, engine: AssociationEngine) -> None:
        """Its host has crashed."""
        self._powerless.add(engine)
        for life in self._all_lives:
            if life.engine is engine:
                life.has_lost_power = True

    def has_power(self, engine: AssociationEngine) -> bool:
        return engine not in self._powerless

    def events_are_over(self, engine: AssociationEngine) -> None:
        """The last event of an association was read, and its reader has ended."""
        if engine in self._powerless or engine in self._discarding:
            return
        for (owner, stream), part in self._parts.items():
            # One that had arrived whole does not break off: it is thrown away with all that was unread (§9.1).
            if owner is engine and self.posts[part.ppid].taken_by is None:
                raise LawBroken(f"nothing told that the message with SSN {part.ssn} on stream {stream} broke off")
        for (owner, stream, ssn), count in self._broken_off.items():
            if owner is engine and count:
                raise LawBroken(f"nothing told that the message with SSN {ssn} on stream {stream} broke off")

    def check_the_end(self) -> None:
        """All associations have ended: something has become of every message."""
        for post in self.posts.values():
            if post.life is None:
                if post.taken_by is not None:
                    raise LawBroken(f"message {post.ppid} was refused or cancelled, and arrived all the same")
                continue
            if post.came_too_late and post.was_sent:
                raise LawBroken(f"message {post.ppid} was sent, and there was no room for it in its lifetime")
            if post.is_record and not post.life.has_lost_power:
                self._check_record(post, post.life)
            elif not post.life.has_lost_power:
                self._check_sender(post, post.life)
            if post.taken_by is not None and not post.is_delivered:
                self._check_receiver(post, self.readers[post.taken_by])

    def _check_sender(self, post: Post, life: Life) -> None:
        engine = life.engine
        if not post.has_failed:
            if post.taken_by is None and not self._was_thrown_away(post):
                raise LawBroken(f"message {post.ppid} never arrived, and no SendFailed told so")
            if post.is_abandoned and engine not in self._powerless:
                raise LawBroken(f"message {post.ppid} was abandoned, and no SendFailed told so")
        elif post.is_abandoned:
            return
        elif engine.sender is life.sender and isinstance(engine.ending, AssociationShutdown):
            raise LawBroken(f"message {post.ppid} failed although the association ended gracefully")

    def _check_record(self, record: Post, life: Life) -> None:
        """What the peer has acknowledged of it need not be told, nor has it been of use if the rest never came."""
        engine = life.engine
        for part in record.parts:
            is_acknowledged = part.sent_bytes == len(part.data) and not part.unacknowledged_chunks
            if part.has_failed is is_acknowledged:
                told = "told so" if part.has_failed else "was told"
                raise LawBroken(
                    f"a part of record {record.ppid} is acknowledged: {is_acknowledged}, and SendFailed {told}"
                )
        has_failed = any(part.has_failed for part in record.parts)
        if record.is_closed and record.taken_by is None and not has_failed and not self._was_thrown_away(record):
            raise LawBroken(f"record {record.ppid} never arrived, and no SendFailed told so")
        is_graceful = engine.sender is life.sender and isinstance(engine.ending, AssociationShutdown)
        if is_graceful and (has_failed or not record.is_closed):
            raise LawBroken(f"the association ended gracefully amid record {record.ppid}")

    def _was_thrown_away(self, post: Post) -> bool:
        engine = post.thrown_away_by
        if engine is None:
            return False
        is_graceful = isinstance(engine.ending, AssociationShutdown)
        return not is_graceful or engine in self._discarding or engine in self._powerless

    def _check_receiver(self, post: Post, engine: AssociationEngine) -> None:
        is_graceful = isinstance(engine.ending, AssociationShutdown)
        if is_graceful and engine not in self._discarding and engine not in self._powerless:
            raise LawBroken(f"message {post.ppid} arrived and was never given to its reader")
