"""Every chunk type in every state under every kind of tag (§6, §8.3 to §8.5.1, §9, Figure 3).

What each cell answers, in which state it leaves the association and what it tells the user is data. COOKIE ECHOs with a
cookie of ours have a table of their own (`test_cookie_table.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, Event, RemoteError, SenderDry, SendFailed, ShutdownEvent
from aiosctp.wire.causes import UserInitiatedAbort
from aiosctp.wire.chunks import (
    Abort,
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    ForwardTsn,
    Heartbeat,
    HeartbeatAck,
    IData,
    IForwardTsn,
    Init,
    InitAck,
    NrSack,
    Pad,
    ReConfig,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
)
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.reconfig import SsnTsnResetRequest
from tests.core.laws import check_association, check_stack
from tests.core.scripted import A_INITIAL_TSN, A_RWND, A_TAG, COOKIE, UDP_PORT, Encodable, Packet, Peer, chunks_of

CLOSED: Final = AssociationState.CLOSED
COOKIE_WAIT: Final = AssociationState.COOKIE_WAIT
COOKIE_ECHOED: Final = AssociationState.COOKIE_ECHOED
ESTABLISHED: Final = AssociationState.ESTABLISHED
PENDING: Final = AssociationState.SHUTDOWN_PENDING
SENT: Final = AssociationState.SHUTDOWN_SENT
RECEIVED: Final = AssociationState.SHUTDOWN_RECEIVED
ACK_SENT: Final = AssociationState.SHUTDOWN_ACK_SENT

HANDSHAKE: Final = (COOKIE_WAIT, COOKIE_ECHOED)
LIVING: Final = tuple(state for state in AssociationState if state is not CLOSED)

RESTARTED_TAG: Final = 0xA1A1_A1A1
WRONG_TAG: Final = 0xBAD0_BAD0


@dataclass(frozen=True)
class Reaction:
    """What Z sends at once, in one packet, and the state it is in then, None for the same as before."""

    answer: tuple[type[Chunk], ...] = ()
    then: AssociationState | None = None
    reflects_tag: bool = False
    """The answer goes out under the tag that came, and says so with the T bit where it has one (§8.4)."""
    may_stay_silent: bool = False
    """The RFC asks for this answer in other states and forbids it in none of these."""
    may_add: tuple[type[Chunk], ...] = ()
    tells: tuple[type[Event], ...] = ()
    """The events, in order."""
    reads: tuple[bytes, ...] = ()
    """What the user can read then."""


NOTHING: Final = Reaction()
OUT_OF_THE_BLUE: Final = Reaction((Abort,), reflects_tag=True)  # §8.4 rule 8

Row = dict[AssociationState, Reaction]


def row(others: Reaction, *, closed: Reaction = OUT_OF_THE_BLUE, **exceptions: Reaction) -> Row:
    """A row of the table: the reaction of an association in any state but those named."""
    named = {AssociationState[name.upper()]: reaction for name, reaction in exceptions.items()}
    return {CLOSED: closed} | dict.fromkeys(LIVING, others) | named


def sack(peer: Peer) -> Sack:
    """For all that is outstanding."""
    has_data = peer.z_tag and peer.state in (PENDING, RECEIVED)
    return Sack(peer.z_initial_tsn if has_data else peer.z_initial_tsn - 1 & 0xFFFF_FFFF, A_RWND)


def shutdown(peer: Peer) -> Shutdown:
    return Shutdown(sack(peer).cumulative_tsn_ack)


def shutdown_before_all_arrived(peer: Peer) -> Shutdown:
    return Shutdown(peer.z_initial_tsn - 1 & 0xFFFF_FFFF)


def unknown(high_bits: int) -> Callable[[Peer], Encodable]:
    return lambda _: UnknownChunk(high_bits << 6 | 0x3E, 0, b"?")


CHUNKS: Final[dict[str, Callable[[Peer], Encodable]]] = {
    "DATA": lambda _: Data(A_INITIAL_TSN, 0, 0, 0, b"data"),
    "INIT": lambda _: Init(RESTARTED_TAG, A_RWND, 10, 10, 1),
    "INIT_ACK": lambda peer: peer.init_ack(),
    "SACK": sack,
    "HEARTBEAT": lambda _: Heartbeat(b"opaque"),
    "HEARTBEAT_ACK": lambda _: HeartbeatAck(b"never asked for"),
    "ABORT": lambda _: Abort((UserInitiatedAbort(b"enough"),)),
    "ABORT, T": lambda _: Abort((UserInitiatedAbort(b"enough"),), tag_reflected=True),
    "SHUTDOWN": shutdown,
    "SHUTDOWN before all arrived": shutdown_before_all_arrived,
    "SHUTDOWN_ACK": lambda _: ShutdownAck(),
    "ERROR": lambda _: Error((UserInitiatedAbort(b"a cause"),)),
    "COOKIE_ECHO": lambda _: CookieEcho(COOKIE),
    "COOKIE_ACK": lambda _: CookieAck(),
    "SHUTDOWN_COMPLETE": lambda _: ShutdownComplete(),
    "SHUTDOWN_COMPLETE, T": lambda _: ShutdownComplete(tag_reflected=True),
    "PAD": lambda _: Pad(b"padding"),
    "RE_CONFIG": lambda _: ReConfig((SsnTsnResetRequest(A_INITIAL_TSN),)),
    "NR_SACK": lambda _: NrSack(0, A_RWND),
    "I_DATA": lambda _: IData(A_INITIAL_TSN, 0, 0, 0, 0, b"data"),
    "FORWARD_TSN": lambda _: ForwardTsn(A_INITIAL_TSN),
    "I_FORWARD_TSN": lambda _: IForwardTsn(A_INITIAL_TSN),
    "unknown 00": unknown(0b00),
    "unknown 01": unknown(0b01),
    "unknown 10": unknown(0b10),
    "unknown 11": unknown(0b11),
}

SILENT: Final = row(NOTHING, closed=NOTHING)
# §5.1 C: "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets to the peer". In
# COOKIE-WAIT there is no tag yet to send an answer under.
REPORTED: Final = row(Reaction((Error,)), cookie_wait=NOTHING, cookie_echoed=NOTHING)
# §9.2: the receiver of a SHUTDOWN "MUST continue responding to SHUTDOWN chunks". In the handshake, "SHOULD be silently
# discarded".
SHUTS_DOWN: Final = Reaction((ShutdownAck,), ACK_SENT)
ENDS: Final = Reaction(then=CLOSED, tells=(AssociationChange,))
ENDS_UNDELIVERED: Final = Reaction(then=CLOSED, tells=(AssociationChange, SendFailed))
ABORTS: Final = row(ENDS, closed=NOTHING, shutdown_pending=ENDS_UNDELIVERED, shutdown_received=ENDS_UNDELIVERED)
TELLS: Final = Reaction(tells=(RemoteError,))

TABLE: Final[dict[str, Row]] = {
    # §6: "MUST only be received ... in ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-SENT". §9.2: there "MUST
    # immediately respond ... with a SHUTDOWN". §6.2: the first DATA of an association is acknowledged at once.
    "DATA": row(
        NOTHING,
        established=Reaction((Sack,), reads=(b"data",)),
        shutdown_pending=Reaction((Sack,), reads=(b"data",)),
        shutdown_sent=Reaction((Shutdown,), may_add=(Sack,), reads=(b"data",)),
    ),
    # §5.2.1, §5.2.2: an INIT ACK and no change of state; §9.2: in SHUTDOWN-ACK-SENT the SHUTDOWN ACK again.
    "INIT": row(Reaction((InitAck,)), closed=Reaction((InitAck,)), shutdown_ack_sent=Reaction((ShutdownAck,))),
    # §5.2.3: discarded "in any state other than the COOKIE-WAIT".
    "INIT_ACK": row(NOTHING, cookie_wait=Reaction((CookieEcho,), COOKIE_ECHOED)),
    # §6: "MUST be processed in ESTABLISHED, SHUTDOWN-PENDING, and SHUTDOWN-RECEIVED".
    "SACK": row(
        NOTHING,
        shutdown_pending=Reaction((Shutdown,), SENT, tells=(SenderDry,)),
        shutdown_received=Reaction((ShutdownAck,), ACK_SENT, tells=(SenderDry,)),
    ),
    # §8.3: "MUST respond ... after entering the COOKIE-ECHOED state ... up until reaching the SHUTDOWN-SENT state ...
    # or the SHUTDOWN-ACK-SENT state"; in those two it is left open. In COOKIE-ECHOED §5.1 C forbids any other packet
    # until the COOKIE ACK is here: the answer may wait for it (test below).
    "HEARTBEAT": row(
        Reaction((HeartbeatAck,)),
        cookie_wait=NOTHING,
        cookie_echoed=Reaction((HeartbeatAck,), may_stay_silent=True),
        shutdown_sent=Reaction((HeartbeatAck,), may_stay_silent=True),
        shutdown_ack_sent=Reaction((HeartbeatAck,), may_stay_silent=True),
    ),
    "HEARTBEAT_ACK": row(NOTHING),
    # §9.1: "MUST remove the association", "MUST NOT respond to any received packet that contains an ABORT".
    "ABORT": ABORTS,
    # §8.5.1 B: the T bit says that the tag is reflected, and so ours is a wrong one.
    "ABORT, T": SILENT,
    "SHUTDOWN": row(
        SHUTS_DOWN,
        cookie_wait=NOTHING,
        cookie_echoed=NOTHING,
        established=Reaction((ShutdownAck,), ACK_SENT, tells=(ShutdownEvent,)),
        shutdown_pending=Reaction((ShutdownAck,), ACK_SENT, tells=(SenderDry, ShutdownEvent)),
        shutdown_received=Reaction((ShutdownAck,), ACK_SENT, tells=(SenderDry,)),
    ),
    "SHUTDOWN before all arrived": row(
        SHUTS_DOWN,
        cookie_wait=NOTHING,
        cookie_echoed=NOTHING,
        established=Reaction((ShutdownAck,), ACK_SENT, tells=(ShutdownEvent,)),
        shutdown_pending=Reaction(then=RECEIVED, tells=(ShutdownEvent,)),
        shutdown_received=NOTHING,
    ),
    # §8.4 rule 5, and §8.5.1 E for the handshake: a SHUTDOWN COMPLETE under the tag that came. Otherwise Figure 3.
    "SHUTDOWN_ACK": row(
        NOTHING,
        closed=Reaction((ShutdownComplete,), reflects_tag=True),
        cookie_wait=Reaction((ShutdownComplete,), reflects_tag=True),
        cookie_echoed=Reaction((ShutdownComplete,), reflects_tag=True),
        shutdown_sent=Reaction((ShutdownComplete,), CLOSED, tells=(AssociationChange,)),
        shutdown_ack_sent=Reaction((ShutdownComplete,), CLOSED, tells=(AssociationChange,)),
    ),
    # §11.2.6: COMMUNICATION ERROR, unless there is no peer yet whose it could be.
    "ERROR": row(TELLS, cookie_wait=NOTHING),
    # Figure 3 (1): a cookie that is not ours is silently discarded.
    "COOKIE_ECHO": SILENT,
    # §5.2.5: "At any state other than COOKIE-ECHOED, an endpoint SHOULD silently discard"; §8.4 rule 7.
    "COOKIE_ACK": row(NOTHING, closed=NOTHING, cookie_echoed=Reaction(then=ESTABLISHED, tells=(AssociationChange,))),
    # §8.5.1 C: ignored "if it is not in the SHUTDOWN-ACK-SENT state"; §8.4 rule 6.
    "SHUTDOWN_COMPLETE": row(NOTHING, closed=NOTHING, shutdown_ack_sent=ENDS),
    # §8.5.1 C, as B.
    "SHUTDOWN_COMPLETE, T": SILENT,
    # RFC 4820 §3: "MUST discard this chunk".
    "PAD": row(NOTHING),
    # RFC 6525 §5.1.1: this peer did not announce that it supports the chunk, which is then an unknown one, skipped.
    "RE_CONFIG": row(NOTHING),
    # Nor any other extension.
    "NR_SACK": row(NOTHING),
    "I_DATA": REPORTED,
    "FORWARD_TSN": REPORTED,
    "I_FORWARD_TSN": REPORTED,
    # §3.2, Table 2.
    "unknown 00": row(NOTHING),
    "unknown 01": REPORTED,
    "unknown 10": row(NOTHING),
    "unknown 11": REPORTED,
}

TAGS: Final = ("wrong", "zero", "reflected")


def stranger(living: Reaction, name: str, *, closed: Reaction | None = None, **exceptions: Reaction) -> Row:
    """A row for a tag that is not ours: without an association there is none that could be wrong."""
    return row(living, closed=TABLE[name][CLOSED] if closed is None else closed, **exceptions)


# §8.5.1 E, §9.2: in the handshake "it is treated as an OOTB packet".
IN_THE_HANDSHAKE: Final = Reaction((ShutdownComplete,), reflects_tag=True)
UNDER_ANY_TAG: Final = stranger(NOTHING, "SHUTDOWN_ACK", cookie_wait=IN_THE_HANDSHAKE, cookie_echoed=IN_THE_HANDSHAKE)

# What has an effect under a tag that is not the one to expect. §8.5 for all others: "MUST silently discard".
EXCEPTIONS: Final[dict[tuple[str, str], Row]] = {
    # §8.5.1 A: tag 0 is the INIT's.
    ("INIT", "zero"): TABLE["INIT"],
    # §12.3: "MUST silently discard the INIT chunk ... if ... the packet has a non-zero Verification Tag".
    ("INIT", "wrong"): SILENT,
    ("INIT", "reflected"): SILENT,
    # §8.5.1 B, C: "the packet carries the ... peer's tag and the T bit is set"; there is none yet in COOKIE-WAIT.
    ("ABORT, T", "reflected"): ABORTS | {COOKIE_WAIT: NOTHING},
    ("SHUTDOWN_COMPLETE, T", "reflected"): SILENT | {ACK_SENT: ENDS},
    ("SHUTDOWN_ACK", "wrong"): UNDER_ANY_TAG,
    ("SHUTDOWN_ACK", "reflected"): UNDER_ANY_TAG,
}


def reaction_to(name: str, state: AssociationState, tag: str) -> Reaction:
    if tag == "right":
        return TABLE[name][state]
    exceptions = EXCEPTIONS.get((name, tag))
    if exceptions is not None:
        return exceptions[state]
    # §8.5.1 A: what is no INIT is discarded under tag 0, whoever is there.
    return stranger(NOTHING, name, closed=NOTHING if tag == "zero" else None)[state]


CELLS: Final = [(name, state) for name in TABLE for state in AssociationState]
STRANGERS: Final = [(name, state, tag) for name, state in CELLS for tag in TAGS]


def bring_to(state: AssociationState) -> Peer:
    # Spoken here, I-DATA would be a violation (RFC 8260 §2.2.3).
    peer = Peer(Config(interleaving=False))
    if state is CLOSED:
        peer.listen()
    else:
        peer.in_state(state)
    peer.events.clear()
    return peer


def tag_of(kind: str, name: str, peer: Peer) -> int:
    """INIT goes under tag 0 (§8.5.1 A); what is out of the blue under any."""
    right = 0 if name == "INIT" else peer.z_tag or WRONG_TAG
    return {"right": right, "wrong": peer.z_tag ^ 1, "zero": 0, "reflected": A_TAG}[kind]


def test_the_table_has_every_chunk_type() -> None:
    assert {type.name for type in ChunkType} <= set(TABLE) == set(CHUNKS)
    assert all(set(cells) == set(AssociationState) for cells in TABLE.values())


def expect_answer(reaction: Reaction, packets: list[Packet], tag: int) -> None:
    if not reaction.answer or (reaction.may_stay_silent and not packets):
        assert packets == []
        return
    (packet,) = packets
    assert set(reaction.answer) <= set(packet.types) <= {*reaction.answer, *reaction.may_add}
    expected_tag = RESTARTED_TAG if InitAck in reaction.answer else tag if reaction.reflects_tag else A_TAG
    assert packet.verification_tag == expected_tag
    reflecting = [chunk for chunk in packet.chunks if isinstance(chunk, Abort | ShutdownComplete)]
    assert all(chunk.tag_reflected is reaction.reflects_tag for chunk in reflecting)


def expect_reaction(reaction: Reaction, peer: Peer, state: AssociationState) -> None:
    """The state after, and everything that the user is told; the timers are those of the state."""
    assert tuple(map(type, peer.events)) == reaction.tells
    assert peer.engine.poll_faults() == []
    check_stack(peer.engine, list(peer.endpoint.associations))
    if state is not CLOSED:
        assert peer.state is (reaction.then or state)
        assert tuple(message.data for message in peer.user_reads()) == reaction.reads
        check_association(peer.association)


@pytest.mark.parametrize(("name", "state"), CELLS)
def test_chunk_in_state(name: str, state: AssociationState) -> None:
    """M06, R13, A21: every chunk has its answer, its next state and its events in every state, and none other."""
    peer = bring_to(state)
    tag = tag_of("right", name, peer)
    # A -> chunk -> Z, Z -> the declared answer, or nothing -> A
    packets = peer.send(CHUNKS[name](peer), tag=tag)
    expect_answer(TABLE[name][state], packets, tag)
    expect_reaction(TABLE[name][state], peer, state)


@dataclass(frozen=True)
class Snapshot:
    """All of an association that a stranger's packet must not move."""

    state: AssociationState
    deadline: float | None
    paths: tuple[tuple[object, ...], ...]
    primary: str
    counters: str


def snapshot(peer: Peer) -> Snapshot:
    association = peer.association
    paths = tuple(
        (path.address, path.udp_port, path.state, path.error_count, path.rto.rto_s, path.flight_bytes)
        for path in association.paths
    )
    return Snapshot(
        association.state,
        peer.engine.next_deadline(),
        paths,
        association.paths.primary.address,
        repr(association.counters),
    )


@pytest.mark.parametrize(("name", "state", "tag"), STRANGERS)
def test_a_chunk_under_another_tag_has_only_the_effects_that_are_excepted(
    name: str, state: AssociationState, tag: str
) -> None:
    """R13, R14, X18, X50, X51: "MUST silently discard the packet and MUST NOT process it any further" (§8.5)."""
    reaction = reaction_to(name, state, tag)
    peer = bring_to(state)
    before = None if state is CLOSED else snapshot(peer)
    value = tag_of(tag, name, peer)
    # A -> chunk under a wrong tag, from another UDP port -> Z
    packets = peer.send(CHUNKS[name](peer), tag=value, udp_port=UDP_PORT if name == "INIT" else 40_000)
    expect_answer(reaction, packets, value)
    expect_reaction(reaction, peer, state)
    if state is CLOSED:
        assert not peer.endpoint.associations
    elif reaction.then is None:
        assert snapshot(peer) == before
    if reaction is NOTHING and tag == "wrong" and state is not CLOSED and name != "COOKIE_ECHO":
        assert peer.engine.counters.wrong_verification_tags == 1


def test_every_state_takes_an_init_under_no_tag_but_zero() -> None:
    """R13: our own tag is a wrong one around an INIT (§8.5.1 A)."""
    for state in LIVING:
        peer = bring_to(state)
        before = snapshot(peer)
        assert peer.send(CHUNKS["INIT"](peer), tag=peer.z_tag) == []
        assert snapshot(peer) == before


def test_a_heartbeat_in_cookie_echoed_is_answered_when_the_cookie_ack_is_here_at_the_latest() -> None:
    """M04: "MUST respond ... after entering the COOKIE-ECHOED state", without any other packet before COOKIE ACK."""
    peer = bring_to(COOKIE_ECHOED)
    # A -> HEARTBEAT -> Z, A -> COOKIE ACK -> Z
    packets = peer.send(Heartbeat(b"opaque")) + peer.send(CookieAck())
    # Z -> HEARTBEAT ACK -> A
    assert chunks_of(packets, HeartbeatAck) == [HeartbeatAck(b"opaque")]


@pytest.mark.parametrize("state", HANDSHAKE)
def test_shutdown_ack_in_the_handshake_is_out_of_the_blue_whatever_its_tag(state: AssociationState) -> None:
    """R13, R14: §8.5.1 E, §9.2: a stand-alone SHUTDOWN COMPLETE under the tag that came; the handshake goes on."""
    peer = bring_to(state)
    before = snapshot(peer)
    # A -> SHUTDOWN ACK (of an association that Z no longer knows) -> Z
    (packet,) = peer.send(ShutdownAck(), tag=WRONG_TAG)
    # Z -> SHUTDOWN COMPLETE, T -> A
    assert packet.chunks == (ShutdownComplete(tag_reflected=True),)
    assert packet.verification_tag == WRONG_TAG
    # "lets T1-init continue running and remains in the COOKIE-WAIT or COOKIE-ECHOED state"
    assert snapshot(peer) == before


@pytest.mark.parametrize("state", LIVING)
@pytest.mark.parametrize(
    ("tag_reflected", "tag", "is_accepted"),
    [(False, "own", True), (True, "peer's", True), (True, "own", False), (False, "peer's", False), (True, "0", False)],
)
def test_abort_is_taken_under_our_tag_or_with_t_under_the_peers(
    state: AssociationState, tag_reflected: bool, tag: str, is_accepted: bool
) -> None:
    """M05, R13: the rule of §8.5.1 B in every state; a tag not known yet reflects nothing."""
    peer = bring_to(state)
    if state is COOKIE_WAIT and tag == "peer's":
        is_accepted = False
    before = snapshot(peer)
    # A -> ABORT -> Z, Z -> nothing -> A
    value = {"own": peer.z_tag, "peer's": A_TAG, "0": 0}[tag]
    assert peer.send(Abort(tag_reflected=tag_reflected), tag=value) == []
    if is_accepted:
        assert peer.state is CLOSED
        assert peer.engine.next_deadline() is None
    else:
        assert snapshot(peer) == before


@pytest.mark.parametrize(
    ("tag_reflected", "tag", "is_accepted"),
    [(False, "own", True), (True, "peer's", True), (True, "own", False), (False, "peer's", False), (True, "0", False)],
)
def test_shutdown_complete_is_taken_under_our_tag_or_with_t_under_the_peers(
    tag_reflected: bool, tag: str, is_accepted: bool
) -> None:
    """M06, R13: the rule of §8.5.1 C, in SHUTDOWN-ACK-SENT."""
    peer = bring_to(ACK_SENT)
    before = snapshot(peer)
    # A -> SHUTDOWN COMPLETE -> Z, Z -> nothing -> A
    value = {"own": peer.z_tag, "peer's": A_TAG, "0": 0}[tag]
    assert peer.send(ShutdownComplete(tag_reflected=tag_reflected), tag=value) == []
    if is_accepted:
        assert peer.state is CLOSED
        assert peer.engine.next_deadline() is None
    else:
        assert snapshot(peer) == before


@pytest.mark.parametrize("state", [state for state in LIVING if state is not ACK_SENT])
def test_what_is_bundled_with_a_reflecting_chunk_does_not_get_in_under_the_peers_tag(state: AssociationState) -> None:
    """R13, X18: the exception of §8.5.1 C is for SHUTDOWN COMPLETE; what follows it still has a wrong tag."""
    peer = bring_to(state)
    before = snapshot(peer)
    # A -> SHUTDOWN COMPLETE T, DATA, SHUTDOWN under A's tag, from another UDP port -> Z, Z -> nothing -> A
    bundle = (ShutdownComplete(True), CHUNKS["DATA"](peer), shutdown(peer))
    assert peer.send(*bundle, tag=A_TAG, udp_port=40_000) == []
    assert snapshot(peer) == before
    assert peer.user_reads() == []
