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
        "brink_bytes",
        "held_bytes",
        "least_step_bytes",
        "size_bytes",
    )

    def __init__(self, size_bytes: int) -> None:
        self.held_bytes = 0
        self._advertised_bytes = size_bytes
        """What the last SACK said, at first INIT or INIT ACK (§6.2 A)."""
        self._known_to_peer_bytes = size_bytes
        """What is left of that by the peer's account, which loses what is charged."""
        self.resize(size_bytes)

    def resize(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.least_step_bytes = min(size_bytes // 2, _SEGMENT_BYTES)
        self.brink_bytes = size_bytes - self.least_step_bytes
        """With more than this held, the window is nearly closed."""

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
        self._known_to_peer_bytes = known if known > 0 else 0

    def release(self, charge_bytes: int) -> None:
        """§6.2 C: "increment a_rwnd" by what has left our buffers."""
        self.held_bytes -= charge_bytes

    @property
    def wants_update(self) -> bool:
        """§6.2: "only if the window can be increased by at least a quarter of the receive buffer size"; from zero, as
        soon as the peer can send a packet. Never where `advertise` would leave the edge: the update would be wanted
        again after each."""
        known = self._known_to_peer_bytes
        gain = self.size_bytes - self.held_bytes - known
        if self._advertised_bytes == 0:
            return self.held_bytes <= self.brink_bytes
        if gain < self.size_bytes // 4:
            return False
        return known >= self.least_step_bytes or gain >= self.least_step_bytes

    def advertise(self) -> int:
        """The a_rwnd of a SACK sent now. RFC 1122 §4.2.3.3: the right edge of a window with less than a segment left
        stays until it can move by a segment."""
        free = max(0, self.size_bytes - self.held_bytes)
        known = self._known_to_peer_bytes
        step = self.least_step_bytes
        if known < step and 0 < free - known < step:
            free = known
        self._advertised_bytes = self._known_to_peer_bytes = free
        return free
