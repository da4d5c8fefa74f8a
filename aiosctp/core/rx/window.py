"""What is held, and the window that is advertised for it (§6.2)."""

from __future__ import annotations

from typing import Final

# RFC 1122 §4.2.3.3: the window moves by at least min(half the buffer, one segment); so much is a segment here.
_SEGMENT_BYTES: Final = 1500

# What a gap-filling TSN may exceed the window by when nothing can be dropped for it: the largest chunk.
_OVERDRAFT_BYTES: Final = 0x1_0000


class ReceiveWindow:
    """a_rwnd: what the user has not read, waits for its turn or for its other fragments is charged to it."""

    __slots__ = (
        "_advertised_bytes",
        "_known_to_peer_bytes",
        "_most_held_for_update_bytes",
        "brink_bytes",
        "held_bytes",
        "least_step_bytes",
        "size_bytes",
        "update_at_bytes",
    )

    def __init__(self, size_bytes: int) -> None:
        self.held_bytes: int = 0
        self.update_at_bytes: int = 0
        """When no more than this is held, the peer is to be told (`wants_update`): kept, for it is asked of every
        message that is read."""
        self._advertised_bytes = size_bytes
        """What the last SACK said, at first INIT or INIT ACK (§6.2 A)."""
        self._known_to_peer_bytes = size_bytes
        """What is left of that by the peer's account, which loses what is charged."""
        self.resize(size_bytes)

    def resize(self, size_bytes: int) -> None:
        self.size_bytes: int = size_bytes
        self.least_step_bytes: int = min(size_bytes // 2, _SEGMENT_BYTES)
        self.brink_bytes: int = size_bytes - self.least_step_bytes
        """With more than this held, the window is nearly closed."""
        self._most_held_for_update_bytes = size_bytes - max(size_bytes // 4, self.least_step_bytes)
        """When the peer knows of no room at all."""
        self._reckon_update()

    @property
    def advertised_bytes(self) -> int:
        """What the peer was last told."""
        return self._advertised_bytes

    @property
    def free_bytes(self) -> int:
        """Negative when overdrawn."""
        return self.size_bytes - self.held_bytes

    @property
    def is_closed(self) -> bool:
        """Whether "the receiver's advertised window is 0": none is left, or too little to have advertised it."""
        free = self.size_bytes - self.held_bytes
        return free <= 0 or (self._advertised_bytes == 0 and free < self.least_step_bytes)

    @property
    def is_nearly_closed(self) -> bool:
        return self.held_bytes > self.brink_bytes

    @property
    def is_overdrawn(self) -> bool:
        return self.held_bytes >= self.size_bytes + _OVERDRAFT_BYTES

    def charge(self, charge_bytes: int) -> None:
        """§6.2 B: "decrement a_rwnd by the number of bytes received and buffered"."""
        self.held_bytes += charge_bytes
        known = self._known_to_peer_bytes - charge_bytes
        self._known_to_peer_bytes = known = known if known > 0 else 0
        if self._advertised_bytes:
            self.update_at_bytes = self._most_held_for_update_bytes - known

    def release(self, charge_bytes: int) -> None:
        """§6.2 C: "increment a_rwnd" by what has left our buffers."""
        self.held_bytes -= charge_bytes

    @property
    def wants_update(self) -> bool:
        """§6.2: "only if the window can be increased by at least a quarter of the receive buffer size", and by a step
        of RFC 1122, or `advertise` might leave the edge, and the update be wanted again after each message; from zero,
        as soon as the peer can send a packet."""
        return self.held_bytes <= self.update_at_bytes

    def _reckon_update(self) -> None:
        self.update_at_bytes = self._update_is_wanted_at()

    def _update_is_wanted_at(self) -> int:
        if not self._advertised_bytes:
            return self.brink_bytes
        return self._most_held_for_update_bytes - self._known_to_peer_bytes

    def check_invariants(self) -> None:
        assert 0 <= self._known_to_peer_bytes <= self._advertised_bytes
        assert self.update_at_bytes == self._update_is_wanted_at()

    def advertise(self) -> int:
        """The a_rwnd of a SACK sent now. RFC 1122 §4.2.3.3: the right edge of a window with less than a segment left
        stays until it can move by a segment."""
        free = max(0, self.size_bytes - self.held_bytes)
        known = self._known_to_peer_bytes
        step = self.least_step_bytes
        if known < step and 0 < free - known < step:
            free = known
        self._advertised_bytes = self._known_to_peer_bytes = free
        self._reckon_update()
        return free
