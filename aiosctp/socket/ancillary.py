"""Ancillary data: what goes with a message besides its bytes (RFC 6458 §5)."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiosctp.core.addresses import is_ipv6
from aiosctp.core.messages import Message
from aiosctp.opening import literal_host
from aiosctp.socket.constants import (
    IPPROTO_SCTP,
    SCTP_AUTHINFO,
    SCTP_COMPLETE,
    SCTP_DSTADDRV4,
    SCTP_DSTADDRV6,
    SCTP_EXTRCV,
    SCTP_INIT,
    SCTP_NEXT_MSG_AVAIL,
    SCTP_NEXT_MSG_IS_NOTIFICATION,
    SCTP_NEXT_MSG_IS_UNORDERED,
    SCTP_NEXT_MSG_ISCOMPLETE,
    SCTP_NOTIFICATION,
    SCTP_NXTINFO,
    SCTP_PRINFO,
    SCTP_RCVINFO,
    SCTP_SNDINFO,
    SCTP_SNDRCV,
    SCTP_UNORDERED,
)
from aiosctp.socket.errors import error
from aiosctp.socket.notifications import Notification
from aiosctp.socket.options.checking import checked
from aiosctp.socket.structures import (
    sctp_authinfo,
    sctp_extrcvinfo,
    sctp_initmsg,
    sctp_nxtinfo,
    sctp_prinfo,
    sctp_rcvinfo,
    sctp_sndinfo,
    sctp_sndrcvinfo,
)
from aiosctp.wire.serial import SSN_MASK

if TYPE_CHECKING:
    from aiosctp.socket.socket_association import SocketAssociation

AncillaryItem = tuple[int, int, Any]
"""Level, type, structure."""

ENOUGH_FOR_ALL = 1024
"""Holds every item that `recvmsg` gives."""

# -- of what is sent --

_SENT: dict[int, tuple[str, type]] = {
    SCTP_INIT: ("SCTP_INIT", sctp_initmsg),
    SCTP_SNDRCV: ("SCTP_SNDRCV", sctp_sndrcvinfo),
    SCTP_SNDINFO: ("SCTP_SNDINFO", sctp_sndinfo),
    SCTP_PRINFO: ("SCTP_PRINFO", sctp_prinfo),
    SCTP_AUTHINFO: ("SCTP_AUTHINFO", sctp_authinfo),
}


@dataclass(slots=True)
class SentItems:
    """What `sendmsg` was given. Its structures are copies, and their fields are in range."""

    init: sctp_initmsg | None = None
    sndrcv: sctp_sndrcvinfo | None = None
    sndinfo: sctp_sndinfo | None = None
    prinfo: sctp_prinfo | None = None
    authinfo: sctp_authinfo | None = None
    hosts: list[str] = field(default_factory=list)
    """Those of SCTP_DSTADDRV4 and SCTP_DSTADDRV6 (§5.3.9, §5.3.10)."""


def sent_items(ancdata: object) -> SentItems:
    """§5.2.1: in any order, with those of other protocols among them. Raises OSError (EINVAL)."""
    if isinstance(ancdata, str | bytes) or not isinstance(ancdata, Iterable):
        raise error(errno.EINVAL, f"ancdata must be a list of (level, type, structure), not {ancdata!r}")
    found: dict[int, Any] = {}
    hosts: list[str] = []
    for item in ancdata:
        if not isinstance(item, tuple | list) or len(item) != 3:
            raise error(errno.EINVAL, f"an item of ancdata must be (level, type, structure), not {item!r}")
        level, kind, value = item
        if level != IPPROTO_SCTP:
            continue
        if not isinstance(kind, int):
            raise error(errno.EINVAL, f"the type of an item of ancdata must be an int, not {kind!r}")
        if kind in (SCTP_DSTADDRV4, SCTP_DSTADDRV6):
            hosts.append(_host(kind, value))
        elif kind not in _SENT:
            raise error(errno.EINVAL, f"ancillary data of type {kind!r} is not for sending")
        elif kind in found:
            raise error(errno.EINVAL, f"{_SENT[kind][0]} is there twice")
        else:
            found[kind] = checked(*_SENT[kind], value)
    if SCTP_SNDRCV in found and SCTP_SNDINFO in found:
        # "There can be only one such type of ancillary data for each sendmsg()".
        raise error(errno.EINVAL, "SCTP_SNDRCV and SCTP_SNDINFO say the same: one of them is enough")
    return SentItems(
        init=found.get(SCTP_INIT),
        sndrcv=found.get(SCTP_SNDRCV),
        sndinfo=found.get(SCTP_SNDINFO),
        prinfo=found.get(SCTP_PRINFO),
        authinfo=found.get(SCTP_AUTHINFO),
        hosts=hosts,
    )


def _host(kind: int, value: object) -> str:
    name = "SCTP_DSTADDRV4" if kind == SCTP_DSTADDRV4 else "SCTP_DSTADDRV6"
    host = literal_host(value) if isinstance(value, str) else None
    if host is None or is_ipv6(host) is not (kind == SCTP_DSTADDRV6):
        raise error(errno.EINVAL, f"{name} takes an address of its family as a string, not {value!r}")
    return host


# -- of what is received --

_STRUCTURE_BYTES = {SCTP_RCVINFO: 28, SCTP_NXTINFO: 16, SCTP_SNDRCV: 32, SCTP_EXTRCV: 48}
"""In C, with the padding."""

_HEADER_BYTES, _ALIGNMENT_BYTES = 16, 8


def fitting(items: Sequence[AncillaryItem], ancbufsize: int) -> list[AncillaryItem]:
    """Those that a buffer of this size holds (§5.2.3): each takes what `socket.CMSG_SPACE` says of its structure."""
    held: list[AncillaryItem] = []
    for item in items:
        ancbufsize -= _space(_STRUCTURE_BYTES[item[1]])
        if ancbufsize < 0:
            break
        held.append(item)
    return held


def _space(size: int) -> int:
    """A cmsghdr and a structure; where there is no C to ask, on a machine of 64 bits."""
    if hasattr(socket, "CMSG_SPACE"):
        return socket.CMSG_SPACE(size)
    return _HEADER_BYTES + -(-size // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


def rcvinfo_of(message: Message, of: SocketAssociation) -> sctp_rcvinfo:
    return sctp_rcvinfo(
        rcv_sid=message.stream,
        rcv_ssn=message.ssn & SSN_MASK,
        rcv_flags=SCTP_UNORDERED if message.unordered else 0,
        rcv_ppid=message.ppid,
        rcv_tsn=message.tsn,
        rcv_cumtsn=_cumulative_tsn(of),
        rcv_context=of.settings.context,
        rcv_assoc_id=of.association_id,
    )


def _cumulative_tsn(of: SocketAssociation) -> int:
    """§5.3.5: "the current cumulative TSN as known by the underlying SCTP layer": not that of when the message came."""
    return of.association.engine.receiver.cumulative_tsn


def nxtinfo_of(following: Message | Notification, of: SocketAssociation) -> sctp_nxtinfo:
    """§5.3.6: of a message that is not complete, the length is that of what there is."""
    if isinstance(following, Notification):
        return sctp_nxtinfo(
            nxt_flags=SCTP_NOTIFICATION | SCTP_COMPLETE,
            nxt_length=following.sn_header.sn_length,
            nxt_assoc_id=of.association_id,
        )
    return sctp_nxtinfo(
        nxt_sid=following.stream,
        nxt_flags=(SCTP_UNORDERED if following.unordered else 0) | (SCTP_COMPLETE if following.end_of_record else 0),
        nxt_ppid=following.ppid,
        nxt_length=len(following.data),
        nxt_assoc_id=of.association_id,
    )


def sndrcvinfo_of(message: Message, of: SocketAssociation) -> sctp_sndrcvinfo:
    return sctp_sndrcvinfo(
        sinfo_stream=message.stream,
        sinfo_ssn=message.ssn & SSN_MASK,
        sinfo_flags=SCTP_UNORDERED if message.unordered else 0,
        sinfo_ppid=message.ppid,
        sinfo_context=of.settings.context,
        sinfo_tsn=message.tsn,
        sinfo_cumtsn=_cumulative_tsn(of),
        sinfo_assoc_id=of.association_id,
    )


_NEXT_FLAGS = {
    SCTP_COMPLETE: SCTP_NEXT_MSG_ISCOMPLETE,
    SCTP_UNORDERED: SCTP_NEXT_MSG_IS_UNORDERED,
    SCTP_NOTIFICATION: SCTP_NEXT_MSG_IS_NOTIFICATION,
}


def extrcvinfo_of(message: Message, of: SocketAssociation, following: sctp_nxtinfo | None) -> sctp_extrcvinfo:
    old = sndrcvinfo_of(message, of)
    extended = sctp_extrcvinfo(
        sinfo_stream=old.sinfo_stream,
        sinfo_ssn=old.sinfo_ssn,
        sinfo_flags=old.sinfo_flags,
        sinfo_ppid=old.sinfo_ppid,
        sinfo_context=old.sinfo_context,
        sinfo_tsn=old.sinfo_tsn,
        sinfo_cumtsn=old.sinfo_cumtsn,
        sinfo_assoc_id=old.sinfo_assoc_id,
    )
    if following is not None:
        extended.serinfo_next_flags = SCTP_NEXT_MSG_AVAIL | sum(
            number for flag, number in _NEXT_FLAGS.items() if following.nxt_flags & flag
        )
        extended.serinfo_next_stream = following.nxt_sid
        extended.serinfo_next_aid = following.nxt_assoc_id
        extended.serinfo_next_length = following.nxt_length
        extended.serinfo_next_ppid = following.nxt_ppid
    return extended
