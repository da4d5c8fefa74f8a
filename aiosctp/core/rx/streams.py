"""Whose turn it is: ordered and unordered delivery, stream by stream (§6.5, §6.6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiosctp.core.nothing import NO_DICT
from aiosctp.core.rx.reassembly import Run
from aiosctp.wire.serial import SSN_HALF, SSN_MASK, ssn_add, ssn_distance


@dataclass(slots=True, eq=False)
class _BusyStream:
    """A stream of which something waits, or is delivered in parts."""

    by_ssn: dict[int, Run] = field(default_factory=dict)
    """Complete ordered messages that came before their turn."""
    unordered: dict[int, Run] = field(default_factory=dict)
    """Complete unordered messages, by TSN, that wait for the end of a message that is delivered in parts."""
    partial: Run | None = None

    @property
    def is_idle(self) -> bool:
        return self.partial is None and not self.by_ssn and not self.unordered


class InboundStreams:
    """The order of delivery. One stream waiting never holds another up (§6.6).

    RFC 6458 §8.1.20: while a message of a stream is delivered in parts, "no other messages would be delivered" of that
    stream, unordered ones included, or its parts could not be told from them.
    """

    __slots__ = ("_busy", "expected_ssns")

    def __init__(self) -> None:
        self.expected_ssns: dict[int, int] = NO_DICT
        """By stream, the SSN whose turn it is; set by `expect`. §6.5: SSNs start from 0."""
        self._busy: dict[int, _BusyStream] = NO_DICT

    def expect(self, stream: int, ssn: int) -> None:
        """It is the turn of this SSN."""
        if self.expected_ssns is NO_DICT:
            self.expected_ssns = {}
        self.expected_ssns[stream] = ssn

    def take_turn(self, stream: int, ssn: int) -> bool:
        """Whether it is the turn of this SSN, which is then over."""
        if self.expected_ssns.get(stream, 0) != ssn:
            return False
        self.expect(stream, (ssn + 1) & SSN_MASK)
        return True

    def is_past(self, stream: int, ssn: int, tsns_ahead: int) -> bool:
        """Whether no new TSN can have this SSN, for its message has been delivered.

        SSNs wrap, and more than half of them may be on their way in tiny messages; but as many messages as lie between
        have TSNs of their own: one that is further ahead than those above the cumulative TSN is behind.
        """
        distance = ssn_distance(self.expected_ssns.get(stream, 0), ssn)
        return distance >= SSN_HALF and distance > tsns_ahead

    def completed(self, run: Run) -> list[Run] | None:
        """Which messages can be delivered now that this one is complete. None: its SSN is another message's."""
        busy = self._busy.get(run.stream)
        if run.unordered:
            if busy is not None and busy.partial is not None:
                busy.unordered[run.start] = run
                return []
            return [run]
        if busy is None:
            if self.take_turn(run.stream, run.ssn):
                return [run]
            busy = self._make_busy(run.stream)
        partial = busy.partial
        if run.ssn in busy.by_ssn or (partial is not None and not partial.unordered and partial.ssn == run.ssn):
            return None
        busy.by_ssn[run.ssn] = run
        return [] if partial is not None else self._release(run.stream, busy)

    def is_turn_of(self, run: Run) -> bool:
        return run.unordered or run.ssn == self.expected_ssns.get(run.stream, 0)

    def parts_begin(self, run: Run) -> None:
        run.is_partial = True
        (self._busy.get(run.stream) or self._make_busy(run.stream)).partial = run

    def _make_busy(self, stream: int) -> _BusyStream:
        if self._busy is NO_DICT:
            self._busy = {}
        busy = self._busy[stream] = _BusyStream()
        return busy

    def parts_ended(self, run: Run) -> list[Run]:
        """The last part was delivered: which messages can be now."""
        busy = self._busy[run.stream]
        busy.partial = None
        if not run.unordered:
            self.expect(run.stream, ssn_add(run.ssn, 1))
        return self._release(run.stream, busy)

    def _release(self, stream: int, busy: _BusyStream) -> list[Run]:
        ready = list(busy.unordered.values())
        busy.unordered.clear()
        ssn = self.expected_ssns.get(stream, 0)
        while (run := busy.by_ssn.pop(ssn, None)) is not None:
            ready.append(run)
            ssn = ssn_add(ssn, 1)
        self.expect(stream, ssn)
        if busy.is_idle:
            del self._busy[stream]
        return ready

    def withdraw(self, run: Run) -> None:
        """A complete message that waits is about to lose a chunk again (§6.2)."""
        busy = self._busy[run.stream]
        if run.unordered:
            del busy.unordered[run.start]
        else:
            del busy.by_ssn[run.ssn]
        if busy.is_idle:
            del self._busy[run.stream]

    # -- RFC 6525 --

    def begin_anew(self, stream: int) -> list[Run]:
        """E3: the next expected SSN is 0. Returns what can be delivered now: nothing, if the peer keeps to A1."""
        self.expected_ssns.pop(stream, None)
        busy = self._busy.get(stream)
        return [] if busy is None or busy.partial is not None else self._release(stream, busy)

    def known(self) -> list[int]:
        """The streams of which something came, or waits."""
        return list({**self.expected_ssns, **self._busy})

    def in_order(self) -> list[Run]:
        """What waits for messages that will not come, each stream in its order; it waits no more. Nothing of a stream
        whose message was delivered in parts that will not be the whole of it."""
        ready: list[Run] = []
        for stream, busy in list(self._busy.items()):
            if busy.partial is None:
                expected = self.expected_ssns.get(stream, 0)
                by_distance = {ssn_distance(expected, ssn): run for ssn, run in busy.by_ssn.items()}
                ready += (by_distance[distance] for distance in sorted(by_distance))
                del self._busy[stream]
        return ready

    def abandon(self) -> list[Run]:
        """Nothing more will come: the messages of which parts were delivered. What waits is forgotten."""
        partial = [busy.partial for busy in self._busy.values() if busy.partial is not None]
        self._busy.clear()
        return partial

    @property
    def waiting(self) -> int:
        """How many complete messages wait for their turn."""
        return sum(len(busy.by_ssn) + len(busy.unordered) for busy in self._busy.values())

    def check_invariants(self) -> None:
        for stream, busy in self._busy.items():
            assert not busy.is_idle
            expected = self.expected_ssns.get(stream, 0)
            for run in (*busy.by_ssn.values(), *busy.unordered.values()):
                assert run.is_complete, "only complete messages wait for their turn"
                assert run.stream == stream
                assert not run.is_partial
            assert busy.partial is None or busy.partial.is_partial
            assert busy.partial is not None or not busy.unordered
            assert busy.partial is not None or expected not in busy.by_ssn, "what can be delivered is"
