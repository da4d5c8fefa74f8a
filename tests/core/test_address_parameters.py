"""Which addresses an association has, and which it tells (§5.1.2)."""

from __future__ import annotations

import pytest

from aiosctp.wire.chunks import CookieAck, CookieEcho, InitAck
from aiosctp.wire.codepoints import ParameterType
from aiosctp.wire.parameters import (
    IPv4AddressParameter,
    IPv6AddressParameter,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    UnrecognizedParameter,
)
from tests.core.transcript import (
    OUR_HOST,
    OUR_SECOND_HOST,
    PEER_COOKIE,
    PEER_HOST,
    PEER_SECOND_HOST,
    Bench,
    Peer,
    addresses_in,
    cookie_of,
    hosts_of,
    next_init,
    of_kind,
)

OUR_IPV6 = "2001:db8::1"
PEER_IPV6 = "2001:db8:f::2"


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
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init())
    assert addresses_in(peer.expect(InitAck).parameters) == set()


def test_behind_a_nat_no_address_is_told() -> None:
    """S01: addresses "that might require translation MUST NOT be put into any SCTP packet" (RFC 6951 §5.7)."""
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST), advertise_addresses="none")
    assert addresses_in(next_init(bench).parameters) == set()
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST), advertise_addresses="none")
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init())
    assert addresses_in(peer.expect(InitAck).parameters) == set()


def test_an_ipv4_endpoint_ignores_ipv6_addresses_without_complaint() -> None:
    """E14: "The other addresses MAY be ignored ... SHOULD NOT respond with any kind of error"."""
    bench = Bench()
    peer = Peer(bench)
    association = peer.associate(IPv6AddressParameter(PEER_IPV6), IPv4AddressParameter(PEER_SECOND_HOST))
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}
    bench = Bench()
    peer = Peer(bench)
    association = peer.answers(IPv6AddressParameter(PEER_IPV6), IPv4AddressParameter(PEER_SECOND_HOST))
    assert hosts_of(association) == {PEER_HOST, PEER_SECOND_HOST}


@pytest.mark.parametrize(
    "parameters",
    [
        (IPv6AddressParameter(PEER_IPV6),),
        (SupportedAddressTypes((ParameterType.IPV6_ADDRESS,)), IPv4AddressParameter(PEER_SECOND_HOST)),
    ],
    ids=["a family we lack", "a family not listed as supported"],
)
def test_no_address_family_draws_an_error_indication(parameters: tuple[Parameter, ...]) -> None:
    """§5.1.2: "SHOULD NOT respond with any kind of error indication", in the INIT ACK or behind the COOKIE ECHO."""
    bench = Bench()
    bench.listen()
    peer = Peer(bench)
    # Z -> INIT -> A, A -> INIT ACK -> Z
    peer.send(peer.init(*parameters))
    assert not of_kind(peer.expect(InitAck).parameters, UnrecognizedParameter)
    bench = Bench()
    peer = Peer(bench)
    peer.is_called()
    # Z -> INIT ACK -> A, A -> COOKIE ECHO [and nothing else] -> Z
    peer.send(peer.init_ack(StateCookie(PEER_COOKIE), *parameters))
    peer.expect(CookieEcho)


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
