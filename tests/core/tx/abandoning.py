"""A sender with messages that are not reliable, and a peer that knows FORWARD TSN, or does not."""

from __future__ import annotations

from aiosctp.config import Config
from aiosctp.core.extensions import Negotiated
from aiosctp.core.messages import Outgoing, OutgoingMessage, Terms
from aiosctp.core.paths import Path
from aiosctp.core.timers import Timer
from aiosctp.wire.causes import Cause
from aiosctp.wire.chunks import ForwardTsn, IForwardTsn, NrSack, decode_chunks
from aiosctp.wire.packet import encode_packet
from tests.core.tx.bench import FIRST_TSN, WINDOW, Bench, Packet, tsn


class AbandoningBench(Bench):
    def __init__(
        self,
        *,
        config: Config | None = None,
        paths: int = 1,
        rwnd: int = WINDOW,
        established: bool = True,
        pr: bool = True,
        idata: bool = False,
    ) -> None:
        super().__init__(config=config, paths=paths, rwnd=rwnd, established=established)
        self.sender.speak(Negotiated(partial_reliability=pr, interleaving=idata))
        self.path_of_forward: Path | None = None
        self._number = 0

    def give(
        self,
        size: int = 100,
        *,
        stream: int = 0,
        unordered: bool = False,
        lifetime: float | None = None,
        retransmits: int | None = None,
        priority: int | None = None,
    ) -> int:
        """One message, and what it will be called in `failed`."""
        expires_at_s = None if lifetime is None else self.now + lifetime
        terms = Terms(expires_at_s=expires_at_s, max_retransmits=retransmits, buffer_priority=priority)
        self._number += 1
        message = OutgoingMessage(bytes(size), stream, unordered=unordered, context=self._number, terms=terms)
        self.sender.queue.append(message)
        return self._number

    def failed(self) -> list[tuple[int, bool]]:
        """Which were abandoned since, and whether any of each was sent."""
        self.sender.check_invariants()
        return [(context(message), was_sent) for message, was_sent in self.sender.take_abandoned()]

    def forward(self) -> tuple[int, list[tuple[int, ...]]] | None:
        """The FORWARD TSN that goes now: its New Cumulative TSN, counted from 0, and what it names."""
        taken = self.sender.take_forward_tsn(self.now)
        self.sender.check_invariants()
        if taken is None:
            return None
        self.path_of_forward, encoded = taken
        (chunk,) = decode_chunks(encode_packet(1, 2, 3, [encoded]))
        assert isinstance(chunk, ForwardTsn | IForwardTsn)
        number = (chunk.new_cumulative_tsn - FIRST_TSN) & 0xFFFF_FFFF
        return (-1 if number == 0xFFFF_FFFF else number), [tuple(each) for each in chunk.skipped]

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def lifetime_deadline(self) -> float | None:
        return self.timers.deadline(Timer.LIFETIME)

    def lose(self) -> list[Packet]:
        """T3 expires; what goes again."""
        self.expire()
        return self.flush()

    def nr_sack(
        self, cumulative: int, *gaps: tuple[int, int], final: tuple[tuple[int, int], ...] = (), rwnd: int | None = None
    ) -> Cause | None:
        """Numbers are counted from 0."""

        def blocks(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
            return tuple((first - cumulative, last - cumulative) for first, last in ranges)

        chunk = NrSack(tsn(cumulative), self.rwnd if rwnd is None else rwnd, blocks(gaps), blocks(final))
        cause = self.sender.nr_sack_received(chunk, self.now)
        self.sender.check_invariants()
        return cause


def context(message: Outgoing) -> int:
    return message[4]
