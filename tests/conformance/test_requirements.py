"""The requirement tables are well-formed, complete by the RFC's own key words, and name tests that exist."""

from __future__ import annotations

import pytest

from .claims import find_tests
from .features import ROOT
from .keywords import Section, load_keywords
from .requirements import (
    REASONS,
    RFCS,
    Requirement,
    RequirementError,
    count_proofs,
    differences,
    load_requirements,
    parse_requirements,
)

TEST = "tests/core/test_cookie.py::test_forged_cookie_is_discarded"


def row(row_id: str = "5.1-1", proof: str = f'tests = ["{TEST}"]', level: str = "MUST", says: str = "It is so.") -> str:
    return f'\n[[requirement]]\nid = "{row_id}"\nlevel = "{level}"\nsays = "{says}"\n{proof}\n'


# --- the project's tables --------------------------------------------------------------------------------


@pytest.mark.parametrize("rfc", RFCS)
def test_the_rows_of_each_section_are_the_rfcs_key_words(rfc: str) -> None:
    requirements = load_requirements(rfc)
    begun = {row.section for row in requirements}
    wrong = [
        line
        for section in load_keywords()[rfc]
        if section.number in begun
        for line in differences(section, requirements)
    ]
    assert wrong == []
    assert begun <= {section.number for section in load_keywords()[rfc]}


@pytest.mark.parametrize("rfc", RFCS)
def test_every_section_that_requires_something_has_rows(rfc: str) -> None:
    begun = {row.section for row in load_requirements(rfc)}
    assert [section.number for section in load_keywords()[rfc] if section.number not in begun] == []


@pytest.mark.parametrize("rfc", RFCS)
def test_every_test_that_a_requirement_names_exists_and_must_pass(rfc: str) -> None:
    proofs = {test.id for test in find_tests(ROOT) if not test.may_fail}
    missing = {row.id: set(row.tests) - proofs for row in load_requirements(rfc)}
    assert {row_id: tests for row_id, tests in missing.items() if tests} == {}


# --- reading ---------------------------------------------------------------------------------------------


def test_rows_become_requirements_in_the_files_order() -> None:
    deviation = f'deviates = "Why."\ntests = ["{TEST}"]'
    text = row() + row("5.1-2", deviation, "SHOULD NOT") + row("5.1.1-1", 'does_not_apply = "operator"', "SHOULD")
    requirements = parse_requirements(text)
    assert requirements == (
        Requirement("5.1-1", "MUST", "It is so.", "proved", (TEST,)),
        Requirement("5.1-2", "SHOULD NOT", "It is so.", "deviates", (TEST,), "Why."),
        Requirement("5.1.1-1", "SHOULD", "It is so.", "does not apply", (), "operator"),
    )
    assert count_proofs(requirements) == {"proved": 1, "deviates": 1, "does not apply": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(row("5.1"), "'5.1' is not an id", id="an id without a number"),
        pytest.param(row("5.1-0"), "'5.1-0' is not an id", id="counted from zero"),
        pytest.param(row() + row(), "5.1-1 stands twice", id="an id twice"),
        pytest.param(row("5.1-10") + row("5.1-9"), "5.1-9 stands after 5.1-10", id="numbers out of order"),
        pytest.param(row("3.3.10-1") + row("3.3.9-1"), "3.3.9-1 stands after", id="sections out of order"),
        pytest.param(row(level="MAY"), "5.1-1: level is one of", id="a level that requires nothing"),
        pytest.param(row(says=""), "5.1-1: says must be one line", id="nothing said"),
        pytest.param(row(proof=""), "5.1-1: a row has tests, or", id="no proof"),
        pytest.param(row(proof="tests = []"), "5.1-1: proved, but names no test", id="no test"),
        pytest.param(row(proof='deviates = "Why."'), "5.1-1: a row has tests, or", id="a deviation without test"),
        pytest.param(
            row(proof='deviates = "Why."\ntests = []'), "5.1-1: deviates, but", id="a deviation with no tests"
        ),
        pytest.param(
            row(proof=f'deviates = ""\ntests = ["{TEST}"]'), "5.1-1: deviates must be", id="a deviation without why"
        ),
        pytest.param(row(proof='does_not_apply = "too hard"'), "'too hard' is not one of", id="a reason of its own"),
        pytest.param(row(proof=f'does_not_apply = "router"\ntests = ["{TEST}"]'), "a row has", id="two kinds of proof"),
        pytest.param(row(proof='tests = ["test_x"]'), "5.1-1: a test is", id="a test without path"),
        pytest.param(row() + 'note = "x"\n', "5.1-1: a row has tests, or", id="an unknown key"),
        pytest.param("[other]\n" + row(), r"\[\[requirement\]\] alone, not other", id="another table"),
        pytest.param("[[requirement]", "not valid TOML", id="no TOML"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_by_its_id(text: str, message: str) -> None:
    with pytest.raises(RequirementError, match=message):
        parse_requirements(text)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_closed_list_is_taken(reason: str) -> None:
    (requirement,) = parse_requirements(row(proof=f'does_not_apply = "{reason}"'))
    assert (requirement.proof, requirement.reason) == ("does not apply", reason)


def test_a_sections_rows_are_told_apart_from_its_key_words() -> None:
    section = Section("5.1", "Normal Establishment", ("MUST", "SHOULD", "MUST NOT"))
    requirements = parse_requirements(row("5.1-1") + row("5.1-2") + row("5.1-4") + row("5.1.1-1"))
    assert differences(section, requirements) == [
        "5.1-3 (MUST NOT) is missing",
        "5.1-4 is no key word of the RFC",
        "5.1-2 is SHOULD in the RFC, not MUST",
    ]
