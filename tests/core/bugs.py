"""Bugs put into one engine, to see what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def replace_method(monkeypatch: pytest.MonkeyPatch, part: object, name: str, method: Callable[..., object]) -> None:
    """Of this association, or part of one, alone: it has slots and so no attributes of its own."""
    whole = getattr(type(part), name)

    def chosen(self: object, *arguments: object, **keywords: object) -> object:
        return (method if self is part else whole)(self, *arguments, **keywords)

    monkeypatch.setattr(type(part), name, chosen)
