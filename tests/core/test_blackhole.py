"""What a stack may keep to itself where the RFC has an answer, and what it may say where the RFC has no words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange
from aiosctp.wire.causes import OutOfResource, UnknownCause
from aiosctp.wire.chunks import (
    Abort,
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Heartbeat,
    InitAck,
    ShutdownAck,
    ShutdownComplete,
)
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import encode_chunk
from tests.core.transcript import OUR_SECOND_HOST, PEER_TSN, Bench, Peer

BAD_PARAMETER = b"\0\5\0\5bad"


def an_init(peer: Peer) -> None:
    peer.send(peer.init())


def an_init_that_cannot_be_read(peer: Peer) -> None:
    peer.send(encode_chunk(ChunkType.INIT, 0, peer.init().encode()[4:] + BAD_PARAMETER), tag=0)


def data(peer: Peer) -> None:
    peer.send(Data(PEER_TSN, 0, 0, 0, b"data"), tag=peer.tag)


def a_shutdown_ack(peer: Peer) -> None:
    peer.send(ShutdownAck(), tag=peer.tag)


def a_cookie_that_comes_too_late(peer: Peer) -> None:
    endpoint = peer.bench.listen()
    cookie = peer.get_cookie()
    endpoint.stop_listening()
    peer.send(CookieEcho(cookie))


PROBES: list[tuple[Callable[[Peer], None], type[Chunk], int]] = [
    (an_init, Abort, 1),
    (an_init_that_cannot_be_read, Abort, 1),
    (data, Abort, 2),
    (a_shutdown_ack, ShutdownComplete, 2),
    (a_cookie_that_comes_too_late, Abort, 2),
]


@pytest.mark.parametrize(("probe", "answer", "silent_from"), PROBES, ids=[probe[0].__name__ for probe in PROBES])
@pytest.mark.parametrize("blackhole", [0, 1, 2])
def test_a_black_hole_hides_the_ports_where_nobody_listens(
    blackhole: int, probe: Callable[[Peer], None], answer: type[Chunk], silent_from: int
) -> None:
    """G14: 1 answers no INIT, 2 nothing at all that comes out of the blue."""
    bench = Bench()
    # The stack may be told so while it runs.
    bench.engine.configure(bench.config.replace(blackhole=blackhole))
    peer = Peer(bench)
    probe(peer)
    if blackhole < silent_from:
        peer.expect(answer)
    bench.expect_nothing_ever()


def test_a_black_hole_answers_where_it_listens() -> None:
    """G14: at the addresses of its endpoints, and to who has an association."""
    bench = Bench(blackhole=2, addresses=("198.51.100.1", OUR_SECOND_HOST))
    endpoint = bench.engine.open_endpoint(5001, ("198.51.100.1",), bench.config)
    endpoint.listen(config=bench.config, backlog=8, max_associations=None, admit=None)
    bench.listen()
    peer = Peer(bench)
    peer.associate()
    peer.send(Heartbeat(b"are you there"))
    assert peer.drain()
    # An INIT that it refuses is no stranger's look for ports.
    other = Peer(bench, port=5002, tag=7)
    an_init_that_cannot_be_read(other)
    other.expect(Abort)
    # A restart is heard although nobody listens any more.
    bench.endpoint().stop_listening()
    peer.send(peer.init())
    peer.expect(InitAck)


def test_a_full_backlog_may_be_told() -> None:
    """G29: `abort_at_limit`: INIT and COOKIE ECHO are then answered with an ABORT, not with silence."""
    bench = Bench(abort_at_limit=True)
    endpoint = bench.listen(backlog=1)
    first, second, third = (Peer(bench, port=5000 + n, tag=n) for n in (1, 2, 3))
    cookies = first.get_cookie(), second.get_cookie()
    first.send(CookieEcho(cookies[0]))
    first.expect(CookieAck)
    # Z -> COOKIE ECHO, INIT -> A; A -> ABORT [Out of Resource], each -> Z
    second.send(CookieEcho(cookies[1]))
    assert second.expect(Abort) == Abort((OutOfResource(),))
    third.send(third.init())
    assert third.expect(Abort) == Abort((OutOfResource(),))
    endpoint.accepted.clear()
    third.get_cookie()


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (an_init, b"nobody listens on this port"),
        (data, b"no association has this packet's tag and ports"),
        (a_cookie_that_comes_too_late, b"nobody listens on this port any more"),
    ],
)
@pytest.mark.parametrize("code", [None, 0xFF00])
def test_an_abort_without_a_cause_may_say_why(code: int | None, probe: Callable[[Peer], None], words: bytes) -> None:
    """G13: under the cause code that the config names, in words; without one there is no cause."""
    bench = Bench(diagnostic_cause=code)
    peer = Peer(bench)
    probe(peer)
    assert peer.expect(Abort).causes == (() if code is None else (UnknownCause(code, words),))


def test_a_shutdown_that_takes_too_long_may_say_so() -> None:
    """G13: also to the user, whose event has the code."""
    bench = Bench(diagnostic_cause=99, shutdown_timeout_s=5.0)
    bench.listen()
    peer = Peer(bench)
    association = peer.associate()
    bench.shut_down(association)
    peer.drain()
    bench.advance(5.0)
    assert association.state is AssociationState.CLOSED
    aborts = [chunk for chunk in peer.drain() if isinstance(chunk, Abort)]
    assert aborts == [Abort((UnknownCause(99, b"the shutdown took too long"),))]
    last = [event for event in bench.events(association) if isinstance(event, AssociationChange)][-1]
    assert last.error == 99


def test_what_a_running_stack_is_told_holds_for_what_comes_next() -> None:
    """How many strangers are answered a second, those that were not are not made up for; and in which words."""
    bench = Bench(error_answers_per_s=0)
    peer = Peer(bench)
    an_init(peer)
    bench.expect_nothing()
    bench.engine.configure(bench.config.replace(error_answers_per_s=1, diagnostic_cause=5))
    an_init(peer)
    assert [cause.code for cause in peer.expect(Abort).causes] == [5]
    an_init(peer)
    bench.expect_nothing()
