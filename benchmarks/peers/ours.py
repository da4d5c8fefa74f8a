"""aiosctp's side of a job, by the public API alone: `python -m benchmarks.peers.ours LOOP data|i-data WORD...`."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiosctp
from benchmarks.peers import byte_streams
from benchmarks.peers.job import (
    HOST,
    MESSAGES_PER_LOOK,
    RECEIVE_WINDOW_BYTES,
    SCTP_PORT,
    SEND_BUFFER_BYTES,
    Job,
    Meter,
    RoundTrips,
    read_job,
    tell,
)
from benchmarks.peers.loops import run
from benchmarks.peers.requests import ANSWER_BYTES, Requests

CONNECT_TIMEOUT_S = 10.0


def _config(job: Job, *, interleaving: bool) -> aiosctp.Config:
    return aiosctp.Config(
        receive_window_bytes=RECEIVE_WINDOW_BYTES,
        send_buffer_bytes=SEND_BUFFER_BYTES,
        stream_send_buffer_bytes=SEND_BUFFER_BYTES,
        path_mtu=job.path_mtu or None,
        interleaving=interleaving,
    )


async def _side(job: Job, *, interleaving: bool) -> None:
    config = _config(job, interleaving=interleaving)
    async with aiosctp.Stack(udp_port=job.udp_port, local_addresses=[HOST], config=config) as stack:
        await _SIDES[job.task, job.side](job, stack)


# -- the receiver --


async def _sink(job: Job, stack: aiosctp.Stack) -> None:
    async def handle(association: aiosctp.Association) -> None:
        meter = Meter(job)
        while True:
            size = 0
            for _ in range(MESSAGES_PER_LOOK):
                size += len((await association.receive()).data)
            meter.add(MESSAGES_PER_LOOK, size)

    await _serve(handle, stack)


async def _echo(job: Job, stack: aiosctp.Stack) -> None:
    async def handle(association: aiosctp.Association) -> None:
        while True:
            await association.send((await association.receive()).data)

    await _serve(handle, stack)


async def _answer(job: Job, stack: aiosctp.Stack) -> None:
    answer = bytes(ANSWER_BYTES)

    async def handle(association: aiosctp.Association) -> None:
        while True:
            await association.receive()
            await association.send(answer)

    await _serve(handle, stack)


async def _take_bytes(job: Job, stack: aiosctp.Stack) -> None:
    limit = byte_streams.reader_limit_bytes(job)
    async with await aiosctp.start_server(byte_streams.sink(job), None, SCTP_PORT, limit=limit, stack=stack) as server:
        tell("ready")
        await server.serve_forever()


async def _accept(job: Job, stack: aiosctp.Stack) -> None:
    async def handle(association: aiosctp.Association) -> None:
        await association.wait_closed()

    await _serve(handle, stack)


async def _keep(job: Job, stack: aiosctp.Stack) -> None:
    count = 0

    async def handle(association: aiosctp.Association) -> None:
        nonlocal count
        count += 1
        if count == job.associations:
            tell("held", associations=count)
        await association.wait_closed()
        count -= 1

    await _serve(handle, stack)


async def _serve(handle: Callable[[aiosctp.Association], Awaitable[None]], stack: aiosctp.Stack) -> None:
    async with await aiosctp.serve(handle, None, SCTP_PORT, backlog=4096, stack=stack) as server:
        tell("ready")
        await server.serve_forever()


# -- the sender --


@asynccontextmanager
async def _connected(job: Job, stack: aiosctp.Stack) -> AsyncIterator[aiosctp.Association]:
    async with aiosctp.connect(
        HOST,
        SCTP_PORT,
        remote_udp_port=job.remote_udp_port,
        outbound_streams=job.streams,
        timeout=CONNECT_TIMEOUT_S,
        stack=stack,
    ) as association:
        yield association


async def _source(job: Job, stack: aiosctp.Stack) -> None:
    data = bytes(job.message_bytes)
    unordered = bool(job.unordered)
    async with _connected(job, stack) as association:
        for stream in itertools.cycle(range(job.streams)):
            await association.send(data, stream=stream, unordered=unordered)


async def _fill_bytes(job: Job, stack: aiosctp.Stack) -> None:
    limit = byte_streams.reader_limit_bytes(job)
    streams = [
        await aiosctp.open_connection(HOST, SCTP_PORT, limit=limit, remote_udp_port=job.remote_udp_port, stack=stack)
    ]
    association = streams[0][1].get_extra_info("association")
    streams += [await association.open_stream(limit=limit) for _ in range(1, job.streams)]
    await byte_streams.fill(job, [writer for _, writer in streams])


async def _ping(job: Job, stack: aiosctp.Stack) -> None:
    data = bytes(job.message_bytes)
    async with _connected(job, stack) as association:
        round_trips = RoundTrips(job)
        while not round_trips.is_over:
            begin = time.perf_counter()
            await association.send(data)
            await association.receive()
            round_trips.add(begin, time.perf_counter())
        round_trips.tell()


async def _request(job: Job, stack: aiosctp.Stack) -> None:
    data = bytes(job.message_bytes)
    async with _connected(job, stack) as association:
        requests = Requests(job)
        for _ in range(job.in_flight):
            requests.sent()
            await association.send(data)
        while not requests.is_over:
            await association.receive()
            requests.answered()
            requests.sent()
            await association.send(data)
        requests.tell()


async def _shake_hands(job: Job, stack: aiosctp.Stack) -> None:
    meter = Meter(job)

    async def one_after_the_other() -> None:
        while True:
            async with _connected(job, stack) as association:
                association.abort()
            meter.add(1, 0)

    async with asyncio.TaskGroup() as group:
        for _ in range(job.at_a_time):
            group.create_task(one_after_the_other())


async def _hold(job: Job, stack: aiosctp.Stack) -> None:
    held: list[aiosctp.Association] = []
    while len(held) < job.associations:
        connecting = [
            aiosctp.connect(
                HOST, SCTP_PORT, remote_udp_port=job.remote_udp_port, timeout=CONNECT_TIMEOUT_S, stack=stack
            )
            for _ in range(min(job.at_a_time, job.associations - len(held)))
        ]
        held += await asyncio.gather(*connecting)
    tell("held", associations=len(held))
    await asyncio.Event().wait()


_SIDES = {
    ("bulk", "receiver"): _sink,
    ("bulk", "sender"): _source,
    ("byte_streams", "receiver"): _take_bytes,
    ("byte_streams", "sender"): _fill_bytes,
    ("ping_pong", "receiver"): _echo,
    ("ping_pong", "sender"): _ping,
    ("handshakes", "receiver"): _accept,
    ("handshakes", "sender"): _shake_hands,
    ("requests", "receiver"): _answer,
    ("requests", "sender"): _request,
    ("hold", "receiver"): _keep,
    ("hold", "sender"): _hold,
}


if __name__ == "__main__":
    loop, chunks, *words = sys.argv[1:]
    run(_side(read_job(words), interleaving=chunks == "i-data"), loop=loop)
