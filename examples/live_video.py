"""A live stream through a lossy network: what must arrive, and what is worth sending only while it is fresh (RFC 3758).

    python examples/live_video.py

The case of the Linux Journal's articles on SCTP: of a film the I-frames are needed whole, for the others are told as
changes to them; a B-frame that comes late is of no use. Here I-frames are reliable and B-frames have a lifetime of
100 ms, each on a stream of their own, so that neither waits for the other. Network and time are simulated
(`aiosctp.testing`).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter

import aiosctp
from aiosctp.events import SendFailed
from aiosctp.testing import Link, Network, RandomLoss, run

PORT = 7777
I_STREAM, B_STREAM = 0, 1
FRAMES_PER_SECOND = 25
GROUP_OF_PICTURES = 12
I_FRAME_BYTES, B_FRAME_BYTES = 20_000, 3_000
LIFETIME_S = 0.1
# A film at 0.9 Mbit/s through a link on which one packet of fifty is lost.
LINK = Link(delay_s=0.04, bandwidth_bps=3e6, loss=RandomLoss(0.02))


async def play(association: aiosctp.Association, seconds: int, sent: Counter[int]) -> None:
    for number in range(seconds * FRAMES_PER_SECOND):
        if number % GROUP_OF_PICTURES == 0:
            sent[I_STREAM] += 1
            await association.send(bytes(I_FRAME_BYTES), stream=I_STREAM)
        else:
            sent[B_STREAM] += 1
            await association.send(bytes(B_FRAME_BYTES), stream=B_STREAM, lifetime=LIFETIME_S)
        await asyncio.sleep(1 / FRAMES_PER_SECOND)


async def show(seconds: int) -> tuple[Counter[int], Counter[int], Counter[int]]:
    """By stream: how many frames were sent, how many arrived, and how many were reported abandoned."""
    sent: Counter[int] = Counter()
    arrived: Counter[int] = Counter()
    abandoned: Counter[int] = Counter()

    async def watch(association: aiosctp.Association) -> None:
        async for frame in association:
            arrived[frame.stream] += 1

    async def count_abandoned(association: aiosctp.Association) -> None:
        async for event in association.events(SendFailed):
            abandoned[event.stream] += 1

    network = Network(seed=7, link=LINK)
    with network.host("server"):
        server = await aiosctp.serve(watch, port=PORT)
    with network.host("client"):
        async with server:
            async with aiosctp.connect("server", PORT) as association:
                counting = asyncio.create_task(count_abandoned(association))
                await play(association, seconds, sent)
                await association.wait_acknowledged()
            await counting
    return sent, arrived, abandoned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="how long the film is")
    sent, arrived, abandoned = run(show(parser.parse_args().seconds))
    for name, stream in (("I-frames", I_STREAM), ("B-frames", B_STREAM)):
        print(f"{name}: {sent[stream]} sent, {arrived[stream]} arrived, {abandoned[stream]} reported abandoned")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
