"""The order of what is read: parts of messages, messages between them, notifications, and looks ahead (MSG_PEEK)."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Packet
from aiosctp.wire.chunks import Abort, Data, ForwardTsn
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    Pair,
    SocketHosts,
    both_ends_quiet,
    chunks_of,
    ids,
    notification,
    one_to_one_pair,
    receive,
    refused,
    subscribe,
    switch_on,
)
from tests.surface.virtual_time import virtual_time

LONG = b"".join(b"%05d" % number for number in range(2000))
POINT = aiosctp.Config(partial_delivery_point_bytes=2000, rto_initial_s=5, rto_min_s=5)
LATE_S = 20.0
"""Later than what was lost has come."""


def stream(number: int) -> sctp.sctp_sndinfo:
    return sctp.sctp_sndinfo(snd_sid=number)


def lose_the_end(pair: Pair, seconds: float) -> None:
    """The last chunk of the long message is lost, for so long."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds

    def is_lost(packet: Packet) -> bool:
        chunks = chunks_of(packet) if loop.time() < until_s else []
        return any(isinstance(chunk, Data) and chunk.payload.endswith(LONG[-5:]) for chunk in chunks)

    pair.hosts.drop = is_lost


async def what_waits(socket: SCTPSocket) -> list[tuple[bytes, int]]:
    """All that can be read now: data, and msg_flags. The parts of a message are joined."""
    socket.setblocking(False)
    found: list[tuple[bytes, int]] = []
    joins = False
    while True:
        try:
            received = await socket.recvv(ENOUGH)
        except BlockingIOError:
            socket.setblocking(True)
            return found
        if joins and not received.msg_flags & sctp.MSG_NOTIFICATION:
            found[-1] = found[-1][0] + received.data, received.msg_flags
        else:
            found.append((received.data, received.msg_flags))
        joins = not received.msg_flags & sctp.MSG_EOR


async def long_message_without_its_end(pair: Pair) -> None:
    """The last chunk of a long message on stream 1 is lost; a message on stream 2 comes after it."""
    lose_the_end(pair, 3)
    await pair.client.sendv(LONG, sndinfo=stream(1))
    await asyncio.sleep(0.5)
    await pair.client.sendv(b"of another stream", sndinfo=stream(2))
    await asyncio.sleep(0.5)


@pytest.mark.parametrize("level", [0, 1])
@virtual_time
async def test_no_other_stream_comes_between_the_parts_of_a_message(level: int) -> None:
    """B20: levels 0 and 1 of a one-to-one socket: what has come meanwhile is read after the end."""
    async with one_to_one_pair(config=POINT) as pair:
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, level)
        await long_message_without_its_end(pair)
        ((begun, flags),) = await what_waits(pair.server)
        assert LONG.startswith(begun)
        assert (len(begun) > 2000, flags) == (True, 0)
        await asyncio.sleep(LATE_S)
        assert await what_waits(pair.server) == [
            (LONG[len(begun) :], sctp.MSG_EOR),
            (b"of another stream", sctp.MSG_EOR),
        ]
        await pair.client.send(b"next")
        assert await receive(pair.server) == b"next"


@virtual_time
async def test_at_level_2_another_stream_comes_between() -> None:
    """B20: "a partially delivered message may begin being delivered for ... stream "Y", and the next subsequent receive
    may return a message from ... stream "Z""."""
    async with one_to_one_pair(config=POINT) as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, 2)
        await long_message_without_its_end(pair)
        streams = []
        while (2, sctp.MSG_EOR) not in streams:
            received = await pair.server.recvv(ENOUGH)
            assert received.rcvinfo is not None
            streams.append((received.rcvinfo.rcv_sid, received.msg_flags))
        assert set(streams[:-1]) == {(1, 0)}


@virtual_time
async def test_the_level_may_rise_amid_a_message() -> None:
    """B20: what was held back comes then."""
    async with one_to_one_pair(config=POINT) as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        await long_message_without_its_end(pair)
        ((begun, _),) = await what_waits(pair.server)
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, 2)
        assert await receive(pair.server) == b"of another stream"
        await asyncio.sleep(LATE_S)
        assert await what_waits(pair.server) == [(LONG[len(begun) :], sctp.MSG_EOR)]


@virtual_time
async def test_what_is_held_back_does_not_keep_the_end_out() -> None:
    """B20: messages of other streams fill the window: the end of the long one, which they wait for, is taken."""
    async with one_to_one_pair(config=POINT.replace(receive_window_bytes=20_000)) as pair:
        lose_the_end(pair, 3)
        await pair.client.sendv(LONG, sndinfo=stream(1))
        for number in range(40):
            await pair.client.sendv(b"%04d" % number * 250, sndinfo=stream(2))
        await asyncio.sleep(1)
        ((begun, _),) = await what_waits(pair.server)
        rest = b""
        async with asyncio.timeout(300):
            while True:
                received = await pair.server.recvv(ENOUGH)
                rest += received.data
                if received.msg_flags:
                    break
            assert begun + rest == LONG
            for number in range(40):
                assert await receive(pair.server) == b"%04d" % number * 250


@pytest.mark.parametrize("level", [0, 1])
@virtual_time
async def test_notifications_wait_for_the_end_of_a_message_at_level_0_alone(level: int) -> None:
    """B20: "unless the user has set the fragmentation interleave level to 0, notifications may also be interleaved with
    partially delivered messages"."""
    async with one_to_one_pair(config=POINT) as pair:
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, level)
        await long_message_without_its_end(pair)
        await what_waits(pair.server)
        event = sctp.sctp_event(se_type=sctp.SCTP_SENDER_DRY_EVENT, se_on=1)
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EVENT, event)
        read = await what_waits(pair.server)
        assert [flags for _, flags in read] == [sctp.MSG_NOTIFICATION | sctp.MSG_EOR] * level
        await asyncio.sleep(LATE_S)
        read += await what_waits(pair.server)
        kinds = [flags & sctp.MSG_NOTIFICATION for _, flags in read]
        assert kinds == ([sctp.MSG_NOTIFICATION, 0, 0] if level else [0, sctp.MSG_NOTIFICATION, 0])


@pytest.mark.parametrize("level", [0, 1])
@virtual_time
async def test_a_message_that_is_given_up_makes_way(level: int) -> None:
    """C15, B20: parts of it were read, the rest will not come: SCTP_PARTIAL_DELIVERY_EVENT, then what was held back."""
    async with one_to_one_pair(config=POINT) as pair:
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, level)
        subscribe(pair.server, sctp.SCTP_PARTIAL_DELIVERY_EVENT)
        lose_the_end(pair, 1000)
        lifetime = sctp.sctp_prinfo(sctp.SCTP_PR_SCTP_TTL, 2000)
        await pair.client.sendv(LONG, sndinfo=stream(1), prinfo=lifetime)
        await asyncio.sleep(0.5)
        await pair.client.sendv(b"of another stream", sndinfo=stream(2))
        await asyncio.sleep(0.5)
        first = await pair.server.recvv(1000)
        assert (first.data, first.msg_flags) == (LONG[:1000], 0)
        await asyncio.sleep(LATE_S)
        assert pair.hosts.said(ForwardTsn, CLIENT_HOST)
        while isinstance((received := await pair.server.recvv(ENOUGH)).data, bytes):
            assert received.msg_flags == 0
        assert isinstance(received.data, sctp.sctp_pdapi_event)
        assert (received.data.pdapi_stream, received.data.pdapi_indication) == (1, sctp.SCTP_PARTIAL_DELIVERY_ABORTED)
        assert await receive(pair.server) == b"of another stream"


@virtual_time
async def test_an_abort_amid_a_message_is_told() -> None:
    """B20, C15: nothing keeps the socket waiting for an end that will not come."""
    async with one_to_one_pair(config=POINT) as pair:
        await long_message_without_its_end(pair)
        assert len(await pair.server.recv(1000)) == 1000
        await pair.client.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT))
        await asyncio.sleep(1)
        with refused(errno.ECONNRESET):
            await pair.server.recv(ENOUGH)


@pytest.mark.parametrize("comes_in_parts", [False, True])
@virtual_time
async def test_an_abort_that_discards_the_end_of_a_message_is_told_of_the_message(comes_in_parts: bool) -> None:
    """C15: "if an association is aborted while a partial delivery is going on", though all of the message had come."""
    async with one_to_one_pair(config=POINT) as pair:
        subscribe(pair.server, sctp.SCTP_PARTIAL_DELIVERY_EVENT, sctp.SCTP_ASSOC_CHANGE)
        await pair.client.sendv(b"whole", sndinfo=stream(3))
        assert await receive(pair.server) == b"whole"
        if comes_in_parts:
            switch_on(pair.client, sctp.SCTP_EXPLICIT_EOR)
            await pair.client.sendv(LONG, sndinfo=stream(3))
            await asyncio.sleep(1)
            begun = await pair.server.recvv(ENOUGH)
            await pair.client.sendv(b"its end", sndinfo=stream(3), flags=sctp.MSG_EOR)
        else:
            await pair.client.sendv(b"more than there is room for", sndinfo=stream(3))
            begun = await pair.server.recvv(4)
        assert begun.msg_flags == 0
        await asyncio.sleep(LATE_S)
        await pair.client.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT))
        await asyncio.sleep(1)
        told = (await pair.server.recvv(ENOUGH)).data
        assert isinstance(told, sctp.sctp_pdapi_event)
        assert (told.pdapi_stream, told.pdapi_seq) == (3, 1)
        lost = (await pair.server.recvv(ENOUGH)).data
        assert isinstance(lost, sctp.sctp_assoc_change)
        with refused(errno.ECONNRESET):
            await pair.server.recvv(ENOUGH)


@virtual_time
async def test_an_abort_amid_a_message_whose_end_has_not_come_is_told_once() -> None:
    """C15: a read had no room for all of the part that had come, too."""
    async with one_to_one_pair(config=POINT) as pair:
        subscribe(pair.server, sctp.SCTP_PARTIAL_DELIVERY_EVENT)
        await long_message_without_its_end(pair)
        assert len(await pair.server.recv(1000)) == 1000
        await pair.client.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT))
        await asyncio.sleep(1)
        assert isinstance((await pair.server.recvv(ENOUGH)).data, sctp.sctp_pdapi_event)
        with refused(errno.ECONNRESET):
            await pair.server.recvv(ENOUGH)


@virtual_time
async def test_an_abort_after_the_end_of_a_message_tells_of_none() -> None:
    """C15: it was read in two."""
    async with one_to_one_pair() as pair:
        subscribe(pair.server, sctp.SCTP_PARTIAL_DELIVERY_EVENT)
        await pair.client.send(b"in two reads")
        assert [await pair.server.recv(5), await pair.server.recv(ENOUGH)] == [b"in tw", b"o reads"]
        await pair.client.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT))
        await asyncio.sleep(1)
        with refused(errno.ECONNRESET):
            await pair.server.recvv(ENOUGH)


@virtual_time
async def test_closing_amid_a_message_discards_the_rest() -> None:
    """B20, A20: of the message that was begun, and of what was held back for it: the peer can finish."""
    async with one_to_one_pair(config=POINT.replace(receive_window_bytes=20_000)) as pair:
        sending = [asyncio.create_task(pair.client.sendv(LONG * 10, sndinfo=stream(number))) for number in (1, 2)]
        first = await pair.server.recvv(ENOUGH)
        assert first.msg_flags == 0
        await pair.server.close()
        await asyncio.sleep(100)
        assert both_ends_quiet(pair.hosts)
        assert not pair.hosts.said(Abort)
        await asyncio.gather(*sending)


@virtual_time
async def test_at_level_0_one_association_waits_for_the_message_of_another() -> None:
    """B20: "If another message arrives on a different stream (or association) ..., it will be blocked"; when its
    association ends the others go on."""
    async with SocketHosts(config=POINT) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, 0)
        first, second = hosts.one_to_one(), hosts.one_to_one()
        await first.connect(SERVER)
        await second.connect(SERVER)
        switch_on(first, sctp.SCTP_EXPLICIT_EOR)
        await first.send(LONG)
        await asyncio.sleep(1)
        ((begun, flags),) = await what_waits(server)
        assert (len(begun) > 2000, flags) == (True, 0)
        await second.send(b"of another association")
        await asyncio.sleep(1)
        assert await what_waits(server) == []
        await first.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_ABORT))
        assert await receive(server) == b"of another association"


@virtual_time
async def test_a_short_buffer_keeps_to_its_message() -> None:
    """A41: "Successive reads will consume more of the same message", whatever waits of other associations."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        clients = [hosts.one_to_one() for _ in range(3)]
        for client in clients:
            await client.connect(SERVER)
            await client.send(b"0123456789")
        await asyncio.sleep(1)
        read = [await server.recvv(4) for _ in range(9)]
        assert [one.data for one in read] == [b"0123", b"4567", b"89"] * 3
        addresses = [one.address for one in read]
        assert addresses[::3] == addresses[1::3] == addresses[2::3]
        assert len(set(addresses)) == 3


# -- MSG_PEEK --


@virtual_time
async def test_a_peek_leaves_what_it_shows() -> None:
    """A33, D17: "Options for the receive may also be passed into the value (e.g., MSG_PEEK)"; each call."""
    async with one_to_one_pair() as pair:
        await pair.client.send(b"0123456789")
        await asyncio.sleep(1)
        assert await pair.server.recv(4, sctp.MSG_PEEK) == b"0123"
        data, _, flags, _ = await pair.server.recvmsg(ENOUGH, flags=sctp.MSG_PEEK)
        assert (data, flags) == (b"0123456789", sctp.MSG_EOR)
        assert await pair.server.recv(4) == b"0123"
        received = await pair.server.recvv(4, sctp.MSG_PEEK)
        assert (received.data, received.msg_flags) == (b"4567", 0)
        data, _, _, flags = await pair.server.sctp_recvmsg(ENOUGH, sctp.MSG_PEEK)
        assert (data, flags) == (b"456789", sctp.MSG_EOR)
        assert await pair.server.recv(ENOUGH) == b"456789"


@virtual_time
async def test_a_peek_waits_and_shows_notifications() -> None:
    """D17: as the read would."""
    async with one_to_one_pair() as pair:
        subscribe(pair.server, sctp.SCTP_SHUTDOWN_EVENT)
        peeking = asyncio.create_task(pair.server.recvv(ENOUGH, sctp.MSG_PEEK))
        await asyncio.sleep(1)
        assert not peeking.done()
        await pair.client.close()
        received = await peeking
        assert received.msg_flags == sctp.MSG_NOTIFICATION | sctp.MSG_EOR
        assert await notification(pair.server, sctp.sctp_shutdown_event) is received.data
        received = await pair.server.recvv(ENOUGH, sctp.MSG_PEEK)
        assert (received.data, received.msg_flags) == (b"", 0)


@virtual_time
async def test_msg_dontwait_is_for_one_call() -> None:
    """A37: EAGAIN on a socket that blocks."""
    async with one_to_one_pair() as pair:
        for call in (pair.server.recv, pair.server.recvmsg, pair.server.recvv, pair.server.sctp_recvmsg):
            with refused(errno.EAGAIN):
                await call(ENOUGH, flags=sctp.MSG_DONTWAIT)
        reading = asyncio.create_task(pair.server.recv(ENOUGH))
        await pair.client.send(b"x")
        assert await reading == b"x"


@virtual_time
async def test_the_turn_goes_round_the_associations() -> None:
    """A39: one that has much to read keeps no other waiting, and what comes next is what nxtinfo said."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        switch_on(server, sctp.SCTP_RECVRCVINFO, sctp.SCTP_RECVNXTINFO)
        clients = [hosts.one_to_one() for _ in range(3)]
        for client in clients:
            await client.connect(SERVER)
            for _ in range(4):
                await client.send(b"x")
        await asyncio.sleep(1)
        turns: list[int] = []
        following: list[int | None] = []
        for _ in range(12):
            received = await server.recvv(ENOUGH)
            assert received.rcvinfo is not None
            turns.append(received.rcvinfo.rcv_assoc_id)
            following.append(None if received.nxtinfo is None else received.nxtinfo.nxt_assoc_id)
        assert turns[:3] * 4 == turns
        assert sorted(turns[:3]) == sorted(ids(server))
        assert following == [*turns[1:], None]


@virtual_time
async def test_what_is_next_is_told_with_the_end_of_a_message_alone() -> None:
    """D01, B28: "data in the next message is not valid unless the current message is completely read"."""
    async with one_to_one_pair() as pair:
        switch_on(pair.server, sctp.SCTP_RECVNXTINFO)
        await pair.client.send(b"0123456789")
        await pair.client.send(b"next")
        await asyncio.sleep(1)
        following = [(await pair.server.recvv(6)).nxtinfo for _ in range(3)]
        assert following[0] is None
        assert following[1] is not None
        assert following[1].nxt_length == 4
        assert following[2] is None


@pytest.mark.parametrize("level", [0, 1])
@virtual_time
async def test_a_restart_amid_a_message(level: int) -> None:
    """C05, C15, B20: what was held back is read, and then what the peer says anew; nothing waits for the end."""
    async with one_to_one_pair(config=POINT) as pair:
        pair.server.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, level)
        subscribe(pair.server, sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_PARTIAL_DELIVERY_EVENT)
        await long_message_without_its_end(pair)
        first = await pair.server.recvv(ENOUGH)
        assert first.msg_flags == 0
        port = pair.client.getsockname()[1]
        pair.hosts.drop = lambda packet: True
        pair.client.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 0))
        await pair.client.close()
        await asyncio.sleep(1)
        pair.hosts.drop = lambda packet: False
        again = pair.hosts.one_to_one()
        again.bind(("0.0.0.0", port))
        await again.connect(SERVER)
        await again.sendv(b"anew", sndinfo=stream(1))
        await asyncio.sleep(1)
        read = [data if flags == sctp.MSG_EOR else type(data) for data, flags in await what_waits(pair.server)]
        assert read == [sctp.sctp_pdapi_event, b"of another stream", sctp.sctp_assoc_change, b"anew"]
