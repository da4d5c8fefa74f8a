"""The two ways of a packet through the engine: the short ones, and the general one that gives the same.

With short ways open, what one sender has at one port at one instant comes as a run (`Received`), as from a kernel with
GRO; with short ways closed each packet comes by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from aiosctp.core import shortcuts
from aiosctp.core.datagram import Received
from aiosctp.stack import Stack
from tests.simulation.wrapping import Maker

MARKS = ("run of packets",)
LARGEST_RUN_BYTES = 65_507
LONGEST_RUN = 64


@contextmanager
def short_ways(*, are_open: bool) -> Iterator[None]:
    """For the stacks and associations that are made meanwhile."""
    before, shortcuts.are_open = shortcuts.are_open, are_open
    try:
        yield
    finally:
        shortcuts.are_open = before


def wrappers(counter: Counter[str], *, are_open: bool) -> list[tuple[str, Maker]]:
    return [("stack:Stack.datagrams_received", partial(_joining, counter))] if are_open else []


def _joining(counter: Counter[str], original: Any) -> Any:
    def datagrams_received(stack: Stack, datagrams: Iterable[Received], local_host: str) -> None:
        runs = joined(datagrams)
        counter["run of packets"] += sum(run.segment_bytes > 0 for run in runs)
        original(stack, runs, local_host)

    return datagrams_received


def joined(datagrams: Iterable[Received]) -> list[Received]:
    """Those of one sender that follow each other and are of one size, the last one maybe shorter, in one piece."""
    runs: list[list[Received]] = []
    for datagram in datagrams:
        if runs and _continues(runs[-1], datagram):
            runs[-1].append(datagram)
        else:
            runs.append([datagram])
    return [run[0] if len(run) == 1 else _join(run) for run in runs]


def _continues(run: list[Received], datagram: Received) -> bool:
    first, last = run[0], run[-1]
    return (
        (datagram.host, datagram.udp_port) == (first.host, first.udp_port)
        and len(first.data) == len(last.data) >= len(datagram.data) > 0
        and len(run) < LONGEST_RUN
        and (len(run) + 1) * len(first.data) <= LARGEST_RUN_BYTES
    )


def _join(run: list[Received]) -> Received:
    data = b"".join(datagram.data for datagram in run)
    return run[0]._replace(data=data, segment_bytes=len(run[0].data))
