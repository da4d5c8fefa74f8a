"""The feature table: `features.toml` as values, checked when read, and written back in one fixed shape."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeGuard

ROOT = Path(__file__).resolve().parents[2]
TABLE_PATH = Path(__file__).with_name("features.toml")

Status = Literal["done", "planned"]

FEATURE_ID = re.compile(r"[A-Z][0-9]{2}")
TEST_ID = re.compile(r"tests/(?:\w+/)*test_\w+\.py::(?:Test\w*::)*test_\w+")
KEYS = {"title", "home", "status", "tests"}
OF_SOCKETS = "ABCDEFGHI"

HEADER = """\
# What there is to implement, in the order of the groups below: a row's letter names its group.
#   title   the feature, in our words
#   home    where the rule is, or for the bugs of other stacks (X) where it was seen
#   status  "done" when tests prove it, else "planned"
#   tests   the tests that claim the row by the first line of their docstring
#   reason  of a planned row, why it is: every one of the sockets API (A to I) has it
# Edit titles, homes, reasons and rows by hand; `python -m tests.conformance --fill` sets status and tests,
# and rewrites the file in this shape (other comments are not kept).
"""


class FeatureTableError(ValueError):
    """The table breaks one of its own rules; the message names the row and the rule."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the table."""

    id: str
    title: str
    home: str
    status: Status
    tests: tuple[str, ...] = ()
    reason: str = ""

    @property
    def group(self) -> str:
        return self.id[0]


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """The groups (letter to title) and the rows, both in the file's order."""

    groups: dict[str, str]
    features: tuple[Feature, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(feature.id for feature in self.features)

    def in_group(self, letter: str) -> tuple[Feature, ...]:
        return tuple(feature for feature in self.features if feature.group == letter)

    def filled(self, claims: Mapping[str, Iterable[str]]) -> FeatureTable:
        """The same rows, done where `claims` (row id to test ids) has tests and planned elsewhere."""
        features = tuple(_claimed_by(feature, claims.get(feature.id, ())) for feature in self.features)
        return dataclasses.replace(self, features=features)


def _claimed_by(feature: Feature, tests: Iterable[str]) -> Feature:
    proofs = tuple(sorted(set(tests)))
    reason = "" if proofs else feature.reason
    return dataclasses.replace(feature, status="done" if proofs else "planned", tests=proofs, reason=reason)


def count(features: Iterable[Feature], status: Status) -> int:
    return sum(feature.status == status for feature in features)


# --- reading ---------------------------------------------------------------------------------------------


def load(path: Path = TABLE_PATH) -> FeatureTable:
    """Read the table; raises FeatureTableError naming the first row that breaks a rule."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> FeatureTable:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # A row that appears twice ends here too: TOML refuses to declare a table again.
        raise FeatureTableError(f"not valid TOML: {error}") from error
    groups = document.pop("groups", None)
    if not _is_groups(groups):
        raise FeatureTableError("[groups] must map single capital letters to titles")
    features = tuple(_feature(row_id, row, groups) for row_id, row in document.items())
    order = {letter: position for position, letter in enumerate(groups)}
    for before, after in pairwise(features):
        if (order[before.group], before.id) > (order[after.group], after.id):
            raise FeatureTableError(f"{after.id} stands after {before.id}: rows go by group, then by id")
    return FeatureTable(groups, features)


def _is_groups(value: object) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and all(
        re.fullmatch("[A-Z]", letter) and _is_line(title) for letter, title in value.items()
    )


def _is_line(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value == value.strip() != "" and value.isprintable()


def _feature(row_id: str, row: Any, groups: Mapping[str, str]) -> Feature:
    if not FEATURE_ID.fullmatch(row_id):
        raise FeatureTableError(f"{row_id!r} is not an id: a capital letter and two digits")
    if row_id[0] not in groups:
        raise FeatureTableError(f"{row_id}: no group {row_id[0]}")
    if not isinstance(row, dict) or set(row) - {"reason"} != KEYS:
        raise FeatureTableError(f"{row_id}: a row has exactly {', '.join(sorted(KEYS))}, and perhaps a reason")
    for key in ("title", "home", "reason"):
        if key in row and not _is_line(row[key]):
            raise FeatureTableError(f"{row_id}: {key} must be one line of text")
    status, tests = row["status"], row["tests"]
    if status not in ("done", "planned"):
        raise FeatureTableError(f"{row_id}: status is {status!r}, not 'done' or 'planned'")
    if not isinstance(tests, list) or not all(isinstance(t, str) and TEST_ID.fullmatch(t) for t in tests):
        raise FeatureTableError(f"{row_id}: a test is 'tests/path/test_file.py::[TestClass::]test_name'")
    if status == "done" and not tests:
        raise FeatureTableError(f"{row_id}: done, but names no test")
    if status == "planned" and tests:
        raise FeatureTableError(f"{row_id}: planned, but names tests")
    if status == "done" and "reason" in row:
        raise FeatureTableError(f"{row_id}: done, but says why it is planned")
    return Feature(row_id, row["title"], row["home"], status, tuple(tests), row.get("reason", ""))


# --- writing ---------------------------------------------------------------------------------------------


def dump(table: FeatureTable) -> str:
    """The file's text for `table`: `parse(dump(table)) == table`, and no row shares a line."""
    lines = [HEADER, "[groups]"]
    lines += [f"{letter} = {_quoted(title)}" for letter, title in table.groups.items()]
    for letter, title in table.groups.items():
        lines += ["", "", f"# --- {letter}: {title} ---"]
        for feature in table.in_group(letter):
            lines += ["", *_row_lines(feature)]
    return "\n".join(lines) + "\n"


def _row_lines(feature: Feature) -> list[str]:
    lines = [
        f"[{feature.id}]",
        f"title = {_quoted(feature.title)}",
        f"home = {_quoted(feature.home)}",
        f"status = {_quoted(feature.status)}",
    ]
    if feature.reason:
        lines.append(f"reason = {_quoted(feature.reason)}")
    if not feature.tests:
        return [*lines, "tests = []"]
    return [*lines, "tests = [", *(f"    {_quoted(test)}," for test in feature.tests), "]"]


def _quoted(text: str) -> str:
    # In printable text JSON escapes the quote and the backslash alone, as TOML's basic strings do.
    return json.dumps(text, ensure_ascii=False)
