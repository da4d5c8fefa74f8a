"""Two associations, a wire that loses, and messages given whole and in parts: each arrives as one, or not at all."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import count

import pytest

from aiosctp.config import Config
from aiosctp.core import shortcuts
from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.core.states import AssociationState
from aiosctp.core.tx.schedulers import SCHEDULERS
from aiosctp.events import AssociationChange, AssociationReset, SendFailed, StreamReset
from aiosctp.exceptions import AssociationAborted
from tests.core.laws import check_association
from tests.core.pair import Pair
from tests.core.tx.records import part

STREAMS = 4
SIZES = (1, 3, 16, 64, 300, 400, 3000)
both_formats = pytest.mark.parametrize("idata", [False, True], ids=["DATA", "I-DATA"])


def pair_with(*, idata: bool, seed: int = 1, **options: object) -> Pair:
    # A window that takes all: no message is read in parts.
    config = Config(interleaving=idata, receive_window_bytes=1 << 22, rto_min_s=0.1, peer_may_reset_association=True)
    return Pair(config_a=config.replace(**options), config_z=config, seed=seed)


class Script:
    """What one seed does."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair = pair
        self.random = random.Random(seed)
        self.ours, self.theirs = pair.established()
        self.given: dict[tuple[int, bool], list[bytes]] = defaultdict(list)
        """By stream, and whether unordered: those complete."""
        self.open: dict[int, tuple[bytes, bool]] = {}
        self.got: dict[tuple[int, bool], list[bytes]] = defaultdict(list)
        self.count = 0
        self.resets = 0

    def data(self) -> bytes:
        self.count += 1
        return self.count.to_bytes(4) * self.random.choice(SIZES)

    def give(self) -> None:
        generator = self.random
        stream, sack_immediately = generator.randrange(STREAMS), generator.random() < 0.1
        data, queue = self.data(), self.ours.sender.queue
        if stream in self.open or generator.random() < 0.5:
            before, unordered = self.open.pop(stream, (b"", generator.random() < 0.3))
            is_last = generator.random() < 0.4
            self.ours.send(
                part(
                    queue, data, stream=stream, unordered=unordered, sack_immediately=sack_immediately, is_last=is_last
                )
            )
            if is_last:
                self.given[stream, unordered].append(before + data)
            else:
                self.open[stream] = before + data, unordered
        else:
            unordered = generator.random() < 0.3
            self.ours.send(OutgoingMessage(data, stream, 0, unordered, 0, sack_immediately))
            self.given[stream, unordered].append(data)

    def end_all(self) -> None:
        for stream, (before, unordered) in self.open.items():
            data = self.data()
            self.ours.send(part(self.ours.sender.queue, data, stream=stream, is_last=True))
            self.given[stream, unordered].append(before + data)
        self.open.clear()

    def step(self) -> None:
        generator = self.random
        match generator.randrange(12):
            case 0:
                self.ours.sender.queue.set_scheduler(generator.choice(sorted(SCHEDULERS)))
            case 1:
                self.ours.reset_outgoing(generator.sample(range(STREAMS), generator.randint(1, STREAMS)))
                self.resets += 1
            case 2:
                if self.resets < 3:
                    self.ours.reset_association()
                    self.resets += 1
            case _:
                for _ in range(generator.choice((1, 1, 3, 12))):
                    self.give()
        self.pair.a.engine.touch(self.ours)
        self.pair.run_for(generator.choice((0.0, 0.005, 0.03)))
        self.look()

    def look(self) -> None:
        while (message := self.theirs.receiver.read()) is not None:
            if message.data:
                assert message.end_of_record
                self.got[message.stream, message.unordered].append(message.data)
        self.pair.z.engine.touch(self.theirs)
        self.pair.flush()
        check_association(self.ours)
        check_association(self.theirs)


def run(seed: int, scheduler: str, *, idata: bool, loss: float, is_open: bool = True) -> Script:
    shortcuts.are_open, was_open = is_open, shortcuts.are_open
    try:
        pair = pair_with(idata=idata, seed=seed)
        script = Script(pair, seed)
    finally:
        shortcuts.are_open = was_open
    script.ours.sender.queue.set_scheduler(scheduler)
    losses = random.Random(seed)
    pair.drop = lambda flight: losses.random() < loss
    for _ in range(40):
        script.step()
    script.end_all()
    pair.a.engine.touch(script.ours)
    pair.drop = lambda flight: False
    pair.run_until(lambda: script.ours.sender.is_drained)
    script.look()
    return script


@both_formats
@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
@pytest.mark.parametrize("seed", range(5))
def test_each_message_and_each_record_arrives_as_one(seed: int, scheduler: str, idata: bool) -> None:
    """B32: RFC 6458 §8.1.26."""
    script = run(seed, scheduler, idata=idata, loss=(0.0, 0.05, 0.2)[seed % 3])
    assert script.given.keys() >= script.got.keys()
    for (stream, unordered), messages in script.given.items():
        got = script.got[stream, unordered]
        assert (sorted(got) == sorted(messages)) if unordered else (got == messages)
    assert not [event for event in script.pair.events_of(script.pair.a, script.ours) if isinstance(event, SendFailed)]


@both_formats
@pytest.mark.parametrize("seed", range(4))
def test_the_short_ways_send_the_same_packets(seed: int, idata: bool) -> None:
    one, other = (run(seed, "fcfs", idata=idata, loss=0.0, is_open=is_open) for is_open in (True, False))

    def packets(script: Script) -> list[bytes]:
        return [flight.data for flight in script.pair.log]

    assert packets(one) == packets(other)


@both_formats
def test_the_reset_of_a_stream_waits_for_the_end_of_its_record(idata: bool) -> None:
    """RFC 6525 §5.1.2, A1; and what is given after the record waits for the reset."""
    pair = pair_with(idata=idata)
    ours, theirs = pair.established()
    queue = ours.sender.queue
    ours.send(part(queue, b"1"))
    request = ours.reset_outgoing([0])
    pair.a.engine.touch(ours)
    pair.run_for(5)
    assert request.outcome is None
    ours.send(part(queue, b"2", is_last=True))
    ours.send(OutgoingMessage(b"after", 0))
    pair.a.engine.touch(ours)
    pair.run_until(lambda: ours.sender.is_drained)
    assert [event for event in pair.events_of(pair.a, ours) if isinstance(event, StreamReset)]
    read = []
    while (message := theirs.receiver.read()) is not None:
        read.append((message.data, message.ssn))
    assert read == [(b"12", 0), (b"after", 0)]


@both_formats
def test_the_reset_of_the_association_waits_for_the_end_of_what_is_begun(idata: bool) -> None:
    """RFC 6525 §5.1.4, C2."""
    pair = pair_with(idata=idata)
    ours, theirs = pair.established()
    queue = ours.sender.queue
    ours.send(part(queue, b"1"))
    pair.a.engine.touch(ours)
    pair.run_for(1)
    request = ours.reset_association()
    pair.a.engine.touch(ours)
    ours.send(OutgoingMessage(b"after", 1))
    pair.run_for(5)
    assert request.outcome is None
    ours.send(part(queue, b"2", is_last=True))
    pair.a.engine.touch(ours)
    pair.run_until(lambda: ours.sender.is_drained)
    assert [event for event in pair.events_of(pair.a, ours) if isinstance(event, AssociationReset)]
    first, second = theirs.receiver.read(), theirs.receiver.read()
    assert first is not None
    assert second is not None
    assert (first.data, second.data) == (b"12", b"after")


@both_formats
@pytest.mark.parametrize("who", ["we", "peer"])
def test_a_shutdown_amid_a_record_aborts_when_all_that_can_go_has_gone(idata: bool, who: str) -> None:
    """The peer never takes what it has for all."""
    pair = pair_with(idata=idata)
    ours, theirs = pair.established()
    queue = ours.sender.queue
    ours.send(OutgoingMessage(b"before", 1))
    ours.send(part(queue, b"acknowledged", context=1))
    pair.a.engine.touch(ours)
    pair.run_for(1)
    ours.send(part(queue, b"goes too", context=2))
    ours.send(OutgoingMessage(b"beside", 1, context=3))
    pair.drop = lambda flight: pair.random.random() < 0.3
    if who == "we":
        ours.shutdown(pair.now)
        pair.a.engine.touch(ours)
    else:
        theirs.shutdown(pair.now)
        pair.z.engine.touch(theirs)
        pair.a.engine.touch(ours)
    read = []

    def has_ended() -> bool:
        while (message := theirs.receiver.read()) is not None:
            read.append(message.data)
        pair.z.engine.touch(theirs)
        pair.flush()
        check_association(ours)
        return ours.ending is not None

    pair.run_until(has_ended, limit_s=60)
    assert isinstance(ours.ending, AssociationAborted)
    assert ours.ending.local
    assert ours.state is AssociationState.CLOSED
    failed = [event.context for event in pair.events_of(pair.a, ours) if isinstance(event, SendFailed)]
    # Without I-DATA nothing may go between the fragments of a record.
    assert failed == ([] if idata else [3])
    assert read == ([b"before", b"beside"] if idata else [b"before"])


def test_a_shutdown_with_a_record_that_is_open_and_idle_aborts_at_once() -> None:
    pair = pair_with(idata=True)
    ours, _ = pair.established()
    ours.send(part(ours.sender.queue, b"1"))
    pair.a.engine.touch(ours)
    pair.run_for(1)
    assert ours.sender.is_drained
    ours.shutdown(pair.now)
    assert isinstance(ours.ending, AssociationAborted)
    changes = [event for event in pair.events_of(pair.a, ours) if isinstance(event, AssociationChange)]
    assert len(changes) <= 2


@both_formats
@pytest.mark.parametrize("of_all", [False, True], ids=["of the stream", "of the association"])
def test_a_shutdown_amid_a_record_does_not_wait_for_a_reset_that_waits_for_its_end(idata: bool, of_all: bool) -> None:
    """What the reset holds back never goes: the guard T5 was all that ended it."""
    pair = pair_with(idata=idata)
    ours, _ = pair.established()
    ours.send(part(ours.sender.queue, b"1"))
    pair.a.engine.touch(ours)
    pair.run_for(1)
    if of_all:
        ours.reset_association()
        ours.send(OutgoingMessage(b"after", 1, context=2))
    else:
        ours.reset_outgoing([0, 1])
        ours.send(OutgoingMessage(b"after", 1, context=2))
    pair.a.engine.touch(ours)
    pair.run_for(1)
    assert ours.sender.queue.held_bytes
    ours.shutdown(pair.now)
    pair.a.engine.touch(ours)
    pair.run_for(1)
    assert isinstance(ours.ending, AssociationAborted)
    assert [event.context for event in pair.events_of(pair.a, ours) if isinstance(event, SendFailed)] == [2]


def test_messages_with_a_lifetime_end_behind_an_open_record() -> None:
    pair = pair_with(idata=False)
    ours, _ = pair.established()
    ours.send(part(ours.sender.queue, b"1"))
    pair.a.engine.touch(ours)
    pair.run_for(1)
    ours.send(OutgoingMessage(b"late", 1, context=7, terms=Terms(expires_at_s=pair.now + 1)))
    pair.a.engine.touch(ours)
    pair.run_for(2)
    failed = [event.context for event in pair.events_of(pair.a, ours) if isinstance(event, SendFailed)]
    assert failed == [7]


def test_heartbeats_clear_errors_while_a_record_holds_all_up() -> None:
    """§8.1: nothing is outstanding."""
    pair = pair_with(idata=False, hb_interval_s=1.0, path_max_retrans=3, association_max_retrans=4)
    ours, _ = pair.established()
    ours.send(part(ours.sender.queue, b"1"))
    ours.send(OutgoingMessage(b"held up", 1))
    pair.a.engine.touch(ours)
    pair.run_for(1)
    assert not ours.sender.is_drained
    answers = count()
    pair.drop = lambda flight: flight.sender is pair.z and next(answers) % 3 == 0
    pair.run_for(600)
    assert next(answers) > 100
    assert ours.ending is None
