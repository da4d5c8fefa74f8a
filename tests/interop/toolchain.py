"""What the interoperability tests need of the machine, and what happens where it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

PEER_SOURCES = Path(__file__).parent / "peer"
REQUIRE_VARIABLE = "AIOSCTP_REQUIRE_INTEROP"


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where the environment promises that everything is installed."""
    if os.environ.get(REQUIRE_VARIABLE):
        pytest.fail(f"{REQUIRE_VARIABLE} is set, but {reason}", pytrace=False)
    pytest.skip(reason)


def compile_peer(directory: Path) -> Path:
    """Compile the usrsctp peer into a directory and return the program."""
    compiler = shutil.which("cc")
    if compiler is None:
        unavailable("there is no C compiler (cc)")
    flags = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    probe = subprocess.run(
        [compiler, "-fsyntax-only", "-x", "c", "-"],
        input=b"#include <usrsctp.h>\n",
        capture_output=True,
        check=False,
    )
    if probe.returncode != 0:
        unavailable("usrsctp.h is missing (Debian: libusrsctp-dev)")
    program = directory / "usrsctp_peer"
    sources = [str(source) for source in sorted(PEER_SOURCES.glob("*.c"))]
    built = subprocess.run(
        [*flags, "-o", str(program), *sources, "-lusrsctp", "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode != 0:
        pytest.fail(f"the usrsctp peer does not compile:\n{built.stderr}", pytrace=False)
    return program
