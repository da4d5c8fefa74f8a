"""The receiving side of one association: what becomes of a DATA chunk, and when it is acknowledged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from aiosctp.config import Config
from aiosctp.core.charge import MIN_CHARGE_BYTES, charge_of
from aiosctp.core.messages import Message
from aiosctp.core.nothing import NO_DICT, NO_LIST
from aiosctp.core.paths import Path
from aiosctp.core.rx.deferral import DeferredReset, TsnResetAwaited
from aiosctp.core.rx.in_order import InOrder
from aiosctp.core.rx.pace import SackPace
from aiosctp.core.rx.queues import ReadQueues
from aiosctp.core.rx.reassembly import Reassembly, Run
from aiosctp.core.rx.streams import InboundStreams
from aiosctp.core.rx.tsns import MAX_OFFSET, TsnTracker
from aiosctp.core.rx.window import ReceiveWindow
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import SACK_DELAY, Timers
from aiosctp.wire.causes import Cause, InvalidStreamIdentifier, NoUserData, OutOfResource, ProtocolViolation
from aiosctp.wire.chunks import ArrivedFragments, Data, DataFields, encode_sack
from aiosctp.wire.serial import TSN_HALF, TSN_MASK, tsn_add, tsn_distance

# A SACK names at most this many duplicates; a peer that sends more between two SACKs is not told of the rest.
MAX_DUPLICATES: Final = 64

_SACK_BYTES: Final = 16  # without gaps and duplicates, which take 4 bytes each
_MAX_CHUNK_BYTES: Final = 0xFFFF


class Receiver:
    """The receiving side of one association.

    Inputs: `take_fragments` for a run of packets, if they may go the shortest way; `take_in_order` for the DATA chunks
    of a packet, if they may go the short way; `data_received` for each that is left; then `packet_done` once;
    `handle_delay_expired`.
    Commands: `read`, `take_over`, `use_streams`, `take_arrivals`, `release_stream`, `abort_partial_delivery`,
    `inherit`, `configure`, `give_back`, and those of RFC 6525.
    Outputs: `may_acknowledge_early`, `build_early_sack`; `batch_ended`, then `sack_is_due`, `build_sack`; `failure`.
    Getters: `cumulative_tsn`, `has_gap`, `has_unacknowledged`, `has_message`, `held_bytes`, `free_window_bytes`.
    """

    __slots__ = (
        "_awaited",
        "_config",
        "_counters",
        "_deferred",
        "_duplicate_tsns",
        "_in_order",
        "_is_undisturbed",
        "_pace",
        "_packet_is_urgent",
        "_packets_unacknowledged",
        "_queues",
        "_reassembly",
        "_streams",
        "_timers",
        "_tsns",
        "_window",
        "has_unacknowledged",
        "inbound_streams",
        "sack_is_due",
        "sack_path",
    )

    def __init__(
        self,
        *,
        peer_initial_tsn: int,
        inbound_streams: int,
        config: Config,
        timers: Timers,
        counters: AssociationCounters,
    ) -> None:
        self.inbound_streams = inbound_streams
        self._config = config
        self._timers = timers
        self._counters = counters
        self._tsns = TsnTracker(tsn_add(peer_initial_tsn, -1))
        self._window = ReceiveWindow(config.receive_window_bytes)
        self._reassembly = Reassembly()
        self._streams = InboundStreams()
        self._queues = ReadQueues(self._window, config.max_message_bytes)
        self._in_order = InOrder(
            tsns=self._tsns,
            window=self._window,
            streams=self._streams,
            queues=self._queues,
            counters=counters,
            inbound_streams=inbound_streams,
            partial_delivery_point_bytes=config.effective_partial_delivery_point_bytes,
        )
        self.sack_is_due = False
        self.sack_path: Path | None = None
        """Where the last DATA came from; a SACK goes there (§6.7)."""
        self.has_unacknowledged = False
        """Something came that no SACK has answered; one may be bundled with DATA (§6.1)."""
        self._is_undisturbed = True
        """Every chunk so far has come, and every message is complete and had its turn, but for what `InOrder` holds."""
        self._deferred: DeferredReset | None = None
        self._awaited: TsnResetAwaited | None = None
        self._duplicate_tsns: list[int] = NO_LIST
        self._packets_unacknowledged = 0
        self._pace = SackPace()
        self._packet_is_urgent = True
        """The packet being taken is to be answered at once. §5.1: "After the reception of the first DATA chunk in an
        association, the endpoint MUST immediately respond with a SACK chunk"."""

    # -- inputs --

    def take_in_order(self, chunks: Sequence[DataFields], path: Path) -> int:
        """The short way for the DATA chunks of a packet: how many of them, from the first on, it took. What is left is
        for `data_received`."""
        if not self._is_undisturbed:
            return 0
        in_order = self._in_order
        taken = in_order.take(chunks)
        if taken:
            self.sack_path = path
            self.has_unacknowledged = True
            if in_order.sack_was_asked_for:
                in_order.sack_was_asked_for = False
                self._packet_is_urgent = True
        return taken

    def take_fragments(self, fragments: ArrivedFragments, start: int, path: Path) -> tuple[int, Sequence[DataFields]]:
        """The short way for a run of packets with fragments, once a SACK is owed that waits for the end of the batch.

        How many packets, from the one at `start` on, it took, and the chunks of the last of them that it did not.
        """
        in_order, payload_bytes = self._in_order, fragments.payload_bytes
        count = 0
        left: Sequence[DataFields] = ()
        if payload_bytes <= 0 or not self.sack_is_due or self.may_acknowledge_early:
            return count, left
        while (begun := in_order.begun) is not None and not left:
            most, tsn = in_order.most_fragments(payload_bytes), self._tsns.cumulative + 1 & TSN_MASK
            payloads = fragments.take(start + count * fragments.packet_bytes, begun, tsn, most)
            if payloads:
                in_order.take_fragments(payloads)
                count += len(payloads)
            # At the border of two messages there is a packet with an end and a beginning.
            chunks = fragments.chunks(start + count * fragments.packet_bytes)
            if chunks is None:
                break
            left = chunks[in_order.take(chunks) :]
            count += 1
        if count:
            self.sack_path = path
            self.has_unacknowledged = True
            # As it is by now, for the SACK that is owed.
            in_order.sack_was_asked_for = False
            self._packets_unacknowledged += count - bool(left)
            self._pace.packets += count - bool(left)
        return count, left

    def data_received(self, chunk: Data, path: Path, now: float) -> Cause | None:
        """Take one DATA chunk. A cause returned is for an ERROR if Invalid Stream Identifier, else for an ABORT."""
        if not chunk.payload:
            return NoUserData(chunk.tsn)
        self.sack_path = path
        self.has_unacknowledged = True
        if chunk.immediate:
            self._packet_is_urgent = True
        if self._in_order.begun is not None:
            self._in_order.hand_over(self._reassembly)
        cause = self._any_chunk(chunk)
        self._is_undisturbed = (
            self._reassembly.is_empty and not self._tsns.has_gap and self._deferred is None and self._awaited is None
        )
        return cause

    def _nothing_disturbs(self) -> bool:
        is_in_order = self._reassembly.is_empty and not self._tsns.has_gap
        return is_in_order and self._deferred is None and self._awaited is None

    def _any_chunk(self, chunk: Data) -> Cause | None:
        tsns = self._tsns
        ahead = (chunk.tsn - tsns.cumulative) & TSN_MASK
        if ahead == 0 or ahead >= TSN_HALF:
            self._duplicate(chunk.tsn)
            return None
        tsn = tsns.cumulative + ahead
        if ahead <= MAX_OFFSET and tsn in tsns:
            self._duplicate(chunk.tsn)
            return None
        if ahead > 1:
            self._counters.outseqtsns += 1
            if self._awaited is not None:
                self._packet_is_urgent = True
                return None
        return self._new_chunk(chunk, tsn)

    def _duplicate(self, tsn: int) -> None:
        """§6.2: "MUST immediately send a SACK chunk"; "SHOULD be reported in the SACK chunk as duplicate"."""
        self._packet_is_urgent = True
        self._counters.idupchunks += 1
        if len(self._duplicate_tsns) < MAX_DUPLICATES:
            if self._duplicate_tsns is NO_LIST:
                self._duplicate_tsns = []
            self._duplicate_tsns.append(tsn)

    def _new_chunk(self, chunk: Data, tsn: int) -> Cause | None:
        tsns = self._tsns
        if not tsns.has_room_for(tsn):
            self._packet_is_urgent = True
            return None
        if chunk.stream >= self.inbound_streams:
            return self._invalid_stream(chunk, tsn)
        deferred = self._deferred
        is_held_back = deferred is not None and deferred.holds_back(tsn, chunk.stream)
        if not (chunk.unordered or is_held_back) and self._streams.is_past(
            chunk.stream, chunk.ssn, tsn - tsns.cumulative
        ):
            if self._awaited is None:
                return ProtocolViolation(b"a new TSN with an SSN that was delivered")
            self._packet_is_urgent = True
            return None
        if self._window.is_closed and not self._make_room(tsn, charge_of(len(chunk.payload))):
            # §6.2: "if such a DATA chunk is dropped, the receiver MUST immediately send back a SACK chunk".
            self._packet_is_urgent = True
            self._deliver_unfinished()
            return None
        run: Run | ProtocolViolation | None = None
        if deferred is not None and is_held_back:
            deferred.chunks[tsn] = chunk
        elif deferred is None and self._awaited is None:
            run = self._reassembly.add(
                tsn, chunk, previous_received=tsn - 1 in tsns, following_received=tsn + 1 in tsns
            )
        else:
            run = self._reassemble(chunk, tsn)
        if isinstance(run, ProtocolViolation):
            return run
        self._note(tsn)
        if chunk.unordered:
            self._counters.iuodchunks += 1
        else:
            self._counters.iodchunks += 1
        self._window.charge(charge_of(len(chunk.payload)))
        return None if run is None else self._advance(run)

    def _is_past(self, chunk: Data, tsn: int) -> bool:
        return not chunk.unordered and self._streams.is_past(chunk.stream, chunk.ssn, tsn - self._tsns.cumulative)

    def _reassemble(self, chunk: Data, tsn: int) -> Run | ProtocolViolation:
        tsns = self._tsns
        following_received = tsn + 1 in tsns
        if self._deferred is not None and tsn + 1 in self._deferred.chunks:
            following_received = False  # its turn comes
        if self._awaited is not None and chunk.beginning and not chunk.unordered and chunk.ssn == 0:
            self._awaited.first_tsns.setdefault(chunk.stream, tsn)
        return self._reassembly.add(
            tsn, chunk, previous_received=tsn - 1 in tsns, following_received=following_received
        )

    def _note(self, tsn: int) -> None:
        """§6.7: a SACK at once when a gap opens, is open, or is filled, in part or whole (RFC 5681 §4.2)."""
        had_gap = self._tsns.has_gap
        self._tsns.add(tsn)
        if had_gap or self._tsns.has_gap:
            self._packet_is_urgent = True

    def _invalid_stream(self, chunk: Data, tsn: int) -> Cause:
        """§6.5: "acknowledge the reception ..., immediately send an ERROR chunk ..., and discard the DATA chunk"."""
        if self._reassembly.interrupts(tsn):
            return ProtocolViolation(b"the fragments of a message differ in stream, SSN or U bit")
        self._note(tsn)
        return InvalidStreamIdentifier(chunk.stream)

    def packet_done(self, now: float) -> None:
        """All chunks of a packet with DATA were taken: decide when to acknowledge (§6.2)."""
        self._packets_unacknowledged += 1
        self._pace.packets += 1
        if self._packet_is_urgent or self._packets_unacknowledged >= self._config.sack_frequency:
            self._packet_is_urgent = False
            self.sack_is_due = True
        else:
            self._timers.start_unless_running(SACK_DELAY, now + self._config.sack_delay_s)

    def handle_delay_expired(self) -> None:
        """§6.2: SACK.Delay has passed."""
        self.sack_is_due = True

    # -- from chunks to messages --

    def _advance(self, run: Run) -> ProtocolViolation | None:
        """Deliver what this run makes deliverable."""
        if run.is_partial:
            self._deliver_parts(run)
        elif run.is_complete:
            ready = self._streams.completed(run)
            if ready is None:
                return ProtocolViolation(b"two messages of a stream have one SSN")
            for each in ready:
                self._put(each)
        self._deliver_unfinished()
        return None

    def _deliver_parts(self, run: Run) -> None:
        self._put(run)
        if run.ended:
            for each in self._streams.parts_ended(run):
                self._put(each)

    def _deliver_unfinished(self) -> None:
        """RFC 6458 §8.1.21: begin to deliver a message in parts when this much of it has come; or, §6.9: when "the data
        receiver runs out of buffer space while still waiting for more fragments".

        Only the message that the next TSN in sequence belongs to: all before it has come, so it can't be that what it
        keeps waiting (`InboundStreams`) fills the window, and the window its last fragments.
        """
        run = self._reassembly.in_progress_at(self._tsns.cumulative)
        if run is None or run.is_partial:
            return
        is_large = run.held_bytes >= self._config.effective_partial_delivery_point_bytes
        if (is_large or self._window.is_nearly_closed) and self._streams.is_turn_of(run):
            self._streams.parts_begin(run)
            self._deliver_parts(run)

    def _put(self, run: Run) -> None:
        """Hand over what is held of a run: the message, or the next part of it."""
        charged = run.charged_bytes
        data = self._reassembly.take(run)
        # One object is left of many: the overhead of the others is free again.
        self._window.release(charged - charge_of(len(data)))
        first_tsn = run.first & TSN_MASK
        self._queues.put(
            Message(data, run.stream, run.ppid, run.unordered, run.ssn, first_tsn, self.cumulative_tsn, run.ended)
        )

    def _make_room(self, tsn: int, charge_bytes: int) -> bool:
        """The window is closed: whether this chunk is taken all the same.

        §6.2: one above the highest TSN received MUST be dropped. For one below, the next in sequence among them, "the
        receiver SHOULD drop the largest TSN held for reordering and accept the new": never one that the cumulative TSN
        covers, for the peer will not send that again, nor one that was delivered. If none can be dropped it is taken
        on credit, for one chunk: what holds the window is waiting for the user, and opens it when read.
        """
        tsns, window = self._tsns, self._window
        if tsn > tsns.highest:
            return False
        if self._deferred is not None and tsn <= self._deferred.last_tsn:
            self._renege_on_deferred(self._deferred)
        while window.free_bytes < charge_bytes:
            highest = self._reassembly.highest()
            # What is above this chunk is above the cumulative TSN too.
            if highest is None or highest < tsn:
                break
            self._renege(highest)
        return not window.is_overdrawn

    def _renege(self, tsn: int) -> None:
        """§6.2: "In either case, if such a DATA chunk is dropped, the receiver MUST immediately send back a SACK":
        the gap that would have called for it may be gone with what was dropped."""
        self._packet_is_urgent = True
        run = self._reassembly.run_ending_at(tsn)
        if run.is_complete and not run.is_partial:
            self._streams.withdraw(run)
        self._window.release(self._reassembly.drop_highest(tsn))
        self._tsns.remove(tsn)

    def _renege_on_deferred(self, deferred: DeferredReset) -> None:
        """What the reset waits for goes before what waits for the reset."""
        for tsn, chunk in deferred.chunks.items():
            self._window.release(charge_of(len(chunk.payload)))
            self._tsns.remove(tsn)
        deferred.chunks.clear()

    # -- RFC 6525 --

    def accept_streams(self, inbound_streams: int) -> None:
        """§5.2.5: there are so many from now on; of a new one the next expected SSN is 0."""
        self.inbound_streams = inbound_streams
        self._in_order.accept_streams(inbound_streams)

    def has_reached(self, tsn: int) -> bool:
        """Whether the cumulative TSN is this one, or past it."""
        steps = tsn_distance(self._tsns.cumulative, tsn)
        return steps == 0 or steps >= TSN_HALF

    def defer_reset(self, last_tsn: int, streams: Collection[int] | None) -> None:
        """§5.2.2 E2: these streams, or all, begin anew after this TSN, which has not been reached."""
        number = self._tsns.cumulative + tsn_distance(self._tsns.cumulative, last_tsn)
        self._deferred = DeferredReset(number, streams)
        self._leave_short_ways()

    @property
    def deferred_reset_is_due(self) -> bool:
        """E2: "When the cumulative acknowledgment point reaches the last assigned TSN"."""
        return self._deferred is not None and self._tsns.cumulative >= self._deferred.last_tsn

    def begin_streams_anew(self, streams: Collection[int] | None) -> Cause | None:
        """E3, E4: the next expected SSN of these streams, or of all, is 0; what was held back for that is processed. A
        returned cause is for an ABORT."""
        self._leave_short_ways()
        for stream in self._streams.known() if streams is None else streams:
            for run in self._streams.begin_anew(stream):
                self._put(run)
            if self._awaited is not None:
                self._awaited.first_tsns.pop(stream, None)
        tsn = self.cumulative_tsn
        self._queues.mark_resets(streams, Message(b"", 0, 0, False, 0, tsn, tsn))
        cause = self._release_deferred()
        self._is_undisturbed = self._nothing_disturbs()
        return cause

    def _release_deferred(self) -> Cause | None:
        deferred = self._deferred
        cause: Cause | None = None
        if deferred is not None:
            for tsn in sorted(deferred.chunks):
                chunk = deferred.chunks.pop(tsn)
                if self._is_past(chunk, tsn):
                    run: Run | ProtocolViolation = ProtocolViolation(b"a new TSN with an SSN that was delivered")
                else:
                    run = self._reassemble(chunk, tsn)
                violation = run if isinstance(run, ProtocolViolation) else self._advance(run)
                if violation is not None:
                    self._window.release(charge_of(len(chunk.payload)))
                    cause = violation
            self._deferred = None
        return cause

    def expect_tsn_reset(self) -> None:
        """§5.1.4: we are about to ask for it."""
        self._leave_short_ways()
        self._awaited = TsnResetAwaited(self._tsns.cumulative)
        self._is_undisturbed = False

    def tsn_reset_refused(self) -> None:
        self._awaited = None
        self._is_undisturbed = self._nothing_disturbs()

    def tsn_reset_done(self, next_tsn: int) -> list[tuple[int, int]]:
        """§5.2.7 H5: "The peer will send DATA chunks starting with the Sender's Next TSN", and may have already.
        Returns what `begin_tsns_anew` does."""
        awaited, self._awaited = self._awaited, None
        assert awaited is not None
        first = awaited.since + 1 + tsn_distance(awaited.since + 1, next_tsn)
        if first - 1 > self._tsns.cumulative:
            return self.begin_tsns_anew(next_tsn)
        self._leave_short_ways()
        for stream in self._streams.known():
            if awaited.first_tsns.get(stream, 0) < first:
                for run in self._streams.begin_anew(stream):
                    self._put(run)
        self._is_undisturbed = self._nothing_disturbs()
        return []

    def begin_tsns_anew(self, next_tsn: int) -> list[tuple[int, int]]:
        """§5.2.4 G4, G5: as a FORWARD TSN for all streams up to this TSN (RFC 3758 §3.6), and all SSNs begin with 0.
        Returns the messages that will not be completed, as `abort_partial_delivery`."""
        self._leave_short_ways()
        for run in self._streams.in_order():
            self._put(run)
        lost = self.abort_partial_delivery()
        self._tsns.skip_to(self._tsns.cumulative + tsn_distance(self._tsns.cumulative + 1, next_tsn))
        self._streams.expected_ssns = NO_DICT
        self._duplicate_tsns = NO_LIST
        self._is_undisturbed = self._nothing_disturbs()
        return lost

    def _leave_short_ways(self) -> None:
        if self._in_order.begun is not None:
            self._in_order.hand_over(self._reassembly)
        self._is_undisturbed = self._nothing_disturbs()

    # -- commands --

    def use_streams(self) -> None:
        """From now on each stream that has something gets a queue of its own, with what is queued for it."""
        self._queues.use_streams()

    def take_arrivals(self) -> list[int]:
        """After `use_streams`: the streams in whose queue something was put since the last call."""
        return self._queues.take_arrivals()

    def release_stream(self, stream: int) -> None:
        """Nobody reads the stream any more: what is queued for it is dropped, and its room is free."""
        self._queues.release_stream(stream)
        if self._window.wants_update:
            self.sack_is_due = True

    def read(self, stream: int | None = None, partial: bool = False) -> Message | None:
        """The next message, or None. With a stream: of one that was taken over; without: of all others.

        With `partial`, the parts of a message that is delivered before it is complete come as they are. Without, they
        are collected outside the window until it is; so this may return None although `has_message` was true. A
        message beyond `Config.max_message_bytes` can't be: then `failure` is set.
        Reading may make a SACK due, for the window (§6.2).
        """
        queues, window = self._queues, self._window
        whole = None if queues.has_parts else queues.by_stream.get(stream)
        if whole:
            # As `ReadQueues.read`, without the calls: every message is read here.
            taken = whole.popleft()
            size = len(taken[0])
            window.held_bytes -= size if size > MIN_CHARGE_BYTES else MIN_CHARGE_BYTES
            message: Message | None = taken
        else:
            message = queues.read(stream, partial)
        if not self.sack_is_due and (window.held_bytes <= window.update_at_bytes or queues.has_overflowed):
            self.sack_is_due = True
        return message

    def take_over(self, stream: int) -> None:
        """Give a stream a queue of its own; what is queued for it moves there."""
        self._queues.take_over(stream)

    def count_marks(self, stream: int) -> int:
        """How many marks of resets are among what is queued for a stream that was taken over."""
        return self._queues.count_marks(stream)

    def skip_mark(self, stream: int) -> None:
        """Drop the mark of a reset, if it is the next to read: nothing has come since the one before."""
        self._queues.skip_mark(stream)

    def give_back(self) -> None:
        """Let go of what is empty."""
        self._queues.give_back()
        self._reassembly.give_back()

    def abort_partial_delivery(self) -> list[tuple[int, int]]:
        """Nothing more will come. Returns stream and SSN of each unfinished message of which the user has read a part
        (RFC 6458 §6.1.7). What is complete stays readable; whatever else is held is let go of."""
        seen = [
            (run.stream, run.ssn)
            for run in self._streams.abandon()
            if self._queues.abandon(run.stream, run.first & TSN_MASK)
        ]
        self._window.release(self._reassembly.clear() + self._in_order.clear())
        deferred, self._deferred = self._deferred, None
        for chunk in deferred.chunks.values() if deferred is not None else ():
            self._window.release(charge_of(len(chunk.payload)))
        self._is_undisturbed = self._nothing_disturbs()
        return seen

    def inherit(self, previous: Receiver) -> None:
        """After a restart (§5.2.4 A): what is complete and unread of the association before stays readable.
        `previous` has aborted its partial deliveries and is used no more."""
        self._queues.inherit(previous._queues)

    def configure(self, config: Config) -> None:
        """Parameters changed while the association lives. A smaller window takes effect as it empties, and of a larger
        one the peer is told."""
        self._config = config
        self._window.resize(config.receive_window_bytes)
        if self._window.wants_update:
            self.sack_is_due = True
        self._queues.max_message_bytes = config.max_message_bytes
        self._in_order.partial_delivery_point_bytes = config.effective_partial_delivery_point_bytes

    # -- outputs --

    def build_sack(self, room_bytes: int) -> bytes:
        """The SACK of this moment; nothing is due afterwards.

        §6.2: "MUST report as many Gap Ack Blocks as can fit"; duplicates take what room is left.
        """
        gaps: Sequence[tuple[int, int]] = ()
        duplicates: Sequence[int] = ()
        if not self.has_plain_sack:
            room = (min(room_bytes, _MAX_CHUNK_BYTES) - _SACK_BYTES) // 4
            gaps = self._tsns.gap_ack_blocks(room) if self._tsns.has_gap else ()
            duplicates = self._duplicate_tsns[: room - len(gaps)]
            self._duplicate_tsns = NO_LIST
        self._packets_unacknowledged = 0
        self.sack_is_due = False
        self.has_unacknowledged = False
        self._timers.stop(SACK_DELAY)
        self._counters.osacks += 1
        self._counters.octrlchunks += 1
        return encode_sack(self._tsns.cumulative & TSN_MASK, self._window.advertise(), gaps, duplicates)

    @property
    def has_plain_sack(self) -> bool:
        """Whether the next SACK has neither gaps nor duplicates."""
        return not self._duplicate_tsns and (self._is_undisturbed or not self._tsns.has_gap)

    @property
    def may_acknowledge_early(self) -> bool:
        """Whether a SACK that is due is sent before the next packet of the batch is taken. §6.7: with a gap open there
        is one for each packet: the peer counts them (§7.2.4)."""
        return self._pace.allows_another or (not self._is_undisturbed and self._tsns.has_gap)

    def build_early_sack(self, room_bytes: int) -> bytes:
        """`build_sack` in the midst of a batch."""
        self._pace.sack_was_early()
        return self.build_sack(room_bytes)

    def batch_ended(self) -> None:
        """What has come since this was last called came together; its last SACK is built after this."""
        self._pace.batch_ended(has_gap=not self._is_undisturbed and self._tsns.has_gap)

    @property
    def failure(self) -> Cause | None:
        """Why the association is to be aborted: a message that a reader wants whole is larger than
        `Config.max_message_bytes` (§3.3.10.4)."""
        return OutOfResource() if self._queues.has_overflowed else None

    # -- getters --

    @property
    def cumulative_tsn(self) -> int:
        return self._tsns.cumulative & TSN_MASK

    @property
    def has_gap(self) -> bool:
        return self._tsns.has_gap

    def has_message(self, stream: int | None = None) -> bool:
        """Whether `read` has something to work on."""
        return self._queues.has_message(stream)

    @property
    def pending_messages(self) -> int:
        """Messages, and parts of them, that wait to be read (RFC 6458 §8.2.1, `sstat_penddata`)."""
        return self._queues.message_count

    @property
    def held_bytes(self) -> int:
        """What is charged to the window."""
        return self._window.held_bytes

    @property
    def free_window_bytes(self) -> int:
        return max(0, self._window.free_bytes)

    def check_invariants(self) -> None:
        """For tests and simulation: linear in what is held."""
        self._tsns.check_invariants()
        self._streams.check_invariants()
        self._queues.check_invariants()
        self._in_order.check_invariants()
        self._window.check_invariants()
        charged = self._reassembly.check_invariants() + self._in_order.charged_bytes + self._queues.charged_bytes
        for tsn, chunk in self._deferred.chunks.items() if self._deferred is not None else ():
            assert tsn in self._tsns, "what is held back was received"
            charged += charge_of(len(chunk.payload))
        assert self._window.held_bytes == charged, "what is charged is what is held"
        assert len(self._duplicate_tsns) <= MAX_DUPLICATES
        assert self._is_undisturbed == self._nothing_disturbs()
        assert self._is_undisturbed or self._in_order.begun is None, "one holds the message that is coming in"
        highest = self._reassembly.highest()
        assert highest is None or highest in self._tsns, "what is held was received"
