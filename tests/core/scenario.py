"""A random life of an association between two hosts on a bad network, and what is checked of it at every step."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import MAY_TAKE_USER_DATA, AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, PartialDelivery, SendFailed
from tests.core.laws import check_association, check_stack
from tests.core.pair import Host
from tests.core.weather import CLEAR, Weather, WeatheredPair

PORT = 7777
STREAMS = 5
STORM_S = 25.0
LIMIT_S = 3000.0
MAX_STEPS = 300_000
ENDINGS = ("late shutdown", "late shutdown", "early shutdown", "both shut down", "abort", "both abort", "restart")


@dataclass
class Post:
    """A message sent, and what became of it."""

    key: tuple[int, int]
    """Stream and life: SSNs begin anew with another association, and with a restart."""
    data: bytes
    unordered: bool
    delivered: bool = False
    failed: bool = False


@dataclass
class Side:
    """A host with its user, who sends, reads slowly and counts."""

    host: Host
    associations: list[AssociationEngine] = field(default_factory=list)
    posts: dict[int, Post] = field(default_factory=dict)
    """By PPID."""
    turns: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    """PPIDs of the ordered messages of each stream, in the order sent."""
    delivered: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How many of those the other side has read."""
    parts: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """What was read of messages that are read in parts, by association and stream."""
    lives: int = 0
    has_lost_memory: bool = False
    ends_early: bool = False

    @property
    def association(self) -> AssociationEngine | None:
        return self.associations[-1] if self.associations else None


class Scenario:
    """One seed. `run` raises AssertionError at the first step that breaks a law."""

    def __init__(self, seed: int, *, largest_message_bytes: int = 300_000, messages: int = 60) -> None:
        self.random = Random(seed)
        self.messages = self.random.randint(1, messages)
        self.largest_message_bytes = largest_message_bytes
        mtu = self.random.choice([576, 1500, 1500, 9000])
        self.pair = self._make_pair(seed, mtu)
        self.a, self.z = Side(self.pair.a), Side(self.pair.z)
        self.ending = self.random.choice(ENDINGS)
        self.is_simultaneous = self.random.random() < 0.15
        self.wraps_ssns = self.ending != "restart" and self.random.random() < 0.3
        self.has_ended = False
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._ppid = count(1)

    # -- set-up --

    def _make_pair(self, seed: int, mtu: int) -> WeatheredPair:
        several = self.random.random() < 0.35
        pair = WeatheredPair(
            config_a=self._config(mtu),
            config_z=self._config(mtu),
            addresses_a=("192.0.2.1", "192.0.2.11") if several else ("192.0.2.1",),
            addresses_z=("192.0.2.2", "192.0.2.22", "192.0.2.23") if several else ("192.0.2.2",),
            latency_s=self.random.choice([0.001, 0.02, 0.3]),
            seed=seed,
        )
        pair.path_mtu = mtu
        for host in (pair.a, pair.z):
            _make_serials_wrap(host, self.random)
        return pair

    def _config(self, mtu: int) -> Config:
        choose = self.random.choice
        rto_min_s = choose([0.1, 0.3, 1.0])
        window = choose([1500, 3000, 5000, 20_000, 65_536, 1 << 20])
        return Config(
            rto_min_s=rto_min_s,
            rto_initial_s=max(rto_min_s, choose([0.3, 1.0])),
            rto_max_s=choose([5.0, 60.0]),
            path_mtu=mtu,
            receive_window_bytes=window,
            partial_delivery_point_bytes=choose([None, 1000, window]),
            sack_frequency=choose([1, 2, 2, 4]),
            sack_delay_s=choose([0.0, 0.2, 0.5]),
            max_burst=choose([1, 4, 100]),
            hb_interval_s=choose([2.0, 30.0]),
            association_max_retrans=40,
            max_init_retransmits=40,
            shutdown_timeout_s=2 * LIMIT_S,
        )

    def _at(self, moment_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (1000.0 + moment_s, next(self._order), action))

    def _plan(self) -> None:
        uniform = self.random.uniform
        if self.wraps_ssns:
            # Early DATA would travel before both ends can be told where to begin.
            self._connect(self.a, self.z)
            self.pair.run_until(self._are_established)
            self._begin_ssns_near_their_end()
        else:
            self._storm()
            self._at(0.0, lambda: self._connect(self.a, self.z))
            if self.is_simultaneous:
                self._at(uniform(0, 0.4), lambda: self._connect(self.z, self.a))
        for _ in range(self.random.randint(0, 4)):
            self._at(uniform(0, STORM_S), self._storm)
        self._at(STORM_S, self._clear)
        for side in (self.a, self.z):
            span_s = self.random.choice([0.001, STORM_S, 1.5 * STORM_S])
            for _ in range(self.messages):
                self._at(uniform(0, span_s), partial(self._send, side))
            period_s = self.random.choice([0.01, 0.2, 1.0])
            self._at(0.0, partial(self._read, side, period_s))
        self._plan_ending(uniform(0, 1.5 * STORM_S))

    def _plan_ending(self, moment_s: float) -> None:
        first, second = self.random.sample([self.a, self.z], 2)
        match self.ending:
            case "early shutdown":
                self._at(moment_s, lambda: self._shut_down(first))
            case "both shut down":
                self._at(moment_s, lambda: self._shut_down(first))
                self._at(moment_s + self.random.choice([0, 0.01, 3]), lambda: self._shut_down(second))
            case "abort":
                self._at(moment_s, lambda: self._abort(first))
            case "both abort":
                self._at(moment_s, lambda: self._abort(first))
                self._at(moment_s + self.random.choice([0, 0.005]), lambda: self._abort(second))
            case "restart":
                self._at(moment_s, lambda: self._restart(first, second))

    def _begin_ssns_near_their_end(self) -> None:
        for sender, receiver in ((self.a, self.z), (self.z, self.a)):
            assert sender.association is not None
            assert receiver.association is not None
            for stream in range(STREAMS):
                sender.association.sender.queue.stream(stream).next_ssn = 0xFFFE
                receiver.association.receiver._streams._expected_ssns[stream] = 0xFFFE

    # -- what happens --

    def _storm(self) -> None:
        chance, pick = self.random.random, self.random.choice
        every = (*self.pair.a.addresses, *self.pair.z.addresses)
        self.pair.weather = Weather(
            loss=pick([0, 0.01, 0.1, 0.3]),
            burst=pick([0, 0, 0.02]),
            repeat=pick([0, 0.05, 0.3]),
            corruption=pick([0, 0, 0.02]),
            jitter_s=pick([0, 0.001, 0.05, 1.0]),
            dark=frozenset(address for address in every if chance() < 0.15),
        )

    def _clear(self) -> None:
        self.pair.weather = CLEAR

    def _connect(self, side: Side, other: Side) -> None:
        engine = side.host.engine
        if side.association is not None:
            return
        known = self.random.sample(other.host.addresses, self.random.randint(1, len(other.host.addresses)))
        association = engine.connect(
            self._endpoint(side), known, PORT, udp_port=9899, config=engine.config, now=self.pair.now
        )
        side.associations.append(association)

    def _endpoint(self, side: Side) -> Endpoint:
        return side.host.engine.endpoints.get(PORT) or self.pair.listen(side.host, PORT)

    def _meet(self) -> None:
        """Take what was accepted."""
        for side in (self.a, self.z):
            accepted = self._endpoint(side).accepted
            side.associations += accepted
            side.lives += len(accepted)
            accepted.clear()

    def _are_established(self) -> bool:
        self._meet()
        return all(
            side.association is not None and side.association.state is AssociationState.ESTABLISHED
            for side in (self.a, self.z)
        )

    def _send(self, side: Side) -> None:
        association = side.association
        if association is None or association.state not in MAY_TAKE_USER_DATA or side.ends_early:
            return
        draw = self.random
        streams = association.tcb.outbound_streams
        size = draw.choice([draw.randint(1, 20), draw.randint(1, 3000), draw.randint(1, 3000), self._large()])
        ppid = next(self._ppid)
        post = Post((draw.randrange(min(STREAMS, streams)), side.lives), draw.randbytes(size), draw.random() < 0.3)
        side.posts[ppid] = post
        if not post.unordered:
            side.turns[post.key].append(ppid)
        association.send(
            OutgoingMessage(post.data, post.key[0], ppid, post.unordered, sack_immediately=draw.random() < 0.1)
        )
        side.host.engine.touch(association)

    def _large(self) -> int:
        # One reader a second: no more than a tiny window lets pass in the time there is.
        windows = (self.pair.a.engine.config.receive_window_bytes, self.pair.z.engine.config.receive_window_bytes)
        return self.random.randint(1, min(self.largest_message_bytes, 10 * min(windows)))

    def _read(self, side: Side, period_s: float) -> None:
        for association in side.associations:
            for _ in range(self.random.randint(1, 4)):
                if not self._read_one(side, association, partial=self.random.random() < 0.5):
                    break
            side.host.engine.touch(association)
        if not self.has_ended:
            self._at(self.pair.now - 1000.0 + period_s, lambda: self._read(side, period_s))

    def _read_one(self, side: Side, association: AssociationEngine, *, partial: bool) -> bool:
        message = association.receiver.read(partial=partial)
        if message is None:
            return False
        sender = self.z if side is self.a else self.a
        place = (id(association), message.stream)
        data = side.parts.pop(place, b"") + message.data
        if not message.end_of_record:
            assert partial, "a part for a reader of whole messages"
            side.parts[place] = data
            return True
        post = sender.posts[message.ppid]
        assert not post.delivered, "delivered twice"
        assert (message.stream, message.unordered, data) == (post.key[0], post.unordered, post.data)
        post.delivered = True
        if not post.unordered:
            position = sender.delivered[post.key]
            assert sender.turns[post.key][position] == message.ppid, "out of order"
            sender.delivered[post.key] += 1
        return True

    def _shut_down(self, side: Side) -> None:
        if side.association is None:
            if not self.has_ended:
                self._at(self.pair.now - 999.0, lambda: self._shut_down(side))
            return
        side.ends_early = True
        side.association.shutdown(self.pair.now)
        side.host.engine.touch(side.association)

    def _abort(self, side: Side) -> None:
        if side.association is None:
            if not self.has_ended:
                self._at(self.pair.now - 999.0, lambda: self._abort(side))
            return
        side.association.abort(b"enough")
        side.host.engine.touch(side.association)

    def _restart(self, side: Side, other: Side) -> None:
        """The host forgets everything and connects again from the same port (§5.2.4 A)."""
        if not self._are_established():
            return
        host = side.host
        fresh = Host(host.name, host.addresses, host.udp_port, host.engine.config, self.random.randrange(1 << 30))
        host.engine, host.events = fresh.engine, {}
        _make_serials_wrap(host, self.random)
        side.associations.clear()
        side.parts.clear()
        side.lives += 1
        side.has_lost_memory = True
        self._connect(side, other)

    # -- the run --

    def run(self) -> None:
        for side in (self.a, self.z):
            self._endpoint(side)
        self._plan()
        healed_at = 1000.0 + STORM_S
        for step in range(MAX_STEPS):
            if not self._step():
                break
            assert self.pair.now < healed_at + LIMIT_S, f"not finished: {self.describe()}"
            if step % 16 == 0 and not self.has_ended:
                self._look_for_the_end()
        else:
            raise AssertionError(f"too many steps: {self.describe()}")
        self._check_the_end()

    def _step(self) -> bool:
        moment = self.pair.next_moment()
        if self._due and (moment is None or self._due[0][0] <= moment):
            self.pair.now = max(self.pair.now, self._due[0][0])
            heapq.heappop(self._due)[2]()
            self.pair.flush()
        elif not self.pair.step():
            return False
        self._meet()
        for side in (self.a, self.z):
            self._take_events(side)
            for association in side.associations:
                check_association(association)
            check_stack(side.host.engine, side.associations)
        return True

    def _take_events(self, side: Side) -> None:
        for association in side.associations:
            for event in self.pair.events_of(side.host, association):
                if isinstance(event, SendFailed):
                    assert not side.posts[event.ppid].failed, "SendFailed twice"
                    side.posts[event.ppid].failed = True
                elif isinstance(event, AssociationChange) and event.change is AssociationChangeKind.RESTART:
                    side.lives += 1
                elif isinstance(event, PartialDelivery):
                    side.parts.pop((id(association), event.stream))
            self.pair.events_of(side.host, association).clear()

    def _look_for_the_end(self) -> None:
        """Once the network has healed and nothing waits, one shuts down; readers stop when both are gone."""
        if self.pair.now < 1000.0 + 1.6 * STORM_S:
            return
        everyone = [each for side in (self.a, self.z) for each in side.associations]
        if all(each.state is AssociationState.CLOSED for each in everyone):
            self.has_ended = True
        elif all(each.sender.is_drained for each in everyone) and self._are_established():
            self._shut_down(self.random.choice([self.a, self.z]))

    def _check_the_end(self) -> None:
        for side in (self.a, self.z):
            for association in side.associations:
                while self._read_one(side, association, partial=False):
                    pass
                assert association.state is AssociationState.CLOSED
                assert association.receiver.held_bytes == 0
        is_graceful = self.ending in ("late shutdown", "early shutdown", "both shut down")
        for sender, receiver in ((self.a, self.z), (self.z, self.a)):
            for post in sender.posts.values():
                if is_graceful:
                    assert post.delivered, f"a message of {len(post.data)} bytes was lost"
                    assert not post.failed, "delivered and reported as failed"
                elif not sender.has_lost_memory and not receiver.has_lost_memory:
                    assert post.delivered or post.failed, f"nothing became of a message of {len(post.data)} bytes"

    def describe(self) -> str:
        lines = [f"{self.ending}, at {self.pair.now - 1000:.3f}"]
        for side in (self.a, self.z):
            lines.append(f"{side.host.name}: {side.host.engine.config}")
            for each in side.associations:
                sender = each.sender
                lines.append(
                    f"  {each.state} {each.timers._deadlines} outstanding {len(sender.outstanding)}"
                    f" queue {sender.queue.messages} a_rwnd {sender.window.a_rwnd} held {each.receiver.held_bytes}"
                )
        return "\n".join(lines)


def _make_serials_wrap(host: Host, random: Random) -> None:
    """Numbers of four bytes, TSNs among them, begin just before they wrap; half of the time."""
    if random.random() < 0.5:
        return
    generator = Random(random.randrange(1 << 32))
    host.engine._entropy = host.engine._acceptance._entropy = lambda size: (
        b"\xff\xff\xff" + generator.randbytes(1) if size == 4 else generator.randbytes(size)
    )
