"""What the control plane's coroutine awaits: the inputs of an association's life, as values."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiosctp.core.timers import Timer
from aiosctp.wire.chunks import Chunk

if TYPE_CHECKING:
    from aiosctp.core.paths import Path


@dataclass(frozen=True, slots=True)
class ChunkArrived:
    """A control chunk that the dispatch table lets through in the present state."""

    chunk: Chunk
    path: Path
    now: float


@dataclass(frozen=True, slots=True)
class PacketArrived:
    """A packet of the peer's, all of its chunks taken; told in SHUTDOWN-SENT only (§9.2)."""

    path: Path
    has_data: bool
    now: float


@dataclass(frozen=True, slots=True)
class TimerExpired:
    timer: Timer
    now: float


@dataclass(frozen=True, slots=True)
class ShutdownRequested:
    """The SHUTDOWN primitive (§11.1.3)."""

    now: float


@dataclass(frozen=True, slots=True)
class DataDrained:
    """Everything outstanding has been acknowledged."""

    now: float


Input = ChunkArrived | PacketArrived | TimerExpired | ShutdownRequested | DataDrained


class Inbox:
    """`await inbox` is the next input. Nothing else is ever awaited."""

    __slots__ = ()

    def __await__(self) -> Generator[None, Input, Input]:
        return (yield)
