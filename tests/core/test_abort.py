"""§9.1, §3.3.7, §3.3.10: the abortive end, and the error causes of an association that lives."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage
from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChange, AssociationChangeKind, RemoteError, SendFailed
from aiosctp.exceptions import AssociationAborted, AssociationRefused
from aiosctp.exceptions import Cause as ReportedCause
from aiosctp.wire.causes import (
    Cause,
    CookieReceivedWhileShuttingDown,
    InvalidMandatoryParameter,
    InvalidStreamIdentifier,
    MissingMandatoryParameter,
    NoUserData,
    OutOfResource,
    ProtocolViolation,
    RestartWithNewAddresses,
    StaleCookie,
    UnknownCause,
    UnrecognizedChunkType,
    UnrecognizedParameters,
    UnresolvableAddress,
    UserInitiatedAbort,
)
from aiosctp.wire.chunks import (
    Abort,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    Sack,
    Shutdown,
    UnknownChunk,
)
from aiosctp.wire.codepoints import CauseCode
from aiosctp.wire.packet import encode_chunk, encode_packet
from aiosctp.wire.parameters import IPv4AddressParameter
from tests.core.laws import check_association, check_stack
from tests.core.scripted import (
    A_INITIAL_TSN,
    A_PORT,
    A_RWND,
    A_TAG,
    UDP_PORT,
    Z_PORT,
    Packet,
    Peer,
    Raw,
    chunks_of,
    packets_with,
)

CLOSED = AssociationState.CLOSED
COOKIE_WAIT = AssociationState.COOKIE_WAIT
COOKIE_ECHOED = AssociationState.COOKIE_ECHOED
ESTABLISHED = AssociationState.ESTABLISHED
HANDSHAKE = (COOKIE_WAIT, COOKIE_ECHOED)
LIVING = tuple(state for state in AssociationState if state is not CLOSED)

# One of each code of Table 11, and two that are not in it.
CAUSES: tuple[Cause, ...] = (
    InvalidStreamIdentifier(7),
    MissingMandatoryParameter((7,)),
    StaleCookie(1234),
    OutOfResource(),
    UnresolvableAddress(b"\x00\x0b\x00\x08host"),
    UnrecognizedChunkType(b"\x7e\x00\x00\x04"),
    InvalidMandatoryParameter(),
    UnrecognizedParameters(b"\x80\x01\x00\x04"),
    NoUserData(1),
    CookieReceivedWhileShuttingDown(),
    RestartWithNewAddresses((IPv4AddressParameter("192.0.2.9"),)),
    UserInitiatedAbort(b"reason"),
    ProtocolViolation(b"what happened"),
    UnknownCause(0x00A0, b"of an extension"),
    UnknownCause(0xFFFF, b""),
)


def hex_code(cause: Cause) -> str:
    return f"{cause.code:#x}"


def established(config: Config | None = None) -> Peer:
    peer = Peer(config)
    peer.established()
    return peer


def assert_aborted(peer: Peer, *causes: Cause, local: bool) -> None:
    assert peer.state is CLOSED
    ending = peer.association.ending
    assert isinstance(ending, AssociationAborted)
    assert ending.local is local
    assert ending.causes == tuple(ReportedCause(cause.code, cause.data) for cause in causes)
    assert peer.engine.next_deadline() is None
    check_stack(peer.engine, [peer.association])


def abort_in(packets: list[Packet]) -> Abort:
    """The one ABORT Z sent, to A, in a packet without DATA."""
    (packet,) = packets_with(packets, Abort)
    assert not packet.has(Data)
    assert packet.verification_tag == A_TAG
    (abort,) = chunks_of([packet], Abort)
    assert not abort.tag_reflected
    return abort


def test_every_cause_code_has_its_test() -> None:
    assert {cause.code for cause in CAUSES} >= set(CauseCode) - {CauseCode.RESTART_WITH_NEW_ENCAPSULATION_PORT}


# -- our user aborts --


@pytest.mark.parametrize("state", [state for state in LIVING if state is not COOKIE_WAIT])
def test_the_user_aborts_in_any_state(state: AssociationState) -> None:
    """M05, Q12, E13: ABORT under the peer's tag, with "User-Initiated Abort" and the reason; the TCB is deleted."""
    peer = Peer()
    peer.in_state(state)
    # Z -> ABORT -> A
    packets = peer.user_aborts(b"the user's own words")
    assert abort_in(packets).causes == (UserInitiatedAbort(b"the user's own words"),)
    assert [packet.types for packet in packets] == [(Abort,)]
    assert_aborted(peer, UserInitiatedAbort(b"the user's own words"), local=True)
    kind = AssociationChangeKind.CANT_STR_ASSOC if state in HANDSHAKE else AssociationChangeKind.COMM_LOST
    assert peer.events_of(AssociationChange)[-1] == AssociationChange(kind, CauseCode.USER_INITIATED_ABORT)
    assert peer.wait(10_000) == []


def test_the_user_aborts_before_the_peer_has_answered() -> None:
    """M05: in COOKIE-WAIT there is no tag an ABORT could go under; the attempt ends all the same."""
    peer = Peer()
    peer.in_state(COOKIE_WAIT)
    assert peer.user_aborts(b"changed my mind") == []
    assert_aborted(peer, UserInitiatedAbort(b"changed my mind"), local=True)


def test_no_data_is_bundled_with_abort() -> None:
    """M05, X14: "MUST NOT bundle any DATA chunk with the ABORT chunk", whatever is queued; it is reported instead."""
    peer = established()
    peer.user_sends(b"sent")
    # queued and aborted before anything could be sent
    peer.association.send(OutgoingMessage(b"unsent", stream=0))
    packets = peer.user_aborts()
    abort_in(packets)
    assert packets_with(packets, Data) == []
    assert {event.data for event in peer.events_of(SendFailed)} == {b"sent", b"unsent"}


def test_what_waits_to_be_sent_does_not_follow_or_lead_an_abort() -> None:
    """M05, X14: answers that were due are dropped: what comes after an ABORT would be out of the blue."""
    peer = established()
    packet = encode_packet(A_PORT, Z_PORT, peer.z_tag, [Heartbeat(b"?").encode(), UnknownChunk(0xFE, 0, b"").encode()])
    peer.engine.receive(packet, peer.addresses[0], UDP_PORT, peer.z_addresses[0], peer.now)
    assert len(peer.association.output.control) == 2
    (abort,) = peer.user_aborts()
    assert abort.types == (Abort,)


def test_both_sides_abort_at_once_with_data_queued() -> None:
    """X14: the ABORT that crosses ours finds no association and gets no answer (§8.4 rule 2)."""
    peer = established()
    peer.user_sends(b"x", b"y")
    peer.user_aborts()
    # A -> ABORT -> Z, Z -> nothing -> A
    assert peer.send(Abort()) == []
    assert peer.send_data() != []  # out of the blue: ABORT, T
    assert_aborted(peer, UserInitiatedAbort(b""), local=True)


def test_after_an_abort_the_association_is_unknown() -> None:
    """M05, R14: "delete TCB": what the peer still sends is out of the blue."""
    peer = established()
    peer.user_aborts()
    (packet,) = peer.send(Heartbeat(b"?"))
    assert packet.chunks == (Abort(tag_reflected=True),)
    assert packet.verification_tag == peer.z_tag


# -- the peer aborts --


@pytest.mark.parametrize("cause", CAUSES, ids=hex_code)
def test_an_abort_of_the_peer_ends_the_association_and_its_cause_is_told(cause: Cause) -> None:
    """M05, Q12, E13, C02, C04: "MUST remove the association ... and SHOULD report the termination"; the reason of the
    user "SHOULD be made available"."""
    peer = established()
    chunk = Abort((cause, OutOfResource()))
    # A -> ABORT -> Z, Z -> nothing -> A
    assert peer.send(chunk) == []
    assert_aborted(peer, cause, OutOfResource(), local=False)
    lost = peer.events_of(AssociationChange)[-1]
    assert (lost.change, lost.error) == (AssociationChangeKind.COMM_LOST, cause.code)
    # RFC 6458 §6.1.1: sac_info holds the ABORT chunk
    assert lost.info.rstrip(b"\0") == chunk.encode().rstrip(b"\0")


def test_an_abort_without_a_cause() -> None:
    """M05: it "MAY contain error causes"."""
    peer = established()
    assert peer.send(Abort()) == []
    assert_aborted(peer, local=False)
    assert peer.events_of(AssociationChange)[-1].error == 0


def test_what_was_outstanding_is_reported_after_the_abort() -> None:
    """C04, M05: COMM_LOST "followed by one SEND_FAILED per outstanding message"."""
    peer = established()
    peer.user_sends(b"one", b"two")
    peer.events.clear()
    peer.send(Abort())
    assert isinstance(peer.events[0], AssociationChange)
    assert [event.data for event in peer.events if isinstance(event, SendFailed)] == [b"one", b"two"]


@pytest.mark.parametrize("state", HANDSHAKE)
def test_an_abort_in_the_handshake_is_a_refusal(state: AssociationState) -> None:
    """M05, C07, I03: from any state to CLOSED (Figure 3); the user learns that nothing came up."""
    peer = Peer()
    peer.in_state(state)
    assert peer.send(Abort((OutOfResource(),))) == []
    assert peer.state is CLOSED
    assert isinstance(peer.association.ending, AssociationRefused)
    assert [cause.code for cause in peer.association.ending.causes] == [OutOfResource.code]
    assert str(peer.association.ending).endswith("refused the association: out of resource")
    assert [event.change for event in peer.events_of(AssociationChange)] == [AssociationChangeKind.CANT_STR_ASSOC]


@pytest.mark.parametrize(
    ("causes", "text"),
    [
        ((), "the peer aborted the association"),
        ((UserInitiatedAbort(b"enough"), OutOfResource()), "association: user initiated abort: 'enough'"),
        ((UserInitiatedAbort(b""),), "association: user initiated abort"),
        ((UserInitiatedAbort(b"\n\xff"),), r"user initiated abort: '\n\\xff'"),
        ((UnknownCause(4711, b"x"),), "association: cause 4711"),
        ((ProtocolViolation(b"of what"),), "association: protocol violation"),
    ],
)
def test_an_ending_says_why(causes: tuple[Cause, ...], text: str) -> None:
    peer = established()
    peer.send(Abort(causes))
    assert str(peer.association.ending).endswith(text)


@pytest.mark.parametrize(
    "value",
    [b"\x00", b"\x00\x0c\x00\x03", b"\x00\x0c\xff\xff", b"\x00\x01\x00\x04", b"\xff" * 50, b"\x00\x04\x00\x04" * 1000],
)
def test_no_abort_is_ever_answered_whatever_it_holds(value: bytes) -> None:
    """M05, X30, X45: "under any circumstances, an endpoint that receives an ABORT chunk MUST NOT respond ... by
    sending an ABORT chunk of its own"; causes only explain."""
    peer = established()
    assert peer.send(Raw(encode_chunk(6, 0, value))) == []
    # nor one that finds no association any more
    assert peer.send(Raw(encode_chunk(6, 0, value))) == []


@pytest.mark.parametrize("chunk", [b"\x06\x00\x00\x03", b"\x06\x00\x00\x00", b"\x06\x00\x00\x20\x00\x0c"])
def test_an_abort_with_a_format_error_is_silently_discarded(chunk: bytes) -> None:
    """M05, X37: "If an endpoint receives an ABORT chunk with a format error ... it MUST silently discard it"."""
    peer = established()
    assert peer.send(Raw(chunk)) == []
    assert peer.state is ESTABLISHED


def test_nothing_of_a_packet_with_an_abort_is_answered() -> None:
    """M05, R21: "MUST NOT respond to any received packet that contains an ABORT chunk" (§9.1)."""
    peer = established()
    # A -> HEARTBEAT, ABORT -> Z, Z -> nothing -> A
    assert peer.send(Heartbeat(b"before"), Abort()) == []
    assert peer.state is CLOSED


def test_data_before_an_abort_starts_no_timer() -> None:
    """§6.2: the delayed SACK is for an association that lives. The first DATA would be acknowledged at once."""
    peer = established()
    peer.send(Data(A_INITIAL_TSN, 0, 0, 0, b"first"))
    # A -> DATA, ABORT -> Z
    assert peer.send(Data(A_INITIAL_TSN + 1, 0, 1, 0, b"second"), Abort()) == []
    assert peer.state is CLOSED
    check_association(peer.association)


def test_what_follows_an_abort_is_ignored() -> None:
    """M05, R21: chunks "MUST be placed before the ABORT chunk ...; otherwise, they will be ignored"."""
    peer = established()
    assert peer.send(Abort(), Data(A_INITIAL_TSN, 0, 0, 0, b"after"), Heartbeat(b"after")) == []
    assert peer.user_reads() == []
    assert peer.state is CLOSED


# -- ERROR received --


@pytest.mark.parametrize("cause", [cause for cause in CAUSES if not isinstance(cause, StaleCookie)], ids=hex_code)
def test_an_error_is_told_to_the_user_and_changes_nothing(cause: Cause) -> None:
    """M07, C10: "not considered fatal in and of itself"; the event has the first cause's code and the whole chunk."""
    peer = established()
    peer.events.clear()
    chunk = Error((cause, OutOfResource()))
    # A -> ERROR -> Z, Z -> nothing -> A
    assert peer.send(chunk) == []
    assert peer.state is ESTABLISHED
    (event,) = peer.events
    assert isinstance(event, RemoteError)
    assert (event.error, event.data.rstrip(b"\0")) == (cause.code, chunk.encode().rstrip(b"\0"))


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x01\x00\x03", b"\x00\x01\xff\xff", b"\x00\x04\x00\x04" * 300])
def test_an_error_with_odd_causes_is_harmless(value: bytes) -> None:
    """M07, X30, X45: too few, too short or too many causes: no answer, no end, and the association works on."""
    peer = established()
    assert peer.send(Raw(encode_chunk(9, 0, value))) == []
    assert peer.state is ESTABLISHED
    assert len(peer.send(Heartbeat(b"alive"))) == 1


def test_a_stale_cookie_error_after_the_handshake_means_nothing() -> None:
    """M07, Q03: "if the association is not in the COOKIE-ECHOED state, the ERROR ... SHOULD be silently discarded"."""
    peer = established()
    peer.events.clear()
    assert peer.send(Error((StaleCookie(0),))) == []
    assert peer.state is ESTABLISHED
    assert peer.events == []


# -- ERROR and ABORT sent by an association that is up --


def test_data_on_a_stream_that_does_not_exist() -> None:
    """Q01, M07: ERROR "Invalid Stream Identifier"; the TSN is acknowledged and the association lives (§6.5)."""
    peer = established()
    stream = peer.association.tcb.inbound_streams
    # A -> DATA on a bad stream -> Z, Z -> SACK, ERROR -> A
    packets = peer.send(Data(A_INITIAL_TSN, stream, 0, 0, b"x"))
    assert chunks_of(packets, Error) == [Error((InvalidStreamIdentifier(stream),))]
    assert [sack.cumulative_tsn_ack for sack in chunks_of(packets, Sack)] == [A_INITIAL_TSN]
    assert peer.state is ESTABLISHED
    assert peer.user_reads() == []
    # the last stream that does exist
    packets = peer.send(Data(A_INITIAL_TSN + 1, stream - 1, 0, 0, b"y"))
    assert chunks_of(packets, Error) == []
    assert [message.data for message in peer.user_reads()] == [b"y"]


def test_data_without_user_data() -> None:
    """Q09, M01: ABORT with "No User Data" and the TSN (§6.2)."""
    peer = established()
    packets = peer.send(Data(A_INITIAL_TSN, 0, 0, 0, b""))
    assert abort_in(packets).causes == (NoUserData(A_INITIAL_TSN),)
    assert_aborted(peer, NoUserData(A_INITIAL_TSN), local=True)
    lost = peer.events_of(AssociationChange)[-1]
    assert (lost.change, lost.error) == (AssociationChangeKind.COMM_LOST, CauseCode.NO_USER_DATA)


@pytest.mark.parametrize("ahead", [1, 2, 1000])
def test_a_sack_for_what_was_never_sent_aborts(ahead: int) -> None:
    """Q13, R17: "MUST abort the association if it receives a SACK chunk acknowledging a TSN that has not been sent"
    (§12.4)."""
    peer = established()
    peer.user_sends(b"one")
    packets = peer.acknowledge(peer.z_initial_tsn + ahead & 0xFFFF_FFFF)
    (cause,) = abort_in(packets).causes
    assert cause.code == CauseCode.PROTOCOL_VIOLATION
    assert_aborted(peer, cause, local=True)


@pytest.mark.parametrize("type", [0x7E, 0xFE])
def test_an_unrecognized_chunk_is_reported_whole(type: int) -> None:
    """Q06, M07, M18: "complete with Chunk Type, Chunk Flags, and Chunk Length" (§3.3.10.6)."""
    peer = established()
    packets = peer.send(UnknownChunk(type, 0x5A, b"value"))
    (error,) = chunks_of(packets, Error)
    (cause,) = error.causes
    assert isinstance(cause, UnrecognizedChunkType)
    assert cause.chunk.rstrip(b"\0") == bytes((type, 0x5A, 0, 9)) + b"value"
    assert peer.state is ESTABLISHED


@pytest.mark.parametrize(("type", "is_skipped"), [(0x3E, False), (0x7E, False), (0xBE, True), (0xFE, True)])
def test_what_stands_beside_an_unrecognized_chunk(type: int, is_skipped: bool) -> None:
    """M18, X40: what came before it is processed; what follows only when the high bit says skip (Table 2)."""
    peer = established()
    packets = peer.send(Heartbeat(b"before"), UnknownChunk(type, 0, b""), Heartbeat(b"after"))
    answered = [chunk.info for chunk in chunks_of(packets, HeartbeatAck)]
    assert answered == ([b"before", b"after"] if is_skipped else [b"before"])


def test_a_huge_unrecognized_chunk_is_reported_within_the_path_mtu() -> None:
    """Q06, X51: what is echoed never outgrows the path."""
    peer = established(Config(path_mtu=600))
    packets = peer.send(UnknownChunk(0x7E, 0, b"?" * 60_000))
    assert len(packets_with(packets, Error)) == 1
    # IPv4 and UDP headers take 28 bytes
    assert all(len(packet.datagram.data) <= 600 - 28 for packet in packets)
    assert peer.state is ESTABLISHED


def test_many_unrecognized_chunks_get_one_packet_back() -> None:
    """Q06, M07: "MUST NOT send more than one packet containing chunks other than DATA chunks" for one (§12.4)."""
    peer = established()
    packets = peer.send(*(UnknownChunk(0xFE, n & 0xFF, b"?" * 100) for n in range(200)))
    assert len(packets) == 1
    assert peer.state is ESTABLISHED


def test_many_heartbeats_get_one_packet_back() -> None:
    """M04: the same rule for HEARTBEATs: one packet in, at most one packet of answers out (§12.4)."""
    peer = established()
    packets = peer.send(*(Heartbeat(b"%4d" % n * 50) for n in range(100)))
    assert len(packets) == 1


def test_an_abort_under_a_wrong_tag_that_violates_the_protocol_has_no_effect() -> None:
    """X18, R13: no violation is punished before the tag was checked (§8.5)."""
    peer = established()
    violations = (
        Data(A_INITIAL_TSN, 0, 0, 0, b""),
        Data(A_INITIAL_TSN, 9999, 0, 0, b"x"),
        Sack(peer.z_initial_tsn + 5 & 0xFFFF_FFFF, A_RWND),
        UnknownChunk(0x7E, 0, b""),
        Raw(b"\x07\x00\x00\x04"),
        Raw(b"\x00\x03\x00\x05"),
    )
    for chunk in violations:
        assert peer.send(chunk, tag=peer.z_tag ^ 0x8000_0000) == []
        assert peer.state is ESTABLISHED
    assert peer.events_of(AssociationChange)[1:] == []


@pytest.mark.parametrize("type", [0, 3, 7])
def test_a_chunk_shorter_than_its_fields_is_harmless(type: int) -> None:
    """X45: DATA, SACK or SHUTDOWN without room for their fields: no exception, no effect on what is counted."""
    peer = established()
    peer.send(Raw(encode_chunk(type, 3, b"\x00")))
    assert peer.user_reads() == []
    assert peer.state in (ESTABLISHED, CLOSED)
    if peer.state is ESTABLISHED:
        assert len(peer.send(Heartbeat(b"alive"))) == 1


def test_a_shutdown_for_what_was_never_sent() -> None:
    """Q13, M06: the TSN of a SHUTDOWN acknowledges as that of a SACK does, so the same violation is answered alike."""
    peer = established()
    packets = peer.send(Shutdown(peer.z_initial_tsn + 100 & 0xFFFF_FFFF))
    (cause,) = abort_in(packets).causes
    assert cause.code == CauseCode.PROTOCOL_VIOLATION
    assert peer.state is CLOSED


@pytest.mark.parametrize("chunk", [Init(0xA1A1_A1A1, A_RWND, 10, 10, 1), CookieEcho(b"not a cookie")])
def test_a_forged_handshake_leaves_the_association_alone(chunk: Init | CookieEcho) -> None:
    """R09, X52: neither an INIT nor a bad COOKIE ECHO changes tags, TSNs or state of an association."""
    peer = established()
    tcb = repr(peer.association.tcb)
    peer.send(chunk, tag=0 if isinstance(chunk, Init) else peer.z_tag)
    assert peer.state is ESTABLISHED
    before, after = (text.partition("tie_tag")[0] for text in (tcb, repr(peer.association.tcb)))
    assert before == after
    # A, still the same -> HEARTBEAT -> Z, Z -> HEARTBEAT ACK -> A
    (packet,) = peer.send(Heartbeat(b"same as ever"))
    assert packet.verification_tag == A_TAG
