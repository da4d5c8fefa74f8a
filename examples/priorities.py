"""Small messages beside a large one: who waits for whom, with and without interleaving (RFC 8260).

    python examples/priorities.py

One association sends a message of 50 MB and, fifty times a second, one of 64 bytes, through 20 Mbit/s. It does that
twice: in DATA chunks in the order in which the messages were sent, and in I-DATA chunks with the small ones' stream put
first. Network and time are simulated (`aiosctp.testing`): a minute of it takes some seconds, and gives the same figures
each time.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import sys

import aiosctp
from aiosctp.testing import Link, Network, run

PORT = 7777
LARGE_STREAM, SMALL_STREAM = 0, 1
EVERY_S = 0.02
SENT_AT = struct.Struct("!d")
SMALL_PADDING = bytes(64 - SENT_AT.size)


async def send_small(association: aiosctp.Association) -> None:
    now = asyncio.get_running_loop().time
    while True:
        await association.send(SENT_AT.pack(now()) + SMALL_PADDING, stream=SMALL_STREAM)
        await asyncio.sleep(EVERY_S)


async def measure(config: aiosctp.Config, large_bytes: int) -> list[float]:
    """How long each small message was on its way, in seconds, while the large one was."""
    delays_s: list[float] = []
    large_has_arrived = asyncio.Event()
    now = asyncio.get_running_loop().time

    async def take(association: aiosctp.Association) -> None:
        async for message in association:
            if message.stream == SMALL_STREAM:
                delays_s.append(now() - SENT_AT.unpack_from(message.data)[0])
            else:
                large_has_arrived.set()

    network = Network(link=Link(delay_s=0.01, bandwidth_bps=20e6, queue_bytes=64_000))
    with network.host("server"):
        server = await aiosctp.serve(take, port=PORT, config=config)
    with network.host("client"):
        async with server, aiosctp.connect("server", PORT, config=config) as association:
            association.configure_stream(SMALL_STREAM, priority=0)
            association.configure_stream(LARGE_STREAM, priority=1)
            await association.send(bytes(large_bytes), stream=LARGE_STREAM)
            small = asyncio.create_task(send_small(association))
            await large_has_arrived.wait()
            small.cancel()
    return delays_s


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=50, help="the size of the large message")
    large_bytes = parser.parse_args().megabytes * 10**6
    ways = {
        "DATA, first come first served": aiosctp.Config(interleaving=False, max_message_bytes=large_bytes),
        "I-DATA, by priority": aiosctp.Config(scheduler="priority", max_message_bytes=large_bytes),
    }
    for name, config in ways.items():
        delays_s = run(measure(config, large_bytes))
        median_ms, p99_ms = (1000 * percentile(delays_s, share) for share in (0.5, 0.99))
        print(f"{name:30}  {len(delays_s):5} messages  median {median_ms:8.1f} ms  p99 {p99_ms:8.1f} ms")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
