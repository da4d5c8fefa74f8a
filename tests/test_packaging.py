"""What a package index and a type checker are told of the package."""

from __future__ import annotations

import ast
import importlib.resources
import itertools
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tools.command import AIOSCTP, REPOSITORY, python

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
VERSION_WHEN_NOT_INSTALLED = """
import importlib.metadata

known = importlib.metadata.version

def version(name):
    if name == "aiosctp":
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)

importlib.metadata.version = version
import aiosctp
print(aiosctp.__version__)
"""


def test_the_package_says_that_it_is_typed() -> None:
    """PEP 561."""
    assert importlib.resources.files("aiosctp").joinpath("py.typed").is_file()


def test_nothing_of_another_project_is_shipped() -> None:
    """X03: no bundled copy that grows old: all is our own Python, and what it imports is named as a dependency."""
    package = REPOSITORY / "aiosctp"
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.suffix for path in files} == {".py", ".typed"}
    optional = PROJECT["project"]["optional-dependencies"].values()
    named = itertools.chain(PROJECT["project"]["dependencies"], *optional)
    dependencies = {re.split(r"[^A-Za-z0-9_]", requirement)[0] for requirement in named}
    imported = {name for path in files if path.suffix == ".py" for name in top_level_imports(path)}
    # _typeshed is a type checker's own.
    assert imported - sys.stdlib_module_names - {"aiosctp", "_typeshed"} <= dependencies


def top_level_imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.add(str(node.module).partition(".")[0])
    return names


def test_what_the_source_distribution_names_exists() -> None:
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert len(included) > 3
    assert [name for name in included if not (REPOSITORY / name).exists()] == []


@pytest.mark.parametrize(
    ("arguments", "output"),
    [(("-c", "import aiosctp; print(aiosctp.__version__)"), "1.2.3\n"), ((*AIOSCTP, "--version"), "aiosctp 1.2.3\n")],
)
async def test_the_version_is_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], output: str
) -> None:
    """Metadata before any other on the path stand for what was installed."""
    installed = tmp_path / "aiosctp-1.2.3.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: aiosctp\nVersion: 1.2.3\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with python(*arguments) as command:
        outcome = await command.outcome()
    assert (outcome.status, outcome.output) == (0, output), outcome.errors


async def test_a_checkout_that_is_not_installed_has_a_version_too() -> None:
    async with python("-c", VERSION_WHEN_NOT_INSTALLED) as command:
        outcome = await command.outcome()
    assert (outcome.status, outcome.output) == (0, "0+unknown\n"), outcome.errors
