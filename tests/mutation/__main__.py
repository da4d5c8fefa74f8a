"""python -m tests.mutation --seed S --count N [--jobs N] | --requirements [--seed S --count N]"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tests.mutation.breaks import draw_requirements, proved, read_breaks
from tests.mutation.survivors import reason_for
from tests.mutation.trial import Laboratory, Verdict, all_stages, laboratory, pytest_stage, stages_for

if TYPE_CHECKING:
    from tests.mutation.mutants import Mutant

ROOT = Path(__file__).resolve().parents[2]

Free = SimpleQueue[Laboratory]


def main() -> int:
    arguments = _parse()
    if not arguments.requirements and importlib.util.find_spec("cosmic_ray") is None:
        print("cosmic-ray is not installed: pip install -e '.[mutation]'", file=sys.stderr)
        return 1
    run = _run_requirements if arguments.requirements else _run_mutants
    with ExitStack() as stack:
        free: Free = SimpleQueue()
        for _ in range(arguments.jobs):
            free.put(stack.enter_context(laboratory(ROOT)))
        pool = stack.enter_context(ThreadPoolExecutor(arguments.jobs))
        return run(pool, free, arguments.seed, arguments.count)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="how many broken engines are caught")
    parser.add_argument("--requirements", action="store_true", help="break lines that obey single requirements instead")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn (1)")
    parser.add_argument("--count", type=int, default=None, help="how many (100 mutants, 30 requirements)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (one a core)")
    arguments = parser.parse_args()
    if arguments.count is None:
        arguments.count = 30 if arguments.requirements else 100
    return arguments


def _run_mutants(pool: ThreadPoolExecutor, free: Free, seed: int, count: int) -> int:
    """Draw mutants, try them, print each with what caught it. 0 when at least 85 % were caught."""
    from tests.mutation.mutants import draw  # needs Cosmic Ray, which is not everywhere

    def try_mutant(mutant: Mutant) -> Verdict:
        laboratory = free.get()
        try:
            source = (ROOT / mutant.path).read_text()
            return laboratory.try_out(mutant.path, mutant.code(source), stages_for(ROOT, mutant.path))
        finally:
            free.put(laboratory)

    print("first the unbroken engine: some minutes", flush=True)
    laboratory = free.get()
    failure = laboratory.unbroken(all_stages())
    free.put(laboratory)
    if failure is not None:
        print(f"the unbroken engine fails: {failure}")
        return 2
    mutants = draw(ROOT, seed, count)
    print(f"seed {seed}: {len(mutants)} mutants of core/")
    caught: Counter[str] = Counter()
    for number, (mutant, verdict) in enumerate(zip(mutants, pool.map(try_mutant, mutants), strict=True), 1):
        caught[verdict.caught_by or "survived"] += 1
        print(
            "\n".join([f"\n{number}. {mutant.path}:{mutant.line} {mutant.operator}", *_explain(mutant, verdict)]),
            flush=True,
        )
    killed = len(mutants) - caught["survived"]
    print(f"\n{killed} of {len(mutants)} caught: {dict(caught.most_common())}")
    return 0 if killed >= 0.85 * len(mutants) else 1


def _explain(mutant: Mutant, verdict: Verdict) -> list[str]:
    changes = mutant.changed_lines((ROOT / mutant.path).read_text())
    if verdict.caught_by:
        outcome = f"caught by {verdict.caught_by}: {verdict.detail}"
    else:
        outcome = f"SURVIVED: {reason_for(mutant.path, changes) or 'not explained in survivors.toml'}"
    return [*changes, f"   {outcome} ({verdict.seconds:.0f} s)"]


def _run_requirements(pool: ThreadPoolExecutor, free: Free, seed: int, count: int) -> int:
    """Break the lines that obey drawn requirements; the tests named for each must fail. 0 when all did."""
    rows, breaks = proved(), read_breaks()

    def try_break(requirement: str) -> Verdict:
        each = breaks.get(requirement)
        if each is None:
            return Verdict(None, "", 0.0)
        laboratory = free.get()
        try:
            code = each.applied_to((ROOT / each.path).read_text())
            named = [pytest_stage("named tests", rows[requirement].tests)]
            failure = laboratory.unbroken(named)
            if failure is not None:
                return Verdict(None, f"fails unbroken too: {failure}", 0.0)
            return laboratory.try_out(each.path, code, named)
        finally:
            free.put(laboratory)

    drawn = draw_requirements(seed, count)
    print(f"seed {seed}: {len(drawn)} of {len(rows)} requirements that tests prove")
    caught = 0
    for requirement, verdict in zip(drawn, pool.map(try_break, drawn), strict=True):
        caught += verdict.caught_by is not None
        missed = "SURVIVED" if requirement in breaks else "no break in breaks.toml"
        print(f"{requirement:18} {rows[requirement].says}\n{'':18} {verdict.detail or missed}", flush=True)
    print(f"{caught} of {len(drawn)} caught")
    return 0 if caught == len(drawn) else 1


if __name__ == "__main__":
    sys.exit(main())
