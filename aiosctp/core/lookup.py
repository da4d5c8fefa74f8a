"""Which association a packet belongs to: by our verification tag, or by both ports and an address of the peer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiosctp.wire.packet import PORTS_AND_TAG

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

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
        self.known: dict[AssociationEngine, tuple[int, tuple[Path, ...]]] = {}
        """The tag and the paths of each, by which it is found."""

    def of_header(self, datagrams: bytes, start: int) -> AssociationEngine | None:
        """The association whose ports and tag the packet has that begins there."""
        if len(datagrams) - start < PORTS_AND_TAG.size:
            return None
        source_port, destination_port, tag = PORTS_AND_TAG.unpack_from(datagrams, start)
        association = self.by_tag.get(tag)
        if association is None or association.local_port != destination_port or association.peer_port != source_port:
            return None
        # A restart (§5.2.4 A) in the same batch has given it another tag, by which it is found after the next poll.
        return association if association.tcb.local_tag == tag else None

    def of_peer(self, local_port: int, peer_port: int, host: str) -> AssociationEngine | None:
        """The association with a peer that has this address."""
        return self.by_peer.get((local_port, peer_port, host))

    def put(self, association: AssociationEngine) -> int | None:
        """Keep the association findable by its tag and by its peer's addresses; returns the tag it gave up."""
        tag = association.tcb.local_tag
        paths = association.paths.all
        known = self.known.get(association)
        if known is not None and known[0] == tag and known[1] is paths:
            return None
        if known is not None and known[0] == tag and _addresses(known[1]) == _addresses(paths):
            self.known[association] = (tag, paths)
            return None
        old_tag = self.remove(association)
        self.known[association] = (tag, paths)
        self.by_tag[tag] = association
        for key in keys_of(association, paths):
            if self.by_peer.setdefault(key, association) is not association:
                self.heirs.setdefault(key, []).append(association)
        return old_tag if old_tag != tag else None

    def remove(self, association: AssociationEngine) -> int | None:
        """Find it no more; returns its tag, None when it was not to be found."""
        known = self.known.pop(association, None)
        if known is None:
            return None
        tag, paths = known
        self.by_tag.pop(tag, None)
        for key in keys_of(association, paths):
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


def keys_of(association: AssociationEngine, paths: Iterable[Path]) -> list[LookupKey]:
    return [(association.local_port, association.peer_port, path.address) for path in paths]


def _addresses(paths: Iterable[Path]) -> set[str]:
    return {path.address for path in paths}
