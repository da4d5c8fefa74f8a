"""Random messages, cut anywhere, over a wire that loses, repeats and reorders: exactly once, in order, and bounded."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from aiosctp.config import Config
from aiosctp.wire.causes import Cause
from aiosctp.wire.chunks import Data, Sack
from tests.core.rx.bench import Bench, data

WINDOW = 6000


@dataclass
class Peer:
    """A sender without congestion control: everything not acknowledged comes again until it is."""

    random: Random
    partial_delivery_point_bytes: int
    chunks: list[Data] = field(default_factory=list)
    sent: dict[tuple[int, bool], list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def add_messages(self, count: int) -> None:
        ssns: dict[int, int] = defaultdict(int)
        for number in range(count):
            stream = self.random.randrange(4)
            unordered = self.random.random() < 0.3
            pieces = [self.random.randbytes(self.random.randint(1, 900)) for _ in range(self.random.randint(1, 8))]
            for index, piece in enumerate(pieces):
                flags = "U" * unordered + "B" * (index == 0) + "E" * (index == len(pieces) - 1)
                self.chunks.append(
                    data(len(self.chunks), flags, ssn=ssns[stream], stream=stream, payload=piece, ppid=number)
                )
            ssns[stream] += not unordered
            self.sent[stream, unordered].append(b"".join(pieces))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    messages=st.integers(1, 25),
    loss=st.floats(0, 0.5),
    repeats=st.floats(0, 0.3),
    reading=st.sampled_from([0.02, 0.3, 1.0]),
    partial=st.booleans(),
    flight_chunks=st.integers(1, 40),
    point=st.sampled_from([300, 1500, WINDOW]),
)
def test_every_message_arrives_exactly_once_and_in_the_order_of_its_stream(
    seed: int, messages: int, loss: float, repeats: float, reading: float, partial: bool, flight_chunks: int, point: int
) -> None:
    """R15, R19, R20, E07, E08, X38, X39: with a peer that ignores the window, so that data is dropped and reneged."""
    random = Random(seed)
    config = Config(receive_window_bytes=WINDOW, partial_delivery_point_bytes=point)
    bench = Bench(config=config)
    peer = Peer(random, point)
    peer.add_messages(messages)
    received: dict[tuple[int, bool], list[bytes]] = defaultdict(list)
    in_parts: dict[int, bytes] = {}

    def read() -> None:
        message = bench.receiver.read(partial=partial)
        if message is None:
            return
        whole = in_parts.pop(message.stream, b"") + message.data
        if message.end_of_record:
            received[message.stream, message.unordered].append(whole)
        else:
            assert partial
            in_parts[message.stream] = whole

    cumulative = 0
    """How many chunks are acknowledged for good."""
    # One chunk a round at worst, and its space only once the reader has come for it, ten times over.
    for _round in range(round(10 * len(peer.chunks) / reading) + 500):
        if cumulative == len(peer.chunks):
            break
        flight = peer.chunks[cumulative : cumulative + flight_chunks]
        flight = [chunk for chunk in flight if random.random() >= loss]
        flight += [chunk for chunk in flight if random.random() < repeats]
        random.shuffle(flight)
        for chunk in flight:
            assert bench.packet(chunk) is None
            assert bench.receiver.held_bytes <= WINDOW + 0x1_0000 + 900
            if random.random() < reading:
                read()
        acknowledged = acknowledged_chunks(bench.sack(), peer)
        assert acknowledged >= cumulative, "what is acknowledged for good stays so"
        cumulative = acknowledged
        if random.random() < reading:
            read()
    else:
        raise AssertionError("the association hangs")
    while bench.receiver.has_message():
        read()
    bench.receiver.check_invariants()
    assert not in_parts
    assert bench.receiver.held_bytes == 0
    for (stream, unordered), wanted in peer.sent.items():
        got = received[stream, unordered]
        assert sorted(got) == sorted(wanted) if unordered else got == wanted
    assert sum(map(len, received.values())) == messages


def acknowledged_chunks(sack: Sack, peer: Peer) -> int:
    return (sack.cumulative_tsn_ack + 1 - peer.chunks[0].tsn) & 0xFFFF_FFFF


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from(["B", "E", "BE", "", "UB", "UE", "UBE", "U", "IBE"]),
            st.integers(0, 3),
            st.integers(0, 3),
            st.sampled_from([0, 1, 300, 900, 3000]),
            st.sampled_from(["read", "parts", "sack", "take over", "nothing"]),
        ),
        max_size=60,
    )
)
def test_no_sequence_of_chunks_breaks_an_invariant(steps: list[tuple[int, str, int, int, int, str]]) -> None:
    """Whatever a peer says: a cause or nothing, never an exception, and bounded memory."""
    bench = Bench(inbound_streams=3, config=Config(receive_window_bytes=WINDOW, max_message_bytes=WINDOW))
    cause: Cause | None = None
    for n, flags, stream, ssn, size, action in steps:
        cause = bench.packet(data(n, flags, stream=stream, ssn=ssn, payload=size))
        if cause is not None and stream < 3:
            break
        if action in ("read", "parts"):
            bench.receiver.read(partial=action == "parts")
        elif action == "sack":
            bench.sack()
        elif action == "take over":
            bench.receiver.take_over(stream)
        bench.receiver.check_invariants()
        assert bench.receiver.held_bytes <= WINDOW + 0x1_0000 + 3000
    bench.receiver.abort_partial_delivery()
    bench.receiver.check_invariants()
