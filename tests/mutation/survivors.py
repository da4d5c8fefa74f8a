"""The mutants that nothing catches, each with why: `survivors.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

TABLE_PATH = Path(__file__).with_name("survivors.toml")


@cache
def _reasons() -> dict[tuple[str, str], str]:
    rows = tomllib.loads(TABLE_PATH.read_text())["survivor"]
    return {(row["path"], _squeezed(row["becomes"])): row["why"] for row in rows}


def _squeezed(code: str) -> str:
    return "".join(code.split())


def reason_for(path: Path, changed_lines: list[str]) -> str | None:
    """Why nothing catches it, if somebody has found out."""
    becomes = "".join(line[1:] for line in changed_lines if line.startswith("+"))
    return _reasons().get((path.as_posix(), _squeezed(becomes)))
