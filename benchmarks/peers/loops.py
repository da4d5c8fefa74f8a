"""The event loops that the Python peers run on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, None], *, loop: str) -> None:
    """Run a coroutine to its end: "asyncio" is the standard library's own loop, "uvloop" that one."""
    if loop == "uvloop":
        import uvloop

        uvloop.run(main)
    else:
        asyncio.run(main)
