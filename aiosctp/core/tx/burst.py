"""How many packets with new DATA one opportunity to send may emit (§6.1 D)."""

from __future__ import annotations


class BurstLimit:
    """Max.Burst packets, beyond as many bytes as were acknowledged since the last opportunity and as cwnd grew by that.

    SACKs may come coalesced, one for many packets: if Max.Burst alone were the limit, the peer's coalescing would set
    our rate. What was acknowledged has left the network, so sending as much again is no burst; and by as much as the
    SACK has raised cwnd (§7.2.1) slow start grows, once a round trip where one SACK comes of it. After idle time and in
    Fast Recovery nothing but Max.Burst counts.
    """

    __slots__ = ("_acked_bytes", "_packets", "is_open")

    def __init__(self) -> None:
        self._acked_bytes = 0
        self._packets = 0
        self.is_open: bool = False
        """Whether an opportunity has begun."""

    def acknowledged(self, acked_bytes: int) -> None:
        self._acked_bytes += acked_bytes

    def begin(self, max_burst: int, *, is_strict: bool) -> None:
        self.is_open = True
        self._packets = max_burst
        if is_strict:
            self._acked_bytes = 0

    def end(self) -> None:
        self.is_open = False
        self._acked_bytes = 0

    @property
    def allows_packet(self) -> bool:
        return self._acked_bytes > 0 or self._packets > 0

    def packets_of(self, data_bytes: int) -> int:
        """How many packets with so much data each it allows."""
        return self._beyond(data_bytes) + self._packets

    def packets_sent(self, count: int, data_bytes: int) -> None:
        """With so much data each, no more than `packets_of` allows."""
        if self._acked_bytes <= 0:
            self._packets -= count
            return
        beyond = min(count, self._beyond(data_bytes))
        self._acked_bytes -= beyond * data_bytes
        self._packets -= count - beyond

    def _beyond(self, data_bytes: int) -> int:
        """How many of them do not count for Max.Burst."""
        return -(-self._acked_bytes // data_bytes) if self._acked_bytes > 0 else 0
