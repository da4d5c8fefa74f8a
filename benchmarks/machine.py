"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.model import Unavailable
from benchmarks.peers import PEERS
from benchmarks.processes import cores


def describe() -> dict[str, Any]:
    """Machine, system, interpreter, and the peers with their versions or why they are missing."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
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
