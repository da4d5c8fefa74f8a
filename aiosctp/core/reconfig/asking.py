"""The side that asks: what is in flight, and what the peer's answers do (RFC 6525 §5.1, §5.2.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from aiosctp.core.reconfig import performing
from aiosctp.core.reconfig.promises import Promises
from aiosctp.core.reconfig.requests import (
    AddIncoming,
    AddOutgoing,
    IncomingReset,
    Outcome,
    OutgoingReset,
    Piece,
    Request,
    TsnReset,
    grouped,
    listed,
)
from aiosctp.core.reconfig.waiting import Waiting
from aiosctp.core.timers import Timer
from aiosctp.events import StreamReset
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import ReConfig
from aiosctp.wire.codepoints import ReconfigurationResult
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationRequest,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from aiosctp.wire.serial import tsn_add

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.heartbeat import Probe
    from aiosctp.core.paths import Path

# §5.1.4: "Only one SSN/TSN Reset Request SHOULD be sent within 30 seconds, which is considered a maximum segment
# lifetime".
MAX_SEGMENT_LIFETIME_S: Final = 30.0
# A request that crossed one of the peer's is asked again, but not for ever.
MAX_REFUSALS: Final = 10
# RTO.Max bounds the timer; this only the arithmetic.
MAX_DOUBLINGS: Final = 16
_SUCCESS: Final = (ReconfigurationResult.NOTHING_TO_DO, ReconfigurationResult.PERFORMED)


class Sent(NamedTuple):
    """A request parameter in flight, and what it is for: nothing any more, if it only has to be known to the peer."""

    parameter: ReconfigurationRequest
    pieces: Sequence[Piece]


class Asking:
    """Requests to the peer, one chunk at a time (§5.1.1)."""

    __slots__ = (
        "_association",
        "_expirations",
        "_in_flight",
        "_in_progress",
        "_is_known",
        "_is_there",
        "_path",
        "_proofs",
        "_unproven",
        "kept",
        "next_number",
        "promises",
        "waiting",
    )

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self.next_number: int = association.tcb.local_initial_tsn
        """§4.1: "initialized to the same value as the initial TSN"."""
        self.waiting: Waiting = Waiting(association)
        self.promises: Promises = Promises(association)
        self._in_flight: dict[int, Sent] = {}
        """Of the one chunk that is: what is not answered, by its number."""
        self._in_progress: set[int] = set()
        """Those of them that the peer said are in progress."""
        self._is_known = False
        """The peer has answered something of the chunk in flight, or of the last one, by its number."""
        self._unproven: AddIncomingStreamsRequest | None = None
        """Not in flight any more, though the peer may not know of it."""
        self._proofs: list[Probe] = []
        """HEARTBEATs that went with it when it was asked again."""
        self._is_there = False
        """The peer has answered one since, and so waits before it answers the request."""
        self._path: Path | None = None
        self._expirations = 0
        """Of the timer, since it was started for this chunk or the peer last answered it."""
        self.kept: dict[int, None] = {}
        """Outgoing streams that were reset, and keep something until all of it is acknowledged."""

    def reset_association(self) -> Request:
        return self.waiting.reset_association(is_next=not self._in_flight)

    # -- what the answering side asks --

    @property
    def awaits_tsn_reset(self) -> bool:
        return any(isinstance(sent.parameter, SsnTsnResetRequest) for sent in self._in_flight.values())

    @property
    def awaits_request(self) -> bool:
        """Whether what is in flight is answered by a request of the peer's."""
        wishes = (IncomingSsnResetRequest, AddIncomingStreamsRequest)
        return any(isinstance(sent.parameter, wishes) for sent in self._in_flight.values())

    @property
    def is_suspending(self) -> bool:
        """Whether no new message may begin for the sake of a request of ours."""
        return self.awaits_tsn_reset or self.waiting.is_suspending

    def is_resetting(self, streams: Sequence[int] | None) -> bool:
        """§5.2.3: whether the Outgoing SSN Reset Request in flight "completely overlaps" these streams, or all."""
        for sent in self._in_flight.values():
            if isinstance(sent.parameter, OutgoingSsnResetRequest):
                reset = sent.parameter.streams
                return not reset or (streams is not None and set(streams) <= set(reset))
        return False

    def awaits_reset_of(self, streams: Sequence[int]) -> bool:
        """Whether we have asked the peer for a reset of only such streams of its own (none listed: of any), and it has
        not answered."""
        for sent in self._in_flight.values():
            if isinstance(sent.parameter, IncomingSsnResetRequest):
                asked = sent.parameter.streams
                return not streams or (bool(asked) and set(asked) <= set(streams))
        return False

    def take_named(self, parameter: OutgoingSsnResetRequest) -> Sent | None:
        """E1: the request of ours to which this one is the answer: it is marked as acknowledged.

        Any Outgoing SSN Reset Request has the number of our last one (A4); the answer lists its streams too.
        """
        sent = self._in_flight.get(parameter.response_sequence_number)
        if sent is None or not isinstance(sent.parameter, IncomingSsnResetRequest):
            return self.promises.take_named(parameter)
        if set(sent.parameter.streams) != set(parameter.streams):
            return None
        self._acknowledged(sent.parameter.request_sequence_number)
        return sent

    def take_wanted(self, parameter: AddOutgoingStreamsRequest) -> Sent | None:
        """§5.2.6: the request of ours for the streams that the peer adds; its answer bears no number of ours."""
        promised = self.promises.take_wanted(parameter)
        if promised is not None:
            return promised
        for number, sent in self._in_flight.items():
            wanted = sent.parameter
            if (
                isinstance(wanted, AddIncomingStreamsRequest)
                and sent.pieces
                and wanted.new_streams == parameter.new_streams
            ):
                # Or the peer added as many of its own accord, and has never heard of ours.
                if self._is_known:
                    self._acknowledged(number)
                elif len(self._in_flight) > 1:
                    # The chunk is repeated as it is, so that the answer to the other request tells.
                    self._in_flight[number] = Sent(wanted, ())
                else:
                    self._acknowledged(number)
                    self._unproven = wanted
                return sent
        return None

    # -- sending --

    def start(self, now: float, answered_number: int) -> list[ReconfigurationRequest]:
        """The requests of the next chunk, if one may go: they are in flight now, and its sender's to send.

        `answered_number`: the next number expected of the peer, minus 1 (A4).
        """
        association = self._association
        path = association.paths.for_data()
        self._look_for_proof()
        if self._in_flight or not self.waiting or not path.is_confirmed:
            return []
        if self._unproven is not None:
            self._ask_for_proof(self._unproven, path, now)
            return []
        for group in grouped(self.waiting.take_next(path)):
            parameter = self._make(group, answered_number)
            self._in_flight[parameter.request_sequence_number] = Sent(parameter, group)
        if self._in_flight:
            self._path = path
            self._expirations = 0
            self._is_known = self._is_there = False
            self._start_timer(now)
            if self.awaits_tsn_reset:
                association.timers.start(Timer.SSN_TSN_RESET, now + MAX_SEGMENT_LIFETIME_S)
        return [sent.parameter for sent in self._in_flight.values()]

    def _make(self, group: Sequence[Piece], answered_number: int) -> ReconfigurationRequest:
        """A2, B1, C1: "MUST assign the next re-configuration request sequence number"."""
        number = self.next_number
        self.next_number = tsn_add(number, 1)
        association = self._association
        match group[0]:
            case OutgoingReset(wanted=wanted) as piece:
                # A4: all are not listed, and what the peer wants is as the peer has it.
                named, streams = wanted if wanted is not None else (answered_number, listed(group))
                # A3: "the next TSN the sender assigns minus 1" was the Cumulative TSN Ack Point when all that was given
                # to these streams had its TSNs. What was assigned since is of other streams, and the peer need not wait
                # for that.
                last = association.sender.cumulative_tsn_ack_point
                piece.parameter = OutgoingSsnResetRequest(number, named, last, streams)
                return piece.parameter
            case IncomingReset():
                return IncomingSsnResetRequest(number, listed(group))
            case TsnReset():
                association.output.send_sack_before()
                association.receiver.renewal.expect_tsn_reset()
                return SsnTsnResetRequest(number)
            case AddOutgoing(count=count) as piece:
                piece.parameter = AddOutgoingStreamsRequest(number, count)
                return piece.parameter
            case AddIncoming(count=count):
                return AddIncomingStreamsRequest(number, count)

    def _ask_for_proof(self, parameter: AddIncomingStreamsRequest, path: Path, now: float) -> None:
        """§4.6: the number "is used to identify the request": the next can't be used, and this one for no other
        request, before the peer is known to have this one. It is retransmitted (§5.1.1) until then.

        Any answer to its number tells so. Some peers give none to a request that they have granted before; but all
        answer the HEARTBEAT in the same packet.
        """
        self._unproven = None
        self._in_flight[parameter.request_sequence_number] = Sent(parameter, ())
        self._path = path
        self._expirations = 0
        self._send_again(now)

    @property
    def _awaits_proof(self) -> bool:
        """Whether nothing in flight is answered by more than that it has come."""
        return not any(sent.pieces for sent in self._in_flight.values())

    def _look_for_proof(self) -> None:
        if not any(probe.rtt_s is not None for probe in self._proofs):
            return
        if self._awaits_proof:
            for number in list(self._in_flight):
                self._acknowledged(number)
        else:
            assert self._path is not None
            self._is_there = True
            self._proofs.clear()
            self._association.failure.acknowledged(self._path)

    def timer_expired(self, now: float) -> None:
        """§5.1.1: "besides doubling the value, the sender MUST retransmit the RE-CONFIG chunk, increment the
        appropriate error counts ..., and perform threshold management"; H2: not the counts, for what is in progress.

        An SSN/TSN reset may be in progress without a word, until the peer's own data is acknowledged: as `answering.py`
        does it, and says why. That the peer has got the request, and is there, tells its answer to a HEARTBEAT.
        """
        association, path = self._association, self._path
        assert path is not None
        assert self._in_flight
        self._look_for_proof()
        if not self._in_flight:
            return
        self._expirations += 1
        if len(self._in_progress) < len(self._in_flight) and not self._is_there:
            association.failure.retransmission_timed_out(path)
            if association.ending is not None:
                return
        self._path = association.paths.for_retransmission(path)
        self._send_again(now)

    def _send_again(self, now: float) -> None:
        assert self._path is not None
        self._is_there = False
        if self.awaits_tsn_reset:
            self._association.output.send_sack_before()
            self._proofs.clear()
        chunk = ReConfig(tuple(sent.parameter for sent in self._in_flight.values())).encode()
        if self._awaits_proof or self.awaits_tsn_reset:
            probe, heartbeat = self._association.heartbeats.make_proof(self._path, now)
            self._proofs.append(probe)
            chunk += heartbeat
        self._association.output.send_control(self._path, chunk, is_repeat=True)
        self._start_timer(now)

    def _start_timer(self, now: float) -> None:
        """§5.1.1: "MUST use the same value as SCTP's data transmission timer", doubled "at every expiration": for
        itself alone, as what waits long, being in progress, says nothing of the path."""
        assert self._path is not None
        backed_off_s = self._path.rto.rto_s * 2 ** min(self._expirations, MAX_DOUBLINGS)
        timeout_s = min(backed_off_s, self._association.config.rto_max_s)
        self._association.timers.start(Timer.RECONFIG, now + timeout_s)

    # -- answers --

    def response_received(self, response: ReconfigurationResponse, now: float) -> None:
        """§5.2.7. H1: one that the timer does not run for is nothing to us."""
        number = response.response_sequence_number
        sent = self._in_flight.get(number)
        if sent is None:
            if self._unproven is not None and number == self._unproven.request_sequence_number:
                self._unproven = None
            return
        association = self._association
        self._is_known = True
        for known in [each for each, neighbour in self._in_flight.items() if not neighbour.pieces]:
            self._acknowledged(known)
        if number not in self._in_flight:
            return
        if response.result == ReconfigurationResult.IN_PROGRESS:
            # H2: "the timer for the Re-configuration Request Sequence Number is started again".
            assert self._path is not None
            self._in_progress.add(number)
            association.failure.acknowledged(self._path)
            self._expirations = 0
            self._start_timer(now)
            return
        outcome = Outcome.FAILED
        if response.result in _SUCCESS:
            outcome = Outcome.DONE
        elif response.result == ReconfigurationResult.DENIED:
            outcome = Outcome.DENIED
        if isinstance(sent.parameter, SsnTsnResetRequest) and not self._tsn_reset_answered(response, outcome):
            return
        self._acknowledged(number)
        if response.result == ReconfigurationResult.PERFORMED and _is_to_be_shown(sent):
            self.promises.add(number, sent, now)
            return
        for piece in sent.pieces:
            if response.result == ReconfigurationResult.REQUEST_IN_PROGRESS and self._asks_again(piece):
                self.waiting.add_again(piece)
                # Until the peer's request is here, or has come to nothing.
                assert self._path is not None
                association.timers.start(Timer.CROSSED, now + self._path.rto.rto_s)
            else:
                self._piece_ended(piece, outcome)

    def _asks_again(self, piece: Piece) -> bool:
        """The peer has a request in flight too, and can't answer ours by another: whether ours waits until then."""
        if not isinstance(piece, IncomingReset | AddIncoming) or piece.refusals == MAX_REFUSALS:
            return False
        piece.refusals += 1
        return True

    def _acknowledged(self, number: int) -> None:
        """E1, H1: "If all ... are acknowledged, the Re-configuration Timer MUST be stopped"."""
        del self._in_flight[number]
        self._in_progress.discard(number)
        assert self._path is not None
        self._association.failure.acknowledged(self._path)
        if not self._in_flight:
            self._proofs.clear()
            self._association.timers.stop(Timer.RECONFIG)

    def _piece_ended(self, piece: Piece, outcome: Outcome) -> None:
        """H3 to H6."""
        association = self._association
        if isinstance(piece, AddOutgoing):
            self.waiting.outgoing_to_come -= piece.count
        if isinstance(piece, OutgoingReset):
            kept = performing.end_outgoing(association.sender.queue, piece.streams, is_reset=outcome is Outcome.DONE)
            self.kept.update(dict.fromkeys(kept))
        elif isinstance(piece, AddOutgoing) and outcome is Outcome.DONE:
            # H6: "the endpoint MUST add the additional streams".
            association.tcb.outbound_streams += piece.count
        if piece.request is not None:
            piece.request.part_ended(outcome)
        elif outcome is not Outcome.DONE:
            return
        elif isinstance(piece, OutgoingReset):
            total = association.tcb.outbound_streams
            association.emit(StreamReset((), range(total) if piece.is_all else tuple(piece.streams)))
        else:
            self.waiting.tell_streams(outcome)

    def incoming_were_reset(self, streams: Sequence[int]) -> None:
        """By the peer: these, or all if none is listed."""
        self.waiting.incoming_were_reset(streams)
        self.promises.streams_were_reset(streams)
        for sent in self._in_flight.values():
            for piece in sent.pieces:
                if isinstance(piece, IncomingReset):
                    piece.awaited.difference_update(streams or piece.streams)

    def performed(self, sent: Sent, outcome: Outcome) -> None:
        """What the peer did at our request is done here, and told, or could not be."""
        for piece in sent.pieces:
            if piece.request is not None:
                piece.request.part_ended(outcome, is_told=True)

    def _tsn_reset_answered(self, response: ReconfigurationResponse, outcome: Outcome) -> bool:
        """Whether the association lives."""
        association = self._association
        if outcome is not Outcome.DONE:
            association.receiver.renewal.tsn_reset_refused()
            return True
        sender_next, receiver_next = response.sender_next_tsn, response.receiver_next_tsn
        if sender_next is None or receiver_next is None:
            association.termination.abort((ProtocolViolation(b"reset the TSNs, and did not say to what"),))
            return False
        # H5.
        performing.tell_lost(association, association.receiver.renewal.tsn_reset_done(sender_next))
        association.sender.begin_anew(receiver_next)
        return True

    # -- the end --

    def fail_all(self) -> None:
        """The association ends, or begins anew: nothing of this will be answered."""
        pieces = [piece for sent in self._in_flight.values() for piece in sent.pieces]
        pieces += self.promises.take_all()
        pieces += self.waiting.take_all()
        self._in_flight.clear()
        for piece in pieces:
            if piece.request is not None:
                piece.request.part_ended(Outcome.FAILED)


def _is_to_be_shown(sent: Sent) -> bool:
    """Whether what the peer says it has performed comes in as a request of its own: usrsctp says so before, with or
    after that."""
    return any(
        isinstance(piece, AddIncoming) or (isinstance(piece, IncomingReset) and piece.awaited) for piece in sent.pieces
    )
