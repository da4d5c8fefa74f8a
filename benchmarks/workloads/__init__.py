"""The workloads, in the order they are listed and run."""

from __future__ import annotations

from benchmarks.model import Workload
from benchmarks.workloads import (
    bulk,
    byte_streams,
    growth,
    handshakes,
    head_of_line,
    lossy,
    memory,
    messages,
    ping_pong,
)

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        bulk.WORKLOAD,
        byte_streams.WORKLOAD,
        messages.WORKLOAD,
        ping_pong.WORKLOAD,
        handshakes.WORKLOAD,
        memory.WORKLOAD,
        lossy.WORKLOAD,
        head_of_line.WORKLOAD,
        growth.WORKLOAD,
    )
}
