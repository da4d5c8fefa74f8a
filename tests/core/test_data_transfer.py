"""§6 as a peer sees it: which packets DATA and SACKs travel in, when, and in which states."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import (
    Chunk,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
)
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.serial import tsn_add, tsn_distance
from tests.core.pair import Pair
from tests.core.scripted import A_INITIAL_TSN, A_PORT, A_RWND, UDP_PORT, Z_PORT, Packet, Peer, Raw, chunks_of, types_of

ONE, TWO = "192.0.2.1", "192.0.2.2"
QUIET = Config(heartbeat=False, shutdown_timeout_s=10**6)
SMALL = QUIET.replace(path_mtu=576)
SMALL_PACKET_BYTES = 576 - 20 - 8

MAY_TRANSMIT = (
    AssociationState.ESTABLISHED,
    AssociationState.SHUTDOWN_PENDING,
    AssociationState.SHUTDOWN_RECEIVED,
)
HANDSHAKE = (AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED)
LIVING = tuple(state for state in AssociationState if state is not AssociationState.CLOSED)
REPORTED = UnknownChunk(0xFE, 0, b"?")
"""A control chunk that is answered with an ERROR."""


def established(config: Config = QUIET, *addresses: str) -> Peer:
    """The first DATA, which is acknowledged at once, has come and was acknowledged."""
    peer = Peer(config, addresses=addresses or (ONE,))
    peer.established(*addresses)
    assert types_of(peer.send_data()) == [(Sack,)]
    peer.user_reads()
    return peer


def data(
    n: int, payload: bytes = b"x", *, immediate: bool = False, ending: bool = True, beginning: bool = True
) -> Data:
    """A's n-th chunk, counted from 0."""
    tsn = tsn_add(A_INITIAL_TSN, n)
    return Data(tsn, 0, 0, 0, payload, unordered=True, immediate=immediate, ending=ending, beginning=beginning)


def queue(peer: Peer, *messages: bytes) -> None:
    """Z's user sends, in the same turn as a packet comes in."""
    for message in messages:
        peer.association.send(OutgoingMessage(message, stream=0))


# -- §6: states --


@pytest.mark.parametrize("state", LIVING)
def test_data_is_transmitted_in_these_states_only(state: AssociationState) -> None:
    """§6: ESTABLISHED, SHUTDOWN-PENDING, SHUTDOWN-RECEIVED; in the handshake behind a COOKIE ECHO at most."""
    peer = Peer(QUIET)
    peer.in_state(state)
    queue(peer, b"later")
    packets = peer.touch() + peer.wait(10)
    carriers = [packet for packet in packets if b"later" in [chunk.payload for chunk in chunks_of([packet], Data)]]
    assert bool(carriers) is (state in MAY_TRANSMIT or state is AssociationState.COOKIE_ECHOED)
    if state is AssociationState.COOKIE_ECHOED:
        assert {packet.types for packet in carriers} == {(CookieEcho, Data)}


@pytest.mark.parametrize("state", MAY_TRANSMIT)
def test_a_sack_is_processed(state: AssociationState) -> None:
    """§6: in ESTABLISHED, SHUTDOWN-PENDING and SHUTDOWN-RECEIVED: what it acknowledges is not sent again."""
    peer = Peer(QUIET)
    peer.in_state(state)
    if state is AssociationState.ESTABLISHED:
        peer.user_sends(b"outstanding")
    # A -> SACK -> Z
    peer.acknowledge(peer.z_initial_tsn)
    assert chunks_of(peer.wait(60), Data) == []


@pytest.mark.parametrize("state", LIVING)
def test_a_sack_means_nothing_in_other_states(state: AssociationState) -> None:
    """§6: it is discarded there, even one for what was never sent, which ends the association elsewhere (§12.4)."""
    peer = Peer(QUIET)
    peer.in_state(state)
    # A -> SACK -> Z
    packets = peer.acknowledge(tsn_add(peer.z_initial_tsn, 9))
    if state in MAY_TRANSMIT:
        assert peer.state is AssociationState.CLOSED
    else:
        assert (packets, peer.state) == ([], state)


# -- §6, §6.10: bundles --


def test_control_chunks_go_before_a_sack_and_that_before_data() -> None:
    """§6.10: "MUST place control chunks first in the outbound SCTP packet"."""
    peer = established()
    queue(peer, b"data")
    # A -> unknown chunk, HEARTBEAT, DATA -> Z
    assert types_of(peer.send(REPORTED, Heartbeat(b"info"), data(1))) == [(Error, HeartbeatAck, Sack, Data)]


def test_bundled_and_fragmented_data_is_received() -> None:
    """§6: both "MUST be implemented by the data receiver": all chunks of a packet count, in their order."""
    peer = established()
    parts = (data(1, b"<", ending=False), data(2, b"-", beginning=False, ending=False), data(3, b">", beginning=False))
    # A -> HEARTBEAT, three fragments, a whole message -> Z, Z -> HEARTBEAT ACK -> A, and soon Z -> SACK -> A
    packets = peer.send(Heartbeat(b"info"), *parts, data(4, b"whole")) + peer.wait(0.2)
    assert [message.data for message in peer.user_reads()] == [b"<->", b"whole"]
    assert chunks_of(packets, HeartbeatAck) == [HeartbeatAck(b"info")]
    assert [sack.cumulative_tsn_ack for sack in chunks_of(packets, Sack)] == [data(4).tsn]


def test_chunks_are_processed_in_their_order() -> None:
    """G28: §6.10: "MUST process received chunks in their order in the packet"."""
    peer = established()
    # A -> DATA, DATA, unknown chunk, HEARTBEAT -> Z, Z -> ERROR, HEARTBEAT ACK, SACK -> A
    assert types_of(peer.send(data(2, b"2"), data(1, b"1"), REPORTED, Heartbeat(b"3"))) == [(Error, HeartbeatAck, Sack)]
    assert [message.data for message in peer.user_reads()] == [b"2", b"1"]


def test_a_partial_chunk_is_dropped_and_those_before_it_count() -> None:
    """§6.10: "If the receiver detects a partial chunk, it MUST drop the chunk"."""
    peer = established()
    peer.send(data(1, b"whole"), Raw(data(2, b"cut short", immediate=True).encode()[:20]))
    assert [message.data for message in peer.user_reads()] == [b"whole"]
    (sack,) = chunks_of(peer.wait(0.2), Sack)
    assert sack.cumulative_tsn_ack == data(1).tsn


def test_init_init_ack_and_shutdown_complete_are_bundled_with_nothing() -> None:
    """§6.10: whatever else is to be sent at that moment."""
    # Z's user has data: Z -> INIT -> A
    peer = Peer(QUIET)
    peer.cookie_wait()
    queue(peer, b"waits")
    assert peer.next_packet(Init).types == (Init,)
    # A, restarted -> INIT -> Z, Z -> INIT ACK, DATA -> A
    peer = established()
    queue(peer, b"data")
    packets = peer.send(Init(0xA1A1_A1A1, A_RWND, 10, 10, 1), tag=0)
    assert sorted(types_of(packets), key=str) == [(Data,), (InitAck,)]
    # A -> unknown chunk, DATA, SHUTDOWN ACK -> Z, Z -> SHUTDOWN COMPLETE -> A
    peer = Peer(QUIET)
    peer.in_state(AssociationState.SHUTDOWN_SENT)
    assert types_of(peer.send(REPORTED, data(0), ShutdownAck())) == [(ShutdownComplete,)]


def test_a_packet_leaves_room_for_the_sack_it_carries() -> None:
    """§6.9: "MUST also take into account the space required for a SACK chunk if bundling"."""
    peer = established(SMALL)
    for n in range(3, 90, 2):
        peer.send(data(n))
    message = random.Random(1).randbytes(3000)
    queue(peer, message)
    # A -> DATA (one more gap) -> Z, Z -> SACK with 45 gaps, DATA -> A
    packets = peer.send(data(91))
    assert packets[0].types == (Sack, Data)
    assert len(chunks_of(packets, Sack)[0].gap_ack_blocks) == 45
    assert all(len(packet.datagram.data) <= SMALL_PACKET_BYTES for packet in packets)
    while len(chunks_of(peer.heard, Data)) < 7:
        peer.acknowledge(chunks_of(peer.heard, Data)[-1].tsn)
    assert b"".join(chunk.payload for chunk in chunks_of(peer.heard, Data)) == message


@pytest.mark.parametrize("seed", range(8))
def test_any_packet_holds_whole_chunks_up_to_the_path_mtu(seed: int) -> None:
    """X12: §6.10: control chunks, SACKs, new DATA and retransmissions, in any mixture; TSNs in increasing order."""
    peer = established(SMALL)
    dice = random.Random(seed)
    for _ in range(150):
        queue(peer, *(dice.randbytes(dice.randint(1, 900)) for _ in range(dice.randint(0, 2))))
        answered: list[Chunk] = [Heartbeat(dice.randbytes(dice.randint(0, 400))), REPORTED, data(dice.randint(1, 120))]
        peer.send(*dice.sample(answered, dice.randint(1, 3)))
        sent = peer.association.sender
        behind = dice.randint(0, sent.unacknowledged_chunks)
        gap = ((2, behind),) if behind > 1 and dice.random() < 0.5 else ()
        cumulative = tsn_add(sent.cumulative_tsn_ack_point, sent.unacknowledged_chunks - behind)
        peer.send(Sack(cumulative, A_RWND, gap))
        peer.wait(dice.choice((0.0, 0.1, 2.0)))
    for packet in peer.heard:
        assert len(packet.datagram.data) <= SMALL_PACKET_BYTES
        size = 12 + sum(len(chunk.encode()) for chunk in packet.chunks)
        assert size == len(packet.datagram.data), "whole chunks, and nothing besides"
        tsns = [chunk.tsn for chunk in chunks_of([packet], Data)]
        assert all(0 < tsn_distance(one, next_one) < 2**31 for one, next_one in pairwise(tsns))
    assert peer.association.counters.rtxchunks > 0
    assert peer.state is AssociationState.ESTABLISHED


@pytest.mark.parametrize("room", [0, 4, 12])
def test_what_a_packet_has_no_room_for_goes_in_the_next(room: int) -> None:
    """R21: §6.10: here a SACK, and the DATA it goes with, behind a HEARTBEAT ACK that leaves so many bytes."""
    peer = established(SMALL)
    queue(peer, b"ours")
    packets = peer.send(Heartbeat(bytes(SMALL_PACKET_BYTES - 12 - 8 - room)), data(1))
    assert types_of(packets) == [(HeartbeatAck,), (Sack, Data)]
    assert len(packets[0].datagram.data) == SMALL_PACKET_BYTES - room


def test_what_was_cut_before_the_path_mtu_fell_is_left_to_ip_to_fragment() -> None:
    """X12: §6.9: "it cannot be re-fragmented. Instead ... IP fragmentation MUST be used"."""
    peer = established()
    (first,) = peer.user_sends(bytes(1400))
    assert first.datagram.dont_fragment
    peer.path(ONE).set_mtu(1000)
    again = peer.next_packet(Data)
    assert (again.chunks, again.datagram.dont_fragment) == (first.chunks, False)


# -- §6.2: when a SACK is sent --


def test_every_data_chunk_is_acknowledged_within_the_delay() -> None:
    """R15: §6.2: "MUST always acknowledge the reception of each valid DATA chunk"; "within 200 ms"."""
    peer = established()
    for _ in range(6):
        packets = peer.send_data() + peer.wait(0.2)
        assert [sack.cumulative_tsn_ack for sack in chunks_of(packets, Sack)] == [peer.cumulative_tsn]


def test_no_sack_comes_sooner_than_the_delay_or_the_second_packet() -> None:
    """R15: §6.2: "MUST NOT be more aggressive in sending SACK chunks than the following algorithms allow"."""
    peer = established()
    assert peer.send(data(1), data(2), data(3)) == []
    assert peer.wait(0.19) == []
    assert types_of(peer.wait(0.02)) == [(Sack,)]
    assert peer.send(data(4)) == []
    assert types_of(peer.send(data(5))) == [(Sack,)]
    assert peer.send(data(6, ending=False)) == []
    assert types_of(peer.send(data(7, beginning=False))) == [(Sack,)]
    assert peer.wait(60) == []


def test_a_packet_with_every_reason_for_a_sack_gets_one() -> None:
    """R15: §6.2: "MUST NOT generate more than one SACK chunk for every incoming packet"."""
    peer = established()
    packets = peer.send(data(0), data(0), data(2, immediate=True), data(5), data(1), data(300))
    packets += peer.wait(60)
    assert types_of(packets) == [(Sack,)]


@pytest.mark.parametrize("seed", range(4))
def test_there_are_never_more_sacks_than_packets_with_data(seed: int) -> None:
    """R15: §6.2: nor when several packets come together, with DATA of ours going the other way."""
    peer = established()
    dice = random.Random(seed)
    sent = 1
    for _ in range(100):
        for _ in range(dice.randint(0, 5)):
            chunks = [data(dice.randint(0, 400), immediate=dice.random() < 0.1).encode() for _ in range(2)]
            packet = encode_packet(A_PORT, Z_PORT, peer.z_tag, chunks)
            peer.engine.receive(packet, ONE, UDP_PORT, peer.z_addresses[0], peer.now)
            sent += 1
        queue(peer, *[b"ours"] * dice.randint(0, 2))
        peer.touch()
        peer.acknowledge(tsn_add(peer.z_initial_tsn, peer.association.counters.oodchunks - 1))
        peer.wait(dice.choice((0.0, 0.3)))
        assert len(chunks_of(peer.heard, Sack)) <= sent
        peer.user_reads()
    assert sent > 150


def test_the_i_bit_is_answered_without_delay() -> None:
    """R15: §6.2: "the receiver SHOULD immediately respond with the corresponding SACK chunk"."""
    peer = established()
    assert types_of(peer.send(data(1, immediate=True))) == [(Sack,)]


def test_a_packet_of_duplicates_alone_is_answered_without_delay() -> None:
    """R15: §6.2: "the endpoint MUST immediately send a SACK chunk with no delay", and names them."""
    peer = established()
    peer.send(data(1), data(2))
    peer.wait(1)
    (packet,) = peer.send(data(2), data(1))
    assert [sack.duplicate_tsns for sack in chunks_of([packet], Sack)] == [(data(2).tsn, data(1).tsn)]


def test_gaps_that_one_sack_cannot_report_are_left_out_from_above() -> None:
    """R15: §6.7: "MUST send only one SACK chunk", with the lowest that fit, and §6.2 as many as fit."""
    peer = established(SMALL)
    for n in range(2, 2 + 2 * 150, 2):
        packets = peer.send(data(n))
    (packet,) = packets + peer.touch() + peer.wait(1)
    (sack,) = chunks_of([packet], Sack)
    fitting = (SMALL_PACKET_BYTES - 12 - 16) // 4
    assert sack.gap_ack_blocks == tuple((offset, offset) for offset in range(2, 2 + 2 * fitting, 2))


def test_a_sack_that_is_owed_rides_with_data() -> None:
    """R15: §6.1: "the sender SHOULD create a SACK chunk and bundle it with the outbound DATA chunk"."""
    peer = established()
    assert peer.send_data() == []
    (packet,) = peer.user_sends(b"ours")
    assert packet.types == (Sack, Data)
    assert chunks_of([packet], Sack)[0].cumulative_tsn_ack == peer.cumulative_tsn
    peer.acknowledge(peer.z_initial_tsn)
    assert peer.wait(60) == []


def test_data_to_another_address_takes_no_sack_along() -> None:
    """R15: deviation from §6.1: §6.7 has the SACK go where DATA last came from, and it waits for that."""
    peer = established(QUIET, ONE, TWO)
    assert peer.send_data(source=TWO) == []
    (packet,) = peer.user_sends(b"ours")
    assert (packet.types, packet.destination) == ((Data,), ONE)
    (packet,) = peer.wait(0.2)
    assert (packet.types, packet.destination) == ((Sack,), TWO)


# -- §6.2.1: the peer's window --


def test_the_window_is_at_first_what_the_handshake_said() -> None:
    """R19: §6.2.1 A: the a_rwnd "the peer specified in the INIT or INIT ACK chunk"."""
    pair = Pair(config_a=Config(receive_window_bytes=3000), config_z=Config(receive_window_bytes=5000))
    ours, theirs = pair.established()
    assert (ours.sender.peer_rwnd_bytes, theirs.sender.peer_rwnd_bytes) == (5000, 3000)


# -- §6.8 --


def test_a_packet_with_a_wrong_checksum_is_silently_discarded() -> None:
    """R22: §6.8: the tag is right, and nothing of it counts."""
    peer = established()

    def receive(packet: bytes) -> list[Packet]:
        peer.engine.receive(packet, ONE, UDP_PORT, peer.z_addresses[0], peer.now)
        return peer.poll()

    packet = encode_packet(A_PORT, Z_PORT, peer.z_tag, [data(1, b"payload", immediate=True).encode()])
    damaged = packet[:-3] + bytes([packet[-3] ^ 1]) + packet[-2:]
    deadline = peer.engine.next_deadline()
    assert receive(damaged) == []
    assert (peer.user_reads(), peer.engine.next_deadline()) == ([], deadline)
    assert types_of(receive(packet)) == [(Sack,)]
    assert [message.data for message in peer.user_reads()] == [b"payload"]
