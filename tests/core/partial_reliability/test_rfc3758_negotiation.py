"""RFC 3758 §3.1, §3.3: who may send FORWARD TSN, and who is told that it may not be sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aiosctp.config import Config
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, RemoteError
from aiosctp.wire import causes
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Data, Error, ForwardTsn, Init, InitAck
from aiosctp.wire.codepoints import CauseCode
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import (
    ForwardTsnSupported,
    Parameter,
    SupportedExtensions,
    UnknownParameter,
    UnrecognizedParameter,
)
from tests.core.partial_reliability.script import (
    PARAMETER,
    QUIET,
    SUPPORTED,
    WITHOUT,
    Script,
    data,
    established,
    forward,
    forward_tsns_of,
    sacks_of,
)
from tests.core.scripted import Raw, chunks_of

REPORT = Error((causes.UnrecognizedParameters(PARAMETER),))
"""A does not know the parameter."""


def opened(*announces: Parameter, config: Config = QUIET) -> Script:
    """Z has called A, which announces this in its INIT ACK."""
    peer = Script(config, announces=announces)
    peer.established()
    return peer


def accepted(*announces: Parameter, config: Config = QUIET) -> Script:
    """A has called Z, and announces this in its INIT."""
    peer = Script(config, announces=announces, z_first=None)
    peer.accepted()
    return peer


BOTH_WAYS = pytest.mark.parametrize("associated", [opened, accepted])
Associated = Callable[..., Script]


def reported_in_init_ack() -> Script:
    """A's INIT ACK says that it does not know the parameter."""
    return opened(UnrecognizedParameter(PARAMETER))


def reported_in_an_init_ack_that_has_it() -> Script:
    """The report wins: RFC 3758 §3.3.3 makes no exception."""
    return opened(SUPPORTED, UnrecognizedParameter(PARAMETER))


def reported_with_cookie_echo() -> Script:
    """A had the parameter in its INIT, and yet reports Z's, bundled with the COOKIE."""
    peer = Script(announces=(SUPPORTED,), z_first=None)
    packets = peer.send(peer.cookie_echo(), REPORT)
    assert chunks_of(packets, CookieAck) == [CookieAck()]
    peer._association = peer.endpoint.accepted.pop()
    return peer


def reported_when_established() -> Script:
    peer = established()
    assert peer.send(REPORT) == []
    return peer


REPORTED = pytest.mark.parametrize(
    "reported",
    [
        reported_in_init_ack,
        reported_in_an_init_ack_that_has_it,
        reported_with_cookie_echo,
        reported_when_established,
    ],
)


def is_supported(peer: Script) -> bool:
    """Now: a type checker takes it to be what it was asserted to be before."""
    return peer.association.supports_partial_reliability


def comes_up(peer: Script) -> list[AssociationChangeKind]:
    return [event.change for event in peer.events_of(AssociationChange)]


def loses_messages_of_every_policy(peer: Script) -> None:
    """Z's messages get lost, and are reported missing, until their terms are over and long after."""
    peer.z_sends(max_retransmits=0)
    peer.z_sends(lifetime=0.1)
    peer.z_sends(3000, max_retransmits=1)
    peer.z_sends(buffer_priority=7)
    peer.association.sender.make_room(10_000, 0, None)
    peer.touch()
    for _ in range(4):
        peer.z_sends(b"reliable")
    peer.reports_missing(-1, first=5)
    peer.wait(30.0)


def refuses_a_forward_tsn(peer: Script) -> None:
    """A -> DATA 1, FORWARD TSN(0) -> Z, which knows no such chunk."""
    peer.says(data(1, stream=1, ssn=1))
    packets = peer.send(forward(0, (1, 0)))
    (error,) = chunks_of(packets, Error)
    assert error.causes == (causes.UnrecognizedChunkType(forward(0, (1, 0)).encode()),)
    peer.late()
    assert sacks_of(peer.heard)[-1] == (-1, ((2, 2),))
    assert peer.reads() == []
    loses_messages_of_every_policy(peer)
    assert forward_tsns_of(peer.heard) == []


# -- §3.1: the parameter --


def test_the_parameter_is_of_four_bytes() -> None:
    """P18: Figure of §3.1, in INIT and in INIT ACK."""
    (packet,) = Script().cookie_wait()
    assert PARAMETER in packet.datagram.data
    peer = Script(z_first=None)
    peer.listen()
    (packet,) = peer.send(peer.init(), tag=0)
    assert PARAMETER in packet.datagram.data


@BOTH_WAYS
def test_the_parameter_twice_says_no_more_than_once(associated: Associated) -> None:
    """P18: §3.1."""
    peer = associated(SUPPORTED, SUPPORTED)
    assert is_supported(peer)


def test_an_init_whose_parameter_has_a_value_does_no_harm() -> None:
    """P18: §3.1 gives it a length of 4; RFC 9260 does not say what becomes of another. The next INIT is answered."""
    peer = Script(z_first=None)
    peer.listen()
    peer.send(peer.init(UnknownParameter(0xC000, b"\x00" * 8)), tag=0)
    assert len(chunks_of(peer.send(peer.init(), tag=0), InitAck)) == 1


# -- §3.3.1, §3.3.2: who left it out --


def test_where_our_init_had_no_parameter_a_forward_tsn_is_an_unrecognized_chunk() -> None:
    """P18: §3.3.1: "It MUST instead act as if it does NOT support the FORWARD TSN chunk, returning an ERROR"."""
    peer = Script(WITHOUT)
    (init,) = chunks_of(peer.cookie_wait(), Init)
    assert not any(isinstance(each, ForwardTsnSupported) for each in init.parameters)
    peer.send(peer.init_ack())
    peer.send(CookieAck())
    refuses_a_forward_tsn(peer)


def test_where_our_init_ack_had_no_parameter_a_forward_tsn_is_an_unrecognized_chunk() -> None:
    """P18: §3.3.2: the same."""
    peer = accepted(SUPPORTED, config=WITHOUT)
    assert not any(
        isinstance(each, ForwardTsnSupported) for chunk in chunks_of(peer.heard, InitAck) for each in chunk.parameters
    )
    refuses_a_forward_tsn(peer)


def test_without_support_the_parameter_in_an_init_is_unrecognized() -> None:
    """P18: §3.3.2: "the receiver MUST follow the rules defined in Section 3.3.3 of RFC 2960": 0xC000 is reported."""
    peer = Script(WITHOUT, z_first=None)
    peer.listen()
    (init_ack,) = chunks_of(peer.send(peer.init(), tag=0), InitAck)
    assert UnrecognizedParameter(PARAMETER) in init_ack.parameters
    assert SUPPORTED not in init_ack.parameters


def test_without_support_the_parameter_in_an_init_ack_is_unrecognized() -> None:
    """P18: §3.3.2: the same; the ERROR goes with the COOKIE ECHO (RFC 9260 §3.2.2)."""
    peer = Script(WITHOUT)
    peer.cookie_wait()
    (packet,) = peer.send(peer.init_ack())
    assert packet.types == (CookieEcho, Error)
    (error,) = chunks_of([packet], Error)
    assert error.causes == (causes.UnrecognizedParameters(PARAMETER),)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("announces", "expected"), [((), False), ((SUPPORTED,), True), ((SupportedExtensions((0xC0,)),), True)], ids=str
)
def test_that_the_peer_lacks_it_is_recorded(
    announces: tuple[Parameter, ...], expected: bool, associated: Associated
) -> None:
    """P18, E01: §3.3.2: "SHOULD record the fact that the peer does not support the FORWARD TSN chunk"; before the
    COOKIE ECHO there is no state but the cookie."""
    assert is_supported(associated(*announces)) is expected


@BOTH_WAYS
def test_a_peer_without_the_parameter_is_never_sent_a_forward_tsn(associated: Associated) -> None:
    """E01: §3.3.2: "MUST NOT send a FORWARD TSN chunk at any time during the associations life"."""
    peer = associated()
    loses_messages_of_every_policy(peer)
    assert forward_tsns_of(peer.heard) == []


@BOTH_WAYS
@pytest.mark.parametrize(("announces", "expected"), [((), False), ((SUPPORTED,), True)], ids=str)
def test_the_user_is_told_that_the_peer_lacks_it(
    announces: tuple[Parameter, ...], expected: bool, associated: Associated
) -> None:
    """E01: §3.3.2: "SHOULD inform the upper layer if the upper layer has requested such notification"; §4.2: with the
    COMMUNICATION UP notification, when what was negotiated can be asked for."""
    peer = associated(*announces)
    assert comes_up(peer) == [AssociationChangeKind.COMM_UP]
    assert ("pr" in peer.association.tcb.negotiated.names) is expected


# -- §3.3.3: who is told that the peer does not know it --


def test_the_user_is_told_of_a_report_that_the_parameter_is_unrecognized() -> None:
    """E01: §3.3.3: "SHOULD inform its upper layer of the remote endpoint's inability"."""
    peer = reported_in_init_ack()
    assert comes_up(peer) == [AssociationChangeKind.COMM_UP]
    assert not is_supported(peer)
    for late in (reported_with_cookie_echo(), reported_when_established()):
        (event,) = late.events_of(RemoteError)
        assert (event.error, event.data) == (CauseCode.UNRECOGNIZED_PARAMETERS, REPORT.encode())


def test_a_report_after_the_handshake_only_marks_the_association() -> None:
    """E01: §3.3.3: "the endpoint MUST just mark the association as not supporting partial reliability"."""
    peer = reported_when_established()
    assert peer.state is AssociationState.ESTABLISHED
    assert not is_supported(peer)
    assert len(peer.sent(peer.z_sends(b"out"))) == 1
    assert peer.sacks(0) == []
    peer.says(data(0))
    assert peer.reads() == [b"<0>"]


@REPORTED
def test_after_a_report_messages_once_sent_are_reliable(reported: Callable[[], Script]) -> None:
    """E01: §3.3.3: "the endpoint receiving the operational error SHOULD note that the FORWARD TSN chunk is not
    supported"; §4.1: then what has been sent is sent "as a normal reliable message"."""
    peer = reported()
    (first,) = peer.sent(peer.z_sends(lifetime=0.5))
    assert peer.sent(peer.wait(30.0)) == [first] * 4, "T3 at 1, 3, 7 and 15 s"
    peer.sacks(first)
    assert peer.wait(60.0) == []
    assert peer.failures() == []


@REPORTED
def test_no_forward_tsn_is_sent_after_a_report(reported: Callable[[], Script]) -> None:
    """E01: §3.3.3: "MUST NOT transmit a FORWARD TSN chunk at any time during the life of the association"."""
    peer = reported()
    loses_messages_of_every_policy(peer)
    assert forward_tsns_of(peer.heard) == []


def test_no_forward_tsn_is_repeated_after_a_report() -> None:
    """E01: §3.3.3, likewise, where one is unanswered when the ERROR comes."""
    peer = established()
    peer.z_sends(max_retransmits=0)
    assert peer.forwards(peer.wait(1.0)) == [(0, ((0, 0),))]
    packets = peer.send(REPORT)
    packets += peer.wait(30.0)
    assert forward_tsns_of(packets) == []


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_shutdown_does_not_wait_for_what_was_abandoned_before_a_report(when: str) -> None:
    """E01: nothing acknowledges it any more, and only the guard T5 would end the shutdown. What is reliable goes first;
    then A is told that not all has come."""
    peer = established()
    peer.z_sends(max_retransmits=0)
    assert peer.forwards(peer.wait(1.0)) == [(0, ((0, 0),))]
    if when == "before":
        peer.send(REPORT)
    peer.z_sends(b"reliable")
    assert chunks_of(peer.user_shuts_down(), Abort) == []
    packets = peer.send(REPORT) if when == "meanwhile" else []
    assert chunks_of(packets, Abort) == []
    assert len(chunks_of(peer.sacks(-1, (1, 1)), Abort)) == 1
    assert peer.state is AssociationState.CLOSED


def test_a_shutdown_ends_where_a_report_leaves_nothing_to_wait_for() -> None:
    """E01: likewise."""
    peer = established()
    peer.z_sends(max_retransmits=0)
    assert peer.forwards(peer.wait(1.0)) == [(0, ((0, 0),))]
    assert chunks_of(peer.user_shuts_down(), Abort) == []
    assert len(chunks_of(peer.send(REPORT), Abort)) == 1
    assert peer.state is AssociationState.CLOSED


@pytest.mark.parametrize(
    "error",
    [
        Error((causes.UnrecognizedParameters(bytes.fromhex("c0010004")),)),
        Error((causes.UnrecognizedParameters(b""),)),
        Error((causes.UnrecognizedParameters(PARAMETER[:3]),)),
        Error((causes.UnrecognizedParameters(bytes.fromhex("c001c00000000000")),)),
        Raw(encode_chunk(9, 0, b"")),
    ],
    ids=["another", "none", "cut short", "elsewhere in it", "no cause"],
)
def test_a_report_of_something_else_changes_nothing(error: Error | Raw) -> None:
    peer = established()
    peer.send(error)
    assert is_supported(peer)
    assert peer.state is AssociationState.ESTABLISHED


# -- every state --


@pytest.mark.parametrize(
    "state", [state for state in AssociationState if state is not AssociationState.CLOSED], ids=lambda state: state.name
)
def test_a_forward_tsn_is_taken_where_data_is(state: AssociationState) -> None:
    """M17, X07: in the states of RFC 9260 §6 that take DATA; elsewhere it is passed by, and nothing else happens."""
    peer = Script()
    peer.in_state(state)
    before = peer.association.receiver.cumulative_tsn if state is not AssociationState.COOKIE_WAIT else None
    peer.send(forward(0, (0, 0)))
    peer.late()
    assert peer.state is state
    takes = state in (
        AssociationState.ESTABLISHED,
        AssociationState.SHUTDOWN_PENDING,
        AssociationState.SHUTDOWN_SENT,
    )
    if takes:
        assert peer.association.receiver.cumulative_tsn == forward(0).new_cumulative_tsn
    elif before is not None and state is not AssociationState.COOKIE_ECHOED:
        assert peer.association.receiver.cumulative_tsn == before


def test_one_that_comes_with_the_cookie_echo_is_taken() -> None:
    """X43: before the peer's handshake ends, by its own account."""
    peer = Script(z_first=None)
    packets = peer.send(peer.cookie_echo(), forward(0, (0, 0)), data(1, ssn=1))
    assert chunks_of(packets, CookieAck) == [CookieAck()]
    peer._association = peer.endpoint.accepted.pop()
    assert peer.reads() == [b"<1>"]


def test_none_is_sent_before_the_handshake_ends() -> None:
    """X43: what expires before the COOKIE ACK has come is not told of before."""
    peer = Script()
    peer.cookie_echoed()
    peer.queue(lifetime=0.2)
    peer.touch()
    packets = peer.wait(2.0)
    assert not any(packet.has(ForwardTsn) for packet in packets if not packet.has(CookieEcho))
    assert forward_tsns_of(packets) == []


@pytest.mark.parametrize("terms", [{"lifetime": 0.5}, {"max_retransmits": 0}], ids=str)
def test_what_went_with_the_cookie_echo_is_forwarded_after_the_handshake(terms: dict[str, float]) -> None:
    """X43: A has no association yet, for all that Z knows, that a FORWARD TSN could be for."""
    peer = Script()
    peer.cookie_wait()
    peer.queue(**terms)  # type: ignore[arg-type]  # one of the terms, by its name
    (packet,) = peer.send(peer.init_ack())
    assert packet.types == (CookieEcho, Data)
    packets = peer.wait(8.0)
    assert len(chunks_of(packets, CookieEcho)) == 3
    assert forward_tsns_of(packets) == []
    packets = peer.send(CookieAck()) + peer.wait(10.0)
    assert set(peer.forwards(packets)) <= {(0, ((0, 0),))}
    assert forward_tsns_of(packets) or peer.sent(packets)
