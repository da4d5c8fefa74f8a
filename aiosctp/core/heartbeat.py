"""HEARTBEATs: path verification (§5.4) and the monitoring of idle paths (§8.3)."""

from __future__ import annotations

import math
import struct
from collections import deque
from typing import TYPE_CHECKING

from aiosctp.core.nothing import NO_DICT
from aiosctp.core.states import AssociationState
from aiosctp.core.timers import Timer
from aiosctp.wire.chunks import Heartbeat, HeartbeatAck

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

# §5.4: "a 64-bit random nonce and a path indicator"; §8.3: "the current time" and "the destination address".
_INFO = struct.Struct("!8sd")
NONCE_BYTES = 8
# HEARTBEATs of one path that may be unanswered and still count when their answer comes.
MAX_PENDING = 8

# §8.3: HEARTBEATs are "discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk".
_BEATS = frozenset(
    {AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED}
)


class Probe:
    """One HEARTBEAT and what became of it."""

    __slots__ = ("due_at_s", "mtu", "rtt_s", "sent_at_s")

    def __init__(self, sent_at_s: float, mtu: int = 0) -> None:
        self.sent_at_s: float = sent_at_s
        self.mtu: int = mtu
        """The size of the packet that it was padded to, when that is what is to be found out; else 0."""
        self.due_at_s: float = -math.inf
        """When it counts as unanswered; never, if the path was judged by another meanwhile."""
        self.rtt_s: float | None = None
        """How long its own answer took."""


class Heartbeats:
    """Sends, answers and checks the HEARTBEATs of one association."""

    __slots__ = ("_association", "_probed_at_s")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self._probed_at_s: deque[float] | None = None
        """When the last HB.Max.Burst probes of unconfirmed paths were sent."""

    def start(self, now: float) -> None:
        """ESTABLISHED: probe at once what is unconfirmed, and watch the rest."""
        for path in self._association.paths:
            if path.is_confirmed:
                self.schedule(path, now)
            else:
                self._association.timers.start((Timer.HEARTBEAT, path), now)

    def stop(self) -> None:
        for path in self._association.paths:
            self._association.timers.stop((Timer.HEARTBEAT, path))
            self._association.timers.stop((Timer.HEARTBEAT_ACK, path))

    def request(self, path: Path, now: float) -> Probe:
        """§11.1.10: a HEARTBEAT on demand. Outside of the states that send any, one that is never answered."""
        return self._send(path, now) if self._association.state in _BEATS else Probe(now)

    def reschedule(self, path: Path, now: float) -> None:
        """A HEARTBEAT was answered, the interval changed, or HEARTBEATs were switched on or off (§8.3 A-C)."""
        if self._association.state in _BEATS:
            self.schedule(path, now)

    def schedule(self, path: Path, now: float) -> None:
        """§8.3: "once per RTO of that destination address plus the protocol parameter 'HB.interval', with jittering of
        +/- 50% of the RTO value"."""
        if not path.heartbeat and path.is_confirmed:
            self._association.timers.stop((Timer.HEARTBEAT, path))
            return
        period_s = path.rto.rto_s
        # §5.4: an active unconfirmed path is probed each RTO; "if ... the path becomes inactive, this rate is lowered".
        if not path.is_probed:
            jitter = self._association.random_fraction() - 0.5
            period_s += path.hb_interval_s + jitter * path.rto.rto_s
        self._association.timers.start((Timer.HEARTBEAT, path), now + period_s)

    def make_chunk(self, path: Path, now: float) -> bytes:
        """A HEARTBEAT for this path, remembered by its nonce."""
        return self._make(path, Probe(now))

    def make_proof(self, path: Path, now: float) -> tuple[Probe, bytes]:
        """A HEARTBEAT to stand behind another chunk: its answer tells that this has come, too. It is never counted as
        unanswered: the other chunk's timer does that."""
        probe = Probe(now)
        return probe, self._make(path, probe)

    def make_mtu_probe(self, path: Path, mtu: int, now: float) -> bytes:
        """The HEARTBEAT of a packet of this size (RFC 8899 §6.2.1.2). It is never counted as unanswered."""
        return self._make(path, Probe(now, mtu))

    def forget_mtu_probes(self, path: Path) -> None:
        """Their answers tell nothing of the MTU any more."""
        for probe in path.pending_heartbeats.values():
            probe.mtu = 0

    def _make(self, path: Path, probe: Probe) -> bytes:
        nonce = self._association.entropy(NONCE_BYTES)
        if path.pending_heartbeats is NO_DICT:
            path.pending_heartbeats = {}
        elif len(path.pending_heartbeats) >= MAX_PENDING:
            del path.pending_heartbeats[next(iter(path.pending_heartbeats))]
        path.pending_heartbeats[nonce] = probe
        return Heartbeat(_INFO.pack(nonce, probe.sent_at_s) + path.address.encode()).encode()

    def _send(self, path: Path, now: float) -> Probe:
        probe = Probe(now)
        probe.due_at_s = now + path.rto.rto_s
        self._association.output.send_probe(path, self._make(path, probe))
        # One sent meanwhile must not put off the verdict on this one.
        if not self._association.timers.is_running((Timer.HEARTBEAT_ACK, path)):
            self._await_answer(path, now)
        return probe

    def _await_answer(self, path: Path, now: float) -> None:
        """The timer is that of the oldest HEARTBEAT that can still be answered in time."""
        for probe in path.pending_heartbeats.values():
            if probe.due_at_s > now:
                self._association.timers.start((Timer.HEARTBEAT_ACK, path), probe.due_at_s)
                return
        self._association.timers.stop((Timer.HEARTBEAT_ACK, path))

    def due(self, path: Path, now: float) -> None:
        """The HEARTBEAT timer of a path: beat if it is idle, and set the timer again."""
        if self._association.state not in _BEATS:
            return
        waits_until_s = self._association.timers.deadline((Timer.HEARTBEAT_ACK, path))
        if waits_until_s is None and not path.is_confirmed:
            waits_until_s = now if self._another_waits_longer(path, now) else self._next_probe_at_s(path, now)
        if waits_until_s is not None:
            self._association.timers.start((Timer.HEARTBEAT, path), waits_until_s)
            return
        if not path.is_confirmed or path.is_idle(now):
            self._association.give_back()
            self._send(path, now)
        self.schedule(path, now)

    def _next_probe_at_s(self, path: Path, now: float) -> float | None:
        """§5.4: "The number of packets containing HEARTBEAT chunks sent at each RTO SHOULD be limited by the
        'HB.Max.Burst' parameter". None: a probe may be sent now, and counts."""
        probes = self._probed_at_s
        if probes is None:
            probes = self._probed_at_s = deque()
        while len(probes) >= self._association.config.hb_max_burst:
            if now < probes[0] + path.rto.rto_s:
                return probes[0] + path.rto.rto_s
            probes.popleft()
        probes.append(now)
        path.probed_at_s = now
        return None

    def _another_waits_longer(self, path: Path, now: float) -> bool:
        """Whether the next probe is the turn of another path that is due: all are verified in turn."""
        for other in self._association.paths:
            due_at_s = self._association.timers.deadline((Timer.HEARTBEAT, other))
            if other.is_probed and other.probed_at_s < path.probed_at_s and due_at_s is not None and due_at_s <= now:
                return True
        return False

    def unanswered(self, path: Path, now: float) -> None:
        """§8.3: "not acknowledged within one RTO"."""
        association = self._association
        # One verdict for all that were sent meanwhile: a burst of them in a short outage is no long outage.
        for probe in path.pending_heartbeats.values():
            probe.due_at_s = -math.inf
        path.rto.back_off()
        if not path.is_active:
            path.rotate_source(association.source_addresses(path.local_address))
        association.failure.heartbeat_timed_out(path)
        if association.timers.deadline((Timer.HEARTBEAT, path)) is not None and path.is_probed:
            self._association.timers.start((Timer.HEARTBEAT, path), now)

    def answer(self, chunk: Heartbeat, path: Path) -> None:
        """§8.3: "copied unchanged from the received HEARTBEAT chunk"; §6.4: to where it came from."""
        self._association.output.send_probe(path, HeartbeatAck(chunk.info, chunk.other_parameters).encode())

    def ack_received(self, chunk: HeartbeatAck, now: float) -> None:
        """§5.4, §8.3. The nonce is looked at before anything else, and none other than a pending one does anything."""
        if len(chunk.info) < _INFO.size:
            return
        nonce, _ = _INFO.unpack_from(chunk.info)
        path = self._association.paths.get(chunk.info[_INFO.size :].decode(errors="replace"))
        probe = None if path is None else path.pending_heartbeats.pop(nonce, None)
        if path is None or probe is None:
            return
        if not path.pending_heartbeats:
            path.pending_heartbeats = NO_DICT
        probe.rtt_s = now - probe.sent_at_s
        path.rto.measured(probe.rtt_s)
        # Those sent before it may still be answered; that the path works is known without them.
        for other in path.pending_heartbeats.values():
            if other.sent_at_s <= probe.sent_at_s:
                other.due_at_s = -math.inf
        self._await_answer(path, now)
        self._association.failure.path_answered(path)
        self.reschedule(path, now)
        if probe.mtu:
            self._association.path_mtu.answered(path, probe.mtu, now)
