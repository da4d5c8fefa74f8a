"""Which packets a link loses: at random, in bursts, or as a predicate says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from aiosctp.testing.packet import Packet

IsLost = Callable[[Packet], bool]
"""Whether this packet is lost: asked once about each that enters one direction of a link, in their order."""


class Loss(Protocol):
    """A model of loss. Write your own: it only has to begin.

    class EveryThird:
        def begin(self, random: Random) -> IsLost:
            number = itertools.count(1)
            return lambda packet: next(number) % 3 == 0
    """

    def begin(self, random: Random) -> IsLost:
        """A fresh state for one direction between two addresses: a function that tells of each packet, in their order,
        whether it is lost.

        All its chance MUST come from `random`."""


def check_probability(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a probability, not {type(value).__name__}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1, not {value}")


@dataclass(frozen=True, slots=True)
class RandomLoss:
    """Each packet is lost with this probability, whatever became of the others."""

    probability: float

    def __post_init__(self) -> None:
        check_probability("probability", self.probability)

    def begin(self, random: Random) -> IsLost:
        def is_lost(packet: Packet) -> bool:
            return random.random() < self.probability

        return is_lost


NO_LOSS = RandomLoss(0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstLoss:
    """Loss in bursts: the model of Gilbert and Elliott, a good state and a bad one.

    begins: the probability, per packet, that a burst begins with it. ends: that a burst has ended before it, so that
    a burst is 1 / ends packets long on average. in_burst, between: the probability of loss in either state.
    """

    begins: float
    ends: float
    in_burst: float = 1.0
    between: float = 0.0

    def __post_init__(self) -> None:
        for name in ("begins", "ends", "in_burst", "between"):
            check_probability(name, getattr(self, name))

    def begin(self, random: Random) -> IsLost:
        is_bad = False

        def is_lost(packet: Packet) -> bool:
            nonlocal is_bad
            is_bad = random.random() >= self.ends if is_bad else random.random() < self.begins
            return random.random() < (self.in_burst if is_bad else self.between)

        return is_lost


@dataclass(frozen=True, slots=True)
class LossWhere:
    """Packets are lost for which `predicate(packet)` is true: the third DATA chunk, whatever has a COOKIE ECHO, …"""

    predicate: Callable[[Packet], bool]

    def __post_init__(self) -> None:
        if not callable(self.predicate):
            raise TypeError(f"predicate must be a callable, not {type(self.predicate).__name__}")

    def begin(self, random: Random) -> IsLost:
        return self.predicate
