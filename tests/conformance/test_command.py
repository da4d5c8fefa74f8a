"""What the command prints of the requirements, and how it refuses what it has nothing to say of."""

from __future__ import annotations

import sys

import pytest

from .__main__ import main
from .requirements import RFCS, load_requirements


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given = ["python -m tests.conformance"]
    monkeypatch.setattr(sys, "argv", given)
    return given


@pytest.mark.parametrize(
    ("number", "told"), [("99", "no section 99 with requirements\n"), ("5.x", "'5.x' is no section: ")]
)
def test_a_section_that_is_none_is_an_error(
    number: str, told: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments += ["--section", number]
    assert main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(told)


def test_a_section_is_printed_with_those_inside_it(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments += ["--section", "5.1"]
    assert main() == 0
    said = capsys.readouterr().out
    assert "\nrfc9260 5.1.2-4 MUST: " in said
    assert "rfc9260 5.2" not in said


def test_every_deviation_is_listed_with_its_reason(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments += ["--deviations"]
    assert main() == 0
    expected: list[str] = []
    for rfc in RFCS:
        for row in load_requirements(rfc):
            if row.proof == "deviates":
                expected += [f"{rfc} {row.id} {row.level}: {row.says}", f"    deviates: {row.reason}"]
    assert expected
    assert capsys.readouterr().out.splitlines() == expected
