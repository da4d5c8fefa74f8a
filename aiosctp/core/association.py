"""One association: what joins the control plane, the data plane and the paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from aiosctp.config import Config
from aiosctp.core import autoclose
from aiosctp.core.addresses import choose_source
from aiosctp.core.datagram import Datagram
from aiosctp.core.diagnosis import diagnosis
from aiosctp.core.establishment import Establishment
from aiosctp.core.extensions import negotiate, without_forward_tsn
from aiosctp.core.failure import FailureDetection
from aiosctp.core.heartbeat import Heartbeats
from aiosctp.core.inbox import ChunkArrived, DataDrained, ShutdownRequested, TimerExpired
from aiosctp.core.input import Input
from aiosctp.core.lifecycle import Lifecycle
from aiosctp.core.messages import Outgoing
from aiosctp.core.nothing import NO_LIST
from aiosctp.core.output import Output
from aiosctp.core.path_mtu import PathMtuDiscovery
from aiosctp.core.paths import Path, Paths, RouteMtu, no_route_known
from aiosctp.core.reconfig import Reconfiguration, Request
from aiosctp.core.rx import Receiver
from aiosctp.core.states import (
    CLOSED,
    ESTABLISHED,
    SHUTTING_DOWN,
    AssociationState,
    Opener,
)
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.tcb import TransmissionControlBlock
from aiosctp.core.termination import Termination
from aiosctp.core.timers import Timer, Timers
from aiosctp.core.tx import Sender
from aiosctp.events import Event, PartialDelivery, PeerAddressChange, PeerAddressChangeKind, SenderDry
from aiosctp.exceptions import SCTPError
from aiosctp.wire.causes import (
    Cause,
    UserInitiatedAbort,
)
from aiosctp.wire.chunks import (
    Chunk,
    NrSack,
    Sack,
    Shutdown,
    ShutdownAck,
)
from aiosctp.wire.codepoints import CauseCode

# All are alike, and who sends one message at a time gets one for each.
_SENDER_DRY: Final = SenderDry()


class AssociationEngine:
    """One association, as a pure function of packets, calls and time.

    Inputs: packets, by way of `input`; `handle_timeout`. Commands: `connect`, `send`, `shutdown`, `abort`, `configure`,
    `set_primary`, `heartbeats.request`, and those of RFC 6525. Outputs: `transmit`, `poll_events`, `next_deadline`,
    `take_counters`; messages from `receiver`. Getters: `state`, `ending`, `paths`, `tcb`, `counters`.

    After a command the owner tells its stack (`StackEngine.touch`), which polls the outputs.
    """

    __slots__ = (
        "__weakref__",
        "_events",
        "_shutdown_requested",
        "_was_drained",
        "config",
        "counters",
        "ending",
        "entropy",
        "failure",
        "heartbeats",
        "input",
        "lifecycle",
        "local_addresses",
        "local_port",
        "offered_addresses",
        "opener",
        "output",
        "path_mtu",
        "paths",
        "peer_port",
        "receiver",
        "reconfig",
        "route_mtu",
        "sender",
        "state",
        "tcb",
        "timers",
    )

    def __init__(
        self,
        *,
        local_port: int,
        peer_port: int,
        local_addresses: Sequence[str],
        tcb: TransmissionControlBlock,
        paths: Paths,
        config: Config,
        entropy: Callable[[int], bytes],
        route_mtu: RouteMtu = no_route_known,
    ) -> None:
        self.local_port: int = local_port
        self.peer_port: int = peer_port
        self.local_addresses: tuple[str, ...] = tuple(local_addresses)
        self.offered_addresses: tuple[str, ...] = ()
        """Those of ours that the peer was told; none when the address it talks to is all it knows."""
        self.tcb: TransmissionControlBlock = tcb
        self.paths: Paths = paths
        self.config: Config = config
        self.entropy: Callable[[int], bytes] = entropy
        self.route_mtu: RouteMtu = route_mtu
        self.state: AssociationState = CLOSED
        self.opener: Opener = Opener.PEER
        """Once it is ESTABLISHED."""
        self.ending: SCTPError | None = None
        """Why the association ended, once it has."""
        self.counters: AssociationCounters = AssociationCounters()
        self.timers: Timers = Timers()
        self.input: Input = Input(self)
        self.output: Output = Output(self)
        self.heartbeats: Heartbeats = Heartbeats(self)
        self.failure: FailureDetection = FailureDetection(self)
        self.path_mtu: PathMtuDiscovery = PathMtuDiscovery(self)
        self.lifecycle: Lifecycle = Lifecycle(self)
        self.sender: Sender = self._make_sender()
        self.receiver: Receiver = self._make_receiver()
        self.reconfig: Reconfiguration | None = None
        """Made by the first RE-CONFIG chunk, or the first request of our user."""
        self._shutdown_requested = False
        self._was_drained = True
        self._events: list[Event] = NO_LIST

    def _make_sender(self) -> Sender:
        sender = Sender(
            initial_tsn=self.tcb.local_initial_tsn,
            config=self.config,
            paths=self.paths,
            timers=self.timers,
            counters=self.counters,
        )
        sender.speak(self.tcb.negotiated)
        return sender

    def _make_receiver(self) -> Receiver:
        return Receiver(
            peer_initial_tsn=self.tcb.peer_initial_tsn,
            inbound_streams=self.tcb.inbound_streams,
            config=self.config,
            timers=self.timers,
            counters=self.counters,
            format=self.tcb.negotiated.data_format,
            sends_nr_sacks=self.tcb.negotiated.nr_sack,
        )

    # -- inputs --

    def handle_timeout(self, now: float) -> None:
        """Handle every timer whose deadline has passed."""
        while (key := self.timers.pop_expired(now)) is not None:
            match key:
                case (Timer.T3_RTX, Path() as path):
                    self.path_mtu.t3_expiring(path)
                    if self.sender.t3_expired(path, now):
                        self.failure.retransmission_timed_out(path)
                case (Timer.HEARTBEAT, Path() as path):
                    self.heartbeats.due(path, now)
                case (Timer.HEARTBEAT_ACK, Path() as path):
                    self.heartbeats.unanswered(path, now)
                case (Timer.PATH_MTU_PROBE, Path() as path):
                    self.path_mtu.timer_expired(path, now)
                case Timer.AUTOCLOSE:
                    autoclose.due(self, now)
                case Timer.LIFETIME:
                    self.sender.abandon_expired(now)
                case Timer.ZERO_WINDOW_PROBE:
                    self.sender.zero_window_probe_due()
                case Timer.SACK_DELAY:
                    self.receiver.handle_delay_expired()
                case Timer.RECONFIG:
                    self.reconfiguration.timer_expired(now)
                case Timer.PROMISE:
                    self.reconfiguration.asking.promises.timer_expired(now)
                case Timer.SSN_TSN_RESET | Timer.CROSSED:
                    pass  # `Reconfiguration.proceed` asks what may go now
                case Timer.T5_SHUTDOWN_GUARD:
                    # §9.2: "At the expiration of this timer, the sender SHOULD abort the association".
                    self.termination.abort(diagnosis(self.config, b"the shutdown took too long"))
                case Timer() as timer:
                    self.lifecycle.step(TimerExpired(timer, now))
                case _:
                    raise AssertionError(f"no such timer: {key}")

    # -- commands --

    def connect(self, now: float) -> None:
        """The ASSOCIATE primitive (§11.1.2): send INIT."""
        self.lifecycle.start_connecting(now)

    def send(self, message: Outgoing) -> None:
        """The SEND primitive (§11.1.5): queue a message. The caller has checked its stream and size, and the state."""
        self._was_drained = False
        self.sender.queue.append(message)

    def shutdown(self, now: float) -> None:
        """The SHUTDOWN primitive (§9.2): graceful, under the guard T5 from now on; during the handshake, after it."""
        if self._shutdown_requested or self.state is CLOSED:
            return
        self._shutdown_requested = True
        self.start_shutdown_guard(now)
        self.begin_shutdown_if_requested(now)

    def abort(self, reason: bytes) -> None:
        """The ABORT primitive (§11.1.4). §9.1: a User-Initiated Abort cause "SHOULD be present in the ABORT chunk"."""
        self.termination.abort((UserInitiatedAbort(reason),))

    def reset_outgoing(self, streams: Iterable[int]) -> Request:
        """Begin these outgoing streams anew, with SSN 0 (RFC 6525 §5.1.2): what was given to `send` before goes before,
        what is given later waits for the peer's answer.

        For this and the four that follow, the caller has checked numbers, `supports_reconfig` and the state.
        """
        return self.reconfiguration.asking.waiting.reset_outgoing(streams)

    def reset_incoming(self, streams: Iterable[int]) -> Request:
        """Have the peer begin these streams of its own anew (RFC 6525 §5.1.3)."""
        return self.reconfiguration.asking.waiting.reset_incoming(streams)

    def reset_association(self) -> Request:
        """Begin all TSNs and SSNs anew (RFC 6525 §5.1.4): no new message begins until the peer has answered."""
        return self.reconfiguration.asking.reset_association()

    def add_outgoing_streams(self, count: int) -> Request:
        """Have so many more streams to send on (RFC 6525 §5.1.5)."""
        return self.reconfiguration.asking.waiting.add_outgoing(count)

    def add_incoming_streams(self, count: int) -> Request:
        """Have the peer have so many more (RFC 6525 §5.1.6)."""
        return self.reconfiguration.asking.waiting.add_incoming(count)

    def set_primary(self, path: Path) -> None:
        """The SET PRIMARY primitive (§11.1.6). The caller has checked that the path is confirmed."""
        if path is not self.paths.primary:
            self.paths.primary = path
            self.emit(PeerAddressChange((path.address, self.peer_port), PeerAddressChangeKind.MADE_PRIM))

    def configure(self, config: Config, now: float) -> None:
        """Take other parameters over, those of `Config` that may change in life (§11.1.12, §11.1.13). A path keeps what
        was set for it alone."""
        self.sender.configure(config)
        before, self.config = self.config, config
        self.receiver.configure(config)
        if config.autoclose_s != before.autoclose_s:
            autoclose.reschedule(self)
        self.path_mtu.configure(before, config)
        for path in self.paths:
            path.rto.configure(config)
            path.congestion.configure(config)
            if path.path_max_retrans == before.path_max_retrans:
                path.path_max_retrans = config.path_max_retrans
            if (path.heartbeat, path.hb_interval_s) == (before.heartbeat, before.hb_interval_s):
                self.configure_heartbeat(path, config.heartbeat, config.hb_interval_s, now)

    def configure_heartbeat(self, path: Path, is_enabled: bool, hb_interval_s: float, now: float) -> None:
        """The CHANGE HEARTBEAT primitive (§11.1.9)."""
        if (path.heartbeat, path.hb_interval_s) != (is_enabled, hb_interval_s):
            path.heartbeat, path.hb_interval_s = is_enabled, hb_interval_s
            self.heartbeats.reschedule(path, now)

    # -- outputs --

    def transmit(self, now: float) -> list[Datagram]:
        """Everything that may be sent now."""
        if self.receiver.failure is not None:
            self.termination.abort((self.receiver.failure,))
        datagrams = self.output.transmit(now)
        if self.config.chunk_max_retrans is not None and self.sender.has_given_up:
            self.termination.give_up("a DATA chunk was not acknowledged: Config.chunk_max_retrans was exceeded")
            datagrams += self.output.transmit(now)
        datagrams += self.path_mtu.transmit(now)
        return datagrams

    @property
    def may_send_at_once(self) -> bool:
        """Whether `transmit` may return anything before the user has done more. In doubt, it may."""
        return (
            self.state is not ESTABLISHED
            or self.receiver.sack_is_due
            or self.sender.has_to_send
            or (self.reconfig is not None and self.reconfig.has_to_do)
            or bool(self.output.control)
        )

    @property
    def has_news(self) -> bool:
        """Whether there are events, or it has ended."""
        return bool(self._events) or self.ending is not None

    def poll_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, NO_LIST
        return events

    def take_counters(self) -> AssociationCounters:
        """A copy. Its `maxrto` is of the time since the last one was taken; the others count from the beginning."""
        maxrto = max(path.rto.take_max_seen_s() for path in self.paths)
        return replace(self.counters, maxrto=maxrto)

    def next_deadline(self) -> float | None:
        return self.timers.next_deadline()

    @property
    def supports_reconfig(self) -> bool:
        """Whether both sides have announced RE-CONFIG (RFC 6525 §5.1.1)."""
        return self.tcb.negotiated.reconfig

    @property
    def supports_partial_reliability(self) -> bool:
        """Whether both sides have announced FORWARD TSN (RFC 3758 §3.3)."""
        return self.tcb.negotiated.partial_reliability

    @property
    def interleaves(self) -> bool:
        """Whether both sides have announced I-DATA, in which all user messages go then (RFC 8260 §2.2.1)."""
        return self.tcb.negotiated.interleaving

    @property
    def supports_nr_sack(self) -> bool:
        """Whether both sides have announced NR-SACK."""
        return self.tcb.negotiated.nr_sack

    def forward_tsn_reported(self) -> None:
        """RFC 3758 §3.3.3: "MUST just mark the association as not supporting partial reliability"."""
        self.tcb.peer_extensions = without_forward_tsn(self.tcb.peer_extensions)
        self.tcb.negotiated = negotiate(self.config, self.tcb.peer_extensions)
        if not self.supports_partial_reliability:
            self.sender.stop_forward_tsn()

    # -- for the phases, and for what hangs on an association --

    @property
    def establishment(self) -> Establishment:
        """The entrances: without a state of their own, they are made when asked for."""
        return Establishment(self)

    @property
    def termination(self) -> Termination:
        """The exits, likewise."""
        return Termination(self)

    @property
    def reconfiguration(self) -> Reconfiguration:
        """What RFC 6525 needs, made when it is first asked for."""
        if self.reconfig is None:
            self.reconfig = Reconfiguration(self)
        return self.reconfig

    def enter(self, state: AssociationState) -> None:
        self.state = state
        self.sender.is_shutting_down = state in SHUTTING_DOWN
        if state in SHUTTING_DOWN:
            self.timers.stop(Timer.AUTOCLOSE)
        if state in (AssociationState.SHUTDOWN_SENT, AssociationState.SHUTDOWN_ACK_SENT):
            # §8.3: HEARTBEATs are "discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk".
            self.heartbeats.stop()
            self.path_mtu.stop()

    def emit(self, event: Event) -> None:
        if self._events is NO_LIST:
            self._events = []
        self._events.append(event)

    def random_fraction(self) -> float:
        """Uniform in [0, 1)."""
        return int.from_bytes(self.entropy(4)) / 2**32

    def adopt(self, tcb: TransmissionControlBlock, paths: Paths) -> None:
        """Begin anew with another handshake's facts. What was received whole stays readable, and a shutdown that our
        user asked for goes on, under the same guard, as do the priorities and weights of streams."""
        guard_at_s = self.timers.deadline(Timer.T5_SHUTDOWN_GUARD)
        self.timers.stop_all()
        if self._shutdown_requested and guard_at_s is not None:
            self.timers.start(Timer.T5_SHUTDOWN_GUARD, guard_at_s)
        if self.reconfig is not None:
            self.reconfig.fail()
            self.reconfig = None
        self.tcb = tcb
        self.paths = paths
        self.failure = FailureDetection(self)
        self.path_mtu = PathMtuDiscovery(self)
        predecessor, self.sender = self.sender, self._make_sender()
        self.sender.inherit(predecessor)
        self.restart_receiver()
        self._was_drained = True

    def give_back(self) -> None:
        """A path is idle, so the association may be: let go of what its traffic has left empty."""
        self.sender.give_back()
        self.receiver.give_back()

    def restart_receiver(self) -> None:
        """The peer's first TSN is another than we knew: what it had begun to say will not be finished."""
        for stream, ssn in self.receiver.abort_partial_delivery():
            self.emit(PartialDelivery(stream, ssn))
        predecessor, self.receiver = self.receiver, self._make_receiver()
        self.receiver.inherit(predecessor)

    def source_addresses(self, local_address: str | None) -> tuple[str, ...]:
        """What packets may come from: what the peer was told, else the one address it has seen. From any other the
        peer would not know them for ours, and answer with an ABORT (§8.4, 8)."""
        if self.offered_addresses:
            return self.offered_addresses
        return self.local_addresses if local_address is None else (local_address,)

    def path_of(self, source: str, udp_port: int, destination: str | None) -> Path:
        """The path a packet with our tag came on. Its UDP port is learnt from it (RFC 6951 §5.4).

        From an address that is not the peer's, data is taken, but the answers go to a path that is, and no port is
        learnt. Only an INIT ACK may come from an address not known yet.
        """
        path = self.paths.get(source)
        if path is not None:
            path.udp_port = udp_port
            path.udp_port_learnt = True
            return path
        if self.state is AssociationState.COOKIE_WAIT:
            local = destination or choose_source(self.local_addresses, source)
            return self.make_path(source, local, udp_port, is_confirmed=False)
        return self.paths.for_data()

    def make_path(self, address: str, local_address: str | None, udp_port: int, *, is_confirmed: bool) -> Path:
        route_mtu = self.route_mtu(local_address, address)
        return Path(address, local_address, udp_port, self.config, is_confirmed=is_confirmed, route_mtu=route_mtu)

    def known_path(self, source: str) -> Path:
        """The path to this address of the peer, or the one that answers take; nothing is learnt."""
        return self.paths.get(source) or self.paths.for_data()

    def tie_tags(self) -> tuple[int, int]:
        """§5.2.2: random values that stand for our tags in cookies, made when the first is needed."""
        if not self.tcb.local_tie_tag:
            self.tcb.local_tie_tag = int.from_bytes(self.entropy(4)) or 1
            self.tcb.peer_tie_tag = int.from_bytes(self.entropy(4)) or 1
        return self.tcb.local_tie_tag, self.tcb.peer_tie_tag

    def start_shutdown_guard(self, now: float) -> None:
        """T5-shutdown-guard (§9.2), which runs through every state of a shutdown."""
        if not self.timers.is_running(Timer.T5_SHUTDOWN_GUARD):
            self.timers.start(Timer.T5_SHUTDOWN_GUARD, now + self.config.effective_shutdown_timeout_s)

    def resend_shutdown_ack(self) -> None:
        """§9.2, §5.2.4 A: in SHUTDOWN-ACK-SENT an INIT or a restart says that the SHUTDOWN COMPLETE was lost."""
        self.output.send_control(self.paths.for_data(), ShutdownAck().encode(), is_repeat=True)

    def shutdown_acknowledges(self, chunk: Shutdown, now: float) -> bool:
        """§9.2: a SHUTDOWN acknowledges as a SACK does. False when what it says ended the association."""
        return self._acknowledged(self.sender.cumulative_ack(chunk.cumulative_tsn_ack, now))

    def sack_received(self, chunk: Sack, now: float) -> None:
        is_acknowledged = self._acknowledged(self.sender.sack_received(chunk, now))
        # While ESTABLISHED nothing waits for it.
        if is_acknowledged and self.state is not ESTABLISHED and self.sender.is_at_rest:
            self.lifecycle.step(DataDrained(now))

    def _acknowledged(self, violation: Cause | None) -> bool:
        if violation is not None:
            self.termination.abort((violation,))
            return False
        for path in self.sender.take_acknowledged_paths():
            self.failure.acknowledged(path)
        if self.sender.is_drained and not self._was_drained:
            self._was_drained = True
            self.emit(_SENDER_DRY)
        return True

    def nr_sack_received(self, chunk: NrSack, now: float) -> None:
        if self._acknowledged(self.sender.nr_sack_received(chunk, now)):
            self._look_if_drained(now)

    def report_abandoned(self, now: float) -> None:
        """RFC 7496 §3, RFC 6458 §6.1.11: a SendFailed for each message abandoned since; a shutdown may have waited for
        the last."""
        abandoned = self.sender.take_abandoned()
        if abandoned:
            self._report_failed(abandoned, 0)
            self._look_if_drained(now)

    def report_refused(self) -> None:
        """§5.1.1: the handshake has left so many streams. What our user has given to others meanwhile comes back: the
        peer would throw it away."""
        refused = self.sender.take_above(self.tcb.outbound_streams)
        if refused:
            self._report_failed(refused, CauseCode.INVALID_STREAM_IDENTIFIER)

    def _report_failed(self, messages: Iterable[tuple[Outgoing, bool]], error: int) -> None:
        self.termination.report_failed(messages, error)
        if self.sender.is_drained:
            self._was_drained = True
            self.emit(_SENDER_DRY)

    def _look_if_drained(self, now: float) -> None:
        if self.state in SHUTTING_DOWN and self.sender.is_at_rest:
            self.lifecycle.step(DataDrained(now))

    def control_arrived(self, chunk: Chunk, path: Path, now: float) -> None:
        self.lifecycle.step(ChunkArrived(chunk, path, now))

    def begin_shutdown_if_requested(self, now: float) -> None:
        """§9.2: once the peer has begun one, the endpoint "MUST ignore ULP shutdown requests"."""
        if self._shutdown_requested and self.state is ESTABLISHED:
            self.lifecycle.step(ShutdownRequested(now))
