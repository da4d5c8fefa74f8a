"""Incoming streams, or all TSNs, begin anew, and what is held back until they do (RFC 6525 §5.2.2, §5.2.4, §5.2.7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from aiosctp.core.charge import charge_of
from aiosctp.core.messages import Message
from aiosctp.core.nothing import NO_DICT
from aiosctp.core.rx.delivery import DataDelivery, IDataDelivery
from aiosctp.core.rx.interleaved import Interleaved
from aiosctp.core.rx.queues import ReadQueues
from aiosctp.core.rx.reassembly import Reassembly
from aiosctp.core.rx.run import Run
from aiosctp.core.rx.streams import InboundStreams
from aiosctp.core.rx.tsns import TsnTracker
from aiosctp.core.rx.window import ReceiveWindow
from aiosctp.wire.causes import Cause, ProtocolViolation
from aiosctp.wire.chunks import UserData
from aiosctp.wire.serial import tsn_distance

if TYPE_CHECKING:
    from aiosctp.core.rx.receiver import Receiver


class DeferredReset:
    """A reset of the peer's that waits for data sent before it.

    E2: "any data arriving with a TSN larger than the Sender's Last Assigned TSN for the affected stream(s) MUST be
    queued locally and held": noted as received and charged to the window, which bounds it.
    """

    __slots__ = ("_streams", "chunks", "last_tsn")

    def __init__(self, last_tsn: int, streams: Iterable[int] | None) -> None:
        self.last_tsn: int = last_tsn
        """As a whole number."""
        self._streams = None if streams is None else frozenset(streams)
        """None: all."""
        self.chunks: dict[int, UserData] = {}
        """Those held, by TSN."""

    def holds_back(self, tsn: int, stream: int) -> bool:
        return tsn > self.last_tsn and (self._streams is None or stream in self._streams)


class TsnResetAwaited:
    """We have asked for all TSNs and SSNs to begin anew, and the peer may have done it before we hear of it.

    So that no message of after is taken for one of before, only the next TSN in sequence is taken: all that was sent
    before has come when the peer begins anew, and of a stream that was used before the first message that is new shows
    by its SSN, which is past, or 0 though it is not the turn of that. Whatever is not taken comes again.

    What FORWARD TSN skips is skipped at once. Be it of before, that is all. Be it of after, all of before has come, and
    nothing of it waits; and the next message on the stream has the SSN that follows: is that the one whose turn it is,
    it is taken; else it is past. What the numbers of before have made of it is made good when the peer answers.
    """

    __slots__ = ("last_tsns", "since", "skipped")

    def __init__(self, cumulative: int) -> None:
        self.since: int = cumulative
        """The cumulative TSN when it was asked for."""
        self.last_tsns: dict[int, int] = {}
        """By stream, where the last ordered message began that was taken since. Is that of after, so is the SSN whose
        turn it is."""
        self.skipped: dict[tuple[int, bool], tuple[int, int]] = {}
        """By stream and U bit, the last message that FORWARD TSN skipped since, and where it moved the cumulative
        TSN."""


class Renewal:
    """Begins streams, or all TSNs, anew, at once or when what was sent before has come.

    Commands: `defer_reset`, then `deferred_reset_is_due`; `end_streams`, then `begin_streams_anew`; `expect_tsn_reset`,
    then `tsn_reset_refused` or `tsn_reset_done`; `begin_tsns_anew`. While something is pending the receiver asks
    `holds_back`, and gives its chunks to `hold_back` or `reassemble`.
    """

    __slots__ = (
        "_delivery",
        "_queues",
        "_reassembly",
        "_receiver",
        "_streams",
        "_tsns",
        "_window",
        "awaited",
        "deferred",
    )

    def __init__(
        self,
        receiver: Receiver,
        *,
        tsns: TsnTracker,
        window: ReceiveWindow,
        reassembly: Reassembly | Interleaved,
        streams: InboundStreams,
        queues: ReadQueues,
        delivery: DataDelivery | IDataDelivery,
    ) -> None:
        self._receiver = receiver
        self._tsns = tsns
        self._window = window
        self._reassembly = reassembly
        self._streams = streams
        self._queues = queues
        self._delivery = delivery
        self.deferred: DeferredReset | None = None
        self.awaited: TsnResetAwaited | None = None

    @property
    def is_pending(self) -> bool:
        return self.deferred is not None or self.awaited is not None

    # -- the chunks that come meanwhile --

    def holds_back(self, tsn: int, stream: int) -> bool:
        return self.deferred is not None and self.deferred.holds_back(tsn, stream)

    def hold_back(self, tsn: int, chunk: UserData) -> None:
        assert self.deferred is not None
        self.deferred.chunks[tsn] = chunk

    def reassemble(self, chunk: UserData, tsn: int) -> Run | ProtocolViolation:
        tsns = self._tsns
        following_received = tsn + 1 in tsns
        if self.deferred is not None and tsn + 1 in self.deferred.chunks:
            following_received = False  # its turn comes
        if self.awaited is not None and chunk.beginning and not chunk.unordered:
            self.awaited.last_tsns[chunk.stream] = tsn
        return self._reassembly.add(
            tsn, chunk, previous_received=tsn - 1 in tsns, following_received=following_received
        )

    def make_room(self, tsn: int) -> None:
        """For this TSN: what the reset waits for goes before what waits for the reset."""
        deferred = self.deferred
        if deferred is not None and tsn <= deferred.last_tsn:
            for held in deferred.chunks:
                self._tsns.remove(held)
            self._drop(deferred)

    def forward(self, tsn: int) -> None:
        """FORWARD TSN is about to move the cumulative TSN here: of what is held back, fragments may lack what was
        skipped. They are dropped (§6.2), and those from further on come again."""
        chunks = {} if self.deferred is None else self.deferred.chunks
        for held in [held for held, chunk in chunks.items() if not (chunk.beginning and chunk.ending)]:
            self._window.release(charge_of(len(chunks.pop(held).payload)))
            self._tsns.remove(held)

    def note_skipped(self, numbers: Mapping[tuple[int, bool], int], tsn: int) -> None:
        """FORWARD TSN skips these messages, and moves the cumulative TSN here."""
        if self.awaited is not None:
            self.awaited.skipped.update((kind, (number, tsn)) for kind, number in numbers.items())

    def is_of_after(self, chunk: UserData) -> bool:
        """Whether a chunk that is not past, the next in sequence, is of after the peer has begun anew all the same, on
        a stream of which something of before was taken."""
        if self.awaited is None or chunk.unordered or not chunk.beginning or chunk.number != 0:
            return False
        return self._streams.next_number(chunk.stream) != 0

    def abandon_deferred(self) -> None:
        """Nothing more will come."""
        if self.deferred is not None:
            self._drop(self.deferred)
            self.deferred = None

    def _drop(self, deferred: DeferredReset) -> None:
        for chunk in deferred.chunks.values():
            self._window.release(charge_of(len(chunk.payload)))
        deferred.chunks.clear()

    # -- streams --

    def defer_reset(self, last_tsn: int, streams: Collection[int] | None) -> None:
        """§5.2.2 E2: these streams, or all, begin anew after this TSN, which has not been reached."""
        number = self._tsns.cumulative + tsn_distance(self._tsns.cumulative, last_tsn)
        self.deferred = DeferredReset(number, streams)
        self._receiver.leave_short_ways()

    @property
    def deferred_reset_is_due(self) -> bool:
        """E2: "When the cumulative acknowledgment point reaches the last assigned TSN"."""
        return self.deferred is not None and self._tsns.cumulative >= self.deferred.last_tsn

    def end_streams(self, streams: Collection[int] | None) -> list[tuple[int, int]]:
        """E3: these streams, or all, are about to begin anew: all that was sent on them before has come. What is
        unfinished is of messages that the peer has given up, and no part of those that have their numbers next.
        Returns what `begin_tsns_anew` does."""
        self._receiver.leave_short_ways()
        before = self._tsns.cumulative + 1
        lost = self._receiver.drop_unfinished(None if streams is None else frozenset(streams), before)
        for stream in self._streams.known() if streams is None else streams:
            for run in self._streams.settle(stream, before):
                self._delivery.put(run)
        self._receiver.resume_short_ways()
        return lost

    def begin_streams_anew(self, streams: Collection[int] | None) -> Cause | None:
        """E3, E4: the next expected SSN of these streams, or of all, which were ended, is 0; what was held back for
        that is processed. A returned cause is for an ABORT."""
        self._receiver.leave_short_ways()
        self._reassembly.begin_anew(streams)
        for stream in self._streams.known() if streams is None else streams:
            for run in self._streams.begin_anew(stream):
                self._delivery.put(run)
            if self.awaited is not None:
                self.awaited.last_tsns.pop(stream, None)
        tsn = self._receiver.cumulative_tsn
        self._queues.mark_resets(streams, Message(b"", 0, 0, False, 0, tsn, tsn))
        cause = self._release_deferred()
        self._receiver.resume_short_ways()
        return cause

    def _release_deferred(self) -> Cause | None:
        deferred = self.deferred
        cause: Cause | None = None
        if deferred is not None:
            for tsn in sorted(deferred.chunks):
                chunk = deferred.chunks.pop(tsn)
                if self._is_past(chunk, tsn):
                    run: Run | ProtocolViolation = ProtocolViolation(b"a new TSN with an SSN that was delivered")
                else:
                    run = self.reassemble(chunk, tsn)
                violation = run if isinstance(run, ProtocolViolation) else self._delivery.advance(run)
                if violation is not None:
                    self._window.release(charge_of(len(chunk.payload)))
                    cause = violation
            self.deferred = None
        return cause

    def _is_past(self, chunk: UserData, tsn: int) -> bool:
        return not chunk.unordered and self._streams.is_past(chunk.stream, chunk.number, tsn - self._tsns.cumulative)

    # -- all TSNs --

    def expect_tsn_reset(self) -> None:
        """§5.1.4: we are about to ask for it."""
        self._receiver.leave_short_ways()
        self.awaited = TsnResetAwaited(self._tsns.cumulative)
        self._receiver.resume_short_ways()

    def tsn_reset_refused(self) -> None:
        self.awaited = None
        self._receiver.resume_short_ways()

    def tsn_reset_done(self, next_tsn: int) -> list[tuple[int, int]]:
        """§5.2.7 H5: "The peer will send DATA chunks starting with the Sender's Next TSN", and may have already.
        Returns what `begin_tsns_anew` does."""
        awaited, self.awaited = self.awaited, None
        assert awaited is not None
        first = awaited.since + 1 + tsn_distance(awaited.since + 1, next_tsn)
        if first - 1 > self._tsns.cumulative:
            return self.begin_tsns_anew(next_tsn)
        self._receiver.leave_short_ways()
        lost = self._receiver.drop_unfinished(None, first)
        for stream in self._streams.known():
            if awaited.last_tsns.get(stream, 0) < first:
                for run in (*self._streams.settle(stream, first), *self._streams.begin_anew(stream)):
                    self._delivery.put(run)
        self._reassembly.begin_anew(None)
        for kind, (number, tsn) in awaited.skipped.items():
            if tsn >= first:
                lost += self._receiver.skip_messages({kind: number}, tsn)
        self._receiver.resume_short_ways()
        return lost

    def begin_tsns_anew(self, next_tsn: int) -> list[tuple[int, int]]:
        """§5.2.4 G4, G5: as a FORWARD TSN for all streams up to this TSN (RFC 3758 §3.6), and all SSNs begin with 0.
        Returns the messages that will not be completed, as `Receiver.abort_partial_delivery`."""
        self._receiver.leave_short_ways()
        for run in self._streams.in_order():
            self._delivery.put(run)
        lost = self._receiver.abort_partial_delivery()
        self._receiver.skip_to(next_tsn)
        self._streams.expected_ssns = NO_DICT
        self._receiver.resume_short_ways()
        return lost

    @property
    def held_tsns(self) -> Collection[int]:
        """Of what is held back."""
        return () if self.deferred is None else self.deferred.chunks

    def check_invariants(self) -> int:
        """Returns what is charged for all that is held back."""
        chunks = {} if self.deferred is None else self.deferred.chunks
        assert all(tsn in self._tsns for tsn in chunks), "what is held back was received"
        return sum(charge_of(len(chunk.payload)) for chunk in chunks.values())
