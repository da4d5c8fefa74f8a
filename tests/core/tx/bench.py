"""A sender alone, with scripted SACKs: packets come out as decoded DATA chunks, time is a number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.packing import OutgoingPacket
from aiosctp.core.paths import Path, Paths
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import Timer, Timers
from aiosctp.core.tx import Sender
from aiosctp.core.tx.sent_run import Parts
from aiosctp.wire.causes import Cause
from aiosctp.wire.chunks import Data, Fragments, IData, Sack, decode_chunks
from aiosctp.wire.packet import encode_packet

FIRST_TSN = 0xFFFF_FFF0
# At an MTU of 1500 over UDP and IPv4.
PACKET_BYTES = 1472
PMDCS = 1460
PAYLOAD = 1444
INITIAL_CWND = 4404
WINDOW = 1 << 20


def tsn(n: int) -> int:
    """The n-th TSN, counted from 0; -1 is the one before."""
    return (FIRST_TSN + n) & 0xFFFF_FFFF


@dataclass
class Packet:
    path: Path
    size: int
    chunks: list[Any] = field(default_factory=list)
    """DATA or, where that is the format, I-DATA."""

    @property
    def numbers(self) -> list[int]:
        """Which TSNs it carries, counted from 0."""
        return [(chunk.tsn - FIRST_TSN) & 0xFFFF_FFFF for chunk in self.chunks]


class Bench:
    def __init__(
        self, *, config: Config | None = None, paths: int = 1, rwnd: int = WINDOW, established: bool = True
    ) -> None:
        self.config = config or Config(rto_min_s=0.05)
        self.checks = True
        """Whether the invariants are looked at after every step: slow with very many chunks or streams."""
        self.now = 1000.0
        self.paths = [
            Path(f"192.0.2.{n + 1}", f"198.51.100.{n + 1}", 9899, self.config, is_confirmed=True) for n in range(paths)
        ]
        self.path = self.paths[0]
        self.table = Paths(self.path)
        for path in self.paths[1:]:
            self.table.add(path)
        self.timers = Timers()
        self.counters = AssociationCounters()
        self.sender = Sender(
            initial_tsn=FIRST_TSN, config=self.config, paths=self.table, timers=self.timers, counters=self.counters
        )
        self.sender.peer_window_advertised(rwnd)
        self.rwnd = rwnd
        if established:
            self.sender.handshake_done(peer_rwnd_bytes=rwnd, now=self.now)

    @property
    def cwnd(self) -> int:
        return self.path.congestion.cwnd

    @cwnd.setter
    def cwnd(self, value: int) -> None:
        self.path.congestion.cwnd = value

    def check(self) -> None:
        if self.checks:
            self.sender.check_invariants()

    def enqueue(self, *sizes: int, stream: int = 0, unordered: bool = False, sack_immediately: bool = False) -> None:
        for size in sizes:
            self.sender.queue.append(
                OutgoingMessage(bytes(size), stream, unordered=unordered, sack_immediately=sack_immediately)
            )

    def flush(self) -> list[Packet]:
        """One opportunity to send: every packet."""
        packets = []
        while (path := self.sender.path_to_send_on(self.now)) is not None:
            packets += [read(path, parts) for parts in filled(self.sender, path, self.now)]
        self.check()
        return packets

    def send(self, *sizes: int, stream: int = 0, unordered: bool = False) -> list[Packet]:
        self.enqueue(*sizes, stream=stream, unordered=unordered)
        return self.flush()

    def sack(
        self,
        cumulative: int,
        *gaps: tuple[int, int],
        rwnd: int | None = None,
        after: float = 0.0,
        duplicates: tuple[int, ...] = (),
    ) -> Cause | None:
        """A SACK, its numbers counted from 0; gaps are the first and last number acknowledged."""
        self.now += after
        blocks = tuple((first - cumulative, last - cumulative) for first, last in gaps)
        chunk = Sack(tsn(cumulative), self.rwnd if rwnd is None else rwnd, blocks, duplicates)
        cause = self.sender.sack_received(chunk, self.now)
        self.sender.check_invariants()
        return cause

    def deadline(self, path: Path | None = None) -> float | None:
        """When T3 of a path expires."""
        return self.timers.deadline((Timer.T3_RTX, path or self.path))

    def expire(self, path: Path | None = None) -> bool:
        """Let T3 of a path expire; whether it counts as an error."""
        path = path or self.path
        deadline = self.deadline(path)
        assert deadline is not None
        self.now = deadline
        self.timers.stop((Timer.T3_RTX, path))
        counts = self.sender.t3_expired(path, self.now)
        self.sender.check_invariants()
        return counts

    def probe_deadline(self) -> float | None:
        return self.timers.deadline(Timer.ZERO_WINDOW_PROBE)

    def probe_due(self) -> None:
        deadline = self.probe_deadline()
        assert deadline is not None
        self.now = deadline
        self.timers.stop(Timer.ZERO_WINDOW_PROBE)
        self.sender.zero_window_probe_due()


def filled(sender: Sender, path: Path, now: float) -> list[Parts]:
    """The chunks of the packets that one look at the path gives: a run, or one packet."""
    packet = OutgoingPacket(path)
    run = sender.fill_run(packet, now)
    if run is None:
        assert sender.fill(packet, now), "a path was named, and nothing sent on it"
        return [packet.chunks]
    assert run, "a path was named, and nothing sent on it"
    return each_alone(run)


def each_alone(run: Iterable[Parts | Fragments]) -> list[Parts]:
    """The chunks of each packet of a run."""
    packets: list[Parts] = []
    for parts in run:
        if isinstance(parts, Fragments):
            assert parts.encode() == list(map(b"".join, parts.chunks()))
        packets += map(list, parts.chunks()) if isinstance(parts, Fragments) else [parts]
    return packets


def read(path: Path, parts: Parts) -> Packet:
    """Decode what would be on the wire."""
    encoded = encode_packet(1, 2, 3, parts)
    chunks = []
    for chunk in decode_chunks(encoded):
        assert isinstance(chunk, Data | IData)
        chunks.append(chunk)
    return Packet(path, len(encoded), chunks)


def numbers(packets: list[Packet]) -> list[list[int]]:
    return [packet.numbers for packet in packets]


def all_chunks(packets: list[Packet]) -> list[Data]:
    return [chunk for packet in packets for chunk in packet.chunks]
