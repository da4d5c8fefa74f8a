"""A peer that says anything at all, and never breaks off: no exception, every bound kept, every count right."""

from __future__ import annotations

from random import Random

import pytest

from aiosctp.config import Config
from aiosctp.core.charge import MIN_CHARGE_BYTES
from aiosctp.wire.causes import InvalidStreamIdentifier
from aiosctp.wire.chunks import DATA_FORMAT, I_DATA_FORMAT, DataFormat, UserData
from tests.core.rx.bench import Bench, data, i_data, tsn_of

STREAMS = 3
WINDOW = 6000
OVERDRAFT_BYTES = 0x1_0000 + 1400
FLAGS = ("BE", "B", "", "E", "UBE", "UB", "U", "UE", "IBE")


class Hostile:
    """Mostly near what would be right: what is far off is refused early."""

    def __init__(self, seed: int, format: DataFormat) -> None:
        self.random = Random(seed)
        self.format = format
        self.begin()

    def begin(self) -> None:
        random = self.random
        point = random.choice((1, 1000, WINDOW))
        self.bench = Bench(
            inbound_streams=STREAMS,
            config=Config(receive_window_bytes=WINDOW, partial_delivery_point_bytes=point),
            format=self.format,
            goes_short_way=random.random() < 0.5,
            sends_nr_sacks=random.random() < 0.5,
        )
        self.next = 0

    def number(self) -> int:
        random = self.random
        return random.choice((0, 0, 1, 1, 2, 3, random.randrange(8), random.getrandbits(16), -1)) & 0xFFFF

    def n(self) -> int:
        random = self.random
        return self.next + random.choice((0, 0, 0, 1, 1, 2, 3, 5, random.randrange(-3, 20), random.getrandbits(17)))

    def chunk(self) -> UserData:
        random = self.random
        flags, payload = random.choice(FLAGS), random.choice((1, 1, 300, 1400))
        stream = random.choice((0, 0, 0, 1, 2, random.randrange(5)))
        if self.format.counts_fragments:
            fsn = 0 if "B" in flags else random.choice((1, 1, 2, 2, 3, 0xFFFF_FFFF, 0x8000_0000))
            return i_data(self.n(), flags, mid=self.number(), fsn=fsn, stream=stream, payload=payload)
        return data(self.n(), flags, ssn=self.number(), stream=stream, payload=payload)

    def step(self) -> None:
        random, bench = self.random, self.bench
        what = random.random()
        if what < 0.55:
            cause = bench.packet(*(self.chunk() for _ in range(random.choice((1, 1, 2, 5)))))
            if cause is not None and not isinstance(cause, InvalidStreamIdentifier):
                bench.receiver.abort_partial_delivery()
                if not bench.sends_nr_sacks:  # there will be no SACK to say what was let go of
                    bench.receiver.check_invariants()
                self.begin()
                return
            self._reset_if_due()
        elif what < 0.72:
            unordered = self.format.counts_fragments and random.random() < 0.5
            skipped = [(random.randrange(5), unordered, self.number()) for _ in range(random.randrange(4))]
            bench.forward(self.n(), *skipped)
            self._reset_if_due()
        elif what < 0.85:
            bench.read_all(partial=random.random() < 0.5)
        elif what < 0.93:
            bench.receiver.build_sack(random.choice((100, 1400)))
        else:
            self._begin_anew()
        receiver = self.bench.receiver
        self.next = (receiver.cumulative_tsn + 1 - tsn_of(0)) & 0xFFFF_FFFF
        assert receiver.held_bytes <= WINDOW + OVERDRAFT_BYTES
        # What is held charges the window, message by message: nothing else is kept of what a peer says.
        assert len(receiver._reassembly) <= (WINDOW + OVERDRAFT_BYTES) // MIN_CHARGE_BYTES

    def _reset_if_due(self) -> None:
        """As the association does, after each packet."""
        renewal = self.bench.receiver.renewal
        if renewal.deferred_reset_is_due:
            streams = self.random.choice((None, [0], [0, 1]))
            renewal.end_streams(streams)
            self.bench.receiver.check_invariants()
            if renewal.begin_streams_anew(streams) is not None:
                self.begin()
            self.bench.receiver.check_invariants()

    def _begin_anew(self) -> None:
        random = self.random
        renewal = self.bench.receiver.renewal
        if renewal.deferred is not None:
            return
        if renewal.awaited is not None:
            if random.random() < 0.5:
                renewal.tsn_reset_refused()
            else:
                renewal.tsn_reset_done(tsn_of(self.next + random.choice((0, 0, 5, -1))))
        else:
            match random.randrange(4):
                case 0:
                    last_tsn = tsn_of(self.next + random.choice((0, 1, 5)))
                    renewal.defer_reset(last_tsn, random.choice((None, [0], [1, 2])))
                case 1:
                    renewal.expect_tsn_reset()
                case 2:
                    renewal.begin_tsns_anew(tsn_of(self.next + random.choice((0, 1, 1 << 31))))
                case _:
                    streams = [random.randrange(STREAMS)]
                    renewal.end_streams(streams)
                    self.bench.receiver.check_invariants()
                    assert renewal.begin_streams_anew(streams) is None
        self.bench.receiver.check_invariants()


@pytest.mark.parametrize("format", [DATA_FORMAT, I_DATA_FORMAT], ids=["DATA", "I-DATA"])
@pytest.mark.parametrize("block", range(3))
def test_whatever_a_peer_says_is_borne(format: DataFormat, block: int) -> None:
    """Q13, X04, X07, X33: with one association's memory, and no exception."""
    for seed in range(40 * block, 40 * block + 40):
        hostile = Hostile(seed, format)
        for _ in range(200):
            hostile.step()
