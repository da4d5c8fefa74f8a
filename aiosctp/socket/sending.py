"""Messages of a socket's program on their way out (RFC 6458 §3.1.4, §4.1.8, §7.1, §9.12)."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiosctp.socket import opening
from aiosctp.socket.addresses import Address, checked
from aiosctp.socket.ancillary import AncillaryItem
from aiosctp.socket.constants import SCTP_UNORDERED
from aiosctp.socket.errors import as_socket_errors, error, would_block
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.structures import sctp_authinfo, sctp_prinfo, sctp_sndinfo, sctp_sndrcvinfo

if TYPE_CHECKING:
    from aiosctp.socket.sctp_socket import SCTPSocket


async def send(sock: SCTPSocket, data: bytes, flags: int) -> int:
    return await sendv(sock, data, None, None, None, None, flags)


async def sendto(sock: SCTPSocket, data: bytes, flags: int, address: Address) -> int:
    return await sendv(sock, data, [address], None, None, None, flags)


async def sendmsg(
    sock: SCTPSocket,
    buffers: Sequence[bytes],
    ancdata: Sequence[AncillaryItem],
    flags: int,
    address: Address | None,
) -> int:
    sndinfo = next((item for _, _, item in ancdata if isinstance(item, sctp_sndinfo)), None)
    return await sendv(sock, b"".join(buffers), None if address is None else [address], sndinfo, None, None, flags)


async def sendv(
    sock: SCTPSocket,
    data: bytes,
    addresses: Sequence[Address] | None,
    sndinfo: sctp_sndinfo | None,
    prinfo: sctp_prinfo | None,
    authinfo: sctp_authinfo | None,
    flags: int,
) -> int:
    sock.check_open()
    info = sndinfo or sock.settings.sndinfo
    association = await _association_for(sock, addresses, info)
    await _give(association, data, info)
    return len(data)


async def sctp_sendmsg(
    sock: SCTPSocket,
    data: bytes,
    to: Address | None,
    ppid: int,
    flags: int,
    stream_no: int,
    timetolive: int,
    context: int,
) -> int:
    info = sctp_sndinfo(snd_sid=stream_no, snd_flags=flags, snd_ppid=ppid, snd_context=context)
    return await sendv(sock, data, None if to is None else [to], info, None, None, 0)


async def sctp_send(sock: SCTPSocket, data: bytes, sinfo: sctp_sndrcvinfo | None, flags: int) -> int:
    return await sendv(sock, data, None, None, None, None, flags)


async def sctp_sendx(
    sock: SCTPSocket, data: bytes, addrs: Sequence[Address], sinfo: sctp_sndrcvinfo | None, flags: int
) -> int:
    return await sendv(sock, data, addrs, None, None, None, flags)


async def _association_for(
    sock: SCTPSocket, addresses: Sequence[Address] | None, info: sctp_sndinfo
) -> SocketAssociation:
    """The one that is meant; it is opened if there is none yet (§7.5)."""
    if not sock.is_one_to_many and sock.peer is not None:
        return sock.connected()
    if info.snd_assoc_id:
        return sock.association_of(info.snd_assoc_id)
    if addresses is None:
        raise error(errno.ENOTCONN, "no association is named, and no address to open one with")
    hosts, port = await opening.hosts_of(sock, [checked(one) for one in addresses])
    return sock.association_at(hosts[0], port) or opening.begin(sock, hosts, port)


async def _give(association: SocketAssociation, data: bytes, info: sctp_sndinfo) -> None:
    sock = association.socket
    plain = association.association
    unordered = bool(info.snd_flags & SCTP_UNORDERED)
    try:
        with as_socket_errors():
            if sock.getblocking():
                await plain.send(data, stream=info.snd_sid, ppid=info.snd_ppid, unordered=unordered)
            else:
                plain.send_nowait(data, stream=info.snd_sid, ppid=info.snd_ppid, unordered=unordered)
    except BlockingIOError:
        raise would_block("send") from None
    except OSError:
        sock.check_open()
        raise
