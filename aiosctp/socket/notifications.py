"""The notifications of the sockets API (RFC 6458 §6.1), and what they tell of."""

from __future__ import annotations

from typing import Any, TypeAlias

from aiosctp.events import Event

Notification: TypeAlias = Any


def translate(event: Event, association: object) -> list[Notification]:
    return []
