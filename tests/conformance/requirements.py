"""The requirements of an RFC, a row per key word: the tests that prove it, why we deviate, or why it does not apply.

`rfc9260.toml` holds the rows in the RFC's order. A row's id is its section and which key word of that section it is:
"5.1-3".
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeGuard

from .features import TEST_ID
from .keywords import LEVELS, Level, Section

FOLDER = Path(__file__).parent
RFCS = ("rfc9260", "rfc8899", "rfc8260", "rfc7496", "rfc6951", "rfc6525", "rfc4820", "rfc3758")

Proof = Literal["proved", "deviates", "does not apply"]
PROOFS: tuple[Proof, ...] = ("proved", "deviates", "does not apply")

# Why a requirement binds somebody else, or nobody here. The list is closed: another reason is a deviation.
REASONS = (
    "defines the key words",
    "upper layer",  # binds the program above
    "operator",  # binds who configures and runs it
    "router",  # or a middlebox, or whoever sends ICMP
    "other transport",  # SCTP directly over IP, and what lies below UDP
    "document",  # binds IANA or a later specification
    "extension not built",  # an optional thing we do not offer; `says` names it
)

REQUIREMENT_ID = re.compile(r"(?P<section>[A-Z]|\d+(?:\.\d+)*)-(?P<ordinal>[1-9]\d*)")
MANDATORY_KEYS = {"id", "level", "says"}
KEYS_OF_PROOFS = ({"tests"}, {"tests", "deviates"}, {"does_not_apply"})


class RequirementError(ValueError):
    """A row breaks one of the table's rules; the message names the row and the rule."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row. `reason` is empty when `tests` prove it, else why we deviate or why it does not apply."""

    id: str
    level: Level
    says: str
    proof: Proof
    tests: tuple[str, ...] = ()
    reason: str = ""

    @property
    def section(self) -> str:
        return self.id.partition("-")[0]

    @property
    def order(self) -> tuple[tuple[int, ...], int]:
        """Sorts as the RFC is read: 5.2 after 5.1.6, 3.3.10 after 3.3.2."""
        section, _, ordinal = self.id.partition("-")
        return section_order(section), int(ordinal)


def section_order(number: str) -> tuple[int, ...]:
    """Sorts "3.3.10" after "3.3.9"; an appendix comes after all numbers."""
    return tuple(int(part) if part.isdigit() else 1000 + ord(part) for part in number.split("."))


# --- reading ---------------------------------------------------------------------------------------------


def load_requirements(rfc: str, folder: Path = FOLDER) -> tuple[Requirement, ...]:
    """All rows of `rfc` ("rfc9260"); raises RequirementError naming the first bad row."""
    return parse_requirements((folder / f"{rfc}.toml").read_text(encoding="utf-8"))


def parse_requirements(text: str) -> tuple[Requirement, ...]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RequirementError(f"not valid TOML: {error}") from error
    rows = document.pop("requirement", [])
    if document:
        raise RequirementError(f"a table of requirements holds [[requirement]] alone, not {', '.join(document)}")
    requirements = tuple(_requirement(row) for row in rows)
    for before, after in pairwise(requirements):
        if before.order == after.order:
            raise RequirementError(f"{after.id} stands twice")
        if before.order > after.order:
            raise RequirementError(f"{after.id} stands after {before.id}: rows go in the RFC's order")
    return requirements


def _requirement(row: dict[str, Any]) -> Requirement:
    row_id = row.get("id")
    if not isinstance(row_id, str) or not REQUIREMENT_ID.fullmatch(row_id):
        raise RequirementError(f"{row_id!r} is not an id: a section and a number, as in 5.1-3")
    if row.get("level") not in LEVELS:
        raise RequirementError(f"{row_id}: level is one of {', '.join(LEVELS)}")
    if not _is_line(row.get("says")):
        raise RequirementError(f"{row_id}: says must be one line of text")
    if set(row) - MANDATORY_KEYS not in KEYS_OF_PROOFS:
        raise RequirementError(f"{row_id}: a row has tests, or deviates and tests, or does_not_apply, and no more")
    proof, reason = _proof(row_id, row)
    tests = row.get("tests", [])
    if not isinstance(tests, list) or not all(isinstance(test, str) and TEST_ID.fullmatch(test) for test in tests):
        raise RequirementError(f"{row_id}: a test is 'tests/path/test_file.py::[TestClass::]test_name'")
    if proof != "does not apply" and not tests:
        raise RequirementError(f"{row_id}: {proof}, but names no test")
    return Requirement(row_id, row["level"], row["says"], proof, tuple(tests), reason)


def _proof(row_id: str, row: dict[str, Any]) -> tuple[Proof, str]:
    if "does_not_apply" in row:
        reason = row["does_not_apply"]
        if reason not in REASONS:
            raise RequirementError(f"{row_id}: {reason!r} is not one of: {', '.join(REASONS)}")
        return "does not apply", reason
    if "deviates" in row:
        if not _is_line(row["deviates"]):
            raise RequirementError(f"{row_id}: deviates must be one line that says why")
        return "deviates", row["deviates"]
    return "proved", ""


def _is_line(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value == value.strip() != "" and value.isprintable()


# --- against the RFC's key words --------------------------------------------------------------------------


def differences(section: Section, requirements: Iterable[Requirement]) -> list[str]:
    """What is wrong with the rows of one section: one per key word, numbered in reading order, with its level."""
    expected = {f"{section.number}-{n}": level for n, level in enumerate(section.keywords, 1)}
    found = {row.id: row.level for row in requirements if row.section == section.number}
    missing = [f"{row_id} ({level}) is missing" for row_id, level in expected.items() if row_id not in found]
    surplus = [f"{row_id} is no key word of the RFC" for row_id in found if row_id not in expected]
    wrong = [
        f"{row_id} is {level} in the RFC, not {found[row_id]}"
        for row_id, level in expected.items()
        if row_id in found and found[row_id] != level
    ]
    return missing + surplus + wrong


def count_proofs(requirements: Iterable[Requirement]) -> Counter[Proof]:
    return Counter(row.proof for row in requirements)
