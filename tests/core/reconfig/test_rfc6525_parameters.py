"""RFC 6525 §4: the six parameters as they are drawn, and what is none of them."""

from __future__ import annotations

import struct

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.causes import UnrecognizedParameters
from aiosctp.wire.chunks import (
    Chunk,
    CookieAck,
    CookieEcho,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    ReConfig,
    decode_chunks,
)
from aiosctp.wire.codepoints import CauseCode
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import Parameter, StateCookie, UnknownParameter
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from aiosctp.wire.tlv import encode_tlv
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    IN_PROGRESS,
    NOTHING_TO_DO,
    PERFORMED,
    Script,
    causes_of,
    established,
    raw_chunk,
    raw_parameter,
    reconfigs_of,
    responses_of,
    results_of,
)
from tests.core.scripted import Encodable, Packet, chunks_of

# Written by hand after the pictures of the RFC.
PICTURES: list[tuple[ReconfigurationParameter, str]] = [
    (OutgoingSsnResetRequest(0xFFFF_FFFF, 1, 0x8000_0000), "000d0010 ffffffff 00000001 80000000"),
    (OutgoingSsnResetRequest(2, 1, 3, (7,)), "000d0012 00000002 00000001 00000003 0007"),
    (OutgoingSsnResetRequest(2, 1, 3, (0xFFFF, 0)), "000d0014 00000002 00000001 00000003 ffff0000"),
    (IncomingSsnResetRequest(0xFFFF_FFFF), "000e0008 ffffffff"),
    (IncomingSsnResetRequest(5, (1, 2, 3)), "000e000e 00000005 000100020003"),
    (SsnTsnResetRequest(9), "000f0008 00000009"),
    (ReconfigurationResponse(9, PERFORMED), "0010000c 00000009 00000001"),
    (ReconfigurationResponse(9, IN_PROGRESS), "0010000c 00000009 00000006"),
    (ReconfigurationResponse(9, NOTHING_TO_DO, 0, 0xFFFF_FFFF), "00100014 00000009 00000000 00000000 ffffffff"),
    (AddOutgoingStreamsRequest(9, 0x1234), "0011000c 00000009 12340000"),
    (AddIncomingStreamsRequest(9, 0xFFFF), "0012000c 00000009 ffff0000"),
]


def value_of(encoded: bytes) -> bytes:
    return encoded + bytes(-len(encoded) % 4)


def decoded(data: bytes) -> Chunk:
    (chunk,) = decode_chunks(encode_packet(1, 2, 3, [raw_chunk(data).encode()]))
    assert isinstance(chunk, Chunk)
    return chunk


@pytest.mark.parametrize(("parameter", "picture"), PICTURES, ids=str)
def test_a_parameter_is_as_the_rfc_draws_it(parameter: ReconfigurationParameter, picture: str) -> None:
    """P08-P13: §4.1 to §4.6: the types 13 to 18, the lengths that MUST be; reserved bytes "SHOULD be set to 0"."""
    encoded = bytes.fromhex(picture)
    assert parameter.encode() == encoded
    assert decoded(value_of(encoded)) == ReConfig((parameter,))


@pytest.mark.parametrize("reserved", [1, 0xFFFF])
@pytest.mark.parametrize("kind", [AddOutgoingStreamsRequest, AddIncomingStreamsRequest])
def test_reserved_bytes_are_ignored(
    kind: type[AddOutgoingStreamsRequest | AddIncomingStreamsRequest], reserved: int
) -> None:
    """P12, P13: §4.5, §4.6: "and ignored by the receiver"."""
    body = struct.pack("!LHH", 9, 3, reserved)
    assert decoded(raw_parameter(kind.type, body)) == ReConfig((kind(9, 3),))


def test_a_result_that_table_3_does_not_know_is_read_all_the_same() -> None:
    """P11: what it means is for who asked: it is not success."""
    chunk = decoded(raw_parameter(16, struct.pack("!LL", 9, 0xFFFF_FFFF)))
    assert isinstance(chunk, ReConfig)
    (response,) = chunk.parameters
    assert isinstance(response, ReconfigurationResponse)
    assert (response.response_sequence_number, response.result) == (9, 0xFFFF_FFFF)


# -- malformed --

WRONG_BODIES = [
    *((13, size) for size in (0, 4, 8, 11, 13, 15, 17)),
    *((14, size) for size in (0, 1, 3, 5, 7)),
    *((15, size) for size in (0, 2, 3, 5, 8, 12)),
    *((16, size) for size in (0, 4, 7, 9, 12, 14, 15, 17, 20)),
    *((17, size) for size in (0, 4, 6, 7, 9, 10, 12)),
    *((18, size) for size in (0, 4, 6, 7, 9, 10, 12)),
]


def refuses(peer: Script, chunk: Encodable) -> None:
    """Nothing of it is processed; the packet's other chunks are; its number is still the next."""
    # A -> malformed RE-CONFIG, HEARTBEAT -> Z, Z -> HEARTBEAT ACK -> A
    packets = peer.send(chunk, Heartbeat(b"info"))
    assert responses_of(packets) == []
    assert [ack.info for ack in chunks_of(packets, HeartbeatAck)] == [b"info"]
    assert peer.state is AssociationState.ESTABLISHED
    check_association(peer.association)
    request = peer.outgoing(1)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]


def in_use() -> Script:
    peer = established()
    peer.z_uses(1)
    peer.a_uses(1)
    return peer


@pytest.mark.parametrize(("type", "size"), WRONG_BODIES)
def test_a_parameter_of_the_wrong_length_is_not_processed(type: int, size: int) -> None:
    """P08-P13, X06, X45: the length MUST be that of §4.1 to §4.6: one that is not asks for nothing."""
    peer = in_use()
    # The number that is due, so that only its length is wrong.
    body = (struct.pack("!L", peer.next_request) + bytes(20))[:size]
    refuses(peer, raw_chunk(raw_parameter(type, body)))


@pytest.mark.parametrize("type", range(13, 19))
@pytest.mark.parametrize("length", [0, 1, 3, 0xFFFF], ids=str)
def test_a_length_that_does_not_fit_the_chunk_is_not_processed(type: int, length: int) -> None:
    """P08-P13, X45: zero, less than its own header, beyond the chunk's end."""
    peer = in_use()
    body = struct.pack("!L", peer.next_request) + bytes(16)
    refuses(peer, raw_chunk(struct.pack("!HH", type, length) + body))


@pytest.mark.parametrize("type", range(13, 19))
def test_a_parameter_cut_off_by_the_end_of_its_chunk_is_not_processed(type: int) -> None:
    """P08-P13, X45: each parameter whole in its length, and short of bytes."""
    peer = in_use()
    whole = {13: 14, 14: 6, 15: 4, 16: 16, 17: 8, 18: 8}[type]
    body = (struct.pack("!L", peer.next_request) + bytes(20))[:whole]
    refuses(peer, raw_chunk(encode_tlv(type, body)[:-2]))


@pytest.mark.parametrize(("type", "size"), WRONG_BODIES)
def test_a_response_before_a_malformed_parameter_does_no_harm(type: int, size: int) -> None:
    """P11, X45: whether what stands before the fault counts or not, the fault itself does not."""
    peer = in_use()
    body = (struct.pack("!L", peer.next_request) + bytes(20))[:size]
    response = ReconfigurationResponse(peer.z_initial_tsn, PERFORMED).encode()
    refuses(peer, raw_chunk(response, raw_parameter(type, body)))


def test_the_padding_between_two_parameters_is_ignored() -> None:
    """P08, P09: an odd number of streams is padded to four bytes, with anything (RFC 9260 §3.2.1)."""
    peer = in_use()
    outgoing, incoming = peer.outgoing(1), peer.incoming(1)
    packets = peer.send(raw_chunk(outgoing.encode() + b"\xff\xff", incoming.encode() + b"\xee\xee"))
    assert results_of(packets) == [(outgoing.request_sequence_number, PERFORMED)]
    (answer,) = [each for chunk in reconfigs_of(packets) for each in chunk.parameters[1:]]
    assert isinstance(answer, OutgoingSsnResetRequest)
    assert (answer.response_sequence_number, answer.streams) == (incoming.request_sequence_number, (1,))


def test_the_final_padding_of_the_chunk_may_be_counted_or_not() -> None:
    """P08: RFC 9260 §3.2: "whether or not the final padding has been included in the Chunk Length"."""
    for padding in (b"", b"\0\0"):
        peer = in_use()
        request = peer.outgoing(1)
        assert results_of(peer.send(raw_chunk(request.encode() + padding))) == [
            (request.request_sequence_number, PERFORMED)
        ]


# -- parameters that are not recognized --

UNKNOWN_TYPES = [
    (0x0013, False, False),
    (0x3FFF, False, False),
    (0x4013, False, True),
    (0x8013, True, False),
    (0xC013, True, True),
]


def reported(packets: list[Packet]) -> list[bytes]:
    return [
        cause.parameters
        for error in chunks_of(packets, Error)
        for cause in error.causes
        if isinstance(cause, UnrecognizedParameters)
    ]


@pytest.mark.parametrize(("type", "goes_on", "is_reported"), UNKNOWN_TYPES)
def test_an_unknown_parameter_before_a_request(type: int, goes_on: bool, is_reported: bool) -> None:
    """P22, P08: §4: "not process any further parameters within the chunk", by "the upper bits" of its type."""
    peer = in_use()
    request = peer.outgoing(1)
    packets = peer.send(raw_chunk(raw_parameter(type, b"what"), value_of(request.encode())))
    if goes_on:
        assert results_of(packets) == [(request.request_sequence_number, PERFORMED)]
    else:
        assert responses_of(packets) == []
    assert reported(packets) == ([raw_parameter(type, b"what")] if is_reported else [])
    assert peer.state is AssociationState.ESTABLISHED


@pytest.mark.parametrize(("type", "goes_on", "is_reported"), UNKNOWN_TYPES)
def test_an_unknown_parameter_after_a_request(type: int, goes_on: bool, is_reported: bool) -> None:
    """P22, P08: what stands before it is processed in every case (RFC 9260 §3.2.1)."""
    peer = in_use()
    request = peer.outgoing(1)
    packets = peer.send(raw_chunk(value_of(request.encode()), raw_parameter(type, b"what")))
    assert results_of(packets) == [(request.request_sequence_number, PERFORMED)]
    assert reported(packets) == ([raw_parameter(type, b"what")] if is_reported else [])


@pytest.mark.parametrize("type", [1, 7, 0x8008, 0xC006])
def test_a_parameter_of_another_chunk_is_no_request(type: int) -> None:
    """P22: known elsewhere, it means nothing in a RE-CONFIG; what comes of it is at most an ERROR."""
    peer = in_use()
    packets = peer.send(raw_chunk(raw_parameter(type, bytes(4))), Heartbeat(b"info"))
    assert responses_of(packets) == []
    assert set(causes_of(packets)) <= {CauseCode.PROTOCOL_VIOLATION, CauseCode.UNRECOGNIZED_PARAMETERS}
    assert [ack.info for ack in chunks_of(packets, HeartbeatAck)] == [b"info"]
    assert peer.state is AssociationState.ESTABLISHED


# -- "MUST NOT appear in any other chunk type" --


def test_no_other_chunk_of_ours_holds_these_parameters() -> None:
    """P08-P13: a whole life with every request: types 13 to 18 are in RE-CONFIG alone."""
    peer = established()
    peer.z_uses(1)
    peer.resets(1)
    peer.asks_for_reset(2)
    peer.adds_outgoing(1)
    peer.adds_incoming(1)
    peer.resets_association()
    for request in (peer.outgoing(1), peer.incoming(1), peer.add_outgoing(1), peer.ssn_tsn()):
        peer.ask(request)
    peer.heartbeat_now("192.0.2.1")
    peer.user_shuts_down()
    with_parameters = [
        chunk
        for packet in peer.heard
        for chunk in packet.chunks
        if isinstance(chunk, Init | InitAck | Heartbeat | Error)
    ]
    assert any(isinstance(chunk, Init) for chunk in with_parameters)
    held = [type for chunk in with_parameters if isinstance(chunk, Init | InitAck) for type in types_in(chunk)]
    assert not set(held) & set(range(13, 19))


def types_in(chunk: Init | InitAck) -> list[int]:
    return [parameter.type for parameter in chunk.parameters]


@pytest.mark.parametrize("type", range(13, 19))
@pytest.mark.parametrize("body", [b"", bytes(4), bytes(8), bytes(12), bytes(5)], ids=len)
def test_in_an_init_they_mean_nothing(type: int, body: bytes) -> None:
    """P08-P13, P22: they "MUST NOT appear in any other chunk": whole or malformed, the handshake goes on."""
    peer = Script()
    peer.listen()
    # A -> INIT [a parameter of RE-CONFIG's] -> Z, Z -> INIT ACK -> A
    unknown: Parameter = UnknownParameter(type, body)
    (init_ack,) = chunks_of(peer.send(peer.init(unknown), tag=0), InitAck)
    peer.z_tag = init_ack.initiate_tag
    (cookie,) = [each.cookie for each in init_ack.parameters if isinstance(each, StateCookie)]
    assert chunks_of(peer.send(CookieEcho(cookie)), CookieAck) == [CookieAck()]
    assert peer.endpoint.accepted.pop().supports_reconfig
