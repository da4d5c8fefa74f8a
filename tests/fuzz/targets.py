"""The fuzz targets by name. Each is a function of bytes that raises when the invariant its module names is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from tests.fuzz.decode import decode
from tests.fuzz.engine import engine
from tests.fuzz.operations import operations


class Target(NamedTuple):
    run: Callable[[bytes], frozenset[str]]
    """Returns what the run reached, which is counted and printed."""
    max_bytes: int


TARGETS: Final = {
    "decode": Target(decode, 2048),
    "engine": Target(engine, 256),
    "operations": Target(operations, 160),
}
