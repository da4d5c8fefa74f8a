"""What a peer's process is told on its command line, as `name=value` words, and how it answers."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass, fields
from typing import Any

HOST = "127.0.0.1"
SCTP_PORT = 5001

# The same for every side.
RECEIVE_WINDOW_BYTES = 1024 * 1024
SEND_BUFFER_BYTES = 1024 * 1024
UDP_BUFFER_BYTES = 4 * 1024 * 1024

# A process that its runner has lost ends by itself.
_GRACE_S = 30

MESSAGES_PER_LOOK = 16
"""How many messages a receiver takes before it tells its meter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One sample's work. The sides are `receiver`, which listens, and `sender`, which connects to it.

    task: "bulk" (send as fast as it goes), "byte_streams" (the same by asyncio's readers and writers), "ping_pong" (the
    sender measures round trips), "handshakes" (the sender connects, `at_a_time`, as fast as it goes), "hold" (the
    sender opens `associations` and keeps them) or "requests" (the sender keeps `in_flight` messages under way, each of
    which the receiver answers with a few bytes).
    path_mtu: the IP packet with its headers; 0 is what the stack finds by itself.
    """

    side: str
    task: str
    udp_port: int
    remote_udp_port: int
    warm_up_s: float = 0.5
    seconds: float = 2.0
    message_bytes: int = 64
    streams: int = 1
    unordered: int = 0
    path_mtu: int = 1500
    at_a_time: int = 1
    associations: int = 1
    in_flight: int = 1

    def words(self) -> list[str]:
        return [f"{field.name}={getattr(self, field.name)}" for field in fields(self)]

    @classmethod
    def from_words(cls, words: list[str]) -> Job:
        kinds = {"str": str, "int": int, "float": float}
        values = dict(word.split("=", 1) for word in words)
        return cls(**{field.name: kinds[str(field.type)](values[field.name]) for field in fields(cls)})


def read_job(words: list[str]) -> Job:
    """The job of this process, whose life is bounded from here on."""
    job = Job.from_words(words)
    signal.alarm(int(job.warm_up_s + job.seconds) + _GRACE_S)
    return job


def tell(event: str, **fields: Any) -> None:
    """Tell the runner."""
    # Not through sys.stdout, whose buffer would keep it.
    os.write(1, json.dumps({"event": event, **fields}).encode() + b"\n")


class Meter:
    """Counts what arrives: from `warm_up_s` after the first message on, for `seconds`, and then tells the result."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._bytes = self._messages = 0
        self._warm_at = 0.0
        self._begun: float | None = None
        self._cpu_s = 0.0
        self._is_told = False

    def add(self, messages: int, size: int) -> None:
        """So many messages, of so many bytes in all, have been received since the last call.

        To be called for some messages at a time: the clock costs as much as a twentieth of a small one.
        """
        self._messages += messages
        self._bytes += size
        now = time.monotonic()
        if not self._warm_at:
            self._warm_at = now + self._job.warm_up_s
            tell("first")
        elif self._begun is None:
            if now >= self._warm_at:
                self._begun = now
                self._bytes = self._messages = 0
                self._cpu_s = time.process_time()
                tell("begun")
        elif now >= self._begun + self._job.seconds and not self._is_told:
            self._tell(now - self._begun)

    def _tell(self, seconds: float) -> None:
        self._is_told = True
        tell(
            "result",
            seconds=seconds,
            messages=self._messages,
            bytes=self._bytes,
            cpu=(time.process_time() - self._cpu_s) / seconds,
        )


class RoundTrips:
    """Round-trip times, for `seconds` after `warm_up_s`. The clock is `time.perf_counter`, in its nanoseconds."""

    def __init__(self, job: Job) -> None:
        self._begins = time.perf_counter() + job.warm_up_s
        self._ends = self._begins + job.seconds
        self._times: list[float] = []
        self._cpu_s = 0.0
        self.is_over = False

    def add(self, begin: float, end: float) -> None:
        """One round trip."""
        if begin < self._begins:
            return
        if not self._times:
            self._cpu_s = time.process_time()
            tell("begun")
        self._times.append(end - begin)
        self.is_over = end >= self._ends

    def tell(self) -> None:
        """Tell the percentiles."""
        seconds = sum(self._times)
        cpu = (time.process_time() - self._cpu_s) / seconds
        ordered = sorted(self._times)
        percentiles = {f"p{percent}_us": percentile_us(ordered, percent) for percent in (50, 99)}
        tell("result", seconds=seconds, cpu=cpu, messages=len(ordered), **percentiles)


def percentile_us(ordered: list[float], percent: int) -> float:
    """Of seconds in their order; 0 when there are none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] * 1e6
