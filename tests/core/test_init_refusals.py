"""INITs and INIT ACKs that open nothing (§3.3.2, §3.3.3, §5.1)."""

from __future__ import annotations

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.events import AssociationChangeKind
from aiosctp.exceptions import AssociationAborted
from aiosctp.wire.causes import (
    InvalidMandatoryParameter,
    MissingMandatoryParameter,
    OutOfResource,
    UnresolvableAddress,
)
from aiosctp.wire.chunks import Abort, CookieAck, CookieEcho, Init, InitAck
from aiosctp.wire.codepoints import ChunkType, ParameterType
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import (
    HostNameAddress,
    IPv4AddressParameter,
    StateCookie,
)
from tests.core.transcript import (
    PEER_COOKIE,
    PEER_HOST,
    PEER_SECOND_HOST,
    PEER_TSN,
    Bench,
    Peer,
)

HOST_NAME = HostNameAddress(b"peer.example\0")


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
    """M02, Q07: a_rwnd < 1500: "MUST discard the packet, SHOULD send ... ABORT ..., MUST NOT change the state"."""
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


@pytest.mark.parametrize("initiates", [True, False])
def test_the_abort_for_a_host_name_goes_where_its_packet_came_from(initiates: bool) -> None:
    """§5.1.2 B: "SHOULD be sent to the source IP address from which the last peer packet was received"."""
    bench = Bench()
    peer = Peer(bench)
    listed = IPv4AddressParameter(PEER_HOST), HOST_NAME
    if initiates:
        peer.is_called(PEER_HOST, PEER_SECOND_HOST)
        # Z -> INIT ACK [another address, Host Name Address] -> A
        peer.send(peer.init_ack(StateCookie(PEER_COOKIE), *listed), source=PEER_SECOND_HOST)
    else:
        bench.listen()
        # Z -> INIT [another address, Host Name Address] -> A
        peer.send(peer.init(*listed), source=PEER_SECOND_HOST)
    # A -> ABORT -> Z
    peer.expect(Abort, host=PEER_SECOND_HOST)


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


# -- INITs that are refused (§3.3.2) --


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


def test_at_the_limit_an_init_is_answered_with_out_of_resource() -> None:
    """Q04: "lack of local resources, it SHOULD respond with an ABORT chunk" and the cause (§5.1)."""
    bench = Bench()
    bench.listen(max_associations=1)
    first, second = Peer(bench, port=5001, tag=1), Peer(bench, port=5002, tag=2)
    first.send(CookieEcho(first.get_cookie()))
    first.expect(CookieAck)
    # Z -> INIT -> A
    second.send(second.init())
    # A -> ABORT [Out of Resource] -> Z
    assert second.expect(Abort) == Abort((OutOfResource(),))


def test_at_the_limit_a_cookie_echo_is_answered_with_out_of_resource() -> None:
    """Q04: the same for a COOKIE ECHO; "MUST be set to the Initiate Tag value of the received INIT" (§5.1)."""
    bench = Bench()
    endpoint = bench.listen(max_associations=1)
    first, second = Peer(bench, port=5001, tag=1), Peer(bench, port=5002, tag=2)
    cookies = first.get_cookie(), second.get_cookie()
    first.send(CookieEcho(cookies[0]))
    first.expect(CookieAck)
    # Z -> COOKIE ECHO -> A
    second.send(CookieEcho(cookies[1]))
    # A -> ABORT [Out of Resource] -> Z
    assert second.expect(Abort) == Abort((OutOfResource(),))
    assert len(endpoint.associations) == 1


def test_a_full_backlog_lets_an_init_and_a_cookie_echo_wait() -> None:
    """A07, G29: there will be room in a moment: nothing is answered, and what the peer sends again is taken."""
    bench = Bench()
    endpoint = bench.listen(backlog=1)
    first, second, third = (Peer(bench, port=5000 + n, tag=n) for n in (1, 2, 3))
    cookies = first.get_cookie(), second.get_cookie()
    first.send(CookieEcho(cookies[0]))
    first.expect(CookieAck)
    # Z -> INIT, COOKIE ECHO -> A, and nothing comes back
    third.send(third.init())
    second.send(CookieEcho(cookies[1]))
    bench.expect_nothing()
    assert len(endpoint.associations) == 1
    endpoint.accepted.clear()
    # Z -> COOKIE ECHO, again -> A -> COOKIE ACK -> Z
    second.send(CookieEcho(cookies[1]))
    second.expect(CookieAck)
    endpoint.accepted.clear()
    third.get_cookie()


def test_an_association_counts_in_the_backlog_until_the_user_accepts_it() -> None:
    """A07: "outstanding associations allowed in the socket's accept queue" (RFC 6458 §4.1.3): those that the engine
    still holds and those that the surface has taken, together."""
    bench = Bench()
    endpoint = bench.listen(backlog=2)
    first, second, third = (Peer(bench, port=5000 + n, tag=n) for n in (1, 2, 3))
    for peer in (first, second):
        peer.send(CookieEcho(peer.get_cookie()))
        peer.expect(CookieAck)
    # The surface takes the first; its user has not accepted it.
    endpoint.accepted.pop(0)
    endpoint.unaccepted += 1
    # Z -> INIT -> A, and nothing comes back
    third.send(third.init())
    bench.expect_nothing()
    endpoint.unaccepted -= 1
    third.get_cookie()


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


def test_an_init_ack_with_a_broken_address_is_answered_with_abort() -> None:
    """X25: "invalid parameter values": ABORT under the INIT ACK's Initiate Tag, and the setup is over (§5.1)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    # Z -> INIT ACK [cookie, malformed address] -> A
    value = peer.init_ack(StateCookie(b"cookie!!")).value + b"\0\5\0\6\xc0\0"
    peer.send(encode_chunk(ChunkType.INIT_ACK, 0, value))
    # A -> ABORT -> Z
    peer.expect(Abort)
    assert association.state is AssociationState.CLOSED


@pytest.mark.parametrize("is_tag_wrong", [True, False], ids=["another tag", "Initiate Tag 0"])
def test_a_broken_init_ack_that_names_no_tag_of_ours_or_its_own_is_dropped(is_tag_wrong: bool) -> None:
    """X18, X25: only who knows our tag ends the setup, and no ABORT goes out under tag 0 (§8.5)."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_called()
    value = peer.init_ack(StateCookie(b"cookie!!")).value + b"\0\5\0\6\xc0\0"
    if is_tag_wrong:
        peer.send(encode_chunk(ChunkType.INIT_ACK, 0, value), tag=peer.our_tag ^ 1)
    else:
        peer.send(encode_chunk(ChunkType.INIT_ACK, 0, bytes(4) + value[4:]))
    bench.expect_nothing()
    assert association.state is AssociationState.COOKIE_WAIT


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
    """M02, X52: tag 0: "verify that the packet contains only an INIT", else "silently discard" (§8.5.1 A)."""
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


def test_the_peer_may_be_the_one_that_ends_the_setup_with_a_reason() -> None:
    """M05: the causes of the ABORT reach the user whole."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.is_echoed()
    # Z -> ABORT [Out of Resource] -> A
    peer.send(Abort((OutOfResource(),)))
    assert bench.changes(association) == [AssociationChangeKind.CANT_STR_ASSOC]
    assert isinstance(association.ending, AssociationAborted | ConnectionRefusedError)
