"""The choice of Initiate Tags (§5.3.1)."""

from __future__ import annotations

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Data, ShutdownAck
from aiosctp.wire.chunks import Shutdown as ShutdownChunk
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import encode_chunk
from tests.core.transcript import (
    PEER_TSN,
    STRANGER_HOST,
    Bench,
    Peer,
    next_init,
    timers_are_stopped,
)

# -- tags (§5.3.1) --


def test_zero_is_never_chosen_as_a_tag() -> None:
    """M02: "Initiate Tag values SHOULD be selected from the range of 1 to 2^32 - 1", whatever the dice say."""
    bench = Bench()
    bench.forced_entropy.extend([bytes(4)] * 2)
    assert next_init(bench).initiate_tag != 0
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    bench.forced_entropy.extend([bytes(4)] * 2)
    peer.get_cookie()
    assert peer.our_tag != 0


@pytest.mark.parametrize("tag", [1, 0x8000_0000, 0xFFFF_FFFF])
def test_a_tag_is_what_the_dice_show_in_all_its_bits(tag: int) -> None:
    """§5.1 A: "a random number in the range of 1 to 4294967295", in our INIT and in our INIT ACK."""
    bench = Bench()
    bench.forced_entropy.append(tag.to_bytes(4))
    assert next_init(bench).initiate_tag == tag
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    bench.forced_entropy.append(tag.to_bytes(4))
    peer.get_cookie()
    assert peer.our_tag == tag


def finish(bench: Bench, peer: Peer) -> None:
    """The peer's association ends gracefully."""
    peer.send(ShutdownChunk(peer.our_tsn - 1 & 0xFFFF_FFFF))
    peer.expect(ShutdownAck)
    # Z -> SHUTDOWN COMPLETE -> A
    peer.send(encode_chunk(ChunkType.SHUTDOWN_COMPLETE, 0, b""))
    assert timers_are_stopped(bench)


def test_the_tag_of_an_ended_association_is_not_used_again_at_once() -> None:
    """R27: "A new Verification Tag value MUST be used each time the endpoint tears down and then reestablishes"."""
    bench = Bench(vtag_quarantine_s=60.0)
    peer = Peer(bench)
    peer.associate()
    old = peer.our_tag
    finish(bench, peer)
    bench.advance(59.0)
    # The dice show the old tag again, for the responder ...
    bench.forced_entropy.extend([old.to_bytes(4)] * 2)
    peer.get_cookie()
    assert peer.our_tag != old
    # ... and for the initiator.
    bench.forced_entropy.clear()
    bench.forced_entropy.extend([old.to_bytes(4)] * 2)
    assert next_init(bench).initiate_tag != old


def test_late_packets_of_an_ended_association_do_not_touch_its_successor() -> None:
    """R13, R27: old duplicates are not "mistakenly processed as belonging to the current association" (§5.3.1)."""
    bench = Bench()
    peer = Peer(bench)
    peer.associate()
    old = peer.our_tag
    finish(bench, peer)
    successor = Peer(bench, tag=0xBEEF)
    association = successor.associate()
    # Z -> DATA, SHUTDOWN, ABORT -> A, all of them late
    successor.send(Data(PEER_TSN, 0, 0, 0, b"late"), tag=old)
    successor.send(ShutdownChunk(successor.our_tsn), tag=old)
    successor.send(Abort(), tag=old)
    bench.expect_nothing()
    assert association.state is AssociationState.ESTABLISHED
    assert association.receiver.read() is None
    successor.talk(association)


def test_two_associations_never_share_a_tag() -> None:
    """R01, R13: a tag in a stateless INIT ACK is not reserved, so it is checked again at the COOKIE ECHO."""
    bench = Bench()
    endpoint = bench.listen()
    first = Peer(bench, port=5001, tag=1)
    second = Peer(bench, host=STRANGER_HOST, port=5001, tag=2)
    first_cookie = first.get_cookie()
    bench.forced_entropy.append(first.our_tag.to_bytes(4))
    second_cookie = second.get_cookie()
    assert second.our_tag == first.our_tag
    first.send(CookieEcho(first_cookie))
    first.expect(CookieAck)
    (association,) = endpoint.accepted
    # Z2 -> COOKIE ECHO [the same tag of ours] -> A
    second.send(CookieEcho(second_cookie))
    assert len(endpoint.associations) == 1
    assert not [chunk for chunk in second.drain() if isinstance(chunk, CookieAck)]
    first.talk(association)
