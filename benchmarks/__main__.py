"""The command: `python -m benchmarks list`, `run`, `table`; README.md has the rest."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import guard, machine, plots, report
from benchmarks.model import Bar, Case, Reading, Unavailable, Workload
from benchmarks.peers import PEERS
from benchmarks.progress import Progress
from benchmarks.results import Results
from benchmarks.runner import Sample, Step, plan, run
from benchmarks.workloads import WORKLOADS, lossy

MISUSED = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # who read the output has seen enough
        sys.stderr.close()
        return INTERRUPTED
    except Unavailable as error:
        print(error, file=sys.stderr)
        return MISUSED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="workloads, their cases, and the peers with their versions")
    listing.set_defaults(run=_list)

    running = commands.add_parser("run", help="measure, and show every case with our ratio to each peer")
    running.add_argument("names", nargs="*", choices=[*WORKLOADS, []], metavar="NAME", help="workloads; default: all")
    running.add_argument("--case", default="", metavar="TEXT", help="only cases whose name contains this")
    running.add_argument("--peers", type=_peers, metavar="A,B", help="only these peers; default: all")
    running.set_defaults(run=_run)

    table = commands.add_parser("table", help="measure what the bars are about, and show them with what was reached")
    table.set_defaults(run=_table)

    guard.add_parser(commands)

    for command in (running, table):
        command.add_argument("--rounds", type=int, default=5, metavar="N", help="samples of each peer in each case")
        command.add_argument(
            "--patterns", type=int, metavar="N", help="of losses, instead of ten (lossy, head-of-line)"
        )
        command.add_argument("--seconds", type=float, default=2.0, metavar="S", help="length of a sample")
        command.add_argument("--json", type=Path, metavar="FILE", help="write everything there, each sample raw")
        command.add_argument("--plot", type=Path, metavar="DIR", help="draw PNGs there (extra bench)")
    return parser


def _peers(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PEERS)}")
    return names


def _list(arguments: argparse.Namespace) -> int:
    print("\n".join(report.heading(machine.describe())) + "\n")
    for peer in PEERS.values():
        print(f"  {peer.name:20} {peer.summary}")
    for workload in WORKLOADS.values():
        print(f"\n{workload.name}: {workload.summary}")
        for case in workload.cases():
            print(f"  {case.name}: {', '.join(case.peers)}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    workloads = [WORKLOADS[name] for name in arguments.names or WORKLOADS]

    def wanted(workload: Workload, case: Case, peer: str) -> bool:
        return arguments.case in case.name and (arguments.peers is None or peer in arguments.peers)

    steps = plan(workloads, wanted=wanted, **_extent(arguments))
    if not steps:
        print("nothing to measure: no such case has such a peer", file=sys.stderr)
        return MISUSED
    results = _measure(steps, arguments)
    for workload in workloads:
        print("\n".join(report.workload_table(results, workload)))
    _print_lines(report.relay_line(results))
    return 0


def _table(arguments: argparse.Namespace) -> int:
    bars = _all_bars()
    read = {(side.workload, side.case, side.peer) for bar in bars for side in _sides(bar)}
    read.add((lossy.ALONE.workload, lossy.ALONE.case, lossy.ALONE.peer))

    def wanted(workload: Workload, case: Case, peer: str) -> bool:
        return (workload.name, case.name, peer) in read

    steps = plan(WORKLOADS.values(), wanted=wanted, **_extent(arguments))
    results = _measure(steps, arguments)
    for workload in WORKLOADS.values():
        print("\n".join(report.workload_table(results, workload)))
    _print_lines(report.relay_line(results))
    print("\n".join(report.bars_table(results, bars)))
    return 0


def _extent(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"rounds": arguments.rounds, "seconds": arguments.seconds, "patterns": arguments.patterns}


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)


def _all_bars() -> list[Bar]:
    return [bar for workload in WORKLOADS.values() for bar in workload.bars]


def _sides(bar: Bar) -> list[Reading]:
    return [side for side in (bar.ours, bar.theirs) if side is not None]


async def _samples(steps: Sequence[Step], progress: Progress) -> list[Sample]:
    """Ended by SIGTERM it is cancelled, as by SIGINT: so that it ends its processes and removes its namespaces."""
    taking = asyncio.create_task(run(steps, progress.before, progress.after))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, taking.cancel)
    return await taking


def _measure(steps: Sequence[Step], arguments: argparse.Namespace) -> Results:
    if arguments.plot:
        plots.require()
    described = machine.describe()
    print("\n".join(report.heading(described)) + "\n", flush=True)
    neighbours = machine.Neighbours()
    with Progress(len(steps)) as progress:
        results = Results(asyncio.run(_samples(steps, progress)))
    described["cores_used"] = neighbours.cores_used()
    print("\n".join(report.neighbours(described)) + "\n")
    if arguments.json:
        document = {"machine": described, "command": sys.argv[1:], "samples": [asdict(s) for s in results.samples]}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if arguments.plot:
        caption = f"{described['date']}, {described['cpu']}, {described['system']}, {described['interpreter']}"
        for path in plots.draw(results, WORKLOADS.values(), caption, arguments.plot):
            print(f"drawn: {path}", file=sys.stderr)
    return results


if __name__ == "__main__":
    sys.exit(main())
