"""C programs of ours, compiled once a run."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.model import Unavailable

FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")


def compiled(source: Path, *libraries: str, header: str = "") -> Path:
    """The program. header: what may be missing of the system, and where it comes from. Raises Unavailable."""
    built = _compile(source, *libraries)
    if isinstance(built, Path):
        return built
    if header and header.split()[0] in built:
        raise Unavailable(f"{header} is missing")
    raise Unavailable(built)


@functools.cache
def _directory() -> Path:
    directory = tempfile.mkdtemp(prefix="aiosctp-benchmarks-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    # One that runs as nobody when we are root is in there too.
    os.chmod(directory, 0o755)
    return Path(directory)


@functools.cache
def _compile(source: Path, *libraries: str) -> Path | str:
    """The program, or why there is none."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "there is no C compiler (cc)"
    program = _directory() / source.stem
    built = subprocess.run(
        [compiler, *FLAGS, "-o", program, source, *(f"-l{library}" for library in libraries)],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode == 0:
        return program
    return f"{source.name} does not compile: {built.stderr.strip()}"
