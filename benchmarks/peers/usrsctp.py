"""usrsctp's side of a job: usrsctp.c, compiled once a run."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.model import Unavailable

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")


@functools.cache
def _directory() -> Path:
    directory = tempfile.mkdtemp(prefix="aiosctp-benchmarks-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    # The program runs as nobody when we are root.
    os.chmod(directory, 0o755)
    return Path(directory)


@functools.cache
def _compile() -> Path | str:
    """The program, or why there is none."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "there is no C compiler (cc)"
    program = _directory() / "usrsctp"
    built = subprocess.run(
        [compiler, *FLAGS, "-o", program, SOURCE, "-lusrsctp", "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode == 0:
        return program
    if "usrsctp.h" in built.stderr:
        return "usrsctp.h is missing (Debian: libusrsctp-dev)"
    return f"it does not compile: {built.stderr.strip()}"


def program() -> Sequence[str | Path]:
    """The compiled program. Raises Unavailable."""
    built = _compile()
    if isinstance(built, str):
        raise Unavailable(built)
    return [built]


def version() -> str:
    """The version of the library. Raises Unavailable."""
    program()
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", "libusrsctp-dev"], capture_output=True, text=True, check=False
    )
    return f"usrsctp {asked.stdout.strip() or 'of unknown version'}"
