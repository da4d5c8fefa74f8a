"""64-byte ping-pong: one message there, one back, and the next; against a bare asyncio UDP echo on the same loop."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Reading, Turn
from benchmarks.pairs import senders_result

NAME = "ping-pong"
CASE = "64 B"
PEERS = (
    *("aiosctp", "udp-echo", "udp-callback", "tcp"),
    *("aiosctp-uvloop", "udp-echo-uvloop", "udp-callback-uvloop", "tcp-uvloop", "aiortc"),
    "usrsctp",
)


def _p50(peer: str) -> Reading:
    return Reading(NAME, CASE, peer, "p50_us")


def _bar(loop: str, ours: str, bare: str, bar: float, beyond: float) -> Bar:
    text = f"ping-pong p50 vs a bare asyncio UDP echo that awaits a plain future: {loop}"
    return Bar(text, _p50(ours), _p50(bare), bar, beyond, less_is_better=True)


class PingPong:
    name = NAME
    summary = "64-byte round trips, p50 and p99, against a bare asyncio UDP echo that awaits a plain future"
    figures: Sequence[Figure] = (
        Figure("p50_us", "µs p50", less_is_better=True),
        Figure("p99_us", "µs p99", less_is_better=True),
    )
    bars: Sequence[Bar] = (
        _bar("stock loop", "aiosctp", "udp-echo", 1.5, 1.2),
        _bar("uvloop", "aiosctp-uvloop", "udp-echo-uvloop", 2.3, 1.6),
    )

    def cases(self) -> Sequence[Case]:
        return (Case(CASE, PEERS, {"message_bytes": 64}),)

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        result = await senders_result(peer, turn, task="ping_pong", **case.parameters)
        return {name: result[name] for name in ("p50_us", "p99_us", "round_trips")}


WORKLOAD = PingPong()
