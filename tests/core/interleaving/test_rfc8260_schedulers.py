"""RFC 8260 §3: which stream's message, or chunk, goes next: each scheduler's share on the wire, with and without
I-DATA."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

import pytest

from aiosctp.wire.chunks import Data, IData, Sack
from tests.core.interleaving.script import BOTH, INTERLEAVING, PAYLOAD, RE_CONFIG, Script
from tests.core.scripted import Packet, chunks_of

WITH_OR_WITHOUT = pytest.mark.parametrize("interleaves", [True, False], ids=["I-DATA", "DATA"])
ALL = ("fcfs", "rr", "rr_packet", "priority", "fair", "weighted")


class Piece(NamedTuple):
    """A chunk sent, of either kind, and which packet it was in."""

    packet: int
    stream: int
    size: int
    first: bool
    last: bool


def opened(scheduler: str, interleaves: bool = True) -> Script:
    config = INTERLEAVING.replace(scheduler=scheduler)
    peer = Script(config, announces=BOTH if interleaves else (RE_CONFIG,)).opened()
    assert peer.association.interleaves is interleaves
    return peer


def values(peer: Script, stream: int, *, priority: int | None = None, weight: int | None = None) -> None:
    peer.association.sender.queue.set_stream_values(stream, priority=priority, weight=weight)


def pieces(packets: Iterable[Packet], start: int = 0) -> list[Piece]:
    return [
        Piece(number, chunk.stream, len(chunk.payload), chunk.beginning, chunk.ending)
        for number, packet in enumerate(packets, start)
        for chunk in packet.chunks
        if isinstance(chunk, Data | IData)
    ]


def all_sent(peer: Script) -> list[Piece]:
    """All that goes out from now on, in order, A acknowledging whatever comes, with a window that never closes."""
    packets = peer.touch() or acknowledge_all(peer)
    found: list[Piece] = []
    while packets:
        found += pieces(packets, found[-1].packet + 1 if found else 0)
        packets = acknowledge_all(peer)
    return found


def acknowledge_all(peer: Script) -> list[Packet]:
    tsns = [chunk.tsn for chunk in chunks_of(peer.heard, Data)] + [chunk.tsn for chunk in chunks_of(peer.heard, IData)]
    return peer.send(Sack(max(tsns, key=peer.z_order), 1 << 30))


def queue(peer: Script, stream: int, size: int, count: int) -> None:
    peer.z_queues(*[bytes(size)] * count, stream=stream)


def order_of(found: list[Piece]) -> list[int]:
    """The streams, chunk by chunk."""
    return [piece.stream for piece in found]


def messages_of(found: list[Piece]) -> list[int]:
    """The streams, message by message, as they begin."""
    return [piece.stream for piece in found if piece.first]


def bytes_of(found: list[Piece]) -> dict[int, int]:
    total: dict[int, int] = {}
    for piece in found:
        total[piece.stream] = total.get(piece.stream, 0) + piece.size
    return total


@pytest.mark.parametrize("scheduler", ALL)
@WITH_OR_WITHOUT
def test_all_is_sent_and_nothing_twice(scheduler: str, interleaves: bool) -> None:
    """S11: whoever chooses: each stream's messages in its order, whole, and without I-DATA not mixed."""
    peer = opened(scheduler, interleaves)
    for n in range(30):
        queue(peer, n % 4, 1 + 517 * n % 5000, 1)
    found = all_sent(peer)
    for stream in range(4):
        sizes = []
        for piece in (piece for piece in found if piece.stream == stream):
            if piece.first:
                sizes.append(0)
            sizes[-1] += piece.size
        assert sizes == [1 + 517 * n % 5000 for n in range(30) if n % 4 == stream]
    if not interleaves:
        for before, after in pairwise(found):
            assert before.last == after.first
            assert before.last or before.stream == after.stream
    assert peer.association.sender.is_drained
    peer.check()


@WITH_OR_WITHOUT
def test_first_come_first_served_keeps_the_order_of_the_calls(interleaves: bool) -> None:
    """S11: §3.1: "the order in which they have been delivered by the application. No modification of the order is done
    at all", and interleaving changes nothing."""
    peer = opened("fcfs", interleaves)
    calls = [3, 1, 1, 0, 3, 2, 0, 1]
    for n, stream in enumerate(calls):
        queue(peer, stream, 1 + n * 1000, 1)
    found = all_sent(peer)
    assert messages_of(found) == calls
    assert len([key for key, _ in groupby(found, key=lambda piece: piece.first)]) > 2, "some are in fragments"
    assert [piece.first for piece in found][1:] == [piece.last for piece in found][:-1]


def test_round_robin_takes_a_message_of_each_stream_in_turn() -> None:
    """S11: §3.2, Figure 1: without interleaving "based on the number of user messages": one of three fragments on
    streams 0 and 2, three messages of one on stream 1."""
    peer = opened("rr", False)
    queue(peer, 0, 3 * 1444, 1)
    queue(peer, 1, 1000, 3)
    queue(peer, 2, 3 * 1444, 1)
    assert messages_of(all_sent(peer)) == [0, 1, 2, 1, 1]


def test_round_robin_takes_a_chunk_of_each_stream_in_turn() -> None:
    """S11: §3.2, Figure 2: with interleaving "based on the number of I-DATA chunks"."""
    peer = opened("rr")
    queue(peer, 0, 3 * PAYLOAD, 1)
    queue(peer, 1, PAYLOAD, 3)
    queue(peer, 2, 3 * PAYLOAD, 1)
    assert order_of(all_sent(peer)) == [0, 1, 2] * 3


@WITH_OR_WITHOUT
def test_round_robin_leaves_out_who_has_nothing(interleaves: bool) -> None:
    """S11: §3.2: "by cycling around non-empty stream queues"; who comes later gets a turn."""
    peer = opened("rr", interleaves)
    for stream, count in ((5, 4), (1, 2), (9, 1)):
        queue(peer, stream, 1400, count)
    assert order_of(all_sent(peer)) == [5, 1, 9, 5, 1, 5, 5]
    queue(peer, 1, 1400, 2)
    queue(peer, 5, 1400, 1)
    assert sorted(order_of(all_sent(peer))[:2]) == [1, 5]


@WITH_OR_WITHOUT
def test_round_robin_per_packet_bundles_one_stream(interleaves: bool) -> None:
    """S11: §3.3: "It bundles only DATA or I-DATA chunks referring to the same stream in a packet", and switches "when
    starting to fill a new packet"."""
    peer = opened("rr_packet", interleaves)
    for stream in (1, 2, 3):
        queue(peer, stream, 200, 24)
    by_packet = [(packet, {piece.stream for piece in group}) for packet, group in _by_packet(all_sent(peer))]
    assert all(len(streams) == 1 for _, streams in by_packet)
    order = [streams.pop() for _, streams in by_packet]
    assert order == [1, 2, 3] * (len(order) // 3)
    assert len(order) == 3 * 24 // 6, "packets are filled: six fit"


def _by_packet(found: list[Piece]) -> list[tuple[int, list[Piece]]]:
    return [(packet, list(group)) for packet, group in groupby(found, key=lambda piece: piece.packet)]


@WITH_OR_WITHOUT
def test_priorities_are_strict(interleaves: bool) -> None:
    """S11: §3.4: "Streams having a higher priority will be scheduled first": the lower number."""
    peer = opened("priority", interleaves)
    for stream, priority in ((1, 7), (2, 0), (3, 3)):
        values(peer, stream, priority=priority)
        queue(peer, stream, 1000, 8)
    assert order_of(all_sent(peer)) == [2] * 8 + [3] * 8 + [1] * 8


def test_with_interleaving_a_large_message_does_not_delay_one_of_higher_priority() -> None:
    """S11: §3.4: "the sending of large, lower-priority user messages will not delay the sending of higher-priority user
    messages": it is in the next packet."""
    peer = opened("priority")
    values(peer, 1, priority=5)
    values(peer, 2, priority=1)
    queue(peer, 1, 100 * PAYLOAD, 1)
    assert set(order_of(pieces(peer.touch()))) == {1}
    queue(peer, 2, 3 * PAYLOAD, 1)
    peer.touch()
    after = pieces(peer.acknowledge_all())
    assert order_of(after)[:4] == [2, 2, 2, 1]
    # without, it is finished first
    peer = opened("priority", False)
    values(peer, 1, priority=5)
    values(peer, 2, priority=1)
    queue(peer, 1, 20 * 1444, 1)
    peer.touch()
    queue(peer, 2, 1000, 1)
    assert order_of(all_sent(peer))[-1] == 2


@pytest.mark.parametrize("sizes", [(100, 1000), (1000, 40), (5000, 300), (10, 1444)], ids=str)
@WITH_OR_WITHOUT
def test_fair_capacity_gives_each_stream_as_many_bytes(interleaves: bool, sizes: tuple[int, int]) -> None:
    """S11: §3.5: "considers the lengths of the messages of each stream ... to maintain an equal capacity for all
    streams": at every moment within what is sent at one time of each."""
    peer = opened("fair", interleaves)
    total = 40_000
    for stream, size in zip((1, 2), sizes, strict=True):
        queue(peer, stream, size, total // size)
    _assert_shares(all_sent(peer), {1: 1, 2: 1}, sizes, interleaves)


def _assert_shares(found: list[Piece], weights: dict[int, int], sizes: tuple[int, int], interleaves: bool) -> None:
    """While both have something to send, each has had its weight's share, but for one message, or fragment, of each."""
    totals = bytes_of(found)
    grain = max(min(size, PAYLOAD) if interleaves else size for size in sizes)
    sent = dict.fromkeys(weights, 0)
    slack = sum(grain / weight for weight in weights.values())
    looked = 0
    for piece in found:
        sent[piece.stream] += piece.size
        if any(sent[stream] == totals[stream] for stream in weights):
            break
        # a message that can't be interrupted is counted when it ends
        if interleaves or piece.last:
            looked += 1
            served = [sent[stream] / weight for stream, weight in weights.items()]
            assert max(served) - min(served) <= slack, (sent, looked)
    assert looked >= 5


@pytest.mark.parametrize("sizes", [(1000, 1000), (900, 3100), (5000, 300)], ids=str)
@WITH_OR_WITHOUT
def test_weighted_fair_queueing_shares_the_capacity_by_weight(interleaves: bool, sizes: tuple[int, int]) -> None:
    """S11: §3.6: "If the weight of stream S1 is n times the weight of stream S2, the scheduler should assign to stream
    S1 n times the capacity it assigns to stream S2": 1 to 3, at every moment, and after 1 MB."""
    peer = opened("weighted", interleaves)
    for stream, weight, size in ((1, 1, sizes[0]), (2, 3, sizes[1])):
        values(peer, stream, weight=weight)
        queue(peer, stream, size, 1_000_000 // size)
    found = all_sent(peer)
    _assert_shares(found, {1: 1, 2: 3}, sizes, interleaves)
    total = bytes_of(found[: _pieces_of(found, 1_000_000)])
    assert total[2] / total[1] == pytest.approx(3, rel=0.05)


def _pieces_of(found: list[Piece], size: int) -> int:
    """How many of the chunks make up so many bytes."""
    return next(n for n, total in enumerate(accumulate(piece.size for piece in found)) if total >= size)


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 2, 7), (100, 1, 50)], ids=str)
def test_weights_of_many_streams(weights: tuple[int, ...]) -> None:
    """S11: §3.6, with messages of one size that fill a packet."""
    peer = opened("weighted")
    shares = dict(enumerate(weights))
    for stream, weight in shares.items():
        values(peer, stream, weight=weight)
        queue(peer, stream, PAYLOAD, 200)
    found = all_sent(peer)
    sent = dict.fromkeys(shares, 0)
    for piece in found:
        sent[piece.stream] += 1
        if any(count == 200 for count in sent.values()):
            break
    expected = {stream: 1 / sum(weights) * weight for stream, weight in shares.items()}
    for stream, share in expected.items():
        assert abs(sent[stream] - share * sum(sent.values())) <= 2, sent


@pytest.mark.parametrize("before", ALL)
@pytest.mark.parametrize("after", ALL)
@WITH_OR_WITHOUT
def test_a_scheduler_is_switched_in_the_midst_of_messages(before: str, after: str, interleaves: bool) -> None:
    """S11: §4.3.2 lets it be set at any time: nothing is lost, and what holds of I-DATA chunks holds on."""
    peer = opened(before, interleaves)
    for stream in (1, 2, 3):
        queue(peer, stream, 7 * PAYLOAD + stream, 2)
    peer.touch()
    peer.association.sender.queue.set_scheduler(after)
    queue(peer, 4, 10, 1)
    all_sent(peer)
    assert bytes_of(pieces(peer.heard)) == {1: 14 * PAYLOAD + 2, 2: 14 * PAYLOAD + 4, 3: 14 * PAYLOAD + 6, 4: 10}
    peer.check()


@pytest.mark.parametrize("scheduler", ALL)
def test_retransmissions_are_no_matter_of_the_scheduler(scheduler: str) -> None:
    """RFC 9260 §6.1: what was lost goes before what is new, whatever its stream's priority is."""
    peer = opened(scheduler)
    values(peer, 1, priority=9, weight=1)
    values(peer, 2, priority=0, weight=9)
    peer.z_sends(bytes(100), stream=1)
    peer.z_queues(*[bytes(PAYLOAD)] * 20, stream=2)
    peer.touch()
    packets = peer.wait(1.05)
    assert chunks_of(packets, IData)[0].tsn == peer.z_initial_tsn
