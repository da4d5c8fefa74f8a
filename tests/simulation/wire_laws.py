"""What holds of every packet that a host sends: its size, what it bundles, the window it goes into, whom it answers."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.datagram import Datagram, Received, split
from aiosctp.core.paths import Path
from aiosctp.stack import Stack
from aiosctp.testing import Packet
from aiosctp.wire.codepoints import CauseCode, ChunkType
from tests.simulation.data_laws import DataLaws, read_chunk
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.ledger import Ledger
from tests.simulation.reconfig_laws import ReconfigLaws
from tests.simulation.wrapping import Maker

_HEADER = Struct("!HHL")
_CHUNK = Struct("!BBH")
USER_DATA = frozenset({ChunkType.DATA, ChunkType.I_DATA})
LARGEST_FIRST_MTU = {4: 1500, 6: 1280}
ALONE = frozenset({ChunkType.INIT, ChunkType.INIT_ACK, ChunkType.SHUTDOWN_COMPLETE})
"""§6.10: MUST NOT be bundled with any other."""
MAY_GO_UNVERIFIED = frozenset({ChunkType.HEARTBEAT, ChunkType.HEARTBEAT_ACK, ChunkType.COOKIE_ACK})
"""§5.4: a COOKIE ECHO, and a COOKIE ACK with its HEARTBEAT, besides."""
# An INIT ACK carries our cookie, which has the peer's addresses again.
AMPLIFICATION_BYTES = 400
MOST_PACKETS = 60_000
"""Of one seed, which takes a thousand or two: more is a loop that feeds itself."""


class WireLaws:
    """Watches what stacks send."""

    def __init__(
        self,
        judge: Judge,
        ledger: Ledger,
        now: Callable[[], float],
        config_of: Callable[[str], Config | None],
        *,
        ssns_wrap: bool,
    ) -> None:
        self.packets = 0
        self.digest = 0
        """Of every packet: what two runs of one seed have in common."""
        self.counters: Counter[str] = Counter()
        self._judge = judge
        self._config_of = config_of
        """Of the host with this address, where it is known."""
        self.data_laws = DataLaws(judge, ledger, self.counters, now)
        self._reconfig_laws = ReconfigLaws(judge, self.counters, ssns_wrap=ssns_wrap)
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
            ("core.paths:Path.set_mtu", self._before_another_mtu),
            *self.data_laws.wrappers(),
            *self._reconfig_laws.wrappers(),
        ]

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
        types = self._check_chunks(datagram, association)
        self._check_size(datagram, path, types)
        if types[0] == ChunkType.INIT:
            assert tag == 0, "§8.5.1 A: an INIT goes under tag 0"
        else:
            assert tag, "a packet under tag 0 that is no INIT"
        self._check_verification(datagram, stack, path, types)

    def _check_chunks(self, datagram: Datagram, association: AssociationEngine | None) -> list[int]:
        data, peer = datagram.data, self._config_of(datagram.destination)
        types: list[int] = []
        at = 12
        while at < len(data):
            chunk_type, _, length = _CHUNK.unpack_from(data, at)
            if chunk_type in USER_DATA:
                if association is not None:
                    chunk = read_chunk(data, at)
                    if self.data_laws.sent(association, chunk, peer):
                        self.data_laws.check_place(association, chunk, datagram.destination)
                        self._reconfig_laws.new_data_sent(association, chunk)
            elif types and types[-1] in USER_DATA and chunk_type != ChunkType.PAD:
                raise LawBroken("§6.10: a control chunk behind DATA")
            elif association is not None:
                self._check_control(chunk_type, data, at, length, association, peer)
            types.append(chunk_type)
            at += length + 3 & ~3
        if len(types) > 1:
            assert not ALONE.intersection(types), f"§6.10: bundled what goes alone: {types}"
            assert ChunkType.ABORT not in types, "§9.1: something is bundled with an ABORT"
        return types

    def _check_control(
        self, chunk_type: int, data: bytes, at: int, length: int, association: AssociationEngine, peer: Config | None
    ) -> None:
        if chunk_type == ChunkType.RE_CONFIG:
            next_tsn = self.data_laws.flow_of(association).highest + 1 & 0xFFFF_FFFF
            self._reconfig_laws.chunk_sent(association, data[at + 4 : at + length], next_tsn)
        elif chunk_type in (ChunkType.FORWARD_TSN, ChunkType.I_FORWARD_TSN):
            self.data_laws.forward_tsn_sent(association, data, at, peer)
        elif chunk_type in (ChunkType.SACK, ChunkType.NR_SACK) and peer is not None:
            both = association.config.nrsack and peer.nrsack
            assert both == (chunk_type == ChunkType.NR_SACK), f"NR-SACK is negotiated: {both}, sent was {chunk_type}"

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
        if not USER_DATA.isdisjoint(types):
            # Over IPv6 it is padded until the interface does not take it either.
            alone = types[1:] in ([], [ChunkType.PAD]) if is_ipv6 else len(types) == 1
            assert alone, f"in a packet too large for its path: {types}"

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
