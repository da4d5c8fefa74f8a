"""Serial numbers that begin just before they wrap."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.simulation.character import Character
from tests.simulation.wrapping import Maker


class _BeginningAt(dict[int, int]):
    """What the receiver expects of a stream of which nothing came yet is not 0."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._first = first

    def get(self, key: int, default: Any = None) -> Any:
        return super().get(key, self._first)


def wrappers(random: Random, character: Character) -> list[tuple[str, Maker]]:
    """TSNs, and tags with them, are the four bytes that a host draws; SSNs always begin at 0 (§6.5), so both ends are
    told otherwise."""
    made: list[tuple[str, Maker]] = []
    if "serials wrap" in character:
        made.append(("testing.host:Host.entropy", _high_entropy))
    if "ssns wrap" in character:
        first = 0x1_0000 - random.randint(1, 12)
        made.append(("core.tx.queue:OutgoingStream.__init__", lambda original: _begin_stream(original, first)))
        made.append(("core.rx.streams:InboundStreams.__init__", lambda original: _begin_streams(original, first)))
    return made


def _high_entropy(original: Callable[[Any, int], bytes]) -> Any:
    def entropy(host: Any, count: int) -> bytes:
        drawn = original(host, count)
        return b"\xff\xff\xff" + drawn[:1] if count == 4 else drawn

    return entropy


def _begin_stream(original: Any, first: int) -> Any:
    def init(stream: Any, number: int) -> None:
        original(stream, number)
        stream.next_ssn = first

    return init


def _begin_streams(original: Any, first: int) -> Any:
    def init(streams: Any) -> None:
        original(streams)
        streams.expected_ssns = _BeginningAt(first)

    return init
