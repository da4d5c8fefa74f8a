"""Handshakes per second: INIT to COOKIE ACK and the program told, then an ABORT, so that none is left behind."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.model import Bar, Case, Figure, Figures, Reading, Turn
from benchmarks.pairs import RECEIVER_CPU, SENDER_CPU, told_by_sender

NAME = "handshakes"
ONE, HUNDRED = "one after the other", "100 at a time"


def _rate(peer: str) -> Reading:
    return Reading(NAME, HUNDRED, peer, "handshakes_per_s")


class Handshakes:
    name = NAME
    summary = "associations set up per second by one client, one after the other and 100 at a time"
    figures: Sequence[Figure] = (
        Figure("handshakes_per_s", "handshakes/s"),
        SENDER_CPU,
        RECEIVER_CPU,
        Figure("handshakes_per_busier_cpu_s", "handshakes/CPU s of the busier"),
    )
    bars: Sequence[Bar] = (
        Bar("handshakes per second, 100 at a time, vs usrsctp", _rate("aiosctp-uvloop"), _rate("usrsctp"), 0.25, 0.5),
    )

    def cases(self) -> Sequence[Case]:
        peers = ("aiosctp", "aiosctp-uvloop", "usrsctp")
        return (Case(ONE, peers, {"at_a_time": 1}), Case(HUNDRED, peers, {"at_a_time": 100}))

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        told = await told_by_sender(peer, turn, task="handshakes", **case.parameters)
        rate_per_s = told["messages"] / told["seconds"]
        busier = max(told["sender_cpu"], told["receiver_cpu"])
        return {**told, "handshakes_per_s": rate_per_s, "handshakes_per_busier_cpu_s": rate_per_s / busier}


WORKLOAD = Handshakes()
