"""What goes into the next packet, and on which path (§6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiosctp.config import Config
from aiosctp.core import shortcuts
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path, Paths
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import Timers
from aiosctp.core.tx.abandonment import Abandonment
from aiosctp.core.tx.burst import BurstLimit
from aiosctp.core.tx.chunk import OutstandingChunk
from aiosctp.core.tx.fragmenter import Fragmenter, with_immediate
from aiosctp.core.tx.loss import LossDetection
from aiosctp.core.tx.nagle import fills_packet, is_urgent
from aiosctp.core.tx.outstanding import Outstanding
from aiosctp.core.tx.peer_window import PeerWindow
from aiosctp.core.tx.queue import SendQueue
from aiosctp.core.tx.retransmission_timer import RetransmissionTimers
from aiosctp.core.tx.retransmissions import Retransmissions
from aiosctp.core.tx.rtt import RoundTrips
from aiosctp.core.tx.run import Run, may_run
from aiosctp.core.tx.sent_run import Parts
from aiosctp.wire.chunks import PADDING, Fragments
from aiosctp.wire.packet import HEADER_BYTES as PACKET_HEADER_BYTES
from aiosctp.wire.serial import TSN_HALF

# §6.1: "MUST NOT use a TSN that is more than 2^31 - 1 above the beginning TSN of the current send window."
MAX_TSNS_IN_WINDOW = TSN_HALF
# §7.2.1: cwnd decays once per RTO without data; it is at its floor long before this many.
MAX_IDLE_RTOS = 32


@dataclass(slots=True, kw_only=True)
class Transmission:
    """Fills packets, one opportunity at a time: from the first `path_to_send_on` to the one that returns None."""

    config: Config
    paths: Paths
    counters: AssociationCounters
    queue: SendQueue
    fragmenter: Fragmenter
    outstanding: Outstanding
    retransmissions: Retransmissions
    window: PeerWindow
    loss: LossDetection
    burst: BurstLimit
    round_trips: RoundTrips
    t3: RetransmissionTimers
    timers: Timers
    is_established: bool = False
    """Before, DATA travels only behind a COOKIE ECHO, and T1-cookie stands for T3 (§5.1 C)."""
    is_shutting_down: bool = False
    peer_takes_forward_tsn: bool = False
    """Whether partial reliability is negotiated (RFC 3758 §3.3)."""
    fast_retransmit_is_due: bool = False
    """§7.2.4, 3: one packet of what was found lost goes whatever cwnd says."""

    has_given_up: bool = False
    """A chunk was retransmitted so often that it is not again (`Config.chunk_max_retrans`)."""

    takes_short_way: bool = field(default_factory=lambda: shortcuts.are_open)

    @property
    def peer_rwnd_bytes(self) -> int:
        return self.window.room(self.outstanding.flight_charge_bytes)

    @property
    def abandonment(self) -> Abandonment | None:
        """None while there was no message with terms."""
        return None if self.queue.limits is None else Abandonment(self, self.queue.limits)

    # -- the opportunity --

    def path_to_send_on(self, now: float) -> Path | None:
        if not self.burst.is_open:
            if not self.queue and self.retransmissions.first() is None:
                # As at most opportunities: a packet came, or a timer expired, and nothing waits.
                self.fast_retransmit_is_due = False
                self.end()
                return None
            self._begin(now)
        path = self._next_path(now)
        if path is None:
            self.end()
        return path

    def _begin(self, now: float) -> None:
        if self.queue.limits is not None:
            Abandonment(self, self.queue.limits).expire(now)
        is_strict = self.loss.in_fast_recovery or self._path_for_new().idle_rtos(now) > 0
        config = self.config
        max_burst = config.fr_max_burst if self.loss.in_fast_recovery else config.max_burst
        self.burst.begin(max_burst, is_strict=is_strict)
        largest = self.paths.amdcs - self.queue.format.header_bytes
        self.fragmenter.limit(min(largest, self.window.largest_a_rwnd), self.config)

    def end(self) -> None:
        """Of the opportunity."""
        self.burst.end()
        for path in self.paths.all:
            path.is_cwnd_limited = path.flight_bytes + path.abandoned_bytes >= path.congestion.cwnd

    def _next_path(self, now: float) -> Path | None:
        """§6.1 C: "before sending new DATA chunks, the sender MUST first transmit any DATA chunks that are marked for
        retransmission (limited by the current cwnd)"."""
        marked = self.retransmissions.first() if self.retransmissions.numbers else None
        if marked is not None:
            path = self._retransmission_path(marked)
            # §7.2.4, 3: "SHOULD ignore the value of cwnd ... for this single packet".
            return path if self.fast_retransmit_is_due or _cwnd_allows(path, path.flight_bytes) else None
        self.fast_retransmit_is_due = False
        if not self.queue.queued_bytes:
            return None
        path = self._path_for_new()
        if not (_cwnd_allows_new(path) and self.burst.allows_packet):
            return None
        if self._next_payload_bytes(path.packet_bytes - PACKET_HEADER_BYTES):
            return path if self.config.nodelay or not self._is_held_back(path) else None
        if not self.outstanding and self.queue.peek() is not None:
            self.window.closed(path, self.config, now)
        return None

    def _path_for_new(self) -> Path:
        """§6.4: the primary path, "unless the SCTP user explicitly specifies the destination transport address". Until
        there is room on it, what comes behind waits too: nothing overtakes it on its stream."""
        named = self._named_path() if self.queue.names_addresses else None
        return self.paths.for_data() if named is None else named

    def _named_path(self) -> Path | None:
        """The path to the address that the next message is for, while it is ACTIVE."""
        message = self.queue.peek()
        terms = None if message is None else message[6]
        if terms is None or terms.address is None:
            return None
        path = self.paths.get(terms.address)
        return path if path is not None and path.is_active else None

    def _goes_with(self, path: Path) -> bool:
        """Whether the next message may be in a packet to this path. Behind a COOKIE ECHO, any may that names no other:
        it goes where that does."""
        if self.is_established:
            return path is self._path_for_new()
        return self._named_path() in (None, path)

    def _is_held_back(self, path: Path) -> bool:
        """RFC 6458 §8.1.5: without SCTP_NODELAY a small message waits while anything is outstanding."""
        if not self.outstanding or self.is_shutting_down:
            return False
        return not fills_packet(self.queue, path) and not is_urgent(self.queue)

    def _retransmission_path(self, chunk: OutstandingChunk) -> Path:
        """§6.4: what timed out SHOULD go to another active path, a Fast Retransmit to the same."""
        return self.paths.for_retransmission(chunk.path) if chunk.is_timed_out else chunk.path

    def _next_payload_bytes(self, room: int) -> int:
        """How much user data the next new chunk may carry in so much room, 0 if none may be sent (§6.1 A)."""
        outstanding = self.outstanding
        has_tsns = outstanding.highest - outstanding.cumulative < MAX_TSNS_IN_WINDOW
        wanted = self.fragmenter.wanted() if has_tsns else 0
        if not wanted:
            return 0
        allowed = self._window_allows(wanted)
        if not allowed and self.window.is_probe_due and not outstanding:
            allowed = wanted
        return self.fragmenter.fits(allowed, room) if allowed else 0

    def _window_allows(self, wanted: int) -> int:
        """How much of the next chunk the peer's window takes, 0 if none. RFC 6458 §8.1.11: without fragmentation a
        message that one chunk can carry is not cut for the window either."""
        allowed = self.window.largest_chunk(wanted, self.outstanding.flight_charge_bytes)
        if 0 < allowed < wanted and not self.config.fragmentation and not self.fragmenter.is_cut_anyway:
            return 0
        return allowed

    # -- the short way --

    def fill_run(self, packet: OutgoingPacket, now: float) -> list[Parts | Fragments] | None:
        """Packets with new chunks, the first of them this one; none when no chunk fits it. None: `fill` it."""
        if self.takes_short_way and may_run(self, packet.path, now):
            return Run(self, packet.path, now).fill(packet)
        return None

    def has_tsns_for(self, chunks: int) -> bool:
        return self.outstanding.highest - self.outstanding.cumulative + chunks <= MAX_TSNS_IN_WINDOW

    # -- the packet --

    def fill(self, packet: OutgoingPacket, now: float) -> bool:
        if not self.is_established:
            return self._fill_early(packet, now)
        path = packet.path
        # §6.1 B: what reached cwnd before this packet; the breach of cwnd "MUST constitute one packet only".
        takes_new = _cwnd_allows_new(path)
        flight_before = path.flight_bytes
        idle_rtos = path.idle_rtos(now)
        self._add_marked(packet, now)
        # New data follows in a packet with retransmissions only when none of these is left.
        if (
            takes_new
            and self.burst.allows_packet
            and path is self._path_for_new()
            and self.retransmissions.first() is None
        ):
            self._add_new(packet, now)
        self.queue.packet_ended()
        if path.flight_bytes == flight_before:
            return False
        # §7.2.1: "While the endpoint does not transmit data on a given transport address, the cwnd ... SHOULD be
        # adjusted ... once per RTO": made up for now that something is sent again.
        for _ in range(min(idle_rtos, MAX_IDLE_RTOS)):
            path.congestion.idle_for_one_rto()
        path.last_data_sent_at_s = now
        self.burst.packets_sent(1, path.flight_bytes - flight_before)
        self.t3.sent(path, now)
        return True

    def _fill_early(self, packet: OutgoingPacket, now: float) -> bool:
        """§5.1 C: DATA behind the COOKIE ECHO. One packet, which the first cwnd always allows."""
        path = packet.path
        if not path.is_confirmed:
            return False  # §5.4: no DATA to an UNCONFIRMED address
        self._begin(now)
        flight_before = path.flight_bytes
        self._add_marked(packet, now)
        if self.retransmissions.first() is None:
            self._add_new(packet, now)
        self.queue.packet_ended()
        self.end()
        if path.flight_bytes == flight_before:
            return False
        path.last_data_sent_at_s = now
        return True

    def _add_marked(self, packet: OutgoingPacket, now: float) -> None:
        """Retransmit, lowest TSN first (§6.10), what goes to the packet's path and fits."""
        path = packet.path
        while (chunk := self.retransmissions.first()) is not None:
            if self.is_established and self._retransmission_path(chunk) is not path:
                return
            is_alone = packet.size == PACKET_HEADER_BYTES
            if chunk.size > packet.room and not is_alone:
                return
            limit = self.config.chunk_max_retrans
            if limit is not None and chunk.retransmissions >= limit:
                self.has_given_up = True
                return
            # §6.9: a chunk larger than the path MTU by now goes alone, for IP to fragment: it fits no packet.
            chunk.retransmissions += not self._is_kept_out(chunk)
            self.outstanding.resent(chunk, path, now)
            self.round_trips.retransmitted(chunk.number)
            if self.queue.limits is not None:
                self.queue.limits.resent(chunk)
            self.counters.rtxchunks += 1
            self.fast_retransmit_is_due = False
            _add_parts(packet, chunk)
            if self.t3.is_running(path) and self.outstanding.is_earliest_on_its_path(chunk):
                # §6.1: "MUST restart the timer if the earliest ... outstanding DATA chunk ... is being retransmitted".
                self.t3.restart(path, now)

    def _is_kept_out(self, chunk: OutstandingChunk) -> bool:
        """§6.1 A: the peer's window is closed, which it may be for as long as it likes; and not for want of this chunk,
        which it would take if it held any above it (§6.2)."""
        return self.window.a_rwnd < len(chunk.payload) and not self.outstanding.gaps

    def _add_new(self, packet: OutgoingPacket, now: float) -> None:
        """§6.1 E: new chunks, as many as the packet and the peer's window take."""
        outstanding = self.outstanding
        chunk: OutstandingChunk | None = None
        room = packet.room
        queue = self.queue
        while (
            room > queue.format.header_bytes
            and (not queue.names_addresses or self._goes_with(packet.path))
            and (payload_bytes := self._next_payload_bytes(room))
        ):
            number = outstanding.highest + 1
            if payload_bytes > self.window.room(outstanding.flight_charge_bytes):
                self.window.probe_sent(number, payload_bytes)
            elif self.window.is_watched:
                self.window.opened()
            chunk = self.fragmenter.cut(payload_bytes, number, packet.path, now)
            outstanding.append(chunk)
            if queue.limits is not None:
                queue.limits.sent(chunk)
            self.round_trips.sent(number, packet.path, now)
            if chunk.is_unordered:
                self.counters.ouodchunks += 1
            else:
                self.counters.oodchunks += 1
            _add_parts(packet, chunk)
            room -= chunk.size
        if chunk is not None and self.config.sack_immediately and self._wants_sack_immediately(packet.path):
            # On the last chunk of the packet: its header stands before the payload and the padding.
            chunk.header = with_immediate(chunk.header)
            packet.chunks[-3 if len(chunk.payload) & 3 else -2] = chunk.header

    @property
    def awaits_the_last(self) -> bool:
        """Whether something waits for the last DATA to be acknowledged: the SHUTDOWN, or the reset of a stream."""
        return self.is_shutting_down or self.queue.held is not None

    def _wants_sack_immediately(self, path: Path) -> bool:
        """§6.1: "The sender is in the SHUTDOWN-PENDING state"; "The sending of a DATA chunk fills the congestion or
        receiver window"."""
        if self.awaits_the_last and not self.queue:
            return True
        return not _cwnd_allows_new(path) or not self._window_allows(self.fragmenter.wanted() or 1)


def _cwnd_allows(path: Path, in_network_bytes: int) -> bool:
    """§6.1 B; §7.2.3: after T3 "no more than one SCTP packet will be in flight ... until ... acknowledgement"."""
    if path.awaits_ack_after_timeout:
        return in_network_bytes == 0
    return in_network_bytes < path.congestion.cwnd


def _cwnd_allows_new(path: Path) -> bool:
    """What was abandoned may wait for what is to be retransmitted before it can be passed over, never the other way."""
    return _cwnd_allows(path, path.flight_bytes + path.abandoned_bytes)


def _add_parts(packet: OutgoingPacket, chunk: OutstandingChunk) -> None:
    """Header, payload, padding: joined once, with the packet."""
    payload = chunk.payload
    packet.chunks.append(chunk.header)
    packet.chunks.append(payload)
    if len(payload) & 3:
        packet.chunks.append(PADDING[len(payload) & 3])
    packet.size += chunk.size
