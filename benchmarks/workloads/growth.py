"""What a message, or a packet, costs as something else grows: streams, associations, gaps, reordering. Ours only.

In the place of peers there are sizes, so that they are measured in turn, 1 10 100 1 10 100. The cost is CPU time, of
both sides where there are two.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Reading, Turn
from benchmarks.processes import RECEIVER_CORE, running

NAME = "growth"
ROUNDS = 3
SET_UP_S = 120.0
IDLE = "one active association among idle ones"

# By the name of the case: what `benchmarks.growing` calls it, and how large it gets.
KINDS: dict[str, tuple[str, tuple[int, ...]]] = {
    "streams in turn": ("streams", (1, 10, 100, 1000, 10_000, 65535)),
    IDLE: ("idle-associations", (1, 10, 100, 1000, 10_000)),
    "associations in turn": ("associations-in-turn", (1, 10, 100, 1000, 10_000)),
    "gaps that are open": ("gaps", (1, 10, 100, 1000)),
    "Gap Ack Blocks in a SACK": ("gap-ack-blocks", (1, 10, 100, 300)),
    "packets that come backwards": ("reordering", (1, 10, 100, 1000)),
}


class Growth:
    name = NAME
    summary = "CPU time of a message or packet as streams, associations, gaps and reordering grow"
    figures: Sequence[Figure] = (Figure("cpu_us", "µs of CPU", less_is_better=True),)
    bars: Sequence[Bar] = (
        Bar(
            "cost per message, one active association among 9 999 idle, vs alone",
            Reading(NAME, IDLE, "10000", "cpu_us"),
            Reading(NAME, IDLE, "1", "cpu_us"),
            1.1,
            1.02,
            less_is_better=True,
        ),
    )

    def cases(self) -> Sequence[Case]:
        return [
            Case(name, tuple(map(str, sizes)), {"kind": kind}, rounds=ROUNDS) for name, (kind, sizes) in KINDS.items()
        ]

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        argv = [sys.executable, "-m", "benchmarks.growing", case.parameters["kind"], peer, str(turn.seconds)]
        async with running(argv, RECEIVER_CORE) as process:
            result = await process.event("result", SET_UP_S + turn.seconds)
        return {"cpu_us": result["cpu_us"]}


WORKLOAD = Growth()
