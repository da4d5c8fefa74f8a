"""Packets that come in one batch: between them nothing is polled, and each finds what the one before it left."""

from __future__ import annotations

import pytest

from aiosctp.core import shortcuts
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind
from aiosctp.wire.chunks import Abort, CookieEcho, Data, InitAck, Sack, ShutdownAck, ShutdownComplete
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import StateCookie
from tests.core.laws import check_association, check_stack
from tests.core.scripted import A_INITIAL_TSN, A_PORT, UDP_PORT, Z_PORT, Encodable, Peer, chunks_of


def receive(peer: Peer, chunk: Encodable, tag: int) -> None:
    """A -> chunk -> Z, whose outputs are not polled yet."""
    packet = encode_packet(A_PORT, Z_PORT, tag, [chunk.encode()])
    peer.engine.receive(packet, peer.addresses[0], UDP_PORT, peer.z_addresses[0], peer.now)


def test_a_cookie_behind_an_abort_begins_another_association() -> None:
    """§9.1: whoever gets an ABORT "MUST remove the association from its record": no restart revives it (§5.2.4 A)."""
    peer = Peer()
    peer.accepted()
    first, old_tag = peer.association, peer.z_tag
    # A crashed. A -> INIT -> Z, Z -> INIT ACK -> A
    peer.tag = 0xB0B0_B0B0
    (init_ack,) = chunks_of(peer.send(peer.init(), tag=0), InitAck)
    (cookie,) = (each.cookie for each in init_ack.parameters if isinstance(each, StateCookie))
    # A -> ABORT -> Z, A -> COOKIE ECHO -> Z
    receive(peer, Abort(), old_tag)
    receive(peer, CookieEcho(cookie), init_ack.initiate_tag)
    peer.poll()
    assert first.state is AssociationState.CLOSED
    check_association(first)
    (second,) = peer.endpoint.accepted
    assert second is not first
    assert second.state is AssociationState.ESTABLISHED
    check_stack(peer.engine, [second])
    changes = [event.change for event in peer.events_of(AssociationChange)]
    assert changes == [AssociationChangeKind.COMM_UP, AssociationChangeKind.COMM_LOST, AssociationChangeKind.COMM_UP]
    assert peer.engine.counters.associations_aborted == 1


def test_who_aborts_and_connects_again_at_once_has_one_association_with_the_peer() -> None:
    """What ended is out of the indexes before what comes next is put into them."""
    peer = Peer()
    peer.established()
    first = peer.association
    first.abort(b"")
    peer.engine.touch(first)
    # Z -> ABORT -> A, Z -> INIT -> A
    packets = peer.cookie_wait()
    assert len(chunks_of(packets, Abort)) == 1
    second = peer.association
    check_stack(peer.engine, [second])
    # A -> INIT ACK -> Z, whatever its tag was, finds the association by its addresses: its ABORT reflects A's tag.
    peer.send(peer.init_ack())
    # A -> ABORT (T) -> Z
    peer.send(Abort((), True), tag=peer.tag)
    assert second.state is AssociationState.CLOSED


@pytest.mark.parametrize("are_open", [True, False])
@pytest.mark.parametrize("stale", ["SACK", "DATA"])
def test_a_packet_under_the_tag_of_before_a_restart_means_nothing(
    stale: str, are_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§8.5: with the COOKIE ECHO of a restart in the same batch, what comes under the old tag is discarded."""
    monkeypatch.setattr(shortcuts, "are_open", are_open)
    peer = Peer()
    peer.accepted()
    association, old_tag = peer.association, peer.z_tag
    peer.tag = 0xB0B0_B0B0
    (init_ack,) = chunks_of(peer.send(peer.init(), tag=0), InitAck)
    (cookie,) = (each.cookie for each in init_ack.parameters if isinstance(each, StateCookie))
    old: Sack | Data = Data(A_INITIAL_TSN, 0, 0, 0, b"from before")
    if stale == "SACK":
        old = Sack(init_ack.initial_tsn + 1000 & 0xFFFF_FFFF, 5000)
    receive(peer, CookieEcho(cookie), init_ack.initiate_tag)
    receive(peer, old, old_tag)
    peer.poll()
    assert association.state is AssociationState.ESTABLISHED
    assert association.receiver.read() is None


def test_what_ends_an_association_goes_before_the_answer_to_what_came_too_late() -> None:
    """§9.2, §8.4: a SACK behind the SHUTDOWN ACK is out of the blue; the ABORT that answers it must not reach a peer
    that still waits for the SHUTDOWN COMPLETE, for which it is no graceful end then."""
    peer = Peer()
    peer.in_state(AssociationState.SHUTDOWN_SENT)
    receive(peer, ShutdownAck(), peer.z_tag)
    receive(peer, Sack(A_INITIAL_TSN - 1, a_rwnd=2**16), peer.z_tag)
    packets = peer.poll()
    assert [type(chunk) for packet in packets for chunk in packet.chunks] == [ShutdownComplete, Abort]
