"""For single requirements of the RFC: the change that disobeys. `breaks.toml`, a row each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.conformance.requirements import RFCS, Requirement, load_requirements

TABLE_PATH = Path(__file__).with_name("breaks.toml")


@dataclass(frozen=True)
class Break:
    """`old` is in the file exactly once; with `new` in its place the requirement is not met any more."""

    requirement: str
    """RFC and row: "rfc9260 5.1-3"."""
    path: Path
    old: str
    new: str

    def applied_to(self, source: str) -> str:
        if source.count(self.old) != 1:
            raise ValueError(f"breaks.toml, {self.requirement}: {self.old!r} is not in {self.path} exactly once")
        return source.replace(self.old, self.new)


def read_breaks() -> dict[str, Break]:
    """By requirement."""
    rows = tomllib.loads(TABLE_PATH.read_text()).get("break", [])
    found = [Break(row["requirement"], Path(row["path"]), row["old"], row["new"]) for row in rows]
    return {each.requirement: each for each in found}


def proved() -> dict[str, Requirement]:
    """Every requirement that tests prove, by its name here."""
    rows = ((rfc, row) for rfc in RFCS for row in load_requirements(rfc))
    return {f"{rfc} {row.id}": row for rfc, row in rows if row.proof == "proved"}


def draw_requirements(seed: int, count: int) -> list[str]:
    """So many of what tests prove."""
    return Random(f"requirements/{seed}").sample(sorted(proved()), count)
