"""The error queue of a UDP socket (IP_RECVERR): ICMP messages, and what the kernel says on its own."""

from __future__ import annotations

import errno
import socket
import struct
from typing import NamedTuple

from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.sockets import IP_RECVERR, IPV6_RECVERR, MAX_DATAGRAM_BYTES, SockAddr, host_of

# linux/errqueue.h, struct sock_extended_err: errno, origin, type, code, padding, info, data.
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_ANCILLARY_BYTES = 512
_RECVERR = ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))
_ORIGIN_LOCAL, _ORIGIN_ICMP, _ORIGIN_ICMPV6 = 1, 2, 3
# RFC 792, RFC 4443: what §10 tells apart, by (origin, type) and, where it matters, code.
_KINDS = {
    (_ORIGIN_ICMP, 3, 2): IcmpKind.PROTOCOL_UNREACHABLE,
    (_ORIGIN_ICMP, 3, 3): IcmpKind.PORT_UNREACHABLE,
    (_ORIGIN_ICMP, 3, 4): IcmpKind.PACKET_TOO_BIG,
    (_ORIGIN_ICMPV6, 1, 4): IcmpKind.PORT_UNREACHABLE,
    (_ORIGIN_ICMPV6, 2, 0): IcmpKind.PACKET_TOO_BIG,
    (_ORIGIN_ICMPV6, 4, 1): IcmpKind.PROTOCOL_UNREACHABLE,
}
_UNREACHABLE = {(_ORIGIN_ICMP, 3), (_ORIGIN_ICMPV6, 1)}


class QueuedError(NamedTuple):
    """An entry of the queue. `message` is None for what says nothing that the engine could act on."""

    message: IcmpMessage | None
    local_mtu: int = 0
    """What the interface takes, by the kernel's own word on a datagram of ours that it did not send; else 0. It quotes
    nothing of it: it is the one that the failing call was to send."""


def ask_for_errors(udp_socket: socket.socket) -> None:
    """From now on ICMP messages about what this socket sends are kept for `next_error`."""
    if udp_socket.family == socket.AF_INET6:
        udp_socket.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        udp_socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def next_error(udp_socket: socket.socket) -> QueuedError | None:
    """Take the first entry of the queue; None when it is empty."""
    try:
        quoted, ancillary, _, address = udp_socket.recvmsg(MAX_DATAGRAM_BYTES, _ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
    except OSError:
        return None
    for level, option, data in ancillary:
        if (level, option) in _RECVERR and address and len(data) >= _EXTENDED_ERROR.size:
            return _decode(quoted, address, data)
    return QueuedError(None)


def _decode(quoted: bytes, address: SockAddr, data: bytes) -> QueuedError:
    number, origin, icmp_type, icmp_code, _, info, _ = _EXTENDED_ERROR.unpack_from(data)
    if origin == _ORIGIN_LOCAL:
        # What else the kernel says on its own is what the failing call says.
        return QueuedError(None, info if number == errno.EMSGSIZE else 0)
    kind = _KINDS.get((origin, icmp_type, icmp_code))
    if kind is None and (origin, icmp_type) in _UNREACHABLE:
        kind = IcmpKind.DESTINATION_UNREACHABLE
    if kind is None:
        return QueuedError(None)
    mtu = info if kind is IcmpKind.PACKET_TOO_BIG else 0
    return QueuedError(IcmpMessage(kind, quoted, host_of(address), mtu))
