"""The server process of `aiosctp demo`: takes one association, counts and hashes what each stream brings.

Its first line of output tells where it listens, the others are for people. It ends with its association, or
with its standard input, which its parent holds open. Needs no rich.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import sys
from collections import defaultdict

import aiosctp
from aiosctp.association import Association
from aiosctp.tools import stdin
from aiosctp.tools.notifications import watch
from aiosctp.tools.runner import run as run_loop

SCTP_PORT = 5001
MAX_STREAMS = 1024

# Payload protocol identifiers of this conversation; 0 is data.
PPID_END = int.from_bytes(b"DEM1")
"""Client to server: the stream is complete. Server to client: the SHA-256 of what it brought."""

READY = "ready"
MIB = 1024 * 1024


def loopback_hosts() -> list[str]:
    """127.0.0.1, and 127.0.0.2 where it needs no configuration, so that the association has two addresses."""
    hosts = []
    for host in ("127.0.0.1", "127.0.0.2"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((host, 0))
            except OSError:
                continue
            hosts.append(host)
    return hosts


def main() -> int:
    """Serve one association."""
    try:
        return run_loop(_serve())
    except KeyboardInterrupt:
        return 130


async def _serve() -> int:
    done = asyncio.Event()

    async def handle(association: Association) -> None:
        notifications = watch(association, _say)
        try:
            await _take(association)
            await notifications
        finally:
            done.set()

    async with (
        aiosctp.Stack(udp_port=0, local_addresses=loopback_hosts()) as stack,
        await aiosctp.serve(
            handle, port=SCTP_PORT, outbound_streams=MAX_STREAMS, max_associations=1, stack=stack
        ) as server,
    ):
        _say(f"{READY} {server.port} {server.udp_port} {' '.join(stack.local_addresses)}")
        ends = [asyncio.create_task(done.wait()), asyncio.create_task(stdin.wait_for_end())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    return 0


async def _take(association: Association) -> None:
    digests: dict[int, hashlib._Hash] = defaultdict(hashlib.sha256)
    sizes: dict[int, int] = defaultdict(int)
    async for message in association:
        stream = message.stream
        if message.ppid != PPID_END:
            digests[stream].update(message.data)
            sizes[stream] += len(message.data)
            continue
        digest = digests.pop(stream).hexdigest()
        _say(f"stream {stream}: {sizes.pop(stream) / MIB:.2f} MiB, SHA-256 {digest[:16]}...")
        await association.send(digest.encode(), stream=stream, ppid=PPID_END)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
