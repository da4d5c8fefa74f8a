"""Head-of-line blocking: 50 objects on 50 streams of one association, against the same over one TCP connection.

Both go through the same relay of IP packets between two network namespaces, which delays 20 ms each way and loses some,
by ten patterns. A lost packet holds up everything behind it on a TCP connection, and on an association one object.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean

from benchmarks.model import Bar, Case, Figure, Figures, Turn
from benchmarks.namespaces import HOSTS, inside, joined
from benchmarks.processes import RECEIVER_CORE, SENDER_CORE, running
from benchmarks.relay import Weather

NAME = "head-of-line"
PATTERNS = 10
LOSSES = (0.0, 0.01, 0.03)
OBJECTS, OBJECT_BYTES = 50, 16384
# Ours has the congestion control of RFC 9260, which is Reno's; BBR and CUBIC are what systems have by default.
PEERS = ("aiosctp", "tcp-reno", "tcp-cubic", "tcp-bbr")
LIMIT_S = 60.0


class HeadOfLine:
    name = NAME
    summary = f"{OBJECTS} objects on as many streams, against one TCP connection through the same losses"
    figures: Sequence[Figure] = (
        Figure("mean_s", "ms to an object", 1e-3, less_is_better=True),
        Figure("median_s", "ms to the median object", 1e-3, less_is_better=True),
        Figure("last_s", "ms to the last", 1e-3, less_is_better=True),
        Figure("longest_gap_s", "ms without any", 1e-3, less_is_better=True),
    )
    bars: Sequence[Bar] = ()

    def cases(self) -> Sequence[Case]:
        return [
            Case(
                f"{loss * 100:g} % loss",
                PEERS,
                {"loss": loss},
                rounds=PATTERNS if loss else 2,
                is_by_pattern=bool(loss),
            )
            for loss in LOSSES
        ]

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        weather = Weather(loss=case.parameters["loss"], seed=turn.number + 1)
        program = [sys.executable, "-m", "benchmarks.peers.objects", peer]
        numbers = [str(OBJECTS), str(OBJECT_BYTES)]
        async with joined(weather) as (first, second):
            argv = [*inside(second), *program, "server", HOSTS[1], HOSTS[0], *numbers]
            async with running(argv, SENDER_CORE) as server:
                await server.event("ready")
                argv = [*inside(first), *program, "client", HOSTS[0], HOSTS[1], *numbers]
                async with running(argv, RECEIVER_CORE) as client:
                    result = await client.event("result", LIMIT_S)
        return figures_of(result["times_s"])


def figures_of(times_s: Sequence[float]) -> Figures:
    """Of the times at which the objects had come, in order."""
    gaps = [after - before for before, after in pairwise(times_s)]
    return {
        "mean_s": mean(times_s),
        "median_s": times_s[len(times_s) // 2],
        "last_s": times_s[-1],
        "longest_gap_s": max(gaps),
    }


WORKLOAD = HeadOfLine()
