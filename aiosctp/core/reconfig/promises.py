"""What the peer says it has performed for us, until its own request shows it (RFC 6525 §5.2.3, §5.2.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from aiosctp.core.reconfig.requests import AddIncoming, IncomingReset, Outcome, Piece
from aiosctp.core.timers import Timer
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
)

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.reconfig.asking import Sent


class _Promise(NamedTuple):
    sent: Sent
    until: float


class Promises:
    """Requests of ours that only a request of the peer's grants, and that it has answered with a response before.

    usrsctp does so, and sends its request when its data has been sent. One that never sends it must not keep who waits
    for it for ever: when a peer that answered nothing would have been given up (§8.1), it has failed.
    """

    __slots__ = ("_association", "_by_number", "_by_stream")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self._by_number: dict[int, _Promise] = {}
        """By the number of our request, in the order answered."""
        self._by_stream: dict[int, dict[IncomingReset, int]] = {}
        """Resets, and the numbers of their requests, by each stream that the peer has not reset yet."""

    def add(self, number: int, sent: Sent, now: float) -> None:
        """The peer has performed it, it says."""
        config = self._association.config
        until = now + (config.association_max_retrans + 1) * config.rto_max_s
        self._by_number[number] = _Promise(sent, until)
        for piece in sent.pieces:
            if isinstance(piece, IncomingReset):
                for stream in piece.awaited:
                    self._by_stream.setdefault(stream, {})[piece] = number
        if not self._association.timers.is_running(Timer.PROMISE):
            self._association.timers.start(Timer.PROMISE, until)

    # -- kept --

    def take_named(self, parameter: OutgoingSsnResetRequest) -> Sent | None:
        """The one to which this is the answer, by its number (A4)."""
        number = parameter.response_sequence_number
        promise = self._by_number.get(number)
        asked = None if promise is None else promise.sent.parameter
        if isinstance(asked, IncomingSsnResetRequest) and set(asked.streams) == set(parameter.streams):
            return self._remove(number)
        return None

    def take_wanted(self, parameter: AddOutgoingStreamsRequest) -> Sent | None:
        """The one for as many streams as the peer adds."""
        for number, (sent, _) in self._by_number.items():
            asked = sent.parameter
            if isinstance(asked, AddIncomingStreamsRequest) and asked.new_streams == parameter.new_streams:
                return self._remove(number)
        return None

    def streams_were_reset(self, streams: Sequence[int]) -> None:
        """By the peer: these, or all if none is listed."""
        for stream in streams or list(self._by_stream):
            for piece, number in self._by_stream.pop(stream, {}).items():
                piece.awaited.discard(stream)
                if not piece.awaited:
                    self._remove(number)
                    piece.request.part_ended(Outcome.DONE, is_told=True)

    # -- not kept --

    def timer_expired(self, now: float) -> None:
        for number, (_, until) in list(self._by_number.items()):
            if until > now:
                self._association.timers.start(Timer.PROMISE, until)
                return
            for piece in self._remove(number).pieces:
                assert isinstance(piece, IncomingReset | AddIncoming)
                piece.request.part_ended(Outcome.FAILED)

    def take_all(self) -> list[Piece]:
        """The association ends, or begins anew."""
        pieces = [piece for sent, _ in self._by_number.values() for piece in sent.pieces]
        self._by_number.clear()
        self._by_stream.clear()
        return pieces

    def _remove(self, number: int) -> Sent:
        sent = self._by_number.pop(number).sent
        for piece in sent.pieces:
            if isinstance(piece, IncomingReset):
                for stream in piece.awaited:
                    there = self._by_stream[stream]
                    del there[piece]
                    if not there:
                        del self._by_stream[stream]
        if not self._by_number:
            self._association.timers.stop(Timer.PROMISE)
        return sent
