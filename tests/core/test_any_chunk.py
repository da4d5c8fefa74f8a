"""Any chunks, in any order, under any tag, in every state: never an exception, a legal state, few answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    Init,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
)
from aiosctp.wire.parameters import IPv4AddressParameter, StateCookie
from tests.core.laws import check_association, check_stack
from tests.core.scripted import A_INITIAL_TSN, A_RWND, A_TAG, Encodable, Packet, Peer, Raw
from tests.wire.strategies import any_chunk, raw

LIVING = [state for state in AssociationState if state is not AssociationState.CLOSED]
NEXT_STATES = {
    # Figure 3, and the exits that ABORT, T5 and failure make from everywhere.
    AssociationState.COOKIE_WAIT: {AssociationState.COOKIE_ECHOED, AssociationState.ESTABLISHED},
    AssociationState.COOKIE_ECHOED: {AssociationState.COOKIE_WAIT, AssociationState.ESTABLISHED},
    AssociationState.ESTABLISHED: {
        AssociationState.SHUTDOWN_PENDING,
        AssociationState.SHUTDOWN_SENT,
        AssociationState.SHUTDOWN_RECEIVED,
        AssociationState.SHUTDOWN_ACK_SENT,
    },
    AssociationState.SHUTDOWN_PENDING: {
        AssociationState.SHUTDOWN_SENT,
        AssociationState.SHUTDOWN_RECEIVED,
        AssociationState.SHUTDOWN_ACK_SENT,
    },
    AssociationState.SHUTDOWN_RECEIVED: {AssociationState.SHUTDOWN_ACK_SENT},
    AssociationState.SHUTDOWN_SENT: {AssociationState.SHUTDOWN_ACK_SENT},
    AssociationState.SHUTDOWN_ACK_SENT: set(),
    AssociationState.CLOSED: set(),
}


@dataclass
class Attack:
    """A peer in some state of Z's association, and what is checked after each of its packets."""

    peer: Peer
    cookie: bytes = b"no cookie"

    def send(self, tag: str, chunks: list[Callable[[Attack], Encodable]], source: str | None) -> None:
        association = self.peer.association
        before, restarts = association.state, self.peer.z_tag
        tags = {"right": association.tcb.local_tag, "zero": 0, "reflected": association.tcb.peer_tag, "wrong": 0xBAD}
        packets = self.peer.send(*(make(self) for make in chunks), tag=tags[tag], source=source)
        self.check(before, packets, restarted=association.tcb.local_tag != restarts)
        self.peer.z_tag = association.tcb.local_tag

    def check(self, before: AssociationState, packets: list[Packet], *, restarted: bool = False) -> None:
        peer = self.peer
        assert peer.engine.poll_faults() == []
        association = peer.association
        after = association.state
        assert restarted or after in _reachable(before), f"{before} to {after}"
        living = peer.endpoint.associations | {association}
        for each in living:
            check_association(each)
        check_stack(peer.engine, list(living))
        self.check_answers(packets, may_have_waited=before is AssociationState.COOKIE_ECHOED)

    def check_answers(self, packets: list[Packet], *, may_have_waited: bool) -> None:
        """§12.4: no "more than one packet containing chunks other than DATA in response"; a SACK may be owed besides,
        a SHUTDOWN that the user asked for become possible, and an ABORT end what the packet began. Answers to earlier
        packets may have waited for a COOKIE ACK (§5.1 C)."""
        control = [packet for packet in packets if not packet.has(Data) and not packet.has(Abort)]
        answers = [packet for packet in control if packet.types not in ((Sack,), (Shutdown,))]
        assert len(answers) <= 1 + may_have_waited, [packet.types for packet in packets]
        assert len(control) <= 3
        assert sum(packet.has(Abort) for packet in packets) <= 1
        for packet in packets:
            assert len(packet.datagram.data) <= 1472
            for chunk in packet.chunks:
                if isinstance(chunk, InitAck):
                    (state_cookie,) = (each for each in chunk.parameters if isinstance(each, StateCookie))
                    self.cookie = state_cookie.cookie


def _reachable(state: AssociationState) -> set[AssociationState]:
    """In any number of transitions: a packet may hold many chunks."""
    found, front = {state, AssociationState.CLOSED}, [state]
    while front:
        following = NEXT_STATES[front.pop()] - found
        found |= following
        front += following
    return found


def _always(chunk: Encodable) -> Callable[[Attack], Encodable]:
    return lambda _: chunk


def _near(tsn: int, offset: int) -> int:
    return (tsn + offset) & 0xFFFF_FFFF


FIXED_CHUNKS: list[Encodable] = [
    CookieAck(),
    ShutdownAck(),
    ShutdownComplete(),
    ShutdownComplete(True),
    Abort(),
    Abort((), True),
    Error(()),
    Heartbeat(b"x" * 900),
    UnknownChunk(0x3E, 0, b""),
    UnknownChunk(0xFE, 0, b"x" * 900),
]

offsets = st.sampled_from([-0x8000_0000, -2, -1, 0, 1, 2, 3, 5, 0x7FFF_FFFF])
addresses = st.lists(
    st.sampled_from(["192.0.2.1", "192.0.2.2", "203.0.113.9", "224.0.0.1"]).map(IPv4AddressParameter), max_size=3
).map(tuple)
gaps = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=4).map(tuple)

apt_chunks: st.SearchStrategy[Callable[[Attack], Encodable]] = st.one_of(
    st.builds(
        lambda offset, stream, ssn, payload, flags: (
            lambda attack: Data(_near(A_INITIAL_TSN, offset), stream, ssn, 0, payload, *flags)
        ),
        offsets,
        st.sampled_from([0, 1, 9, 10]),
        st.integers(0, 3),
        raw,
        st.tuples(*[st.booleans()] * 3),
    ),
    st.builds(
        lambda offset, rwnd, blocks: lambda attack: Sack(_near(attack.peer.z_initial_tsn, offset), rwnd, blocks),
        offsets,
        st.sampled_from([0, 1, A_RWND]),
        gaps,
    ),
    offsets.map(lambda offset: lambda attack: Shutdown(_near(attack.peer.z_initial_tsn, offset))),
    st.builds(
        lambda tag, rwnd, listed: lambda attack: Init(tag, rwnd, 10, 10, A_INITIAL_TSN, listed),
        st.sampled_from([0, A_TAG, 0xA1A1]),
        st.sampled_from([0, 1499, A_RWND]),
        addresses,
    ),
    st.builds(
        lambda tag, rwnd, listed, cookie: lambda attack: InitAck(tag, rwnd, 10, 10, A_INITIAL_TSN, (*listed, *cookie)),
        st.sampled_from([0, A_TAG, 0xA1A1]),
        st.sampled_from([0, A_RWND]),
        addresses,
        st.sampled_from([(), (StateCookie(b"cookie"),), (StateCookie(b"c" * 1400),)]),
    ),
    st.just(lambda attack: CookieEcho(attack.cookie)),
    st.sampled_from(FIXED_CHUNKS).map(_always),
)
chunks = st.one_of(apt_chunks, apt_chunks, any_chunk.map(_always), raw.map(lambda data: _always(Raw(data))))
tags = st.sampled_from(["right", "right", "right", "right", "zero", "reflected", "wrong"])
sources = st.sampled_from([None, None, None, "203.0.113.9", "224.0.0.1"])
packets_sent = st.tuples(tags, st.lists(chunks, min_size=1, max_size=5), sources)
pauses = st.sampled_from([0.0, 0.0, 0.3, 3.0, 70.0])


@pytest.mark.parametrize("state", LIVING)
@settings(max_examples=60, deadline=None)
@given(
    sent=st.lists(st.tuples(packets_sent, pauses), max_size=8),
    user=st.lists(st.sampled_from(["send", "shut down", "abort", "read", "nothing"]), max_size=8),
)
def test_any_chunk_in_any_state_leaves_a_legal_state_and_few_answers(
    state: AssociationState,
    sent: list[tuple[tuple[str, list[Callable[[Attack], Encodable]], str | None], float]],
    user: list[str],
) -> None:
    """X36, X37, X44, X45, X52: every (state, chunk) pair ends in a legal state, under every tag."""
    peer = Peer(Config(receive_window_bytes=3000))
    peer.in_state(state)
    peer.listen()
    attack = Attack(peer)
    for number, (packet, pause_s) in enumerate(sent):
        attack.send(*packet)
        if number < len(user):
            _user_acts(peer, user[number])
        before = peer.state
        peer.wait(pause_s)
        attack.check(before, [])


def _user_acts(peer: Peer, action: str) -> None:
    association: AssociationEngine = peer.association
    if action == "send" and association.state in (AssociationState.COOKIE_WAIT, AssociationState.ESTABLISHED):
        peer.user_sends(b"x" * 2000, b"y")
    elif action == "shut down":
        peer.user_shuts_down()
    elif action == "abort":
        peer.user_aborts()
    elif action == "read":
        peer.user_reads()
        peer.touch()
