"""Which extensions an association speaks, and what becomes of the chunks of the others (RFC 5061 §4.2.7, §3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.wire.causes import ProtocolViolation, UnrecognizedChunkType
from aiosctp.wire.chunks import (
    DATA_FORMAT,
    I_DATA_FORMAT,
    Abort,
    Chunk,
    Data,
    Error,
    ForwardTsn,
    Heartbeat,
    HeartbeatAck,
    IData,
    IForwardTsn,
    Init,
    InitAck,
    NrSack,
    Sack,
    UnknownChunk,
)
from aiosctp.wire.parameters import ForwardTsnSupported, Parameter, SupportedExtensions, UnrecognizedParameter
from tests.core.scripted import A_INITIAL_TSN, Packet, Peer, chunks_of

ALL_ON: dict[str, Any] = {"reconfig": True, "partial_reliability": True, "interleaving": True, "nrsack": True}
ALL_OFF: dict[str, Any] = dict.fromkeys(ALL_ON, False)
EVERYTHING = SupportedExtensions((0x82, 0xC0, 0x40, 0xC2, 0x10))
ENTRANCES = ("opens", "accepts")
PROBE = Heartbeat(b"is the rest of the packet looked at?")


def associated(*announces: Parameter, entrance: str = "accepts", **switches: Any) -> Peer:
    """An association with a peer that announces this."""
    peer = Peer(Config(**{**ALL_OFF, **switches}))
    peer.parameters = announces
    if entrance == "opens":
        peer.established()
    else:
        peer.accepted()
    return peer


def announcement(**switches: Any) -> list[list[Parameter]]:
    """Of our INIT and of our INIT ACK."""
    (init,) = chunks_of(Peer(Config(**switches)).cookie_wait(), Init)
    peer = Peer(Config(**switches))
    peer.listen()
    (init_ack,) = chunks_of(peer.send(peer.init(), tag=0), InitAck)
    return [
        [each for each in chunk.parameters if isinstance(each, SupportedExtensions | ForwardTsnSupported)]
        for chunk in (init, init_ack)
    ]


def violation(packets: list[Packet]) -> bool:
    (abort,) = chunks_of(packets, Abort)
    return [type(cause) for cause in abort.causes] == [ProtocolViolation]


# -- what is announced --


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({}, []),
        ({"reconfig": True}, [SupportedExtensions((0x82,))]),
        ({"partial_reliability": True}, [SupportedExtensions((0xC0,)), ForwardTsnSupported()]),
        ({"nrsack": True}, [SupportedExtensions((0x10,))]),
        # RFC 8260 §2.3.1: I-FORWARD-TSN is for who speaks both.
        ({"interleaving": True}, [SupportedExtensions((0x40,))]),
        (ALL_ON, [EVERYTHING, ForwardTsnSupported()]),
    ],
    ids=str,
)
def test_init_and_init_ack_announce_what_is_switched_on(switches: dict[str, Any], expected: list[Parameter]) -> None:
    """P17, P18: RFC 5061 §4.2.7, RFC 3758 §3.3.1, RFC 8260 §2.2.1."""
    assert announcement(**{**ALL_OFF, **switches}) == [expected, expected]


# -- what was negotiated --


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize(
    ("announces", "expected"),
    [
        ((), ""),
        ((EVERYTHING,), "idata nrsack pr reconfig"),
        # RFC 3758 §3.1: the parameter alone says it; usrsctp lists the chunk type as well, Linux does not.
        ((ForwardTsnSupported(),), "pr"),
        ((SupportedExtensions((0xC0,)),), "pr"),
        ((ForwardTsnSupported(), SupportedExtensions((0x82,))), "pr reconfig"),
        ((SupportedExtensions((0x82,)), ForwardTsnSupported()), "pr reconfig"),
        # S10, M12: Linux lists I-DATA and never I-FORWARD-TSN.
        ((SupportedExtensions((0x40,)),), "idata"),
        ((SupportedExtensions((0x40,)), ForwardTsnSupported()), "idata pr"),
        # RFC 8260 §2.3.1: both of its chunks are enough.
        ((SupportedExtensions((0x40, 0xC2)),), "idata pr"),
        ((SupportedExtensions((0xC2,)),), ""),
        ((SupportedExtensions((0x10,)),), "nrsack"),
        ((SupportedExtensions((0x0F, 0xC1, 0x80, 0x81)),), ""),
    ],
    ids=str,
)
def test_an_extension_is_spoken_where_both_announce_it(
    announces: tuple[Parameter, ...], expected: str, entrance: str
) -> None:
    """M11, M12, M17, P18: whether we have opened the association or accepted it."""
    engine = associated(*announces, entrance=entrance, **ALL_ON).association
    names = expected.split()
    assert engine.tcb.negotiated.names == set(names)
    assert engine.supports_reconfig is ("reconfig" in names)
    assert engine.supports_partial_reliability is ("pr" in names)
    assert engine.interleaves is ("idata" in names)
    assert engine.supports_nr_sack is ("nrsack" in names)
    assert engine.tcb.negotiated.data_format is (I_DATA_FORMAT if "idata" in names else DATA_FORMAT)


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_our_messages_go_in_the_format_that_was_negotiated(entrance: str) -> None:
    """S10: RFC 8260 §2.2.1: "I-DATA chunks MUST be used for all user messages and DATA chunks MUST NOT be used", and
    the other way round; after a restart as well."""
    peer = associated(EVERYTHING, entrance=entrance, **ALL_ON)
    packets = peer.user_sends(b"data")
    assert (len(chunks_of(packets, IData)), len(chunks_of(packets, Data))) == (1, 0)
    peer = associated(SupportedExtensions((0xC0,)), entrance=entrance, **ALL_ON)
    packets = peer.user_sends(b"data")
    assert (len(chunks_of(packets, IData)), len(chunks_of(packets, Data))) == (0, 1)
    peer.parameters = (EVERYTHING,)
    peer.tag ^= 1
    peer.send(peer.cookie_echo())
    packets = peer.user_sends(b"data")
    assert (len(chunks_of(packets, IData)), len(chunks_of(packets, Data))) == (1, 0)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize(
    ("switch", "name"),
    [("reconfig", "reconfig"), ("partial_reliability", "pr"), ("interleaving", "idata"), ("nrsack", "nrsack")],
)
def test_what_is_switched_off_is_not_spoken(switch: str, name: str, entrance: str) -> None:
    peer = associated(EVERYTHING, ForwardTsnSupported(), entrance=entrance, **{**ALL_ON, switch: False})
    assert peer.association.tcb.negotiated.names == {"reconfig", "pr", "idata", "nrsack"} - {name}


def test_forward_tsn_supported_is_an_unknown_parameter_to_who_does_not_speak_it() -> None:
    """P18: RFC 3758 §3.3.2: "the receiver MUST follow the rules" for unknown ones: 0xC000 is reported and skipped."""
    peer = Peer(Config(**ALL_OFF))
    peer.listen()
    (init_ack,) = chunks_of(peer.send(peer.init(ForwardTsnSupported()), tag=0), InitAck)
    assert UnrecognizedParameter(bytes.fromhex("c0000004")) in init_ack.parameters
    peer = Peer(Config(**{**ALL_OFF, "partial_reliability": True}))
    peer.listen()
    (init_ack,) = chunks_of(peer.send(peer.init(ForwardTsnSupported()), tag=0), InitAck)
    assert UnrecognizedParameter not in {type(parameter) for parameter in init_ack.parameters}


# -- chunks of what was not --


OF_EXTENSIONS: dict[str, tuple[Chunk, bool, bool]] = {
    "NR_SACK": (NrSack(0, 5000), False, False),
    "I_DATA": (IData(A_INITIAL_TSN, 0, 0, 0, 0, b"data"), False, True),
    "FORWARD_TSN": (ForwardTsn(A_INITIAL_TSN, ((0, 0),)), True, True),
    "I_FORWARD_TSN": (IForwardTsn(A_INITIAL_TSN, ((0, False, 0),)), True, True),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("name", OF_EXTENSIONS)
def test_a_chunk_that_is_not_spoken_here_is_one_of_unknown_type(name: str, entrance: str) -> None:
    """M11, M12, M17: §3.2, Table 2, by the two high bits of its type; RFC 3758 §3.3.1: "returning an ERROR to the peer
    upon receipt of any FORWARD TSN"."""
    chunk, goes_on, is_reported = OF_EXTENSIONS[name]
    peer = associated(EVERYTHING, ForwardTsnSupported(), entrance=entrance)
    packets = peer.send(chunk, PROBE)
    reports = [cause for error in chunks_of(packets, Error) for cause in error.causes]
    assert reports == ([UnrecognizedChunkType(chunk.encode())] if is_reported else [])
    assert bool(chunks_of(packets, HeartbeatAck)) is goes_on
    assert not chunks_of(packets, Sack)
    assert peer.association.state is AssociationState.ESTABLISHED
    assert peer.association.receiver.cumulative_tsn == (A_INITIAL_TSN - 1) & 0xFFFF_FFFF


@pytest.mark.parametrize("name", ["NR_SACK", "FORWARD_TSN"])
def test_so_is_one_that_the_peer_did_not_announce(name: str) -> None:
    chunk, goes_on, is_reported = OF_EXTENSIONS[name]
    packets = associated(**ALL_ON).send(chunk, PROBE)
    assert bool(chunks_of(packets, Error)) is is_reported
    assert bool(chunks_of(packets, HeartbeatAck)) is goes_on


@pytest.mark.parametrize("type", [0xC0, 0xC2])
def test_not_spoken_its_value_is_not_looked_at(type: int) -> None:
    """X40: what would be malformed is reported like any unknown chunk."""
    chunk = UnknownChunk(type, 0, b"???")
    packets = associated(EVERYTHING).send(chunk, PROBE)
    assert chunks_of(packets, Error) == [Error((UnrecognizedChunkType(chunk.encode()),))]
    assert chunks_of(packets, HeartbeatAck)


def test_an_nr_sack_acknowledges_as_a_sack_does() -> None:
    """M11, S15: what may be dropped again and what will not."""
    for chunk in (Sack, NrSack):
        peer = associated(EVERYTHING, nrsack=True)
        for _ in range(4):
            peer.user_sends(b"data")
        first = peer.z_initial_tsn
        blocks = (((2, 2), (4, 4)),) if chunk is Sack else (((4, 4),), ((2, 2),))
        assert peer.association.sender.unacknowledged_chunks == 4
        before = peer.association.paths.primary.flight_bytes
        peer.send(chunk((first - 1) & 0xFFFF_FFFF, 5000, *blocks))
        assert peer.association.paths.primary.flight_bytes == before // 2
        peer.send(chunk((first + 3) & 0xFFFF_FFFF, 5000))
        assert peer.association.sender.unacknowledged_chunks == 0


# -- the format that was not negotiated --

FORBIDDEN: dict[str, tuple[bool, Callable[[], Chunk]]] = {
    "DATA where I-DATA was negotiated": (True, lambda: Data(A_INITIAL_TSN, 0, 0, 0, b"data")),
    "I-DATA where it was not": (False, lambda: IData(A_INITIAL_TSN, 0, 0, 0, 0, b"data")),
    "FORWARD TSN where I-DATA was negotiated": (True, lambda: ForwardTsn(A_INITIAL_TSN)),
    "I-FORWARD-TSN where it was not": (False, lambda: IForwardTsn(A_INITIAL_TSN)),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_other_format_is_a_violation(name: str, entrance: str) -> None:
    """S10: RFC 8260 §2.2.3: "the receiver of the DATA chunk MUST abort the association ... The same applies if I-DATA
    support has not been negotiated ... and an I-DATA chunk is received"; §2.3.1 for FORWARD TSN."""
    interleaves, make = FORBIDDEN[name]
    announces = EVERYTHING if interleaves else SupportedExtensions((0xC0,))
    peer = associated(announces, entrance=entrance, **ALL_ON)
    assert violation(peer.send(make()))
    assert peer.association.state is AssociationState.CLOSED


def test_data_behind_the_cookie_is_judged_by_what_the_cookie_says() -> None:
    """S10: the packet that makes the association is read as one of it."""
    peer = Peer(Config(**ALL_ON))
    peer.parameters = (EVERYTHING,)
    assert violation(peer.send(peer.cookie_echo(), Data(A_INITIAL_TSN, 0, 0, 0, b"data")))
    peer = Peer(Config(**ALL_OFF))
    packets = peer.send(peer.cookie_echo(), IData(A_INITIAL_TSN, 0, 0, 0, 0, b"data"))
    assert [type(cause) for error in chunks_of(packets, Error) for cause in error.causes] == [UnrecognizedChunkType]


def test_after_a_restart_counts_what_the_new_peer_announces() -> None:
    peer = associated(EVERYTHING, **ALL_ON)
    assert peer.association.interleaves
    # The peer has lost its memory, and an extension: A -> INIT -> Z, Z -> INIT ACK -> A, A -> COOKIE ECHO -> Z
    peer.parameters = (SupportedExtensions((0x82,)),)
    peer.tag ^= 1
    peer.send(peer.cookie_echo())
    assert peer.association.tcb.negotiated.names == {"reconfig"}
    assert violation(peer.send(IData(A_INITIAL_TSN, 0, 0, 0, 0, b"data")))
