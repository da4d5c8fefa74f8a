"""A progress bar that is silent while a sample is taken: drawing it would take from the cores that are measured."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from benchmarks.runner import Sample, Step

try:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress
except ImportError:
    _HAS_RICH = False
else:
    _HAS_RICH = True


class Progress:
    """On standard error: a bar where rich is installed and there is a terminal, else a line for each sample."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._bar: RichProgress | None = None

    def __enter__(self) -> Self:
        if _HAS_RICH and sys.stderr.isatty():
            from rich.console import Console

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = RichProgress(*columns, auto_refresh=False, console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def before(self, step: Step) -> None:
        """A sample is about to be taken."""
        if self._bar is not None:
            description = f"{step.workload.name}: {step.case.name}, {step.peer}"
            self._bar.update(self._task, description=description, refresh=True)

    def after(self, sample: Sample) -> None:
        """It has been taken."""
        self._done += 1
        if self._bar is not None:
            self._bar.update(self._task, advance=1, refresh=True)
        else:
            outcome = sample.reason.splitlines()[-1] if sample.reason else "measured"
            where = f"{sample.workload}: {sample.case}, {sample.peer}, round {sample.round + 1}"
            print(f"{self._done}/{self._total} {where}: {outcome}", file=sys.stderr)
