"""Two stacks that really shook hands, and one between them who forges, loses, repeats, and calls.

Invariant: whatever packets, tags, ICMP messages, times and calls befall two stacks after a real handshake, nothing
raises, the laws of tests/core/laws.py hold after each step, answers are well-formed and no more than what they answer
allows, and when both users have aborted and read, nothing is held any more.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram, split
from aiosctp.core.endpoint import Endpoint
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.stack import StackEngine
from aiosctp.core.states import HANDSHAKE, MAY_TAKE_USER_DATA, AssociationState
from aiosctp.wire.chunks import Init
from aiosctp.wire.packet import encode_packet
from tests.core.laws import check_association, check_stack
from tests.fuzz.answers import check_answers, check_packet
from tests.fuzz.hostile import STRANGER, Forger, Loot
from tests.fuzz.reader import Reader

MAX_STEPS = 32
PORT = 7777
UDP_PORT = 9899
# What waits on the wire or in a send queue: enough for windows to fill, little enough for a run to be short.
_MAX_ON_WIRE = 32
_MAX_BUFFERED_BYTES = 40_000

_SMALL = Config(
    receive_window_bytes=3000, partial_delivery_point_bytes=1000, max_message_bytes=8000, sack_delay_s=0.0, max_burst=1
)
_WEARY = Config(
    association_max_retrans=2,
    path_max_retrans=1,
    max_init_retransmits=2,
    rto_max_s=2.0,
    shutdown_timeout_s=5.0,
    interleaving=False,
    nrsack=True,
)
_QUICK = Config(
    rto_initial_s=0.1,
    rto_min_s=0.1,
    hb_interval_s=0.5,
    path_mtu=576,
    outbound_streams=2,
    sack_frequency=4,
    interleaving=False,
)
_CONFIGS = (Config(peer_may_reset_association=True), _SMALL, _WEARY, _QUICK)
_ADDRESSES = {
    "a": ("192.0.2.1", "192.0.2.11"),
    "z": ("192.0.2.2", "192.0.2.22"),
}
_SIZES_BYTES = (1, 100, 1400, 3000, 9000)
_WAITS_S = (0.0, 0.01, 0.2, 1.0, 5.0, 61.0)


@dataclass(eq=False)
class Side:
    name: str
    addresses: tuple[str, ...]
    engine: StackEngine
    endpoint: Endpoint
    associations: list[AssociationEngine] = field(default_factory=list)

    @property
    def association(self) -> AssociationEngine | None:
        """The one that lives, or lived last."""
        return self.associations[-1] if self.associations else None


def engine(data: bytes) -> frozenset[str]:
    """The states that an association was in when something befell it, and how the run began and ended."""
    attack = Attack(Reader(data))
    attack.run()
    return frozenset(attack.marks)


class Attack:
    """One run. The first bytes choose the configuration, the others one step after the other."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.now = 1000.0
        self.marks: set[str] = set()
        self.loot = Loot()
        self.wire: deque[tuple[Side, Datagram]] = deque()
        self.config = reader.choose(_CONFIGS)
        shape = reader.byte()
        self.hosts = 1 + (shape & 1)
        self.wraps = bool(shape & 2)
        # One run in sixteen is attacked before the handshake is over.
        self.packets = shape >> 6 if shape & 0x3C == 0x3C else 4
        self.generation = 0
        self.unpolled: set[str] = set()
        """The sides that something befell since they were polled, as in a batch of packets."""
        self.a, self.z = self._make_side("a"), self._make_side("z")
        self.steps: tuple[Callable[[], None], ...] = (
            self._forge,
            self._deliver,
            self._forge,
            self._deliver,
            self._forge,
            self._send,
            self._wait,
            self._forge,
            self._lose,
            self._repeat,
            self._read,
            self._shut_down,
            self._call,
            self._icmp,
            self._connect,
            self._end,
        )

    def _make_side(self, name: str) -> Side:
        self.generation += 1
        generator = random.Random(self.generation)
        addresses = _ADDRESSES[name][: self.hosts]
        stack = StackEngine(config=self.config, local_addresses=addresses, entropy=self._entropy(generator))
        endpoint = stack.open_endpoint(PORT, addresses, self.config)
        endpoint.listen(config=self.config, backlog=4, max_associations=3, admit=None)
        return Side(name, addresses, stack, endpoint)

    def _entropy(self, generator: random.Random) -> Callable[[int], bytes]:
        """Numbers of four bytes, TSNs among them, are just below where they wrap, in half of the runs."""
        if not self.wraps:
            return generator.randbytes
        return lambda size: b"\xff\xff\xff" + generator.randbytes(1) if size == 4 else generator.randbytes(size)

    # -- the run --

    def run(self) -> None:
        self._shake_hands()
        self._mark("began ")
        for _ in range(MAX_STEPS):
            if self.reader.is_empty:
                break
            self.reader.choose(self.steps)()
            self._mark("")
        self._mark("ended ")
        self._end_everything()

    def _shake_hands(self) -> None:
        """So many packets of INIT, INIT ACK, COOKIE ECHO and COOKIE ACK; what follows them is on the wire."""
        self._connect_from(self.a)
        for sender in (self.a, self.z, self.a, self.z)[: self.packets]:
            for datagram in split(sender.engine.poll_datagrams(self.now)):
                self.loot.see(datagram.data)
                source = datagram.source or sender.addresses[0]
                victim = self._other(sender).engine
                victim.receive(datagram.data, source, UDP_PORT, datagram.destination, self.now)
        self._settle(self.a)
        self._settle(self.z)

    def _mark(self, prefix: str) -> None:
        for side in (self.a, self.z):
            for association in side.associations:
                self.marks.add(prefix + association.state)

    def _done(self, side: Side) -> None:
        """A step is done with this side: poll it, or go on with the next as in one batch."""
        if self.reader.byte() >= 224:
            self.unpolled.add(side.name)
        else:
            self._settle(side)

    def _settle(self, side: Side, *, received: bytes | None = None) -> list[Datagram]:
        """Take what a side has to say, and look at everything."""
        self.unpolled.discard(side.name)
        datagrams = split(side.engine.poll_datagrams(self.now))
        for fault in side.engine.poll_faults():
            raise fault
        for association in side.engine.poll_changed():
            events = association.poll_events()
            allowed = 64 + _MAX_BUFFERED_BYTES // min(_SIZES_BYTES) if received is None else 64 + len(received)
            assert len(events) <= allowed, f"{len(events)} events at once"
        side.associations += side.endpoint.accepted
        side.endpoint.accepted.clear()
        for association in side.associations:
            check_association(association)
        check_stack(side.engine, side.associations)
        assert len(datagrams) <= 2 * _MAX_BUFFERED_BYTES // 500
        for datagram in datagrams:
            check_packet(datagram, self.config.path_mtu or 1500)
            self.loot.see(datagram.data)
            if len(self.wire) < _MAX_ON_WIRE:
                self.wire.append((side, datagram))
        self._forget_the_dead(side)
        return datagrams

    def _forget_the_dead(self, side: Side) -> None:
        living = [each for each in side.associations if each.state is not AssociationState.CLOSED]
        for association in side.associations:
            if association.state is AssociationState.CLOSED:
                self.marks.add("CLOSED")
                self._read_all(association)
        side.associations = living

    def _read_all(self, association: AssociationEngine) -> None:
        receiver = association.receiver
        for stream in (None, 1):
            while receiver.has_message(stream):
                receiver.read(stream, partial=False)
        assert receiver.held_bytes == 0, f"{receiver.held_bytes} bytes are held for nobody"
        assert association.sender.buffered_bytes == 0

    def _arrive(self, sender: Side, datagram: Datagram, *, in_batch: bool = False) -> None:
        """What one side sent reaches the other."""
        source = datagram.source or sender.addresses[0]
        self._receive(self._other(sender), datagram.data, source, UDP_PORT, datagram.destination, in_batch=in_batch)

    def _receive(
        self, victim: Side, data: bytes, source: str, udp_port: int, destination: str, *, in_batch: bool
    ) -> None:
        """One packet to a side, with what it says to it; in a batch, that comes with what it says to the last one."""
        states = {each.state for each in victim.associations}
        is_first = victim.name not in self.unpolled
        victim.engine.receive(data, source, udp_port, destination, self.now)
        if in_batch:
            self.unpolled.add(victim.name)
            return
        datagrams = self._settle(victim, received=data if is_first else None)
        if is_first and not states & HANDSHAKE:
            # Once it is over, what waited for its end is sent too (§5.1 C).
            check_answers(data, datagrams, is_known=bool(states))

    def _other(self, side: Side) -> Side:
        return self.z if side is self.a else self.a

    def _end_everything(self) -> None:
        for side in (self.a, self.z):
            self._settle(side)
            for association in side.associations:
                association.abort(b"the end")
                side.engine.touch(association)
            self._settle(side)
            assert not side.associations
            assert not side.endpoint.associations
            assert side.engine.next_deadline() is None

    def _connect_from(self, side: Side) -> None:
        association = side.engine.connect(
            side.endpoint,
            self._other(side).addresses[:1],
            PORT,
            udp_port=UDP_PORT,
            config=self.config,
            now=self.now,
        )
        side.associations.append(association)

    # -- steps --

    def _side(self) -> Side:
        return self.reader.choose((self.z, self.a))

    def _forge(self) -> None:
        """One packet that neither sent, under a tag that is right more often than not."""
        reader, victim = self.reader, self._side()
        association = victim.association
        shape = reader.byte()
        peer = self._other(victim)
        forger = Forger(reader, association, self.loot, (*self.a.addresses, *self.z.addresses))
        chunks = [forger.chunk() for _ in range(1 + (shape & 3))]
        tag = self._tag(association, shape >> 2 & 7, is_init=chunks[0][0] == Init.type)
        packet = encode_packet(PORT, PORT, tag, chunks)
        where = shape >> 5
        if where == 7:
            packet = packet[:8] + bytes((packet[8] ^ 1,)) + packet[9:]
        source = {5: peer.addresses[-1], 6: STRANGER}.get(where, peer.addresses[0])
        udp_port = 1024 if where == 4 else UDP_PORT
        in_batch = reader.byte() >= 192
        self._receive(victim, packet, source, udp_port, victim.addresses[0], in_batch=in_batch)

    def _tag(self, association: AssociationEngine | None, choice: int, *, is_init: bool) -> int:
        local_tag, peer_tag = (1, 2) if association is None else (association.tcb.local_tag, association.tcb.peer_tag)
        if choice == 5:
            return peer_tag
        if choice == 6:
            return 0xBAD
        # An INIT is for tag 0, and for no other.
        return 0 if is_init != (choice == 7) else local_tag

    def _deliver(self) -> None:
        shape = self.reader.byte()
        for _ in range(min(len(self.wire), 1 + shape % 8)):
            self._arrive(*self.wire.popleft(), in_batch=shape >= 192)

    def _lose(self) -> None:
        for _ in range(min(len(self.wire), 1 + self.reader.byte() % 4)):
            self.wire.popleft()

    def _repeat(self) -> None:
        """The first comes now and again later, behind all others."""
        if self.wire:
            self._arrive(*self.wire[0])
            self.wire.rotate(-1)

    def _wait(self) -> None:
        """Until the next deadline, or for a while."""
        wait_s = self.reader.choose(_WAITS_S)
        deadlines = [side.engine.next_deadline() for side in (self.a, self.z)]
        due = min((deadline for deadline in deadlines if deadline is not None), default=self.now)
        self.now = max(self.now, self.now + wait_s if wait_s else due)
        for side in (self.a, self.z):
            side.engine.handle_timeout(self.now)
            self._settle(side)

    def _send(self) -> None:
        reader, side = self.reader, self._side()
        shape, size = reader.byte(), reader.choose(_SIZES_BYTES)
        association = side.association
        if association is None or association.state not in MAY_TAKE_USER_DATA:
            return
        for number in range(1 + (shape & 3)):
            if association.sender.buffered_bytes + size <= _MAX_BUFFERED_BYTES:
                streams = association.tcb.outbound_streams
                association.send(OutgoingMessage(bytes(size), number % min(3, streams), unordered=bool(shape & 4)))
        side.engine.touch(association)
        self._done(side)

    def _read(self) -> None:
        side, shape = self._side(), self.reader.byte()
        association = side.association
        if association is None:
            return
        if shape & 2:
            association.receiver.take_over(1)
        for _ in range(1 + (shape >> 4)):
            association.receiver.read(1 if shape & 4 and shape & 2 else None, partial=bool(shape & 1))
        side.engine.touch(association)
        self._done(side)

    def _shut_down(self) -> None:
        side = self._side()
        if side.association is not None:
            side.association.shutdown(self.now)
            side.engine.touch(side.association)
            self._done(side)

    def _call(self) -> None:
        """What else a user may ask for."""
        side, shape = self._side(), self.reader.byte()
        association = side.association
        if association is None:
            return
        path = self.reader.choose(list(association.paths))
        match shape & 3:
            case 0:
                association.heartbeats.request(path, self.now)
            case 1:
                if path.is_confirmed:
                    association.set_primary(path)
            case 2:
                association.configure_heartbeat(path, bool(shape & 4), float(shape >> 3), self.now)
            case _:
                changed = association.config.replace(
                    sack_frequency=1 + (shape >> 6), hb_interval_s=float(shape >> 4 & 3), heartbeat=bool(shape & 4)
                )
                association.configure(changed, self.now)
        side.engine.touch(association)
        self._done(side)

    def _icmp(self) -> None:
        side, kind = self._side(), self.reader.choose(list(IcmpKind))
        destination = self.reader.choose(self._other(side).addresses)
        if self.reader.flag() and self.loot.packets:
            quoted = self.reader.choose(self.loot.packets)
        else:
            quoted = self.reader.take(self.reader.byte() & 31)
        mtu = self.reader.choose((0, 68, 576, 1280, 1400, 9000))
        if mtu == 9000:
            datagram = Datagram(quoted, None, destination, UDP_PORT)
            side.engine.send_failed(datagram, too_big=kind is IcmpKind.PACKET_TOO_BIG, now=self.now)
        else:
            side.engine.icmp_received(IcmpMessage(kind, quoted, destination, mtu), self.now)
        self._done(side)

    def _connect(self) -> None:
        """Anew from the same port, or after a crash that forgot everything (§5.2.4 A)."""
        side, has_crashed = self._side(), self.reader.flag()
        if has_crashed:
            self.wire = deque((sender, datagram) for sender, datagram in self.wire if sender is not side)
            self.unpolled.discard(side.name)
            side = self._make_side(side.name)
            setattr(self, side.name, side)
        if all(each.state is AssociationState.CLOSED for each in side.associations):
            self._connect_from(side)
            self._done(side)

    def _end(self) -> None:
        """Rarely, or few runs would come far."""
        side = self._side()
        if self.reader.byte() >= 224 and side.association is not None:
            side.association.abort(b"enough")
            side.engine.touch(side.association)
            self._done(side)
