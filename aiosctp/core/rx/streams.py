"""Whose turn it is: ordered and unordered delivery, stream by stream (§6.5, §6.6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiosctp.core.nothing import NO_DICT
from aiosctp.core.rx.run import Run
from aiosctp.wire.serial import SSN_MASK


@dataclass(slots=True, eq=False)
class _BusyStream:
    """A stream of which something waits, or is delivered in parts."""

    by_ssn: dict[int, Run] = field(default_factory=dict)
    """Complete ordered messages that came before their turn."""
    due: dict[Run, None] = field(default_factory=dict)
    """Complete messages, unordered ones or those whose turn it is, that wait only for the end of a message that is
    delivered in parts."""
    partial: Run | None = None

    @property
    def is_idle(self) -> bool:
        return self.partial is None and not self.by_ssn and not self.due


class InboundStreams:
    """The order of delivery. One stream waiting never holds another up (§6.6).

    RFC 6458 §8.1.20: while a message of a stream is delivered in parts, "no other messages would be delivered" of that
    stream, unordered ones included, or its parts could not be told from them.

    With I-DATA each SSN spoken of is a MID.
    """

    __slots__ = ("_busy", "_mask", "expected_ssns")

    def __init__(self, number_mask: int = SSN_MASK) -> None:
        self._mask = number_mask
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
        self.expect(stream, (ssn + 1) & self._mask)
        return True

    def is_past(self, stream: int, ssn: int, tsns_ahead: int) -> bool:
        """Whether no new TSN can have this SSN, for its message has been delivered.

        SSNs wrap, and more than half of them may be on their way in tiny messages; but as many messages as lie between
        have TSNs of their own: one that is further ahead than those above the cumulative TSN is behind.
        """
        mask = self._mask
        distance = (ssn - self.expected_ssns.get(stream, 0)) & mask
        return distance > mask >> 1 and distance > tsns_ahead

    def is_after(self, ssn: int, other: int) -> bool:
        """Whether the other SSN is after this one."""
        return 0 < (other - ssn) & self._mask <= self._mask >> 1

    def completed(self, run: Run) -> list[Run] | None:
        """Which messages can be delivered now that this one is complete. None: its SSN is another message's."""
        busy = self._busy.get(run.stream)
        if run.unordered:
            if busy is not None and busy.partial is not None:
                busy.due[run] = None
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

    def next_number(self, stream: int) -> int:
        """The SSN that the peer gives the next message, if all it has begun before has come. Linear in what waits."""
        ssn, busy = self.expected_ssns.get(stream, 0), self._busy.get(stream)
        while busy is not None and ssn in busy.by_ssn:
            ssn = (ssn + 1) & self._mask
        return ssn

    def is_turn_of(self, run: Run) -> bool:
        return run.unordered or run.ssn == self.expected_ssns.get(run.stream, 0)

    def may_begin_parts(self, run: Run) -> bool:
        """Whether it is its turn, and no other message of its stream is delivered in parts."""
        busy = self._busy.get(run.stream)
        return (busy is None or busy.partial is None) and self.is_turn_of(run)

    def parts_begin(self, run: Run) -> None:
        run.is_partial = True
        (self._busy.get(run.stream) or self._make_busy(run.stream)).partial = run

    def _make_busy(self, stream: int) -> _BusyStream:
        if self._busy is NO_DICT:
            self._busy = {}
        busy = self._busy[stream] = _BusyStream()
        return busy

    def parts_ended(self, run: Run) -> list[Run]:
        """The last part was delivered, or will not be: which messages can be now."""
        busy = self._busy[run.stream]
        busy.partial = None
        if not run.unordered and run.ssn == self.expected_ssns.get(run.stream, 0):
            self.expect(run.stream, (run.ssn + 1) & self._mask)
        return self._release(run.stream, busy)

    def _release(self, stream: int, busy: _BusyStream) -> list[Run]:
        ready = list(busy.due)
        busy.due.clear()
        ssn = self.expected_ssns.get(stream, 0)
        while (run := busy.by_ssn.pop(ssn, None)) is not None:
            ready.append(run)
            ssn = (ssn + 1) & self._mask
        self.expect(stream, ssn)
        if busy.is_idle:
            del self._busy[stream]
        return ready

    def withdraw(self, run: Run) -> None:
        """A complete message that waits is about to lose a chunk again (§6.2)."""
        busy = self._busy[run.stream]
        if run in busy.due:
            del busy.due[run]
        else:
            del busy.by_ssn[run.ssn]
        if busy.is_idle:
            del self._busy[run.stream]

    # -- RFC 3758 §3.6 --

    def skip_to(self, stream: int, ssn: int, tsns_ahead: int) -> list[Run]:
        """No message up to this SSN will come that has not. Returns what can be delivered now, in order: "make
        available for delivery stream sequence numbers earlier than or equal to" it, and those that follow."""
        if self.is_past(stream, ssn, tsns_ahead):
            return []
        expected = self.expected_ssns.get(stream, 0)
        self.expect(stream, (ssn + 1) & self._mask)
        busy = self._busy.get(stream)
        if busy is None:
            return []
        steps = (ssn - expected) & self._mask
        by_distance = {(each - expected) & self._mask: each for each in busy.by_ssn}
        for distance in sorted(by_distance):
            if distance > steps:
                break
            busy.due[busy.by_ssn.pop(by_distance[distance])] = None
        return [] if busy.partial is not None else self._release(stream, busy)

    # -- RFC 6525 --

    def begin_anew(self, stream: int) -> list[Run]:
        """E3: the next expected SSN is 0. Returns what can be delivered now: nothing, if the peer keeps to A1."""
        self.expected_ssns.pop(stream, None)
        busy = self._busy.get(stream)
        return [] if busy is None or busy.partial is not None else self._release(stream, busy)

    def settle(self, stream: int, first_tsn: int) -> list[Run]:
        """Each TSN before this one has come or was skipped. Returns what waited and can be delivered now, in order."""
        busy = self._busy.get(stream)
        expected = self.expected_ssns.get(stream, 0)
        waiting = {} if busy is None else {ssn: run for ssn, run in busy.by_ssn.items() if run.first < first_tsn}
        if busy is None or not waiting:
            return []
        for ssn in sorted(waiting, key=lambda ssn: (ssn - expected) & self._mask):
            busy.due[busy.by_ssn.pop(ssn)] = None
            self.expect(stream, (ssn + 1) & self._mask)
        return [] if busy.partial is not None else self._release(stream, busy)

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
                by_distance = {(ssn - expected) & self._mask: run for ssn, run in busy.by_ssn.items()}
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
        return sum(len(busy.by_ssn) + len(busy.due) for busy in self._busy.values())

    def check_invariants(self) -> None:
        for stream, busy in self._busy.items():
            assert not busy.is_idle
            expected = self.expected_ssns.get(stream, 0)
            for run in (*busy.by_ssn.values(), *busy.due):
                assert run.is_complete, "only complete messages wait for their turn"
                assert run.stream == stream
                assert not run.is_partial
            assert busy.partial is None or busy.partial.is_partial
            assert busy.partial is not None or not busy.due
            assert busy.partial is not None or expected not in busy.by_ssn, "what can be delivered is"
