"""Messages abandoned: whole, and for good (RFC 3758 §3.5, §4.1; RFC 7496 §3)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiosctp.core.messages import without_data
from aiosctp.core.paths import Path
from aiosctp.core.timers import Timer
from aiosctp.core.tx.chunk import ABANDONED, ACKNOWLEDGED, IN_FLIGHT, MARKED, OutstandingChunk
from aiosctp.core.tx.limits import Limited, Limits, Policy
from aiosctp.wire.chunks import DATA_ENDING, DATA_UNORDERED, encode_data_header
from aiosctp.wire.serial import TSN_MASK

if TYPE_CHECKING:
    from aiosctp.core.tx.transmission import Transmission


class Abandonment:
    """Decides which messages are abandoned, and does it. Without a state of its own, it is made when asked for: what is
    known of the messages is in `Limits`.

    A peer that does not know FORWARD TSN takes no notice of what is abandoned: then only what was never sent may be
    (§11.1.5).
    """

    __slots__ = ("_limits", "_transmission")

    def __init__(self, transmission: Transmission, limits: Limits) -> None:
        self._transmission = transmission
        self._limits = limits

    # -- when --

    def expire(self, now: float) -> None:
        """RFC 3758 §4.1 TR3, TR4: "Before assigning a TSN", "transmitting or retransmitting", "MUST evaluate the
        lifetime": before each opportunity to send, those that are over are abandoned.

        All of what was sent may still arrive: until some of it is lost, there is nothing to decide.
        """
        limits = self._limits
        limits.forget_acknowledged(self._transmission.outstanding.cumulative)
        heap = limits.expiries.entries
        while heap:
            expires_at_s, _, limited = heap[0]
            # Nothing has to be sent of what was sent, and not lost.
            is_waiting = limits.is_live(limited) and (not limited.is_whole or limited.was_lost)
            if is_waiting and expires_at_s > now:
                self._transmission.timers.start(Timer.LIFETIME, expires_at_s)
                return
            heapq.heappop(heap)
            limited.awaits_expiry = False
            if is_waiting and self._has_to_send(limited) and self._may_abandon(limited):
                self._abandon(limited, Policy.TTL)
        self._transmission.timers.stop(Timer.LIFETIME)

    def _has_to_send(self, limited: Limited) -> bool:
        return not limited.is_whole or any(chunk.state is MARKED for chunk in limited.chunks)

    def lost(self, chunks: Iterable[OutstandingChunk]) -> None:
        """These are marked for retransmission. RFC 3758 §3.5 F5: cwnd was adjusted for their loss as for any."""
        if not self._transmission.peer_takes_forward_tsn:
            return
        for chunk in chunks:
            terms = chunk.message[6]
            limited = self._limits.live.get(terms) if terms is not None else None
            if terms is None or limited is None:
                continue
            if terms.max_retransmits is not None:
                # RFC 7496 §3.1: "MUST abandon a user message if the number of retransmissions of any of the DATA chunks
                # of the user message would exceed the provided limit".
                resent = limited.retransmissions or {}
                if resent.get(chunk.number, 0) >= terms.max_retransmits:
                    self._abandon(limited, Policy.RTX)
            elif terms.expires_at_s is not None:
                limited.was_lost = True
                self._limits.await_expiry(limited, terms.expires_at_s)

    def make_room(self, wanted_bytes: int, priority: int | None, stream: int | None) -> int:
        """Abandon messages of lower priority, which is a greater number, until so many bytes are free. A reliable
        message has None. Only of this stream, if one is named. Returns how many bytes became free.

        RFC 7496 §3.2: "User messages sent reliably are considered to have a priority higher than all messages sent with
        the Priority Policy". If it is not enough, the new message waits for the rest only.
        """
        limits, outstanding = self._limits, self._transmission.outstanding
        limits.forget_acknowledged(outstanding.cumulative)
        found = limits.priorities.get(stream)
        heap = [] if found is None else found.entries
        freed_bytes = 0
        while heap and freed_bytes < wanted_bytes:
            least, _, limited = heap[0]
            if limits.is_live(limited):
                if priority is not None and -least <= priority:
                    break
                if self._is_to_go(limited):
                    before = self._buffered_bytes
                    self._abandon(limited, Policy.PRIO)
                    freed_bytes += before - self._buffered_bytes
            # One that can't go will hardly ever be able to: it is not asked again by each message that finds no room.
            heapq.heappop(heap)
        return freed_bytes

    def _is_to_go(self, limited: Limited) -> bool:
        # What has arrived is not taken back: its room is free soon anyway.
        cumulative = self._transmission.outstanding.cumulative
        has_arrived = limited.is_whole and all(
            chunk.state is ACKNOWLEDGED or chunk.number <= cumulative for chunk in limited.chunks
        )
        return not has_arrived and self._may_abandon(limited)

    @property
    def _buffered_bytes(self) -> int:
        queue = self._transmission.queue
        return queue.queued_bytes + queue.held_bytes + self._transmission.outstanding.buffered_bytes

    def _may_abandon(self, limited: Limited) -> bool:
        return not limited.chunks or self._transmission.peer_takes_forward_tsn

    # -- how --

    def _abandon(self, limited: Limited, policy: Policy) -> None:
        """RFC 3758 §3.5 A2, A3: all of its TSNs "MUST be abandoned at the same time", and "treat[ed] as being finally
        acked and no longer outstanding"; cwnd does not grow by it."""
        transmission = self._transmission
        message, chunks = limited.message, limited.chunks
        self._limits.abandoned(limited, policy)
        if not chunks:
            transmission.counters.abandoned_unsent += 1
        else:
            transmission.counters.abandoned_sent += 1
            self._abandon_sent(chunks)
        if not limited.is_whole:
            if chunks:
                self._end_message(chunks[-1])
            transmission.queue.abandon(message, is_begun=bool(chunks))
        if chunks:
            self.advance()

    def _abandon_sent(self, chunks: list[OutstandingChunk]) -> None:
        transmission = self._transmission
        outstanding = transmission.outstanding
        paths: set[Path] = set()
        for chunk in chunks:
            if chunk.number > outstanding.cumulative:
                paths.add(chunk.path)
                if chunk.state is IN_FLIGHT:
                    # RFC 3758 §1: "the same congestion control": were there room for others at once, who goes on
                    # abandoning would send without end.
                    chunk.path.abandoned_bytes += chunk.size
                    chunk.path.abandoned_until = max(chunk.path.abandoned_until, chunk.number)
                outstanding.abandon(chunk)
        transmission.round_trips.abandoned({chunk.number for chunk in chunks})
        for path in paths:
            self._keep_t3_for_the_rest(path)

    def _keep_t3_for_the_rest(self, path: Path) -> None:
        """§6.3.2 R2, R3, when something is awaited there no more. C5: for a FORWARD TSN T3 goes on running."""
        transmission, point = self._transmission, self._limits.point
        sent_at_s: list[float] = []
        if path is point.awaited_on:
            sent_at_s.append(point.awaited_since_s)
        if path.flight_bytes:
            sent_at_s.append(transmission.outstanding.earliest_on(path).sent_at_s)
        if sent_at_s:
            transmission.t3.not_before(path, min(sent_at_s))
        else:
            transmission.t3.stop(path)

    def _end_message(self, last: OutstandingChunk) -> None:
        """The rest, which is never sent, has one TSN: a FORWARD TSN up to there ends with the message. Without, the
        peer would be left with the beginning of a message of which all that was sent is acknowledged; and with DATA,
        what follows would look like a part of it."""
        outstanding = self._transmission.outstanding
        queue = self._transmission.queue
        number = outstanding.highest + 1
        stream = last.stream
        flags = DATA_ENDING | (DATA_UNORDERED if last.is_unordered else 0)
        header = encode_data_header(queue.format, flags, 0, number & TSN_MASK, stream.number, stream.ssn, 0)
        message = without_data(last.message)
        chunk = OutstandingChunk(number, message, stream, header, b"", last.path, last.sent_at_s, is_ending=True)
        chunk.state = ABANDONED
        outstanding.append_abandoned(chunk)

    # -- what the peer is told --

    def timed_out(self, path: Path | None, marked: Iterable[OutstandingChunk]) -> None:
        """RFC 3758 §3.5 A5, after T3 on this path."""
        if path is not None:
            self._limits.point.timed_out(path)
        for each in self._transmission.paths.all if path is None else (path,):
            each.abandoned_bytes = 0
        self.lost(marked)
        self.advance()

    def advance(self) -> None:
        """RFC 3758 §3.5 C1, C2: after a SACK, after T3 (A5), and when something was abandoned."""
        transmission = self._transmission
        self._limits.point.advance(transmission.outstanding, transmission.queue.format, transmission.paths.amdcs)

    def sack_taken(self, now: float) -> Path | None:
        """RFC 3758 §3.5, after a SACK: C1 to C3, C5. Returns the path on which a FORWARD TSN was acknowledged."""
        limits, transmission = self._limits, self._transmission
        point, cumulative = limits.point, transmission.outstanding.cumulative
        limits.forget_acknowledged(cumulative)
        for each in transmission.paths.all:
            if each.abandoned_bytes and each.abandoned_until <= cumulative:
                each.abandoned_bytes = 0
        path = point.acknowledged(cumulative)
        if path is not None:
            path.awaits_ack_after_timeout = False
            if path.flight_bytes:
                transmission.t3.restart(path, now)  # §6.3.2 R3: it stood for the earliest that was outstanding
            else:
                transmission.t3.stop(path)
        self.advance()
        if point.awaited_on is not None:
            # F2, Note: "limit the number of duplicate FORWARD TSN chunks ... by ... waiting a full RTT".
            rto = point.awaited_on.rto
            if now - point.sent_at_s >= (rto.rto_s if rto.srtt_s is None else rto.srtt_s):
                point.repeat()
            transmission.t3.sent(point.awaited_on, now)  # C5
        return path

    @property
    def forward_tsn_is_due(self) -> bool:
        """Not before the handshake is done: the peer has no association yet that it could be for."""
        transmission = self._transmission
        may_be_sent = transmission.is_established and transmission.peer_takes_forward_tsn
        return may_be_sent and self._limits.point.is_due(transmission.outstanding.cumulative)

    def take_forward_tsn(self, now: float) -> tuple[Path, bytes] | None:
        """A FORWARD TSN that is due, and where it goes; T3 runs for it from now on."""
        transmission, point = self._transmission, self._limits.point
        paths, before = transmission.paths, point.awaited_on
        lost_on = point.path_to_repeat_from()
        path = paths.for_data() if lost_on is None else paths.for_retransmission(lost_on)
        if not self.forward_tsn_is_due or not path.is_confirmed:
            return None
        chunk = point.take(transmission.outstanding.cumulative, transmission.queue.format, path, now)
        if before is not None and before is not path:
            self._keep_t3_for_the_rest(before)
        transmission.t3.sent(path, now)
        return path, chunk
