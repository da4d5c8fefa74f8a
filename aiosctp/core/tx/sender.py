"""The sending side of one association: joins the queue, the chunks outstanding, the windows and the timers."""

from __future__ import annotations

from collections.abc import Sequence

from aiosctp.config import Config
from aiosctp.core import shortcuts
from aiosctp.core.extensions import Negotiated
from aiosctp.core.messages import Outgoing
from aiosctp.core.nothing import NO_LIST
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path, Paths
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import Timer, Timers
from aiosctp.core.tx.burst import BurstLimit
from aiosctp.core.tx.chunk import ABANDONED, ACKNOWLEDGED, IN_FLIGHT, OutstandingChunk
from aiosctp.core.tx.fragmenter import Fragmenter
from aiosctp.core.tx.gaps import Range, read_gap_ack_blocks, union
from aiosctp.core.tx.invariants import check_invariants
from aiosctp.core.tx.limits import Policy
from aiosctp.core.tx.loss import LossDetection
from aiosctp.core.tx.outstanding import Acknowledged, Outstanding
from aiosctp.core.tx.peer_window import PeerWindow
from aiosctp.core.tx.queue import SendQueue
from aiosctp.core.tx.retransmission_timer import RetransmissionTimers
from aiosctp.core.tx.retransmissions import Retransmissions
from aiosctp.core.tx.rtt import RoundTrips
from aiosctp.core.tx.sent_run import Parts
from aiosctp.core.tx.single import send_single
from aiosctp.core.tx.transmission import Transmission
from aiosctp.wire.causes import Cause, ProtocolViolation
from aiosctp.wire.chunks import Fragments, NrSack, Sack
from aiosctp.wire.serial import TSN_HALF, TSN_MASK, tsn_distance


class Sender:
    """The sending side of one association.

    Inputs: `sack_received`, `nr_sack_received`, `cumulative_ack`, `t3_expired`, `packets_were_too_large`,
    `zero_window_probe_due`, `handshake_timed_out`, `handshake_done`, `peer_window_advertised`. Commands: `speak`,
    `queue.append`, `configure`, `make_room`, `take_unsent`, `give_back`.
    Outputs: first `take_forward_tsn`; then, in this order until it is None, `path_to_send_on`, then `fill_run` with a
    packet for that path, and `fill` where that says None; or `send_single` in the place of all that;
    `take_acknowledged_paths`, `take_abandoned`. Getters: the rest.
    """

    __slots__ = (
        "_acknowledged_paths",
        "_burst",
        "_counters",
        "_paths",
        "_round_trips",
        "_takes_short_way",
        "_takes_single",
        "_transmission",
        "loss",
        "outstanding",
        "queue",
        "retransmissions",
        "t3",
        "window",
    )

    def __init__(
        self, *, initial_tsn: int, config: Config, paths: Paths, timers: Timers, counters: AssociationCounters
    ) -> None:
        self._paths = paths
        self._counters = counters
        self.queue: SendQueue = SendQueue(config.stream_send_buffer_bytes, config.scheduler)
        self.outstanding: Outstanding = Outstanding(initial_tsn - 1)
        self.retransmissions: Retransmissions = Retransmissions(self.outstanding)
        self.window: PeerWindow = PeerWindow(timers)
        self.loss: LossDetection = LossDetection()
        self.t3: RetransmissionTimers = RetransmissionTimers(timers)
        self._burst = BurstLimit()
        self._round_trips = RoundTrips()
        self._acknowledged_paths: tuple[Path, ...] = ()
        self._takes_short_way = shortcuts.are_open
        self._takes_single = shortcuts.are_open and config.max_segment_bytes is None
        self._transmission = Transmission(
            config=config,
            paths=paths,
            counters=counters,
            queue=self.queue,
            fragmenter=Fragmenter(self.queue, counters),
            outstanding=self.outstanding,
            retransmissions=self.retransmissions,
            window=self.window,
            loss=self.loss,
            burst=self._burst,
            round_trips=self._round_trips,
            t3=self.t3,
            timers=timers,
        )

    # -- getters --

    @property
    def cumulative_tsn_ack_point(self) -> int:
        return self.outstanding.cumulative & TSN_MASK

    @property
    def is_established(self) -> bool:
        return self._transmission.is_established

    @property
    def is_shutting_down(self) -> bool:
        """§6.1: the last DATA before a SHUTDOWN asks to be acknowledged at once."""
        return self._transmission.is_shutting_down

    @is_shutting_down.setter
    def is_shutting_down(self, value: bool) -> None:
        self._transmission.is_shutting_down = value

    @property
    def is_drained(self) -> bool:
        """Whether everything given to us has been acknowledged (§9.2)."""
        # RFC 3758: what was abandoned is outstanding until the peer has acknowledged the FORWARD TSN.
        queue, outstanding = self.queue, self.outstanding
        return not (queue.queued_bytes or outstanding.highest != outstanding.cumulative or queue.held_bytes)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is outstanding that may still be acknowledged, and nothing can be sent, unless an open record
        goes on or a reset is answered."""
        if self.is_drained:
            return True
        outstanding = self.outstanding
        if outstanding.highest != outstanding.cumulative:
            return self.is_cut_off
        return self.has_open_record and self.queue.peek() is None

    @property
    def is_cut_off(self) -> bool:
        """Whether nothing is to be sent, and what is outstanding was abandoned before the peer reported that it does
        not know FORWARD TSN (RFC 3758 §3.3.3), or is behind such: it is never acknowledged. Linear in it."""
        queue, outstanding = self.queue, self.outstanding
        if queue.limits is None or self.peer_takes_forward_tsn or queue.queued_bytes or not outstanding:
            return False
        return all(chunk.state in (ABANDONED, ACKNOWLEDGED) for chunk in outstanding)

    @property
    def has_open_record(self) -> bool:
        """Whether a message was given in part (RFC 6458 §8.1.26)."""
        return self.queue.records is not None and bool(self.queue.records.open)

    @property
    def has_to_send(self) -> bool:
        """Whether anything waits to be sent, or may wait to be sent again."""
        return self.queue.queued_bytes > 0 or bool(self.retransmissions.numbers) or self.queue.limits is not None

    @property
    def peer_rwnd_bytes(self) -> int:
        """§6.2.1: how much room the peer's window has left."""
        return self._transmission.peer_rwnd_bytes

    @property
    def queued_bytes(self) -> int:
        """User data accepted and not yet sent."""
        return self.queue.queued_bytes

    @property
    def fragmentation_point_bytes(self) -> int:
        """RFC 6458 §8.2.1: a larger message is sent in more than one chunk."""
        largest = self._paths.amdcs - self.queue.format.header_bytes
        if self._transmission.is_established:
            largest = min(largest, self.window.largest_a_rwnd)
        most = self._transmission.config.max_segment_bytes
        return largest if most is None else min(largest, most)

    @property
    def outstanding_bytes(self) -> int:
        """User data sent and not yet acknowledged for good."""
        return self.outstanding.buffered_bytes

    @property
    def buffered_bytes(self) -> int:
        """User data accepted and not yet acknowledged for good: what the send buffer holds."""
        return self.queue.queued_bytes + self.queue.held_bytes + self.outstanding.buffered_bytes

    def stream_buffered_bytes(self, stream: int) -> int:
        """User data accepted for a stream and not yet acknowledged for good."""
        found = self.queue.find_stream(stream)
        return 0 if found is None else found.buffered_bytes

    @property
    def unacknowledged_chunks(self) -> int:
        """DATA chunks sent that no Cumulative TSN Ack covers."""
        return len(self.outstanding)

    @property
    def pending_messages(self) -> int:
        """Messages not yet sent whole."""
        return self.queue.messages

    @property
    def in_fast_recovery(self) -> bool:
        return self.loss.in_fast_recovery

    @property
    def peer_takes_forward_tsn(self) -> bool:
        """Whether what was sent may be abandoned (RFC 3758 §3.3)."""
        return self._transmission.peer_takes_forward_tsn

    @property
    def has_given_up(self) -> bool:
        """Whether a chunk was retransmitted as often as `Config.chunk_max_retrans` allows, and is lost again."""
        return self._transmission.has_given_up

    def check_invariants(self) -> None:
        """For tests and simulations: raises AssertionError where the bookkeeping does not add up."""
        check_invariants(self, self._paths)

    # -- commands --

    def speak(self, negotiated: Negotiated) -> None:
        """What both sides have announced. Nothing has been sent in another format."""
        self.queue.use_format(negotiated.data_format)
        self._transmission.peer_takes_forward_tsn = negotiated.partial_reliability

    def stop_forward_tsn(self) -> None:
        """RFC 3758 §3.3.3: "MUST NOT transmit a FORWARD TSN chunk at any time during the life of the association", as
        the peer does not know it after all. What was abandoned stays so."""
        self._transmission.peer_takes_forward_tsn = False
        if self.queue.limits is not None:
            for path in self._paths:
                path.abandoned_bytes = 0
            awaited_on = self.queue.limits.point.stop()
            if awaited_on is not None:
                self.t3.stop_where_idle((awaited_on,))

    def configure(self, config: Config) -> None:
        self.queue.set_scheduler(config.scheduler)
        if config.stream_send_buffer_bytes != self.queue.stream_mark_bytes:
            self.queue.set_stream_mark(config.stream_send_buffer_bytes)
        self._takes_single = self._takes_short_way and config.max_segment_bytes is None
        self._transmission.config = config

    def take_above(self, streams: int) -> list[tuple[Outgoing, bool]]:
        """The handshake has left so many streams: what waits on others, each message once, for SendFailed."""
        return [(message, False) for message in self.queue.take_above(streams)]

    def take_unsent(self) -> list[tuple[Outgoing, bool]]:
        """Everything not acknowledged, each message once, and whether any of it was sent, for SendFailed; the sender is
        empty afterwards."""
        paths = {chunk.path for chunk in self.outstanding}
        begun = self.queue.begun
        sent = self.outstanding.take_all()
        waiting = self.queue.take_all()[len(begun) :]
        known = set(map(id, sent))
        # Of the others that were begun all that was sent is acknowledged.
        sent += [message for message in begun if id(message) not in known]
        limits = self.queue.limits
        if limits is not None:
            if limits.point.awaited_on is not None:
                paths.add(limits.point.awaited_on)
            limits.clear()
            for path in self._paths:
                path.abandoned_bytes = 0
            self._transmission.timers.stop(Timer.LIFETIME)
        self.t3.stop_where_idle(paths)
        self.retransmissions.clear()
        self._round_trips.forget()
        self.window.opened()
        return [(message, True) for message in sent] + [(message, False) for message in waiting]

    # -- partial reliability (RFC 3758, RFC 7496) --

    def abandon_expired(self, now: float) -> None:
        """What waits, and whose lifetime is over. Each opportunity to send begins with that; where there is none,
        Timer.LIFETIME is set."""
        abandonment = self._transmission.abandonment
        if abandonment is not None:
            abandonment.expire(now)

    def make_room(self, wanted_bytes: int, priority: int | None, stream: int | None = None) -> int:
        """Abandon messages of lower priority than a new one has, until so many bytes are free: of the association's
        buffer, or of this stream's. None is the priority of a message that is not sent with that policy. Returns how
        many became free."""
        abandonment = self._transmission.abandonment
        return 0 if abandonment is None else abandonment.make_room(wanted_bytes, priority, stream)

    def take_abandoned(self) -> list[tuple[Outgoing, bool]]:
        """The messages abandoned since the last call, each once, and whether any of it was sent, for SendFailed."""
        return [] if self.queue.limits is None else self.queue.limits.take_reports()

    @property
    def abandoned_by_stream(self) -> dict[int, tuple[int, int]]:
        """Of each stream with any, `abandoned_counts`."""
        by_stream: dict[int, tuple[int, int]] = {}
        for (stream, _), counts in self.queue.limits.counts.items() if self.queue.limits is not None else ():
            unsent, sent = by_stream.get(stream, (0, 0))
            by_stream[stream] = unsent + counts[0], sent + counts[1]
        return by_stream

    def abandoned_counts(self, stream: int | None = None, policy: Policy | None = None) -> tuple[int, int]:
        """RFC 7496 §4.3, §4.4: how many messages were abandoned unsent, and sent: of a stream, or of all; by a policy,
        or by all."""
        unsent = sent = 0
        for (of_stream, by), counts in self.queue.limits.counts.items() if self.queue.limits is not None else ():
            if stream in (None, of_stream) and policy in (None, by):
                unsent += counts[0]
                sent += counts[1]
        return unsent, sent

    def take_forward_tsn(self, now: float) -> tuple[Path, bytes] | None:
        """A FORWARD TSN, or I-FORWARD-TSN, if one is due, and the path it goes to."""
        abandonment = self._transmission.abandonment
        if abandonment is None or not abandonment.forward_tsn_is_due:
            return None
        return abandonment.take_forward_tsn(now)

    def inherit(self, predecessor: Sender) -> None:
        """Of the one before a restart, which has been emptied: what our user set for streams, what was counted, and
        which records were lost."""
        self.queue.values = predecessor.queue.values
        self.queue.limits = predecessor.queue.limits
        self.queue.records = predecessor.queue.records

    # -- what RFC 6525 asks of it --

    @property
    def next_tsn(self) -> int:
        """What the next new chunk will have."""
        return self.outstanding.highest + 1 & TSN_MASK

    @property
    def is_silent(self) -> bool:
        """Whether no message is begun, and nothing is outstanding."""
        return not (self.outstanding or self.queue.is_begun)

    def begin_anew(self, next_tsn: int) -> None:
        """RFC 6525 §5.2.4 G5, §5.2.7 H5: all SSNs begin with 0, the TSNs with this one. It is silent."""
        if next_tsn != self.next_tsn:
            self.outstanding.skip_to(next_tsn)
        self.queue.begin_ssns_anew()

    # -- sending --

    def path_to_send_on(self, now: float) -> Path | None:
        """The path the next packet with DATA goes to, or None when nothing can be sent now."""
        return self._transmission.path_to_send_on(now)

    def fill(self, packet: OutgoingPacket, now: float) -> bool:
        """Add the DATA chunks that fit; whether there were any. The packet is for the path `path_to_send_on` named, or
        is one that leads with a COOKIE ECHO."""
        return self._transmission.fill(packet, now)

    def fill_run(self, packet: OutgoingPacket, now: float) -> list[Parts | Fragments] | None:
        """The chunks of many packets at once: of this one, as with `fill`, and of those that follow it; none when this
        one takes none. None when `fill` has to do it."""
        return self._transmission.fill_run(packet, now)

    def send_single(self, path: Path, room: int, now: float) -> OutstandingChunk | None:
        """In the place of all that: the one chunk there is to send, if it fits so much room of a packet for this path,
        and nothing is out of the ordinary."""
        return send_single(self._transmission, path, room, now) if self._takes_single else None

    # -- acknowledgement --

    def sack_received(self, sack: Sack, now: float) -> Cause | None:
        """§6.2.1. A returned cause is for an ABORT."""
        self._counters.isacks += 1
        self._counters.gapcnt += len(sack.gap_ack_blocks)
        return self._acknowledged(sack.cumulative_tsn_ack, sack, now)

    def nr_sack_received(self, sack: NrSack, now: float) -> Cause | None:
        """As a SACK; what it says is not renegable holds no room here any more, and is never sent again
        (draft-natarajan-tsvwg-sctp-nrsack)."""
        self._counters.isacks += 1
        self._counters.gapcnt += len(sack.gap_ack_blocks) + len(sack.nr_gap_ack_blocks)
        return self._acknowledged(sack.cumulative_tsn_ack, sack, now, sack.nr_gap_ack_blocks)

    def cumulative_ack(self, tsn: int, now: float) -> Cause | None:
        """§9.2: a SHUTDOWN acknowledges as the Cumulative TSN Ack of a SACK does; gaps and window stay as they are."""
        return self._acknowledged(tsn, None, now)

    def _acknowledged(
        self, tsn: int, sack: Sack | NrSack | None, now: float, final_blocks: Sequence[tuple[int, int]] = ()
    ) -> Cause | None:
        outstanding = self.outstanding
        if (
            outstanding.highest - outstanding.cumulative == 1
            and sack
            and not final_blocks
            and self._single_acknowledged(sack, now)
        ):
            return None
        steps = tsn_distance(outstanding.cumulative, tsn)
        if steps >= TSN_HALF:
            return None  # §6.2.1 D i: out of order
        cumulative = outstanding.cumulative + steps
        if sack is None:
            # As in a SACK, the TSN after the Cumulative TSN Ack is missing, and so no gap may begin with it.
            gaps = [gap for gap in outstanding.gaps if gap[0] > cumulative + 1]
        else:
            gaps = read_gap_ack_blocks(sack.gap_ack_blocks, cumulative) if sack.gap_ack_blocks else []
        final: list[Range] = NO_LIST
        if final_blocks:
            final = read_gap_ack_blocks(final_blocks, cumulative)
            gaps = union(gaps, final)
        if (gaps[-1][1] if gaps else cumulative) > outstanding.highest:
            if outstanding.is_before_skip(tsn):
                return None
            # §12.4: "MUST abort the association if it receives a SACK chunk acknowledging a TSN that has not been
            # sent".
            return ProtocolViolation(b"acknowledged a TSN that was never sent")
        if final or outstanding.final:
            acked = outstanding.acknowledge_finally(cumulative, gaps, final)
            cumulative = outstanding.cumulative
        else:
            acked = outstanding.acknowledge(cumulative, gaps)
        # §6.2.1 D ii: a_rwnd, less what is in flight. A SHUTDOWN names none: what it acknowledges fills the old one.
        self.window.advertised(max(0, self.window.a_rwnd - acked.charge_bytes) if sack is None else sack.a_rwnd)
        self.window.acknowledged(cumulative)
        self._round_trips.measure(outstanding, now)
        # §7.2.4, Note: the cwnd is adjusted for what was acknowledged before it is for what was lost.
        self._adjust_cwnd(acked)
        self.loss.advanced(cumulative)
        losses = self.loss.sack_taken(outstanding, acked)
        if losses.lost:
            self._fast_retransmit(losses.lost)
        self.t3.sack_taken(acked, losses, now)
        if self.queue.limits is not None:
            self._look_at_abandoned(losses.lost, now)
        return None

    def _look_at_abandoned(self, lost: Sequence[OutstandingChunk], now: float) -> None:
        """RFC 3758 §3.5 A4: after "the normal procedures"."""
        abandonment = self._transmission.abandonment
        assert abandonment is not None
        abandonment.lost(lost)
        path = abandonment.sack_taken(now)
        if path is not None and path not in self._acknowledged_paths:
            # The peer has answered there as it answers DATA (§8.1, §8.2).
            self._acknowledged_paths += (path,)

    def _single_acknowledged(self, sack: Sack | NrSack, now: float) -> bool:
        """The short way, as for the one message of `send_single`: what all the rules come to when one chunk was
        outstanding, and is not any more. False, and nothing has changed, when they have to be gone through."""
        if not self._takes_short_way or sack.gap_ack_blocks or self.loss.in_fast_recovery:
            return False
        chunk = self.outstanding.acknowledge_single(sack.cumulative_tsn_ack)
        if chunk is None:
            return False
        path = chunk.path
        self.window.advertised(sack.a_rwnd)
        self.window.acknowledged(chunk.number)
        self._round_trips.measure_single(path, now)
        self._grow_cwnd(path, chunk.size, in_fast_recovery=False, all_acknowledged=True)
        self.t3.stop(path)  # R2
        return True

    def _adjust_cwnd(self, acked: Acknowledged) -> None:
        """§7.2.1: "it SHOULD update its cwnd (or cwnds) apportioned to the destination addresses to which it
        transmitted the acknowledged data"."""
        in_fast_recovery = self.loss.in_fast_recovery
        all_acknowledged = not self.outstanding.buffered_bytes
        for path, acked_bytes in acked.bytes_by_path.items():
            self._grow_cwnd(path, acked_bytes, in_fast_recovery=in_fast_recovery, all_acknowledged=all_acknowledged)

    def _grow_cwnd(self, path: Path, acked_bytes: int, *, in_fast_recovery: bool, all_acknowledged: bool) -> None:
        path.awaits_ack_after_timeout = False
        if path not in self._acknowledged_paths:
            self._acknowledged_paths += (path,)
        congestion = path.congestion
        before = congestion.cwnd
        congestion.acknowledged(
            acked_bytes,
            is_cwnd_limited=path.is_cwnd_limited,
            in_fast_recovery=in_fast_recovery,
            all_acknowledged=all_acknowledged,
        )
        self._burst.acknowledged(acked_bytes + congestion.cwnd - before)

    def _fast_retransmit(self, lost: Sequence[OutstandingChunk]) -> None:
        """§7.2.4, 1 to 6."""
        for chunk in lost:
            chunk.is_timed_out = False
            self.retransmissions.mark(chunk)
        if self.loss.in_fast_recovery:
            return
        for path in {chunk.path for chunk in lost}:
            path.congestion.loss_detected()
        self._transmission.fast_retransmit_is_due = True
        self.loss.enter_fast_recovery(self.outstanding.highest)

    def give_back(self) -> None:
        """Let go of what is empty."""
        if not self.outstanding:
            self.outstanding.give_back()
            self._round_trips.give_back()

    def take_acknowledged_paths(self) -> tuple[Path, ...]:
        """The paths on which something was newly acknowledged since the last call, in that order (§8.1, §8.2)."""
        paths, self._acknowledged_paths = self._acknowledged_paths, ()
        return paths

    # -- timers --

    def t3_expired(self, path: Path, now: float) -> bool:
        """§6.3.3. Returns whether it counts as an error; a zero window probe that SACKs answer does not (§6.1 A)."""
        counts = not self.window.is_probing()
        if counts:
            # E1. §6.1 A: "Zero window probing does not affect the calculation of cwnd."
            path.congestion.timed_out()
        path.rto.back_off()  # E2
        path.awaits_ack_after_timeout = True
        # Slow start (§7.2.3) and Fast Recovery, in which cwnd does not grow, exclude each other: the later event wins.
        self.loss.leave_fast_recovery()
        self._transmission.fast_retransmit_is_due = False
        self._mark_timed_out(path)
        return counts

    def _mark_timed_out(self, path: Path | None) -> None:
        """E3: the first packet of it is retransmitted at once, the rest "as soon as cwnd allows"."""
        self.outstanding.single_out(self.outstanding.highest)
        marked: list[OutstandingChunk] = []
        for chunk in self.outstanding:
            if chunk.state is not ACKNOWLEDGED and (path is None or chunk.path is path):
                chunk.is_timed_out = True
                if chunk.state is IN_FLIGHT:
                    self.outstanding.mark(chunk)
                    marked.append(chunk)
        self.retransmissions.rebuild()
        abandonment = self._transmission.abandonment
        if abandonment is not None:
            abandonment.timed_out(path, marked)

    def packets_were_too_large(self, path: Path) -> None:
        """RFC 8899 §4.3: what is in flight there is lost for its size. It goes again at once, in smaller packets or, as
        chunks that can't be cut any more, fragmented by IP (§6.9)."""
        self._mark_timed_out(path)
        self.t3.stop(path)

    def zero_window_probe_due(self) -> None:
        """§6.1 A: the window has stayed closed for as long as we wait."""
        self.window.is_probe_due = True

    # -- the handshake --

    def peer_window_advertised(self, a_rwnd: int) -> None:
        """§6.2.1 A: the INIT or INIT ACK told it."""
        self.window.advertised(a_rwnd)

    def handshake_timed_out(self) -> None:
        """The COOKIE ECHO was not answered: what travelled with it goes with the next one."""
        self._mark_timed_out(None)

    def handshake_done(self, *, peer_rwnd_bytes: int, now: float) -> None:
        """ESTABLISHED: the peer's window is known, and T3 may run for what the COOKIE ECHO carried."""
        self.window.advertised(peer_rwnd_bytes)
        self._transmission.is_established = True
        for chunk in self.outstanding:
            if chunk.state is IN_FLIGHT:
                self.t3.sent(chunk.path, now)
