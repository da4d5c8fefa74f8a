"""Bytes by asyncio's streams, one way: our `open_connection` and `start_server` against asyncio's own."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Turn
from benchmarks.pairs import RECEIVER_CPU, SENDER_CPU, goodput

WRITE_BYTES = 65536
STREAMS = (1, 100)


class ByteStreams:
    name = "byte-streams"
    summary = "64 KiB writes to asyncio's streams, at the path MTU found; TCP has a connection for each stream"
    figures: Sequence[Figure] = (
        Figure("goodput_bits_per_s", "Gbit/s", 1e9),
        SENDER_CPU,
        RECEIVER_CPU,
        Figure("bits_per_busier_cpu_s", "Gbit/CPU s of the busier", 1e9),
    )
    bars: Sequence[Bar] = ()

    def cases(self) -> Sequence[Case]:
        peers = ("aiosctp", "tcp", "aiosctp-uvloop", "tcp-uvloop")
        return tuple(
            Case(
                f"{streams} {'stream' if streams == 1 else 'streams'}",
                peers,
                {"message_bytes": WRITE_BYTES, "streams": streams, "path_mtu": 0},
            )
            for streams in STREAMS
        )

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        return await goodput(peer, turn, task="byte_streams", **case.parameters)


WORKLOAD = ByteStreams()
