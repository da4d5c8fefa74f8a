"""A stream of requests through a relay that delays 20 ms each way and loses packets: goodput, and how long each took.

The client keeps so many requests under way; the server answers each with a few bytes. A round is a pattern of losses:
its number seeds the relay, so that every peer meets the same ones. TCP can't go through a relay of UDP.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Reading, SampleFailed, Turn
from benchmarks.pairs import GRACE_S, WARM_UP_S, pair
from benchmarks.processes import free_udp_ports
from benchmarks.relay import Weather, between_ports, relaying

NAME = "lossy"
PATTERNS = 10
LOSSES = (0.0, 0.001, 0.01, 0.05)
REQUEST = {"message_bytes": 4096, "in_flight": 32}
BULK = {"message_bytes": 16384}
OURS, THEIRS = "aiosctp-uvloop", "usrsctp"
ALONE = Reading(NAME, "bulk, the relay alone", "udp-gso", "bytes_per_s")
MARGIN = 2
"""The relay alone has to carry so many times the fastest result through it."""
LONGER = 3
"""A sample lasts so many times as long as those of other workloads: losses are few."""


def case_name(task: str, loss: float) -> str:
    return f"{task}, {loss * 100:g} % loss"


def _cases() -> list[Case]:
    cases = [
        Case(
            case_name(task, loss),
            (OURS, THEIRS),
            {"loss": loss, "task": task, **job},
            rounds=PATTERNS,
            is_by_pattern=True,
        )
        for task, job in (("requests", REQUEST), ("bulk", BULK))
        for loss in LOSSES
    ]
    alone = Case(ALONE.case, (ALONE.peer,), {"loss": 0.0, "task": "bulk", **BULK}, rounds=3)
    return [*cases, alone]


class Lossy:
    name = NAME
    summary = "requests through a relay that delays 20 ms each way and loses packets, by ten patterns"
    figures: Sequence[Figure] = (
        Figure("bytes_per_s", "Mbit/s", 1e6 / 8),
        Figure("p99_us", "ms p99", 1e3, less_is_better=True),
    )
    bars: Sequence[Bar] = (
        Bar(
            "1 % loss, 40 ms RTT, vs usrsctp, median over the patterns",
            Reading(NAME, case_name("requests", 0.01), OURS, "bytes_per_s"),
            Reading(NAME, case_name("requests", 0.01), THEIRS, "bytes_per_s"),
            0.9,
            1.3,
        ),
    )

    def cases(self) -> Sequence[Case]:
        return _cases()

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        job = dict(case.parameters)
        weather = Weather(loss=job.pop("loss"), seed=turn.number + 1)
        turn = Turn(turn.number, turn.seconds * LONGER)
        first, second, for_first, for_second = free_udp_ports(4)
        where = between_ports(first=first, second=second, for_first=for_first, for_second=for_second)
        async with (
            relaying(weather, *where) as relay,
            pair(peer, turn, ports=(first, second), by_way_of=(for_first, for_second), path_mtu=1500, **job) as (
                sender,
                receiver,
            ),
        ):
            teller = receiver if job["task"] == "bulk" else sender
            result = await teller.event("result", WARM_UP_S + turn.seconds + GRACE_S)
            carried = await relay.carried()
        if carried["overflowed"] and peer in (OURS, THEIRS):
            raise SampleFailed(f"the relay was not fast enough: {carried}")
        figures = {"bytes_per_s": result["bytes"] / result["seconds"], "packets": carried["came"]}
        return figures | {name: result[name] for name in ("p50_us", "p99_us") if name in result}


WORKLOAD = Lossy()
