"""What holds of RE-CONFIG (RFC 6525), by an account of its own of what each side sends, hears and begins anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from aiosctp.core.association import AssociationEngine
from aiosctp.core.paths import Path
from aiosctp.core.reconfig import Reconfiguration
from aiosctp.core.reconfig.answering import Answering
from aiosctp.core.states import MAY_TRANSMIT_DATA
from aiosctp.core.timers import Timer
from aiosctp.core.tx import Sender
from aiosctp.wire.chunks import ReConfig
from aiosctp.wire.codepoints import ChunkType
from tests.simulation.data_laws import DataChunk
from tests.simulation.judge import Judge, LawBroken
from tests.simulation.wrapping import Maker

OUTGOING_RESET, INCOMING_RESET, TSN_RESET, RESPONSE, ADD_OUTGOING, ADD_INCOMING = range(13, 19)
DONE = (0, 1)
BAD_SEQUENCE_NUMBER, IN_PROGRESS = 5, 6
REMEMBERED = 64
"""Requests and answers of each side, for comparison with those that go again: a late copy of what the peer wanted is
answered by our own request as it was sent then (RFC 6525 §5.2.1)."""
ANSWERS_KEPT = 4
"""By the engine, at most."""
WIRE_MARKS = (
    "RE-CONFIG sent again",
    "RE-CONFIG came again",
    "RE-CONFIG crossed the peer's",
    "RE-CONFIG crossed the same of the peer's",
    "answered: in progress",
    "answered after all",
    "asked for by the peer's request",
    "restart under a RE-CONFIG",
    "end under a RE-CONFIG",
    "shutdown under a RE-CONFIG",
)
_PARAMETER = Struct("!HH")
_WORD = Struct("!L")


@dataclass(slots=True)
class Talk:
    """What one life of a sender asks of its peer and answers, and which SSN is next on each of its streams."""

    next_number: int
    in_flight: dict[int, bytes] = field(default_factory=dict)
    """Its own requests that are not answered, by number."""
    sent: dict[int, bytes] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    """By the peer's number, the last result given."""
    heard: dict[int, bytes] = field(default_factory=dict)
    ssns: dict[tuple[int, bool], int] = field(default_factory=dict)
    """By stream and U bit, the next, or the next MID."""
    last_tsns: dict[int, int] = field(default_factory=dict)
    """By stream, of the last chunk."""
    first_ssn: int | None = None
    """Of streams that nothing was sent on; None: where they begin is drawn, see `serials`."""


class ReconfigLaws:
    """Watches RE-CONFIG chunks and the DATA among them."""

    def __init__(self, judge: Judge, counters: Counter[str], *, ssns_wrap: bool) -> None:
        self._judge = judge
        self._counters = counters
        self._first_ssn = None if ssns_wrap else 0
        self._talks: dict[Sender, Talk] = {}
        self._performed: dict[Answering, set[int]] = {}

    def wrappers(self) -> list[tuple[str, Maker]]:
        return [
            ("core.reconfig:Reconfiguration.received", self._noting_arrivals),
            ("core.reconfig:Reconfiguration.fail", self._noting_failures),
            ("core.reconfig.answering:Answering._begin_incoming_anew", self._before_streams_begin_anew),
            ("core.tx.sender:Sender.begin_anew", self._before_all_begins_anew),
            ("core.association:AssociationEngine.shutdown", self._noting_shutdowns),
        ]

    def _talk(self, association: AssociationEngine) -> Talk:
        talk = self._talks.get(association.sender)
        if talk is None:
            talk = Talk(association.tcb.local_initial_tsn, first_ssn=self._first_ssn)
            self._talks[association.sender] = talk
        return talk

    # -- what goes out --

    def chunk_sent(self, association: AssociationEngine, value: bytes, next_tsn: int) -> None:
        """A RE-CONFIG chunk; and the TSN that the next new DATA chunk will have."""
        talk = self._talk(association)
        before = list(talk.in_flight)
        for kind, number, raw in _parameters(value):
            if kind == RESPONSE:
                self._answer_sent(talk, number, _word(raw, 8))
                continue
            if number == talk.next_number:
                if before:
                    raise LawBroken(f"request {number:#x} was sent while {before} is not answered (RFC 6525 §5.1.1)")
                talk.next_number = number + 1 & 0xFFFF_FFFF
                talk.in_flight[number] = raw
                _remember(talk.sent, number, raw)
                self._check_new(kind, raw, association, next_tsn)
            elif talk.sent.get(number) != raw:
                raise LawBroken(f"request {number:#x} is out of turn, or not the one that was sent before")
            else:
                self._counters["RE-CONFIG sent again"] += 1

    def _check_new(self, kind: int, raw: bytes, association: AssociationEngine, next_tsn: int) -> None:
        if kind == OUTGOING_RESET:
            last = _word(raw, 12)
            assert next_tsn - 1 - last & 0xFFFF_FFFF < 1 << 31, "a last TSN that was not sent (RFC 6525 §5.1.2 A3)"
            talk = self._talk(association)
            for stream in _listed(raw) or talk.last_tsns:
                behind = last - talk.last_tsns.get(stream, last) & 0xFFFF_FFFF
                assert behind < 1 << 31, f"data on stream {stream} lies behind the last TSN of before its reset"
        elif kind == TSN_RESET:
            assert not association.sender.outstanding, "a reset of the TSNs with data outstanding (RFC 6525 §5.1.4 C2)"

    def _answer_sent(self, talk: Talk, number: int, result: int) -> None:
        before = talk.answers.get(number)
        # One that comes late is of an old number by then.
        if before is not None and result != BAD_SEQUENCE_NUMBER and before not in (result, IN_PROGRESS):
            raise LawBroken(f"request {number:#x} was answered with {before}, and then with {result}")
        if result == IN_PROGRESS:
            self._counters["answered: in progress"] += before is None
        elif before == IN_PROGRESS:
            self._counters["answered after all"] += 1
        _remember(talk.answers, number, result)

    def new_data_sent(self, association: AssociationEngine, chunk: DataChunk) -> None:
        """A DATA or I-DATA chunk that was not sent before."""
        stream = chunk.stream
        talk = self._talk(association)
        talk.last_tsns[stream] = chunk.tsn
        for raw in talk.in_flight.values():
            kind = _kind(raw)
            listed = _listed(raw)
            if kind == TSN_RESET or (kind == OUTGOING_RESET and (not listed or stream in listed)):
                raise LawBroken(f"data was sent on stream {stream} while its reset is in flight (RFC 6525 §5.1)")
        if not chunk.begins or (chunk.unordered and chunk.kind == ChunkType.DATA):
            return
        # RFC 8260 §2.1: MIDs of ordered and of unordered messages are counted apart.
        key, number = (stream, chunk.unordered), chunk.number
        expected = talk.ssns.get(key, talk.first_ssn)
        if expected is not None and number != expected:
            raise LawBroken(f"SSN {number} was sent on stream {key}, and {expected} is the next (§6.5, RFC 6525 §5.2)")
        talk.ssns[key] = number + 1 & chunk.mask

    # -- what comes in --

    def _noting_arrivals(self, original: Any) -> Any:
        def received(reconfig: Reconfiguration, chunk: ReConfig, path: Path, now: float) -> None:
            association = reconfig._association
            talk = self._talk(association)
            for kind, number, raw in _parameters(chunk.value):
                if kind == RESPONSE:
                    if _word(raw, 8) != IN_PROGRESS:
                        self._answered(talk, association, number, _word(raw, 8))
                else:
                    self._request_came(talk, kind, number, raw)
            original(reconfig, chunk, path, now)

        return received

    def _answered(self, talk: Talk, association: AssociationEngine, number: int, result: int) -> None:
        if result == BAD_SEQUENCE_NUMBER and number in talk.in_flight:
            # One that the peer's request has answered never came there: its number is free again.
            talk.next_number = next(iter(talk.in_flight)) - 1 & 0xFFFF_FFFF
            talk.in_flight.clear()
            return
        raw = talk.in_flight.pop(number, None)
        if raw is not None and _kind(raw) == OUTGOING_RESET and result in DONE:
            streams = _listed(raw) or range(association.tcb.outbound_streams)
            talk.ssns.update({(stream, unordered): 0 for stream in streams for unordered in (False, True)})

    def _request_came(self, talk: Talk, kind: int, number: int, raw: bytes) -> None:
        if number in talk.heard:
            self._counters["RE-CONFIG came again"] += 1
            return
        _remember(talk.heard, number, raw)
        for ours, sent in list(talk.in_flight.items()):
            self._counters["RE-CONFIG crossed the peer's"] += 1
            self._counters["RE-CONFIG crossed the same of the peer's"] += _kind(sent) == kind
            is_reset = _kind(sent) == INCOMING_RESET and kind == OUTGOING_RESET and _word(raw, 8) == ours
            is_adding = _kind(sent) == ADD_INCOMING and kind == ADD_OUTGOING
            if (is_reset and set(_listed(raw)) == set(_listed(sent))) or (is_adding and raw[8:10] == sent[8:10]):
                # RFC 6525 §5.2.2 E1, §5.2.6: it is the answer.
                del talk.in_flight[ours]
                self._counters["asked for by the peer's request"] += 1

    # -- what begins anew --

    def _before_streams_begin_anew(self, original: Any) -> Any:
        def begin_incoming_anew(answering: Answering, request: Any, named: Any) -> Any:
            numbers = self._performed.setdefault(answering, set())
            number = request.request_sequence_number
            if number in numbers:
                self._judge.accuse(LawBroken(f"request {number:#x} was performed twice"))
            cumulative = answering._association.receiver.cumulative_tsn
            if cumulative - request.last_assigned_tsn & 0xFFFF_FFFF >= 1 << 31:
                self._judge.accuse(LawBroken("streams begin anew before all data of before has come (§5.2.2 E2)"))
            numbers.add(number)
            return original(answering, request, named)

        return begin_incoming_anew

    def _before_all_begins_anew(self, original: Any) -> Any:
        def begin_anew(sender: Sender, next_tsn: int) -> None:
            talk = self._talks.get(sender)
            if sender.outstanding:
                self._judge.accuse(LawBroken("TSNs begin anew, and what is outstanding is lost (RFC 6525 §5.2.4)"))
            if talk is not None:
                talk.ssns.clear()
                talk.last_tsns.clear()
                talk.first_ssn = 0
            original(sender, next_tsn)

        return begin_anew

    # -- in the midst of it --

    def _noting_failures(self, original: Any) -> Any:
        def fail(reconfig: Reconfiguration) -> None:
            asking, association = reconfig.asking, reconfig._association
            if asking._in_flight or asking.waiting:
                is_end = association.ending is not None
                self._counters["end under a RE-CONFIG" if is_end else "restart under a RE-CONFIG"] += 1
            original(reconfig)
            if asking._in_flight or asking.waiting:
                self._judge.accuse(LawBroken("requests that nobody will answer are left"))

        return fail

    def _noting_shutdowns(self, original: Any) -> Any:
        def shutdown(association: AssociationEngine, now: float) -> None:
            if association.reconfig is not None and association.reconfig.asking._in_flight:
                self._counters["shutdown under a RE-CONFIG"] += 1
            original(association, now)

        return shutdown


def check_reconfiguration(association: AssociationEngine) -> None:
    """What holds of the engine's own account after each flush."""
    held = association.sender.queue.held
    reconfig = association.reconfig
    if reconfig is None or association.ending is not None:
        assert held is None, "messages are held back, and nothing will release them"
        assert not association.timers.is_running(Timer.RECONFIG), "T-RECONFIG runs for nothing"
        return
    asking, answering = reconfig.asking, reconfig.answering
    runs = association.timers.is_running(Timer.RECONFIG)
    if association.state in MAY_TRANSMIT_DATA:
        assert runs == bool(asking._in_flight), f"T-RECONFIG: {runs}, in flight: {list(asking._in_flight)}"
    assert len(answering._answers) <= ANSWERS_KEPT, "answers are piling up"
    if held is not None:
        assert held.suspended is None or asking.is_suspending or answering.is_suspending, "suspended for nothing"
        pieces = {id(piece) for sent in asking._in_flight.values() for piece in sent.pieces}
        pieces |= {id(piece) for piece in asking.waiting}
        for number, line in held.lines.items():
            assert id(line.owner) in pieces, f"stream {number} is held back for nobody"
        held_bytes = sum(len(message[0]) for message in held)
        assert association.sender.queue.held_bytes == held_bytes, "the bytes held back don't add up"


def _parameters(value: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Of each its type, its first number, and all of it."""
    at = 0
    while at < len(value):
        kind, length = _PARAMETER.unpack_from(value, at)
        raw = value[at : at + length]
        yield kind, _word(raw, 4), raw
        at += length + 3 & ~3


def _kind(raw: bytes) -> int:
    return int.from_bytes(raw[:2])


def _word(raw: bytes, at: int) -> int:
    (word,) = _WORD.unpack_from(raw, at)
    return int(word)


def _listed(raw: bytes) -> list[int]:
    """The streams that a request names; none: all."""
    first = {OUTGOING_RESET: 16, INCOMING_RESET: 8}.get(_kind(raw), len(raw))
    return [int.from_bytes(raw[at : at + 2]) for at in range(first, len(raw), 2)]


def _remember(table: dict[int, Any], number: int, what: Any) -> None:
    table[number] = what
    while len(table) > REMEMBERED:
        del table[next(iter(table))]
