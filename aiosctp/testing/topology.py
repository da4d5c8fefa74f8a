"""Who has which address, and what lies between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from aiosctp.testing.link import MAX_MTU, Direction, Link

if TYPE_CHECKING:
    from aiosctp.testing.host import Host

T = TypeVar("T")
WITHIN_A_HOST = Link(delay_s=0.0, mtu=MAX_MTU)
"""From a host to itself, unless told otherwise."""
# Whoever forges addresses adds no state.
FORGED = ""


class Rules(Generic[T]):
    """What was said about pairs of places, in order: the last word counts. None stands for everybody."""

    def __init__(self) -> None:
        self._rules: dict[tuple[Host | str | None, Host | str | None], T] = {}

    def put(self, source: Host | str | None, destination: Host | str | None, value: T) -> None:
        key = (source, destination)
        self._rules.pop(key, None)
        self._rules[key] = value

    def clear(self) -> None:
        self._rules.clear()

    def find(self, source: tuple[Host | str | None, ...], destination: tuple[Host | str | None, ...]) -> T | None:
        """Of all that was said about any of these sources and destinations, the last."""
        for (one, other), value in reversed(self._rules.items()):
            if one in source and other in destination:
                return value
        return None


class Topology:
    """The addresses of all hosts, and a direction between every two that have spoken."""

    def __init__(self, seed: int, link: Link) -> None:
        self._seed = seed
        self._default_link = link
        self.owners: dict[str, Host] = {}
        self.links: Rules[Link] = Rules()
        self.cuts: Rules[bool] = Rules()
        self._directions: dict[tuple[str, str], Direction] = {}

    def claim(self, address: str, host: Host) -> None:
        self.owners[address] = host

    def release(self, address: str) -> None:
        del self.owners[address]
        self._directions = {pair: direction for pair, direction in self._directions.items() if address not in pair}

    def direction(self, source: str, destination: str) -> Direction:
        """From one address, which may be forged, to one that a host has."""
        found = self._directions.get((source, destination))
        if found is None:
            if source not in self.owners:
                source = FORGED
            pair = (source, destination)
            found = self._directions.get(pair)
            if found is None:
                seed = f"{self._seed}/link/{source}>{destination}"
                found = self._directions[pair] = Direction(seed, self._link_between(*pair))
                found.is_cut = self._is_cut_between(*pair)
        return found

    def clear_wires(self) -> None:
        """Begin anew, with empty queues and the chance of the beginning."""
        self._directions.clear()

    def apply(self) -> None:
        """The rules are others now."""
        for pair, direction in self._directions.items():
            direction.link = self._link_between(*pair)
            direction.is_cut = self._is_cut_between(*pair)

    def _places(self, address: str) -> tuple[Host | str | None, ...]:
        return (address, self.owners.get(address), None)

    def _link_between(self, source: str, destination: str) -> Link:
        found = self.links.find(self._places(source), self._places(destination))
        if found is not None:
            return found
        is_within = self.owners.get(source) is self.owners[destination]
        return WITHIN_A_HOST if is_within else self._default_link

    def _is_cut_between(self, source: str, destination: str) -> bool:
        return bool(self.cuts.find(self._places(source), self._places(destination)))
