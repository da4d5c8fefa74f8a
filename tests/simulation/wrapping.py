"""Wrapping the engine's methods for a while, from here: the engine knows nothing of its being watched."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Maker = Callable[[Any], Any]
"""Of what stands at a place, what is to stand there instead."""


def place_of(where: str) -> tuple[Any, str]:
    """The class or module, and the name in it, of `core.tx.sender:Sender.t3_expired`, which is below aiosctp.

    Raises AttributeError or ModuleNotFoundError when it is gone.
    """
    module_name, _, qualified = where.partition(":")
    owner: Any = importlib.import_module(f"aiosctp.{module_name}")
    *outer, name = qualified.split(".")
    for part in outer:
        owner = getattr(owner, part)
    if name not in vars(owner):
        raise AttributeError(f"{where}: there is no {name} any more")
    return owner, name


@contextmanager
def wrapped(wrappers: Iterable[tuple[str, Maker]]) -> Iterator[None]:
    """Put them on in order, each around what it finds; and take them off."""
    undo: list[tuple[Any, str, Any]] = []
    try:
        for where, make in wrappers:
            owner, name = place_of(where)
            original = vars(owner)[name]
            undo.append((owner, name, original))
            setattr(owner, name, make(original))
        yield
    finally:
        for owner, name, original in reversed(undo):
            setattr(owner, name, original)
