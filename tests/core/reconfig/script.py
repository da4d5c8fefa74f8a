"""A scripted peer that speaks RE-CONFIG (RFC 6525): it announces the chunk, numbers its requests and answers Z's."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import replace

from aiosctp.config import Config
from aiosctp.core.reconfig import Request
from aiosctp.wire.chunks import Data, Error, Init, InitAck, ReConfig
from aiosctp.wire.codepoints import ChunkType, ReconfigurationResult
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import Parameter, SupportedExtensions, UnknownParameter
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationRequest,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from aiosctp.wire.tlv import encode_tlv
from tests.core.scripted import A_INITIAL_TSN, COOKIE, Packet, Peer, Raw, chunks_of

ONE, TWO = "192.0.2.1", "192.0.2.2"
RTO_S = 1.0
"""RTO.Initial, while nothing has been measured."""
STREAMS = 10
"""In each direction, as A asks for and grants."""
QUIET = Config(heartbeat=False, path_mtu_discovery=False)
"""Nothing goes out but what a test asks for."""
WILLING = QUIET.replace(peer_may_reset_association=True)

NOTHING_TO_DO = ReconfigurationResult.NOTHING_TO_DO
PERFORMED = ReconfigurationResult.PERFORMED
DENIED = ReconfigurationResult.DENIED
WRONG_SSN = ReconfigurationResult.WRONG_SSN
REQUEST_IN_PROGRESS = ReconfigurationResult.REQUEST_IN_PROGRESS
BAD_SEQUENCE_NUMBER = ReconfigurationResult.BAD_SEQUENCE_NUMBER
IN_PROGRESS = ReconfigurationResult.IN_PROGRESS

SUCCESS = [NOTHING_TO_DO, PERFORMED]
FAILURE = [DENIED, WRONG_SSN, REQUEST_IN_PROGRESS, BAD_SEQUENCE_NUMBER]

REQUESTS = (
    OutgoingSsnResetRequest,
    IncomingSsnResetRequest,
    SsnTsnResetRequest,
    AddOutgoingStreamsRequest,
    AddIncomingStreamsRequest,
)

# §3.1: "Only the following combinations are allowed".
COMBINATIONS: frozenset[tuple[type, ...]] = frozenset(
    {
        *((each,) for each in REQUESTS),
        (OutgoingSsnResetRequest, IncomingSsnResetRequest),
        (AddOutgoingStreamsRequest, AddIncomingStreamsRequest),
        (ReconfigurationResponse,),
        (ReconfigurationResponse, OutgoingSsnResetRequest),
        (ReconfigurationResponse, ReconfigurationResponse),
    }
)


def number(first: int, n: int = 0) -> int:
    """The nth serial number after the first, over the wrap."""
    return (first + n) & 0xFFFF_FFFF


def raw_chunk(*parameters: bytes, flags: int = 0) -> Raw:
    """A RE-CONFIG chunk of these bytes."""
    return Raw(encode_chunk(ChunkType.RE_CONFIG, flags, b"".join(parameters)))


def raw_parameter(type: int, body: bytes) -> bytes:
    """A parameter with its padding."""
    encoded = encode_tlv(type, body)
    return encoded + bytes(-len(encoded) % 4)


def reconfigs_of(packets: Iterable[Packet]) -> list[ReConfig]:
    return chunks_of(packets, ReConfig)


def parameters_of(packets: Iterable[Packet]) -> list[ReconfigurationParameter | UnknownParameter]:
    """All that the RE-CONFIG chunks of these packets hold."""
    return [parameter for chunk in reconfigs_of(packets) for parameter in chunk.parameters]


def requests_of(packets: Iterable[Packet]) -> list[ReconfigurationRequest]:
    return [each for each in parameters_of(packets) if isinstance(each, REQUESTS)]


def outgoing_of(packets: Iterable[Packet]) -> list[OutgoingSsnResetRequest]:
    return [each for each in parameters_of(packets) if isinstance(each, OutgoingSsnResetRequest)]


def responses_of(packets: Iterable[Packet]) -> list[ReconfigurationResponse]:
    return [each for each in parameters_of(packets) if isinstance(each, ReconfigurationResponse)]


def results_of(packets: Iterable[Packet]) -> list[tuple[int, int]]:
    """The number and the result of each response."""
    return [(each.response_sequence_number, each.result) for each in responses_of(packets)]


def causes_of(packets: Iterable[Packet]) -> list[int]:
    """The codes of the error causes in all ERROR chunks."""
    return [cause.code for error in chunks_of(packets, Error) for cause in error.causes]


def data_of(packets: Iterable[Packet]) -> list[tuple[int, int, bytes]]:
    """Stream, SSN and payload of each DATA chunk."""
    return [(chunk.stream, chunk.ssn, chunk.payload) for chunk in chunks_of(packets, Data)]


def is_under_way(request: Request) -> bool:
    """Now: a type checker takes the outcome to be what it was asserted to be before."""
    return request.outcome is None


class Script(Peer):
    """A, whose requests begin just before the wrap, as its TSNs do.

    Every RE-CONFIG chunk that Z ever sends is checked for what holds of all: it is one of §3.1's combinations, and its
    requests are those of the last one, or numbered on from there by one (§4.1).
    """

    def __init__(
        self,
        config: Config = WILLING,
        *,
        addresses: Collection[str] = (ONE,),
        announces: Collection[int] = (ChunkType.RE_CONFIG,),
        seed: int = 1,
        z_first: int | None = None,
    ) -> None:
        super().__init__(config, addresses=tuple(addresses), seed=seed)
        self.announces = tuple(announces)
        self.next_request = A_INITIAL_TSN
        self._last_requests: tuple[ReconfigurationRequest, ...] = ()
        if z_first is not None:
            dice = random.Random(seed)
            given = iter([0x5A5A_5A5A, z_first])
            self.engine._entropy = self.engine._tags.entropy = lambda size: next(
                given, dice.getrandbits(8 * size)
            ).to_bytes(size)

    # -- the handshake --

    def init(self, *parameters: Parameter) -> Init:
        return super().init(*self._extensions(), *parameters)

    def init_ack(self, cookie: bytes = COOKIE) -> InitAck:
        init_ack = super().init_ack(cookie)
        return replace(init_ack, parameters=(*self._extensions(), *init_ack.parameters))

    def _extensions(self) -> tuple[Parameter, ...]:
        return (SupportedExtensions(self.announces),) if self.announces else ()

    # -- A's requests --

    def _take_number(self) -> int:
        self.next_request = number(self.next_request, 1)
        return number(self.next_request, -1)

    @property
    def z_last_request(self) -> int:
        """§4.1: the next request number that A expects of Z, minus 1: nothing but Z's requests moves it."""
        return number(self.z_next_request, -1)

    @property
    def z_next_request(self) -> int:
        seen = [each.request_sequence_number for each in requests_of(self.heard)]
        return number(seen[-1], 1) if seen else self.z_initial_tsn

    def outgoing(
        self, *streams: int, last_assigned_tsn: int | None = None, answers: int | None = None
    ) -> OutgoingSsnResetRequest:
        """The next request, for A's outgoing streams; of Z's request `answers` it is the answer."""
        return OutgoingSsnResetRequest(
            self._take_number(),
            self.z_last_request if answers is None else answers,
            self.cumulative_tsn if last_assigned_tsn is None else last_assigned_tsn,
            streams,
        )

    def incoming(self, *streams: int) -> IncomingSsnResetRequest:
        return IncomingSsnResetRequest(self._take_number(), streams)

    def ssn_tsn(self) -> SsnTsnResetRequest:
        return SsnTsnResetRequest(self._take_number())

    def add_outgoing(self, count: int) -> AddOutgoingStreamsRequest:
        return AddOutgoingStreamsRequest(self._take_number(), count)

    def add_incoming(self, count: int) -> AddIncomingStreamsRequest:
        return AddIncomingStreamsRequest(self._take_number(), count)

    def ask(self, *parameters: ReconfigurationParameter) -> list[Packet]:
        """A -> RE-CONFIG -> Z, in one chunk; what Z sends at once."""
        return self.send(ReConfig(parameters))

    def answer(
        self,
        request: ReconfigurationRequest,
        result: int = PERFORMED,
        sender_next_tsn: int | None = None,
        receiver_next_tsn: int | None = None,
    ) -> list[Packet]:
        """A -> RE-CONFIG [response] -> Z."""
        response = ReconfigurationResponse(request.request_sequence_number, result, sender_next_tsn, receiver_next_tsn)
        return self.send(ReConfig((response,)))

    # -- Z's --

    def resets(self, *streams: int) -> tuple[Request, list[Packet]]:
        """Z's user resets outgoing streams, all when none is named."""
        request = self.association.reset_outgoing(streams or range(self.outbound_streams))
        return request, self.touch()

    def asks_for_reset(self, *streams: int) -> tuple[Request, list[Packet]]:
        """Z's user resets incoming streams, all when none is named."""
        request = self.association.reset_incoming(streams or range(self.inbound_streams))
        return request, self.touch()

    def resets_association(self) -> tuple[Request, list[Packet]]:
        request = self.association.reset_association()
        return request, self.touch()

    def adds_outgoing(self, count: int) -> tuple[Request, list[Packet]]:
        request = self.association.add_outgoing_streams(count)
        return request, self.touch()

    def adds_incoming(self, count: int) -> tuple[Request, list[Packet]]:
        request = self.association.add_incoming_streams(count)
        return request, self.touch()

    @property
    def outbound_streams(self) -> int:
        return self.association.tcb.outbound_streams

    @property
    def inbound_streams(self) -> int:
        return self.association.tcb.inbound_streams

    # -- DATA --

    def says(self, payload: bytes, stream: int = 0, ssn: int = 0, *, unordered: bool = False) -> list[Packet]:
        """A -> DATA -> Z with the next TSN."""
        return self.send(self.data(payload, stream, ssn, unordered=unordered))

    def data(self, payload: bytes, stream: int = 0, ssn: int = 0, *, unordered: bool = False) -> Data:
        """A chunk with the next TSN, which the test sends when it likes."""
        chunk = Data(self.next_tsn, stream, ssn, 0, payload, unordered=unordered)
        self.next_tsn = number(self.next_tsn, 1)
        return chunk

    def z_uses(self, *streams: int, messages: int = 2) -> None:
        """Z's user sends on these streams, and all is acknowledged: their next SSN is `messages`."""
        for stream in streams:
            self.user_sends(*[b"before"] * messages, stream=stream)
        self.acknowledge_all()

    def a_uses(self, *streams: int, messages: int = 2) -> None:
        """A sends on these streams, and Z's user reads it."""
        for stream in streams:
            for ssn in range(messages):
                self.says(b"before", stream, ssn)
        assert len(self.user_reads()) == messages * len(streams)

    def acknowledge_all(self) -> list[Packet]:
        """A -> SACK -> Z for all that Z has sent."""
        sent = chunks_of(self.heard, Data)
        return self.acknowledge(max(sent, key=lambda chunk: chunk.tsn - self.z_initial_tsn & 0xFFFF_FFFF).tsn)

    def reads(self) -> list[tuple[int, bytes]]:
        """Stream and data of what Z's user can read."""
        return [(message.stream, message.data) for message in self.user_reads()]

    # -- the laws of every chunk that Z sends --

    def poll(self) -> list[Packet]:
        packets = super().poll()
        for chunk in reconfigs_of(packets):
            self._check(chunk)
        return packets

    def _check(self, chunk: ReConfig) -> None:
        kinds = tuple(map(type, chunk.parameters))
        assert kinds in COMBINATIONS, f"§3.1 does not allow {kinds}"
        requests = tuple(each for each in chunk.parameters if isinstance(each, REQUESTS))
        if set(requests) <= set(self._last_requests):
            # Responses alone, or a retransmission, which may leave out what was answered.
            return
        numbers = [each.request_sequence_number for each in requests]
        if self._last_requests:
            last = self._last_requests[-1].request_sequence_number
            assert numbers[0] == number(last, 1), "request numbers grow by one"
        else:
            assert numbers[0] == self.z_initial_tsn, "§4.1: the first is the initial TSN"
        assert numbers == [number(numbers[0], n) for n in range(len(numbers))]
        self._last_requests = requests


def established(config: Config = WILLING, *, addresses: Collection[str] = (ONE,), z_first: int | None = None) -> Script:
    """Z has opened an association with A, and both have announced RE-CONFIG."""
    peer = Script(config, addresses=addresses, z_first=z_first)
    peer.established(*addresses)
    assert peer.association.supports_reconfig
    assert (peer.outbound_streams, peer.inbound_streams) == (STREAMS, STREAMS)
    return peer
