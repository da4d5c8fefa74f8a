"""An association whose messages may be abandoned (RFC 3758, RFC 7496): what its user and its peer hear of it."""

from __future__ import annotations

from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.core.states import AssociationState
from aiosctp.events import SenderDry, SendFailed
from aiosctp.exceptions import AssociationLost
from aiosctp.wire.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Data,
    ForwardTsn,
    IData,
    IForwardTsn,
    NrSack,
    ReConfig,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
)
from aiosctp.wire.parameters import ForwardTsnSupported, SupportedExtensions
from tests.core.laws import check_association
from tests.core.scripted import A_RWND, Packet, Peer, chunks_of, packets_with


def configured(**settings: Any) -> Config:
    return Config(**{"heartbeat": False, "partial_reliability": True, "interleaving": True, **settings})


def associated(*, config: Config | None = None, pr: bool = True, idata: bool = False) -> Peer:
    peer = Peer(config or configured())
    peer.parameters = (ForwardTsnSupported(),) if pr else ()
    if idata:
        peer.parameters += (SupportedExtensions((0x40, 0xC2)),)
    peer.established()
    return peer


def give(
    peer: Peer,
    data: bytes = b"x",
    *,
    stream: int = 0,
    lifetime: float | None = None,
    retransmits: int | None = None,
) -> list[Packet]:
    expires_at_s = None if lifetime is None else peer.now + lifetime
    terms = Terms(expires_at_s=expires_at_s, max_retransmits=retransmits)
    peer.association.send(OutgoingMessage(data, stream, context=len(data), terms=terms))
    return peer.touch()


def z_tsn(peer: Peer, n: int) -> int:
    return peer.z_initial_tsn + n & 0xFFFF_FFFF


def failed(peer: Peer) -> list[tuple[bytes, bool, int]]:
    return [(event.data, event.was_sent, event.error) for event in peer.events_of(SendFailed)]


@pytest.mark.parametrize("idata", [False, True])
def test_who_sent_it_and_the_peer_hear_that_a_message_is_abandoned(idata: bool) -> None:
    peer = associated(idata=idata)
    # Z -> DATA -> A, which is lost
    give(peer, b"late", stream=3, retransmits=0)
    # Z -> FORWARD TSN -> A
    packet = peer.next_packet(IForwardTsn if idata else ForwardTsn)
    expected = IForwardTsn(z_tsn(peer, 0), ((3, False, 0),)) if idata else ForwardTsn(z_tsn(peer, 0), ((3, 0),))
    assert packet.chunks == (expected,)
    assert failed(peer) == [(b"late", True, 0)]
    assert not peer.events_of(SenderDry)
    # A -> SACK -> Z
    peer.acknowledge(z_tsn(peer, 0))
    assert peer.events_of(SenderDry) == [SenderDry()]
    assert peer.association.sender.is_drained
    assert failed(peer) == [(b"late", True, 0)]
    counters = peer.association.take_counters()
    assert (counters.abandoned_unsent, counters.abandoned_sent) == (0, 1)
    check_association(peer.association)


def test_the_forward_tsn_goes_with_data_and_before_it() -> None:
    """RFC 3758 §3.5 F2: "SHOULD always attempt to bundle an outgoing FORWARD TSN with outbound DATA chunks"."""
    peer = associated()
    give(peer, b"lost", retransmits=0)
    peer.association.send(OutgoingMessage(b"reliable", 0))
    peer.touch()
    packet = peer.next_packet(ForwardTsn)
    assert packet.types == (ForwardTsn, Data)
    check_association(peer.association)


def test_a_message_that_waits_expires_though_nothing_happens() -> None:
    """Nobody answers, and no timer but its own runs out before."""
    peer = associated()
    peer.send(Sack(z_tsn(peer, -1), 0))
    give(peer, b"first", lifetime=0.2)
    give(peer, b"second", lifetime=0.3)
    assert peer.wait(0.25) == []
    assert failed(peer) == [(b"first", False, 0)]
    assert peer.wait(0.25) == []
    assert failed(peer) == [(b"first", False, 0), (b"second", False, 0)]
    assert peer.events_of(SenderDry) == [SenderDry()]
    check_association(peer.association)


def test_it_expires_while_the_association_is_not_there_yet() -> None:
    peer = Peer(configured())
    peer.cookie_wait()
    give(peer, b"never", lifetime=0.5)
    peer.wait(0.6)
    assert failed(peer) == [(b"never", False, 0)]


def test_no_forward_tsn_goes_before_the_handshake_is_done() -> None:
    """X43: §5.1 C: "MUST NOT send any other packets to the peer" before the COOKIE ACK."""
    peer = Peer(configured())
    peer.parameters = (ForwardTsnSupported(),)
    peer.cookie_wait()
    give(peer, b"early", lifetime=0.5)
    # A -> INIT ACK -> Z, Z -> COOKIE ECHO, DATA -> A
    assert peer.send(peer.init_ack())[0].types == (CookieEcho, Data)
    waited = peer.wait(4.0)
    assert {packet.types for packet in waited} == {(CookieEcho,)}
    assert failed(peer) == [(b"early", True, 0)]
    # A -> COOKIE ACK -> Z, Z -> FORWARD TSN -> A
    assert chunks_of(peer.send(CookieAck()), ForwardTsn) == [ForwardTsn(z_tsn(peer, 0), ((0, 0),))]
    check_association(peer.association)


def test_a_peer_that_does_not_know_it_gets_no_forward_tsn() -> None:
    """§11.1.5: there the lifetime counts until the first transmission."""
    peer = associated(pr=False)
    give(peer, b"sent", lifetime=0.1)
    peer.send(Sack(z_tsn(peer, -1), 0))
    give(peer, b"unsent", lifetime=0.1)
    packets = peer.wait(5.0)
    assert len(packets_with(packets, Data)) > 1
    assert not packets_with(packets, ForwardTsn)
    assert failed(peer) == [(b"unsent", False, 0)]
    peer.acknowledge(z_tsn(peer, 0))
    assert peer.association.sender.is_drained


def test_shutdown_waits_until_the_forward_tsn_is_acknowledged() -> None:
    """§9.2: "MUST remain in the SHUTDOWN-PENDING state until all outstanding data has been acknowledged"."""
    peer = associated()
    give(peer, b"lost", retransmits=0)
    assert not chunks_of(peer.user_shuts_down(), Shutdown)
    peer.next_packet(ForwardTsn)
    assert peer.state is AssociationState.SHUTDOWN_PENDING
    check_association(peer.association)
    # A -> SACK -> Z, Z -> SHUTDOWN -> A
    assert chunks_of(peer.acknowledge(z_tsn(peer, 0)), Shutdown)
    # A -> SHUTDOWN ACK -> Z, Z -> SHUTDOWN COMPLETE -> A
    assert chunks_of(peer.send(ShutdownAck()), ShutdownComplete)
    assert len(failed(peer)) == 1


def test_shutdown_goes_on_when_the_last_message_has_expired() -> None:
    peer = associated()
    peer.send(Sack(z_tsn(peer, -1), 0))
    give(peer, b"waits", lifetime=0.2)
    assert not chunks_of(peer.user_shuts_down(), Shutdown)
    assert chunks_of(peer.wait(0.2), Shutdown)
    assert peer.state is AssociationState.SHUTDOWN_SENT
    check_association(peer.association)


def test_who_shuts_down_may_acknowledge_it() -> None:
    """§9.2: a SHUTDOWN acknowledges as a SACK does."""
    peer = associated()
    give(peer, b"lost", retransmits=0)
    peer.next_packet(ForwardTsn)
    # A -> SHUTDOWN -> Z, Z -> SHUTDOWN ACK -> A
    assert chunks_of(peer.send(Shutdown(z_tsn(peer, 0))), ShutdownAck)


def test_a_peer_that_never_answers_a_forward_tsn_is_lost() -> None:
    """§8.1; RFC 7496 §3.1: "does not affect the handling of the thresholds"."""
    peer = associated(config=configured(association_max_retrans=3, path_max_retrans=3))
    give(peer, b"lost", retransmits=0)
    packets = peer.wait(100.0)
    assert len(packets_with(packets, ForwardTsn)) == 3
    assert isinstance(peer.association.ending, AssociationLost)
    assert failed(peer) == [(b"lost", True, 0)]


def test_a_peer_that_answers_forward_tsns_lives_though_all_data_is_lost() -> None:
    """§8.1: the counter is reset by what it acknowledges."""
    peer = associated(config=configured(association_max_retrans=3, path_max_retrans=3))
    for number in range(10):
        give(peer, b"lost", retransmits=0)
        peer.next_packet(ForwardTsn)
        peer.acknowledge(z_tsn(peer, number))
    assert peer.association.ending is None
    assert peer.association.failure.error_count == 0
    assert len(failed(peer)) == 10
    check_association(peer.association)


def test_each_message_is_reported_once_when_the_association_ends() -> None:
    peer = associated()
    give(peer, b"lost", retransmits=0)
    peer.next_packet(ForwardTsn)
    give(peer, b"in flight", retransmits=0)
    peer.user_aborts()
    assert sorted(failed(peer)) == [(b"in flight", True, 12), (b"lost", True, 0)]


def test_also_when_it_ends_in_the_packet_that_told_of_the_loss() -> None:
    peer = associated()
    give(peer, b"lost", retransmits=0)
    peer.user_sends(*[b"reliable"] * 4)
    sacks = [Sack(z_tsn(peer, -1), A_RWND, ((2, last),)) for last in (2, 3, 4)]
    peer.send(*sacks, Abort())
    assert sorted(failed(peer)) == [(b"lost", True, 0), *[(b"reliable", True, 0)] * 4]


def test_a_tsn_that_only_stands_for_what_was_never_sent_is_acknowledged_with_the_rest() -> None:
    """X07: a large message that expires half sent, and the small one after it."""
    peer = associated()
    give(peer, bytes(100_000), lifetime=0.1)
    sent = len(chunks_of(peer.heard, Data))
    packet = peer.next_packet(ForwardTsn)
    (forward,) = chunks_of([packet], ForwardTsn)
    assert forward == ForwardTsn(z_tsn(peer, sent), ((0, 0),))
    assert not chunks_of(give(peer, b"small", lifetime=10.0), Data)
    (small,) = chunks_of(peer.acknowledge(z_tsn(peer, sent - 1)), Data)
    assert (small.tsn, small.ssn, small.beginning, small.ending) == (z_tsn(peer, sent + 1), 1, True, True)
    assert not chunks_of(peer.acknowledge(z_tsn(peer, sent + 1)), Abort)
    assert peer.association.sender.is_drained
    check_association(peer.association)


def test_an_nr_sack_frees_what_the_peer_has_for_good() -> None:
    peer = Peer(configured(nrsack=True))
    peer.parameters = (SupportedExtensions((0x10,)),)
    peer.established()
    peer.user_sends(bytes(100), bytes(100), bytes(100))
    peer.send(NrSack(z_tsn(peer, -1), A_RWND, (), ((2, 3),)))
    assert peer.association.sender.buffered_bytes == 100
    peer.send(NrSack(z_tsn(peer, 2), A_RWND))
    assert peer.association.sender.is_drained
    check_association(peer.association)


def test_messages_with_i_data_are_cut_and_abandoned_side_by_side() -> None:
    """RFC 8260 §2.3.1: what interleaves is named by stream and MID."""
    peer = associated(idata=True)
    peer.association.sender.queue.set_scheduler("rr")
    for stream in (1, 2):
        terms = Terms(expires_at_s=peer.now + 0.1)
        peer.association.send(OutgoingMessage(bytes(50_000), stream, terms=terms))
    sent = chunks_of(peer.touch(), IData)
    assert {chunk.stream for chunk in sent} == {1, 2}
    (forward,) = chunks_of([peer.next_packet(IForwardTsn)], IForwardTsn)
    assert forward == IForwardTsn(z_tsn(peer, len(sent) + 1), ((1, False, 0), (2, False, 0)))
    peer.acknowledge(z_tsn(peer, len(sent) + 1))
    assert peer.association.sender.is_drained
    check_association(peer.association)


def test_a_stream_is_reset_when_the_peer_knows_of_what_was_abandoned_there() -> None:
    """RFC 6525 §5.1.2 with RFC 3758: an SSN of before is not named to who has begun anew."""
    peer = Peer(configured(interleaving=False, reconfig=True))
    peer.parameters = (ForwardTsnSupported(), SupportedExtensions((0x82,)))
    peer.established()
    give(peer, b"lost", stream=1, retransmits=0)
    peer.next_packet(ForwardTsn)
    peer.association.reset_outgoing([1])
    assert not chunks_of(peer.touch(), ReConfig)
    assert not chunks_of(peer.wait(1.0), ReConfig)
    # A -> SACK -> Z, Z -> RE-CONFIG -> A
    assert chunks_of(peer.acknowledge(z_tsn(peer, 0)), ReConfig)
    check_association(peer.association)


def test_what_waits_for_a_reset_expires_too() -> None:
    """RFC 6525 §5.1.2 A1: what is given after it waits for the answer, which does not come."""
    peer = Peer(configured(reconfig=True))
    peer.parameters = (ForwardTsnSupported(), SupportedExtensions((0x82,)))
    peer.established()
    peer.association.reset_outgoing([1])
    assert chunks_of(peer.touch(), ReConfig)
    give(peer, b"held", stream=1, lifetime=0.2)
    for _ in range(3):
        give(peer, bytes(50_000), stream=1, lifetime=0.2)
    give(peer, b"held longer", stream=1, lifetime=20.0)
    peer.wait(0.3)
    assert [(data[:4], was_sent) for data, was_sent, _ in failed(peer)] == [(b"held", False), *[(bytes(4), False)] * 3]
    assert peer.association.sender.buffered_bytes == 11
    queue = peer.association.sender.queue
    assert queue.held is not None
    assert queue.held.lines[1].held_bytes == 11
    check_association(peer.association)
