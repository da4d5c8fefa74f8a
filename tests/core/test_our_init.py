"""What stands in an INIT and in an INIT ACK of ours (§3.3.2, §3.3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from aiosctp.wire.causes import StaleCookie
from aiosctp.wire.chunks import CookieEcho, Error, Init, InitAck
from aiosctp.wire.codepoints import ParameterType
from aiosctp.wire.parameters import (
    CookiePreservative,
    IPv4AddressParameter,
    IPv6AddressParameter,
    SupportedAddressTypes,
    UnknownParameter,
)
from tests.core.transcript import OUR_HOST, OUR_SECOND_HOST, PEER_HOST, Bench, Peer, addresses_in, next_init, of_kind

Maker = Callable[..., Init | InitAck]

OUR_IPV6 = "2001:db8::1"
EVERYTHING: dict[str, object] = {"addresses": (OUR_HOST, OUR_SECOND_HOST, OUR_IPV6), "adaptation_layer": 7}
ADDRESSES = (IPv4AddressParameter, IPv6AddressParameter)


def init_of(**options: object) -> Init:
    return next_init(Bench(**options))  # type: ignore[arg-type]  # fields of Config by name


def init_ack_of(**options: object) -> InitAck:
    bench = Bench(**options)  # type: ignore[arg-type]  # fields of Config by name
    bench.listen()
    peer = Peer(bench)
    # Z -> INIT [types of addresses, the host name among them; two parameters to report] -> A
    types = SupportedAddressTypes((ParameterType.IPV4_ADDRESS, ParameterType.HOST_NAME_ADDRESS))
    peer.send(peer.init(types, UnknownParameter(0xC101, b"a"), UnknownParameter(0xC102, b"b")))
    # A -> INIT ACK -> Z
    return peer.expect(InitAck)


def init_after_a_stale_cookie_of(**options: object) -> Init:
    bench = Bench(**options)  # type: ignore[arg-type]  # fields of Config by name
    peer = Peer(bench)
    peer.is_called()
    peer.send(peer.init_ack())
    peer.expect(CookieEcho)
    # Z -> ERROR [Stale Cookie] -> A, A -> INIT [Cookie Preservative] -> Z
    peer.send(Error((StaleCookie(0),)))
    init = peer.expect(Init, tag=0)
    assert of_kind(init.parameters, CookiePreservative)
    return init


each_of_ours = pytest.mark.parametrize("make", [init_of, init_ack_of, init_after_a_stale_cookie_of])


@each_of_ours
def test_no_parameter_stands_twice(make: Maker) -> None:
    """M02, P02: "each parameter MUST only be included once" (§3.3.2); an address is a parameter for each address."""
    chunk = make(**EVERYTHING)
    types = Counter(p.type for p in chunk.parameters if not isinstance(p, ADDRESSES))
    # "one or more" of them (§3.2.2)
    types.pop(ParameterType.UNRECOGNIZED_PARAMETER, None)
    assert set(types.values()) == {1}
    assert len([p for p in chunk.parameters if isinstance(p, ADDRESSES)]) == len(addresses_in(chunk.parameters)) == 3


@each_of_ours
def test_no_host_name_is_told_nor_said_to_be_supported(make: Maker) -> None:
    """P06, P07: Host Name Address: "MUST NOT include this parameter" (§3.3.2.1.4), nor its type (§3.3.2.1.5)."""
    chunk = make(**EVERYTHING)
    assert ParameterType.HOST_NAME_ADDRESS not in {parameter.type for parameter in chunk.parameters}
    for supported in of_kind(chunk.parameters, SupportedAddressTypes):
        assert isinstance(supported, SupportedAddressTypes)
        assert ParameterType.HOST_NAME_ADDRESS not in supported.types


@pytest.mark.parametrize("make", [init_of, init_ack_of])
def test_an_ipv4_address_is_told_as_one_however_it_is_written(make: Maker) -> None:
    """P02: "MUST NOT use an IPv4-mapped IPv6 address but SHOULD instead use an IPv4 Address" (§3.3.2.1.2)."""
    chunk = make(advertise_addresses=(f"::ffff:{OUR_HOST}", OUR_IPV6))
    told = [parameter for parameter in chunk.parameters if isinstance(parameter, ADDRESSES)]
    assert told == [IPv4AddressParameter(OUR_HOST), IPv6AddressParameter(OUR_IPV6)]


@pytest.mark.parametrize("make", [init_of, init_ack_of])
def test_initial_tsns_are_random_in_the_whole_range(make: Maker) -> None:
    """M02: "SHOULD be set to a random value in that range", 0 to 2^32 - 1 (§3.3.2, §3.3.3)."""
    tsns = [make(seed=seed).initial_tsn for seed in range(40)]
    assert len(set(tsns)) == 40
    for bit in range(32):
        assert {tsn >> bit & 1 for tsn in tsns} == {0, 1}, f"bit {bit} never changes"


@pytest.mark.parametrize("make", [init_of, init_ack_of])
def test_the_least_that_may_be_configured_is_the_least_that_may_be_offered(make: Maker) -> None:
    """M02: a_rwnd "MUST NOT be smaller than 1500", OS and MIS "of 0 MUST NOT be used" (§3.3.2, §3.3.3)."""
    chunk = make(receive_window_bytes=1500, outbound_streams=1, max_inbound_streams=1)
    assert (chunk.a_rwnd, chunk.outbound_streams, chunk.inbound_streams) == (1500, 1, 1)
    for name, value in {"receive_window_bytes": 1499, "outbound_streams": 0, "max_inbound_streams": 0}.items():
        with pytest.raises(ValueError, match=name):
            make(**{name: value})


def test_every_address_of_ours_speaks_and_hears_on_the_endpoints_port() -> None:
    """S01: "All transport addresses used by an SCTP endpoint MUST use the same port number" (§1.3)."""
    bench = Bench(addresses=(OUR_HOST, OUR_SECOND_HOST), heartbeat=True, hb_interval_s=1.0)
    peer = Peer(bench)
    bench.listen()
    second = IPv4AddressParameter("198.51.100.22")
    peer.associate(second, IPv4AddressParameter(PEER_HOST))
    bench.advance(60.0)
    heard = {(sent.datagram.source, sent.datagram.destination): sent.header for sent in bench.unread}
    assert {source for source, _ in heard} == {OUR_HOST, OUR_SECOND_HOST}
    assert {destination for _, destination in heard} == {PEER_HOST, second.host}
    assert {(header.source_port, header.destination_port) for header in heard.values()} == {(7777, 5000)}
