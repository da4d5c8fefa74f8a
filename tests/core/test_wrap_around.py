"""Every serial number over its wrap: TSNs at sender and receiver, SSNs, and all that is counted from them (§1.6).

The wrap, and the half of the number space where RFC 1982 orders nothing, fall between any two chunks of an exchange in
turn: `FIRST_TSNS` begin so many chunks before one of them.
"""

from __future__ import annotations

import itertools
import random

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import CookieAck, Data, Init, InitAck, Sack, Shutdown, ShutdownAck
from aiosctp.wire.parameters import StateCookie
from tests.core.laws import check_association
from tests.core.scripted import A_RWND, A_TAG, COOKIE, Packet, Peer, chunks_of

COUNT = 8
FIRST_TSNS = [(turn - before) & 0xFFFF_FFFF for turn in (0, 0x8000_0000) for before in range(COUNT + 1)]
FULL = bytes(1400)
QUIET = Config(heartbeat=False, max_burst=100)


def tsn(first: int, n: int) -> int:
    return (first + n) & 0xFFFF_FFFF


def associate(*, z_first: int = 1, a_first: int = 1, config: Config = QUIET) -> Peer:
    """An association whose first TSN of each side is chosen."""
    peer = Peer(config)
    given = iter([0x5A5A_5A5A, z_first])
    dice = random.Random(1)
    peer.engine._entropy = peer.engine._tags.entropy = lambda size: next(given, dice.getrandbits(8 * size)).to_bytes(
        size
    )
    (init,) = chunks_of(peer.cookie_wait(), Init)
    assert init.initial_tsn == z_first
    peer.send(InitAck(A_TAG, A_RWND, 10, 10, a_first, (StateCookie(COOKIE),)))
    peer.send(CookieAck())
    assert peer.state is AssociationState.ESTABLISHED
    return peer


def sending(first: int) -> Peer:
    """COUNT full chunks are in flight, and cwnd has room for as many."""
    peer = associate(z_first=first)
    peer.path("192.0.2.1").congestion.cwnd = 2 * COUNT * 1500
    sent = tsns_of(peer.user_sends(*[FULL] * COUNT))
    assert sent == [tsn(first, n) for n in range(COUNT)]
    return peer


def tsns_of(packets: list[Packet]) -> list[int]:
    return [chunk.tsn for chunk in chunks_of(packets, Data)]


def sack(first: int, last: int, *blocks: tuple[int, int]) -> Sack:
    """Up to the chunk `last`, and the chunks from one to another beyond it."""
    return Sack(tsn(first, last), A_RWND, tuple((start - last, end - last) for start, end in blocks))


# -- the sender --


def in_fast_recovery(peer: Peer) -> bool:
    return peer.association.sender.in_fast_recovery


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
def test_each_chunk_is_acknowledged_in_turn(first: int) -> None:
    """X42, R17: the Cumulative TSN Ack Point goes over the wrap; what is older than it changes nothing."""
    peer = sending(first)
    for n in range(COUNT):
        peer.send(sack(first, n))
        assert peer.association.sender.cumulative_tsn_ack_point == tsn(first, n)
        peer.send(sack(first, n - 1))
        assert peer.association.sender.cumulative_tsn_ack_point == tsn(first, n)
        assert peer.association.sender.unacknowledged_chunks == COUNT - 1 - n
        check_association(peer.association)
    assert tsns_of(peer.user_sends(b"next")) == [tsn(first, COUNT)]


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
@pytest.mark.parametrize("lost", range(COUNT - 3))
def test_the_third_report_retransmits_the_one_that_is_missing(first: int, lost: int) -> None:
    """X38, X42, R17: Fast Retransmit and the exit of Fast Recovery, over the wrap (§7.2.4)."""
    peer = sending(first)
    assert tsns_of(peer.send(sack(first, lost - 1, (lost + 1, lost + 1)))) == []
    assert tsns_of(peer.send(sack(first, lost - 1, (lost + 1, lost + 2)))) == []
    assert tsns_of(peer.send(sack(first, lost - 1, (lost + 1, lost + 3)))) == [tsn(first, lost)]
    assert in_fast_recovery(peer)
    if lost + 3 < COUNT - 1:
        peer.send(sack(first, COUNT - 2))
        assert in_fast_recovery(peer)
    peer.send(sack(first, COUNT - 1))
    assert not in_fast_recovery(peer)
    assert peer.association.sender.is_drained
    check_association(peer.association)


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
@pytest.mark.parametrize("acknowledged", range(COUNT))
def test_t3_retransmits_what_is_left_lowest_tsn_first(first: int, acknowledged: int) -> None:
    """X42, R18: "lowest TSN first" (§6.10) is not the smallest number (§6.3.3)."""
    peer = sending(first)
    peer.send(sack(first, acknowledged - 1))
    resent = []
    for n in range(acknowledged, COUNT):
        packet = peer.next_packet(Data)
        resent.append(tsns_of([packet])[0])
        peer.send(sack(first, n))
        if n + 1 < COUNT:
            # Slow start: two go out for one. What was sent with it is not answered, until its own T3.
            assert set(tsns_of(peer.heard)) == {tsn(first, each) for each in range(COUNT)}
    assert resent[0] == tsn(first, acknowledged)
    order = [(each - first) & 0xFFFF_FFFF for each in resent]
    assert order == sorted(order)
    assert peer.association.sender.is_drained
    check_association(peer.association)


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
def test_what_is_taken_back_is_in_flight_again(first: int) -> None:
    """R17, X42: §6.2.1 D iii; every gap, given and taken back."""
    peer = sending(first)
    path = peer.path("192.0.2.1")
    in_flight = path.flight_bytes
    for start, end in itertools.combinations_with_replacement(range(1, COUNT), 2):
        peer.send(sack(first, -1, (start, end)))
        peer.send(sack(first, -1))
        check_association(peer.association)
        if peer.association.counters.rtxchunks == 0:
            assert path.flight_bytes == in_flight


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
@pytest.mark.parametrize("n", [COUNT, COUNT + 1, COUNT + 0x7FFF, 0x7FFF_FFFE])
def test_what_was_never_sent_is_told_from_what_is_old(first: int, n: int) -> None:
    """R17, X42: up to 2^31 - 1 ahead of the Cumulative TSN Ack Point it is new, and never sent; beyond, old."""
    peer = sending(first)
    peer.send(sack(first, n))
    assert peer.state is AssociationState.CLOSED
    peer = sending(first)
    for old in (-2, -n, -0x7FFF_FFFF, 0x7FFF_FFFF):
        assert peer.send(sack(first, old)) == []
        assert peer.association.sender.unacknowledged_chunks == COUNT
    assert peer.state is AssociationState.ESTABLISHED


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
def test_a_shutdown_acknowledges_over_the_wrap(first: int) -> None:
    """M06, X42: §9.2: the peer's SHUTDOWN, and then the last TSN that ours names."""
    peer = sending(first)
    peer.send(Shutdown(tsn(first, COUNT - 2)))
    assert peer.state is AssociationState.SHUTDOWN_RECEIVED
    (packet,) = peer.send(Shutdown(tsn(first, COUNT - 1)))
    assert packet.types == (ShutdownAck,)


# -- the receiver --


def model_sack(first: int, received: set[int]) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The Cumulative TSN Ack and the Gap Ack Blocks for these chunks, by counting."""
    last = -1
    while last + 1 in received:
        last += 1
    blocks: list[tuple[int, int]] = []
    for n in sorted(each for each in received if each > last):
        if blocks and blocks[-1][1] == n - last - 1:
            blocks[-1] = (blocks[-1][0], n - last)
        else:
            blocks.append((n - last, n - last))
    return tsn(first, last), tuple(blocks)


def arrivals(seed: int) -> list[int]:
    """Each chunk at least once, in some order, some of them twice."""
    numbers = list(range(COUNT)) + random.Random(f"{seed}/twice").sample(range(COUNT), 3)
    random.Random(f"{seed}/order").shuffle(numbers)
    return numbers


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
@pytest.mark.parametrize("seed", range(6))
def test_gaps_and_duplicates_are_reported_as_they_are(first: int, seed: int) -> None:
    """X42, R15: each SACK against a model that counts chunks; each message arrives once."""
    peer = associate(a_first=first)
    received: set[int] = set()
    for n in arrivals(seed):
        sacks = chunks_of(peer.send(Data(tsn(first, n), 0, 0, 0, bytes([n]), unordered=True)), Sack)
        duplicates = (tsn(first, n),) if n in received else ()
        received.add(n)
        sacks += chunks_of(peer.wait(0.3), Sack)
        cumulative, blocks = model_sack(first, received)
        assert [(each.cumulative_tsn_ack, each.gap_ack_blocks, each.duplicate_tsns) for each in sacks] == [
            (cumulative, blocks, duplicates)
        ]
        check_association(peer.association)
    assert sorted(message.data[0] for message in peer.user_reads()) == list(range(COUNT))


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
@pytest.mark.parametrize("seed", range(3))
def test_fragments_meet_over_the_wrap(first: int, seed: int) -> None:
    """X42: two messages, cut anywhere, in any order (§6.9)."""
    for cut in range(1, COUNT):
        peer = associate(a_first=first)
        for n in arrivals(seed):
            message, begins, ends = (0, 0, cut - 1) if n < cut else (1, cut, COUNT - 1)
            fragment = Data(tsn(first, n), 3, message, 0, bytes([n]), beginning=n == begins, ending=n == ends)
            peer.send(fragment)
        assert [message.data for message in peer.user_reads()] == [bytes(range(cut)), bytes(range(cut, COUNT))]
        check_association(peer.association)


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
def test_our_shutdown_names_the_last_tsn_in_sequence(first: int) -> None:
    """M06, X42: wherever that is (§9.2)."""
    for count in range(COUNT):
        peer = associate(a_first=first)
        for n in range(count):
            peer.send(Data(tsn(first, n), 0, 0, 0, b"x", unordered=True))
        (shutdown,) = chunks_of(peer.user_shuts_down(), Shutdown)
        assert shutdown.cumulative_tsn_ack == tsn(first, count - 1)


@pytest.mark.parametrize("first", FIRST_TSNS, ids=hex)
def test_a_tsn_half_the_numbers_away_is_neither_taken_nor_disturbs(first: int) -> None:
    """X42: §1.6: nothing there can be of this window."""
    peer = associate(a_first=first)
    for ahead in (0x1_0001, 0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, -1, -2):
        peer.send(Data(tsn(first, ahead), 0, 0, 0, b"far", unordered=True))
        assert peer.association.receiver.cumulative_tsn == tsn(first, -1)
        assert not peer.association.receiver.has_gap
    peer.send(Data(first, 0, 0, 0, b"next", unordered=True))
    assert [message.data for message in peer.user_reads()] == [b"next"]


# -- stream sequence numbers --

SSN_STARTS = [(turn - before) & 0xFFFF for turn in (0, 0x8000) for before in range(COUNT + 1)]


@pytest.mark.parametrize("start", SSN_STARTS, ids=hex)
def test_ssns_are_numbered_over_the_wrap(start: int) -> None:
    """X42: §6.5: "When the Stream Sequence Number reaches the value 65535, the next ... MUST be set to 0"."""
    peer = associate()
    peer.user_sends(b"makes the stream")
    stream = peer.association.sender.queue.find_stream(0)
    assert stream is not None
    stream.next_ssn = start
    peer.acknowledge(1)
    sent = chunks_of(peer.user_sends(*[b"x"] * COUNT), Data)
    assert [chunk.ssn for chunk in sent] == [(start + n) & 0xFFFF for n in range(COUNT)]


@pytest.mark.parametrize("start", SSN_STARTS, ids=hex)
@pytest.mark.parametrize("seed", range(4))
def test_messages_are_delivered_in_order_over_the_wrap(start: int, seed: int) -> None:
    """X42: §6.6: whatever order they come in, on two streams that are at different places."""
    peer = associate(a_first=0xFFFF_FFFA)
    expected = {0: start, 5: (start + 3) & 0xFFFF}
    peer.association.receiver._streams.expected_ssns = dict(expected)
    for n in arrivals(seed):
        stream = 5 if n % 2 else 0
        ssn = (expected[stream] + n // 2) & 0xFFFF
        peer.send(Data(tsn(0xFFFF_FFFA, n), stream, ssn, 0, bytes([n])))
    read = [(message.stream, message.data[0]) for message in peer.user_reads()]
    assert [n for stream, n in read if stream == 0] == [0, 2, 4, 6]
    assert [n for stream, n in read if stream == 5] == [1, 3, 5, 7]
    check_association(peer.association)


def test_a_stream_of_more_messages_than_there_are_numbers() -> None:
    """X42: all 65536 of them and some, through both sides' real counters."""
    config = QUIET.replace(receive_window_bytes=2**30)
    peer = associate(a_first=0xFFFF_0000, config=config)
    per_packet = 64
    total = 0x1_0000 + 2 * per_packet
    for first in range(0, total, per_packet):
        peer.send(*(Data(tsn(0xFFFF_0000, n), 0, n & 0xFFFF, n, b"x") for n in range(first, first + per_packet)))
        peer.heard.clear()
        assert [message.ppid for message in peer.user_reads()] == list(range(first, first + per_packet))
    assert peer.state is AssociationState.ESTABLISHED
