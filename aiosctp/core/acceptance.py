"""The responder's half of the handshake (§5.1, §5.2): INIT answered without keeping state, COOKIE ECHO taken.

Nothing is stored for an INIT: all that a later COOKIE ECHO needs is in the cookie. What an INIT or a COOKIE ECHO means
for an association that exists is decided by `collision.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from aiosctp.config import Config
from aiosctp.core.addresses import address_parameters, choose_source
from aiosctp.core.arrival import Arrival
from aiosctp.core.association import AssociationEngine
from aiosctp.core.collision import CookieAction, InitAction, classify_cookie, classify_init
from aiosctp.core.cookie import Cookie, CookieError, CookieJar
from aiosctp.core.datagram import Datagram
from aiosctp.core.diagnosis import diagnosis
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.extensions import negotiate, spoken_of
from aiosctp.core.negotiation import Offer, common_parameters, offered_addresses, read_offer
from aiosctp.core.paths import Path, Paths, RouteMtu, initial_mtu, largest_packet
from aiosctp.core.states import AssociationState
from aiosctp.core.tcb import TransmissionControlBlock
from aiosctp.wire.causes import (
    Cause,
    CookieReceivedWhileShuttingDown,
    InvalidMandatoryParameter,
    OutOfResource,
    RestartWithNewAddresses,
    RestartWithNewEncapsulationPort,
    StaleCookie,
)
from aiosctp.wire.chunks import Abort, CookieEcho, Error, Init, InitAck
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import HEADER_BYTES, CommonHeader
from aiosctp.wire.parameters import Parameter, StateCookie, UnrecognizedParameter
from aiosctp.wire.tlv import PADDING, TLV_HEADER_BYTES

# §3.3.2: the mandatory fields.
MIN_INIT_BYTES = 16
_NOBODY: Final = Config()
"""Whose config is asked where no endpoint is."""


class Acceptance:
    """Answers INITs and takes COOKIE ECHOs for all endpoints of a stack."""

    def __init__(
        self,
        config: Config,
        entropy: Callable[[int], bytes],
        cookies: CookieJar,
        new_tag: Callable[[], int],
        route_mtu: RouteMtu,
    ) -> None:
        self.config = config
        """The stack's own, for who finds no endpoint."""
        self._entropy = entropy
        self._cookies = cookies
        self._new_tag = new_tag
        self._route_mtu = route_mtu

    # -- INIT --

    def answer_init(
        self, chunk: Init, arrival: Arrival, endpoint: Endpoint | None, association: AssociationEngine | None
    ) -> Datagram | None:
        """§5.1 B, §5.2.1, §5.2.2: an INIT ACK, or an ABORT with the cause, for this INIT."""
        owner = association or endpoint
        offer = read_offer(chunk, arrival.source, _NOBODY if owner is None else owner.config)
        if not isinstance(offer, Offer):
            return self._abort(arrival, chunk.initiate_tag, offer)
        if association is not None:
            return self._answer_for_existing(offer, arrival, association)
        if endpoint is None or not endpoint.listens_at(arrival.destination):
            # §5.1: nobody takes it. The ABORT carries the Initiate Tag, and no T bit (§8.4, 3).
            return self._abort(arrival, chunk.initiate_tag, *diagnosis(self.config, b"nobody listens on this port"))
        peer = (arrival.source, arrival.header.source_port)
        if endpoint.takes_no_more or (endpoint.admit is not None and not endpoint.admit(peer)):
            return self._abort(arrival, chunk.initiate_tag, OutOfResource())
        if endpoint.is_busy:
            is_told = endpoint.config.abort_at_limit
            return self._abort(arrival, chunk.initiate_tag, OutOfResource()) if is_told else None
        tcb = TransmissionControlBlock(
            local_tag=self._new_tag(),
            local_initial_tsn=int.from_bytes(self._entropy(4)),
            outbound_streams=endpoint.config.outbound_streams,
            inbound_streams=endpoint.config.max_inbound_streams,
        )
        offered = offered_addresses(endpoint.local_addresses, arrival.source, endpoint.config)
        return self._init_ack(offer, arrival, endpoint, tcb, offered)

    def refuse_malformed(self, error: DecodeError, arrival: Arrival) -> Datagram | None:
        """§5.1: an INIT with "invalid parameter values" SHOULD be answered with an ABORT under its Initiate Tag, if so
        much of it can be read."""
        value = b"" if error.chunk is None else error.chunk.value
        tag = int.from_bytes(value[:4])
        if len(value) < MIN_INIT_BYTES or tag == 0:
            return None
        return self._abort(arrival, tag, InvalidMandatoryParameter())

    def _answer_for_existing(self, offer: Offer, arrival: Arrival, association: AssociationEngine) -> Datagram | None:
        path = association.paths.get(arrival.source)
        if path is not None and path.udp_port_learnt and path.udp_port != arrival.udp_port:
            # draft-tuexen-tsvwg-sctp-udp-encaps-cons: the association is untouched.
            cause = RestartWithNewEncapsulationPort(path.udp_port, arrival.udp_port)
            return self._abort(arrival, offer.tag, cause)
        # §5.1.2: addresses of a family that we do not have were ignored at the first INIT; they are added by none.
        sources = association.source_addresses(arrival.destination)
        usable = [host for host in offer.addresses if choose_source(sources, host) is not None]
        added = [host for host in usable if host not in association.paths]
        match classify_init(association.state, adds_addresses=bool(added)):
            case InitAction.RESEND_SHUTDOWN_ACK:
                association.resend_shutdown_ack()
                return None
            case InitAction.REFUSE_NEW_ADDRESSES:
                return self._abort(arrival, offer.tag, RestartWithNewAddresses(address_parameters(added)))
            case InitAction.ANSWER_WITH_SAME_TAG:
                return self._answer_collision(offer, arrival, association)
            case InitAction.ANSWER_WITH_NEW_TAG:
                return self._answer_restart(offer, arrival, association)

    def _answer_collision(self, offer: Offer, arrival: Arrival, association: AssociationEngine) -> Datagram | None:
        """§5.2.1: "using the same parameters it sent in its original INIT chunk (including its Initiate Tag)"."""
        # §5.2.1, 1 and 2: "MUST only be sent to an address passed by the upper layer", and "reported in the incoming
        # INIT"; 3: its source, which comes first among them, SHOULD be it.
        paths = (association.paths.get(host) for host in offer.addresses)
        path = next((found for found in paths if found is not None and found.is_confirmed), None)
        if path is None:
            return None
        if path.address != arrival.source:
            # What the INIT ACK and its cookie say of an address (§5.4, 2) holds for the one it goes to.
            arrival = replace(arrival, source=path.address, udp_port=path.udp_port, destination=path.local_address)
        own = association.tcb
        tie_local, tie_peer = 0, 0
        if association.state is AssociationState.COOKIE_ECHOED:
            # "it MUST populate its Tie-Tags within both the association TCB and inside the State Cookie".
            tie_local, tie_peer = association.tie_tags()
        tcb = TransmissionControlBlock(
            local_tag=own.local_tag,
            local_initial_tsn=own.local_initial_tsn,
            outbound_streams=association.config.outbound_streams,
            inbound_streams=association.config.max_inbound_streams,
            local_tie_tag=tie_local,
            peer_tie_tag=tie_peer,
        )
        return self._init_ack(
            offer, arrival, association, tcb, association.offered_addresses, outbound_streams=tcb.outbound_streams
        )

    def _answer_restart(self, offer: Offer, arrival: Arrival, association: AssociationEngine) -> Datagram:
        """§5.2.2: a new Initiate Tag; "other parameters ... SHOULD be copied from the existing"."""
        tie_local, tie_peer = association.tie_tags()
        tcb = TransmissionControlBlock(
            local_tag=self._new_tag(),
            local_initial_tsn=int.from_bytes(self._entropy(4)),
            outbound_streams=association.config.outbound_streams,
            inbound_streams=association.config.max_inbound_streams,
            local_tie_tag=tie_local,
            peer_tie_tag=tie_peer,
        )
        return self._init_ack(offer, arrival, association, tcb, association.offered_addresses)

    def _init_ack(
        self,
        offer: Offer,
        arrival: Arrival,
        owner: Endpoint | AssociationEngine,
        tcb: TransmissionControlBlock,
        offered: Sequence[str],
        *,
        outbound_streams: int | None = None,
    ) -> Datagram:
        """§3.3.3: the OS "MUST NOT be greater than the MIS value sent in the INIT chunk", but in a collision, where our
        INIT has said already what we want (§5.2.1)."""
        config = owner.config
        outbound_streams = outbound_streams or min(tcb.outbound_streams, offer.inbound_streams)
        wanted_s = config.valid_cookie_life_s + offer.cookie_increment_ms / 1000
        # The endpoint's config bounds it, and the life of the key, which the stack's config sets.
        lifespan_s = min(wanted_s, config.max_cookie_life_s, self._cookies.key_life_s)
        cookie = Cookie(
            created_at_s=arrival.now,
            lifespan_s=lifespan_s,
            local_port=arrival.header.destination_port,
            peer_port=arrival.header.source_port,
            local_tag=tcb.local_tag,
            peer_tag=offer.tag,
            local_initial_tsn=tcb.local_initial_tsn,
            peer_initial_tsn=offer.initial_tsn,
            peer_a_rwnd=offer.a_rwnd,
            outbound_streams=min(tcb.outbound_streams, offer.inbound_streams),
            inbound_streams=min(tcb.inbound_streams, offer.outbound_streams),
            local_tie_tag=tcb.local_tie_tag,
            peer_tie_tag=tcb.peer_tie_tag,
            peer_adaptation_layer=offer.adaptation_layer,
            peer_extensions=offer.extensions,
            init_source=arrival.source,
            peer_addresses=tuple(offer.addresses),
            offered_addresses=tuple(offered),
        )
        parameters: list[Parameter] = [StateCookie(self._cookies.seal(cookie, arrival.now))]
        parameters += common_parameters(offered, config)
        init_ack = InitAck(
            tcb.local_tag,
            config.receive_window_bytes,
            outbound_streams,
            tcb.inbound_streams,
            tcb.local_initial_tsn,
            tuple(parameters),
        )
        chunk = init_ack.encode()
        room = largest_packet(arrival.source, initial_mtu(arrival.source, config)) - HEADER_BYTES - len(chunk)
        reports = _reports(offer.unrecognized, room)
        if reports:
            chunk = replace(init_ack, parameters=(*parameters, *reports)).encode()
        # §5.1 B: to the source of the INIT, under its Initiate Tag. Two lists of many addresses, ours and the peer's in
        # the cookie, may be more than a packet takes: IP has to cut it then.
        return arrival.answer(offer.tag, chunk, dont_fragment=room >= 0)

    def _abort(self, arrival: Arrival, tag: int, *causes: Cause) -> Datagram:
        return arrival.answer(tag, Abort(causes).encode())

    # -- COOKIE ECHO --

    def open_cookie(self, chunk: CookieEcho, header: CommonHeader, now: float) -> Cookie:
        """§5.1.5, 1 to 3: authentic, and for this packet. Raises CookieError."""
        cookie = self._cookies.open(chunk.cookie, now)
        named = (cookie.peer_port, cookie.local_port, cookie.local_tag)
        if named != (header.source_port, header.destination_port, header.verification_tag):
            raise CookieError("the cookie belongs to another packet header")
        return cookie

    def stale_answer(self, cookie: Cookie, arrival: Arrival) -> Datagram | None:
        """§5.1.5, 4: an ERROR "Stale Cookie" when the cookie is older than its lifespan."""
        staleness_s = arrival.now - cookie.created_at_s - cookie.lifespan_s
        if staleness_s <= 0:
            return None
        # §3.3.10.3: rounded up, so that it is never 0.
        measure_us = min(math.ceil(staleness_s * 1e6), 2**32 - 1)
        return arrival.answer(cookie.peer_tag, Error((StaleCookie(measure_us),)).encode())

    def create(self, cookie: Cookie, arrival: Arrival, endpoint: Endpoint) -> AssociationEngine:
        """§5.1.5, 5: the association that the cookie describes."""
        return AssociationEngine(
            local_port=cookie.local_port,
            peer_port=cookie.peer_port,
            local_addresses=endpoint.local_addresses,
            tcb=tcb_of(cookie, endpoint.config),
            paths=paths_of(cookie, arrival, endpoint, self._route_mtu),
            config=endpoint.config,
            entropy=self._entropy,
            route_mtu=self._route_mtu,
        )

    def resolve(self, cookie: Cookie, arrival: Arrival, association: AssociationEngine) -> CookieAction:
        """§5.2.4: do what Table 12 says for a COOKIE ECHO when a TCB exists. The packet's other chunks are processed
        after (A), (B) and (D)."""
        action = classify_cookie(cookie, association.tcb)
        path = association.paths.get(arrival.source) or association.paths.for_data()
        match action:
            case CookieAction.RESTART if association.state is AssociationState.SHUTDOWN_ACK_SENT:
                # "it MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR
                # chunk with a 'Cookie Received While Shutting Down' error cause".
                association.resend_shutdown_ack()
                error = Error((CookieReceivedWhileShuttingDown(),)).encode()
                association.output.send_control(association.paths.for_data(), error)
                return CookieAction.DISCARD
            case CookieAction.RESTART:
                paths = paths_of(cookie, arrival, association, self._route_mtu)
                association.establishment.restarted(tcb_of(cookie, association.config), paths, path, arrival.now)
            case CookieAction.COLLISION:
                paths = paths_of(cookie, arrival, association, self._route_mtu)
                association.establishment.collided(tcb_of(cookie, association.config), paths, path, arrival.now)
            case CookieAction.DUPLICATE:
                association.establishment.duplicate_cookie(path, arrival.now)
            case CookieAction.LATE | CookieAction.DISCARD:
                pass
        return action


def tcb_of(cookie: Cookie, config: Config) -> TransmissionControlBlock:
    extensions = spoken_of(cookie.peer_extensions)
    return TransmissionControlBlock(
        local_tag=cookie.local_tag,
        local_initial_tsn=cookie.local_initial_tsn,
        outbound_streams=cookie.outbound_streams,
        inbound_streams=cookie.inbound_streams,
        peer_tag=cookie.peer_tag,
        peer_initial_tsn=cookie.peer_initial_tsn,
        peer_a_rwnd=cookie.peer_a_rwnd,
        peer_adaptation_layer=cookie.peer_adaptation_layer,
        peer_extensions=extensions,
        negotiated=negotiate(config, extensions),
        cookie_expires_at_s=cookie.created_at_s + cookie.lifespan_s,
    )


def paths_of(cookie: Cookie, arrival: Arrival, owner: Endpoint | AssociationEngine, route_mtu: RouteMtu) -> Paths:
    """§5.4, 2: "the only CONFIRMED address is the address to which the packet containing the INIT ACK chunk was sent".

    All take the UDP port that the COOKIE ECHO came from until theirs is learnt (RFC 6951 §5.4). The source is one that
    the peer knows for ours: where it sent the COOKIE ECHO, or of the list in our INIT ACK what suits the address best.
    """
    heard_at = () if arrival.destination is None else (arrival.destination,)
    sources = cookie.offered_addresses or heard_at or owner.local_addresses

    def path_to(address: str, turn: int, *, is_confirmed: bool) -> Path:
        source = arrival.destination if address == arrival.source else choose_source(sources, address, turn)
        known_mtu = route_mtu(source, address)
        return Path(address, source, arrival.udp_port, owner.config, is_confirmed=is_confirmed, route_mtu=known_mtu)

    paths = Paths(path_to(cookie.init_source, 0, is_confirmed=True))
    for address in cookie.peer_addresses:
        if address in paths:
            continue
        path = path_to(address, len(paths), is_confirmed=False)
        # §5.1.2: addresses of a family that we do not have MAY be ignored.
        if path.local_address is not None:
            paths.add(path)
    return paths


def _reports(unrecognized: Sequence[bytes], room: int) -> list[UnrecognizedParameter]:
    """§3.2.2: each in a parameter of its own. §12.4: an INIT that "would require a large packet in response" gets as
    many of them as leave the INIT ACK in one packet."""
    reports = []
    for parameter in unrecognized:
        room -= TLV_HEADER_BYTES + len(parameter) + len(PADDING[len(parameter) & 3])
        if room < 0:
            break
        reports.append(UnrecognizedParameter(parameter))
    return reports
