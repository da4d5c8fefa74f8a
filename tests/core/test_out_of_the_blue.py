"""Packets that belong to no association: the eight rules of §8.4, in their order."""

from __future__ import annotations

import pytest

from aiosctp.wire.causes import OutOfResource, ProtocolViolation, StaleCookie
from aiosctp.wire.chunks import (
    Abort,
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
)
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import StateCookie
from tests.core.transcript import (
    OUR_HOST,
    OUR_PORT,
    OUR_SECOND_HOST,
    PEER_TAG,
    PEER_TSN,
    Bench,
    Peer,
)

BLUE_TAG = 0xB10E_B10E
DATA = Data(PEER_TSN, 0, 0, 0, b"data")

ANSWERED: list[Chunk] = [
    DATA,
    Sack(PEER_TSN, 1000),
    Heartbeat(b"probe"),
    HeartbeatAck(b"probe"),
    Shutdown(PEER_TSN),
    InitAck(1, 2000, 1, 1, PEER_TSN, (StateCookie(b"cookie"),)),
    Error((OutOfResource(),)),
    UnknownChunk(0xFE, 0, b""),
    UnknownChunk(0x3E, 0, b""),
]


def name(chunk: object) -> str:
    return type(chunk).__name__


def blue() -> tuple[Bench, Peer]:
    """An engine that listens, and a stranger; its packets come from a port of its own."""
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST))
    bench.listen()
    peer = Peer(bench, udp_port=40123)
    peer.our_tag = BLUE_TAG
    return bench, peer


def assert_no_state(bench: Bench) -> None:
    assert not bench.endpoint().associations
    assert bench.engine.next_deadline() is None


# -- 1: non-unicast --


@pytest.mark.parametrize("source", ["224.0.0.1", "239.255.255.255", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
@pytest.mark.parametrize("chunk", [DATA, Init(1, 2000, 1, 1, 1), ShutdownAck()], ids=name)
def test_a_packet_from_a_non_unicast_address_is_silently_discarded(chunk: Chunk, source: str) -> None:
    """R14, A43: rule 1: "to or from a non-unicast address, a receiver SHOULD silently discard the packet"."""
    bench, peer = blue()
    peer.send(chunk, source=source)
    bench.expect_nothing_ever()


@pytest.mark.parametrize("destination", ["224.0.0.1", "255.255.255.255", "ff02::1"])
@pytest.mark.parametrize("chunk", [DATA, Init(1, 2000, 1, 1, 1), ShutdownAck()], ids=name)
def test_a_packet_to_a_non_unicast_address_is_silently_discarded(chunk: Chunk, destination: str) -> None:
    """R14, A43: rule 1, the other way round."""
    bench, peer = blue()
    peer.send(chunk, destination=destination)
    bench.expect_nothing_ever()


# -- 2: ABORT --


@pytest.mark.parametrize(
    "chunks",
    [
        (Abort(),),
        (Abort((OutOfResource(),)),),
        (Abort(tag_reflected=True),),
        (DATA, Abort()),
        (ShutdownAck(), Abort()),
        (Heartbeat(b""), DATA, Abort(tag_reflected=True)),
        (CookieEcho(b"cookie"), Abort()),
    ],
)
def test_a_packet_with_an_abort_is_silently_discarded(chunks: tuple[Chunk, ...]) -> None:
    """R14, M05: rule 2: "the receiver MUST silently discard the OOTB packet and take no further action"."""
    bench, peer = blue()
    peer.send(*chunks)
    bench.expect_nothing_ever()


@pytest.mark.parametrize("life_s", [60.0, 0.5], ids=["fresh", "stale"])
@pytest.mark.parametrize("is_listening", [True, False])
def test_an_abort_takes_a_good_cookie_along(life_s: float, is_listening: bool) -> None:
    """R14, M05: rule 2 comes before rule 4: no association, no COOKIE ACK, no ERROR, no ABORT; told to nobody."""
    bench = Bench(valid_cookie_life_s=life_s)
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.advance(1.0)
    if not is_listening:
        endpoint.stop_listening()
    # Z -> COOKIE ECHO, ABORT -> A
    peer.send(CookieEcho(cookie), Abort())
    bench.expect_nothing_ever()
    assert not endpoint.accepted
    assert_no_state(bench)


# -- 3: INIT --


def test_an_init_under_tag_zero_is_processed() -> None:
    """R14: rule 3: "it SHOULD be processed as described in Section 5.1"."""
    _, peer = blue()
    peer.send(peer.init())
    peer.expect(InitAck)


@pytest.mark.parametrize("has_endpoint", [False, True])
def test_an_init_that_nobody_wants_is_refused_under_its_own_tag(has_endpoint: bool) -> None:
    """R14, A07, M05: rule 3: ABORT under "the Initiate Tag of the received INIT chunk", T bit 0."""
    bench = Bench()
    if has_endpoint:
        bench.endpoint()
    peer = Peer(bench, udp_port=40123)
    # Z -> INIT -> A
    peer.send(peer.init())
    # A -> ABORT -> Z
    assert not peer.expect(Abort, tag=PEER_TAG).tag_reflected
    bench.expect_nothing_ever()


def test_an_init_under_another_tag_is_no_setup() -> None:
    """R14, R13: rule 3 is for tag 0 alone: under another "the INIT chunk and all further chunks" go (§12.3)."""
    bench, peer = blue()
    # Z -> INIT [Verification Tag not 0] -> A
    peer.send(peer.init(), tag=BLUE_TAG)
    # Z -> INIT, SHUTDOWN ACK [Verification Tag not 0] -> A
    peer.send(peer.init(), ShutdownAck(), tag=BLUE_TAG)
    bench.expect_nothing_ever()
    assert_no_state(bench)


# -- 4: COOKIE ECHO --


def test_a_cookie_echo_that_is_first_is_processed() -> None:
    """R14: rule 4: with a good cookie it is the third leg (§5.1)."""
    bench, peer = blue()
    cookie = peer.get_cookie()
    peer.send(CookieEcho(cookie), peer.data())
    assert isinstance(peer.drain()[0], CookieAck)
    assert len(bench.endpoint().associations) == 1


def test_a_cookie_echo_that_is_not_first_is_not_processed() -> None:
    """R14, M08: rule 4 wants it "as the first chunk"; otherwise the packet falls to rule 8."""
    bench, peer = blue()
    cookie = peer.get_cookie()
    # Z -> DATA, COOKIE ECHO -> A
    peer.send(peer.data(), CookieEcho(cookie))
    # A -> ABORT T -> Z
    assert peer.expect(Abort, tag=peer.our_tag).tag_reflected
    assert_no_state(bench)


# -- 5: SHUTDOWN ACK --


@pytest.mark.parametrize("chunks", [(ShutdownAck(),), (Sack(PEER_TSN, 1000), ShutdownAck())])
def test_a_shutdown_ack_is_answered_with_shutdown_complete(chunks: tuple[Chunk, ...]) -> None:
    """R14, M06: rule 5: "fill in the ... Verification Tag received in the SHUTDOWN ACK chunk and set the T bit"."""
    bench, peer = blue()
    # Z -> SHUTDOWN ACK -> A
    peer.send(*chunks)
    # A -> SHUTDOWN COMPLETE T -> Z
    assert peer.expect(ShutdownComplete, tag=BLUE_TAG).tag_reflected
    bench.expect_nothing_ever()


def test_a_late_shutdown_ack_is_answered_though_the_association_is_gone() -> None:
    """R14, R13, M06: no TCB: "use the Verification Tag from the SHUTDOWN ACK chunk and MUST set the T bit"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    bench.shut_down(association)
    peer.expect(Shutdown)
    # Z -> SHUTDOWN ACK -> A, A -> SHUTDOWN COMPLETE -> lost
    peer.send(ShutdownAck())
    assert not peer.expect(ShutdownComplete).tag_reflected
    # Z -> SHUTDOWN ACK -> A, A -> SHUTDOWN COMPLETE T -> Z
    peer.send(ShutdownAck())
    assert peer.expect(ShutdownComplete, tag=peer.our_tag).tag_reflected


# -- 6, 7: what is never answered --


@pytest.mark.parametrize(
    "chunks",
    [
        (ShutdownComplete(),),
        (ShutdownComplete(tag_reflected=True),),
        (CookieAck(),),
        (CookieAck(), DATA),
        (Error((StaleCookie(0),)),),
        (Error((OutOfResource(), StaleCookie(1))),),
    ],
)
def test_shutdown_complete_cookie_ack_and_stale_cookie_are_silently_discarded(chunks: tuple[Chunk, ...]) -> None:
    """R14: rules 6 and 7: "silently discard the packet and take no further action"."""
    bench, peer = blue()
    peer.send(*chunks)
    bench.expect_nothing_ever()


# -- 8: everything else --


@pytest.mark.parametrize("chunk", ANSWERED, ids=name)
def test_any_other_packet_is_answered_with_its_own_tag(chunk: Chunk) -> None:
    """R14, M05, X44: rule 8: ABORT with "the value found in the Verification Tag field of the OOTB packet" and T."""
    bench, peer = blue()
    peer.send(chunk)
    # A -> ABORT T -> Z
    assert peer.expect(Abort, tag=BLUE_TAG).tag_reflected
    bench.expect_nothing_ever()
    assert_no_state(bench)


def test_the_answer_goes_back_the_way_the_packet_came() -> None:
    """R14, S01: to the sender's address and UDP port, from the address it was sent to."""
    _, peer = blue()
    peer.send(DATA, destination=OUR_SECOND_HOST)
    sent = peer.expect_packet(Abort, tag=BLUE_TAG)
    assert (sent.datagram.source, sent.datagram.udp_port) == (OUR_SECOND_HOST, 40123)


def test_one_packet_gets_one_answer() -> None:
    """R14: "MUST discard the OOTB packet and MUST NOT take any further action" (rule 8)."""
    bench, peer = blue()
    peer.send(DATA, Heartbeat(b"probe"), UnknownChunk(0x7E, 0, b"?"), Shutdown(1))
    peer.expect(Abort, tag=BLUE_TAG)
    bench.expect_nothing()


def test_error_with_other_causes_is_answered() -> None:
    """R14: rule 7 is for Stale Cookie alone."""
    _, peer = blue()
    peer.send(Error((ProtocolViolation(b"you"),)))
    assert peer.expect(Abort, tag=BLUE_TAG).tag_reflected


@pytest.mark.parametrize("chunk", [DATA, CookieEcho(b"cookie"), ShutdownAck(), InitAck(1, 2000, 1, 1, 1)], ids=name)
def test_tag_zero_around_anything_but_an_init_is_silently_discarded(chunk: Chunk) -> None:
    """R13: under tag 0 "only an INIT chunk. Otherwise, the receiver MUST silently discard the packet" (§8.5.1 A)."""
    bench, peer = blue()
    peer.send(chunk, tag=0)
    bench.expect_nothing_ever()


def test_the_right_tag_with_a_wrong_port_identifies_no_association() -> None:
    """R14, R13: an association is known by its ports too: rule 8, and the association is untouched."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    other = Peer(bench, port=peer.port + 1)
    # Z' -> DATA -> A
    other.send(Data(PEER_TSN, 0, 0, 0, b"misplaced"), tag=peer.our_tag)
    # A -> ABORT T -> Z'
    assert other.expect(Abort, tag=peer.our_tag).tag_reflected
    assert association.receiver.read() is None
    peer.talk(association)


def test_a_packet_with_a_wrong_checksum_is_not_out_of_the_blue() -> None:
    """R14, R22: only a packet that "passed the receiver's CRC32c check" is answered."""
    bench, peer = blue()
    packet = bytearray(encode_packet(peer.port, OUR_PORT, BLUE_TAG, [DATA.encode()]))
    packet[8] ^= 1
    bench.receive(bytes(packet), peer.host, peer.udp_port, OUR_HOST)
    bench.expect_nothing_ever()


@pytest.mark.parametrize(
    "tail",
    [b"\0", b"\0\0\0", b"\6\0\0\0", b"\6\0\0\3", b"\x0e\0\0\xff", b"\0\0\xff\xff"],
    ids=["1 byte", "3 bytes", "length 0", "length 3", "beyond the end", "length 65535"],
)
def test_a_truncated_last_chunk_ends_the_walk(tail: bytes) -> None:
    """X22, X37: what is not a whole chunk is no chunk: the packet is judged by those before it."""
    bench, peer = blue()
    # Z -> DATA, half a chunk -> A
    peer.send(DATA.encode() + tail)
    # A -> ABORT T -> Z
    assert peer.expect(Abort, tag=BLUE_TAG).tag_reflected
    bench.expect_nothing()


@pytest.mark.parametrize("size", range(16))
def test_runts_are_silently_discarded(size: int) -> None:
    """R14: too short for a common header and a chunk: not "correctly formed"."""
    bench, peer = blue()
    packet = encode_packet(peer.port, OUR_PORT, BLUE_TAG, [DATA.encode()])[:size]
    bench.receive(packet, peer.host, peer.udp_port, OUR_HOST)
    bench.expect_nothing_ever()
