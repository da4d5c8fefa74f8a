"""The example programs of Debian's libusrsctp-examples."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.interop.namespace import Namespace
from tests.interop.processes import Peer
from tests.interop.toolchain import unavailable

PROGRAMS = Path("/usr/lib/usrsctp")
HOST = "127.0.0.1"
START_TIMEOUT_S = 10.0
# From usrsctp_init(), which opens the UDP port, to listen() a program takes about a millisecond; before that
# it answers an INIT with ABORT, and nothing outside tells when it listens.
LISTEN_DELAY_S = 0.1


async def start_program(namespace: Namespace, name: str, udp_port: int, *arguments: object) -> Peer:
    """Start a server, whose first argument is its UDP port, and wait until it can be reached."""
    peer = await _start(namespace, name, udp_port, *arguments)
    try:
        await _until_it_has_its_port(namespace, udp_port)
    except BaseException:
        await peer.kill()
        raise
    await asyncio.sleep(LISTEN_DELAY_S)
    return peer


async def start_client(namespace: Namespace, name: str, *arguments: object) -> Peer:
    """Start a program that connects by itself."""
    return await _start(namespace, name, *arguments)


async def start_ekr_peer(namespace: Namespace, udp_port: int, remote_udp_port: int, *sctp_ports: int) -> Peer:
    """Start one of two that connect to each other, and wait until it has its UDP port. sctp_ports: its own, ours."""
    peer = await _start(namespace, "ekr_peer", HOST, udp_port, HOST, remote_udp_port, *sctp_ports)
    try:
        await _until_it_has_its_port(namespace, udp_port)
    except BaseException:
        await peer.kill()
        raise
    return peer


async def _until_it_has_its_port(namespace: Namespace, udp_port: int) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            if namespace.has_udp_port(udp_port):
                break
            await asyncio.sleep(0.02)


async def _start(namespace: Namespace, name: str, *arguments: object) -> Peer:
    program = PROGRAMS / name
    if not program.exists():
        unavailable(f"{program} is missing (Debian: libusrsctp-examples)")
    # It writes to a pipe, and is to be heard line by line.
    by_line = ("stdbuf", "--output=L")
    return await Peer.start(*namespace.unprivileged_prefix, *by_line, program, *map(str, arguments))
