"""Bugs put into one engine, to see what becomes of the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.core.association import AssociationEngine


def replace_method(
    monkeypatch: pytest.MonkeyPatch, association: AssociationEngine, name: str, method: Callable[..., object]
) -> None:
    """Of this association alone, which has slots and so no attributes of its own."""
    whole = getattr(AssociationEngine, name)

    def chosen(self: AssociationEngine, *arguments: object, **keywords: object) -> object:
        return (method if self is association else whole)(self, *arguments, **keywords)

    monkeypatch.setattr(AssociationEngine, name, chosen)
