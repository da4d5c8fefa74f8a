"""RFC 8260: whatever Z's user sends and gives up, whatever is lost, a receiver that knows the RFC alone gets what it
should: `Reader` is one, written for these tests."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import SendFailed
from aiosctp.wire.chunks import IForwardTsn, Sack
from tests.core.interleaving.script import (
    I_DATA,
    INTERLEAVING,
    PAYLOAD,
    Script,
    Sent,
    interleaving,
    kinds_of_data,
    sent_in,
)
from tests.core.scripted import Packet, chunks_of

SCHEDULERS = ("fcfs", "rr", "rr_packet", "priority", "fair", "weighted")
LASTING = INTERLEAVING.replace(association_max_retrans=1000, path_max_retrans=1000, rto_max_s=2.0)


class Reader:
    """The receiving side of RFC 8260 §2.2.3 and §2.3.1, as simply as can be: nothing is bounded, and TSNs are counted
    from 0."""

    def __init__(self, peer: Script) -> None:
        self._peer = peer
        self._came: set[int] = set()
        self.cumulative = -1
        self._fragments: dict[tuple[int, bool, int], dict[int, Sent]] = {}
        self._expected: dict[int, int] = {}
        self.read: list[tuple[int, bool, bytes]] = []

    def takes(self, packet: Packet) -> None:
        # In whatever order a packet has them: the point moves first.
        for forward in chunks_of([packet], IForwardTsn):
            self._forward(forward)
        for chunk in sent_in([packet]):
            tsn = self._peer.z_order(chunk.tsn)
            if tsn > self.cumulative and tsn not in self._came:
                self._came.add(tsn)
                self._fragments.setdefault((chunk.stream, chunk.is_unordered, chunk.mid), {})[chunk.fsn] = chunk
        while self.cumulative + 1 in self._came:
            self.cumulative += 1
        self._deliver()

    def _forward(self, forward: IForwardTsn) -> None:
        self.cumulative = max(self.cumulative, self._peer.z_order(forward.new_cumulative_tsn))
        self._deliver()
        for stream, unordered, mid in forward.skipped:
            if not unordered:
                for each in range(self._expected.get(stream, 0), mid + 1):
                    self._give(stream, unordered, each)
                self._expected[stream] = max(mid + 1, self._expected.get(stream, 0))
            for key in [key for key in self._fragments if key[:2] == (stream, unordered) and key[2] <= mid]:
                del self._fragments[key]
        self._deliver()

    def _deliver(self) -> None:
        for stream, unordered, mid in list(self._fragments):
            if unordered:
                self._give(stream, unordered, mid)
        for stream in range(10):
            while self._give(stream, False, self._expected.get(stream, 0)):
                self._expected[stream] = self._expected.get(stream, 0) + 1

    def _give(self, stream: int, unordered: bool, mid: int) -> bool:
        fragments = self._fragments.get((stream, unordered, mid), {})
        ordered = [fragments[fsn] for fsn in sorted(fragments)]
        if [each.fsn for each in ordered] != list(range(len(ordered))) or not ordered or not ordered[-1].is_ending:
            return False
        del self._fragments[stream, unordered, mid]
        self.read.append((stream, unordered, b"".join(each.payload for each in ordered)))
        return True

    @property
    def sack(self) -> Sack:
        gaps: list[tuple[int, int]] = []
        for tsn in sorted(tsn for tsn in self._came if tsn > self.cumulative):
            offset = tsn - self.cumulative
            if gaps and gaps[-1][1] == offset - 1:
                gaps[-1] = gaps[-1][0], offset
            else:
                gaps.append((offset, offset))
        return Sack(self._peer.z_tsn(self.cumulative), 100_000, tuple(gaps))


def exchange(peer: Script, reader: Reader, packets: Iterable[Packet], dice: random.Random, loss: float) -> None:
    """These packets, and what comes of their SACKs; each is lost by chance, as each SACK is."""
    waiting = list(packets)
    while waiting:
        came = [packet for packet in waiting if dice.random() >= loss]
        dice.shuffle(came)
        waiting = []
        for packet in came:
            reader.takes(packet)
            if dice.random() >= loss and peer.state is AssociationState.ESTABLISHED:
                waiting += peer.send(reader.sack)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("loss", [0.0, 0.2, 0.5])
def test_every_message_is_read_whole_or_reported_once(seed: int, loss: float) -> None:
    """S10, S11, E01, X04, X43: reliable ones all, ordered ones in order, none twice, and none that is neither read nor
    reported; in the end nothing is left to send."""
    dice = random.Random(seed)
    peer = interleaving(LASTING.replace(scheduler=dice.choice(SCHEDULERS)))
    peer.numbers = None
    reader = Reader(peer)
    given: dict[bytes, bool] = {}
    for n in range(30):
        size = dice.choice([1, 5, 200, PAYLOAD // 5, PAYLOAD, 2000])
        text = b"%03d;" % n * size
        stream, unordered = dice.randrange(3), dice.random() < 0.3
        policy: dict[str, float] = dice.choice(
            [{}, {}, {"lifetime_s": dice.choice([0.0, 0.3, 3.0])}, {"max_retransmits": dice.randrange(3)}]
        )
        given[text] = bool(policy)
        peer.z_queues(text, stream=stream, unordered=unordered, **policy)  # type: ignore[arg-type]  # one of them
        if dice.random() < 0.1:
            peer.association.sender.queue.set_scheduler(dice.choice(SCHEDULERS))
        exchange(peer, reader, peer.touch(), dice, loss)
        exchange(peer, reader, peer.wait(dice.choice([0.0, 0.1, 1.0, 2.5])), dice, loss)
        peer.check()
    for _ in range(60):
        exchange(peer, reader, peer.wait(2.0), dice, 0.0)
    assert peer.association.sender.is_drained
    peer.check()

    read = [data for _, _, data in reader.read]
    reported = [event.data for event in peer.events_of(SendFailed)]
    assert set(read) <= set(given)
    assert len(read) == len(set(read))
    assert len(reported) == len(set(reported))
    assert {data for data, may_fail in given.items() if not may_fail} <= set(read)
    assert not {data for data, may_fail in given.items() if not may_fail} & set(reported)
    assert set(given) == set(read) | set(reported)
    for stream in range(3):
        ordered = [data[:3] for number, unordered, data in reader.read if number == stream and not unordered]
        assert ordered == sorted(ordered)
    assert kinds_of_data(peer.heard) == {I_DATA}
