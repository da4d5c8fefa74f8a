"""aiosctp.socket as a program uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_type

import aiosctp
from aiosctp.socket import (
    AF_INET6,
    IPPROTO_SCTP,
    MSG_NOTIFICATION,
    SCTP_BINDX_ADD_ADDR,
    SCTP_RTOINFO,
    SCTP_SNDINFO,
    SCTP_STATUS,
    SHUT_WR,
    SOCK_SEQPACKET,
    Received,
    SCTPSocket,
    sctp_adaptation_event,
    sctp_adaption_event,
    sctp_assoc_change,
    sctp_assoc_reset_event,
    sctp_authinfo,
    sctp_authkey_event,
    sctp_extrcvinfo,
    sctp_notification,
    sctp_nxtinfo,
    sctp_paddr_change,
    sctp_pdapi_event,
    sctp_prinfo,
    sctp_rcvinfo,
    sctp_remote_error,
    sctp_rtoinfo,
    sctp_send_failed,
    sctp_send_failed_event,
    sctp_sender_dry_event,
    sctp_shutdown_event,
    sctp_sndinfo,
    sctp_sndrcvinfo,
    sctp_status,
    sctp_stream_change_event,
    sctp_stream_reset_event,
    sctp_tlv,
)

Address = tuple[str, int]


async def life(stack: aiosctp.Stack) -> None:
    async with SCTPSocket(family=AF_INET6, type=SOCK_SEQPACKET, proto=IPPROTO_SCTP, stack=stack) as sock:
        assert_type(sock, SCTPSocket)
        sock.bind(("::", 7777))
        sock.bindx([("192.0.2.1", 7777), ("192.0.2.2", 7777)], SCTP_BINDX_ADD_ADDR)
        sock.listen(5)
        sock.setblocking(True)
        assert_type(sock.getblocking(), bool)
        accepted, address = await sock.accept()
        assert_type(accepted, SCTPSocket)
        assert_type(address, Address)
        await sock.connect(("198.51.100.7", 7777))
        assert_type(await sock.connectx([("198.51.100.7", 7777), ("198.51.100.8", 7777)]), int)
        assert_type(sock.peeloff(3), SCTPSocket)
        sock.shutdown(SHUT_WR)
        await sock.close()


def looking(sock: SCTPSocket) -> None:
    assert_type((sock.family, sock.type, sock.proto), tuple[int, int, int])
    assert_type(sock.getpeername(), Address)
    assert_type(sock.getsockname(), Address)
    assert_type(sock.getpaddrs(assoc_id=3), list[Address])
    assert_type(sock.getladdrs(assoc_id=3), list[Address])


def options(sock: SCTPSocket) -> None:
    sock.setsockopt(IPPROTO_SCTP, SCTP_RTOINFO, sctp_rtoinfo(srto_initial=500))
    status: sctp_status = sock.getsockopt(IPPROTO_SCTP, SCTP_STATUS, value=sctp_status(sstat_assoc_id=3))
    assert_type(status.sstat_primary.spinfo_mtu, int)
    assert_type(sock.opt_info(3, SCTP_RTOINFO, value=None), Any)


async def sending(sock: SCTPSocket) -> None:
    address = ("198.51.100.7", 7777)
    info = sctp_sndinfo(snd_sid=3)
    assert_type(await sock.send(b"hello", flags=0), int)
    assert_type(await sock.sendto(b"hello", 0, address), int)
    assert_type(await sock.sendmsg([b"hel", b"lo"], ancdata=[(IPPROTO_SCTP, SCTP_SNDINFO, info)], flags=0), int)
    assert_type(await sock.sendmsg([b"hello"], address=address), int)
    assert_type(
        await sock.sendv(
            b"hello",
            addresses=[address],
            sndinfo=info,
            prinfo=sctp_prinfo(pr_value=100),
            authinfo=sctp_authinfo(auth_keynumber=1),
            flags=0,
        ),
        int,
    )
    assert_type(
        await sock.sctp_sendmsg(b"hello", to=address, ppid=46, flags=0, stream_no=3, timetolive=0, context=7), int
    )
    old = sctp_sndrcvinfo(sinfo_stream=3)
    assert_type(await sock.sctp_send(b"hello", sinfo=old, flags=0), int)
    assert_type(await sock.sctp_sendx(b"hello", [address], sinfo=old, flags=0), int)


async def receiving(sock: SCTPSocket) -> None:
    assert_type(await sock.recv(2**16, flags=0), bytes)
    assert_type(await sock.recvfrom(2**16), tuple[bytes, Address])
    data, ancdata, msg_flags, address = await sock.recvmsg(2**16, ancbufsize=1024, flags=0)
    assert_type((data, msg_flags, address), tuple[Any, int, Address | None])
    assert_type(ancdata, list[tuple[int, int, Any]])
    received = await sock.recvv(2**16, flags=0)
    assert_type(received, Received)
    assert_type(received.data, Any)
    assert_type(received.address, Address | None)
    assert_type(received.rcvinfo, sctp_rcvinfo | None)
    assert_type(received.nxtinfo, sctp_nxtinfo | None)
    if received.msg_flags & MSG_NOTIFICATION:
        notified(received.data)
    data, address, sinfo, msg_flags = await sock.sctp_recvmsg(2**16, flags=0)
    assert_type((data, address, msg_flags), tuple[Any, Address | None, int])
    assert_type(sinfo, sctp_sndrcvinfo | sctp_extrcvinfo | None)


def notified(notification: sctp_notification) -> None:
    assert_type(notification.sn_header, sctp_tlv)
    match notification:
        case sctp_adaptation_event():
            assert_type(
                [
                    notification.sai_type,
                    notification.sai_flags,
                    notification.sai_length,
                    notification.sai_adaptation_ind,
                    notification.sai_assoc_id,
                ],
                list[int],
            )
            assert_type(notification.sai_adaption_ind, int)
        case sctp_assoc_change():
            assert_type(
                [
                    notification.sac_type,
                    notification.sac_flags,
                    notification.sac_length,
                    notification.sac_state,
                    notification.sac_error,
                    notification.sac_outbound_streams,
                    notification.sac_inbound_streams,
                    notification.sac_assoc_id,
                ],
                list[int],
            )
            assert_type(notification.sac_info, bytes)
        case sctp_assoc_reset_event():
            assert_type(
                [
                    notification.assocreset_type,
                    notification.assocreset_flags,
                    notification.assocreset_length,
                    notification.assocreset_assoc_id,
                    notification.assocreset_local_tsn,
                    notification.assocreset_remote_tsn,
                ],
                list[int],
            )
        case sctp_authkey_event():
            assert_type(
                [
                    notification.auth_type,
                    notification.auth_flags,
                    notification.auth_length,
                    notification.auth_keynumber,
                    notification.auth_indication,
                    notification.auth_assoc_id,
                    notification.auth_altkeynumber,
                ],
                list[int],
            )
        case sctp_paddr_change():
            assert_type(
                [
                    notification.spc_type,
                    notification.spc_flags,
                    notification.spc_length,
                    notification.spc_state,
                    notification.spc_error,
                    notification.spc_assoc_id,
                ],
                list[int],
            )
            assert_type(notification.spc_aaddr, Address | str | None)
        case sctp_pdapi_event():
            assert_type(
                [
                    notification.pdapi_type,
                    notification.pdapi_flags,
                    notification.pdapi_length,
                    notification.pdapi_indication,
                    notification.pdapi_stream,
                    notification.pdapi_seq,
                    notification.pdapi_assoc_id,
                ],
                list[int],
            )
        case sctp_remote_error():
            assert_type(
                [
                    notification.sre_type,
                    notification.sre_flags,
                    notification.sre_length,
                    notification.sre_error,
                    notification.sre_assoc_id,
                ],
                list[int],
            )
            assert_type(notification.sre_data, bytes)
        case sctp_send_failed():
            assert_type(
                [
                    notification.ssf_type,
                    notification.ssf_flags,
                    notification.ssf_length,
                    notification.ssf_error,
                    notification.ssf_assoc_id,
                ],
                list[int],
            )
            assert_type(notification.ssf_info, sctp_sndrcvinfo)
            assert_type(notification.ssf_data, bytes)
        case sctp_send_failed_event():
            assert_type(
                [
                    notification.ssfe_type,
                    notification.ssfe_flags,
                    notification.ssfe_length,
                    notification.ssfe_error,
                    notification.ssfe_assoc_id,
                ],
                list[int],
            )
            assert_type(notification.ssfe_info, sctp_sndinfo)
            assert_type(notification.ssfe_data, bytes)
        case sctp_sender_dry_event():
            assert_type(
                [
                    notification.sender_dry_type,
                    notification.sender_dry_flags,
                    notification.sender_dry_length,
                    notification.sender_dry_assoc_id,
                ],
                list[int],
            )
        case sctp_shutdown_event():
            assert_type(
                [notification.sse_type, notification.sse_flags, notification.sse_length, notification.sse_assoc_id],
                list[int],
            )
        case sctp_stream_change_event():
            assert_type(
                [
                    notification.strchange_type,
                    notification.strchange_flags,
                    notification.strchange_length,
                    notification.strchange_assoc_id,
                    notification.strchange_instrms,
                    notification.strchange_outstrms,
                ],
                list[int],
            )
        case sctp_stream_reset_event():
            assert_type(
                [
                    notification.strreset_type,
                    notification.strreset_flags,
                    notification.strreset_length,
                    notification.strreset_assoc_id,
                ],
                list[int],
            )
            assert_type(notification.strreset_stream_list, Sequence[int])
        case sctp_tlv():
            assert_type([notification.sn_type, notification.sn_flags, notification.sn_length], list[int])


# Their old names.
ALIASES: tuple[type[sctp_notification], ...] = (sctp_adaption_event,)
