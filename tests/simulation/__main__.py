"""`python -m tests.simulation`: run seeds and report, or run broken engines until each is caught."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from multiprocessing import get_context

from tests.simulation.broken import FAULTS, hunt
from tests.simulation.report import LEAST_MESSAGES, LEAST_VIRTUAL_S, Report, verdict
from tests.simulation.scene import Outcome, run_both_ways, run_seed

MOST_BROKEN = 10
"""After so many seeds that broke a law, a run has said enough."""
LARGEST_FRESH_SEED = 10**9


def main() -> int:
    options = read_options(sys.argv[1:])
    if options.broken is not None:
        return _hunt_all(options.broken or list(FAULTS), options.jobs)
    report = Report()
    for outcome in _run(_seeds(options), options):
        report.add(outcome)
        if outcome.broken is not None:
            if not options.trace:
                outcome = _way_of_running(options)(outcome.seed, trace=True)
            print("\n".join(verdict(outcome, packets=60 if options.trace else 8)), flush=True)
            if len(report.broken) >= MOST_BROKEN:
                break
    print("\n".join(report.lines() if not options.quiet else report.summary()))
    missing = report.missing(options.least_marks)
    if missing:
        print(f"hit less than {options.least_marks} times: {', '.join(missing)}")
    if report.is_slight():
        print(f"a seed did less than {LEAST_VIRTUAL_S:g} virtual seconds and {LEAST_MESSAGES} messages (medians)")
    return 1 if report.broken or missing or report.is_slight() else 0


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Exits with a line of what is wrong with them."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "--seeds", type=_seed_range, metavar="A-B", help="from A to B, both inside; without it, fresh ones"
    )
    parser.add_argument("--minutes", type=float, help="begin no seed after so long")
    parser.add_argument("--jobs", type=_jobs, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--trace", action="store_true", help="keep the packets, and print the last of each seed")
    parser.add_argument(
        "--both-ways", action="store_true", help="run each with the engine's short ways open and closed, and compare"
    )
    parser.add_argument("--quiet", action="store_true", help="print the sums only")
    parser.add_argument("--least-marks", type=int, default=0, help="fail when a mark was hit less often")
    parser.add_argument(
        "--broken", nargs="*", choices=FAULTS, metavar="NAME", help="hunt faults of the engine: these, or all"
    )
    options = parser.parse_args(arguments)
    if options.seeds is None and options.minutes is None and options.broken is None:
        parser.error("--seeds or --minutes must be given")
    return options


def _seed_range(text: str) -> range:
    """ "1-20" or "7"."""
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() if dash else True)):
        raise argparse.ArgumentTypeError(f"seeds are given as A-B, two numbers, and not as {text!r}")
    seeds = range(int(first), int(last or first) + 1)
    if not seeds:
        raise argparse.ArgumentTypeError(f"seeds are given as A-B, and {first} is larger than {last}")
    return seeds


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"at least one process, and not {text!r}")
    return int(text)


def _seeds(options: argparse.Namespace) -> Iterable[int]:
    if options.seeds is None:
        first = secrets.randbelow(LARGEST_FRESH_SEED)
        print(f"fresh seeds from {first}")
        return count(first)
    seeds: range = options.seeds
    return seeds


def _run(seeds: Iterable[int], options: argparse.Namespace) -> Iterator[Outcome]:
    """The outcomes, in the order of the seeds."""
    until = time.monotonic() + options.minutes * 60 if options.minutes is not None else float("inf")
    timely = _until(seeds, until)
    run = partial(_way_of_running(options), trace=options.trace)
    if options.jobs == 1 or options.trace:
        for seed in timely:
            outcome = run(seed)
            if options.trace and outcome.broken is None:
                print(f"seed {seed} broke no law; its last packets:", *outcome.last_packets, sep="\n    ")
            yield outcome
        return
    with get_context("spawn").Pool(options.jobs) as pool:
        batch = options.jobs * 16
        while chosen := list(islice(timely, batch)):
            yield from pool.imap(run, chosen, chunksize=2)


def _way_of_running(options: argparse.Namespace) -> Callable[..., Outcome]:
    return run_both_ways if options.both_ways else run_seed


def _until(seeds: Iterable[int], end: float) -> Iterator[int]:
    for seed in seeds:
        if time.monotonic() >= end:
            return
        yield seed


def _hunt_all(names: list[str], jobs: int) -> int:
    escaped = 0
    with get_context("spawn").Pool(jobs) as pool:
        for name, caught in zip(names, pool.imap(hunt, names), strict=True):
            if caught is None:
                escaped += 1
                print(f"{name:<44} ESCAPED")
            else:
                print(f"{name:<44} after {caught.seed:>3} seeds: {str(caught.broken).splitlines()[0][:140]}")
    print(f"{len(names) - escaped} of {len(names)} faults caught")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
