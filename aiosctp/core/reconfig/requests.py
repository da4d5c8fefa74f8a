"""What is asked of the peer, and what became of it (RFC 6525 §5.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from aiosctp.wire.reconfig import AddOutgoingStreamsRequest, OutgoingSsnResetRequest

if TYPE_CHECKING:
    from aiosctp.core.tx.queue import SendQueue


class Outcome(Enum):
    DONE = auto()
    DENIED = auto()
    FAILED = auto()
    """The peer found it wrong, or did not what it said, or the association restarted or ended first."""


class Request:
    """What our user asked for."""

    __slots__ = ("_left", "_tell", "_worst", "outcome")

    def __init__(self, tell: Callable[[Outcome], None]) -> None:
        self.outcome: Outcome | None = None
        """None while it is under way."""
        self._tell = tell
        self._left = 0
        self._worst = Outcome.DONE

    def add_part(self) -> None:
        """It goes to the peer in one more piece."""
        self._left += 1

    def part_ended(self, outcome: Outcome, *, is_told: bool = False) -> None:
        """With the last one it has ended, well if all have. `is_told`: another event says so."""
        self._left -= 1
        if outcome is not Outcome.DONE:
            self._worst = outcome
        if self._left == 0:
            self.outcome = self._worst
            if not (is_told and self._worst is Outcome.DONE):
                self._tell(self._worst)


class OutgoingReset:
    """Outgoing streams to be reset at one time (§5.1.2)."""

    __slots__ = ("_behind", "_draining", "is_all", "parameter", "request", "streams", "wanted")

    def __init__(
        self,
        streams: Sequence[int],
        *,
        is_all: bool,
        request: Request | None = None,
        wanted: tuple[int, tuple[int, ...]] | None = None,
    ) -> None:
        self.streams: Sequence[int] = streams
        self.is_all: bool = is_all
        self.request: Request | None = request
        """Of our user, if it is not for the peer."""
        self.wanted: tuple[int, tuple[int, ...]] | None = wanted
        """A4: the number of the peer's request for it, and the streams listed there."""
        self.parameter: OutgoingSsnResetRequest | None = None
        """What was sent."""
        self._draining: list[int] = []
        """Streams of which what was given before may not all have been acknowledged."""
        self._behind = 0
        """Streams that wait for an earlier reset."""

    def hold(self, queue: SendQueue) -> None:
        """A1: what is given to these streams from now on waits."""
        for stream in self.streams:
            if queue.hold_stream(stream, self):
                self._draining.append(stream)
            else:
                self._behind += 1

    def is_next(self, stream: int) -> None:
        """The earlier reset of this stream is done with."""
        self._behind -= 1
        self._draining.append(stream)

    def is_drained(self, queue: SendQueue) -> bool:
        """Whether all that was given before is acknowledged: what comes after is held, so a stream once drained stays.

        A1 to A3 ask for less: that it has its TSNs. But a peer that lacks some of it has to defer the reset (E2), and
        then it may be long until we hear of it: Linux and usrsctp tell only who asks again, and usrsctp, once a hole
        has been filled, does not perform it before the next new DATA comes, and holds back until then what comes on
        every stream. So it is asked when nothing can be in its way, which costs one round trip, if any.
        """
        held = queue.held
        if self._behind or held is None or held.suspended is not None:
            return False
        draining = self._draining
        while draining:
            number = draining[-1]
            stream = queue.find_stream(number)
            if stream is not None and (
                stream.buffered_bytes > held.lines[number].held_bytes
                # RFC 3758: else a FORWARD TSN might name an SSN of before to who has begun anew.
                or stream.emptied_chunks
                # All parts of it that were given are acknowledged, and the others are to come.
                or queue.has_open_record_before(number)
            ):
                return False
            draining.pop()
        return True


class IncomingReset:
    """Incoming streams that the peer is to reset (§5.1.3)."""

    __slots__ = ("awaited", "is_all", "refusals", "request", "streams")

    def __init__(self, streams: Sequence[int], request: Request, *, is_all: bool) -> None:
        self.streams: Sequence[int] = streams
        self.awaited: set[int] = set(streams)
        """Those that the peer has not reset since this was sent."""
        self.is_all: bool = is_all
        self.request: Request = request
        self.refusals: int = 0
        """How often it crossed a request of the peer's."""


class TsnReset:
    """All TSNs and SSNs are to begin anew (§5.1.4)."""

    __slots__ = ("request",)

    def __init__(self, request: Request) -> None:
        self.request: Request = request


class AddOutgoing:
    """Streams that we are to have more (§5.1.5)."""

    __slots__ = ("count", "parameter", "request")

    def __init__(self, count: int, request: Request | None = None) -> None:
        self.count: int = count
        self.request: Request | None = request
        """Of our user, if the peer has not asked for it (§5.2.6)."""
        self.parameter: AddOutgoingStreamsRequest | None = None
        """What was sent."""


class AddIncoming:
    """Streams that the peer is to have more (§5.1.6)."""

    __slots__ = ("count", "refusals", "request")

    def __init__(self, count: int, request: Request) -> None:
        self.count: int = count
        self.request: Request = request
        self.refusals: int = 0
        """How often it crossed a request of the peer's."""


Piece: TypeAlias = OutgoingReset | IncomingReset | TsnReset | AddOutgoing | AddIncoming
"""Goes to the peer in one parameter, maybe with others of its kind."""


def grouped(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Those of a kind, that go in one parameter; in the order of §3.1: outgoing before incoming."""
    groups: dict[type[Piece], list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(type(piece), []).append(piece)
    first = (OutgoingReset, AddOutgoing)
    return sorted(groups.values(), key=lambda group: not isinstance(group[0], first))


def listed(group: Sequence[Piece]) -> tuple[int, ...]:
    """A4, B2: to reset all streams, none is listed."""
    streams: dict[int, None] = {}
    for piece in group:
        assert isinstance(piece, OutgoingReset | IncomingReset)
        if piece.is_all:
            return ()
        streams.update(dict.fromkeys(piece.streams))
    return tuple(streams)
