"""Messages and their edges: MSG_EOR, reading in parts, partial delivery, explicit ends of records (RFC 6458 §3.1.4)."""

from __future__ import annotations

import asyncio
import errno

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from tests.socket.hosts import (
    CLIENT_HOST,
    ENOUGH,
    SERVER,
    SocketHosts,
    never_ends,
    one_to_many_pair,
    one_to_one_pair,
    receive,
    refused,
    switch_on,
)
from tests.surface.virtual_time import virtual_time

LONG = bytes(number % 251 for number in range(100_000))


async def read_to_the_end(socket: SCTPSocket, bufsize: int) -> tuple[bytes, list[int]]:
    """A message in parts of at most `bufsize`, and how long each was."""
    parts: list[bytes] = []
    while True:
        received = await socket.recvv(bufsize)
        assert isinstance(received.data, bytes)
        assert 0 < len(received.data) <= bufsize
        parts.append(received.data)
        if received.msg_flags == sctp.MSG_EOR:
            return b"".join(parts), [len(part) for part in parts]
        assert received.msg_flags == 0


# -- reading in parts --


@virtual_time
async def test_a_short_buffer_takes_several_reads() -> None:
    """A41, D17: "MSG_EOR will not be set ... Successive reads will consume more of the same message until the entire
    message has been delivered, and MSG_EOR will be set." """
    async with one_to_one_pair() as pair:
        await pair.client.send(b"0123456789")
        await pair.client.send(b"next")
        await asyncio.sleep(1)
        reads = []
        for bufsize in (4, 4, 4, 4):
            data, ancdata, flags, address = await pair.server.recvmsg(bufsize)
            reads.append((data, flags))
            assert list(ancdata) == []
            assert address == (CLIENT_HOST, pair.client.getsockname()[1])
        assert reads == [(b"0123", 0), (b"4567", 0), (b"89", sctp.MSG_EOR), (b"next", sctp.MSG_EOR)]


@virtual_time
async def test_a_buffer_that_is_just_enough_takes_one_read() -> None:
    """A41: MSG_EOR comes with the last byte, not after it."""
    async with one_to_one_pair() as pair:
        await pair.client.send(b"0123456789")
        received = await pair.server.recvv(10)
        assert (received.data, received.msg_flags) == (b"0123456789", sctp.MSG_EOR)
        reading = asyncio.create_task(pair.server.recvv(10))
        await never_ends(reading)
        reading.cancel()


@virtual_time
async def test_a_long_message_is_read_until_msg_eor() -> None:
    """A42: the loop of the Linux Journal's third listing, with a small buffer and with one that grows."""
    async with one_to_one_pair() as pair:
        for _ in range(2):
            await pair.client.send(LONG)
        assert (await read_to_the_end(pair.server, 1000))[0] == LONG
        grown, bufsize = b"", 16
        while True:
            received = await pair.server.recvv(bufsize - len(grown))
            assert isinstance(received.data, bytes)
            grown += received.data
            if received.msg_flags & sctp.MSG_EOR:
                break
            bufsize = bufsize * 2 if len(grown) == bufsize else bufsize
        assert grown == LONG


@virtual_time
async def test_reads_of_different_kinds_share_one_message() -> None:
    """A41: what recv left of a message is what recvmsg and recvv go on with."""
    async with one_to_one_pair() as pair:
        await pair.client.send(b"abcdefghij")
        assert await pair.server.recv(3) == b"abc"
        data, _, flags, _ = await pair.server.recvmsg(3)
        assert (data, flags) == (b"def", 0)
        assert (await pair.server.recvfrom(2))[0] == b"gh"
        received = await pair.server.recvv(100)
        assert (received.data, received.msg_flags) == (b"ij", sctp.MSG_EOR)


@virtual_time
async def test_the_parts_of_a_message_have_the_same_numbers() -> None:
    """D05, D09: "this is the same number for all deliveries of the message"; stream and ppid too."""
    async with one_to_one_pair(config=aiosctp.Config(interleaving=False)) as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        for number in range(3):
            await pair.client.sendv(b"0123456789", sndinfo=sctp.sctp_sndinfo(snd_sid=5, snd_ppid=number))
        await asyncio.sleep(1)
        chunks = pair.hosts.user_data(CLIENT_HOST)
        assert len(chunks) == 3
        for number, chunk in enumerate(chunks):
            for _ in range(3):
                info = (await pair.server.recvv(4)).rcvinfo
                assert info is not None
                assert (info.rcv_sid, info.rcv_ssn, info.rcv_ppid, info.rcv_tsn) == (5, number, number, chunk.tsn)
                assert info.rcv_cumtsn == chunks[-1].tsn


@virtual_time
async def test_an_unordered_message_tells_the_cumulative_tsn() -> None:
    """D09, D11: what the receiver has without a gap, when the message came out of order."""
    async with one_to_one_pair(config=aiosctp.Config(interleaving=False)) as pair:
        switch_on(pair.server, sctp.SCTP_RECVRCVINFO)
        await pair.client.send(b"before")
        assert await receive(pair.server) == b"before"
        pair.hosts.drop = lambda packet: b"lost" in packet.data
        await pair.client.send(b"lost")
        await asyncio.sleep(0.1)
        await pair.client.sendv(b"unordered", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_UNORDERED))
        received = await pair.server.recvv(ENOUGH)
        before, _, unordered = pair.hosts.user_data(CLIENT_HOST)[:3]
        assert received.rcvinfo is not None
        assert received.rcvinfo.rcv_flags == sctp.SCTP_UNORDERED
        assert (received.rcvinfo.rcv_tsn, received.rcvinfo.rcv_cumtsn) == (unordered.tsn, before.tsn)
        pair.hosts.drop = lambda packet: False
        received = await pair.server.recvv(ENOUGH)
        assert received.data == b"lost"
        assert received.rcvinfo is not None
        assert received.rcvinfo.rcv_flags == 0


@virtual_time
async def test_the_rest_of_a_message_is_read_before_another_association_has_its_turn() -> None:
    """A41: on a one-to-many socket too: who does not look at ids puts no two messages together."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        for letter in (b"a", b"b"):
            client = hosts.one_to_one()
            await client.connect(SERVER)
            for _ in range(2):
                await client.send(letter * 10)
        await asyncio.sleep(1)
        messages = [(await read_to_the_end(server, 4))[0] for _ in range(4)]
        assert sorted(messages) == [b"a" * 10] * 2 + [b"b" * 10] * 2


# -- partial delivery --


@virtual_time
async def test_a_message_larger_than_the_window_comes_in_parts() -> None:
    """A41: "it may partially deliver a message. In this case, MSG_EOR will not be set", even with room enough."""
    small = aiosctp.Config(receive_window_bytes=20_000)
    async with one_to_one_pair(server_config=small) as pair:
        sending = asyncio.create_task(pair.client.send(LONG))
        data, lengths = await read_to_the_end(pair.server, ENOUGH)
        assert data == LONG
        assert len(lengths) > 1
        assert await sending == len(LONG)
        await pair.client.send(b"next")
        assert await receive(pair.server) == b"next"


@virtual_time
async def test_one_message_at_a_time_is_partially_delivered() -> None:
    """A41: "Only one message at a time can be partially delivered in any stream"; by default no other one comes
    between its parts on a one-to-one socket."""
    small = aiosctp.Config(receive_window_bytes=20_000)
    async with one_to_one_pair(server_config=small) as pair:
        sending = [
            asyncio.create_task(pair.client.sendv(bytes([stream]) * 50_000, sndinfo=sctp.sctp_sndinfo(snd_sid=stream)))
            for stream in range(3)
        ]
        messages = [(await read_to_the_end(pair.server, ENOUGH))[0] for _ in range(3)]
        assert sorted(messages) == [bytes([stream]) * 50_000 for stream in range(3)]
        await asyncio.gather(*sending)


@virtual_time
async def test_parts_of_one_association_are_not_mixed_with_anothers() -> None:
    """A41: on a one-to-many socket each part says whose it is, and put together by association all messages are
    whole."""
    small = aiosctp.Config(receive_window_bytes=20_000)
    async with SocketHosts(server_config=small) as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        switch_on(server, sctp.SCTP_RECVRCVINFO)
        clients = [hosts.one_to_one() for _ in range(3)]
        sending = []
        for number, client in enumerate(clients):
            await client.connect(SERVER)
            sending.append(asyncio.create_task(client.send(bytes([number]) * 50_000)))
        parts: dict[int, bytes] = {}
        ended = 0
        while ended < len(clients):
            received = await server.recvv(7000)
            assert received.rcvinfo is not None
            assert isinstance(received.data, bytes)
            assoc_id = received.rcvinfo.rcv_assoc_id
            parts[assoc_id] = parts.get(assoc_id, b"") + received.data
            ended += received.msg_flags == sctp.MSG_EOR
        assert sorted(parts.values()) == [bytes([number]) * 50_000 for number in range(3)]
        await asyncio.gather(*sending)


# -- explicit end of record --


@virtual_time
async def test_a_record_may_span_sends_until_sctp_eor() -> None:
    """D16: "a user may make multiple send system calls to send a record and must indicate that they are finished ... by
    including the SCTP_EOR flag"."""
    async with one_to_one_pair() as pair:
        switch_on(pair.client, sctp.SCTP_EXPLICIT_EOR)
        for number, part in enumerate((b"one, ", b"two, ", b"three")):
            flags = sctp.SCTP_EOR if number == 2 else 0
            assert await pair.client.sendv(part, sndinfo=sctp.sctp_sndinfo(snd_sid=3, snd_flags=flags)) == len(part)
        assert await receive(pair.server) == b"one, two, three"
        await pair.client.sendv(b"alone", sndinfo=sctp.sctp_sndinfo(snd_sid=4, snd_flags=sctp.SCTP_EOR))
        assert await receive(pair.server) == b"alone"
        assert {chunk.stream for chunk in pair.hosts.user_data(CLIENT_HOST)} == {3, 4}


@virtual_time
async def test_a_record_without_its_end_is_not_delivered() -> None:
    """D16: the peer reads nothing of a short one until it has ended."""
    async with one_to_one_pair() as pair:
        switch_on(pair.client, sctp.SCTP_EXPLICIT_EOR)
        await pair.client.send(b"begun")
        reading = asyncio.create_task(receive(pair.server))
        await never_ends(reading)
        await pair.client.sendv(b" and ended", sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOR))
        assert await reading == b"begun and ended"


@virtual_time
async def test_the_stream_of_a_record_cannot_change() -> None:
    """D16, I11: EINVAL, nothing of it is queued, and the record can be ended where it began."""
    async with one_to_one_pair() as pair:
        switch_on(pair.client, sctp.SCTP_EXPLICIT_EOR)
        await pair.client.sendv(b"begun", sndinfo=sctp.sctp_sndinfo(snd_sid=3))
        with refused(errno.EINVAL):
            await pair.client.sendv(b"elsewhere", sndinfo=sctp.sctp_sndinfo(snd_sid=4, snd_flags=sctp.SCTP_EOR))
        await pair.client.sendv(b", ended", sndinfo=sctp.sctp_sndinfo(snd_sid=3, snd_flags=sctp.SCTP_EOR))
        assert await receive(pair.server) == b"begun, ended"


@virtual_time
async def test_without_explicit_eor_every_send_is_a_record() -> None:
    """D16: "each individual send system call is considered to have an SCTP_EOR indicator set on it implicitly"; the
    default is off, and switching it off again restores that."""
    async with one_to_one_pair() as pair:
        await pair.client.send(b"one")
        assert await receive(pair.server) == b"one"
        pair.client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EXPLICIT_EOR, 1)
        pair.client.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EXPLICIT_EOR, 0)
        await pair.client.send(b"two")
        assert await receive(pair.server) == b"two"


@virtual_time
async def test_records_of_two_associations_do_not_meet() -> None:
    """D16: each association of a one-to-many socket has a record of its own."""
    async with SocketHosts() as hosts:
        server = hosts.listening(sctp.SOCK_SEQPACKET)
        clients = await hosts.clients(2)
        addresses = [client.getsockname() for client in clients]
        switch_on(server, sctp.SCTP_EXPLICIT_EOR)
        for number, address in enumerate(addresses):
            await server.sendto(b"to %d" % number, 0, address)
        for address in addresses:
            info = sctp.sctp_sndinfo(snd_flags=sctp.SCTP_EOR)
            await server.sendmsg([b" only"], [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, info)], address=address)
        assert [await receive(client) for client in clients] == [b"to 0 only", b"to 1 only"]


# -- the size of a message --


@pytest.mark.parametrize("size", [1, 1451, 1452, 1453, 100_000])
@virtual_time
async def test_messages_of_any_size_arrive_whole(size: int) -> None:
    """A01, A41: and send returns how long they were."""
    async with one_to_many_pair() as pair:
        data = LONG[:size]
        assert await pair.client.sendto(data, 0, SERVER) == size
        assert await receive(pair.server) == data


@virtual_time
async def test_buffers_are_gathered_into_one_message() -> None:
    """D01: "treated by SCTP as a single user message"; any bytes-like object will do."""
    async with one_to_one_pair() as pair:
        sent = await pair.client.sendmsg([b"bytes, ", bytearray(b"bytearray, "), memoryview(b"view")])
        assert sent == 22
        assert await receive(pair.server) == b"bytes, bytearray, view"


@virtual_time
async def test_a_message_above_the_limit_is_emsgsize() -> None:
    """I10: and nothing of it is queued."""
    async with one_to_one_pair(config=aiosctp.Config(max_message_bytes=1000)) as pair:
        with refused(errno.EMSGSIZE):
            await pair.client.send(bytes(1001))
        await pair.client.send(bytes(1000))
        assert len(await receive(pair.server)) == 1000
