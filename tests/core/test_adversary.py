"""A peer, or a stranger, who wants to cost us memory, work or packets: what it gets is bounded."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import count, islice
from types import FrameType

import pytest

from aiosctp.config import Config
from aiosctp.core.charge import charge_of
from aiosctp.core.packing import MAX_QUEUED_CONTROL_CHUNKS
from aiosctp.core.rx.receiver import MAX_DUPLICATES
from aiosctp.core.rx.tsns import MAX_GAP_RANGES
from aiosctp.core.states import AssociationState
from aiosctp.events import RemoteError
from aiosctp.wire.causes import ProtocolViolation, UnknownCause
from aiosctp.wire.chunks import (
    Abort,
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
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.parameters import IPv4AddressParameter, UnknownParameter
from tests.core.laws import check_association, check_stack
from tests.core.scripted import A_INITIAL_TSN, A_PORT, A_RWND, A_TAG, UDP_PORT, Z_PORT, Encodable, Peer, Raw, chunks_of

WINDOW = 100_000
PACKET_CHUNK_BYTES = 1460
# Of those that look at addresses (core/addresses.py).
CACHED_ADDRESSES = 4096


def victim(config: Config | None = None) -> Peer:
    peer = Peer(config or Config(receive_window_bytes=WINDOW, heartbeat=False))
    peer.established()
    return peer


def a_tsn(n: int) -> int:
    return (A_INITIAL_TSN + n) & 0xFFFF_FFFF


def z_tsn(peer: Peer, n: int) -> int:
    return (peer.z_initial_tsn + n) & 0xFFFF_FFFF


def packed(chunks: Iterable[Encodable]) -> list[list[Encodable]]:
    """As many chunks to a packet as a path MTU of 1500 takes."""
    packets: list[list[Encodable]] = [[]]
    room = PACKET_CHUNK_BYTES
    for chunk in chunks:
        size = len(chunk.encode())
        if size > room:
            packets.append([])
            room = PACKET_CHUNK_BYTES
        packets[-1].append(chunk)
        room -= size
    return packets


def calls(work: Callable[[], object]) -> int:
    """How many calls of functions, our own and built-in ones, this makes: a measure of work that no load disturbs."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def check(peer: Peer) -> None:
    assert peer.engine.poll_faults() == []
    check_association(peer.association)
    check_stack(peer.engine, list(peer.endpoint.associations | {peer.association}))


# -- SACKs --


@pytest.mark.parametrize(
    "blocks",
    [
        ((2, 3),) * 360,
        tuple((0xFFFF, n) for n in range(2, 362)),
        ((0, 0),) * 360,
    ],
    ids=["the same", "inverted", "empty"],
)
def test_a_bomb_of_gap_ack_blocks_costs_no_more_than_its_bytes(blocks: tuple[tuple[int, int], ...]) -> None:
    """X36, X52: "gap ranges expanded one by one ... and an inverted gap leaves a variable unset"."""
    peer = victim()
    # Z -> DATA -> A
    peer.user_sends(b"one", b"two", b"three")
    # A -> SACK -> Z
    sack = Sack(z_tsn(peer, -1), A_RWND, blocks)
    assert calls(lambda: peer.send(sack)) < 20 * len(blocks)
    assert peer.state is AssociationState.ESTABLISHED
    check(peer)
    peer.acknowledge(z_tsn(peer, 2))
    assert peer.association.sender.is_drained
    check(peer)


@pytest.mark.parametrize(
    "blocks",
    [((2, 0xFFFF),) * 360, tuple((n, 0xFFFF) for n in range(2, 362)), tuple((n, n) for n in range(2, 722, 2))],
    ids=["the same", "nested", "comb"],
)
def test_gap_ack_blocks_of_what_was_never_sent_end_the_association(blocks: tuple[tuple[int, int], ...]) -> None:
    """X38, X52: §12.4, at the cost of the bytes that say it."""
    peer = victim()
    # Z -> DATA -> A
    peer.user_sends(b"one", b"two", b"three")
    # A -> SACK -> Z, Z -> ABORT -> A
    assert calls(lambda: peer.send(Sack(z_tsn(peer, -1), A_RWND, blocks))) < 20 * len(blocks)
    assert peer.state is AssociationState.CLOSED
    check(peer)


@pytest.mark.parametrize("ahead", [1, 2, 1000, 0x7FFF_FFFE])
def test_an_acknowledgement_of_what_was_never_sent_ends_the_association(ahead: int) -> None:
    """X38, X52: an optimistic peer is answered by an ABORT, and never believed."""
    peer = victim()
    # Z -> DATA -> A
    peer.user_sends(b"all there is")
    # A -> SACK -> Z, Z -> ABORT -> A
    (abort,) = chunks_of(peer.acknowledge(z_tsn(peer, ahead)), Abort)
    assert isinstance(abort.causes[0], ProtocolViolation)
    assert peer.state is AssociationState.CLOSED
    check(peer)


def test_a_peer_that_takes_back_in_every_second_sack_gains_little_and_silences_nothing() -> None:
    """X09, X38: SACKs flow, nothing arrives: T3 runs on, cwnd stays small, and each chunk is sent again once."""
    peer = victim(Config(heartbeat=False))
    peer.user_sends(*[bytes(1000)] * 50)
    for number in range(200):
        # A -> SACK -> Z
        peer.send(Sack(z_tsn(peer, -1), 0xFFFF_FFFF, ((2, 3),) if number % 2 else ()))
        check(peer)
    assert peer.path("192.0.2.1").congestion.cwnd <= 4 * 1460
    tsns = [chunk.tsn for chunk in chunks_of(peer.heard, Data)]
    assert len(set(tsns)) <= 12
    assert max(map(tsns.count, tsns)) <= 2
    # T3 finds out in the end, whatever the SACKs pretend.
    rtx = peer.association.counters.rtxchunks
    peer.wait(1.0)
    assert peer.association.counters.rtxchunks > rtx


# -- DATA --


def test_a_flood_of_duplicates_is_told_of_in_part_and_holds_nothing() -> None:
    """X29, X38: one SACK a packet, with a bounded list of duplicates."""
    peer = victim()
    peer.send_data()
    held = peer.association.receiver.held_bytes
    for packet in packed([Data(a_tsn(0), 0, 0, 0, b"x", unordered=True)] * 2000):
        # A -> DATA, ... -> Z, Z -> SACK -> A
        (sack,) = chunks_of(peer.send(*packet), Sack)
        assert len(sack.duplicate_tsns) <= MAX_DUPLICATES
        assert peer.association.receiver.held_bytes == held
    assert peer.association.counters.idupchunks == 2000
    check(peer)


def hoards() -> dict[str, list[Data]]:
    count = 1500
    return {
        "tiny messages nobody reads": [Data(a_tsn(n), 0, n, 0, b"x") for n in range(count)],
        "tiny messages out of turn": [Data(a_tsn(n), 0, n + 1, 0, b"x") for n in range(count)],
        "a message that never ends": [
            Data(a_tsn(n), 0, 0, 0, b"x", beginning=n == 0, ending=False) for n in range(count)
        ],
        "messages that never begin": [
            Data(a_tsn(2 * n + 1), n % 10, 0, 0, b"x", beginning=False, ending=False) for n in range(count)
        ],
        "every second chunk": [Data(a_tsn(2 * n + 1), 0, n, 0, b"x") for n in range(count)],
        "backwards": [Data(a_tsn(count - n), 0, count - n, 0, b"x") for n in range(count)],
        "messages below one far ahead": [
            Data(a_tsn(n), 0, 0, 0, b"x" * 500, unordered=True) for n in (60_000, *range(1, count))
        ],
        "a message to each stream": [Data(a_tsn(n), n, 1, 0, b"x") for n in range(count)],
    }


@pytest.mark.parametrize("name", hoards())
def test_a_hoard_of_tiny_chunks_takes_little_more_than_the_window(name: str) -> None:
    """X29, X33, X39: "receive memory not charged: tiny chunks, large overhead"."""
    peer = victim(Config(receive_window_bytes=WINDOW, max_inbound_streams=65535, heartbeat=False))
    receiver = peer.association.receiver
    packets = packed(hoards()[name])
    tracemalloc.start()
    for packet in packets:
        peer.send(*packet)
        del peer.heard[:]
        if peer.state is AssociationState.CLOSED:
            break
        # What fills a gap is taken on credit while that is not exceeded: by one chunk at most.
        assert receiver.held_bytes < WINDOW + 0x1_0000 + charge_of(500)
    del packets
    memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert memory < 3 * (WINDOW + 0x1_0000)
    check(peer)


def test_gaps_are_bounded_and_the_next_in_sequence_still_comes_through() -> None:
    """X29, X39: so many ranges and no more are kept, whatever the window; filling the first gap is always possible."""
    peer = victim(Config(receive_window_bytes=16_000_000, heartbeat=False))
    comb = [Data(a_tsn(2 * n + 1), 0, 0, 0, b"x", unordered=True) for n in range(MAX_GAP_RANGES + 500)]
    for packet in packed(comb):
        (sack,) = chunks_of(peer.send(*packet), Sack)
        assert len(sack.encode()) <= PACKET_CHUNK_BYTES
    assert peer.association.receiver._tsns.gap_ranges == MAX_GAP_RANGES
    peer.send(Data(a_tsn(0), 0, 0, 0, b"x", unordered=True))
    assert peer.association.receiver.cumulative_tsn == a_tsn(1)
    check(peer)


# -- control chunks --


def test_a_flood_of_heartbeats_is_answered_by_no_more_than_came() -> None:
    """X26: one packet for one packet, and no larger."""
    peer = victim()
    for packet in packed([Heartbeat(b"x" * 20)] * 2000):
        (answer,) = peer.send(*packet)
        assert len(answer.datagram.data) <= 12 + sum(len(chunk.encode()) for chunk in packet)
    check(peer)


@pytest.mark.parametrize("chunk", [Heartbeat(b"x"), UnknownChunk(0xFE, 0, b"x"), Data(A_INITIAL_TSN, 999, 0, 0, b"x")])
def test_answers_wait_in_a_bounded_queue(chunk: Encodable) -> None:
    """X26: however many packets come between two flushes."""
    peer = victim(Config(max_inbound_streams=10, heartbeat=False))
    packet = encode_packet(A_PORT, Z_PORT, peer.z_tag, [chunk.encode()])
    for _ in range(1000):
        peer.engine.receive(packet, "192.0.2.1", UDP_PORT, "192.0.2.100", peer.now)
        assert len(peer.association.output.control) <= MAX_QUEUED_CONTROL_CHUNKS
    assert len(peer.poll()) <= MAX_QUEUED_CONTROL_CHUNKS
    check(peer)


@pytest.mark.parametrize("state", [AssociationState.COOKIE_WAIT, AssociationState.COOKIE_ECHOED])
def test_one_packet_with_many_shutdown_acks_is_answered_once(state: AssociationState) -> None:
    """X26: §12.4: no more than one packet in response, for chunks that are answered alone too."""
    peer = Peer()
    peer.in_state(state)
    # A -> SHUTDOWN ACK, ... -> Z, Z -> SHUTDOWN COMPLETE -> A
    (answer,) = peer.send(*[ShutdownAck()] * 300)
    assert answer.types == (ShutdownComplete,)


def test_a_refused_init_ack_that_comes_many_times_in_a_packet_is_answered_once() -> None:
    """X26: §12.4, §3.3.3."""
    peer = Peer()
    peer.cookie_wait()
    # A -> INIT ACK [a_rwnd 0], ... -> Z, Z -> ABORT -> A
    (answer,) = peer.send(*[InitAck(A_TAG, 0, 10, 10, 1)] * 50)
    assert answer.types == (Abort,)
    assert peer.state is AssociationState.COOKIE_WAIT


def test_who_has_both_shutdown_chunks_in_one_packet_gets_the_last_word_alone() -> None:
    """X26: §12.4: the SHUTDOWN ACK that the SHUTDOWN asked for is overtaken by the end."""
    peer = Peer()
    peer.in_state(AssociationState.SHUTDOWN_SENT)
    # A -> SHUTDOWN, SHUTDOWN ACK -> Z, Z -> SHUTDOWN COMPLETE -> A
    (answer,) = peer.send(Shutdown(z_tsn(peer, -1)), ShutdownAck())
    assert answer.types == (ShutdownComplete,)
    assert peer.state is AssociationState.CLOSED


def test_an_error_with_many_causes_is_one_event_and_no_answer() -> None:
    """X30: "peer's ERROR chunk with too many causes overruns the event parser"."""
    peer = victim()
    error = Error(tuple(UnknownCause(0x4000 + n, b"") for n in range(300)))
    # A -> ERROR -> Z
    assert peer.send(error) == []
    (event,) = peer.events_of(RemoteError)
    assert event.error == 0x4000
    check(peer)


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_chunk_shorter_than_its_header_ends_the_packet_at_once(length: int) -> None:
    """X37: "chunk length 0 (or <4): endless loop"."""
    peer = victim()
    bad = Raw(bytes([6, 0, 0, length]) + bytes(1400))
    assert calls(lambda: peer.send(Heartbeat(b"before"), bad)) < 400
    assert len(chunks_of(peer.heard, HeartbeatAck)) == 1
    assert peer.state is AssociationState.ESTABLISHED
    check(peer)


# -- strangers --


def test_a_flood_of_inits_leaves_nothing_behind() -> None:
    """E09, R01, X27: §5.1.3: no state before a valid COOKIE ECHO; one answer to each, and memory stays as it was."""
    peer = Peer()
    peer.listen()

    strangers = count(1)

    def flood(packets: int) -> None:
        for number in islice(strangers, packets):
            parameters = (IPv4AddressParameter(f"203.0.113.{number % 250 + 1}"), UnknownParameter(0xC100, b"?"))
            init = Init(number, A_RWND, 10, 10, number, parameters)
            packet = encode_packet(A_PORT + number % 50, Z_PORT, 0, [init.encode()])
            source = f"10.9.{number >> 8}.{number & 255}"
            peer.engine.receive(packet, source, UDP_PORT, "192.0.2.100", peer.now)
            (answer,) = peer.engine.poll_datagrams(peer.now)
            assert answer.data[12] == InitAck.type

    # Caches by address are bounded: they are full after this many.
    flood(CACHED_ADDRESSES + 1000)
    gc.collect()
    before = sys.getallocatedblocks()
    flood(2000)
    gc.collect()
    # A table of a cache may grow once; state would be several blocks for each INIT.
    assert sys.getallocatedblocks() - before < 200
    assert not peer.endpoint.associations
    assert not peer.endpoint.accepted
    check_stack(peer.engine, [])
    assert peer.engine.next_deadline() is None


def test_a_cookie_that_is_replayed_makes_one_association() -> None:
    """X27, X32: alive it is acknowledged again, once ended its tag is quarantined for as long as cookies live."""
    peer = Peer(Config(vtag_quarantine_s=60.0, valid_cookie_life_s=60.0))
    cookie_echo = peer.cookie_echo()
    for _ in range(500):
        # A -> COOKIE ECHO -> Z, Z -> COOKIE ACK -> A
        assert len(chunks_of(peer.send(cookie_echo), CookieAck)) == 1
    (peer._association,) = peer.endpoint.accepted
    peer.endpoint.accepted.clear()
    assert peer.endpoint.associations == {peer.association}
    check(peer)
    peer.user_aborts()
    for _ in range(50):
        peer.wait(1.0)
        peer.send(cookie_echo)
        assert not peer.endpoint.associations
    # Now the cookie is stale.
    peer.wait(60.0)
    (answer,) = peer.send(cookie_echo)
    assert answer.types == (Error,)
    assert not peer.endpoint.associations


@pytest.mark.parametrize("chunk", [b"\x0a\x00\x00\x03", b"\x0a\x00\x00\x00", b"\x0a\x00\x01\x00abcd"])
def test_a_cookie_echo_that_is_no_chunk_is_silently_discarded(chunk: bytes) -> None:
    """X37, X45: a length below 4, or beyond the packet; with an association and without."""
    peer = Peer()
    peer.listen()
    assert peer.send(Raw(chunk)) == []
    assert peer.engine.counters.cookies_invalid == 1
    peer.in_state(AssociationState.ESTABLISHED)
    assert peer.send(Raw(chunk)) == []
    assert peer.engine.counters.cookies_invalid == 2
    assert peer.state is AssociationState.ESTABLISHED
