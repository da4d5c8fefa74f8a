"""IP fragmentation, for chunks that were cut before the path MTU fell (§6.9), or can't be cut.

Over IPv4 any router cuts what comes without DF. Over IPv6 only the sender does, and Linux only what its own interface
does not take: then, if the socket says so, into what every path carries (`aiosctp.sockets.set_dont_fragment`). So a
packet that is too large for its path, and not for the interface, is made too large for that as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiosctp.config import MAX_PATH_MTU
from aiosctp.core.addresses import is_ipv6
from aiosctp.core.paths import largest_packet
from aiosctp.wire.chunks import Pad
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import CHUNK_HEADER_BYTES

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.packing import OutgoingPacket

_TAKES_A_NEIGHBOUR: Final = (ChunkType.DATA, ChunkType.I_DATA, ChunkType.RE_CONFIG)


def make_fragmentable(packet: OutgoingPacket, association: AssociationEngine) -> None:
    """RFC 4820 §3: "used to pad an SCTP packet"; who does not know the chunk skips it (§3.2).

    What sets an association up may not be bundled with anything but DATA (§6.10, §5.1 C).
    """
    path = packet.path
    if not is_ipv6(path.address) or packet.chunks[0][0] not in _TAKES_A_NEIGHBOUR:
        return
    route_mtu = association.route_mtu(path.local_address, path.address)
    if route_mtu is None or route_mtu > MAX_PATH_MTU:
        return
    room = largest_packet(path.address, route_mtu) - packet.size
    if room >= 0:
        packet.add(Pad(bytes((room & ~3) + 4 - CHUNK_HEADER_BYTES)).encode())
