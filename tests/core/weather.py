"""The pair on a bad network: loss in bursts or alone, repeats, reordering, corruption, addresses that go dark."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from aiosctp.core.datagram import Datagram
from tests.core.pair import Flight, Host, Pair

IP_AND_UDP_BYTES = 28


@dataclass(frozen=True)
class Weather:
    """What befalls a packet. Probabilities are per packet; the default is a network that heals."""

    loss: float = 0.0
    burst: float = 0.0
    """A burst begins, and loses the next few packets whatever they are."""
    repeat: float = 0.0
    corruption: float = 0.0
    jitter_s: float = 0.0
    """Up to so much more on the way, so that packets overtake each other."""
    dark: frozenset[str] = frozenset()
    """Addresses from and to which nothing gets through."""


CLEAR = Weather()
LONGEST_BURST = 12


class WeatheredPair(Pair):
    """`weather` may be changed at any time. No packet larger than `path_mtu` is let pass unless IP may fragment it."""

    path_mtu = 1500
    weather = CLEAR
    _burst_left = 0

    def _send(self, host: Host, datagram: Datagram) -> None:
        size = len(datagram.data) + IP_AND_UDP_BYTES
        assert size <= self.path_mtu or not datagram.dont_fragment, f"a packet of {size} bytes may not be fragmented"
        if self._is_lost(host, datagram):
            return
        for _ in range(1 + (self.random.random() < self.weather.repeat)):
            delay_s = self.latency_s + self.random.random() * self.weather.jitter_s
            flight = Flight(host, self._corrupted(datagram), self.now)
            heapq.heappush(self._wire, (self.now + delay_s, next(self._order), flight))

    def _is_lost(self, host: Host, datagram: Datagram) -> bool:
        if {datagram.source, datagram.destination} & self.weather.dark:
            return True
        if self._burst_left:
            self._burst_left -= 1
            return True
        if self.random.random() < self.weather.burst:
            self._burst_left = self.random.randrange(LONGEST_BURST)
        return self.random.random() < self.weather.loss

    def _corrupted(self, datagram: Datagram) -> Datagram:
        if self.random.random() >= self.weather.corruption:
            return datagram
        data = bytearray(datagram.data)
        data[self.random.randrange(len(data))] ^= self.random.randint(1, 255)
        return datagram._replace(data=bytes(data))
