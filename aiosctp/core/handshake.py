"""The initiator's half of the four-way handshake (§5.1): COOKIE-WAIT and COOKIE-ECHOED."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aiosctp.config import MIN_RECEIVE_WINDOW_BYTES
from aiosctp.core.inbox import ChunkArrived, Inbox, TimerExpired
from aiosctp.core.negotiation import (
    Offer,
    common_parameters,
    offered_addresses,
    read_offer,
    supported_address_types,
)
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.states import AssociationState
from aiosctp.core.timers import Timer
from aiosctp.exceptions import ConnectTimeout
from aiosctp.wire.causes import InvalidMandatoryParameter, ProtocolViolation, StaleCookie, UnrecognizedParameters
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Error, Init, InitAck
from aiosctp.wire.parameters import CookiePreservative
from aiosctp.wire.tlv import PADDING

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

# §5.2.6: "SHOULD add no more than 1 second beyond the measured RTT".
PRESERVATIVE_MARGIN_MS = 1000
# The stale cookie answer is in microseconds (§3.3.10.3) of another clock; a peer gets this many new tries.
MAX_STALE_COOKIES = 3


class Handshake:
    """What exists only until the association is established: retransmission count, cookie, T1."""

    def __init__(self, association: AssociationEngine, inbox: Inbox) -> None:
        self._association = association
        self._inbox = inbox
        self._retransmissions = 0
        self._stale_cookies = 0
        self._increment_ms = 0
        self._cookie_echo = b""
        self._cookie_sent_at_s = 0.0
        self._unrecognized: list[bytes] = []
        self._init_sent_at_s: float | None = None

    async def run(self, now: float) -> bool:
        """Connect; True once ESTABLISHED, False when the attempt has ended otherwise."""
        self._send_init(self._association.paths.primary, now)
        while self._association.state is not AssociationState.CLOSED:
            match await self._inbox:
                case ChunkArrived(InitAck() as chunk, path, now):
                    self._init_ack_received(chunk, path, now)
                case ChunkArrived(CookieAck(), path, now):
                    self._association.establishment.cookie_ack_received(path, now)
                    return True
                case ChunkArrived(Error() as chunk, path, now):
                    self._error_received(chunk, path, now)
                case TimerExpired(Timer.T1_INIT | Timer.T1_COOKIE, now):
                    self._t1_expired(now)
                case _:
                    pass  # a shutdown asked for now begins once established: association.shutdown() keeps it
        return False

    def _send_init(self, path: Path, now: float) -> None:
        association = self._association
        tcb = association.tcb
        config = association.config
        addresses = offered_addresses(association.local_addresses, path.address, config)
        parameters = common_parameters(addresses, config)
        parameters.append(supported_address_types(association.local_addresses))
        if self._increment_ms:
            parameters.append(CookiePreservative(self._increment_ms))
        init = Init(
            tcb.local_tag,
            config.receive_window_bytes,
            config.outbound_streams,
            config.max_inbound_streams,
            tcb.local_initial_tsn,
            tuple(parameters),
        )
        association.offered_addresses = tuple(addresses)
        # §8.5.1 A: "The sender MUST set the Verification Tag of the packet to 0"; §6.10: alone in it.
        is_repeat = self._retransmissions > 0
        association.output.send_alone(path, init.encode(), verification_tag=0, is_repeat=is_repeat)
        association.enter(AssociationState.COOKIE_WAIT)
        self._init_sent_at_s = None if is_repeat else now
        association.timers.stop(Timer.T1_COOKIE)
        association.timers.start(Timer.T1_INIT, now + min(path.rto.rto_s, self._init_rto_max_s))
        self._path = path

    def _init_ack_received(self, chunk: InitAck, path: Path, now: float) -> None:
        """§5.1 C. Only in COOKIE-WAIT: §5.2.3 discards the others, as the dispatch table does."""
        association = self._association
        if chunk.initiate_tag == 0:
            # §3.3.3: "If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the Initiate Tag set to
            # 0, it MUST destroy the TCB and SHOULD send an ABORT chunk with the T bit set".
            association.termination.refuse_init_ack(path, tag=association.tcb.local_tag, causes=(), tag_reflected=True)
            return
        if chunk.a_rwnd < MIN_RECEIVE_WINDOW_BYTES:
            # §3.3.3: "MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using the
            # Initiate Tag ..., and MUST NOT change the state of any existing association".
            answer = Abort((InvalidMandatoryParameter(),)).encode()
            association.output.send_alone(path, answer, verification_tag=chunk.initiate_tag)
            return
        offer = read_offer(chunk, path.address, association.config)
        if not isinstance(offer, Offer):
            association.termination.refuse_init_ack(path, tag=chunk.initiate_tag, causes=(offer,), tag_reflected=False)
            return
        if association.establishment.changes_format(offer):
            cause = ProtocolViolation(b"another chunk for user messages than in the INIT ACK before")
            association.termination.refuse_init_ack(path, tag=offer.tag, causes=(cause,), tag_reflected=False)
            return
        association.timers.stop(Timer.T1_INIT)
        if self._init_sent_at_s is not None:
            path.rto.measured(now - self._init_sent_at_s)
        echo_path = association.establishment.init_ack_taken(offer, path)
        self._retransmissions = 0
        assert offer.cookie is not None
        self._cookie_echo = CookieEcho(offer.cookie).encode()
        self._unrecognized = offer.unrecognized
        association.enter(AssociationState.COOKIE_ECHOED)
        self._send_cookie_echo(echo_path, now)

    def _send_cookie_echo(self, path: Path, now: float) -> None:
        association = self._association
        packet = OutgoingPacket(path, takes_data_early=path.is_confirmed)
        packet.add(self._cookie_echo)
        if path.is_confirmed:
            self._report_unrecognized(packet)
        else:
            # §5.4: to an UNCONFIRMED address it "MUST be bundled with a HEARTBEAT chunk including a nonce", and nothing
            # else may go there.
            heartbeat = association.heartbeats.make_chunk(path, now)
            if len(heartbeat) > packet.room:
                # "... larger than the PMTU, then the implementation MUST NOT send a COOKIE ECHO chunk to an UNCONFIRMED
                # address": it goes to another, if the INIT ACK left us one of those we know.
                confirmed = association.paths.for_data()
                if confirmed.is_confirmed:
                    self._send_cookie_echo(confirmed, now)
                else:
                    too_long = "sent a cookie too long for an address that is not confirmed"
                    association.termination.fail_to_connect(association.termination.refusal(too_long))
                return
            packet.add(heartbeat)
        association.output.send_packet(packet, is_repeat=self._retransmissions > 0)
        self._cookie_sent_at_s = now
        self._path = path
        association.timers.start(Timer.T1_COOKIE, now + path.rto.rto_s)

    def _report_unrecognized(self, packet: OutgoingPacket) -> None:
        """§3.2.2: parameters of the INIT ACK are reported in an ERROR bundled with the COOKIE ECHO, clipped to the
        path MTU so that no INIT ACK makes us send more than a packet."""
        fitting: list[bytes] = []
        room = packet.room - len(Error((UnrecognizedParameters(b""),)).encode())
        for parameter in self._unrecognized:
            padded = parameter + PADDING[len(parameter) & 3]
            room -= len(padded)
            if room < 0:
                break
            fitting.append(padded)
        if fitting:
            packet.add(Error((UnrecognizedParameters(b"".join(fitting)),)).encode())

    def _error_received(self, chunk: Error, path: Path, now: float) -> None:
        """§5.2.6: a Stale Cookie in COOKIE-ECHOED; any other error is only told to the user."""
        stale = next((cause for cause in chunk.causes if isinstance(cause, StaleCookie)), None)
        if stale is None or self._association.state is not AssociationState.COOKIE_ECHOED:
            return
        self._stale_cookies += 1
        if self._stale_cookies > MAX_STALE_COOKIES:
            self._association.termination.fail_to_connect(ConnectTimeout("the peer found every cookie stale"))
            return
        # §5.4: an INIT is not among what may go to an UNCONFIRMED address.
        path = path if path.is_confirmed else self._association.paths.for_data()
        if not path.is_confirmed:
            why = "found its cookie stale, and answers from an address that is not confirmed"
            self._association.termination.fail_to_connect(self._association.termination.refusal(why))
            return
        # §5.2.6, 3: the RTT measured by this exchange, and no more than a second beyond it.
        rtt_ms = round((now - self._cookie_sent_at_s) * 1000)
        self._increment_ms = rtt_ms + PRESERVATIVE_MARGIN_MS
        self._retransmissions = 0
        self._association.sender.handshake_timed_out()
        self._send_init(path, now)

    def _t1_expired(self, now: float) -> None:
        """§5.1.6, §4 (2) and (3): the same chunk again, to the next address of the peer, until
        Max.Init.Retransmits."""
        association = self._association
        self._retransmissions += 1
        if self._retransmissions > association.config.max_init_retransmits:
            unanswered = ConnectTimeout(f"{association.termination.asked} did not answer")
            association.termination.fail_to_connect(unanswered)
            return
        if association.state is AssociationState.COOKIE_WAIT:
            # What T1-init never waits for is not left to T1-cookie either.
            self._path.rto.back_off(self._init_rto_max_s)
            self._send_init(association.paths.after(self._path, confirmed=True), now)
        else:
            self._path.rto.back_off()
            association.sender.handshake_timed_out()
            self._send_cookie_echo(association.paths.after(self._path), now)

    @property
    def _init_rto_max_s(self) -> float:
        """RFC 6458 §8.1.3: "the largest timeout or RTO value ... to use in attempting an INIT"."""
        ceiling_s = self._association.config.init_rto_max_s
        return math.inf if ceiling_s is None else ceiling_s
