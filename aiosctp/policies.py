"""How long a message is worth sending (RFC 3758, RFC 7496): what a call of `send` and the defaults come to."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

from aiosctp.arguments import check_range
from aiosctp.config import Config
from aiosctp.core.messages import Outgoing, Terms

MAX_LIFETIME_S = 10**9
MAX_RETRANSMITS = 65535
MAX_BUFFER_PRIORITY = 2**32 - 1
MAX_STREAM_VALUE = 65535
"""RFC 8260 §4.3.3: a priority or weight has 16 bits."""


class Policy(NamedTuple):
    """At most one is named. A lifetime without end is named too: it makes a message reliable whatever the default."""

    lifetime: float | None = None
    max_retransmits: int | None = None
    buffer_priority: int | None = None

    @property
    def is_named(self) -> bool:
        return self != NO_POLICY

    def terms(self, now: float, address: str | None) -> Terms | None:
        """Those of a message given to `send` now, for this address of the peer if one is named; they are its own."""
        lifetime, max_retransmits, buffer_priority = self
        expires_at_s = None if lifetime is None or lifetime == math.inf else now + lifetime
        if expires_at_s is None and max_retransmits is None and buffer_priority is None and address is None:
            return None
        return Terms(
            expires_at_s=expires_at_s,
            max_retransmits=max_retransmits,
            buffer_priority=buffer_priority,
            address=address,
        )


NO_POLICY = Policy()

NamedPolicy: TypeAlias = tuple[float | None, int | None, int | None]
"""A `Policy` as a call says it, not `checked` yet."""


def checked(lifetime: float | None, max_retransmits: int | None, buffer_priority: int | None) -> Policy:
    """What a program named. Raises TypeError or ValueError naming the argument."""
    policy = Policy(lifetime, max_retransmits, buffer_priority)
    if lifetime is not None:
        if isinstance(lifetime, bool) or not isinstance(lifetime, int | float):
            raise TypeError(f"lifetime must be a number of seconds or None, not {type(lifetime).__name__}")
        # The negated form refuses a NaN too.
        if not (0 < lifetime <= MAX_LIFETIME_S or lifetime == math.inf):
            raise ValueError(f"lifetime must be positive, and {MAX_LIFETIME_S} or math.inf at most, not {lifetime!r}")
    if max_retransmits is not None:
        check_range("max_retransmits", max_retransmits, 0, MAX_RETRANSMITS)
    if buffer_priority is not None:
        check_range("buffer_priority", buffer_priority, 0, MAX_BUFFER_PRIORITY)
    named = [name for name, value in policy._asdict().items() if value is not None]
    if len(named) > 1:
        raise ValueError(f"{' and '.join(named)} exclude each other: a message has one policy; leave the others None")
    return policy


def seconds_left(message: Outgoing, now: float) -> float | None:
    """Of its lifetime, if it has one."""
    terms = message[6]
    return None if terms is None or terms.expires_at_s is None else terms.expires_at_s - now


def expire(message: Outgoing, now: float) -> None:
    """Its lifetime has ended before there was room for it: queued all the same, it is the first thing that the engine
    abandons, and counts and reports as any other. The timer may have been early by the clock's resolution."""
    terms = message[6]
    assert terms is not None
    terms.expires_at_s = now


class Policies:
    """The defaults of an association and of its streams."""

    __slots__ = ("_by_stream", "_of_config")

    def __init__(self) -> None:
        self._of_config = NO_POLICY
        self._by_stream: dict[int, Policy] = {}
        """Of streams that were given one: at most as many as there are."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self._of_config.is_named or bool(self._by_stream)

    def configure(self, config: Config) -> None:
        self._of_config = Policy(config.lifetime_s, config.max_retransmits, config.buffer_priority)

    def configure_stream(self, stream: int, policy: Policy) -> None:
        self._by_stream[stream] = policy

    def of(self, stream: int) -> Policy:
        return self._by_stream.get(stream, self._of_config)
