"""Bytes through asyncio's readers and writers, as fast as it goes on all of them: one code, whatever carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from benchmarks.peers.job import MESSAGES_PER_LOOK, RECEIVE_WINDOW_BYTES, SEND_BUFFER_BYTES, Job, Meter

LEAST_BYTES = 64 * 1024
"""asyncio's own limit of readers and of writers."""


def reader_limit_bytes(job: Job) -> int:
    """The share of a stream in what a reader may hold."""
    return max(RECEIVE_WINDOW_BYTES // job.streams, LEAST_BYTES)


def sink(job: Job) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """What a server calls for each stream: all are counted together."""
    meter = Meter(job)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            size = 0
            for _ in range(MESSAGES_PER_LOOK):
                size += len(await reader.readexactly(job.message_bytes))
            meter.add(MESSAGES_PER_LOOK, size)

    return take


async def fill(job: Job, writers: Iterable[asyncio.StreamWriter]) -> None:
    """A task for each stream, as programs have it."""
    data = bytes(job.message_bytes)

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=max(SEND_BUFFER_BYTES // job.streams, LEAST_BYTES))
        while True:
            writer.write(data)
            await writer.drain()

    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(write(writer))
