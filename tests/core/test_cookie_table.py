"""COOKIE ECHO with a cookie of ours when an association exists, enumerated (§5.2.4, Table 12).

Every state, every combination of the four tags in the cookie, fresh and beyond its life, in a packet under the tag that
the cookie names and under others: what is answered, under which tag, the state after, and what the user is told.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import pytest

from aiosctp.core.cookie import Cookie
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, SendFailed
from aiosctp.wire.causes import CookieReceivedWhileShuttingDown, StaleCookie
from aiosctp.wire.chunks import (
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    Sack,
    Shutdown,
    ShutdownAck,
)
from tests.core.laws import check_association, check_stack
from tests.core.scripted import A_PORT, A_RWND, A_TAG, Z_PORT, Packet, Peer
from tests.core.test_state_table import (
    ACK_SENT,
    CLOSED,
    COOKIE_ECHOED,
    COOKIE_WAIT,
    ESTABLISHED,
    LIVING,
    PENDING,
    RECEIVED,
    SENT,
    snapshot,
)

NEW_TAG: Final = 0xA2A2_A2A2
"""The peer's tag in a cookie that does not name the one we know."""
NEW_LOCAL_TAG: Final = 0x2B2B_2B2B
NEW_TSN: Final = 0xFFFF_FFFF
LIFE_S: Final = 60.0
UP, RESTART = AssociationChangeKind.COMM_UP, AssociationChangeKind.RESTART

Case = tuple[str, str, str, str]
"""Local Tag, Peer's Tag, Local-Tie-Tag, Peer's-Tie-Tag: M matches, X does not, 0 is unknown."""


@dataclass(frozen=True)
class Outcome:
    answer: tuple[type[Chunk], ...] = ()
    then: AssociationState | None = None
    """None: as before."""
    change: AssociationChangeKind | None = None
    fails: bool = False
    """What was outstanding is reported as not delivered."""
    takes_tag: bool = False
    """The peer's tag is the cookie's from now on."""


IGNORED: Final = Outcome()
ACKNOWLEDGED: Final = Outcome((CookieAck,))
COMES_UP: Final = Outcome((CookieAck,), ESTABLISHED, UP, takes_tag=True)
RESTARTS: Final = Outcome((CookieAck,), ESTABLISHED, RESTART, takes_tag=True)
STALE: Final = Outcome((Error,))

# By Table 12's letter, and what is beyond it.
OUTCOMES: Final[dict[str, dict[AssociationState, Outcome]]] = {
    "A": {
        COOKIE_WAIT: IGNORED,  # no peer is known that could have restarted
        COOKIE_ECHOED: RESTARTS,
        ESTABLISHED: RESTARTS,
        # What our user asked for goes on: with nothing left to send, at once.
        PENDING: Outcome((CookieAck, Shutdown), SENT, RESTART, fails=True, takes_tag=True),
        SENT: Outcome((CookieAck, Shutdown), SENT, RESTART, takes_tag=True),
        RECEIVED: Outcome((CookieAck,), ESTABLISHED, RESTART, fails=True, takes_tag=True),
        # "MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR chunk".
        ACK_SENT: Outcome((ShutdownAck, Error)),
    },
    # "SHOULD stay in or enter the ESTABLISHED state, but it MUST update its peer's Verification Tag".
    "B": {
        COOKIE_WAIT: COMES_UP,
        COOKIE_ECHOED: COMES_UP,
        **dict.fromkeys((ESTABLISHED, PENDING, SENT, RECEIVED, ACK_SENT), Outcome((CookieAck,), takes_tag=True)),
    },
    # "SHOULD be silently discarded. The endpoint SHOULD NOT change states".
    "C": dict.fromkeys(LIVING, IGNORED),
    # "SHOULD enter the ESTABLISHED state if it has not already done so ... and send a COOKIE ACK chunk".
    "D": {
        COOKIE_WAIT: IGNORED,  # no peer's tag is known that could match
        COOKIE_ECHOED: COMES_UP,
        **dict.fromkeys((ESTABLISHED, PENDING, SENT, RECEIVED, ACK_SENT), ACKNOWLEDGED),
    },
    "-": dict.fromkeys(LIVING, IGNORED),
}

TABLE_12: Final = [
    ("X", "X", "M", "M", "A"),
    ("M", "X", "MX0", "MX0", "B"),
    ("M", "0", "MX0", "MX0", "B"),
    ("X", "M", "0", "0", "C"),
    ("M", "M", "MX0", "MX0", "D"),
]


def action(case: Case) -> str:
    """The letter of Table 12; "any case not shown ... SHOULD be silently discarded" is a dash."""
    rows = [row[4] for row in TABLE_12 if all(tag in row[column] for column, tag in enumerate(case))]
    return rows[0] if rows else "-"


CASES: Final = list(itertools.product("MX", "MX0", "MX0", "MX0"))
CELLS: Final = [
    (state, case)
    for state in LIVING
    for case in CASES
    # The peer's tag is unknown in COOKIE-WAIT, and known after.
    if (case[1] == "0") == (state is COOKIE_WAIT)
]
MISNAMED: Final = [
    (state, case, header_tag)
    for state, case in CELLS
    for header_tag in ("wrong", "zero", "reflected", "of the association")
    if case[0] == "X" or header_tag != "of the association"
]


def expected(state: AssociationState, case: Case, *, stale: bool) -> Outcome:
    letter = action(case)
    # 3: "If both Verification Tags ... match ..., consider the State Cookie valid ..., even if the lifespan is
    # exceeded".
    return STALE if stale and letter != "D" else OUTCOMES[letter][state]


def cookie_for(peer: Peer, case: Case, *, stale: bool) -> Cookie:
    association = peer.association
    local, known_peer, local_tie, peer_tie = case
    own_tie, other_tie = association.tie_tags()
    return Cookie(
        created_at_s=peer.now - LIFE_S - 1.0 if stale else peer.now - 1.0,
        lifespan_s=LIFE_S,
        local_port=Z_PORT,
        peer_port=A_PORT,
        local_tag=association.tcb.local_tag if local == "M" else NEW_LOCAL_TAG,
        peer_tag=A_TAG if known_peer == "M" else NEW_TAG,
        local_initial_tsn=peer.z_initial_tsn if local == "M" else NEW_TSN,
        peer_initial_tsn=NEW_TSN,
        peer_a_rwnd=A_RWND,
        outbound_streams=10,
        inbound_streams=10,
        local_tie_tag={"M": own_tie, "X": own_tie ^ 1, "0": 0}[local_tie],
        peer_tie_tag={"M": other_tie, "X": other_tie ^ 1, "0": 0}[peer_tie],
        peer_adaptation_layer=None,
        peer_extensions=(0x82,),
        init_source=peer.addresses[0],
        peer_addresses=peer.addresses,
        offered_addresses=(),
    )


def echo(peer: Peer, cookie: Cookie, tag: int) -> list[Packet]:
    sealed = peer.engine._acceptance._cookies.seal(cookie, peer.now)
    return peer.send(CookieEcho(sealed), Data(NEW_TSN, 0, 0, 0, b"behind the cookie"), tag=tag)


def bring_to(state: AssociationState) -> Peer:
    peer = Peer()
    peer.in_state(state)
    peer.wait(0.1)
    peer.events.clear()
    return peer


def expect_events(outcome: Outcome, peer: Peer) -> None:
    changes = [event.change for event in peer.events_of(AssociationChange)]
    assert changes == ([] if outcome.change is None else [outcome.change])
    assert bool(peer.events_of(SendFailed)) is outcome.fails


def expect_answer(outcome: Outcome, packets: list[Packet], *, tag: int) -> None:
    chunks = [chunk for packet in packets for chunk in packet.chunks]
    # DATA that was taken is acknowledged, and a new path may be probed.
    kinds = tuple(type(chunk) for chunk in chunks if not isinstance(chunk, Sack | Heartbeat))
    # In SHUTDOWN-SENT whatever brings DATA is answered with a SHUTDOWN besides (§9.2).
    assert kinds in (outcome.answer, (*outcome.answer, Shutdown))
    assert {packet.verification_tag for packet in packets} <= {tag}
    for error in (chunk for chunk in chunks if isinstance(chunk, Error)):
        cause = StaleCookie if outcome is STALE else CookieReceivedWhileShuttingDown
        assert [type(each) for each in error.causes] == [cause]


@pytest.mark.parametrize("stale", [False, True], ids=["fresh", "stale"])
@pytest.mark.parametrize(("state", "case"), CELLS, ids="".join)
def test_a_cookie_echo_does_what_table_12_says(state: AssociationState, case: Case, stale: bool) -> None:
    """R03, R04, R05, R06, R07, X21, X27: all cells of §5.2.4 in every state."""
    outcome = expected(state, case, stale=stale)
    peer = bring_to(state)
    association = peer.association
    cookie = cookie_for(peer, case, stale=stale)
    before = snapshot(peer)
    # A -> COOKIE ECHO, DATA -> Z, Z -> the declared answer, or nothing -> A
    packets = echo(peer, cookie, cookie.local_tag)
    took_tag = outcome.takes_tag or (outcome is STALE)
    expect_answer(outcome, packets, tag=cookie.peer_tag if took_tag else A_TAG)
    expect_events(outcome, peer)
    after = outcome.then or state
    assert association.state is after
    assert association.tcb.peer_tag == (cookie.peer_tag if outcome.takes_tag else {COOKIE_WAIT: 0}.get(state, A_TAG))
    # What follows a cookie that is taken is processed, in the states that take DATA (§6).
    is_processed = outcome.change is not None or (CookieAck in outcome.answer and state in (ESTABLISHED, PENDING, SENT))
    assert [message.data for message in peer.user_reads()] == ([b"behind the cookie"] if is_processed else [])
    if outcome in (IGNORED, STALE):
        assert snapshot(peer) == before
    check_association(association)
    check_stack(peer.engine, [association])


@pytest.mark.parametrize(("state", "case", "header_tag"), MISNAMED, ids="".join)
def test_a_cookie_under_another_tag_than_it_names_is_silently_discarded(
    state: AssociationState, case: Case, header_tag: str
) -> None:
    """R13, X18: §5.1.5, 3: the tag of the cookie and that of the common header are compared."""
    peer = bring_to(state)
    association = peer.association
    cookie = cookie_for(peer, case, stale=False)
    tags = {
        "wrong": cookie.local_tag ^ 1,
        "zero": 0,
        "reflected": cookie.peer_tag,
        "of the association": association.tcb.local_tag,
    }
    before = snapshot(peer)
    assert echo(peer, cookie, tags[header_tag]) == []
    assert snapshot(peer) == before
    assert peer.events == []
    assert peer.user_reads() == []
    check_stack(peer.engine, [association])


@pytest.mark.parametrize("ties", list(itertools.product("X0", "X0")))
@pytest.mark.parametrize("stale", [False, True], ids=["fresh", "stale"])
def test_without_an_association_a_cookie_makes_one_or_is_stale(ties: tuple[str, str], stale: bool) -> None:
    """R01: the column CLOSED: §5.1 D, §5.1.5; Tie-Tags mean nothing there."""
    peer = bring_to(ESTABLISHED)
    cookie = cookie_for(peer, ("X", "X", *ties), stale=stale)
    peer.user_aborts()
    peer.listen()
    packets = echo(peer, cookie, cookie.local_tag)
    if stale:
        expect_answer(STALE, packets, tag=NEW_TAG)
        assert not peer.endpoint.associations
        return
    assert packets[0].types[0] is CookieAck
    (made,) = peer.endpoint.accepted
    assert (made.state, made.tcb.local_tag, made.tcb.peer_tag) == (ESTABLISHED, NEW_LOCAL_TAG, NEW_TAG)
    message = made.receiver.read()
    assert message is not None
    assert message.data == b"behind the cookie"


def test_the_table_has_every_state_and_every_letter() -> None:
    assert all(set(outcomes) == set(LIVING) for outcomes in OUTCOMES.values())
    assert {action(case) for _, case in CELLS} == set(OUTCOMES)
    assert CLOSED not in LIVING
