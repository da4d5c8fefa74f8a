"""A reader slower than its peer: the window closes and opens, and nothing has to be sent twice for it."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from tests.core.pair import Pair


@pytest.mark.parametrize("window_bytes", [1500, 5000, 20_000])
@pytest.mark.parametrize("message_bytes", [1, 20, 100, 300, 1000, 1499])
def test_messages_come_as_fast_as_they_are_read_and_none_is_dropped_for_the_window(
    window_bytes: int, message_bytes: int
) -> None:
    """R19, X10, X39, G64: the sender charges the window as the receiver does; with payload alone, 60 kB of tiny
    messages through 5 kB took more than an hour."""
    pair = Pair(config_z=Config(receive_window_bytes=window_bytes))
    sender, receiver = pair.established()
    count = 200
    for number in range(count):
        sender.send(OutgoingMessage(bytes(message_bytes), 0, number))
    pair.a.engine.touch(sender)
    started_s = pair.now
    read: list[int] = []
    while len(read) < count:
        pair.run_for(0.05)
        sender.sender.check_invariants()
        receiver.receiver.check_invariants()
        message = receiver.receiver.read()
        if message is not None:
            read.append(message.ppid)
            pair.z.engine.touch(receiver)
        assert pair.now < started_s + 60, f"{len(read)} read"
    assert read == list(range(count))
    assert sender.counters.rtxchunks == 0
    # One message every 50 ms, and at worst as long again for windows that hold one message only.
    assert pair.now - started_s < 2 * count * 0.05
