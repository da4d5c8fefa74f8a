"""The workloads, in the order they are listed and run."""

from __future__ import annotations

from benchmarks.model import Workload
from benchmarks.workloads import bulk, handshakes, messages, ping_pong

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        bulk.WORKLOAD,
        messages.WORKLOAD,
        ping_pong.WORKLOAD,
        handshakes.WORKLOAD,
    )
}
