"""TCP's side of a job, by asyncio's streams: `python -m benchmarks.peers.tcp asyncio|uvloop WORD...`.

A message, also what is written to a byte stream, is one `write` and `drain`, and one `readexactly` of its size. The
kernel sizes its buffers and segments.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time

from benchmarks.peers import byte_streams
from benchmarks.peers.job import (
    HOST,
    MESSAGES_PER_LOOK,
    RECEIVE_WINDOW_BYTES,
    SEND_BUFFER_BYTES,
    Job,
    Meter,
    RoundTrips,
    read_job,
    tell,
)
from benchmarks.peers.loops import run

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _side(job: Job) -> None:
    if job.task == "byte_streams":
        await (_take_bytes if job.side == "receiver" else _fill_bytes)(job)
    elif job.side == "receiver":
        await _serve(job)
    else:
        await _connect(job)


async def _connect(job: Job) -> None:
    # TCP's port has the number of what is UDP's elsewhere.
    reader, writer = await asyncio.open_connection(HOST, job.remote_udp_port, limit=RECEIVE_WINDOW_BYTES)
    _prepare(writer)
    await (_source if job.task == "bulk" else _ping)(job, reader, writer)


async def _serve(job: Job) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _prepare(writer)
        await (_sink if job.task == "bulk" else _echo)(job, reader, writer)

    async with await asyncio.start_server(handle, HOST, job.udp_port, limit=RECEIVE_WINDOW_BYTES) as server:
        tell("ready")
        await server.serve_forever()


async def _take_bytes(job: Job) -> None:
    limit = byte_streams.reader_limit_bytes(job)
    async with await asyncio.start_server(byte_streams.sink(job), HOST, job.udp_port, limit=limit) as server:
        tell("ready")
        await server.serve_forever()


async def _fill_bytes(job: Job) -> None:
    """On a connection for each stream."""
    limit = byte_streams.reader_limit_bytes(job)
    streams = [await asyncio.open_connection(HOST, job.remote_udp_port, limit=limit) for _ in range(job.streams)]
    await byte_streams.fill(job, [writer for _, writer in streams])


def _prepare(writer: asyncio.StreamWriter) -> None:
    writer.transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _sink(job: Job, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    meter = Meter(job)
    while True:
        size = 0
        for _ in range(MESSAGES_PER_LOOK):
            size += len(await reader.readexactly(job.message_bytes))
        meter.add(MESSAGES_PER_LOOK, size)


async def _echo(job: Job, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(await reader.readexactly(job.message_bytes))
        await writer.drain()


async def _source(job: Job, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = bytes(job.message_bytes)
    while True:
        writer.write(data)
        await writer.drain()


async def _ping(job: Job, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = bytes(job.message_bytes)
    round_trips = RoundTrips(job)
    while not round_trips.is_over:
        begin = time.perf_counter()
        writer.write(data)
        await writer.drain()
        await reader.readexactly(job.message_bytes)
        round_trips.add(begin, time.perf_counter())
    round_trips.tell()


if __name__ == "__main__":
    run(_side(read_job(sys.argv[2:])), loop=sys.argv[1])
