"""The receiving side of one association: what becomes of a DATA or I-DATA chunk, and when it is acknowledged."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from aiosctp.config import Config
from aiosctp.core.charge import MIN_CHARGE_BYTES, charge_of
from aiosctp.core.messages import Message
from aiosctp.core.nothing import NO_LIST
from aiosctp.core.paths import Path
from aiosctp.core.rx.delivery import DataDelivery, IDataDelivery
from aiosctp.core.rx.forwarding import Forwarding
from aiosctp.core.rx.in_order import InOrder
from aiosctp.core.rx.interleaved import Interleaved
from aiosctp.core.rx.pace import SackPace
from aiosctp.core.rx.queues import ReadQueues
from aiosctp.core.rx.reassembly import Reassembly
from aiosctp.core.rx.renewal import Renewal
from aiosctp.core.rx.run import Run
from aiosctp.core.rx.streams import InboundStreams
from aiosctp.core.rx.tsns import MAX_OFFSET, TsnTracker
from aiosctp.core.rx.window import ReceiveWindow
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import SACK_DELAY, Timers
from aiosctp.wire.causes import Cause, InvalidStreamIdentifier, NoUserData, OutOfResource, ProtocolViolation
from aiosctp.wire.chunks import (
    DATA_FORMAT,
    ArrivedFragments,
    DataFields,
    DataFormat,
    UserData,
    encode_nr_sack,
    encode_sack,
)
from aiosctp.wire.serial import TSN_HALF, TSN_MASK, tsn_add, tsn_distance

# A SACK names at most this many duplicates; a peer that sends more between two SACKs is not told of the rest.
MAX_DUPLICATES: Final = 64

_SACK_BYTES: Final = 16  # without gaps and duplicates, which take 4 bytes each
_NR_SACK_BYTES: Final = 20
_MAX_CHUNK_BYTES: Final = 0xFFFF


class Receiver:
    """The receiving side of one association.

    Inputs: `take_fragments` for a run of packets, if they may go the shortest way; `take_in_order` for the DATA chunks
    of a packet, if they may go the short way; `data_received` for each that is left, and `forward_tsn_received`; then
    `packet_done` once; `handle_delay_expired`.
    Commands: `read`, `take_over`, `rejoin`, `use_streams`, `take_arrivals`, `release_stream`, `drop_inherited`,
    `abort_partial_delivery`, `inherit`, `configure`, `give_back`, `accept_streams`, and those of `renewal` (RFC 6525).
    Outputs: `may_acknowledge_early`, `build_early_sack`; `batch_ended`, then `sack_is_due`, `build_sack`; `failure`.
    Getters: `cumulative_tsn`, `has_gap`, `has_unacknowledged`, `has_message`, `peek`, `held_bytes`,
    `free_window_bytes`.
    """

    __slots__ = (
        "_config",
        "_counters",
        "_delivery",
        "_duplicate_tsns",
        "_forwarding",
        "_in_order",
        "_is_undisturbed",
        "_pace",
        "_packet_is_urgent",
        "_packets_unacknowledged",
        "_queues",
        "_reassembly",
        "_renewal",
        "_sends_nr_sacks",
        "_streams",
        "_timers",
        "_tsns",
        "_window",
        "has_unacknowledged",
        "inbound_streams",
        "last_data_at_s",
        "least_sack_bytes",
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
        format: DataFormat = DATA_FORMAT,
        sends_nr_sacks: bool = False,
    ) -> None:
        """format: what the peer's messages come in. sends_nr_sacks: NR-SACK takes the place of SACK."""
        self.inbound_streams: int = inbound_streams
        self._config = config
        self._timers = timers
        self._counters = counters
        self._tsns = TsnTracker(tsn_add(peer_initial_tsn, -1))
        self._window = ReceiveWindow(config.receive_window_bytes)
        self._streams = InboundStreams(format.number_mask)
        self._queues = ReadQueues(self._window, config.max_message_bytes)
        self._reassembly: Reassembly | Interleaved
        self._delivery: DataDelivery | IDataDelivery
        point_bytes = config.effective_partial_delivery_point_bytes
        common = self._tsns, self._window, self._streams, self._queues, counters, point_bytes
        if format.counts_fragments:
            self._reassembly = interleaved = Interleaved()
            self._delivery = IDataDelivery(interleaved, *common)
        else:
            self._reassembly = reassembly = Reassembly()
            self._delivery = DataDelivery(reassembly, *common)
        self.least_sack_bytes: int = _SACK_BYTES
        """Without gaps and duplicates."""
        self._sends_nr_sacks = sends_nr_sacks
        if sends_nr_sacks:
            self.least_sack_bytes = _NR_SACK_BYTES
            self._delivery.delivered = TsnTracker(self._tsns.cumulative)
        self._in_order = InOrder(
            tsns=self._tsns,
            window=self._window,
            streams=self._streams,
            queues=self._queues,
            counters=counters,
            inbound_streams=inbound_streams,
            partial_delivery_point_bytes=config.effective_partial_delivery_point_bytes,
            format=format,
        )
        self.sack_is_due: bool = False
        self.sack_path: Path | None = None
        """Where the last DATA came from; a SACK goes there (§6.7)."""
        self.has_unacknowledged: bool = False
        """Something came that no SACK has answered; one may be bundled with DATA (§6.1)."""
        self._is_undisturbed = True
        """Every chunk so far has come, and every message is complete and had its turn, but for what `InOrder` holds."""
        self._renewal: Renewal | None = None
        """Made when something begins anew for the first time (RFC 6525)."""
        self._forwarding: Forwarding | None = None
        """Made by the first FORWARD TSN."""
        self._duplicate_tsns: list[int] = NO_LIST
        self.last_data_at_s: float = -math.inf
        """When user data last came, or the association came up. A run of packets begins with one that goes to
        `packet_done`."""
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

    def data_received(self, chunk: UserData, path: Path, now: float) -> Cause | None:
        """Take one chunk of the format of this association. A cause returned is for an ERROR if Invalid Stream
        Identifier, else for an ABORT."""
        if not chunk.payload:
            return NoUserData(chunk.tsn)
        self.sack_path = path
        self.has_unacknowledged = True
        if chunk.immediate:
            self._packet_is_urgent = True
        if self._in_order.begun is not None:
            self._hand_over()
        cause = self._any_chunk(chunk)
        self._is_undisturbed = (
            self._reassembly.is_empty
            and not self._tsns.has_gap
            and (self._renewal is None or not self._renewal.is_pending)
        )
        return cause

    def _hand_over(self) -> None:
        self._delivery.go_on_with(self._in_order.hand_over(self._reassembly))

    def forward_tsn_received(
        self, new_cumulative_tsn: int, skipped: Iterable[tuple[int, bool, int]], path: Path | None = None
    ) -> list[tuple[int, int]]:
        """RFC 3758 §3.6: the peer has given up what has not come of the TSNs up to this one.

        skipped: stream, U bit and SSN or MID of the last message skipped on each. path: where the chunk came from.
        Returns stream and SSN of each message that will not be completed and of which the user has read a part.
        """
        # "for the purposes of sending a SACK, the receiver MUST follow the same rules as if a DATA chunk had been
        # received".
        self.has_unacknowledged = True
        if path is not None:
            self.sack_path = path
        ahead = tsn_distance(self._tsns.cumulative & TSN_MASK, new_cumulative_tsn)
        if ahead == 0 or ahead >= TSN_HALF or self._tsns.has_gap:
            # "The receiver SHOULD send a SACK ... since such a duplicate may indicate the previous SACK was lost". Of
            # one that is ahead §6.7: a gap is open, and maybe filled.
            self._packet_is_urgent = True
        if ahead == 0 or ahead >= TSN_HALF:
            # "behind or at the current cumulative TSN point, the data receiver MUST treat this FORWARD TSN as
            # out-of-date". One at the point may be a copy of before a reset of the streams it lists.
            return []
        self.leave_short_ways()
        known = [each for each in skipped if each[0] < self.inbound_streams]
        seen = self._forwards().received(self._tsns.cumulative + ahead, known, self._renewal)
        # §6.2: what was dropped has left room, of which the peer is told as when it was read.
        self._packet_is_urgent |= self._tsns.has_gap or self._window.wants_update
        self.resume_short_ways()
        return seen

    def _forwards(self) -> Forwarding:
        if self._forwarding is None:
            self._forwarding = Forwarding(
                self._tsns, self._window, self._reassembly, self._streams, self._queues, self._delivery
            )
        return self._forwarding

    def _nothing_disturbs(self) -> bool:
        is_in_order = self._reassembly.is_empty and not self._tsns.has_gap
        return is_in_order and (self._renewal is None or not self._renewal.is_pending)

    def _any_chunk(self, chunk: UserData) -> Cause | None:
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
            if self._renewal is not None and self._renewal.awaited is not None:
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

    def _new_chunk(self, chunk: UserData, tsn: int) -> Cause | None:
        tsns = self._tsns
        if not tsns.has_room_for(tsn):
            self._packet_is_urgent = True
            return None
        if chunk.stream >= self.inbound_streams:
            return self._invalid_stream(chunk, tsn)
        renewal = self._renewal
        is_held_back = renewal is not None and renewal.holds_back(tsn, chunk.stream)
        if not is_held_back and self._forwarding is not None and self._forwarding.discards(tsn, chunk):
            self._note(tsn)
            self._delivery.keep((tsn,))
            return None
        if not (chunk.unordered or is_held_back) and self._streams.is_past(
            chunk.stream, chunk.number, tsn - tsns.cumulative
        ):
            if renewal is None or renewal.awaited is None:
                return ProtocolViolation(b"a new TSN with an SSN that was delivered")
            self._packet_is_urgent = True
            return None
        if renewal is not None and not is_held_back and renewal.is_of_after(chunk):
            self._packet_is_urgent = True
            return None
        if self._window.is_closed and not self._make_room(tsn, charge_of(len(chunk.payload))):
            # §6.2: "if such a DATA chunk is dropped, the receiver MUST immediately send back a SACK chunk".
            self._packet_is_urgent = True
            self._delivery.chunk_was_dropped()
            return None
        run: Run | ProtocolViolation | None = None
        if renewal is None:
            run = self._reassembly.add(
                tsn, chunk, previous_received=tsn - 1 in tsns, following_received=tsn + 1 in tsns
            )
        elif is_held_back:
            renewal.hold_back(tsn, chunk)
        else:
            run = renewal.reassemble(chunk, tsn)
        if isinstance(run, ProtocolViolation):
            return run
        self._note(tsn)
        if chunk.unordered:
            self._counters.iuodchunks += 1
        else:
            self._counters.iodchunks += 1
        self._window.charge(charge_of(len(chunk.payload)))
        return None if run is None else self._delivery.advance(run)

    def _note(self, tsn: int) -> None:
        """§6.7: a SACK at once when a gap opens, is open, or is filled, in part or whole (RFC 5681 §4.2)."""
        had_gap = self._tsns.has_gap
        self._tsns.add(tsn)
        if had_gap or self._tsns.has_gap:
            self._packet_is_urgent = True

    def _invalid_stream(self, chunk: UserData, tsn: int) -> Cause:
        """§6.5: "acknowledge the reception ..., immediately send an ERROR chunk ..., and discard the DATA chunk"."""
        if self._reassembly.interrupts(tsn):
            return ProtocolViolation(b"the fragments of a message differ in stream, SSN or U bit")
        self._note(tsn)
        self._delivery.keep((tsn,))
        return InvalidStreamIdentifier(chunk.stream)

    def packet_done(self, now: float) -> None:
        """All chunks of a packet with DATA were taken: decide when to acknowledge (§6.2)."""
        self.last_data_at_s = now
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
        if self._renewal is not None:
            self._renewal.make_room(tsn)
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
        run = self._reassembly.run_of(tsn)
        if run.is_complete and not run.is_partial:
            self._streams.withdraw(run)
        self._window.release(self._reassembly.drop_highest(tsn))
        self._tsns.remove(tsn)

    # -- RFC 6525 --

    def accept_streams(self, inbound_streams: int) -> None:
        """§5.2.5: there are so many from now on; of a new one the next expected SSN is 0."""
        self.inbound_streams = inbound_streams
        self._in_order.accept_streams(inbound_streams)

    def has_reached(self, tsn: int) -> bool:
        """Whether the cumulative TSN is this one, or past it."""
        steps = tsn_distance(self._tsns.cumulative, tsn)
        return steps == 0 or steps >= TSN_HALF

    @property
    def renewal(self) -> Renewal:
        """What begins streams, or all TSNs, anew."""
        if self._renewal is None:
            self._renewal = Renewal(
                self,
                tsns=self._tsns,
                window=self._window,
                reassembly=self._reassembly,
                streams=self._streams,
                queues=self._queues,
                delivery=self._delivery,
            )
        return self._renewal

    def leave_short_ways(self) -> None:
        """Something is about to begin anew, or to wait for that."""
        if self._in_order.begun is not None:
            self._hand_over()
        self._is_undisturbed = self._nothing_disturbs()

    def resume_short_ways(self) -> None:
        """If nothing is in their way."""
        self._is_undisturbed = self._nothing_disturbs()

    def skip_messages(self, numbers: Mapping[tuple[int, bool], int], tsn: int) -> list[tuple[int, int]]:
        """As `forward_tsn_received`, when the cumulative TSN has moved already."""
        return self._forwards().skip(numbers, tsn)

    def drop_unfinished(self, streams: Collection[int] | None, before: int) -> list[tuple[int, int]]:
        """What began before this TSN, of these streams or of all, and is not complete, will not be. Returns what
        `forward_tsn_received` does."""
        if self._reassembly.is_empty:
            return []
        lost = self._forwards().drop_unfinished(streams, before)
        if self._window.wants_update:
            self.sack_is_due = True
        return lost

    def skip_to(self, tsn: int) -> None:
        """The next TSN is another than that in sequence."""
        self._tsns.skip_to(self._tsns.cumulative + tsn_distance(self._tsns.cumulative + 1, tsn))
        if self._sends_nr_sacks:
            self._delivery.delivered = TsnTracker(self._tsns.cumulative)
        self._duplicate_tsns = NO_LIST

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

    def drop_inherited(self, but_for: Collection[int]) -> None:
        """After `use_streams` and a restart (§5.2.4 A), before anything was read since: drop what came before it, of
        all streams but these, and free its room."""
        self._queues.drop_inherited(but_for)
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

    def rejoin(self, stream: int) -> None:
        """Undo `take_over`."""
        self._queues.rejoin(stream)

    def peek(self, stream: int | None) -> Message | None:
        """What `read` with `partial` is going to return, if no mark of a reset is before it."""
        return self._queues.peek(stream)

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
        # What was held is gone for good: no NR-SACK tells of the rest, until all TSNs have begun anew.
        self._delivery.delivered = None
        if self._renewal is not None:
            self._renewal.abandon_deferred()
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
        self._delivery.partial_delivery_point_bytes = config.effective_partial_delivery_point_bytes
        self._in_order.partial_delivery_point_bytes = config.effective_partial_delivery_point_bytes

    # -- outputs --

    def build_sack(self, room_bytes: int) -> bytes:
        """The SACK of this moment; nothing is due afterwards.

        §6.2: "MUST report as many Gap Ack Blocks as can fit"; duplicates take what room is left.
        """
        gaps: Sequence[tuple[int, int]] = ()
        nr_gaps: Sequence[tuple[int, int]] = ()
        duplicates: Sequence[int] = ()
        delivered = self._delivery.delivered
        if not self.has_plain_sack:
            room = (min(room_bytes, _MAX_CHUNK_BYTES) - self.least_sack_bytes) // 4
            if self._tsns.has_gap and delivered is None:
                gaps = self._tsns.gap_ack_blocks(room)
            elif self._tsns.has_gap and delivered is not None:
                delivered.advance_to(self._tsns.cumulative)
                gaps, nr_gaps = self._tsns.gap_ack_blocks_apart(delivered, room)
            duplicates = self._duplicate_tsns[: room - len(gaps) - len(nr_gaps)]
            self._duplicate_tsns = NO_LIST
        self._packets_unacknowledged = 0
        self.sack_is_due = False
        self.has_unacknowledged = False
        self._timers.stop(SACK_DELAY)
        self._counters.osacks += 1
        self._counters.octrlchunks += 1
        cumulative_tsn_ack, a_rwnd = self._tsns.cumulative & TSN_MASK, self._window.advertise()
        if delivered is not None:
            return encode_nr_sack(cumulative_tsn_ack, a_rwnd, gaps, nr_gaps, duplicates)
        return encode_sack(cumulative_tsn_ack, a_rwnd, gaps, duplicates)

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
    def advertised_bytes(self) -> int:
        """The a_rwnd that the peer was last told (§6.2)."""
        return self._window.advertised_bytes

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
        if self._renewal is not None:
            charged += self._renewal.check_invariants()
        assert self._window.held_bytes == charged, "what is charged is what is held"
        assert len(self._duplicate_tsns) <= MAX_DUPLICATES
        assert self._is_undisturbed == self._nothing_disturbs()
        assert self._is_undisturbed or self._in_order.begun is None, "one holds the message that is coming in"
        highest = self._reassembly.highest()
        assert highest is None or highest in self._tsns, "what is held was received"
        if self._delivery.delivered is not None:
            self._check_delivered(self._delivery.delivered)

    def _check_delivered(self, delivered: TsnTracker) -> None:
        delivered.advance_to(self._tsns.cumulative)
        delivered.check_invariants()
        gaps, nr_gaps = self._tsns.gap_ack_blocks_apart(delivered, 2 * MAX_OFFSET)
        renegable = {self._tsns.cumulative + at for start, end in gaps for at in range(start, end + 1)}
        kept = {self._tsns.cumulative + at for start, end in nr_gaps for at in range(start, end + 1)}
        held = set() if self._renewal is None else self._renewal.held_tsns
        assert all(self._reassembly.is_held(tsn) or tsn in held for tsn in renegable), "what is not held stays"
        assert not any(self._reassembly.is_held(tsn) or tsn in held for tsn in kept), "what is held may be dropped"
