"""Which association a packet belongs to: by our verification tag, or by both ports and an address of the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiosctp.wire.packet import PORTS_AND_TAG_BYTES, decode_ports_and_tag

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine

LookupKey = tuple[int, int, str]
"""Local SCTP port, peer's SCTP port, peer's host."""


class Lookup:
    """The living associations of a stack, findable as they were when last `put`."""

    def __init__(self) -> None:
        self.by_tag: dict[int, AssociationEngine] = {}
        self.by_peer: dict[LookupKey, AssociationEngine] = {}
        self.heirs: dict[LookupKey, list[AssociationEngine]] = {}
        """Associations that claim a key which another still holds: two attempts at one peer from one port, of which the
        first to be answered learns the address that the other was begun with."""
        self.keys: dict[AssociationEngine, tuple[int, frozenset[LookupKey]]] = {}

    def of_header(self, datagrams: bytes, start: int) -> AssociationEngine | None:
        """The association whose ports and tag the packet has that begins there."""
        if len(datagrams) - start < PORTS_AND_TAG_BYTES:
            return None
        source_port, destination_port, tag = decode_ports_and_tag(datagrams, start)
        association = self.by_tag.get(tag)
        if association is None or association.local_port != destination_port or association.peer_port != source_port:
            return None
        return association

    def of_peer(self, local_port: int, peer_port: int, host: str) -> AssociationEngine | None:
        """The association with a peer that has this address."""
        return self.by_peer.get((local_port, peer_port, host))

    def put(self, association: AssociationEngine) -> int | None:
        """Keep the association findable by its tag and by its peer's addresses; returns the tag it gave up."""
        keys = frozenset((association.local_port, association.peer_port, path.address) for path in association.paths)
        tag = association.tcb.local_tag
        known = self.keys.get(association)
        if known == (tag, keys):
            return None
        old_tag = self.remove(association)
        self.keys[association] = (tag, keys)
        self.by_tag[tag] = association
        for key in keys:
            if self.by_peer.setdefault(key, association) is not association:
                self.heirs.setdefault(key, []).append(association)
        return old_tag if old_tag != tag else None

    def remove(self, association: AssociationEngine) -> int | None:
        """Find it no more; returns its tag, None when it was not to be found."""
        known = self.keys.pop(association, None)
        if known is None:
            return None
        tag, keys = known
        self.by_tag.pop(tag, None)
        for key in keys:
            self._release(key, association)
        return tag

    def _release(self, key: LookupKey, association: AssociationEngine) -> None:
        heirs = self.heirs.get(key, [])
        if self.by_peer[key] is not association:
            heirs.remove(association)
        elif heirs:
            self.by_peer[key] = heirs.pop(0)
        else:
            del self.by_peer[key]
        if not heirs:
            self.heirs.pop(key, None)
