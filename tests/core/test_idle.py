"""What an idle association holds: not what it may need one day."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from tests.core.pair import Pair

_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, Config)


def held_by(root: object) -> Iterator[object]:
    """All that can be reached from it, besides what is no association's own."""
    seen = {id(root)}
    waiting = [root]
    while waiting:
        found = waiting.pop()
        yield found
        for inner in gc.get_referents(found):
            if id(inner) not in seen and not isinstance(inner, _SHARED):
                seen.add(id(inner))
                waiting.append(inner)


def test_an_association_that_has_sent_nothing_holds_no_deque() -> None:
    """An empty one is 760 bytes: seven of them were most of what an idle association held."""
    for association in Pair().established():
        # One that can hold nothing is shared by all.
        deques = [found for found in held_by(association) if isinstance(found, deque) and found.maxlen != 0]
        assert not deques


def test_what_an_association_holds_is_made_when_it_sends() -> None:
    pair = Pair()
    ours, _ = pair.established()
    ours.send(OutgoingMessage(b"x", stream=0))
    pair.a.engine.touch(ours)
    pair.flush()
    assert any(isinstance(found, deque) and found.maxlen != 0 for found in held_by(ours))


def test_an_idle_association_gives_back_what_its_traffic_left_empty() -> None:
    """With a HEARTBEAT; but for the sender's queue. Then it goes on as before."""
    pair = Pair()
    ours, theirs = pair.established()
    for number in range(3):
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            host = pair.a if sender is ours else pair.z
            sender.send(OutgoingMessage(b"%d" % number, stream=0))
            host.engine.touch(sender)
            pair.flush()
            pair.run_for(1.0)
            message = receiver.receiver.read()
            assert message is not None
            assert message.data == b"%d" % number
        kept = [sum(isinstance(each, deque) and each.maxlen != 0 for each in held_by(one)) for one in (ours, theirs)]
        assert min(kept) > 1
        pair.run_for(100.0)
        kept = [sum(isinstance(each, deque) and each.maxlen != 0 for each in held_by(one)) for one in (ours, theirs)]
        assert kept == [1, 1]


def test_what_is_unread_is_not_given_back() -> None:
    pair = Pair()
    ours, theirs = pair.established()
    ours.send(OutgoingMessage(b"x", stream=0))
    pair.a.engine.touch(ours)
    pair.flush()
    pair.run_for(60.0)
    message = theirs.receiver.read()
    assert message is not None
    assert message.data == b"x"
