"""64-byte messages per second, one way, on one stream: one public `send` and one `receive` each."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Reading, Turn
from benchmarks.pairs import receivers_result
from benchmarks.workloads.bulk import goodput

NAME = "messages"
CASE = "64 B, 1 stream, ordered"


def _rate(peer: str) -> Reading:
    return Reading(NAME, CASE, peer, "messages_per_s")


class Messages:
    name = NAME
    summary = "64-byte messages per second at path MTU 1500"
    figures: Sequence[Figure] = (
        Figure("messages_per_s", "k messages/s", 1e3),
        Figure("receiver_cpu", "of receiver's core"),
    )
    bars: Sequence[Bar] = (
        Bar("64-byte messages per second vs usrsctp", _rate("aiosctp-uvloop"), _rate("usrsctp"), 0.8, 1.5),
    )

    def cases(self) -> Sequence[Case]:
        peers = ("aiosctp", "aiosctp-uvloop", "usrsctp", "aiortc", "tcp", "tcp-uvloop")
        return (Case(CASE, peers, {"message_bytes": 64, "path_mtu": 1500}),)

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        return goodput(await receivers_result(peer, turn, task="bulk", **case.parameters))


WORKLOAD = Messages()
