"""What an idle association costs: memory of the process that holds it, and with ten thousand of them CPU time.

Client and server are two processes on loopback, one path an association, heartbeats on. Memory is what the resident set
has grown by since none was held, for each; the CPU time is of a whole interval of heartbeats. The bar is about memory
after that interval, when every path has been probed, of the side that costs more.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.model import Bar, Case, Figure, Figures, Reading, Turn, Unavailable
from benchmarks.pairs import pair
from benchmarks.processes import Process

NAME = "memory"
COUNTS = (1, 1000, 10_000)
PEERS = ("aiosctp", "aiosctp-uvloop", "usrsctp")
ROUNDS = 2
SET_UP_S = 120.0
SETTLE_S = 1.0
"""After the last handshake: the server's program has been told, and what is put off has been done."""
IDLE_S = 33.0
"""HB.interval, and an RTO with its jitter (§8.3): every path is probed once, or hardly more often."""


def case_name(count: int) -> str:
    return f"{count} associations" if count > 1 else "1 association"


IDLE = f"{case_name(COUNTS[-1])}, after {IDLE_S:g} s"


class Memory:
    name = NAME
    summary = "memory and CPU time of idle associations, heartbeats on"
    figures: Sequence[Figure] = (
        Figure("bytes_per_association", "KB each, the dearer side", 1e3, less_is_better=True),
        Figure("client_bytes", "KB client", 1e3, less_is_better=True),
        Figure("server_bytes", "KB server", 1e3, less_is_better=True),
        Figure("client_cpu", "of client's core", less_is_better=True),
        Figure("server_cpu", "of server's core", less_is_better=True),
    )
    bars: Sequence[Bar] = (
        Bar(
            "memory per idle established association",
            Reading(NAME, IDLE, "aiosctp-uvloop", "bytes_per_association"),
            None,
            10,
            6,
            less_is_better=True,
            unit="KB",
            scale=1e3,
        ),
    )

    def cases(self) -> Sequence[Case]:
        counts = [Case(case_name(count), PEERS, {"associations": count}, rounds=ROUNDS) for count in COUNTS]
        return [*counts, Case(IDLE, PEERS, {"associations": COUNTS[-1], "idle_s": IDLE_S}, rounds=ROUNDS)]

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        count, idle_s = case.parameters["associations"], case.parameters.get("idle_s", 0.0)
        before, _ = await _resident(peer, turn, 0)
        after, cpu = await _resident(peer, turn, count, idle_s)
        client, server = ((grown - none) / count for none, grown in zip(before, after, strict=True))
        return {"client_bytes": client, "server_bytes": server, "bytes_per_association": max(client, server)} | cpu


async def _holding(
    stack: AsyncExitStack, peer: str, turn: Turn, count: int, seconds: float = 0.0
) -> tuple[Process, Process]:
    """Client and server with so many associations between them, at rest."""
    held = pair(peer, turn, task="hold", associations=count, at_a_time=100, warm_up_s=SET_UP_S, seconds=seconds)
    client, server = await stack.enter_async_context(held)
    await client.event("held", SET_UP_S)
    if count and peer != "usrsctp":  # whose accept queue tells nobody
        await server.event("held", SET_UP_S)
    await asyncio.sleep(SETTLE_S)
    return client, server


async def _resident(peer: str, turn: Turn, count: int, idle_s: float = 0.0) -> tuple[list[int], Figures]:
    """Bytes, of client and server, and the CPU time of the idle seconds before, if any."""
    async with AsyncExitStack() as stack:
        processes = await _holding(stack, peer, turn, count, idle_s)
        cpu = await _idle(processes, idle_s) if idle_s else {}
        return [_resident_bytes(each.pid) for each in processes], cpu


async def _idle(processes: tuple[Process, Process], seconds: float) -> Figures:
    before = [_cpu_s(each.pid) for each in processes]
    await asyncio.sleep(seconds)
    client, server = ((_cpu_s(each.pid) - at) / seconds for each, at in zip(processes, before, strict=True))
    return {"client_cpu": client, "server_cpu": server}


def _resident_bytes(pid: int) -> int:
    """What of the process is in memory. Raises Unavailable where there is no /proc."""
    for line in _proc(pid, "status").splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0]) * 1024
    raise Unavailable("/proc does not tell the resident set")


def _cpu_s(pid: int) -> float:
    """proc(5): utime and stime, the 14th and 15th field; the second is a name that may hold blanks."""
    fields = _proc(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _proc(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError as error:
        raise Unavailable(f"there is no /proc/PID/{name}: {error.strerror}") from None


WORKLOAD = Memory()
