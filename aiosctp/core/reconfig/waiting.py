"""What waits to be asked of the peer, and what of it goes next (RFC 6525 §3.1, §5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from aiosctp.core.reconfig.requests import (
    AddIncoming,
    AddOutgoing,
    IncomingReset,
    Outcome,
    OutgoingReset,
    Piece,
    Request,
    TsnReset,
)
from aiosctp.core.timers import Timer
from aiosctp.events import AssociationReset, StreamChange, StreamReset
from aiosctp.wire.packet import HEADER_BYTES
from aiosctp.wire.serial import tsn_add

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

_CHUNK_HEADER_BYTES: Final = 4
_OUTGOING_BYTES: Final = 16
_INCOMING_BYTES: Final = 8
# usrsctp lists no more itself, and denies an Outgoing SSN Reset Request with more than 248 streams.
_MOST_LISTED: Final = 200


class Waiting:
    """Requests of our user, in pieces that fit a chunk, and at most one for the peer's sake."""

    __slots__ = ("_association", "_pieces", "_wanted")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self._pieces: dict[Piece, None] = {}
        """In the order asked for."""
        self._wanted: OutgoingReset | AddOutgoing | None = None
        """What waits for the peer's sake. It goes first, and until it is gone nothing goes that only a request of the
        peer's would answer: neither side could send that any more."""

    def __bool__(self) -> bool:
        return bool(self._pieces or self._wanted)

    # -- what is asked for --

    def reset_outgoing(self, streams: Iterable[int]) -> Request:
        total = self._association.tcb.outbound_streams
        asked = sorted(set(streams))
        told: Sequence[int] = range(total) if len(asked) == total else tuple(asked)
        request = Request(lambda outcome: self._tell_reset((), told, outcome))
        for part in self._parts(asked, total, _OUTGOING_BYTES):
            piece = OutgoingReset(part, is_all=len(part) == total, request=request)
            request.add_part()
            piece.hold(self._association.sender.queue)
            self._pieces[piece] = None
        return request

    def reset_incoming(self, streams: Iterable[int]) -> Request:
        total = self._association.tcb.inbound_streams
        asked = sorted(set(streams))
        told: Sequence[int] = range(total) if len(asked) == total else tuple(asked)
        request = Request(lambda outcome: self._tell_reset(told, (), outcome))
        for part in self._parts(asked, total, _INCOMING_BYTES):
            request.add_part()
            self._pieces[IncomingReset(part, request, is_all=len(part) == total)] = None
        return request

    def _parts(self, streams: list[int], total: int, header_bytes: int) -> Iterator[list[int]]:
        """So many as one chunk can list; all at once, as these are not listed."""
        room = self._association.paths.amdcs - _CHUNK_HEADER_BYTES - header_bytes
        most = total if len(streams) == total else min(room // 2, _MOST_LISTED)
        return (streams[start : start + most] for start in range(0, len(streams), most))

    def reset_association(self, *, is_next: bool) -> Request:
        """`is_next`: nothing is in flight."""
        request = Request(self._tell_association_reset)
        request.add_part()
        piece = TsnReset(request)
        if is_next and not (self._pieces or self._association.timers.is_running(Timer.SSN_TSN_RESET)):
            self._suspend_for(piece)
        self._pieces[piece] = None
        return request

    def _suspend_for(self, piece: TsnReset) -> None:
        """C2: "suspending any new transmissions": its turn has come."""
        piece.suspends = True
        self._association.sender.queue.suspend()

    def add_outgoing(self, count: int) -> Request:
        request = Request(self.tell_streams)
        request.add_part()
        self._pieces[AddOutgoing(count, request)] = None
        return request

    def add_incoming(self, count: int) -> Request:
        request = Request(self.tell_streams)
        request.add_part()
        self._pieces[AddIncoming(count, request)] = None
        return request

    def wait_for(self, piece: OutgoingReset | AddOutgoing) -> None:
        """The peer wants it."""
        if isinstance(piece, OutgoingReset):
            piece.hold(self._association.sender.queue)
        self._wanted = piece
        self._association.timers.stop(Timer.CROSSED)

    @property
    def is_wanted(self) -> bool:
        """Whether something waits for the peer's sake."""
        return self._wanted is not None

    @property
    def is_suspending(self) -> bool:
        """Whether no new message may begin, so that the TSNs can be reset."""
        return any(isinstance(piece, TsnReset) and piece.suspends for piece in self._pieces)

    def outgoing_were_added(self, streams: range) -> None:
        """A reset of all streams lists none, and so is of these too."""
        for piece in (*self._pieces, self._wanted):
            if isinstance(piece, OutgoingReset) and piece.is_all:
                piece.include(streams, self._association.sender.queue)

    def incoming_were_reset(self, streams: Sequence[int]) -> None:
        """The peer has done it (none listed: of all): what we were still to ask of that kind, we need not."""
        for piece in [piece for piece in self._pieces if isinstance(piece, IncomingReset)]:
            if not streams or (not piece.is_all and set(piece.streams) <= set(streams)):
                del self._pieces[piece]
                piece.request.part_ended(Outcome.DONE, is_told=True)

    def add_again(self, piece: Piece) -> None:
        """The peer could not take it now."""
        self._pieces[piece] = None

    def take_all(self) -> list[Piece]:
        """Nothing of it will be asked."""
        pieces = list(self._pieces)
        self._pieces.clear()
        self._wanted = None
        return pieces

    # -- what goes next --

    def take_next(self, path: Path) -> list[Piece]:
        """What goes into the next chunk, which has this path; none when nothing is ready."""
        pieces = self._choose(path)
        for piece in pieces:
            self._pieces.pop(piece, None)
        return pieces

    def _choose(self, path: Path) -> list[Piece]:
        """The first that is ready, and what may go with it (§3.1)."""
        wanted = self._wanted
        if wanted is not None and self._is_ready(wanted):
            self._wanted = None
            return [wanted]
        first = next((piece for piece in self._pieces if self._is_ready(piece)), None)
        match first:
            case None:
                return []
            case TsnReset() as piece:
                # C2: "The sender has either no outstanding TSNs or considers all outstanding TSNs abandoned": the
                # former, so that nothing is lost.
                self._suspend_for(piece)
                return [first] if self._association.sender.is_silent else []
            case OutgoingReset() | IncomingReset():
                return self._choose_resets(path)
            case AddOutgoing() | AddIncoming():
                kind = AddIncoming if isinstance(first, AddOutgoing) else AddOutgoing
                second = next((each for each in self._pieces if isinstance(each, kind) and self._is_ready(each)), None)
                return [first] if second is None else [first, second]

    def _is_ready(self, piece: Piece) -> bool:
        if isinstance(piece, OutgoingReset):
            return piece.is_drained(self._association.sender.queue)
        timers = self._association.timers
        if isinstance(piece, IncomingReset | AddIncoming):
            return self._wanted is None and not timers.is_running(Timer.CROSSED)
        return not (isinstance(piece, TsnReset) and timers.is_running(Timer.SSN_TSN_RESET))

    def _choose_resets(self, path: Path) -> list[Piece]:
        """As many as one chunk lists, outgoing and incoming ones; all streams are alone of their direction.

        Incoming ones go one by one: one that meets a reset which the peer has begun by itself has its answer in that.
        """
        room = path.packet_bytes - HEADER_BYTES - _CHUNK_HEADER_BYTES
        chosen: list[Piece] = []
        counts = {OutgoingReset: 0, IncomingReset: 0}
        has_all: set[type[Piece]] = set()
        for piece in self._pieces:
            if not isinstance(piece, OutgoingReset | IncomingReset):
                continue
            kind = type(piece)
            if not self._is_ready(piece):
                continue
            header_bytes = 0 if counts[kind] else _OUTGOING_BYTES if kind is OutgoingReset else _INCOMING_BYTES
            size = header_bytes + 3 + (0 if piece.is_all else 2 * len(piece.streams))
            if isinstance(piece, IncomingReset) and counts[IncomingReset]:
                continue
            if kind in has_all or (piece.is_all and counts[kind]) or (chosen and size > room):
                continue
            if not piece.is_all and counts[kind] + len(piece.streams) > _MOST_LISTED:
                break
            if piece.is_all:
                has_all.add(kind)
            counts[kind] += len(piece.streams)
            chosen.append(piece)
            room -= size
            if room < _INCOMING_BYTES:
                break
        return chosen

    # -- events --

    def _tell_reset(self, incoming: Sequence[int], outgoing: Sequence[int], outcome: Outcome) -> None:
        denied, failed = outcome is Outcome.DENIED, outcome is Outcome.FAILED
        self._association.emit(StreamReset(incoming, outgoing, denied, failed))

    def tell_streams(self, outcome: Outcome) -> None:
        tcb = self._association.tcb
        denied, failed = outcome is Outcome.DENIED, outcome is Outcome.FAILED
        self._association.emit(StreamChange(tcb.inbound_streams, tcb.outbound_streams, denied, failed))

    def _tell_association_reset(self, outcome: Outcome) -> None:
        association = self._association
        remote_tsn = tsn_add(association.receiver.cumulative_tsn, 1)
        denied, failed = outcome is Outcome.DENIED, outcome is Outcome.FAILED
        association.emit(AssociationReset(association.sender.next_tsn, remote_tsn, denied, failed))
