"""RFC 6525 §3: the RE-CONFIG chunk, what it may hold, and what becomes of one that holds something else."""

from __future__ import annotations

import struct
from itertools import product

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.chunks import Heartbeat, HeartbeatAck, ReConfig
from aiosctp.wire.codepoints import CauseCode, ChunkType
from aiosctp.wire.reconfig import ReconfigurationParameter, ReconfigurationResponse
from tests.core.laws import check_association
from tests.core.reconfig.script import (
    COMBINATIONS,
    PERFORMED,
    Script,
    causes_of,
    established,
    number,
    raw_chunk,
    raw_parameter,
    responses_of,
    results_of,
)

KINDS = ("outgoing", "incoming", "ssn_tsn", "response", "add_outgoing", "add_incoming")


def parameter(peer: Script, kind: str) -> ReconfigurationParameter:
    match kind:
        case "outgoing" | "incoming":
            made: ReconfigurationParameter = getattr(peer, kind)(1)
        case "ssn_tsn":
            made = peer.ssn_tsn()
        case "response":
            made = ReconfigurationResponse(number(peer.z_initial_tsn, -7), PERFORMED)
        case _:
            made = getattr(peer, kind)(2)
    return made


def in_use() -> Script:
    """Every stream has gone beyond SSN 0, so that every request has something to do."""
    peer = established()
    peer.z_uses(1, 2)
    peer.a_uses(1, 2)
    return peer


def test_a_re_config_chunk_is_drawn_as_in_the_rfc() -> None:
    """M15: §3.1: type 130, flags 0 of a sender, the length with the header, one or two parameters."""
    peer = established()
    one, two = peer.add_outgoing(1), peer.add_incoming(2)
    assert ReConfig((one,)).encode().hex(" ", 4) == "82000010 0011000c fffffffe 00010000"
    assert ReConfig((one, two)).encode().hex(" ", 4) == (
        "8200001c 0011000c fffffffe 00010000 0012000c ffffffff 00020000"
    )


@pytest.mark.parametrize("flags", [1, 0x80, 0xFF])
def test_the_flags_are_ignored(flags: int) -> None:
    """M15: "This field is set to 0 by the sender and ignored by the receiver"."""
    peer = in_use()
    request = peer.outgoing(1)
    # A -> RE-CONFIG [Outgoing], with flags -> Z, Z -> RE-CONFIG [Response] -> A
    packets = peer.send(raw_chunk(raw_parameter(13, request.encode()[4:]), flags=flags))
    assert results_of(packets) == [(request.request_sequence_number, PERFORMED)]


@pytest.mark.parametrize("kinds", sorted(product(KINDS, repeat=1)) + sorted(product(KINDS, repeat=2)), ids="+".join)
def test_an_unsupported_combination_is_a_protocol_violation(kinds: tuple[str, ...]) -> None:
    """M15: "the receiver SHOULD send an ERROR chunk with a Protocol Violation cause"; the ten allowed ones are none."""
    peer = in_use()
    parameters = tuple(parameter(peer, kind) for kind in kinds)
    types = tuple(map(type, parameters))
    packets = peer.ask(*parameters)
    if types in COMBINATIONS:
        assert causes_of(packets) == []
    elif types[::-1] in COMBINATIONS:
        # The RFC does not say that the order counts: either is an answer.
        assert causes_of(packets) or responses_of(packets) or types[1] is ReconfigurationResponse
    else:
        assert causes_of(packets) == [CauseCode.PROTOCOL_VIOLATION]
    assert peer.state is AssociationState.ESTABLISHED
    check_association(peer.association)


@pytest.mark.parametrize(
    "kinds",
    [
        ("outgoing", "incoming", "outgoing"),
        ("response", "response", "response"),
        ("response", "outgoing", "incoming"),
        ("add_outgoing", "add_incoming", "add_incoming"),
        ("incoming", "ssn_tsn", "add_outgoing"),
    ],
    ids="+".join,
)
def test_more_than_two_parameters_are_a_protocol_violation(kinds: tuple[str, ...]) -> None:
    """M15: "at least one parameter and at most two"; one ERROR for all that are too many."""
    peer = in_use()
    made = [parameter(peer, kind) for kind in kinds]
    packets = peer.send(raw_chunk(*(raw_parameter(each.type, each.encode()[4:]) for each in made)))
    assert causes_of(packets) == [CauseCode.PROTOCOL_VIOLATION]
    assert peer.state is AssociationState.ESTABLISHED


def test_a_thousand_parameters_are_one_violation() -> None:
    """M15, X49: what a chunk of 12 kB makes us send is one ERROR."""
    peer = in_use()
    packets = peer.send(raw_chunk(*(raw_parameter(14, struct.pack("!LH", n, 1)) for n in range(1000))))
    assert causes_of(packets) == [CauseCode.PROTOCOL_VIOLATION]
    assert len(packets) == 1
    assert len(packets[0].datagram.data) < 1500


def test_a_chunk_without_parameters_asks_for_nothing() -> None:
    """M15: "each RE-CONFIG chunk holds at least one parameter": at most an ERROR, never an answer."""
    peer = in_use()
    # A -> RE-CONFIG [], HEARTBEAT -> Z
    packets = peer.send(raw_chunk(), Heartbeat(b"info"))
    assert responses_of(packets) == []
    assert causes_of(packets) in ([], [CauseCode.PROTOCOL_VIOLATION])
    # Z -> HEARTBEAT ACK -> A: what follows is processed
    assert any(HeartbeatAck(b"info") in packet.chunks for packet in packets)
    check_association(peer.association)


def test_a_violation_does_not_use_up_a_request_number() -> None:
    """M15, S06: what was not processed was not received: its number is still the next one."""
    peer = in_use()
    first, second = peer.ssn_tsn(), peer.ssn_tsn()
    assert causes_of(peer.ask(first, second)) == [CauseCode.PROTOCOL_VIOLATION]
    peer.next_request = first.request_sequence_number
    request = peer.outgoing(1)
    assert results_of(peer.ask(request)) == [(request.request_sequence_number, PERFORMED)]


def test_who_does_not_know_the_chunk_ignores_it_and_goes_on() -> None:
    """M15, M18: §3: "the receiver ignore the chunk if it is not understood and continue processing": its high bits."""
    assert ChunkType.RE_CONFIG >> 6 == 0b10
    peer = Script(announces=())
    peer.established()
    packets = peer.send(ReConfig((peer.outgoing(1),)), Heartbeat(b"info"))
    assert [packet.types for packet in packets] == [(HeartbeatAck,)]
