"""How an association comes up, and how a second handshake changes it (§5.1, §5.2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiosctp.core import autoclose
from aiosctp.core.addresses import choose_source
from aiosctp.core.extensions import negotiate
from aiosctp.core.negotiation import Offer
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path, Paths
from aiosctp.core.states import HANDSHAKE, AssociationState, Opener
from aiosctp.core.tcb import TransmissionControlBlock
from aiosctp.core.timers import Timer
from aiosctp.events import AdaptationIndication, AssociationChange, AssociationChangeKind
from aiosctp.wire.chunks import CookieAck

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine


class Establishment:
    """The entrances to ESTABLISHED, and what a COOKIE ECHO does to an association that is there already."""

    __slots__ = ("_association",)

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association

    def changes_format(self, offer: Offer) -> bool:
        """Whether this INIT ACK, behind a Stale Cookie, would have user messages go in another chunk than they went in
        with the COOKIE ECHO before: they have TSNs, and numbers of that chunk."""
        association = self._association
        if not association.sender.unacknowledged_chunks:
            return False
        negotiated = negotiate(association.config, offer.extensions)
        return negotiated.data_format is not association.tcb.negotiated.data_format

    def init_ack_taken(self, offer: Offer, path: Path) -> Path:
        """The INIT ACK: who the peer is. Returns the path for the COOKIE ECHO."""
        association = self._association
        tcb = association.tcb
        tcb.peer_tag = offer.tag
        tcb.peer_initial_tsn = offer.initial_tsn
        tcb.peer_a_rwnd = offer.a_rwnd
        association.sender.peer_window_advertised(offer.a_rwnd)
        tcb.peer_adaptation_layer = offer.adaptation_layer
        tcb.peer_extensions = offer.extensions
        tcb.negotiated = negotiate(association.config, offer.extensions)
        association.sender.speak(tcb.negotiated)
        # §5.1.1: "0 to min(local OS, remote MIS) - 1".
        tcb.outbound_streams = min(association.config.outbound_streams, offer.inbound_streams)
        tcb.inbound_streams = min(association.config.max_inbound_streams, offer.outbound_streams)
        association.report_refused()
        association.restart_receiver()
        paths = paths_to(offer.addresses, path, association)
        echo_path = path if path.is_confirmed else next((known for known in paths if known.is_confirmed), path)
        association.paths.replace_all(paths, echo_path)
        return echo_path

    def cookie_ack_received(self, path: Path, now: float) -> None:
        """§5.1 E."""
        self._association.opener = Opener.US
        self._establish(now)

    def cookie_taken(self, path: Path, now: float) -> None:
        """§5.1 D: the receiver of a valid COOKIE ECHO."""
        self._association.opener = Opener.PEER
        self._association.report_refused()
        self._establish(now)
        self._association.lifecycle.start_established()
        self._send_cookie_ack(path, now)

    def _establish(self, now: float) -> None:
        association = self._association
        tcb = association.tcb
        association.timers.stop(Timer.T1_INIT)
        association.timers.stop(Timer.T1_COOKIE)
        association.sender.handshake_done(peer_rwnd_bytes=tcb.peer_a_rwnd, now=now)
        association.enter(AssociationState.ESTABLISHED)
        association.path_mtu.look_anew()
        autoclose.came_up(association, now)
        self._tell(AssociationChangeKind.COMM_UP)
        if tcb.peer_adaptation_layer is not None:
            association.emit(AdaptationIndication(tcb.peer_adaptation_layer))
        association.heartbeats.start(now)

    def _tell(self, change: AssociationChangeKind) -> None:
        tcb = self._association.tcb
        self._association.emit(
            AssociationChange(change, outbound_streams=tcb.outbound_streams, inbound_streams=tcb.inbound_streams)
        )

    def _send_cookie_ack(self, path: Path, now: float, *, is_repeat: bool = False) -> None:
        """First in its packet; §5.4: bundled with a HEARTBEAT to an address that is not confirmed."""
        packet = OutgoingPacket(path, leads=True)
        packet.add(CookieAck().encode())
        if not path.is_confirmed:
            packet.add(self._association.heartbeats.make_chunk(path, now))
        self._association.output.send_packet(packet, is_repeat=is_repeat)
        # The COOKIE ECHO it answers came past the dispatch table.
        self._association.counters.ictrlchunks += not is_repeat

    def restarted(self, tcb: TransmissionControlBlock, paths: Paths, path: Path, now: float) -> None:
        """§5.2.4 A: as after an ABORT and a new COOKIE ECHO, but told as RESTART. What had been received whole stays
        readable ("Any SCTP DATA chunks MAY be retained"); what was not acknowledged is reported."""
        association = self._association
        unsent = association.sender.take_abandoned() + association.sender.take_unsent()
        association.output.clear()
        association.opener = Opener.PEER
        # All congestion control parameters "MUST be reset to their initial values": the paths are new.
        association.adopt(tcb, paths)
        association.sender.handshake_done(peer_rwnd_bytes=tcb.peer_a_rwnd, now=now)
        association.enter(AssociationState.ESTABLISHED)
        autoclose.came_up(association, now)
        self._tell(AssociationChangeKind.RESTART)
        association.termination.report_failed(unsent, 0)
        association.lifecycle.start_established()
        association.heartbeats.start(now)
        self._send_cookie_ack(paths.get(path.address) or paths.for_data(), now)

    def collided(self, tcb: TransmissionControlBlock, paths: Paths, path: Path, now: float) -> None:
        """§5.2.4 B: both sides began at about the same time; the peer's tag is the one in the cookie."""
        association = self._association
        if association.state not in HANDSHAKE:
            # "SHOULD stay in ... the ESTABLISHED state, but it MUST update its peer's Verification Tag".
            association.tcb.peer_tag = tcb.peer_tag
            self._send_cookie_ack(path, now)
            return
        tcb.local_tie_tag, tcb.peer_tie_tag = association.tcb.local_tie_tag, association.tcb.peer_tie_tag
        association.output.clear()
        if association.state is AssociationState.COOKIE_ECHOED or association.sender.unacknowledged_chunks:
            # What went with the COOKIE ECHO has the format that the INIT ACK led to, also behind a Stale Cookie.
            tcb.peer_extensions, tcb.negotiated = association.tcb.peer_extensions, association.tcb.negotiated
        else:
            association.sender.speak(tcb.negotiated)
        association.tcb = tcb
        known = [association.paths.get(found.address) or found for found in paths]
        primary = association.paths.primary
        if primary not in known:
            primary = next(found for found in known if found.is_confirmed)
        association.paths.replace_all(known, primary)
        association.restart_receiver()
        self.cookie_taken(association.paths.get(path.address) or association.paths.for_data(), now)

    def duplicate_cookie(self, path: Path, now: float) -> None:
        """§5.2.4 D: our COOKIE ACK was lost, or the peer's cookie comes with the tags we know while, or after, we have
        sent it ours."""
        association = self._association
        if association.state is AssociationState.COOKIE_ECHOED:
            self.cookie_taken(path, now)
            association.opener = Opener.BOTH
            return
        if association.opener is Opener.US:
            association.opener = Opener.BOTH
        self._send_cookie_ack(path, now, is_repeat=True)


def paths_to(addresses: Sequence[str], origin: Path, association: AssociationEngine) -> list[Path]:
    """A path to each address that the peer named: those known stay as they are, new ones are UNCONFIRMED (§5.4, 3).

    §5.1.2: addresses of a family that we do not have MAY be ignored.
    """
    known = {path.address: path for path in (origin, *association.paths)}
    sources = association.source_addresses(origin.local_address)
    paths: list[Path] = []
    for address in addresses:
        if address not in known:
            source = choose_source(sources, address, turn=len(paths))
            if source is None:
                continue
            known[address] = association.make_path(address, source, origin.udp_port, is_confirmed=False)
        paths.append(known[address])
    return paths
