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

    __slots__ = (
        "_asked",
        "_association",
        "_incoming",
        "_incoming_from",
        "_pieces",
        "_suspending",
        "_wanted",
        "outgoing_to_come",
    )

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self._asked = 0
        """How many there have been."""
        self._pieces: dict[Piece, int] = {}
        """All but the next, in the order asked for, which is their number."""
        self._incoming: dict[IncomingReset, int] = {}
        """Likewise. Of these goes one at a time: there may be as many as streams, and nobody looks at all for each."""
        self._incoming_from: dict[int, dict[IncomingReset, None]] = {}
        """By the lowest of their streams."""
        self._suspending: TsnReset | None = None
        """The one whose turn has come."""
        self.outgoing_to_come: int = 0
        """Outgoing streams asked of the peer, or to be asked, that it has not answered for."""
        self._wanted: OutgoingReset | AddOutgoing | None = None
        """What waits for the peer's sake. It goes first, and until it is gone nothing goes that only a request of the
        peer's would answer: neither side could send that any more."""

    def __bool__(self) -> bool:
        return bool(self._pieces or self._incoming or self._wanted)

    def __iter__(self) -> Iterator[Piece]:
        yield from self._pieces
        yield from self._incoming
        if self._wanted is not None:
            yield self._wanted

    def _add(self, piece: Piece) -> None:
        self._asked += 1
        if isinstance(piece, IncomingReset):
            self._incoming[piece] = self._asked
            self._incoming_from.setdefault(piece.streams[0], {})[piece] = None
        else:
            self._pieces[piece] = self._asked

    def _remove(self, piece: Piece) -> None:
        """If it is not what was wanted."""
        if isinstance(piece, IncomingReset):
            del self._incoming[piece]
            there = self._incoming_from[piece.streams[0]]
            del there[piece]
            if not there:
                del self._incoming_from[piece.streams[0]]
        else:
            self._pieces.pop(piece, None)
            if piece is self._suspending:
                self._suspending = None

    # -- what is asked for --

    def reset_outgoing(self, streams: Iterable[int]) -> Request:
        total = self._association.tcb.outbound_streams
        asked = sorted(set(streams))
        told: Sequence[int] = range(total) if len(asked) == total else tuple(asked)
        request = Request(lambda outcome: self._tell_reset((), told, outcome))
        # The peer would take those that are added meanwhile for some of all, and we have not held them back.
        parts = self._parts(asked, 0 if self.outgoing_to_come else total, _OUTGOING_BYTES)
        for part in parts:
            piece = OutgoingReset(part, is_all=len(part) == total and not self.outgoing_to_come, request=request)
            request.add_part()
            piece.hold(self._association.sender.queue)
            self._add(piece)
        return request

    def reset_incoming(self, streams: Iterable[int]) -> Request:
        total = self._association.tcb.inbound_streams
        asked = sorted(set(streams))
        told: Sequence[int] = range(total) if len(asked) == total else tuple(asked)
        request = Request(lambda outcome: self._tell_reset(told, (), outcome))
        for part in self._parts(asked, total, _INCOMING_BYTES):
            request.add_part()
            self._add(IncomingReset(part, request, is_all=len(part) == total))
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
        if is_next and not (self or self._association.timers.is_running(Timer.SSN_TSN_RESET)):
            self._suspend_for(piece)
        self._add(piece)
        return request

    def _suspend_for(self, piece: TsnReset) -> None:
        """C2: "suspending any new transmissions": its turn has come."""
        self._suspending = piece
        self._association.sender.queue.suspend()

    def add_outgoing(self, count: int) -> Request:
        request = Request(self.tell_streams)
        request.add_part()
        self.outgoing_to_come += count
        self._add(AddOutgoing(count, request))
        return request

    def add_incoming(self, count: int) -> Request:
        request = Request(self.tell_streams)
        request.add_part()
        self._add(AddIncoming(count, request))
        return request

    def wait_for(self, piece: OutgoingReset | AddOutgoing) -> None:
        """The peer wants it."""
        if isinstance(piece, OutgoingReset):
            piece.hold(self._association.sender.queue)
        else:
            self.outgoing_to_come += piece.count
        self._wanted = piece
        self._association.timers.stop(Timer.CROSSED)

    @property
    def is_wanted(self) -> bool:
        """Whether something waits for the peer's sake."""
        return self._wanted is not None

    @property
    def is_suspending(self) -> bool:
        """Whether no new message may begin, so that the TSNs can be reset."""
        return self._suspending is not None

    def incoming_were_reset(self, streams: Sequence[int]) -> None:
        """The peer has done it (none listed: of all): what we were still to ask of that kind, we need not."""
        listed = set(streams)
        if streams:
            found = [piece for stream in listed for piece in self._incoming_from.get(stream, ())]
        else:
            found = list(self._incoming)
        for piece in found:
            if not streams or (not piece.is_all and listed.issuperset(piece.streams)):
                self._remove(piece)
                piece.request.part_ended(Outcome.DONE, is_told=True)

    def add_again(self, piece: Piece) -> None:
        """The peer could not take it now."""
        self._add(piece)

    def take_all(self) -> list[Piece]:
        """Nothing of it will be asked."""
        pieces = [*self._pieces, *self._incoming]
        self._pieces.clear()
        self._incoming.clear()
        self._incoming_from.clear()
        self._suspending = self._wanted = None
        return pieces

    # -- what goes next --

    def take_next(self, path: Path) -> list[Piece]:
        """What goes into the next chunk, which has this path; none when nothing is ready."""
        pieces = self._choose(path)
        for piece in pieces:
            self._remove(piece)
        return pieces

    def _choose(self, path: Path) -> list[Piece]:
        """The first that is ready, and what may go with it (§3.1)."""
        wanted = self._wanted
        if wanted is not None and self._is_ready(wanted):
            self._wanted = None
            return [wanted]
        first: Piece | None = next((piece for piece in self._pieces if self._is_ready(piece)), None)
        incoming = self._next_incoming()
        if incoming is not None and (first is None or self._incoming[incoming] < self._pieces[first]):
            first = incoming
        match first:
            case None:
                return []
            case TsnReset() as piece:
                # C2: "The sender has either no outstanding TSNs or considers all outstanding TSNs abandoned": the
                # former, so that nothing is lost.
                self._suspend_for(piece)
                return [first] if self._association.sender.is_silent else []
            case OutgoingReset() | IncomingReset():
                return self._choose_resets(path, incoming, is_first=first is incoming)
            case AddOutgoing() | AddIncoming():
                kind = AddIncoming if isinstance(first, AddOutgoing) else AddOutgoing
                second = next((each for each in self._pieces if isinstance(each, kind) and self._is_ready(each)), None)
                return [first] if second is None else [first, second]

    def _next_incoming(self) -> IncomingReset | None:
        piece = next(iter(self._incoming), None)
        return piece if piece is not None and self._is_ready(piece) else None

    def _is_ready(self, piece: Piece) -> bool:
        timers = self._association.timers
        match piece:
            case OutgoingReset():
                return piece.is_drained(self._association.sender.queue)
            case IncomingReset() | AddIncoming():
                return self._wanted is None and not timers.is_running(Timer.CROSSED)
            case TsnReset():
                return not timers.is_running(Timer.SSN_TSN_RESET)
            case AddOutgoing():
                # They would be among all.
                return not any(isinstance(each, OutgoingReset) and each.is_all for each in self)

    def _choose_resets(self, path: Path, incoming: IncomingReset | None, *, is_first: bool) -> list[Piece]:
        """As many as one chunk lists, outgoing and incoming ones; all streams are alone of their direction.

        Incoming ones go one by one: one that meets a reset which the peer has begun by itself has its answer in that.
        """
        room = path.packet_bytes - HEADER_BYTES - _CHUNK_HEADER_BYTES
        if incoming is None:
            return self._choose_outgoing(room)
        size = _INCOMING_BYTES + _bytes_of(incoming)
        if is_first:
            return [incoming, *self._choose_outgoing(room - size)]
        outgoing = self._choose_outgoing(room)
        fits = size <= room - _OUTGOING_BYTES - sum(map(_bytes_of, outgoing))
        return [*outgoing, incoming] if fits else list(outgoing)

    def _choose_outgoing(self, room: int) -> list[Piece]:
        chosen: list[Piece] = []
        count = 0
        room -= _OUTGOING_BYTES
        for piece in self._pieces:
            if not isinstance(piece, OutgoingReset) or not self._is_ready(piece):
                continue
            size = _bytes_of(piece)
            if piece.is_all:
                if not chosen and size <= room:
                    return [piece]
                continue
            if count + len(piece.streams) > _MOST_LISTED or size > room:
                break
            count += len(piece.streams)
            room -= size
            chosen.append(piece)
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


def _bytes_of(piece: Piece) -> int:
    """At most, in a list."""
    assert isinstance(piece, OutgoingReset | IncomingReset)
    return 0 if piece.is_all else 3 + 2 * len(piece.streams)
