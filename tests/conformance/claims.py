"""Which test claims which rows: read from the test files' syntax trees, so nothing is imported or run."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

LOOKS_LIKE_A_CLAIM = re.compile(r"[A-Z][0-9]{2}\b")
CLAIM = re.compile(r"(?P<rows>[A-Z][0-9]{2}(?:-[A-Z][0-9]{2})?(?:, [A-Z][0-9]{2}(?:-[A-Z][0-9]{2})?)*): \S")

# A test that never passes proves nothing. `skipif` stays: a missing package is no failure.
NO_PROOF = re.compile(r"pytest\.mark\.(?:skip|xfail)\b")


class ClaimError(ValueError):
    """A docstring's claim cannot be honoured; the message names the test and the reason."""


@dataclass(frozen=True, slots=True)
class Test:
    """A test function as written: its pytest id without parameters, and the first line of its docstring."""

    __test__ = False  # it is called Test, yet it is not one for pytest to collect

    id: str
    first_line: str
    may_fail: bool


def find_tests(root: Path) -> Iterator[Test]:
    """Every test function and method below `root`/tests, in the order of paths and lines."""
    for path in sorted((root / "tests").rglob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        yield from _tests_in(module.body, path.relative_to(root).as_posix())


def _tests_in(body: list[ast.stmt], prefix: str) -> Iterator[Test]:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests_in(node.body, f"{prefix}::{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            docstring = ast.get_docstring(node) or ""
            may_fail = any(NO_PROOF.match(ast.unparse(mark)) for mark in node.decorator_list)
            yield Test(f"{prefix}::{node.name}", docstring.partition("\n")[0], may_fail)


def claimed_rows(test: Test, known_ids: Collection[str]) -> tuple[str, ...]:
    """The row ids that `test` claims, none when its docstring starts otherwise; raises ClaimError."""
    if not LOOKS_LIKE_A_CLAIM.match(test.first_line):
        return ()
    match = CLAIM.match(test.first_line)
    if match is None:
        raise ClaimError(f"{test.id}: {test.first_line!r} is no claim; write 'M02, X45: ...' or 'G41-G43: ...'")
    if test.may_fail:
        raise ClaimError(f"{test.id}: claims {match['rows']}, but is marked skip or xfail")
    rows: list[str] = []
    for item in match["rows"].split(", "):
        rows += _expanded(item, known_ids)
        if rows[-1] not in known_ids:
            raise ClaimError(f"{test.id}: claims {item}, which is no row of the table")
    return tuple(rows)


def _expanded(item: str, known_ids: Collection[str]) -> list[str]:
    first, _, last = item.partition("-")
    if not last:
        return [first]
    inside = [row for row in known_ids if row[0] == first[0] and first <= row <= last]
    # Both ends must be rows: a range that silently shrank would claim less than it says.
    return inside if {first, last} <= set(inside) else [item]


def collect_claims(root: Path, known_ids: Collection[str]) -> dict[str, list[str]]:
    """Row id to the ids of the tests that claim it; raises one ClaimError that lists all bad claims."""
    claims: dict[str, list[str]] = defaultdict(list)
    problems: list[str] = []
    for test in find_tests(root):
        try:
            rows = claimed_rows(test, known_ids)
        except ClaimError as error:
            problems.append(str(error))
            continue
        for row in rows:
            claims[row].append(test.id)
    if problems:
        raise ClaimError("\n".join(problems))
    return dict(claims)
