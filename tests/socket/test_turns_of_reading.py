"""What is read next: turns of associations, looking without taking, and what is told of the message after it."""

from __future__ import annotations

import asyncio
import errno

import aiosctp.socket as sctp
from tests.socket.hosts import (
    ENOUGH,
    SERVER,
    SocketHosts,
    notification,
    one_to_many_pair,
    one_to_one_pair,
    refused,
    subscribe,
    switch_on,
)
from tests.surface.virtual_time import virtual_time


@virtual_time
async def test_a_read_without_notifications_leaves_them_to_others() -> None:
    """C01, A12: recvfrom finds no message and takes nothing: recvmsg reads the notification afterwards."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        subscribe(server, sctp.SCTP_ASSOC_CHANGE)
        await hosts.one_to_one().connect(SERVER)
        await asyncio.sleep(1)
        server.setblocking(False)
        for _ in range(2):
            with refused(errno.EAGAIN):
                await server.recvfrom(ENOUGH)
        assert (await notification(server, sctp.sctp_assoc_change)).sac_state == sctp.SCTP_COMM_UP


@virtual_time
async def test_nothing_is_told_of_the_next_message_before_this_one_is_read() -> None:
    """D07: "the data in the next message is not valid unless the current message is completely read": none with a part
    of it, and none with MSG_PEEK, after which this one is still the next."""
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVNXTINFO)
        await pair.client.send(b"0123456789")
        await pair.client.send(b"next")
        await asyncio.sleep(1)
        assert (await pair.server.recvv(ENOUGH, sctp.MSG_PEEK)).nxtinfo is None
        assert (await pair.server.recvv(4)).nxtinfo is None
        last = await pair.server.recvv(6)
        assert last.nxtinfo is not None
        assert last.nxtinfo.nxt_length == 4
        assert last.nxtinfo.nxt_flags == sctp.SCTP_COMPLETE


@virtual_time
async def test_an_abort_takes_the_rest_of_a_message_with_it() -> None:
    """I03, A41: of which a part was read: ECONNRESET of a one-to-one socket, COMM_LOST of a one-to-many one."""
    async with one_to_one_pair() as pair:
        await pair.client.send(bytes(1000))
        assert len(await pair.server.recv(10)) == 10
        pair.client.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 0))
        await pair.client.close()
        await asyncio.sleep(1)
        with refused(errno.ECONNRESET):
            await pair.server.recv(10)
    async with one_to_many_pair() as many:
        subscribe(many.server, sctp.SCTP_ASSOC_CHANGE)
        await many.client.sendto(bytes(1000), 0, SERVER)
        assert len((await many.server.recvfrom(10))[0]) == 10
        ending = sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT, snd_assoc_id=many.client_id)
        await many.client.sendv(b"", sndinfo=ending)
        await asyncio.sleep(1)
        assert (await notification(many.server, sctp.sctp_assoc_change)).sac_state == sctp.SCTP_COMM_LOST


@virtual_time
async def test_the_old_structure_has_the_context_of_the_association() -> None:
    """B30, A33: SCTP_CONTEXT comes with what is received, in sinfo_context, too."""
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EVENTS, sctp.sctp_event_subscribe(sctp_data_io_event=1))
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_CONTEXT, sctp.sctp_assoc_value(assoc_value=77))
        await pair.client.send(b"x")
        await pair.client.send(b"y")
        _, _, sinfo, _ = await pair.server.sctp_recvmsg(ENOUGH)
        assert sinfo is not None
        assert sinfo.sinfo_context == 77
        rcvinfo = (await pair.server.recvv(ENOUGH)).rcvinfo
        assert rcvinfo is not None
        assert rcvinfo.rcv_context == 77
