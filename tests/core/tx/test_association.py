"""The sending side within an association: the third leg of the handshake, loss patterns, abort, two paths."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from aiosctp.config import Config
from aiosctp.core.association import AssociationEngine
from aiosctp.core.messages import Message, OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.events import SenderDry
from aiosctp.exceptions import AssociationAborted
from aiosctp.wire.chunks import CookieEcho, Data, IData, Sack, decode_chunks
from aiosctp.wire.codepoints import CauseCode
from aiosctp.wire.serial import tsn_add
from tests.core.pair import Flight, Pair


def data_in(flight: Flight) -> list[Data | IData]:
    return [chunk for chunk in decode_chunks(flight.data) if isinstance(chunk, (Data, IData))]


def has_cookie_echo(flight: Flight) -> bool:
    return any(isinstance(chunk, CookieEcho) for chunk in decode_chunks(flight.data))


def send(pair: Pair, association: AssociationEngine, messages: Iterable[bytes]) -> None:
    for message in messages:
        association.send(OutgoingMessage(message, 0))
    pair.a.engine.touch(association)


def received(association: AssociationEngine) -> list[Message]:
    found = []
    while (message := association.receiver.read()) is not None:
        found.append(message)
    return found


def run_until_drained(pair: Pair, association: AssociationEngine) -> None:
    def is_drained() -> bool:
        association.sender.check_invariants()
        return association.sender.is_drained

    # With RTO backed off to a minute, and no measurement to collapse it (Karn), many losses take long.
    pair.run_until(is_drained, limit_s=7200)


@pytest.mark.parametrize("interleaving", [False, True])
def test_data_rides_on_the_third_leg_of_the_handshake(interleaving: bool) -> None:
    """§5.1 C: and is there before the COOKIE ACK is."""
    pair = Pair(config_a=Config(interleaving=interleaving))
    endpoint = pair.listen()
    ours = pair.connect()
    send(pair, ours, [b"early"])
    pair.run_until(lambda: ours.state is AssociationState.ESTABLISHED)
    echo = next(flight for flight in pair.log if has_cookie_echo(flight))
    assert [chunk.payload for chunk in data_in(echo)] == [b"early"]
    run_until_drained(pair, ours)
    assert [message.data for message in received(endpoint.accepted.pop())] == [b"early"]
    assert any(isinstance(event, SenderDry) for event in pair.events_of(pair.a, ours))


@pytest.mark.parametrize("interleaving", [False, True])
def test_data_rides_again_with_a_cookie_echo_that_was_lost(interleaving: bool) -> None:
    pair = Pair(config_a=Config(interleaving=interleaving))
    pair.listen()
    ours = pair.connect()
    send(pair, ours, [b"early"])
    lost: list[Flight] = []

    def drop(flight: Flight) -> bool:
        if has_cookie_echo(flight) and len(lost) < 2:
            lost.append(flight)
            return True
        return False

    pair.drop = drop
    run_until_drained(pair, ours)
    assert [len(data_in(flight)) for flight in lost] == [1, 1]
    assert ours.counters.rtxchunks == 2


@pytest.mark.parametrize("seed", range(10))
def test_every_message_arrives_once_and_in_order_whatever_is_lost(seed: int) -> None:
    """E12: both ways of loss, the handshake included."""
    pair = Pair(seed=seed)
    pair.drop = lambda flight: pair.random.random() < 0.15
    ours, theirs = pair.established()
    sent = [bytes([n]) * (1 + 37 * n % 1400) for n in range(100)]
    send(pair, ours, sent)
    run_until_drained(pair, ours)
    assert [message.data for message in received(theirs)] == sent


def test_an_ack_of_what_was_never_sent_aborts_the_association() -> None:
    """R17: with a Protocol Violation."""
    pair = Pair()
    ours, _ = pair.established()
    ours.sack_received(Sack(tsn_add(ours.sender.cumulative_tsn_ack_point, 1), 10000), pair.now)
    assert ours.state is AssociationState.CLOSED
    assert isinstance(ours.ending, AssociationAborted)
    assert [cause.code for cause in ours.ending.causes] == [CauseCode.PROTOCOL_VIOLATION]


def test_what_times_out_goes_to_the_other_address_of_the_peer() -> None:
    """§6.4: the association lives on, on the path that works."""
    config = Config(rto_initial_s=0.5, rto_min_s=0.2, path_max_retrans=1)
    pair = Pair(
        config_a=config,
        config_z=config,
        addresses_a=("192.0.2.1", "198.51.100.1"),
        addresses_z=("192.0.2.2", "198.51.100.2"),
    )
    ours, theirs = pair.established()
    pair.run_until(lambda: all(path.is_active for path in ours.paths) and len(ours.paths) == 2)
    dead = ours.paths.primary.address
    pair.drop = lambda flight: flight.sender is pair.a and flight.datagram.destination == dead
    send(pair, ours, [bytes(1000)] * 20)
    run_until_drained(pair, ours)
    assert len(received(theirs)) == 20
    assert ours.state is AssociationState.ESTABLISHED
