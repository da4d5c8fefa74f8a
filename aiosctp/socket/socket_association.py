"""One association of a socket: its id, its settings, and what of it waits to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiosctp.association import Association
from aiosctp.changes import Changes
from aiosctp.core.association import AssociationEngine
from aiosctp.core.states import HANDSHAKE
from aiosctp.events import (
    AdaptationIndication,
    AssociationChange,
    AssociationChangeKind,
    Event,
    PartialDelivery,
    SenderDry,
)
from aiosctp.exceptions import SCTPError
from aiosctp.socket.constants import SCTP_FRAG_LEVEL_2
from aiosctp.socket.settings import Settings
from aiosctp.socket.translation import translate
from aiosctp.socket.unread import Unread
from aiosctp.stack import Stack

if TYPE_CHECKING:
    from aiosctp.socket.socket_state import SocketState


class SocketAssociation:
    """Told by the plain API's association of what happens, it tells the socket that reads."""

    def __init__(
        self, socket: SocketState, association_id: int, stack: Stack, engine: AssociationEngine, settings: Settings
    ) -> None:
        self.socket = socket
        """Which reads it: another one once it was peeled off."""
        self.association_id = association_id
        self.settings = settings
        self.association: Association = Association(stack, engine, on_change=self._changed)
        self.changes: Changes = Changes()
        self.unread: Unread = Unread(self.association)
        self.came_up: bool = False
        for stream, value in settings.stream_values.items():
            engine.sender.queue.set_stream_values(stream, priority=value, weight=max(value, 1))
        self._choose_udp_ports()
        stack.own(engine, self.association)

    @property
    def ending(self) -> SCTPError | None:
        """How it ended; None while it lives."""
        return self.association.engine.ending

    @property
    def is_connecting(self) -> bool:
        return self.association.state in HANDSHAKE

    @property
    def is_readable(self) -> bool:
        """In doubt, it is. The end itself is read of a one-to-one socket alone."""
        if self.unread or self.ending is None:
            return bool(self.unread)
        return (
            not self.socket.is_one_to_many or self.unread.peek(SCTP_FRAG_LEVEL_2, with_notifications=False) is not None
        )

    def _changed(self, events: Sequence[Event]) -> None:
        """The stack flushed this association."""
        if self.is_connecting:
            self._choose_udp_ports()
        for event in events:
            if isinstance(event, AssociationChange) and event.change is AssociationChangeKind.COMM_UP:
                self.came_up = True
                self.association.stack.add(self.association)
            for each in (*self.unread.look_at(event), event):
                self._notify(each)
        self.socket.association_changed(self)
        self.changes.tell()

    def _choose_udp_ports(self) -> None:
        """RFC 6951 §6.1: of addresses for which one was set, those included that the INIT ACK has named."""
        for host, port in self.settings.remote_udp_ports.items():
            path = self.association.engine.paths.get(host)
            if path is not None and not path.udp_port_learnt:
                path.udp_port = port

    def tell(self, event: Event) -> None:
        """What happened to the socket's association, and not to the engine's."""
        self._notify(event)
        self.socket.association_changed(self)

    def _notify(self, event: Event) -> None:
        for notification in translate(event, self):
            self.unread.add(notification, is_next=_is_next(event))

    def subscribed_to_dry(self) -> None:
        """§6.1.9: "at the time when a user app subscribes to this event, if there is no data to be sent"."""
        if self.ending is None and self.association.engine.sender.is_drained:
            self.tell(SenderDry())


def _is_next(event: Event) -> bool:
    """Whether it comes before messages that wait: it tells of the handshake, in whose last packets they may have come;
    or of one that goes no further, whose parts they must not be taken for."""
    if isinstance(event, AssociationChange):
        return event.change is AssociationChangeKind.COMM_UP
    return isinstance(event, AdaptationIndication | PartialDelivery)
