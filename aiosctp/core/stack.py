"""The engine of a stack: finds the association a packet belongs to, or answers what belongs to none.

A packet is looked up by our verification tag, and both SCTP ports must match. On a miss a second look, by ports and
the peer's address, serves the chunks that carry another tag: INIT, COOKIE ECHO of a restart, what reflects the peer's
tag, SHUTDOWN ACK during a handshake. Only a miss in both is out of the blue (§8.4); a known association with a wrong
tag is a silent discard (§8.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from aiosctp.config import Config
from aiosctp.core import shortcuts
from aiosctp.core.acceptance import Acceptance
from aiosctp.core.addresses import choose_source, is_unicast
from aiosctp.core.arrival import Arrival
from aiosctp.core.association import AssociationEngine
from aiosctp.core.collision import CookieAction, names_tags_of
from aiosctp.core.cookie import Cookie, CookieError, CookieJar
from aiosctp.core.datagram import Datagram, packet_count
from aiosctp.core.diagnosis import diagnosis
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.icmp import IcmpKind, IcmpMessage, handle_icmp
from aiosctp.core.lookup import Lookup
from aiosctp.core.out_of_the_blue import Answer, classify
from aiosctp.core.packet_run import PacketRun
from aiosctp.core.paths import Path, Paths, RouteMtu, no_route_known
from aiosctp.core.states import CLOSED, HANDSHAKE, AssociationState
from aiosctp.core.statistics import AssociationCounters, StackCounters
from aiosctp.core.tags import Tags
from aiosctp.core.tcb import TransmissionControlBlock
from aiosctp.core.token_bucket import TokenBucket
from aiosctp.core.wake_ups import WakeUps
from aiosctp.exceptions import AssociationAborted, AssociationShutdown
from aiosctp.wire.causes import OutOfResource
from aiosctp.wire.chunks import Abort, Chunk, CookieEcho, Init, InitAck, ShutdownComplete, decode_chunks
from aiosctp.wire.errors import ChecksumError, DecodeError
from aiosctp.wire.packet import HEADER_BYTES, decode_header
from aiosctp.wire.parameters import IPv4AddressParameter, IPv6AddressParameter

FIRST_EPHEMERAL_PORT = 49152
LAST_EPHEMERAL_PORT = 65535
_COUNTED_AS_ESTABLISHED = (
    AssociationState.ESTABLISHED,
    AssociationState.SHUTDOWN_RECEIVED,
    AssociationState.SHUTDOWN_PENDING,
)
SILENT = 2
"""`Config.blackhole`: nothing out of the blue is answered."""


class StackEngine:
    """All associations and endpoints behind one UDP port.

    Inputs: `receive`, `icmp_received`, `send_failed`, `handle_timeout`.
    Commands: `configure`, `open_endpoint`, `close_endpoint`, `connect`, `touch`, `touch_to_send`.
    Outputs: `has_output`, `is_in_haste`, `has_news`, `poll_datagrams`, `poll_changed`, `poll_faults`, `next_deadline`.
    Getters: the rest.
    """

    def __init__(
        self,
        *,
        config: Config,
        local_addresses: Sequence[str],
        entropy: Callable[[int], bytes],
        route_mtu: RouteMtu = no_route_known,
    ) -> None:
        self.config: Config = config
        self.local_addresses: tuple[str, ...] = tuple(local_addresses)
        self.counters: StackCounters = StackCounters()
        self._counted_by_ended = AssociationCounters()
        self.endpoints: dict[int, Endpoint] = {}
        self._entropy = entropy
        self._route_mtu = route_mtu
        self._has_short_way = shortcuts.are_open
        self._lookup = Lookup()
        self._tags = Tags(entropy, self._lookup.by_tag)
        self._answers: list[Datagram] = []
        self._error_answers = TokenBucket(config.error_answers_per_s)
        self._faults: list[Exception] = []
        self._connecting: set[AssociationEngine] = set()
        self._touched: dict[AssociationEngine, None] = {}
        self._ended: list[AssociationEngine] = []
        """Touched when they had ended, and maybe still to be found."""
        self._changed: dict[AssociationEngine, None] = {}
        self._wake_ups = WakeUps()
        self._cookies = CookieJar(entropy, config.cookie_key_life_s)
        self._acceptance = Acceptance(config, entropy, self._cookies, self._tags.draw_unused, route_mtu)

    # -- inputs --

    def receive(
        self, data: bytes, source: str, udp_port: int, destination: str | None, now: float, segment_bytes: int = 0
    ) -> None:
        """Take one UDP datagram, or a run of them (`Received`), from `(source, udp_port)` to our `destination`."""
        run = PacketRun(data, segment_bytes or len(data), source, udp_port, destination, now)
        if not data:
            self._receive_one(run)
        while run.start < len(data):
            if not (self._has_short_way and self._bulk_received(run)):
                self._receive_one(run)

    def _bulk_received(self, run: PacketRun) -> bool:
        """The short way of packets with little but DATA, of which a run is looked up once: as many as belong to the
        same association, though other packets of the run need not. Whether any was taken."""
        if self._ended:
            self._forget_ended(run.now)
        start = run.start
        association = self._lookup.of_header(run.data, start)
        path = None if association is None else association.paths.get(run.source)
        if association is None or path is None:
            return False
        if run.destination is not None and not is_unicast(run.destination):
            return False
        try:
            run.take_bulk(association, path)
        except Exception as error:
            self._fault(association, error)
            self.touch(association)
        if run.start == start:
            return False
        self.counters.datagrams_received += (run.start - start) // run.packet_bytes
        self.touch(association)
        return True

    def _receive_one(self, run: PacketRun) -> None:
        """The general way of one packet."""
        data, source, destination, now = run.take_packet(), run.source, run.destination, run.now
        self.counters.datagrams_received += 1
        if self._ended:
            self._forget_ended(now)
        try:
            header = decode_header(data)
        except DecodeError as error:
            self.counters.malformed_packets += 1
            self.counters.checksum_errors += isinstance(error, ChecksumError)
            return
        if not is_unicast(source) or (destination is not None and not is_unicast(destination)):
            # §8.4, 1: "to or from a non-unicast address"; no association has one.
            self.counters.out_of_the_blue += 1
            return
        arrival = Arrival(header, source, run.udp_port, destination, now)
        if data[12] == Init.type:
            self._init_arrived(data, arrival)
        elif data[12] == CookieEcho.type:
            self._cookie_echo_arrived(data, arrival)
        else:
            self._packet_arrived(data, arrival)

    def handle_timeout(self, now: float) -> None:
        """Let every association whose deadline has passed handle it."""
        while (association := self._wake_ups.pop_due(now)) is not None:
            deadline = association.next_deadline()
            if deadline is None:
                continue
            if deadline > now:
                # The timer that it was to be woken for was stopped, as that of a HEARTBEAT that was answered.
                self._wake_ups.schedule(association, deadline)
                continue
            try:
                association.handle_timeout(now)
            except Exception as error:
                self._fault(association, error)
            self.touch(association)

    def icmp_received(self, message: IcmpMessage, now: float) -> None:
        """Take an ICMP message about a datagram of ours (§10)."""
        self.counters.icmp_received += 1
        association = handle_icmp(message, self._lookup.of_peer, now)
        if association is None:
            self.counters.icmp_ignored += 1
        else:
            self.touch(association)

    def send_failed(self, datagram: Datagram, *, too_big: bool, now: float, mtu: int = 0) -> None:
        """The operating system refused a datagram: no route, or larger than its interface takes, which is `mtu` if it
        said so. It is lost, as on the wire, and says of its path what an ICMP message would."""
        self.counters.send_errors += 1
        kind = IcmpKind.PACKET_TOO_BIG if too_big else IcmpKind.DESTINATION_UNREACHABLE
        message = IcmpMessage(kind, datagram.data, datagram.destination, mtu)
        association = handle_icmp(message, self._lookup.of_peer, now)
        if association is not None:
            self.touch(association)

    def _packet_arrived(self, data: bytes, arrival: Arrival) -> None:
        header = arrival.header
        if header.verification_tag == 0:
            # §8.5.1 A: under tag 0 "verify that the packet contains only an INIT chunk. Otherwise, ... discard".
            self.counters.wrong_verification_tags += 1
            return
        association = self._lookup.by_tag.get(header.verification_tag)
        ports = (header.destination_port, header.source_port)
        if association is not None and (association.local_port, association.peer_port) == ports:
            self._deliver(association, decode_chunks(data, association.tcb.negotiated.not_spoken), arrival)
            return
        association = self._lookup.of_peer(*ports, arrival.source)
        if association is None:
            self._out_of_the_blue(data, arrival)
            return
        self._tag_exceptions(association, data, arrival)

    def _deliver(
        self,
        association: AssociationEngine,
        chunks: Iterable[Chunk | DecodeError],
        arrival: Arrival,
        path: Path | None = None,
    ) -> None:
        """Hand a packet to its association. Without a path, the one it came on, which learns its UDP port."""
        if path is None:
            path = association.path_of(arrival.source, arrival.udp_port, arrival.destination)
        try:
            malformed = association.input.receive(chunks, arrival.header.verification_tag, path, arrival.now)
        except Exception as error:
            self._fault(association, error)
        else:
            self.counters.malformed_chunks += malformed
        self.touch(association)

    def _tag_exceptions(self, association: AssociationEngine, data: bytes, arrival: Arrival) -> None:
        """§8.5.1: the packets of a known association that may carry another tag than ours."""
        chunks = list(decode_chunks(data))
        header = arrival.header
        if any(isinstance(chunk, Abort | ShutdownComplete) and chunk.tag_reflected for chunk in chunks):
            # B, C: the association compares the tag with the peer's.
            if header.verification_tag == association.tcb.peer_tag:
                self._deliver(association, chunks, arrival, path=association.known_path(arrival.source))
                return
        elif association.state in HANDSHAKE and classify(chunks) is Answer.SHUTDOWN_COMPLETE:
            # §8.5.1 E: a SHUTDOWN ACK "is treated as an OOTB packet"; §9.2: the sender then forgets, and our INIT is
            # heard.
            self._answer_out_of_the_blue(arrival, ShutdownComplete(True))
            return
        self.counters.wrong_verification_tags += 1

    def _out_of_the_blue(self, data: bytes, arrival: Arrival) -> None:
        self.counters.out_of_the_blue += 1
        if self.config.blackhole == SILENT:
            return
        match classify(decode_chunks(data)):
            case Answer.SHUTDOWN_COMPLETE:
                self._answer_out_of_the_blue(arrival, ShutdownComplete(True))
            case Answer.ABORT:
                causes = diagnosis(self.config, b"no association has this packet's tag and ports")
                self._answer_out_of_the_blue(arrival, Abort(causes, True))
            case Answer.NOTHING:
                pass

    def _answer_out_of_the_blue(self, arrival: Arrival, chunk: Abort | ShutdownComplete) -> None:
        """§8.4, 5 and 8: under the tag that came, with the T bit."""
        answer = arrival.answer(arrival.header.verification_tag, chunk.encode())
        self.counters.out_of_the_blue_answers += self._answer_with_error(answer, arrival.now)

    def _answer_with_error(self, answer: Datagram | None, now: float) -> bool:
        """Answer who has no association here, and whose address nothing proves, within `error_answers_per_s`. Returns
        whether there is an answer.

        RFC 4443 §2.4 (f) wants the same of ICMP errors: a storm of packets is not to be answered by another one, at
        hosts that may not have sent it. Who is left without an answer asks again.
        """
        if answer is None:
            return False
        if not self._error_answers.take(now):
            self.counters.answers_withheld += 1
            return False
        self.counters.answers_sent += 1
        self._answers.append(answer)
        return True

    # -- INIT and COOKIE ECHO --

    def _init_arrived(self, data: bytes, arrival: Arrival) -> None:
        self.counters.init_received += 1
        if arrival.header.verification_tag != 0:
            # §12.3: "MUST silently discard the INIT chunk and all further chunks if ... the packet has a non-zero
            # Verification Tag"; §8.4, 8 is for other packets.
            self.counters.wrong_verification_tags += 1
            return
        chunks = list(decode_chunks(data))
        # §8.5.1 A: under tag 0 "verify that the packet contains only an INIT chunk. Otherwise, ... silently discard";
        # §3.3.2: an Initiate Tag of 0 likewise.
        init = chunks[0]
        endpoint = self.endpoints.get(arrival.header.destination_port)
        is_hidden = bool(self.config.blackhole) and (endpoint is None or not endpoint.listens_at(arrival.destination))
        if isinstance(init, DecodeError) and len(chunks) == 1:
            self.counters.malformed_chunks += 1
            if not is_hidden:
                self._answer_with_error(self._acceptance.refuse_malformed(init, arrival), arrival.now)
            return
        if len(chunks) != 1 or not isinstance(init, Init) or init.initiate_tag == 0:
            self.counters.malformed_chunks += 1
            return
        association = self._association_of_init(init, arrival)
        if association is None and is_hidden:
            return
        answer = self._acceptance.answer_init(init, arrival, endpoint, association)
        if association is not None:
            self.touch(association)
        if answer is not None and answer.data[HEADER_BYTES] == InitAck.type:
            # Not limited: among many strangers it would keep out those who mean it. It keeps no state (§5.1.3).
            self.counters.answers_sent += 1
            self._answers.append(answer)
        else:
            self._answer_with_error(answer, arrival.now)

    def _association_of_init(self, init: Init, arrival: Arrival) -> AssociationEngine | None:
        """§5.1.2 D: "the use of any of the valid address parameters ... would identify an existing TCB"."""
        ports = (arrival.header.destination_port, arrival.header.source_port)
        listed = (p.host for p in init.parameters if isinstance(p, IPv4AddressParameter | IPv6AddressParameter))
        hosts = [arrival.source, *listed]
        for host in hosts:
            association = self._lookup.of_peer(*ports, host)
            if association is not None:
                return association
        return None

    def _cookie_echo_arrived(self, data: bytes, arrival: Arrival) -> None:
        chunks = list(decode_chunks(data))
        if any(isinstance(chunk, Abort) for chunk in chunks):
            # §8.4, 2 comes before 4; §9.1: "MUST NOT respond to any received packet that contains an ABORT chunk".
            self._packet_arrived(data, arrival)
            return
        first, *others = chunks
        try:
            if not isinstance(first, CookieEcho):
                raise CookieError("the COOKIE ECHO is malformed")
            cookie = self._acceptance.open_cookie(first, arrival.header, arrival.now)
        except CookieError:
            self.counters.cookies_invalid += 1
            return
        association = self._association_of_cookie(cookie.peer_addresses, arrival)
        stale = self._acceptance.stale_answer(cookie, arrival)
        # §5.2.4, 3: "If both Verification Tags ... match ..., consider the State Cookie valid ... even if the lifespan
        # is exceeded".
        if stale is not None and (association is None or not names_tags_of(cookie, association.tcb)):
            self.counters.cookies_stale += 1
            self._answer_with_error(stale, arrival.now)
            return
        if association is None:
            association = self._associate(cookie, arrival)
            if association is None:
                return
        elif cookie.local_tag != association.tcb.local_tag and not self._tags.is_free(cookie.local_tag, arrival.now):
            # A restart, under a tag that was not reserved either.
            return
        elif self._acceptance.resolve(cookie, arrival, association) in (CookieAction.LATE, CookieAction.DISCARD):
            self.touch(association)
            return
        if others:
            # Only now it is known which of them have a meaning.
            others = list(decode_chunks(data, association.tcb.negotiated.not_spoken))[1:]
        self._deliver(association, others, arrival)

    def _association_of_cookie(self, peer_addresses: Iterable[str], arrival: Arrival) -> AssociationEngine | None:
        """The association with this peer, if there is one. Not by tag: one given out in an INIT ACK is not reserved, so
        that of another peer may have it by now."""
        ports = (arrival.header.destination_port, arrival.header.source_port)
        for host in (arrival.source, *peer_addresses):
            association = self._lookup.of_peer(*ports, host)
            if association is not None:
                return association
        return None

    def _associate(self, cookie: Cookie, arrival: Arrival) -> AssociationEngine | None:
        endpoint = self.endpoints.get(cookie.local_port)
        # A tag in a stateless INIT ACK is not reserved: by now another association may have it, or have had it.
        if not self._tags.is_free(cookie.local_tag, arrival.now):
            return None
        # §5.1: decided not to establish, it "SHOULD respond with an ABORT chunk".
        if endpoint is None or not endpoint.is_listening:
            if self.config.blackhole != SILENT:
                abort = Abort(diagnosis(self.config, b"nobody listens on this port any more"))
                self._answer_with_error(arrival.answer(cookie.peer_tag, abort.encode()), arrival.now)
            return None
        if endpoint.takes_no_more or (endpoint.is_busy and endpoint.config.abort_at_limit):
            self._answer_with_error(arrival.answer(cookie.peer_tag, Abort((OutOfResource(),)).encode()), arrival.now)
            return None
        if endpoint.is_busy:
            return None
        association = self._acceptance.create(cookie, arrival, endpoint)
        association.offered_addresses = cookie.offered_addresses
        endpoint.add(association)
        endpoint.accepted.append(association)
        path = association.path_of(arrival.source, arrival.udp_port, arrival.destination)
        association.establishment.cookie_taken(path, arrival.now)
        self.counters.associations_established += 1
        self.counters.associations_accepted += 1
        self._index(association, arrival.now)
        return association

    # -- commands --

    def configure(self, config: Config) -> None:
        """Take other parameters over, those that are the stack's own: endpoints and associations have theirs."""
        if config.error_answers_per_s != self.config.error_answers_per_s:
            self._error_answers = TokenBucket(config.error_answers_per_s)
        self._cookies.key_life_s = config.cookie_key_life_s
        self._acceptance.config = self.config = config

    def open_endpoint(self, port: int, local_addresses: Sequence[str], config: Config) -> Endpoint:
        """An endpoint on this SCTP port, 0 for one that is free. Raises ValueError when the port is taken."""
        is_ephemeral = port == 0
        if is_ephemeral:
            port = self._free_port()
        if port in self.endpoints:
            raise ValueError(f"SCTP port {port} is in use")
        endpoint = self.endpoints[port] = Endpoint(port, local_addresses, config)
        endpoint.is_ephemeral = is_ephemeral
        return endpoint

    def close_endpoint(self, endpoint: Endpoint) -> None:
        self.endpoints.pop(endpoint.port, None)

    def connect(
        self,
        endpoint: Endpoint,
        peer_hosts: Sequence[str],
        peer_port: int,
        *,
        udp_port: int,
        config: Config,
        now: float,
    ) -> AssociationEngine:
        """Begin an association with the peer that has these addresses; all are CONFIRMED (§5.4, 1)."""
        self._forget_ended(now)
        paths: list[Path] = []
        for host in peer_hosts:
            source = choose_source(endpoint.local_addresses, host, turn=len(paths))
            if source is not None:
                mtu = self._route_mtu(source, host)
                paths.append(Path(host, source, udp_port, config, is_confirmed=True, route_mtu=mtu))
        if not paths:
            raise ValueError("no local address of the peer's address family")
        tcb = TransmissionControlBlock(
            local_tag=self._tags.draw(now),
            local_initial_tsn=int.from_bytes(self._entropy(4)),
            outbound_streams=config.outbound_streams,
            inbound_streams=config.max_inbound_streams,
        )
        all_paths = Paths(paths[0])
        for path in paths[1:]:
            all_paths.add(path)
        association = AssociationEngine(
            local_port=endpoint.port,
            peer_port=peer_port,
            local_addresses=endpoint.local_addresses,
            tcb=tcb,
            paths=all_paths,
            config=config,
            entropy=self._entropy,
            route_mtu=self._route_mtu,
        )
        endpoint.add(association)
        self._connecting.add(association)
        association.connect(now)
        self._index(association, now)
        self.touch(association)
        return association

    def touch(self, association: AssociationEngine) -> None:
        """Something was done with this association: look at its outputs at the next poll."""
        self._touched[association] = self._changed[association] = None
        if association.state is CLOSED:
            self._ended.append(association)

    def touch_to_send(self, association: AssociationEngine) -> None:
        """`touch`, after `AssociationEngine.send`: nobody has to be told of that."""
        self._touched[association] = None

    def association_with(self, local_port: int, peer_port: int, peer_hosts: Iterable[str]) -> AssociationEngine | None:
        """The association between these ports with a peer that has one of these addresses."""
        found = (self._lookup.of_peer(local_port, peer_port, host) for host in peer_hosts)
        return next((association for association in found if association is not None), None)

    # -- counting --

    def count_established(self) -> int:
        """RFC 3873, sctpCurrEstab: "for which the current state is either ESTABLISHED, SHUTDOWN-RECEIVED or
        SHUTDOWN-PENDING"."""
        return sum(association.state in _COUNTED_AS_ESTABLISHED for association in self._lookup.known)

    def total_of_associations(self) -> AssociationCounters:
        """What all have counted, those that ended included. Linear in those that live."""
        total = AssociationCounters()
        total.add(self._counted_by_ended)
        for association in self._lookup.known:
            total.add(association.counters)
        return total

    # -- outputs --

    @property
    def has_output(self) -> bool:
        """Whether something happened since the last poll."""
        return bool(self._touched or self._answers or self._changed or self._faults)

    @property
    def has_news(self) -> bool:
        """Whether there is anything in `poll_changed` or `poll_faults`."""
        return bool(self._changed or self._faults)

    @property
    def is_in_haste(self) -> bool:
        """Whether to poll before the users have done more: something may be sent already, or an association has come to
        be."""
        if self._answers or (self._connecting and not self._connecting.isdisjoint(self._touched)):
            return True
        return any(association.may_send_at_once for association in self._touched)

    def poll_datagrams(self, now: float) -> list[Datagram]:
        """Everything that may be sent now; each association that was touched gets its turn."""
        datagrams: list[Datagram] = []
        for association in self._touched:
            try:
                datagrams += association.transmit(now)
            except Exception as error:
                self._fault(association, error)
            self._settle(association, now)
            if association.has_news:
                self._changed[association] = None
        self._touched.clear()
        self._ended.clear()
        if self._answers:
            # Last: what ended an association was said before its peer's packets were out of the blue (§8.4).
            datagrams += self._answers
            self._answers = []
        for datagram in datagrams:
            segment_bytes = datagram.segment_bytes
            self.counters.datagrams_sent += packet_count(datagram.data, segment_bytes) if segment_bytes else 1
        return datagrams

    def poll_changed(self) -> list[AssociationEngine]:
        """The associations whose events, messages or buffers may have changed since the last call."""
        changed = list(self._changed)
        self._changed.clear()
        return changed

    def poll_faults(self) -> list[Exception]:
        """Exceptions that associations ended with: each is a bug of ours."""
        faults, self._faults = self._faults, []
        return faults

    def next_deadline(self) -> float | None:
        return self._wake_ups.next_deadline()

    def _fault(self, association: AssociationEngine, error: Exception) -> None:
        """A bug in one association ends that one, so that the others go on."""
        self._faults.append(error)
        try:
            association.abort(b"internal error")
        except Exception:
            # Not even its exits work any more.
            association.timers.stop_all()
            association.state = CLOSED
        association.ending = association.ending or AssociationAborted("internal error", local=True)

    def _settle(self, association: AssociationEngine, now: float) -> None:
        """After its outputs were taken: keep the indexes and the deadlines true to it."""
        if association in self._connecting and association.state not in HANDSHAKE:
            self._connecting.discard(association)
            self.counters.associations_established += association.state is not CLOSED
        if association.state is CLOSED:
            self._forget(association, now)
            return
        self._index(association, now)
        deadline = association.timers.next_deadline()
        if deadline is not None:
            self._wake_ups.schedule(association, deadline)

    # -- what can be found --

    def _index(self, association: AssociationEngine, now: float) -> None:
        old_tag = self._lookup.put(association)
        if old_tag is not None:
            self._put_to_rest(old_tag, association, now)

    def _forget_ended(self, now: float) -> None:
        """Before the next packet, though nothing was polled since: it "MUST" find them removed (§9.1, §9.2)."""
        while self._ended:
            self._forget(self._ended.pop(), now)

    def _forget(self, association: AssociationEngine, now: float) -> None:
        tag = self._lookup.remove(association)
        if tag is None:
            return
        self._put_to_rest(tag, association, now)
        self._wake_ups.cancel(association)
        self._counted_by_ended.add(association.counters)
        if isinstance(association.ending, AssociationAborted):
            self.counters.associations_aborted += 1
        elif isinstance(association.ending, AssociationShutdown):
            self.counters.associations_shut_down += 1
        endpoint = self.endpoints.get(association.local_port)
        if endpoint is not None:
            endpoint.discard(association)

    def _put_to_rest(self, tag: int, association: AssociationEngine, now: float) -> None:
        """For Config.vtag_quarantine_s, and for as long as a cookie with this tag may still be echoed."""
        rested_at_s = now + association.config.vtag_quarantine_s
        self._tags.rest(tag, max(rested_at_s, association.tcb.cookie_expires_at_s), now)

    def _free_port(self) -> int:
        """RFC 6335 §6: the dynamic ports, starting at a random one."""
        size = LAST_EPHEMERAL_PORT - FIRST_EPHEMERAL_PORT + 1
        start = int.from_bytes(self._entropy(4)) % size
        for step in range(size):
            port = FIRST_EPHEMERAL_PORT + (start + step) % size
            if port not in self.endpoints:
                return port
        raise ValueError("every ephemeral SCTP port is in use")
