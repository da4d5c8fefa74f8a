"""`python -m tests.fuzz TARGET [--minutes N] [--corpus DIR]`: run a target under atheris.

libFuzzer prints executions and edges (`cov`) as it goes and at the end; every half minute and at the end this adds how
many runs reached which state. A failing input is left in the corpus directory, and `python -m tests.fuzz TARGET
--replay FILE` runs it alone.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

from tests.fuzz import corpus

NAMES = ("decode", "engine", "operations")
REPORT_EVERY_S = 30.0
LEAST_MINUTES = 1 / 60


class Atheris(Protocol):
    """What is used of the atheris package, which is not there on every machine."""

    def instrument_imports(self, include: list[str], exclude: list[str]) -> AbstractContextManager[None]: ...
    def Setup(self, argv: Sequence[str], callback: Callable[[bytes], None]) -> object: ...
    def Fuzz(self) -> None: ...


class Tally:
    """How many runs there were, and what they reached."""

    def __init__(self, target: str, total_s: int) -> None:
        self.target = target
        self.executions = 0
        self.marks: Counter[str] = Counter()
        self.started_s = time.monotonic()
        self.report_at_s = self.started_s + REPORT_EVERY_S
        # libFuzzer ends the process without a word to Python, in the second after its time is over.
        self.end_s = self.started_s + total_s

    def count(self, marks: frozenset[str]) -> None:
        self.executions += 1
        self.marks.update(marks)
        if time.monotonic() >= min(self.report_at_s, self.end_s):
            self.report()

    def report(self) -> None:
        now_s = time.monotonic()
        self.report_at_s = now_s + REPORT_EVERY_S
        if now_s >= self.end_s:
            self.end_s = math.inf
        minutes = (now_s - self.started_s) / 60
        shares = ", ".join(f"{name} {count / max(1, self.executions):.1%}" for name, count in self.marks.most_common())
        print(
            f"{self.target}: {self.executions} executions in {minutes:.2f} minutes; {shares or 'no marks'}", flush=True
        )


def main() -> int:
    options = parser().parse_args()
    if options.replay is not None:
        from tests.fuzz.targets import TARGETS

        print(", ".join(sorted(TARGETS[options.target].run(options.replay.read_bytes()))))
        return 0
    try:
        atheris = cast(Atheris, importlib.import_module("atheris"))
    except ImportError:
        print("atheris is not installed: pip install -e '.[fuzz]'", file=sys.stderr)
        return 1
    _fuzz(atheris, options.target, options.corpus, options.minutes)
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Run a fuzz target under atheris.")
    made.add_argument("target", choices=NAMES)
    made.add_argument("--minutes", type=_minutes, default=1.0, help="how long (default: %(default)s)")
    made.add_argument("--corpus", type=Path, help="what was found before, and is added to (default: a new directory)")
    made.add_argument("--replay", type=Path, metavar="FILE", help="run this input alone, without atheris")
    return made


def _minutes(text: str) -> float:
    """libFuzzer counts in whole seconds, and takes none for no end."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not LEAST_MINUTES <= minutes < math.inf:
        raise argparse.ArgumentTypeError(f"at least a second, which is {LEAST_MINUTES:.3f}, and not {text}")
    return minutes


def _fuzz(atheris: Atheris, name: str, directory: Path | None, minutes: float) -> None:
    """Does not return: libFuzzer ends the process."""
    directory = directory or Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    corpus.unpack(name, directory)
    print(f"{name}: the corpus is in {directory}", flush=True)
    # What only checks is no behaviour to be explored.
    with atheris.instrument_imports(include=["aiosctp"], exclude=["aiosctp.core.tx.invariants"]):
        from tests.fuzz.targets import TARGETS
    total_s = round(minutes * 60)
    target, tally = TARGETS[name], Tally(name, total_s)

    def run(data: bytes) -> None:
        try:
            tally.count(target.run(data))
        except BaseException:
            tally.report()
            raise

    settings = [
        f"-max_total_time={total_s}",
        f"-max_len={target.max_bytes}",
        f"-artifact_prefix={directory}/",
        "-len_control=0",
        "-print_final_stats=1",
        "-timeout=30",
        "-rss_limit_mb=1024",
    ]
    atheris.Setup([sys.argv[0], *settings, str(directory)], run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
