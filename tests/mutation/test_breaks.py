"""The table of breaks stays true: each finds its line, and names a requirement that tests prove."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.breaks import Break, proved, read_breaks

ROOT = Path(__file__).resolve().parents[2]
BREAKS = read_breaks()


@pytest.mark.parametrize("requirement", sorted(BREAKS))
def test_a_break_changes_the_file_it_names_into_another_program(requirement: str) -> None:
    each = BREAKS[requirement]
    source = (ROOT / each.path).read_text()
    changed = each.applied_to(source)
    assert changed != source
    compile(changed, each.path, "exec")


@pytest.mark.parametrize("requirement", sorted(BREAKS))
def test_a_break_is_of_a_requirement_that_tests_prove(requirement: str) -> None:
    assert requirement in proved()


@pytest.mark.parametrize("source", ["", "cwnd = 1\ncwnd = 1\n"])
def test_a_line_that_is_not_there_exactly_once_is_an_error_that_names_the_row(source: str) -> None:
    each = Break("rfc9260 7.2.1-1", Path("reno.py"), "cwnd = 1", "cwnd = 2")
    with pytest.raises(ValueError, match=r"rfc9260 7\.2\.1-1"):
        each.applied_to(source)
