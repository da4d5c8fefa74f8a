"""What the parameters of the handshake change on the wire: timeouts of the INIT, lives of cookies, keys and tags."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aiosctp.core.cookie import KEY_BYTES
from aiosctp.core.states import AssociationState
from aiosctp.exceptions import ConnectTimeout
from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import Chunk, CookieAck, CookieEcho, Error, Init
from aiosctp.wire.parameters import StateCookie
from tests.core.transcript import PEER_COOKIE, Bench, Peer, next_init


def times_of(bench: Bench, kind: type[Chunk]) -> list[float]:
    """When each was sent of those that are unread."""
    return [sent.at for sent in bench.unread if kind in sent.kinds]


def gaps_of(bench: Bench, kind: type[Chunk]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times_of(bench, kind))]


@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_an_init_is_repeated_so_often_and_no_more(attempts: int) -> None:
    """G43: Max.Init.Retransmits (§5.1.6)."""
    bench = Bench(max_init_retransmits=attempts)
    association = bench.connect()
    bench.advance(600)
    assert len(times_of(bench, Init)) == 1 + attempts
    assert isinstance(association.ending, ConnectTimeout)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 3.0])
def test_the_first_init_is_awaited_for_rto_initial(seconds: float) -> None:
    """G46: RTO.Initial, before anything is measured (§6.3.1, C1)."""
    bench = Bench(rto_initial_s=seconds, rto_min_s=0.05, max_init_retransmits=1)
    bench.connect()
    bench.advance(60)
    assert gaps_of(bench, Init) == pytest.approx([seconds])


def test_the_timeout_of_an_init_has_a_ceiling_of_its_own() -> None:
    """G45: RFC 6458 §8.1.3: "the largest timeout or RTO value ... to use in attempting an INIT"."""
    bench = Bench(rto_initial_s=1, rto_max_s=60, init_rto_max_s=3, max_init_retransmits=5)
    association = bench.connect()
    bench.advance(600)
    assert gaps_of(bench, Init) == pytest.approx([1, 2, 3, 3, 3])
    assert association.state is AssociationState.CLOSED


def test_the_ceiling_of_an_init_may_lie_below_rto_initial() -> None:
    """G45: it bounds the first timeout too."""
    bench = Bench(rto_initial_s=1, init_rto_max_s=0.1, max_init_retransmits=3)
    bench.connect()
    bench.advance(600)
    assert gaps_of(bench, Init) == pytest.approx([0.1, 0.1, 0.1])


def test_the_ceiling_of_an_init_is_none_of_what_comes_after() -> None:
    """RFC 6458 §8.1.3: "must not influence 'RTO.Max' during data transmission"; §5.1.6: COOKIE ECHOs back off up to
    RTO.Max, from where the INITs were left."""
    bench = Bench(rto_initial_s=1, rto_max_s=60, init_rto_max_s=2, max_init_retransmits=4)
    peer = Peer(bench)
    peer.is_called()
    bench.advance(8.5)
    assert gaps_of(bench, Init) == pytest.approx([2, 2, 2])
    bench.unread.clear()
    # Z -> INIT ACK -> A, A -> COOKIE ECHO -> lost
    peer.send(peer.init_ack(StateCookie(PEER_COOKIE)))
    bench.advance(600)
    assert gaps_of(bench, CookieEcho) == pytest.approx([2, 4, 8, 16])


def test_without_a_ceiling_of_its_own_an_init_has_that_of_the_rto() -> None:
    """G48: RTO.Max (§6.3.1, C7)."""
    bench = Bench(rto_initial_s=1, rto_max_s=3, max_init_retransmits=4)
    bench.connect()
    bench.advance(600)
    assert gaps_of(bench, Init) == pytest.approx([1, 2, 3, 3])


def test_a_cookie_is_taken_for_so_long_and_no_longer() -> None:
    """G44: Valid.Cookie.Life (§5.1.3, §5.2.6)."""
    for wait_s, answer in ((9.9, CookieAck), (10.1, Error)):
        bench = Bench(valid_cookie_life_s=10)
        bench.listen()
        peer = Peer(bench)
        # Z -> INIT -> A, A -> INIT ACK -> Z
        cookie = peer.get_cookie()
        bench.advance(wait_s)
        # Z -> COOKIE ECHO -> A
        peer.send(CookieEcho(cookie))
        sent = peer.expect_packet(answer)
        if answer is Error:
            assert isinstance(sent.chunk(Error).causes[0], StaleCookie)


def test_the_key_of_cookies_changes_when_it_is_so_old() -> None:
    """G49: §5.1.3: "the secret key SHOULD be changed reasonably frequently"; the one before opens its cookies still."""
    bench = Bench(cookie_key_life_s=100, max_cookie_life_s=60, valid_cookie_life_s=60)
    bench.listen()
    Peer(bench, port=2000).get_cookie()
    bench.advance(99)
    late = Peer(bench, port=2001)
    cookie = late.get_cookie()
    assert len(keys_of(bench)) == 1
    bench.advance(2)
    Peer(bench, port=2002).get_cookie()
    assert len(set(keys_of(bench))) == 2
    # Z -> COOKIE ECHO -> A, sealed with the key before
    late.send(CookieEcho(cookie))
    late.expect(CookieAck)


def keys_of(bench: Bench) -> list[bytes]:
    return [drawn for drawn in bench.dice if len(drawn) == KEY_BYTES]


@pytest.mark.parametrize(("quarantine_s", "wait_s", "rests"), [(0, 1, False), (30, 29, True), (30, 31, False)])
def test_the_tag_of_an_association_that_ended_rests_for_so_long(
    quarantine_s: float, wait_s: float, rests: bool
) -> None:
    """G17: §5.3.1: none is drawn that rests, whatever the dice say."""
    bench = Bench(vtag_quarantine_s=quarantine_s)
    peer = Peer(bench)
    association = peer.answers()
    bench.abort(association)
    peer.drain()
    bench.advance(wait_s)
    bench.forced_entropy.append(peer.our_tag.to_bytes(4))
    assert (next_init(bench).initiate_tag != peer.our_tag) is rests
