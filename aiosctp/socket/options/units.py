"""The RFC's units and ours. In most of its fields 0 leaves a value as it is."""

from __future__ import annotations

from typing import Any


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def seconds(milliseconds: int) -> float:
    return milliseconds / 1000


def given(**values: Any) -> dict[str, Any]:
    """Those of the values that are to change something: 0 is not."""
    return {name: value for name, value in values.items() if value}
