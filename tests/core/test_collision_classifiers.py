"""§5.2: Table 12 in full, and what an INIT means in every state."""

from __future__ import annotations

import itertools

import pytest

from aiosctp.core.collision import CookieAction, InitAction, classify_cookie, classify_init, names_tags_of
from aiosctp.core.cookie import Cookie
from aiosctp.core.states import AssociationState
from aiosctp.core.tcb import TransmissionControlBlock

LOCAL_TAG, PEER_TAG = 0xFFFF_FFFF, 1
LOCAL_TIE_TAG, PEER_TIE_TAG = 0x8000_0000, 0x7FFF_FFFF
OTHER = 0x1234_5678

ANY = "MX0"
# §5.2.4, Table 12, as printed: Local Tag, Peer's Tag, Local-Tie-Tag, Peer's-Tie-Tag. A stands for M, X and 0.
TABLE_12 = [
    ("X", "X", "M", "M", CookieAction.RESTART),
    ("M", "X", ANY, ANY, CookieAction.COLLISION),
    ("M", "0", ANY, ANY, CookieAction.COLLISION),
    ("X", "M", "0", "0", CookieAction.LATE),
    ("M", "M", ANY, ANY, CookieAction.DUPLICATE),
]
ALL_CASES = list(itertools.product("MX", "MX0", "MX0", "MX0"))


def make_cookie(local: str, peer: str, local_tie: str, peer_tie: str) -> Cookie:
    return Cookie(
        created_at_s=0.0,
        lifespan_s=60.0,
        local_port=7777,
        peer_port=5000,
        local_tag=LOCAL_TAG if local == "M" else OTHER,
        peer_tag=PEER_TAG if peer == "M" else OTHER,
        local_initial_tsn=0,
        peer_initial_tsn=0,
        peer_a_rwnd=65536,
        outbound_streams=1,
        inbound_streams=1,
        local_tie_tag={"M": LOCAL_TIE_TAG, "X": OTHER, "0": 0}[local_tie],
        peer_tie_tag={"M": PEER_TIE_TAG, "X": OTHER, "0": 0}[peer_tie],
        peer_adaptation_layer=None,
        peer_extensions=(0x82,),
        init_source="192.0.2.1",
        peer_addresses=("192.0.2.1",),
        offered_addresses=(),
    )


def make_tcb(peer: str, *, has_tie_tags: bool = True) -> TransmissionControlBlock:
    return TransmissionControlBlock(
        local_tag=LOCAL_TAG,
        local_initial_tsn=0,
        outbound_streams=1,
        inbound_streams=1,
        # "0 - Tag unknown (Peer's Tag not known yet ...)".
        peer_tag=0 if peer == "0" else PEER_TAG,
        local_tie_tag=LOCAL_TIE_TAG if has_tie_tags else 0,
        peer_tie_tag=PEER_TIE_TAG if has_tie_tags else 0,
    )


def in_table_12(local: str, peer: str, local_tie: str, peer_tie: str) -> CookieAction:
    actions = [
        action
        for row_local, row_peer, row_local_tie, row_peer_tie, action in TABLE_12
        if local in row_local and peer in row_peer and local_tie in row_local_tie and peer_tie in row_peer_tie
    ]
    # "For any case not shown in Table 12, the cookie SHOULD be silently discarded."
    return actions[0] if actions else CookieAction.DISCARD


@pytest.mark.parametrize("case", ALL_CASES, ids=" ".join)
def test_a_cookie_is_handled_as_table_12_says(case: tuple[str, str, str, str]) -> None:
    assert classify_cookie(make_cookie(*case), make_tcb(case[1])) is in_table_12(*case)


def test_every_action_is_in_the_table_or_beyond_it() -> None:
    assert {in_table_12(*case) for case in ALL_CASES} == set(CookieAction)


@pytest.mark.parametrize("peer", ["X", "0"])
def test_no_tie_tags_on_either_side_do_not_match_each_other(peer: str) -> None:
    """A cookie for a first association (tie-tags 0) restarts no association that never gave tie-tags out."""
    cookie = make_cookie("X", peer, "0", "0")
    assert classify_cookie(cookie, make_tcb(peer, has_tie_tags=False)) is CookieAction.DISCARD


@pytest.mark.parametrize(("local", "peer"), list(itertools.product("MX", "MX0")))
def test_both_tags_have_to_match_for_a_cookie_to_be_valid_beyond_its_life(local: str, peer: str) -> None:
    expected = (local, peer) == ("M", "M")
    assert names_tags_of(make_cookie(local, peer, "0", "0"), make_tcb(peer)) is expected


_S = AssociationState
INIT_ACTIONS = [
    # state, with no new address, with new addresses
    (_S.COOKIE_WAIT, InitAction.ANSWER_WITH_SAME_TAG, InitAction.ANSWER_WITH_SAME_TAG),
    (_S.COOKIE_ECHOED, InitAction.ANSWER_WITH_SAME_TAG, InitAction.REFUSE_NEW_ADDRESSES),
    (_S.ESTABLISHED, InitAction.ANSWER_WITH_NEW_TAG, InitAction.REFUSE_NEW_ADDRESSES),
    (_S.SHUTDOWN_PENDING, InitAction.ANSWER_WITH_NEW_TAG, InitAction.REFUSE_NEW_ADDRESSES),
    (_S.SHUTDOWN_SENT, InitAction.ANSWER_WITH_NEW_TAG, InitAction.REFUSE_NEW_ADDRESSES),
    (_S.SHUTDOWN_RECEIVED, InitAction.ANSWER_WITH_NEW_TAG, InitAction.REFUSE_NEW_ADDRESSES),
    (_S.SHUTDOWN_ACK_SENT, InitAction.RESEND_SHUTDOWN_ACK, InitAction.RESEND_SHUTDOWN_ACK),
]


@pytest.mark.parametrize(("state", "known", "new"), INIT_ACTIONS)
def test_an_init_is_handled_as_the_state_wants(state: AssociationState, known: InitAction, new: InitAction) -> None:
    """§5.2.1 in the handshake, §5.2.2 in life, §9.2 at its end."""
    assert classify_init(state, adds_addresses=False) is known
    assert classify_init(state, adds_addresses=True) is new


def test_every_state_of_an_association_is_tested_here() -> None:
    assert {state for state, _, _ in INIT_ACTIONS} == set(AssociationState) - {AssociationState.CLOSED}
