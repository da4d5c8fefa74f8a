"""The sending side of one association: joins the queue, the chunks outstanding, the windows and the timers."""

from __future__ import annotations

from collections.abc import Sequence

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path, Paths
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import Timers
from aiosctp.core.tx.burst import BurstLimit
from aiosctp.core.tx.fragmenter import HEADER_BYTES, Fragmenter, with_immediate
from aiosctp.core.tx.gaps import Range, read_gap_ack_blocks
from aiosctp.core.tx.invariants import check_invariants
from aiosctp.core.tx.loss import LossDetection
from aiosctp.core.tx.outstanding import ACKNOWLEDGED, IN_FLIGHT, Acknowledged, Outstanding, OutstandingChunk, clip
from aiosctp.core.tx.peer_window import PeerWindow
from aiosctp.core.tx.queue import SendQueue
from aiosctp.core.tx.retransmission_timer import RetransmissionTimers
from aiosctp.core.tx.retransmissions import Retransmissions
from aiosctp.core.tx.rtt import RoundTrips
from aiosctp.wire.causes import Cause, ProtocolViolation
from aiosctp.wire.chunks import PADDING, Sack
from aiosctp.wire.packet import HEADER_BYTES as PACKET_HEADER_BYTES
from aiosctp.wire.serial import TSN_HALF, TSN_MASK, tsn_distance

# §6.1: "MUST NOT use a TSN that is more than 2^31 - 1 above the beginning TSN of the current send window."
MAX_TSNS_IN_WINDOW = TSN_HALF
# §7.2.1: cwnd decays once per RTO without data; it is at its floor long before this many.
_MAX_IDLE_RTOS = 32


class Sender:
    """The sending side of one association.

    Inputs: `sack_received`, `cumulative_ack`, `t3_expired`, `zero_window_probe_due`, `handshake_timed_out`,
    `handshake_done`, `peer_window_advertised`. Commands: `enqueue`, `configure`, `take_unsent`. Outputs, in this order
    until it is None: `path_to_send_on`, then `fill` with a packet for that path; `take_acknowledged_paths`. Getters:
    the rest.
    """

    def __init__(
        self, *, initial_tsn: int, config: Config, paths: Paths, timers: Timers, counters: AssociationCounters
    ) -> None:
        self._config = config
        self._paths = paths
        self._counters = counters
        self.is_shutting_down = False
        """§6.1: the last DATA before a SHUTDOWN asks to be acknowledged at once."""
        self.queue = SendQueue()
        self.outstanding = Outstanding(initial_tsn - 1)
        self.retransmissions = Retransmissions(self.outstanding)
        self.window = PeerWindow(timers)
        self.loss = LossDetection()
        self.t3 = RetransmissionTimers(timers)
        self._fragmenter = Fragmenter(self.queue)
        self._burst = BurstLimit()
        self._round_trips = RoundTrips()
        self.is_established = False
        """Before, DATA travels only behind a COOKIE ECHO, and T1-cookie stands for T3 (§5.1 C)."""
        self._fast_retransmit_is_due = False
        self._acknowledged_paths: set[Path] = set()

    # -- getters --

    @property
    def cumulative_tsn_ack_point(self) -> int:
        return self.outstanding.cumulative & TSN_MASK

    @property
    def is_drained(self) -> bool:
        """Whether everything given to us has been acknowledged (§9.2)."""
        return not self.queue and not self.outstanding

    @property
    def peer_rwnd_bytes(self) -> int:
        """§6.2.1: how much more user data the peer has room for."""
        return self.window.room(self.outstanding.flight_payload_bytes)

    @property
    def queued_bytes(self) -> int:
        """User data accepted and not yet sent."""
        return self.queue.queued_bytes

    @property
    def outstanding_bytes(self) -> int:
        """User data sent and not yet acknowledged for good."""
        return self.outstanding.buffered_bytes

    @property
    def buffered_bytes(self) -> int:
        """User data accepted and not yet acknowledged for good: what the send buffer holds."""
        return self.queue.queued_bytes + self.outstanding.buffered_bytes

    def stream_queued_bytes(self, stream: int) -> int:
        """User data accepted for a stream and not yet sent."""
        found = self.queue.find_stream(stream)
        return 0 if found is None else found.queued_bytes

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

    def check_invariants(self) -> None:
        """For tests and simulations: raises AssertionError where the bookkeeping does not add up."""
        check_invariants(self, self._paths)

    # -- commands --

    def enqueue(self, message: OutgoingMessage) -> None:
        self.queue.append(message)

    def configure(self, config: Config) -> None:
        self._config = config

    def take_unsent(self) -> list[OutgoingMessage]:
        """Everything not acknowledged, each message once, for SendFailed; the sender is empty afterwards."""
        paths = {chunk.path for chunk in self.outstanding}
        messages = self.outstanding.take_all()
        waiting = self.queue.take_all()
        if messages and waiting and waiting[0] is messages[-1]:
            del waiting[0]  # the one that was begun
        self.t3.stop_where_idle(paths)
        self.retransmissions.clear()
        self._round_trips.forget()
        self.window.opened()
        return messages + waiting

    # -- sending --

    def path_to_send_on(self, now: float) -> Path | None:
        """The path the next packet with DATA goes to, or None when nothing can be sent now."""
        if not self._burst.is_open:
            self._begin_opportunity(now)
        path = self._next_path(now)
        if path is None:
            self._end_opportunity()
        return path

    def _begin_opportunity(self, now: float) -> None:
        path = self._paths.for_data()
        was_idle = self._decay_if_idle(path, now)
        self._burst.begin(self._config.max_burst, is_strict=was_idle or self.loss.in_fast_recovery)
        self._fragmenter.chunk_payload_bytes = min(self._paths.amdcs - HEADER_BYTES, self.window.largest_a_rwnd)

    def _end_opportunity(self) -> None:
        self._burst.end()
        for path in self._paths:
            path.is_cwnd_limited = path.flight_bytes >= path.congestion.cwnd

    def _decay_if_idle(self, path: Path, now: float) -> bool:
        """§7.2.1: "While the endpoint does not transmit data on a given transport address, the cwnd ... SHOULD be
        adjusted ... once per RTO": made up for when there is something to send again."""
        idle_s = now - path.last_data_sent_at_s
        if idle_s < path.rto.rto_s or path.flight_bytes or idle_s == float("inf") or not self.queue:
            return False
        for _ in range(min(int(idle_s / path.rto.rto_s), _MAX_IDLE_RTOS)):
            path.congestion.idle_for_one_rto()
        path.last_data_sent_at_s = now
        return True

    def _next_path(self, now: float) -> Path | None:
        """§6.1 C: "before sending new DATA chunks, the sender MUST first transmit any DATA chunks that are marked for
        retransmission (limited by the current cwnd)"."""
        marked = self.retransmissions.first()
        if marked is not None:
            path = self._retransmission_path(marked)
            # §7.2.4, 3: "SHOULD ignore the value of cwnd ... for this single packet".
            return path if self._fast_retransmit_is_due or _cwnd_allows(path) else None
        if not self.queue:
            return None
        path = self._paths.for_data()
        if not (_cwnd_allows(path) and self._burst.allows_packet):
            return None
        if self._next_payload_bytes(path.packet_bytes - PACKET_HEADER_BYTES, is_fresh=True):
            return path
        if not self.outstanding:
            self.window.closed(path, self._config, now)
        return None

    def _retransmission_path(self, chunk: OutstandingChunk) -> Path:
        """§6.4: what timed out SHOULD go to another active path, a Fast Retransmit to the same."""
        return self._paths.for_retransmission(chunk.path) if chunk.is_timed_out else chunk.path

    def _next_payload_bytes(self, room: int, *, is_fresh: bool) -> int:
        """How much user data the next new chunk may carry in so much room, 0 if none may be sent (§6.1 A)."""
        wanted = 0 if len(self.outstanding) >= MAX_TSNS_IN_WINDOW else self._fragmenter.wanted()
        if not wanted:
            return 0
        allowed = self.window.largest_chunk(wanted, self.peer_rwnd_bytes)
        if not allowed and self.window.is_probe_due and not self.outstanding:
            allowed = wanted
        return self._fragmenter.fits(allowed, room, is_fresh=is_fresh) if allowed else 0

    def fill(self, packet: OutgoingPacket, now: float) -> bool:
        """Add the DATA chunks that fit; whether there were any. The packet is for the path `path_to_send_on` named, or
        is one that leads with a COOKIE ECHO."""
        path = packet.path
        if not self.is_established:
            if not path.is_confirmed:
                return False  # §5.4: no DATA to an UNCONFIRMED address
            self._begin_opportunity(now)
        # §6.1 B: what reached cwnd before this packet; the breach of cwnd "MUST constitute one packet only".
        takes_new = _cwnd_allows(path)
        flight_before = path.flight_bytes
        self._add_marked(packet, now)
        if takes_new and self._takes_new(path):
            self._add_new(packet, now)
        if path.flight_bytes == flight_before:
            return False
        path.last_data_sent_at_s = now
        self._burst.packet_sent(path.flight_bytes - flight_before)
        if self.is_established:
            self.t3.sent(path, now)
        else:
            self._end_opportunity()
        return True

    def _takes_new(self, path: Path) -> bool:
        """New data follows in a packet with retransmissions only when none of these is left, on the path for it."""
        if self.retransmissions.first() is not None:
            return False
        return not self.is_established or (path is self._paths.for_data() and self._burst.allows_packet)

    def _add_marked(self, packet: OutgoingPacket, now: float) -> None:
        """Retransmit, lowest TSN first (§6.10), what goes to the packet's path and fits."""
        path = packet.path
        while (chunk := self.retransmissions.first()) is not None:
            if self.is_established and self._retransmission_path(chunk) is not path:
                return
            is_alone = packet.size == PACKET_HEADER_BYTES
            if chunk.size > packet.room and not is_alone:
                return
            # §6.9: a chunk larger than the path MTU by now goes alone, for IP to fragment: it fits no packet.
            self.outstanding.resent(chunk, path)
            self._round_trips.retransmitted(chunk.number)
            self._counters.rtxchunks += 1
            self._fast_retransmit_is_due = False
            _add_parts(packet, chunk)
            if self.t3.is_running(path) and self.outstanding.earliest_on(path) is chunk:
                # §6.1: "MUST restart the timer if the earliest ... outstanding DATA chunk ... is being retransmitted".
                self.t3.restart(path, now)

    def _add_new(self, packet: OutgoingPacket, now: float) -> None:
        """§6.1 E: new chunks, as many as the packet and the peer's window take."""
        chunk: OutstandingChunk | None = None
        while payload_bytes := self._next_payload_bytes(packet.room, is_fresh=packet.size == PACKET_HEADER_BYTES):
            if payload_bytes > self.peer_rwnd_bytes:
                self.window.probe_sent(self.outstanding.highest + 1)
            elif self.window.is_probing_active:
                self.window.opened()
            chunk = self._fragmenter.cut(payload_bytes, self.outstanding.highest + 1, packet.path, now)
            self.outstanding.append(chunk)
            self._round_trips.sent(chunk)
            if chunk.message.unordered:
                self._counters.ouodchunks += 1
            else:
                self._counters.oodchunks += 1
            _add_parts(packet, chunk)
        if chunk is not None and self._wants_sack_immediately(packet.path):
            self._set_i_bit(packet, chunk)

    def _wants_sack_immediately(self, path: Path) -> bool:
        """§6.1: "The sender is in the SHUTDOWN-PENDING state"; "The sending of a DATA chunk fills the congestion or
        receiver window"."""
        if not self.queue and self.is_shutting_down:
            return True
        wanted = self._fragmenter.wanted() or 1
        return not _cwnd_allows(path) or not self.window.largest_chunk(wanted, self.peer_rwnd_bytes)

    def _set_i_bit(self, packet: OutgoingPacket, chunk: OutstandingChunk) -> None:
        """On the last chunk of the packet: the header stands before the payload and its padding."""
        index = -3 if len(chunk.payload) & 3 else -2
        packet.chunks[index] = chunk.header = with_immediate(chunk.header)

    # -- acknowledgement --

    def sack_received(self, sack: Sack, now: float) -> Cause | None:
        """§6.2.1. A returned cause is for an ABORT."""
        self._counters.isacks += 1
        self._counters.gapcnt += len(sack.gap_ack_blocks)
        return self._acknowledged(sack.cumulative_tsn_ack, sack, now)

    def cumulative_ack(self, tsn: int, now: float) -> Cause | None:
        """§9.2: a SHUTDOWN acknowledges as the Cumulative TSN Ack of a SACK does; gaps and window stay as they are."""
        return self._acknowledged(tsn, None, now)

    def _acknowledged(self, tsn: int, sack: Sack | None, now: float) -> Cause | None:
        steps = tsn_distance(self.cumulative_tsn_ack_point, tsn)
        if steps >= TSN_HALF:
            return None  # §6.2.1 D i: out of order
        if steps > len(self.outstanding):
            return ProtocolViolation(b"acknowledged a TSN that was never sent")
        cumulative = self.outstanding.cumulative + steps
        if sack is None:
            gaps: list[Range] = clip(self.outstanding.gaps, cumulative + 1)
        else:
            gaps = read_gap_ack_blocks(sack.gap_ack_blocks, cumulative, self.outstanding.highest)
        acked = self.outstanding.acknowledge(cumulative, gaps)
        # §6.2.1 D ii: a_rwnd, less what is in flight. A SHUTDOWN names none: what it acknowledges fills the old one.
        self.window.advertised(max(0, self.window.a_rwnd - acked.payload_bytes) if sack is None else sack.a_rwnd)
        self.window.acknowledged(cumulative)
        self._round_trips.measure(now)
        # §7.2.4, Note: the cwnd is adjusted for what was acknowledged before it is for what was lost.
        self._adjust_cwnd(acked)
        self.loss.advanced(cumulative)
        losses = self.loss.sack_taken(self.outstanding, acked)
        if losses.lost:
            self._fast_retransmit(losses.lost)
        self.t3.sack_taken(acked, losses, now)
        return None

    def _adjust_cwnd(self, acked: Acknowledged) -> None:
        """§7.2.1: "it SHOULD update its cwnd (or cwnds) apportioned to the destination addresses to which it
        transmitted the acknowledged data"."""
        for path, acked_bytes in acked.bytes_by_path.items():
            path.awaits_ack_after_timeout = False
            self._acknowledged_paths.add(path)
            self._burst.acknowledged(acked_bytes)
            path.congestion.acknowledged(
                acked_bytes,
                is_cwnd_limited=path.is_cwnd_limited,
                in_fast_recovery=self.loss.in_fast_recovery,
                all_acknowledged=not self.outstanding,
            )

    def _fast_retransmit(self, lost: Sequence[OutstandingChunk]) -> None:
        """§7.2.4, 1 to 6."""
        for chunk in lost:
            chunk.is_timed_out = False
            self.retransmissions.mark(chunk)
        if self.loss.in_fast_recovery:
            return
        for path in {chunk.path for chunk in lost}:
            path.congestion.loss_detected()
        self._fast_retransmit_is_due = True
        self.loss.enter_fast_recovery(self.outstanding.highest)

    def take_acknowledged_paths(self) -> set[Path]:
        """The paths on which something was newly acknowledged since the last call (§8.1, §8.2)."""
        paths, self._acknowledged_paths = self._acknowledged_paths, set()
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
        self._fast_retransmit_is_due = False
        self._mark_timed_out(path)
        return counts

    def _mark_timed_out(self, path: Path | None) -> None:
        """E3: the first packet of it is retransmitted at once, the rest "as soon as cwnd allows"."""
        for chunk in self.outstanding:
            if chunk.state is not ACKNOWLEDGED and (path is None or chunk.path is path):
                chunk.is_timed_out = True
                if chunk.state is IN_FLIGHT:
                    self.outstanding.mark(chunk)
        self.retransmissions.rebuild()

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
        self.is_established = True
        for chunk in self.outstanding:
            if chunk.state is IN_FLIGHT:
                self.t3.sent(chunk.path, now)


def _cwnd_allows(path: Path) -> bool:
    """§6.1 B; §7.2.3: after T3 "no more than one SCTP packet will be in flight ... until ... acknowledgement"."""
    if path.awaits_ack_after_timeout:
        return path.flight_bytes == 0
    return path.flight_bytes < path.congestion.cwnd


def _add_parts(packet: OutgoingPacket, chunk: OutstandingChunk) -> None:
    """Header, payload, padding: joined once, with the packet."""
    payload = chunk.payload
    packet.chunks.append(chunk.header)
    packet.chunks.append(payload)
    if len(payload) & 3:
        packet.chunks.append(PADDING[len(payload) & 3])
    packet.size += chunk.size
