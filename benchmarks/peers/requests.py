"""The sender's measure of the task "requests": how many were answered, and how long each took."""

from __future__ import annotations

import time
from collections import deque

from benchmarks.peers.job import Job, percentile_us, tell

ANSWER_BYTES = 64


class Requests:
    """Those under way, in the order in which they were sent and are answered. It counts the answers that come in the
    `seconds` after `warm_up_s`."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._begins = time.perf_counter() + job.warm_up_s
        self._ends = self._begins + job.seconds
        self._sent: deque[float] = deque()
        self._times: list[float] = []
        self.is_over = False

    def sent(self) -> None:
        """The program is about to send one."""
        self._sent.append(time.perf_counter())

    def answered(self) -> None:
        """The earliest of those under way has its answer."""
        now, begin = time.perf_counter(), self._sent.popleft()
        if now >= self._ends:
            self.is_over = True
        elif now >= self._begins:
            self._times.append(now - begin)

    def tell(self) -> None:
        ordered = sorted(self._times)
        tell(
            "result",
            seconds=self._job.seconds,
            messages=len(ordered),
            bytes=len(ordered) * self._job.message_bytes,
            p50_us=percentile_us(ordered, 50),
            p99_us=percentile_us(ordered, 99),
        )
