"""`python -m benchmarks guard`: what the engine's work costs in bytecode instructions, against a committed baseline.

No sockets and no clock: the count is the same on every machine, however loaded, and a change of two in a hundred is a
change of the program. It differs between minor versions of Python, so each has a baseline of its own. What C does in
one instruction (a CRC, a copy, a system call) counts as one: that is for `python -m benchmarks run` to find.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aiosctp.config import Config
from aiosctp.core.datagram import Datagram
from aiosctp.wire.chunks import Data, Sack
from benchmarks.engines import Engines
from tests.core.many_outstanding import open_peer, with_outstanding, z_tsn
from tests.core.scripted import A_INITIAL_TSN, A_RWND
from tests.core.work import empty_caches, executed, flush, take

BASELINE = Path(__file__).with_name("baseline.json")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TOLERANCE = 0.02

WORSE = 1
NO_BASELINE = 2

Counts = dict[str, int]
"""Instructions by what they were counted for."""


# -- the workloads: each counts one thing, or both sides of it --


def _transfer(size: int, count: int, is_lost: Callable[[Datagram], bool] | None = None) -> tuple[int, int]:
    """What so many messages cost each, to the sender and to the receiver, once the flow is past its first round
    trips."""
    engines = Engines(executed, Config(path_mtu=1500))
    ((ours, _),) = engines.connect()
    payload = bytes(size)
    warm_up = max(1, count // 4)
    engines.send(engines.a, ours, [payload] * warm_up)
    engines.deliver(warm_up)
    engines.is_lost = is_lost
    engines.forget_cost()
    engines.send(engines.a, ours, [payload] * count)
    engines.deliver(count)
    return engines.a.spent // count, engines.z.spent // count


def _sides(name: str, costs: tuple[int, int]) -> Counts:
    sender, receiver = costs
    return {f"{name}: sender": sender, f"{name}: receiver": receiver}


def bulk() -> Counts:
    """Messages of 16 KiB."""
    return _sides("a 16 KiB message", _transfer(16 * 1024, 64))


def small_messages() -> Counts:
    """Messages of 64 bytes, many in a packet."""
    return _sides("a 64-byte message of many", _transfer(64, 4000))


def ping_pong() -> Counts:
    """One message of 64 bytes there, and one back."""
    rounds = 100
    engines = Engines(executed)
    ((ours, theirs),) = engines.connect()
    engines.forget_cost()
    for _ in range(rounds):
        engines.z.received.clear()
        engines.send(engines.a, ours, [bytes(64)])
        engines.run_until(lambda: bool(engines.z.received))
        engines.a.received.clear()
        engines.send(engines.z, theirs, [bytes(64)])
        engines.run_until(lambda: bool(engines.a.received))
    return {"a 64-byte message there and back": (engines.a.spent + engines.z.spent) // rounds}


def handshakes() -> Counts:
    """Associations opened a hundred at a time."""
    count = 100
    engines = Engines(executed)
    engines.connect(count)
    return {"a handshake: client": engines.a.spent // count, "a handshake: server": engines.z.spent // count}


def gaps_sent() -> Counts:
    """A receiver with many gaps, which reports them with every packet."""
    gaps, packets = 300, 20
    peer = open_peer()
    tsns = [(A_INITIAL_TSN + 2 * n + 1) & 0xFFFF_FFFF for n in range(gaps + packets)]
    chunks = [Data(tsn, 0, 0, 0, b"x", unordered=True) for tsn in tsns]
    for chunk in chunks[:gaps]:
        take(peer, chunk)()
    works = [take(peer, chunk) for chunk in chunks[gaps:]]
    count = executed(lambda: [work() for work in works])
    return {f"a packet beyond {gaps} gaps": count // packets}


def gaps_received() -> Counts:
    """A sender that is told of many gaps, of one more with every SACK."""
    blocks, sacks = 300, 20
    peer = with_outstanding(2 * (blocks + sacks) + 1)
    comb = tuple((n, n) for n in range(2, 2 * (blocks + sacks) + 2, 2))
    works = [take(peer, Sack(z_tsn(peer, -1), A_RWND, comb[: blocks + n])) for n in range(sacks)]
    flush(peer)
    count = executed(lambda: [work() for work in works])
    return {f"a SACK of {blocks} blocks": count // sacks}


def loss_recovery() -> Counts:
    """Messages of 16 KiB while one packet in fifty is lost, once each."""
    packets = 0

    def is_fiftieth(datagram: Datagram) -> bool:
        nonlocal packets
        is_large = len(datagram.data) > 1000
        packets += is_large
        return is_large and packets % 50 == 0

    return _sides("a 16 KiB message under loss", _transfer(16 * 1024, 64, is_fiftieth))


WORKLOADS: Sequence[Callable[[], Counts]] = (
    bulk,
    small_messages,
    ping_pong,
    handshakes,
    gaps_sent,
    gaps_received,
    loss_recovery,
)


def count_all(workloads: Sequence[Callable[[], Counts]] = WORKLOADS) -> Counts:
    """What all of them cost. Nothing but the program may run meanwhile: no finalizer, no garbage collection."""
    counts: Counts = {}
    gc.collect()
    gc.disable()
    try:
        for workload in workloads:
            empty_caches()
            counts |= workload()
    finally:
        gc.enable()
    return counts


# -- against the baseline --


def changes(baseline: Mapping[str, int], counts: Mapping[str, int]) -> dict[str, float]:
    """By how much each count has changed, as a ratio to what it was, where that is more than `TOLERANCE`. What is in
    one of the two only has changed without measure."""
    found: dict[str, float] = {}
    for name in baseline.keys() | counts.keys():
        if name not in baseline or name not in counts:
            found[name] = float("inf")
        elif abs(counts[name] - baseline[name]) > TOLERANCE * baseline[name]:
            found[name] = counts[name] / baseline[name] - 1
    return found


def report(baseline: Mapping[str, int], counts: Mapping[str, int]) -> list[str]:
    """A line for each count."""
    changed = changes(baseline, counts)
    lines = []
    for name in [*counts, *(name for name in baseline if name not in counts)]:
        before, now = baseline.get(name), counts.get(name)
        if before is None or now is None:
            verdict = "not in the baseline" if before is None else "no longer counted"
        elif name in changed:
            verdict = f"{changed[name]:+.1%} {'WORSE' if changed[name] > 0 else 'better'}"
        else:
            verdict = f"{now / before - 1:+.1%}"
        lines.append(f"{name:<40} {before or '-':>9} {now or '-':>9}  {verdict}")
    return lines


def read_baselines(path: Path = BASELINE) -> dict[str, Counts]:
    """By Python version."""
    baselines: dict[str, Counts] = json.loads(path.read_text())
    return baselines


def write_baseline(counts: Counts, path: Path = BASELINE) -> None:
    """Replace that of this Python; those of others stay."""
    baselines = (read_baselines(path) if path.exists() else {}) | {PYTHON: counts}
    path.write_text(json.dumps(baselines, indent=2) + "\n")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "guard", help="count the engine's instructions against the baseline", description=__doc__
    )
    parser.add_argument("--update", action="store_true", help="make what is counted now the baseline of this Python")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """The exit status: nothing is worse, or something is, or there is no baseline for this Python."""
    counts = count_all()
    baseline = read_baselines().get(PYTHON, {})
    print(f"{'instructions for':<40} {'baseline':>9} {'now':>9}")
    print("\n".join(report(baseline, counts)))
    if options.update:
        write_baseline(counts)
        print(f"{BASELINE.name} has these now for Python {PYTHON}: say in the commit why they changed")
        return 0
    if not baseline:
        print(f"there is no baseline for Python {PYTHON}: --update makes one")
        return NO_BASELINE
    changed = changes(baseline, counts)
    if any(change > 0 for change in changed.values()):
        print(f"more than {TOLERANCE:.0%} worse: if it has to be, --update, and say in the commit why")
        return WORSE
    if changed:
        print(f"more than {TOLERANCE:.0%} better: keep it with --update")
    return 0
