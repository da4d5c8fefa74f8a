"""The table of survivors stays true: each is of a file of the engine, and says why nothing catches it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.mutation.survivors import TABLE_PATH

ROOT = Path(__file__).resolve().parents[2]


def test_every_survivor_names_a_file_of_the_engine_and_says_why() -> None:
    rows = tomllib.loads(TABLE_PATH.read_text())["survivor"]
    assert [row for row in rows if row.keys() != {"path", "becomes", "why"} or not row["why"]] == []
    assert {row["path"] for row in rows if not (ROOT / row["path"]).is_file()} == set()
