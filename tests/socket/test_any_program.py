"""Programs by chance, over a link that loses, doubles and reorders: what arrives, in which order, and what is told."""

from __future__ import annotations

import asyncio
import errno
import itertools
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

import aiosctp
import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.testing import Link, RandomLoss
from tests.socket.hosts import CLIENT_HOST, ENOUGH, SERVER_HOST, SocketHosts, both_ends_quiet, ids, subscribe, switch_on
from tests.surface.two_hosts import PORT
from tests.surface.virtual_time import virtual_time

STREAMS = 4
MANY_PORT, ONE_PORT = PORT, PORT + 1
SIZES = (1, 2, 30, 1000, 1452, 5000, 30_000)
BUFSIZES = (60, 999, 20_000, ENOUGH, ENOUGH)
SUBSCRIBED = (sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_SHUTDOWN_EVENT, sctp.SCTP_SEND_FAILED_EVENT)
ENDINGS = ("shut", "shut", "close", "linger", "abort")
LONGEST_S = 2000


@dataclass
class Said:
    number: int
    """Its ppid."""
    stream: int
    unordered: bool
    data: bytes


@dataclass(eq=False)
class End:
    """Of an association: whose socket it is, and what was said, heard and told there."""

    socket: SCTPSocket
    assoc_id: int = 0
    """0 of a one-to-one socket."""
    tried: dict[int, Said] = field(default_factory=dict)
    taken: list[int] = field(default_factory=list)
    """Of those, what `send` has returned of."""
    heard: list[int] = field(default_factory=list)
    """Whole messages, in their order."""
    unfinished: dict[int, bytes] = field(default_factory=dict)
    told: list[Any] = field(default_factory=list)
    """Notifications, and the numbers of messages whose first part came between them."""
    other: End = field(init=False)
    talk: Talk = field(init=False)


@dataclass
class Talk:
    """An association, and how it was ended."""

    client: End
    server: End
    ender: End | None = None
    how: str = ""

    def __post_init__(self) -> None:
        for end, other in ((self.client, self.server), (self.server, self.client)):
            end.other, end.talk = other, self


class Program:
    def __init__(self, hosts: SocketHosts, seed: int) -> None:
        self.hosts = hosts
        self.random = Random(seed)
        self.numbers = itertools.count(1)
        self.ends: dict[tuple[SCTPSocket, int], End] = {}
        self.talks: list[Talk] = []
        self.readers: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        await self.open()
        async with asyncio.TaskGroup() as group:
            for end in list(self.ends.values()):
                group.create_task(self.speak(end, Random(self.random.random())))
        for talk in self.talks:
            if talk.ender is None:
                await self.end(talk.client, "shut")
        for _ in range(LONGEST_S):
            await asyncio.sleep(1)
            if both_ends_quiet(self.hosts) and all(map(has_heard_of_its_end, self.ends.values())):
                break
        await asyncio.sleep(10)
        for talk in self.talks:
            check(talk)
        for socket in self.hosts._open:
            await socket.close()
        async with asyncio.timeout(1):
            await asyncio.gather(*self.readers)

    # -- opening --

    async def open(self) -> None:
        """A one-to-many socket and two one-to-one sockets speak with a socket of each style."""
        hosts = self.hosts
        many, listener = hosts.one_to_many(hosts.server), hosts.one_to_one(hosts.server)
        clients = [hosts.one_to_many(), hosts.one_to_one(), hosts.one_to_one()]
        for socket in (many, listener, *clients):
            self.prepare(socket)
        for socket, port in ((many, MANY_PORT), (listener, ONE_PORT)):
            socket.bind((SERVER_HOST, port))
            socket.listen(5)
        for number, client in enumerate(clients):
            client.bind((CLIENT_HOST, 5000 + number))
        opened = {}
        for client, port in zip((clients[0], *clients), (MANY_PORT, ONE_PORT, MANY_PORT, ONE_PORT), strict=True):
            assoc_id = await client.connectx([(SERVER_HOST, port)])
            key = (client.getsockname()[1], port)
            opened[key] = End(client, assoc_id if client is clients[0] else 0)
        for _ in range(2):
            socket, address = await listener.accept()
            self.add(opened[address[1], ONE_PORT], End(hosts.own(socket)))
        for assoc_id in ids(many):
            ((_, port),) = many.getpaddrs(assoc_id)
            self.add(opened[port, MANY_PORT], End(many, assoc_id))
        assert len(self.talks) == len(opened) == 4
        for socket in {end.socket: None for end in self.ends.values()}:
            self.read(socket)

    def prepare(self, socket: SCTPSocket) -> None:
        random = self.random
        subscribe(socket, *SUBSCRIBED)
        switch_on(socket, sctp.SCTP_RECVRCVINFO)
        socket.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_FRAGMENT_INTERLEAVE, random.randint(0, 2))
        socket.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_NODELAY, random.randint(0, 1))
        segment = sctp.sctp_assoc_value(assoc_value=random.choice([0, 0, 100, 1000]))
        socket.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_MAXSEG, segment)

    def add(self, client: End, server: End) -> None:
        self.talks.append(Talk(client, server))
        for end in (client, server):
            self.ends[end.socket, end.assoc_id] = end

    # -- speaking --

    async def speak(self, end: End, random: Random) -> None:
        for _ in range(random.randint(1, 14)):
            await asyncio.sleep(random.choice([0, 0, 0, 0.05, 1]))
            if end.assoc_id and random.random() < 0.1 and end.talk.ender is None:
                self.peel_off(end)
            unordered = random.random() < 0.2
            number = next(self.numbers)
            data = Random(number).randbytes(random.choice(SIZES))
            end.tried[number] = said = Said(number, random.randrange(STREAMS), unordered, data)
            try:
                count = await send(end, said, random)
            except OSError:
                if end.talk.ender is None:
                    raise
                return
            assert count == len(data)
            end.taken.append(number)
        if random.random() < 0.5:
            await self.end(end, random.choice(ENDINGS))

    def peel_off(self, end: End) -> None:
        del self.ends[end.socket, end.assoc_id]
        end.socket, end.assoc_id = self.hosts.own(end.socket.peeloff(end.assoc_id)), 0
        self.ends[end.socket, 0] = end
        self.read(end.socket)

    async def end(self, end: End, how: str) -> None:
        if end.talk.ender is not None:
            return
        end.talk.ender = end
        socket = end.socket
        if end.assoc_id:
            how = "abort" if how == "abort" else "shut"
            flag = sctp.SCTP_ABORT if how == "abort" else sctp.SCTP_EOF
            await socket.sendv(b"", sndinfo=sctp.sctp_sndinfo(snd_flags=flag, snd_assoc_id=end.assoc_id))
        elif how == "shut":
            socket.shutdown(sctp.SHUT_WR)
        else:
            seconds = {"abort": 0, "linger": 5}
            socket.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(how in seconds, seconds.get(how, 0)))
            await socket.close()
        end.talk.how = how

    # -- reading --

    def read(self, socket: SCTPSocket) -> None:
        self.readers.append(asyncio.create_task(self.read_all(socket, Random(self.random.random()))))

    async def read_all(self, socket: SCTPSocket, random: Random) -> None:
        while True:
            await asyncio.sleep(random.choice([0, 0, 0, 0, 0.01, 0.3]))
            try:
                data, rcvinfo, flags = await receive_somehow(socket, random)
            except OSError as error:
                if error.errno not in (errno.EBADF, errno.ECONNRESET):
                    raise
                return
            if flags & sctp.MSG_NOTIFICATION:
                self.end_of(socket, id_of(data)).told.append(data)
            elif data == b"":
                assert flags == 0
                return
            else:
                hear(self.end_of(socket, rcvinfo.rcv_assoc_id), data, rcvinfo, flags)

    def end_of(self, socket: SCTPSocket, assoc_id: int) -> End:
        return self.ends.get((socket, assoc_id)) or self.ends[socket, 0]


def id_of(notification: Any) -> int:
    for name in ("sac_assoc_id", "sse_assoc_id", "ssfe_assoc_id"):
        if hasattr(notification, name):
            return int(getattr(notification, name))
    raise AssertionError(notification)


async def send(end: End, said: Said, random: Random) -> int:
    flags = sctp.SCTP_UNORDERED if said.unordered else 0
    info = sctp.sctp_sndinfo(said.stream, flags, said.number, 0, end.assoc_id)
    match random.randrange(4):
        case 0:
            return await end.socket.sendmsg(
                [said.data[:5], said.data[5:]], [(sctp.IPPROTO_SCTP, sctp.SCTP_SNDINFO, info)]
            )
        case 1:
            old = sctp.sctp_sndrcvinfo(said.stream, 0, flags, said.number, sinfo_assoc_id=end.assoc_id)
            return await end.socket.sctp_send(said.data, old)
        case 2 if not end.assoc_id:
            return await end.socket.sctp_sendmsg(said.data, None, said.number, flags, said.stream)
        case _:
            return await end.socket.sendv(said.data, sndinfo=info)


async def receive_somehow(socket: SCTPSocket, random: Random) -> tuple[Any, Any, int]:
    bufsize = random.choice(BUFSIZES)
    if random.random() < 0.5:
        received = await socket.recvv(bufsize)
        return received.data, received.rcvinfo, received.msg_flags
    data, ancdata, flags, _ = await socket.recvmsg(bufsize)
    return data, ancdata[0][2] if ancdata else None, flags


def hear(end: End, data: bytes, rcvinfo: sctp.sctp_rcvinfo, flags: int) -> None:
    number = rcvinfo.rcv_ppid
    said = end.other.tried[number]
    if number not in end.unfinished:
        end.told.append(number)
    whole = end.unfinished.pop(number, b"") + data
    assert said.data.startswith(whole), number
    assert rcvinfo.rcv_sid == said.stream
    assert bool(rcvinfo.rcv_flags & sctp.SCTP_UNORDERED) == said.unordered
    if flags & sctp.MSG_EOR:
        assert whole == said.data, number
        end.heard.append(number)
    else:
        end.unfinished[number] = whole


# -- the laws --


def is_closed(end: End) -> bool:
    """Whether its own program has closed the socket."""
    return end is end.talk.ender and end.talk.how != "shut" and not end.assoc_id


def has_heard_of_its_end(end: End) -> bool:
    last = (sctp.SCTP_COMM_LOST, sctp.SCTP_SHUTDOWN_COMP)
    return is_closed(end) or any(isinstance(one, sctp.sctp_assoc_change) and one.sac_state in last for one in end.told)


def check(talk: Talk) -> None:
    for end in (talk.client, talk.server):
        check_what_was_heard(end)
        if not is_closed(end):
            check_what_was_told(end)
    ender = talk.ender
    assert ender is not None
    if talk.how != "abort":
        assert set(ender.other.heard) >= set(ender.taken), "a graceful end brings all that was taken"
    if talk.how == "shut":
        assert set(ender.heard) >= set(ender.other.taken), "who has shut down goes on reading"


def check_what_was_heard(end: End) -> None:
    """Each once, and the ordered ones of a stream in the order they were given."""
    assert len(set(end.heard)) == len(end.heard)
    said = end.other.tried
    for stream in range(STREAMS):
        ordered = [n for n in end.heard if said[n].stream == stream and not said[n].unordered]
        given = [n for n in said if said[n].stream == stream and not said[n].unordered]
        assert ordered == given[: len(ordered)]


def check_what_was_told(end: End) -> None:
    """COMM_UP; messages, and SHUTDOWN_EVENT among them; SHUTDOWN_COMP, or COMM_LOST and a SEND_FAILED for each."""
    kinds = [one.sac_state if isinstance(one, sctp.sctp_assoc_change) else type(one).__name__ for one in end.told]
    assert kinds[0] == sctp.SCTP_COMM_UP
    failed = [one for one in end.told if isinstance(one, sctp.sctp_send_failed_event)]
    rest = kinds[1 : len(kinds) - len(failed)]
    assert rest[-1] == (sctp.SCTP_COMM_LOST if end.talk.how == "abort" else sctp.SCTP_SHUTDOWN_COMP)
    assert set(rest[:-1]) <= {"int", "sctp_shutdown_event"}
    assert rest.count("sctp_shutdown_event") <= 1
    if end.talk.how != "abort":
        assert not failed
        assert end is end.talk.ender or "sctp_shutdown_event" in rest
    for one in failed:
        number = one.ssfe_info.snd_ppid
        if one.ssfe_flags == sctp.SCTP_DATA_UNSENT:
            assert number not in end.other.heard
        else:
            assert one.ssfe_flags == sctp.SCTP_DATA_SENT


@pytest.mark.parametrize("seed", [*range(10), 14, 59])
@virtual_time
async def test_what_was_taken_arrives_once_in_order_and_its_end_is_told(seed: int) -> None:
    """A01, A14, A29, A41, C01: sizes, streams, buffers, calls, peel-offs, ends and losses by chance."""
    random = Random(seed)
    config = aiosctp.Config(
        receive_window_bytes=random.choice([20_000, 1 << 20]),
        send_buffer_bytes=40_000,
        partial_delivery_point_bytes=random.choice([3000, 1 << 20]),
    )
    async with SocketHosts(config=config, seed=seed) as hosts:
        bad = Link(
            delay_s=0.02,
            jitter_s=0.01,
            loss=RandomLoss(random.choice([0, 0.05, 0.2])),
            duplication=0.05,
            reordering=0.1,
        )
        hosts.network.set_link(hosts.client_host, hosts.server_host, bad)
        await Program(hosts, seed).run()
