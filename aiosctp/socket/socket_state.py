"""What a socket is and has: what the rest of this package asks of it, and tells it."""

from __future__ import annotations

import errno
from collections import OrderedDict
from itertools import count
from typing import Any, Final

from aiosctp.changes import Changes
from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.endpoint import Endpoint
from aiosctp.default_stacks import default_stack
from aiosctp.socket import addresses
from aiosctp.socket.addresses import Address
from aiosctp.socket.constants import AF_INET6, IPPROTO_SCTP, SOCK_SEQPACKET
from aiosctp.socket.errors import closed, error, pending_errno, stack_is_closed
from aiosctp.socket.notifications import sctp_tlv
from aiosctp.socket.settings import Settings
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.structures import linger
from aiosctp.stack import DEFAULT_UDP_PORT, Stack

FIRST_ID = 3
"""0, 1 and 2 are SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC."""

# RFC 8260 §4.3.1: I-DATA needs SCTP_FRAGMENT_INTERLEAVE at its highest level, which is the program's to choose.
# RFC 6525 §6.3.1: "The default is to deny all incoming requests."
_OFF_AT_FIRST: Final[dict[str, Any]] = {
    "interleaving": False,
    "peer_may_reset_streams": False,
    "peer_may_reset_association": False,
    "peer_may_add_streams": False,
}


class SocketState:
    """A socket without its calls: options, port, associations, and whose turn it is to be read."""

    def __init__(self, family: int, type: int, stack: Stack | None) -> None:
        self.family: int = family
        self.type: int = type
        self.proto: int = IPPROTO_SCTP
        self._stack = stack
        config = Config() if stack is None else stack.config
        # §8.1.7: SO_SNDBUF is one number, whatever the stream; Config has a second one.
        self.settings: Settings = Settings(
            config.replace(**_OFF_AT_FIRST, stream_send_buffer_bytes=config.send_buffer_bytes)
        )
        # §8.1.20: "An implementation should default one-to-many style sockets to level 1", one-to-one to level 0.
        level = 1 if stack is None else stack.sysctl["net.inet.sctp.default_frag_interleave"]
        self.fragment_interleave: int = level if type == SOCK_SEQPACKET else 0
        self.linger: linger = linger()
        self.mapped_v4 = False
        self.recvrcvinfo = False
        self.recvnxtinfo = False
        self.data_io_event: bool = False
        self.use_ext_rcvinfo = False
        self.explicit_eor = False
        self.reuse_address = False
        self.reuse_port: bool = False
        self.endpoint: Endpoint | None = None
        self.associations: dict[int, SocketAssociation] = {}
        """Those that live, by id."""
        self._by_engine: dict[AssociationEngine, SocketAssociation] = {}
        self.peer: SocketAssociation | None = None
        """The one association of a one-to-one socket, also when it has ended."""
        self.readable: Changes = Changes()
        self.ready: OrderedDict[SocketAssociation, None] = OrderedDict()
        """Of which something may be read, whose turn is next first."""
        self.only_notified: dict[SocketAssociation, None] = {}
        """Those of which a call that reads messages alone has found only notifications: it need not look again."""
        self.amid: SocketAssociation | None = None
        """Of whose last message not all was read."""
        self._ids = count(FIRST_ID)
        self.blocks: bool = True
        self._reads_no_more = False
        self._is_listening = False
        self._pending_errno = 0
        self._is_closed = False

    @property
    def is_one_to_many(self) -> bool:
        return self.type == SOCK_SEQPACKET

    @property
    def is_listening(self) -> bool:
        return self._is_listening

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    @property
    def reads_no_more(self) -> bool:
        return self._reads_no_more

    def shown(self, host: str) -> str:
        return addresses.shown(host, mapped_v4=self.mapped_v4 and self.family == AF_INET6)

    def check_open(self) -> None:
        if self._is_closed:
            raise closed()

    def check_may_connect(self) -> None:
        """A one-to-many socket may always."""
        if self.is_one_to_many:
            return
        if self._is_listening:
            raise error(errno.EOPNOTSUPP, "the socket listens")
        if self.peer is not None and self.peer.is_connecting:
            raise error(errno.EALREADY, "another connect goes on")
        if self.peer is not None and self.peer.came_up:
            raise error(errno.EISCONN, "the socket has, or had, an association")

    def connected(self) -> SocketAssociation:
        """The association of a one-to-one socket, one that is being opened included. Where that came to nothing, and
        nobody has been told why, this is told."""
        if self.peer is None or (self.peer.ending is not None and not self.peer.came_up):
            pending = self.take_pending_errno()
            raise error(pending) if pending else error(errno.ENOTCONN, "the socket has no association")
        return self.peer

    def association_of(self, assoc_id: object) -> SocketAssociation:
        """A one-to-one socket ignores the id. Raises OSError (EINVAL, ENOTCONN)."""
        if not self.is_one_to_many:
            return self.connected()
        found = self.associations.get(assoc_id) if isinstance(assoc_id, int) else None
        if found is None:
            raise error(errno.EINVAL, f"there is no association {assoc_id!r}")
        return found

    def association_at(self, host: str, port: int) -> SocketAssociation | None:
        """The one whose peer has this address."""
        if self.endpoint is None:
            return None
        found = self.open_stack(listens=True).open().association_with(self.endpoint.port, port, (host,))
        return None if found is None else self._by_engine.get(found)

    def choose_stack(self, *, listens: bool) -> Stack:
        if self._stack is None:
            self._stack = default_stack(DEFAULT_UDP_PORT if listens else 0)
        return self._stack

    def open_stack(self, *, listens: bool) -> Stack:
        """With its UDP sockets bound. Raises OSError: ENETDOWN when it was closed."""
        stack = self.choose_stack(listens=listens)
        if stack.is_closed:
            raise stack_is_closed()
        stack.open()
        return stack

    @property
    def is_cut_off(self) -> bool:
        """Nothing comes any more, for its stack was closed."""
        return self._stack is not None and self._stack.is_closed

    def stack_closed(self) -> None:
        self._is_listening = False
        self.readable.tell()

    def configure(self, config: Config) -> None:
        """For associations to come, those of a socket that listens included."""
        self.settings.config = config
        if self.endpoint is not None and self._is_listening:
            self.endpoint.config = config

    def add_association(self, engine: AssociationEngine, settings: Settings) -> SocketAssociation:
        added = SocketAssociation(self, next(self._ids), self.choose_stack(listens=True), engine, settings)
        self._add(added)
        return added

    def _add(self, added: SocketAssociation) -> None:
        self.associations[added.association_id] = added
        self._by_engine[added.association.engine] = added
        if not self.is_one_to_many:
            self.peer = added

    def _remove(self, removed: SocketAssociation) -> None:
        self.associations.pop(removed.association_id, None)
        self._by_engine.pop(removed.association.engine, None)

    def take_over(self, peeled: SocketAssociation) -> None:
        """From now on it is this socket's, alone."""
        peeled.socket = self
        self._add(peeled)
        self.association_changed(peeled)

    def association_changed(self, changed: SocketAssociation) -> None:
        """It did something, or has ended."""
        if changed.ending is not None:
            self._remove(changed)
            if changed is self.peer:
                self._pending_errno = pending_errno(changed.ending)
        if changed.is_readable:
            self.only_notified.pop(changed, None)
            self.ready[changed] = None
            self.readable.tell()
            if changed.ending is not None:
                self._drop_old_notifications(changed)

    def pass_over(self, association: SocketAssociation) -> None:
        self.ready.pop(association, None)
        self.only_notified.pop(association, None)

    def _drop_old_notifications(self, ended: SocketAssociation) -> None:
        """A program that subscribed to notifications and does not read them, as with `recvfrom`, would have them of all
        associations that there ever were. Beyond as many associations as one may have notifications, which have ended
        and left nothing else, SCTP_NOTIFICATIONS_STOPPED_EVENT stands for theirs (§6.1.10), as one of the last."""
        waiting = len(self.ready) + len(self.only_notified)
        if waiting <= len(self.associations) + self.settings.config.event_queue_limit:
            return
        everyone = [*self.ready, *self.only_notified]
        dropped = [one for one in everyone if one.ending is not None and one.unread.has_only_notifications]
        for one in dropped:
            if one is not ended:
                self.pass_over(one)
        if dropped:
            ended.unread.add(sctp_tlv())

    def take_pending_errno(self) -> int:
        """SO_ERROR: reading clears it."""
        pending, self._pending_errno = self._pending_errno, 0
        return pending

    def peer_address(self) -> Address:
        assert self.peer is not None
        host, port = self.peer.association.primary_path.address
        return self.shown(host), port
