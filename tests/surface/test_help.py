"""What `help()` shows: docstrings of attributes are not in it, so a class tells of its fields in its own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_args

import pytest

import aiosctp
from aiosctp.events import Event

TOLD = (aiosctp.Config, aiosctp.AssociationStatus, aiosctp.AssociationStatistics, aiosctp.StackStatistics)
NAMED_TUPLES = (aiosctp.Message, aiosctp.Abandoned)


@pytest.mark.parametrize("kind", [*TOLD, *get_args(Event), *NAMED_TUPLES])
def test_every_field_is_explained_in_the_docstring_of_its_class(kind: Any) -> None:
    names = {field.name for field in fields(kind)} if is_dataclass(kind) else set(kind._fields)
    explained = set(re.findall(r"\b(\w+)(?=(?:, \w+)*: )", inspect.getdoc(kind) or ""))
    assert not names - explained


@pytest.mark.parametrize(
    ("call", "alias", "words"),
    [
        (aiosctp.serve, "Handler", "a coroutine function of one `Association`"),
        (aiosctp.serve, "Admission", "a plain function of the peer's `(host, port)`"),
        (aiosctp.Association.send, "Payload", "`bytes`, `bytearray` or `memoryview`"),
    ],
)
def test_the_names_of_types_in_signatures_are_explained(call: Callable[..., Any], alias: str, words: str) -> None:
    assert re.search(rf"\b{alias}\b", str(inspect.signature(call)))
    assert words in " ".join((inspect.getdoc(call) or "").split())
