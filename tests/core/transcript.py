"""One stack engine against a peer whose every packet is written by the test: the bench of the packet transcripts.

`Bench` is the engine on virtual time, `Peer` the script. In the comments of the tests A is the engine, Z the peer.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.cookie import KEY_BYTES, Cookie, CookieJar
from aiosctp.core.datagram import Datagram, split
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.stack import StackEngine
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, Event
from aiosctp.wire.chunks import (
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Heartbeat,
    Init,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    decode_chunks,
)
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import CommonHeader, decode_header, encode_packet
from aiosctp.wire.parameters import IPv4AddressParameter, IPv6AddressParameter, Parameter, StateCookie

OUR_HOST = "192.0.2.1"
OUR_SECOND_HOST = "192.0.2.11"
PEER_HOST = "198.51.100.2"
PEER_SECOND_HOST = "198.51.100.22"
STRANGER_HOST = "203.0.113.3"
OUR_PORT = 7777
PEER_PORT = 5000
UDP_PORT = 9899
PEER_TAG = 0x5AFE_0001
# Serial numbers begin just before they wrap.
PEER_TSN = 0xFFFF_FFFE
PEER_COOKIE = b"the peer's cookie"

# The peer after a crash.
NEW_TAG = 0x0DD_BA11
NEW_TSN = 0x7FFF_FFFF

ESTABLISHED_OR_CLOSING = [
    AssociationState.ESTABLISHED,
    AssociationState.SHUTDOWN_PENDING,
    AssociationState.SHUTDOWN_SENT,
    AssociationState.SHUTDOWN_RECEIVED,
]

C = TypeVar("C", bound=Chunk)


class Sent(NamedTuple):
    """A packet the engine sent, decoded."""

    header: CommonHeader
    chunks: tuple[Chunk, ...]
    datagram: Datagram
    at: float

    @property
    def kinds(self) -> tuple[type[Chunk], ...]:
        return tuple(type(chunk) for chunk in self.chunks)

    def chunk(self, kind: type[C]) -> C:
        """The first chunk of this kind."""
        return next(chunk for chunk in self.chunks if isinstance(chunk, kind))


class Bench:
    """The engine under test, its clock, its entropy, and what it said that nobody has read yet."""

    def __init__(
        self, *, config: Config | None = None, addresses: Sequence[str] = (OUR_HOST,), seed: int = 1, **changes: object
    ) -> None:
        self.config = config or Config(heartbeat=False).replace(**changes)
        self.addresses = tuple(addresses)
        self.random = random.Random(seed)
        self.forced_entropy: deque[bytes] = deque()
        """Given to the next requests of the same size, before random bytes are."""
        self.dice: list[bytes] = []
        """The random bytes that were given."""
        self.engine = StackEngine(config=self.config, local_addresses=self.addresses, entropy=self._entropy)
        self.now = 1000.0
        self.unread: list[Sent] = []
        self._events: dict[AssociationEngine, list[Event]] = {}

    def _entropy(self, size: int) -> bytes:
        if self.forced_entropy and len(self.forced_entropy[0]) == size:
            return self.forced_entropy.popleft()
        self.dice.append(self.random.randbytes(size))
        return self.dice[-1]

    def listen(self, port: int = OUR_PORT, *, backlog: int = 128, max_associations: int | None = None) -> Endpoint:
        endpoint = self.endpoint(port)
        endpoint.listen(config=self.config, backlog=backlog, max_associations=max_associations, admit=None)
        return endpoint

    def endpoint(self, port: int = OUR_PORT) -> Endpoint:
        return self.engine.endpoints.get(port) or self.engine.open_endpoint(port, self.addresses, self.config)

    def connect(self, *hosts: str, port: int = PEER_PORT, udp_port: int = UDP_PORT) -> AssociationEngine:
        association = self.engine.connect(
            self.endpoint(), hosts or (PEER_HOST,), port, udp_port=udp_port, config=self.config, now=self.now
        )
        self.collect()
        return association

    def say(self, association: AssociationEngine, data: bytes, stream: int = 0) -> None:
        """The user sends a message."""
        association.send(OutgoingMessage(data, stream=stream))
        self.engine.touch(association)
        self.collect()

    def shut_down(self, association: AssociationEngine) -> None:
        association.shutdown(self.now)
        self.engine.touch(association)
        self.collect()

    def abort(self, association: AssociationEngine) -> None:
        association.abort(b"")
        self.engine.touch(association)
        self.collect()

    def receive(self, packet: bytes, source: str, udp_port: int, destination: str | None) -> None:
        self.engine.receive(packet, source, udp_port, destination, self.now)
        self.collect()

    def collect(self) -> None:
        for datagram in split(self.engine.poll_datagrams(self.now)):
            chunks: list[Chunk] = []
            for chunk in decode_chunks(datagram.data):
                assert not isinstance(chunk, DecodeError), f"the engine sent a malformed chunk: {chunk}"
                chunks.append(chunk)
            self.unread.append(Sent(decode_header(datagram.data), tuple(chunks), datagram, self.now))
        for association in self.engine.poll_changed():
            self.events(association).extend(association.poll_events())

    def advance(self, seconds: float) -> None:
        """Let time pass; timers run when they are due."""
        end = self.now + seconds
        for _ in range(10_000):
            deadline = self.engine.next_deadline()
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.engine.handle_timeout(self.now)
            self.collect()
        else:
            raise AssertionError("the engine's timers run hot")
        self.now = end
        self.collect()

    def events(self, association: AssociationEngine) -> list[Event]:
        return self._events.setdefault(association, [])

    def changes(self, association: AssociationEngine) -> list[AssociationChangeKind]:
        return [event.change for event in self.events(association) if isinstance(event, AssociationChange)]

    def expect_nothing(self) -> None:
        """Nothing is on the wire, to anybody."""
        said = [sent for sent in self.unread if set(sent.kinds) != {Heartbeat}]
        assert not said, [tuple(map(str, sent.chunks)) for sent in said]

    def expect_nothing_ever(self, seconds: float = 600.0) -> None:
        """Nothing is on the wire, and no timer has anything to add."""
        self.expect_nothing()
        self.advance(seconds)
        self.expect_nothing()


class Peer:
    """The other end. `tag` is its own verification tag, `our_tag` the engine's once it is known."""

    def __init__(
        self,
        bench: Bench,
        *,
        host: str = PEER_HOST,
        udp_port: int = UDP_PORT,
        port: int = PEER_PORT,
        tag: int = PEER_TAG,
        tsn: int = PEER_TSN,
    ) -> None:
        self.bench = bench
        self.host = host
        self.udp_port = udp_port
        self.port = port
        self.tag = tag
        self.tsn = tsn
        self.our_tag = 0
        self.our_tsn = 0
        self.local_host = bench.addresses[0]
        self._data_sent = 0

    # -- what it sends --

    def init(self, *parameters: Parameter, a_rwnd: int = 100_000, outbound: int = 10, inbound: int = 20) -> Init:
        return Init(self.tag, a_rwnd, outbound, inbound, self.tsn, parameters)

    def init_ack(self, *parameters: Parameter, a_rwnd: int = 100_000, outbound: int = 10, inbound: int = 20) -> InitAck:
        """With a State Cookie, unless the parameters say it all."""
        return InitAck(self.tag, a_rwnd, outbound, inbound, self.tsn, parameters or (StateCookie(PEER_COOKIE),))

    def data(self, payload: bytes = b"ping", *, stream: int = 0, immediate: bool = False) -> Data:
        """The next message on the stream."""
        number = self._data_sent
        self._data_sent += 1
        return Data(self.tsn + number & 0xFFFF_FFFF, stream, number, 0, payload, immediate=immediate)

    def send(
        self,
        *chunks: Chunk | bytes,
        tag: int | None = None,
        source: str | None = None,
        udp_port: int | None = None,
        destination: str | None = None,
    ) -> None:
        """One packet. The tag is the engine's, or 0 around an INIT."""
        if tag is None:
            tag = 0 if isinstance(chunks[0], Init) else self.our_tag
        encoded = [chunk if isinstance(chunk, bytes) else chunk.encode() for chunk in chunks]
        packet = encode_packet(self.port, OUR_PORT, tag, encoded)
        self.bench.receive(packet, source or self.host, udp_port or self.udp_port, destination or self.local_host)

    # -- what it gets --

    def expect(
        self,
        kind: type[C],
        *,
        tag: int | None = None,
        host: str | None = None,
        udp_port: int | None = None,
    ) -> C:
        """The next packet is for this peer, under its tag, and this one chunk is all it holds."""
        return self.expect_packet(kind, tag=tag, host=host, udp_port=udp_port).chunk(kind)

    def expect_packet(
        self,
        *kinds: type[object],
        tag: int | None = None,
        host: str | None = None,
        udp_port: int | None = None,
    ) -> Sent:
        """The next packet holds these kinds of chunks. HEARTBEATs are passed over unless asked for."""
        sent = self.next_packet(skip_heartbeats=Heartbeat not in kinds)
        assert sent.kinds == kinds, tuple(map(str, sent.chunks))
        assert sent.header == (OUR_PORT, self.port, self.tag if tag is None else tag)
        assert sent.datagram.destination == (host or self.host)
        assert sent.datagram.udp_port == (udp_port or self.udp_port)
        return sent

    def next_packet(self, *, skip_heartbeats: bool = True) -> Sent:
        while self.bench.unread:
            sent = self.bench.unread.pop(0)
            if not (skip_heartbeats and set(sent.kinds) == {Heartbeat}):
                return sent
        raise AssertionError("the engine sent nothing")

    def drain(self) -> tuple[Chunk, ...]:
        """Everything on the wire, in one row."""
        chunks = tuple(chunk for sent in self.bench.unread for chunk in sent.chunks)
        self.bench.unread.clear()
        return chunks

    # -- whole exchanges --

    def get_cookie(self, *parameters: Parameter) -> bytes:
        """Have an INIT answered; the cookie of the INIT ACK."""
        # Z -> INIT -> A
        self.send(self.init(*parameters))
        # A -> INIT ACK -> Z
        init_ack = self.expect(InitAck)
        self.our_tag = init_ack.initiate_tag
        self.our_tsn = init_ack.initial_tsn
        return cookie_of(init_ack)

    def associate(self, *parameters: Parameter) -> AssociationEngine:
        """The peer opens an association with the listening engine."""
        endpoint = self.bench.listen()
        cookie = self.get_cookie(*parameters)
        # Z -> COOKIE ECHO -> A
        self.send(CookieEcho(cookie))
        # A -> COOKIE ACK -> Z
        self.expect(CookieAck)
        association = endpoint.accepted.pop()
        assert association.state is AssociationState.ESTABLISHED
        return association

    def is_called(self, *hosts: str) -> AssociationEngine:
        """The engine calls, and has sent its INIT: COOKIE-WAIT."""
        association = self.bench.connect(*(hosts or (self.host,)), port=self.port, udp_port=self.udp_port)
        # A -> INIT -> Z
        init = self.expect(Init, tag=0)
        self.our_tag = init.initiate_tag
        self.our_tsn = init.initial_tsn
        assert association.state is AssociationState.COOKIE_WAIT
        return association

    def is_echoed(self, *parameters: Parameter) -> AssociationEngine:
        """The engine calls, and has sent its COOKIE ECHO: COOKIE-ECHOED."""
        association = self.is_called()
        # Z -> INIT ACK -> A
        self.send(self.init_ack(StateCookie(PEER_COOKIE), *parameters))
        # A -> COOKIE ECHO -> Z
        self.expect(CookieEcho)
        assert association.state is AssociationState.COOKIE_ECHOED
        return association

    def answers(self, *parameters: Parameter) -> AssociationEngine:
        """The engine calls and the peer answers: ESTABLISHED."""
        association = self.is_echoed(*parameters)
        # Z -> COOKIE ACK -> A
        self.send(CookieAck())
        assert association.state is AssociationState.ESTABLISHED
        return association

    def reach(self, state: AssociationState) -> AssociationEngine:
        """An association in this state; the transcript up to there has been read."""
        if state is AssociationState.COOKIE_WAIT:
            return self.is_called()
        if state is AssociationState.COOKIE_ECHOED:
            return self.is_echoed()
        association = self.associate()
        if state in (AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_RECEIVED):
            self.bench.say(association, b"outstanding")
            self.expect(Data)
        if state in (AssociationState.SHUTDOWN_PENDING, AssociationState.SHUTDOWN_SENT):
            self.bench.shut_down(association)
        if state in (AssociationState.SHUTDOWN_RECEIVED, AssociationState.SHUTDOWN_ACK_SENT):
            self.send(Shutdown(self.our_tsn - 1 & 0xFFFF_FFFF))
        if state is AssociationState.SHUTDOWN_SENT:
            self.expect(Shutdown)
        if state is AssociationState.SHUTDOWN_ACK_SENT:
            self.expect(ShutdownAck)
        self.bench.expect_nothing()
        assert association.state is state
        return association

    def talk(self, association: AssociationEngine) -> None:
        """A message goes each way, under the right tags and in the right numbers: the association is alive."""
        self.send(self.data(b"ping"))
        message = association.receiver.read()
        assert message is not None
        assert message.data == b"ping"
        self.drain()
        self.bench.say(association, b"pong")
        sent = self.next_packet()
        assert sent.header == (OUR_PORT, self.port, self.tag)
        data = sent.chunk(Data)
        assert data.payload == b"pong"
        self.send(Sack(data.tsn, 100_000))
        self.drain()


def cookie_of(init_ack: InitAck) -> bytes:
    return next(parameter.cookie for parameter in init_ack.parameters if isinstance(parameter, StateCookie))


def opened(bench: Bench, sealed: bytes) -> Cookie:
    """What a cookie of the engine says, read with the key that the dice gave it last."""
    key = next(secret for secret in reversed(bench.dice) if len(secret) == KEY_BYTES)
    return CookieJar(lambda _: key, key_life_s=1e9).open(sealed, bench.now)


def hosts_of(association: AssociationEngine) -> set[str]:
    """The peer's addresses that the engine would send to."""
    return {path.address for path in association.paths}


def state_of(association: AssociationEngine) -> AssociationState:
    """Its state now: a type checker takes the attribute to be what it was asserted to be before."""
    return association.state


def timers_are_stopped(bench: Bench) -> bool:
    return bench.engine.next_deadline() is None


def addresses_in(parameters: tuple[Parameter, ...]) -> set[str]:
    return {p.host for p in parameters if isinstance(p, IPv4AddressParameter | IPv6AddressParameter)}


def of_kind(parameters: tuple[Parameter, ...], kind: type[Parameter]) -> list[Parameter]:
    return [p for p in parameters if isinstance(p, kind)]


def next_init(bench: Bench) -> Init:
    """The INIT with which the engine calls the peer."""
    peer = Peer(bench)
    bench.connect(peer.host)
    # A -> INIT -> Z
    return peer.expect(Init, tag=0)


def reborn(peer: Peer, *, udp_port: int | None = None) -> Peer:
    """The same peer after a crash: the same addresses and ports, another tag, another TSN."""
    return Peer(
        peer.bench, host=peer.host, port=peer.port, udp_port=udp_port or peer.udp_port, tag=NEW_TAG, tsn=NEW_TSN
    )
