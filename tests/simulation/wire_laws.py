"""What holds of every packet that a host sends: its size, what it bundles, the window it goes into, whom it answers."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram, Received, split
from aiosctp.core.paths import Path
from aiosctp.core.tx import Sender
from aiosctp.stack import Stack
from aiosctp.testing import Packet
from aiosctp.wire.chunks import Sack
from aiosctp.wire.codepoints import CauseCode, ChunkType
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.reconfig_laws import ReconfigLaws
from tests.simulation.wrapping import Maker

_HEADER = Struct("!HHL")
_CHUNK = Struct("!BBH")
_TSN = Struct("!L")
DATA_HEADER_BYTES = 16
LARGEST_FIRST_MTU = {4: 1500, 6: 1280}
ALONE = frozenset({ChunkType.INIT, ChunkType.INIT_ACK, ChunkType.SHUTDOWN_COMPLETE})
"""§6.10: MUST NOT be bundled with any other."""
MAY_GO_UNVERIFIED = frozenset({ChunkType.HEARTBEAT, ChunkType.HEARTBEAT_ACK, ChunkType.COOKIE_ACK})
"""§5.4: a COOKIE ECHO, and a COOKIE ACK with its HEARTBEAT, besides."""
# An INIT ACK carries our cookie, which has the peer's addresses again.
AMPLIFICATION_BYTES = 400
MOST_PACKETS = 60_000
"""Of one seed, which takes a thousand or two: more is a loop that feeds itself."""


@dataclass(slots=True)
class Flow:
    """What one sender has outstanding, as the wire shows it: kept apart from the engine's own account."""

    a_rwnd: int
    highest: int
    """The highest TSN sent, modulo 2^32."""
    sizes: dict[int, int] = field(default_factory=dict)
    """Of the user data by TSN, in order, of what is not acknowledged for good."""
    outstanding_bytes: int = 0
    gap_bytes: int = 0


class WireLaws:
    """Watches what stacks send."""

    def __init__(self, judge: Judge, *, ssns_wrap: bool) -> None:
        self.packets = 0
        self.digest = 0
        """Of every packet: what two runs of one seed have in common."""
        self.counters: Counter[str] = Counter()
        self._judge = judge
        self._reconfig_laws = ReconfigLaws(judge, self.counters, ssns_wrap=ssns_wrap)
        self._flows: dict[Sender, Flow] = {}
        self._verified: set[tuple[Stack, str]] = set()
        self._received: Counter[tuple[Stack, str]] = Counter()
        self._received_bytes: Counter[tuple[Stack, str]] = Counter()
        self._answered: Counter[tuple[Stack, str]] = Counter()
        self._answered_bytes: Counter[tuple[Stack, str]] = Counter()
        self._probed: dict[Path, set[int]] = {}
        """The path MTUs that probes were sent for."""

    def wrappers(self) -> list[tuple[str, Maker]]:
        return [
            ("stack:Stack._send", self._checking),
            ("stack:Stack.datagrams_received", self._noting_arrivals),
            ("core.tx.sender:Sender._acknowledged", self._noting_acknowledgements),
            ("core.paths:Path.set_mtu", self._before_another_mtu),
            ("core.tx.sender:Sender.begin_anew", self._noting_new_tsns),
            *self._reconfig_laws.wrappers(),
        ]

    def _noting_new_tsns(self, original: Any) -> Any:
        def begin_anew(sender: Sender, next_tsn: int) -> None:
            original(sender, next_tsn)
            flow = self._flows.get(sender)
            if flow is not None:
                flow.highest = next_tsn - 1 & 0xFFFF_FFFF

        return begin_anew

    def _before_another_mtu(self, original: Any) -> Any:
        def set_mtu(path: Path, mtu: int) -> None:
            # RFC 8899 §3, 1, §5.3.1.
            if mtu > path.mtu and mtu not in self._probed.get(path, ()):
                self._judge.accuse(
                    LawBroken(f"{path}: the path MTU rose from {path.mtu} to {mtu}, which nothing probed")
                )
            original(path, mtu)

        return set_mtu

    def _noting_arrivals(self, original: Any) -> Any:
        def datagrams_received(stack: Stack, datagrams: Iterable[Received], local_host: str) -> None:
            datagrams = list(datagrams)
            for data, host, *_ in datagrams:
                if (stack, host) not in self._verified:
                    self._received[stack, host] += 1
                    self._received_bytes[stack, host] += len(data)
            original(stack, datagrams, local_host)

        return datagrams_received

    def observe(self, packet: Packet) -> None:
        """To be called with every packet that gets on the wire."""
        self.packets += 1
        self.digest = zlib.crc32(packet.data, self.digest)
        self.digest = zlib.crc32(f"{packet.source}>{packet.destination}".encode(), self.digest)
        if self.packets >= MOST_PACKETS:
            self._judge.accuse(LawBroken("packets without end"))

    def _checking(self, original: Any) -> Any:
        def send(stack: Stack, datagram: Datagram) -> None:
            try:
                for each in split((datagram,)):
                    self._check(each, stack)
            except AssertionError as error:
                self._judge.accuse(error)
            original(stack, datagram)

        return send

    def _check(self, datagram: Datagram, stack: Stack) -> None:
        data = datagram.data
        local_port, peer_port, tag = _HEADER.unpack_from(data)
        assert stack._engine is not None
        association = stack._engine._lookup.by_peer.get((local_port, peer_port, datagram.destination))
        if association is None:
            association = _just_ended(stack, local_port, peer_port, datagram.destination)
        path = None if association is None else association.paths.get(datagram.destination)
        types = self._check_chunks(data, association)
        self._check_size(datagram, path, types)
        if types[0] == ChunkType.INIT:
            assert tag == 0, "§8.5.1 A: an INIT goes under tag 0"
        else:
            assert tag, "a packet under tag 0 that is no INIT"
        self._check_verification(datagram, stack, path, types)

    def _check_chunks(self, data: bytes, association: AssociationEngine | None) -> list[int]:
        types: list[int] = []
        at = 12
        while at < len(data):
            chunk_type, flags, length = _CHUNK.unpack_from(data, at)
            if chunk_type == ChunkType.DATA:
                (tsn,) = _TSN.unpack_from(data, at + 4)
                if association is not None and self._data_sent(association, tsn, length - DATA_HEADER_BYTES):
                    self._reconfig_laws.new_data_sent(association, flags, data, at)
            elif types and types[-1] == ChunkType.DATA and chunk_type != ChunkType.PAD:
                raise LawBroken("§6.10: a control chunk behind DATA")
            elif chunk_type == ChunkType.RE_CONFIG and association is not None:
                next_tsn = self._flow_of(association.sender, association).highest + 1 & 0xFFFF_FFFF
                self._reconfig_laws.chunk_sent(association, data[at + 4 : at + length], next_tsn)
            types.append(chunk_type)
            at += length + 3 & ~3
        if len(types) > 1:
            assert not ALONE.intersection(types), f"§6.10: bundled what goes alone: {types}"
            assert ChunkType.ABORT not in types, "§9.1: something is bundled with an ABORT"
        return types

    def _check_size(self, packet: Datagram, path: Path | None, types: list[int]) -> None:
        is_ipv6 = ":" in packet.destination
        size = len(packet.data) + (48 if is_ipv6 else 28)
        if path is not None:
            mtu = path.mtu
        else:
            mtu = LARGEST_FIRST_MTU[6 if is_ipv6 else 4]
        if types[0] == ChunkType.HEARTBEAT and ChunkType.PAD in types:
            self._check_probe(packet, path, types, size)
            return
        if packet.dont_fragment:
            assert size <= mtu, f"a packet of {size} bytes for a path MTU of {mtu}"
            assert ChunkType.PAD not in types, f"padding among {types}"
            return
        self.counters["sent with DF off"] += 1
        assert size > mtu, "DF is off although the packet fits"
        if ChunkType.DATA in types:
            # Over IPv6 it is padded until the interface does not take it either.
            alone = [[ChunkType.DATA], [ChunkType.DATA, ChunkType.PAD]] if is_ipv6 else [[ChunkType.DATA]]
            assert types in alone, f"in a packet too large for its path: {types}"

    def _check_probe(self, packet: Datagram, path: Path | None, types: list[int], size: int) -> None:
        """RFC 8899 §6.2.1.2, §3, 2: a HEARTBEAT and a PAD alone, with DF set, and of the size that is in question."""
        assert types == [ChunkType.HEARTBEAT, ChunkType.PAD], f"padding among {types}"
        assert packet.dont_fragment, "a probe of the path MTU may be fragmented"
        assert path is not None, "a probe of the path MTU to no path"
        assert path.mtu_search is not None, "a probe of the path MTU that nothing waits for"
        assert path.mtu_search.probed - 3 <= size <= path.mtu_search.probed, f"a probe of {size} bytes"
        assert not path.mtu_is_fixed, "a probe of a path MTU that is fixed"
        self._probed.setdefault(path, set()).add(path.mtu_search.probed)

    # -- §5.4: addresses that are not verified --

    def _check_verification(self, packet: Datagram, stack: Stack, path: Path | None, types: list[int]) -> None:
        key = (stack, packet.destination)
        if path is not None and path.is_confirmed:
            self._verified.add(key)
            return
        if path is not None:
            # §5.4: "MUST NOT send any chunks to an UNCONFIRMED address" but these.
            is_cookie = types[0] in (ChunkType.COOKIE_ECHO, ChunkType.COOKIE_ACK) and ChunkType.HEARTBEAT in types
            if not is_cookie and not _is_stateless_answer(packet.data, types):
                assert MAY_GO_UNVERIFIED.issuperset(types), f"§5.4: {types} to an address that is not confirmed"
        if key in self._verified or ChunkType.HEARTBEAT in types:
            return
        self._answered[key] += 1
        self._answered_bytes[key] += len(packet.data)
        if self._answered[key] > self._received[key]:
            raise LawBroken(f"{packet.destination} is not verified, sent less packets than it was sent: {types}")
        if self._answered_bytes[key] > self._received_bytes[key] + AMPLIFICATION_BYTES * self._received[key]:
            raise LawBroken(f"{packet.destination} is not verified, and was sent {self._answered_bytes[key]} bytes")

    # -- the peer's window --

    def _flow_of(self, sender: Sender, association: AssociationEngine) -> Flow:
        flow = self._flows.get(sender)
        if flow is None:
            first = association.tcb.local_initial_tsn
            flow = self._flows[sender] = Flow(association.tcb.peer_a_rwnd, (first - 1) & 0xFFFF_FFFF)
        return flow

    def _data_sent(self, association: AssociationEngine, tsn: int, size: int) -> bool:
        """Whether it was not sent before."""
        flow = self._flow_of(association.sender, association)
        if tsn != (flow.highest + 1) & 0xFFFF_FFFF:
            if (tsn - flow.highest) & 0xFFFF_FFFF < 1 << 31 and tsn != flow.highest:
                raise LawBroken(f"TSN {tsn:#x} was sent after {flow.highest:#x}")
            if flow.sizes.get(tsn, size) != size:
                raise LawBroken(f"TSN {tsn:#x} was sent again with other data")
            return False
        flow.highest = tsn
        # §6.1 A: "MUST NOT transmit new data ... if its peer's rwnd indicates that the peer has no buffer space", but
        # one chunk to probe it.
        in_flight = flow.outstanding_bytes - flow.gap_bytes
        if in_flight and in_flight + size > flow.a_rwnd:
            raise LawBroken(f"{size} bytes were sent into a window of {flow.a_rwnd} with {in_flight} outstanding")
        flow.sizes[tsn] = size
        flow.outstanding_bytes += size
        return True

    def _noting_acknowledgements(self, original: Any) -> Any:
        def acknowledged(sender: Sender, tsn: int, sack: Sack | None, now: float) -> Any:
            cause = original(sender, tsn, sack, now)
            flow = self._flows.get(sender)
            if flow is not None:
                self._acknowledge(flow, tsn, sack)
            return cause

        return acknowledged

    def _acknowledge(self, flow: Flow, cumulative: int, sack: Sack | None) -> None:
        sizes = flow.sizes
        first = next(iter(sizes), None)
        if first is not None and (cumulative - (first - 1)) & 0xFFFF_FFFF >= 1 << 31:
            return  # §6.2.1 D i: out of order
        while first is not None and (cumulative - first) & 0xFFFF_FFFF < 1 << 31:
            flow.outstanding_bytes -= sizes.pop(first)
            first = next(iter(sizes), None)
        if sack is None:
            return
        if first is None and (cumulative - flow.highest) & 0xFFFF_FFFF:
            return  # an old one: everything was acknowledged before
        flow.a_rwnd = sack.a_rwnd
        flow.gap_bytes = sum(
            sizes.get((cumulative + offset) & 0xFFFF_FFFF, 0)
            for start, end in sack.gap_ack_blocks
            for offset in range(start, end + 1)
        )


def _is_stateless_answer(data: bytes, types: list[int]) -> bool:
    """What is said to a packet as if there were no association (§5.1, §5.2.6, §8.4, §8.5.1), to where it came from."""
    match types:
        case [ChunkType.INIT_ACK | ChunkType.ABORT]:
            return True
        case [ChunkType.ERROR]:
            return int.from_bytes(data[16:18]) == CauseCode.STALE_COOKIE
        case [ChunkType.SHUTDOWN_COMPLETE]:
            return bool(data[13] & 1)  # the T bit
        case _:
            return False


def _just_ended(stack: Stack, local_port: int, peer_port: int, host: str) -> AssociationEngine | None:
    """Its last words are sent before its owner is told of the end."""
    for association in stack.owners:
        if (association.local_port, association.peer_port) == (local_port, peer_port) and host in association.paths:
            return association
    return None
