"""usrsctp's side of a job: usrsctp.c, compiled once a run."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.c_programs import compiled

SOURCE = Path(__file__).with_suffix(".c")


def program() -> Sequence[str | Path]:
    """The compiled program. Raises Unavailable."""
    return [compiled(SOURCE, "usrsctp", "pthread", header="usrsctp.h (Debian: libusrsctp-dev)")]


def version() -> str:
    """The version of the library. Raises Unavailable."""
    program()
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", "libusrsctp-dev"], capture_output=True, text=True, check=False
    )
    return f"usrsctp {asked.stdout.strip() or 'of unknown version'}"
