"""What a socket's program reads: messages, parts of them, and notifications (RFC 6458 §3.1.4, §4.1.8, §7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiosctp.core.messages import Message
from aiosctp.socket.addresses import Address
from aiosctp.socket.ancillary import AncillaryItem
from aiosctp.socket.constants import MSG_EOR, MSG_NOTIFICATION
from aiosctp.socket.errors import check_int, is_end, would_block
from aiosctp.socket.notifications import Notification
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.structures import sctp_nxtinfo, sctp_rcvinfo, sctp_sndrcvinfo

if TYPE_CHECKING:
    from aiosctp.socket.sctp_socket import SCTPSocket


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


class Taken(NamedTuple):
    """One thing that was read. `association` is None at the end of a one-to-one socket's."""

    association: SocketAssociation | None
    message: Message | None
    notification: Notification | None


_END = Taken(None, None, None)


async def recv(sock: SCTPSocket, bufsize: int, flags: int) -> bytes:
    taken = await take(sock, bufsize, with_notifications=False)
    return b"" if taken.message is None else taken.message.data


async def recvfrom(sock: SCTPSocket, bufsize: int) -> tuple[bytes, Address]:
    taken = await take(sock, bufsize, with_notifications=False)
    if taken.message is None or taken.association is None:
        return b"", ("", 0)
    return taken.message.data, _address_of(sock, taken.association)


async def recvv(sock: SCTPSocket, bufsize: int, flags: int) -> Received:
    taken = await take(sock, bufsize, with_notifications=True)
    if taken.association is None:
        return Received(b"", None, None, None, 0)
    address = _address_of(sock, taken.association)
    if taken.notification is not None:
        return Received(taken.notification, address, None, None, MSG_NOTIFICATION | MSG_EOR)
    assert taken.message is not None
    return Received(taken.message.data, address, None, None, MSG_EOR if taken.message.end_of_record else 0)


async def recvmsg(
    sock: SCTPSocket, bufsize: int, ancbufsize: int, flags: int
) -> tuple[Any, list[AncillaryItem], int, Address | None]:
    received = await recvv(sock, bufsize, flags)
    return received.data, [], received.msg_flags, received.address


async def sctp_recvmsg(
    sock: SCTPSocket, bufsize: int, flags: int
) -> tuple[Any, Address | None, sctp_sndrcvinfo | None, int]:
    received = await recvv(sock, bufsize, flags)
    return received.data, received.address, None, received.msg_flags


async def take(sock: SCTPSocket, bufsize: int, *, with_notifications: bool) -> Taken:
    """The next thing to read, of a message as much as there is room for. Waits for it; cancelling loses nothing."""
    check_int("bufsize", bufsize, 1)
    while True:
        sock.check_open()
        if sock.reads_no_more:
            return _END
        found = _next(sock, bufsize, with_notifications)
        if found is not None:
            return found
        _check_may_wait(sock)
        await sock.readable.wait()


def _next(sock: SCTPSocket, bufsize: int, with_notifications: bool) -> Taken | None:
    """Each association of which something may be read has its turn."""
    for association in list(sock.ready):
        found = _next_of(association, bufsize, with_notifications)
        if found is not None:
            sock.ready.move_to_end(association)
            return found
        # What it has, if anything, this call does not read.
        if not association.is_readable or association.ending is not None:
            del sock.ready[association]
    peer = sock.peer
    if sock.is_one_to_many or peer is None or peer.ending is None or not peer.came_up:
        return None
    if is_end(peer.ending):
        return _END
    raise peer.association.ending_error()


def _next_of(association: SocketAssociation, bufsize: int, with_notifications: bool) -> Taken | None:
    notification = association.take_notification() if with_notifications else None
    if notification is None:
        message = association.take_message()
        if message is not None:
            return Taken(association, _as_much_as(message, bufsize, association), None)
        notification = association.take_last_notification() if with_notifications else None
    return None if notification is None else Taken(association, None, notification)


def _as_much_as(message: Message, bufsize: int, association: SocketAssociation) -> Message:
    """§3.1.4: what there is no room for is read next, and MSG_EOR comes with the last of it."""
    if len(message.data) <= bufsize:
        return message
    association.give_back(message._replace(data=message.data[bufsize:]))
    return message._replace(data=message.data[:bufsize], end_of_record=False)


def _check_may_wait(sock: SCTPSocket) -> None:
    if not sock.is_one_to_many:
        sock.connected()
    if not sock.getblocking():
        raise would_block("recv")


def _address_of(sock: SCTPSocket, association: SocketAssociation) -> Address:
    host, port = association.association.primary_path.address
    return sock.shown(host), port
