"""An SCTP endpoint: one local port, what it offers, and whom it lets in."""

from __future__ import annotations

from collections.abc import Callable, KeysView, Sequence
from typing import TYPE_CHECKING

from aiosctp.config import Config

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine

# May the peer at this (host, SCTP port) associate?
Admission = Callable[[tuple[str, int]], bool]


class Endpoint:
    """One local SCTP port of a stack (§1.3), listening or not."""

    __slots__ = (
        "__weakref__",
        "_associations",
        "accepted",
        "admit",
        "backlog",
        "config",
        "holders",
        "is_ephemeral",
        "is_listening",
        "is_shared",
        "local_addresses",
        "max_associations",
        "port",
        "unaccepted",
    )

    def __init__(self, port: int, local_addresses: Sequence[str], config: Config) -> None:
        self.port: int = port
        self.local_addresses: tuple[str, ...] = tuple(local_addresses)
        """What it offers; packets to any other address of the stack find nobody here."""
        self.config: Config = config
        self.is_listening: bool = False
        self.is_ephemeral: bool = False
        """Whether the stack chose the port."""
        self.holders: int = 0
        """What keeps the port though it may neither listen nor have associations: sockets that are bound."""
        self.is_shared: bool = False
        """Whether others may come to those (RFC 6458 §8.1.27)."""
        self.max_associations: int | None = None
        self.backlog: int = 0
        self.admit: Admission | None = None
        self._associations: dict[AssociationEngine, None] = {}
        self.accepted: list[AssociationEngine] = []
        """Associations that peers opened, until the surface takes them."""
        self.unaccepted: int = 0
        """How many the surface has taken that its user has yet to accept; with `accepted`, at most `backlog`."""

    @property
    def is_held(self) -> bool:
        return self.holders > 0

    @property
    def associations(self) -> KeysView[AssociationEngine]:
        """Those that live, in the order in which they began."""
        return self._associations.keys()

    def add(self, association: AssociationEngine) -> None:
        self._associations[association] = None

    def discard(self, association: AssociationEngine) -> None:
        self._associations.pop(association, None)

    def listen(self, *, config: Config, backlog: int, max_associations: int | None, admit: Admission | None) -> None:
        self.config = config
        self.is_listening = True
        self.backlog = backlog
        self.max_associations = max_associations
        self.admit = admit

    def stop_listening(self) -> None:
        self.is_listening = False
        self.admit = None

    @property
    def takes_no_more(self) -> bool:
        """Whether one more association would exceed the limit, or none is taken at all: its peer is told."""
        if not self.backlog:
            return True
        return self.max_associations is not None and len(self._associations) >= self.max_associations

    @property
    def is_busy(self) -> bool:
        """Whether an association has to be accepted first: RFC 6458 §4.1.3, "the max number of outstanding associations
        allowed in the socket's accept queue". The peer is told nothing, and asks again (§5.1, T1)."""
        return len(self.accepted) + self.unaccepted >= self.backlog

    def listens_at(self, local_host: str | None) -> bool:
        """At this address of the stack, which a network may not tell."""
        return self.is_listening and (local_host is None or local_host in self.local_addresses)
