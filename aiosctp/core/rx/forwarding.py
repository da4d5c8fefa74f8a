"""FORWARD TSN and I-FORWARD-TSN: the peer has given up what is missing (RFC 3758 §3.6, RFC 8260 §2.3.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from aiosctp.core.rx.delivery import DataDelivery, IDataDelivery
from aiosctp.core.rx.interleaved import Interleaved
from aiosctp.core.rx.queues import ReadQueues
from aiosctp.core.rx.reassembly import Reassembly
from aiosctp.core.rx.run import Run
from aiosctp.core.rx.streams import InboundStreams
from aiosctp.core.rx.tsns import TsnTracker
from aiosctp.core.rx.window import ReceiveWindow
from aiosctp.wire.chunks import UserData
from aiosctp.wire.serial import TSN_MASK

if TYPE_CHECKING:
    from aiosctp.core.rx.renewal import Renewal


Kind: TypeAlias = tuple[int, bool]
"""A stream, and whether its unordered messages are meant."""


class Forwarding:
    """Moves the cumulative TSN where the peer says, and what waits for TSNs that will not come is delivered or dropped.

    The work of one is linear in the streams it lists and in what is held. Of it nothing is kept but what
    `Reassembly.skip` and `Interleaved.skip` keep to know the rest of a message that was skipped.
    """

    __slots__ = ("_delivery", "_queues", "_reassembly", "_streams", "_tsns", "_window")

    def __init__(
        self,
        tsns: TsnTracker,
        window: ReceiveWindow,
        reassembly: Reassembly | Interleaved,
        streams: InboundStreams,
        queues: ReadQueues,
        delivery: DataDelivery | IDataDelivery,
    ) -> None:
        self._tsns = tsns
        self._window = window
        self._reassembly = reassembly
        self._streams = streams
        self._queues = queues
        self._delivery = delivery

    def received(
        self, tsn: int, skipped: Iterable[tuple[int, bool, int]], renewal: Renewal | None
    ) -> list[tuple[int, int]]:
        """tsn: where the cumulative TSN moves, as a whole number; ahead of it. Returns stream and SSN of each message
        that will not be completed and of which the user has read a part."""
        tsns = self._tsns
        ahead = tsn - tsns.cumulative
        numbers = self._furthest(skipped)
        if renewal is not None:
            renewal.forward(tsn)
            renewal.note_skipped(numbers, tsn)
        lost = self._reassembly.skip(tsn, numbers, was_received=tsn in tsns)
        tsns.advance_to(tsn)
        return self._pass_over(lost, numbers, ahead)

    def skip(self, numbers: Mapping[Kind, int], tsn: int) -> list[tuple[int, int]]:
        """The messages that were skipped with this TSN, on streams that have begun anew before."""
        return self._pass_over(self._reassembly.skip_messages(tsn, numbers), numbers, 0)

    def drop_unfinished(self, streams: Collection[int] | None, before: int) -> list[tuple[int, int]]:
        """RFC 6525 §5.2.2: all of these streams, or of all, up to this TSN is of before their reset."""
        return self._pass_over(self._reassembly.drop_unfinished(streams, before), {}, 0)

    def _furthest(self, skipped: Iterable[tuple[int, bool, int]]) -> dict[Kind, int]:
        """By stream and U bit, however often a stream is listed."""
        numbers: dict[Kind, int] = {}
        for stream, unordered, number in skipped:
            kind = stream, unordered
            if kind not in numbers or self._streams.is_after(numbers[kind], number):
                numbers[kind] = number
        return numbers

    def _pass_over(self, lost: Iterable[Run], numbers: Mapping[Kind, int], ahead: int) -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []
        for run in lost:
            self._window.release(run.charged_bytes)
            self._delivery.keep(self._reassembly.tsns_dropped(run))
            if run.is_partial:
                if self._queues.abandon(run.stream, run.first & TSN_MASK):
                    seen.append((run.stream, run.ssn))
                self._delivery.end_parts(run)
        for (stream, unordered), number in numbers.items():
            if not unordered:
                for run in self._streams.skip_to(stream, number, ahead):
                    self._delivery.put(run)
        self._delivery.deliver_unfinished()
        return seen

    def discards(self, tsn: int, chunk: UserData) -> bool:
        """Whether the chunk is of a message that was skipped: it is to be acknowledged, and nothing else."""
        if not self._reassembly.discards(tsn, chunk):
            return False
        following = self._reassembly.discard_following(tsn, chunk)
        if following is not None:
            self._window.release(following.charged_bytes)
        return True
