"""How long what programs send is worth sending (RFC 3758, RFC 7496): of single messages, of streams, of all."""

from __future__ import annotations

import math
from random import Random
from typing import Any, NamedTuple

from aiosctp import Config
from tests.simulation.character import LIFETIMES_S, PRIORITIES, RETRANSMITS


class Policy(NamedTuple):
    """What holds of one message: at most one is not None. All None: it is reliable."""

    lifetime_s: float | None = None
    max_retransmits: int | None = None
    buffer_priority: int | None = None

    def options(self) -> dict[str, Any]:
        """As `send` names them."""
        named = {
            "lifetime": self.lifetime_s,
            "max_retransmits": self.max_retransmits,
            "buffer_priority": self.buffer_priority,
        }
        return {name: value for name, value in named.items() if value is not None}


RELIABLE = Policy()


class Policies:
    """What one end says of its messages, and the defaults that it has set."""

    def __init__(self, random: Random, config: Config) -> None:
        self._random = random
        self._default = Policy(config.lifetime_s, config.max_retransmits, config.buffer_priority)
        self._by_stream: dict[int, Policy] = {}

    def draw_for_message(self, stream: int) -> tuple[Policy, dict[str, Any]]:
        """The policy that a message has, and how `send` is told."""
        kind = self._random.random()
        default = self._by_stream.get(stream, self._default)
        if kind < 0.4:
            return default, {}
        if kind < 0.5 or (kind < 0.7 and default is not RELIABLE):
            return RELIABLE, {"lifetime": math.inf}
        policy = self._draw()
        return policy, policy.options()

    def draw_for_stream(self, stream: int) -> dict[str, Any]:
        """For `configure_stream`."""
        if self._random.random() < 0.2:
            self._by_stream[stream] = RELIABLE
            return {"lifetime": math.inf}
        policy = self._by_stream[stream] = self._draw()
        return policy.options()

    def draw_for_all(self) -> dict[str, Any]:
        """For `configure`."""
        policy = self._default = RELIABLE if self._random.random() < 0.4 else self._draw()
        return policy._asdict()

    def _draw(self) -> Policy:
        choose = self._random.choice
        match self._random.randrange(3):
            case 0:
                return Policy(lifetime_s=choose(LIFETIMES_S))
            case 1:
                return Policy(max_retransmits=choose(RETRANSMITS))
            case _:
                return Policy(buffer_priority=choose(PRIORITIES))
