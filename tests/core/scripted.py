"""One StackEngine, called Z, against a peer, A, whose packets the test writes by hand; virtual time only.

In the transcripts `# A -> INIT -> Z` is a packet the test sends, `# Z -> INIT ACK -> A` what the engine answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram, split
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.messages import Message, OutgoingMessage
from aiosctp.core.paths import Path
from aiosctp.core.stack import StackEngine
from aiosctp.core.states import AssociationState
from aiosctp.events import Event
from aiosctp.wire.chunks import (
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    Shutdown,
    decode_chunks,
)
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import decode_header, encode_packet
from aiosctp.wire.parameters import IPv4AddressParameter, Parameter, StateCookie

A_PORT, Z_PORT = 7777, 5000
UDP_PORT = 9899
A_TAG = 0xA0A0_A0A0
A_INITIAL_TSN = 0xFFFF_FFFE
A_RWND = 100_000
COOKIE = b"a cookie of the peer's own making"

# A deadline that does not move when it is served would spin for ever; no test needs as many in one wait.
MAX_TIMEOUTS_PER_WAIT = 10_000

C = TypeVar("C")
E = TypeVar("E")


class Encodable(Protocol):
    def encode(self) -> bytes: ...


class Raw(NamedTuple):
    """Bytes that go into a packet as they are."""

    data: bytes

    def encode(self) -> bytes:
        return self.data


class Packet(NamedTuple):
    """A packet of the engine, decoded."""

    at: float
    datagram: Datagram
    verification_tag: int
    chunks: tuple[Chunk, ...]

    @property
    def destination(self) -> str:
        return self.datagram.destination

    @property
    def types(self) -> tuple[type[Chunk], ...]:
        return tuple(type(chunk) for chunk in self.chunks)

    def has(self, kind: type[Chunk]) -> bool:
        return kind in self.types


def chunks_of(packets: Iterable[Packet], kind: type[C]) -> list[C]:
    """All chunks of one type, in the order sent."""
    return [chunk for packet in packets for chunk in packet.chunks if isinstance(chunk, kind)]


def packets_with(packets: Iterable[Packet], kind: type[Chunk]) -> list[Packet]:
    return [packet for packet in packets if packet.has(kind)]


def types_of(packets: Iterable[Packet]) -> list[tuple[type[Chunk], ...]]:
    """What a burst of packets holds: the chunk types of each."""
    return [packet.types for packet in packets]


class Peer:
    """A: its addresses, and what it knows of Z. `heard` is every packet Z ever sent."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        addresses: Sequence[str] = ("192.0.2.1",),
        z_addresses: Sequence[str] = ("192.0.2.100",),
        seed: int = 1,
    ) -> None:
        self.config = config or Config()
        self.addresses = tuple(addresses)
        self.z_addresses = tuple(z_addresses)
        self.engine = StackEngine(
            config=self.config, local_addresses=z_addresses, entropy=random.Random(seed).randbytes
        )
        self.endpoint: Endpoint = self.engine.open_endpoint(Z_PORT, z_addresses, self.config)
        self.now = 1000.0
        self.heard: list[Packet] = []
        self.events: list[Event] = []
        self.tag = A_TAG
        self.parameters: tuple[Parameter, ...] = ()
        """What A's INIT and INIT ACK say besides."""
        self.next_tsn = A_INITIAL_TSN
        self.z_tag = 0
        self.z_initial_tsn = 0
        self._association: AssociationEngine | None = None

    # -- Z --

    @property
    def association(self) -> AssociationEngine:
        assert self._association is not None, "no association yet"
        return self._association

    @property
    def state(self) -> AssociationState:
        return self.association.state

    def path(self, address: str) -> Path:
        path = self.association.paths.get(address)
        assert path is not None, f"{address} is no path of the association"
        return path

    @property
    def cumulative_tsn(self) -> int:
        """The last TSN that A has sent."""
        return self.next_tsn - 1 & 0xFFFF_FFFF

    def user_sends(self, *messages: bytes, stream: int = 0) -> list[Packet]:
        """Z's user sends messages; what Z puts on the wire at once."""
        for message in messages:
            self.association.send(OutgoingMessage(message, stream=stream))
        return self.touch()

    def user_shuts_down(self) -> list[Packet]:
        self.association.shutdown(self.now)
        return self.touch()

    def user_aborts(self, reason: bytes = b"") -> list[Packet]:
        self.association.abort(reason)
        return self.touch()

    def user_reads(self) -> list[Message]:
        messages = []
        while (message := self.association.receiver.read()) is not None:
            messages.append(message)
        return messages

    def heartbeat_now(self, address: str) -> list[Packet]:
        """§8.3 D: the user asks for an on-demand HEARTBEAT."""
        self.association.heartbeats.request(self.path(address), self.now)
        return self.touch()

    def touch(self) -> list[Packet]:
        """A command was given to the association: collect what comes of it."""
        self.engine.touch(self.association)
        return self.poll()

    # -- the wire --

    def send(
        self,
        *chunks: Encodable,
        tag: int | None = None,
        source: str | None = None,
        destination: str | None = None,
        port: int = A_PORT,
        udp_port: int = UDP_PORT,
    ) -> list[Packet]:
        """A -> chunks -> Z, in one packet; what Z sends at once. `tag` is Z's unless told otherwise."""
        tag = self.z_tag if tag is None else tag
        packet = encode_packet(port, Z_PORT, tag, [chunk.encode() for chunk in chunks])
        self.engine.receive(packet, source or self.addresses[0], udp_port, destination or self.z_addresses[0], self.now)
        return self.poll()

    def send_data(self, payload: bytes = b"x", *, source: str | None = None, stream: int = 0) -> list[Packet]:
        """A -> DATA -> Z with A's next TSN, unordered so that no SSN matters."""
        chunk = Data(self.next_tsn, stream, 0, 0, payload, unordered=True)
        self.next_tsn = self.next_tsn + 1 & 0xFFFF_FFFF
        return self.send(chunk, source=source)

    def acknowledge(self, tsn: int, *, source: str | None = None) -> list[Packet]:
        """A -> SACK -> Z for everything up to `tsn`."""
        return self.send(Sack(tsn, A_RWND), source=source)

    def poll(self) -> list[Packet]:
        """Everything Z wants sent now, decoded; its events go to `events`."""
        packets = [self._decode(datagram) for datagram in split(self.engine.poll_datagrams(self.now))]
        for association in self.engine.poll_changed():
            self.events.extend(association.poll_events())
        self.heard += packets
        return packets

    def _decode(self, datagram: Datagram) -> Packet:
        header = decode_header(datagram.data)
        assert header.source_port == Z_PORT, "the engine sent from a port that is not the endpoint's"
        chunks: list[Chunk] = []
        for chunk in decode_chunks(datagram.data):
            assert not isinstance(chunk, DecodeError), f"the engine sent {chunk}"
            chunks.append(chunk)
        return Packet(self.now, datagram, header.verification_tag, tuple(chunks))

    def events_of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    # -- time --

    def wait(self, seconds: float, answer: Callable[[Packet], object] | None = None) -> list[Packet]:
        """Let time pass; what Z sends meanwhile. `answer` is called with each packet as it comes."""
        end = self.now + seconds
        packets: list[Packet] = []
        for _ in range(MAX_TIMEOUTS_PER_WAIT):
            deadline = self.engine.next_deadline()
            if deadline is None or deadline > end:
                self.now = end
                return packets
            self.now = max(self.now, deadline)
            self.engine.handle_timeout(self.now)
            for packet in self.poll():
                packets.append(packet)
                if answer is not None:
                    answer(packet)
        raise AssertionError(f"more than {MAX_TIMEOUTS_PER_WAIT} timeouts in {seconds} s")

    def next_packet(self, kind: type[Chunk], *, limit_s: float = 300.0) -> Packet:
        """Let time pass until Z sends a packet with such a chunk. Deadlines on the way are served one by one."""
        end = self.now + limit_s
        while (deadline := self.engine.next_deadline()) is not None and deadline <= end:
            found = packets_with(self.wait(max(0.0, deadline - self.now)), kind)
            if found:
                return found[0]
        raise AssertionError(f"no {kind.__name__} within {limit_s} s")

    def answer_heartbeats(self, *silent: str) -> Callable[[Packet], object]:
        """For `wait`: A answers every HEARTBEAT but those sent to the `silent` addresses."""

        def answer(packet: Packet) -> None:
            if packet.destination not in silent:
                for chunk in chunks_of([packet], Heartbeat):
                    self.send(HeartbeatAck(chunk.info), source=packet.destination)

        return answer

    # -- the handshake --

    def init(self, *parameters: Parameter) -> Init:
        return Init(
            self.tag, A_RWND, 10, 10, A_INITIAL_TSN, (*self._address_parameters(), *self.parameters, *parameters)
        )

    def init_ack(self, cookie: bytes = COOKIE) -> InitAck:
        parameters = (*self._address_parameters(), *self.parameters, StateCookie(cookie))
        return InitAck(self.tag, A_RWND, 10, 10, A_INITIAL_TSN, parameters)

    def _address_parameters(self) -> tuple[Parameter, ...]:
        return tuple(map(IPv4AddressParameter, self.addresses)) if len(self.addresses) > 1 else ()

    def listen(self) -> None:
        self.endpoint.listen(config=self.config, backlog=8, max_associations=None, admit=None)

    def cookie_wait(self, *named: str) -> list[Packet]:
        """Z's user connects to these addresses of A, the first one if none is named."""
        # Z -> INIT -> A
        self._association = self.engine.connect(
            self.endpoint,
            named or self.addresses[:1],
            A_PORT,
            udp_port=UDP_PORT,
            config=self.config,
            now=self.now,
        )
        packets = self.poll()
        (init,) = chunks_of(packets, Init)
        self.z_tag, self.z_initial_tsn = init.initiate_tag, init.initial_tsn
        return packets

    def cookie_echoed(self, *named: str, cookie: bytes = COOKIE) -> list[Packet]:
        # Z -> INIT -> A
        self.cookie_wait(*named)
        # A -> INIT ACK -> Z, Z -> COOKIE ECHO -> A
        packets = self.send(self.init_ack(cookie))
        assert chunks_of(packets, CookieEcho) == [CookieEcho(cookie)]
        return packets

    def established(self, *named: str) -> list[Packet]:
        """Z has opened an association with A; what it sent on COOKIE ACK."""
        # Z -> INIT -> A, A -> INIT ACK -> Z, Z -> COOKIE ECHO -> A
        self.cookie_echoed(*named)
        # A -> COOKIE ACK -> Z
        packets = self.send(CookieAck())
        assert self.state is AssociationState.ESTABLISHED
        return packets

    def cookie_echo(self) -> CookieEcho:
        """A has sent INIT to a listening Z: the COOKIE ECHO that Z now waits for."""
        self.listen()
        # A -> INIT -> Z, Z -> INIT ACK -> A
        (init_ack,) = chunks_of(self.send(self.init(), tag=0), InitAck)
        self.z_tag, self.z_initial_tsn = init_ack.initiate_tag, init_ack.initial_tsn
        (cookie,) = (item for item in init_ack.parameters if isinstance(item, StateCookie))
        return CookieEcho(cookie.cookie)

    def accepted(self, *, source: str | None = None) -> list[Packet]:
        """A has opened an association with Z; what Z sent on COOKIE ECHO, which came from `source`."""
        # A -> COOKIE ECHO -> Z, Z -> COOKIE ACK -> A
        packets = self.send(self.cookie_echo(), source=source)
        assert chunks_of(packets, CookieAck) == [CookieAck()]
        self._association = self.endpoint.accepted.pop()
        assert self.state is AssociationState.ESTABLISHED
        return packets

    def in_state(self, state: AssociationState) -> int:
        """Bring Z's association to this state; the TSN of the one DATA chunk that is then outstanding, if any.

        SHUTDOWN-PENDING and SHUTDOWN-RECEIVED have one, without which no association stays there.
        """
        if state is AssociationState.COOKIE_WAIT:
            self.cookie_wait()
        elif state is AssociationState.COOKIE_ECHOED:
            self.cookie_echoed()
        else:
            self.established()
        if state in (AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED):
            # Z -> DATA -> A
            assert len(chunks_of(self.user_sends(b"outstanding"), Data)) == 1
        if state in (AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT):
            # Z -> SHUTDOWN -> A, when nothing is outstanding
            self.user_shuts_down()
        if state in (AssociationState.SHUTDOWN_RECEIVED, AssociationState.SHUTDOWN_ACK_SENT):
            # A -> SHUTDOWN -> Z, which acknowledges nothing; Z -> SHUTDOWN ACK -> A, when nothing is outstanding
            self.send(Shutdown(self.z_initial_tsn - 1 & 0xFFFF_FFFF))
        assert self.state is state
        return self.z_initial_tsn
