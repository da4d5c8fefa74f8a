"""What becomes of a message that can't go the way it was meant to: to all, to a new peer, to another address."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.wire.chunks import Abort, Data, IData
from tests.socket.hosts import (
    ENOUGH,
    SERVER,
    SocketHosts,
    brings,
    fill,
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

SMALL = aiosctp.Config(send_buffer_bytes=4000, stream_send_buffer_bytes=4000, receive_window_bytes=8000)
TO_ALL = sctp.sctp_sndinfo(snd_flags=sctp.SCTP_SENDALL)


async def with_peers(hosts: SocketHosts, number: int) -> tuple[SCTPSocket, list[SCTPSocket]]:
    """A one-to-many socket, and one-to-one sockets that are associated with it."""
    server = hosts.listening(sctp.SOCK_SEQPACKET)
    peers = [hosts.one_to_one() for _ in range(number)]
    for peer in peers:
        await peer.connect(SERVER)
    await asyncio.sleep(1)
    return server, peers


# -- to all --


@virtual_time
async def test_who_is_full_keeps_nobody_waiting_for_what_goes_to_all() -> None:
    """D15, A39: the others have it at once, and it when it reads."""
    async with SocketHosts(config=SMALL) as hosts:
        server, peers = await with_peers(hosts, 3)
        taken = await fill(server, peers[1].getsockname())
        sending = asyncio.create_task(server.sendv(b"to all", sndinfo=TO_ALL))
        assert [await peers[0].recv(ENOUGH), await peers[2].recv(ENOUGH)] == [b"to all"] * 2
        assert not sending.done()
        assert [await peers[1].recv(ENOUGH) for _ in range(taken + 1)] == [bytes(1000)] * taken + [b"to all"]
        assert await sending == 6


@virtual_time
async def test_who_is_full_does_not_get_what_must_not_wait() -> None:
    """D15, C12, I09: SCTP_SEND_FAILED_EVENT names its association; it is EAGAIN when nobody gets it."""
    async with SocketHosts(config=SMALL) as hosts:
        server, peers = await with_peers(hosts, 2)
        subscribe(server, sctp.SCTP_SEND_FAILED_EVENT)
        await fill(server, peers[1].getsockname())
        server.setblocking(False)
        assert await server.sendv(b"to all", sndinfo=TO_ALL) == 6
        assert await peers[0].recv(ENOUGH) == b"to all"
        failed = await notification(server, sctp.sctp_send_failed_event)
        assert (failed.ssfe_data, failed.ssfe_flags) == (b"to all", sctp.SCTP_DATA_UNSENT)
        assert failed.ssfe_assoc_id == ids(server)[1]
        await fill(server, peers[0].getsockname())
        server.setblocking(False)
        with refused(errno.EAGAIN):
            await server.sendv(b"to all", sndinfo=TO_ALL)


@virtual_time
async def test_who_ends_while_it_waits_does_not_end_it_for_the_others() -> None:
    """D15: what was for it comes back."""
    async with SocketHosts(config=SMALL) as hosts:
        server, peers = await with_peers(hosts, 3)
        subscribe(server, sctp.SCTP_SEND_FAILED_EVENT)
        for peer in peers[:2]:
            await fill(server, peer.getsockname())
        sending = asyncio.create_task(server.sendv(b"to all", sndinfo=TO_ALL))
        await asyncio.sleep(1)
        await peers[0].sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT))
        await asyncio.sleep(1)
        while await peers[1].recv(ENOUGH) != b"to all":
            pass
        assert await sending == 6
        returned = set()
        while b"to all" not in returned:
            returned.add((await notification(server, sctp.sctp_send_failed_event)).ssfe_data)


@virtual_time
async def test_cancelled_it_is_not_sent_to_who_is_still_full() -> None:
    """D15, X28: and no task is left."""
    async with SocketHosts(config=SMALL) as hosts:
        server, peers = await with_peers(hosts, 2)
        taken = await fill(server, peers[0].getsockname())
        sending = asyncio.create_task(server.sendv(b"to all", sndinfo=TO_ALL))
        await asyncio.sleep(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await peers[1].recv(ENOUGH) == b"to all"
        await server.sendto(b"last", 0, peers[0].getsockname()) if taken == 0 else None
        assert [await peers[0].recv(ENOUGH) for _ in range(taken)] == [bytes(1000)] * taken
        await server.sendto(b"last", 0, peers[0].getsockname())
        assert await peers[0].recv(ENOUGH) == b"last"


@virtual_time
async def test_a_stream_that_one_has_and_another_has_not() -> None:
    """D15, I11: who has it gets the message; when nobody has, it is EINVAL."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        peers = [hosts.one_to_one() for _ in range(2)]
        narrow = sctp.sctp_initmsg(sinit_max_instreams=1)
        peers[0].setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_INITMSG, narrow)
        for peer in peers:
            await peer.connect(SERVER)
        await asyncio.sleep(1)
        await server.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_sid=5, snd_flags=sctp.SCTP_SENDALL))
        assert await peers[1].recv(ENOUGH) == b"x"
        with refused(errno.EINVAL):
            await server.sendv(b"x", sndinfo=sctp.sctp_sndinfo(snd_sid=60000, snd_flags=sctp.SCTP_SENDALL))
        await server.sendv(b"y", sndinfo=TO_ALL)
        assert [await peer.recv(ENOUGH) for peer in peers] == [b"y", b"y"]


@pytest.mark.parametrize("flag", [sctp.SCTP_EOF, sctp.SCTP_ABORT])
@virtual_time
async def test_all_associations_may_be_ended_at_once(flag: int) -> None:
    """D13-D15: gracefully, or not."""
    async with SocketHosts() as hosts:
        server, peers = await with_peers(hosts, 3)
        await server.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_SENDALL | flag))
        for peer in peers:
            if flag == sctp.SCTP_EOF:
                assert await peer.recv(ENOUGH) == b""
            else:
                with refused(errno.ECONNRESET):
                    await peer.recv(ENOUGH)
        assert ids(server) == ()
        assert len(hosts.said(Abort)) == (0 if flag == sctp.SCTP_EOF else 3)


# -- to who is not there yet --


@pytest.mark.parametrize("type", [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET])
@virtual_time
async def test_a_message_that_can_not_be_sent_opens_nothing(type: int) -> None:
    """A11, I11: the call fails, no INIT is sent, nobody hears of an association, and the socket is as before."""
    async with SocketHosts() as hosts:
        hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.socket(type)
        subscribe(client, sctp.SCTP_ASSOC_CHANGE)
        info = sctp.sctp_sndinfo(snd_sid=60000)
        with refused(errno.EINVAL):
            await client.sendv(b"x", [SERVER], sndinfo=info)
        assert info.snd_assoc_id == 0
        with refused(errno.EMSGSIZE):
            await client.sendto(bytes(2**20 + 1), 0, SERVER)
        await asyncio.sleep(1)
        assert not hosts.log
        assert not hosts.client.associations()
        assert await client.sendto(b"x", 0, SERVER) == 1
        change = await notification(client, sctp.sctp_assoc_change)
        assert change.sac_state == sctp.SCTP_COMM_UP


@virtual_time
async def test_a_stream_that_the_peer_does_not_take_is_told() -> None:
    """A11, D04, I11: given before the handshake told how many there are: SCTP_SEND_FAILED_EVENT, unsent, and nothing of
    it is on the wire; what else was given goes."""
    async with SocketHosts(server_config=aiosctp.Config(max_inbound_streams=2)) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        subscribe(client, sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SEND_FAILED_EVENT)
        lifetime = sctp.sctp_prinfo(sctp.SCTP_PR_SCTP_TTL, 1000)
        given = [(7, b"seven", None), (1, b"one", None), (2, b"two", lifetime), (0, b"zero", lifetime), (7, b"7", None)]
        for number, data, prinfo in given:
            info = sctp.sctp_sndinfo(snd_sid=number, snd_context=number)
            await client.sendv(data, [SERVER], sndinfo=info, prinfo=prinfo)
        switch_on(client, sctp.SCTP_EXPLICIT_EOR)
        await client.sendv(b"a record", [SERVER], sndinfo=sctp.sctp_sndinfo(snd_sid=9, snd_context=9))
        assert [await receive(server) for _ in range(2)] == [b"one", b"zero"]
        got = [(await client.recvv(ENOUGH)).data for _ in range(5)]
        (up,) = (one for one in got if isinstance(one, sctp.sctp_assoc_change))
        assert (up.sac_state, up.sac_outbound_streams) == (sctp.SCTP_COMM_UP, 2)
        failed = [one for one in got if isinstance(one, sctp.sctp_send_failed_event)]
        assert [(one.ssfe_info.snd_context, one.ssfe_data) for one in failed] == [
            (7, b"seven"),
            (2, b"two"),
            (7, b"7"),
            (9, b"a record"),
        ]
        assert {(one.ssfe_flags, one.ssfe_error) for one in failed} == {(sctp.SCTP_DATA_UNSENT, 1)}
        with refused(errno.EINVAL):
            await client.sendv(b"x", [SERVER], sndinfo=sctp.sctp_sndinfo(snd_sid=2))
        (assoc,) = client.associations.values()
        assoc.association.engine.sender.check_invariants()
        await asyncio.sleep(5)
        assert {chunk.stream for chunk in hosts.user_data()} == {0, 1}
        await client.sendv(b"on", [SERVER], sndinfo=sctp.sctp_sndinfo(snd_sid=1, snd_flags=sctp.SCTP_EOR))
        assert await receive(server) == b"on"


# -- to another address --


@virtual_time
async def test_who_does_not_hear_of_failed_sends_is_told_by_the_call() -> None:
    """A16, I05: an address that is not the peer's: EINVAL where no SCTP_SEND_FAILED_EVENT would come."""
    async with one_to_one_pair() as pair:
        with refused(errno.EINVAL):
            await pair.client.sendto(b"astray", 0, ("192.0.2.99", PORT))
        await pair.client.send(b"first")
        assert await receive(pair.server) == b"first"


@virtual_time
async def test_addr_over_takes_an_address_of_the_peers() -> None:
    """D12, I05: none, or another's, is EINVAL, and nothing is sent."""
    async with one_to_many_pair() as pair:
        info = sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ADDR_OVER, snd_assoc_id=pair.client_id)
        with refused(errno.EINVAL):
            await pair.client.sendv(b"x", sndinfo=info)
        with refused(errno.EINVAL):
            await pair.client.sendv(b"x", [("192.0.2.99", PORT)], sndinfo=info)
        assert not pair.hosts.user_data()


@virtual_time
async def test_an_address_that_is_not_confirmed_is_no_more_than_a_wish() -> None:
    """A16, D12: the message goes to the primary address; SCTP_ADDR_OVER, which insists, is EINVAL."""
    async with SocketHosts(server_addresses=("192.0.2.2", "192.0.2.12")) as hosts:
        hosts.network.partition("192.0.2.12")
        listener = hosts.listening()
        client = hosts.one_to_one()
        await client.connect(SERVER)
        server = await hosts.accept(listener)
        await client.sendto(b"x", 0, ("192.0.2.12", PORT))
        assert await receive(server) == b"x"
        assert {packet.destination for packet in hosts.log if brings(packet, Data, IData)} == {"192.0.2.2"}
        with refused(errno.EINVAL):
            info = sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ADDR_OVER)
            await client.sendv(b"x", [("192.0.2.12", PORT)], sndinfo=info)


# -- again --


@virtual_time
async def test_what_came_back_may_be_sent_as_it_came() -> None:
    """C11, D07: `ssfe_info`, with the flags that say whether it is whole, is good for the next try."""
    async with one_to_one_pair() as pair:
        subscribe(pair.client, sctp.SCTP_SEND_FAILED_EVENT)
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        pair.hosts.drop = lambda packet: brings(packet, Data, IData)
        info = sctp.sctp_sndinfo(snd_sid=3, snd_ppid=46, snd_flags=sctp.SCTP_UNORDERED)
        lifetime = sctp.sctp_prinfo(sctp.SCTP_PR_SCTP_TTL, 100)
        await pair.client.sendv(b"x", sndinfo=info, prinfo=lifetime)
        failed = await notification(pair.client, sctp.sctp_send_failed_event)
        pair.hosts.drop = lambda packet: False
        await pair.client.sendv(failed.ssfe_data, sndinfo=failed.ssfe_info)
        received = await pair.server.recvv(ENOUGH)
        assert received.rcvinfo is not None
        assert (received.data, received.rcvinfo.rcv_sid, received.rcvinfo.rcv_ppid) == (b"x", 3, 46)
        assert received.rcvinfo.rcv_flags == sctp.SCTP_UNORDERED


@virtual_time
async def test_msg_eor_ends_a_record_too() -> None:
    """D16: where a call has flags, and no structure."""
    async with one_to_one_pair() as pair:
        switch_on(pair.client, sctp.SCTP_EXPLICIT_EOR)
        await pair.client.send(b"one, ")
        await pair.client.send(b"two", sctp.MSG_EOR)
        assert await receive(pair.server) == b"one, two"


@virtual_time
async def test_msg_dontwait_is_for_one_send() -> None:
    """A37, I09: EAGAIN on a socket that blocks; the next waits."""
    async with one_to_one_pair(config=SMALL) as pair:
        taken = await fill(pair.client, SERVER)
        with refused(errno.EAGAIN):
            await pair.client.send(b"x", sctp.MSG_DONTWAIT)
        waiting = asyncio.create_task(pair.client.send(b"waits"))
        assert [len(await pair.server.recv(ENOUGH)) for _ in range(taken + 1)] == [1000] * taken + [5]
        assert await waiting == 5


# -- records, policies, items --


@virtual_time
async def test_a_default_policy_is_not_for_the_parts_of_a_record() -> None:
    """B14, B32: it is reliable; a message that is whole by itself keeps to the default."""
    async with one_to_one_pair() as pair:
        default = sctp.sctp_default_prinfo(sctp.SCTP_PR_SCTP_TTL, 500)
        pair.client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_DEFAULT_PRINFO, default)
        switch_on(pair.client, sctp.SCTP_EXPLICIT_EOR)
        subscribe(pair.client, sctp.SCTP_SEND_FAILED_EVENT)
        pair.hosts.drop = lambda packet: brings(packet, Data, IData)
        await pair.client.send(b"a record, ")
        await pair.client.send(b"in two", sctp.MSG_EOR)
        await pair.client.sendv(b"whole", sndinfo=sctp.sctp_sndinfo(snd_sid=1, snd_flags=sctp.SCTP_EOR))
        failed = await notification(pair.client, sctp.sctp_send_failed_event)
        assert failed.ssfe_data == b"whole"
        with refused(errno.EINVAL):
            await pair.client.sendv(b"x", prinfo=sctp.sctp_prinfo(sctp.SCTP_PR_SCTP_RTX, 1))
        pair.hosts.drop = lambda packet: False
        assert await receive(pair.server) == b"a record, in two"


@virtual_time
async def test_records_of_several_streams_may_be_open_where_i_data_keeps_them_apart() -> None:
    """B32: their parts go side by side (RFC 8260)."""
    async with SocketHosts() as hosts:
        on = sctp.sctp_assoc_value(assoc_value=1)
        for socket in (server := hosts.listening(sctp.SOCK_SEQPACKET), client := hosts.one_to_many()):
            switch_on(socket, sctp.SCTP_RECVRCVINFO)
            socket.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, 2)
            socket.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_INTERLEAVING_SUPPORTED, on)
        await client.connect(SERVER)
        switch_on(client, sctp.SCTP_EXPLICIT_EOR)
        for text, flags in ((b"begun", 0), (b" and ended", sctp.SCTP_EOR)):
            for number in (1, 2):
                info = sctp.sctp_sndinfo(snd_sid=number, snd_flags=flags)
                await client.sendv(b"%d" % number + text, [SERVER], sndinfo=info)
        got = {await receive(server) for _ in range(2)}
        assert got == {b"1begun1 and ended", b"2begun2 and ended"}


@virtual_time
async def test_a_lifetime_of_0_is_none() -> None:
    """D08, A36: in `sctp_prinfo` as in the old structures."""
    async with one_to_one_pair() as pair:
        pair.hosts.drop = lambda packet: brings(packet, Data, IData)
        await pair.client.sendv(b"kept", prinfo=sctp.sctp_prinfo(sctp.SCTP_PR_SCTP_TTL, 0))
        await asyncio.sleep(20)
        pair.hosts.drop = lambda packet: False
        assert await receive(pair.server) == b"kept"


@virtual_time
async def test_who_is_not_associated_yet_does_not_get_what_goes_to_all() -> None:
    """D15: "all associations that are currently established"; to none of them it is no error."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.one_to_many()
        client.setblocking(False)
        await client.connectx([SERVER])
        assert await client.sendv(b"to all", sndinfo=TO_ALL) == 6
        await client.sendto(b"to this one", 0, SERVER)
        assert await receive(server) == b"to this one"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (sctp.SCTP_DSTADDRV4, "2001:db8::2"),
        (sctp.SCTP_DSTADDRV6, "192.0.2.2"),
        (sctp.SCTP_DSTADDRV4, "a.name"),
        (sctp.SCTP_DSTADDRV4, SERVER),
    ],
)
@virtual_time
async def test_an_item_with_an_address_has_one_of_its_family(kind: int, value: object) -> None:
    """D03, I05: EINVAL, and no association is opened; nor is it without the port that `address` brings."""
    async with SocketHosts() as hosts:
        client = hosts.one_to_many()
        with refused(errno.EINVAL):
            await client.sendmsg([b"x"], [(sctp.IPPROTO_SCTP, kind, value)], address=SERVER)
        with refused(errno.EINVAL):
            await client.sendmsg([b"x"], [(sctp.IPPROTO_SCTP, sctp.SCTP_DSTADDRV4, "192.0.2.2")])
        assert not hosts.log


@pytest.mark.parametrize("type", [sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET])
@virtual_time
async def test_who_looks_a_name_up_while_another_opens_or_closes(type: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """X28, A11: several first messages to a name open one association; one that looks up while the socket is closed is
    EBADF, and sends nothing."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        client = hosts.socket(type)

        async def resolve(host: str) -> list[str]:
            assert host == "server.example"
            await asyncio.sleep(1)
            return [SERVER[0]]

        monkeypatch.setattr(hosts.client.network, "resolve", resolve)
        named = ("server.example", PORT)
        await asyncio.gather(*(client.sendto(b"%d" % number, 0, named) for number in range(3)))
        assert {await receive(server) for _ in range(3)} == {b"0", b"1", b"2"}
        assert len(ids(server)) == 1
        late = asyncio.create_task(client.sendto(b"late", 0, named))
        await asyncio.sleep(0.5)
        await client.close()
        with refused(errno.EBADF):
            await late
        assert b"late" not in [chunk.payload for chunk in hosts.user_data()]
