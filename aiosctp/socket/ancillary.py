"""Ancillary data: what goes with a message besides its bytes (RFC 6458 §5)."""

from __future__ import annotations

from typing import Any

AncillaryItem = tuple[int, int, Any]
"""Level, type, structure."""

ENOUGH_FOR_ALL = 1024
"""Holds every item that `recvmsg` gives."""
