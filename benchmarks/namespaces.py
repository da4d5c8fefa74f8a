"""Two network namespaces, joined by a relay of IP packets alone: a network for TCP and UDP alike, with loss."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from benchmarks.model import Unavailable
from benchmarks.relay import Weather, between_namespaces, relaying

HOSTS = ("10.77.0.1", "10.77.0.2")
PREFIX = 30
NAMESPACES = Path("/var/run/netns")
_NAME = re.compile(r"aiosctp-benchmarks-(\d+)-(first|second)")


@contextlib.asynccontextmanager
async def joined(weather: Weather) -> AsyncIterator[tuple[str, str]]:
    """The names of two namespaces, whose hosts are `HOSTS`. Raises Unavailable where they are not permitted."""
    remove_left_behind()
    with _namespace("first") as first, _namespace("second") as second:
        async with relaying(weather, *between_namespaces(first, second)):
            for name, host in zip((first, second), HOSTS, strict=True):
                _ip("-n", name, "address", "add", f"{host}/{PREFIX}", "dev", "tun0")
                _ip("-n", name, "link", "set", "tun0", "up")
            yield first, second


def inside(namespace: str) -> list[str]:
    """What to put before a command line so that it runs in there."""
    return ["ip", "netns", "exec", namespace]


def remove_left_behind() -> None:
    """Remove the namespaces of runs that were killed and could not. Raises Unavailable."""
    for path in NAMESPACES.glob("aiosctp-benchmarks-*"):
        match = _NAME.fullmatch(path.name)
        if match and not Path("/proc", match[1]).exists():
            _ip("netns", "delete", path.name)


@contextlib.contextmanager
def _namespace(side: str) -> Iterator[str]:
    name = f"aiosctp-benchmarks-{os.getpid()}-{side}"
    _ip("netns", "add", name)
    try:
        yield name
    finally:
        _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    if shutil.which("ip") is None:
        raise Unavailable("there is no ip command (Debian: iproute2)")
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
