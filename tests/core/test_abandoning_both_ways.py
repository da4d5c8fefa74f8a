"""Two associations, a wire that loses, and messages with all kinds of terms: each arrives whole, or is reported."""

from __future__ import annotations

import random

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.events import SendFailed
from tests.core.laws import check_association
from tests.core.pair import Pair

STREAMS = 4
MESSAGES = 150


def terms_of(generator: random.Random, now: float) -> Terms | None:
    match generator.randrange(4):
        case 0:
            return Terms(expires_at_s=now + generator.choice((0.02, 0.2, 2.0)))
        case 1:
            return Terms(max_retransmits=generator.randrange(3))
        case 2:
            return Terms(buffer_priority=generator.randrange(4))
        case _:
            return None


def read(pair: Pair, association: AssociationEngine, got: dict[int, list[tuple[int, bool]]]) -> None:
    while (message := association.receiver.read()) is not None:
        number = int.from_bytes(message.data[:4])
        assert message.end_of_record
        assert message.data == number.to_bytes(4) * (len(message.data) // 4), "what arrives is what was sent"
        got[message.stream].append((number, message.unordered))
    pair.z.engine.touch(association)
    pair.flush()


@pytest.mark.parametrize("idata", [False, True], ids=["DATA", "I-DATA"])
@pytest.mark.parametrize("scheduler", ["fcfs", "rr", "weighted"])
@pytest.mark.parametrize("seed", range(6))
def test_each_message_arrives_whole_or_is_reported(seed: int, scheduler: str, idata: bool) -> None:
    generator = random.Random(seed)
    # A window that takes all: no message is read in parts.
    config = Config(partial_reliability=True, interleaving=idata, receive_window_bytes=1 << 20, rto_min_s=0.1)
    pair = Pair(config_a=config, config_z=config, seed=seed)
    ours, theirs = pair.established()
    ours.sender.queue.set_scheduler(scheduler)
    loss = generator.choice((0.05, 0.2, 0.4))
    pair.drop = lambda flight: generator.random() < loss
    reliable: set[int] = set()
    got: dict[int, list[tuple[int, bool]]] = {stream: [] for stream in range(STREAMS)}
    for number in range(MESSAGES):
        terms = terms_of(generator, pair.now)
        size, stream = generator.choice((1, 10, 400, 3000)), generator.randrange(STREAMS)
        unordered = generator.random() < 0.3
        if terms is None:
            reliable.add(number)
        ours.send(OutgoingMessage(number.to_bytes(4) * size, stream, 0, unordered, number, terms=terms))
        if generator.random() < 0.1:
            ours.sender.make_room(5000, 1)
        pair.a.engine.touch(ours)
        pair.run_for(generator.random() * 0.03)
        read(pair, theirs, got)
        check_association(ours)
        check_association(theirs)
    pair.run_for(5.0)
    pair.drop = lambda flight: False
    pair.run_until(lambda: ours.sender.is_drained)
    read(pair, theirs, got)
    check_association(ours)
    check_association(theirs)
    failed = [event.context for event in pair.events_of(pair.a, ours) if isinstance(event, SendFailed)]
    arrived = [number for messages in got.values() for number, _ in messages]
    assert len(failed) == len(set(failed)), "reported once"
    assert len(arrived) == len(set(arrived)), "delivered once"
    assert set(failed) | set(arrived) == set(range(MESSAGES)), "neither lost nor unreported"
    assert not reliable & set(failed)
    for messages in got.values():
        ordered = [number for number, unordered in messages if not unordered]
        assert ordered == sorted(ordered)
    counters = ours.take_counters()
    assert counters.abandoned_sent + counters.abandoned_unsent == len(failed)
