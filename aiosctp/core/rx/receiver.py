"""What the association asks of the receiving side. A thin first version: in order, unfragmented."""

from __future__ import annotations

from collections import deque

from aiosctp.config import Config
from aiosctp.core.messages import Message
from aiosctp.core.paths import Path
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import Timers
from aiosctp.wire.causes import Cause, NoUserData
from aiosctp.wire.chunks import Data, encode_sack
from aiosctp.wire.serial import tsn_add


class Receiver:
    """The receiving side of one association.

    Inputs: `data_received` for each DATA chunk of a packet, then `packet_done` once, `handle_delay_expired`.
    Commands: `read`, `take_over`. Outputs: `sack_is_due`, `build_sack`. Getters: the rest.
    """

    def __init__(
        self,
        *,
        peer_initial_tsn: int,
        inbound_streams: int,
        config: Config,
        timers: Timers,
        counters: AssociationCounters,
    ) -> None:
        self.cumulative_tsn = tsn_add(peer_initial_tsn, -1)
        self.inbound_streams = inbound_streams
        self._config = config
        self._timers = timers
        self._counters = counters
        self.has_unacknowledged = False
        self._ready: deque[Message] = deque()
        self.sack_is_due = False
        self.sack_path: Path | None = None
        """Where the last DATA came from; a SACK goes there (§6.7)."""

    def data_received(self, chunk: Data, path: Path, now: float) -> Cause | None:
        """Take one DATA chunk. A cause returned is for an ERROR if Invalid Stream Identifier, else for an ABORT."""
        if not chunk.payload:
            return NoUserData(chunk.tsn)
        self.sack_path = path
        self.sack_is_due = True
        self.has_unacknowledged = True
        if chunk.tsn == tsn_add(self.cumulative_tsn, 1):
            self.cumulative_tsn = chunk.tsn
            self._ready.append(
                Message(
                    chunk.payload,
                    chunk.stream,
                    chunk.ppid,
                    chunk.unordered,
                    chunk.ssn,
                    chunk.tsn,
                    self.cumulative_tsn,
                )
            )
        return None

    def packet_done(self, now: float) -> None:
        """All chunks of a packet with DATA were taken: decide when to acknowledge (§6.2)."""

    def handle_delay_expired(self) -> None:
        """§6.2: SACK.Delay has passed."""
        self.sack_is_due = True

    def build_sack(self, room_bytes: int) -> bytes:
        """The SACK of this moment, with as many Gap Ack Blocks as fit (§6.2, §6.7); nothing is due afterwards."""
        self.sack_is_due = False
        self.has_unacknowledged = False
        self._counters.osacks += 1
        return encode_sack(self.cumulative_tsn, self._config.receive_window_bytes, (), ())

    @property
    def has_gap(self) -> bool:
        return False

    def configure(self, config: Config) -> None:
        self._config = config

    def inherit(self, predecessor: Receiver) -> None:
        """The peer began anew: what it had sent whole before stays readable."""
        self._ready = predecessor._ready

    def abort_partial_delivery(self) -> list[tuple[int, int]]:
        """Stream and SSN of each message of which a part was delivered and the rest will never come."""
        return []

    def read(self) -> Message | None:
        return self._ready.popleft() if self._ready else None
