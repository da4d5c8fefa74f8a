"""What a socket's program reads: messages, parts of them, and notifications (RFC 6458 §3.1.4, §4.1.8, §7.1)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, NamedTuple

from aiosctp.core.messages import Message
from aiosctp.socket.addresses import Address
from aiosctp.socket.ancillary import (
    AncillaryItem,
    extrcvinfo_of,
    fitting,
    nxtinfo_of,
    rcvinfo_of,
    sndrcvinfo_of,
)
from aiosctp.socket.constants import (
    IPPROTO_SCTP,
    MSG_CTRUNC,
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_NOTIFICATION,
    MSG_PEEK,
    SCTP_EXTRCV,
    SCTP_NXTINFO,
    SCTP_RCVINFO,
    SCTP_SNDRCV,
)
from aiosctp.socket.errors import check_flags, check_int, error, is_end, would_block
from aiosctp.socket.notifications import Notification
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.structures import sctp_extrcvinfo, sctp_nxtinfo, sctp_rcvinfo, sctp_sndrcvinfo

if TYPE_CHECKING:
    from aiosctp.socket.socket_state import SocketState

_FLAGS = MSG_PEEK | MSG_DONTWAIT
_WHOLE_NOTIFICATION = MSG_NOTIFICATION | MSG_EOR


class Received(NamedTuple):
    """What `recvv` returns (§9.13).

    data: bytes of a message, or a notification's structure with MSG_NOTIFICATION in `msg_flags`. address: the peer's.
    rcvinfo, nxtinfo: None unless SCTP_RECVRCVINFO, SCTP_RECVNXTINFO are on. msg_flags: MSG_EOR with the last part.
    """

    data: Any
    address: Address | None
    rcvinfo: sctp_rcvinfo | None
    nxtinfo: sctp_nxtinfo | None
    msg_flags: int


_END = Received(b"", None, None, None, 0)


class Taken(NamedTuple):
    """One thing that was read. `item` is None where nothing more will come."""

    association: SocketAssociation | None
    item: Message | Notification | None


_NOTHING_MORE = Taken(None, None)


async def recv(sock: SocketState, bufsize: int, flags: int) -> bytes:
    sock.check_open()
    if sock.is_one_to_many:
        raise error(errno.EOPNOTSUPP, "recv does not tell whose a message is: recvfrom, recvmsg and recvv do")
    _, message = await _take(sock, bufsize, flags, with_notifications=False)
    return message.data if isinstance(message, Message) else b""


async def recvfrom(sock: SocketState, bufsize: int) -> tuple[bytes, Address]:
    association, message = await _take(sock, bufsize, 0, with_notifications=False)
    if not isinstance(message, Message) or association is None:
        return b"", ("", 0)
    return message.data, _address_of(sock, association)


async def recvv(sock: SocketState, bufsize: int, flags: int) -> Received:
    association, item = await _take(sock, bufsize, flags, with_notifications=True)
    if association is None or item is None:
        return _END
    address = _address_of(sock, association)
    if isinstance(item, Notification):
        return Received(item, address, None, None, _WHOLE_NOTIFICATION)
    return Received(
        item.data,
        address,
        rcvinfo_of(item, association) if sock.recvrcvinfo else None,
        _following(sock, item, flags) if sock.recvnxtinfo else None,
        MSG_EOR if item.end_of_record else 0,
    )


async def recvmsg(
    sock: SocketState, bufsize: int, ancbufsize: int, flags: int
) -> tuple[Any, list[AncillaryItem], int, Address | None]:
    check_int("ancbufsize", ancbufsize, 0)
    association, item = await _take(sock, bufsize, flags, with_notifications=True)
    if association is None or item is None:
        return b"", [], 0, None
    address = _address_of(sock, association)
    if isinstance(item, Notification):
        return item, [], _WHOLE_NOTIFICATION, address
    items = _items_of(sock, item, association, flags)
    held = fitting(items, ancbufsize)
    msg_flags = (MSG_EOR if item.end_of_record else 0) | (MSG_CTRUNC if len(held) < len(items) else 0)
    return item.data, held, msg_flags, address


async def sctp_recvmsg(
    sock: SocketState, bufsize: int, flags: int
) -> tuple[Any, Address | None, sctp_sndrcvinfo | sctp_extrcvinfo | None, int]:
    association, item = await _take(sock, bufsize, flags, with_notifications=True)
    if association is None or item is None:
        return b"", None, None, 0
    address = _address_of(sock, association)
    if isinstance(item, Notification):
        return item, address, None, _WHOLE_NOTIFICATION
    sinfo = _old_info(sock, item, association, flags) if sock.data_io_event else None
    return item.data, address, sinfo, MSG_EOR if item.end_of_record else 0


# -- what is known of a message --


def _items_of(sock: SocketState, message: Message, association: SocketAssociation, flags: int) -> list[AncillaryItem]:
    """§5.3: "Specific ancillary data items can be enabled with socket options"."""
    items: list[AncillaryItem] = []
    if sock.recvrcvinfo:
        items.append((IPPROTO_SCTP, SCTP_RCVINFO, rcvinfo_of(message, association)))
    if sock.recvnxtinfo and (following := _following(sock, message, flags)) is not None:
        items.append((IPPROTO_SCTP, SCTP_NXTINFO, following))
    if sock.data_io_event:
        kind = SCTP_EXTRCV if sock.use_ext_rcvinfo else SCTP_SNDRCV
        items.append((IPPROTO_SCTP, kind, _old_info(sock, message, association, flags)))
    return items


def _old_info(
    sock: SocketState, message: Message, association: SocketAssociation, flags: int
) -> sctp_sndrcvinfo | sctp_extrcvinfo:
    if sock.use_ext_rcvinfo:
        return extrcvinfo_of(message, association, _following(sock, message, flags))
    return sndrcvinfo_of(message, association)


def _following(sock: SocketState, message: Message, flags: int) -> sctp_nxtinfo | None:
    """§5.3.3: "data in the next message is not valid unless the current message is completely read"."""
    if not message.end_of_record or flags & MSG_PEEK:
        return None
    level = sock.fragment_interleave
    for association in sock.ready:
        following = association.unread.peek(level, with_notifications=True)
        if following is not None:
            return nxtinfo_of(following, association)
    return None


def _address_of(sock: SocketState, association: SocketAssociation) -> Address:
    engine = association.association.engine
    return sock.shown(engine.paths.primary.address), engine.peer_port


# -- taking --


async def _take(sock: SocketState, bufsize: int, flags: int, *, with_notifications: bool) -> Taken:
    """The next thing to read, of a message as much as there is room for. Waits for it; cancelling loses nothing."""
    sock.check_open()
    check_int("bufsize", bufsize, 1)
    check_flags(flags, _FLAGS)
    blocks = sock.blocks and not flags & MSG_DONTWAIT
    while True:
        if sock.reads_no_more:
            return _NOTHING_MORE
        taken = _next(sock, bufsize, with_notifications, peeks=bool(flags & MSG_PEEK)) or _end_of(sock)
        if taken is not None:
            return taken
        if not blocks:
            raise would_block("recv")
        await sock.readable.wait()
        sock.check_open()


def _next(sock: SocketState, bufsize: int, with_notifications: bool, *, peeks: bool) -> Taken | None:
    """Each association of which something may be read has its turn, unless one is amid a message."""
    level, ready, amid = sock.fragment_interleave, sock.ready, sock.amid
    if amid is not None and amid.socket is sock and amid.unread.is_amid(level):
        ready[amid] = None
        ready.move_to_end(amid, last=False)
        turns = 1
    else:
        turns = len(ready)
    for _ in range(turns):
        association = next(iter(ready))
        unread = association.unread
        if peeks:
            found = unread.peek(level, with_notifications=with_notifications)
            if found is not None:
                return Taken(association, _beginning_of(found, bufsize))
        else:
            found = unread.take(bufsize, level, with_notifications=with_notifications)
            if found is not None:
                is_amid = unread.is_amid(level)
                sock.amid = association if is_amid else None
                ready.move_to_end(association, last=not is_amid)
                return Taken(association, found)
        if unread:
            # What it has, this call does not read.
            ready.move_to_end(association)
        else:
            del ready[association]
    return None


def _beginning_of(item: Message | Notification, bufsize: int) -> Message | Notification:
    if isinstance(item, Notification) or len(item.data) <= bufsize:
        return item
    return item._replace(data=item.data[:bufsize], end_of_record=False)


def _end_of(sock: SocketState) -> Taken | None:
    """Of a one-to-one socket: what there is to tell when nothing is left to read. None: something may come."""
    if sock.is_one_to_many:
        return None
    ending = sock.connected().ending
    if ending is None:
        return None
    if is_end(ending):
        return _NOTHING_MORE
    assert sock.peer is not None
    raise sock.peer.association.ending_error()
