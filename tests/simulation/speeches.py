"""Every direction of every byte stream of a seed, and what its reader had of it: all its bytes in order and then EOF,
or an exception."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from aiosctp.core.association import AssociationEngine
from aiosctp.core.states import AssociationState
from aiosctp.core.tx import Sender
from aiosctp.exceptions import AssociationShutdown
from tests.simulation.judge import LawBroken

if TYPE_CHECKING:
    from tests.simulation.ledger import Ledger

LONGEST_SPEECH_BYTES = 1 << 16
HEADER_BYTES = 8
_POOL = Random("speeches").randbytes(1 << 20)


@dataclass(eq=False, slots=True)
class Speech:
    """What one program wrote on one byte stream from its opening on; it begins with its id."""

    id: int
    engine: AssociationEngine
    sender: Sender
    peer: AssociationEngine | None
    number: int
    written: int = 0
    is_over: bool = False
    """By write_eof or close."""
    is_cut: bool = False
    """By abort."""
    has_failed: bool = False
    """Its writer was told so."""
    reader: AssociationEngine | None = None
    read: int = 0
    eof_was_read: bool = False
    was_too_late: bool = False
    """The peer was shutting the association down already."""

    def end(self) -> None:
        """write_eof or close was called."""
        self.is_over = True
        self.was_too_late = self.peer is None or self.peer.state is not AssociationState.ESTABLISHED

    def text(self, start: int, stop: int) -> bytes:
        begin = self.id * 7919 % (len(_POOL) - LONGEST_SPEECH_BYTES)
        header = self.id.to_bytes(HEADER_BYTES)
        return (header + _POOL[begin + HEADER_BYTES : begin + max(stop, HEADER_BYTES)])[start:stop]

    def go_on(self, count: int) -> bytes:
        """So many bytes more are written."""
        self.written += count
        return self.text(self.written - count, self.written)


class Listening:
    """One reader of a byte stream."""

    def __init__(self, speeches: Speeches, engine: AssociationEngine, number: int, turn: int) -> None:
        self._speeches = speeches
        self._turn = turn
        """Of a later byte stream on this number it is higher."""
        self._engine = engine
        self._number = number
        self._begun = b""
        self.speech: Speech | None = None

    def heard(self, data: bytes) -> None:
        if self.speech is None:
            self._begun += data
            if len(self._begun) < HEADER_BYTES:
                return
            data = self._begun
            self.speech = self._speeches.found(
                self._engine, self._number, int.from_bytes(data[:HEADER_BYTES]), self._turn
            )
        speech = self.speech
        if speech.read + len(data) > speech.written:
            raise LawBroken(f"more was read of speech {speech.id} on stream {speech.number} than was written")
        if speech.text(speech.read, speech.read + len(data)) != data:
            raise LawBroken(f"other bytes were read of speech {speech.id} on stream {speech.number} than were written")
        speech.read += len(data)

    def eof(self) -> None:
        """The reader was told of the end, without an exception."""
        speech, ending = self.speech, self._engine.ending
        if speech is None:
            self.stopped()
            if self._begun:
                raise LawBroken(f"EOF on stream {self._number} within {len(self._begun)} bytes of a header")
            return
        speech.eof_was_read = True
        if speech.is_over or speech.is_cut or speech.has_failed:
            return
        if ending is None:
            raise LawBroken(f"EOF of speech {speech.id} on stream {speech.number}, which goes on")
        if not isinstance(ending, AssociationShutdown):
            raise LawBroken(f"a clean EOF for {ending!r}")

    def stopped(self) -> None:
        """The reader has stopped for another reason."""
        if self.speech is None:
            self._speeches.blind[self._engine, self._number] += 1


class Speeches:
    """All of one seed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_id: dict[int, Speech] = {}
        self._turns: dict[tuple[AssociationEngine, int], list[tuple[int, int]]] = {}
        """By reading association and stream: of each reader its turn, and whom it has heard."""
        self.blind: Counter[tuple[AssociationEngine, int]] = Counter()
        """Readers that have stopped before they knew whom they heard."""

    @property
    def read_bytes(self) -> int:
        return sum(speech.read for speech in self._by_id.values())

    def begin(self, engine: AssociationEngine, peer: AssociationEngine | None, number: int) -> Speech:
        speech = Speech(len(self._by_id) + 1, engine, engine.sender, peer, number)
        self._by_id[speech.id] = speech
        return speech

    def found(self, engine: AssociationEngine, number: int, speech_id: int, turn: int) -> Speech:
        speech = self._by_id.get(speech_id)
        if speech is None or speech.number != number:
            raise LawBroken(f"a byte stream begins in the midst, or on another stream, {number}: {speech}")
        if speech.reader is not None:
            raise LawBroken(f"speech {speech.id} on stream {number} has two readers")
        turns = self._turns.setdefault((engine, number), [])
        if any((other < turn) != (heard < speech_id) for other, heard in turns):
            raise LawBroken(f"speech {speech.id} on stream {number} came out of turn")
        turns.append((turn, speech_id))
        speech.reader = engine
        return speech

    def check_the_end(self, *, all_are_willing: bool) -> None:
        unheard: Counter[tuple[AssociationEngine, int]] = Counter()
        for speech in self._by_id.values():
            is_excused = speech.is_cut or speech.has_failed or not self._ledger.has_power(speech.engine)
            if speech.eof_was_read and speech.read < speech.written and not is_excused:
                assert speech.reader is not None
                if not self._ledger.is_discarding(speech.reader):
                    raise LawBroken(f"EOF after {speech.read} of the {speech.written} bytes of speech {speech.id}")
            if speech.written and speech.reader is None and not is_excused and self._had_to_be_heard(speech):
                assert speech.peer is not None
                unheard[speech.peer, speech.number] += 1
        for (engine, number), count in unheard.items():
            if all_are_willing and count > self.blind[engine, number]:
                raise LawBroken(f"{count} speeches on stream {number} were never heard, and nobody knows why")

    def _had_to_be_heard(self, speech: Speech) -> bool:
        """Whether nothing befell either side."""
        if speech.peer is None or speech.was_too_late or speech.engine.sender is not speech.sender:
            return False
        return all(
            isinstance(engine.ending, AssociationShutdown)
            and self._ledger.has_power(engine)
            and not self._ledger.is_discarding(engine)
            for engine in (speech.engine, speech.peer)
        )
