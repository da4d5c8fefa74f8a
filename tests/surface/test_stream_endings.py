"""What resets that came in one batch mean for a stream that nobody has accepted yet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from aiosctp.events import StreamReset
from aiosctp.stream_endings import StreamEndings


class Streams:
    """Knows no transport, and notes what is shut."""

    def __init__(self) -> None:
        self.shut: list[tuple[int, int]] = []

    def find(self, number: int) -> None:
        return None

    def shut_before_accepted(self, number: int, since: int) -> None:
        self.shut.append((number, since))


def test_what_came_after_our_side_was_reset_is_another_conversation() -> None:
    """The peer had our side reset, began anew under the number and ended that, all in one batch: its mark is there, and
    counts to what came since."""
    streams = Streams()
    life = SimpleNamespace(engine=SimpleNamespace(ending=None))
    endings = StreamEndings(cast(Any, streams), cast(Any, life), lambda transport: False)
    before, ours, after = StreamReset((2,), ()), StreamReset((), (2,)), StreamReset((2, 4), ())
    endings.streams_reset([before, ours, after, StreamReset((2,), (), denied=True)])
    assert streams.shut == [(2, 1)]
