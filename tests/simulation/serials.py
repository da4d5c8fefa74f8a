"""Serial numbers that begin just before they wrap."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from aiosctp.core.rx.renewal import Renewal
from aiosctp.core.tx.queue import OutgoingStream, SendQueue
from aiosctp.wire.serial import SSN_MASK
from tests.simulation.character import Character
from tests.simulation.wrapping import Maker


class _BeginningAt(dict[int, int]):
    """What the receiver expects of a stream of which nothing came yet is not 0, unless the stream was reset."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first
        self.were_reset: set[int] = set()

    def get(self, key: int, default: Any = None) -> Any:
        return super().get(key, 0 if key in self.were_reset else self.first)

    def pop(self, key: int, default: Any = None) -> Any:
        self.were_reset.add(key)
        return super().pop(key, default)


class _Beginnings:
    """Which streams of which send queues have yet to begin, where they are told to."""

    def __init__(self, before_the_wrap: int) -> None:
        self._before_the_wrap = before_the_wrap
        self._begun: dict[SendQueue, set[int]] = {}
        self._all_reset: set[SendQueue] = set()

    def making(self, original: Any) -> Any:
        def stream(queue: SendQueue, number: int) -> OutgoingStream:
            made: OutgoingStream = original(queue, number)
            begun = self._begun.setdefault(queue, set())
            if number not in begun and queue not in self._all_reset:
                made.next_ssn = -self._before_the_wrap & queue.format.number_mask
                if queue.format.counts_fragments:
                    made.next_unordered_mid = made.next_ssn
            begun.add(number)
            return made

        return stream

    def resetting(self, original: Any) -> Any:
        def end_outgoing(queue: SendQueue, streams: Any, *, is_reset: bool) -> Any:
            if is_reset:
                self._begun.setdefault(queue, set()).update(streams)
            return original(queue, streams, is_reset=is_reset)

        return end_outgoing

    def resetting_all(self, original: Any) -> Any:
        def begin_ssns_anew(queue: SendQueue) -> None:
            self._all_reset.add(queue)
            original(queue)

        return begin_ssns_anew


def wrappers(random: Random, character: Character) -> list[tuple[str, Maker]]:
    """TSNs, and tags with them, are the four bytes that a host draws; SSNs always begin at 0 (§6.5), so both ends are
    told otherwise."""
    made: list[tuple[str, Maker]] = []
    if "serials wrap" in character:
        made.append(("testing.host:Host.entropy", _high_entropy))
    if "ssns wrap" in character:
        before_the_wrap = random.randint(1, 12)
        beginnings = _Beginnings(before_the_wrap)
        made.append(("core.tx.queue:SendQueue.stream", beginnings.making))
        made.append(("core.tx.queue:SendQueue.begin_ssns_anew", beginnings.resetting_all))
        made.append(("core.reconfig.performing:end_outgoing", beginnings.resetting))
        made.append(("core.rx.renewal:Renewal.begin_streams_anew", _reset_all_streams))
        made.append(("core.rx.renewal:Renewal.tsn_reset_done", _reset_everything))
        made.append(
            ("core.rx.streams:InboundStreams.__init__", lambda original: _begin_streams(original, before_the_wrap))
        )
    return made


def _high_entropy(original: Callable[[Any, int], bytes]) -> Any:
    def entropy(host: Any, count: int) -> bytes:
        drawn = original(host, count)
        return b"\xff\xff\xff" + drawn[:1] if count == 4 else drawn

    return entropy


def _reset_all_streams(original: Any) -> Any:
    """Those that were never used, too."""

    def begin_streams_anew(renewal: Renewal, streams: Any) -> Any:
        expected = renewal._streams.expected_ssns
        if streams is None and isinstance(expected, _BeginningAt):
            expected.were_reset.update(range(renewal._receiver.inbound_streams))
        return original(renewal, streams)

    return begin_streams_anew


def _reset_everything(original: Any) -> Any:
    def tsn_reset_done(renewal: Renewal, next_tsn: int) -> Any:
        expected = renewal._streams.expected_ssns
        if isinstance(expected, _BeginningAt):
            expected.first = 0
        return original(renewal, next_tsn)

    return tsn_reset_done


def _begin_streams(original: Any, before_the_wrap: int) -> Any:
    def init(streams: Any, number_mask: int = SSN_MASK) -> None:
        original(streams, number_mask)
        streams.expected_ssns = _BeginningAt(-before_the_wrap & number_mask)

    return init
