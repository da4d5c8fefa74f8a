"""§8.4: what belongs to no association gets the one answer of its rule, or none."""

from __future__ import annotations

import random
import struct

import pytest

from aiosctp.config import Config
from aiosctp.core.out_of_the_blue import Answer, classify
from aiosctp.core.stack import StackEngine
from aiosctp.wire.causes import ProtocolViolation, StaleCookie, UserInitiatedAbort
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
    decode_chunks,
)
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import encode_packet

LOCAL, PEER = "192.0.2.2", "192.0.2.1"
TAG = 0xFFFF_FFFE

DATA = Data(0xFFFF_FFFF, 0, 0, 0, b"data")
SACK = Sack(0xFFFF_FFFF, 1500)
STALE = Error((StaleCookie(1),))
OTHER_ERROR = Error((ProtocolViolation(b""),))
PARTIAL = DecodeError("a partial chunk")

LADDER: list[tuple[str, list[Chunk | DecodeError], Answer]] = [
    ("2: ABORT", [Abort()], Answer.NOTHING),
    ("2: ABORT with the T bit", [Abort((UserInitiatedAbort(b"x"),), True)], Answer.NOTHING),
    ("2: ABORT behind others", [DATA, Abort()], Answer.NOTHING),
    ("2 before 5", [ShutdownAck(), Abort()], Answer.NOTHING),
    ("5: SHUTDOWN ACK", [ShutdownAck()], Answer.SHUTDOWN_COMPLETE),
    ("5: SHUTDOWN ACK behind others", [SACK, ShutdownAck()], Answer.SHUTDOWN_COMPLETE),
    ("5 before 6", [ShutdownComplete(), ShutdownAck()], Answer.SHUTDOWN_COMPLETE),
    ("5 before 7", [CookieAck(), ShutdownAck()], Answer.SHUTDOWN_COMPLETE),
    ("6: SHUTDOWN COMPLETE", [ShutdownComplete()], Answer.NOTHING),
    ("7: COOKIE ACK", [CookieAck()], Answer.NOTHING),
    ("7: COOKIE ACK with DATA", [CookieAck(), DATA], Answer.NOTHING),
    ("7: ERROR Stale Cookie", [STALE], Answer.NOTHING),
    ("7: Stale Cookie among causes", [Error((ProtocolViolation(b""), StaleCookie(1)))], Answer.NOTHING),
    ("8: another ERROR", [OTHER_ERROR], Answer.ABORT),
    ("8: an empty ERROR", [Error(())], Answer.ABORT),
    ("8: DATA", [DATA], Answer.ABORT),
    ("8: SACK", [SACK], Answer.ABORT),
    ("8: HEARTBEAT", [Heartbeat(b"info")], Answer.ABORT),
    ("8: HEARTBEAT ACK", [HeartbeatAck(b"info")], Answer.ABORT),
    ("8: SHUTDOWN", [Shutdown(0xFFFF_FFFF)], Answer.ABORT),
    ("8: INIT ACK", [InitAck(1, 65536, 1, 1, 0)], Answer.ABORT),
    ("8: INIT behind another chunk", [DATA, Init(1, 65536, 1, 1, 0)], Answer.ABORT),
    ("8: COOKIE ECHO behind another chunk", [DATA, CookieEcho(b"cookie")], Answer.ABORT),
    ("8: an unknown chunk", [UnknownChunk(0xFF, 0, b"")], Answer.ABORT),
    ("8: with a partial chunk behind", [DATA, PARTIAL], Answer.ABORT),
    ("5: with a partial chunk behind", [ShutdownAck(), PARTIAL], Answer.SHUTDOWN_COMPLETE),
    ("X22: only a partial chunk", [PARTIAL], Answer.NOTHING),
    ("no chunk at all", [], Answer.NOTHING),
]
CASES = [pytest.param(chunks, answer, id=rule) for rule, chunks, answer in LADDER]


@pytest.mark.parametrize(("chunks", "answer"), CASES)
def test_the_first_rule_that_fits_decides(chunks: list[Chunk | DecodeError], answer: Answer) -> None:
    assert classify(iter(chunks)) is answer


# -- through the stack --


def receive(
    data: bytes, *, source: str = PEER, destination: str | None = LOCAL, listen: bool = True
) -> tuple[StackEngine, list[tuple[str, int, bytes]]]:
    """What a stack without associations answers to a packet: where to, and what."""
    engine = StackEngine(config=Config(), local_addresses=[LOCAL], entropy=random.Random(1).randbytes)
    endpoint = engine.open_endpoint(7777, [LOCAL], Config())
    if listen:
        endpoint.listen(config=Config(), backlog=8, max_associations=None, admit=None)
    engine.receive(data, source, 40000, destination, now=0.0)
    answers = engine.poll_datagrams(0.0)
    assert engine.next_deadline() is None
    assert not endpoint.associations
    return engine, [(answer.destination, answer.udp_port, answer.data) for answer in answers]


def packet(*chunks: Chunk, tag: int = TAG, port: int = 7777) -> bytes:
    return encode_packet(5000, port, tag, [chunk.encode() for chunk in chunks])


@pytest.mark.parametrize("listen", [True, False])
@pytest.mark.parametrize("port", [7777, 7778])
@pytest.mark.parametrize(
    ("chunk", "answer"),
    [(DATA, Abort((), True)), (ShutdownAck(), ShutdownComplete(True))],
    ids=["ABORT", "SHUTDOWN COMPLETE"],
)
def test_the_answer_reflects_the_tag_and_goes_where_the_packet_came_from(
    chunk: Chunk, answer: Chunk, port: int, listen: bool
) -> None:
    """R14, M05: rules 5 and 8: the received Verification Tag and the T bit, from the address it was sent to."""
    engine, answers = receive(packet(chunk, port=port), listen=listen)
    ((destination, udp_port, data),) = answers
    assert (destination, udp_port) == (PEER, 40000)
    assert struct.unpack_from("!HHL", data) == (port, 5000, TAG)
    assert list(decode_chunks(data)) == [answer]
    assert (engine.counters.out_of_the_blue, engine.counters.out_of_the_blue_answers) == (1, 1)


@pytest.mark.parametrize(
    "chunks", [(Abort(),), (DATA, Abort()), (ShutdownComplete(),), (CookieAck(),), (STALE,)], ids=str
)
def test_what_would_only_be_answered_for_ever_is_not_answered(chunks: tuple[Chunk, ...]) -> None:
    """R14: rules 2, 6 and 7: an ABORT, the end of a shutdown and leftovers of a handshake get nothing."""
    engine, answers = receive(packet(*chunks))
    assert answers == []
    assert (engine.counters.out_of_the_blue, engine.counters.out_of_the_blue_answers) == (1, 0)


@pytest.mark.parametrize("source", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
@pytest.mark.parametrize("chunk", [DATA, ShutdownAck()], ids=["DATA", "SHUTDOWN ACK"])
def test_what_comes_from_no_unicast_address_is_not_answered(source: str, chunk: Chunk) -> None:
    """R14, A43: rule 1."""
    _, answers = receive(packet(chunk), source=source)
    assert answers == []


@pytest.mark.parametrize("source", ["224.0.0.1", "255.255.255.255", "ff02::1"])
def test_an_init_from_no_unicast_address_is_not_answered(source: str) -> None:
    """R14, A43: rule 1 stands before rule 3."""
    _, answers = receive(packet(Init(1, 65536, 1, 1, 0), tag=0), source=source)
    assert answers == []


def test_an_init_to_a_port_that_nobody_serves_is_aborted_under_its_initiate_tag() -> None:
    """R14: rule 3 with §5.1: no T bit, for the tag is the receiver's own."""
    for port, listen in ((7778, True), (7777, False)):
        _, answers = receive(packet(Init(0x8000_0000, 65536, 1, 1, 0), tag=0, port=port), listen=listen)
        ((_, _, data),) = answers
        assert struct.unpack_from("!L", data, 4) == (0x8000_0000,)
        assert list(decode_chunks(data)) == [Abort((), False)]


def test_a_cookie_echo_of_no_cookie_of_ours_is_not_answered() -> None:
    """R14, X44: rule 4: it is a COOKIE ECHO (§5.1), and §5.1.5 discards it silently."""
    _, answers = receive(packet(CookieEcho(bytes(100)), DATA))
    assert answers == []


@pytest.mark.parametrize("chunk", [DATA, ShutdownAck(), InitAck(1, 65536, 1, 1, 0)], ids=lambda chunk: chunk.type.name)
def test_nothing_but_an_init_travels_under_tag_zero(chunk: Chunk) -> None:
    """R13: §8.5: an answer under tag 0 could only be taken for an INIT's."""
    _, answers = receive(packet(chunk, tag=0))
    assert answers == []


def test_a_packet_without_one_whole_chunk_is_not_answered() -> None:
    """X22: the walk ends at the truncated chunk, and nothing before it was worth an answer."""
    whole = packet(DATA)
    truncated = encode_packet(5000, 7777, TAG, [whole[12:-4]])
    _, answers = receive(truncated)
    assert answers == []


def test_an_answer_is_no_larger_than_what_it_answers() -> None:
    """Nobody gains by making us answer a victim: a flood is reflected at its own size at most."""
    question = packet(Shutdown(0))
    _, ((_, _, data),) = receive(question)
    assert len(data) <= len(question)
