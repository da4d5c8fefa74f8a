"""Two engines and a wire, without sockets and without a clock: what the engine's own cost is measured on.

A wake-up is as in `aiosctp.stack`: everything that has come is received, then everything there is to say is polled,
once. What the engine does in there is measured by the `Measure` that a host was given; the wire costs nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, Protocol, TypeVar

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram, split
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.messages import Message, OutgoingMessage
from aiosctp.core.stack import StackEngine
from aiosctp.core.states import AssociationState

UDP_PORT = 9899
SERVER_PORT = 7777
LATENCY_S = 0.0001
MAX_TURNS = 100_000
"""What does not end by then never will."""
PACKETS_PER_WAKE_UP: Final = 64
"""So many come at once while a flow is at full speed: a run of UDP GRO."""

T = TypeVar("T")


class Measure(Protocol):
    """Does the work, and says what it took: instructions, or nanoseconds."""

    def __call__(self, work: Callable[[], object], /) -> int: ...


class Host:
    """A stack engine at one address. `spent` is what its work has taken."""

    def __init__(self, address: str, config: Config, measure: Measure) -> None:
        self.address = address
        self.engine = StackEngine(config=config, local_addresses=(address,), entropy=random.Random(address).randbytes)
        self.received: list[Message] = []
        self.said: list[Datagram] = []
        self.spent = 0
        self._measure = measure

    def do(self, work: Callable[[], T]) -> T:
        results: list[T] = []
        self.spent += self._measure(lambda: results.append(work()))
        return results[0]

    def wake_up(self, datagrams: Iterable[Datagram], source: str, now: float) -> None:
        """Take these, let the program read, and say what there is to say."""
        self.said += self.do(partial(self._wake_up, datagrams, source, now))

    def time_out(self, now: float) -> None:
        self.do(partial(self.engine.handle_timeout, now))
        self.wake_up((), "", now)

    def _wake_up(self, datagrams: Iterable[Datagram], source: str, now: float) -> list[Datagram]:
        engine = self.engine
        for datagram in datagrams:
            engine.receive(datagram.data, source, UDP_PORT, self.address, now, datagram.segment_bytes)
        said = engine.poll_datagrams(now)
        for association in engine.poll_changed():
            association.poll_events()
            receiver = association.receiver
            while (message := receiver.read()) is not None:
                self.received.append(message)
            if receiver.sack_is_due and association.ending is None:
                # The read has opened the window again (§6.2).
                engine.touch(association)
                said = said + engine.poll_datagrams(now)
        return said


class Engines:
    """Host `a`, which connects, and host `z`, which listens. `is_lost` is asked for each packet; by default none is."""

    def __init__(self, measure: Measure, config: Config | None = None) -> None:
        self.config = config or Config()
        self.a = Host("192.0.2.1", self.config, measure)
        self.z = Host("192.0.2.2", self.config, measure)
        self.is_lost: Callable[[Datagram], bool] | None = None
        self.now = 1000.0
        self._server: Endpoint = self.z.engine.open_endpoint(SERVER_PORT, (self.z.address,), self.config)
        self._server.listen(config=self.config, backlog=65535, max_associations=None, admit=None)

    def connect(self, count: int = 1) -> list[tuple[AssociationEngine, AssociationEngine]]:
        """So many associations, opened at once, both ends of each: one from each of as many ports."""
        ours = [self.a.do(self._connect) for _ in range(count)]
        self.a.wake_up((), "", self.now)
        self.run_until(lambda: len(self._server.accepted) == count and all(map(_is_established, ours)))
        theirs = {association.peer_port: association for association in self._server.accepted}
        self._server.accepted.clear()
        return [(association, theirs[association.local_port]) for association in ours]

    def _connect(self) -> AssociationEngine:
        engine = self.a.engine
        endpoint = engine.open_endpoint(0, (self.a.address,), self.config)
        return engine.connect(
            endpoint, (self.z.address,), SERVER_PORT, udp_port=UDP_PORT, config=self.config, now=self.now
        )

    def forget_cost(self) -> None:
        """Count anew from here."""
        self.a.spent = self.z.spent = 0

    def send(self, host: Host, association: AssociationEngine, payloads: Iterable[bytes], stream: int = 0) -> None:
        """The program sends these messages in one turn of its loop."""
        host.do(partial(_send, host.engine, association, payloads, stream))
        host.wake_up((), "", self.now)

    def deliver(self, count: int) -> None:
        """Go on until z's program has read so many messages more, and a has heard that they arrived."""
        self.z.received.clear()
        self.run_until(lambda: len(self.z.received) >= count)
        assert len(self.z.received) == count, "more messages came than were sent"
        self.run_until(lambda: all(each.sender.is_drained for each in self._associations()))

    def run_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(MAX_TURNS):
            if condition():
                return
            self._turn()
        raise AssertionError(f"did not happen within {MAX_TURNS} turns")

    def _associations(self) -> Iterator[AssociationEngine]:
        for endpoint in self.a.engine.endpoints.values():
            yield from endpoint.associations

    def _turn(self) -> None:
        """What both have said arrives; when neither has said anything, time goes on to the next deadline."""
        if not self.a.said and not self.z.said:
            self._wait()
        self.now += LATENCY_S
        for host, other in ((self.a, self.z), (self.z, self.a)):
            said, host.said = host.said, []
            for datagrams in _wake_ups(self._without_lost(said)):
                other.wake_up(datagrams, host.address, self.now)

    def _wait(self) -> None:
        deadlines = [host.engine.next_deadline() for host in (self.a, self.z)]
        self.now = max(self.now, min(deadline for deadline in deadlines if deadline is not None))
        for host in (self.a, self.z):
            host.time_out(self.now)

    def _without_lost(self, datagrams: list[Datagram]) -> list[Datagram]:
        if self.is_lost is None:
            return datagrams
        return [datagram for datagram in split(datagrams) if not self.is_lost(datagram)]


def _is_established(association: AssociationEngine) -> bool:
    return association.state is AssociationState.ESTABLISHED


def _send(engine: StackEngine, association: AssociationEngine, payloads: Iterable[bytes], stream: int) -> None:
    for payload in payloads:
        association.send(OutgoingMessage(payload, stream))
        engine.touch(association)


def _wake_ups(datagrams: Iterable[Datagram]) -> Iterator[list[Datagram]]:
    """What comes in one wake-up after the other."""
    batch: list[Datagram] = []
    packets = 0
    for datagram in datagrams:
        batch.append(datagram)
        packets += -(-len(datagram.data) // datagram.segment_bytes) if datagram.segment_bytes else 1
        if packets >= PACKETS_PER_WAKE_UP:
            yield batch
            batch, packets = [], 0
    if batch:
        yield batch
