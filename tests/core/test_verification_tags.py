"""The Verification Tag: what is silently discarded, and the five exceptions (§8.5, §8.5.1)."""

from __future__ import annotations

import pytest

from aiosctp.core.association import AssociationEngine
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChangeKind
from aiosctp.exceptions import AssociationAborted
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
)
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import StateCookie
from tests.core.transcript import PEER_TAG, PEER_TSN, Bench, Peer

STATES = [state for state in AssociationState if state is not AssociationState.CLOSED]
HANDSHAKE = [AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED]
ESTABLISHED_OR_CLOSING = [state for state in STATES if state not in HANDSHAKE]

# Every kind of chunk whose packet follows the general rule, or reflects no tag; and bad ones.
CHUNKS: list[Chunk | bytes] = [
    Data(PEER_TSN, 0, 0, 0, b"data"),
    Data(PEER_TSN, 65535, 0, 0, b"no such stream"),
    Data(PEER_TSN, 0, 0, 0, b""),
    InitAck(1, 2000, 1, 1, PEER_TSN, (StateCookie(b"cookie"),)),
    Sack(PEER_TSN, 1000),
    Heartbeat(b"probe"),
    HeartbeatAck(b"probe"),
    Abort(),
    Shutdown(PEER_TSN),
    Error((StaleCookie(0),)),
    Error((ProtocolViolation(b""),)),
    CookieAck(),
    ShutdownComplete(),
    UnknownChunk(0xFE, 0, b"report me"),
    UnknownChunk(0x7E, 0, b"report me"),
    encode_chunk(ChunkType.SACK, 0, b"short"),
    encode_chunk(ChunkType.INIT_ACK, 0, b"short"),
    encode_chunk(ChunkType.SHUTDOWN, 0, b""),
    b"\0\3\0\0",
    b"\0\3\xff\xff",
]


def name(chunk: object) -> str:
    return f"raw {chunk[0]}" if isinstance(chunk, bytes) else type(chunk).__name__


def snapshot(bench: Bench, association: AssociationEngine) -> object:
    """What a packet that is silently discarded leaves as it was."""
    return (
        association.state,
        association.tcb.local_tag,
        association.tcb.peer_tag,
        tuple(bench.events(association)),
        bench.engine.next_deadline(),
    )


# -- the rule (§8.5) --


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("chunk", CHUNKS, ids=name)
def test_a_packet_under_a_wrong_tag_is_silently_discarded(chunk: Chunk | bytes, state: AssociationState) -> None:
    """R13, X18, X50: "MUST silently discard the packet and MUST NOT process it any further", whatever is in it."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    before = snapshot(bench, association)
    for tag in (peer.our_tag ^ 1, peer.our_tag ^ 0x8000_0000, 0, 0xFFFF_FFFF):
        # Z -> a chunk of any kind [wrong tag] -> A
        peer.send(chunk, tag=tag)
        bench.expect_nothing()
    assert snapshot(bench, association) == before
    assert association.receiver.read() is None


@pytest.mark.parametrize("chunk", CHUNKS, ids=name)
def test_the_peers_own_tag_is_a_wrong_tag_too(chunk: Chunk | bytes) -> None:
    """R13: a reflected tag counts for ABORT and SHUTDOWN COMPLETE with the T bit, for nothing else."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    before = snapshot(bench, association)
    peer.send(chunk, tag=peer.tag)
    bench.expect_nothing()
    assert snapshot(bench, association) == before


def test_a_wrong_tag_leaves_the_association_working() -> None:
    """R13, X18: after all of that, data still flows."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    for chunk in CHUNKS:
        peer.send(chunk, tag=peer.our_tag ^ 1)
    peer.talk(association)


@pytest.mark.parametrize("initiates", [True, False])
def test_what_we_send_carries_the_peers_initiate_tag(initiates: bool) -> None:
    """R13: "MUST fill in the Verification Tag ... with the tag value in the Initiate Tag parameter" (§8.5)."""
    bench = Bench()
    peer = Peer(bench, tag=0xFEDC_BA98)
    association = peer.answers() if initiates else peer.associate()
    # Z -> DATA, HEARTBEAT -> A
    peer.send(peer.data(), Heartbeat(b"probe"))
    bench.say(association, b"hello")
    bench.shut_down(association)
    peer.send(Sack(peer.our_tsn, 100_000))
    kinds = {kind for sent in bench.unread for kind in sent.kinds}
    assert kinds >= {Sack, HeartbeatAck, Data, Shutdown}
    assert {sent.header.verification_tag for sent in bench.unread} == {0xFEDC_BA98}


# -- A: INIT --


@pytest.mark.parametrize("state", STATES)
def test_an_init_under_our_own_tag_sets_nothing_up(state: AssociationState) -> None:
    """R13, M02: an INIT travels under tag 0; under any other it begins no setup, and the peer's tag stays."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    peer_tag = association.tcb.peer_tag
    for tag in (peer.our_tag, peer.our_tag ^ 1, peer.tag):
        peer.send(Init(0xBAD, 2000, 1, 1, 1), tag=tag)
    assert not [chunk for chunk in peer.drain() if isinstance(chunk, InitAck)]
    assert association.state in (state, AssociationState.CLOSED)
    assert association.tcb.peer_tag == peer_tag


@pytest.mark.parametrize("bad", [False, True], ids=["INIT", "INIT cut short"])
def test_an_init_takes_what_follows_it_along(bad: bool) -> None:
    """R13, M02: "MUST silently discard the INIT chunk and all further chunks if the INIT chunk is bundled" (§12.3)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    init: Chunk | bytes = encode_chunk(ChunkType.INIT, 0, b"short") if bad else peer.init()
    before, after = peer.data(b"before"), peer.data(b"after")
    # Z -> INIT, DATA -> A, under A's tag
    peer.send(init, before, tag=peer.our_tag)
    bench.expect_nothing()
    assert association.receiver.read() is None
    # Z -> DATA, INIT, DATA, ABORT -> A
    peer.send(before, init, after, Abort())
    # A -> SACK -> Z: what came before the INIT counts
    assert peer.expect(Sack).cumulative_tsn_ack == before.tsn
    message = association.receiver.read()
    assert message is not None
    assert message.data == b"before"
    assert association.receiver.read() is None
    assert association.state is AssociationState.ESTABLISHED


# -- B: ABORT --


@pytest.mark.parametrize("state", STATES)
def test_an_abort_under_our_own_tag_ends_the_association(state: AssociationState) -> None:
    """M05, R13: accepted "if the Verification Tag ... matches its own tag and the T bit is not set" (§8.5.1 B)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    # Z -> ABORT -> A
    peer.send(Abort((UserInitiatedAbort(b"enough"),)))
    assert association.state is AssociationState.CLOSED
    # "MUST NOT respond to that ABORT chunk by sending an ABORT chunk of its own" (§3.3.7)
    bench.expect_nothing_ever()
    expected = AssociationChangeKind.CANT_STR_ASSOC if state in HANDSHAKE else AssociationChangeKind.COMM_LOST
    assert bench.changes(association)[-1] is expected
    if state not in HANDSHAKE:
        assert isinstance(association.ending, AssociationAborted)
        assert [cause.data for cause in association.ending.causes] == [b"enough"]


@pytest.mark.parametrize("state", [state for state in STATES if state is not AssociationState.COOKIE_WAIT])
def test_an_abort_that_reflects_the_peers_tag_ends_the_association(state: AssociationState) -> None:
    """M05, R13: "OR if it is set to its Peer's Tag and the T bit is set in the Chunk Flags" (§8.5.1 B)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    # Z -> ABORT T -> A: Z knows nothing of the association
    peer.send(Abort(tag_reflected=True), tag=peer.tag)
    assert association.state is AssociationState.CLOSED
    bench.expect_nothing_ever()


@pytest.mark.parametrize("state", STATES)
def test_an_abort_under_any_other_tag_is_silently_discarded(state: AssociationState) -> None:
    """M05, R13: "Otherwise, the receiver MUST silently discard the packet and take no further action"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    before = snapshot(bench, association)
    for tag, reflected in (
        (peer.our_tag, True),
        (peer.tag, False),
        (peer.our_tag ^ 1, False),
        (peer.tag ^ 1, True),
        (0, False),
        (0, True),
    ):
        peer.send(Abort(tag_reflected=reflected), tag=tag)
        bench.expect_nothing()
        assert snapshot(bench, association) == before


def test_a_reflected_tag_means_nothing_before_the_peers_tag_is_known() -> None:
    """M05, R13: in COOKIE-WAIT there is no Peer's Tag that a T bit could refer to, and 0 is not one."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    for tag in (0, peer.our_tag, PEER_TAG):
        peer.send(Abort(tag_reflected=True), tag=tag)
        assert association.state is AssociationState.COOKIE_WAIT
    bench.expect_nothing()


@pytest.mark.parametrize("reflected", [False, True])
def test_an_abort_behind_other_chunks_counts(reflected: bool) -> None:
    """M05: control chunks "MUST be placed before the ABORT chunk" (§3.3.7): it need not be the first."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    tag = peer.tag if reflected else peer.our_tag
    peer.send(Error((ProtocolViolation(b"look"),)), Abort(tag_reflected=reflected), tag=tag)
    assert association.state is AssociationState.CLOSED
    bench.expect_nothing_ever()


@pytest.mark.parametrize("chunk", [Abort, ShutdownComplete])
@pytest.mark.parametrize("reflected", [False, True], ids=["under our tag", "under the peer's tag"])
def test_a_wrong_t_bit_costs_the_whole_packet(chunk: type[Abort] | type[ShutdownComplete], reflected: bool) -> None:
    """M05, M06, R13: "MUST silently discard the packet", so also what stands before the chunk (§8.5.1 B, C)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    wrong = chunk(tag_reflected=not reflected)
    # Z -> DATA, HEARTBEAT, ABORT or SHUTDOWN COMPLETE -> A
    peer.send(Data(peer.tsn, 0, 0, 0, b"x"), Heartbeat(b"?"), wrong, tag=peer.tag if reflected else peer.our_tag)
    bench.expect_nothing_ever()
    assert association.receiver.read() is None
    peer.talk(association)


@pytest.mark.parametrize("state", [AssociationState.COOKIE_ECHOED, *ESTABLISHED_OR_CLOSING])
def test_our_abort_carries_the_peers_tag_without_the_t_bit(state: AssociationState) -> None:
    """M05, R13: "MUST always fill in ... the destination endpoint's tag value if it is known" (§8.5.1 B)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    bench.abort(association)
    # A -> ABORT -> Z
    assert not peer.expect(Abort).tag_reflected
    bench.expect_nothing_ever()


# -- C: SHUTDOWN COMPLETE --


@pytest.mark.parametrize("reflected", [False, True])
def test_a_shutdown_complete_in_shutdown_ack_sent_ends_the_association(reflected: bool) -> None:
    """R13, M06: our tag without T, or the peer's tag with T (§8.5.1 C)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(AssociationState.SHUTDOWN_ACK_SENT)
    # Z -> SHUTDOWN COMPLETE [T] -> A
    peer.send(ShutdownComplete(reflected), tag=peer.tag if reflected else peer.our_tag)
    assert association.state is AssociationState.CLOSED
    assert bench.changes(association)[-1] is AssociationChangeKind.SHUTDOWN_COMP
    assert association.next_deadline() is None
    bench.expect_nothing_ever()


def test_a_shutdown_complete_under_any_other_tag_is_silently_discarded() -> None:
    """R13, M06: "Otherwise, the receiver MUST silently discard the packet and take no further action" (§8.5.1 C)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(AssociationState.SHUTDOWN_ACK_SENT)
    before = snapshot(bench, association)
    for tag, reflected in ((peer.our_tag, True), (peer.tag, False), (peer.our_tag ^ 1, False), (peer.tag ^ 1, True)):
        peer.send(ShutdownComplete(reflected), tag=tag)
        bench.expect_nothing()
        assert snapshot(bench, association) == before


@pytest.mark.parametrize("state", [state for state in STATES if state is not AssociationState.SHUTDOWN_ACK_SENT])
@pytest.mark.parametrize("reflected", [False, True])
def test_a_shutdown_complete_in_any_other_state_is_ignored(state: AssociationState, reflected: bool) -> None:
    """R13, M06: "MUST ignore the SHUTDOWN COMPLETE chunk if it is not in the SHUTDOWN-ACK-SENT state" (§8.5.1 C)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    peer.send(ShutdownComplete(reflected), tag=peer.tag if reflected else peer.our_tag)
    bench.expect_nothing()
    assert association.state is state


def test_our_shutdown_complete_carries_the_peers_tag_without_the_t_bit() -> None:
    """R13, M06: with a TCB "the destination endpoint's tag MUST be used and the T bit MUST NOT be set" (§8.5.1 C)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(AssociationState.SHUTDOWN_SENT)
    # Z -> SHUTDOWN ACK -> A
    peer.send(ShutdownAck())
    # A -> SHUTDOWN COMPLETE -> Z
    assert not peer.expect(ShutdownComplete).tag_reflected
    assert association.state is AssociationState.CLOSED
    assert bench.changes(association)[-1] is AssociationChangeKind.SHUTDOWN_COMP


# -- D: COOKIE ECHO --


def test_our_cookie_echo_carries_the_initiate_tag_of_the_init_ack() -> None:
    """R13, M08: "MUST use the value of the Initiate Tag received in the INIT ACK chunk" (§8.5.1 D), each time."""
    bench = Bench()
    peer = Peer(bench, tag=0x8000_0001)
    peer.is_echoed()
    bench.advance(4.0)
    assert peer.expect_packet(CookieEcho).header.verification_tag == 0x8000_0001
    peer.expect(CookieEcho)


# -- E: SHUTDOWN ACK --


@pytest.mark.parametrize("state", HANDSHAKE)
@pytest.mark.parametrize("with_our_tag", [False, True])
@pytest.mark.parametrize("chunks", [(ShutdownAck(),), (Sack(PEER_TSN, 1000), ShutdownAck())], ids=["alone", "behind"])
def test_a_shutdown_ack_during_the_handshake_is_out_of_the_blue(
    state: AssociationState, with_our_tag: bool, chunks: tuple[Chunk, ...]
) -> None:
    """R13, R14, M06: "it is treated as an OOTB packet": SHUTDOWN COMPLETE with T, the handshake goes on (§8.5.1 E)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    tag = peer.our_tag if with_our_tag else 0x01D_7A6
    # Z -> SHUTDOWN ACK -> A: Z still has an association of ours from before
    peer.send(*chunks, tag=tag)
    # A -> SHUTDOWN COMPLETE T -> Z, alone, the tag reflected
    assert peer.expect(ShutdownComplete, tag=tag).tag_reflected
    assert association.state is state
    # "lets T1-init continue running" (§9.2)
    bench.advance(1.0)
    assert peer.next_packet().kinds[0] is (Init if state is AssociationState.COOKIE_WAIT else CookieEcho)


@pytest.mark.parametrize("state", HANDSHAKE)
@pytest.mark.parametrize("chunks", [(ShutdownAck(), Abort()), (Abort(), ShutdownAck())], ids=["before", "behind"])
def test_a_shutdown_ack_beside_an_abort_is_not_answered(state: AssociationState, chunks: tuple[Chunk, ...]) -> None:
    """R13, R14, M05: exception E leads to §8.4, whose rule 2 comes before rule 5."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    peer.send(*chunks, tag=0x01D_7A6)
    bench.expect_nothing()
    assert association.state is state


@pytest.mark.parametrize("state", ESTABLISHED_OR_CLOSING)
def test_a_shutdown_ack_under_a_wrong_tag_later_is_silently_discarded(state: AssociationState) -> None:
    """R13: exception E is for COOKIE-WAIT and COOKIE-ECHOED only."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.reach(state)
    before = snapshot(bench, association)
    peer.send(ShutdownAck(), tag=peer.our_tag ^ 1)
    bench.expect_nothing()
    assert snapshot(bench, association) == before
