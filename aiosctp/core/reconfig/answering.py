"""The side that is asked (RFC 6525 §5.1.7, §5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from aiosctp.core.reconfig import performing
from aiosctp.core.reconfig.asking import Asking, Sent
from aiosctp.core.reconfig.requests import AddOutgoing, Outcome, OutgoingReset
from aiosctp.core.states import MAY_TRANSMIT_DATA
from aiosctp.events import AssociationReset, StreamChange, StreamReset
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationRequest,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from aiosctp.wire.serial import TSN_HALF, tsn_add

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

_R: Final = ReconfigurationResult
_MOST_STREAMS: Final = 65535
# A4 has us list what the peer lists: so many go into one datagram (65507 bytes) behind the headers of SCTP (12 bytes),
# the chunk (4) and the Outgoing SSN Reset Request (16), as a chunk's length is padded to 4.
_MOST_LISTED: Final = 32736
# As many requests as one chunk has: the peer has no more in flight, and so asks for no older ones again.
_REMEMBERED: Final = 2

Wanted: TypeAlias = OutgoingReset | AddOutgoing
"""What the peer asked us to ask of it."""


class Answering:
    """Requests of the peer, in the order of their numbers; each is decided once, and answered as often as it comes.

    What can't be done at once is "In progress", but for an SSN/TSN reset, which is answered when it is done. No more
    than one of each of these is deferred: a reset of the peer's streams, that waits for its data; a request that waits
    for our data, or for an answer to us. Another is refused.
    """

    __slots__ = ("_answers", "_asking", "_association", "_deferred", "_tsn_reset", "_withheld", "expected_number")

    def __init__(self, association: AssociationEngine, asking: Asking) -> None:
        self._association = association
        self._asking = asking
        self.expected_number: int = association.tcb.peer_initial_tsn
        """§4.1: "initialized to the same value as the initial TSN"."""
        self._answers: dict[int, ReconfigurationResponse | Wanted] = {}
        """By the number of the request, of the last ones."""
        self._deferred: tuple[OutgoingSsnResetRequest, Path, Sent | None] | None = None
        """E2: until the cumulative TSN is reached; where it came from; the request of ours it answers."""
        self._withheld: dict[int, tuple[int, ...]] = {}
        """Resets that are performed and not answered yet, by the number of the request: their streams."""
        self._tsn_reset: tuple[SsnTsnResetRequest, Path] | None = None
        """Until all we have sent is acknowledged."""

    @property
    def answered_number(self) -> int:
        """A4: "the next expected Re-configuration Request Sequence Number of the peer minus 1"."""
        return tsn_add(self.expected_number, -1)

    @property
    def is_suspending(self) -> bool:
        """Whether no new message may begin until the TSNs are reset."""
        return self._tsn_reset is not None

    def received(self, request: ReconfigurationRequest, path: Path) -> int:
        """Decide a request that is new. Returns the number to look for its `answer` with."""
        number = request.request_sequence_number
        if number == self.expected_number:
            self.expected_number = tsn_add(number, 1)
            result = self._decide(request, path)
            if isinstance(result, int):
                # D3, D4: whatever the result is, an SSN/TSN Reset Request is answered with both sides' next TSNs:
                # usrsctp takes no answer without. What is smaller than what we expect can be discarded at all times.
                expected = tsn_add(self._association.receiver.cumulative_tsn, 1)
                tsns = (self._association.sender.next_tsn, expected) if isinstance(request, SsnTsnResetRequest) else ()
                result = ReconfigurationResponse(number, result, *tsns)
            self._answers[number] = result
            for old in list(self._answers)[:-_REMEMBERED]:
                del self._answers[old]
        return number

    def answer(self, number: int) -> ReconfigurationParameter | None:
        """§5.2.1: to a request that comes again, what was answered, or by now is. What the peer wants of us is answered
        by our asking it (F1, §5.2.6).

        None while an SSN/TSN reset waits for our data: with usrsctp "In progress" ends the association. The peer asks
        again, and its HEARTBEATs tell that we are there.
        """
        if self._tsn_reset is not None and number == self._tsn_reset[0].request_sequence_number:
            return None
        found = self._answers.get(number)
        if found is None:
            return ReconfigurationResponse(number, _R.BAD_SEQUENCE_NUMBER)
        if isinstance(found, ReconfigurationResponse):
            return found
        if found.parameter is None and self._association.state not in MAY_TRANSMIT_DATA:
            # It will not be asked for any more, and the peer's shutdown may wait for what it holds back until it knows.
            self._answers[number] = denied = ReconfigurationResponse(number, _R.DENIED)
            return denied
        return found.parameter or ReconfigurationResponse(number, _R.IN_PROGRESS)

    def _decide(
        self, request: ReconfigurationRequest, path: Path
    ) -> ReconfigurationResult | ReconfigurationResponse | Wanted:
        match request:
            case OutgoingSsnResetRequest():
                return self._reset_incoming(request, path)
            case IncomingSsnResetRequest():
                return self._reset_outgoing(request)
            case SsnTsnResetRequest():
                return self._reset_association(request, path)
            case AddOutgoingStreamsRequest():
                return self._add_incoming(request)
            case AddIncomingStreamsRequest():
                return self._add_outgoing(request)

    # -- §5.2.2: the peer resets its outgoing streams, which come in here --

    def _reset_incoming(self, request: OutgoingSsnResetRequest, path: Path) -> ReconfigurationResult:
        association = self._association
        named = self._asking.take_named(request)
        if named is None and not association.config.peer_may_reset_streams:
            return _R.DENIED
        result = _R.PERFORMED
        if any(stream >= association.tcb.inbound_streams for stream in request.streams):
            result = _R.WRONG_SSN
        elif self._deferred is not None or (named is None and len(self._withheld) >= _REMEMBERED):
            result = _R.REQUEST_IN_PROGRESS
        elif not association.receiver.has_reached(request.last_assigned_tsn):
            # E2.
            association.receiver.renewal.defer_reset(request.last_assigned_tsn, request.streams or None)
            self._deferred = request, path, named
            return _R.IN_PROGRESS
        else:
            return self._begin_incoming_anew(request, named)
        if named is not None:
            self._asking.performed(named, Outcome.FAILED)
        return result

    def _begin_incoming_anew(self, request: OutgoingSsnResetRequest, named: Sent | None) -> ReconfigurationResult:
        """E3, E4. Returns what to answer now."""
        association = self._association
        streams = tuple(dict.fromkeys(request.streams))
        renewal = association.receiver.renewal
        performing.tell_lost(association, renewal.end_streams(streams or None))
        violation = renewal.begin_streams_anew(streams or None)
        association.emit(StreamReset(streams or range(association.tcb.inbound_streams), ()))
        if named is not None:
            self._asking.performed(named, Outcome.DONE)
        if violation is not None:
            association.termination.abort((violation,))
        self._asking.incoming_were_reset(streams)
        if not self._asking.awaits_reset_of(streams):
            return _R.PERFORMED
        # We have asked for this reset too, and the peer may not know yet. What it sends on these streams once it has
        # our answer is of after: it must not be reset by that request, should that come late.
        self._withheld[request.request_sequence_number] = streams
        return _R.IN_PROGRESS

    def take_withheld(self) -> list[ReconfigurationResponse]:
        """The answers that waited for one to us."""
        due = [number for number, streams in self._withheld.items() if not self._asking.awaits_reset_of(streams)]
        for number in due:
            del self._withheld[number]
        return [self._performed(number) for number in due]

    def take_due(self) -> tuple[ReconfigurationResponse, Path] | None:
        """E2 to E5: the deferred reset, once all before it has come, or will not come, as the TSNs have begun anew.
        Returns its answer, and where that goes."""
        if self._deferred is None:
            return None
        renewal = self._association.receiver.renewal
        if renewal.deferred is not None and not renewal.deferred_reset_is_due:
            return None
        (request, path, named), self._deferred = self._deferred, None
        if self._begin_incoming_anew(request, named) is _R.IN_PROGRESS:
            return None
        return self._performed(request.request_sequence_number), path

    def _performed(self, number: int, *next_tsns: int) -> ReconfigurationResponse:
        response = ReconfigurationResponse(number, _R.PERFORMED, *next_tsns)
        if number in self._answers:
            self._answers[number] = response
        return response

    # -- §5.2.3: the peer wants our outgoing streams reset --

    def _reset_outgoing(self, request: IncomingSsnResetRequest) -> ReconfigurationResult | Wanted:
        association, streams = self._association, request.streams
        total = association.tcb.outbound_streams
        if not association.config.peer_may_reset_streams or association.state not in MAY_TRANSMIT_DATA:
            return _R.DENIED
        if len(streams) > _MOST_LISTED:
            return _R.DENIED
        if any(stream >= total for stream in streams):
            return _R.WRONG_SSN
        if self._asking.is_resetting(streams or None):
            return _R.NOTHING_TO_DO
        # Streams that we add meanwhile would be among all for the peer, and we have not held them back.
        if self._is_waiting or self._is_crossed or (not streams and self._asking.waiting.outgoing_to_come):
            return _R.REQUEST_IN_PROGRESS
        if self._is_to_be_reset(streams):
            return _R.NOTHING_TO_DO
        # Streams that are at 0 already are reset again, as §5.2.3 lets us: who asks then learns, by our own request,
        # that nothing of before is on its way any more.
        wanted = request.request_sequence_number, streams
        affected = list(dict.fromkeys(streams)) or range(total)
        return self._want(OutgoingReset(affected, is_all=not streams, wanted=wanted))

    def _is_to_be_reset(self, streams: Sequence[int]) -> bool:
        """Whether a reset of each is under way already, and will be in flight once what was given before is sent: were
        they reset once more after that, whatever the peer's program has begun since would end with it."""
        held = self._association.sender.queue.held
        return held is not None and bool(streams) and all(stream in held.lines for stream in streams)

    def _want(self, piece: Wanted) -> Wanted:
        self._asking.waiting.wait_for(piece)
        return piece

    @property
    def _is_waiting(self) -> bool:
        return self._tsn_reset is not None or self._asking.waiting.is_wanted

    @property
    def _is_crossed(self) -> bool:
        """Whether each side waits for the other: both have asked for what only a request answers, and neither may have
        a second one in flight (§5.1.1). The one with the smaller tag, or of equal ones the smaller initial TSN, gives
        way: its request is refused, and asked again after the other's."""
        tcb = self._association.tcb
        ours, theirs = (tcb.local_tag, tcb.local_initial_tsn), (tcb.peer_tag, tcb.peer_initial_tsn)
        return self._asking.awaits_request and ours > theirs

    # -- §5.2.4: the peer wants all TSNs and SSNs to begin anew --

    def _reset_association(
        self, request: SsnTsnResetRequest, path: Path
    ) -> ReconfigurationResult | ReconfigurationResponse:
        association = self._association
        if not association.config.peer_may_reset_association:
            return _R.DENIED
        if self._is_waiting or self._deferred is not None or self._asking.awaits_tsn_reset:
            # Were both to reset the TSNs at once, each would count on what the other has just given up.
            return _R.REQUEST_IN_PROGRESS
        # G3 would have us forget what is not acknowledged: it is waited for, so that nothing is lost.
        association.sender.queue.suspend()
        self._tsn_reset = request, path
        answer = self.take_tsn_reset()
        return _R.IN_PROGRESS if answer is None else answer[0]

    def take_tsn_reset(self) -> tuple[ReconfigurationResponse, Path] | None:
        """G1 to G6, once all we have sent is acknowledged. Returns the answer, and where that goes."""
        association = self._association
        sender, receiver = association.sender, association.receiver
        if self._tsn_reset is None or not sender.is_silent:
            return None
        (request, path), self._tsn_reset = self._tsn_reset, None
        # G1: "the smallest TSN not acknowledged by the receiver of the request plus 2^31"; G2: "the highest TSN sent by
        # the receiver of the request plus 1".
        receiver_next = tsn_add(receiver.cumulative_tsn, 1 + TSN_HALF)
        sender_next = sender.next_tsn
        performing.tell_lost(association, receiver.renewal.begin_tsns_anew(receiver_next))
        sender.begin_anew(sender_next)
        association.emit(AssociationReset(sender_next, receiver_next))
        return self._performed(request.request_sequence_number, sender_next, receiver_next), path

    # -- §5.2.5, §5.2.6: more streams --

    def _add_incoming(self, request: AddOutgoingStreamsRequest) -> ReconfigurationResult:
        association = self._association
        tcb, config = association.tcb, association.config
        wanted = self._asking.take_wanted(request)
        limit = config.max_inbound_streams if wanted is None else _MOST_STREAMS
        if wanted is None and not config.peer_may_add_streams:
            return _R.DENIED
        if tcb.inbound_streams + request.new_streams > limit:
            if wanted is not None:
                self._asking.performed(wanted, Outcome.FAILED)
            return _R.DENIED
        if not request.new_streams:
            return _R.NOTHING_TO_DO
        tcb.inbound_streams += request.new_streams
        association.receiver.accept_streams(tcb.inbound_streams)
        association.emit(StreamChange(tcb.inbound_streams, tcb.outbound_streams))
        if wanted is not None:
            self._asking.performed(wanted, Outcome.DONE)
        return _R.PERFORMED

    def _add_outgoing(self, request: AddIncomingStreamsRequest) -> ReconfigurationResult | Wanted:
        association = self._association
        if not association.config.peer_may_add_streams or association.state not in MAY_TRANSMIT_DATA:
            return _R.DENIED
        promised = association.tcb.outbound_streams + self._asking.waiting.outgoing_to_come
        if promised + request.new_streams > _MOST_STREAMS:
            return _R.DENIED
        if not request.new_streams:
            return _R.NOTHING_TO_DO
        if self._is_waiting or self._is_crossed:
            return _R.REQUEST_IN_PROGRESS
        return self._want(AddOutgoing(request.new_streams))

    # -- the end --

    def fail(self) -> None:
        """The association ends, or begins anew: what our request waited for will not come."""
        if self._deferred is not None:
            (_, _, named), self._deferred = self._deferred, None
            if named is not None:
                self._asking.performed(named, Outcome.FAILED)
