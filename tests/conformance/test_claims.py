"""Claims are read from the docstrings of the tests, and a claim that means nothing is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from .claims import ClaimError, collect_claims, find_tests

KNOWN_IDS = ("G41", "G42", "G43", "M02", "X45")


def write_tests(root: Path, text: str) -> Path:
    folder = root / "tests" / "core"
    folder.mkdir(parents=True)
    (folder / "test_init.py").write_text(text, encoding="utf-8")
    return root


def write_claim(root: Path, first_line: str, mark: str = "") -> Path:
    docstring = f'"""{first_line}\n\n    X45: only the first line counts.\n    """'
    return write_tests(root, f"{mark}\ndef test_it() -> None:\n    {docstring}\n")


def test_functions_coroutines_and_methods_are_found_and_helpers_are_not(tmp_path: Path) -> None:
    write_tests(
        tmp_path,
        "def helper(): ...\ndef test_a(): ...\nasync def test_b(): ...\n"
        "class TestInit:\n    def helper(self): ...\n    def test_c(self): ...\n"
        "class Helper:\n    def test_d(self): ...\n",
    )
    prefix = "tests/core/test_init.py::"
    assert [test.id for test in find_tests(tmp_path)] == [
        f"{prefix}test_a",
        f"{prefix}test_b",
        f"{prefix}TestInit::test_c",
    ]


@pytest.mark.parametrize(
    ("first_line", "rows"),
    [
        ("M02: a rule.", {"M02"}),
        ("M02, X45: two rules.", {"M02", "X45"}),
        ("G41-G43, M02: a run of rows and one more.", {"G41", "G42", "G43", "M02"}),
        ("A rule without a row.", set()),
        ("T3-rtx is stopped.", set()),
    ],
)
def test_the_first_line_names_the_rows(tmp_path: Path, first_line: str, rows: set[str]) -> None:
    claims = collect_claims(write_claim(tmp_path, first_line), KNOWN_IDS)
    assert claims == {row: ["tests/core/test_init.py::test_it"] for row in rows}


@pytest.mark.parametrize(
    "first_line",
    ["M02 X45: no comma.", "M02,X45: no space.", "M02 no colon.", "M02:", "M02, and more: words."],
)
def test_a_claim_in_another_form_is_an_error(tmp_path: Path, first_line: str) -> None:
    with pytest.raises(ClaimError, match="is no claim"):
        collect_claims(write_claim(tmp_path, first_line), KNOWN_IDS)


@pytest.mark.parametrize("rows", ["M03", "X45, M03", "G41-G44", "G43-G41", "G41-M02"])
def test_a_claim_of_a_row_that_does_not_exist_is_an_error(tmp_path: Path, rows: str) -> None:
    with pytest.raises(ClaimError, match="which is no row of the table"):
        collect_claims(write_claim(tmp_path, f"{rows}: a rule."), KNOWN_IDS)


@pytest.mark.parametrize("mark", ["@pytest.mark.skip", "@pytest.mark.xfail(reason='x')"])
def test_a_test_that_never_passes_may_claim_nothing(tmp_path: Path, mark: str) -> None:
    with pytest.raises(ClaimError, match="marked skip or xfail"):
        collect_claims(write_claim(tmp_path, "M02: a rule.", mark), KNOWN_IDS)


def test_a_test_that_is_skipped_for_a_missing_package_may_claim(tmp_path: Path) -> None:
    root = write_claim(tmp_path, "M02: a rule.", "@pytest.mark.skipif(usrsctp is None, reason='no usrsctp')")
    assert list(collect_claims(root, KNOWN_IDS)) == ["M02"]


def test_all_bad_claims_are_told_at_once(tmp_path: Path) -> None:
    write_tests(
        tmp_path,
        'def test_a():\n    """M77: x"""\ndef test_b():\n    """M02 x"""\ndef test_c():\n    """M02: x"""\n',
    )
    with pytest.raises(ClaimError) as caught:
        collect_claims(tmp_path, KNOWN_IDS)
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == [
        "tests/core/test_init.py::test_a:",
        "tests/core/test_init.py::test_b:",
    ]
