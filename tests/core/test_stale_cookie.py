"""The answer to a Stale Cookie error (§5.2.6)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChangeKind
from aiosctp.wire.causes import ProtocolViolation, StaleCookie
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Data, Error, IData, Init, UserData
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.parameters import CookiePreservative, Parameter, StateCookie, SupportedExtensions
from tests.core.transcript import (
    ESTABLISHED_OR_CLOSING,
    PEER_COOKIE,
    Bench,
    Peer,
    state_of,
    timers_are_stopped,
)


def test_a_stale_cookie_is_asked_for_anew_with_a_longer_life() -> None:
    """R11, P05, Q03: a new INIT with a Cookie Preservative of the RTT and no more than a second (§5.2.6, 3)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    bench.advance(0.3)
    # Z -> ERROR [Stale Cookie] -> A
    peer.send(Error((StaleCookie(5_000_000),)))
    # A -> INIT [Cookie Preservative] -> Z
    init = peer.expect(Init, tag=0)
    (preservative,) = [p for p in init.parameters if isinstance(p, CookiePreservative)]
    assert 300 <= preservative.increment_ms <= 1300
    assert association.state is AssociationState.COOKIE_WAIT
    # §5.3.1: the Verification Tag "MUST NOT change during the life time of an association".
    assert init.initiate_tag == peer.our_tag
    peer.send(peer.init_ack(StateCookie(b"a fresh cookie")))
    assert peer.expect(CookieEcho).cookie == b"a fresh cookie"
    peer.send(CookieAck())
    assert state_of(association) is AssociationState.ESTABLISHED
    peer.talk(association)


def test_an_init_ack_behind_a_stale_cookie_is_not_taken_for_the_answer_to_the_next_init() -> None:
    """R21: §6.10: an INIT ACK is alone in its packet; so one packet never draws an INIT and a COOKIE ECHO (§12.4)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    # Z -> ERROR [Stale Cookie], INIT ACK -> A
    peer.send(Error((StaleCookie(0),)), peer.init_ack())
    # A -> INIT -> Z
    peer.expect(Init, tag=0)
    assert association.state is AssociationState.COOKIE_WAIT


def test_data_of_the_third_leg_survives_a_stale_cookie() -> None:
    """R11, A12: the peer discarded it with the cookie, so it goes with the next one."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, b"third leg")
    peer.send(peer.init_ack())
    peer.expect_packet(CookieEcho, Data)
    peer.send(Error((StaleCookie(0),)))
    init = peer.expect(Init, tag=0)
    peer.our_tag = init.initiate_tag
    peer.send(peer.init_ack())
    sent = peer.expect_packet(CookieEcho, Data)
    assert sent.chunk(Data).payload == b"third leg"
    assert sent.chunk(Data).tsn == init.initial_tsn


def test_a_peer_to_which_every_cookie_is_stale_is_given_up() -> None:
    """R11, C07: the attempts have an end, and the user hears of it."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    for _ in range(50):
        bench.advance(0.1)
        peer.send(Error((StaleCookie(1),)))
        if association.state is AssociationState.CLOSED:
            break
        peer.our_tag = peer.expect(Init, tag=0).initiate_tag
        peer.send(peer.init_ack())
        peer.expect(CookieEcho)
    assert association.state is AssociationState.CLOSED
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    assert timers_are_stopped(bench)


@pytest.mark.parametrize(
    "state", [AssociationState.COOKIE_WAIT, *ESTABLISHED_OR_CLOSING, AssociationState.SHUTDOWN_ACK_SENT]
)
def test_a_stale_cookie_error_in_another_state_is_silently_discarded(state: AssociationState) -> None:
    """Q03, R11: "not in the COOKIE-ECHOED state, the ERROR chunk SHOULD be silently discarded"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    events = bench.events(association)[:]
    peer.send(Error((StaleCookie(1),)))
    bench.expect_nothing()
    assert association.state is state
    assert bench.events(association) == events


def test_a_stale_cookie_error_under_a_wrong_tag_is_silently_discarded() -> None:
    """R13, R11: who does not know our tag can't make us begin again (§8.5)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    peer.send(Error((StaleCookie(1),)), tag=peer.our_tag ^ 1)
    bench.expect_nothing()
    assert association.state is AssociationState.COOKIE_ECHOED


I_DATA_TOO = (StateCookie(PEER_COOKIE), SupportedExtensions((ChunkType.I_DATA,)))


@pytest.mark.parametrize("said", [(), I_DATA_TOO], ids=["DATA", "I-DATA"])
def test_a_message_half_sent_on_the_third_leg_survives_a_stale_cookie(said: tuple[Parameter, ...]) -> None:
    """R11, A12: what was cut of it goes again as it was, and the rest behind it."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, bytes(20_000))
    peer.send(peer.init_ack(*said))
    assert association.sender.queue.begun
    (first,) = [chunk for chunk in peer.drain() if isinstance(chunk, UserData)][:1]
    peer.send(Error((StaleCookie(0),)))
    peer.our_tag = peer.expect(Init, tag=0).initiate_tag
    peer.send(peer.init_ack(*said))
    (again,) = [chunk for chunk in peer.drain() if isinstance(chunk, UserData)][:1]
    assert again == first


@pytest.mark.parametrize("said", [((), I_DATA_TOO), (I_DATA_TOO, ())], ids=["then I-DATA", "then DATA"])
def test_a_peer_that_takes_back_how_it_takes_messages_is_refused(said: Sequence[tuple[Parameter, ...]]) -> None:
    """RFC 8260 §2.2.1: an association has one kind of them; what went with the COOKIE ECHO can't be cut anew."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, bytes(20_000))
    peer.send(peer.init_ack(*said[0]))
    peer.drain()
    peer.send(Error((StaleCookie(0),)))
    peer.expect(Init, tag=0)
    peer.send(peer.init_ack(*said[1]))
    assert isinstance(peer.expect(Abort).causes[0], ProtocolViolation)
    assert state_of(association) is AssociationState.CLOSED


def test_a_peer_may_change_how_it_takes_messages_before_one_was_sent() -> None:
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    peer.send(Error((StaleCookie(0),)))
    peer.our_tag = peer.expect(Init, tag=0).initiate_tag
    bench.say(association, b"third leg")
    peer.send(peer.init_ack(*I_DATA_TOO))
    assert peer.expect_packet(CookieEcho, IData).chunk(IData).payload == b"third leg"


def test_a_message_half_sent_survives_a_collision_behind_a_stale_cookie() -> None:
    """R04, A12: it is cut already, as it was to go with the COOKIE ECHO."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, bytes(20_000))
    peer.send(peer.init_ack(*I_DATA_TOO))
    first = next(chunk for chunk in peer.drain() if isinstance(chunk, IData))
    peer.send(Error((StaleCookie(0),)))
    peer.expect(Init, tag=0)
    # Z calls too, under another tag than that of its INIT ACK, and with nothing said of I-DATA.
    peer.tag += 1
    cookie = peer.get_cookie()
    peer.send(CookieEcho(cookie))
    assert association.state is AssociationState.ESTABLISHED
    assert next(chunk for chunk in peer.drain() if isinstance(chunk, IData)) == first
