"""Storms of packets that need an answer by the rules and deserve none: `Config.error_answers_per_s`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import (
    Abort,
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    Init,
    InitAck,
    ShutdownAck,
    ShutdownComplete,
)
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import IPv4AddressParameter
from tests.core.transcript import PEER_HOST, PEER_TSN, Bench, Peer, cookie_of

RATE = 10
BLUE_TAG = 0xB10E_B10E


@dataclass(frozen=True)
class Storm:
    """A stranger, the packet it keeps sending, and what answers that."""

    peer: Peer
    chunk: Chunk | bytes
    tag: int
    answer: type[Chunk]

    def blows(self, count: int) -> int:
        """How many of so many packets are answered."""
        bench = self.peer.bench
        for _ in range(count):
            self.peer.send(self.chunk, tag=self.tag)
        answers = [chunk for sent in bench.unread for chunk in sent.chunks]
        bench.unread.clear()
        assert {type(chunk) for chunk in answers} <= {self.answer}
        return len(answers)


def bench_of() -> Bench:
    return Bench(error_answers_per_s=RATE)


def out_of_the_blue(chunk: Chunk, answer: type[Chunk]) -> Callable[[], Storm]:
    return lambda: Storm(Peer(bench_of()), chunk, BLUE_TAG, answer)


def an_init_nobody_wants() -> Storm:
    peer = Peer(bench_of())
    return Storm(peer, peer.init(), 0, Abort)


def an_init_that_cannot_be_read() -> Storm:
    bench = bench_of()
    bench.listen()
    init = Peer(bench).init().encode()
    return Storm(Peer(bench), encode_chunk(ChunkType.INIT, 0, init[4:] + b"\0\5\0\5bad"), 0, Abort)


def an_init_with_an_impossible_window() -> Storm:
    bench = bench_of()
    bench.listen()
    peer = Peer(bench)
    return Storm(peer, peer.init(a_rwnd=1), 0, Abort)


def a_stale_cookie() -> Storm:
    bench = bench_of()
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.advance(100.0)
    return Storm(peer, CookieEcho(cookie), peer.our_tag, Error)


def a_cookie_for_an_endpoint_that_is_full() -> Storm:
    bench = bench_of()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    endpoint.backlog = 0
    return Storm(peer, CookieEcho(cookie), peer.our_tag, Abort)


def a_cookie_for_an_endpoint_that_no_longer_listens() -> Storm:
    bench = bench_of()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    endpoint.stop_listening()
    return Storm(peer, CookieEcho(cookie), peer.our_tag, Abort)


def a_shutdown_ack_to_who_calls() -> Storm:
    bench = bench_of()
    peer = Peer(bench)
    peer.is_called()
    return Storm(peer, ShutdownAck(), BLUE_TAG, ShutdownComplete)


def a_restart_with_a_new_address() -> Storm:
    bench = bench_of()
    Peer(bench).associate()
    # The same ports from another address, listing that of the peer.
    peer = Peer(bench, host="203.0.113.66")
    init = peer.init()
    from_elsewhere = Init(init.initiate_tag, init.a_rwnd, 1, 1, init.initial_tsn, (address_of(PEER_HOST),))
    return Storm(peer, from_elsewhere, 0, Abort)


def address_of(host: str) -> IPv4AddressParameter:
    return IPv4AddressParameter(host)


STORMS: dict[str, Callable[[], Storm]] = {
    "DATA": out_of_the_blue(Data(PEER_TSN, 0, 0, 0, b"data"), Abort),
    "HEARTBEAT": out_of_the_blue(Heartbeat(b"probe"), Abort),
    "SHUTDOWN ACK": out_of_the_blue(ShutdownAck(), ShutdownComplete),
    "INIT nobody wants": an_init_nobody_wants,
    "INIT that can't be read": an_init_that_cannot_be_read,
    "INIT with an impossible window": an_init_with_an_impossible_window,
    "stale cookie": a_stale_cookie,
    "cookie, endpoint full": a_cookie_for_an_endpoint_that_is_full,
    "cookie, endpoint closed": a_cookie_for_an_endpoint_that_no_longer_listens,
    "SHUTDOWN ACK in the handshake": a_shutdown_ack_to_who_calls,
    "restart with a new address": a_restart_with_a_new_address,
}


@pytest.mark.parametrize("name", STORMS)
def test_a_storm_is_answered_at_the_configured_rate(name: str) -> None:
    """R14: one second's worth at once, then so many a second; what got no answer is counted."""
    storm = STORMS[name]()
    bench = storm.peer.bench
    before = bench.engine.counters.answers_withheld
    assert storm.blows(200) == RATE
    assert bench.engine.counters.answers_withheld - before == 200 - RATE
    assert storm.blows(50) == 0
    bench.now += 0.5
    assert storm.blows(50) == RATE // 2
    bench.now += 1e6
    if name != "stale cookie" and not name.startswith("cookie"):  # by now the key of a cookie is gone
        assert storm.blows(50) == RATE


def test_one_storm_does_not_bring_another_limit() -> None:
    """All error answers share one bucket, whoever the strangers are: their addresses cost them nothing."""
    bench = bench_of()
    for number in range(100):
        Peer(bench, host=f"198.51.100.{number + 1}").send(ShutdownAck(), tag=BLUE_TAG)
        Peer(bench, host=f"198.51.100.{number + 1}").send(Heartbeat(b""), tag=BLUE_TAG)
    assert len(bench.unread) == RATE


def test_a_storm_keeps_nobody_from_associating() -> None:
    """E09: INIT ACKs are not limited: a flood could not be told from those who mean it."""
    bench = bench_of()
    endpoint = bench.listen()
    stranger = Peer(bench, host="198.51.100.1")
    for _ in range(100):
        stranger.send(Heartbeat(b""), tag=BLUE_TAG)
    bench.unread.clear()
    for number in range(100):
        peer = Peer(bench, host=f"203.0.113.{number + 1}")
        peer.send(peer.init())
        init_ack = peer.expect(InitAck)
        peer.our_tag = init_ack.initiate_tag
        peer.send(CookieEcho(cookie_of(init_ack)))
        peer.expect(CookieAck)
    assert len(endpoint.associations) == 100


def test_a_storm_takes_nothing_from_an_association() -> None:
    """R14: what answers the peer of an association is not of this bucket: its HEARTBEATs, and its SHUTDOWN ACK."""
    bench = bench_of()
    peer = Peer(bench)
    association = peer.reach(AssociationState.SHUTDOWN_SENT)
    Storm(Peer(bench, host="198.51.100.1"), Heartbeat(b""), BLUE_TAG, Abort).blows(100)
    peer.send(ShutdownAck())
    peer.expect(ShutdownComplete)
    assert association.state is AssociationState.CLOSED


def test_a_rate_of_zero_answers_no_stranger() -> None:
    bench = Bench(error_answers_per_s=0)
    for chunk in (Heartbeat(b""), ShutdownAck()):
        Peer(bench).send(chunk, tag=BLUE_TAG)
    peer = Peer(bench)
    peer.send(peer.init())
    bench.expect_nothing_ever()
    assert bench.engine.counters.answers_withheld == 3
    assert bench.engine.counters.out_of_the_blue_answers == 0


def test_what_deserves_no_answer_takes_no_token() -> None:
    """R14: rules 2, 6 and 7 of §8.4."""
    bench = bench_of()
    peer = Peer(bench)
    for chunk in (Abort(), ShutdownComplete(), CookieAck(), Error((StaleCookie(0),))):
        for _ in range(100):
            peer.send(chunk, tag=BLUE_TAG)
    bench.expect_nothing()
    assert bench.engine.counters.answers_withheld == 0
    assert Storm(peer, Heartbeat(b""), BLUE_TAG, Abort).blows(100) == RATE


def test_two_hosts_that_answer_each_others_answers_stop() -> None:
    """R14: an ABORT is never answered (rule 2), so that even without a limit no loop of two hosts is possible."""
    bench = Bench(error_answers_per_s=1e9)
    peer = Peer(bench)
    peer.send(Heartbeat(b""), tag=BLUE_TAG)
    abort = peer.expect(Abort, tag=BLUE_TAG)
    peer.send(abort, tag=BLUE_TAG)
    bench.expect_nothing()
