"""Chunks and parameters of unknown type: their two high bits decide (§3.2, §3.2.1, §3.2.2)."""

from __future__ import annotations

import pytest

from aiosctp.core.association import AssociationEngine
from aiosctp.core.states import AssociationState
from aiosctp.events import AdaptationIndication
from aiosctp.wire.causes import UnrecognizedChunkType, UnrecognizedParameters
from aiosctp.wire.chunks import Chunk, CookieAck, CookieEcho, Error, Init, InitAck, Sack, UnknownChunk
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    CookiePreservative,
    ForwardTsnSupported,
    IPv4AddressParameter,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    SupportedExtensions,
    UnknownParameter,
    UnrecognizedParameter,
)
from tests.core.transcript import PEER_COOKIE, PEER_HOST, PEER_SECOND_HOST, PEER_TSN, Bench, Peer, cookie_of, hosts_of

SECOND_ADDRESS = IPv4AddressParameter(PEER_SECOND_HOST)
LARGEST_UDP_PAYLOAD = 1500 - 20 - 8

# The first and the last unassigned type of each class, and the two reserved for ECN.
STOP = [12, 13, 15, 62]
STOP_AND_REPORT = [65, 126]
SKIP = [128, 190]
SKIP_AND_REPORT = [195, 254]


def delivered(association: AssociationEngine) -> list[bytes]:
    messages = []
    while (message := association.receiver.read()) is not None:
        messages.append(message.data)
    return messages


def reports(chunks: tuple[Chunk, ...]) -> list[bytes]:
    """The chunks that were reported as not recognized."""
    causes = [cause for chunk in chunks if isinstance(chunk, Error) for cause in chunk.causes]
    return [cause.chunk for cause in causes if isinstance(cause, UnrecognizedChunkType)]


def talking() -> tuple[Bench, Peer, AssociationEngine]:
    bench = Bench()
    peer = Peer(bench)
    return bench, peer, peer.associate()


# -- chunks (§3.2, Table 2) --


@pytest.mark.parametrize("type", STOP + STOP_AND_REPORT + SKIP + SKIP_AND_REPORT)
def test_an_unknown_chunk_between_two_data_chunks(type: int) -> None:
    """M18, X40, Q06, M07: Table 2: whether the rest of the packet is processed, and whether the chunk is reported."""
    _, peer, association = talking()
    unknown = UnknownChunk(type, 0xA5, b"value")
    # Z -> DATA, unknown, DATA -> A
    peer.send(peer.data(b"before"), unknown, peer.data(b"after"))
    chunks = peer.drain()
    # What came before it counts in every case.
    goes_on = type in SKIP + SKIP_AND_REPORT
    assert delivered(association) == ([b"before", b"after"] if goes_on else [b"before"])
    assert [sack.cumulative_tsn_ack for sack in chunks if isinstance(sack, Sack)] == [PEER_TSN + goes_on]
    # A -> SACK, ERROR [the chunk, complete with its header] -> Z
    reported = type in STOP_AND_REPORT + SKIP_AND_REPORT
    assert [chunk[:9] for chunk in reports(chunks)] == ([unknown.encode()[:9]] if reported else [])
    assert association.state is AssociationState.ESTABLISHED


def test_each_unknown_chunk_is_reported() -> None:
    """Q06: two that skip, one that stops; what follows the stop is neither processed nor reported."""
    _, peer, association = talking()
    peer.send(
        UnknownChunk(0xFE, 0, b"one!"),
        UnknownChunk(0xFD, 0, b"two!"),
        UnknownChunk(0x7E, 0, b"stop"),
        UnknownChunk(0xFC, 0, b"not seen"),
        peer.data(b"not seen"),
    )
    assert [chunk[4:] for chunk in reports(peer.drain())] == [b"one!", b"two!", b"stop"]
    assert delivered(association) == []


def test_an_unknown_chunk_alone_is_skipped() -> None:
    """M18, X40: it does not fail the packet, nor the association."""
    bench, peer, association = talking()
    peer.send(UnknownChunk(0x80, 0, b""))
    peer.send(UnknownChunk(0x0F, 0, b""))
    bench.expect_nothing()
    peer.talk(association)


def test_a_long_unknown_chunk_is_reported_in_one_packet() -> None:
    """Q06, X26, X51: the report never makes a packet larger than the path takes."""
    bench, peer, association = talking()
    # Z -> a chunk of 20 kB -> A
    peer.send(UnknownChunk(0xFE, 0, bytes(20_000)))
    sizes = [len(sent.datagram.data) for sent in bench.unread]
    assert len(sizes) == 1
    assert sizes[0] <= LARGEST_UDP_PAYLOAD
    (report,) = reports(peer.drain())
    assert report[:4] == b"\xfe\0\x4e\x24"
    peer.talk(association)


def test_a_packet_full_of_unknown_chunks_does_not_make_a_flood() -> None:
    """Q06, X26: thousands of reportable chunks: what they make us send stays within what was sent to us."""
    bench, peer, association = talking()
    # Z -> 2000 unknown chunks -> A
    peer.send(*[UnknownChunk(0xFE, 0, b"")] * 2000)
    # §12.4: no "more than one packet" in response.
    (size,) = (len(sent.datagram.data) for sent in bench.unread)
    assert size <= LARGEST_UDP_PAYLOAD
    peer.drain()
    peer.talk(association)


def test_an_unknown_chunk_behind_the_cookie_echo() -> None:
    """Q06, M08: it is processed as in any packet, once the association is there; COOKIE ACK goes first."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    # Z -> COOKIE ECHO, unknown, DATA -> A
    peer.send(CookieEcho(cookie), UnknownChunk(0xFE, 0, b"what"), peer.data(b"after"))
    chunks = peer.drain()
    assert isinstance(chunks[0], CookieAck)
    assert [report[4:] for report in reports(chunks)] == [b"what"]
    assert delivered(endpoint.accepted[0]) == [b"after"]


# -- the shape of chunks (§3.2) --


def test_padding_bytes_are_ignored() -> None:
    """Padding: "The receiver MUST ignore the padding bytes" (§3.2): they need not be zero."""
    _, peer, association = talking()
    first, second = peer.data(b"12345"), peer.data(b"after")
    # Z -> DATA [padded with rubbish], DATA -> A
    peer.send(first.encode()[:-3] + b"\xff\xff\xff", second)
    assert delivered(association) == [b"12345", b"after"]


def test_the_last_padding_may_be_missing() -> None:
    """A packet that ends with its last chunk's last byte is whole."""
    _, peer, association = talking()
    peer.send(peer.data(b"12345").encode()[:-3])
    assert delivered(association) == [b"12345"]


@pytest.mark.parametrize("counted", [False, True])
def test_the_final_padding_of_an_init_may_be_counted_or_not(counted: bool) -> None:
    """P02: "accept the chunk whether or not the final padding has been included in the Chunk Length" (§3.2)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    value = peer.init().value + SECOND_ADDRESS.encode() + b"\x80\xff\0\5x" + b"\0\0\0" * counted
    # Z -> INIT [ends with a parameter of 5 bytes] -> A
    peer.send(encode_chunk(ChunkType.INIT, 0, value), tag=0)
    peer.expect(InitAck)


# -- parameters of an INIT (§3.2.1, §3.2.2) --


def association_after(bench: Bench, peer: Peer, init_ack: InitAck) -> AssociationEngine:
    peer.our_tag = init_ack.initiate_tag
    peer.send(CookieEcho(cookie_of(init_ack)))
    peer.drain()
    return bench.endpoint().accepted.pop()


@pytest.mark.parametrize(
    ("type", "goes_on", "is_reported"),
    [
        (0x0002, False, False),
        (0x3FFF, False, False),
        (0x4001, False, True),
        (0x7FFF, False, True),
        (0x8123, True, False),
        (0xBFFF, True, False),
        (0xC123, True, True),
        (0xFFFE, True, True),
    ],
)
def test_an_unknown_parameter_in_an_init(type: int, goes_on: bool, is_reported: bool) -> None:
    """P22, P04: Table 3; in all four cases an INIT ACK is sent, and what was processed before stays."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    unknown = UnknownParameter(type, b"odd")
    # Z -> INIT [address, unknown, adaptation layer] -> A
    peer.send(peer.init(SECOND_ADDRESS, unknown, AdaptationLayerIndication(7)))
    # A -> INIT ACK [Unrecognized Parameter] -> Z
    init_ack = peer.expect(InitAck)
    echoed = [p.parameter for p in init_ack.parameters if isinstance(p, UnrecognizedParameter)]
    assert [parameter[:7] for parameter in echoed] == ([unknown.encode()] if is_reported else [])
    association = association_after(bench, peer, init_ack)
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}
    assert (AdaptationIndication(7) in bench.events(association)) is goes_on


def test_each_unknown_parameter_of_an_init_is_reported_in_one_of_its_own() -> None:
    """P04, P22: "it MUST put the "Unrecognized Parameter" parameter(s) in the INIT ACK" (§3.2.2)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    unknown = [UnknownParameter(0xC100 + n, bytes([n]) * n) for n in range(8)]
    peer.send(peer.init(*unknown))
    init_ack = peer.expect(InitAck)
    echoed = [p.parameter for p in init_ack.parameters if isinstance(p, UnrecognizedParameter)]
    assert [parameter[: 4 + n] for n, parameter in enumerate(echoed)] == [p.encode() for p in unknown]


def test_an_abort_for_an_init_reports_no_unknown_parameters() -> None:
    """P04: if it "is not going to establish an association", the cause "would not be included" (§3.2.2)."""
    bench = Bench()
    peer = Peer(bench)
    peer.send(peer.init(UnknownParameter(0xC123, b"odd")))
    assert b"\xc1\x23" not in peer.next_packet().datagram.data


@pytest.mark.parametrize("size", [0, 1, 40])
def test_an_init_stuffed_with_unknown_parameters(size: int) -> None:
    """X26, P22: a 60 kB INIT of reportable parameters makes no INIT ACK that does not fit, and no exception."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    stuffing = [UnknownParameter(0xC123, bytes(size))] * (60_000 // (4 + size + -size % 4))
    # Z -> INIT [60 kB] -> A
    peer.send(peer.init(*stuffing))
    # A -> INIT ACK [one packet] -> Z
    sent = peer.expect_packet(InitAck)
    assert len(sent.datagram.data) <= LARGEST_UDP_PAYLOAD
    peer.talk(association_after(bench, peer, sent.chunk(InitAck)))


def test_a_parameter_that_does_not_belong_in_an_init_does_no_harm() -> None:
    """P22, P04: known types where they mean nothing: an INIT with cookies and reports in it is just an INIT."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init(StateCookie(b"nonsense"), UnrecognizedParameter(b"\xc1\x23\0\4"), SECOND_ADDRESS))
    association = association_after(bench, peer, peer.expect(InitAck))
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}


# -- parameters of an INIT ACK (§3.2.2) --


@pytest.mark.parametrize(
    ("type", "goes_on", "is_reported"),
    [(0x3FFF, False, False), (0x7FFF, False, True), (0xBFFF, True, False), (0xFFFE, True, True)],
)
def test_an_unknown_parameter_in_an_init_ack(type: int, goes_on: bool, is_reported: bool) -> None:
    """P22, Q08, M07: COOKIE ECHO in all four cases, first in its packet, and the ERROR bundled behind it."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    unknown = UnknownParameter(type, b"odd")
    # Z -> INIT ACK [cookie, unknown, address] -> A
    peer.send(peer.init_ack(StateCookie(PEER_COOKIE), unknown, SECOND_ADDRESS))
    # A -> COOKIE ECHO, ERROR [Unrecognized Parameters] -> Z
    sent = peer.expect_packet(CookieEcho, Error) if is_reported else peer.expect_packet(CookieEcho)
    if is_reported:
        (cause,) = sent.chunk(Error).causes
        assert isinstance(cause, UnrecognizedParameters)
        assert cause.parameters[:7] == unknown.encode()
    assert hosts_of(association) == ({PEER_HOST, PEER_SECOND_HOST} if goes_on else {PEER_HOST})
    peer.send(CookieAck())
    assert association.state is AssociationState.ESTABLISHED


@pytest.mark.parametrize("type", [0x3FFF, 0x7FFF])
def test_a_cookie_behind_a_parameter_that_stops_is_echoed_all_the_same(type: int) -> None:
    """P22: "when an ... INIT ACK chunk is received, in all four cases, ... COOKIE ECHO chunk is sent in response"."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_called()
    # Z -> INIT ACK [unknown, cookie] -> A
    peer.send(peer.init_ack(UnknownParameter(type, b""), StateCookie(PEER_COOKIE)))
    # A -> COOKIE ECHO [, ERROR] -> Z
    assert peer.next_packet().chunk(CookieEcho).cookie == PEER_COOKIE


def test_all_unknown_parameters_of_an_init_ack_are_reported() -> None:
    """Q08: the cause holds them "complete with TLV", each after the padding of the one before (§3.3.10.8)."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_called()
    unknown: tuple[Parameter, ...] = (UnknownParameter(0xC101, b"abc"), UnknownParameter(0xC102, b"defg"))
    peer.send(peer.init_ack(StateCookie(PEER_COOKIE), *unknown))
    reported = b"".join(
        cause.parameters
        for chunk in peer.drain()
        if isinstance(chunk, Error)
        for cause in chunk.causes
        if isinstance(cause, UnrecognizedParameters)
    )
    assert reported == b"\xc1\x01\0\x07abc\0\xc1\x02\0\x08defg"


def test_an_init_ack_stuffed_with_unknown_parameters() -> None:
    """X26, Q08: the ERROR behind the COOKIE ECHO does not make a packet that does not fit."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    stuffing = [UnknownParameter(0xC123, b"abcd")] * 5000
    peer.send(peer.init_ack(StateCookie(PEER_COOKIE), *stuffing))
    sent = peer.next_packet()
    assert sent.kinds[0] is CookieEcho
    assert len(sent.datagram.data) <= LARGEST_UDP_PAYLOAD
    peer.send(CookieAck())
    peer.drain()
    peer.talk(association)


# -- what we send --


def test_every_parameter_of_our_own_is_one_that_rfc_9260_5061_or_3758_knows() -> None:
    """An extension is named only once its behaviour is here, so a plain INIT holds nothing to stumble over."""
    bench = Bench(adaptation_layer=1)
    peer = Peer(bench)
    bench.connect(peer.host)
    init = peer.expect(Init, tag=0)
    known = (
        IPv4AddressParameter
        | SupportedAddressTypes
        | SupportedExtensions
        | AdaptationLayerIndication
        | CookiePreservative
        | ForwardTsnSupported
    )
    assert all(isinstance(parameter, known) for parameter in init.parameters)
