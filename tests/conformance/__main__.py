"""Count the feature table's rows, fill it from the tests, keep the README's summary of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .claims import ClaimError, collect_claims
from .features import ROOT, TABLE_PATH, Feature, FeatureTable, FeatureTableError, count, dump, load
from .readme import REGENERATE, MarkersMissingError, replace_summary, summary

README_PATH = ROOT / "README.md"


def print_counts(table: FeatureTable) -> None:
    print(f"{'done':>5}{'planned':>9}")
    for letter, title in table.groups.items():
        print_count(table.in_group(letter), f"{letter}  {title}")
    print_count(table.features, "   all")


def print_count(features: Sequence[Feature], label: str) -> None:
    print(f"{count(features, 'done'):>5}{count(features, 'planned'):>9}  {label}")


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
    if not any((arguments.fill, arguments.write_readme, arguments.claims, arguments.readme)):
        print_counts(table)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--fill", action="store_true", help="set status and tests of the rows from the claims")
    parser.add_argument("--write-readme", action="store_true", help="renew the summary in README.md")
    parser.add_argument("--claims", action="store_true", help="print the rows each test claims")
    parser.add_argument("--readme", action="store_true", help="print the summary for the README")
    parser.add_argument("--check-readme", type=Path, metavar="PATH", help="fail when its summary is old")
    try:
        return run(parser.parse_args())
    except (ClaimError, FeatureTableError, MarkersMissingError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
