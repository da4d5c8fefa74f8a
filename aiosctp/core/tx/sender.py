"""What the association asks of the sending side. A thin first version: one chunk a message, T3 only."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path, Paths
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import Timer, Timers
from aiosctp.wire.causes import Cause, ProtocolViolation
from aiosctp.wire.chunks import DATA_BEGINNING, DATA_ENDING, DATA_UNORDERED, PADDING, Sack, encode_data_header
from aiosctp.wire.serial import ssn_add, tsn_add, tsn_after


@dataclass(slots=True, eq=False)
class OutstandingChunk:
    """One DATA chunk on its way."""

    tsn: int
    encoded: bytes
    message: OutgoingMessage
    path: Path
    sent_at_s: float
    is_marked: bool = False
    was_retransmitted: bool = False


class Sender:
    """The sending side of one association.

    Inputs: `sack_received`, `t3_expired`. Commands: `enqueue`. Outputs: `path_to_send_on`, `fill`. Getters: the rest.
    """

    def __init__(
        self, *, initial_tsn: int, config: Config, paths: Paths, timers: Timers, counters: AssociationCounters
    ) -> None:
        self._config = config
        self._paths = paths
        self._timers = timers
        self._counters = counters
        self._next_tsn = initial_tsn
        self.cumulative_tsn_ack_point = tsn_add(initial_tsn, -1)
        self.peer_rwnd_bytes = 0
        self.is_shutting_down = False
        """§6.1: the last DATA before a SHUTDOWN asks to be acknowledged at once."""
        self._queue: deque[OutgoingMessage] = deque()
        self._outstanding: deque[OutstandingChunk] = deque()
        self._next_ssn: dict[int, int] = {}
        self._acknowledged_paths: set[Path] = set()

    @property
    def is_drained(self) -> bool:
        """Whether everything given to us has been acknowledged (§9.2)."""
        return not self._queue and not self._outstanding

    def enqueue(self, message: OutgoingMessage) -> None:
        self._queue.append(message)

    def path_to_send_on(self, now: float) -> Path | None:
        """The path the next packet with DATA goes to, or None when nothing can be sent now."""
        if any(chunk.is_marked for chunk in self._outstanding) or self._queue:
            return self._paths.for_data()
        return None

    def fill(self, packet: OutgoingPacket, now: float) -> bool:
        """Add the DATA chunks that fit; whether there were any."""
        before = packet.size
        for chunk in self._outstanding:
            if chunk.is_marked and len(chunk.encoded) <= packet.room:
                chunk.is_marked = False
                chunk.was_retransmitted = True
                self._send(chunk, packet, now)
        while self._queue and 16 + len(self._queue[0].data) + 3 <= packet.room:
            self._send(self._cut(self._queue.popleft(), packet.path, now), packet, now)
        return packet.size > before

    def _cut(self, message: OutgoingMessage, path: Path, now: float) -> OutstandingChunk:
        flags = DATA_BEGINNING | DATA_ENDING
        if message.unordered:
            flags |= DATA_UNORDERED
        else:
            message.ssn = self._next_ssn.get(message.stream, 0)
            self._next_ssn[message.stream] = ssn_add(message.ssn, 1)
        length = len(message.data)
        header = encode_data_header(flags, length, self._next_tsn, message.stream, message.ssn, message.ppid)
        chunk = OutstandingChunk(self._next_tsn, header + message.data + PADDING[length & 3], message, path, now)
        self._next_tsn = tsn_add(self._next_tsn, 1)
        self._outstanding.append(chunk)
        return chunk

    def _send(self, chunk: OutstandingChunk, packet: OutgoingPacket, now: float) -> None:
        packet.add(chunk.encoded)
        chunk.path = packet.path
        chunk.sent_at_s = now
        if not self._timers.is_running((Timer.T3_RTX, packet.path)):
            self._timers.start((Timer.T3_RTX, packet.path), now + packet.path.rto.rto_s)

    def sack_received(self, sack: Sack, now: float) -> Cause | None:
        """§6.2.1. A returned cause is for an ABORT."""
        if tsn_after(sack.cumulative_tsn_ack, tsn_add(self._next_tsn, -1)):
            return ProtocolViolation(b"SACK for a TSN that was never sent")
        self._counters.isacks += 1
        return self.cumulative_ack(sack.cumulative_tsn_ack, now)

    def cumulative_ack(self, tsn: int, now: float) -> Cause | None:
        """§9.2: SHUTDOWN acknowledges too."""
        while self._outstanding and not tsn_after(self._outstanding[0].tsn, tsn):
            chunk = self._outstanding.popleft()
            if not chunk.was_retransmitted:
                chunk.path.rto.measured(now - chunk.sent_at_s)
            self._acknowledged_paths.add(chunk.path)
            self._timers.stop((Timer.T3_RTX, chunk.path))
        return None

    def t3_expired(self, path: Path, now: float) -> bool:
        """§6.3.3. Returns whether it counts as an error; a zero window probe that SACKs answer does not (§6.1 A)."""
        path.rto.back_off()
        for chunk in self._outstanding:
            if chunk.path is path:
                chunk.is_marked = True
        return True

    def handshake_timed_out(self) -> None:
        """The COOKIE ECHO was not answered: what travelled with it goes with the next one."""
        for chunk in self._outstanding:
            chunk.is_marked = True

    def handshake_done(self, *, peer_rwnd_bytes: int) -> None:
        """ESTABLISHED: the peer's window is known, and T3 may run for what the COOKIE ECHO carried."""
        self.peer_rwnd_bytes = peer_rwnd_bytes

    def configure(self, config: Config) -> None:
        self._config = config

    def take_acknowledged_paths(self) -> set[Path]:
        """The paths on which something was newly acknowledged since the last call (§8.1, §8.2)."""
        paths, self._acknowledged_paths = self._acknowledged_paths, set()
        return paths

    def take_unsent(self) -> list[OutgoingMessage]:
        """Everything not acknowledged, for SendFailed; the sender is empty afterwards."""
        failed = [chunk.message for chunk in self._outstanding] + list(self._queue)
        self._outstanding.clear()
        self._queue.clear()
        return failed
