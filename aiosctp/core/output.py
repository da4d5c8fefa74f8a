"""An association's packets on their way out: what goes first, what is bundled, what waits (§6.1, §6.10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from aiosctp.core.datagram import Datagram
from aiosctp.core.ip_fragmentation import make_fragmentable
from aiosctp.core.packing import ControlQueue, OutgoingPacket
from aiosctp.core.states import CLOSED, ESTABLISHED, HANDSHAKE, MAY_TRANSMIT_DATA, AssociationState
from aiosctp.wire.chunks import PADDING
from aiosctp.wire.packet import HEADER_BYTES, encode_packet
from aiosctp.wire.packet_run import Packets, encode_packets

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

# §9.2: after the SHUTDOWN ACK no DATA is to come for which a SACK would matter, and the peer may be gone: it sent its
# SHUTDOWN COMPLETE once, and would answer anything but another SHUTDOWN ACK with an ABORT (§8.4).
_WITHOUT_SACKS: Final = HANDSHAKE | {CLOSED, AssociationState.SHUTDOWN_ACK_SENT}
_MAY_RECONFIGURE: Final = MAY_TRANSMIT_DATA | {AssociationState.SHUTDOWN_SENT}


class Output:
    """The control chunks that wait, and the order in which packets are made of everything."""

    __slots__ = ("_answer_path", "_answer_room", "_association", "_is_answering", "control")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self.control: ControlQueue = ControlQueue()
        self._is_answering = False
        """A packet is being received."""
        self._answer_path: Path | None = None
        """Where the one packet of answers to it goes, once there is an answer."""
        self._answer_room = 0
        """What is left of that packet."""

    def expect_answers_to_one_packet(self) -> None:
        """A packet is about to be received. §12.4: "MUST NOT send more than one packet containing chunks other
        than DATA chunks" in response: answers beyond one packet are not given, and the peer asks again."""
        self._is_answering = True

    def answers_end(self) -> None:
        self._is_answering = False
        self._answer_path = None

    def clear(self) -> None:
        """Forget what waits: what comes next takes its place."""
        self.control.clear()
        self._answer_path = None

    def _take_room(self, path: Path, chunk: bytes) -> bool:
        """Whether it is no answer, or one that goes into the one packet. The first goes whatever its size: alone, and
        fragmented by IP if need be."""
        if not self._is_answering:
            return True
        room = path.packet_bytes - HEADER_BYTES if self._answer_path is None else self._answer_room
        if self._answer_path is not None and (len(chunk) > room or self._answer_path is not path):
            return False
        self._answer_path, self._answer_room = path, room - len(chunk)
        return True

    def send_control(self, path: Path, chunk: bytes, *, is_repeat: bool = False) -> None:
        """Send a control chunk, bundled with what else goes that way; counted unless it repeats an earlier one.

        §5.4: "MUST NOT send any chunks to an UNCONFIRMED address": it goes to a path that is confirmed instead. An
        INIT ACK may have left none (§5.1.2 A): then nobody can be told yet.
        """
        if not path.is_confirmed:
            path = self._association.paths.for_data()
        if path.is_confirmed and self._take_room(path, chunk):
            self._association.counters.octrlchunks += not is_repeat
            self.control.push(path, chunk)

    def send_probe(self, path: Path, chunk: bytes) -> None:
        """Send a HEARTBEAT or HEARTBEAT ACK, which alone MAY go to an UNCONFIRMED address (§5.4)."""
        if self._take_room(path, chunk):
            self._association.counters.octrlchunks += 1
            self.control.push(path, chunk)

    def send_alone(
        self, path: Path, chunk: bytes, *, verification_tag: int | None = None, is_repeat: bool = False
    ) -> None:
        """Send a chunk that MUST NOT be bundled (§6.10, §9.1): as an answer it is the only one."""
        if self._is_answering and self._answer_path is not None:
            return
        packet = OutgoingPacket(path, verification_tag=verification_tag)
        packet.add(chunk)
        self.send_packet(packet, is_repeat=is_repeat)

    def send_packet(self, packet: OutgoingPacket, *, is_repeat: bool = False) -> None:
        """Send a packet whose first chunk has to be the first (§5.1 C, D). Behind a COOKIE ACK follow the answers to
        the chunks that came behind the COOKIE ECHO; behind any other, none."""
        if packet.leads or self._is_answering:
            self._answer_path, self._answer_room = packet.path, packet.room if packet.leads else 0
        if not is_repeat:
            self._association.counters.octrlchunks += len(packet.chunks)
        self.control.push_packet(packet)

    def send_sack_for_earlier_packets(self) -> None:
        """A SACK is owed, and the next packet with DATA is here: don't coalesce it with that one's, within bounds."""
        receiver = self._association.receiver
        if not receiver.may_acknowledge_early:
            return
        path = self._sack_path()
        if not path.is_confirmed:
            return
        packet = OutgoingPacket(path)
        packet.add(receiver.build_early_sack(packet.room))
        self.control.push_packet(packet)

    def send_sack_before(self) -> None:
        """If a SACK is owed, it goes before the SSN/TSN Reset Request that is sent next. RFC 6525 §5.2.4 G3 has the
        peer take all it has sent for acknowledged: usrsctp aborts at a SACK for that afterwards."""
        path, receiver = self._sack_path(), self._association.receiver
        if receiver.has_unacknowledged and path.is_confirmed:
            self.control.push(path, receiver.build_sack(path.packet_bytes - HEADER_BYTES))

    def transmit(self, now: float) -> list[Datagram]:
        """Everything that may be sent now."""
        association = self._association
        association.receiver.batch_ended()
        queue = association.sender.queue
        if queue.limits is not None:
            self._abandon(now)
        messages = queue.in_order
        if messages and len(messages) == 1 and association.state is ESTABLISHED and not self.control:
            reconfig = association.reconfig
            single = self._transmit_single(now) if reconfig is None or not reconfig.has_to_do else None
            if single is not None:
                return [single]
        datagrams: list[Datagram] = []
        open_packets = self._transmit_control(datagrams, now) if self.control else {}
        if association.state in MAY_TRANSMIT_DATA:
            self._transmit_data(open_packets, datagrams, now)
        if association.reconfig is not None and association.state in _MAY_RECONFIGURE:
            open_packets = self._reconfigure(open_packets, datagrams, now)
        if association.receiver.sack_is_due and association.state not in _WITHOUT_SACKS:
            self._add_sack(open_packets, datagrams)
        for packet in open_packets.values():
            datagrams.append(self._seal(packet))
        return datagrams

    def _abandon(self, now: float) -> None:
        """RFC 3758 §3.5: what is abandoned is told to our user, and to the peer; F2: "bundle an outgoing FORWARD TSN
        with outbound DATA chunks"."""
        association = self._association
        association.sender.abandon_expired(now)
        association.report_abandoned(now)
        if association.state in MAY_TRANSMIT_DATA:
            forward_tsn = association.sender.take_forward_tsn(now)
            if forward_tsn is not None:
                association.counters.octrlchunks += 1
                self.control.push(*forward_tsn)

    def _transmit_single(self, now: float) -> Datagram | None:
        """The short way when all there is to send is one small message, and the SACK that is owed, if one is: the
        packet with these. None: the general way has to be gone."""
        association = self._association
        paths, receiver = association.paths, association.receiver
        path, room, sack = paths.for_data(), paths.amdcs, b""
        owes_sack = receiver.has_unacknowledged
        if owes_sack:
            room -= receiver.least_sack_bytes
        if not path.is_confirmed or (
            not receiver.has_plain_sack or path is not receiver.sack_path if owes_sack else receiver.sack_is_due
        ):
            return None
        chunk = association.sender.send_single(path, room, now)
        if chunk is None:
            return None
        if owes_sack:
            sack = receiver.build_sack(receiver.least_sack_bytes)
        parts = (sack, chunk.header, chunk.payload, PADDING[len(chunk.payload) & 3])
        data = encode_packet(association.local_port, association.peer_port, association.tcb.peer_tag, parts)
        return Datagram(data, path.local_address, path.address, path.udp_port)

    def _transmit_control(self, datagrams: list[Datagram], now: float) -> dict[Path, OutgoingPacket]:
        """What waits in `control`. Returns the packets that take more."""
        association = self._association
        leading: dict[Path, OutgoingPacket] = {}
        for packet in self.control.take_packets():
            datagrams.extend(self._seal(leader) for leader in leading.values())
            leading.clear()
            if packet.takes_data_early:
                association.sender.fill(packet, now)
            if packet.leads:
                leading[packet.path] = packet
            else:
                datagrams.append(self._seal(packet))
        open_packets: dict[Path, OutgoingPacket] = {}
        if association.state in HANDSHAKE:
            # §5.1 C: until the COOKIE ACK "the sender MUST NOT send any other packets": answers wait.
            return open_packets
        for packet in self.control.take_bundled(leading):
            # Whoever awaits a COOKIE ACK takes nothing before it: it does not wait for data that goes another way.
            if packet.is_complete or (packet.leads and packet.path is not association.paths.for_data()):
                datagrams.append(self._seal(packet))
            else:
                open_packets[packet.path] = packet
        return open_packets

    def _transmit_data(self, open_packets: dict[Path, OutgoingPacket], datagrams: list[Datagram], now: float) -> None:
        """§6.10: control chunks first, then a SACK if one is owed (§6.1), then DATA.

        §6.1 bundles the SACK with any DATA, §6.7 has it go where the peer's DATA last came from: if our DATA goes
        elsewhere, the SACK waits for its time (§6.2).
        """
        association = self._association
        receiver = association.receiver
        while (path := association.sender.path_to_send_on(now)) is not None and path.is_confirmed:
            packet = open_packets.pop(path, None) or OutgoingPacket(path)
            if receiver.has_unacknowledged and path is self._sack_path() and packet.room >= receiver.least_sack_bytes:
                packet.add(receiver.build_sack(packet.room))
            run = association.sender.fill_run(packet, now)
            if run:
                self._seal_run(path, run, datagrams)
                continue
            had_data = run is None and association.sender.fill(packet, now)
            if packet.chunks:
                datagrams.append(self._seal(packet))
            if not had_data and not packet.chunks:
                break

    def _reconfigure(
        self, open_packets: dict[Path, OutgoingPacket], datagrams: list[Datagram], now: float
    ) -> dict[Path, OutgoingPacket]:
        """RFC 6525: requests that what was sent, or acknowledged, has made ready, and data that waited for a reset."""
        association = self._association
        assert association.reconfig is not None
        if not association.reconfig.proceed(now):
            return open_packets
        still_open: dict[Path, OutgoingPacket] = {}
        for packet in self.control.take_bundled(open_packets):
            if packet.is_complete:
                datagrams.append(self._seal(packet))
            else:
                still_open[packet.path] = packet
        if association.state in MAY_TRANSMIT_DATA:
            self._transmit_data(still_open, datagrams, now)
        return still_open

    def _add_sack(self, open_packets: dict[Path, OutgoingPacket], datagrams: list[Datagram]) -> None:
        path = self._sack_path()
        if not path.is_confirmed:
            return  # §5.4: it stays due until one is
        packet = open_packets.get(path)
        if packet is not None and packet.room < self._association.receiver.least_sack_bytes:
            datagrams.append(self._seal(open_packets.pop(path)))
            packet = None
        if packet is None:
            packet = open_packets[path] = OutgoingPacket(path)
        packet.add(self._association.receiver.build_sack(packet.room))

    def _sack_path(self) -> Path:
        """§6.7: "to the same destination address from which the last DATA chunk was received", if it may be."""
        path = self._association.receiver.sack_path
        return path if path is not None and path.is_confirmed else self._association.paths.for_data()

    def _seal(self, packet: OutgoingPacket) -> Datagram:
        association = self._association
        path = packet.path
        tag = association.tcb.peer_tag if packet.verification_tag is None else packet.verification_tag
        # What can't be cut smaller (a cookie of the peer's making; §6.9, a chunk made before the path MTU fell) goes
        # out to be fragmented by IP.
        fits = packet.size <= path.packet_bytes
        if not fits:
            make_fragmentable(packet, association)
        data = encode_packet(association.local_port, association.peer_port, tag, packet.chunks)
        return Datagram(data, path.local_address, path.address, path.udp_port, fits)

    def _seal_run(self, path: Path, run: Sequence[Packets], datagrams: list[Datagram]) -> None:
        association = self._association
        ports_and_tag = association.local_port, association.peer_port, association.tcb.peer_tag
        for data, segment_bytes in encode_packets(*ports_and_tag, run, path.packet_bytes):
            datagrams.append(Datagram(data, path.local_address, path.address, path.udp_port, True, segment_bytes))
