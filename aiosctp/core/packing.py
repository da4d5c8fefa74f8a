"""Packets on their way out: chunks bundled up to the path MTU (§6.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiosctp.core.nothing import NO_LIST
from aiosctp.core.paths import Path
from aiosctp.wire.packet import HEADER_BYTES

# Answers to the peer's control chunks wait here until the next flush. A peer that makes us queue more than this
# between two flushes gets the rest of its answers by retransmitting.
MAX_QUEUED_CONTROL_CHUNKS = 256


@dataclass(slots=True)
class OutgoingPacket:
    """One packet being filled for one path."""

    path: Path
    chunks: list[bytes | memoryview] = field(default_factory=list)
    """Encoded and padded, whole or in parts: user data is joined once, when the packet is sealed."""
    size: int = HEADER_BYTES
    verification_tag: int | None = None
    """None: the peer's tag."""
    is_complete: bool = False
    """The next chunk for its path did not fit: that has a packet of its own."""
    leads: bool = False
    """A COOKIE ACK, which MUST be the first chunk (§5.1 D); what else goes that way follows it."""
    takes_data_early: bool = False
    """A COOKIE ECHO, behind which DATA may stand already (§5.1 C)."""

    @property
    def room(self) -> int:
        """How many more bytes of chunks fit the path MTU.

        Of the path that the packet takes, as §6.3.3 E3 has it. §6.10 would hold the packets to every address down to
        the PMTU of the primary path; but the chunks themselves fit all paths already (AMDCS).
        """
        return self.path.packet_bytes - self.size

    def add(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.size += len(chunk)


class ControlQueue:
    """Control chunks to send: whole packets that travel alone or lead, and chunks that are bundled by path. What is
    pushed beyond the limit is dropped."""

    __slots__ = ("_bundled", "_packets")

    def __init__(self) -> None:
        self._packets: list[OutgoingPacket] = NO_LIST
        self._bundled: list[tuple[Path, bytes]] = NO_LIST

    def __len__(self) -> int:
        return len(self._packets) + len(self._bundled)

    def push_packet(self, packet: OutgoingPacket) -> None:
        if len(self) < MAX_QUEUED_CONTROL_CHUNKS:
            if self._packets is NO_LIST:
                self._packets = []
            self._packets.append(packet)

    def push(self, path: Path, chunk: bytes) -> None:
        if len(self) < MAX_QUEUED_CONTROL_CHUNKS:
            if self._bundled is NO_LIST:
                self._bundled = []
            self._bundled.append((path, chunk))

    def clear(self) -> None:
        self._packets = self._bundled = NO_LIST

    def take_packets(self) -> list[OutgoingPacket]:
        packets, self._packets = self._packets, NO_LIST
        return packets

    def take_bundled(self, leading: Mapping[Path, OutgoingPacket] | None = None) -> list[OutgoingPacket]:
        """The bundled chunks as packets, in order for each path, behind what leads one; the last one of a path has room
        for more."""
        open_packets = dict(leading or {})
        packets = list(open_packets.values())
        for path, chunk in self._bundled:
            packet = open_packets.get(path)
            if packet is None or len(chunk) > packet.room:
                if packet is not None:
                    packet.is_complete = True
                packet = open_packets[path] = OutgoingPacket(path)
                packets.append(packet)
            packet.add(chunk)
        self._bundled = NO_LIST
        return packets
