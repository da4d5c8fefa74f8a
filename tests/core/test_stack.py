"""The stack's own: its endpoints and ports, and what it does with a bug of ours."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.stack import FIRST_EPHEMERAL_PORT, LAST_EPHEMERAL_PORT
from aiosctp.core.states import AssociationState
from aiosctp.exceptions import AssociationAborted
from aiosctp.wire.chunks import Abort, Data, Heartbeat, Sack, ShutdownAck, decode_chunks
from aiosctp.wire.packet import encode_packet
from tests.core.bugs import replace_method
from tests.core.laws import check_stack
from tests.core.pair import Pair
from tests.core.scripted import A_PORT, UDP_PORT, Z_PORT, Peer, chunks_of


def test_a_port_is_opened_once() -> None:
    peer = Peer()
    with pytest.raises(ValueError, match=f"SCTP port {Z_PORT} is in use"):
        peer.engine.open_endpoint(Z_PORT, peer.z_addresses, Config())
    peer.engine.close_endpoint(peer.endpoint)
    assert peer.engine.open_endpoint(Z_PORT, peer.z_addresses, Config()).port == Z_PORT


def test_ephemeral_ports_are_of_the_dynamic_range_and_differ() -> None:
    """S01: "random ephemeral SCTP ports"; when none is left, that is said."""
    assert (FIRST_EPHEMERAL_PORT, LAST_EPHEMERAL_PORT) == (49152, 65535)
    peer = Peer()
    every = LAST_EPHEMERAL_PORT - FIRST_EPHEMERAL_PORT + 1
    ports = {peer.engine.open_endpoint(0, peer.z_addresses, Config()).port for _ in range(3)}
    assert len(ports) == 3
    assert all(FIRST_EPHEMERAL_PORT <= port <= LAST_EPHEMERAL_PORT for port in ports)
    for _ in range(every - 3):
        peer.engine.open_endpoint(0, peer.z_addresses, Config())
    with pytest.raises(ValueError, match="every ephemeral SCTP port is in use"):
        peer.engine.open_endpoint(0, peer.z_addresses, Config())


def test_a_peer_of_a_family_that_we_do_not_have_can_not_be_called() -> None:
    """E14: and nothing has changed."""
    peer = Peer()
    with pytest.raises(ValueError, match="address family"):
        peer.engine.connect(peer.endpoint, ["2001:db8::1"], A_PORT, udp_port=UDP_PORT, config=peer.config, now=peer.now)
    assert (len(peer.endpoint.associations), peer.poll(), peer.engine.next_deadline()) == (0, [], None)


class Bug(Exception):
    pass


def broken(*arguments: object, **keywords: object) -> None:
    raise Bug


@pytest.mark.parametrize("where", ["receive", "receive_bulk", "handle_timeout", "transmit"])
def test_a_bug_in_one_association_ends_that_one(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """C09, X34: it is ABORTed and reported, never raised into the loop, and the stack goes on."""
    peer = Peer()
    peer.established()
    part = peer.association.input if where.startswith("receive") else peer.association
    replace_method(monkeypatch, part, where, broken)
    if where == "receive":
        peer.send(Heartbeat(b"x"))
    else:
        peer.send_data()
    peer.wait(60)
    (fault,) = peer.engine.poll_faults()
    assert isinstance(fault, Bug)
    assert peer.state is AssociationState.CLOSED
    assert isinstance(peer.association.ending, AssociationAborted)
    assert not peer.endpoint.associations
    if where != "transmit":
        assert len(chunks_of(peer.heard, Abort)) == 1
    # Another is not harmed.
    peer.tag ^= 1
    peer.accepted()  # which asserts that it is ESTABLISHED


def test_a_bug_in_the_exits_too_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer()
    peer.established()
    replace_method(monkeypatch, peer.association.input, "receive", broken)
    replace_method(monkeypatch, peer.association, "abort", broken)
    peer.send(Heartbeat(b"x"))
    assert peer.state is AssociationState.CLOSED
    assert isinstance(peer.association.ending, AssociationAborted)
    assert (peer.engine.next_deadline(), len(peer.endpoint.associations)) == (None, 0)


def test_what_came_is_told_before_anything_is_sent_and_what_was_given_is_not() -> None:
    peer = Peer()
    peer.established()
    peer.send_data()  # the first is acknowledged at once (§5.1)
    engine, association = peer.engine, peer.association
    hastes: list[bool] = []
    request = Data(peer.next_tsn, 0, 0, 0, b"request", unordered=True)
    packet = encode_packet(A_PORT, Z_PORT, peer.z_tag, [request.encode()])
    engine.receive(packet, peer.addresses[0], UDP_PORT, peer.z_addresses[0], peer.now)
    hastes.append(engine.is_in_haste)
    assert engine.poll_changed() == [association]
    assert association.receiver.has_message()
    association.send(OutgoingMessage(b"answer", 0))
    engine.touch_to_send(association)
    hastes.append(engine.is_in_haste)
    (datagram,) = engine.poll_datagrams(peer.now)
    assert [type(chunk) for chunk in decode_chunks(datagram.data)] == [Sack, Data]
    assert engine.poll_changed() == []
    assert hastes == [False, True]


def test_an_association_may_end_after_its_endpoint_was_closed() -> None:
    peer = Peer()
    peer.in_state(AssociationState.SHUTDOWN_SENT)
    peer.engine.close_endpoint(peer.endpoint)
    peer.send(ShutdownAck())
    assert peer.state is AssociationState.CLOSED
    assert peer.engine.next_deadline() is None


@pytest.mark.parametrize("goes_first", ["the other attempt", "the association"])
def test_an_address_that_two_attempts_claim_is_found_by_whichever_is_left(goes_first: str) -> None:
    """A name's addresses are tried one after another from one port; the first to answer names the others as its own."""
    pair = Pair(addresses_z=("192.0.2.2", "192.0.2.22"))
    pair.drop = lambda flight: flight.datagram.destination == "192.0.2.22"
    pair.listen()
    ours = pair.connect()
    engine = pair.a.engine
    endpoint = engine.endpoints[ours.local_port]
    other = engine.connect(endpoint, ["192.0.2.22"], 7777, udp_port=9899, config=Config(), now=pair.now)
    pair.run_until(lambda: "192.0.2.22" in ours.paths)
    first, left = (other, ours) if goes_first == "the other attempt" else (ours, other)
    first.abort(b"")
    engine.touch(first)
    pair.flush()
    assert engine._lookup.by_peer[ours.local_port, 7777, "192.0.2.22"] is left
    check_stack(engine, [left])
    left.abort(b"")
    engine.touch(left)
    pair.flush()
    check_stack(engine, [])
    assert not engine._lookup.heirs
