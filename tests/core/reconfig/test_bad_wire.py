"""Resets in mid-transfer on a wire that loses and reorders: nothing is lost, and before and after are apart."""

from __future__ import annotations

import random

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.reconfig import Outcome, Request
from tests.core.pair import Flight
from tests.core.reconfig.bench import Resets

STREAMS = range(6)
CONFIG = Config(peer_may_reset_association=True, rto_min_s=0.2, rto_initial_s=0.5, max_burst=10)


class Storm:
    """Both users send, and ask for this and that; each stream has a reader of its own."""

    def __init__(self, seed: int, config: Config = CONFIG) -> None:
        self.random = random.Random(seed)
        self.resets = Resets(config, config, seed=seed)
        pair = self.resets.pair
        pair.drop = self._weather
        self.loss = self.random.choice((0.0, 0.05, 0.2))
        self.told: dict[AssociationEngine, dict[int, list[str]]] = {}
        self.heard: dict[AssociationEngine, dict[int, list[str]]] = {}
        for engine in self.engines:
            self.told[engine] = {stream: [] for stream in STREAMS}
            self.heard[engine] = {stream: [] for stream in STREAMS}
            for stream in STREAMS:
                engine.receiver.take_over(stream)
        self.requests: list[Request] = []

    @property
    def engines(self) -> tuple[AssociationEngine, AssociationEngine]:
        return self.resets.a, self.resets.z

    def other(self, engine: AssociationEngine) -> AssociationEngine:
        return self.resets.z if engine is self.resets.a else self.resets.a

    def _weather(self, flight: Flight) -> bool:
        pair = self.resets.pair
        pair.latency_s = self.random.choice((0.01, 0.01, 0.01, 0.03, 0.2))
        return self.random.random() < self.loss

    def send(self, engine: AssociationEngine) -> None:
        stream = self.random.choice(STREAMS)
        text = f"{stream}/{len(self.told[engine][stream])}/"
        text += "x" * self.random.choice((0, 0, 10, 2000, 20_000))
        self.told[engine][stream].append(text)
        self.resets.send(engine, text, stream=stream)

    def reset(self, engine: AssociationEngine) -> None:
        streams = self.random.sample(STREAMS, self.random.randrange(1, 4))
        self.requests.append(self.resets.ask(engine.reset_outgoing(streams), engine))
        for stream in streams:
            told = self.told[engine][stream]
            if not told or told[-1] != "|":
                told.append("|")

    def ask_for_anything(self, engine: AssociationEngine) -> None:
        match self.random.randrange(5):
            case 0:
                streams = self.random.sample(STREAMS, self.random.randrange(1, 4))
                request = engine.reset_incoming(streams)
            case 1:
                request = engine.reset_association()
            case 2:
                request = engine.add_outgoing_streams(self.random.randrange(1, 5))
            case 3:
                request = engine.add_incoming_streams(self.random.randrange(1, 5))
            case _:
                request = engine.reset_outgoing(range(engine.tcb.outbound_streams))
        self.requests.append(self.resets.ask(request, engine))

    def read(self) -> None:
        for engine in self.engines:
            for stream in STREAMS:
                self.heard[engine][stream] += self.resets.read(engine, stream)

    def pass_time(self) -> None:
        self.resets.pair.run_for(self.random.choice((0.0, 0.005, 0.02, 0.1)))
        self.read()
        self.resets.check()

    def settle(self) -> None:
        pair = self.resets.pair

        def is_quiet() -> bool:
            self.read()
            return all(request.outcome is not None for request in self.requests) and all(
                engine.sender.is_drained and engine.sender.queue.held is None for engine in self.engines
            )

        pair.run_until(is_quiet)
        pair.run_for(5.0)
        self.read()
        self.resets.check()
        for engine in self.engines:
            assert engine.ending is None
            assert engine.sender.queue.held is None
            assert engine.receiver.held_bytes == 0


@pytest.mark.parametrize("seed", range(25))
def test_marks_stand_where_streams_were_reset(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(120):
        engine = storm.random.choice(storm.engines)
        storm.random.choice((storm.send, storm.send, storm.reset))(engine)
        if storm.random.random() < 0.5:
            storm.pass_time()
    storm.settle()
    assert {request.outcome for request in storm.requests} == {Outcome.DONE}
    for engine in storm.engines:
        for stream in STREAMS:
            heard = storm.heard[storm.other(engine)][stream]
            # A reader that has read a mark is shown the next one too, though nothing came between them.
            told = storm.told[engine][stream]
            assert _without_repeats(heard) == told


@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_asked_for_nothing_is_lost_or_out_of_order(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(120):
        engine = storm.random.choice(storm.engines)
        storm.random.choice((storm.send, storm.send, storm.ask_for_anything))(engine)
        if storm.random.random() < 0.5:
            storm.pass_time()
    storm.settle()
    for engine in storm.engines:
        for stream in STREAMS:
            heard = storm.heard[storm.other(engine)][stream]
            assert [text for text in heard if text != "|"] == storm.told[engine][stream]


def _without_repeats(texts: list[str]) -> list[str]:
    return [text for at, text in enumerate(texts) if text != "|" or at == 0 or texts[at - 1] != "|"]
