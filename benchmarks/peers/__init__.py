"""The stacks that are measured. Each is a program that takes a job (job.py) and is one side of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.model import Unavailable
from benchmarks.peers import usrsctp
from benchmarks.peers.job import Job


@dataclass(frozen=True, slots=True)
class Peer:
    """One stack, on one event loop.

    version: its version, or raises Unavailable. program: what runs it, before the words of its job; may take a while
    the first time, and may raise Unavailable too.
    """

    name: str
    summary: str
    version: Callable[[], str]
    program: Callable[[], Sequence[str | Path]]

    def command(self, job: Job) -> list[str | Path]:
        return [*self.program(), *job.words()]


def _distributions(*names: str) -> Callable[[], str]:
    def version() -> str:
        try:
            return ", ".join(f"{name} {metadata.version(name)}" for name in names)
        except metadata.PackageNotFoundError as error:
            raise Unavailable(f"the package {error.name} is not installed") from None

    return version


def _aiosctp(*others: str) -> Callable[[], str]:
    def version() -> str:
        import aiosctp

        return ", ".join(filter(None, [f"aiosctp {aiosctp.__version__}", _distributions("crc32c", *others)()]))

    return version


def _python() -> str:
    return f"Python {sys.version.split()[0]}"


def _linux() -> str:
    if sys.platform != "linux":
        raise Unavailable("GSO and GRO are Linux's")
    return _python()


def _module(name: str, *arguments: str) -> Callable[[], Sequence[str | Path]]:
    return lambda: [sys.executable, "-m", f"benchmarks.peers.{name}", *arguments]


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("aiosctp", "ours, on asyncio's own loop", _aiosctp(), _module("ours", "asyncio", "i-data")),
        Peer("aiosctp-uvloop", "ours, on uvloop", _aiosctp("uvloop"), _module("ours", "uvloop", "i-data")),
        Peer(
            "aiosctp-uvloop-data",
            "the same without I-DATA (RFC 8260)",
            _aiosctp("uvloop"),
            _module("ours", "uvloop", "data"),
        ),
        Peer("usrsctp", "the C stack, by a C program of our own", usrsctp.version, usrsctp.program),
        Peer(
            "aiortc",
            "aiortc's SCTP without DTLS, on uvloop",
            _distributions("aiortc", "google-crc32c", "uvloop"),
            _module("aiortc", "uvloop"),
        ),
        Peer("tcp", "TCP by asyncio's streams, on asyncio's own loop", _python, _module("tcp", "asyncio")),
        Peer("tcp-uvloop", "the same on uvloop", _distributions("uvloop"), _module("tcp", "uvloop")),
        Peer("udp", "bare UDP, one datagram a system call", _python, _module("udp", "plain")),
        Peer("udp-gso", "bare UDP with GSO and GRO", _linux, _module("udp", "gso")),
        Peer(
            "udp-echo",
            "a bare UDP echo that awaits a plain future, on asyncio's own loop",
            _python,
            _module("udp_echo", "asyncio", "future"),
        ),
        Peer(
            "udp-echo-uvloop",
            "the same on uvloop",
            _distributions("uvloop"),
            _module("udp_echo", "uvloop", "future"),
        ),
        Peer(
            "udp-callback",
            "a bare UDP echo from within datagram_received, on asyncio's own loop",
            _python,
            _module("udp_echo", "asyncio", "callback"),
        ),
        Peer(
            "udp-callback-uvloop",
            "the same on uvloop",
            _distributions("uvloop"),
            _module("udp_echo", "uvloop", "callback"),
        ),
    )
}


def peer(name: str) -> Peer:
    """The peer of this name. Raises Unavailable when it is not installed."""
    found = PEERS[name]
    found.version()
    return found
