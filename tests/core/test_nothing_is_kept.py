"""However an association ends, with data queued, in flight and half received: nothing of it is kept."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.paths import Path
from aiosctp.core.rx import Receiver
from aiosctp.core.states import AssociationState
from aiosctp.events import SendFailed
from aiosctp.wire.causes import Cause
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Data, Init, InitAck, Sack, ShutdownAck, UserData
from aiosctp.wire.parameters import StateCookie
from tests.core.laws import check_stack
from tests.core.scripted import A_INITIAL_TSN, A_PORT, A_RWND, A_TAG, Peer, chunks_of

CONFIG = Config(heartbeat=False, association_max_retrans=1, max_init_retransmits=1, vtag_quarantine_s=60.0)
MESSAGES = 300


def in_the_middle_of_everything() -> Peer:
    """Z has data queued on many streams and in flight, a message half received and others that wait for their turn."""
    peer = Peer(CONFIG)
    peer.established()
    for n in range(MESSAGES):
        peer.association.send(OutgoingMessage(bytes(1000), stream=n % 10))
    peer.touch()
    peer.send(Data(A_INITIAL_TSN, 1, 0, 0, b"half a message", ending=False))
    for n in range(2, 50):
        peer.send(Data((A_INITIAL_TSN + n) & 0xFFFF_FFFF, n % 10, 1 + n // 10, 0, bytes(100)))
    assert peer.state is AssociationState.ESTABLISHED
    return peer


def in_the_handshake() -> Peer:
    peer = Peer(CONFIG)
    peer.cookie_wait()
    for n in range(MESSAGES):
        peer.association.send(OutgoingMessage(bytes(1000), stream=n % 10))
    return peer


def aborted_by_user(peer: Peer) -> None:
    peer.user_aborts()


def aborted_by_peer(peer: Peer) -> None:
    peer.send(Abort())


def aborted_for_what_the_peer_sent(peer: Peer) -> None:
    peer.send(Sack((peer.z_initial_tsn + 10_000) & 0xFFFF_FFFF, A_RWND))


def lost(peer: Peer) -> None:
    peer.wait(1000.0)


def given_up_in_a_shutdown(peer: Peer) -> None:
    peer.user_shuts_down()
    peer.wait(1000.0)


class ReceiverWithBug(Receiver):
    __slots__ = ()

    def data_received(self, chunk: UserData, path: Path, now: float) -> Cause | None:
        raise ZeroDivisionError("a bug")


def failed_by_a_bug(peer: Peer) -> None:
    peer.association.receiver.__class__ = ReceiverWithBug
    peer.send(Data(A_INITIAL_TSN, 0, 0, 0, b"x"))
    assert len(peer.engine.poll_faults()) == 1


ENDINGS: dict[str, tuple[Callable[[], Peer], Callable[[Peer], None]]] = {
    "abort of the user": (in_the_middle_of_everything, aborted_by_user),
    "abort of the peer": (in_the_middle_of_everything, aborted_by_peer),
    "abort for a violation": (in_the_middle_of_everything, aborted_for_what_the_peer_sent),
    "peer lost": (in_the_middle_of_everything, lost),
    "shutdown unanswered": (in_the_middle_of_everything, given_up_in_a_shutdown),
    "bug": (in_the_middle_of_everything, failed_by_a_bug),
    "no answer to INIT": (in_the_handshake, lost),
    "INIT refused": (in_the_handshake, aborted_by_peer),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_queued_is_freed_with_the_association(ending: str) -> None:
    """X46: chunks, messages and stream entries: every message is reported once, and then nobody holds it."""
    begin, end = ENDINGS[ending]
    peer = begin()
    association = peer.association
    end(peer)
    assert association.state is AssociationState.CLOSED
    assert len(peer.events_of(SendFailed)) == MESSAGES
    sender, receiver = association.sender, association.receiver
    assert sender.buffered_bytes == 0
    assert not sender.queue
    assert not sender.outstanding
    assert sender.retransmissions.first() is None
    assert all(path.flight_bytes == 0 for path in association.paths)
    while receiver.read() is not None:
        pass
    assert receiver.held_bytes == 0
    assert association.next_deadline() is None
    check_stack(peer.engine, [association])
    assert len(peer.engine._wake_ups) <= 64


def forget(peer: Peer) -> weakref.ref[AssociationEngine]:
    """Drop what the user of the engine holds."""
    reference = weakref.ref(peer.association)
    peer._association = None
    peer.events.clear()
    peer.endpoint.accepted.clear()
    peer.engine.poll_changed()
    gc.collect()
    return reference


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_stack_holds_no_association_that_has_ended(ending: str) -> None:
    """X46, X48: not in an index, a queue, a timer or a coroutine; all that is left is a tag that rests."""
    begin, end = ENDINGS[ending]
    peer = begin()
    end(peer)
    assert forget(peer)() is None
    assert not peer.endpoint.associations


def test_a_restart_frees_what_was_queued_before() -> None:
    """X46, R03: the messages of the old life are reported, and held no longer."""
    peer = Peer(CONFIG)
    peer.accepted()
    for n in range(MESSAGES):
        peer.association.send(OutgoingMessage(bytes(1000), stream=n % 10))
    peer.touch()
    peer.tag = A_TAG + 1
    (init_ack,) = chunks_of(peer.send(peer.init(), tag=0), InitAck)
    (cookie,) = (each.cookie for each in init_ack.parameters if isinstance(each, StateCookie))
    peer.send(CookieEcho(cookie), tag=init_ack.initiate_tag)
    assert peer.association.tcb.local_tag == init_ack.initiate_tag
    assert len(peer.events_of(SendFailed)) == MESSAGES
    peer.events.clear()
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, OutgoingMessage) and len(each.data) == 1000]
    assert peer.association.sender.queue.streams() == []


def test_associations_that_come_and_go_leave_the_memory_as_it_was() -> None:
    """X46: what a server keeps of a thousand associations is their tags, for as long as they rest."""
    peer = Peer(CONFIG)
    peer.listen()

    def live_and_die(number: int) -> None:
        peer.tag = A_TAG + number
        (init_ack,) = chunks_of(
            peer.send(Init(peer.tag, A_RWND, 10, 10, A_INITIAL_TSN), tag=0, port=A_PORT + number), InitAck
        )
        (cookie,) = (each.cookie for each in init_ack.parameters if isinstance(each, StateCookie))
        tag = init_ack.initiate_tag
        packets = peer.send(CookieEcho(cookie), tag=tag, port=A_PORT + number)
        assert chunks_of(packets, CookieAck)
        association = peer.endpoint.accepted.pop()
        association.send(OutgoingMessage(bytes(10_000), stream=0))
        peer.engine.touch(association)
        peer.poll()
        peer.send(Abort() if number % 2 else ShutdownAck(), tag=tag, port=A_PORT + number)
        association.abort(b"")
        peer.engine.touch(association)
        peer.poll()
        peer.heard.clear()
        peer.events.clear()
        peer.now += 1.0

    def objects() -> int:
        gc.collect()
        return len(gc.get_objects())

    for number in range(200):
        live_and_die(number)
    before = objects()
    for number in range(200, 500):
        live_and_die(number)
    assert objects() - before < 50
    assert len(peer.engine._tags.resting) <= 62
    assert not peer.endpoint.associations
