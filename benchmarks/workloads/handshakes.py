"""Handshakes per second: INIT to COOKIE ACK and the program told, then an ABORT, so that none is left behind."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Reading, Turn
from benchmarks.pairs import senders_result

NAME = "handshakes"
ONE, HUNDRED = "one after the other", "100 at a time"


def _rate(peer: str) -> Reading:
    return Reading(NAME, HUNDRED, peer, "handshakes_per_s")


class Handshakes:
    name = NAME
    summary = "associations set up per second by one client, one after the other and 100 at a time"
    figures: Sequence[Figure] = (Figure("handshakes_per_s", "handshakes/s"),)
    bars: Sequence[Bar] = (
        Bar("handshakes per second, 100 at a time, vs usrsctp", _rate("aiosctp-uvloop"), _rate("usrsctp"), 0.25, 0.5),
    )

    def cases(self) -> Sequence[Case]:
        peers = ("aiosctp", "aiosctp-uvloop", "usrsctp")
        return (Case(ONE, peers, {"at_a_time": 1}), Case(HUNDRED, peers, {"at_a_time": 100}))

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        result = await senders_result(peer, turn, task="handshakes", **case.parameters)
        return {"handshakes_per_s": result["messages"] / result["seconds"]}


WORKLOAD = Handshakes()
