"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.model import Unavailable
from benchmarks.peers import PEERS
from benchmarks.processes import REPOSITORY, cores


def describe() -> dict[str, Any]:
    """Machine, system, interpreter, and the peers with their versions or why they are missing."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "pinned": _pinned(),
        "system": f"{platform.system()} {platform.release()}",
        "interpreter": f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})",
        "rmem_max": _read("/proc/sys/net/core/rmem_max"),
        "wmem_max": _read("/proc/sys/net/core/wmem_max"),
        "load": list(os.getloadavg()),
        "peers": {name: _version(name) for name in PEERS},
    }


class Neighbours:
    """What other programs take of the machine while we measure: every figure is worth as much as this is small."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._busy_s, self._stolen_s = _cpu_seconds()
        self._own_s = _own_seconds()

    def cores_used(self) -> dict[str, float]:
        """Since this was made: cores that others used on average, and that the hypervisor gave to other machines."""
        busy_s, stolen_s = _cpu_seconds()
        took_s = time.monotonic() - self._at
        others_s = busy_s - self._busy_s - (_own_seconds() - self._own_s)
        return {"others": max(others_s, 0.0) / took_s, "stolen": (stolen_s - self._stolen_s) / took_s}


def _cpu_seconds() -> tuple[float, float]:
    """Busy and stolen CPU seconds of all cores since the system started (proc(5), /proc/stat); 0 off Linux."""
    line = _read("/proc/stat").partition("\n")[0].split()
    if not line:
        return 0.0, 0.0
    user, nice, system, _, _, irq, soft_irq, stolen = (int(word) / os.sysconf("SC_CLK_TCK") for word in line[1:9])
    return user + nice + system + irq + soft_irq, stolen


def _own_seconds() -> float:
    """Ours, and those of the processes that we started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _commit() -> str:
    """What is measured, where it is a git checkout."""
    with suppress(OSError):
        described = ["git", "describe", "--always", "--dirty"]
        return subprocess.run(described, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip()
    return ""


def _cpu_model() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _pinned() -> str:
    usable = cores()
    if len(usable) < 2:
        return "not pinned: one core, or no affinity on this system"
    return f"sender on core {usable[0]}, receiver on core {usable[1]}"


def _read(path: str) -> str:
    if sys.platform == "linux":
        with suppress(OSError):
            return Path(path).read_text().strip()
    return ""


def _version(name: str) -> str:
    try:
        return PEERS[name].version()
    except Unavailable as error:
        return f"not available: {str(error).splitlines()[0]}"
