"""Count the rows of the tables: features and requirements; fill and renew them, keep the README's summary."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .claims import ClaimError, collect_claims
from .features import ROOT, TABLE_PATH, Feature, FeatureTable, FeatureTableError, count, dump, load
from .keywords import LEVELS, Section, load_keywords, renew
from .readme import REGENERATE, MarkersMissingError, replace_summary, summary
from .requirements import PROOFS, RFCS, Requirement, RequirementError, count_proofs, load_requirements, section_order

SECTION = re.compile(r"[A-Z]|\d+(\.\d+)*")
README_PATH = ROOT / "README.md"


def print_counts(table: FeatureTable) -> None:
    print(f"{'done':>5}{'planned':>9}")
    for letter, title in table.groups.items():
        print_count(table.in_group(letter), f"{letter}  {title}")
    print_count(table.features, "   all")


def print_count(features: Sequence[Feature], label: str) -> None:
    print(f"{count(features, 'done'):>5}{count(features, 'planned'):>9}  {label}")


def print_planned(table: FeatureTable) -> None:
    """Every row that no test claims, with why."""
    for feature in table.features:
        if feature.status == "planned":
            print(f"{feature.id} {feature.title}" + (f": {feature.reason}" if feature.reason else ""))


def print_requirements() -> None:
    """A line for each section of each RFC: how many of its rows are proved, deviate, do not apply, or are missing."""
    for rfc, sections in load_keywords().items():
        requirements = load_requirements(rfc)
        print(f"\n{'proved':>6}{'deviates':>10}{'does not apply':>16}{'missing':>9}")
        for section in sections:
            rows = [row for row in requirements if row.section == section.number]
            print_proofs(rows, len(section.keywords), f"{section.number}  {section.title}")
        print_proofs(requirements, sum(len(section.keywords) for section in sections), f"{rfc}: all")


def print_proofs(requirements: Sequence[Requirement], keywords: int, label: str) -> None:
    counts = count_proofs(requirements)
    proved, deviates, does_not_apply = (counts[proof] for proof in PROOFS)
    print(f"{proved:>6}{deviates:>10}{does_not_apply:>16}{keywords - len(requirements):>9}  {label}")


def print_section(number: str) -> None:
    """Every row of the section and of those inside it, of each RFC that has one, with what proves it."""
    if not SECTION.fullmatch(number):
        raise RequirementError(f"{number!r} is no section: give a number as 5.1, or the letter of an appendix")
    wanted = section_order(number)
    found = [
        (rfc, row)
        for rfc in RFCS
        for row in load_requirements(rfc)
        if section_order(row.section)[: len(wanted)] == wanted
    ]
    if not found:
        raise RequirementError(f"no section {number} with requirements")
    for rfc, row in found:
        print_requirement(rfc, row)
        for test in row.tests:
            print(f"    {test}")


def print_deviations() -> None:
    """Every row that we do not follow to the letter, with why."""
    for rfc in RFCS:
        for row in load_requirements(rfc):
            if row.proof == "deviates":
                print_requirement(rfc, row)


def print_requirement(rfc: str, row: Requirement) -> None:
    print(f"{rfc} {row.id} {row.level}: {row.says}")
    if row.reason:
        print(f"    {row.proof}: {row.reason}")


def print_keywords(sections: Sequence[Section]) -> None:
    keywords = [keyword for section in sections for keyword in section.keywords]
    counts = ", ".join(f"{keywords.count(level)} {level}" for level in LEVELS)
    print(f"{len(keywords)} key words in {len(sections)} sections: {counts}")


def print_claims(table: FeatureTable) -> None:
    rows_of: dict[str, list[str]] = {}
    for row, tests in collect_claims(ROOT, table.ids).items():
        for test in tests:
            rows_of.setdefault(test, []).append(row)
    for test, rows in sorted(rows_of.items()):
        print(f"{test}: {', '.join(sorted(rows))}")


def fill(table: FeatureTable) -> FeatureTable:
    filled = table.filled(collect_claims(ROOT, table.ids))
    for before, after in zip(table.features, filled.features, strict=True):
        if before != after:
            print(f"{after.id} {after.status} ({len(after.tests)} tests): {after.title}")
    TABLE_PATH.write_text(dump(filled), encoding="utf-8")
    return filled


def write_readme(table: FeatureTable) -> None:
    README_PATH.write_text(replace_summary(README_PATH.read_text(encoding="utf-8"), table), encoding="utf-8")


def check_readme(table: FeatureTable, path: Path) -> int:
    text = path.read_text(encoding="utf-8")
    if replace_summary(text, table) == text:
        return 0
    print(f"{path}: the feature summary is out of date; run: {REGENERATE}", file=sys.stderr)
    return 1


def run(arguments: argparse.Namespace) -> int:
    if arguments.count is not None:
        print_keywords(renew(arguments.count))
        return 0
    if arguments.section is not None:
        print_section(arguments.section)
        return 0
    if arguments.deviations:
        print_deviations()
        return 0
    table = load()
    if arguments.fill:
        table = fill(table)
    if arguments.write_readme:
        write_readme(table)
    if arguments.claims:
        print_claims(table)
    if arguments.readme:
        print(summary(table), end="")
    if arguments.check_readme is not None:
        return check_readme(table, arguments.check_readme)
    if arguments.table == "features":
        print_counts(table)
        print()
        print_planned(table)
        return 0
    if not any((arguments.fill, arguments.write_readme, arguments.claims, arguments.readme)):
        print_counts(table)
        print_requirements()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("table", nargs="?", choices=["features"], help="only these counts, and what is planned")
    parser.add_argument("--fill", action="store_true", help="set status and tests of the rows from the claims")
    parser.add_argument("--write-readme", action="store_true", help="renew the summary in README.md")
    parser.add_argument("--claims", action="store_true", help="print the rows each test claims")
    parser.add_argument("--readme", action="store_true", help="print the summary for the README")
    parser.add_argument("--check-readme", type=Path, metavar="PATH", help="fail when its summary is old")
    parser.add_argument("--section", metavar="5.1", help="print the requirements of a section and what proves them")
    parser.add_argument("--deviations", action="store_true", help="print the requirements we deviate from, and why")
    parser.add_argument("--count", type=Path, metavar="PATH/rfc9260.txt", help="renew keywords.toml from an RFC's text")
    try:
        return run(parser.parse_args())
    except (ClaimError, FeatureTableError, MarkersMissingError, RequirementError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
