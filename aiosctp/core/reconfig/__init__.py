"""Streams that begin anew, and more of them, while the association lives (RFC 6525).

Theory of operation
===================
Made when a RE-CONFIG chunk arrives or our user asks for something: an association without either has nothing of this.

* `waiting.py`: what our user, or the peer through us, wants asked. `asking.py`: the one chunk with requests that is in
  flight; its timer repeats it. `promises.py`: what the peer has granted, and is still to do. The messages given to a
  stream that is to be reset wait in `tx/held.py` until the peer has answered.
* `answering.py`: what the peer asks for. Each request is decided when its number's turn comes, and answered again as
  it was when it comes again.
* In `rx`, data of after a reset that comes before the data of before it waits in `rx/renewal.py`.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from aiosctp.core.reconfig.answering import Answering
from aiosctp.core.reconfig.asking import Asking
from aiosctp.core.reconfig.combinations import is_allowed, understood
from aiosctp.core.reconfig.requests import Outcome, Request
from aiosctp.core.states import MAY_TRANSMIT_DATA
from aiosctp.wire.causes import ProtocolViolation
from aiosctp.wire.chunks import Error, ReConfig
from aiosctp.wire.reconfig import ReconfigurationParameter, ReconfigurationResponse

if TYPE_CHECKING:
    from aiosctp.core.association import AssociationEngine
    from aiosctp.core.paths import Path

# Of the streams that keep something, of which there may be thousands, at each flush.
_MOST_LOOKED_AT: Final = 64

__all__ = ["Outcome", "Reconfiguration", "Request"]


class Reconfiguration:
    """RE-CONFIG of one association.

    Inputs: `received`, `data_arrived`, `timer_expired`. Commands: those of `asking`; `fail`. Output: `proceed`, which
    has the association's `Output` send what may go. Getter: `outgoing_to_come`.
    """

    __slots__ = ("_association", "answering", "asking")

    def __init__(self, association: AssociationEngine) -> None:
        self._association = association
        self.asking: Asking = Asking(association)
        self.answering: Answering = Answering(association, self.asking)

    # -- inputs --

    def received(self, chunk: ReConfig, path: Path, now: float) -> None:
        """§5.2.1: "each parameter within it SHOULD be processed"."""
        association = self._association
        parameters, unrecognized = understood(chunk)
        for cause in unrecognized:
            association.output.send_control(path, Error((cause,)).encode())
        if not parameters and len(parameters) < len(chunk.parameters):
            return
        if not is_allowed(parameters):
            # §3.1: "the receiver SHOULD send an ERROR chunk with a Protocol Violation cause".
            violation = ProtocolViolation(b"a combination of RE-CONFIG parameters that is not allowed")
            association.output.send_control(path, Error((violation,)).encode())
            return
        numbers: list[int] = []
        for parameter in parameters:
            if isinstance(parameter, ReconfigurationResponse):
                self.asking.response_received(parameter, now)
            else:
                numbers.append(self.answering.received(parameter, path))
            if association.ending is not None:
                return
        # A response may have begun the TSNs anew.
        self.data_arrived()
        for response in self.answering.take_withheld():
            self._send(path, [response])
        self._settle()
        started = self._start(now)
        answers = [answer for answer in map(self.answering.answer, numbers) if answer is not None]
        self._send(path, list(dict.fromkeys((*answers, *started))))
        if numbers:
            # "a selective acknowledgment (SACK) chunk SHOULD be sent back and MAY be bundled".
            association.receiver.sack_is_due = True

    def data_arrived(self) -> None:
        """§5.2.2 E2: "When the cumulative acknowledgment point reaches the last assigned TSN, then proceed"."""
        due = self.answering.take_due()
        if due is not None and self._association.ending is None:
            response, path = due
            self._send(path, [response])

    def timer_expired(self, now: float) -> None:
        if self._association.state in MAY_TRANSMIT_DATA:
            self.asking.timer_expired(now)

    @property
    def outgoing_to_come(self) -> int:
        """Outgoing streams that the peer was asked for, or will be, and has not answered for."""
        return self.asking.waiting.outgoing_to_come

    # -- output --

    @property
    def has_to_do(self) -> bool:
        """Whether `proceed` may do anything."""
        return bool(self.asking.waiting or self.asking.kept) or self.answering.is_suspending

    def proceed(self, now: float) -> bool:
        """Do what has become possible since the last call. Whether there is something to send."""
        association = self._association
        due = self.answering.take_tsn_reset()
        if due is not None:
            response, path = due
            self._send(path, [response])
            self.data_arrived()
        self._settle()
        self._send(association.paths.for_data(), self._start(now))
        return bool(association.output.control)

    def _start(self, now: float) -> list[ReconfigurationParameter]:
        if self._association.state not in MAY_TRANSMIT_DATA:
            return []
        return list(self.asking.start(now, self.answering.answered_number))

    def _send(self, path: Path, parameters: list[ReconfigurationParameter]) -> None:
        """§5.2.1: "If multiple parameters have to be returned, they MUST be put into one RE-CONFIG chunk", if they may
        stand in one (§3.1)."""
        output = self._association.output
        responses = [each for each in parameters if isinstance(each, ReconfigurationResponse)]
        requests = [each for each in parameters if not isinstance(each, ReconfigurationResponse)]
        if is_allowed((*responses, *requests)):
            output.send_control(path, ReConfig((*responses, *requests)).encode())
            return
        for each in (responses, requests):
            if each:
                output.send_control(path, ReConfig(tuple(each)).encode())

    def _settle(self) -> None:
        """Messages that were held back go on; what streams no longer keep is let go of."""
        queue = self._association.sender.queue
        if queue.held is not None and not (self.asking.is_suspending or self.answering.is_suspending):
            queue.resume()
        kept = self.asking.kept
        for stream in list(kept if self._association.sender.is_drained else islice(kept, _MOST_LOOKED_AT)):
            del kept[stream]
            if not queue.forget_stream(stream):
                kept[stream] = None  # behind the others

    # -- the end --

    def fail(self) -> None:
        """The association ends, or begins anew."""
        self.answering.fail()
        self.asking.fail_all()
