"""One association: what joins the control plane, the data plane and the paths."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from aiosctp.config import Config
from aiosctp.core.addresses import choose_source
from aiosctp.core.datagram import Datagram
from aiosctp.core.dispatch import base_table
from aiosctp.core.failure import FailureDetection
from aiosctp.core.heartbeat import Heartbeats
from aiosctp.core.inbox import ChunkArrived, DataArrived, DataDrained, ShutdownRequested, TimerExpired
from aiosctp.core.lifecycle import Lifecycle
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.negotiation import Offer
from aiosctp.core.packing import ControlQueue, OutgoingPacket
from aiosctp.core.paths import Path, Paths
from aiosctp.core.rx import Receiver
from aiosctp.core.states import MAY_TRANSMIT_DATA, AssociationState
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.tcb import TransmissionControlBlock
from aiosctp.core.timers import Timer, Timers
from aiosctp.core.tx import Sender
from aiosctp.events import (
    AdaptationIndication,
    AssociationChange,
    AssociationChangeKind,
    Event,
    PartialDelivery,
    RemoteError,
    SenderDry,
    SendFailed,
)
from aiosctp.exceptions import AssociationAborted, AssociationRefused, AssociationShutdown, SCTPError
from aiosctp.exceptions import Cause as ReportedCause
from aiosctp.wire.causes import Cause, InvalidStreamIdentifier, UnrecognizedChunkType, UserInitiatedAbort
from aiosctp.wire.chunks import (
    Abort,
    Chunk,
    CookieAck,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Sack,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
)
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import encode_packet

_HANDSHAKE = frozenset({AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED})
_MIN_SACK_BYTES = 16


class AssociationEngine:
    """One association, as a pure function of packets, calls and time.

    Inputs: `receive`, `handle_timeout`. Commands: `connect`, `send`, `shutdown`, `abort`, `set_primary`.
    Outputs: `transmit`, `poll_events`, `next_deadline`. Getters: `state`, `paths`, `tcb`, `counters`, `ending`.
    """

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
    ) -> None:
        self.local_port = local_port
        self.peer_port = peer_port
        self.local_addresses = tuple(local_addresses)
        self.offered_addresses: tuple[str, ...] = ()
        """Those of ours that the peer was told."""
        self.tcb = tcb
        self.paths = paths
        self.config = config
        self.entropy = entropy
        self.state = AssociationState.CLOSED
        self.ending: SCTPError | None = None
        """Why the association ended, once it has."""
        self.is_initiator = False
        self.counters = AssociationCounters()
        self.timers = Timers()
        self.control = ControlQueue()
        self.heartbeats = Heartbeats(self)
        self.failure = FailureDetection(self)
        self._lifecycle = Lifecycle(self)
        self._shutdown_requested = False
        self._was_drained = True
        self._events: deque[Event] = deque()
        self.sender = self._make_sender()
        self.receiver = self._make_receiver()

    def _make_sender(self) -> Sender:
        sender = Sender(
            initial_tsn=self.tcb.local_initial_tsn,
            config=self.config,
            paths=self.paths,
            timers=self.timers,
            counters=self.counters,
        )
        sender.peer_rwnd_bytes = self.tcb.peer_a_rwnd
        return sender

    def _make_receiver(self) -> Receiver:
        return Receiver(
            peer_initial_tsn=self.tcb.peer_initial_tsn,
            inbound_streams=self.tcb.inbound_streams,
            config=self.config,
            timers=self.timers,
            counters=self.counters,
        )

    # -- inputs --

    def receive(self, chunks: Iterable[Chunk | DecodeError], tag: int, path: Path, now: float) -> int:
        """Take the chunks of one packet whose tag was found to be ours or, reflected, the peer's.

        Returns how many of them were malformed.
        """
        malformed = 0
        had_data = False
        for chunk in chunks:
            if isinstance(chunk, DecodeError):
                malformed += 1
            elif isinstance(chunk, Data):
                had_data |= self._data_received(chunk, path, now, is_first=not had_data)
            elif not self._control_received(chunk, tag, path, now):
                break
            if self.state is AssociationState.CLOSED:
                return malformed
        if had_data:
            self.receiver.packet_done(now)
            if self.state is AssociationState.SHUTDOWN_SENT:
                self._lifecycle.step(DataArrived(path, now))
        return malformed

    def _data_received(self, chunk: Data, path: Path, now: float, *, is_first: bool) -> bool:
        if _TABLE.find(Data.type, self.state) is None:
            return False
        if is_first and self.receiver.sack_is_due and self.receiver.has_gap:
            # §6.7: with a gap open, one SACK for each packet: the one owed for the packet before goes first.
            self._send_sack_alone()
        cause = self.receiver.data_received(chunk, path, now)
        if isinstance(cause, InvalidStreamIdentifier):
            # §6.5: "acknowledge the reception ..., immediately send an ERROR chunk ..., and discard".
            self.send_control(path, Error((cause,)).encode())
        elif cause is not None:
            self.abort_with((cause,), now)
        return True

    def _control_received(self, chunk: Chunk, tag: int, path: Path, now: float) -> bool:
        """Whether the rest of the packet is to be processed."""
        if isinstance(chunk, UnknownChunk):
            return self._unknown_received(chunk, path)
        if isinstance(chunk, Abort | ShutdownComplete):
            # §8.5.1 B, C: our own tag without the T bit, or the peer's with it.
            if tag != (self.tcb.peer_tag if chunk.tag_reflected else self.tcb.local_tag):
                return False
            if isinstance(chunk, Abort):
                self._abort_received(chunk, now)
                return False
        elif tag != self.tcb.local_tag:
            return False
        handler = _TABLE.find(chunk.type, self.state)
        if handler is not None:
            self.counters.ictrlchunks += 1
            handler(self, chunk, path, now)
        return True

    def _unknown_received(self, chunk: UnknownChunk, path: Path) -> bool:
        """§3.2: the two high bits say whether to report the chunk and whether to go on."""
        if chunk.report and self.state not in _HANDSHAKE:
            overhead = len(Error((UnrecognizedChunkType(b""),)).encode())
            clipped = chunk.encode()[: OutgoingPacket(path).room - overhead]
            self.send_control(path, Error((UnrecognizedChunkType(clipped),)).encode())
        return not chunk.stop_processing

    def _abort_received(self, chunk: Abort, now: float) -> None:
        """§9.1: "MUST remove the association from its record"; nothing is ever answered to an ABORT."""
        self.control.clear()
        causes = tuple(ReportedCause(cause.code, cause.data) for cause in chunk.causes)
        code = causes[0].code if causes else 0
        if self.state in _HANDSHAKE:
            self._end(
                AssociationRefused("the peer refused the association"),
                AssociationChange(AssociationChangeKind.CANT_STR_ASSOC, code, info=chunk.encode()),
            )
            return
        self._end(
            AssociationAborted("the peer aborted the association", causes),
            AssociationChange(AssociationChangeKind.COMM_LOST, code, info=chunk.encode()),
        )

    def handle_timeout(self, now: float) -> None:
        """Handle every timer whose deadline has passed."""
        while (key := self.timers.pop_expired(now)) is not None:
            match key:
                case (Timer.T3_RTX, Path() as path):
                    if self.sender.t3_expired(path, now):
                        self.path_failed_once(path, now)
                case (Timer.HEARTBEAT, Path() as path):
                    self.heartbeats.due(path, now)
                case (Timer.HEARTBEAT_ACK, Path() as path):
                    self.heartbeats.unanswered(path, now)
                case Timer.SACK_DELAY:
                    self.receiver.handle_delay_expired()
                case Timer.T5_SHUTDOWN_GUARD:
                    self.abort_with((), now)
                case Timer() as timer:
                    self._lifecycle.step(TimerExpired(timer, now))
                case _:
                    raise AssertionError(f"no such timer: {key}")

    # -- commands --

    def connect(self, now: float) -> None:
        """The ASSOCIATE primitive (§11.1.2): send INIT."""
        self.is_initiator = True
        self._lifecycle.start_connecting(now)

    def send(self, message: OutgoingMessage) -> None:
        """Queue a message; the caller has checked its stream and size, and that the state takes data."""
        self._was_drained = False
        self.sender.enqueue(message)

    def shutdown(self, now: float) -> None:
        """The SHUTDOWN primitive (§9.2): graceful, under the guard T5 from now on."""
        if self._shutdown_requested or self.state is AssociationState.CLOSED:
            return
        self._shutdown_requested = True
        self.start_shutdown_guard(now)
        if self.state is AssociationState.ESTABLISHED:
            self._lifecycle.step(ShutdownRequested(now))

    def start_shutdown_guard(self, now: float) -> None:
        if not self.timers.is_running(Timer.T5_SHUTDOWN_GUARD):
            self.timers.start(Timer.T5_SHUTDOWN_GUARD, now + self.config.effective_shutdown_timeout_s)

    def abort(self, reason: bytes, now: float) -> None:
        """The ABORT primitive (§9.1): "a 'User-Initiated Abort' error cause SHOULD be present"."""
        self.abort_with((UserInitiatedAbort(reason),), now)

    def abort_with(self, causes: tuple[Cause, ...], now: float) -> None:
        """Send ABORT and end. Before the peer's tag is known there is nobody to send it to."""
        if self.state is AssociationState.CLOSED:
            return
        self.control.clear()
        if self.tcb.peer_tag:
            # §9.1: no DATA is bundled, and under the peer's tag.
            self.send_alone(self.paths.for_data(), Abort(causes).encode())
        reported = tuple(ReportedCause(cause.code, cause.data) for cause in causes)
        kind = AssociationChangeKind.CANT_STR_ASSOC if self.state in _HANDSHAKE else AssociationChangeKind.COMM_LOST
        self._end(
            AssociationAborted("the association was aborted here", reported, local=True),
            AssociationChange(kind, causes[0].code if causes else 0),
        )

    def set_primary(self, path: Path) -> None:
        """§11.1.6. The caller has checked that the path is confirmed."""
        self.paths.primary = path

    # -- outputs --

    def transmit(self, now: float) -> list[Datagram]:
        """Everything that may be sent now."""
        if (failure := self.receiver.failure) is not None:
            self.abort_with((failure,), now)
        datagrams: list[Datagram] = []
        for packet in self.control.take_packets():
            if packet.takes_data_early:
                self.sender.fill(packet, now)
            datagrams.append(self._seal(packet))
        if self.state in _HANDSHAKE:
            # §5.1 C: until the COOKIE ACK "the sender MUST NOT send any other packets": answers wait.
            return datagrams
        open_packets: dict[Path, OutgoingPacket] = {}
        for packet in self.control.take_bundled():
            if packet.is_complete:
                datagrams.append(self._seal(packet))
            else:
                open_packets[packet.path] = packet
        if self.state in MAY_TRANSMIT_DATA:
            self._transmit_data(open_packets, datagrams, now)
        if self.state is not AssociationState.CLOSED and self.receiver.sack_is_due:
            self._add_sack(open_packets, datagrams)
        datagrams.extend(self._seal(packet) for packet in open_packets.values())
        return datagrams

    def _transmit_data(self, open_packets: dict[Path, OutgoingPacket], datagrams: list[Datagram], now: float) -> None:
        """§6.10: control chunks first, then a SACK if one is owed (§6.1), then DATA."""
        while (path := self.sender.path_to_send_on(now)) is not None:
            packet = open_packets.pop(path, None) or OutgoingPacket(path)
            receiver = self.receiver
            if receiver.has_unacknowledged and receiver.sack_path is path and packet.room >= _MIN_SACK_BYTES:
                packet.add(receiver.build_sack(packet.room))
            had_data = self.sender.fill(packet, now)
            if packet.chunks:
                datagrams.append(self._seal(packet))
            if not had_data and not packet.chunks:
                break

    def _add_sack(self, open_packets: dict[Path, OutgoingPacket], datagrams: list[Datagram]) -> None:
        path = self.receiver.sack_path or self.paths.for_data()
        packet = open_packets.get(path)
        if packet is not None and packet.room < _MIN_SACK_BYTES:
            datagrams.append(self._seal(open_packets.pop(path)))
            packet = None
        if packet is None:
            packet = open_packets[path] = OutgoingPacket(path)
        packet.add(self.receiver.build_sack(packet.room))

    def _send_sack_alone(self) -> None:
        packet = OutgoingPacket(self.receiver.sack_path or self.paths.for_data())
        packet.add(self.receiver.build_sack(packet.room))
        self.control.push_packet(packet)

    def _seal(self, packet: OutgoingPacket) -> Datagram:
        path = packet.path
        tag = self.tcb.peer_tag if packet.verification_tag is None else packet.verification_tag
        data = encode_packet(self.local_port, self.peer_port, tag, packet.chunks)
        return Datagram(data, path.local_address, path.address, path.udp_port, packet.dont_fragment)

    def next_deadline(self) -> float | None:
        return self.timers.next_deadline()

    def poll_events(self) -> list[Event]:
        events = list(self._events)
        self._events.clear()
        return events

    # -- for the phases, and for what hangs on an association --

    def enter(self, state: AssociationState) -> None:
        self.state = state

    def emit(self, event: Event) -> None:
        self._events.append(event)

    def random_fraction(self) -> float:
        """Uniform in [0, 1)."""
        return int.from_bytes(self.entropy(4)) / 2**32

    def send_control(self, path: Path, chunk: bytes) -> None:
        """Send a control chunk, bundled with what else goes to this path; §5.4: never to an UNCONFIRMED one, but for a
        HEARTBEAT ACK, which is pushed as it is."""
        self.counters.octrlchunks += 1
        self.control.push(path, chunk)

    def send_alone(self, path: Path, chunk: bytes, *, verification_tag: int | None = None) -> None:
        """Send a chunk that MUST NOT be bundled (§6.10, §9.1)."""
        packet = OutgoingPacket(path, verification_tag=verification_tag, is_complete=True)
        packet.add(chunk)
        self.counters.octrlchunks += 1
        self.control.push_packet(packet)

    def peer_offer_received(self, offer: Offer, path: Path) -> Path:
        """The INIT ACK: who the peer is. Returns the path for the COOKIE ECHO."""
        self._take_offer(offer)
        known = {known.address: known for known in self.paths} | {path.address: path}
        paths = []
        for address in offer.addresses:
            if address not in known:
                source = choose_source(self.local_addresses, address)
                if source is None:
                    continue  # §5.1.2: addresses of a family that we do not have MAY be ignored
                known[address] = Path(address, source, path.udp_port, self.config, is_confirmed=False)
            paths.append(known[address])
        primary = path if path.is_confirmed else next((p for p in paths if p.is_confirmed), path)
        self.paths.replace_all(paths, primary)
        return primary

    def _take_offer(self, offer: Offer) -> None:
        tcb = self.tcb
        tcb.peer_tag = offer.tag
        tcb.peer_initial_tsn = offer.initial_tsn
        tcb.peer_a_rwnd = offer.a_rwnd
        tcb.peer_adaptation_layer = offer.adaptation_layer
        # §5.1.1: "0 to min(local OS, remote MIS) - 1".
        tcb.outbound_streams = min(tcb.outbound_streams, offer.inbound_streams)
        tcb.inbound_streams = min(tcb.inbound_streams, offer.outbound_streams)
        self.sender.peer_rwnd_bytes = offer.a_rwnd
        self.receiver = self._make_receiver()

    def establish(self, path: Path, now: float) -> None:
        """The handshake is done, on either side."""
        self.sender.handshake_done(peer_rwnd_bytes=self.tcb.peer_a_rwnd)
        self.enter(AssociationState.ESTABLISHED)
        self.emit(
            AssociationChange(
                AssociationChangeKind.COMM_UP,
                outbound_streams=self.tcb.outbound_streams,
                inbound_streams=self.tcb.inbound_streams,
            )
        )
        if self.tcb.peer_adaptation_layer is not None:
            self.emit(AdaptationIndication(self.tcb.peer_adaptation_layer))
        self.heartbeats.start(now)

    def accept(self, path: Path, now: float) -> None:
        """The receiver of a valid COOKIE ECHO (§5.1 D): established, and COOKIE ACK sent."""
        self.establish(path, now)
        self._lifecycle.start_established()
        self.send_cookie_ack(path, now)

    def send_cookie_ack(self, path: Path, now: float) -> None:
        """First in its packet; §5.4: with a HEARTBEAT to an address that is not confirmed."""
        packet = OutgoingPacket(path)
        packet.add(CookieAck().encode())
        if not path.is_confirmed:
            packet.add(self.heartbeats.make_chunk(path, now))
        self.counters.octrlchunks += 1
        self.control.push_packet(packet)

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
            return Path(source, local, udp_port, self.config, is_confirmed=False)
        return self.paths.for_data()

    def tie_tags(self) -> tuple[int, int]:
        """§5.2.2: random values that stand for our tags in cookies, made when the first is needed."""
        if not self.tcb.local_tie_tag:
            self.tcb.local_tie_tag = int.from_bytes(self.entropy(4)) or 1
            self.tcb.peer_tie_tag = int.from_bytes(self.entropy(4)) or 1
        return self.tcb.local_tie_tag, self.tcb.peer_tie_tag

    def restart(self, tcb: TransmissionControlBlock, paths: Paths, now: float) -> None:
        """§5.2.4 A: as after an ABORT and a new COOKIE ECHO, but told as RESTART."""
        failed = self.sender.take_unsent()
        self._abort_partial_delivery()
        self.timers.stop_all()
        self.control.clear()
        self.tcb = tcb
        # All congestion control parameters "MUST be reset to their initial values": the paths are new.
        self.paths = paths
        self.failure = FailureDetection(self)
        self.sender = self._make_sender()
        unread = self.receiver
        self.receiver = self._make_receiver()
        self.receiver.inherit(unread)
        self._shutdown_requested = False
        self.enter(AssociationState.ESTABLISHED)
        self.emit(
            AssociationChange(
                AssociationChangeKind.RESTART,
                outbound_streams=tcb.outbound_streams,
                inbound_streams=tcb.inbound_streams,
            )
        )
        self._report_failed(failed, 0)
        self._lifecycle.start_established()
        self.heartbeats.start(now)

    def resolve_collision(self, tcb: TransmissionControlBlock, paths: Paths, path: Path, now: float) -> None:
        """§5.2.4 B: both sides began at about the same time; the peer's tag is the one in the cookie."""
        self.timers.stop(Timer.T1_INIT)
        self.timers.stop(Timer.T1_COOKIE)
        if self.state not in _HANDSHAKE:
            # "The endpoint SHOULD stay in ... the ESTABLISHED state, but it MUST update its peer's Verification Tag".
            self.tcb.peer_tag = tcb.peer_tag
            self.send_cookie_ack(path, now)
            return
        tcb.local_tie_tag, tcb.peer_tie_tag = self.tcb.local_tie_tag, self.tcb.peer_tie_tag
        self.control.clear()
        self.tcb = tcb
        self._adopt_paths(paths)
        self.sender.handshake_done(peer_rwnd_bytes=tcb.peer_a_rwnd)
        self.receiver = self._make_receiver()
        self.establish(path, now)
        self._lifecycle.start_established()
        self.send_cookie_ack(path, now)
        self._begin_shutdown_if_requested(now)

    def _adopt_paths(self, paths: Paths) -> None:
        """The peer's addresses as its INIT listed them; what we know of those we had stays."""
        adopted = [self.paths.get(path.address) or path for path in paths]
        confirmed = [path for path in adopted if path.is_confirmed]
        self.paths.replace_all(adopted, self.paths.primary if self.paths.primary in adopted else confirmed[0])

    def duplicate_cookie(self, path: Path, now: float) -> None:
        """§5.2.4 D: our COOKIE ACK was lost, or, in COOKIE-ECHOED, the peer's cookie comes with the tags we know."""
        if self.state is AssociationState.COOKIE_ECHOED:
            self.timers.stop(Timer.T1_COOKIE)
            self.establish(path, now)
            self._lifecycle.start_established()
        self.send_cookie_ack(path, now)
        self._begin_shutdown_if_requested(now)

    def resend_shutdown_ack(self, now: float) -> None:
        """§9.2: an INIT in SHUTDOWN-ACK-SENT says that the SHUTDOWN COMPLETE was lost."""
        self.send_control(self.paths.for_data(), ShutdownAck().encode())

    def refuse_init_ack(
        self, path: Path, *, tag: int, causes: tuple[Cause, ...], tag_reflected: bool, now: float
    ) -> None:
        """§3.3.3, §5.1: an INIT ACK that can't be taken ends the attempt with an ABORT under the tag it named."""
        self.control.clear()
        self.send_alone(path, Abort(causes, tag_reflected).encode(), verification_tag=tag)
        self.fail_to_connect(AssociationRefused("the peer's INIT ACK can't be accepted"), now)

    def sender_restarts(self) -> None:
        """A new INIT after a stale cookie: what was bundled with the COOKIE ECHO is to be sent again."""
        self.sender.handshake_timed_out()

    def fail_to_connect(self, error: SCTPError, now: float) -> None:
        self._end(error, AssociationChange(AssociationChangeKind.CANT_STR_ASSOC))

    def lose(self, error: SCTPError, now: float) -> None:
        """§8.1: the peer is unreachable; nothing more is sent to it."""
        self.control.clear()
        self._end(error, AssociationChange(AssociationChangeKind.COMM_LOST))

    def end_gracefully(self, now: float) -> None:
        self._end(
            AssociationShutdown("the association has been shut down"),
            AssociationChange(AssociationChangeKind.SHUTDOWN_COMP),
        )

    def _end(self, error: SCTPError, change: AssociationChange) -> None:
        """CLOSED: one AssociationChange, then one SendFailed for each message that was not delivered."""
        if self.state is AssociationState.CLOSED:
            return
        self.enter(AssociationState.CLOSED)
        self.ending = error
        self.timers.stop_all()
        self._lifecycle.stop()
        self._abort_partial_delivery()
        self.emit(change)
        self._report_failed(self.sender.take_unsent(), change.error)

    def _abort_partial_delivery(self) -> None:
        for stream, ssn in self.receiver.abort_partial_delivery():
            self.emit(PartialDelivery(stream, ssn))

    def _report_failed(self, messages: list[OutgoingMessage], error: int) -> None:
        for message in messages:
            self.emit(
                SendFailed(
                    message.data,
                    message.stream,
                    message.ppid,
                    message.context,
                    message.unordered,
                    message.was_sent,
                    error,
                )
            )

    def path_failed_once(self, path: Path, now: float) -> None:
        if self.state is not AssociationState.CLOSED:
            self.failure.path_failed_once(path, now)

    def path_answered(self, path: Path, now: float) -> None:
        self.failure.path_answered(path)

    def cumulative_ack_received(self, cumulative_tsn_ack: int, now: float) -> bool:
        """A SHUTDOWN acknowledges (§9.2); False when what it says ended the association."""
        return self._acknowledged(self.sender.cumulative_ack(cumulative_tsn_ack, now), now)

    def sack_received(self, chunk: Sack, now: float) -> None:
        if self._acknowledged(self.sender.sack_received(chunk, now), now) and self.sender.is_drained:
            self._lifecycle.step(DataDrained(now))

    def _acknowledged(self, violation: Cause | None, now: float) -> bool:
        if violation is not None:
            self.abort_with((violation,), now)
            return False
        for path in self.sender.take_acknowledged_paths():
            self.failure.acknowledged(path)
        if self.sender.is_drained and not self._was_drained:
            self._was_drained = True
            self.emit(SenderDry())
        return True

    def control_chunk_arrived(self, chunk: Chunk, path: Path, now: float) -> None:
        self._lifecycle.step(ChunkArrived(chunk, path, now))
        self._begin_shutdown_if_requested(now)

    def _begin_shutdown_if_requested(self, now: float) -> None:
        """A shutdown() during the handshake begins once it is over."""
        if self._shutdown_requested and self.state is AssociationState.ESTABLISHED:
            self._lifecycle.step(ShutdownRequested(now))


def _on_data(association: AssociationEngine, chunk: Data, path: Path, now: float) -> None:
    raise AssertionError("DATA goes to the receiver directly")


def _on_sack(association: AssociationEngine, chunk: Sack, path: Path, now: float) -> None:
    association.sack_received(chunk, now)


def _on_heartbeat(association: AssociationEngine, chunk: Heartbeat, path: Path, now: float) -> None:
    association.heartbeats.answer(chunk, path)


def _on_heartbeat_ack(association: AssociationEngine, chunk: HeartbeatAck, path: Path, now: float) -> None:
    association.heartbeats.ack_received(chunk, now)


def _on_error(association: AssociationEngine, chunk: Error, path: Path, now: float) -> None:
    code = chunk.causes[0].code if chunk.causes else 0
    association.emit(RemoteError(code, chunk.encode()))
    association.control_chunk_arrived(chunk, path, now)


def _on_control(association: AssociationEngine, chunk: Chunk, path: Path, now: float) -> None:
    association.control_chunk_arrived(chunk, path, now)


_TABLE = base_table(
    data=_on_data,
    sack=_on_sack,
    heartbeat=_on_heartbeat,
    heartbeat_ack=_on_heartbeat_ack,
    error=_on_error,
    lifecycle=_on_control,
)
