"""aiosctp.socket, in both styles, and the example programs of Debian, in a namespace."""

from __future__ import annotations

import pytest

from tests.interop.debian import start_client, start_ekr_peer, start_program
from tests.interop.namespace import Namespace
from tests.interop.socket_peer import start_sockets

OUR_UDP_PORT, PROGRAM_UDP_PORT = 20001, 20002
ECHO_PORT, DISCARD_PORT, DAYTIME_PORT = 7, 9, 13
DISCARD_PPID, DAYTIME_PPID = 39, 40
MESSAGES = ((0, 1), (3, 1000), (9, 5000))

styles = pytest.mark.parametrize("style", ["one_to_one", "one_to_many"])


def _to(port: int) -> dict[str, object]:
    return {"udp_port": OUR_UDP_PORT, "remote_port": port, "remote_udp_port": PROGRAM_UDP_PORT}


@styles
async def test_echo_server(namespace: Namespace, style: str) -> None:
    """A01, A02: each message comes back whole, on its stream."""
    async with (
        await start_program(namespace, "echo_server", PROGRAM_UDP_PORT, OUR_UDP_PORT),
        await start_sockets(namespace, style, "client", **_to(ECHO_PORT)) as us,
    ):
        await us.event("assoc_change", state="COMM_UP")
        for stream, size in MESSAGES:
            await us.command("send", stream, size, 46)
            await us.event("message", stream=stream, size=size)
        await us.command("shutdown")
        await us.event("assoc_change", state="SHUTDOWN_COMP")
        await us.event("closed")


@styles
async def test_discard_server(namespace: Namespace, style: str) -> None:
    """A01, A02: the server says what has come to it."""
    async with (
        await start_program(namespace, "discard_server", PROGRAM_UDP_PORT, OUR_UDP_PORT) as server,
        await start_sockets(namespace, style, "client", **_to(DISCARD_PORT)) as us,
    ):
        await us.event("assoc_change", state="COMM_UP")
        for stream, size in MESSAGES:
            await us.command("send", stream, size, DISCARD_PPID)
            await server.line(rf"^Msg of length {size} received .* on stream {stream} .*PPID {DISCARD_PPID}")
        await us.command("shutdown")
        await us.event("assoc_change", state="SHUTDOWN_COMP")


@styles
async def test_daytime_server_sends_the_time_and_shuts_down(namespace: Namespace, style: str) -> None:
    """A21, C13: we hear of the peer's shutdown, and read what came before it."""
    async with (
        await start_program(namespace, "daytime_server", PROGRAM_UDP_PORT, OUR_UDP_PORT),
        await start_sockets(namespace, style, "client", **_to(DAYTIME_PORT)) as us,
    ):
        await us.event("message", ppid=DAYTIME_PPID, stream=0)
        await us.event("shutdown_event")
        await us.event("assoc_change", state="SHUTDOWN_COMP")
        await us.event("closed")


@styles
async def test_client_sends_lines_and_shuts_down_at_the_end_of_its_input(namespace: Namespace, style: str) -> None:
    """A01, A02: the listening side."""
    async with await start_sockets(namespace, style, "server", port=5000, udp_port=OUR_UDP_PORT) as us:
        await us.event("listening")
        arguments = ("127.0.0.1", 5000, 5001, PROGRAM_UDP_PORT, OUR_UDP_PORT)
        async with await start_client(namespace, "client", *arguments) as client:
            await us.event("assoc_change", state="COMM_UP")
            for line in ("first", "second line"):
                await client.command(line)
                await us.event("message", stream=0, size=len(line) + 1)
            await client.close_input()
            await us.event("shutdown_event")
            await us.event("closed")


@styles
async def test_ekr_peer_and_we_connect_to_each_other(namespace: Namespace, style: str) -> None:
    """A09, A10: neither listens. The program sends what it gets as input, on stream 1."""
    program_port, our_port = 5001, 5000
    async with (
        await start_ekr_peer(namespace, PROGRAM_UDP_PORT, OUR_UDP_PORT, program_port, our_port) as peer,
        await start_sockets(namespace, style, "client", port=our_port, **_to(program_port)) as us,
    ):
        await us.event("assoc_change", state="COMM_UP")
        await peer.command("hello")
        await us.event("message", stream=1, size=6, ppid=DISCARD_PPID)
        await us.command("send", 1, 1000, 46)
        await peer.line(r"^Msg of length 1000 received .* on stream 1 .*PPID 46")
        await us.command("shutdown")
        await us.event("assoc_change", state="SHUTDOWN_COMP")
