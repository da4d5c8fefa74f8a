"""§5.2: what a duplicate or unexpected INIT or COOKIE ECHO means. Pure classifiers: they decide, others act."""

from __future__ import annotations

from enum import Enum, auto

from aiosctp.core.cookie import Cookie
from aiosctp.core.states import AssociationState
from aiosctp.core.tcb import TransmissionControlBlock


class CookieAction(Enum):
    """The actions of §5.2.4, Table 12."""

    RESTART = auto()
    """(A) The peer restarted."""
    COLLISION = auto()
    """(B) Both sides began at about the same time."""
    LATE = auto()
    """(C) Our own cookie, late: silently discarded."""
    DUPLICATE = auto()
    """(D) The COOKIE ACK was lost."""
    DISCARD = auto()
    """"For any case not shown in Table 12, the cookie SHOULD be silently discarded"."""


def names_tags_of(cookie: Cookie, tcb: TransmissionControlBlock) -> bool:
    """Whether "both Verification Tags in the State Cookie match" (§5.2.4, 3)."""
    return cookie.local_tag == tcb.local_tag and cookie.peer_tag == tcb.peer_tag


def classify_cookie(cookie: Cookie, tcb: TransmissionControlBlock) -> CookieAction:
    """§5.2.4, 5: look the four tags up in Table 12."""
    local_matches = cookie.local_tag == tcb.local_tag
    peer_matches = cookie.peer_tag == tcb.peer_tag
    if local_matches:
        # Rows M/M, and M/X with M/0: a peer's tag not known yet is 0 here and matches none.
        return CookieAction.DUPLICATE if peer_matches else CookieAction.COLLISION
    no_tie_tags = cookie.local_tie_tag == 0 and cookie.peer_tie_tag == 0
    if peer_matches:
        return CookieAction.LATE if no_tie_tags else CookieAction.DISCARD
    tie_tags_match = cookie.local_tie_tag == tcb.local_tie_tag and cookie.peer_tie_tag == tcb.peer_tie_tag
    # Row X/X: a peer whose tag is not known yet (0) can't have restarted.
    is_restart = tie_tags_match and not no_tie_tags and tcb.peer_tag != 0
    return CookieAction.RESTART if is_restart else CookieAction.DISCARD


class InitAction(Enum):
    """What to do with an INIT for an association that exists."""

    ANSWER_WITH_SAME_TAG = auto()
    """§5.2.1: INIT ACK "using the same parameters it sent in its original INIT chunk"."""
    ANSWER_WITH_NEW_TAG = auto()
    """§5.2.2: INIT ACK with a new Initiate Tag and Tie-Tags."""
    REFUSE_NEW_ADDRESSES = auto()
    """§5.2.1, §5.2.2: ABORT, "Restart of an Association with New Addresses"."""
    RESEND_SHUTDOWN_ACK = auto()
    """§9.2: the SHUTDOWN COMPLETE was lost; discard the INIT."""


def classify_init(state: AssociationState, *, adds_addresses: bool) -> InitAction:
    if state is AssociationState.SHUTDOWN_ACK_SENT:
        return InitAction.RESEND_SHUTDOWN_ACK
    if state is AssociationState.COOKIE_WAIT:
        return InitAction.ANSWER_WITH_SAME_TAG
    if adds_addresses:
        return InitAction.REFUSE_NEW_ADDRESSES
    if state is AssociationState.COOKIE_ECHOED:
        return InitAction.ANSWER_WITH_SAME_TAG
    return InitAction.ANSWER_WITH_NEW_TAG
