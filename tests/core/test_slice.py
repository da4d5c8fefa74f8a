"""One message through every layer of the engine, with loss."""

from __future__ import annotations

import pytest

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.exceptions import AssociationShutdown
from tests.core.pair import Pair


@pytest.mark.parametrize("seed", range(20))
def test_a_message_arrives_and_the_association_shuts_down_gracefully(seed: int) -> None:
    pair = Pair(seed=seed)
    lossy = pair.random
    pair.drop = lambda flight: lossy.random() < 0.2
    ours, theirs = pair.established()
    ours.send(OutgoingMessage(b"hello", stream=3, ppid=46))
    pair.a.engine.touch(ours)
    received = []

    def arrived() -> bool:
        if (message := theirs.receiver.read()) is not None:
            received.append(message)
        return bool(received)

    pair.run_until(arrived)
    assert (received[0].data, received[0].stream, received[0].ppid) == (b"hello", 3, 46)

    ours.shutdown(pair.now)
    pair.a.engine.touch(ours)
    pair.run_until(lambda: theirs.state is ours.state is AssociationState.CLOSED)
    assert isinstance(ours.ending, AssociationShutdown)
    assert isinstance(theirs.ending, AssociationShutdown)
