"""Two stacks on virtual time with a wire between them: the bench that engine tests run on."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram, split
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.stack import StackEngine
from aiosctp.core.states import AssociationState
from aiosctp.events import Event

Filter = Callable[["Flight"], bool]


class Flight:
    """One datagram on the wire."""

    def __init__(self, sender: Host, datagram: Datagram, at: float) -> None:
        self.sender = sender
        self.data = datagram.data
        self.datagram = datagram
        self.at = at

    @property
    def chunk_type(self) -> int:
        return self.data[12]


class Host:
    """A stack engine with what it has said so far."""

    def __init__(
        self, name: str, addresses: list[str], udp_port: int, config: Config, seed: int, route_mtu: int | None = None
    ) -> None:
        self.name = name
        self.addresses = addresses
        self.udp_port = udp_port
        generator = random.Random(f"{seed}/{name}")
        self.route_mtu = route_mtu
        self.engine = StackEngine(
            config=config,
            local_addresses=addresses,
            entropy=generator.randbytes,
            route_mtu=lambda source, destination: self.route_mtu,
        )
        self.events: dict[AssociationEngine, list[Event]] = {}


class Pair:
    """Host `a` and host `z`. Packets take `latency_s`; `drop` says which are lost, `deliver` sees all that arrive."""

    def __init__(
        self,
        *,
        config_a: Config | None = None,
        config_z: Config | None = None,
        addresses_a: tuple[str, ...] = ("192.0.2.1",),
        addresses_z: tuple[str, ...] = ("192.0.2.2",),
        latency_s: float = 0.01,
        seed: int = 1,
        route_mtu: int | None = None,
    ) -> None:
        self.a = Host("a", list(addresses_a), 9899, config_a or Config(), seed, route_mtu)
        self.z = Host("z", list(addresses_z), 9899, config_z or Config(), seed, route_mtu)
        self.now = 1000.0
        self.latency_s = latency_s
        self.random = random.Random(seed)
        self.drop: Filter = lambda flight: False
        self.log: list[Flight] = []
        self._wire: list[tuple[float, int, Flight]] = []
        self._order = count()

    # -- set-up --

    def listen(self, host: Host | None = None, port: int = 7777, config: Config | None = None) -> Endpoint:
        host = host or self.z
        engine = host.engine
        endpoint = engine.open_endpoint(port, host.addresses, config or engine.config)
        endpoint.listen(config=endpoint.config, backlog=128, max_associations=None, admit=None)
        return endpoint

    def connect(self, *, local_port: int = 5000, peers: tuple[str, ...] | None = None) -> AssociationEngine:
        endpoint = self.a.engine.open_endpoint(local_port, self.a.addresses, self.a.engine.config)
        association = self.a.engine.connect(
            endpoint,
            peers or tuple(self.z.addresses[:1]),
            7777,
            udp_port=self.z.udp_port,
            config=self.a.engine.config,
            now=self.now,
        )
        self.flush()
        return association

    def established(self) -> tuple[AssociationEngine, AssociationEngine]:
        """An association, both ends."""
        endpoint = self.listen()
        ours = self.connect()
        self.run_until(lambda: bool(endpoint.accepted) and ours.state is AssociationState.ESTABLISHED)
        return ours, endpoint.accepted.pop()

    # -- time --

    def flush(self) -> None:
        """Put what both have to say on the wire."""
        for host in (self.a, self.z):
            for datagram in split(host.engine.poll_datagrams(self.now)):
                self._send(host, datagram)
            for fault in host.engine.poll_faults():
                raise fault
            for association in host.engine.poll_changed():
                self.events_of(host, association).extend(association.poll_events())

    def events_of(self, host: Host, association: AssociationEngine) -> list[Event]:
        return host.events.setdefault(association, [])

    def _send(self, host: Host, datagram: Datagram) -> None:
        flight = Flight(host, datagram, self.now)
        self.log.append(flight)
        if not self.drop(flight):
            heapq.heappush(self._wire, (self.now + self.latency_s, next(self._order), flight))

    def next_moment(self) -> float | None:
        """When something happens next, if nobody does anything: a packet arrives or a deadline passes."""
        moments = [host.engine.next_deadline() for host in (self.a, self.z)]
        if self._wire:
            moments.append(self._wire[0][0])
        return min((moment for moment in moments if moment is not None), default=None)

    def step(self) -> bool:
        """Go to the next thing that happens; False when nothing ever will."""
        self.flush()
        moment = self.next_moment()
        if moment is None:
            return False
        self.now = max(self.now, moment)
        while self._wire and self._wire[0][0] <= self.now:
            self._arrive(heapq.heappop(self._wire)[2])
        for host in (self.a, self.z):
            host.engine.handle_timeout(self.now)
        self.flush()
        return True

    def _arrive(self, flight: Flight) -> None:
        receiver = self.z if flight.sender is self.a else self.a
        datagram = flight.datagram
        source = datagram.source or flight.sender.addresses[0]
        if datagram.destination in receiver.addresses and datagram.udp_port == receiver.udp_port:
            receiver.engine.receive(datagram.data, source, flight.sender.udp_port, datagram.destination, self.now)

    def run_until(self, condition: Callable[[], bool], *, limit_s: float = 600.0) -> None:
        """Run until the condition holds; it is an error if it does not within this much virtual time."""
        end = self.now + limit_s
        while not condition():
            if not self.step() or self.now > end:
                raise AssertionError(f"did not happen within {limit_s} virtual seconds")

    def run_for(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            self.flush()
            moment = self.next_moment()
            if moment is None or moment > end:
                self.now = end
                return
            self.step()
