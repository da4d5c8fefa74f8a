"""How many SACKs the packets get that come in one batch (§6.2)."""

from __future__ import annotations

from typing import Final

# §6.2: "an acknowledgement SHOULD be generated for at least every second packet", also of those that come in one batch.
# A peer sends Max.Burst packets for a SACK (§6.1 D) and lets cwnd grow by one of them (§7.2.1): with one SACK a batch,
# its flights would never outgrow Max.Burst, and each SACK lost would cost it a T3-rtx. But every SACK costs both ends:
# past as many as let go a flight of MAX_SACKS_AT_ONCE * Max.Burst packets, the rest of a batch shares one.
MAX_SACKS_AT_ONCE: Final = 8
# What a peer sends for a SACK, as §16 recommends it; ours need not be the same.
_PEERS_MAX_BURST: Final = 4
# More than twice what a peer sends that lives by the number of our SACKs, and gets as many as there are.
_LARGE_BATCH_PACKETS: Final = 2 * (MAX_SACKS_AT_ONCE + 1) * _PEERS_MAX_BURST


class SackPace:
    """Learns whether the peer lives by the number of our SACKs, and spares them if not.

    A large batch is of a peer that sends by the bytes we acknowledge (as we do, `BurstLimit`), or by more packets for a
    SACK than is usual: the next one gets half as many SACKs, down to the one at its end, as long as batches stay large.
    Any other may be of a peer that we hold back (usrsctp sends Max.Burst packets a SACK, give or take how they fall
    into batches), or that has little to say, which costs little: twice as many. After a loss the peer may be in slow
    start: as many as in the beginning.
    """

    __slots__ = ("_early_sacks", "_most_early_sacks", "allows_another", "packets")

    def __init__(self) -> None:
        self.packets: int = 0
        """With DATA, in this batch."""
        self._early_sacks = 0
        self._most_early_sacks = MAX_SACKS_AT_ONCE
        self.allows_another: bool = True
        """Whether this batch gets another SACK besides the one at its end: asked for each packet."""

    def sack_was_early(self) -> None:
        self._early_sacks += 1
        self.allows_another = self._early_sacks < self._most_early_sacks

    def batch_ended(self, *, has_gap: bool) -> None:
        self._early_sacks = 0
        packets, self.packets = self.packets, 0
        most = self._most_early_sacks
        if has_gap:
            self._most_early_sacks = MAX_SACKS_AT_ONCE
        elif packets > _LARGE_BATCH_PACKETS:
            self._most_early_sacks = most // 2
        elif packets:
            self._most_early_sacks = min(2 * most or 1, MAX_SACKS_AT_ONCE)
        self.allows_another = self._most_early_sacks > 0
