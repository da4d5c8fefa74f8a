"""One broken engine put to the proof: a copy of the tree, the change, and the tests until one fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

# A change that makes something run for ever is caught by the clock.
LIMIT_S = 600.0
_COPIED = ("aiosctp", "tests", "examples", "conftest.py", "pyproject.toml", "README.md", "LICENSE", ".ci")

Command = Sequence[str]


@dataclass(frozen=True)
class Verdict:
    """What caught it: a stage's name and the first test that failed; None and "" when nothing did."""

    caught_by: str | None
    detail: str
    seconds: float


@dataclass(frozen=True)
class Stage:
    name: str
    command: Command


def pytest_stage(name: str, targets: Iterable[str]) -> Stage:
    options = ("-q", "-x", "--tb=no", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", "--timeout", "60")
    return Stage(name, (sys.executable, "-m", "pytest", *options, *targets))


def simulator_stage(last_seed: int) -> Stage:
    command = ("-m", "tests.simulation", "--seeds", f"1-{last_seed}", "--jobs", "1")
    return Stage(f"simulator, seeds 1-{last_seed}", (sys.executable, *command))


def all_stages() -> list[Stage]:
    """The proof but for what needs a peer or the command; the cheapest first."""
    core = pytest_stage("tests of the core", ("tests/core", "tests/wire"))
    rest = pytest_stage("other tests", ("tests/surface", "tests/testing", "tests/fuzz"))
    return [simulator_stage(20), core, simulator_stage(200), rest]


def stages_for(root: Path, path: Path) -> list[Stage]:
    """Before all others the tests that mirror the file: they are the nearest to what was broken."""
    mirrored = _mirrored(root, path)
    nearest = [pytest_stage("mirrored tests", mirrored)] if mirrored else []
    return [*nearest, *all_stages()]


def _mirrored(root: Path, path: Path) -> list[str]:
    """aiosctp/core/tx/gaps.py: tests/core/tx/test_gaps.py, else the tests of its folder."""
    folder = Path("tests") / path.parent.relative_to("aiosctp")
    own = [str(each.relative_to(root)) for each in sorted((root / folder).glob(f"test_{path.stem}*.py"))]
    if not own and folder != Path("tests/core") and (root / folder).is_dir():
        return [str(folder)]
    return own


class Laboratory:
    """A copy of the tree in which one file at a time is changed."""

    def __init__(self, root: Path, copy: Path) -> None:
        self.root = root
        self.copy = copy
        for name in _COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
            elif source.exists():
                shutil.copy(source, copy / name)

    def try_out(self, path: Path, code: str, stages: Iterable[Stage]) -> Verdict:
        """Run the stages on the changed file until one fails."""
        started = time.monotonic()
        (self.copy / path).write_text(code)
        try:
            for stage in stages:
                failure = self._run(stage)
                if failure is not None:
                    return Verdict(stage.name, failure, time.monotonic() - started)
            return Verdict(None, "", time.monotonic() - started)
        finally:
            shutil.copy(self.root / path, self.copy / path)

    def unbroken(self, stages: Iterable[Stage]) -> str | None:
        """What fails although nothing is broken: then no verdict would be worth anything."""
        return next((failure for stage in stages if (failure := self._run(stage)) is not None), None)

    def _run(self, stage: Stage) -> str | None:
        """The line that names the failure; None when all went well."""
        environment = {**os.environ, "PYTHONPATH": str(self.copy), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                stage.command,
                cwd=self.copy,
                env=environment,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"not finished after {LIMIT_S:.0f} s"
        return None if done.returncode == 0 else _first_failure(done.stdout + done.stderr)


def _first_failure(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(("FAILED", "ERROR", "seed ", "Failed seed"))]
    return (named[:1] or lines[-1:] or ["no output"])[0][:160]


@contextmanager
def laboratory(root: Path) -> Iterator[Laboratory]:
    with TemporaryDirectory(prefix="aiosctp-mutation-") as folder:
        yield Laboratory(root, Path(folder))
