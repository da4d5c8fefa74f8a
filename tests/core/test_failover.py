"""§6.4, §6.4.1: which address a packet goes to when there are several."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState, PathState
from aiosctp.wire.chunks import (
    Chunk,
    CookieAck,
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
from tests.core.scripted import A_RWND, Encodable, Packet, Peer, chunks_of, packets_with

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
Z_ONE, Z_TWO = "192.0.2.100", "192.0.2.101"


def established(
    config: Config | None = None,
    addresses: tuple[str, ...] = (ONE, TWO, THREE),
    z_addresses: tuple[str, ...] = (Z_ONE,),
) -> Peer:
    """All of A's addresses confirmed, without HEARTBEATs to look past."""
    peer = Peer(config or Config(heartbeat=False, path_max_retrans=1), addresses=addresses, z_addresses=z_addresses)
    peer.established(*addresses)
    return peer


def destinations(packets: list[Packet], kind: type[Chunk] = Data) -> list[str]:
    return [packet.destination for packet in packets_with(packets, kind)]


def acknowledge_all(peer: Peer, packets: list[Packet]) -> None:
    last = chunks_of(packets, Data)[-1].tsn
    peer.acknowledge(last, source=packets_with(packets, Data)[-1].destination)


def fail(peer: Peer, *addresses: str) -> None:
    """Make paths inactive by HEARTBEATs that nobody answers."""
    for address in addresses:
        while peer.path(address).state is PathState.ACTIVE:
            peer.heartbeat_now(address)
            peer.wait(peer.path(address).rto.rto_s * 1.01)


# -- §6.4 --


def test_data_goes_to_the_primary_path() -> None:
    """E06, R25: "By default, an endpoint SHOULD always transmit to the primary path"."""
    peer = established()
    for _ in range(6):
        packets = peer.user_sends(b"x")
        assert destinations(packets) == [ONE]
        acknowledge_all(peer, packets)


def test_the_users_choice_of_primary_is_obeyed() -> None:
    """E06, B10: "the ULP ... selects one of the multiple destination addresses ... as the primary path"."""
    peer = established()
    peer.association.set_primary(peer.path(THREE))
    for _ in range(3):
        packets = peer.user_sends(b"x")
        assert destinations(packets) == [THREE]
        acknowledge_all(peer, packets)


REPLIES: list[tuple[Encodable, type[Chunk], int | None]] = [
    (Heartbeat(b"info"), HeartbeatAck, None),
    (UnknownChunk(0x7E, 0, b""), Error, None),
    (Init(0xA1A1_A1A1, A_RWND, 10, 10, 1), InitAck, 0),
]


@pytest.mark.parametrize("source", [ONE, TWO, THREE])
@pytest.mark.parametrize(("chunk", "reply", "tag"), REPLIES)
def test_a_reply_goes_where_the_control_chunk_came_from(
    source: str, chunk: Encodable, reply: type[Chunk], tag: int | None
) -> None:
    """E06, R25: "to the same destination transport address from which it received the control chunk"."""
    peer = established()
    # source -> chunk -> Z, Z -> reply -> source
    assert destinations(peer.send(chunk, tag=tag, source=source), reply) == [source]


@pytest.mark.parametrize("source", [ONE, TWO, THREE])
def test_shutdown_ack_goes_where_the_shutdown_came_from(source: str) -> None:
    """E06, M06: the reply rule of §6.4 for SHUTDOWN."""
    peer = established()
    packets = peer.send(Shutdown(peer.z_initial_tsn - 1 & 0xFFFF_FFFF), source=source)
    assert destinations(packets, ShutdownAck) == [source]


@pytest.mark.parametrize("source", [ONE, TWO, THREE])
def test_shutdown_complete_goes_where_the_shutdown_ack_came_from(source: str) -> None:
    """E06, M06: the reply rule of §6.4 for SHUTDOWN ACK."""
    peer = established()
    peer.user_shuts_down()
    assert destinations(peer.send(ShutdownAck(), source=source), ShutdownComplete) == [source]


@pytest.mark.parametrize("source", [ONE, TWO, THREE])
def test_cookie_ack_goes_where_the_cookie_echo_came_from(source: str) -> None:
    """E06, M08: the reply rule of §6.4 for COOKIE ECHO."""
    peer = Peer(Config(heartbeat=False), addresses=(ONE, TWO, THREE))
    assert destinations(peer.accepted(source=source), CookieAck) == [source]


def test_a_sack_goes_where_the_last_data_came_from() -> None:
    """E06: §6.7: "SHOULD always try to send the SACK chunk to the same destination address from which the last DATA
    chunk was received"."""
    peer = established()
    peer.send_data()
    for last in (TWO, THREE, ONE, THREE):
        assert peer.send_data(source=TWO) == []
        assert destinations(peer.send_data(source=last), Sack) == [last]


@pytest.mark.parametrize("source", [ONE, TWO])
def test_sacks_for_data_from_one_address_do_not_change_their_destination(source: str) -> None:
    """E06: "SHOULD NOT vary the destination transport address of a SACK chunk when it receives DATA chunks coming
    from the same source address"; not for DATA of ours either, which it could ride with to the primary address."""
    peer = established()
    packets = []
    for turn in range(12):
        packets += peer.send_data(source=source)
        if turn % 3 == 0:
            packets += peer.user_sends(b"ours")
            acknowledge_all(peer, packets)
        packets += peer.wait(0.3)
    assert len(packets_with(packets, Sack)) >= 6
    assert len(set(destinations(packets, Sack))) == 1


# -- retransmissions --


def test_a_timed_out_chunk_is_retransmitted_to_another_active_address() -> None:
    """R25, E06: "SHOULD try to retransmit a chunk that timed out to an active destination transport address that is
    different from the last destination address"."""
    peer = established(Config(heartbeat=False))
    sent = peer.user_sends(b"x")
    for _ in range(5):
        sent.append(peer.next_packet(Data))
    went = destinations(sent)
    assert went[0] == ONE
    assert all(later != earlier for earlier, later in pairwise(went))


def test_a_retransmission_avoids_inactive_addresses() -> None:
    """R25: only an *active* address is an alternate."""
    peer = established()
    fail(peer, TWO)
    peer.user_sends(b"x")
    assert peer.next_packet(Data).destination == THREE


def test_a_retransmission_stays_where_there_is_no_other_active_address() -> None:
    """R25: with the alternates inactive, the one address left is used."""
    peer = established(Config(heartbeat=False, path_max_retrans=2))
    fail(peer, TWO, THREE)
    peer.user_sends(b"x")
    assert peer.next_packet(Data).destination == ONE


def test_a_retransmission_takes_the_most_divergent_pair() -> None:
    """R25: "SHOULD attempt to pick the most divergent source-destination pair": here both ends differ."""
    peer = established(Config(heartbeat=False), addresses=(ONE, TWO), z_addresses=(Z_ONE, Z_TWO))
    (first,) = packets_with(peer.user_sends(b"x"), Data)
    again = peer.next_packet(Data)
    assert again.destination != first.destination
    assert again.datagram.source != first.datagram.source


def test_new_data_keeps_to_the_primary_after_a_retransmission_elsewhere() -> None:
    """R25: one timeout is no failover: only Path.Max.Retrans makes a path inactive (§8.2)."""
    peer = established(Config(heartbeat=False))
    peer.user_sends(b"x")
    again = peer.next_packet(Data)
    acknowledge_all(peer, [again])
    assert destinations(peer.user_sends(b"y")) == [ONE]


# -- §6.4.1 --


def test_data_goes_to_an_active_alternate_while_the_primary_is_inactive() -> None:
    """R25, E06: "SHOULD try to send the data to an alternate active destination transport address if one exists"."""
    peer = established()
    fail(peer, ONE)
    for _ in range(4):
        packets = peer.user_sends(b"x")
        assert set(destinations(packets)) <= {TWO, THREE}
        assert destinations(packets) != []
        acknowledge_all(peer, packets)


def test_only_one_alternate_is_used() -> None:
    """R25: "only ONE transport address SHOULD be chosen and used as the new destination transport address"."""
    peer = established()
    fail(peer, ONE)
    went = []
    for _ in range(8):
        packets = peer.user_sends(b"x")
        went += destinations(packets)
        acknowledge_all(peer, packets)
    assert len(went) == 8
    assert len(set(went)) == 1


def test_data_returns_to_the_primary_when_it_is_active_again() -> None:
    """R25, R23: the primary stays what the user chose; inactive, it is only avoided."""
    peer = established()
    fail(peer, ONE)
    (heartbeat,) = chunks_of(peer.heartbeat_now(ONE), Heartbeat)
    peer.send(HeartbeatAck(heartbeat.info))
    assert peer.path(ONE).state is PathState.ACTIVE
    assert destinations(peer.user_sends(b"x")) == [ONE]


def test_an_alternate_that_fails_too_is_left_for_the_next() -> None:
    """R25: as long as one address is active, data goes there."""
    peer = established()
    fail(peer, ONE, TWO)
    assert destinations(peer.user_sends(b"x")) == [THREE]


def test_failover_of_a_whole_conversation() -> None:
    """E06, R23, R25: the primary dies under load; every message arrives over the alternate, and nothing is lost."""
    peer = established(Config(heartbeat=False, path_max_retrans=2), addresses=(ONE, TWO))
    arrived: set[int] = set()

    def alternate_only(packet: Packet) -> None:
        if packet.destination == TWO:
            arrived.update(chunk.tsn for chunk in chunks_of([packet], Data))
            cumulative = peer.z_initial_tsn - 1 & 0xFFFF_FFFF
            while cumulative + 1 & 0xFFFF_FFFF in arrived:
                cumulative = cumulative + 1 & 0xFFFF_FFFF
            gaps = tuple((tsn - cumulative & 0xFFFF_FFFF,) * 2 for tsn in sorted(arrived) if tsn > cumulative)
            peer.send(Sack(cumulative, A_RWND, gaps), source=TWO)

    for n in range(10):
        for packet in peer.user_sends(bytes([n])):
            alternate_only(packet)
        peer.wait(5, alternate_only)
    peer.wait(120, alternate_only)
    assert len(arrived) == 10
    assert peer.path(ONE).state is PathState.INACTIVE
    assert peer.state is AssociationState.ESTABLISHED
