"""§9.2 between two engines: whatever a shutdown loses on the way, both sides end, and end gracefully."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.exceptions import AssociationShutdown
from aiosctp.wire.chunks import Shutdown, ShutdownAck, ShutdownComplete
from tests.core.pair import Pair

CLOSED = AssociationState.CLOSED
LONG_S = 100_000.0
# No HEARTBEAT and no guard in the way of what a test looks at.
QUIET = Config(heartbeat=False, shutdown_timeout_s=10**6)


def run_shutdown(pair: Pair, *, crossing: bool) -> None:
    ours, theirs = pair.established()
    pair.log.clear()
    ours.shutdown(pair.now)
    pair.a.engine.touch(ours)
    if crossing:
        theirs.shutdown(pair.now)
        pair.z.engine.touch(theirs)
    pair.run_until(lambda: ours.state is CLOSED and theirs.state is CLOSED, limit_s=LONG_S)
    assert isinstance(ours.ending, AssociationShutdown)
    assert isinstance(theirs.ending, AssociationShutdown)
    pair.run_for(600)
    assert (pair.a.engine.next_deadline(), pair.z.engine.next_deadline()) == (None, None)


@pytest.mark.parametrize("crossing", [False, True])
@pytest.mark.parametrize("lost", range(6))
def test_any_one_packet_of_a_shutdown_may_be_lost(lost: int, crossing: bool) -> None:
    """M06, E13: SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE, or an answer to a repetition: it ends gracefully."""
    pair = Pair(config_a=QUIET, config_z=QUIET)
    closing = {chunk.type for chunk in (Shutdown, ShutdownAck, ShutdownComplete)}
    seen: list[int] = []

    def drop(flight: object) -> bool:
        chunk_type = pair.log[-1].chunk_type
        if chunk_type not in closing:
            return False
        seen.append(chunk_type)
        return len(seen) == lost + 1

    pair.drop = drop
    run_shutdown(pair, crossing=crossing)


@pytest.mark.parametrize("crossing", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_a_shutdown_ends_gracefully_on_a_wire_that_loses_a_third(seed: int, crossing: bool) -> None:
    """M06, E13: as long as anything gets through, both sides end, and end gracefully."""
    patient = QUIET.replace(association_max_retrans=50)
    pair = Pair(seed=seed, config_a=patient, config_z=patient)
    dice = pair.random
    pair.drop = lambda flight: dice.random() < 1 / 3
    run_shutdown(pair, crossing=crossing)


@pytest.mark.parametrize("seed", range(10))
def test_a_graceful_end_delivers_what_was_sent_before_it(seed: int) -> None:
    """E13, A20: the last message and the shutdown in one breath, in both directions, over a bad wire."""
    pair = Pair(seed=seed, config_a=QUIET, config_z=QUIET)
    ours, theirs = pair.established()
    dice = pair.random
    pair.drop = lambda flight: dice.random() < 0.25
    ours.send(OutgoingMessage(b"to the other end", stream=0))
    theirs.send(OutgoingMessage(b"and back", stream=0))
    ours.shutdown(pair.now)
    pair.a.engine.touch(ours)
    pair.z.engine.touch(theirs)
    pair.run_until(lambda: ours.state is CLOSED and theirs.state is CLOSED)
    assert isinstance(ours.ending, AssociationShutdown)
    assert isinstance(theirs.ending, AssociationShutdown)
    messages = [association.receiver.read() for association in (ours, theirs)]
    assert [message and message.data for message in messages] == [b"and back", b"to the other end"]
