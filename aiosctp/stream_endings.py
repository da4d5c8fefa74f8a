"""How byte streams end: resets of both directions (RFC 6525), one step after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aiosctp.core.reconfig import Outcome
from aiosctp.core.states import ESTABLISHED
from aiosctp.events import StreamReset
from aiosctp.stream_transport import StreamTransport

if TYPE_CHECKING:
    from aiosctp.byte_streams import ByteStreams
    from aiosctp.lifetime import Lifetime


class StreamEndings:
    """The outgoing stream ends when it was reset, at our request or the peer's; the incoming one with the mark that the
    peer's reset has left among what arrived. A transport that is closed has then ended, and its number is free. What
    was never used needs no reset, and a direction that has no such number can have none.

    Nobody may begin anew under a number while any reset of it is on its way, or it would end what has just begun: so a
    number waits for the answer to each request besides, although a transport does not.
    """

    def __init__(
        self, streams: ByteStreams, life: Lifetime, ends_association: Callable[[StreamTransport], bool]
    ) -> None:
        self._streams = streams
        self._life = life
        self._engine = life.engine
        self._ends_association = ends_association
        self._resets_are_denied = False

    def restarted(self) -> None:
        self._resets_are_denied = False

    @property
    def can_reset(self) -> bool:
        return self._engine.supports_reconfig and not self._resets_are_denied

    @property
    def _may_reset(self) -> bool:
        return self.can_reset and self._engine.state is ESTABLISHED

    def advance(self, transport: StreamTransport) -> None:
        """The next steps, as far as it is time for them."""
        if transport.eof_was_written and not transport.buffer.size_bytes:
            if transport.is_closing() and self._ends_association(transport):
                return
            self._end_outgoing(transport)
            # One after the other: until the peer has all we have sent, it may not even know of this stream, and what it
            # would send when it does would come after its reset.
            if transport.is_closing() and transport.outgoing_is_over:
                self._end_incoming(transport)
        if not transport.outgoing_is_over:
            return
        asked = transport.incoming_request
        is_answered = asked is not None and asked.outcome is not None
        is_the_peers = not self._streams.numbers.is_ours(transport.number)
        if transport.is_closing() and (transport.incoming_is_over or is_answered or is_the_peers):
            transport.lose(None)
        if transport.incoming_is_over and (asked is None or is_answered) and not self._is_resetting(transport):
            self._streams.release(transport)

    def _end_outgoing(self, transport: StreamTransport) -> None:
        if transport.outgoing_is_over or transport.outgoing_request is not None:
            return
        if not transport.was_used or transport.number >= self._streams.association.outbound_streams:
            transport.outgoing_is_over = True
        elif self._is_resetting(transport) and not transport.is_behind_reset:
            pass  # as the peer has asked
        elif self._may_reset:
            transport.outgoing_request = self._engine.reset_outgoing((transport.number,))
            self._life.touch()
        elif self._streams.output.unacknowledged_bytes(transport):
            self._streams.output.wait_acknowledged(transport)
        else:
            transport.outgoing_is_over = True
            self._streams.numbers.retire(transport.number)

    def _is_resetting(self, transport: StreamTransport) -> bool:
        return self._streams.output.is_resetting(transport.number)

    def _end_incoming(self, transport: StreamTransport) -> None:
        self._streams.discard(transport)
        if transport.incoming_is_over or transport.incoming_request is not None:
            return
        if not transport.was_used or transport.number >= self._streams.association.inbound_streams:
            transport.incoming_is_over = True
        elif self._may_reset and not (self._streams.numbers.is_ours(transport.number) or transport.has_late_input):
            pass  # the peer, who has opened it, ends it when its program has seen that we have, unless it goes on
        elif self._may_reset:
            transport.incoming_request = self._engine.reset_incoming((transport.number,))
            self._life.touch()
        else:
            transport.incoming_is_over = True
            self._streams.numbers.retire(transport.number)

    def streams_reset(self, events: Sequence[StreamReset]) -> None:
        """What has come in one batch, in order. Runs no code of the program."""
        if not events or self._engine.ending is not None:
            return  # what fails for an end retires no number
        # By incoming stream, the resets that came after the one that is looked at: all have left their marks already.
        to_come = Counter(number for event in events if _is_performed(event) for number in event.incoming)
        for event in events:
            if _is_performed(event):
                to_come.subtract(event.incoming)
            self._reset(event, to_come)

    def _reset(self, event: StreamReset, to_come: Counter[int]) -> None:
        self._resets_are_denied |= event.denied
        for number in event.outgoing:
            transport = self._streams.find(number)
            if transport is not None and transport.is_behind_reset:
                transport.is_behind_reset = False
            elif transport is not None:
                self._outgoing_reset(transport, to_come[number], is_refused=not _is_performed(event))
            elif _is_performed(event):
                self._streams.shut_before_accepted(number, to_come[number])
        for number in event.incoming:
            transport = self._streams.find(number)
            if transport is not None:
                self._incoming_reset(transport)

    def _outgoing_reset(self, transport: StreamTransport, since: int, *, is_refused: bool) -> None:
        request = transport.outgoing_request
        if transport.outgoing_is_over:
            if not is_refused:
                self._streams.shut_later(transport, since)
            self.advance(transport)
            return
        if request is None:
            if is_refused:
                return  # what `reset_streams` asked for
            transport.shut()
        elif request.outcome is None:
            return
        elif request.outcome is not Outcome.DONE:
            self._streams.numbers.retire(transport.number)
        transport.outgoing_is_over = True
        if transport.paused_protocol:
            self._streams.may_resume(transport)
        self.advance(transport)

    def _incoming_reset(self, transport: StreamTransport) -> None:
        request = transport.incoming_request
        if request is None or request.outcome is None:
            return  # the mark says it
        if request.outcome is not Outcome.DONE:
            self._streams.numbers.retire(transport.number)
            transport.incoming_is_over = True
        elif not transport.incoming_is_over:
            self._streams.discard(transport)
        self.advance(transport)


def _is_performed(event: StreamReset) -> bool:
    return not event.denied and not event.failed
