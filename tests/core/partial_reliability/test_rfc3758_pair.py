"""Two engines, a wire that loses packets, and messages that may be given up."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.core.states import AssociationState
from aiosctp.events import PartialDelivery, SendFailed
from aiosctp.wire.codepoints import ChunkType
from tests.core.laws import check_association
from tests.core.pair import Flight, Pair
from tests.core.partial_reliability.script import QUIET

MESSAGES = 120


def terms_of(dice: random.Random, now: float) -> Terms | None:
    policy = dice.randrange(4)
    if policy == 0:
        return Terms(expires_at_s=now + dice.choice([0.01, 0.2, 1.0, 5.0]))
    if policy == 1:
        return Terms(max_retransmits=dice.randrange(3))
    return Terms(buffer_priority=dice.randrange(4)) if policy == 2 else None


def read_all(association: AssociationEngine) -> list[tuple[int, bool, bytes]]:
    read = []
    while (message := association.receiver.read()) is not None:
        read.append((message.stream, message.unordered, message.data))
    return read


@pytest.mark.parametrize("seed", range(12))
def test_every_message_arrives_whole_or_is_told_of_as_abandoned(seed: int) -> None:
    """E01, S02, S03, S04, S05, X07: a reliable one always arrives; any other arrives, or is told of, once; those of a
    stream are in order; the shutdown ends gracefully."""
    dice = random.Random(seed)
    config = QUIET.replace(
        rto_initial_s=0.2, rto_min_s=0.2, rto_max_s=1.0, association_max_retrans=1000, shutdown_timeout_s=1000.0
    )
    pair = Pair(config_a=config, config_z=config, latency_s=0.02, seed=seed)
    sender, receiver = pair.established()
    pair.drop = lambda flight: dice.random() < 0.25
    sent: list[OutgoingMessage] = []
    read: list[tuple[int, bool, bytes]] = []
    for n in range(MESSAGES):
        size = dice.choice([1, 100, 1400, 3000, 30_000])
        message = OutgoingMessage(
            b"%d:" % n + bytes(size),
            dice.randrange(3),
            unordered=dice.random() < 0.3,
            context=n,
            terms=terms_of(dice, pair.now),
        )
        sent.append(message)
        sender.send(message)
        if n % 40 == 39:
            sender.sender.make_room(20_000, 1, None)
        pair.a.engine.touch(sender)
        pair.run_for(dice.choice([0.0, 0.01, 0.3]))
        read += read_all(receiver)
        check_association(sender)
        check_association(receiver)
    sender.shutdown(pair.now)
    pair.a.engine.touch(sender)
    for _ in range(400):
        pair.run_for(1.0)
        read += read_all(receiver)
        if sender.state is AssociationState.CLOSED:
            break
    pair.drop = lambda flight: False
    pair.run_for(10.0)
    failed = [event for event in pair.events_of(pair.a, sender) if isinstance(event, SendFailed)]
    told = Counter(event.context for event in failed)
    assert max(told.values(), default=0) <= 1
    assert all(event.error == 0 for event in failed), "none failed by the end"
    assert all(event.data == sent[event.context].data for event in failed)
    index_of = {message.data: n for n, message in enumerate(sent)}
    assert len(read) == len(set(read))
    arrived = [index_of[payload] for _, _, payload in read]
    for n, message in enumerate(sent):
        assert n in arrived or n in told, f"{n} is lost, and nobody was told"
        assert message.terms is not None or n not in told
    unsent = {event.context for event in failed if not event.was_sent}
    assert not unsent & set(arrived)
    for stream in range(3):
        ordered = [index_of[payload] for of, unordered, payload in read if of == stream and not unordered]
        assert ordered == sorted(ordered)
    assert sender.state is AssociationState.CLOSED
    counters = sender.take_counters()
    assert (counters.abandoned_unsent, counters.abandoned_sent) == (len(unsent), len(failed) - len(unsent))
    assert told, "some were given up"


@pytest.mark.parametrize("kind", ["SACK", "FORWARD_TSN"])
def test_a_wire_that_loses_only_these_stops_nothing(kind: str) -> None:
    """X43: the first ten are lost of those that tell one side of the other's."""
    config = QUIET.replace(association_max_retrans=100)
    pair = Pair(config_a=config, config_z=config)
    sender, receiver = pair.established()
    lost = 0

    def drop(flight: Flight) -> bool:
        nonlocal lost
        is_lost = flight.chunk_type == ChunkType[kind] and lost < 10
        lost += is_lost
        return is_lost or (flight.chunk_type == ChunkType.DATA and flight.at < 1001.0)

    pair.drop = drop
    sender.send(OutgoingMessage(b"lost", 1, terms=Terms(max_retransmits=0)))
    sender.send(OutgoingMessage(b"kept", 1))
    pair.a.engine.touch(sender)
    pair.run_for(1000.0)
    assert read_all(receiver) == [(1, False, b"kept")]
    assert sender.sender.is_drained
    assert pair.events_of(pair.z, receiver)[1:] == []
    assert not any(isinstance(event, PartialDelivery) for event in pair.events_of(pair.z, receiver))
