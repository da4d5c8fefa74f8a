"""Mutants of core/, drawn by seed: one change of one place each, made by Cosmic Ray's operators."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

Place = tuple[Path, int, int]
"""A file, and the line and column where the change is."""

# `is` for `==` between enum members or small numbers is the same program; decorators are mostly for mypy.
_OPERATORS_NOT_DRAWN = ("RemoveDecorator", "_Is", "_IsNot")
# It checks, and does nothing else: a change of it is no fault of the engine.
_FILES_NOT_DRAWN = ("invariants.py",)


@dataclass(frozen=True)
class Mutant:
    """One changed place of one file; `occurrence` counts the places that the operator could have changed."""

    path: Path
    operator: str
    occurrence: int
    line: int

    def code(self, source: str) -> str:
        mutated = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        assert mutated is not None, f"{self} changes nothing"
        return str(mutated)

    def changed_lines(self, source: str) -> list[str]:
        """The lines that differ, before (-) and after (+)."""
        changes = difflib.unified_diff(source.splitlines(), self.code(source).splitlines(), lineterm="", n=0)
        return [line for line in changes if not line.startswith(("---", "+++", "@@"))]


def draw(root: Path, seed: int, count: int) -> list[Mutant]:
    """So many mutants of the engine, each at a place of its own: first the place is drawn, then what befalls it."""
    places: dict[Place, list[Mutant]] = {}
    for path in sorted((root / "aiosctp/core").rglob("*.py")):
        if path.name not in _FILES_NOT_DRAWN:
            _collect(root, path.relative_to(root), places)
    random = Random(f"mutants/{seed}")
    shuffled = random.sample(sorted(places), len(places))
    mutants = (random.choice(places[place]) for place in shuffled)
    return list(islice((mutant for mutant in mutants if _compiles(root, mutant)), count))


def _compiles(root: Path, mutant: Mutant) -> bool:
    """What is no program proves nothing."""
    try:
        compile(mutant.code((root / mutant.path).read_text()), mutant.path, "exec")
    except SyntaxError:
        return False
    return True


def _collect(root: Path, path: Path, places: dict[Place, list[Mutant]]) -> None:
    source = (root / path).read_text()
    quiet = _Quiet(source)
    nodes = list(ast_nodes(get_ast(source)))
    for name in operator_names():
        operator_class = get_operator(name)
        if operator_class.arguments() or any(part in name for part in _OPERATORS_NOT_DRAWN):
            continue
        operator = operator_class()
        positions = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, (line, column) in enumerate(positions):
            if (line, column) not in quiet:
                places.setdefault((path, line, column), []).append(Mutant(path, name, occurrence, line))


class _Quiet:
    """Spans of source whose change no run can show: annotations, assertions, `__repr__`, what is for type checkers."""

    def __init__(self, source: str) -> None:
        self._spans: list[tuple[tuple[int, int], tuple[int, int]]] = []
        for node in ast.walk(ast.parse(source)):
            for part in _unseen(node):
                end = (part.end_lineno or part.lineno, part.end_col_offset or 0)
                self._spans.append(((part.lineno, part.col_offset), end))

    def __contains__(self, position: tuple[int, int]) -> bool:
        return any(start <= position < end for start, end in self._spans)


def _unseen(node: ast.AST) -> list[ast.stmt | ast.expr]:
    match node:
        case ast.Assert():
            return [node]
        case ast.AnnAssign():
            return [node.annotation]
        case ast.FunctionDef(name="__repr__"):
            return [node]
        case ast.FunctionDef(returns=returns, args=arguments):
            every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            found = [argument.annotation for argument in every if argument.annotation is not None]
            return [*found, *([returns] if returns is not None else [])]
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return [node]
        case ast.Assign(value=ast.BinOp(op=ast.BitOr()) as value):
            return [value]  # a name for a union of types
        case _:
            return []
