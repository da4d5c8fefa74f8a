"""RE-CONFIG (RFC 6525) amid anything: requests, answers, fragments, SACKs and time in any order, sense or none."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Data, ReConfig, Sack, Shutdown
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.core.laws import check_association, check_stack
from tests.core.reconfig.script import ONE, PERFORMED, TWO, WILLING, Script, number, requests_of, responses_of
from tests.core.scripted import A_RWND, Encodable, Packet

SMALL = WILLING.replace(
    receive_window_bytes=8 * 1024, partial_delivery_point_bytes=1500, association_max_retrans=100, path_max_retrans=100
)


class Chaos(Script):
    """A draws what it does; the laws hold after each step."""

    def __init__(self, seed: int) -> None:
        super().__init__(SMALL, addresses=(ONE, TWO), seed=seed)
        self.dice = random.Random(seed)
        self.ssns: dict[int, int] = {}
        self.lost: list[Data] = []
        self.asked: dict[int, ReconfigurationParameter] = {}
        self.established(ONE, TWO)

    def _check(self, chunk: ReConfig) -> None:
        """Its own rules are not kept here, so neither are those of the answers' order."""

    def near(self, value: int) -> int:
        """Mostly the one that is due."""
        return number(value, self.dice.choice([0, 0, 0, 0, 0, -1, 1, -2, 2, 0x7FFF_FFFF, 0x8000_0000]))

    def any_streams(self) -> tuple[int, ...]:
        return tuple(self.dice.choice([0, 1, 2, 3, 9, 10, 0xFFFF]) for _ in range(self.dice.choice([0, 1, 1, 2, 5])))

    def any_request(self) -> ReconfigurationParameter:
        due = self.near(self.next_request)
        last_tsn = self.near(self.cumulative_tsn)
        requests: list[ReconfigurationParameter] = [
            OutgoingSsnResetRequest(due, self.near(self.z_last_request), last_tsn, self.any_streams()),
            OutgoingSsnResetRequest(due, self.near(self.z_last_request), last_tsn, (self.dice.randrange(4),)),
            IncomingSsnResetRequest(due, self.any_streams()),
            SsnTsnResetRequest(due),
            AddOutgoingStreamsRequest(due, self.dice.choice([0, 1, 65535])),
            AddIncomingStreamsRequest(due, self.dice.choice([0, 1, 65535])),
        ]
        made = self.dice.choice(requests)
        if due == self.next_request:
            self.next_request = number(due, 1)
            self.asked[due] = made
        return made

    def any_response(self) -> ReconfigurationParameter:
        tsns = (None, None) if self.dice.random() < 0.5 else (self.next_tsn, self.dice.getrandbits(32))
        answered = self.near(self.z_last_request)
        return ReconfigurationResponse(answered, self.dice.choice([0, 1, 1, 1, 2, 3, 4, 5, 6, 7]), *tsns)

    def any_message(self) -> list[Data]:
        """A message as A would send it, but for one in a hundred; its chunks may be lost, and come later, or twice."""
        stream = self.dice.randrange(4)
        is_unordered = self.dice.random() < 0.3
        ssn = self.ssns.get(stream, 0)
        if not is_unordered:
            self.ssns[stream] = (ssn + 1) & 0xFFFF
        if self.dice.random() < 0.01:
            ssn = self.dice.randrange(3)
        count = self.dice.choice([1, 1, 1, 2, 4])
        chunks = []
        for n in range(count):
            begins, ends = n == 0, n == count - 1
            payload = bytes(self.dice.choice([1, 1, 500, 1400]))
            chunks.append(Data(self.next_tsn, stream, ssn, 0, payload, is_unordered, begins, ends))
            self.next_tsn = number(self.next_tsn, 1)
        lost = [chunk for chunk in chunks if self.dice.random() < 0.15]
        self.lost += lost
        return [chunk for chunk in chunks if chunk not in lost]

    def poll(self) -> list[Packet]:
        """A heeds what it is answered."""
        packets = super().poll()
        for response in responses_of(packets):
            request = self.asked.get(response.response_sequence_number)
            if response.result != PERFORMED or request is None:
                continue
            del self.asked[response.response_sequence_number]
            if isinstance(request, OutgoingSsnResetRequest):
                for stream in request.streams or range(4):
                    self.ssns.pop(stream, None)
            elif isinstance(request, SsnTsnResetRequest) and response.receiver_next_tsn is not None:
                self.next_tsn = response.receiver_next_tsn
                self.ssns.clear()
        return packets

    def any_chunk(self) -> Encodable:
        kind = self.dice.random()
        if kind < 0.4 and self.lost:
            return self.lost.pop(self.dice.randrange(len(self.lost)))
        if kind < 0.7:
            count = self.dice.choice([1, 1, 1, 2, 3])
            return ReConfig(tuple(self.any_request() for _ in range(count)))
        if kind < 0.85:
            return ReConfig((self.any_response(),))
        if kind < 0.9:
            return ReConfig((self.any_response(), self.any_request()))
        sent = self.association.sender
        acked = number(sent.cumulative_tsn_ack_point, self.dice.randrange(sent.unacknowledged_chunks + 1))
        return Shutdown(acked) if kind > 0.9995 else Sack(acked, A_RWND)

    def user_does(self) -> None:
        does: list[Callable[[], object]] = [
            lambda: self.resets(self.dice.randrange(4)),
            self.resets,
            lambda: self.asks_for_reset(self.dice.randrange(4)),
            self.resets_association,
            lambda: self.adds_outgoing(1),
            lambda: self.adds_incoming(1),
        ]
        if self.association.state is not AssociationState.ESTABLISHED:
            return
        if self.dice.random() < 0.5:
            size = self.dice.choice([1, 100, 4000])
            message = OutgoingMessage(bytes(size), self.dice.randrange(4), unordered=self.dice.random() < 0.2)
            self.association.send(message)
            self.touch()
        elif self.dice.random() < 0.6:
            if self.outbound_streams < 60_000:
                self.dice.choice(does)()
        else:
            self.association.receiver.read(partial=self.dice.random() < 0.5)
            self.touch()

    def step(self) -> None:
        roll = self.dice.random()
        if roll < 0.3:
            self.send(*[self.any_chunk() for _ in range(self.dice.choice([1, 1, 2, 4]))])
        elif roll < 0.6:
            for chunk in self.any_message():
                self.send(chunk)
        elif roll < 0.9:
            self.user_does()
        elif roll < 0.94:
            for request in set(requests_of(self.heard[-3:])):
                self.answer(request)
        else:
            self.wait(self.dice.choice([0, 0.3, 1, 5, 40]))


@pytest.mark.parametrize("seed", range(150))
def test_nothing_breaks_whatever_comes(seed: int) -> None:
    """X49, X53, X45: no exception, no book that does not balance, no timer left behind; an ABORT at most."""
    peer = Chaos(seed)
    for _ in range(120):
        peer.step()
        assert peer.engine.poll_faults() == []
        if peer.state is AssociationState.CLOSED:
            break
        check_association(peer.association)
    is_over = peer.state is AssociationState.CLOSED
    check_stack(peer.engine, [] if is_over else [peer.association])
    assert not is_over or peer.engine.next_deadline() is None
