"""What a benchmark is made of: workloads, their cases, the figures of a sample, and the bars to pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Figures = dict[str, float]
"""What one sample measured, by the name of the figure, its unit in the name."""


class Unavailable(Exception):
    """A peer that is not installed, or something that this machine does not permit: told, and the run goes on."""


class SampleFailed(Exception):
    """A sample that came to nothing, with what its processes said."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as it is shown: divided by `scale`, in `unit`."""

    name: str
    unit: str
    scale: float = 1.0
    less_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured, for several peers in turn: A B C, A B C, ...

    name: unique in its workload. rounds: how often, where the run's `--rounds` is not what decides. is_by_pattern: each
    round is a pattern of losses, of which the run's `--patterns` may want fewer or more.
    """

    name: str
    peers: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rounds: int | None = None
    is_by_pattern: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A peer's turn in a round. number: the round's, from 0; it seeds what is random. seconds: how long to measure."""

    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Names one figure of one peer in one case."""

    workload: str
    case: str
    peer: str
    figure: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio of two readings of one run, or with `theirs` None one reading, and what it should reach at least.

    `less_is_better` turns it round: at most. scale: what one unit of a reading without `theirs` is divided by.
    """

    text: str
    ours: Reading
    theirs: Reading | None
    bar: float
    beyond: float
    less_is_better: bool = False
    unit: str = "x"
    scale: float = 1.0


class Workload(Protocol):
    """One of the things measured. A module of `benchmarks.workloads` each; that package lists them."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...

    @property
    def figures(self) -> Sequence[Figure]:
        """Those that are shown; a sample may hold more, which only the JSON has."""

    @property
    def bars(self) -> Sequence[Bar]: ...

    def cases(self) -> Sequence[Case]: ...

    async def measure(self, case: Case, peer: str, turn: Turn) -> Figures:
        """Take one sample. Raises Unavailable or SampleFailed; leaves no process behind, also when cancelled."""
