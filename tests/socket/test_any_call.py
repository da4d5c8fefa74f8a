"""Any call with any argument, in any state of a socket: it works or raises OSError, and harms nobody else."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aiosctp.socket as sctp
from aiosctp.socket import SCTPSocket
from aiosctp.socket.options import TABLE
from aiosctp.wire.chunks import Init
from tests.socket import anything
from tests.socket.anything import Call
from tests.socket.hosts import CLIENT_HOST, ENOUGH, SERVER, SERVER_HOST, SocketHosts, brings
from tests.surface.virtual_time import virtual_time

EXAMPLES = 120
PATIENCE_S = 3.0
"""How long a call is waited for before it is cancelled."""
ORDINARY_PORT = 4242
MOST_SOCKETS = 6


# -- states --

State = Callable[["World", int], Coroutine[Any, Any, SCTPSocket]]


@dataclass
class World:
    """Two hosts, a peer on the server that takes what comes, and the sockets whose calls are tried."""

    hosts: SocketHosts
    peer: SCTPSocket
    tried: list[SCTPSocket] = field(default_factory=list)
    others: list[SCTPSocket] = field(default_factory=list)
    """That a state needs besides."""
    going_on: list[asyncio.Task[Any]] = field(default_factory=list)

    async def peer_says(self, data: bytes, flags: int) -> None:
        self.peer.setblocking(False)
        with suppress(OSError):  # nobody is there, or has room
            await self.peer.sendv(data, sndinfo=sctp.sctp_sndinfo(snd_flags=sctp.SCTP_SENDALL | flags))

    async def peer_acts(self, action: str) -> None:
        match action:
            case "sends":
                for size in (1, 70_000, 3):
                    await self.peer_says(bytes(size), 0)
            case "reads":
                self.peer.setblocking(False)
                with suppress(BlockingIOError):
                    for _ in range(20):
                        await self.peer.recvv(ENOUGH)
            case "shuts down":
                await self.peer_says(b"", sctp.SCTP_EOF)
            case "aborts":
                await self.peer_says(b"", sctp.SCTP_ABORT)
            case "is cut off":
                self.hosts.drop = lambda packet: True
            case "is back":
                self.hosts.drop = lambda packet: False
            case _:
                await asyncio.sleep(float(action))


async def fresh(world: World, type: int) -> SCTPSocket:
    return world.hosts.socket(type)


async def bound(world: World, type: int) -> SCTPSocket:
    socket = world.hosts.socket(type)
    socket.bind((CLIENT_HOST, 5555))
    return socket


async def listening(world: World, type: int) -> SCTPSocket:
    """With a peer that has come."""
    socket = await bound(world, type)
    socket.listen(2)
    await world.peer.connectx([(CLIENT_HOST, 5555)])
    return socket


async def connecting(world: World, type: int) -> SCTPSocket:
    world.hosts.drop = lambda packet: brings(packet, Init)
    socket = world.hosts.socket(type)
    socket.setblocking(False)
    with suppress(BlockingIOError):
        await socket.connect(SERVER)
    socket.setblocking(True)
    return socket


async def connected(world: World, type: int) -> SCTPSocket:
    socket = world.hosts.socket(type)
    for kind in range(sctp.SCTP_ASSOC_CHANGE, sctp.SCTP_STREAM_CHANGE_EVENT + 1):
        with suppress(OSError):
            socket.setsockopt(sctp.IPPROTO_SCTP, sctp.SCTP_EVENT, sctp.sctp_event(se_type=kind, se_on=1))
    await socket.connect(SERVER)
    await asyncio.sleep(1)
    return socket


async def amid_a_message(world: World, type: int) -> SCTPSocket:
    socket = await connected(world, type)
    await world.peer_acts("sends")
    await asyncio.sleep(1)
    with suppress(OSError):
        await socket.recvv(10)
    return socket


async def peer_shut_down(world: World, type: int) -> SCTPSocket:
    socket = await amid_a_message(world, type)
    await world.peer_acts("shuts down")
    await asyncio.sleep(1)
    return socket


async def aborted(world: World, type: int) -> SCTPSocket:
    socket = await amid_a_message(world, type)
    await world.peer_acts("aborts")
    await asyncio.sleep(1)
    return socket


async def closed(world: World, type: int) -> SCTPSocket:
    socket = await connected(world, type)
    await socket.close()
    return socket


async def accepted(world: World, type: int) -> SCTPSocket:
    listener = await listening(world, sctp.SOCK_STREAM)
    world.others.append(listener)
    return await world.hosts.accept(listener)


async def peeled_off(world: World, type: int) -> SCTPSocket:
    origin = await amid_a_message(world, sctp.SOCK_SEQPACKET)
    world.others.append(origin)
    return world.hosts.own(origin.peeloff(3))


async def stack_closed(world: World, type: int) -> SCTPSocket:
    socket = await amid_a_message(world, type)
    world.hosts.client.close()
    return socket


STATES = (
    fresh,
    bound,
    listening,
    connecting,
    connected,
    amid_a_message,
    peer_shut_down,
    aborted,
    closed,
    accepted,
    peeled_off,
)
STYLES = (sctp.SOCK_STREAM, sctp.SOCK_SEQPACKET)
ACTIONS = ("sends", "reads", "shuts down", "aborts", "is cut off", "is back", "0", "0.5", "5")

programs = st.lists(st.one_of(anything.calls, anything.calls, anything.calls, st.sampled_from(ACTIONS)), max_size=10)


# -- trying --


async def perform(world: World, call: Call) -> None:
    """It works, or raises OSError; what waits is cancelled in the end."""
    socket = world.tried[call.socket % len(world.tried)]
    try:
        result = getattr(socket, call.name)(**call.arguments)
        if call.is_coroutine:
            async with asyncio.timeout(PATIENCE_S) as limit:
                result = await result
    except TimeoutError as error:
        if error.errno is not None or not limit.expired():
            check(error)
        return
    except OSError as error:
        check(error)
        return
    for one in result if isinstance(result, tuple) else (result,):
        if isinstance(one, SCTPSocket):
            world.hosts.own(one)
            if len(world.tried) < MOST_SOCKETS:
                world.tried.append(one)


def check(error: OSError) -> None:
    assert error.errno in anything.NUMBERS_THE_PAGES_KNOW, repr(error)
    assert error.strerror


async def run(world: World, program: list[Call | str]) -> None:
    for step in program:
        if isinstance(step, str):
            await world.peer_acts(step)
        elif step.beside:
            world.going_on.append(asyncio.create_task(perform(world, step)))
        else:
            await perform(world, step)


async def others_talk_as_ever(hosts: SocketHosts) -> None:
    """Of the same stacks: connect, send and receive, in both styles."""
    for type in STYLES:
        async with (
            SCTPSocket(sctp.AF_INET, type, stack=hosts.server) as server,
            SCTPSocket(sctp.AF_INET, type, stack=hosts.client) as client,
        ):
            server.bind((SERVER_HOST, ORDINARY_PORT))
            server.listen(1)
            await client.sendto(b"as ever", 0, (SERVER_HOST, ORDINARY_PORT))
            taken = (await server.accept())[0] if type == sctp.SOCK_STREAM else server
            received = await taken.recvv(ENOUGH)
            assert (received.data, received.msg_flags) == (b"as ever", sctp.MSG_EOR)
            assert received.address is not None
            await taken.sendto(b"answer", 0, received.address)
            assert await client.recvfrom(ENOUGH) == (b"answer", (SERVER_HOST, ORDINARY_PORT))
            await taken.close()


async def nothing_is_left(world: World) -> None:
    """Once every socket is closed, whatever was done with it."""
    hosts = world.hosts
    for socket in [*world.tried, *world.others, world.peer, *hosts._open]:
        with suppress(OSError):  # it is closed
            socket.setsockopt(sctp.SOL_SOCKET, sctp.SO_LINGER, sctp.linger(1, 0))
        await socket.close()
    async with asyncio.timeout(PATIENCE_S + 1):
        await asyncio.gather(*world.going_on)
    # What the program closed gracefully takes its time to end, and it may have given it much of that.
    wait_s = 1.0
    while wait_s < 1e7 and not is_quiet(hosts):
        await asyncio.sleep(wait_s)
        wait_s *= 10
    assert is_quiet(hosts), [(stack.open().endpoints, dict(stack.owners)) for stack in (hosts.client, hosts.server)]
    assert asyncio.all_tasks() == {asyncio.current_task()}


def is_quiet(hosts: SocketHosts) -> bool:
    return not any(
        stack.associations() or stack.owners or stack.open().endpoints for stack in (hosts.client, hosts.server)
    )


TOLD_BY_THE_STACK = {"engine_accepted", "stack_closed"}


def test_every_call_is_tried() -> None:
    """Who adds one to sockets adds it here."""
    there_are = {name for name, member in vars(SCTPSocket).items() if inspect.isfunction(member) and name[0] != "_"}
    assert there_are - TOLD_BY_THE_STACK == {*anything.AT_ONCE, *anything.COROUTINES}
    assert {name for name in there_are if inspect.iscoroutinefunction(getattr(SCTPSocket, name))} == set(
        anything.COROUTINES
    )


def every_option() -> list[tuple[int, int]]:
    """By level and number: those that there are, and numbers around them."""
    there_are = [(option.level, option.number) for option in TABLE.values()]
    return there_are + [(sctp.SOL_SOCKET, number) for number in range(-1, 60)] + [(7, 1), (sctp.IPPROTO_SCTP, 2**40)]


def values_for(structure: Any) -> list[Any]:
    """Each field of its structure at every odd and extreme value, by itself; and whatever is no such structure."""
    values: list[Any] = [*anything.ODD, *EXTREMES]
    if structure is int:
        return values
    values.append(structure())
    for field_ in fields(structure):
        for value in (*ODD_FIELDS, *EXTREMES):
            values.append(replace(structure(), **{field_.name: value}))
    return values


ODD_FIELDS: tuple[Any, ...] = (
    None,
    0.5,
    2**64,
    "x",
    "224.0.0.1",
    SERVER,
    ("192.0.2.99", 1),
    (SERVER_HOST, 2**40),
    b"x",
    [],
    [None],
    {},
)
EXTREMES = (-1, 0, 1, 2, 3, 49, 255, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, sctp.linger())


@pytest.mark.parametrize("type", STYLES, ids=["one-to-one", "one-to-many"])
@pytest.mark.parametrize("state", [fresh, listening, amid_a_message, aborted], ids=lambda state: state.__name__)
@virtual_time
async def test_any_value_of_any_option_is_taken_or_raises_oserror(state: State, type: int) -> None:
    """A24, I05: setting and reading every option in every state of the socket, with any value."""
    async with SocketHosts() as hosts:
        world = World(hosts, hosts.listening(sctp.SOCK_SEQPACKET))
        socket = await state(world, type)
        world.tried.append(socket)
        for level, number in every_option():
            option = TABLE.get((level, number))
            for value in values_for(int if option is None else option.structure):
                for name, arguments in (
                    ("setsockopt", (level, number, value)),
                    ("getsockopt", (level, number, value)),
                    ("opt_info", (3, number, value)),
                    ("opt_info", (value, number)),
                ):
                    try:
                        getattr(socket, name)(*arguments)
                    except OSError as error:
                        check(error)
        await asyncio.sleep(1)
        hosts.drop = lambda packet: False
        await others_talk_as_ever(hosts)
        await nothing_is_left(world)


@settings(max_examples=EXAMPLES, deadline=None)
@given(state=st.sampled_from(STATES), type=st.sampled_from(STYLES), program=programs)
def test_any_call_works_or_raises_oserror_and_harms_no_other(
    state: Callable[[World, int], Coroutine[Any, Any, SCTPSocket]], type: int, program: list[Call | str]
) -> None:
    """X28, I05: with arguments of any type and value, in any state of the socket, beside calls that wait."""

    @virtual_time
    async def attempt() -> None:
        async with SocketHosts() as hosts:
            world = World(hosts, hosts.listening(sctp.SOCK_SEQPACKET))
            world.tried.append(await state(world, type))
            await run(world, program)
            hosts.drop = lambda packet: False
            await others_talk_as_ever(hosts)
            await nothing_is_left(world)

    attempt()
