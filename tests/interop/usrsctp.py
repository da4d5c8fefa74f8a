"""Starts usrsctp peers (peer/usrsctp_peer.c) for one test, and ends them with it."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from tests.interop.namespace import Namespace
from tests.interop.processes import Peer, options

SCTP_PORT = 7777

# The peer's timers, for tests that wait for one: a path is given up within a second.
IMPATIENT = [
    "sctp_rto_initial_default=100",
    "sctp_rto_min_default=100",
    "sctp_rto_max_default=200",
    "sctp_path_rtx_max_default=1",
    "sctp_heartbeat_interval_default=200",
]


def free_udp_port() -> int:
    """A UDP port nobody uses, at this moment, on any IPv4 or IPv6 address."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", 0))
        port: int = sock.getsockname()[1]
        return port


class Usrsctp:
    """Makes peers, in a namespace or here. Keywords of `server` and `client` are the program's options."""

    def __init__(self, program: Path, stack: contextlib.AsyncExitStack) -> None:
        self._program = program
        self._stack = stack

    async def server(self, namespace: Namespace | None = None, /, **arguments: object) -> Peer:
        """A listening peer, on SCTP port 7777 of 127.0.0.1 unless told otherwise."""
        peer = await self._start("server", namespace, {"local": "127.0.0.1", "port": SCTP_PORT} | arguments)
        await peer.event("listening")
        return peer

    async def client(self, namespace: Namespace | None = None, /, **arguments: object) -> Peer:
        """A peer that connects to SCTP port 7777 of 127.0.0.1 unless told otherwise."""
        defaults: dict[str, object] = {
            "local": "127.0.0.1",
            "remote": "127.0.0.1",
            "remote_port": SCTP_PORT,
        }
        peer = await self._start("client", namespace, defaults | arguments)
        await peer.event("connecting")
        return peer

    async def _start(self, role: str, namespace: Namespace | None, arguments: dict[str, object]) -> Peer:
        prefix = namespace.prefix if namespace is not None else ()
        peer = await Peer.start(*prefix, self._program, role, *options(arguments))
        return await self._stack.enter_async_context(peer)
