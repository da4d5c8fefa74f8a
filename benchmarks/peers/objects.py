"""The workload "head-of-line": `python -m benchmarks.peers.objects PROTOCOL SIDE HOST COUNT BYTES`.

The client asks once, the server sends all the objects, one after the other: on streams of one association, a message
each, or over one TCP connection. The client tells how long after it asked it had each. PROTOCOL is `aiosctp`, or `tcp-`
and the congestion control.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time

import aiosctp
from benchmarks.peers.job import RECEIVE_WINDOW_BYTES, SEND_BUFFER_BYTES, tell
from benchmarks.peers.loops import run

PORT = 5001
REQUEST = b"all"
LIFE_S = 90
CONNECT_TIMEOUT_S = 20.0

CONFIG = aiosctp.Config(
    path_mtu=1500,
    receive_window_bytes=RECEIVE_WINDOW_BYTES,
    send_buffer_bytes=SEND_BUFFER_BYTES,
    stream_send_buffer_bytes=SEND_BUFFER_BYTES,
)


async def sctp_server(host: str, count: int, size: int) -> None:
    async def handle(association: aiosctp.Association) -> None:
        await association.receive()
        for stream in range(count):
            await association.send(bytes(size), stream=stream)
        await association.wait_closed()

    async with (
        aiosctp.Stack(local_addresses=[host], config=CONFIG) as stack,
        await aiosctp.serve(handle, None, PORT, outbound_streams=count, stack=stack) as server,
    ):
        tell("ready")
        await server.serve_forever()


async def sctp_client(local: str, host: str, count: int, size: int) -> None:
    async with (
        aiosctp.Stack(local_addresses=[local], config=CONFIG) as stack,
        aiosctp.connect(host, PORT, timeout=CONNECT_TIMEOUT_S, stack=stack) as association,
    ):
        begin = time.perf_counter()
        await association.send(REQUEST)
        times = []
        for _ in range(count):
            message = await association.receive()
            assert len(message.data) == size
            times.append(time.perf_counter() - begin)
        tell("result", times_s=times)
        association.abort()


async def tcp_server(host: str, count: int, size: int, control: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _use(writer, control)
        await reader.readexactly(len(REQUEST))
        for _ in range(count):
            writer.write(bytes(size))
            await writer.drain()
        await reader.read()

    async with await asyncio.start_server(handle, host, PORT) as server:
        tell("ready")
        await server.serve_forever()


async def tcp_client(host: str, count: int, size: int, control: str) -> None:
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(host, PORT)
    _use(writer, control)
    begin = time.perf_counter()
    writer.write(REQUEST)
    times = []
    for _ in range(count):
        await reader.readexactly(size)
        times.append(time.perf_counter() - begin)
    tell("result", times_s=times)
    writer.close()


def _use(writer: asyncio.StreamWriter, control: str) -> None:
    """The congestion control that is compared with, whatever the system's own."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())


async def main(protocol: str, side: str, local: str, remote: str, count: int, size: int) -> None:
    name, _, control = protocol.partition("-")
    if name == "tcp":
        await (
            tcp_server(local, count, size, control) if side == "server" else tcp_client(remote, count, size, control)
        )
    else:
        await (sctp_server(local, count, size) if side == "server" else sctp_client(local, remote, count, size))


if __name__ == "__main__":
    signal.alarm(LIFE_S)
    protocol, side, local, remote, count, size = sys.argv[1:]
    run(main(protocol, side, local, remote, int(count), int(size)), loop="uvloop")
