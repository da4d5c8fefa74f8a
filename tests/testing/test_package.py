"""The package's own words."""

from __future__ import annotations

import textwrap

import pytest

import aiosctp.testing


def test_the_example_of_the_package_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert aiosctp.testing.__doc__ is not None
    example = "\n".join(line for line in aiosctp.testing.__doc__.splitlines() if not line or line.startswith("    "))
    exec(textwrap.dedent(example), {})  # noqa: S102 - our own text
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "b'hello'"
    assert "INIT" in said[1]
    sent = [line.partition(": I_DATA")[2] for line in said if ": I_DATA" in line]
    assert sent[0] == f"{sent[1]} [lost]", "the example shows how a loss is recovered"


def test_public_classes_are_documented() -> None:
    found = {name: getattr(aiosctp.testing, name) for name in aiosctp.testing.__all__}
    assert not [name for name, one in found.items() if isinstance(one, type) and not one.__doc__]
