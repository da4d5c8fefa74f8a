"""`sendv` and `recvv` (RFC 6458 §9.12, §9.13), which take the place of the older calls."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.wire.chunks import Init, Shutdown
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SERVER_HOST,
    SocketHosts,
    brings,
    ids,
    notification,
    one_to_many_pair,
    one_to_one_pair,
    receive,
    refused,
    subscribe,
    switch_on,
)
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time


@virtual_time
async def test_sendv_takes_one_buffer_or_several() -> None:
    """A36: "The data in the buffer is treated as a single user message." """
    async with one_to_one_pair() as pair:
        assert await pair.client.sendv(b"one") == 3
        assert await pair.client.sendv([b"two ", bytearray(b"in "), memoryview(b"parts")]) == 12
        assert await receive(pair.server) == b"one"
        assert await receive(pair.server) == b"two in parts"


@virtual_time
async def test_sendv_with_all_attributes() -> None:
    """A36: what is given of sndinfo and prinfo holds; the message is abandoned after its time, with its context."""
    async with one_to_one_pair() as pair:
        subscribe(pair.client, sctp.SCTP_SEND_FAILED_EVENT)
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        await pair.client.sendv(
            b"x",
            sndinfo=sctp.sctp_sndinfo(snd_sid=3, snd_ppid=4, snd_context=5),
            prinfo=sctp.sctp_prinfo(pr_policy=sctp.SCTP_PR_SCTP_TTL, pr_value=300),
        )
        failed = await notification(pair.client, sctp.sctp_send_failed_event)
        info = failed.ssfe_info
        assert (info.snd_sid, info.snd_ppid, info.snd_context, failed.ssfe_data) == (3, 4, 5, b"x")


@pytest.mark.parametrize("policy", [sctp.SCTP_PR_SCTP_NONE, None])
@virtual_time
async def test_without_a_policy_a_message_is_reliable(policy: int | None) -> None:
    """A36: SCTP_PR_SCTP_NONE "results in a reliable transmission", its value being ignored."""
    async with one_to_one_pair() as pair:
        pair.hosts.drop = lambda packet: packet.source == CLIENT_HOST
        prinfo = None if policy is None else sctp.sctp_prinfo(pr_policy=policy, pr_value=1)
        await pair.client.sendv(b"x", prinfo=prinfo)
        await asyncio.sleep(20)
        pair.hosts.drop = lambda packet: False
        assert await receive(pair.server) == b"x"


@virtual_time
async def test_sendv_with_a_list_of_addresses_opens_an_association() -> None:
    """A36: "like calling sctp_connectx(), first using the list of addresses and then calling sendmsg()"; the id is in
    the sndinfo afterwards."""
    async with SocketHosts(server_addresses=("192.0.2.2", "192.0.2.12")) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        hosts.network.partition(hosts.client_host, "192.0.2.2")
        client = hosts.one_to_many()
        info = sctp.sctp_sndinfo(snd_sid=2)
        await client.sendv(b"x", [SERVER, ("192.0.2.12", PORT)], sndinfo=info)
        assert await receive(server) == b"x"
        assert (info.snd_assoc_id,) == ids(client)
        assert {packet.destination for packet in hosts.log if brings(packet, Init)} == {"192.0.2.2", "192.0.2.12"}
        await client.sendv(b"y", sndinfo=info)
        assert await receive(server) == b"y"


@virtual_time
async def test_sendv_ends_an_association() -> None:
    """A36: "an sctp_sndinfo attribute with the snd_flags set to SCTP_EOF. In this case, len would be zero." """
    async with one_to_many_pair() as pair:
        await pair.client.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=pair.client_id, snd_flags=sctp.SCTP_EOF))
        await asyncio.sleep(1)
        assert pair.hosts.said(Shutdown)
        assert ids(pair.client) == ids(pair.server) == ()


@virtual_time
async def test_the_id_of_sndinfo_is_ignored_by_a_one_to_one_socket() -> None:
    """A36, D10: "This field is ignored for one-to-one style sockets." """
    async with one_to_one_pair() as pair:
        await pair.client.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_assoc_id=4711))
        assert await receive(pair.server) == b"x"


@virtual_time
async def test_authentication_is_planned() -> None:
    """A36: an authinfo cannot be honoured before AUTH is built: EOPNOTSUPP, and the message is not sent without it."""
    async with one_to_one_pair() as pair:
        with refused(errno.EOPNOTSUPP):
            await pair.client.sendv(b"secret", authinfo=sctp.sctp_authinfo(auth_keynumber=1))
        await pair.client.send(b"first")
        assert await receive(pair.server) == b"first"


@virtual_time
async def test_recvv_gives_data_address_infos_and_flags() -> None:
    """A36: rcvinfo and nxtinfo, each when its option is on; nxtinfo only while a message waits."""
    async with one_to_one_pair() as pair:
        address = pair.client.getsockname()
        for options, has_rcvinfo, has_nxtinfo in (
            ((), False, False),
            ((sctp.SCTP_RECVRCVINFO,), True, False),
            ((sctp.SCTP_RECVNXTINFO,), True, True),
        ):
            switch_on(pair.server, *options)
            await pair.client.send(b"first")
            await pair.client.send(b"second")
            await asyncio.sleep(1)
            received = await pair.server.recvv(ENOUGH)
            assert (received.data, received.address, received.msg_flags) == (b"first", address, sctp.MSG_EOR)
            assert (received.rcvinfo is not None) is has_rcvinfo
            assert (received.nxtinfo is not None) is has_nxtinfo
            received = await pair.server.recvv(ENOUGH)
            assert (received.data, received.nxtinfo) == (b"second", None)


@virtual_time
async def test_recvv_of_a_notification() -> None:
    """A36, D17: MSG_NOTIFICATION, and the data is the RFC's structure."""
    async with one_to_one_pair() as pair:
        subscribe(pair.server, sctp.SCTP_SHUTDOWN_EVENT)
        await pair.client.close()
        received = await pair.server.recvv(ENOUGH)
        assert received.msg_flags == sctp.MSG_NOTIFICATION | sctp.MSG_EOR
        assert isinstance(received.data, sctp.sctp_shutdown_event)
        assert received.data.sse_type == sctp.SCTP_SHUTDOWN_EVENT
        received = await pair.server.recvv(ENOUGH)
        assert (received.data, received.msg_flags) == (b"", 0)


@virtual_time
async def test_a_notification_also_comes_through_recvmsg_and_not_through_a_plain_stream() -> None:
    """D17, C01: `recvmsg` shows the flag; the order with the data around it is kept."""
    async with one_to_many_pair() as pair:
        subscribe(pair.server, sctp.SCTP_SHUTDOWN_EVENT, sctp.SCTP_ASSOC_CHANGE)
        await pair.client.sendto(b"data", 0, SERVER)
        await pair.client.close()
        await asyncio.sleep(1)
        got: list[Any] = []
        for _ in range(3):
            data, _, flags, _ = await pair.server.recvmsg(ENOUGH)
            got.append((type(data), flags))
        whole = sctp.MSG_NOTIFICATION | sctp.MSG_EOR
        assert got == [
            (bytes, sctp.MSG_EOR),
            (sctp.sctp_shutdown_event, whole),
            (sctp.sctp_assoc_change, whole),
        ]


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("text",), {}),
        ((7,), {}),
        ((None,), {}),
        (([b"a", "b"],), {}),
        ((b"x", 7), {}),
        ((b"x", ["no address"]), {}),
        ((b"x", [(SERVER_HOST, "7777")]), {}),
        ((b"x",), {"sndinfo": sctp.sctp_prinfo()}),
        ((b"x",), {"prinfo": sctp.sctp_sndinfo()}),
        ((b"x",), {"prinfo": sctp.sctp_prinfo(pr_policy=0x7777)}),
        ((b"x",), {"sndinfo": 7}),
        ((b"x",), {"sndinfo": sctp.sctp_sndinfo(snd_ppid=-1)}),
        ((b"x",), {"sndinfo": sctp.sctp_sndinfo(snd_sid=1.5)}),  # type: ignore[arg-type]  # wrong on purpose
        ((b"x",), {"flags": "0"}),
    ],
)
@virtual_time
async def test_wrong_arguments_of_sendv_are_einval(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    """A36, I05: with words, and nothing is queued."""
    async with one_to_one_pair(config=aiosctp.Config(interleaving=False)) as pair:
        with refused(errno.EINVAL):
            await pair.client.sendv(*arguments, **options)
        await pair.client.send(b"first")
        assert await receive(pair.server) == b"first"
        (chunk,) = pair.hosts.user_data(CLIENT_HOST)
        assert chunk.number == 0
