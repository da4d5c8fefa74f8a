"""What is held back while streams, or all TSNs, are about to begin anew (RFC 6525 §5.2.2 E2, §5.1.4)."""

from __future__ import annotations

from collections.abc import Iterable

from aiosctp.wire.chunks import Data


class DeferredReset:
    """A reset of the peer's that waits for data sent before it.

    E2: "any data arriving with a TSN larger than the Sender's Last Assigned TSN for the affected stream(s) MUST be
    queued locally and held": noted as received and charged to the window, which bounds it.
    """

    __slots__ = ("_streams", "chunks", "last_tsn")

    def __init__(self, last_tsn: int, streams: Iterable[int] | None) -> None:
        self.last_tsn = last_tsn
        """As a whole number."""
        self._streams = None if streams is None else frozenset(streams)
        """None: all."""
        self.chunks: dict[int, Data] = {}
        """Those held, by TSN."""

    def holds_back(self, tsn: int, stream: int) -> bool:
        return tsn > self.last_tsn and (self._streams is None or stream in self._streams)


class TsnResetAwaited:
    """We have asked for all TSNs and SSNs to begin anew, and the peer may have done it before we hear of it.

    So that no message of after is taken for one of before, only the next TSN in sequence is taken: all that was sent
    before has come when the peer begins anew, and of a stream that was used before the first message that is new shows
    by its SSN, which is past. Whatever is not taken comes again.
    """

    __slots__ = ("first_tsns", "since")

    def __init__(self, cumulative: int) -> None:
        self.since = cumulative
        """The cumulative TSN when it was asked for."""
        self.first_tsns: dict[int, int] = {}
        """By stream, where since then a message with SSN 0 began whose turn it was."""
