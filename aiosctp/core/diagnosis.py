"""What an ABORT says where the RFC gives it no cause."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.wire.causes import Cause, UnknownCause


def diagnosis(config: Config, words: bytes) -> tuple[Cause, ...]:
    """Causes for who looks at the wire. §3.3.7: an ABORT carries "zero or more" of them, and no code is for this one:
    the config names it."""
    return () if config.diagnostic_cause is None else (UnknownCause(config.diagnostic_cause, words),)
