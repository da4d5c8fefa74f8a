"""Normal establishment: INIT and INIT ACK (§3.3.2, §3.3.3), the four legs (§5.1), the choice of tags (§5.3.1)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import AdaptationIndication, AssociationChange, AssociationChangeKind
from aiosctp.exceptions import AssociationAborted, ConnectTimeout
from aiosctp.wire.causes import (
    InvalidMandatoryParameter,
    MissingMandatoryParameter,
    OutOfResource,
    UnresolvableAddress,
)
from aiosctp.wire.chunks import Abort, Chunk, CookieAck, CookieEcho, Data, Init, InitAck, Sack, ShutdownAck
from aiosctp.wire.chunks import Shutdown as ShutdownChunk
from aiosctp.wire.codepoints import ChunkType, ParameterType
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    HostNameAddress,
    IPv4AddressParameter,
    IPv6AddressParameter,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
)
from tests.core.transcript import (
    OUR_HOST,
    OUR_SECOND_HOST,
    PEER_COOKIE,
    PEER_HOST,
    PEER_SECOND_HOST,
    PEER_TSN,
    STRANGER_HOST,
    Bench,
    Peer,
    cookie_of,
    hosts_of,
    timers_are_stopped,
)

OUR_IPV6 = "2001:db8::1"
PEER_IPV6 = "2001:db8:f::2"
HOST_NAME = HostNameAddress(b"peer.example\0")


def addresses_in(parameters: tuple[Parameter, ...]) -> set[str]:
    return {p.host for p in parameters if isinstance(p, IPv4AddressParameter | IPv6AddressParameter)}


def of_kind(parameters: tuple[Parameter, ...], kind: type[Parameter]) -> list[Parameter]:
    return [p for p in parameters if isinstance(p, kind)]


# -- the initiator: INIT and T1-init (§5.1 A, §4 note 2) --


def test_an_init_travels_alone_under_tag_zero_with_a_tag_of_its_own() -> None:
    """E09, M02, R13: "The sender MUST set the Verification Tag of the packet to 0" (§8.5.1 A)."""
    bench = Bench()
    peer = Peer(bench)
    association = bench.connect(peer.host)
    # A -> INIT -> Z
    sent = peer.expect_packet(Init, tag=0)
    init = sent.chunk(Init)
    assert init.initiate_tag != 0
    assert init.a_rwnd >= 1500
    assert init.outbound_streams > 0
    assert init.inbound_streams > 0
    assert sent.datagram.data[13] == 0  # "all bits in it SHOULD be set to 0 by the sender"
    assert association.state is AssociationState.COOKIE_WAIT


def test_what_the_user_configured_stands_in_the_init() -> None:
    bench = Bench(outbound_streams=3, max_inbound_streams=4, receive_window_bytes=54321)
    init = next_init(bench)
    assert (init.outbound_streams, init.inbound_streams, init.a_rwnd) == (3, 4, 54321)


def next_init(bench: Bench) -> Init:
    peer = Peer(bench)
    bench.connect(peer.host)
    return peer.expect(Init, tag=0)


def test_an_unanswered_init_is_sent_again_unchanged_with_a_doubled_timeout() -> None:
    """E09: "the endpoint MUST retransmit the INIT chunk and restart the T1-init timer" (§4 note 2, §6.3.3)."""
    bench = Bench(max_init_retransmits=4, rto_initial_s=1.0, rto_max_s=6.0)
    peer = Peer(bench)
    association = bench.connect(peer.host)
    bench.advance(60.0)
    inits = []
    while bench.unread:
        inits.append(peer.expect_packet(Init, tag=0))
    # A -> INIT -> lost, five times
    assert len({sent.datagram.data for sent in inits}) == 1
    assert [later.at - earlier.at for earlier, later in pairwise(inits)] == pytest.approx([1.0, 2.0, 4.0, 6.0])
    assert association.state is AssociationState.CLOSED


def test_max_init_retransmits_without_an_answer_end_the_setup() -> None:
    """C07: "the endpoint MUST abort the initialization process and report the error to the SCTP user" (§4 note 2)."""
    bench = Bench(max_init_retransmits=2)
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, b"never sent")
    bench.advance(60.0)
    peer.expect(Init, tag=0)
    peer.expect(Init, tag=0)
    bench.expect_nothing()
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    assert isinstance(association.ending, ConnectTimeout)
    assert timers_are_stopped(bench)


def test_retransmitted_inits_go_to_all_addresses_the_user_gave() -> None:
    """E06: "Retransmissions of INIT chunks ... SHOULD use all addresses of the peer" (§5.1)."""
    bench = Bench(max_init_retransmits=3)
    bench.connect(PEER_HOST, PEER_SECOND_HOST)
    bench.advance(30.0)
    destinations = [sent.datagram.destination for sent in bench.unread]
    assert len(destinations) == 4
    assert destinations[0] == PEER_HOST
    assert destinations.count(PEER_SECOND_HOST) == 2


# -- the initiator: INIT ACK, COOKIE ECHO and T1-cookie (§5.1 C, §5.1.4) --


def test_an_init_ack_is_answered_at_once_with_its_cookie() -> None:
    """E09, M08, P03, R13: COOKIE ECHO carries the cookie byte for byte, under the INIT ACK's Initiate Tag."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    cookie = bytes(range(256)) + b"\0"
    # Z -> INIT ACK -> A
    peer.send(peer.init_ack(StateCookie(cookie)))
    # A -> COOKIE ECHO -> Z
    assert peer.expect(CookieEcho).cookie == cookie
    assert association.state is AssociationState.COOKIE_ECHOED


def test_t1_init_stops_at_the_init_ack() -> None:
    """E09: "A" stops the T1-init timer: no INIT follows the COOKIE ECHO (§5.1 C)."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_echoed()
    bench.advance(20.0)
    assert {type(chunk) for chunk in peer.drain()} == {CookieEcho}


def test_an_unanswered_cookie_echo_is_sent_again_until_max_init_retransmits() -> None:
    """E09, C07: T1-cookie (§4 note 3, §5.1.4): COOKIE ECHO again, backing off, then the user hears of it."""
    bench = Bench(max_init_retransmits=3)
    peer = Peer(bench)
    association = peer.is_echoed()
    started = bench.now
    bench.advance(300.0)
    echoes = []
    while bench.unread:
        echoes.append(peer.expect_packet(CookieEcho))
    # A -> COOKIE ECHO -> lost, thrice more
    assert [echo.chunk(CookieEcho).cookie for echo in echoes] == [PEER_COOKIE] * 3
    assert [echo.at - started for echo in echoes] == pytest.approx([1.0, 3.0, 7.0])
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    assert isinstance(association.ending, ConnectTimeout)
    assert timers_are_stopped(bench)


def test_retransmitted_cookie_echoes_go_to_all_addresses_of_the_peer() -> None:
    """E06: "Retransmissions of ... COOKIE ECHO chunks SHOULD use all addresses of the peer" (§5.1)."""
    bench = Bench(max_init_retransmits=3)
    peer = Peer(bench)
    peer.is_called(PEER_HOST, PEER_SECOND_HOST)
    peer.send(
        peer.init_ack(
            StateCookie(PEER_COOKIE), IPv4AddressParameter(PEER_HOST), IPv4AddressParameter(PEER_SECOND_HOST)
        )
    )
    bench.advance(30.0)
    echoes = [sent.datagram.destination for sent in bench.unread if CookieEcho in sent.kinds]
    assert len(echoes) == 4
    assert set(echoes) == {PEER_HOST, PEER_SECOND_HOST}


def test_a_cookie_ack_establishes_the_association() -> None:
    """E09, M08, C03: COOKIE ACK stops T1-cookie, COMMUNICATION UP tells the streams (§5.1 E, §5.1.1)."""
    bench = Bench(outbound_streams=30, max_inbound_streams=40)
    peer = Peer(bench)
    association = peer.is_called()
    peer.send(peer.init_ack(outbound=10, inbound=20))
    peer.expect(CookieEcho)
    # Z -> COOKIE ACK -> A
    peer.send(CookieAck())
    assert association.state is AssociationState.ESTABLISHED
    assert bench.events(association) == [
        AssociationChange(AssociationChangeKind.COMM_UP, outbound_streams=20, inbound_streams=10)
    ]
    bench.expect_nothing_ever()


def test_the_smaller_of_what_is_wanted_and_what_is_offered_is_used_in_both_directions() -> None:
    """E07: "the endpoint MUST use MIS outbound streams" (§5.1.1); the other way round, ours."""
    bench = Bench(outbound_streams=3, max_inbound_streams=4)
    peer = Peer(bench)
    association = peer.is_called()
    peer.send(peer.init_ack(outbound=4, inbound=2000))
    peer.send(CookieAck())
    up = bench.events(association)[0]
    assert isinstance(up, AssociationChange)
    assert (up.outbound_streams, up.inbound_streams) == (3, 4)


def test_everything_after_the_init_is_sent_under_the_tag_of_the_init_ack() -> None:
    """R13: "This value MUST be placed into the Verification Tag field of every SCTP packet" (§3.3.3)."""
    bench = Bench()
    peer = Peer(bench, tag=0xFFFF_FFFF)
    association = peer.answers()
    peer.talk(association)
    bench.shut_down(association)
    # expect() compares the tag
    peer.expect(ShutdownChunk)


# -- data with and after the cookie (§5.1 C) --


def test_user_data_that_waits_is_bundled_behind_the_cookie_echo() -> None:
    """A12, M08: "COOKIE ECHO chunk MAY be bundled with any pending outbound DATA chunks, ... MUST be the first"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, b"third leg")
    bench.expect_nothing()
    peer.send(peer.init_ack())
    # A -> COOKIE ECHO, DATA -> Z
    sent = peer.expect_packet(CookieEcho, Data)
    assert sent.chunk(Data).payload == b"third leg"
    assert sent.chunk(Data).tsn == peer.our_tsn
    # Z -> COOKIE ACK, SACK -> A
    peer.send(CookieAck(), Sack(peer.our_tsn, 100_000))
    assert association.state is AssociationState.ESTABLISHED
    bench.expect_nothing_ever()


def test_no_other_packet_is_sent_before_the_cookie_ack() -> None:
    """A12: "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets to the peer" (§5.1 C)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    bench.say(association, bytes(20_000))
    peer.send(peer.init_ack())
    first = peer.next_packet()
    assert first.kinds[0] is CookieEcho
    bench.expect_nothing()
    bench.say(association, b"later")
    bench.expect_nothing()
    bench.advance(20.0)
    # A -> COOKIE ECHO [, DATA] -> Z, nothing else
    assert bench.unread
    assert all(sent.kinds[0] is CookieEcho for sent in bench.unread)
    bench.unread.clear()
    # Z -> COOKIE ACK, SACK -> A
    peer.send(CookieAck(), Sack(peer.our_tsn, 100_000))
    assert any(isinstance(chunk, Data) for chunk in peer.drain())


def test_data_is_not_received_before_the_peer_has_acknowledged_the_cookie() -> None:
    """X44: DATA in COOKIE-WAIT belongs to no association that is up: nothing is delivered, nothing acknowledged."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> DATA -> A
    peer.send(peer.data())
    assert association.receiver.read() is None
    assert not [chunk for chunk in peer.drain() if isinstance(chunk, Sack)]
    assert association.state is AssociationState.COOKIE_WAIT


@pytest.mark.parametrize("initiates", [True, False])
def test_the_first_data_of_an_association_is_acknowledged_at_once(initiates: bool) -> None:
    """R15: "the endpoint MUST immediately respond with a SACK chunk to acknowledge the DATA chunk" (§5.1)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.answers() if initiates else peer.associate()
    # Z -> DATA -> A
    peer.send(peer.data(b"first"))
    # A -> SACK -> Z
    assert peer.expect(Sack).cumulative_tsn_ack == PEER_TSN
    message = association.receiver.read()
    assert message is not None
    assert message.data == b"first"


def test_both_ends_count_from_their_initial_tsns() -> None:
    """E09: "MUST set its internal Cumulative TSN Ack Point to the value of its transmitted Initial TSN minus one"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate()
    bench.shut_down(association)
    # A -> SHUTDOWN [Cumulative TSN Ack = the peer's Initial TSN - 1] -> Z
    assert peer.expect(ShutdownChunk).cumulative_tsn_ack == PEER_TSN - 1


# -- INIT ACKs that are refused (§3.3.3) --


def test_an_init_ack_with_tag_zero_in_cookie_wait_destroys_the_tcb() -> None:
    """M02, M05: "it MUST destroy the TCB and SHOULD send an ABORT chunk with the T bit set" (§3.3.3)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT ACK [Initiate Tag 0] -> A
    peer.send(InitAck(0, 100_000, 10, 10, PEER_TSN, (StateCookie(PEER_COOKIE),)))
    # A -> ABORT T -> Z, the tag reflected
    assert peer.expect(Abort, tag=peer.our_tag).tag_reflected
    assert association.state is AssociationState.CLOSED
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    bench.expect_nothing_ever()


@pytest.mark.parametrize(("outbound", "inbound"), [(0, 10), (10, 0), (0, 0)])
def test_an_init_ack_with_no_streams_in_cookie_wait_destroys_the_tcb(outbound: int, inbound: int) -> None:
    """M02, Q07: OS or MIS 0: "it MUST destroy the TCB and SHOULD send an ABORT chunk" (§3.3.3), under the new tag."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT ACK [OS or MIS = 0] -> A
    peer.send(peer.init_ack(outbound=outbound, inbound=inbound))
    # A -> ABORT [Invalid Mandatory Parameter] -> Z
    assert peer.expect(Abort) == Abort((InvalidMandatoryParameter(),))
    assert association.state is AssociationState.CLOSED
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    bench.expect_nothing_ever()


def test_an_init_ack_with_a_tiny_window_changes_no_state() -> None:
    """M02, Q07: a_rwnd < 1500: "MUST discard the packet, SHOULD send ... an ABORT chunk ... MUST NOT change the state"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT ACK [a_rwnd = 1499] -> A
    peer.send(peer.init_ack(a_rwnd=1499))
    # A -> ABORT [Invalid Mandatory Parameter] -> Z, under the Initiate Tag
    assert peer.expect(Abort) == Abort((InvalidMandatoryParameter(),))
    assert association.state is AssociationState.COOKIE_WAIT
    # T1-init is left running.
    bench.advance(1.0)
    peer.expect(Init, tag=0)
    peer.send(peer.init_ack(a_rwnd=1500))
    peer.expect(CookieEcho)


def test_an_init_ack_without_a_cookie_is_answered_with_abort() -> None:
    """Q02: the missing State Cookie is named; the ABORT goes under the INIT ACK's Initiate Tag (§5.1, §3.3.10.2)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT ACK [no State Cookie] -> A
    peer.send(peer.init_ack(IPv4AddressParameter(PEER_HOST)))
    # A -> ABORT [Missing Mandatory Parameter: 7] -> Z
    assert peer.expect(Abort) == Abort((MissingMandatoryParameter((ParameterType.STATE_COOKIE,)),))
    assert association.state is AssociationState.CLOSED
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]


def test_an_init_ack_with_a_host_name_is_answered_with_abort() -> None:
    """P06, Q05: "MUST send an ABORT chunk and MAY include an "Unresolvable Address" error cause" (§3.3.3 Note 3)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT ACK [Host Name Address] -> A
    peer.send(peer.init_ack(StateCookie(PEER_COOKIE), HOST_NAME))
    # A -> ABORT [Unresolvable Address] -> Z
    assert peer.expect(Abort) == Abort((UnresolvableAddress(HOST_NAME.encode()),))
    assert association.state is AssociationState.CLOSED


def test_an_abort_in_cookie_wait_is_reported_and_not_answered() -> None:
    """M05, C07: ABORT in answer to our INIT: the setup failed, with the causes of the chunk."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> ABORT [Out of Resource] -> A
    peer.send(Abort((OutOfResource(),)))
    assert association.state is AssociationState.CLOSED
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    bench.expect_nothing_ever()


def test_a_large_init_ack_is_taken() -> None:
    """P02, P03: "MUST be prepared to receive an INIT ACK chunk that is quite large (more than 1500 bytes)" (§3.3.3)."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_called()
    cookie = bytes(4000)
    addresses = [IPv4AddressParameter(f"198.51.{n // 200}.{n % 200 + 1}") for n in range(1000)]
    # Z -> INIT ACK [12 kB] -> A
    peer.send(peer.init_ack(*addresses, StateCookie(cookie)))
    # A -> COOKIE ECHO -> Z
    assert peer.expect(CookieEcho).cookie == cookie


def test_flags_of_an_init_ack_are_ignored() -> None:
    """M02: "all bits in it SHOULD be ... ignored by the receiver" (§3.3.3)."""
    bench = Bench()
    peer = Peer(bench)
    peer.is_called()
    # Z -> INIT ACK [flags 0xFF] -> A
    peer.send(encode_chunk(ChunkType.INIT_ACK, 0xFF, peer.init_ack().value))
    peer.expect(CookieEcho)


# -- the responder (§5.1 B, D) --


def test_an_init_is_answered_at_once_with_an_init_ack() -> None:
    """E09, M02, P03: alone, under Tag_A, with a tag and a cookie of our own, to where the INIT came from (§5.1 B)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench, udp_port=40001)
    # Z -> INIT -> A
    peer.send(peer.init())
    # A -> INIT ACK -> Z
    sent = peer.expect_packet(InitAck)
    init_ack = sent.chunk(InitAck)
    assert init_ack.initiate_tag != 0
    assert init_ack.a_rwnd >= 1500
    assert len(of_kind(init_ack.parameters, StateCookie)) == 1
    assert sent.datagram.data[13] == 0
    assert sent.datagram.source in (OUR_HOST, None)


def test_an_init_leaves_no_state_behind() -> None:
    """E09, R01: "Z" MUST NOT allocate any resources or keep any states for the new association (§5.1 B)."""
    bench = Bench()
    endpoint = bench.listen()
    for number in range(1, 200):
        peer = Peer(bench, port=number, tag=number)
        # Z -> INIT -> A, A -> INIT ACK -> Z
        peer.get_cookie()
    assert not endpoint.associations
    assert not bench.engine.poll_changed()
    assert timers_are_stopped(bench)


def test_a_cookie_echo_establishes_the_association() -> None:
    """E09, M08, C03: the TCB is built from the cookie, COOKIE ACK is sent, the user hears of it (§5.1 D)."""
    bench = Bench(outbound_streams=30, max_inbound_streams=7)
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    # Z -> COOKIE ECHO -> A
    peer.send(CookieEcho(cookie))
    # A -> COOKIE ACK -> Z
    peer.expect(CookieAck)
    (association,) = endpoint.accepted
    assert association.state is AssociationState.ESTABLISHED
    assert bench.events(association) == [
        AssociationChange(AssociationChangeKind.COMM_UP, outbound_streams=20, inbound_streams=7)
    ]
    peer.talk(association)


def test_data_behind_the_cookie_echo_is_delivered_and_acknowledged_at_once() -> None:
    """A12, M08, R15: "Immediately acknowledge any DATA chunk bundled with the COOKIE ECHO", COOKIE ACK first (§5.1.5)."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    # Z -> COOKIE ECHO, DATA, DATA -> A
    peer.send(CookieEcho(cookie), peer.data(b"one"), peer.data(b"two"))
    # A -> COOKIE ACK, SACK -> Z
    chunks = peer.drain()
    assert [type(chunk) for chunk in chunks] == [CookieAck, Sack]
    assert isinstance(chunks[1], Sack)
    assert chunks[1].cumulative_tsn_ack == PEER_TSN + 1
    (association,) = endpoint.accepted
    read = [association.receiver.read(), association.receiver.read()]
    assert [message.data for message in read if message] == [b"one", b"two"]


def test_the_init_ack_asks_for_no_more_streams_than_the_init_allows() -> None:
    """M02: OS "MUST NOT be greater than the MIS value sent in the INIT chunk" (§3.3.3)."""
    bench = Bench(outbound_streams=100)
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init(inbound=5))
    assert peer.expect(InitAck).outbound_streams <= 5


def test_each_init_ack_has_a_tag_of_its_own() -> None:
    """M02: Initiate Tags are random, also for the same peer (§5.3.1)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    tags = set()
    for _ in range(20):
        peer.get_cookie()
        tags.add(peer.our_tag)
    assert len(tags) == 20
    assert 0 not in tags


def test_an_init_with_tag_zero_is_silently_discarded() -> None:
    """M02: "If the value of the Initiate Tag ... is found to be 0, the receiver MUST silently discard the packet"."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench, tag=0)
    peer.send(peer.init())
    bench.expect_nothing_ever()


@pytest.mark.parametrize(
    "fields",
    [{"a_rwnd": 1499}, {"a_rwnd": 0}, {"outbound": 0}, {"inbound": 0}],
    ids=["a_rwnd 1499", "a_rwnd 0", "OS 0", "MIS 0"],
)
@pytest.mark.parametrize("established", [False, True])
def test_an_init_with_an_invalid_field_is_answered_with_abort(fields: dict[str, int], established: bool) -> None:
    """M02, Q07: "MUST discard the packet, SHOULD send ... an ABORT chunk", no association changes (§3.3.2)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    association = peer.associate() if established else None
    again = Peer(bench, tag=0xABCD)
    # Z -> INIT [a_rwnd < 1500, or no streams] -> A
    again.send(again.init(**fields))
    # A -> ABORT [Invalid Mandatory Parameter] -> Z, under the Initiate Tag
    assert again.expect(Abort) == Abort((InvalidMandatoryParameter(),))
    if association is not None:
        assert association.state is AssociationState.ESTABLISHED
        peer.talk(association)


def test_the_smallest_window_is_allowed() -> None:
    """M02: "The Advertised Receiver Window Credit MUST NOT be smaller than 1500": 1500 itself is fine."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init(a_rwnd=1500))
    peer.expect(InitAck)


def test_an_init_with_a_host_name_is_answered_with_abort() -> None:
    """P06, Q05: "the endpoint MUST immediately send an ABORT chunk" under the Initiate Tag, T = 0 (§5.1.2 B)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    # Z -> INIT [Host Name Address] -> A
    peer.send(peer.init(IPv4AddressParameter(PEER_HOST), HOST_NAME))
    # A -> ABORT [Unresolvable Address] -> Z
    assert peer.expect(Abort) == Abort((UnresolvableAddress(HOST_NAME.encode()),))


def test_flags_of_an_init_are_ignored() -> None:
    """M02: "all bits in it SHOULD be ... ignored by the receiver" (§3.3.2)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    # Z -> INIT [flags 0xFF] -> A
    peer.send(encode_chunk(ChunkType.INIT, 0xFF, peer.init().value), tag=0)
    peer.expect(InitAck)


def test_an_endpoint_that_does_not_listen_answers_an_init_with_abort() -> None:
    """A07, R14: "the Verification Tag ... MUST be the Initiate Tag of the received INIT chunk, and the T bit ... 0"."""
    bench = Bench()
    endpoint = bench.listen()
    endpoint.stop_listening()
    peer = Peer(bench)
    # Z -> INIT -> A
    peer.send(peer.init())
    # A -> ABORT -> Z
    assert not peer.expect(Abort).tag_reflected
    bench.expect_nothing_ever()


def test_a_full_backlog_answers_an_init_with_out_of_resource() -> None:
    """A07, Q04: "lack of local resources, it SHOULD respond with an ABORT chunk" and the cause (§5.1)."""
    bench = Bench()
    bench.listen(backlog=1)
    first, second = Peer(bench, port=5001, tag=1), Peer(bench, port=5002, tag=2)
    first.send(CookieEcho(first.get_cookie()))
    first.expect(CookieAck)
    # Z -> INIT -> A
    second.send(second.init())
    # A -> ABORT [Out of Resource] -> Z
    assert second.expect(Abort) == Abort((OutOfResource(),))


def test_a_full_backlog_at_the_cookie_echo_answers_with_out_of_resource() -> None:
    """A07, Q04: the same for a COOKIE ECHO; "MUST be set to the Initiate Tag value of the received INIT" (§5.1)."""
    bench = Bench()
    endpoint = bench.listen(backlog=1)
    first, second = Peer(bench, port=5001, tag=1), Peer(bench, port=5002, tag=2)
    cookies = first.get_cookie(), second.get_cookie()
    first.send(CookieEcho(cookies[0]))
    first.expect(CookieAck)
    # Z -> COOKIE ECHO -> A
    second.send(CookieEcho(cookies[1]))
    # A -> ABORT [Out of Resource] -> Z
    assert second.expect(Abort) == Abort((OutOfResource(),))
    assert len(endpoint.associations) == 1


@pytest.mark.parametrize(
    "parameters",
    [b"\0\5\0\6\xc0\0", b"\0\6\0\x08\1\2\3\4", b"\0\5\0\2", b"\0\5\0\x40\xc0\0\2\1", b"\0\5\0\x0c\xc0\0\2\1\0\0\0\0"],
    ids=["short IPv4", "short IPv6", "length below header", "beyond the chunk", "long IPv4"],
)
def test_an_init_with_a_broken_address_opens_nothing(parameters: bytes) -> None:
    """X25: a malformed address before there is an association: no exception, no cookie, ABORT if anything (§5.1)."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    # Z -> INIT [malformed address] -> A
    peer.send(encode_chunk(ChunkType.INIT, 0, peer.init().value + parameters), tag=0)
    # A -> ABORT -> Z
    peer.expect(Abort)
    assert not endpoint.associations
    peer.get_cookie()


@pytest.mark.parametrize("size", range(16))
def test_an_init_cut_short_opens_nothing(size: int) -> None:
    """X25: an INIT without all its fixed fields has nothing that could be answered."""
    bench = Bench()
    endpoint = bench.listen()
    peer = Peer(bench)
    peer.send(encode_chunk(ChunkType.INIT, 0, peer.init().value[:size]), tag=0)
    assert not [chunk for chunk in peer.drain() if isinstance(chunk, InitAck)]
    assert not endpoint.associations


@pytest.mark.parametrize("established", [False, True])
def test_an_init_bundled_with_another_chunk_is_silently_discarded(established: bool) -> None:
    """M02, X52: tag 0: "verify that the packet contains only an INIT ... Otherwise, ... silently discard" (§8.5.1 A)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    association = peer.associate() if established else None
    again = Peer(bench, tag=0xABCD)
    # Z -> INIT, DATA -> A
    again.send(again.init(), again.data())
    # Z -> DATA, INIT -> A
    again.send(again.data(), again.init(), tag=0)
    bench.expect_nothing()
    if association is not None:
        peer.talk(association)


# -- addresses (§5.1.2) --


def test_without_address_parameters_the_source_is_the_only_address_of_the_initiator() -> None:
    """P02: "MUST take the source IP address from which the chunk arrives ... as the only destination" (§5.1.2 A)."""
    bench = Bench()
    peer = Peer(bench)
    assert hosts_of(peer.associate()) == {PEER_HOST}


def test_the_addresses_of_an_init_and_its_source_are_all_recorded() -> None:
    """P02, E06: "MUST derive and record all the transport addresses ... AND the source IP address" (§5.1.2 C)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate(IPv4AddressParameter(PEER_SECOND_HOST), IPv4AddressParameter("198.51.100.23"))
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST, "198.51.100.23"}


def test_the_addresses_of_an_init_ack_and_its_source_are_all_recorded() -> None:
    """P02, E06: the same rule for the initiator (§5.1.2 C)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.answers(IPv4AddressParameter(PEER_SECOND_HOST))
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}


def test_without_address_parameters_the_source_of_the_init_ack_is_the_only_address() -> None:
    """P02: also where the INIT went to several addresses, or to another one (§5.1.2 A, §3.3.3)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called(PEER_HOST, PEER_SECOND_HOST)
    # Z -> INIT ACK -> A, from the second address
    peer.host = PEER_SECOND_HOST
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
    peer.send(CookieAck())
    assert hosts_of(association) == {PEER_SECOND_HOST}
    peer.talk(association)


def test_the_init_ack_goes_to_the_source_of_the_init_whatever_it_lists() -> None:
    """E09: "The packet containing the INIT ACK chunk MUST be sent to the source address" (§5.1.2)."""
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST))
    bench.listen()
    peer = Peer(bench, host=PEER_SECOND_HOST)
    peer.local_host = OUR_SECOND_HOST
    # Z -> INIT [another address first] -> A
    peer.send(peer.init(IPv4AddressParameter(PEER_HOST), IPv4AddressParameter(PEER_SECOND_HOST)))
    # A -> INIT ACK -> Z
    assert peer.expect_packet(InitAck).datagram.source == OUR_SECOND_HOST


def test_a_multihomed_endpoint_lists_its_addresses() -> None:
    """P02, E06: INIT and INIT ACK tell all of them."""
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST))
    assert addresses_in(next_init(bench).parameters) == {OUR_HOST, OUR_SECOND_HOST}
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST))
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init())
    assert addresses_in(peer.expect(InitAck).parameters) == {OUR_HOST, OUR_SECOND_HOST}


def test_a_single_address_is_not_told() -> None:
    """S01: "not using any IP Address parameters ... is a way to make an association more likely to work" with NAT."""
    assert addresses_in(next_init(Bench()).parameters) == set()


def test_an_ipv4_endpoint_ignores_ipv6_addresses_without_complaint() -> None:
    """E14: "MUST use all the addresses belonging to the supported address family ... SHOULD NOT respond with any ... error"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate(IPv6AddressParameter(PEER_IPV6), IPv4AddressParameter(PEER_SECOND_HOST))
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}
    bench = Bench()
    peer = Peer(bench)
    association = peer.answers(IPv6AddressParameter(PEER_IPV6), IPv4AddressParameter(PEER_SECOND_HOST))
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}


def test_an_association_mixes_ipv4_and_ipv6() -> None:
    """E14, P02: "IPv4 and IPv6 addresses are allowed in the same INIT chunk" (§3.3.2.1.2), both ways."""
    bench = Bench(addresses=(OUR_HOST, OUR_IPV6))
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init(IPv4AddressParameter(PEER_HOST), IPv6AddressParameter(PEER_IPV6)))
    init_ack = peer.expect(InitAck)
    assert addresses_in(init_ack.parameters) == {OUR_HOST, OUR_IPV6}
    peer.our_tag = init_ack.initiate_tag
    peer.send(CookieEcho(cookie_of(init_ack)))
    peer.drain()
    (association,) = bench.endpoint().accepted
    assert hosts_of(association) == {PEER_HOST, PEER_IPV6}


def test_an_ipv6_association() -> None:
    """E14: the four legs over IPv6 alone."""
    bench = Bench(addresses=(OUR_IPV6,))
    peer = Peer(bench, host=PEER_IPV6)
    association = peer.associate()
    assert hosts_of(association) == {PEER_IPV6}
    peer.talk(association)


def test_the_init_lists_the_address_types_we_can_use() -> None:
    """P07: "lists all the address types the sending endpoint can support" (§3.3.2.1.5), and never the host name."""
    for addresses, types in (
        ((OUR_HOST,), {ParameterType.IPV4_ADDRESS}),
        ((OUR_HOST, OUR_IPV6), {ParameterType.IPV4_ADDRESS, ParameterType.IPV6_ADDRESS}),
    ):
        (parameter,) = of_kind(next_init(Bench(addresses=addresses)).parameters, SupportedAddressTypes)
        assert isinstance(parameter, SupportedAddressTypes)
        assert set(parameter.types) == types


def test_a_family_the_peer_uses_counts_as_supported_though_it_is_not_listed() -> None:
    """P07, E14: the other family "SHOULD also be considered as supported", with no error (§5.1.2)."""
    bench = Bench(addresses=(OUR_HOST, OUR_IPV6))
    peer = Peer(bench)
    # Z -> INIT [over IPv4, says IPv6 alone] -> A
    association = peer.associate(
        SupportedAddressTypes((ParameterType.IPV6_ADDRESS,)), IPv4AddressParameter(PEER_SECOND_HOST)
    )
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}
    peer.talk(association)


def test_addresses_of_a_family_the_peer_cannot_use_are_not_told() -> None:
    """P07: the INIT ACK to a peer that lists IPv4 alone holds no IPv6 address (§3.3.2.1.5)."""
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST, OUR_IPV6))
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init(SupportedAddressTypes((ParameterType.IPV4_ADDRESS,))))
    assert addresses_in(peer.expect(InitAck).parameters) == {OUR_HOST, OUR_SECOND_HOST}


def test_a_host_name_among_the_supported_address_types_is_ignored() -> None:
    """P06, P07: it "MUST be ignored when receiving this parameter" (§3.3.2.1.5)."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init(SupportedAddressTypes((ParameterType.HOST_NAME_ADDRESS, ParameterType.IPV4_ADDRESS))))
    peer.expect(InitAck)


@pytest.mark.parametrize("host", ["224.0.0.1", "255.255.255.255", "0.0.0.0"])
def test_addresses_that_are_not_unicast_are_never_destinations(host: str) -> None:
    """A43: an association has unicast addresses only, whatever INIT or INIT ACK list."""
    bench = Bench()
    peer = Peer(bench)
    bench.listen()
    # Z -> INIT [multicast address] -> A
    peer.send(peer.init(IPv4AddressParameter(host)))
    for chunk in peer.drain():
        if isinstance(chunk, InitAck):
            peer.our_tag = chunk.initiate_tag
            peer.send(CookieEcho(cookie_of(chunk)))
    for association in bench.endpoint().associations:
        assert hosts_of(association) == {PEER_HOST}
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    peer.send(peer.init_ack(StateCookie(PEER_COOKIE), IPv4AddressParameter(host)))
    peer.send(CookieAck())
    bench.advance(300.0)
    assert {sent.datagram.destination for sent in bench.unread} <= {PEER_HOST}
    assert hosts_of(association) <= {PEER_HOST}


# -- adaptation layer (RFC 5061 §4.2.6) --


def test_the_adaptation_layer_is_told_in_the_init_and_in_the_init_ack() -> None:
    """E15, P20: our 32 bits at setup."""
    bench = Bench(adaptation_layer=0xFEED_F00D)
    indication = AdaptationLayerIndication(0xFEED_F00D)
    assert indication in next_init(bench).parameters
    bench.listen()
    peer = Peer(bench, port=6000)
    peer.send(peer.init())
    assert indication in peer.expect(InitAck).parameters


def test_the_adaptation_layer_is_not_told_when_there_is_none() -> None:
    assert not of_kind(next_init(Bench()).parameters, AdaptationLayerIndication)


def test_the_users_hear_of_the_peers_adaptation_layer() -> None:
    """E15, P20: 32 bits of the peer's, from its INIT ACK or through the cookie from its INIT."""
    bench = Bench()
    association = Peer(bench).answers(AdaptationLayerIndication(0xFEED_F00D))
    assert AdaptationIndication(0xFEED_F00D) in bench.events(association)
    bench = Bench()
    association = Peer(bench).associate(AdaptationLayerIndication(0))
    assert AdaptationIndication(0) in bench.events(association)


# -- tags (§5.3.1) --


def test_zero_is_never_chosen_as_a_tag() -> None:
    """M02: "Initiate Tag values SHOULD be selected from the range of 1 to 2^32 - 1", whatever the dice say."""
    bench = Bench()
    bench.forced_entropy.extend([bytes(4)] * 2)
    assert next_init(bench).initiate_tag != 0
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    bench.forced_entropy.extend([bytes(4)] * 2)
    peer.get_cookie()
    assert peer.our_tag != 0


def finish(bench: Bench, peer: Peer) -> None:
    """The peer's association ends gracefully."""
    peer.send(ShutdownChunk(peer.our_tsn - 1 & 0xFFFF_FFFF))
    peer.expect(ShutdownAck)
    # Z -> SHUTDOWN COMPLETE -> A
    peer.send(encode_chunk(ChunkType.SHUTDOWN_COMPLETE, 0, b""))
    assert timers_are_stopped(bench)


def test_the_tag_of_an_ended_association_is_not_used_again_at_once() -> None:
    """R27: "A new Verification Tag value MUST be used each time the endpoint tears down and then reestablishes"."""
    bench = Bench(vtag_quarantine_s=60.0)
    peer = Peer(bench)
    peer.associate()
    old = peer.our_tag
    finish(bench, peer)
    bench.advance(59.0)
    # The dice show the old tag again, for the responder ...
    bench.forced_entropy.extend([old.to_bytes(4)] * 2)
    peer.get_cookie()
    assert peer.our_tag != old
    # ... and for the initiator.
    bench.forced_entropy.clear()
    bench.forced_entropy.extend([old.to_bytes(4)] * 2)
    assert next_init(bench).initiate_tag != old


def test_late_packets_of_an_ended_association_do_not_touch_its_successor() -> None:
    """R13, R27: old duplicates are not "mistakenly processed as belonging to the current association" (§5.3.1)."""
    bench = Bench()
    peer = Peer(bench)
    peer.associate()
    old = peer.our_tag
    finish(bench, peer)
    successor = Peer(bench, tag=0xBEEF)
    association = successor.associate()
    # Z -> DATA, SHUTDOWN, ABORT -> A, all of them late
    successor.send(Data(PEER_TSN, 0, 0, 0, b"late"), tag=old)
    successor.send(ShutdownChunk(successor.our_tsn), tag=old)
    successor.send(Abort(), tag=old)
    bench.expect_nothing()
    assert association.state is AssociationState.ESTABLISHED
    assert association.receiver.read() is None
    successor.talk(association)


def test_two_associations_never_share_a_tag() -> None:
    """R01, R13: a tag in a stateless INIT ACK is not reserved, so it is checked again at the COOKIE ECHO."""
    bench = Bench()
    endpoint = bench.listen()
    first = Peer(bench, port=5001, tag=1)
    second = Peer(bench, host=STRANGER_HOST, port=5001, tag=2)
    first_cookie = first.get_cookie()
    bench.forced_entropy.append(first.our_tag.to_bytes(4))
    second_cookie = second.get_cookie()
    assert second.our_tag == first.our_tag
    first.send(CookieEcho(first_cookie))
    first.expect(CookieAck)
    (association,) = endpoint.accepted
    # Z2 -> COOKIE ECHO [the same tag of ours] -> A
    second.send(CookieEcho(second_cookie))
    assert len(endpoint.associations) == 1
    assert not [chunk for chunk in second.drain() if isinstance(chunk, CookieAck)]
    first.talk(association)


def test_the_peer_may_be_the_one_that_ends_the_setup_with_a_reason() -> None:
    """M05: the causes of the ABORT reach the user whole."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    # Z -> ABORT [Out of Resource] -> A
    peer.send(Abort((OutOfResource(),)))
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    assert isinstance(association.ending, AssociationAborted | ConnectionRefusedError)


def test_unexpected_chunks_in_cookie_wait_change_nothing() -> None:
    """X44: COOKIE ACK, DATA, SACK and SHUTDOWN before the INIT ACK do not advance the handshake (§5.2.5, §9.2)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    chunks: tuple[Chunk, ...] = (CookieAck(), peer.data(), Sack(peer.our_tsn, 100_000), ShutdownChunk(peer.our_tsn))
    for chunk in chunks:
        peer.send(chunk)
        assert association.state is AssociationState.COOKIE_WAIT
    bench.expect_nothing()
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
