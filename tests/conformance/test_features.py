"""The table is well-formed, true to the tests, and the README repeats it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import aiosctp

from .claims import collect_claims, find_tests
from .features import OF_SOCKETS, ROOT, TABLE_PATH, Feature, FeatureTable, FeatureTableError, count, dump, load, parse
from .readme import REGENERATE, replace_summary

DONE_TEST = "tests/core/test_cookie.py::test_forged_cookie_is_discarded"
ROWS = """\
[groups]
M = "Chunks"
A = "Calls"

[M01]
title = "DATA"
home = "RFC 9260 §3.3.1"
status = "planned"
tests = []
"""


def row(row_id: str, status: str = "planned", tests: str = "[]") -> str:
    return f'\n[{row_id}]\ntitle = "t"\nhome = "h"\nstatus = "{status}"\ntests = {tests}\n'


# --- the project's table ---------------------------------------------------------------------------------


def test_the_table_holds_every_group_and_its_rows_are_numbered_without_holes() -> None:
    table = load()
    assert all(table.in_group(letter) for letter in table.groups)
    for letter in table.groups:
        features = table.in_group(letter)
        assert [feature.id for feature in features] == [f"{letter}{n + 1:02}" for n in range(len(features))]


def test_what_the_sockets_api_lacks_says_why() -> None:
    lacking = [feature for feature in load().features if feature.group in OF_SOCKETS and feature.status == "planned"]
    assert [feature.id for feature in lacking if not feature.reason] == []


def test_every_test_that_a_done_row_names_exists() -> None:
    existing = {test.id for test in find_tests(ROOT)}
    missing = {feature.id: set(feature.tests) - existing for feature in load().features}
    assert {row_id: tests for row_id, tests in missing.items() if tests} == {}


def test_the_table_is_what_the_claims_of_the_tests_make_it() -> None:
    table = load()
    text = TABLE_PATH.read_text(encoding="utf-8")
    filled = dump(table.filled(collect_claims(ROOT, table.ids)))
    assert text == filled, "run: python -m tests.conformance --fill"


def test_the_readme_repeats_the_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert replace_summary(readme, load()) == readme, f"run: {REGENERATE}"


def test_each_bug_of_another_stack_has_its_test_unless_its_extension_is_not_built() -> None:
    """L10: "no known security holes" is what tests say of known holes; those of ASCONF and AUTH wait for these."""
    parameters = {field.name for field in dataclasses.fields(aiosctp.Config)}
    planned = {extension for extension in ("ASCONF", "AUTH") if extension.lower() not in parameters}
    for bug in load().in_group("X"):
        assert bug.status == "done" or any(extension in bug.title for extension in planned), bug


# --- reading and writing ---------------------------------------------------------------------------------


def test_rows_become_features_in_the_files_order() -> None:
    table = parse(ROWS + row("M02", "done", f'["{DONE_TEST}"]') + row("A01"))
    assert table.groups == {"M": "Chunks", "A": "Calls"}
    assert table.ids == ("M01", "M02", "A01")
    assert table.features[0] == Feature("M01", "DATA", "RFC 9260 §3.3.1", "planned")
    assert table.features[1].tests == (DONE_TEST,)
    assert (count(table.features, "done"), count(table.features, "planned")) == (1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(ROWS + row("M01"), "not valid TOML", id="an id twice"),
        pytest.param(ROWS + row("M1"), "'M1' is not an id", id="an id of one digit"),
        pytest.param(ROWS + row("m02"), "'m02' is not an id", id="an id in lower case"),
        pytest.param(ROWS + row("Z01"), "Z01: no group Z", id="a letter without a group"),
        pytest.param(ROWS + row("M03") + row("M02"), "M02 stands after M03", id="ids out of order"),
        pytest.param(ROWS + row("A01") + row("M02"), "M02 stands after A01", id="groups out of order"),
        pytest.param(ROWS + row("M02", "finished"), "status is 'finished'", id="an unknown status"),
        pytest.param(ROWS + row("M02", "done"), "M02: done, but names no test", id="done without tests"),
        pytest.param(ROWS + row("M02", tests=f'["{DONE_TEST}"]'), "M02: planned, but", id="planned, tested"),
        pytest.param(ROWS + row("M02", "done", '["test_x"]'), "M02: a test is", id="a test without path"),
        pytest.param(ROWS + row("M02") + 'note = "x"\n', "M02: a row has exactly", id="an unknown key"),
        pytest.param(ROWS + '\n[M02]\ntitle = "t"\n', "M02: a row has exactly", id="missing keys"),
        pytest.param(ROWS.replace('"DATA"', '""'), "M01: title must be one line", id="an empty title"),
        pytest.param(row("M01"), r"\[groups\] must", id="no groups"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_by_the_name_of_the_row(text: str, message: str) -> None:
    with pytest.raises(FeatureTableError, match=message):
        parse(text)


def test_what_is_written_reads_back_the_same() -> None:
    table = FeatureTable(
        {"M": "Chunks", "A": 'Calls "and" styles'},
        (
            Feature("M01", r"a \ backslash, a ü", "RFC 9260 §3", "done", (DONE_TEST, f"{DONE_TEST}_2")),
            Feature("A01", 'a "quoted" word', "RFC 6458 §4", "planned"),
        ),
    )
    assert parse(dump(table)) == table


def test_filling_makes_claimed_rows_done_and_the_others_planned() -> None:
    table = parse(ROWS + row("M02", "done", f'["{DONE_TEST}"]'))
    filled = table.filled({"M01": ["tests/test_b.py::test_b", "tests/test_a.py::test_a"]})
    assert [(feature.status, feature.tests) for feature in filled.features] == [
        ("done", ("tests/test_a.py::test_a", "tests/test_b.py::test_b")),
        ("planned", ()),
    ]


def test_a_change_of_one_row_touches_no_line_of_another(tmp_path: Path) -> None:
    path = tmp_path / "features.toml"
    path.write_text(dump(parse(ROWS + row("M02") + row("A01"))), encoding="utf-8")
    before = path.read_text(encoding="utf-8").splitlines()
    after = dump(load(path).filled({"M02": [DONE_TEST]})).splitlines()
    assert [line for line in before if line not in after] == []
    assert [line for line in after if line not in before] == [
        'status = "done"',
        "tests = [",
        f'    "{DONE_TEST}",',
        "]",
    ]
