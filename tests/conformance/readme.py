"""The README's feature summary: a table per group, kept between two markers."""

from __future__ import annotations

from collections.abc import Sequence

from .features import Feature, FeatureTable, count

BEGIN = "<!-- features -->"
END = "<!-- /features -->"
REGENERATE = "python -m tests.conformance --write-readme"


class MarkersMissingError(ValueError):
    """The README does not hold exactly one begin marker followed by one end marker, each on a line."""


def summary(table: FeatureTable) -> str:
    """The Markdown that stands between the markers."""
    lines = [
        "A row is done when tests prove it; `tests/conformance/features.toml` names the rule and the tests.",
        "",
        "| Group | Rows | Done | Planned |",
        "| --- | --- | ---: | ---: |",
    ]
    lines += [_line(title, table.in_group(letter)) for letter, title in table.groups.items()]
    done, planned = count(table.features, "done"), count(table.features, "planned")
    lines.append(f"| **All** | | **{done}** | **{planned}** |")
    return "\n".join(lines) + "\n"


def _line(title: str, features: Sequence[Feature]) -> str:
    rows = f"{features[0].id}–{features[-1].id}" if features else ""
    return f"| {title} | {rows} | {count(features, 'done')} | {count(features, 'planned')} |"


def replace_summary(readme: str, table: FeatureTable) -> str:
    """`readme` with its block brought up to date and nothing else changed; raises MarkersMissingError."""
    lines = readme.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.strip() == BEGIN]
    ends = [number for number, line in enumerate(lines) if line.strip() == END]
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise MarkersMissingError(f"README.md needs one line {BEGIN!r} and below it one line {END!r}")
    return "".join([*lines[: begins[0] + 1], summary(table), *lines[ends[0] :]])
