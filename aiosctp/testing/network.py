"""A simulated network: hosts, what lies between them, and the delivery of every packet from one seed."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import count
from random import Random

from aiosctp.arguments import check_int, host_list
from aiosctp.core.addresses import canonical_host, is_address, is_ipv6
from aiosctp.core.datagram import Received
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.testing.host import Host, Port
from aiosctp.testing.link import MAX_DELAY_S, Link, check_number
from aiosctp.testing.nat import FIRST_PORT, LAST_PORT, Nat, Nats
from aiosctp.testing.packet import Fate, Packet, Passage
from aiosctp.testing.topology import Rules, T, Topology
from aiosctp.testing.trace import Trace

DEFAULT_TRACE_PACKETS = 10_000
MAX_PACKETS_UNDER_WAY = 100_000
# RFC 1812 §4.3.2.3 and RFC 4443 §2.4 (c): as much of the packet as fits 576 and 1280 bytes, less both pairs of headers.
QUOTED_IPV4_BYTES = 576 - 2 * 28
QUOTED_IPV6_BYTES = 1280 - 2 * 48

Place = Host | str
"""A host, itself or its name, with all its addresses, those that it gets later included; or one address."""


class Icmp:
    """An ICMP message on its way back to who sent a packet."""

    __slots__ = ("about", "message")

    def __init__(self, about: Packet, message: IcmpMessage) -> None:
        self.about: Packet = about
        self.message: IcmpMessage = message


class Network:
    """Hosts and what lies between them. All chance comes from `seed`: one seed is one run, byte for byte.

    link: what lies between two addresses unless `set_link` says otherwise; a host reaches itself at once.
    trace_packets: how many of the newest packets are kept in `passages`; 0 keeps none.
    answers_closed_ports: whether hosts answer a datagram to a closed UDP port with ICMP "port unreachable".

    names: more names to resolve, each with its addresses.
    observers: called with every packet that is sent, before anything befalls it.
    counters: how many packets were "sent", how many met each `Fate` and each `Fault`, and how many ICMP messages,
      "icmp", hosts got. A copy that was duplicated meets a fate of its own.

    A packet to an address that nobody has is lost without an answer, with the fate "no host".
    ICMP messages take the time of the way back and are lost into partitions only. At most 100 000 packets are under way
    at once; one more is dropped with the fate "queue full".
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        link: Link | None = None,
        trace_packets: int = DEFAULT_TRACE_PACKETS,
        answers_closed_ports: bool = True,
    ) -> None:
        check_int("seed", seed)
        check_int("trace_packets", trace_packets)
        if trace_packets < 0:
            raise ValueError(f"trace_packets must not be negative, and is {trace_packets}")
        self.seed = seed
        self.answers_closed_ports = answers_closed_ports
        self.names: dict[str, list[str]] = {}
        self.observers: list[Callable[[Packet], None]] = []
        self.counters: Counter[str] = Counter()
        self.passages: deque[Passage] = deque(maxlen=trace_packets)
        self.ports: dict[tuple[str, int], Port] = {}
        self._topology = Topology(seed, _checked_link(Link() if link is None else link))
        self._hosts: dict[str, Host] = {}
        self._nats = Nats()
        self._under_way: list[tuple[float, int, Passage | Icmp]] = []
        self._order = count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = 0.0

    # -- hosts --

    def host(self, name: str, *addresses: str) -> Host:
        """The host of this name; made, with these addresses or the next of 10.0.0.0/24, when there is none yet.

        Raises ValueError when there is one and addresses are given, or when an address is taken.
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {type(name).__name__}")
        found = self._hosts.get(name)
        if found is not None:
            if addresses:
                raise ValueError(f"name {name!r} is taken by {found}: add_address gives it another address")
            return found
        if not name or is_address(name):
            raise ValueError(f"name must be a name, not {name!r}")
        chosen = host_list("addresses", addresses) if addresses else (self._next_address(),)
        for address in chosen:
            self._check_is_free("addresses", address)
        host = self._hosts[name] = Host(self, name, chosen)
        for address in chosen:
            self._topology.claim(address, host)
        return host

    @property
    def trace(self) -> Trace:
        """What was said: the newest packets that hosts sent, as text and for Wireshark."""
        return Trace(self.passages)

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(self._hosts.values())

    def nat(self, public_address: str, *, inside: Iterable[Host], forget_after_s: float | None = None) -> Nat:
        """Put hosts behind a NAT, which forgets a mapping that nobody inside has used for `forget_after_s`.

        Hosts inside reach each other directly. Links and partitions go on being named by the addresses inside.
        """
        (address,) = host_list("public_address", public_address)
        self._check_is_free("public_address", address)
        hosts = list(inside)
        for host in hosts:
            if not isinstance(host, Host):
                raise TypeError(f"inside must be hosts, not {type(host).__name__}")
            self._checked_place("inside", host)
            if host in self._nats.before:
                raise ValueError(f"inside: {host} is behind {self._nats.before[host]} already")
        if forget_after_s is not None:
            check_number("forget_after_s", forget_after_s, 0.001, MAX_DELAY_S)
        first_port = Random(f"{self.seed}/nat/{address}").randint(FIRST_PORT, LAST_PORT)
        nat = Nat(address, first_port, forget_after_s)
        self._nats.add(nat, hosts)
        return nat

    def host_of(self, address: str) -> Host | None:
        """Who has this address now."""
        return self._topology.owners.get(canonical_host(address))

    def lookup(self, name: str) -> list[str]:
        """The addresses of a name, of a host, or the address itself; none for what nobody knows."""
        if is_address(name):
            return [canonical_host(name)]
        if name in self.names:
            return list(self.names[name])
        host = self._hosts.get(name)
        return [] if host is None else list(host.addresses)

    def claim(self, address: str, host: Host) -> None:
        """For a host: the address is its own from now on. Raises ValueError when it is taken."""
        self._check_is_free("address", address)
        self._topology.claim(address, host)

    def release(self, address: str) -> None:
        """For a host: the address is nobody's from now on."""
        self._topology.release(address)

    def _check_is_free(self, name: str, address: str) -> None:
        owner = self._topology.owners.get(address) or self._nats.by_address.get(address)
        if owner is not None:
            raise ValueError(f"{name}: {address} is taken by {owner}")

    def _next_address(self) -> str:
        for number in range(1, 255):
            address = f"10.0.0.{number}"
            if address not in self._topology.owners and address not in self._nats.by_address:
                return address
        raise ValueError("addresses must be given: all of 10.0.0.0/24 are taken")

    # -- what lies between them --

    def set_link(self, a: Place, z: Place, link: Link, *, one_way: bool = False) -> None:
        """Lay this link from `a` to `z`, and one like it back unless `one_way`.

        At any time: of all that was said about two addresses the last counts. Each ordered pair of addresses has a
        queue of its own.
        """
        self._rule(self._topology.links, _checked_link(link), a, z, one_way=one_way)

    def partition(self, a: Place, z: Place | None = None, *, one_way: bool = False) -> None:
        """Lose what is sent from now on from `a` to `z` (None: everybody), and back unless `one_way`.

        What is under way arrives.
        """
        self._rule(self._topology.cuts, True, a, z, one_way=one_way)

    def heal(self, a: Place | None = None, z: Place | None = None, *, one_way: bool = False) -> None:
        """Let packets from `a` to `z` (None: everybody) through again, and back unless `one_way`. Without arguments
        everything heals."""
        if a is not None:
            self._rule(self._topology.cuts, False, a, z, one_way=one_way)
        elif z is not None or one_way:
            raise ValueError("a must be given with z and one_way")
        else:
            self._topology.cuts.clear()
            self._topology.apply()

    def link_mtu(self, source: str, destination: str) -> int | None:
        """The MTU of the link between two addresses; None when nobody has one of them."""
        owners = self._topology.owners
        if source not in owners or destination not in owners:
            return None
        return self._topology.direction(source, destination).link.mtu

    def _rule(self, rules: Rules[T], value: T, a: Place, z: Place | None, *, one_way: bool) -> None:
        source, destination = self._checked_place("a", a), None if z is None else self._checked_place("z", z)
        rules.put(source, destination, value)
        if not one_way:
            rules.put(destination, source, value)
        self._topology.apply()

    def _checked_place(self, name: str, place: Place) -> Place:
        if isinstance(place, str):
            if place in self._hosts:
                return self._hosts[place]
            if not is_address(place):
                raise ValueError(f"{name} must be a Host, its name or an address, and there is no {place!r}")
            (address,) = host_list(name, place)
            return address
        if not isinstance(place, Host):
            raise TypeError(f"{name} must be a Host, its name or an address, not {type(place).__name__}")
        if place.network is not self:
            raise ValueError(f"{name} must be a host of this network, and {place} is of another")
        return place

    # -- packets --

    def __repr__(self) -> str:
        return f"<Network seed {self.seed}, {len(self._hosts)} hosts, {self.counters['sent']} packets>"

    def now(self) -> float:
        """The running loop's time."""
        return asyncio.get_running_loop().time()

    def attach(self) -> asyncio.AbstractEventLoop:
        """The loop that the network runs on. Raises RuntimeError on another one, while that is open."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            if not self._loop.is_closed():
                raise RuntimeError("the simulated network belongs to another event loop, which is not closed")
            self._move_to(loop)
        return loop

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Time begins anew: what was under way is gone, wires are idle, and NATs know nobody."""
        self._loop = loop
        self._timer = None
        self._under_way.clear()
        self._topology.clear_wires()
        for nat in self._nats.by_address.values():
            nat.forget()

    def send(self, packet: Packet) -> None:
        """Put a packet on the wire, as from `packet.source`, which may be forged: ports send by this.

        Raises RuntimeError on another event loop than before.
        """
        now = self.attach().time()
        self.counters["sent"] += 1
        for observer in self.observers:
            observer(packet)
        owners = self._topology.owners
        outside, destination = packet, packet.destination
        if self._nats.by_address:
            outside, destination = self._nats.leave(packet, owners, now)
        if destination not in owners:
            passage = Passage(packet, now)
            self._keep(passage)
            self._end(passage, "no mapping" if destination in self._nats.by_address else "no host")
            return
        for passage in self._topology.direction(packet.source, destination).carry(packet, now):
            if outside is not packet:
                arriving = passage.arriving
                passage.arriving = arriving._replace(source=outside.source, source_port=outside.source_port)
            self._keep(passage)
            if passage.arrives_at_s is None:
                self._dropped(passage, destination, now)
            elif len(self._under_way) < MAX_PACKETS_UNDER_WAY:
                self._push(passage.arrives_at_s, passage)
            else:
                passage.arrives_at_s = None
                self._end(passage, "queue full")

    def _keep(self, passage: Passage) -> None:
        self.passages.append(passage)
        for fault in passage.faults:
            self.counters[fault] += 1

    def _end(self, passage: Passage, fate: Fate) -> None:
        passage.fate = fate
        self.counters[fate] += 1

    def _dropped(self, passage: Passage, destination: str, now: float) -> None:
        self.counters[passage.fate] += 1
        link = self._topology.direction(passage.packet.source, destination).link
        if passage.fate == "too big" and link.icmp:
            self._answer(passage.packet, destination, IcmpKind.PACKET_TOO_BIG, now, link.mtu)

    def _answer(self, packet: Packet, address: str, kind: IcmpKind, now: float, mtu: int = 0) -> None:
        """ICMP to who sent the packet, by the way back from this address."""
        if packet.source not in self._topology.owners or len(self._under_way) >= MAX_PACKETS_UNDER_WAY:
            return  # forged, or too much at once
        way_back = self._topology.direction(address, packet.source)
        if way_back.is_cut:
            return
        quoted_bytes = QUOTED_IPV6_BYTES if is_ipv6(packet.destination) else QUOTED_IPV4_BYTES
        message = IcmpMessage(kind, packet.data[:quoted_bytes], packet.destination, mtu)
        self._push(now + way_back.link.delay_s, Icmp(packet, message))

    # -- delivery --

    def _push(self, at_s: float, item: Passage | Icmp) -> None:
        heapq.heappush(self._under_way, (at_s, next(self._order), item))
        if self._timer is None or at_s < self._timer_at_s:
            self._arm()

    def _arm(self) -> None:
        """One timer for the whole network, at the first arrival."""
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._under_way:
            self._timer_at_s = self._under_way[0][0]
            self._timer = self._loop.call_at(self._timer_at_s, self._arrive)

    def _arrive(self) -> None:
        """What is due, a batch for each port: as one wake-up of a socket finds all that has come."""
        now = max(self.now(), self._timer_at_s)  # loops fire a little early
        self._timer_at_s = -math.inf  # what is sent meanwhile sets no timer: the last line does
        batches: dict[tuple[str, int], list[Passage]] = {}
        while self._under_way and self._under_way[0][0] <= now:
            item = heapq.heappop(self._under_way)[2]
            if isinstance(item, Icmp):
                self._call(self._deliver_icmp, item)
                continue
            if item.arriving.destination in self._nats.by_address and not self._nats.enter(item, now):
                self._end(item, "no mapping")
                continue
            place = (item.arriving.destination, item.arriving.destination_port)
            batches.setdefault(place, []).append(item)
        for place, batch in batches.items():
            self._deliver(place, batch, now)
        self._arm()

    def _deliver(self, place: tuple[str, int], batch: list[Passage], now: float) -> None:
        port = self.ports.get(place)
        if port is not None:
            for passage in batch:
                self._end(passage, "delivered")
            packets = [passage.arriving for passage in batch]
            found = [Received(packet.data, packet.source, packet.source_port) for packet in packets]
            self._call(port.context.run, port.receiver.datagrams_received, found, port.local_host)
            return
        host = self._topology.owners.get(place[0])
        for passage in batch:
            self._end(passage, "no host" if host is None else "port closed")
            if host is not None and host.answers_closed_ports:
                self._answer(passage.packet, place[0], IcmpKind.PORT_UNREACHABLE, now)

    def _deliver_icmp(self, icmp: Icmp) -> None:
        port = self.ports.get((icmp.about.source, icmp.about.source_port))
        if port is not None:
            self.counters["icmp"] += 1
            port.context.run(port.receiver.icmp_received, icmp.message)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        """A receiver that raises harms no other."""
        try:
            function(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # as the loop does with its callbacks: pytest.fail() raises no Exception
            assert self._loop is not None
            context = {"message": "aiosctp.testing: a receiver raised", "exception": error}
            self._loop.call_exception_handler(context)


def _checked_link(link: Link) -> Link:
    if not isinstance(link, Link):
        raise TypeError(f"link must be a Link, not {type(link).__name__}")
    return link
