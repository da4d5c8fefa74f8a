"""The short way in: packets that came together, and have little but DATA in them, for one association.

Here they are cut apart, verified and decoded; what the chunks mean is the association's. Which one they belong to,
`StackEngine` knows: it looks it up once for as many packets as follow each other, and takes the rest one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiosctp.wire.checksum import seed
from aiosctp.wire.chunks import ArrivedFragments, decode_bulk
from aiosctp.wire.packet import PORTS_AND_TAG

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path


@dataclass(slots=True)
class PacketRun:
    """What one call brought from one host and UDP port."""

    data: bytes
    packet_bytes: int
    """The size of each packet; the last one may be smaller."""
    source: str
    udp_port: int
    destination: str | None
    now: float
    start: int = 0
    """Where the first packet begins that was not taken."""
    _fragments: ArrivedFragments | None = None
    """One for the whole run: the packets of whoever came first are read ahead, and nobody's twice."""

    def take_packet(self) -> bytes:
        """The next one, cut out."""
        start = self.start
        self.start = end = start + self.packet_bytes
        return self.data[start:end]

    def take_bulk(self, association: AssociationEngine, path: Path) -> None:
        """Let the association have the packets that are its, up to the first that has to go the general way. `path` is
        the one from their source. What the association raises leaves the packet taken that it raised it for."""
        data, start = self.data, self.start
        ports_and_tag = data[start : start + PORTS_AND_TAG.size]
        header_seed = seed(ports_and_tag)
        view = memoryview(data)
        format = association.tcb.negotiated.data_format
        may_have_fragments = False
        while data.startswith(ports_and_tag, start) and association.input.may_receive_bulk:
            if may_have_fragments:
                may_have_fragments = False
                if self._fragments is None:
                    self._fragments = ArrivedFragments(data, view, self.packet_bytes, header_seed, format)
                if self._fragments.seed == header_seed:
                    start = self._take_fragments(self._fragments, association, path)
                    continue
            # Where these end there is a packet of another kind.
            may_have_fragments = True
            end = start + self.packet_bytes
            bulk = decode_bulk(data, view, start, end if end < len(data) else len(data), header_seed, format)
            if bulk is None:
                break
            self.start = start = end
            # RFC 6951 §5.4: the peer's port is learnt from its packets.
            path.udp_port = self.udp_port
            path.udp_port_learnt = True
            association.input.receive_bulk(bulk, path, self.now)

    def _take_fragments(self, fragments: ArrivedFragments, association: AssociationEngine, path: Path) -> int:
        """The shortest way, for packets with nothing in them but fragments. Returns where the packet begins that has
        something else."""
        count, left = association.receiver.take_fragments(fragments, self.start, path)
        self.start += count * self.packet_bytes
        if left:
            association.input.receive_bulk((None, left), path, self.now)
        return self.start
