"""aiosctp and the example programs of Debian, in a namespace: they bind every address of the machine."""

from __future__ import annotations

from tests.interop.aiosctp_peer import start_aiosctp
from tests.interop.debian import start_client, start_program
from tests.interop.namespace import Namespace

OUR_UDP_PORT, PROGRAM_UDP_PORT = 20001, 20002
ECHO_PORT, DAYTIME_PORT = 7, 13
DAYTIME_PPID = 40


async def test_echo_server(namespace: Namespace) -> None:
    async with (
        await start_program(namespace, "echo_server", PROGRAM_UDP_PORT, OUR_UDP_PORT),
        await start_aiosctp(
            namespace,
            "client",
            udp_port=OUR_UDP_PORT,
            remote_port=ECHO_PORT,
            remote_udp_port=PROGRAM_UDP_PORT,
            messages=True,
        ) as us,
    ):
        await us.event("assoc_change", state="COMM_UP")
        for stream, size in ((0, 1), (3, 1000), (9, 5000)):
            await us.command("send", stream, size, 46)
            await us.event("message", stream=stream, size=size)
        await us.command("shutdown")
        await us.event("assoc_change", state="SHUTDOWN_COMP")


async def test_daytime_server_sends_the_time_and_shuts_down(namespace: Namespace) -> None:
    async with (
        await start_program(namespace, "daytime_server", PROGRAM_UDP_PORT, OUR_UDP_PORT),
        await start_aiosctp(
            namespace,
            "client",
            udp_port=OUR_UDP_PORT,
            remote_port=DAYTIME_PORT,
            remote_udp_port=PROGRAM_UDP_PORT,
            messages=True,
        ) as us,
    ):
        await us.event("message", ppid=DAYTIME_PPID, stream=0)
        await us.event("assoc_change", state="SHUTDOWN_COMP")
        await us.event("closed")


async def test_client_sends_lines_and_shuts_down_at_the_end_of_its_input(namespace: Namespace) -> None:
    async with await start_aiosctp(
        namespace, "server", local="127.0.0.1", port=5000, udp_port=OUR_UDP_PORT, messages=True
    ) as us:
        await us.event("listening")
        arguments = ("127.0.0.1", 5000, 5001, PROGRAM_UDP_PORT, OUR_UDP_PORT)
        async with await start_client(namespace, "client", *arguments) as client:
            await client.command("first")
            await client.command("second line")
            for line in ("first\n", "second line\n"):
                await us.event("message", stream=0, size=len(line))
            await client.close_input()
            await us.event("shutdown_event")
            await us.event("closed")
