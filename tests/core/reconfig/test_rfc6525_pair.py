"""RFC 6525 between two engines, on a wire that loses and repeats: appendix A's examples, and both sides at once."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.reconfig import Outcome, Request
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationReset, StreamChange, StreamReset
from aiosctp.wire.codepoints import ChunkType
from tests.core.laws import check_association
from tests.core.pair import Flight, Host, Pair

CONFIG = Config(
    heartbeat=False,
    path_mtu_discovery=False,
    outbound_streams=8,
    max_inbound_streams=100,
    peer_may_reset_association=True,
    association_max_retrans=50,
)

Commands = dict[str, Callable[[AssociationEngine], Request]]

COMMANDS: Commands = {
    "reset_outgoing": lambda each: each.reset_outgoing((1, 2)),
    "reset_outgoing_all": lambda each: each.reset_outgoing(range(each.tcb.outbound_streams)),
    "reset_incoming": lambda each: each.reset_incoming((1, 2)),
    "reset_incoming_all": lambda each: each.reset_incoming(range(each.tcb.inbound_streams)),
    "reset_association": lambda each: each.reset_association(),
    "add_outgoing": lambda each: each.add_outgoing_streams(3),
    "add_incoming": lambda each: each.add_incoming_streams(3),
}
EACH = pytest.mark.parametrize("name", COMMANDS)
NEEDS_THE_PEERS_TURN = {"reset_incoming", "reset_incoming_all", "add_incoming", "reset_association"}


class Talk:
    """Two associations, and all that their users said and read, by stream."""

    def __init__(self, config: Config = CONFIG, seed: int = 1) -> None:
        self.pair = Pair(config_a=config, config_z=config, seed=seed)
        self.a, self.z = self.pair.established()
        self.said: dict[AssociationEngine, dict[int, list[bytes]]] = {self.a: {}, self.z: {}}
        self.read: dict[AssociationEngine, dict[int, list[bytes]]] = {self.a: {}, self.z: {}}
        self.count = 0

    def host(self, association: AssociationEngine) -> Host:
        return self.pair.a if association is self.a else self.pair.z

    def other(self, association: AssociationEngine) -> AssociationEngine:
        return self.z if association is self.a else self.a

    def say(self, association: AssociationEngine, stream: int, size: int = 10) -> None:
        self.count += 1
        data = b"%d " % self.count + bytes(size)
        association.send(OutgoingMessage(data, stream=stream))
        self.said[association].setdefault(stream, []).append(data)
        self.touch(association)

    def command(self, association: AssociationEngine, name: str) -> Request:
        request = COMMANDS[name](association)
        self.touch(association)
        return request

    def touch(self, association: AssociationEngine) -> None:
        self.host(association).engine.touch(association)
        self.pair.flush()

    def listen(self) -> None:
        """Both users read what is there."""
        for association in (self.a, self.z):
            while (message := association.receiver.read()) is not None:
                self.read[association].setdefault(message.stream, []).append(message.data)
            self.touch(association)

    def settle(self, requests: list[Request]) -> None:
        """All requests are decided, and all that was said has been read, in its order, on its stream."""

        def is_settled() -> bool:
            self.listen()
            is_quiet = self.a.sender.is_drained and self.z.sender.is_drained
            return is_quiet and all(request.outcome is not None for request in requests)

        self.pair.run_until(is_settled, limit_s=3600)
        # The answer to the last chunk, on which the other side is settled too, may be under way.
        self.pair.run_for(1)
        self.listen()
        for association in (self.a, self.z):
            assert association.state is AssociationState.ESTABLISHED
            check_association(association)
        assert self.read[self.z] == self.said[self.a]
        assert self.read[self.a] == self.said[self.z]

    def events(self, association: AssociationEngine, kind: type) -> list[object]:
        return [each for each in self.pair.events_of(self.host(association), association) if isinstance(each, kind)]

    def reconfigs(self) -> list[Flight]:
        return [flight for flight in self.pair.log if ChunkType.RE_CONFIG in chunk_types(flight)]


def chunk_types(flight: Flight) -> list[int]:
    types, offset = [], 12
    while offset < len(flight.data):
        types.append(flight.data[offset])
        length = int.from_bytes(flight.data[offset + 2 : offset + 4])
        offset += length + -length % 4
    return types


def in_use(config: Config = CONFIG, seed: int = 1) -> Talk:
    talk = Talk(config, seed)
    for stream in range(8):
        talk.say(talk.a, stream)
        talk.say(talk.z, stream)
    talk.settle([])
    return talk


EVENT = {
    "reset_outgoing": StreamReset,
    "reset_outgoing_all": StreamReset,
    "reset_incoming": StreamReset,
    "reset_incoming_all": StreamReset,
    "reset_association": AssociationReset,
    "add_outgoing": StreamChange,
    "add_incoming": StreamChange,
}


@EACH
def test_each_request_is_done_and_both_users_are_told(name: str) -> None:
    """E05, S06: appendix A, on a good wire."""
    talk = in_use()
    request = talk.command(talk.a, name)
    talk.settle([request])
    assert request.outcome is Outcome.DONE
    for association in (talk.a, talk.z):
        (event,) = talk.events(association, EVENT[name])
        assert isinstance(event, StreamReset | StreamChange | AssociationReset)
        assert not event.denied
        assert not event.failed
    for stream in range(8):
        talk.say(talk.a, stream)
        talk.say(talk.z, stream)
    talk.settle([request])
    # No more packets than the example has.
    assert len(talk.reconfigs()) == (3 if "incoming" in name else 2)


def test_both_ends_agree_on_the_number_of_streams() -> None:
    """P12, P13, S06: one more each way, from each side."""
    talk = in_use()
    for association in (talk.a, talk.z):
        for name in ("add_outgoing", "add_incoming"):
            talk.settle([talk.command(association, name)])
    assert (talk.a.tcb.outbound_streams, talk.a.tcb.inbound_streams) == (14, 14)
    assert (talk.z.tcb.outbound_streams, talk.z.tcb.inbound_streams) == (14, 14)
    talk.say(talk.a, 13)
    talk.say(talk.z, 13)
    talk.settle([])


def test_both_ends_agree_on_the_tsns() -> None:
    """P10, S06: what one is told is what the other is told."""
    talk = in_use()
    talk.settle([talk.command(talk.a, "reset_association")])
    (ours,), (theirs,) = talk.events(talk.a, AssociationReset), talk.events(talk.z, AssociationReset)
    assert isinstance(ours, AssociationReset)
    assert isinstance(theirs, AssociationReset)
    assert (ours.local_tsn, ours.remote_tsn) == (theirs.remote_tsn, theirs.local_tsn)


@EACH
@pytest.mark.parametrize("lost", range(4))
def test_each_packet_with_a_re_config_chunk_lost_once(name: str, lost: int) -> None:
    """S06: the request, its answer, the answer to that: whichever is lost, it comes to the same."""
    talk = in_use()
    seen = 0

    def drop(flight: Flight) -> bool:
        nonlocal seen
        if ChunkType.RE_CONFIG not in chunk_types(flight):
            return False
        seen += 1
        return seen - 1 == lost

    talk.pair.drop = drop
    request = talk.command(talk.a, name)
    talk.say(talk.a, 1)
    talk.say(talk.z, 1)
    talk.settle([request])
    assert request.outcome is Outcome.DONE
    talk.say(talk.a, 1)
    talk.say(talk.z, 1)
    talk.settle([])


@pytest.mark.parametrize("theirs", COMMANDS)
@pytest.mark.parametrize("ours", COMMANDS)
def test_both_sides_ask_at_once(ours: str, theirs: str) -> None:
    """S06: §5.2.3, and every other pair of requests that cross: both are decided, and no byte is lost or mixed."""
    talk = in_use()
    requests = [talk.command(talk.a, ours), talk.command(talk.z, theirs)]
    for stream in range(8):
        talk.say(talk.a, stream)
        talk.say(talk.z, stream)
    talk.settle(requests)
    # Where each asks the other for a request, and has one in flight, the RFC leaves none that both may send (§5.1.1,
    # §5.2.3): one may be refused. Nothing else has a reason to be.
    if not {ours, theirs} <= NEEDS_THE_PEERS_TURN:
        assert [request.outcome for request in requests] == [Outcome.DONE, Outcome.DONE]


@pytest.mark.parametrize("latency_s", [0.01, 0.3])
def test_both_sides_close_streams_of_their_own_at_once(latency_s: float) -> None:
    """S06: each resets its half of a stream and asks for the other half, as whoever closes a byte stream does: nothing
    that one waits for waits for the other."""
    talk = in_use()
    talk.pair.latency_s = latency_s
    requests = []
    for association, streams in ((talk.a, (2, 6)), (talk.z, (1, 5))):
        for stream in streams:
            requests.append(association.reset_outgoing((stream,)))
            requests.append(association.reset_incoming((stream,)))
        talk.touch(association)
    talk.settle(requests)


@pytest.mark.parametrize("late", range(3))
def test_a_request_that_comes_late_takes_no_other_ones_place(late: int) -> None:
    """P13, S06: Z's Add Incoming is late, and A adds as many on its own: that is no answer. What Z asks for next is not
    taken for it (§4.2: the number "is used to identify the request"), before whichever of its packets it arrives."""
    talk = in_use()
    held: list[Flight] = []
    seen = 0

    def hold_first(flight: Flight) -> bool:
        if ChunkType.RE_CONFIG in chunk_types(flight) and flight.sender is talk.pair.z and not held:
            held.append(flight)
            return True
        return False

    def arrive_late(flight: Flight) -> bool:
        nonlocal seen
        if ChunkType.RE_CONFIG in chunk_types(flight) and flight.sender is talk.pair.z:
            if seen == late:
                talk.pair._arrive(held[0])
            seen += 1
        return False

    talk.pair.drop = hold_first
    requests = [talk.command(talk.z, "add_incoming")]
    talk.pair.run_for(0.005)
    requests.append(talk.command(talk.a, "add_outgoing"))
    talk.pair.run_for(0.1)
    talk.pair.drop = arrive_late
    requests.append(talk.command(talk.z, "reset_outgoing"))
    talk.say(talk.z, 1)
    talk.settle(requests)
    assert requests[-1].outcome is Outcome.DONE


@pytest.mark.parametrize("one_side_asks", [True, False], ids=["one side asks", "both sides ask"])
@pytest.mark.parametrize("seed", range(25))
def test_requests_and_data_of_both_sides_on_a_bad_wire(seed: int, one_side_asks: bool) -> None:
    """S06, X46, X54: a reset never loses or mixes bytes of before and after, whoever asks for what, whatever is lost or
    comes twice: of its own streams, or of the other side's."""
    talk = in_use(seed=seed)
    dice = random.Random(seed)
    rate = dice.choice([0.05, 0.2, 0.4])

    def drop(flight: Flight) -> bool:
        roll = dice.random()
        if roll > 0.9:
            # twice, and late
            again = Flight(flight.sender, flight.datagram, flight.at)
            moment = talk.pair.now + dice.uniform(0, 0.5)
            repeats.append((moment, again))
        return roll < rate

    repeats: list[tuple[float, Flight]] = []
    talk.pair.drop = drop
    requests: list[Request] = []
    for _ in range(60):
        association = dice.choice([talk.a, talk.z])
        if dice.random() < 0.25:
            name = dice.choice(list(COMMANDS))
            if one_side_asks and association is talk.z:
                name = name.replace("incoming", "outgoing")
            requests.append(talk.command(association, name))
        else:
            talk.say(association, dice.randrange(8), dice.choice([1, 100, 5000]))
        talk.pair.run_for(dice.choice([0, 0, 0.01, 0.3]))
        for moment, flight in list(repeats):
            if moment <= talk.pair.now:
                repeats.remove((moment, flight))
                talk.pair._arrive(flight)
        if dice.random() < 0.3:
            talk.listen()
    talk.pair.run_for(60)
    # With timers at a minute the rest could take hours.
    talk.pair.drop = lambda flight: False
    talk.settle(requests)
    assert len(requests) >= 5
    assert Outcome.DONE in [request.outcome for request in requests]
